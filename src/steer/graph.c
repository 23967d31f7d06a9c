/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer/graph.h"

#include <stdbool.h>
#include <string.h>

static const struct graph_edge edges[] = {
	{"rx", "frame", "gro"},
	{"gro", "tunnelled", "vxlan"},
	{"gro", "host", "vtep"},
	{"vxlan", "inner", "bridge"},
	{"vtep", "reply", "tx"},
	{"veth_rx", "frame", "bridge"},
	{"bridge", "local", "veth"},
	{"bridge", "remote", "encap"},
	{"wire", "local", "veth"},
	{"wire", "remote", "encap"},
	{"veth", "container", "deliver"},
	{"encap", "outer", "tx"},
	{"tx", "uplink", "send"},
	{0},
};

/* Optional stages: {"acl", "bridge"} puts one before the bridge. */
static const struct graph_insertion insertions[] = {
	{0},
};

const struct graph graph = {.edges = edges, .insertions = insertions};

static int find_stage(const char *name, struct error *error)
{
	int stage = stage_find(name);

	if (stage >= 0 && stage < STAGE_COUNT)
		return stage;
	return error_set(error, "graph: there is no stage '%s'", name);
}

static int add_edge(const struct graph_edge *edge, graph_next_t next, struct error *error)
{
	int stage = find_stage(edge->stage, error), exit;
	int to = stage_find(edge->next);

	if (stage < 0)
		return -1;
	exit = stage_find_exit(stage_table[stage], edge->exit);
	if (exit < 0)
		return error_set(error, "graph: %s has no exit '%s'", edge->stage, edge->exit);
	if (to < 0 || to >= STEP_MERGE)
		return error_set(error, "graph: %s, exit %s: there is no step '%s' to go to",
			edge->stage, edge->exit, edge->next);
	if (next[stage][exit] != STEP_NONE)
		return error_set(
			error, "graph: exit %s of %s leads to two steps", edge->exit, edge->stage);
	next[stage][exit] = to;
	return 0;
}

static int insert(const struct graph_insertion *insertion, graph_next_t next, struct error *error)
{
	int inserted = find_stage(insertion->stage, error);
	int before = find_stage(insertion->before, error);
	bool reached = false;

	if (inserted < 0 || before < 0)
		return -1;
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		for (int exit = 0; exit < STAGE_EXITS_MAX; exit++)
			if (stage != inserted && next[stage][exit] == before) {
				next[stage][exit] = inserted;
				reached = true;
			}
	if (!reached)
		return error_set(error, "graph: nothing leads to '%s', before which %s is to be",
			insertion->before, insertion->stage);
	for (int exit = 0; exit < STAGE_EXITS_MAX; exit++)
		if (stage_table[inserted]->exits[exit] != NULL && next[inserted][exit] == STEP_NONE)
			next[inserted][exit] = before;
	return 0;
}

static int check_exit(int stage, int exit, uint8_t next, struct error *error)
{
	const char *name = stage_table[stage]->name;

	if (next == STEP_NONE)
		return error_set(error, "graph: exit %s of %s leads nowhere",
			stage_table[stage]->exits[exit], name);
	if (next <= stage)
		return error_set(error,
			"graph: exit %s of %s leads to %s, which is not further down in "
			"stages/table.h",
			stage_table[stage]->exits[exit], name, stage_table[next]->name);
	return 0;
}

static int check(graph_next_t next, struct error *error)
{
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		for (int exit = 0; exit < STAGE_EXITS_MAX; exit++)
			if (stage_table[stage]->exits[exit] != NULL &&
				check_exit(stage, exit, next[stage][exit], error) != 0)
				return -1;
	return 0;
}

static int resolve(const struct graph *graph, graph_next_t next, struct error *error)
{
	for (const struct graph_edge *edge = graph->edges; edge->stage != NULL; edge++)
		if (add_edge(edge, next, error) != 0)
			return -1;
	for (const struct graph_insertion *row = graph->insertions; row->stage != NULL; row++)
		if (insert(row, next, error) != 0)
			return -1;
	return check(next, error);
}

int graph_resolve(const struct graph *graph, graph_next_t next, struct error *error)
{
	memset(next, STEP_NONE, sizeof(graph_next_t));
	if (resolve(graph, next, error) == 0)
		return 0;
	memset(next, STEP_NONE, sizeof(graph_next_t));
	return -1;
}
