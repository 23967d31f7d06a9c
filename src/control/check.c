/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/check.h"

#include <string.h>

#include "control/mode.h"
#include "control/sections/pipeline.h"

/* ---- modes ---- */

static void check_one_port(
	const struct config *config, const struct mode *mode, struct error_list *errors)
{
	if (config->n_containers > 1)
		config_wrong(config, errors, "port", config->containers[1].port.name, NULL, NULL,
			"mode %s joins the uplink with one container port; this would be the "
			"second",
			mode->name);
}

static void check_one_port_in_each(
	const struct config *config, const struct mode *mode, struct error_list *errors)
{
	for (uint32_t i = 0; i < config->n_containers; i++)
		for (uint32_t j = 0; j < i; j++) {
			const struct container_config *container = &config->containers[i];

			if (strcmp(container->network, config->containers[j].network) != 0)
				continue;
			config_wrong(config, errors, "port", container->port.name, NULL, NULL,
				"mode %s has one container port in a network; this would be the "
				"second in %s",
				mode->name, container->network);
			break;
		}
}

/* Its lcores run all stages of what they receive. */
static void check_nothing_is_placed(
	const struct config *config, const struct mode *mode, struct error_list *errors)
{
	int stage = config_placed_stage(config);

	if (stage >= 0)
		config_wrong(config, errors, "pipeline", "", stage_table[stage]->name, NULL,
			"in mode %s an lcore runs all stages of what it receives, so that "
			"[pipeline] has to be empty; or choose a mode that receives by owner, such "
			"as vanilla (mode of [weft], --mode)",
			mode->name);
}

static void check_mode(const struct config *config, struct error_list *errors)
{
	struct error error;
	const struct mode *mode = config_find_first_mode(config, &error);

	if (mode == NULL)
		config_wrong(config, errors, "weft", "", "mode", NULL, "%s", error.text);
	else if (mode->receive == RECEIVE_BY_RIGHT)
		check_nothing_is_placed(config, mode, errors);
	else if (mode->overlay == OVERLAY_NONE)
		check_one_port(config, mode, errors);
	else if (mode->overlay == OVERLAY_POINT_TO_POINT)
		check_one_port_in_each(config, mode, errors);
}

/* ---- the whole ---- */

void check_config(const struct config *config, struct error_list *errors)
{
	check_mode(config, errors);
	for (uint32_t i = 0; i < config->n_kinds; i++)
		if (config->kinds[i].kind->check != NULL)
			config->kinds[i].kind->check(config, errors);
}

void check_lcores(
	const struct config *config, const struct workers *workers, struct error_list *errors)
{
	for (uint32_t i = 0; i < config->n_kinds; i++)
		if (config->kinds[i].kind->check_lcores != NULL)
			config->kinds[i].kind->check_lcores(config, workers, errors);
}
