/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/placement.h"

#include "control/mode.h"
#include "engine/dataplane.h"
#include "steer/load.h"

int placement_lcore(const struct workers *workers, uint32_t id)
{
	for (uint16_t i = 0; i < workers->n; i++)
		if (workers->ids[i] == id)
			return i;
	return -1;
}

uint64_t placement_set(const struct workers *workers, const struct lcore_list *lcores)
{
	uint64_t set = 0;

	for (uint16_t i = 0; i < lcores->n; i++)
		set |= UINT64_C(1) << placement_lcore(workers, lcores->ids[i]);
	return set;
}

uint16_t placement_uplink_owner(
	const struct workers *workers, const struct uplink_config *uplink, uint16_t queue)
{
	const struct lcore_list *lcores = &uplink->lcores;

	if (lcores->n == 0)
		return queue % workers->n;
	return placement_lcore(workers, lcores->ids[queue % lcores->n]);
}

static void place_stages(
	const struct config *config, const struct workers *workers, struct plan *plan)
{
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		if (config->pipeline[stage] != CONFIG_NONE)
			plan->lcore[stage] = placement_lcore(workers, config->pipeline[stage]);
	/* What stands in another stage's place is found where that would be. */
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		plan->lcore[stage] = plan->lcore[plan->instead[stage]];
}

/* ---- who receives ---- */

static uint64_t find_doors(const struct config *config, const struct workers *workers)
{
	uint64_t doors = 0;

	for (uint32_t i = 0; i < config->n_uplinks; i++)
		for (uint16_t queue = 0; queue < config->uplinks[i].port.queues; queue++)
			doors |= 1ULL
				 << placement_uplink_owner(workers, &config->uplinks[i], queue);
	return doors;
}

/* What polls an uplink has enough to do, so the others, if that are at least n; and where all do,
 * none has more than another. Returns how many lcores that is. */
static uint16_t choose_lcores(
	const struct workers *workers, uint64_t doors, uint16_t n, uint16_t *lcores)
{
	bool others = workers->n >= n + __builtin_popcountll(doors);
	uint16_t chosen = 0;

	for (uint16_t i = 0; i < workers->n; i++)
		if (!others || !(doors >> i & 1))
			lcores[chosen++] = i;
	return chosen;
}

static void take_lcores(
	const struct lcore_list *list, const struct workers *workers, uint16_t *lcores)
{
	for (uint16_t i = 0; i < list->n; i++)
		lcores[i] = placement_lcore(workers, list->ids[i]);
}

/* ---- steering ---- */

static void place_steering(const struct config *config, const struct workers *workers,
	struct dataplane_config *dataplane)
{
	struct steering *steering = &dataplane->steering;

	*steering = (struct steering){.n = config->steering.lcores.n,
		.policy = policy_find(config->steering.policy),
		.threshold = LOAD_FULL * config->steering.threshold / 100};
	take_lcores(&config->steering.lcores, workers, steering->lcores);
	if (steering->n == 0)
		steering->n = choose_lcores(workers, dataplane->doors, 1, steering->lcores);
}

/* ---- micro-flows ---- */

/* Flows are counted by samples, one packet in 16 (steer/heavy.h). A flow with the rate has so many
 * packets in a window at least, 16 samples: enough to tell it from one with half of it. */
#define WINDOW_PACKETS 256
#define WINDOW_MIN_US 4000ULL

static uint32_t window_of(uint32_t rate)
{
	return RTE_MAX(WINDOW_MIN_US, WINDOW_PACKETS * 1000000ULL / rate);
}

static void place_micro_flows(const struct config *config, const struct workers *workers,
	struct dataplane_config *dataplane)
{
	const struct micro_flows_config *given = &config->micro_flows;
	struct micro_flows *micro_flows = &dataplane->micro_flows;

	*micro_flows = (struct micro_flows){.batch = given->batch,
		.n_branches = given->branches,
		.n_elephants = given->elephants,
		.rate = given->rate,
		.window = window_of(given->rate),
		.n = given->lcores.n};
	take_lcores(&given->lcores, workers, micro_flows->lcores);
	if (micro_flows->n == 0)
		micro_flows->n = choose_lcores(
			workers, dataplane->doors, given->branches, micro_flows->lcores);
}

/* ---- the whole ---- */

void placement_plan(const struct config *config, struct dataplane_config *dataplane)
{
	const struct workers workers = {.ids = dataplane->lcore_ids, .n = dataplane->n_lcores};

	plan_set(&dataplane->plan, config_first_mode(config));
	place_stages(config, &workers, &dataplane->plan);
	dataplane->doors = find_doors(config, &workers);
	place_steering(config, &workers, dataplane);
	place_micro_flows(config, &workers, dataplane);
}
