/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_RUN_H
#define WEFT_RUN_H

#include "engine/lcore.h"

/*
 * Runs all that waits in the lcore's vectors, downwards from step to step, and after that what has
 * come of it to be flooded. Then all vectors are empty again. To be called after each feed, of at
 * most STAGE_BURST_MAX packets; by the lcore loop.
 */
void run(struct lcore *lcore);

/* Takes what stages have kept and give back now, and runs it; what comes of it goes to stages
 * further down, so none gives back for ever. False if it was nothing. */
bool run_kept(struct lcore *lcore);

#endif
