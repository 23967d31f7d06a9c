/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_HOPS_H
#define WEFT_HOPS_H

#include <stdbool.h>
#include <stdint.h>

#include "steer/plan.h"

/*
 * The walk over a plan, in one place: by what each stage of the way comes to the lcore that runs
 * it. Who walks along the hops need not know what stands between them: a split, a merge, and which
 * stage is with which.
 */

enum hop_kind {
	HOP_STAY,	 /* where the hop before it is; the first one where packets enter */
	HOP_PLACED,	 /* on `lcore` */
	HOP_GROUP,	 /* on the flow group's steering lcore */
	HOP_GROUP_STAGE, /* on a steering lcore of this group and this stage, by the policy */
	HOP_WITH,	 /* where the hop `with` is */
	HOP_BRANCH,	 /* on the branch's lcore that comes after `depth` others */
	HOP_MERGE, /* on the elephant's consumer; while that is unknown as HOP_BRANCH, where the
		    * branch is the first one */
};

struct hop {
	enum step stage;
	enum hop_kind kind;
	uint16_t lcore; /* HOP_PLACED: index; else LCORE_INLINE */
	uint8_t with;	/* index of a hop further up */
	uint8_t depth;
	bool on_branch; /* each micro-flow on its branch: from the split on, to the merge */
};

struct hops {
	unsigned int n;
	struct hop list[STAGE_COUNT];
};

/* Along the plan's way, by one of its rows. Any thread. */
struct hops hops_of(const struct plan *plan, const struct transition row[STAGE_COUNT]);

#endif
