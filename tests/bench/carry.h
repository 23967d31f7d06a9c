/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_BENCH_CARRY_H
#define WEFT_BENCH_CARRY_H

#include <stdint.h>

#include "engine/dataplane.h"
#include "fixture.h"
#include "numbers.h"

/*
 * One flow through the receive path, on real lcores. The source is on lcore 0 and gives as much as
 * comes out again, so that the door never refuses a packet: figures are those of packets that are
 * carried. One run at a time; for the main lcore.
 */
#define CARRY_LCORES_MAX 8
#define CARRY_CREDITS 1024
#define CARRY_WINDOW (CARRY_CREDITS / 4) /* on the way: no flow group is refused for that */

/* Between two moments. */
struct carry_result {
	double pps;
	double cycles; /* working, of all lcores, a packet */
	double steps[STEP_COUNT];
	double busy[CARRY_LCORES_MAX]; /* share of the time */
	double out_of_order;	       /* share of the packets at the merge that had to be held */
	double most_held;	       /* there, since it began */
};

/* The lcores that EAL has, main's apart, from the first on, and the TSC as their clock. */
void carry_config(struct dataplane_config *config, uint16_t n_lcores, const char *mode);

/* Makes the lcores and lets them run; `owner` has the container's queue, and so many packets of
 * `frame` are on their way at most. */
struct dataplane *carry_start(const struct dataplane_config *config, struct tables *tables,
	struct fixture_frame *frame, uint16_t owner, uint32_t window);

/* Waits until the flow is an elephant, and merged by that lcore. */
void carry_await_merge(const struct dataplane *dataplane, uint16_t lcore);

struct carry_result carry_measure(const struct dataplane *dataplane, unsigned int ms);

/* Ends the run, and adds what its numbers have shown; the dataplane can still be looked at, and is
 * the caller's to free. Ends the program if packets were dropped. */
void carry_stop(struct dataplane *dataplane, const char *name, struct numbers *numbers);

#endif
