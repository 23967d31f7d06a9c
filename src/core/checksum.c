/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/checksum.h"

#include <stddef.h>

#include <rte_ip.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

static int field_offset(uint32_t packet_type)
{
	switch (packet_type & RTE_PTYPE_L4_MASK) {
	case RTE_PTYPE_L4_TCP:
		return offsetof(struct rte_tcp_hdr, cksum);
	case RTE_PTYPE_L4_UDP:
		return offsetof(struct rte_udp_hdr, dgram_cksum);
	default:
		return -1;
	}
}

int checksum_complete(struct rte_mbuf *mbuf)
{
	struct rte_net_hdr_lens lengths;
	uint32_t type = rte_net_get_ptype(mbuf, &lengths, RTE_PTYPE_ALL_MASK);
	uint32_t start = lengths.l2_len + lengths.l3_len;
	int field = field_offset(type);
	uint16_t sum;

	if (field < 0 || mbuf->data_len < start + field + sizeof(sum))
		return -1;
	if (rte_raw_cksum_mbuf(mbuf, start, mbuf->pkt_len - start, &sum) != 0)
		return -1;
	sum = ~sum;
	/* RFC 768: zero means "no checksum", so a sum of zero is sent as all ones. */
	if (sum == 0 && (type & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_UDP)
		sum = 0xffff;
	memcpy(rte_pktmbuf_mtod_offset(mbuf, char *, start + field), &sum, sizeof(sum));
	return 0;
}
