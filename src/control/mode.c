/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/mode.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "control/ini.h"
#include "control/value.h"

/* Which stages another may be stacked on, and only on those further up than itself (key->max). */
static int read_with(
	const struct key *key, const char *name, struct transition *transition, struct error *error)
{
	static const enum stage stages[] = {STAGE_RX, STAGE_GRO, STAGE_VXLAN, STAGE_BRIDGE};
	char list[64] = "";

	for (size_t i = 0; i < RTE_DIM(stages) && stages[i] < key->max; i++) {
		const char *stage = stage_table[stages[i]].name;

		*transition = (struct transition){TRANSITION_WITH, stages[i]};
		if (strcmp(stage, name) == 0)
			return 0;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			stage);
	}
	return error_set(error, "'with %s': of the stages further up there are %s", name, list);
}

static int value_transition(const struct key *key, const char *value, void *to, struct error *error)
{
	static const char *const kinds[] = {[TRANSITION_INLINE] = "inline",
		[TRANSITION_FLOW] = "flow",
		[TRANSITION_FLOW_STAGE] = "flow+stage"};
	struct transition *transition = to;

	if (strncmp(value, "with ", 5) == 0)
		return read_with(key, value + 5 + strspn(value + 5, " \t"), transition, error);
	for (size_t kind = 0; kind < RTE_DIM(kinds); kind++) {
		*transition = (struct transition){.kind = kind};
		if (strcmp(kinds[kind], value) == 0)
			return 0;
	}
	return error_set(error,
		"'%s' is no way on; there are inline, flow, flow+stage and with STAGE", value);
}

#define WAY_TO(name, NAME)                                                                         \
	{                                                                                          \
		name, value_transition, offsetof(struct mode, row[STAGE_##NAME]), 0, STAGE_##NAME, \
			0                                                                          \
	}
static const struct key mode_keys[] = {
	WAY_TO("gro", GRO),
	WAY_TO("vxlan", VXLAN),
	WAY_TO("bridge", BRIDGE),
	WAY_TO("veth", VETH),
	{"gate", value_bool, offsetof(struct mode, gated), 0, 0, 0},
	{0},
};
#undef WAY_TO

static bool is_given(const char *key, const struct rte_cfgfile_entry *entries, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(entries[i].name, key) == 0)
			return true;
	return false;
}

static bool has_transition(const struct mode *mode, enum transition_kind kind)
{
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		if (mode->row[stage].kind == kind)
			return true;
	return false;
}

static int set_gate(struct mode *mode, bool given, struct error *error)
{
	bool by_stage = has_transition(mode, TRANSITION_FLOW_STAGE);

	if (!given)
		mode->gated = by_stage;
	if (mode->gated && !by_stage && !has_transition(mode, TRANSITION_FLOW))
		return error_set(error,
			"gate: is on, but nothing is steered; one of gro, vxlan, bridge and veth "
			"would have to be flow or flow+stage");
	return 0;
}

int mode_read(
	struct mode *mode, const struct rte_cfgfile_entry *entries, int n, struct error *error)
{
	if (ini_read_keys(mode_keys, entries, n, mode, error) != 0)
		return -1;
	return set_gate(mode, is_given("gate", entries, n), error);
}
