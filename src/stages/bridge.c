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

/* The pairs of addresses in a burst, each once where neighbours have the same, as packets of one
 * flow do. */
struct pairs {
	uint16_t n;
	uint8_t of[STAGE_BURST_MAX]; /* each packet's */
	uint64_t keys[STAGE_BURST_MAX][2];
	struct answer answers[STAGE_BURST_MAX];
};

static void find_pairs(struct pairs *pairs, struct rte_mbuf **mbufs, uint16_t n)
{
	uint64_t last[2] = {0, 0}; /* no source is all zero */

	pairs->n = 0;
	for (uint16_t i = 0; i < n; i++) {
		const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbufs[i], void *);
		uint16_t network = packet_of(mbufs[i])->network;
		uint64_t source = fdb_key(network, &ether->src_addr);
		uint64_t destination = fdb_key(network, &ether->dst_addr);

		if (pairs->n == 0 || source != last[0] || destination != last[1]) {
			last[0] = pairs->keys[pairs->n][0] = source;
			last[1] = pairs->keys[pairs->n][1] = destination;
			pairs->n++;
		}
		pairs->of[i] = pairs->n - 1;
	}
}

#define BULK (RTE_HASH_LOOKUP_BULK_MAX / 2)

/* Of at most BULK pairs. */
static void look_up(
	const struct tables *tables, const uint64_t keys[][2], uint16_t n, struct answer *answers)
{
	const void *pointers[RTE_HASH_LOOKUP_BULK_MAX];
	void *data[RTE_HASH_LOOKUP_BULK_MAX];
	uint64_t hits = 0;

	for (uint16_t i = 0; i < 2 * n; i++)
		pointers[i] = &keys[i / 2][i % 2];
	rte_hash_lookup_bulk_data(tables->fdb, pointers, 2 * n, &hits, data);
	for (uint16_t i = 0; i < n; i++) {
		answers[i].value[0].word = data[2 * i];
		answers[i].value[1].word = data[2 * i + 1];
		answers[i].hits = hits >> (2 * i);
	}
}

/* Then what is known of the one is true of the other. */
static bool goes_as(const struct packet *before, uint16_t verdict, const struct packet *packet)
{
	return packet->source == before->source &&
	       (verdict == BRIDGE_LOCAL || verdict == BRIDGE_REMOTE);
}

static uint16_t forward_next(struct stage_context *context, struct rte_mbuf **mbufs, uint16_t i,
	const struct pairs *pairs, uint16_t verdict)
{
	if (likely(i > 0 && pairs->of[i] == pairs->of[i - 1] &&
		    goes_as(packet_of(mbufs[i - 1]), verdict, packet_of(mbufs[i])))) {
		packet_of(mbufs[i])->destination = packet_of(mbufs[i - 1])->destination;
		return verdict;
	}
	return forward(context, mbufs[i], &pairs->answers[pairs->of[i]]);
}

static void process(
	struct stage_context *context, struct rte_mbuf **mbufs, uint16_t n, uint16_t *verdicts)
{
	uint16_t verdict = VERDICT_NONE;
	struct pairs pairs;

	find_pairs(&pairs, mbufs, n);
	for (uint16_t i = 0; i < pairs.n; i += BULK)
		look_up(context->tables, &pairs.keys[i], RTE_MIN(pairs.n - i, BULK),
			&pairs.answers[i]);
	for (uint16_t i = 0; i < n; i++)
		verdicts[i] = verdict = forward_next(context, mbufs, i, &pairs, verdict);
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
