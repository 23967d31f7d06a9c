/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/flow_hash.h"

#include <rte_ether.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#include "base/frame.h"
#include "base/ipv4.h"

/* The lowest byte is reserved; in a seed the protocol has it. */
#define VNI_MASK 0xffffff00

/* The two ports, where the protocol has them and the segment holds them. */
static uint32_t ports(const struct rte_mbuf *mbuf, uint16_t offset, uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case IPPROTO_UDPLITE:
	case IPPROTO_ESP: /* the SPI */
		if (mbuf->data_len >= offset + sizeof(uint32_t))
			return *rte_pktmbuf_mtod_offset(mbuf, unaligned_uint32_t *, offset);
	}
	return 0;
}

static uint32_t hash_ipv4(const struct rte_mbuf *mbuf, uint16_t offset, uint32_t seed)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(mbuf, void *, offset);
	uint32_t hash = rte_hash_crc_8byte(
		(uint64_t)ip->src_addr << 32 | ip->dst_addr, seed ^ ip->next_proto_id);

	if (!(ip->fragment_offset & RTE_BE16(IPV4_FRAGMENT_BITS)))
		hash = rte_hash_crc_4byte(
			ports(mbuf, offset + rte_ipv4_hdr_len(ip), ip->next_proto_id), hash);
	return hash;
}

/* A fragment header counts as the protocol: behind it there may be no ports. */
static uint32_t hash_ipv6(const struct rte_mbuf *mbuf, uint16_t offset, uint32_t seed)
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(mbuf, void *, offset);
	uint32_t hash = rte_hash_crc(ip->src_addr, 32, seed);

	return rte_hash_crc_4byte(ports(mbuf, offset + sizeof(*ip), ip->proto), hash ^ ip->proto);
}

static uint32_t hash_frame(const struct rte_mbuf *mbuf, uint32_t seed)
{
	uint16_t offset;
	rte_be16_t type = frame_type(mbuf, &offset);

	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4) &&
		mbuf->data_len >= offset + sizeof(struct rte_ipv4_hdr))
		return flow_hash_mix(hash_ipv4(mbuf, offset, seed));
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6) &&
		mbuf->data_len >= offset + sizeof(struct rte_ipv6_hdr))
		return flow_hash_mix(hash_ipv6(mbuf, offset, seed));
	return flow_hash_mix(rte_hash_crc(rte_pktmbuf_mtod(mbuf, void *), RTE_ETHER_HDR_LEN, seed));
}

uint32_t flow_hash(const struct rte_mbuf *mbuf)
{
	/* Only mode native lets shorter frames get this far. */
	return mbuf->data_len < RTE_ETHER_HDR_LEN ? 0 : hash_frame(mbuf, 0);
}

/* Where the VXLAN header is, if there is one and an inner Ethernet header behind it; 0 if not. */
static uint16_t find_vxlan(const struct rte_mbuf *mbuf)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbuf, void *);
	const struct rte_ipv4_hdr *ip = (const void *)(ether + 1);
	uint16_t offset;

	if (mbuf->data_len < sizeof(*ether) + sizeof(*ip) ||
		ether->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
		ip->next_proto_id != IPPROTO_UDP ||
		(ip->fragment_offset & RTE_BE16(IPV4_FRAGMENT_BITS)))
		return 0;
	offset = sizeof(*ether) + rte_ipv4_hdr_len(ip) + sizeof(struct rte_udp_hdr);
	if (mbuf->data_len < offset + sizeof(struct rte_vxlan_hdr) + RTE_ETHER_HDR_LEN)
		return 0;
	return offset;
}

/* All of it lies in the first cache line of a frame without long IPv4 options. */
uint32_t flow_hash_outer_headers(const struct rte_mbuf *mbuf)
{
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(mbuf, void *, sizeof(struct rte_ether_hdr));
	uint16_t offset = find_vxlan(mbuf);
	const struct rte_udp_hdr *udp;

	if (offset == 0)
		return flow_hash(mbuf) % FLOW_GROUPS;
	udp = rte_pktmbuf_mtod_offset(mbuf, void *, offset - sizeof(*udp));
	return flow_hash_mix(rte_hash_crc_8byte(
		(uint64_t)ip->src_addr << 32 | (uint32_t)udp->src_port << 16 | udp->dst_port, 0));
}

uint32_t flow_hash_tunnelled(const struct rte_mbuf *mbuf)
{
	const struct rte_vxlan_hdr *vxlan;
	uint16_t offset = find_vxlan(mbuf);
	struct rte_mbuf inner;

	if (offset == 0)
		return flow_hash(mbuf) % FLOW_GROUPS;
	vxlan = rte_pktmbuf_mtod_offset(mbuf, void *, offset);
	/* As much of an mbuf as a hash looks at. */
	inner.buf_addr = mbuf->buf_addr;
	inner.data_off = mbuf->data_off + offset + sizeof(*vxlan);
	inner.data_len = mbuf->data_len - offset - sizeof(*vxlan);
	return hash_frame(&inner, rte_be_to_cpu_32(vxlan->vx_vni) & VNI_MASK);
}
