/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_FRAME_H
#define WEFT_FRAME_H

#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#define FRAME_VLAN_TAGS_MAX 2

static inline int frame_is_vlan(rte_be16_t type)
{
	return type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || type == RTE_BE16(RTE_ETHER_TYPE_QINQ);
}

/* What an Ethernet frame of at least a header's length carries behind up to two VLAN tags, and at
 * which offset. A VLAN type is returned where there are more tags, or one is cut off. */
static inline rte_be16_t frame_type(const struct rte_mbuf *mbuf, uint16_t *offset)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbuf, const void *);
	rte_be16_t type = ether->ether_type;

	*offset = sizeof(*ether);
	for (int tags = 0; tags < FRAME_VLAN_TAGS_MAX && frame_is_vlan(type); tags++) {
		const struct rte_vlan_hdr *tag =
			rte_pktmbuf_mtod_offset(mbuf, const void *, *offset);

		if (mbuf->data_len < *offset + sizeof(*tag))
			break;
		type = tag->eth_proto;
		*offset += sizeof(*tag);
	}
	return type;
}

#endif
