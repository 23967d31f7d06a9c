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

/* Packets of one burst mostly come from one VTEP in one network: the last answer is kept. */
struct last {
	struct remote_key key;
	uint16_t place;
};

static uint16_t find_source(
	const struct tables *tables, struct last *last, uint16_t network, struct address address)
{
	if (last->key.network != network || !address_equal(&last->key.address, &address)) {
		last->key = (struct remote_key){.address = address, .network = network};
		last->place = find_remote(tables, &last->key);
	}
	return last->place;
}

static uint16_t decapsulate(struct stage_context *context, struct last *last, struct rte_mbuf *mbuf)
{
	struct outer outer = outer_of(mbuf);
	struct packet *packet = packet_of(mbuf);
	const struct tables *tables = context->tables;
	struct address sender;

	if (mbuf->data_len < outer.length)
		return VERDICT_DROP + DROP_VXLAN_TRUNCATED;
	if (!(outer.vxlan->vx_flags & VXLAN_FLAG_I))
		return VERDICT_DROP + DROP_VXLAN_FLAG;
	packet->network = find_network(tables, &outer, mbuf->port);
	if (packet->network == NETWORK_NONE)
		return VERDICT_DROP + DROP_VXLAN_VNI;
	sender = address_of_ipv4(outer.ip->src_addr);
	packet->source = find_source(tables, last, packet->network, sender);
	if (packet->source == PLACE_NONE) {
		if (tables->networks[packet->network]->vtep_guard)
			return VERDICT_DROP + DROP_VXLAN_VTEP;
		notice_add(&context->notices, (struct notice){.kind = NOTICE_REMOTE,
						      .network = packet->network,
						      .address = sender});
	}
	if (mbuf->data_len < outer.length + RTE_ETHER_HDR_LEN)
		return VERDICT_DROP + DROP_INNER_TRUNCATED;
	rte_pktmbuf_adj(mbuf, outer.length);
	/* What the NIC said of checksums was about the outer packet. */
	mbuf->ol_flags &= MBUF_BUFFER_FLAGS;
	return EXIT_INNER;
}

static void process(
	struct stage_context *context, struct rte_mbuf **mbufs, uint16_t n, uint16_t *verdicts)
{
	struct last last = {.key.network = NETWORK_NONE};

	for (uint16_t i = 0; i < n; i++)
		verdicts[i] = decapsulate(context, &last, mbufs[i]);
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
