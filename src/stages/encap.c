/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Encapsulation: the header of the remote's tunnel, of whatever kind, goes in front; lengths, the
 * source port from the flow hash and the IPv4 checksum are all that differ from packet to packet.
 * The UDP checksum stays zero, as RFC 7348 recommends.
 */
#include <rte_ip.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#include "base/flow_hash.h"
#include "base/frame.h"
#include "stages/stage.h"

enum exit { EXIT_OUTER };
enum drop {
	DROP_ENCAP_NO_VTEP,
	DROP_ENCAP_TOO_BIG,
	DROP_ENCAP_UNRESOLVED,
	DROP_ENCAP_HEADROOM,
};

#define USUAL_LENGTH                                                                               \
	(sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr) + \
		sizeof(struct rte_vxlan_hdr))

/* RFC 7348 wants the source port in 49152 to 65535. */
static rte_be16_t source_port(uint32_t flow_hash)
{
	return rte_cpu_to_be_16(0xc000 | flow_hash >> 18);
}

static rte_be16_t checksum(const struct tunnel *tunnel, rte_be16_t total_length)
{
	uint32_t sum = (uint32_t)tunnel->sum + total_length;

	return ~(uint16_t)((sum & UINT16_MAX) + (sum >> 16));
}

/* Of a length that the compiler knows, where it is the usual one. */
static void copy_header(char *front, const struct tunnel *tunnel)
{
	if (likely(tunnel->length == USUAL_LENGTH))
		memcpy(front, tunnel->header, USUAL_LENGTH);
	else
		memcpy(front, tunnel->header, tunnel->length);
}

static void write_header(
	struct rte_mbuf *mbuf, char *front, const struct remote *remote, uint32_t flow_hash)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(front + RTE_ETHER_HDR_LEN);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

	copy_header(front, &remote->tunnel);
	ip->total_length = rte_cpu_to_be_16(mbuf->pkt_len - RTE_ETHER_HDR_LEN);
	ip->hdr_checksum = checksum(&remote->tunnel, ip->total_length);
	udp->src_port = source_port(flow_hash);
	udp->dgram_len = rte_cpu_to_be_16(mbuf->pkt_len - RTE_ETHER_HDR_LEN - sizeof(*ip));
}

/* A VLAN tag is not part of the MTU. */
static uint32_t largest_frame(const struct network *network, const struct rte_mbuf *mbuf)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbuf, void *);

	return network->mtu + RTE_ETHER_HDR_LEN +
	       (frame_is_vlan(ether->ether_type) ? RTE_VLAN_HLEN : 0);
}

static uint16_t encapsulate(const struct tables *tables, struct rte_mbuf *mbuf)
{
	struct packet *packet = packet_of(mbuf);
	const struct remote *remote;
	char *front;

	if (packet->destination == PLACE_NONE)
		return VERDICT_DROP + DROP_ENCAP_NO_VTEP;
	remote = tables->remotes[packet->destination & ~PLACE_REMOTE];
	if (remote == NULL || remote->network != packet->network)
		return VERDICT_DROP + DROP_ENCAP_NO_VTEP;
	if (mbuf->pkt_len > largest_frame(tables->networks[packet->network], mbuf))
		return VERDICT_DROP + DROP_ENCAP_TOO_BIG;
	if (!remote->resolved)
		return VERDICT_DROP + DROP_ENCAP_UNRESOLVED;
	packet->flow_hash = flow_hash(mbuf);
	front = rte_pktmbuf_prepend(mbuf, remote->tunnel.length);
	if (front == NULL)
		return VERDICT_DROP + DROP_ENCAP_HEADROOM;
	write_header(mbuf, front, remote, packet->flow_hash);
	return EXIT_OUTER;
}

static void process(
	struct stage_context *context, struct rte_mbuf **mbufs, uint16_t n, uint16_t *verdicts)
{
	for (uint16_t i = 0; i < n; i++)
		verdicts[i] = encapsulate(context->tables, mbufs[i]);
}

const struct stage encap_stage = {
	.name = "encap",
	.process = process,
	.exits = {[EXIT_OUTER] = "outer"},
	.drops =
		{
			[DROP_ENCAP_NO_VTEP] = {"encap_no_vtep",
				"VTEP is gone, or the network has none"},
			[DROP_ENCAP_TOO_BIG] = {"encap_too_big",
				"packet is larger than the network's MTU"},
			[DROP_ENCAP_UNRESOLVED] = {"encap_unresolved",
				"next hop to the VTEP has not answered ARP"},
			[DROP_ENCAP_HEADROOM] = {"encap_headroom",
				"buffer has no room for the outer headers"},
		},
};
