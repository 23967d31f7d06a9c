/* SPDX-License-Identifier: BSD-3-Clause */
#include "segments.h"

#include <stdlib.h>

#define FRAME_SIZE 14000
#define FRAMES 512
#define OPTIONS_MAX 40

static uint8_t *next_bytes(void)
{
	static uint8_t *memory;
	static unsigned int next;

	if (memory == NULL)
		memory = malloc(FRAMES * FRAME_SIZE);
	assert_non_null(memory);
	return memory + next++ % FRAMES * FRAME_SIZE;
}

struct frame copy_of(const struct frame *frame)
{
	struct frame copy = *frame;

	copy.bytes = next_bytes();
	memcpy(copy.bytes, frame->bytes, frame->length);
	return copy;
}

struct rte_ipv4_hdr *ipv4_of(struct frame *frame)
{
	return (void *)(frame->bytes + frame->ip);
}

struct rte_ipv6_hdr *ipv6_of(struct frame *frame)
{
	return (void *)(frame->bytes + frame->ip);
}

struct rte_tcp_hdr *tcp_of(struct frame *frame)
{
	return (void *)(frame->bytes + frame->tcp);
}

bool is_ipv4(const struct frame *frame)
{
	return frame->tcp - frame->ip == sizeof(struct rte_ipv4_hdr);
}

void finish_inner(struct frame *frame)
{
	struct rte_tcp_hdr *tcp = tcp_of(frame);

	tcp->cksum = 0;
	if (is_ipv4(frame)) {
		ipv4_of(frame)->total_length = rte_cpu_to_be_16(frame->length - frame->ip);
		ipv4_finish(ipv4_of(frame));
		tcp->cksum = rte_ipv4_udptcp_cksum(ipv4_of(frame), tcp);
	} else {
		ipv6_of(frame)->payload_len = rte_cpu_to_be_16(frame->length - frame->tcp);
		tcp->cksum = rte_ipv6_udptcp_cksum(ipv6_of(frame), tcp);
	}
}

void finish_outer(struct frame *frame)
{
	struct vxlan_frame *outer = (void *)frame->bytes;

	outer->ip.total_length = rte_cpu_to_be_16(frame->length - offsetof(struct vxlan_frame, ip));
	outer->udp.dgram_len = rte_cpu_to_be_16(frame->length - offsetof(struct vxlan_frame, udp));
	ipv4_finish(&outer->ip);
}

static void put(struct frame *frame, const void *bytes, uint16_t length)
{
	memcpy(frame->bytes + frame->length, bytes, length);
	frame->length += length;
}

static void put_link(struct frame *frame, const struct wish *wish)
{
	struct vxlan_frame outer = vxlan_frame();
	rte_be16_t type =
		wish->ipv6 ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4);

	put(frame, &outer, VXLAN_OVERHEAD + 2 * RTE_ETHER_ADDR_LEN);
	for (int i = 0; i < wish->tags; i++)
		put(frame, (rte_be16_t[]){RTE_BE16(RTE_ETHER_TYPE_VLAN), RTE_BE16(7)}, 4);
	put(frame, &type, sizeof(type));
	frame->ip = frame->length;
}

static void put_ip(struct frame *frame, const struct wish *wish)
{
	struct ipv4_frame ipv4 = ipv4_frame(IPPROTO_TCP);
	struct ipv6_frame ipv6 = ipv6_frame(IPPROTO_TCP);

	ipv4.ip.packet_id = rte_cpu_to_be_16(wish->id);
	if (wish->ipv6)
		put(frame, &ipv6.ip, sizeof(ipv6.ip));
	else
		put(frame, &ipv4.ip, sizeof(ipv4.ip));
	frame->tcp = frame->length;
}

static void put_tcp(struct frame *frame, const struct wish *wish)
{
	static const uint8_t options[OPTIONS_MAX] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1};
	struct rte_tcp_hdr tcp = {.src_port = rte_cpu_to_be_16(40000 + wish->port),
		.dst_port = RTE_BE16(5201),
		.sent_seq = rte_cpu_to_be_32(wish->sequence),
		.recv_ack = RTE_BE32(77),
		.data_off = (sizeof(tcp) + wish->options) / 4 << 4,
		.tcp_flags = RTE_TCP_ACK_FLAG | wish->flags,
		.rx_win = RTE_BE16(500)};

	put(frame, &tcp, sizeof(tcp));
	put(frame, options, wish->options);
	frame->data = frame->length;
}

struct frame frame_of(struct wish wish)
{
	struct frame frame = {.bytes = next_bytes()};

	put_link(&frame, &wish);
	put_ip(&frame, &wish);
	put_tcp(&frame, &wish);
	for (uint16_t i = 0; i < wish.length; i++)
		frame.bytes[frame.length++] = (wish.sequence + i) * 13 + wish.port;
	finish_inner(&frame);
	finish_outer(&frame);
	return frame;
}

struct frame nth(uint32_t i)
{
	return frame_of((struct wish){.sequence = i * DATA, .length = DATA, .id = i * 3});
}

/* ---- bursts ---- */

struct rte_mbuf *add(struct burst *burst, struct frame frame)
{
	struct rte_mbuf *mbuf = mbuf_of(frame.bytes, frame.length);

	burst->mbufs[burst->n++] = mbuf;
	return mbuf;
}

struct rte_mbuf *wish_for(struct burst *burst, struct wish wish)
{
	return add(burst, frame_of(wish));
}

void gro(struct burst *burst)
{
	fixture.tables->coalesce = true;
	gro_stage.process(&fixture.context, burst->mbufs, burst->n, burst->verdicts);
}

uint16_t followers(const struct burst *burst, uint16_t i)
{
	return packet_of(burst->mbufs[i])->followers;
}

void check_lists(struct burst *burst, const int *expected, uint16_t n)
{
	assert_int_equal(burst->n, n);
	gro(burst);
	for (uint16_t i = 0; i < n; i++) {
		if (expected[i] < 0) {
			assert_int_equal(burst->verdicts[i], VERDICT_COALESCED);
			continue;
		}
		assert_int_not_equal(burst->verdicts[i], VERDICT_COALESCED);
		assert_int_equal(followers(burst, i), expected[i]);
		assert_int_equal(burst->mbufs[i]->nb_segs, expected[i] + 1);
	}
}
