/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/placement.h"

#include "steer/load.h"

int placement_lcore(
	const struct workers *workers, uint32_t id, uint16_t *index, struct error *error)
{
	for (uint16_t i = 0; i < workers->n; i++) {
		if (workers->ids[i] == id) {
			*index = i;
			return 0;
		}
	}
	return error_set(error,
		"%u is no worker lcore; EAL's -l or --lcores names them, and the "
		"first is the main lcore",
		id);
}

int placement_uplink_owner(const struct workers *workers, const struct uplink_config *uplink,
	uint16_t queue, uint16_t *owner, struct error *error)
{
	*owner = queue % workers->n;
	if (uplink->lcores.n == 0)
		return 0;
	if (placement_lcore(workers, uplink->lcores.ids[queue % uplink->lcores.n], owner, error) !=
		0)
		return error_prefix(error, "lcores: ");
	return 0;
}

static int place_stages(const struct config *config, const struct workers *workers,
	struct plan *plan, struct error *error)
{
	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		uint32_t id = config->pipeline[stage];

		if (id != CONFIG_NONE &&
			placement_lcore(workers, id, &plan->lcore[stage], error) != 0)
			return error_prefix(error, "[pipeline]: %s: ", stage_table[stage].name);
	}
	/* What stands in another stage's place is found where that would be. */
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		plan->lcore[stage] = plan->lcore[plan->instead[stage]];
	return 0;
}

/* ---- who receives ---- */

static int find_doors(const struct config *config, const struct workers *workers, uint64_t *doors,
	struct error *error)
{
	uint16_t owner;

	*doors = 0;
	for (uint32_t i = 0; i < config->n_uplinks; i++) {
		const struct uplink_config *uplink = &config->uplinks[i];

		for (uint16_t queue = 0; queue < uplink->port.queues; queue++) {
			if (placement_uplink_owner(workers, uplink, queue, &owner, error) != 0)
				return error_prefix(error, "[uplink %s]: ", uplink->port.name);
			*doors |= 1ULL << owner;
		}
	}
	return 0;
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

static int take_lcores(const struct lcore_list *list, const struct workers *workers,
	uint16_t *lcores, struct error *error)
{
	for (uint16_t i = 0; i < list->n; i++)
		if (placement_lcore(workers, list->ids[i], &lcores[i], error) != 0)
			return error_prefix(error, "lcores: ");
	return 0;
}

/* ---- steering ---- */

static int place_steering(const struct config *config, const struct workers *workers,
	struct dataplane_config *dataplane, struct error *error)
{
	struct steering *steering = &dataplane->steering;

	*steering = (struct steering){.n = config->steering.lcores.n,
		.policy = policy_find(config->steering.policy),
		.threshold = LOAD_FULL * config->steering.threshold / 100};
	if (steering->n == 0)
		steering->n = choose_lcores(workers, dataplane->doors, 1, steering->lcores);
	else if (take_lcores(&config->steering.lcores, workers, steering->lcores, error) != 0)
		return error_prefix(error, "[steering]: ");
	return 0;
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

static int place_micro_flows(const struct config *config, const struct workers *workers,
	struct dataplane_config *dataplane, struct error *error)
{
	const struct micro_flows_config *given = &config->micro_flows;
	struct micro_flows *micro_flows = &dataplane->micro_flows;

	*micro_flows = (struct micro_flows){.batch = given->batch,
		.n_branches = given->branches,
		.n_elephants = given->elephants,
		.rate = given->rate,
		.window = window_of(given->rate),
		.n = given->lcores.n};
	if (micro_flows->n == 0)
		micro_flows->n = choose_lcores(
			workers, dataplane->doors, given->branches, micro_flows->lcores);
	else if (take_lcores(&given->lcores, workers, micro_flows->lcores, error) != 0)
		return error_prefix(error, "[micro-flows]: ");
	return 0;
}

/* ---- the whole ---- */

static int place(
	const struct config *config, struct dataplane_config *dataplane, struct error *error)
{
	const struct workers workers = {dataplane->lcore_ids, dataplane->n_lcores};
	const struct mode *mode = config_mode(config, config->weft.mode, error);

	if (mode == NULL)
		return error_prefix(error, "[weft]: mode: ");
	plan_set(&dataplane->plan, mode);
	if (place_stages(config, &workers, &dataplane->plan, error) != 0 ||
		find_doors(config, &workers, &dataplane->doors, error) != 0 ||
		place_steering(config, &workers, dataplane, error) != 0)
		return -1;
	return place_micro_flows(config, &workers, dataplane, error);
}

int placement_plan(
	const struct config *config, struct dataplane_config *dataplane, struct error *error)
{
	if (place(config, dataplane, error) != 0)
		return error_prefix(error, "%s: ", config->file);
	return 0;
}
