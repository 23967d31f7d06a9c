/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_PLAN_H
#define WEFT_PLAN_H

#include <stdint.h>

#include "core/error.h"
#include "stages/stage.h"

/*
 * The plan says for each stage how a burst gets there from the stage before: inline (call on, same
 * lcore) or on an lcore of its own, in which case the burst crosses through that lcore's inbox. A
 * mode is a row of modes[] in plan.c. The last step, to the port itself, always goes to the owner
 * of the port's queue. Written before the lcores start, read-only afterwards.
 */

#define LCORE_INLINE UINT16_MAX

struct plan {
	const char *mode;
	uint16_t instead[STAGE_COUNT]; /* the stage that runs where a verdict names this one */
	uint16_t lcore[STAGE_COUNT];   /* index of the lcore that runs it, or LCORE_INLINE */
};

/* Fills *plan with the mode's row. */
int plan_set_mode(struct plan *plan, const char *mode, struct error *error);

/* Name of the i-th mode, NULL behind the last. */
const char *plan_mode_name(unsigned int i);

#endif
