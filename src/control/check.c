/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/check.h"

#include <string.h>

#include "control/mode.h"

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

static void check_mode(const struct config *config, struct error_list *errors)
{
	struct error error;
	const struct mode *mode = config_mode(config, config->weft.mode, &error);

	if (mode == NULL)
		config_wrong(config, errors, "weft", "", "mode", NULL, "%s", error.text);
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
