/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/solicit.h"

#include <rte_arp.h>

#include "control/control.h"

static const struct rte_ether_addr broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

/* Known neighbours are asked directly, so that a refresh disturbs nobody else. */
static void write_request(const struct neighbour *neighbour, const struct rte_ether_addr *mac,
	rte_be32_t address, struct rte_mbuf *mbuf)
{
	struct rte_ether_hdr *ether;
	struct rte_arp_hdr *arp;

	ether = (void *)rte_pktmbuf_append(mbuf, sizeof(*ether) + sizeof(*arp));
	arp = (void *)(ether + 1);
	ether->dst_addr = neighbour->state == NEIGHBOUR_UNRESOLVED ? broadcast : neighbour->mac;
	ether->src_addr = *mac;
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_ARP);
	arp->arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER);
	arp->arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	arp->arp_hlen = RTE_ETHER_ADDR_LEN;
	arp->arp_plen = sizeof(rte_be32_t);
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REQUEST);
	arp->arp_data.arp_sha = *mac;
	arp->arp_data.arp_sip = address;
	arp->arp_data.arp_tha = (struct rte_ether_addr){{0}};
	arp->arp_data.arp_tip = address_ipv4(&neighbour->address);
}

bool solicit(void *argument, const struct neighbour *neighbour)
{
	struct control *control = argument;
	const struct port *uplink = control->ports.list[neighbour->uplink];
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(uplink->environment.pool);

	if (mbuf == NULL)
		return false;
	write_request(neighbour, &uplink->mac,
		address_ipv4(&control->config->uplinks[neighbour->uplink].address), mbuf);
	return dataplane_inject(control->dataplane, mbuf, neighbour->uplink) == 0;
}
