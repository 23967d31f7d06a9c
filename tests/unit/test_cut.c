/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include <linux/virtio_net.h>

#include "ports/cut.h"
#include "stages/vxlan.h"

/*
 * Frames of up to 64 KB as the kernel hands them over, in a tunnel or not, and what is made of
 * them: it must be what the sender would have sent without offloads.
 */
#define SEGMENT 1398
#define LONGEST 64000 /* of payload */
#define POOL 255
#define SMALL_ROOM 512
#define GSO_UDP_L4 5
#define IDENTIFICATION 0xfffe /* the next but one is 0 */
#define SEQUENCE 0xffffff00u

/* What a test wants; all that is zero is as usual. */
struct wish {
	bool tunnel;
	bool tag; /* before the inner IP header */
	bool ipv6;
	bool udp;
	uint8_t options; /* TCP's, bytes */
	uint8_t flags;	 /* beside ACK */
	uint32_t payload;
};

struct large {
	uint32_t length;
	uint16_t outer_ip; /* offsets */
	uint16_t ip;
	uint16_t transport;
	uint16_t headers;
	bool ipv6;
	bool tunnel;
	bool udp;
	struct virtio_net_hdr header;
	uint8_t bytes[LONGEST + 512];
};

static struct large large;
static struct rte_mempool *pool, *small_pool;

/* ---- what the kernel has ---- */

static uint16_t add_ether(uint16_t offset, uint16_t type, bool tag)
{
	struct rte_ether_hdr *ether = (void *)(large.bytes + offset);
	struct rte_vlan_hdr *vlan = (void *)(ether + 1);

	*ether = (struct rte_ether_hdr){.dst_addr = mac_uplink, .src_addr = mac_vtep_2};
	ether->ether_type = rte_cpu_to_be_16(tag ? RTE_ETHER_TYPE_VLAN : type);
	if (!tag)
		return offset + sizeof(*ether);
	*vlan = (struct rte_vlan_hdr){.vlan_tci = RTE_BE16(7), .eth_proto = rte_cpu_to_be_16(type)};
	return offset + sizeof(*ether) + sizeof(*vlan);
}

static uint16_t add_ipv4(uint16_t offset, uint8_t protocol)
{
	struct rte_ipv4_hdr *ip = (void *)(large.bytes + offset);

	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
		.packet_id = RTE_BE16(IDENTIFICATION),
		.time_to_live = 64,
		.next_proto_id = protocol,
		.src_addr = VTEP_2,
		.dst_addr = VTEP_OWN};
	return offset + sizeof(*ip);
}

static uint16_t add_ipv6(uint16_t offset, uint8_t protocol)
{
	struct rte_ipv6_hdr *ip = (void *)(large.bytes + offset);

	*ip = (struct rte_ipv6_hdr){.vtc_flow = RTE_BE32(6u << 28),
		.proto = protocol,
		.hop_limits = 64,
		.src_addr = {0xfd, [15] = 2},
		.dst_addr = {0xfd, [15] = 1}};
	return offset + sizeof(*ip);
}

static uint16_t add_tunnel(uint16_t offset)
{
	struct rte_udp_hdr *udp;
	struct rte_vxlan_hdr *vxlan;

	large.outer_ip = add_ether(offset, RTE_ETHER_TYPE_IPV4, false);
	udp = (void *)(large.bytes + add_ipv4(large.outer_ip, IPPROTO_UDP));
	vxlan = (void *)(udp + 1);
	*udp = (struct rte_udp_hdr){
		.src_port = RTE_BE16(50000), .dst_port = RTE_BE16(4789), .dgram_cksum = 0x1234};
	*vxlan = (struct rte_vxlan_hdr){.vx_flags = VXLAN_FLAG_I, .vx_vni = RTE_BE32(100 << 8)};
	return (uint8_t *)(vxlan + 1) - large.bytes;
}

static uint16_t add_tcp(uint16_t offset, const struct wish *wish)
{
	struct rte_tcp_hdr *tcp = (void *)(large.bytes + offset);
	uint16_t length = sizeof(*tcp) + wish->options;

	memset(tcp, 1, length); /* 1 is "no operation" */
	tcp->sent_seq = RTE_BE32(SEQUENCE);
	tcp->data_off = length / 4 << 4;
	tcp->tcp_flags = RTE_TCP_ACK_FLAG | wish->flags;
	return offset + length;
}

static uint16_t add_udp(uint16_t offset)
{
	struct rte_udp_hdr *udp = (void *)(large.bytes + offset);

	*udp = (struct rte_udp_hdr){.src_port = RTE_BE16(1), .dst_port = RTE_BE16(2)};
	return offset + sizeof(*udp);
}

static void describe(const struct wish *wish)
{
	large.header = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = wish->udp	 ? GSO_UDP_L4
			    : wish->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6
					 : VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = large.headers,
		.gso_size = SEGMENT,
		.csum_start = large.transport,
		.csum_offset = wish->udp ? offsetof(struct rte_udp_hdr, dgram_cksum)
					 : offsetof(struct rte_tcp_hdr, cksum)};
}

static void make_large(struct wish wish)
{
	uint8_t protocol = wish.udp ? IPPROTO_UDP : IPPROTO_TCP;
	uint16_t type = wish.ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4;

	large.tunnel = wish.tunnel;
	large.ipv6 = wish.ipv6;
	large.udp = wish.udp;
	large.ip = add_ether(wish.tunnel ? add_tunnel(0) : 0, type, wish.tag);
	large.transport = wish.ipv6 ? add_ipv6(large.ip, protocol) : add_ipv4(large.ip, protocol);
	large.headers = wish.udp ? add_udp(large.transport) : add_tcp(large.transport, &wish);
	large.length = large.headers + wish.payload;
	for (uint32_t i = 0; i < wish.payload; i++)
		large.bytes[large.headers + i] = (uint8_t)(i * 7 + (i >> 8));
	describe(&wish);
}

/* ---- what is made of it ---- */

static uint8_t part[4096];
static uint32_t part_length;

static void read_part(struct rte_mbuf *mbuf)
{
	assert_non_null(mbuf);
	rte_mbuf_sanity_check(mbuf, 1);
	part_length = mbuf->pkt_len;
	assert_true(part_length <= sizeof(part));
	for (struct rte_mbuf *segment = mbuf; segment != NULL; segment = segment->next) {
		memcpy(part + part_length - mbuf->pkt_len, rte_pktmbuf_mtod(segment, void *),
			segment->data_len);
		mbuf->pkt_len -= segment->data_len;
	}
	assert_int_equal(mbuf->pkt_len, 0);
	mbuf->pkt_len = part_length;
	rte_pktmbuf_free(mbuf);
}

static void assert_ipv4(uint16_t offset, uint16_t i)
{
	const struct rte_ipv4_hdr *ip = (void *)(part + offset);

	assert_int_equal(rte_be_to_cpu_16(ip->total_length), part_length - offset);
	assert_int_equal(rte_be_to_cpu_16(ip->packet_id), (uint16_t)(IDENTIFICATION + i));
	assert_int_equal(rte_raw_cksum(ip, sizeof(*ip)), 0xffff);
	assert_int_equal(ip->src_addr, VTEP_2);
}

/* DPDK's own judgement: 0 is right. */
static int verify(void)
{
	const void *ip = part + large.ip, *transport = part + large.transport;

	return large.ipv6 ? rte_ipv6_udptcp_cksum_verify(ip, transport)
			  : rte_ipv4_udptcp_cksum_verify(ip, transport);
}

static void assert_ip(uint16_t i)
{
	const struct rte_ipv6_hdr *ip = (void *)(part + large.ip);

	if (!large.ipv6)
		return assert_ipv4(large.ip, i);
	assert_int_equal(rte_be_to_cpu_16(ip->payload_len), part_length - large.ip - sizeof(*ip));
}

static void assert_tunnel(uint16_t i)
{
	uint16_t offset = large.outer_ip + sizeof(struct rte_ipv4_hdr);
	const struct rte_udp_hdr *udp = (void *)(part + offset);

	assert_ipv4(large.outer_ip, i);
	assert_int_equal(rte_be_to_cpu_16(udp->dgram_len), part_length - offset);
	assert_int_equal(udp->dgram_cksum, 0);
	assert_memory_equal(
		udp + 1, large.bytes + offset + sizeof(*udp), large.ip - offset - sizeof(*udp));
}

static void assert_tcp(uint16_t i, bool last)
{
	const struct rte_tcp_hdr *tcp = (void *)(part + large.transport);
	const struct rte_tcp_hdr *whole = (void *)(large.bytes + large.transport);
	uint8_t flags = whole->tcp_flags;

	if (!last)
		flags &= ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
	if (i > 0)
		flags &= ~RTE_TCP_CWR_FLAG;
	assert_int_equal(rte_be_to_cpu_32(tcp->sent_seq), SEQUENCE + i * SEGMENT);
	assert_int_equal(tcp->tcp_flags, flags);
	assert_memory_equal(tcp + 1, whole + 1, large.headers - large.transport - sizeof(*tcp));
}

static void assert_udp(void)
{
	const struct rte_udp_hdr *udp = (void *)(part + large.transport);

	assert_int_equal(rte_be_to_cpu_16(udp->dgram_len), part_length - large.transport);
	assert_int_not_equal(udp->dgram_cksum, 0);
}

static void assert_part(uint16_t i, uint32_t done)
{
	uint32_t left = large.length - large.headers - done;
	uint32_t payload = RTE_MIN(left, (uint32_t)SEGMENT);

	assert_int_equal(part_length, large.headers + payload);
	assert_memory_equal(part + large.headers, large.bytes + large.headers + done, payload);
	if (large.tunnel)
		assert_tunnel(i);
	assert_ip(i);
	if (large.udp)
		assert_udp();
	else
		assert_tcp(i, payload == left);
	assert_int_equal(verify(), 0);
}

static void assert_cut(struct rte_mempool *from)
{
	static struct large before;
	struct cut cut;
	uint16_t i = 0;

	before = large;
	cut_begin(&cut, large.bytes, large.length, &large.header);
	for (uint32_t done = 0; done < large.length - large.headers; done += SEGMENT) {
		assert_false(cut_is_done(&cut));
		read_part(cut_next(&cut, from));
		assert_part(i++, done);
	}
	assert_true(cut_is_done(&cut));
	assert_memory_equal(&before, &large, sizeof(large));
}

/* ---- tests ---- */

static void every_kind_is_cut(void **state)
{
	(void)state;
	for (int kind = 0; kind < 16; kind++) {
		struct wish wish = {.tunnel = kind & 1,
			.tag = kind & 2,
			.ipv6 = kind & 4,
			.udp = kind & 8,
			.payload = LONGEST};

		make_large(wish);
		assert_cut(pool);
		assert_cut(small_pool);
	}
}

static void every_length_is_cut(void **state)
{
	static const uint32_t lengths[] = {1, 2, 3, SEGMENT - 1, SEGMENT, SEGMENT + 1,
		2 * SEGMENT - 1, 2 * SEGMENT, 2 * SEGMENT + 1, LONGEST - 1};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(lengths); i++) {
		make_large((struct wish){.tunnel = true, .payload = lengths[i]});
		assert_cut(pool);
	}
}

static void options_and_flags_are_where_they_belong(void **state)
{
	static const uint8_t flags[] = {RTE_TCP_PSH_FLAG, RTE_TCP_FIN_FLAG, RTE_TCP_CWR_FLAG,
		RTE_TCP_ECE_FLAG, RTE_TCP_PSH_FLAG | RTE_TCP_FIN_FLAG | RTE_TCP_CWR_FLAG};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(flags); i++) {
		make_large((struct wish){.tunnel = true,
			.options = i * 8 + 4,
			.flags = flags[i],
			.payload = 3 * SEGMENT});
		large.header.gso_type |= i % 2 ? VIRTIO_NET_HDR_GSO_ECN : 0;
		assert_cut(pool);
	}
}

/* Something whole comes out, and no byte beyond the frame is read. */
static void assert_whole(void)
{
	static uint8_t copy[sizeof(large.bytes)];
	struct rte_mbuf *frame = mbuf_of(large.bytes, large.length);
	struct rte_mbuf *mbuf;
	struct cut cut;

	cut_begin(&cut, rte_pktmbuf_mtod(frame, void *), large.length, &large.header);
	mbuf = cut_next(&cut, pool);
	assert_true(cut_is_done(&cut));
	assert_non_null(mbuf);
	rte_mbuf_sanity_check(mbuf, 1);
	assert_int_equal(mbuf->pkt_len, large.length);
	assert_memory_equal(
		rte_pktmbuf_read(mbuf, 0, large.length, copy), large.bytes, large.transport);
	rte_pktmbuf_free(mbuf);
}

static void what_cannot_be_cut_stays_whole(void **state)
{
	const struct wish wish = {.tunnel = true, .payload = 5000};

	(void)state;
	make_large(wish);
	large.header.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	assert_whole();
	make_large(wish);
	large.header.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	assert_whole();
	make_large(wish);
	large.header.gso_size = 0;
	assert_whole();
	make_large(wish);
	large.header.flags = 0;
	assert_whole();
	make_large(wish);
	large.bytes[large.outer_ip + offsetof(struct rte_ipv4_hdr, next_proto_id)] = IPPROTO_GRE;
	assert_whole();
	make_large(wish);
	large.bytes[large.outer_ip] = 0x46;
	assert_whole();
	make_large(wish);
	large.bytes[large.transport + offsetof(struct rte_tcp_hdr, data_off)] = 0x40;
	assert_whole();
	make_large(wish);
	large.bytes[large.outer_ip - 1] = 0x06;
	assert_whole();
	make_large((struct wish){.udp = true, .payload = 5000});
	large.header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	large.header.csum_offset = offsetof(struct rte_tcp_hdr, cksum);
	assert_whole();
}

/* The kernel's word is not believed where it would lead out of the frame. */
static void nothing_beyond_the_frame_is_touched(void **state)
{
	(void)state;
	for (uint32_t length = 1; length < 300; length++) {
		make_large((struct wish){.tunnel = true, .payload = 1});
		large.length = RTE_MIN(length, large.length);
		large.transport = 0;
		assert_whole();
	}
	for (int start = 0; start <= UINT16_MAX; start += 251) {
		make_large((struct wish){.tunnel = true, .payload = 600});
		if (start == large.transport)
			continue;
		large.transport = 0;
		large.header.csum_start = start;
		assert_whole();
		large.header.csum_offset = UINT16_MAX - start;
		assert_whole();
	}
}

static void a_small_frame_gets_its_checksum(void **state)
{
	static const uint32_t lengths[] = {1, 2, 100, 101, SEGMENT};

	(void)state;
	for (int kind = 0; kind < 4; kind++)
		for (size_t i = 0; i < RTE_DIM(lengths); i++) {
			struct rte_mbuf *mbuf;
			uint16_t sum;

			make_large((struct wish){
				.tunnel = true, .udp = kind & 1, .payload = lengths[i]});
			((struct rte_ipv4_hdr *)(large.bytes + large.ip))->total_length =
				rte_cpu_to_be_16(large.length - large.ip);
			sum = rte_ipv4_phdr_cksum((void *)(large.bytes + large.ip), 0);
			if (large.udp)
				((struct rte_udp_hdr *)(large.bytes + large.transport))->dgram_len =
					rte_cpu_to_be_16(large.length - large.transport);
			memcpy(large.bytes + large.transport + large.header.csum_offset, &sum,
				sizeof(sum));
			large.header.gso_type = VIRTIO_NET_HDR_GSO_NONE;
			mbuf = cut_none(large.bytes, large.length, &large.header,
				kind & 2 ? small_pool : pool);
			read_part(mbuf);
			assert_int_equal(part_length, large.length);
			assert_int_equal(verify(), 0);
		}
}

/* Nothing is lost or made twice when mbufs are short: it goes on where it was. */
static void it_waits_for_mbufs(void **state)
{
	struct rte_mbuf *taken[POOL];
	struct cut cut;
	uint16_t i = 0;

	(void)state;
	make_large((struct wish){.tunnel = true, .payload = LONGEST});
	cut_begin(&cut, large.bytes, large.length, &large.header);
	for (uint32_t done = 0; done < LONGEST; done += SEGMENT) {
		uint32_t left = rte_mempool_avail_count(small_pool);

		/* One mbuf is not enough for a segment. */
		assert_int_equal(rte_pktmbuf_alloc_bulk(small_pool, taken, left - 1), 0);
		assert_null(cut_next(&cut, small_pool));
		assert_int_equal(rte_mempool_avail_count(small_pool), 1);
		rte_pktmbuf_free_bulk(taken, left - 1);
		read_part(cut_next(&cut, small_pool));
		assert_part(i++, done);
	}
	assert_true(cut_is_done(&cut));
}

/* ---- environment ---- */

static int environment_make(void **state)
{
	if (fixture_start_eal(state) != 0)
		return -1;
	pool = rte_pktmbuf_pool_create("test", POOL, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	small_pool =
		rte_pktmbuf_pool_create("small", POOL, 0, 0, RTE_PKTMBUF_HEADROOM + SMALL_ROOM, 0);
	return pool != NULL && small_pool != NULL ? 0 : -1;
}

static int nothing_is_left(void **state)
{
	fixture_free(state);
	return rte_mempool_avail_count(pool) == POOL && rte_mempool_avail_count(small_pool) == POOL
		       ? 0
		       : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, nothing_is_left)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_kind_is_cut),
		TEST(every_length_is_cut),
		TEST(options_and_flags_are_where_they_belong),
		TEST(what_cannot_be_cut_stays_whole),
		TEST(nothing_beyond_the_frame_is_touched),
		TEST(a_small_frame_gets_its_checksum),
		TEST(it_waits_for_mbufs),
	};

	return cmocka_run_group_tests_name("cut", tests, environment_make, NULL);
}
