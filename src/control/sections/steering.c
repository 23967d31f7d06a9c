/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/sections/sections.h"

#include <stddef.h>

#include "control/config.h"
#include "control/keys.h"
#include "control/sections/lcores.h"
#include "steer/policy.h"

static int value_policy(const struct key *key, const char *value, void *to, struct error *error)
{
	char list[128];

	policy_list(list, sizeof(list));
	if (policy_find(value) == NULL)
		return error_set(error, "no policy is called '%s'; there are %s", value, list);
	return value_text(key, value, to, error);
}

static const struct key steering_keys[] = {
	{"lcores", value_distinct_lcores, offsetof(struct steering_config, lcores), 0, 0, KEY_LIST},
	{"policy", value_policy, offsetof(struct steering_config, policy), 0, POLICY_NAME_SIZE, 0},
	{"threshold", value_u32, offsetof(struct steering_config, threshold), 1, 100, 0},
	{0},
};

static void init_steering(struct config *config)
{
	config->steering = (struct steering_config){.policy = "two-choice", .threshold = 85};
}

static void read_steering(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	keys_read(steering_keys, section, &config->steering, errors);
}

static void check_steering_lcores(
	const struct config *config, const struct workers *workers, struct error_list *errors)
{
	lcores_check_list(config, "steering", "", &config->steering.lcores, workers, errors);
}

const struct section_kind steering_section = {.name = "steering",
	.init = init_steering,
	.read = read_steering,
	.check_lcores = check_steering_lcores};
