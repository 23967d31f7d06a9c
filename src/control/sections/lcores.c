/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/sections/lcores.h"

#include <stdio.h>

#include "control/config.h"
#include "control/placement.h"

static int read_lcore(const char *word, void *to, struct error *error)
{
	struct lcore_list *lcores = to;
	uint64_t id;

	if (parse_number(word, 0, RTE_MAX_LCORE - 1, &id) != 0)
		return error_set(error, "'%s' is no lcore id", word);
	if (lcores->n == CONFIG_LCORES_MAX)
		return error_set(error, "more than %d lcores", CONFIG_LCORES_MAX);
	lcores->ids[lcores->n++] = id;
	return 0;
}

int value_lcores(const struct key *key, const char *value, void *to, struct error *error)
{
	(void)key;
	return value_words(value, read_lcore, to, error);
}

static int read_distinct_lcore(const char *word, void *to, struct error *error)
{
	const struct lcore_list *lcores = to;

	if (read_lcore(word, to, error) != 0)
		return -1;
	for (uint16_t i = 0; i < lcores->n - 1; i++)
		if (lcores->ids[i] == lcores->ids[lcores->n - 1])
			return error_set(error, "%s is given twice", word);
	return 0;
}

int value_distinct_lcores(const struct key *key, const char *value, void *to, struct error *error)
{
	(void)key;
	return value_words(value, read_distinct_lcore, to, error);
}

void lcores_check(const struct config *config, const char *kind, const char *name, const char *key,
	uint32_t id, const struct workers *workers, struct error_list *errors)
{
	char value[16];

	snprintf(value, sizeof(value), "%u", id);
	if (id != CONFIG_NONE && placement_lcore(workers, id) < 0)
		config_wrong(config, errors, kind, name, key, value, "%u %s", id, workers->no_such);
}

void lcores_check_list(const struct config *config, const char *kind, const char *name,
	const struct lcore_list *lcores, const struct workers *workers, struct error_list *errors)
{
	for (uint16_t i = 0; i < lcores->n; i++)
		lcores_check(config, kind, name, "lcores", lcores->ids[i], workers, errors);
}
