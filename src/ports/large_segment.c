/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports/large_segment.h"

#include <rte_ip.h>
#include <rte_tcp.h>

static void finish_ip_checksum(struct rte_mbuf *mbuf)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(mbuf, void *, mbuf->l2_len);

	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	mbuf->ol_flags &= ~RTE_MBUF_F_TX_IP_CKSUM;
}

void large_segment_for_virtio(struct rte_mbuf *mbuf)
{
	uint16_t start = mbuf->l2_len + mbuf->l3_len;
	struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(mbuf, void *, start);
	uint32_t sum = (uint32_t)tcp->cksum + rte_cpu_to_be_16(mbuf->pkt_len - start);

	tcp->cksum = (sum & 0xffff) + (sum >> 16);
	if (mbuf->ol_flags & RTE_MBUF_F_TX_IP_CKSUM)
		finish_ip_checksum(mbuf);
}
