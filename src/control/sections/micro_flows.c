/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/sections/sections.h"

#include <stddef.h>

#include "control/config.h"
#include "control/keys.h"
#include "control/sections/lcores.h"
#include "reorder/merge.h"
#include "steer/moves.h"

#define MICRO_FLOWS(field) offsetof(struct micro_flows_config, field)
static const struct key micro_flows_keys[] = {
	{"batch", value_u32, MICRO_FLOWS(batch), 1, BATCH_MAX, 0},
	{"branches", value_u16, MICRO_FLOWS(branches), 1, BRANCHES_MAX, 0},
	{"lcores", value_distinct_lcores, MICRO_FLOWS(lcores), 0, 0, KEY_LIST},
	{"elephants", value_u16, MICRO_FLOWS(elephants), 0, ELEPHANTS_MAX, 0},
	{"rate", value_u32, MICRO_FLOWS(rate), 1, 1000000000, 0},
	{0},
};
#undef MICRO_FLOWS

static void init_micro_flows(struct config *config)
{
	config->micro_flows = (struct micro_flows_config){
		.batch = 256, .branches = 2, .elephants = 16, .rate = 100000};
}

static void read_micro_flows(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	keys_read(micro_flows_keys, section, &config->micro_flows, errors);
}

static void check_micro_flows_lcores(
	const struct config *config, const struct workers *workers, struct error_list *errors)
{
	lcores_check_list(config, "micro-flows", "", &config->micro_flows.lcores, workers, errors);
}

const struct section_kind micro_flows_section = {.name = "micro-flows",
	.init = init_micro_flows,
	.read = read_micro_flows,
	.check_lcores = check_micro_flows_lcores};
