/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_TRANSMIT_H
#define WEFT_TRANSMIT_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "engine/lcore.h"

/* Hands packets to the ports that they are for: the step `deliver` or `send`. For the lcore loop,
 * on the lcore that owns the ports' queues. The order of mbufs[] is lost. */
void transmit(struct lcore *lcore, enum step step, struct rte_mbuf **mbufs, uint16_t n);

#endif
