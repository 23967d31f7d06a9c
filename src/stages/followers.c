/* SPDX-License-Identifier: BSD-3-Clause */
#include "stages/followers.h"

#include <string.h>

#include <rte_ip.h>
#include <rte_tcp.h>

#include "base/frame.h"
#include "stages/packet.h"

/* How long the headers are, which is the same in all packets of a list. */
struct headers {
	bool ipv4;
	uint16_t l2;
	uint16_t l3;
	uint16_t l4;
};

static struct rte_tcp_hdr *tcp_of(const struct rte_mbuf *mbuf, const struct headers *headers)
{
	return rte_pktmbuf_mtod_offset(mbuf, void *, headers->l2 + headers->l3);
}

static uint16_t length_of(const struct headers *headers)
{
	return headers->l2 + headers->l3 + headers->l4;
}

static struct headers headers_of(const struct rte_mbuf *mbuf)
{
	struct headers headers;

	headers.ipv4 = frame_type(mbuf, &headers.l2) == RTE_BE16(RTE_ETHER_TYPE_IPV4);
	headers.l3 = headers.ipv4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr);
	headers.l4 = (tcp_of(mbuf, &headers)->data_off >> 4) * 4;
	return headers;
}

/* ---- checksums ---- */

static bool is_intact(const struct rte_mbuf *mbuf, const struct headers *headers)
{
	const void *ip = rte_pktmbuf_mtod_offset(mbuf, void *, headers->l2);
	const void *tcp = tcp_of(mbuf, headers);

	if (headers->ipv4)
		return rte_ipv4_udptcp_cksum_verify(ip, tcp) == 0;
	return rte_ipv6_udptcp_cksum_verify(ip, tcp) == 0;
}

static bool are_intact(const struct rte_mbuf *head, const struct headers *headers)
{
	for (; head != NULL; head = head->next)
		if (!is_intact(head, headers))
			return false;
	return true;
}

/* ---- joining ---- */

/* What segmentation puts into the last packet alone. */
static void take_push(struct rte_mbuf *head, const struct headers *headers)
{
	const struct rte_mbuf *last = rte_pktmbuf_lastseg(head);

	tcp_of(head, headers)->tcp_flags |= tcp_of(last, headers)->tcp_flags & RTE_TCP_PSH_FLAG;
}

static void join(struct rte_mbuf *head, const struct headers *headers)
{
	for (struct rte_mbuf *next = head->next; next != NULL; next = next->next) {
		rte_pktmbuf_adj(next, length_of(headers));
		head->pkt_len += next->data_len;
	}
}

static void finish_ip(struct rte_mbuf *head, const struct headers *headers)
{
	struct rte_ipv4_hdr *ipv4 = rte_pktmbuf_mtod_offset(head, void *, headers->l2);
	struct rte_ipv6_hdr *ipv6 = (void *)ipv4;
	uint16_t length = head->pkt_len - headers->l2;

	if (!headers->ipv4) {
		ipv6->payload_len = rte_cpu_to_be_16(length - sizeof(*ipv6));
		tcp_of(head, headers)->cksum = rte_ipv6_phdr_cksum(ipv6, head->ol_flags);
		return;
	}
	ipv4->total_length = rte_cpu_to_be_16(length);
	ipv4->hdr_checksum = 0;
	ipv4->hdr_checksum = rte_ipv4_cksum(ipv4);
	tcp_of(head, headers)->cksum = rte_ipv4_phdr_cksum(ipv4, head->ol_flags);
}

static void ask_for_segmentation(
	struct rte_mbuf *head, const struct headers *headers, uint16_t payload)
{
	head->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM;
	head->ol_flags |=
		headers->ipv4 ? RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM : RTE_MBUF_F_TX_IPV6;
	head->tx_offload =
		rte_mbuf_tx_offload(headers->l2, headers->l3, headers->l4, payload, 0, 0, 0);
}

bool followers_join(struct rte_mbuf *head)
{
	struct headers headers = headers_of(head);

	if (!are_intact(head, &headers))
		return false;
	ask_for_segmentation(head, &headers, head->data_len - length_of(&headers));
	take_push(head, &headers);
	join(head, &headers);
	finish_ip(head, &headers);
	return true;
}

/* ---- taking apart ---- */

struct rte_mbuf *followers_take(struct rte_mbuf *head)
{
	struct rte_mbuf *next = head->next;

	if (packet_of(head)->followers == 0)
		return NULL;
	packet_copy(next, head);
	packet_of(next)->followers--;
	next->nb_segs = head->nb_segs - 1;
	packet_of(head)->followers = 0;
	head->nb_segs = 1;
	head->next = NULL;
	return next;
}
