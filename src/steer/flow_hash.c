/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer/flow_hash.h"

#include <rte_ether.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>

#include "core/frame.h"

#define IPV4_FRAGMENT_BITS (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)

/* A CRC is linear: equal steps in the input are equal steps in the hash. This breaks them up, so
 * that low and high bits alike are good for choosing. */
static uint32_t mix(uint32_t hash)
{
	hash ^= hash >> 16;
	hash *= 0x85ebca6b;
	hash ^= hash >> 13;
	hash *= 0xc2b2ae35;
	return hash ^ hash >> 16;
}

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

static uint32_t hash_ipv4(const struct rte_mbuf *mbuf, uint16_t offset)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(mbuf, void *, offset);
	uint32_t hash =
		rte_hash_crc_8byte((uint64_t)ip->src_addr << 32 | ip->dst_addr, ip->next_proto_id);

	if (!(ip->fragment_offset & RTE_BE16(IPV4_FRAGMENT_BITS)))
		hash = rte_hash_crc_4byte(
			ports(mbuf, offset + rte_ipv4_hdr_len(ip), ip->next_proto_id), hash);
	return hash;
}

/* A fragment header counts as the protocol: behind it there may be no ports. */
static uint32_t hash_ipv6(const struct rte_mbuf *mbuf, uint16_t offset)
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(mbuf, void *, offset);
	uint32_t hash = rte_hash_crc(ip->src_addr, 32, 0);

	return rte_hash_crc_4byte(ports(mbuf, offset + sizeof(*ip), ip->proto), hash ^ ip->proto);
}

uint32_t flow_hash(const struct rte_mbuf *mbuf)
{
	uint16_t offset;
	rte_be16_t type;

	/* Only mode native lets such frames get this far. */
	if (mbuf->data_len < RTE_ETHER_HDR_LEN)
		return 0;
	type = frame_type(mbuf, &offset);
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4) &&
		mbuf->data_len >= offset + sizeof(struct rte_ipv4_hdr))
		return mix(hash_ipv4(mbuf, offset));
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6) &&
		mbuf->data_len >= offset + sizeof(struct rte_ipv6_hdr))
		return mix(hash_ipv6(mbuf, offset));
	return mix(rte_hash_crc(rte_pktmbuf_mtod(mbuf, void *), RTE_ETHER_HDR_LEN, 0));
}
