/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/check.h"

#include <string.h>

#include "control/mode.h"

/* ---- modes ---- */

static void check_native(const struct config *config, struct error_list *errors)
{
	if (config->n_containers > 1)
		config_wrong(config, errors, "port", config->containers[1].port.name, NULL, NULL,
			"mode native joins the uplink with one container port; this would be the "
			"second");
}

static void check_linux_overlay(const struct config *config, struct error_list *errors)
{
	for (uint32_t i = 0; i < config->n_containers; i++)
		for (uint32_t j = 0; j < i; j++) {
			const struct container_config *container = &config->containers[i];

			if (strcmp(container->network, config->containers[j].network) != 0)
				continue;
			config_wrong(config, errors, "port", container->port.name, NULL, NULL,
				"mode linux-overlay has one container port in a network; this "
				"would be the second in %s",
				container->network);
			break;
		}
}

static void check_mode(const struct config *config, struct error_list *errors)
{
	struct error error;

	if (config_mode(config, config->weft.mode, &error) == NULL)
		config_wrong(config, errors, "weft", "", "mode", NULL, "%s", error.text);
	if (strcmp(config->weft.mode, "native") == 0)
		check_native(config, errors);
	if (strcmp(config->weft.mode, "linux-overlay") == 0)
		check_linux_overlay(config, errors);
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
