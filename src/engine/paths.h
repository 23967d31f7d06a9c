/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_PATHS_H
#define WEFT_PATHS_H

#include <stdint.h>

#include "engine/lcore.h"

/*
 * Which paths the groups of a door have, and when they change: by the plan, by the lcores' loads,
 * and as flows become elephants. For the lcore loop.
 */

/* Goes by this round's plan from now on. */
void paths_adopt(struct lcore *lcore);

/* Ends moves, and sends on what waited for that. Returns the number of packets. */
uint16_t paths_poll(struct lcore *lcore);

/* A look at loads and rates, now and then: the gate, whether groups would better go elsewhere, and
 * which flows are elephants. */
void paths_look_around(struct lcore *lcore);

#endif
