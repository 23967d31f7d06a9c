/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_GRAPH_H
#define WEFT_GRAPH_H

#include <stdint.h>

#include "base/error.h"
#include "stages/stage.h"

/*
 * Which stage comes after which: where each exit of each stage leads. It is written down by name in
 * graph.c, and resolved once for each plan.
 */

#define STEP_NONE UINT8_MAX

/* The step that comes next, by stage and exit; STEP_NONE where the stage has no such exit. */
typedef uint8_t graph_next_t[STAGE_COUNT][STAGE_EXITS_MAX];

/* An exit of a stage leads to a step. */
struct graph_edge {
	const char *stage;
	const char *exit;
	const char *next;
};

/* Whatever leads to `before` leads to `stage` instead, and so do that one's exits to `before`,
 * unless an edge says otherwise. Of two before the same one the first comes first. */
struct graph_insertion {
	const char *stage;
	const char *before;
};

/* Both lists end with a row of zeroes. */
struct graph {
	const struct graph_edge *edges;
	const struct graph_insertion *insertions;
};

/* weft's own. */
extern const struct graph graph;

/* Fills next. -1 and *error if a name is wrong, an exit leads nowhere or twice, or one leads to a
 * step that is not further down in the table: the engine goes through the steps in that order. Then
 * no exit leads anywhere. */
int graph_resolve(const struct graph *graph, graph_next_t next, struct error *error);

#endif
