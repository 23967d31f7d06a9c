/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flow has at most one open list in a burst, and a packet of the flow either goes on where that
 * list ends or closes it. So nothing of a flow overtakes anything of it. Flows are told apart by a
 * hash: two that share one close each other's lists, which costs coalescing and never order.
 *
 * What is coalesced must be such that segmentation gives the same packets back, but for the IPv4
 * identification, which means nothing where fragmentation is forbidden (RFC 6864, 4.1). So all
 * headers must agree with those of the list's first packet in everything that segmentation copies.
 * The TCP checksum is not looked at here, as that would read all of the payload.
 */
#include "stages/coalesce.h"

#include <assert.h>

#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#include "base/frame.h"
#include "base/ipv4.h"
#include "stages/stage.h"
#include "stages/vxlan.h"

#define IPV6_VERSION_BITS RTE_BE32(0xf0000000)
#define IPV6_VERSION_6 RTE_BE32(0x60000000)
#define VNI_BITS RTE_BE32(0xffffff00)
#define IP_PACKET_MAX UINT16_MAX /* bytes, for IPv6 too: header and payload */

/* Where a field lies in the outer headers, which are without IPv4 options. */
#define OUTER_IP RTE_ETHER_HDR_LEN
#define OUTER_UDP (OUTER_IP + sizeof(struct rte_ipv4_hdr))
#define OUTER_VXLAN (OUTER_UDP + sizeof(struct rte_udp_hdr))
#define INNER (OUTER_VXLAN + sizeof(struct rte_vxlan_hdr))

/* A TCP packet in its tunnel. Offsets are from the outer Ethernet header. */
struct segment {
	const uint8_t *bytes;
	uint16_t ip; /* offset of the inner IP header, */
	uint16_t tcp;
	uint16_t payload;
	uint16_t length; /* of the payload, bytes */
	uint32_t flow;	 /* hash of the network, the addresses and the ports */
};

enum content {
	CONTENT_TCP,
	CONTENT_UDP,
	CONTENT_UNKNOWN, /* may be TCP of any flow; rare, so not looked into */
};

/* ---- reading ---- */

static const struct rte_tcp_hdr *tcp_of(const struct segment *segment)
{
	return (const void *)(segment->bytes + segment->tcp);
}

/* In both versions of IP the addresses come last, and the ports come next. */
static uint32_t flow_of(const struct segment *segment, uint16_t addresses)
{
	const struct rte_vxlan_hdr *vxlan = (const void *)(segment->bytes + OUTER_VXLAN);

	return rte_hash_crc(segment->bytes + segment->tcp - addresses, addresses + sizeof(uint32_t),
		vxlan->vx_vni & VNI_BITS);
}

static enum content read_tcp(struct segment *segment, uint16_t end, uint16_t addresses)
{
	if (end < segment->tcp + sizeof(struct rte_tcp_hdr))
		return CONTENT_UNKNOWN;
	segment->payload = segment->tcp + (tcp_of(segment)->data_off >> 4) * 4;
	segment->length = end - segment->payload;
	segment->flow = flow_of(segment, addresses);
	return CONTENT_TCP;
}

static enum content read_ipv4(struct segment *segment, uint16_t end)
{
	const struct rte_ipv4_hdr *ip = (const void *)(segment->bytes + segment->ip);

	if (end < segment->ip + sizeof(*ip))
		return CONTENT_UNKNOWN;
	if (ip->next_proto_id == IPPROTO_UDP)
		return CONTENT_UDP;
	if (ip->next_proto_id != IPPROTO_TCP || ip->version_ihl != RTE_IPV4_VHL_DEF ||
		ip->fragment_offset & RTE_BE16(IPV4_FRAGMENT_BITS))
		return CONTENT_UNKNOWN;
	segment->tcp = segment->ip + sizeof(*ip);
	return read_tcp(segment, end, sizeof(ip->src_addr) + sizeof(ip->dst_addr));
}

static enum content read_ipv6(struct segment *segment, uint16_t end)
{
	const struct rte_ipv6_hdr *ip = (const void *)(segment->bytes + segment->ip);

	if (end < segment->ip + sizeof(*ip))
		return CONTENT_UNKNOWN;
	if (ip->proto == IPPROTO_UDP)
		return CONTENT_UDP;
	if (ip->proto != IPPROTO_TCP || (ip->vtc_flow & IPV6_VERSION_BITS) != IPV6_VERSION_6)
		return CONTENT_UNKNOWN;
	segment->tcp = segment->ip + sizeof(*ip);
	return read_tcp(segment, end, sizeof(ip->src_addr) + sizeof(ip->dst_addr));
}

/* The type of the inner frame, whose header is all there, and the offset of what it carries. */
static rte_be16_t inner_type(const struct rte_mbuf *mbuf, uint16_t *offset)
{
	struct rte_mbuf inner; /* as much of it as is looked at */
	rte_be16_t type;

	inner.buf_addr = mbuf->buf_addr;
	inner.data_off = mbuf->data_off + INNER;
	inner.data_len = mbuf->data_len - INNER;
	type = frame_type(&inner, offset);
	*offset += INNER;
	return type;
}

static enum content read_segment(const struct rte_mbuf *mbuf, struct segment *segment)
{
	const struct rte_ipv4_hdr *outer = rte_pktmbuf_mtod_offset(mbuf, void *, OUTER_IP);

	if (mbuf->data_len < INNER + RTE_ETHER_HDR_LEN || outer->version_ihl != RTE_IPV4_VHL_DEF)
		return CONTENT_UNKNOWN;
	segment->bytes = rte_pktmbuf_mtod(mbuf, void *);
	switch (inner_type(mbuf, &segment->ip)) {
	case RTE_BE16(RTE_ETHER_TYPE_IPV4):
		return read_ipv4(segment, mbuf->data_len);
	case RTE_BE16(RTE_ETHER_TYPE_IPV6):
		return read_ipv6(segment, mbuf->data_len);
	default:
		return CONTENT_UNKNOWN;
	}
}

/* ---- what can be part of a list at all ---- */

static bool is_ipv4(const struct segment *segment)
{
	return segment->tcp - segment->ip == sizeof(struct rte_ipv4_hdr);
}

static bool is_plain_mbuf(const struct rte_mbuf *mbuf)
{
	return mbuf->nb_segs == 1 && rte_mbuf_refcnt_read(mbuf) == 1 && RTE_MBUF_DIRECT(mbuf);
}

/* Padding behind the packet is no payload, so the lengths must be equal. */
static bool is_plain_ip(const struct segment *segment, uint16_t length)
{
	const struct rte_ipv4_hdr *ipv4 = (const void *)(segment->bytes + segment->ip);
	const struct rte_ipv6_hdr *ipv6 = (const void *)ipv4;

	if (!is_ipv4(segment))
		return ipv6->payload_len == rte_cpu_to_be_16(length - sizeof(*ipv6));
	return ipv4->total_length == rte_cpu_to_be_16(length) &&
	       ipv4->fragment_offset == RTE_BE16(RTE_IPV4_HDR_DF_FLAG) &&
	       rte_raw_cksum(ipv4, sizeof(*ipv4)) == 0xffff;
}

static bool is_plain_tcp(const struct segment *segment, uint16_t end)
{
	const uint8_t others = (uint8_t) ~(RTE_TCP_PSH_FLAG | RTE_TCP_ECE_FLAG);
	const struct rte_tcp_hdr *tcp = tcp_of(segment);

	return (tcp->tcp_flags & others) == RTE_TCP_ACK_FLAG && tcp->tcp_urp == 0 &&
	       segment->payload >= segment->tcp + sizeof(*tcp) && segment->payload < end;
}

static bool is_plain(const struct rte_mbuf *mbuf, const struct segment *segment)
{
	const struct rte_vxlan_hdr *vxlan = (const void *)(segment->bytes + OUTER_VXLAN);

	return is_plain_mbuf(mbuf) && vxlan->vx_flags & VXLAN_FLAG_I &&
	       is_plain_tcp(segment, mbuf->data_len) &&
	       is_plain_ip(segment, mbuf->data_len - segment->ip);
}

/* ---- lists ---- */

struct list {
	struct segment first;
	struct rte_mbuf *head;
	struct rte_mbuf *last;
	uint32_t sequence; /* number of the byte that comes next */
	uint32_t length;   /* of the IP packet that the list would make, bytes */
};

/* The open lists of a burst. */
struct lists {
	uint16_t n;
	struct list open[STAGE_BURST_MAX];
};

/* The flow's list, or NULL. */
static struct list *find(struct lists *lists, uint32_t flow)
{
	for (struct list *list = lists->open + lists->n; list-- > lists->open;)
		if (list->first.flow == flow)
			return list;
	return NULL;
}

static void close_list(struct lists *lists, struct list *list)
{
	*list = lists->open[--lists->n];
}

static void open_list(struct lists *lists, struct rte_mbuf *mbuf, const struct segment *segment)
{
	lists->open[lists->n++] = (struct list){
		.first = *segment,
		.head = mbuf,
		.last = mbuf,
		.sequence = rte_be_to_cpu_32(tcp_of(segment)->sent_seq) + segment->length,
		.length = mbuf->data_len - segment->ip,
	};
}

static void append(struct list *list, struct rte_mbuf *mbuf, const struct segment *segment)
{
	rte_pktmbuf_adj(mbuf, INNER);
	/* What the NIC said of checksums was about the outer packet. */
	mbuf->ol_flags = 0;
	list->last->next = mbuf;
	list->last = mbuf;
	list->head->nb_segs++;
	packet_of(list->head)->followers++;
	list->sequence += segment->length;
	list->length += segment->length;
}

/* ---- what goes on where a list ends ---- */

/* The list has one account: its credits are one door's, and it goes one way. */
static bool same_origin(struct rte_mbuf *a, struct rte_mbuf *b)
{
	return a->port == b->port && packets_share_origin(packet_of(a), packet_of(b));
}

/* True if bytes [from, to) are the same. */
static inline bool same(const struct segment *a, const struct segment *b, size_t from, size_t to)
{
	return memcmp(a->bytes + from, b->bytes + from, to - from) == 0;
}

#define IPV4(field) offsetof(struct rte_ipv4_hdr, field)
#define IPV6(field) offsetof(struct rte_ipv6_hdr, field)
#define TCP(field) offsetof(struct rte_tcp_hdr, field)

/* Up to the inner Ethernet type. Decapsulation reads no other fields than these. */
static bool same_outer(const struct segment *a, const struct segment *b)
{
	return same(a, b, 0, OUTER_IP + IPV4(total_length)) &&
	       same(a, b, OUTER_IP + IPV4(src_addr),
		       OUTER_UDP + offsetof(struct rte_udp_hdr, dgram_len)) &&
	       same(a, b, OUTER_VXLAN, INNER + RTE_ETHER_HDR_LEN);
}

/* From the VLAN tags to the TCP ports. Where types and tags agree, the offsets do too. */
static bool same_ip(const struct segment *a, const struct segment *b)
{
	size_t tags = INNER + RTE_ETHER_HDR_LEN;
	size_t ip = a->ip;

	if (ip != tags && !same(a, b, tags, ip))
		return false;
	if (is_ipv4(a))
		return same(a, b, ip, ip + IPV4(total_length)) &&
		       same(a, b, ip + IPV4(fragment_offset), ip + IPV4(hdr_checksum)) &&
		       same(a, b, ip + IPV4(src_addr),
			       ip + sizeof(struct rte_ipv4_hdr) + TCP(sent_seq));
	return same(a, b, ip, ip + IPV6(payload_len)) &&
	       same(a, b, ip + IPV6(proto), ip + sizeof(struct rte_ipv6_hdr) + TCP(sent_seq));
}

/* The window must not change: between two acknowledgements of the same number, a change of the
 * window is news. */
static bool same_tcp(const struct segment *a, const struct segment *b)
{
	const struct rte_tcp_hdr *first = tcp_of(a), *other = tcp_of(b);

	return first->recv_ack == other->recv_ack && first->data_off == other->data_off &&
	       first->rx_win == other->rx_win &&
	       !((first->tcp_flags ^ other->tcp_flags) & RTE_TCP_ECE_FLAG) &&
	       same(a, b, a->tcp + sizeof(*first), a->payload);
}

static bool goes_on(const struct list *list, struct rte_mbuf *mbuf, const struct segment *segment)
{
	const struct rte_tcp_hdr *tcp = tcp_of(segment);

	return tcp->sent_seq == rte_cpu_to_be_32(list->sequence) &&
	       segment->length <= list->first.length &&
	       list->length + segment->length <= IP_PACKET_MAX && same_origin(list->head, mbuf) &&
	       same_outer(&list->first, segment) && same_ip(&list->first, segment) &&
	       same_tcp(&list->first, segment);
}

/* Segmentation gives PSH to the last packet alone, and only the last may be smaller. */
static bool is_last(const struct list *list, const struct segment *segment)
{
	return tcp_of(segment)->tcp_flags & RTE_TCP_PSH_FLAG ||
	       segment->length < list->first.length;
}

/* True if the packet now hangs behind an earlier one. */
static bool take_tcp(struct lists *lists, struct rte_mbuf *mbuf, const struct segment *segment)
{
	struct list *list = find(lists, segment->flow);
	bool plain = is_plain(mbuf, segment);

	if (plain && list != NULL && goes_on(list, mbuf, segment)) {
		append(list, mbuf, segment);
		if (is_last(list, segment))
			close_list(lists, list);
		return true;
	}
	if (list != NULL)
		close_list(lists, list);
	if (plain && !(tcp_of(segment)->tcp_flags & RTE_TCP_PSH_FLAG))
		open_list(lists, mbuf, segment);
	return false;
}

static bool take(struct lists *lists, struct rte_mbuf *mbuf)
{
	struct segment segment;

	switch (read_segment(mbuf, &segment)) {
	case CONTENT_TCP:
		return take_tcp(lists, mbuf, &segment);
	case CONTENT_UNKNOWN:
		lists->n = 0;
		return false;
	default:
		return false;
	}
}

uint16_t coalesce(struct rte_mbuf **mbufs, uint16_t n, uint16_t *verdicts)
{
	struct lists lists;
	uint16_t coalesced = 0;

	lists.n = 0;
	for (uint16_t i = 0; i < n; i++) {
		if (verdicts[i] != EXIT_MAIN || !take(&lists, mbufs[i]))
			continue;
		verdicts[i] = VERDICT_COALESCED;
		coalesced++;
	}
	return coalesced;
}
