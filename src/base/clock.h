/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_CLOCK_H
#define WEFT_CLOCK_H

#include <stdint.h>

#include <rte_cycles.h>

/*
 * Time as the data path sees it, in cycles. The clock is passed in, so that the same code runs by
 * the TSC on real lcores and by virtual time on virtual ones.
 */
struct clock {
	uint64_t (*read)(const struct clock *clock);
	uint64_t hz;
	void *driver; /* whose clock it is; the TSC has none */
};

static inline uint64_t clock_read(const struct clock *clock)
{
	return clock->read(clock);
}

static inline uint64_t clock_tsc(const struct clock *clock)
{
	(void)clock;
	return rte_rdtsc();
}

#endif
