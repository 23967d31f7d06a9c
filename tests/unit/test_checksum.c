/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include "base/checksum.h"

/* RFC 1071, from the words of RFC 768 and 793: over pseudo header and segment. */
static uint16_t reference(
	const uint8_t *addresses, size_t n, uint8_t protocol, const uint8_t *segment, size_t length)
{
	uint64_t sum = protocol + length;

	for (size_t i = 0; i < n; i += 2)
		sum += addresses[i] << 8 | addresses[i + 1];
	for (size_t i = 0; i < length; i++)
		sum += i % 2 ? segment[i] : segment[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static uint16_t reference_ipv4(const struct ipv4_frame *frame)
{
	return reference((const uint8_t *)&frame->ip.src_addr, 8, frame->ip.next_proto_id,
		frame->payload, PAYLOAD);
}

static uint16_t reference_ipv6(const struct ipv6_frame *frame)
{
	return reference(frame->ip.src_addr, 32, frame->ip.proto, frame->payload, PAYLOAD);
}

/* The field's value after completion, host order; the rest of the frame must be as before. */
static uint16_t complete(void *frame, uint16_t length, uint16_t field)
{
	struct rte_mbuf *mbuf = mbuf_of(frame, length);
	rte_be16_t out;

	assert_int_equal(checksum_complete(mbuf), 0);
	memcpy(&out, rte_pktmbuf_mtod(mbuf, char *) + field, sizeof(out));
	memcpy((char *)frame + field, &out, sizeof(out));
	assert_memory_equal(rte_pktmbuf_mtod(mbuf, void *), frame, length);
	return rte_be_to_cpu_16(out);
}

#define complete_frame(frame, kind, field) complete(&frame, sizeof(frame), offsetof(kind, field))

static void tcp_over_ipv4_is_completed(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_TCP);
	uint16_t expected;

	(void)state;
	frame.tcp.data_off = 0x50;
	frame.tcp.cksum = 0;
	expected = reference_ipv4(&frame);
	frame.tcp.cksum = rte_ipv4_phdr_cksum(&frame.ip, 0);
	assert_int_equal(complete_frame(frame, struct ipv4_frame, tcp.cksum), expected);
}

static void udp_over_ipv4_is_completed(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);
	uint16_t expected;

	(void)state;
	frame.udp.dgram_cksum = 0;
	expected = reference_ipv4(&frame);
	frame.udp.dgram_cksum = rte_ipv4_phdr_cksum(&frame.ip, 0);
	assert_int_equal(complete_frame(frame, struct ipv4_frame, udp.dgram_cksum), expected);
}

static void tcp_over_ipv6_is_completed(void **state)
{
	struct ipv6_frame frame = ipv6_frame(IPPROTO_TCP);
	uint16_t expected;

	(void)state;
	frame.tcp.data_off = 0x50;
	frame.tcp.cksum = 0;
	expected = reference_ipv6(&frame);
	frame.tcp.cksum = rte_ipv6_phdr_cksum(&frame.ip, 0);
	assert_int_equal(complete_frame(frame, struct ipv6_frame, tcp.cksum), expected);
}

static void udp_over_ipv6_is_completed(void **state)
{
	struct ipv6_frame frame = ipv6_frame(IPPROTO_UDP);
	uint16_t expected;

	(void)state;
	frame.udp.dgram_cksum = 0;
	expected = reference_ipv6(&frame);
	frame.udp.dgram_cksum = rte_ipv6_phdr_cksum(&frame.ip, 0);
	assert_int_equal(complete_frame(frame, struct ipv6_frame, udp.dgram_cksum), expected);
}

/* Zero would mean "no checksum" (RFC 768), in UDP only. */
static void a_sum_of_zero_is_all_ones_in_udp(void **state)
{
	struct ipv4_frame udp = ipv4_frame(IPPROTO_UDP), tcp = ipv4_frame(IPPROTO_TCP);
	uint8_t *last = &udp.payload[PAYLOAD - 2];
	uint16_t sum;

	(void)state;
	udp.udp.dgram_cksum = 0;
	last[0] = last[1] = 0;
	sum = reference_ipv4(&udp);
	last[0] = sum >> 8;
	last[1] = sum;
	udp.udp.dgram_cksum = rte_ipv4_phdr_cksum(&udp.ip, 0);
	assert_int_equal(complete_frame(udp, struct ipv4_frame, udp.dgram_cksum), 0xffff);
	tcp.tcp.data_off = 0x50;
	tcp.tcp.cksum = 0;
	last = &tcp.payload[PAYLOAD - 2];
	last[0] = last[1] = 0;
	sum = reference_ipv4(&tcp);
	last[0] = sum >> 8;
	last[1] = sum;
	tcp.tcp.cksum = rte_ipv4_phdr_cksum(&tcp.ip, 0);
	assert_int_equal(complete_frame(tcp, struct ipv4_frame, tcp.cksum), 0);
}

static void odd_lengths_are_completed(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);
	uint16_t length = sizeof(frame) - 1, expected;

	(void)state;
	frame.ip.total_length = rte_cpu_to_be_16(length - sizeof(frame.ether));
	frame.udp.dgram_cksum = 0;
	expected = reference(
		(const uint8_t *)&frame.ip.src_addr, 8, IPPROTO_UDP, frame.payload, PAYLOAD - 1);
	frame.udp.dgram_cksum = rte_ipv4_phdr_cksum(&frame.ip, 0);
	assert_int_equal(
		complete(&frame, length, offsetof(struct ipv4_frame, udp.dgram_cksum)), expected);
}

/* The segment may lie in several mbufs, and break anywhere, odd places too. */
static void chains_are_completed(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_TCP);
	uint16_t headers = offsetof(struct ipv4_frame, payload) + sizeof(frame.tcp), expected;

	(void)state;
	frame.tcp.data_off = 0x50;
	frame.tcp.cksum = 0;
	expected = reference_ipv4(&frame);
	frame.tcp.cksum = rte_ipv4_phdr_cksum(&frame.ip, 0);
	for (uint16_t cut = headers; cut < sizeof(frame); cut++) {
		struct rte_mbuf *mbuf = mbuf_of(&frame, cut);

		mbuf->next = mbuf_of((const char *)&frame + cut, sizeof(frame) - cut);
		mbuf->nb_segs = 2;
		mbuf->pkt_len = sizeof(frame);
		assert_int_equal(checksum_complete(mbuf), 0);
		assert_int_equal(
			rte_be_to_cpu_16(rte_pktmbuf_mtod(mbuf, struct ipv4_frame *)->tcp.cksum),
			expected);
	}
}

static void assert_untouched(const void *frame, uint16_t length)
{
	struct rte_mbuf *mbuf = mbuf_of(frame, length);

	assert_int_equal(checksum_complete(mbuf), -1);
	assert_memory_equal(rte_pktmbuf_mtod(mbuf, void *), frame, length);
}

static void what_has_no_such_header_is_left_alone(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_ICMP);
	struct arp_frame arp = arp_request();

	(void)state;
	assert_untouched(&frame, sizeof(frame));
	assert_untouched(&arp, sizeof(arp));
	frame = ipv4_frame(IPPROTO_UDP);
	frame.ip.fragment_offset = RTE_BE16(185);
	assert_untouched(&frame, sizeof(frame));
}

static void cut_frames_are_left_alone(void **state)
{
	struct ipv4_frame tcp = ipv4_frame(IPPROTO_TCP), udp = ipv4_frame(IPPROTO_UDP);
	uint16_t tcp_end = offsetof(struct ipv4_frame, tcp.cksum) + 2;
	uint16_t udp_end = offsetof(struct ipv4_frame, udp.dgram_cksum) + 2;

	(void)state;
	for (uint16_t length = RTE_ETHER_HDR_LEN; length < tcp_end; length++)
		assert_untouched(&tcp, length);
	for (uint16_t length = RTE_ETHER_HDR_LEN; length < udp_end; length++)
		assert_untouched(&udp, length);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tcp_over_ipv4_is_completed),
		TEST(udp_over_ipv4_is_completed),
		TEST(tcp_over_ipv6_is_completed),
		TEST(udp_over_ipv6_is_completed),
		TEST(a_sum_of_zero_is_all_ones_in_udp),
		TEST(odd_lengths_are_completed),
		TEST(chains_are_completed),
		TEST(what_has_no_such_header_is_left_alone),
		TEST(cut_frames_are_left_alone),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
