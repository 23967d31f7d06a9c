/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_LARGE_SEGMENT_H
#define WEFT_LARGE_SEGMENT_H

#include <stdbool.h>

#include <rte_mbuf.h>

/*
 * Large TCP segments (struct port, large_segments) as the data path hands them to a port: marked
 * RTE_MBUF_F_TX_TCP_SEG, the TCP checksum field as DPDK wants it for a NIC. Any lcore that owns the
 * mbuf.
 */
static inline bool large_segment_is(const struct rte_mbuf *mbuf)
{
	return (mbuf->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0;
}

/* Leaves it as a virtio peer wants it: the TCP checksum field holds the pseudo header's sum with
 * the length of the whole segment (DPDK: without), and the IPv4 header's checksum is done where the
 * flags left it to the port. Once for each packet. */
void large_segment_for_virtio(struct rte_mbuf *mbuf);

#endif
