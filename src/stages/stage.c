/* SPDX-License-Identifier: BSD-3-Clause */
#include "stages/stage.h"

#include <string.h>

#include "stages/steps.h"

const struct stage *const stage_table[STEP_COUNT] = {
#define STAGE(name, NAME) [STAGE_##NAME] = &name##_stage,
#include "stages/table.h"
#undef STAGE
	[STEP_DELIVER] = &deliver_step,
	[STEP_SEND] = &send_step,
	[STEP_MERGE] = &merge_step,
	[STEP_COPY] = &copy_step,
};

int stage_find(const char *name)
{
	for (int step = 0; step < STEP_COUNT; step++)
		if (strcmp(stage_table[step]->name, name) == 0)
			return step;
	return -1;
}

int stage_find_exit(const struct stage *stage, const char *name)
{
	for (int i = 0; i < STAGE_EXITS_MAX && stage->exits[i] != NULL; i++)
		if (strcmp(stage->exits[i], name) == 0)
			return i;
	return -1;
}

const struct stage_drop *drop_at(unsigned int slot)
{
	const struct stage *stage = stage_table[drop_step(slot)];
	const struct stage_drop *drop = &stage->drops[drop_number(slot)];

	return drop->name == NULL ? NULL : drop;
}

int drop_find(const char *name)
{
	for (unsigned int slot = 0; slot < DROP_SLOTS; slot++)
		if (drop_at(slot) != NULL && strcmp(drop_at(slot)->name, name) == 0)
			return slot;
	return -1;
}
