/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_CREDITS_H
#define WEFT_CREDITS_H

#include <stdint.h>

#include "engine/lcore.h"

/*
 * How many packets an lcore may let in. Each has a credit of its lcore's until it ends, wherever
 * that is; what has ended the lcores write down (engine/ledger.h). For the lcore loop.
 */

/* Packets that may be received. One credit in eight is not among them: a replica must find one,
 * however many packets wait to be flooded. */
uint32_t credits_for_received(struct lcore *lcore);

/* Replicas that may be made: all credits that are left. */
uint32_t credits_for_replicas(struct lcore *lcore);

/* How many of n packets of a group that have just come in may go on. */
uint16_t credits_for_group(struct lcore *lcore, struct group group, uint16_t n);

#endif
