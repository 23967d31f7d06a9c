/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_TRANSMIT_H
#define WEFT_TRANSMIT_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "engine/lcore.h"

/* Hands packets to the ports that they are for: the step `deliver` or `send`. For the lcore loop,
 * on the lcore that owns the ports' queues. The order of mbufs[] is lost. */
void transmit(struct lcore *lcore, enum step step, struct rte_mbuf **mbufs, uint16_t n);

/* ---- its parts, for who has the queue for itself ---- */

/* Which queue of a container port a packet leaves by: always the same for a flow. */
uint16_t transmit_container_queue(const struct port *port, struct rte_mbuf *mbuf);

/* Packets that one queue is to send: what it does not take is dropped. */
void transmit_burst(struct lcore *lcore, struct port *port, uint16_t queue, struct rte_mbuf **mbufs,
	uint16_t n);

/* n packets leave by a queue; and they are gone, and with them `ended` ones that were made one. */
void transmit_count(struct port_counters *counters, uint16_t n, uint32_t bytes);
void transmit_end(struct lcore *lcore, uint16_t n, uint32_t ended);

/* Drops packets that the queue has just refused: all n, or the first alone if that is why. Returns
 * how many. */
uint16_t transmit_refuse(struct lcore *lcore, struct port *port, uint16_t queue,
	struct rte_mbuf **mbufs, uint16_t n);

#endif
