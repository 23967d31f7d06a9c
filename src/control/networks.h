/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_NETWORKS_H
#define WEFT_NETWORKS_H

#include <stdint.h>

#include <rte_fbk_hash.h>

#include "base/error.h"
#include "base/limits.h"
#include "control/config.h"

/* The networks, which stay as long as weft runs, and who is in each of them. Main lcore. */

struct network;

struct network_state {
	const struct network_config *config; /* the caller's */
	uint16_t uplink;		     /* port index */
	uint16_t mtu;			     /* largest inner IP packet, bytes */
	uint16_t n_places;
	uint16_t room;	  /* of places[] */
	uint16_t *places; /* ascending: container ports and listed VTEPs */
};

/* Begins zeroed. */
struct networks {
	struct rte_fbk_hash_table *by_vni; /* VNI -> index; lcores read it */
	uint16_t n;
	struct network_state list[NETWORKS_MAX];
};

int networks_create(struct networks *networks, struct error *error);
void networks_free(struct networks *networks);

/* What a network's uplink leaves for it. */
struct network_room {
	uint16_t uplink;     /* port index */
	uint16_t uplink_mtu; /* bytes */
	uint16_t overhead;   /* bytes of it that the outer headers take */
};

/* The index of the new network. -1 and *error if its VNI is taken or its MTU too large. */
int networks_add(struct networks *networks, const struct network_config *config,
	const struct network_room *room, struct error *error);

/* Index of a network by its name, or NETWORK_NONE. */
uint16_t networks_find(const struct networks *networks, const char *name);

/* "" for NETWORK_NONE, which is what uplinks are in. */
const char *networks_name(const struct networks *networks, uint16_t index);

/* A container port, or a listed VTEP, comes or goes. */
void networks_add_place(struct networks *networks, uint16_t index, uint16_t place);
void networks_remove_place(struct networks *networks, uint16_t index, uint16_t place);

/* How many container ports there are in a network. */
uint16_t networks_count_ports(const struct networks *networks, uint16_t index);

/* The network as lcores see it, from rte_zmalloc(). NULL if there is no memory. */
struct network *networks_build(const struct networks *networks, uint16_t index);

#endif
