/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer/gate.h"

#include <assert.h>

#include "base/counter.h"
#include "steer/load.h"
#include "steer/smooth.h"

#define MARGIN 100    /* permille that the average must be below the threshold, to open */
#define FALLEN 80     /* percent of the closing rate, to open */
#define RETRY_S 10    /* seconds after closing, to open */
#define PERIOD_US 900 /* of measuring: a little less than the millisecond between calls */

/* Time constants. The average must close the gate within some milliseconds; a burst's end must not
 * be taken for a fall of the rate. */
#define AVERAGE_US 8000
#define RATE_US 100000
/* The rate lags behind a sudden rise, while the average is soon at the threshold. So the closing
 * rate goes up with it for some time after closing. */
#define SETTLE_US 500000

static uint64_t cycles(const struct gate *gate, uint64_t microseconds)
{
	return gate->config.hz * microseconds / 1000000;
}

void gate_begin(struct gate *gate, const struct gate_config *config, uint64_t now, uint64_t offered)
{
	assert(config->threshold <= LOAD_FULL);
	*gate = (struct gate){.open = true,
		.changes = gate->changes,
		.config = *config,
		.measured_at = now,
		.offered = offered};
}

static void measure(struct gate *gate, uint64_t now, uint32_t average, uint64_t offered)
{
	uint64_t length = now - gate->measured_at;
	uint64_t rate = (offered - gate->offered) * gate->config.hz / length;

	assert(offered >= gate->offered); /* it only counts up: else the rate would be huge */
	gate->average = smooth(gate->average, average, length, cycles(gate, AVERAGE_US));
	gate->rate = smooth(gate->rate, rate, length, cycles(gate, RATE_US));
	gate->measured_at = now;
	gate->offered = offered;
}

static void change(struct gate *gate, bool open)
{
	assert(gate->open != open);
	__atomic_store_n(&gate->open, open, __ATOMIC_RELAXED);
	counter_add(&gate->changes, 1);
}

static bool must_close(const struct gate *gate)
{
	return smooth_read(gate->average) >= gate->config.threshold;
}

/* With a door that is full itself the offered rate is not known: packets are lost before it. */
static bool may_open(const struct gate *gate, uint64_t now, uint32_t own)
{
	bool fallen =
		own < gate->config.threshold && gate->rate < gate->closing_rate * FALLEN / 100;
	bool retry = now - gate->closed_at >= gate->config.hz * RETRY_S;

	return smooth_read(gate->average) + MARGIN < gate->config.threshold && (fallen || retry);
}

static void close_gate(struct gate *gate, uint64_t now)
{
	gate->closed_at = now;
	gate->closing_rate = gate->rate;
	change(gate, false);
}

bool gate_update(struct gate *gate, uint64_t now, uint32_t average, uint32_t own, uint64_t offered)
{
	uint64_t changes = gate->changes;

	assert(average <= LOAD_FULL && own <= LOAD_FULL);
	if (now - gate->measured_at < cycles(gate, PERIOD_US))
		return false;
	measure(gate, now, average, offered);
	if (!gate->open && now - gate->closed_at < cycles(gate, SETTLE_US))
		gate->closing_rate = RTE_MAX(gate->closing_rate, gate->rate);
	if (gate->open && must_close(gate))
		close_gate(gate, now);
	else if (!gate->open && may_open(gate, now, own))
		change(gate, true);
	return gate->changes != changes;
}
