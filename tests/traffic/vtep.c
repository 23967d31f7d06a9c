/* SPDX-License-Identifier: BSD-3-Clause */
#include "vtep.h"

#include <string.h>

#include <rte_arp.h>

struct arp_frame {
	struct rte_ether_hdr ether;
	struct rte_arp_hdr arp;
} __attribute__((packed, aligned(2)));

static void fill(const struct vtep *vtep, struct rte_mbuf *mbuf, uint16_t opcode,
	const struct rte_ether_addr *mac, rte_be32_t address)
{
	struct arp_frame *frame = rte_pktmbuf_mtod(mbuf, struct arp_frame *);

	frame->ether.src_addr = vtep->tunnel->local_mac;
	frame->ether.dst_addr = *mac;
	frame->ether.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP);
	frame->arp.arp_hardware = rte_cpu_to_be_16(RTE_ARP_HRD_ETHER);
	frame->arp.arp_protocol = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	frame->arp.arp_hlen = RTE_ETHER_ADDR_LEN;
	frame->arp.arp_plen = sizeof(rte_be32_t);
	frame->arp.arp_opcode = rte_cpu_to_be_16(opcode);
	frame->arp.arp_data.arp_sha = vtep->tunnel->local_mac;
	frame->arp.arp_data.arp_sip = vtep->tunnel->local;
	frame->arp.arp_data.arp_tha = *mac;
	frame->arp.arp_data.arp_tip = address;
	mbuf->data_len = sizeof(*frame);
	mbuf->pkt_len = sizeof(*frame);
}

void vtep_request(const struct vtep *vtep, struct rte_mbuf *mbuf)
{
	struct rte_ether_addr broadcast;

	memset(&broadcast, 0xff, sizeof(broadcast));
	fill(vtep, mbuf, RTE_ARP_OP_REQUEST, &broadcast, vtep->tunnel->remote);
}

static void learn(struct vtep *vtep, const struct rte_arp_hdr *arp)
{
	if (arp->arp_data.arp_sip != vtep->tunnel->remote)
		return;
	vtep->tunnel->remote_mac = arp->arp_data.arp_sha;
	vtep->resolved = true;
}

bool vtep_answer(struct vtep *vtep, struct rte_mbuf *mbuf)
{
	const struct rte_arp_hdr *arp = &rte_pktmbuf_mtod(mbuf, struct arp_frame *)->arp;
	struct rte_ether_addr asker;

	if (mbuf->data_len < sizeof(struct arp_frame))
		return false;
	learn(vtep, arp);
	if (arp->arp_opcode != rte_cpu_to_be_16(RTE_ARP_OP_REQUEST) ||
		arp->arp_data.arp_tip != vtep->tunnel->local)
		return false;
	asker = arp->arp_data.arp_sha;
	fill(vtep, mbuf, RTE_ARP_OP_REPLY, &asker, arp->arp_data.arp_sip);
	return true;
}
