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

static const char *const kinds[] = {[TRANSITION_INLINE] = "inline",
	[TRANSITION_FLOW] = "flow",
	[TRANSITION_FLOW_STAGE] = "flow+stage",
	[TRANSITION_SPLIT] = "split",
	[TRANSITION_MERGE] = "merge"};

void mode_way(const struct transition *transition, char text[MODE_WAY_SIZE])
{
	if (transition->kind == TRANSITION_WITH)
		snprintf(text, MODE_WAY_SIZE, "with %s", stage_table[transition->with].name);
	else
		snprintf(text, MODE_WAY_SIZE, "%s", kinds[transition->kind]);
}

/* The ways on that there are to a stage: key->min has a bit for each kind. */
static int unknown_way(const struct key *key, const char *value, struct error *error)
{
	char list[128] = "";

	for (size_t kind = 0; kind < RTE_DIM(kinds); kind++)
		if (key->min >> kind & 1)
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
				list[0] ? ", " : "",
				kind == TRANSITION_WITH ? "with STAGE" : kinds[kind]);
	return error_set(error, "'%s' is no way on; there are %s", value, list);
}

static int value_transition(const struct key *key, const char *value, void *to, struct error *error)
{
	struct transition *transition = to;

	if (strncmp(value, "with ", 5) == 0 && key->min >> TRANSITION_WITH & 1)
		return read_with(key, value + 5 + strspn(value + 5, " \t"), transition, error);
	for (size_t kind = 0; kind < RTE_DIM(kinds); kind++) {
		*transition = (struct transition){.kind = kind};
		if (key->min >> kind & 1 && kinds[kind] != NULL && strcmp(kinds[kind], value) == 0)
			return 0;
	}
	return unknown_way(key, value, error);
}

#define STEERED                                                                                    \
	(1 << TRANSITION_INLINE | 1 << TRANSITION_FLOW | 1 << TRANSITION_FLOW_STAGE |              \
		1 << TRANSITION_WITH)
#define SPLIT (1 << TRANSITION_SPLIT)
#define MERGE (1 << TRANSITION_MERGE)
#define WAY_TO(name, NAME, ways)                                                                   \
	{                                                                                          \
		name, value_transition, offsetof(struct mode, row[STAGE_##NAME]), ways,            \
			STAGE_##NAME, 0                                                            \
	}
static const struct key mode_keys[] = {
	WAY_TO("rx", RX, 1 << TRANSITION_INLINE | SPLIT),
	WAY_TO("gro", GRO, STEERED | SPLIT),
	WAY_TO("vxlan", VXLAN, STEERED | SPLIT | MERGE),
	WAY_TO("bridge", BRIDGE, STEERED | SPLIT | MERGE),
	WAY_TO("veth", VETH, STEERED | MERGE),
	{"gate", value_bool, offsetof(struct mode, gated), 0, 0, 0},
	{0},
};
#undef WAY_TO
#undef MERGE
#undef SPLIT
#undef STEERED

/* ---- rows that split ---- */

static int check_once(const struct mode *mode, enum transition_kind kind, struct error *error)
{
	int first = mode_find_transition(mode, kind);

	for (int stage = first + 1; stage < STAGE_COUNT; stage++)
		if (mode->row[stage].kind == kind)
			return error_set(error, "%s: '%s': is given twice, at %s, too",
				stage_table[stage].name, kinds[kind], stage_table[first].name);
	return 0;
}

/* What is on the branches runs there, and after the merge there are none any more. */
static int check_with(const struct mode *mode, int stage, int split, int merge, struct error *error)
{
	int with = mode->row[stage].with;
	bool is_on_branch = with >= split && with < merge;

	if (stage > split && stage < merge && !is_on_branch)
		return error_set(error,
			"%s: 'with %s': is between split and merge, and %s is not; it may go with "
			"a stage from %s on",
			stage_table[stage].name, stage_table[with].name, stage_table[with].name,
			stage_table[split].name);
	if (stage > merge && is_on_branch)
		return error_set(error,
			"%s: 'with %s': is after the merge, and %s runs on several branches; it "
			"may go with a stage from %s on, or one before %s",
			stage_table[stage].name, stage_table[with].name, stage_table[with].name,
			stage_table[merge].name, stage_table[split].name);
	return 0;
}

static int check_ways(const struct mode *mode, int split, int merge, struct error *error)
{
	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		if (mode->row[stage].kind == TRANSITION_FLOW)
			return error_set(error,
				"%s: 'flow': is not for a mode that splits, whose other flows go "
				"as rps; there are inline, flow+stage and with STAGE",
				stage_table[stage].name);
		if (mode->row[stage].kind == TRANSITION_WITH &&
			check_with(mode, stage, split, merge, error) != 0)
			return -1;
	}
	return 0;
}

static int check_split(const struct mode *mode, struct error *error)
{
	int split = mode_find_transition(mode, TRANSITION_SPLIT);
	int merge = mode_find_transition(mode, TRANSITION_MERGE);

	if (check_once(mode, TRANSITION_SPLIT, error) != 0 ||
		check_once(mode, TRANSITION_MERGE, error) != 0)
		return -1;
	if (split < 0 && merge < 0)
		return 0;
	if (merge < 0)
		return error_set(error,
			"%s: 'split': has no merge; a stage further down, up to veth, would have "
			"to be merge",
			stage_table[split].name);
	if (split < 0 || split > merge)
		return error_set(error,
			"%s: 'merge': has no split; a stage further up would have to be split",
			stage_table[merge].name);
	return check_ways(mode, split, merge, error);
}

/* ---- the section ---- */

static bool is_given(const char *key, const struct rte_cfgfile_entry *entries, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(entries[i].name, key) == 0)
			return true;
	return false;
}

static bool has_transition(const struct mode *mode, enum transition_kind kind)
{
	return mode_find_transition(mode, kind) >= 0;
}

static int set_gate(struct mode *mode, bool given, struct error *error)
{
	bool by_stage = has_transition(mode, TRANSITION_FLOW_STAGE);
	bool splits = has_transition(mode, TRANSITION_SPLIT);

	if (!given)
		mode->gated = by_stage && !splits;
	if (mode->gated && splits)
		return error_set(error,
			"gate: is on, but a mode that splits has none: its elephants stay split, "
			"and other flows go as rps anyway");
	if (mode->gated && !by_stage && !has_transition(mode, TRANSITION_FLOW))
		return error_set(error,
			"gate: is on, but nothing is steered; one of gro, vxlan, bridge and veth "
			"would have to be flow or flow+stage");
	return 0;
}

int mode_read(
	struct mode *mode, const struct rte_cfgfile_entry *entries, int n, struct error *error)
{
	if (ini_read_keys(mode_keys, entries, n, mode, error) != 0 || check_split(mode, error) != 0)
		return -1;
	return set_gate(mode, is_given("gate", entries, n), error);
}
