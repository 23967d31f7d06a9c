/* SPDX-License-Identifier: BSD-3-Clause */
#include "stages/stage.h"

#include <string.h>

const struct stage_entry stage_table[STEP_COUNT] = {
#define STAGE(name, NAME) [STAGE_##NAME] = {#name, name##_process},
#include "stages/table.h"
#undef STAGE
	[STAGE_DELIVER] = {"deliver", NULL},
	[STAGE_SEND] = {"send", NULL},
	[STAGE_MERGE] = {"merge", NULL},
};

const struct drop_entry drop_table[DROP_COUNT] = {
#define DROP(stage, NAME, name, text) [DROP_##NAME] = {STAGE_##stage, #name, text},
#include "stages/drops.h"
#undef DROP
};

int stage_find(const char *name)
{
	for (int stage = 0; stage < STEP_COUNT; stage++)
		if (strcmp(stage_table[stage].name, name) == 0)
			return stage;
	return -1;
}
