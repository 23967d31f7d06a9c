/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SIM_PORTS_H
#define WEFT_SIM_PORTS_H

#include "world.h"

/* Synthetic ports: they give packets of their queue's flows and check what they are sent. Their
 * `driver` is a struct sim_peer. */
extern const struct port_ops sim_port_ops;

/* The port that is attached next has this peer. */
void sim_attach_to(struct sim_peer *peer);

/* Its queues' rings, once. Freed when no lcore runs: fails the world if somebody has left something
 * in them; without rings nothing is done. */
void sim_make_rings(struct sim_peer *peer);
void sim_free_rings(struct sim_peer *peer);

#endif
