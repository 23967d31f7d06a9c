/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtual/driver.h"

#include <stdlib.h>
#include <string.h>

#include <rte_lcore.h>

#include "base/random.h"
#include "virtual/private.h"

#define NEVER UINT64_MAX

/* ---- who is next ---- */

/* The lcore furthest behind of those that are awake, or NULL. */
static const struct virtual_lcore *furthest_behind(const struct virtual_driver *driver)
{
	const struct virtual_lcore *first = NULL;

	for (uint16_t i = 0; i < driver->dataplane->n_lcores; i++) {
		const struct virtual_lcore *lcore = &driver->lcores[i];

		if (!lcore->asleep && (first == NULL || lcore->time < first->time))
			first = lcore;
	}
	return first;
}

static bool anybody_sleeps(const struct virtual_driver *driver)
{
	for (uint16_t i = 0; i < driver->dataplane->n_lcores; i++)
		if (driver->lcores[i].asleep)
			return true;
	return false;
}

static uint64_t next_outside(const struct virtual_driver *driver)
{
	const struct virtual_outside *outside = &driver->config.outside;

	return outside->next == NULL ? NEVER : outside->next(outside->argument);
}

uint64_t virtual_now(const struct virtual_driver *driver)
{
	return driver->now;
}

/* ---- waking ---- */

void virtual_wake(struct virtual_driver *driver, uint16_t index, uint64_t time)
{
	struct virtual_lcore *lcore = &driver->lcores[index];
	struct time_counters *counters;

	if (!lcore->asleep)
		return;
	lcore->asleep = false;
	if (time <= lcore->time)
		return;
	/* Asleep it would have polled, and found nothing, or no credits. */
	counters = &lcore->lcore->counters.time;
	counter_add(lcore->refused ? &counters->back_pressured : &counters->idle,
		time - lcore->lcore->mark);
	lcore->lcore->mark = time;
	lcore->time = time;
	lcore->fraction = 0;
}

void virtual_wake_receivers(
	struct virtual_driver *driver, const struct port *port, uint16_t queue, uint64_t time)
{
	virtual_wake(driver, port->queues[queue].owner, time);
	for (uint16_t i = 0; driver->dataplane->plan->by_right && i < driver->dataplane->n_lcores;
		i++)
		if (port->lcores >> i & 1)
			virtual_wake(driver, i, time);
}

/* The sleeper whose nap is over first, or NULL. */
static struct virtual_lcore *first_to_look(struct virtual_driver *driver)
{
	struct virtual_lcore *first = NULL;

	for (uint16_t i = 0; i < driver->dataplane->n_lcores; i++) {
		struct virtual_lcore *lcore = &driver->lcores[i];

		if (lcore->asleep && (first == NULL || lcore->nap_until < first->nap_until))
			first = lcore;
	}
	return first;
}

/* ---- rounds and events ---- */

/* What the last round did is published at the round's end, which is now; then comes the next one.
 */
static void run_round(struct virtual_driver *driver, struct virtual_lcore *lcore)
{
	const struct virtual_outside *outside = &driver->config.outside;
	uint64_t refused = lcore->lcore->counters.time.back_pressured;
	unsigned int id = rte_lcore_id();

	driver->now = lcore->time;
	if (lcore->worked) {
		wires_hand_over(driver, lcore);
		if (outside->sent != NULL)
			outside->sent(outside->argument, lcore->lcore->index, lcore->time);
	}
	RTE_PER_LCORE(_lcore_id) = lcore->lcore->id;
	clock_begin_round(driver, lcore);
	lcore->worked = lcore_poll(lcore->lcore);
	lcore->asleep = !lcore->worked && lcore->lcore->kept == 0;
	lcore->nap_until = lcore->lcore->load.due;
	lcore->refused = lcore->lcore->counters.time.back_pressured != refused;
	clock_end_round(driver);
	RTE_PER_LCORE(_lcore_id) = id;
	driver->counters.rounds++;
}

/* A sleeping lcore holds nothing of the tables. */
static void report_sleepers(struct virtual_driver *driver)
{
	for (uint16_t i = 0; i < driver->dataplane->n_lcores; i++)
		if (driver->lcores[i].asleep)
			rte_rcu_qsbr_quiescent(driver->dataplane->rcu, i);
}

/* New tables may have new queues, where packets wait already. */
static void wake_concerned(struct virtual_driver *driver, const struct tables *before)
{
	const struct dataplane *dataplane = driver->dataplane;

	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		if (dataplane->tables != before || !rte_ring_empty(dataplane->from_main[i]))
			virtual_wake(driver, i, driver->now);
}

/* There is room for them now; all that a sleeping lcore has done is published. */
static void move_waiting_notices(struct virtual_driver *driver)
{
	for (uint16_t i = 0; i < driver->dataplane->n_lcores; i++)
		if (driver->lcores[i].asleep)
			wires_move_notices(&driver->lcores[i]);
}

/* Control work takes no time of an lcore's, and what it changes is seen at once. */
static void control_round(struct virtual_driver *driver)
{
	const struct tables *before = driver->dataplane->tables;
	uint64_t period = driver->config.control_period;

	driver->now = driver->control_time;
	report_sleepers(driver);
	if (driver->config.control != NULL)
		driver->config.control(driver->config.control_argument);
	move_waiting_notices(driver);
	wake_concerned(driver, before);
	if (driver->config.order != VIRTUAL_BY_COST)
		period = random_below(&driver->random, 2 * period);
	driver->control_time += period + 1;
}

/* Several events at once only if nobody who sleeps could be woken by one and see the next. */
static void event(struct virtual_driver *driver, uint64_t time, uint64_t before)
{
	const struct virtual_outside *outside = &driver->config.outside;

	driver->now = time;
	outside->advance(outside->argument, anybody_sleeps(driver) ? time : before);
}

void virtual_step(struct virtual_driver *driver)
{
	const struct virtual_lcore *lcore = furthest_behind(driver);
	uint64_t time = lcore == NULL ? NEVER : lcore->time;
	uint64_t outside = next_outside(driver);
	const struct virtual_lcore *sleeper = first_to_look(driver);

	if (sleeper != NULL &&
		sleeper->nap_until < RTE_MIN(time, RTE_MIN(outside, driver->control_time)))
		virtual_wake(driver, sleeper->lcore->index, sleeper->nap_until);
	else if (outside <= time && outside <= driver->control_time)
		event(driver, outside, RTE_MIN(time, driver->control_time));
	else if (driver->control_time <= time)
		control_round(driver);
	else
		run_round(driver, &driver->lcores[lcore->lcore->index]);
}

void virtual_run(struct virtual_driver *driver, uint64_t until)
{
	while (driver->now < until)
		virtual_step(driver);
}

bool virtual_is_at_rest(const struct virtual_driver *driver)
{
	return furthest_behind(driver) == NULL;
}

/* ---- faults ---- */

void virtual_stall(struct virtual_driver *driver, uint16_t lcore, uint64_t cycles)
{
	driver->lcores[lcore].stall += cycles;
}

void virtual_slow(struct virtual_driver *driver, uint16_t lcore, uint32_t percent)
{
	driver->lcores[lcore].percent = percent;
}

/* ---- beginning and end ---- */

struct virtual_driver *virtual_create(const struct virtual_config *config)
{
	struct virtual_driver *driver = calloc(1, sizeof(*driver));

	if (driver == NULL)
		return NULL;
	driver->config = *config;
	driver->random = config->seed;
	driver->control_time = config->control_period;
	return driver;
}

void virtual_free(struct virtual_driver *driver)
{
	free(driver);
}

struct clock virtual_clock(struct virtual_driver *driver)
{
	return (struct clock){.read = virtual_clock_read,
		.after = virtual_clock_after,
		.hz = driver->config.costs->hz,
		.driver = driver};
}

unsigned int virtual_lcore_id(uint16_t index)
{
	return index + 1;
}

static void take_lcore(struct virtual_driver *driver, uint16_t index)
{
	struct virtual_lcore *lcore = &driver->lcores[index];

	*lcore = (struct virtual_lcore){
		.lcore = driver->dataplane->lcores[index], .time = driver->now, .percent = 100};
	lcore->seen_steered = lcore->lcore->counters.steered;
	memcpy(lcore->finished, lcore->lcore->finished, sizeof(lcore->finished));
	lcore->lcore->handover.holds = true;
	lcore_begin(lcore->lcore);
}

int virtual_take(struct virtual_driver *driver, struct dataplane *dataplane)
{
	driver->dataplane = dataplane;
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		take_lcore(driver, i);
	if (wires_lay(driver) == 0)
		return 0;
	virtual_release(driver);
	return -1;
}

void virtual_release(struct virtual_driver *driver)
{
	for (uint16_t i = 0; i < driver->dataplane->n_lcores; i++) {
		if (driver->lcores[i].notices != NULL)
			wires_hand_over(driver, &driver->lcores[i]);
		driver->lcores[i].lcore->handover.holds = false;
		lcore_end(driver->lcores[i].lcore);
	}
	wires_remove(driver);
	driver->dataplane = NULL;
}

const struct virtual_counters *virtual_counters(const struct virtual_driver *driver)
{
	return &driver->counters;
}
