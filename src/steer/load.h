/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_LOAD_H
#define WEFT_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

/*
 * How busy an lcore is: its working cycles over all cycles, smoothed over about 1 ms. On lcores
 * that poll, idle time as the kernel counts it means nothing. The lcore itself measures; the value
 * is the one thing that others read, so it has a cache line of its own, written only when it
 * changes.
 */

#define LOAD_FULL 1000	  /* permille */
#define LOAD_DEEP 256	  /* packets; more of them waiting, and the lcore is full */
#define LOAD_WINDOWS 4000 /* a second: each is 250 us long, or as long as a round takes */

struct load {
	uint32_t value __rte_cache_aligned; /* permille; its lcore: wo, others: ro (relaxed) */

	/* The lcore's own. */
	uint64_t begin __rte_cache_aligned; /* of the window, in cycles */
	uint64_t due;			    /* when the window may end */
	uint64_t busy;			    /* working cycles since the start, at `begin` */
	uint64_t hz;
	int64_t average; /* see smooth.h */
};

/* Before the lcore's first round: no load, and no working cycles yet. `now` is in cycles of a clock
 * that makes hz of them a second. */
void load_begin(struct load *load, uint64_t now, uint64_t hz);

/* Every round: whether a window is over. */
static inline bool load_is_due(const struct load *load, uint64_t now)
{
	return now >= load->due;
}

/* Ends a window that is due. `busy` is the lcore's working cycles since load_begin(), `depth` the
 * packets that wait in its inboxes. A window may be much longer than it should be (the lcore slept,
 * or was preempted); it then counts for as much as it is long. */
void load_update(struct load *load, uint64_t now, uint64_t busy, uint32_t depth);

/* The lcore has nothing to do, and will not look for a while: it has no load. */
void load_rest(struct load *load);

/* Permille. Any thread. */
static inline uint32_t load_read(const struct load *load)
{
	return __atomic_load_n(&load->value, __ATOMIC_RELAXED);
}

#endif
