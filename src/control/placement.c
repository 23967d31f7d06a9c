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
	if (uplink->n_lcores == 0)
		return 0;
	if (placement_lcore(workers, uplink->lcores[queue % uplink->n_lcores], owner, error) != 0)
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

/* ---- steering ---- */

static int find_uplink_owners(const struct config *config, const struct workers *workers,
	bool *owners, struct error *error)
{
	uint16_t owner;

	for (uint32_t i = 0; i < config->n_uplinks; i++) {
		const struct uplink_config *uplink = &config->uplinks[i];

		for (uint16_t queue = 0; queue < uplink->port.queues; queue++) {
			if (placement_uplink_owner(workers, uplink, queue, &owner, error) != 0)
				return error_prefix(error, "[uplink %s]: ", uplink->port.name);
			owners[owner] = true;
		}
	}
	return 0;
}

/* What polls an uplink has enough to do, and where all do, none has more than another. */
static int choose_lcores(const struct config *config, const struct workers *workers,
	struct steering *steering, struct error *error)
{
	bool owners[LCORES_MAX] = {false};

	if (find_uplink_owners(config, workers, owners, error) != 0)
		return -1;
	for (uint16_t i = 0; i < workers->n; i++)
		if (!owners[i])
			steering->lcores[steering->n++] = i;
	if (steering->n == 0)
		for (uint16_t i = 0; i < workers->n; i++)
			steering->lcores[steering->n++] = i;
	return 0;
}

static int take_lcores(const struct steering_config *config, const struct workers *workers,
	struct steering *steering, struct error *error)
{
	for (uint16_t i = 0; i < config->n_lcores; i++)
		if (placement_lcore(workers, config->lcores[i], &steering->lcores[steering->n++],
			    error) != 0)
			return error_prefix(error, "[steering]: lcores: ");
	return 0;
}

static int place_steering(const struct config *config, const struct workers *workers,
	struct steering *steering, struct error *error)
{
	*steering = (struct steering){.policy = policy_find(config->steering.policy),
		.threshold = LOAD_FULL * config->steering.threshold / 100};
	if (config->steering.n_lcores == 0)
		return choose_lcores(config, workers, steering, error);
	return take_lcores(&config->steering, workers, steering, error);
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
	if (place_stages(config, &workers, &dataplane->plan, error) != 0)
		return -1;
	return place_steering(config, &workers, &dataplane->steering, error);
}

int placement_plan(
	const struct config *config, struct dataplane_config *dataplane, struct error *error)
{
	if (place(config, dataplane, error) != 0)
		return error_prefix(error, "%s: ", config->file);
	return 0;
}
