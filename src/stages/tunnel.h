/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_TUNNEL_H
#define WEFT_TUNNEL_H

#include <assert.h>
#include <stdint.h>

#include <rte_ether.h>

#include "base/address.h"

/*
 * What packets between VTEPs are wrapped in: Ethernet, IPv4 and UDP, and behind these the header
 * of the tunnel's kind, which is a row of tunnel_kinds[]. It is built once for each remote; what
 * differs from packet to packet (lengths, source port, checksum) encap writes.
 */
enum tunnel_kind {
	TUNNEL_VXLAN,
	TUNNEL_KINDS,
};

#define TUNNEL_HEADER_MAX 118 /* bytes */

/* The headers of all packets to one remote. */
struct tunnel {
	uint8_t kind;	/* enum tunnel_kind */
	uint8_t length; /* bytes of the header; its overhead */
	uint16_t sum;	/* of the IPv4 header, whose total length is 0 (RFC 1071) */
	uint8_t header[TUNNEL_HEADER_MAX];
};
static_assert(TUNNEL_HEADER_MAX <= UINT8_MAX, "the length is a byte");

/* What the headers are made of. */
struct tunnel_ends {
	struct rte_ether_addr local_mac;
	struct rte_ether_addr next_hop_mac;
	struct address local;
	struct address remote;
	uint16_t udp_port; /* of the remote, host order */
	uint32_t vni;
};

struct tunnel_kind_entry {
	const char *name;
	uint8_t length; /* bytes of the kind's own header */
	void (*build)(uint8_t *header, const struct tunnel_ends *ends);
};

extern const struct tunnel_kind_entry tunnel_kinds[TUNNEL_KINDS];

/* Bytes that tunnels of a kind put in front of a frame. An uplink's MTU does not count the outer
 * Ethernet header, but the inner packet's does not count the inner one: so this is what they take
 * of it, too. */
uint16_t tunnel_overhead(enum tunnel_kind kind);

/* Fills in *tunnel, which is zeroed. */
void tunnel_build(enum tunnel_kind kind, const struct tunnel_ends *ends, struct tunnel *tunnel);

#endif
