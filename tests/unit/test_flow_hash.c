/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include "steer/flow_hash.h"

#define BUCKETS 64
#define FLOWS 6400

/* The chi-square sum of 64 even buckets is above this once in some 10^5 draws. */
#define UNEVEN 120

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

/* What is wrong with the evenness over the low or the high bits of FLOWS flows. */
static double unevenness(void (*change)(struct ipv4_frame *frame, uint16_t i), int shift)
{
	static struct rte_mbuf mbuf;
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);
	unsigned int counts[BUCKETS] = {0};
	double mean = (double)FLOWS / BUCKETS, sum = 0;

	mbuf = (struct rte_mbuf){
		.buf_addr = &frame, .data_len = sizeof(frame), .pkt_len = sizeof(frame)};
	for (uint16_t i = 0; i < FLOWS; i++) {
		change(&frame, i);
		counts[flow_hash(&mbuf) >> shift & (BUCKETS - 1)]++;
	}
	for (int i = 0; i < BUCKETS; i++)
		sum += (counts[i] - mean) * (counts[i] - mean) / mean;
	return sum;
}

static void next_source_port(struct ipv4_frame *frame, uint16_t i)
{
	frame->udp.src_port = rte_cpu_to_be_16(30000 + i);
}

static void next_destination_port(struct ipv4_frame *frame, uint16_t i)
{
	frame->udp.dst_port = rte_cpu_to_be_16(30000 + i);
}

static void next_source(struct ipv4_frame *frame, uint16_t i)
{
	frame->ip.src_addr = rte_cpu_to_be_32(0x0a000000 + i);
}

static void next_destination(struct ipv4_frame *frame, uint16_t i)
{
	frame->ip.dst_addr = rte_cpu_to_be_32(0x0a000000 + i);
}

static void next_of_both(struct ipv4_frame *frame, uint16_t i)
{
	frame->ip.src_addr = rte_cpu_to_be_32(0x0a000000 + i);
	frame->udp.src_port = rte_cpu_to_be_16(30000 + i);
}

static void every_second_port(struct ipv4_frame *frame, uint16_t i)
{
	frame->udp.src_port = rte_cpu_to_be_16(30000 + 2 * i);
}

static void sequential_flows_spread_evenly(void **state)
{
	static void (*const changes[])(struct ipv4_frame *, uint16_t) = {next_source_port,
		next_destination_port, next_source, next_destination, next_of_both,
		every_second_port};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(changes); i++) {
		assert_true(unevenness(changes[i], 0) < UNEVEN);
		assert_true(unevenness(changes[i], 26) < UNEVEN);
	}
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
		TEST(sequential_flows_spread_evenly),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
