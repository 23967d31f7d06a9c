/* SPDX-License-Identifier: BSD-3-Clause */
/* A world on virtual lcores: its rounds, its faults, its end. */
#include <stdlib.h>

#include "base/random.h"
#include "traffic/balance.h"
#include "world.h"

#define HZ 1000000000 /* a cycle is a nanosecond */
/* Where elephants are to be found: then some hundred packets are a window. */
#define HZ_SPLIT (HZ / 4)
#define CONTROL_PERIOD 8000
#define POKE_PERIOD 4000
#define CHURNS 12 /* of a run */
#define WARM_UP (100 * 1000 * 1000)
#define STALL_MAX (1000 * 1000)
#define SLOW_MAX 3000 /* percent */
#define OFTEN 16      /* the mode changes once in so many rounds of the control side, */
#define SELDOM 256    /* or in so many, as elephants must have been found before */
/* No lcore is held up for so long by any fault or order of rounds. */
#define PROGRESS (20 * 1000 * 1000)
/* Packets of a world are served so slowly at most, on average, or its sources are not served. */
#define SERVE (1000 * 1000)

/* Round figures near the measured ones: the order of rounds is what matters here. Where a packet's
 * lines lie depends on what the mbuf was used for in earlier worlds, so they cost nothing. */
static const struct costs costs = {
	.hz = HZ,
	.idle = 50 * COST_UNIT,
	.busy = 100 * COST_UNIT,
	.steps = {[0 ... STEP_COUNT - 1] = {.burst = 50 * COST_UNIT, .packet = 20 * COST_UNIT}},
	.price = {.metadata = 30 * COST_UNIT},
};

/* ---- what is outside: sources that have packets now and then ---- */

static uint64_t next_poke(void *argument)
{
	const struct world *world = argument;

	return world->open || world_has_replies(world) ? world->poke_at : UINT64_MAX;
}

static void poke(void *argument, uint64_t until)
{
	struct world *world = argument;

	for (uint16_t i = 0; i < world->config.n_lcores; i++)
		virtual_wake(world->driver, i, world->poke_at);
	world->poke_at = until + 1 + random_below(&world->random, 2 * POKE_PERIOD);
}

/* The answers to what this lcore has sent; in turn, to what any has. */
static void answer(void *argument, uint16_t lcore, uint64_t now)
{
	struct world *world = argument;

	(void)now;
	for (uint16_t i = 0; i < world->config.n_uplinks; i++)
		for (uint16_t j = 0; j < world->config.uplink_queues; j++)
			if (world->dataplane->plan->by_right ||
				world->uplinks[i].port->queues[j].owner == lcore)
				world->uplinks[i].queues[j].n_ready =
					world->uplinks[i].queues[j].n_replies;
}

/* ---- faults ---- */

static uint16_t any_lcore(struct world *world)
{
	return random_below(&world->random, world->config.n_lcores);
}

static void change_speeds(struct world *world)
{
	virtual_slow(world->driver, world->slowed, 100);
	world->slowed = any_lcore(world);
	virtual_slow(world->driver, world->slowed, 100 + random_below(&world->random, SLOW_MAX));
	virtual_stall(world->driver, any_lcore(world), random_below(&world->random, STALL_MAX));
}

static void disturb(struct world *world)
{
	if (world->config.stalling && random_one_in(&world->random, 64))
		change_speeds(world);
	if (world->config.steering &&
		random_one_in(&world->random, world->config.row > 0 ? SELDOM : OFTEN))
		world_move(world);
	if (world->config.pausing && random_one_in(&world->random, world->paused ? 32 : 128))
		world->paused = !world->paused;
	if (world->churns > 0 && random_one_in(&world->random, 32)) {
		world_churn(world);
		if (--world->churns == 0)
			world_restore(world);
	}
}

/* The control side's round; what it changes is changed between any two rounds of lcores. */
static void control_round(void *argument)
{
	struct world *world = argument;

	control_poll(world->control);
	if (world->open)
		disturb(world);
	world->rounds++;
}

/* ---- beginning ---- */

void world_make_driver(struct world *world)
{
	struct virtual_config config = {
		.costs = &world->costs,
		.order = world->config.order,
		.seed = world->config.seed,
		.control_period = CONTROL_PERIOD,
		.control = control_round,
		.control_argument = world,
		.outside = {.argument = world, .next = next_poke, .advance = poke, .sent = answer},
	};

	world->costs = costs;
	if (world->config.row > 0)
		world->costs.hz = HZ_SPLIT;
	world->driver = virtual_create(&config);
	if (world->driver == NULL)
		abort();
}

/* Every lcore sees them, too. */
bool world_is_resolved(const struct world *world)
{
	for (uint16_t i = 0; i < world->control->neighbours.n; i++)
		if (world->control->neighbours.list[i].state != NEIGHBOUR_REACHABLE)
			return false;
	return !world->control->changed && world->control->deferred.first == NULL;
}

void world_warm_up(struct world *world)
{
	if (virtual_take(world->driver, world->dataplane) != 0)
		abort();
	while (!world_is_resolved(world) && virtual_now(world->driver) < WARM_UP)
		virtual_step(world->driver);
	if (!world_is_resolved(world))
		world_fail(world, "next hops were not resolved in %d ms", WARM_UP / 1000000);
}

/* ---- a run ---- */

void world_open(struct world *world)
{
	__atomic_store_n(&world->open, true, __ATOMIC_RELAXED);
}

static void run_until_exhausted(struct world *world)
{
	uint64_t deadline =
		virtual_now(world->driver) + PROGRESS + SERVE * (uint64_t)world->config.packets;

	world->churns = world->config.churning ? CHURNS : 0;
	while (!world->failed && !world_is_exhausted(world)) {
		if (virtual_now(world->driver) > deadline)
			world_fail(world, "sources are not served");
		for (int i = 0; i < 16; i++)
			virtual_step(world->driver);
	}
	world_restore(world);
	world->open = false;
}

/* Nothing comes in any more, so that an lcore runs only if it was woken for what it was handed:
 * everything inside must come out. */
void world_drain(struct world *world)
{
	struct progress progress = {.since = virtual_now(world->driver)};

	while (!world_is_empty(world)) {
		struct conservation sum = dataplane_conservation(world->dataplane);
		int64_t inside = conservation_in_flight(&sum);

		if (!progress_check(&progress, inside, sum.received + sum.created - inside,
			    virtual_now(world->driver), PROGRESS)) {
			world_fail(world, "%ld packets do not come out", inside);
			return;
		}
		virtual_step(world->driver);
	}
}

/* The last rounds end, their notices are heard, and what was deferred is done. */
void world_settle(struct world *world)
{
	uint64_t deadline = virtual_now(world->driver) + PROGRESS;

	while (!virtual_is_at_rest(world->driver) && virtual_now(world->driver) < deadline)
		virtual_step(world->driver);
	virtual_run(world->driver, virtual_now(world->driver) + 4 * CONTROL_PERIOD);
	while (world->control->deferred.first != NULL && virtual_now(world->driver) < deadline)
		virtual_step(world->driver);
}

int world_run(struct world *world)
{
	if (world->config.steering)
		world_move(world);
	world_open(world);
	run_until_exhausted(world);
	if (!world->failed)
		world_drain(world);
	if (!world->failed)
		world_settle(world);
	return world_check(world);
}
