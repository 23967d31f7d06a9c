/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/mode.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "base/array.h"
#include "control/config.h"
#include "control/keys.h"
#include "control/sections/pipeline.h"
#include "control/sections/sections.h"
#include "control/value.h"

/* A stage may be stacked on any that is further up the way than itself (key->max). */
static int read_with(
	const struct key *key, const char *name, struct transition *transition, struct error *error)
{
	struct plan_way way = plan_way();
	char list[128] = "";

	for (unsigned int i = 0; i < way.n && way.stages[i] < key->max; i++) {
		const char *stage = stage_table[way.stages[i]]->name;

		*transition = (struct transition){TRANSITION_WITH, way.stages[i]};
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
		snprintf(text, MODE_WAY_SIZE, "with %s", stage_table[transition->with]->name);
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

/* ---- the first and the last column ---- */

static const char *const receivers[] = {[RECEIVE_BY_OWNER] = "owner", [RECEIVE_BY_RIGHT] = "right"};
static const char *const deliverers[] = {
	[DELIVER_BY_OWNER] = "owner", [DELIVER_BY_TICKET] = "ticket"};

const char *mode_receive(const struct mode *mode)
{
	return receivers[mode->receive];
}

const char *mode_deliver(const struct mode *mode)
{
	return deliverers[mode->deliver];
}

/* Index of the value among the names; or -1, and *error lists them. */
static int find_name(
	const char *const *names, unsigned int n, const char *value, struct error *error)
{
	char list[128] = "";

	for (unsigned int i = 0; i < n; i++) {
		if (strcmp(names[i], value) == 0)
			return i;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			names[i]);
	}
	return error_set(error, "'%s' is not known; it may be: %s", value, list);
}

static int value_receive(const struct key *key, const char *value, void *to, struct error *error)
{
	int receive = find_name(receivers, RTE_DIM(receivers), value, error);

	(void)key;
	if (receive >= 0)
		*(enum receive_by *)to = receive;
	return RTE_MIN(receive, 0);
}

static int value_deliver(const struct key *key, const char *value, void *to, struct error *error)
{
	int deliver = find_name(deliverers, RTE_DIM(deliverers), value, error);

	(void)key;
	if (deliver >= 0)
		*(enum deliver_by *)to = deliver;
	return RTE_MIN(deliver, 0);
}

/* ---- the keys ---- */

#define WAY(kind) (UINT64_C(1) << TRANSITION_##kind)

/* How packets may get to the i-th stage of the way. The lcore that receives runs the first one, but
 * for elephants, which may be split before that. What is merged has been worked on since the split:
 * the first stage only hands packets on. */
static uint64_t ways_to(const struct plan_way *way, unsigned int i)
{
	uint64_t ways = WAY(INLINE);

	if (i > 0)
		ways |= WAY(FLOW) | WAY(FLOW_STAGE) | WAY(WITH);
	if (i + 1 < way->n)
		ways |= WAY(SPLIT);
	if (i > 1)
		ways |= WAY(MERGE);
	return ways;
}

#define KEYS_MAX (STAGE_COUNT + 4) /* receive, deliver, gate, and the end */
static_assert(KEYS_MAX <= 64, "keys_read() has a bit for each key");

/* A key for each column of the row: also of a stage that is new on the way. */
static void make_keys(struct key keys[KEYS_MAX])
{
	struct plan_way way = plan_way();
	unsigned int n = 0;

	keys[n++] = (struct key){"receive", value_receive, offsetof(struct mode, receive), 0, 0, 0};
	for (unsigned int i = 0; i < way.n; i++)
		keys[n++] = (struct key){stage_table[way.stages[i]]->name, value_transition,
			offsetof(struct mode, row) + way.stages[i] * sizeof(struct transition),
			ways_to(&way, i), way.stages[i], 0};
	keys[n++] = (struct key){"deliver", value_deliver, offsetof(struct mode, deliver), 0, 0, 0};
	keys[n++] = (struct key){"gate", value_bool, offsetof(struct mode, gated), 0, 0, 0};
	assert(n < KEYS_MAX);
	keys[n] = (struct key){0};
}

/* ---- rows that split ---- */

/* What is wrong with a row: of which section, and where it is told. */
struct row_check {
	const struct mode *mode;
	const struct ini_section *section;
	struct error_list *errors;
};

/* At a stage of the row. */
#define WRONG(check, stage, ...)                                                                   \
	ini_wrong((check)->errors, (check)->section, stage_table[stage]->name, NULL, __VA_ARGS__)

static int check_once(const struct row_check *check, enum transition_kind kind)
{
	int first = mode_find_transition(check->mode, kind);

	for (int stage = first + 1; stage < STAGE_COUNT; stage++)
		if (check->mode->row[stage].kind == kind)
			return WRONG(check, stage, "'%s': is given twice, at %s, too", kinds[kind],
				stage_table[first]->name);
	return 0;
}

/* What is on the branches runs there, and after the merge there are none any more. */
static void check_with(const struct row_check *check, int stage, int split, int merge)
{
	int with = check->mode->row[stage].with;
	const char *name = stage_table[with]->name;
	bool is_on_branch = with >= split && with < merge;

	if (stage > split && stage < merge && !is_on_branch)
		WRONG(check, stage,
			"'with %s': is between split and merge, and %s is not; it may go with a "
			"stage from %s on",
			name, name, stage_table[split]->name);
	if (stage > merge && is_on_branch)
		WRONG(check, stage,
			"'with %s': is after the merge, and %s runs on several branches; it may "
			"go with a stage from %s on, or one before %s",
			name, name, stage_table[merge]->name, stage_table[split]->name);
}

static void check_ways(const struct row_check *check, int split, int merge)
{
	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		if (check->mode->row[stage].kind == TRANSITION_FLOW)
			WRONG(check, stage,
				"'flow': is not for a mode that splits, whose other flows go as "
				"rps; there are inline, flow+stage and with STAGE");
		if (check->mode->row[stage].kind == TRANSITION_WITH)
			check_with(check, stage, split, merge);
	}
}

static void check_split(const struct row_check *check)
{
	int split = mode_find_transition(check->mode, TRANSITION_SPLIT);
	int merge = mode_find_transition(check->mode, TRANSITION_MERGE);
	struct plan_way way = plan_way();

	if (check_once(check, TRANSITION_SPLIT) != 0 || check_once(check, TRANSITION_MERGE) != 0)
		return;
	if (split < 0 && merge < 0)
		return;
	if (merge < 0)
		WRONG(check, split,
			"'split': has no merge; a stage further down, up to %s, would have to be "
			"merge",
			stage_table[way.stages[way.n - 1]]->name);
	else if (split < 0 || split > merge)
		WRONG(check, merge,
			"'merge': has no split; a stage further up would have to be split");
	else
		check_ways(check, split, merge);
}

/* ---- rows by right ---- */

/* An lcore that has the right keeps what it receives until it delivers it. */
static void check_inline(const struct row_check *check)
{
	const struct transition *row = check->mode->row;
	char way[MODE_WAY_SIZE];

	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		mode_way(&row[stage], way);
		if (row[stage].kind != TRANSITION_INLINE)
			WRONG(check, stage,
				"'%s': with receive = right every stage is inline, on the lcore "
				"that received the packet",
				way);
	}
}

/* Packets are received in turn if they are delivered in turn. */
static void check_right(struct mode *mode, const struct row_check *check)
{
	bool by_right = mode->receive == RECEIVE_BY_RIGHT;
	enum deliver_by deliver = by_right ? DELIVER_BY_TICKET : DELIVER_BY_OWNER;

	if (!keys_given(check->section, "deliver"))
		mode->deliver = deliver;
	if (mode->deliver != deliver)
		ini_wrong(check->errors, check->section, "deliver", NULL,
			"'%s': with receive = %s it is %s", deliverers[mode->deliver],
			receivers[mode->receive], deliverers[deliver]);
	if (by_right)
		check_inline(check);
}

/* ---- the section ---- */

static bool has_transition(const struct mode *mode, enum transition_kind kind)
{
	return mode_find_transition(mode, kind) >= 0;
}

/* Writes those that may be steered: "gro, vxlan, bridge and veth". */
static void list_steered(char *text, size_t size)
{
	struct plan_way way = plan_way();

	text[0] = '\0';
	for (unsigned int i = 1; i < way.n; i++)
		snprintf(text + strlen(text), size - strlen(text), "%s%s",
			i == 1		 ? ""
			: i + 1 == way.n ? " and "
					 : ", ",
			stage_table[way.stages[i]]->name);
}

static void set_gate(
	struct mode *mode, const struct ini_section *section, struct error_list *errors)
{
	bool by_stage = has_transition(mode, TRANSITION_FLOW_STAGE);
	bool splits = has_transition(mode, TRANSITION_SPLIT);
	char steered[128];

	list_steered(steered, sizeof(steered));
	if (!keys_given(section, "gate"))
		mode->gated = by_stage && !splits;
	if (mode->gated && splits)
		ini_wrong(errors, section, "gate", NULL,
			"is on, but a mode that splits has none: its elephants stay split, and "
			"other flows go as rps anyway");
	else if (mode->gated && !by_stage && !has_transition(mode, TRANSITION_FLOW))
		ini_wrong(errors, section, "gate", NULL,
			"is on, but nothing is steered; one of %s would have to be flow or "
			"flow+stage",
			steered);
}

static void read_row(
	struct mode *mode, const struct ini_section *section, struct error_list *errors)
{
	const struct row_check check = {mode, section, errors};
	struct key keys[KEYS_MAX];

	make_keys(keys);
	if (keys_read(keys, section, mode, errors) != 0)
		return;
	check_split(&check);
	check_right(mode, &check);
	set_gate(mode, section, errors);
}

/* Of the file's own modes. */
static const struct mode *find_mode(const struct config *config, const char *name)
{
	for (uint32_t i = 0; i < config->n_modes; i++)
		if (strcmp(config->modes[i].name, name) == 0)
			return &config->modes[i];
	return NULL;
}

static void read_mode(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	struct mode *mode;

	if (plan_mode_find(section->name) != NULL) {
		ini_wrong(errors, section, NULL, NULL,
			"is one of weft's own modes; choose another name");
		return;
	}
	config->modes = array_add(config->modes, &config->n_modes, sizeof(*mode));
	mode = &config->modes[config->n_modes - 1];
	snprintf(mode->name, sizeof(mode->name), "%s", section->name);
	read_row(mode, section, errors);
}

static int unknown_mode(const struct config *config, const char *name, struct error *error)
{
	char list[sizeof(error->text)] = "";

	for (unsigned int i = 0; plan_mode(i) != NULL; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			plan_mode(i)->name);
	for (uint32_t i = 0; i < config->n_modes; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), ", %s",
			config->modes[i].name);
	return error_set(error, "no mode is called '%s'; there are %s", name, list);
}

const struct mode *config_mode(const struct config *config, const char *name, struct error *error)
{
	const struct mode *mode = plan_mode_find(name);

	if (mode == NULL)
		mode = find_mode(config, name);
	if (mode == NULL)
		unknown_mode(config, name, error);
	return mode;
}

static const char *default_mode(const struct config *config)
{
	return config_placed_stage(config) < 0 ? "auto" : "vanilla";
}

const struct mode *config_find_first_mode(const struct config *config, struct error *error)
{
	const char *given = config->weft.mode;

	return config_mode(config, given[0] == '\0' ? default_mode(config) : given, error);
}

const struct mode *config_first_mode(const struct config *config)
{
	struct error error;

	return config_find_first_mode(config, &error);
}

static void free_modes(struct config *config)
{
	free(config->modes);
}

const struct section_kind mode_section = {
	.name = "mode", .names = "NAME", .read = read_mode, .free = free_modes};
