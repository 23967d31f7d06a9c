/* SPDX-License-Identifier: BSD-3-Clause */
#include "stages/tunnel.h"

#include <netinet/in.h>

#include <rte_ip.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#include "stages/vxlan.h"

#define DEFAULT_TTL 64

/* RFC 7348. */
static void build_vxlan(uint8_t *header, const struct tunnel_ends *ends)
{
	struct rte_vxlan_hdr *vxlan = (void *)header;

	vxlan->vx_flags = VXLAN_FLAG_I;
	vxlan->vx_vni = rte_cpu_to_be_32(ends->vni << 8);
}

const struct tunnel_kind_entry tunnel_kinds[TUNNEL_KINDS] = {
	[TUNNEL_VXLAN] = {"vxlan", sizeof(struct rte_vxlan_hdr), build_vxlan},
};

#define OUTER                                                                                      \
	(sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr))

uint16_t tunnel_overhead(enum tunnel_kind kind)
{
	return OUTER + tunnel_kinds[kind].length;
}

void tunnel_build(enum tunnel_kind kind, const struct tunnel_ends *ends, struct tunnel *tunnel)
{
	struct rte_ether_hdr *ether = (void *)tunnel->header;
	struct rte_ipv4_hdr *ip = (void *)(ether + 1);
	struct rte_udp_hdr *udp = (void *)(ip + 1);

	tunnel->kind = kind;
	tunnel->length = tunnel_overhead(kind);
	ether->dst_addr = ends->next_hop_mac;
	ether->src_addr = ends->local_mac;
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	/* Never fragmented on the way (RFC 7348, 4.3), so the zero identification does no harm. */
	ip->fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	ip->time_to_live = DEFAULT_TTL;
	ip->next_proto_id = IPPROTO_UDP;
	ip->src_addr = address_ipv4(&ends->local);
	ip->dst_addr = address_ipv4(&ends->remote);
	tunnel->sum = rte_raw_cksum(ip, sizeof(*ip));
	udp->dst_port = rte_cpu_to_be_16(ends->udp_port);
	tunnel_kinds[kind].build((uint8_t *)(udp + 1), ends);
}
