/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports/cut.h"

#include <stddef.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#include "base/checksum.h"
#include "base/frame.h"

/* Linux's virtio_net.h has had it since 6.2. */
#define GSO_UDP_L4 5
/* Of a tunnel and what is in it, with options; these are in the first mbuf, whatever its size. */
#define HEADERS_MAX 256

/* ---- mbufs ---- */

static bool append(struct rte_mbuf *mbuf, const uint8_t *data, uint32_t length)
{
	struct rte_mbuf *last = rte_pktmbuf_lastseg(mbuf);

	for (;;) {
		uint32_t part = RTE_MIN(length, (uint32_t)rte_pktmbuf_tailroom(last));

		memcpy(rte_pktmbuf_mtod_offset(last, void *, last->data_len), data, part);
		last->data_len += part;
		mbuf->pkt_len += part;
		data += part;
		length -= part;
		if (length == 0)
			return true;
		last->next = rte_pktmbuf_alloc(mbuf->pool);
		if (last->next == NULL)
			return false;
		last = last->next;
		mbuf->nb_segs++;
	}
}

static struct rte_mbuf *copy_of(const void *frame, uint32_t length, struct rte_mempool *pool)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);

	if (mbuf == NULL || append(mbuf, frame, length))
		return mbuf;
	rte_pktmbuf_free(mbuf);
	return NULL;
}

struct rte_mbuf *cut_none(const void *frame, uint32_t length, const struct virtio_net_hdr *header,
	struct rte_mempool *pool)
{
	struct rte_mbuf *mbuf = copy_of(frame, length, pool);

	if (mbuf != NULL && header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		checksum_complete_at(
			mbuf, header->csum_start, header->csum_start + header->csum_offset);
	return mbuf;
}

/* ---- what is in the frame ---- */

/* What an Ethernet header and its tags end with, and where; 0 if the transport begins before. */
static uint16_t behind_ethernet(const struct cut *cut, uint16_t offset, rte_be16_t *type)
{
	offset += offsetof(struct rte_ether_hdr, ether_type);
	for (; offset + sizeof(*type) <= cut->transport; offset += sizeof(struct rte_vlan_hdr)) {
		memcpy(type, cut->frame + offset, sizeof(*type));
		if (!frame_is_vlan(*type))
			return offset + sizeof(*type);
	}
	return 0;
}

/* Where an IP header at `offset` ends, and what it carries; 0 if there is none. */
static uint16_t behind_ip(
	const struct cut *cut, uint16_t offset, rte_be16_t type, uint8_t *protocol)
{
	const struct rte_ipv4_hdr *ipv4 = (const void *)(cut->frame + offset);
	const struct rte_ipv6_hdr *ipv6 = (const void *)(cut->frame + offset);

	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4) && offset + sizeof(*ipv4) <= cut->transport) {
		*protocol = ipv4->next_proto_id;
		return offset + rte_ipv4_hdr_len(ipv4);
	}
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6) && offset + sizeof(*ipv6) <= cut->transport) {
		*protocol = ipv6->proto;
		return offset + sizeof(*ipv6);
	}
	return 0;
}

/* Finds the IP headers: that before the transport header, and that of a tunnel around it. */
static bool find_ip(struct cut *cut)
{
	uint8_t protocol = 0;
	uint16_t offset = 0;
	rte_be16_t type;

	while (cut->n_ip < RTE_DIM(cut->ip)) {
		uint16_t ip = behind_ethernet(cut, offset, &type);

		offset = ip == 0 ? 0 : behind_ip(cut, ip, type, &protocol);
		if (offset == 0)
			return false;
		cut->ip[cut->n_ip++] = ip;
		if (offset == cut->transport)
			return protocol == (cut->udp ? IPPROTO_UDP : IPPROTO_TCP);
		if (protocol != IPPROTO_UDP)
			return false;
		cut->tunnel = offset;
		offset += sizeof(struct rte_udp_hdr) + sizeof(struct rte_vxlan_hdr);
	}
	return false;
}

static bool find_transport(struct cut *cut, const struct virtio_net_hdr *header)
{
	const struct rte_tcp_hdr *tcp = (const void *)(cut->frame + header->csum_start);

	cut->udp = header->gso_type == GSO_UDP_L4;
	cut->transport = header->csum_start;
	cut->checksum = header->csum_start + header->csum_offset;
	cut->headers = cut->transport;
	if (cut->udp) {
		cut->headers += sizeof(struct rte_udp_hdr);
	} else {
		if (cut->transport + sizeof(*tcp) > cut->length)
			return false;
		cut->headers += (tcp->data_off >> 4) * sizeof(uint32_t);
	}
	return cut->headers < cut->length && cut->headers <= HEADERS_MAX &&
	       cut->checksum + sizeof(uint16_t) <= cut->headers;
}

static bool can_cut(struct cut *cut, const struct virtio_net_hdr *header)
{
	switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
	case GSO_UDP_L4:
		return header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && header->gso_size > 0 &&
		       find_transport(cut, header) && find_ip(cut);
	default:
		return false;
	}
}

void cut_begin(
	struct cut *cut, const uint8_t *frame, uint32_t length, const struct virtio_net_hdr *header)
{
	*cut = (struct cut){.frame = frame, .length = length};
	if (can_cut(cut, header))
		cut->segment = header->gso_size;
	else
		*cut = (struct cut){.frame = frame, .length = length, .header = *header};
}

/* ---- the parts ---- */

static void finish_ip(const struct cut *cut, struct rte_mbuf *mbuf, uint16_t offset)
{
	struct rte_ipv4_hdr *ipv4 = rte_pktmbuf_mtod_offset(mbuf, void *, offset);
	struct rte_ipv6_hdr *ipv6 = (void *)ipv4;
	uint16_t length = mbuf->pkt_len - offset;

	if (ipv4->version_ihl >> 4 == 6) {
		ipv6->payload_len = rte_cpu_to_be_16(length - sizeof(*ipv6));
		return;
	}
	ipv4->total_length = rte_cpu_to_be_16(length);
	ipv4->packet_id = rte_cpu_to_be_16(rte_be_to_cpu_16(ipv4->packet_id) + cut->index);
	ipv4->hdr_checksum = 0;
	ipv4->hdr_checksum = rte_ipv4_cksum(ipv4);
}

/* The tunnel's checksum was the whole frame's: RFC 7348 has none as well. */
static void finish_tunnel(const struct cut *cut, struct rte_mbuf *mbuf)
{
	struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(mbuf, void *, cut->tunnel);

	udp->dgram_len = rte_cpu_to_be_16(mbuf->pkt_len - cut->tunnel);
	udp->dgram_cksum = 0;
}

static uint16_t pseudo_header(const struct cut *cut, const struct rte_mbuf *mbuf)
{
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(mbuf, const void *, cut->ip[cut->n_ip - 1]);

	if (ip->version_ihl >> 4 == 6)
		return rte_ipv6_phdr_cksum((const void *)ip, 0);
	return rte_ipv4_phdr_cksum(ip, 0);
}

/* RFC 9293 and RFC 3168: what ends a burst of data stands in its last segment, and that the window
 * was reduced in its first. */
static void finish_tcp(const struct cut *cut, struct rte_mbuf *mbuf, bool last)
{
	struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(mbuf, void *, cut->transport);

	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + cut->done);
	if (!last)
		tcp->tcp_flags &= ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
	if (cut->index > 0)
		tcp->tcp_flags &= ~RTE_TCP_CWR_FLAG;
}

static void finish_transport(const struct cut *cut, struct rte_mbuf *mbuf, bool last)
{
	struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(mbuf, void *, cut->transport);
	uint16_t sum = pseudo_header(cut, mbuf);

	if (cut->udp)
		udp->dgram_len = rte_cpu_to_be_16(mbuf->pkt_len - cut->transport);
	else
		finish_tcp(cut, mbuf, last);
	memcpy(rte_pktmbuf_mtod_offset(mbuf, char *, cut->checksum), &sum, sizeof(sum));
	checksum_complete_at(mbuf, cut->transport, cut->checksum);
}

struct rte_mbuf *cut_next(struct cut *cut, struct rte_mempool *pool)
{
	uint32_t left = cut->length - cut->headers - cut->done;
	uint32_t part = RTE_MIN(left, (uint32_t)cut->segment);
	struct rte_mbuf *mbuf;

	if (cut->segment == 0) {
		mbuf = cut_none(cut->frame, cut->length, &cut->header, pool);
		cut->done = mbuf != NULL ? cut->length : 0;
		return mbuf;
	}
	mbuf = copy_of(cut->frame, cut->headers, pool);
	if (mbuf == NULL)
		return NULL;
	if (!append(mbuf, cut->frame + cut->headers + cut->done, part)) {
		rte_pktmbuf_free(mbuf);
		return NULL;
	}
	for (uint16_t i = 0; i < cut->n_ip; i++)
		finish_ip(cut, mbuf, cut->ip[i]);
	if (cut->tunnel != 0)
		finish_tunnel(cut, mbuf);
	finish_transport(cut, mbuf, part == left);
	cut->done += part;
	cut->index++;
	return mbuf;
}
