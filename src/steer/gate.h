/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_GATE_H
#define WEFT_GATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Falcon's gate: steering by stage pays only while there is CPU time to spare, so it is on (the
 * gate is open) while the average load of the steering lcores is below a threshold (Falcon,
 * EuroSys'21, Algorithm 1, line 6).
 *
 * Closing it changes the very load that it goes by, since the flows then use fewer lcores: by the
 * threshold alone it would swing under a constant load. So the gate remembers at which offered rate
 * it closed, and opens again
 *   - when the rate has fallen below 80 % of that, or
 *   - 10 s after it closed, to try whether the traffic has become another,
 * and in both cases only with the average well below the threshold. Hence a constant rate makes it
 * change at most twice in any 10 s.
 *
 * One gate for each door, used by the door's lcore only; any thread may read `open` and `changes`
 * (relaxed). Times are in cycles.
 */

struct gate_config {
	uint32_t threshold; /* permille; with 100 or less it would not open again */
	uint64_t hz;	    /* of the clock */
};

struct gate {
	bool open;
	uint64_t changes;

	struct gate_config config;
	uint64_t measured_at; /* the clock, */
	uint64_t offered;     /* and the packets that had been offered */
	int64_t average;      /* of the steering lcores' load; see smooth.h */
	int64_t rate;	      /* offered packets a second; see smooth.h */
	int64_t closing_rate; /* at which it closed */
	uint64_t closed_at;
};

/* The gate is open at first; it begins as {0}, and `changes` goes on when it begins again.
 * `offered` is the count that gate_update() will go on with. */
void gate_begin(
	struct gate *gate, const struct gate_config *config, uint64_t now, uint64_t offered);

/* To be called every millisecond or more often. `average` is the load of the steering lcores and
 * `own` the door's, both in permille; `offered` is the running count of the packets that came to
 * the door, with those that it refused. True if the gate changed: see gate->open. */
bool gate_update(struct gate *gate, uint64_t now, uint32_t average, uint32_t own, uint64_t offered);

#endif
