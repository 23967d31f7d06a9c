/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include <math.h>

#include "base/flow_hash.h"

#define FLOWS 6400

/* Outer headers of VTEP 2, and an inner frame. */
struct tunnelled_ipv4 {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	struct rte_vxlan_hdr vxlan;
	struct ipv4_frame inner;
} __rte_packed __rte_aligned(2);

static struct tunnelled_ipv4 tunnelled_ipv4(uint8_t protocol)
{
	struct vxlan_frame outer = vxlan_frame();
	struct tunnelled_ipv4 frame = {.inner = ipv4_frame(protocol)};

	memcpy(&frame, &outer, offsetof(struct tunnelled_ipv4, inner));
	return frame;
}

static uint32_t hash_of(const void *frame, uint16_t length)
{
	return flow_hash(mbuf_tight(frame, length));
}

#define hash_of_frame(frame) hash_of(&(frame), sizeof(frame))

static void a_flow_has_one_hash_and_others_have_others(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP), other = frame;
	uint32_t hash = hash_of_frame(frame);

	(void)state;
	other.payload[PAYLOAD - 1] ^= 1;
	other.ip.packet_id = 7;
	other.ip.time_to_live--;
	assert_int_equal(hash_of_frame(other), hash);
	other.udp.src_port ^= RTE_BE16(1);
	assert_int_not_equal(hash_of_frame(other), hash);
	other = frame;
	other.udp.dst_port ^= RTE_BE16(1);
	assert_int_not_equal(hash_of_frame(other), hash);
	other = frame;
	other.ip.src_addr ^= RTE_BE32(1);
	assert_int_not_equal(hash_of_frame(other), hash);
	other = frame;
	other.ip.dst_addr ^= RTE_BE32(1);
	assert_int_not_equal(hash_of_frame(other), hash);
	other = frame;
	other.ip.next_proto_id = IPPROTO_TCP;
	assert_int_not_equal(hash_of_frame(other), hash);
}

static void fragments_of_a_datagram_stay_together(void **state)
{
	struct ipv4_frame first = ipv4_frame(IPPROTO_UDP), later = first;

	(void)state;
	first.ip.fragment_offset = RTE_BE16(RTE_IPV4_HDR_MF_FLAG);
	later.ip.fragment_offset = RTE_BE16(185);
	memset(later.payload, 0x55, PAYLOAD); /* no ports in there */
	assert_int_equal(hash_of_frame(first), hash_of_frame(later));
}

static void ipv6_fragments_of_a_datagram_stay_together(void **state)
{
	struct ipv6_frame first = ipv6_frame(IPPROTO_FRAGMENT), later = first;

	(void)state;
	memset(later.payload, 0x55, PAYLOAD);
	assert_int_equal(hash_of_frame(first), hash_of_frame(later));
}

static void ipv6_flows_differ(void **state)
{
	struct ipv6_frame frame = ipv6_frame(IPPROTO_TCP), other = frame;

	(void)state;
	other.payload[PAYLOAD - 1] ^= 1;
	assert_int_equal(hash_of_frame(frame), hash_of_frame(other));
	other.tcp.src_port ^= RTE_BE16(1);
	assert_int_not_equal(hash_of_frame(frame), hash_of_frame(other));
	for (int i = 0; i < 16; i++) {
		other = frame;
		other.ip.src_addr[i] ^= 1;
		assert_int_not_equal(hash_of_frame(frame), hash_of_frame(other));
		other = frame;
		other.ip.dst_addr[i] ^= 1;
		assert_int_not_equal(hash_of_frame(frame), hash_of_frame(other));
	}
}

/* Puts `n` tags into the frame. */
static uint32_t hash_with_tags(const void *frame, uint16_t length, int n, uint8_t vlan)
{
	uint8_t bytes[256], tag[] = {0x81, 0x00, 0x00, vlan};
	uint16_t front = 2 * RTE_ETHER_ADDR_LEN;

	memcpy(bytes, frame, front);
	for (int i = 0; i < n; i++)
		memcpy(bytes + front + i * sizeof(tag), tag, sizeof(tag));
	memcpy(bytes + front + n * sizeof(tag), (const uint8_t *)frame + front, length - front);
	return hash_of(bytes, length + n * sizeof(tag));
}

static void vlan_tags_are_skipped(void **state)
{
	struct ipv4_frame ipv4 = ipv4_frame(IPPROTO_UDP);
	struct ipv6_frame ipv6 = ipv6_frame(IPPROTO_TCP);

	(void)state;
	for (int tags = 1; tags <= 2; tags++) {
		assert_int_equal(hash_with_tags(&ipv4, sizeof(ipv4), tags, 5), hash_of_frame(ipv4));
		assert_int_equal(hash_with_tags(&ipv6, sizeof(ipv6), tags, 5), hash_of_frame(ipv6));
	}
}

static void other_frames_hash_on_their_addresses(void **state)
{
	struct arp_frame frame = arp_request(), other = frame;

	(void)state;
	other.arp.arp_data.arp_tip = 1;
	assert_int_equal(hash_of_frame(frame), hash_of_frame(other));
	other.ether.src_addr = mac_1;
	assert_int_not_equal(hash_of_frame(frame), hash_of_frame(other));
}

/* Exact-size buffers: ASan sees what is read beyond them. */
static void cut_frames_are_not_read_beyond_their_end(void **state)
{
	struct ipv4_frame ipv4 = ipv4_frame(IPPROTO_TCP), options = ipv4;
	struct ipv6_frame ipv6 = ipv6_frame(IPPROTO_UDP);

	(void)state;
	options.ip.version_ihl = 0x4f;
	for (uint16_t length = 0; length < sizeof(ipv4); length++) {
		hash_of(&ipv4, length);
		hash_of(&options, length);
		hash_of(&ipv6, length);
		if (length >= 2 * RTE_ETHER_ADDR_LEN + 2)
			hash_with_tags(&ipv4, length, 2, 0);
	}
}

/* ---- packets of a tunnel ---- */

static uint32_t tunnelled_hash_of(const void *frame, uint16_t length)
{
	return flow_hash_tunnelled(mbuf_tight(frame, length));
}

static uint32_t outer_hash_of(const void *frame, uint16_t length)
{
	return flow_hash_outer_headers(mbuf_tight(frame, length));
}

/* Neither hash is one that an elephant may have. */
static void assert_untunnelled(const void *frame, uint16_t length)
{
	uint32_t group = hash_of(frame, length) % FLOW_GROUPS;

	assert_int_equal(tunnelled_hash_of(frame, length), group);
	assert_int_equal(outer_hash_of(frame, length), group);
}

/* The inner frame behind outer headers of `header` bytes of IPv4. */
static struct rte_mbuf *through_tunnel(
	uint32_t vni, uint8_t header, const void *inner, uint16_t length)
{
	struct vxlan_frame outer = vxlan_frame();
	uint16_t rest = sizeof(outer.udp) + sizeof(outer.vxlan);
	uint8_t bytes[512] = {0}, *end = bytes + sizeof(outer.ether) + header;

	outer.ip.version_ihl = 0x40 | header / 4;
	outer.vxlan.vx_vni = rte_cpu_to_be_32(vni << 8);
	memcpy(bytes, &outer, sizeof(outer.ether) + sizeof(outer.ip));
	memcpy(end, &outer.udp, rest);
	memcpy(end + rest, inner, length);
	return mbuf_tight(bytes, end + rest + length - bytes);
}

static uint32_t hash_through_tunnel(
	uint32_t vni, uint8_t header, const void *inner, uint16_t length)
{
	return flow_hash_tunnelled(through_tunnel(vni, header, inner, length));
}

static void the_hash_of_a_tunnelled_packet_is_that_of_the_inner_frame(void **state)
{
	struct ipv4_frame ipv4 = ipv4_frame(IPPROTO_UDP), fragment = ipv4;
	struct ipv6_frame ipv6 = ipv6_frame(IPPROTO_TCP);
	struct arp_frame arp = arp_request();

	(void)state;
	fragment.ip.fragment_offset = RTE_BE16(RTE_IPV4_HDR_MF_FLAG);
	for (uint8_t header = 20; header <= 60; header += 4) {
		assert_int_equal(
			hash_through_tunnel(0, header, &ipv4, sizeof(ipv4)), hash_of_frame(ipv4));
		assert_int_equal(hash_through_tunnel(0, header, &fragment, sizeof(fragment)),
			hash_of_frame(fragment));
		assert_int_equal(
			hash_through_tunnel(0, header, &ipv6, sizeof(ipv6)), hash_of_frame(ipv6));
		assert_int_equal(
			hash_through_tunnel(0, header, &arp, sizeof(arp)), hash_of_frame(arp));
	}
}

/* One network's flows and fragments stay together, whatever VTEP and outer port they come by. */
static void only_the_network_counts_of_the_outer_headers(void **state)
{
	struct tunnelled_ipv4 frame = tunnelled_ipv4(IPPROTO_UDP), other = frame;
	uint32_t hash = tunnelled_hash_of(&frame, sizeof(frame));

	(void)state;
	other.ether.src_addr = mac_unknown;
	other.ip.src_addr = VTEP_3;
	other.ip.packet_id = 7;
	other.udp.src_port ^= RTE_BE16(1);
	other.udp.dst_port = RTE_BE16(8472);
	other.vxlan.vx_vni ^= RTE_BE32(1); /* reserved */
	assert_int_equal(tunnelled_hash_of(&other, sizeof(other)), hash);
	for (int bit = 8; bit < 32; bit++) {
		other = frame;
		other.vxlan.vx_vni ^= RTE_BE32(1U << bit);
		assert_int_not_equal(tunnelled_hash_of(&other, sizeof(other)), hash);
	}
}

static void what_is_no_tunnelled_packet_has_a_flow_group_of_its_own_headers(void **state)
{
	struct vxlan_frame frame = vxlan_frame(), other = frame;
	struct arp_frame arp = arp_request();
	struct ipv4_frame echo = echo_request();

	(void)state;
	assert_untunnelled(&arp, sizeof(arp));
	assert_untunnelled(&echo, sizeof(echo));
	other.ip.fragment_offset = RTE_BE16(185);
	assert_untunnelled(&other, sizeof(other));
	other.ip.fragment_offset = RTE_BE16(RTE_IPV4_HDR_MF_FLAG);
	assert_untunnelled(&other, sizeof(other));
	other = frame;
	other.ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV6);
	assert_untunnelled(&other, sizeof(other));
	for (uint16_t length = 0; length < offsetof(struct vxlan_frame, payload); length++)
		assert_untunnelled(&frame, length);
}

static void cut_tunnelled_packets_are_not_read_beyond_their_end(void **state)
{
	struct tunnelled_ipv4 frame = tunnelled_ipv4(IPPROTO_TCP), options = frame,
			      no_header = frame;
	struct ipv6_frame ipv6 = ipv6_frame(IPPROTO_UDP);

	(void)state;
	options.ip.version_ihl = 0x4f;
	no_header.ip.version_ihl = 0x40;
	for (uint16_t length = 0; length < sizeof(frame); length++) {
		tunnelled_hash_of(&frame, length);
		tunnelled_hash_of(&options, length);
		tunnelled_hash_of(&no_header, length);
		outer_hash_of(&frame, length);
		outer_hash_of(&options, length);
		outer_hash_of(&no_header, length);
	}
	for (uint16_t length = 0; length < sizeof(ipv6); length++)
		hash_through_tunnel(100, 20, &ipv6, length);
}

static void the_nics_hash_is_taken_where_it_covers_the_inner_headers(void **state)
{
	struct tunnelled_ipv4 frame = tunnelled_ipv4(IPPROTO_UDP);
	struct rte_mbuf *mbuf = mbuf_tight(&frame, sizeof(frame));
	uint32_t own = flow_hash_tunnelled(mbuf);

	(void)state;
	mbuf->hash.rss = 0x12345678;
	assert_int_equal(flow_hash_received(mbuf, false), own);
	assert_int_equal(flow_hash_received(mbuf, true), own);
	mbuf->ol_flags = RTE_MBUF_F_RX_RSS_HASH;
	assert_int_equal(flow_hash_received(mbuf, false), own);
	assert_int_equal(flow_hash_received(mbuf, true), flow_hash_mix(0x12345678));
}

/* ---- by the outer headers alone ---- */

static void assert_outer_hash_differs(const struct tunnelled_ipv4 *frame)
{
	uint32_t hash = outer_hash_of(frame, sizeof(*frame));
	struct tunnelled_ipv4 other = *frame;

	other.ip.src_addr = VTEP_3;
	assert_int_not_equal(outer_hash_of(&other, sizeof(other)), hash);
	other = *frame;
	other.udp.src_port ^= RTE_BE16(1);
	assert_int_not_equal(outer_hash_of(&other, sizeof(other)), hash);
	other = *frame;
	other.udp.dst_port ^= RTE_BE16(1);
	assert_int_not_equal(outer_hash_of(&other, sizeof(other)), hash);
}

static void the_senders_address_and_the_ports_tell_tunnelled_flows_apart(void **state)
{
	struct tunnelled_ipv4 frame = tunnelled_ipv4(IPPROTO_UDP);

	(void)state;
	for (uint32_t port = 49152; port <= UINT16_MAX; port += 509) {
		frame.udp.src_port = rte_cpu_to_be_16(port);
		assert_outer_hash_differs(&frame);
	}
}

static void nothing_else_does(void **state)
{
	struct tunnelled_ipv4 frame = tunnelled_ipv4(IPPROTO_UDP), other = frame;
	uint32_t hash = outer_hash_of(&frame, sizeof(frame));

	(void)state;
	other.ether.src_addr = mac_unknown;
	other.ip.dst_addr = VTEP_3;
	other.ip.packet_id = 7;
	other.ip.time_to_live--;
	other.udp.dgram_cksum = 7;
	other.vxlan.vx_vni ^= RTE_BE32(1 << 8);
	memset(&other.inner, 0x55, sizeof(other.inner));
	assert_int_equal(outer_hash_of(&other, sizeof(other)), hash);
	for (uint8_t header = 20; header <= 60; header += 4)
		assert_int_equal(flow_hash_outer_headers(through_tunnel(
					 100, header, &frame.inner, sizeof(frame.inner))),
			hash);
}

/* The frame says that it is longer than its memory: ASan sees what is read beyond that. */
static void the_outer_hash_reads_no_more_than_the_first_cache_line(void **state)
{
	struct tunnelled_ipv4 frame = tunnelled_ipv4(IPPROTO_UDP);
	struct rte_mbuf *mbuf = mbuf_tight(&frame, RTE_CACHE_LINE_SIZE);

	(void)state;
	mbuf->data_len = mbuf->pkt_len = sizeof(frame);
	assert_int_equal(flow_hash_outer_headers(mbuf), outer_hash_of(&frame, sizeof(frame)));
}

static void the_nics_hash_is_taken_where_it_covers_the_outer_headers(void **state)
{
	struct tunnelled_ipv4 frame = tunnelled_ipv4(IPPROTO_UDP);
	struct rte_mbuf *mbuf = mbuf_tight(&frame, sizeof(frame));
	uint32_t own = flow_hash_outer_headers(mbuf);

	(void)state;
	mbuf->hash.rss = 0x12345678;
	assert_int_equal(flow_hash_outer(mbuf, false), own);
	assert_int_equal(flow_hash_outer(mbuf, true), own);
	mbuf->ol_flags = RTE_MBUF_F_RX_RSS_HASH;
	assert_int_equal(flow_hash_outer(mbuf, false), own);
	assert_int_equal(flow_hash_outer(mbuf, true), flow_hash_mix(0x12345678));
}

/* ---- evenness ---- */

/* A way to number the flows of a tunnel. */
typedef void change_t(struct tunnelled_ipv4 *frame, uint16_t i);

static double chi_square(const unsigned int *counts, unsigned int n)
{
	double mean = (double)FLOWS / n, sum = 0;

	for (unsigned int i = 0; i < n; i++)
		sum += (counts[i] - mean) * (counts[i] - mean) / mean;
	return sum;
}

/* What an even hash stays below but once in some 10^5 draws: five standard deviations, and what
 * the distribution's skewness adds where there are few buckets. */
static double chi_square_bound(unsigned int n)
{
	return n - 1 + 5 * sqrt(2 * (n - 1)) + 10;
}

static void hash_flows(
	change_t *change, uint32_t (*function)(const struct rte_mbuf *mbuf), uint32_t *hashes)
{
	static struct rte_mbuf mbuf;
	struct tunnelled_ipv4 frame = tunnelled_ipv4(IPPROTO_UDP);

	mbuf = (struct rte_mbuf){
		.buf_addr = &frame, .data_len = sizeof(frame), .pkt_len = sizeof(frame)};
	for (uint16_t i = 0; i < FLOWS; i++) {
		change(&frame, i);
		hashes[i] = function(&mbuf);
	}
}

static void assert_even(const uint32_t *hashes, int shift, unsigned int n)
{
	unsigned int counts[256] = {0};

	for (unsigned int i = 0; i < FLOWS; i++)
		counts[(hashes[i] >> shift) % n]++;
	assert_true(chi_square(counts, n) < chi_square_bound(n));
}

static void next_source_port(struct tunnelled_ipv4 *frame, uint16_t i)
{
	frame->inner.udp.src_port = rte_cpu_to_be_16(30000 + i);
}

static void next_destination_port(struct tunnelled_ipv4 *frame, uint16_t i)
{
	frame->inner.udp.dst_port = rte_cpu_to_be_16(30000 + i);
}

static void next_source(struct tunnelled_ipv4 *frame, uint16_t i)
{
	frame->inner.ip.src_addr = rte_cpu_to_be_32(0x0a000000 + i);
}

static void next_destination(struct tunnelled_ipv4 *frame, uint16_t i)
{
	frame->inner.ip.dst_addr = rte_cpu_to_be_32(0x0a000000 + i);
}

static void next_of_both(struct tunnelled_ipv4 *frame, uint16_t i)
{
	frame->inner.ip.src_addr = rte_cpu_to_be_32(0x0a000000 + i);
	frame->inner.udp.src_port = rte_cpu_to_be_16(30000 + i);
}

static void every_second_port(struct tunnelled_ipv4 *frame, uint16_t i)
{
	frame->inner.udp.src_port = rte_cpu_to_be_16(30000 + 2 * i);
}

static void next_network(struct tunnelled_ipv4 *frame, uint16_t i)
{
	frame->vxlan.vx_vni = rte_cpu_to_be_32((100 + i) << 8);
}

static void next_tunnel_port(struct tunnelled_ipv4 *frame, uint16_t i)
{
	frame->udp.src_port = rte_cpu_to_be_16(49152 + i);
}

static void every_second_tunnel_port(struct tunnelled_ipv4 *frame, uint16_t i)
{
	frame->udp.src_port = rte_cpu_to_be_16(49152 + 2 * i);
}

static void next_vtep(struct tunnelled_ipv4 *frame, uint16_t i)
{
	frame->ip.src_addr = rte_cpu_to_be_32(0x0a000000 + i);
}

/* Flow groups are the low bits, queues and policies take the remainder. */
static void assert_flows_spread_evenly(
	change_t *change, uint32_t (*function)(const struct rte_mbuf *mbuf))
{
	static uint32_t hashes[FLOWS];

	hash_flows(change, function, hashes);
	assert_even(hashes, 0, 256);
	assert_even(hashes, 24, 256);
	for (unsigned int n = 2; n <= 20; n++)
		assert_even(hashes, 0, n);
}

static void sequential_flows_spread_evenly(void **state)
{
	static change_t *const changes[] = {next_source_port, next_destination_port, next_source,
		next_destination, next_of_both, every_second_port, next_network};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(changes); i++)
		assert_flows_spread_evenly(changes[i], flow_hash_tunnelled);
}

static void sequential_source_ports_of_the_tunnel_spread_evenly(void **state)
{
	static change_t *const changes[] = {next_tunnel_port, every_second_tunnel_port, next_vtep};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(changes); i++)
		assert_flows_spread_evenly(changes[i], flow_hash_outer_headers);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_flow_has_one_hash_and_others_have_others),
		TEST(fragments_of_a_datagram_stay_together),
		TEST(ipv6_fragments_of_a_datagram_stay_together),
		TEST(ipv6_flows_differ),
		TEST(vlan_tags_are_skipped),
		TEST(other_frames_hash_on_their_addresses),
		TEST(cut_frames_are_not_read_beyond_their_end),
		TEST(the_hash_of_a_tunnelled_packet_is_that_of_the_inner_frame),
		TEST(only_the_network_counts_of_the_outer_headers),
		TEST(what_is_no_tunnelled_packet_has_a_flow_group_of_its_own_headers),
		TEST(cut_tunnelled_packets_are_not_read_beyond_their_end),
		TEST(the_nics_hash_is_taken_where_it_covers_the_inner_headers),
		TEST(the_senders_address_and_the_ports_tell_tunnelled_flows_apart),
		TEST(nothing_else_does),
		TEST(the_outer_hash_reads_no_more_than_the_first_cache_line),
		TEST(the_nics_hash_is_taken_where_it_covers_the_outer_headers),
		TEST(sequential_flows_spread_evenly),
		TEST(sequential_source_ports_of_the_tunnel_spread_evenly),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
