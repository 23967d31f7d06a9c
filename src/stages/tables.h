/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_TABLES_H
#define WEFT_TABLES_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_fbk_hash.h>
#include <rte_hash.h>
#include <rte_ip.h>

#include "base/address.h"
#include "base/limits.h"
#include "ports/port.h"
#include "stages/packet.h"
#include "stages/tunnel.h"

/*
 * What the data path looks things up in. A snapshot: the main lcore builds a new one for every
 * change and publishes it with one store (release); an lcore loads it (acquire) at the start of a
 * round and keeps it for that round; the old one is freed after a grace period (rte_rcu_qsbr). Only
 * the hash tables are changed in place, by the main lcore alone; their lock-free readers are
 * rte_hash's affair.
 */

struct network {
	uint32_t vni;
	uint16_t udp_port; /* host order */
	uint16_t uplink;   /* port index */
	uint16_t mtu;	   /* largest inner IP packet, bytes */
	bool learning;
	bool vtep_guard;
	bool source_guard;
	uint32_t refresh;     /* seconds after which a heard address is worth a notice again */
	uint16_t wire_port;   /* modes without bridge: the container port, or PLACE_NONE */
	uint16_t wire_remote; /* and the VTEP, or PLACE_NONE */
	uint16_t n_places;    /* everybody in it: container ports and listed VTEPs */
	uint16_t places[];    /* ascending */
};

/* A remote VTEP of one network, with the headers of a packet to it. */
struct remote {
	uint16_t vtep; /* index: the same in all networks */
	uint16_t network;
	bool resolved; /* the next hop's Ethernet address is in the header */
	bool listed;   /* from the configuration; otherwise heard with vtep-guard off */
	struct tunnel tunnel;
};
static_assert(sizeof(struct remote) == 2 * RTE_CACHE_LINE_SIZE, "copied to packets whole lines");

/* An entry's data in the FDB: one word, so that it is read and written whole. */
union fdb_value {
	void *word;
	struct {
		uint16_t place;
		uint16_t fixed; /* static: neither ages nor moves */
		uint32_t heard; /* seconds, when it was last noticed */
	};
};
static_assert(sizeof(union fdb_value) == 8, "one store writes an entry");

static inline uint64_t fdb_key(uint16_t network, const struct rte_ether_addr *mac)
{
	const unaligned_uint32_t *low = (const void *)mac;
	const unaligned_uint16_t *high = (const void *)&mac->addr_bytes[4];

	return *low | (uint64_t)*high << 32 | (uint64_t)network << 48;
}

/* A VTEP in a network. Without padding, since it is compared and hashed as bytes. */
struct remote_key {
	struct address address;
	uint64_t network; /* index */
};
static_assert(sizeof(struct remote_key) == 24, "no padding");

struct owned_queue {
	struct port *port;
	uint16_t queue;
};

/* Where a packet of one lcore leaves for an uplink. */
struct uplink_exit {
	uint16_t owner; /* lcore index */
	uint16_t queue;
};

struct tables {
	struct rte_hash *fdb;		     /* fdb_key() -> union fdb_value */
	struct rte_hash *remotes_by_address; /* struct remote_key -> remote index */
	struct rte_fbk_hash_table *networks_by_vni;
	uint64_t udp_ports[65536 / 64]; /* bit set: some network's VXLAN port, host order */
	uint16_t n_networks;
	uint16_t n_uplinks;
	uint64_t newest_port; /* number: no port in here has a higher one */
	uint16_t wire_port;   /* without an overlay: the container port, or PLACE_NONE */
	bool coalesce;	      /* some container takes large segments, so that coalescing pays */
	uint16_t uplinks[UPLINKS_MAX];		      /* port indices */
	struct address uplink_addresses[UPLINKS_MAX]; /* by port index: uplinks have the lowest */
	struct uplink_exit exits[UPLINKS_MAX][LCORES_MAX + 1];
	struct network *networks[NETWORKS_MAX];
	struct remote *remotes[REMOTES_MAX];
	struct port *ports[PORTS_MAX];
	uint16_t owned_begin[LCORES_MAX + 1]; /* owned[] of lcore i: [begin[i], begin[i + 1]) */
	struct owned_queue owned[];
};

static inline bool tables_has_udp_port(const struct tables *tables, uint16_t port)
{
	return tables->udp_ports[port / 64] >> (port % 64) & 1;
}

#endif
