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
	/* The time after a step has been done with so many packets; steps are numbered as the
	 * engine has them. By this virtual time goes on. NULL: time goes on by itself. */
	uint64_t (*after)(const struct clock *clock, unsigned int step, uint32_t packets);
	uint64_t hz;
	void *driver; /* whose clock it is; the TSC has none */
};

static inline uint64_t clock_read(const struct clock *clock)
{
	return clock->read(clock);
}

static inline uint64_t clock_after(const struct clock *clock, unsigned int step, uint32_t packets)
{
	return clock->after == NULL ? clock->read(clock) : clock->after(clock, step, packets);
}

static inline uint64_t clock_tsc(const struct clock *clock)
{
	(void)clock;
	return rte_rdtsc();
}

#endif
