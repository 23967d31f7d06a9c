/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/sections/pipeline.h"

#include "control/config.h"
#include "control/keys.h"
#include "control/sections/lcores.h"
#include "control/sections/sections.h"

int config_placed_stage(const struct config *config)
{
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		if (config->pipeline[stage] != CONFIG_NONE)
			return stage;
	return -1;
}

static void init_pipeline(struct config *config)
{
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		config->pipeline[stage] = CONFIG_NONE;
}

static void read_stage(struct config *config, const struct ini_section *section,
	const struct ini_entry *entry, struct error_list *errors)
{
	int stage = stage_find(entry->key);
	uint64_t id;

	if (stage < 0 || stage >= STAGE_COUNT)
		ini_wrong_entry(
			errors, section, entry, "no such stage; `weftctl show stages` lists them");
	else if (parse_number(entry->value, 0, RTE_MAX_LCORE - 1, &id) != 0)
		ini_wrong_entry(errors, section, entry, "'%s' is no lcore id", entry->value);
	else
		config->pipeline[stage] = id;
}

static void read_pipeline(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	keys_check_repeated(section, errors);
	for (unsigned int i = 0; i < section->n; i++)
		read_stage(config, section, &section->entries[i], errors);
}

static void check_pipeline_lcores(
	const struct config *config, const struct workers *workers, struct error_list *errors)
{
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		lcores_check(config, "pipeline", "", stage_table[stage]->name,
			config->pipeline[stage], workers, errors);
}

const struct section_kind pipeline_section = {.name = "pipeline",
	.init = init_pipeline,
	.read = read_pipeline,
	.check_lcores = check_pipeline_lcores};
