/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SPLIT_H
#define WEFT_SPLIT_H

#include <stdint.h>

#include <rte_common.h>

#include "reorder/merge.h"

/*
 * Cuts an elephant's packets, in the order in which they came, into micro-flows, each of which goes
 * to one branch (mFlow's flow-splitting function). For the door alone.
 */
struct split {
	uint32_t micro_flow; /* under way (relaxed) */
	uint32_t left;	     /* packets that it still lacks */
	uint32_t batch;
	uint16_t branch;	     /* that it goes to */
	const struct merge *merge;   /* where it is put back in order */
	uint32_t sent[BRANCHES_MAX]; /* packets, to each branch */
};

/* Begins with micro-flow 0, when the merge has begun, too. */
void split_begin(struct split *split, const struct merge *merge);

/* The micro-flow is full: the next one goes to the branch with the least backlog, in turn where
 * several have. The backlog is what was sent to a branch and has not come to the merge. */
void split_advance(struct split *split);

/* Of the next n packets so many go to split->branch as parts of split->micro_flow; at least one. */
static inline uint16_t split_next(struct split *split, uint16_t n)
{
	uint16_t taken;

	if (split->left == 0)
		split_advance(split);
	taken = RTE_MIN(split->left, (uint32_t)n);
	split->left -= taken;
	split->sent[split->branch] += taken;
	return taken;
}

#endif
