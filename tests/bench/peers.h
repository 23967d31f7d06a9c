/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_BENCH_PEERS_H
#define WEFT_BENCH_PEERS_H

#include <stdbool.h>

#include "ports/port.h"

/*
 * Container ports of weft's whose container is in this process: an ethdev that is the other end of
 * the port's socket. For the main lcore.
 */
struct peer_kind {
	const char *type;	  /* of the port */
	const char *device;	  /* the ethdev and its arguments, up to the socket's path */
	uint16_t ring_size;	  /* of the ethdev's queues */
	struct rte_mempool *pool; /* its own packets */
};

struct peer {
	struct port port;
	uint16_t ethdev;
};

/* Once. Ends the program if memory is short. */
void peers_init(const char *directory);
void peers_free(void);

/* Opens a port of weft's, without a peer. False and *error if it cannot be had. */
bool peers_attach(struct port *port, const char *type, const char *name, struct error *error);

/* Opens both ends and waits until they know each other; leaves nothing behind if it fails. The
 * socket's name is `name` with the process's number. */
bool peers_open(
	struct peer *peer, const struct peer_kind *kind, const char *name, struct error *error);
void peers_close(struct peer *peer);

#endif
