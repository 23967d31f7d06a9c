/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_NEIGHBOURS_H
#define WEFT_NEIGHBOURS_H

#include "control/control.h"

/*
 * Next hops on the underlay: resolved by ARP (RFC 826) as soon as a VTEP needs them, asked again
 * every 30 s, and given up after three questions without an answer. Main lcore.
 */

/* The next hop to `address` by an uplink: itself within the prefix, else the gateway. Returns the
 * neighbour's index; -1 and *error if there is none. */
int neighbour_towards(
	struct control *control, uint16_t uplink, rte_be32_t address, struct error *error);

/* ARP at `uplink` said that `address` is `mac`. Addresses that are no next hop are ignored. */
void neighbour_heard(struct control *control, uint16_t uplink, rte_be32_t address,
	const struct rte_ether_addr *mac);

/* Asks where it is time to. */
void neighbours_refresh(struct control *control);

const char *neighbour_state_name(enum neighbour_state state);

#endif
