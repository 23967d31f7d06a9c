/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer/load.h"

#include <assert.h>

#include "steer/smooth.h"

#define PER_SECOND 1000 /* time constants */

void load_begin(struct load *load, uint64_t now, uint64_t hz)
{
	assert(hz >= LOAD_WINDOWS); /* a window is a cycle at least */
	*load = (struct load){.begin = now, .due = now + hz / LOAD_WINDOWS, .hz = hz};
}

static void publish(struct load *load, uint32_t value)
{
	assert(value <= LOAD_FULL); /* who reads it compares it with permille */
	if (value != load->value)
		__atomic_store_n(&load->value, value, __ATOMIC_RELAXED);
}

void load_rest(struct load *load)
{
	load->average = 0;
	publish(load, 0);
}

/* The average lags behind; what waits is load already, and shows at once. */
void load_update(struct load *load, uint64_t now, uint64_t busy, uint32_t depth)
{
	uint64_t length = now - load->begin, share;

	assert(now > load->begin && busy >= load->busy); /* both only count up */
	share = (busy - load->busy) * LOAD_FULL / length;
	load->average = smooth(
		load->average, RTE_MIN(share, (uint64_t)LOAD_FULL), length, load->hz / PER_SECOND);
	load->begin = now;
	load->due = now + load->hz / LOAD_WINDOWS;
	load->busy = busy;
	publish(load, depth > LOAD_DEEP ? LOAD_FULL : smooth_read(load->average));
}
