/* SPDX-License-Identifier: BSD-3-Clause */
#include "traffic/frames.h"

#include <string.h>

#include <rte_common.h>

#define INNER_UDP_SOURCE 10000
#define INNER_UDP_DESTINATION 20000
#define OUTER_UDP_SOURCE 49152 /* RFC 7348: the dynamic ports */
#define OUTER_UDP_SOURCES 16384
#define TTL 64

uint8_t frame_pattern[FRAME_BYTES_MAX] __rte_cache_aligned;

static void build_ip(
	struct rte_ipv4_hdr *ip, rte_be32_t source, rte_be32_t address, uint16_t length)
{
	memset(ip, 0, sizeof(*ip));
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->total_length = rte_cpu_to_be_16(length);
	ip->fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG);
	ip->time_to_live = TTL;
	ip->next_proto_id = IPPROTO_UDP;
	ip->src_addr = source;
	ip->dst_addr = address;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static void build_ether(struct rte_ether_hdr *ether, const struct rte_ether_addr *source,
	const struct rte_ether_addr *mac)
{
	ether->src_addr = *source;
	ether->dst_addr = *mac;
	ether->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
}

static void build_udp(
	struct rte_udp_hdr *udp, uint16_t source, uint16_t destination, uint16_t length)
{
	udp->src_port = rte_cpu_to_be_16(source);
	udp->dst_port = rte_cpu_to_be_16(destination);
	udp->dgram_len = rte_cpu_to_be_16(length);
	udp->dgram_cksum = 0;
}

void frame_build_inner(struct frame_inner *frame, const struct frame_addresses *addresses,
	uint16_t flow, uint16_t length)
{
	uint16_t ip_length = length - offsetof(struct frame_inner, ip);

	build_ether(&frame->ether, &addresses->source_mac, &addresses->mac);
	build_ip(&frame->ip, addresses->source, addresses->address, ip_length);
	build_udp(&frame->udp, INNER_UDP_SOURCE + flow, INNER_UDP_DESTINATION + flow,
		length - offsetof(struct frame_inner, udp));
	frame->payload.magic = FRAME_MAGIC;
	frame->payload.flow = flow;
}

void frame_build_outer(struct frame_outer *outer, const struct frame_tunnel *tunnel, uint16_t flow,
	uint16_t length)
{
	uint16_t total = length + sizeof(*outer);
	/* An odd factor spreads neighbours over all ports and lets no two of 16384 flows share one.
	 */
	uint16_t source = OUTER_UDP_SOURCE + (flow * 40503u) % OUTER_UDP_SOURCES;

	build_ether(&outer->ether, &tunnel->local_mac, &tunnel->remote_mac);
	build_ip(&outer->ip, tunnel->local, tunnel->remote,
		total - offsetof(struct frame_outer, ip));
	build_udp(&outer->udp, source, tunnel->udp_port, total - offsetof(struct frame_outer, udp));
	outer->vxlan.vx_flags = rte_cpu_to_be_32(0x08000000);
	outer->vxlan.vx_vni = rte_cpu_to_be_32(tunnel->vni << 8);
}

RTE_INIT(build_pattern)
{
	for (uint16_t i = 0; i < FRAME_BYTES_MAX; i++)
		frame_pattern[i] = i * 7 + (i >> 8);
}

static bool ip_is_sound(
	const struct rte_ipv4_hdr *ip, const struct frame_tunnel *tunnel, uint16_t length)
{
	return ip->version_ihl == RTE_IPV4_VHL_DEF && ip->next_proto_id == IPPROTO_UDP &&
	       ip->dst_addr == tunnel->local && ip->src_addr == tunnel->remote &&
	       ip->total_length == rte_cpu_to_be_16(length) && rte_ipv4_cksum(ip) == 0;
}

bool frame_outer_is_sound(
	const struct frame_outer *outer, const struct frame_tunnel *tunnel, uint16_t length)
{
	uint16_t udp_length = length - offsetof(struct frame_outer, udp);

	return rte_is_same_ether_addr(&outer->ether.dst_addr, &tunnel->local_mac) &&
	       rte_is_same_ether_addr(&outer->ether.src_addr, &tunnel->remote_mac) &&
	       ip_is_sound(&outer->ip, tunnel, length - offsetof(struct frame_outer, ip)) &&
	       outer->udp.dst_port == rte_cpu_to_be_16(tunnel->udp_port) &&
	       outer->udp.dgram_len == rte_cpu_to_be_16(udp_length) &&
	       outer->vxlan.vx_flags == rte_cpu_to_be_32(0x08000000) &&
	       outer->vxlan.vx_vni == rte_cpu_to_be_32(tunnel->vni << 8);
}
