/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TRAFFIC_PORTS_H
#define TRAFFIC_PORTS_H

#include <stdbool.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "options.h"

/* An ethdev with what it has not taken yet. Used by one thread only. */
struct port {
	uint16_t id;
	uint16_t n_pending;
	struct rte_mbuf *pending[BURST_MAX];
};

struct ports {
	struct rte_mempool *pool;
	uint16_t n;
	struct port port[PORTS_MAX]; /* 0: the uplink's peer; i: container i - 1 */
};

/* Opens EAL's ethdevs, then those of the options as soon as their sockets are there. Returns 0, or
 * -1 if one cannot be opened, which it has said. `stop` ends the waiting. */
int ports_open(struct ports *ports, const struct options *options, const volatile int *stop);
void ports_close(struct ports *ports);

/* True if all have a peer. */
bool ports_are_up(const struct ports *ports);

/* Hands packets to the port as far as it takes them; returns how many it took. */
static inline uint16_t port_flush(struct port *port)
{
	uint16_t sent = rte_eth_tx_burst(port->id, 0, port->pending, port->n_pending);

	port->n_pending -= sent;
	for (uint16_t i = 0; i < port->n_pending; i++)
		port->pending[i] = port->pending[sent + i];
	return sent;
}

#endif
