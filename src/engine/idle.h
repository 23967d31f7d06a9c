/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_IDLE_H
#define WEFT_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "base/error.h"

/*
 * An lcore that has found nothing for a while sleeps, until somebody has something for it: a peer
 * of a queue that it owns, another lcore, the main lcore.
 *
 * Who sleeps says so (asleep), asks the peers to wake it, looks once more, and only then sleeps.
 * Who has put something into a sleeper's ring looks whether it sleeps, and wakes it. One of the two
 * sees the other: on the sleeper's side there is a barrier for all threads of the process
 * (membarrier), so that the others, who hand over packets all the time, need none.
 *
 * Where a queue has no descriptor to wait for, it has to be polled: the lcore naps for some
 * microseconds, longer and longer, unless something else wakes it.
 */
struct lcore;
struct dataplane;

struct idle {
	uint32_t asleep;   /* relaxed; the lcore: wo, others: ro */
	uint64_t time;	   /* relaxed: cycles slept, which are part of its idle time */
	uint64_t found_at; /* clock: when a round has found something last */
	uint32_t nap_ns;
	bool asks;    /* awake, and not all peers could be told so */
	int wake_fd;  /* eventfd */
	int epoll_fd; /* with it, and with the descriptors of the queues */
};

/* Main lcore. -1, and *error, if the kernel gives no descriptors or no barrier. */
int idle_init(struct idle *idle, struct error *error);
void idle_free(struct idle *idle);

/* Before the first round of a real lcore, on it. The kernel ends its naps in time, and not up to
 * 50 us later, as it does with other threads. */
void idle_begin(struct lcore *lcore);

/* After a round: sleeps if nothing has been found for long enough, and nothing waits here. For the
 * loop of real lcores. */
void idle_round(struct lcore *lcore, bool moved);

/* Writes to the sleeper's descriptor. */
void idle_write(const struct idle *idle);

/* Wakes an lcore that something was handed to. Any thread of the process. */
static inline void idle_wake(struct idle *idle)
{
	/* The compiler's order is enough: see above. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (unlikely(__atomic_load_n(&idle->asleep, __ATOMIC_RELAXED) != 0))
		idle_write(idle);
}

/* Wakes all: there are new tables, or another plan. Main lcore. */
void idle_wake_all(struct dataplane *dataplane);

#endif
