/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_RECEIVE_H
#define WEFT_RECEIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/lcore.h"

/* Receives from the queues that the lcore owns, as far as credits go, and runs what came. Returns
 * the number of packets, and sets *refused if credits kept a queue from being polled. For the lcore
 * loop. */
uint16_t receive_poll(struct lcore *lcore, bool *refused);

/* Packets that a port has received enter here: they get a credit of the lcore's, and their
 * metadata. Returns their bytes. For the lcore loop. */
uint32_t receive_note(
	struct lcore *lcore, const struct port *port, struct rte_mbuf **mbufs, uint16_t n);

#endif
