/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The learning bridge of each network: where the destination lives, and whether the source is
 * where it is known to be. The FDB is only read here; what is new goes to the control side as a
 * notice, and only then: a packet of a known, recently heard address writes nothing shared.
 */
#include <rte_ether.h>

#include "stages/bridge.h"

enum drop {
	DROP_BRIDGE_SOURCE = BRIDGE_DROPS,
	DROP_BRIDGE_SPOOFED,
	DROP_BRIDGE_RESERVED,
	DROP_BRIDGE_SAME_PORT,
	DROP_BRIDGE_TUNNEL_TO_TUNNEL,
};

static const struct rte_ether_addr reserved = {{0x01, 0x80, 0xc2, 0x00, 0x00, 0x00}};

/* IEEE 802.1D: 01:80:c2:00:00:00 to :0f stay on their link. */
static bool is_reserved(const struct rte_ether_addr *mac)
{
	return memcmp(mac, &reserved, 5) == 0 && mac->addr_bytes[5] < 0x10;
}

static void notice_source(struct stage_context *context, const struct packet *packet,
	const struct rte_ether_addr *mac)
{
	if (packet->source != PLACE_NONE)
		notice_add(&context->notices, (struct notice){.kind = NOTICE_ADDRESS,
						      .mac = *mac,
						      .network = packet->network,
						      .place = packet->source});
}

/* The drop, or VERDICT_NONE. `found` is NULL where the FDB has no entry. */
static uint16_t check_source(struct stage_context *context, const struct packet *packet,
	const struct rte_ether_addr *mac, const union fdb_value *found)
{
	const struct network *network = context->tables->networks[packet->network];

	if (!rte_is_valid_assigned_ether_addr(mac))
		return VERDICT_DROP + DROP_BRIDGE_SOURCE;
	if (found != NULL && found->fixed)
		return found->place == packet->source ? VERDICT_NONE
						      : VERDICT_DROP + DROP_BRIDGE_SPOOFED;
	if (found == NULL || found->place != packet->source ||
		(int32_t)(context->seconds - found->heard) >= (int32_t)network->refresh)
		if (network->learning)
			notice_source(context, packet, mac);
	return VERDICT_NONE;
}

static uint16_t find_destination(
	struct packet *packet, const struct rte_ether_addr *mac, const union fdb_value *found)
{
	if (is_reserved(mac))
		return VERDICT_DROP + DROP_BRIDGE_RESERVED;
	if (rte_is_multicast_ether_addr(mac) || found == NULL)
		return VERDICT_FLOOD;
	if (found->place == packet->source)
		return VERDICT_DROP + DROP_BRIDGE_SAME_PORT;
	if (!place_is_remote(found->place)) {
		packet->destination = found->place;
		return BRIDGE_LOCAL;
	}
	if (place_is_remote(packet->source))
		return VERDICT_DROP + DROP_BRIDGE_TUNNEL_TO_TUNNEL;
	packet->destination = found->place;
	return BRIDGE_REMOTE;
}

/* What the FDB says of one packet's two addresses. */
struct answer {
	union fdb_value value[2]; /* source, destination */
	uint64_t hits;		  /* bit 0: source, bit 1: destination */
};

static uint16_t forward(
	struct stage_context *context, struct rte_mbuf *mbuf, const struct answer *answer)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbuf, void *);
	struct packet *packet = packet_of(mbuf);
	uint16_t drop = check_source(
		context, packet, &ether->src_addr, answer->hits & 1 ? &answer->value[0] : NULL);

	if (drop != VERDICT_NONE)
		return drop;
	return find_destination(
		packet, &ether->dst_addr, answer->hits & 2 ? &answer->value[1] : NULL);
}

static void look_up(const struct tables *tables, const uint64_t keys[2], struct answer *answer)
{
	const void *pointers[2] = {&keys[0], &keys[1]};
	void *data[2];

	answer->hits = 0;
	rte_hash_lookup_bulk_data(tables->fdb, pointers, 2, &answer->hits, data);
	answer->value[0].word = data[0];
	answer->value[1].word = data[1];
}

/* Neighbours in a burst mostly belong to one flow: the last answer is kept. */
static void process(
	struct stage_context *context, struct rte_mbuf **mbufs, uint16_t n, uint16_t *verdicts)
{
	uint64_t last[2] = {0, 0}; /* no source is all zero */
	struct answer answer = {.hits = 0};

	for (uint16_t i = 0; i < n; i++) {
		const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbufs[i], void *);
		uint16_t network = packet_of(mbufs[i])->network;
		uint64_t keys[2] = {
			fdb_key(network, &ether->src_addr), fdb_key(network, &ether->dst_addr)};

		if (keys[0] != last[0] || keys[1] != last[1]) {
			look_up(context->tables, keys, &answer);
			last[0] = keys[0];
			last[1] = keys[1];
		}
		verdicts[i] = forward(context, mbufs[i], &answer);
	}
}

const struct stage bridge_stage = {
	.name = "bridge",
	.process = process,
	.exits = {[BRIDGE_LOCAL] = "local", [BRIDGE_REMOTE] = "remote"},
	.drops =
		{
			[BRIDGE_FLOOD_NOBODY] = {"flood_nobody",
				"to be flooded, but nobody else is in the network"},
			[BRIDGE_FLOOD_REFUSED] = {"flood_refused",
				"no buffer or credit left for a replica"},
			[BRIDGE_FLOOD_GONE] = {"flood_gone",
				"all that it was still to be flooded to were removed meanwhile"},
			[DROP_BRIDGE_SOURCE] = {"bridge_source",
				"inner source is a group address or zero"},
			[DROP_BRIDGE_SPOOFED] = {"bridge_spoofed",
				"inner source is a static address of another place"},
			[DROP_BRIDGE_RESERVED] = {"bridge_reserved",
				"inner destination is reserved for the link (802.1D)"},
			[DROP_BRIDGE_SAME_PORT] = {"bridge_same_port",
				"inner destination is where the packet came from"},
			[DROP_BRIDGE_TUNNEL_TO_TUNNEL] = {"bridge_tunnel_to_tunnel",
				"from one VTEP, for another"},
		},
};
