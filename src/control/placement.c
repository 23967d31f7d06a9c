/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/placement.h"

static uint16_t find_lcore(const struct dataplane_config *config, uint32_t id)
{
	for (uint16_t i = 0; i < config->n_lcores; i++)
		if (config->lcore_ids[i] == id)
			return i;
	return LCORE_INLINE;
}

static int place_stages(
	const struct config *config, struct dataplane_config *dataplane, struct error *error)
{
	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		uint32_t id = config->pipeline[stage];

		if (id == CONFIG_NONE)
			continue;
		dataplane->plan.lcore[stage] = find_lcore(dataplane, id);
		if (dataplane->plan.lcore[stage] == LCORE_INLINE)
			return error_set(error,
				"%s: [pipeline]: %s: %u is no worker lcore; EAL's -l or --lcores "
				"names "
				"them, and the first is the main lcore",
				config->file, stage_table[stage].name, id);
	}
	return 0;
}

int placement_plan(
	const struct config *config, struct dataplane_config *dataplane, struct error *error)
{
	if (plan_set_mode(&dataplane->plan, config->weft.mode, error) != 0)
		return error_prefix(error, "%s: [weft]: mode: ", config->file);
	return place_stages(config, dataplane, error);
}
