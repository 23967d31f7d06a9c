/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/checksum.h"

#include <stddef.h>

#include <rte_ip.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

/* RFC 1071: bytes at an odd distance from the start count in the other half of the word. */
static uint32_t add_part(uint32_t sum, uint16_t part, uint32_t distance)
{
	sum += distance & 1 ? rte_bswap16(part) : part;
	return (sum & 0xffff) + (sum >> 16);
}

uint16_t checksum_from(const struct rte_mbuf *mbuf, uint32_t offset)
{
	uint32_t done = 0;
	uint32_t sum = 0;

	for (; mbuf != NULL; mbuf = mbuf->next) {
		uint32_t skip = RTE_MIN(offset, (uint32_t)mbuf->data_len);
		uint32_t length = mbuf->data_len - skip;
		const void *data = rte_pktmbuf_mtod_offset(mbuf, void *, skip);

		sum = add_part(sum, rte_raw_cksum(data, length), done);
		done += length;
		offset -= skip;
	}
	return sum;
}

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

int checksum_complete_at(struct rte_mbuf *mbuf, uint32_t start, uint32_t field)
{
	uint16_t sum;

	if (start > field || mbuf->data_len < field + sizeof(sum))
		return -1;
	sum = ~checksum_from(mbuf, start);
	/* RFC 768: zero means "no checksum", so a sum of zero is sent as all ones. */
	if (sum == 0 && field - start == offsetof(struct rte_udp_hdr, dgram_cksum))
		sum = 0xffff;
	memcpy(rte_pktmbuf_mtod_offset(mbuf, char *, field), &sum, sizeof(sum));
	return 0;
}

int checksum_complete(struct rte_mbuf *mbuf)
{
	struct rte_net_hdr_lens lengths;
	uint32_t type = rte_net_get_ptype(mbuf, &lengths, RTE_PTYPE_ALL_MASK);
	uint32_t start = lengths.l2_len + lengths.l3_len;
	int field = field_offset(type);

	return field < 0 ? -1 : checksum_complete_at(mbuf, start, start + field);
}
