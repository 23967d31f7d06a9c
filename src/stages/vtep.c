/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The VTEP as a host on the underlay: answers ARP (RFC 826) and ICMP echo (RFC 792), and passes on
 * what ARP says of neighbours. Replies are made in the request's buffer.
 */
#include <rte_arp.h>
#include <rte_icmp.h>
#include <rte_ip.h>

#include "base/checksum.h"
#include "stages/stage.h"

enum exit { EXIT_REPLY };
enum drop {
	DROP_ARP_MALFORMED,
	DROP_ARP_UNWANTED,
	DROP_ICMP_MALFORMED,
	DROP_ICMP_UNWANTED,
};

#define REPLY_TTL 64

static void reply_ether(struct rte_mbuf *mbuf, const struct port *uplink)
{
	struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbuf, void *);

	ether->dst_addr = ether->src_addr;
	ether->src_addr = uplink->mac;
}

static void note_neighbour(
	struct stage_context *context, const struct rte_arp_hdr *arp, uint16_t uplink)
{
	notice_add(&context->notices, (struct notice){.kind = NOTICE_NEIGHBOUR,
					      .mac = arp->arp_data.arp_sha,
					      .address = address_of_ipv4(arp->arp_data.arp_sip),
					      .place = uplink});
}

static uint16_t reply_arp(struct rte_mbuf *mbuf, struct rte_arp_hdr *arp, const struct port *uplink,
	rte_be32_t address)
{
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_tha = arp->arp_data.arp_sha;
	arp->arp_data.arp_tip = arp->arp_data.arp_sip;
	arp->arp_data.arp_sha = uplink->mac;
	arp->arp_data.arp_sip = address;
	reply_ether(mbuf, uplink);
	return EXIT_REPLY;
}

static uint16_t process_arp(struct stage_context *context, struct rte_mbuf *mbuf)
{
	struct rte_arp_hdr *arp = rte_pktmbuf_mtod_offset(mbuf, void *, RTE_ETHER_HDR_LEN);
	rte_be32_t address = address_ipv4(&context->tables->uplink_addresses[mbuf->port]);
	bool gratuitous;

	if (mbuf->data_len < RTE_ETHER_HDR_LEN + sizeof(*arp) ||
		arp->arp_hardware != RTE_BE16(RTE_ARP_HRD_ETHER) ||
		arp->arp_protocol != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
		arp->arp_hlen != RTE_ETHER_ADDR_LEN || arp->arp_plen != sizeof(rte_be32_t) ||
		!rte_is_valid_assigned_ether_addr(&arp->arp_data.arp_sha))
		return VERDICT_DROP + DROP_ARP_MALFORMED;
	gratuitous = arp->arp_data.arp_sip == arp->arp_data.arp_tip;
	if ((arp->arp_data.arp_tip != address && !gratuitous) || arp->arp_data.arp_sip == address)
		return VERDICT_DROP + DROP_ARP_UNWANTED;
	note_neighbour(context, arp, mbuf->port);
	if (arp->arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST) && !gratuitous)
		return reply_arp(mbuf, arp, context->tables->ports[mbuf->port], address);
	return VERDICT_CONSUMED;
}

/* RFC 1071: the sum over a sound ICMP message, its checksum included, is all ones. */
static bool icmp_is_sound(const struct rte_mbuf *mbuf, uint16_t offset)
{
	return mbuf->data_len >= offset + sizeof(struct rte_icmp_hdr) &&
	       checksum_from(mbuf, offset) == 0xffff;
}

static void reply_ipv4(struct rte_ipv4_hdr *ip)
{
	rte_be32_t source = ip->src_addr;

	ip->src_addr = ip->dst_addr;
	ip->dst_addr = source;
	ip->time_to_live = REPLY_TTL;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = ~rte_raw_cksum(ip, rte_ipv4_hdr_len(ip));
}

static uint16_t process_icmp(struct stage_context *context, struct rte_mbuf *mbuf)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(mbuf, void *, RTE_ETHER_HDR_LEN);
	uint16_t offset = RTE_ETHER_HDR_LEN + rte_ipv4_hdr_len(ip);
	struct rte_icmp_hdr *icmp = rte_pktmbuf_mtod_offset(mbuf, void *, offset);

	if (!icmp_is_sound(mbuf, offset))
		return VERDICT_DROP + DROP_ICMP_MALFORMED;
	if (icmp->icmp_type != RTE_IP_ICMP_ECHO_REQUEST || icmp->icmp_code != 0)
		return VERDICT_DROP + DROP_ICMP_UNWANTED;
	reply_ipv4(ip);
	icmp->icmp_type = RTE_IP_ICMP_ECHO_REPLY;
	icmp->icmp_cksum = 0;
	icmp->icmp_cksum = ~checksum_from(mbuf, offset);
	reply_ether(mbuf, context->tables->ports[mbuf->port]);
	return EXIT_REPLY;
}

static void process(
	struct stage_context *context, struct rte_mbuf **mbufs, uint16_t n, uint16_t *verdicts)
{
	for (uint16_t i = 0; i < n; i++) {
		const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbufs[i], void *);

		verdicts[i] = ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP)
				      ? process_arp(context, mbufs[i])
				      : process_icmp(context, mbufs[i]);
		mbufs[i]->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	}
}

const struct stage vtep_stage = {
	.name = "vtep",
	.process = process,
	.exits = {[EXIT_REPLY] = "reply"},
	.drops =
		{
			[DROP_ARP_MALFORMED] = {"arp_malformed",
				"ARP packet is truncated or not for IPv4 over Ethernet"},
			[DROP_ARP_UNWANTED] = {"arp_unwanted",
				"ARP packet asks for or tells of others"},
			[DROP_ICMP_MALFORMED] = {"icmp_malformed",
				"ICMP packet is truncated or its checksum is wrong"},
			[DROP_ICMP_UNWANTED] = {"icmp_unwanted", "ICMP packet is no echo request"},
		},
};
