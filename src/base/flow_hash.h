/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_FLOW_HASH_H
#define WEFT_FLOW_HASH_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

/*
 * Hash of a flow: addresses, protocol and ports of IPv4 and IPv6 (VLAN tags are skipped).
 * Fragments, which do not all have the ports, hash on addresses and protocol only, so that all
 * fragments of a datagram stay together; IPv6 extension headers, the fragment's among them, count
 * as the protocol. Anything else hashes on its Ethernet addresses and type. Low and high bits are
 * equally good. Reads only the first segment and never beyond it. Not symmetric: the two directions
 * of a connection come in by different ports and have no reason to share an lcore. Any lcore may
 * call these.
 */

/* A flow group: the flows that share the low bits of the flow hash. */
#define FLOW_GROUPS 256

/* Of an inner frame: what a container sends or receives. */
uint32_t flow_hash(const struct rte_mbuf *mbuf);

/*
 * Of a packet as an uplink received it, before anything of it was checked. What may be VXLAN (UDP
 * over IPv4, whole and not a fragment) hashes as the inner frame will, with the VNI mixed in:
 * networks may use the same addresses. (For VNI 0 it is flow_hash() of the inner frame.) The UDP
 * port is not looked at, as what is no VXLAN will be dropped. Anything else hashes as it is, to a
 * value below FLOW_GROUPS: it has a flow group, and is nobody's elephant.
 */
uint32_t flow_hash_tunnelled(const struct rte_mbuf *mbuf);

/* The same of the outer headers alone, of which the sender's address and UDP port tell flows apart
 * (RFC 7348, 5: the port is a hash of the inner headers). So it is as steady as that port: Linux
 * gives a TCP connection another one when it times out. */
uint32_t flow_hash_outer_headers(const struct rte_mbuf *mbuf);

/* Spreads a linear hash (a CRC, or the Toeplitz hash of NICs), in which equal steps of the input
 * are equal steps of the hash. */
static inline uint32_t flow_hash_mix(uint32_t hash)
{
	hash ^= hash >> 16;
	hash *= 0x85ebca6b;
	hash ^= hash >> 13;
	hash *= 0xc2b2ae35;
	return hash ^ hash >> 16;
}

/* The same from the NIC's hash where that covers the inner headers (uplink_rss()), without reading
 * the packet. It does not know the VNI. Which of the two a packet has must depend on its port and
 * its outer headers only, so that those of a flow agree: `nic_hashes_inner` is said only of NICs
 * that give the hash with every packet. NICs know VXLAN by UDP port 4789; to another port,
 * the hash is of the outer headers, and as steady as the sender's source port. */
static inline uint32_t flow_hash_received(const struct rte_mbuf *mbuf, bool nic_hashes_inner)
{
	if (nic_hashes_inner && (mbuf->ol_flags & RTE_MBUF_F_RX_RSS_HASH))
		return flow_hash_mix(mbuf->hash.rss);
	return flow_hash_tunnelled(mbuf);
}

/* The outer hash likewise. */
static inline uint32_t flow_hash_outer(const struct rte_mbuf *mbuf, bool nic_hashes_outer)
{
	if (nic_hashes_outer && (mbuf->ol_flags & RTE_MBUF_F_RX_RSS_HASH))
		return flow_hash_mix(mbuf->hash.rss);
	return flow_hash_outer_headers(mbuf);
}

#endif
