/* SPDX-License-Identifier: BSD-3-Clause */
/* Decapsulation (RFC 7348): which network, from which VTEP; then off with the outer headers. */
#include <rte_ip.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#include "stages/stage.h"
#include "stages/vxlan.h"

enum exit { EXIT_INNER };
enum drop {
	DROP_VXLAN_TRUNCATED,
	DROP_VXLAN_FLAG,
	DROP_VXLAN_VNI,
	DROP_VXLAN_VTEP,
	DROP_INNER_TRUNCATED,
};

#define MBUF_BUFFER_FLAGS (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)

/* The headers that gro has checked. */
struct outer {
	const struct rte_ipv4_hdr *ip;
	const struct rte_udp_hdr *udp;
	const struct rte_vxlan_hdr *vxlan;
	uint16_t length; /* of all of them */
};

static struct outer outer_of(struct rte_mbuf *mbuf)
{
	struct outer outer;

	outer.ip = rte_pktmbuf_mtod_offset(mbuf, void *, RTE_ETHER_HDR_LEN);
	outer.udp = RTE_PTR_ADD(outer.ip, rte_ipv4_hdr_len(outer.ip));
	outer.vxlan = RTE_PTR_ADD(outer.udp, sizeof(*outer.udp));
	outer.length = RTE_PTR_DIFF(outer.vxlan + 1, rte_pktmbuf_mtod(mbuf, void *));
	return outer;
}

static uint16_t find_network(
	const struct tables *tables, const struct outer *outer, uint16_t uplink)
{
	uint32_t vni = rte_be_to_cpu_32(outer->vxlan->vx_vni) >> 8;
	int32_t index = rte_fbk_hash_lookup(tables->networks_by_vni, vni);

	if (index < 0)
		return NETWORK_NONE;
	if (tables->networks[index]->uplink != uplink ||
		outer->udp->dst_port != rte_cpu_to_be_16(tables->networks[index]->udp_port))
		return NETWORK_NONE;
	return index;
}

/* The place of the sending VTEP, or PLACE_NONE if it is none of the network's. The remote that is
 * there names the VTEP (struct remote), so one look-up finds both. */
static uint16_t find_remote(const struct tables *tables, const struct remote_key *key)
{
	void *index;

	if (rte_hash_lookup_data(tables->remotes_by_address, key, &index) >= 0)
		return PLACE_REMOTE | (uintptr_t)index;
	return PLACE_NONE;
}

static uint16_t check(
	struct stage_context *context, struct rte_mbuf *mbuf, const struct outer *outer)
{
	struct packet *packet = packet_of(mbuf);
	const struct tables *tables = context->tables;
	struct remote_key sender;

	if (mbuf->data_len < outer->length)
		return VERDICT_DROP + DROP_VXLAN_TRUNCATED;
	if (!(outer->vxlan->vx_flags & VXLAN_FLAG_I))
		return VERDICT_DROP + DROP_VXLAN_FLAG;
	packet->network = find_network(tables, outer, mbuf->port);
	if (packet->network == NETWORK_NONE)
		return VERDICT_DROP + DROP_VXLAN_VNI;
	sender = (struct remote_key){
		.address = address_of_ipv4(outer->ip->src_addr), .network = packet->network};
	packet->source = find_remote(tables, &sender);
	if (packet->source == PLACE_NONE) {
		if (tables->networks[packet->network]->vtep_guard)
			return VERDICT_DROP + DROP_VXLAN_VTEP;
		notice_add(&context->notices, (struct notice){.kind = NOTICE_REMOTE,
						      .network = packet->network,
						      .address = sender.address});
	}
	if (mbuf->data_len < outer->length + RTE_ETHER_HDR_LEN)
		return VERDICT_DROP + DROP_INNER_TRUNCATED;
	return EXIT_INNER;
}

/* ---- packets that are alike ---- */

struct headers {
	struct rte_ipv4_hdr ip; /* without options */
	struct rte_udp_hdr udp;
	struct rte_vxlan_hdr vxlan;
} __rte_packed __rte_aligned(2);

/* The last packet of the burst that was found sound: what decides of the next one. */
struct sound {
	uint64_t vxlan;
	rte_be32_t sender;
	rte_be16_t udp_port;
	uint16_t port; /* it came in by */
	uint16_t network;
	uint16_t source; /* PLACE_NONE: none is like it */
};

static uint64_t word_of(const struct rte_vxlan_hdr *vxlan)
{
	uint64_t word;

	memcpy(&word, vxlan, sizeof(word));
	return word;
}

static bool is_like(const struct sound *sound, const struct rte_mbuf *mbuf)
{
	const struct headers *headers =
		rte_pktmbuf_mtod_offset(mbuf, const void *, RTE_ETHER_HDR_LEN);

	return sound->source != PLACE_NONE &&
	       mbuf->data_len >= 2 * RTE_ETHER_HDR_LEN + sizeof(*headers) &&
	       headers->ip.version_ihl == RTE_IPV4_VHL_DEF && mbuf->port == sound->port &&
	       headers->ip.src_addr == sound->sender && headers->udp.dst_port == sound->udp_port &&
	       word_of(&headers->vxlan) == sound->vxlan;
}

static void remember(struct sound *sound, const struct outer *outer, struct rte_mbuf *mbuf)
{
	const struct packet *packet = packet_of(mbuf);

	*sound = (struct sound){.vxlan = word_of(outer->vxlan),
		.sender = outer->ip->src_addr,
		.udp_port = outer->udp->dst_port,
		.port = mbuf->port,
		.network = packet->network,
		.source = packet->source};
}

/* Off with the outer headers. What the NIC said of checksums was about them. */
static void strip(struct rte_mbuf *mbuf, uint16_t length)
{
	rte_pktmbuf_adj(mbuf, length);
	mbuf->ol_flags &= MBUF_BUFFER_FLAGS;
}

static uint16_t decapsulate(
	struct stage_context *context, struct sound *sound, struct rte_mbuf *mbuf)
{
	struct outer outer;
	uint16_t verdict;

	if (likely(is_like(sound, mbuf))) {
		packet_of(mbuf)->network = sound->network;
		packet_of(mbuf)->source = sound->source;
		strip(mbuf, RTE_ETHER_HDR_LEN + sizeof(struct headers));
		return EXIT_INNER;
	}
	outer = outer_of(mbuf);
	verdict = check(context, mbuf, &outer);
	if (verdict != EXIT_INNER)
		return verdict;
	remember(sound, &outer, mbuf);
	strip(mbuf, outer.length);
	return EXIT_INNER;
}

static void process(
	struct stage_context *context, struct rte_mbuf **mbufs, uint16_t n, uint16_t *verdicts)
{
	struct sound sound = {.source = PLACE_NONE};

	for (uint16_t i = 0; i < n; i++)
		verdicts[i] = decapsulate(context, &sound, mbufs[i]);
}

const struct stage vxlan_stage = {
	.name = "vxlan",
	.process = process,
	.exits = {[EXIT_INNER] = "inner"},
	.drops =
		{
			[DROP_VXLAN_TRUNCATED] = {"vxlan_truncated",
				"packet ends within the VXLAN header"},
			[DROP_VXLAN_FLAG] = {"vxlan_flag", "VXLAN header without the I flag"},
			[DROP_VXLAN_VNI] = {"vxlan_vni",
				"no network has this VNI at this UDP port and uplink"},
			[DROP_VXLAN_VTEP] = {"vxlan_vtep",
				"sender is not one of the network's VTEPs"},
			[DROP_INNER_TRUNCATED] = {"inner_truncated",
				"frame ends within the inner Ethernet header"},
		},
};
