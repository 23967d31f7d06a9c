/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/plan.h"

#include <stdio.h>
#include <string.h>

/* Where a mode has no use for a stage, another stands in its place. */
struct replacement {
	enum stage stage;
	enum stage by;
};

#define REPLACEMENTS_MAX 3

struct mode {
	const char *name;
	unsigned int n_replacements;
	struct replacement replacements[REPLACEMENTS_MAX];
};

static const struct mode modes[] = {
	{"vanilla", 0, {{0}}},
	{"linux-overlay", 1, {{STAGE_BRIDGE, STAGE_WIRE}}},
	{"native", 3,
		{{STAGE_GRO, STAGE_WIRE}, {STAGE_BRIDGE, STAGE_WIRE}, {STAGE_ENCAP, STAGE_TX}}},
};

const char *plan_mode_name(unsigned int i)
{
	return i < RTE_DIM(modes) ? modes[i].name : NULL;
}

static void apply(struct plan *plan, const struct mode *mode)
{
	plan->mode = mode->name;
	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++) {
		plan->instead[stage] = stage;
		plan->lcore[stage] = LCORE_INLINE;
	}
	for (unsigned int i = 0; i < mode->n_replacements; i++)
		plan->instead[mode->replacements[i].stage] = mode->replacements[i].by;
}

static int unknown(const char *name, struct error *error)
{
	char list[256] = "";

	for (unsigned int i = 0; i < RTE_DIM(modes); i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			modes[i].name);
	return error_set(error, "no mode is called '%s'; there are %s", name, list);
}

int plan_set_mode(struct plan *plan, const char *mode, struct error *error)
{
	for (unsigned int i = 0; i < RTE_DIM(modes); i++) {
		if (strcmp(modes[i].name, mode) == 0) {
			apply(plan, &modes[i]);
			return 0;
		}
	}
	return unknown(mode, error);
}
