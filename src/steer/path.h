/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_PATH_H
#define WEFT_PATH_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "steer/plan.h"
#include "steer/policy.h"

/* Which lcores steer, and how they are chosen. Written before the lcores start. */
struct steering {
	uint16_t n;		     /* at least 1 */
	uint16_t lcores[LCORES_MAX]; /* indices */
	const struct policy *policy;
	uint32_t threshold; /* permille: of an lcore for the second choice, of all for the gate */
};

/* How elephants are found and cut. Written before the lcores start. */
struct micro_flows {
	uint32_t batch; /* packets of a micro-flow: 1 to BATCH_MAX */
	uint16_t n_branches;
	uint16_t n_elephants;	     /* at each door: 0 to ELEPHANTS_MAX */
	uint32_t rate;		     /* packets per second that make a flow an elephant */
	uint32_t window;	     /* microseconds over which the rate is taken */
	uint16_t n;		     /* at least 1 */
	uint16_t lcores[LCORES_MAX]; /* that may be branches: indices */
};

static_assert(STAGE_COUNT <= 16, "path.second has a bit for each stage");
static_assert(STAGE_COUNT <= UINT8_MAX, "path.split and path.merge have all stages");

/* The lcores that run the stages of a flow group, or of an elephant's branch. */
struct path {
	uint16_t lcore[STAGE_COUNT]; /* index, or LCORE_INLINE */
	uint16_t second;	     /* bit of each stage that has its second choice */
	/* A branch's: the stages before which it is split and merged; else both STAGE_COUNT. */
	uint8_t split, merge;
};

/* The path that the plan wants for a flow group of the lcore `first`: by its row for an open or a
 * closed gate, and by the policy over the steering lcores' loads (permille). */
struct path path_choose(const struct plan *plan, bool open, const struct steering *steering,
	const uint32_t *loads, uint16_t first, uint16_t group);

/* Of the elephants of one door by number: those of the first have the first lcores, those of the
 * second the next ones, and so on. */
struct branch {
	uint16_t elephant;
	uint16_t number;
	uint16_t consumer; /* lcore to merge on, as its packets go there anyway; or LCORE_INLINE */
};

/* The path of an elephant's branch. On the way to the merge `flow+stage` is the branch's next
 * lcore. */
struct path path_choose_branch(const struct plan *plan, const struct steering *steering,
	const struct micro_flows *micro_flows, const uint32_t *loads, uint16_t first,
	const struct branch *branch);

static inline bool path_is(const struct path *path, const struct path *other)
{
	return memcmp(path->lcore, other->lcore, sizeof(path->lcore)) == 0;
}

#endif
