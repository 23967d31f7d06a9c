/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_PATH_H
#define WEFT_PATH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/plan.h"
#include "core/tables.h"
#include "steer/policy.h"

/* Which lcores steer, and how they are chosen. Written before the lcores start. */
struct steering {
	uint16_t n;		     /* at least 1 */
	uint16_t lcores[LCORES_MAX]; /* indices */
	const struct policy *policy;
	uint32_t threshold; /* permille: of an lcore for the second choice, of all for the gate */
};

/* The lcores that run a flow group's stages. */
struct path {
	uint16_t lcore[STAGE_COUNT]; /* index, or LCORE_INLINE */
	uint16_t second;	     /* bit of each stage that has its second choice */
};

/* The path that the plan wants for a flow group of the lcore `first`: by its row for an open or a
 * closed gate, and by the policy over the steering lcores' loads (permille). */
struct path path_choose(const struct plan *plan, bool open, const struct steering *steering,
	const uint32_t *loads, uint16_t first, uint16_t group);

static inline bool path_is(const struct path *path, const struct path *other)
{
	return memcmp(path->lcore, other->lcore, sizeof(path->lcore)) == 0;
}

#endif
