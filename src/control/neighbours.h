/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_NEIGHBOURS_H
#define WEFT_NEIGHBOURS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

#include "base/address.h"
#include "base/error.h"
#include "base/limits.h"

/*
 * Next hops on the underlay: asked for as soon as a VTEP needs them, asked again every 30 s, and
 * given up after three questions without an answer. How a question is put is the caller's affair
 * (control/solicit.h). Time is the caller's, in ms since any moment. Main lcore.
 */

#define NEIGHBOURS_MAX VTEPS_MAX /* each VTEP may be its own next hop */

enum neighbour_state {
	NEIGHBOUR_UNRESOLVED,
	NEIGHBOUR_REACHABLE,
	NEIGHBOUR_PROBING, /* was reachable; asked again, no answer yet */
};

struct neighbour {
	struct address address;
	uint16_t uplink; /* port index */
	enum neighbour_state state;
	struct rte_ether_addr mac;
	uint32_t tries;
	uint64_t due_ms; /* when something is to be done about it */
};

/* Begins zeroed. */
struct neighbours {
	uint16_t n;
	struct neighbour list[NEIGHBOURS_MAX];
};

/* The index of the next hop `address` at an uplink, which is made if there is none yet. -1 and
 * *error if there are too many. */
int neighbours_add(struct neighbours *neighbours, uint16_t uplink, const struct address *address,
	struct error *error);

/* Somebody at `uplink` said that `address` is `mac`. Addresses that are no next hop are ignored.
 * Whether tables have to be published again. */
bool neighbours_heard(struct neighbours *neighbours, uint16_t uplink, const struct address *address,
	const struct rte_ether_addr *mac, uint64_t now_ms);

/* Puts the question for a neighbour's Ethernet address; whether it went out. */
typedef bool (*neighbour_ask)(void *argument, const struct neighbour *neighbour);

/* Asks where it is time to. Whether tables have to be published again. */
bool neighbours_refresh(
	struct neighbours *neighbours, uint64_t now_ms, neighbour_ask ask, void *argument);

/* Whether all of them are known. */
bool neighbours_are_resolved(const struct neighbours *neighbours);

const char *neighbour_state_name(enum neighbour_state state);

#endif
