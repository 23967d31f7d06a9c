/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SIM_PORTS_H
#define WEFT_SIM_PORTS_H

#include "world.h"

/* Synthetic ports: they give packets of their queue's flows and check what they are sent. Their
 * `driver` is a struct sim_peer. */
extern const struct port_ops sim_port_ops;

/* The port that is attached next has this peer. */
void sim_attach_to(struct sim_peer *peer);

#endif
