/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_PACKET_H
#define WEFT_PACKET_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_mbuf.h>

#include "base/flow_hash.h"
#include "base/limits.h"

/*
 * By what a packet's end is counted at the lcore that sent it on its way: one of its flow groups,
 * or one branch of one of its elephants.
 */
struct account {
	uint16_t number;
};

#define ACCOUNT_UNSTEERED FLOW_GROUPS	   /* from an uplink while the plan steers nothing */
#define ACCOUNT_BRANCHES (FLOW_GROUPS + 1) /* those of elephants, from here on */
#define ACCOUNT_NONE UINT16_MAX		   /* from elsewhere: not counted */

static inline bool account_is_flow_group(struct account account)
{
	return account.number < FLOW_GROUPS;
}

static inline bool account_is_branch(struct account account)
{
	return account.number >= ACCOUNT_BRANCHES && account.number != ACCOUNT_NONE;
}

/* Who is to hear of a packet's end. */
union origin {
	struct {
		struct account account;
		uint8_t first; /* lcore that chose its path, and whose account it is */
		uint8_t door;  /* lcore whose credit it has */
	};
	uint32_t word; /* all three, to be compared at once */
};
static_assert(sizeof(union origin) == sizeof(uint32_t), "one compare tells origins apart");
static_assert(LCORES_MAX < UINT8_MAX, "an lcore, or the main one, has room");

/*
 * What weft notes about a packet on its way. It lies over fields of the mbuf's first cache line
 * that weft has no other use for (packet types are not asked for, VLAN tags are never stripped or
 * inserted by offload), because that line is in the lcore's cache anyway; dynamic fields would pull
 * in the second one. The port that the packet came in by is in mbuf->port, where drivers put
 * theirs.
 */
struct packet {
	union origin origin;
	uint8_t lengths[6]; /* the mbuf's own pkt_len and data_len */
	uint8_t followers;  /* packets that hang behind it: stages/followers.h */
	uint8_t unused;	    /* room for a trace bit and a colour */
	union {
		/* Where mbuf->hash.rss lies: the NIC's hash until weft takes its own. */
		uint32_t flow_hash;
		uint32_t micro_flow; /* on a branch, with MICRO_FLOW_REPLICA */
	};
	uint16_t network;     /* index of the network, or NETWORK_NONE */
	uint16_t source;      /* place it came from, or PLACE_NONE; before vxlan and after encap
			       * nobody reads it (but `wire` where there is no overlay), so a
			       * security association would fit there */
	uint16_t destination; /* place it goes to; from tx on: the uplink's port index */
} __attribute__((packed));

#define PACKET_OFFSET offsetof(struct rte_mbuf, packet_type)
static_assert(
	PACKET_OFFSET + offsetof(struct packet, flow_hash) == offsetof(struct rte_mbuf, hash.rss),
	"the flow hash lies where drivers put theirs");
static_assert(
	PACKET_OFFSET + offsetof(struct packet, lengths) == offsetof(struct rte_mbuf, pkt_len) &&
		PACKET_OFFSET + offsetof(struct packet, followers) ==
			offsetof(struct rte_mbuf, vlan_tci),
	"the mbuf's own lengths are left alone");
static_assert(PACKET_OFFSET + sizeof(struct packet) <= offsetof(struct rte_mbuf, buf_len),
	"the notes must not touch the buffer's length");
static_assert(PACKET_OFFSET + sizeof(struct packet) <= RTE_CACHE_LINE_SIZE,
	"the notes lie in the first cache line");

static inline struct packet *packet_of(struct rte_mbuf *mbuf)
{
	return (struct packet *)((char *)mbuf + PACKET_OFFSET);
}

/* The metadata of another packet, but for the lengths, which are the mbuf's own. */
static inline void packet_copy(struct rte_mbuf *to, struct rte_mbuf *from)
{
	struct packet metadata = *packet_of(from);

	memcpy(metadata.lengths, packet_of(to)->lengths, sizeof(metadata.lengths));
	*packet_of(to) = metadata;
	to->port = from->port;
}

#define NETWORK_NONE UINT16_MAX

#define MICRO_FLOW_REPLICA (1u << 31) /* made on the branch: none of its packets */

/* True if nothing that weft does to one packet has to be told of the other: one may hang behind the
 * other. */
static inline bool packets_share_origin(const struct packet *packet, const struct packet *other)
{
	return packet->origin.word == other->origin.word &&
	       (!account_is_branch(packet->origin.account) ||
		       packet->micro_flow == other->micro_flow);
}

/* How many of n packets of branches, from the first one on, are of one micro-flow; and how many
 * hang behind these. */
static inline uint16_t packets_in_run(struct rte_mbuf **mbufs, uint16_t n, uint32_t *behind)
{
	uint32_t origin = packet_of(mbufs[0])->origin.word;
	uint32_t micro_flow = packet_of(mbufs[0])->micro_flow;
	uint32_t followers = 0;
	uint16_t end = 0;

	for (; end < n; end++) {
		const struct packet *packet = packet_of(mbufs[end]);

		if (packet->origin.word != origin || packet->micro_flow != micro_flow)
			break;
		followers += packet->followers;
	}
	*behind = followers;
	return end;
}

/* A place is where an address can be: a container port (its index), or a remote VTEP of a network
 * (its index, with the top bit set). */
#define PLACE_REMOTE 0x8000
#define PLACE_NONE UINT16_MAX
#define PLACE_ALL 0xfffe /* as a destination: everybody in the network */

static inline int place_is_remote(uint16_t place)
{
	return (place & PLACE_REMOTE) != 0;
}

#endif
