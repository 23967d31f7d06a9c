/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_STEPS_H
#define WEFT_STEPS_H

#include "stages/stage.h"

/*
 * The steps after the stages, which the engine does itself: rows of the same kind, for their names
 * and drops.
 */
extern const struct stage deliver_step, send_step, merge_step, copy_step;

enum deliver_drop {
	DELIVER_GONE,
	DELIVER_DOWN,
	DELIVER_FULL,
	DELIVER_TOO_BIG,
};

enum send_drop {
	SEND_DOWN,
	SEND_FULL,
	SEND_TOO_BIG,
};

enum copy_drop {
	COPY_UNFIT,
};

#endif
