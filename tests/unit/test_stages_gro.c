/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

static uint16_t gro_of(const void *frame, uint16_t length)
{
	return verdict_of(&gro_stage, mbuf_of(frame, length));
}

static uint16_t gro_of_vxlan(const struct vxlan_frame *frame)
{
	return gro_of(frame, sizeof(*frame));
}

static void vxlan_goes_on(void **state)
{
	struct vxlan_frame frame = vxlan_frame();

	(void)state;
	assert_int_equal(gro_of_vxlan(&frame), EXIT_MAIN);
	frame.ether.dst_addr = mac_broadcast;
	assert_int_equal(gro_of_vxlan(&frame), EXIT_MAIN);
}

static void arp_and_icmp_go_to_the_vtep(void **state)
{
	struct arp_frame arp = arp_request();
	struct ipv4_frame echo = echo_request();

	(void)state;
	assert_exit(gro_of(&arp, sizeof(arp)), gro, "host");
	assert_exit(gro_of(&echo, sizeof(echo)), gro, "host");
}

static void padding_is_cut_off(void **state)
{
	struct vxlan_frame frame = vxlan_frame();
	struct rte_mbuf *mbuf;

	(void)state;
	frame.udp.dgram_len = RTE_BE16(sizeof(frame) - offsetof(struct vxlan_frame, udp) - 10);
	mbuf = mbuf_of(&frame, sizeof(frame));
	assert_exit(verdict_of(&gro_stage, mbuf), gro, "tunnelled");
	assert_int_equal(mbuf->pkt_len, sizeof(frame) - 10);
}

static void a_frame_ends_within_the_ethernet_header(void **state)
{
	struct vxlan_frame frame = vxlan_frame();

	(void)state;
	for (uint16_t length = 0; length < sizeof(frame.ether); length++)
		assert_drop(gro_of(&frame, length), "outer_truncated");
	assert_drop(gro_of(&frame, sizeof(frame.ether)), "outer_ipv4_truncated");
}

static void tags_are_not_taken(void **state)
{
	struct vxlan_frame frame = vxlan_frame();
	struct rte_mbuf *mbuf = mbuf_of(&frame, sizeof(frame));

	(void)state;
	mbuf->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	assert_drop(verdict_of(&gro_stage, mbuf), "outer_vlan");
	frame.ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
	assert_drop(gro_of_vxlan(&frame), "outer_vlan");
	frame.ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_QINQ);
	assert_drop(gro_of_vxlan(&frame), "outer_vlan");
}

static void frames_for_others_are_not_taken(void **state)
{
	struct vxlan_frame frame = vxlan_frame();

	(void)state;
	frame.ether.dst_addr = mac_vtep_2;
	assert_drop(gro_of_vxlan(&frame), "outer_mac");
	frame.ether.dst_addr = (struct rte_ether_addr){{0x01, 0, 0x5e, 0, 0, 1}};
	assert_drop(gro_of_vxlan(&frame), "outer_mac");
}

static void other_ethertypes_are_not_taken(void **state)
{
	struct vxlan_frame frame = vxlan_frame();

	(void)state;
	frame.ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV6);
	assert_drop(gro_of_vxlan(&frame), "outer_ipv6");
	frame.ether.ether_type = RTE_BE16(0x88cc);
	assert_drop(gro_of_vxlan(&frame), "outer_ethertype");
}

static void the_ipv4_header_must_be_there(void **state)
{
	struct vxlan_frame frame = vxlan_frame();
	uint16_t end = offsetof(struct vxlan_frame, udp);

	(void)state;
	assert_drop(gro_of(&frame, end - 1), "outer_ipv4_truncated");
	frame.ip.version_ihl = 0x4f; /* 60 bytes, of which 20 are there */
	assert_drop(gro_of(&frame, end), "outer_ipv4_truncated");
	frame.ip.version_ihl = 0x44;
	assert_drop(gro_of_vxlan(&frame), "outer_ipv4_header");
	frame.ip.version_ihl = 0x65;
	assert_drop(gro_of_vxlan(&frame), "outer_ipv4_header");
}

static void the_ipv4_length_must_fit(void **state)
{
	struct vxlan_frame frame = vxlan_frame();
	uint16_t all = sizeof(frame) - sizeof(frame.ether);

	(void)state;
	frame.ip.total_length = rte_cpu_to_be_16(all + 1);
	ipv4_finish(&frame.ip);
	assert_drop(gro_of_vxlan(&frame), "outer_ipv4_length");
	frame.ip.total_length = rte_cpu_to_be_16(sizeof(frame.ip) - 1);
	ipv4_finish(&frame.ip);
	assert_drop(gro_of_vxlan(&frame), "outer_ipv4_length");
}

static void the_ipv4_checksum_must_be_right(void **state)
{
	struct vxlan_frame frame = vxlan_frame();
	struct rte_mbuf *mbuf = mbuf_of(&frame, sizeof(frame));

	(void)state;
	mbuf->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_BAD;
	assert_drop(verdict_of(&gro_stage, mbuf), "outer_ipv4_checksum");
	frame.ip.hdr_checksum ^= RTE_BE16(1);
	assert_drop(gro_of_vxlan(&frame), "outer_ipv4_checksum");
	mbuf = mbuf_of(&frame, sizeof(frame));
	mbuf->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD; /* the NIC is believed */
	assert_exit(verdict_of(&gro_stage, mbuf), gro, "tunnelled");
}

static void the_source_must_be_another_host(void **state)
{
	static const rte_be32_t bad[] = {VTEP_OWN, 0, ADDRESS(127, 0, 0, 1), ADDRESS(224, 0, 0, 1),
		ADDRESS(255, 255, 255, 255)};
	struct vxlan_frame frame = vxlan_frame();

	(void)state;
	for (size_t i = 0; i < RTE_DIM(bad); i++) {
		frame.ip.src_addr = bad[i];
		ipv4_finish(&frame.ip);
		assert_drop(gro_of_vxlan(&frame), "outer_ipv4_source");
	}
}

static void the_destination_must_be_the_vtep(void **state)
{
	struct vxlan_frame frame = vxlan_frame();

	(void)state;
	frame.ip.dst_addr = VTEP_3;
	ipv4_finish(&frame.ip);
	assert_drop(gro_of_vxlan(&frame), "outer_ipv4_destination");
}

static void fragments_are_not_taken(void **state)
{
	static const uint16_t fields[] = {RTE_IPV4_HDR_MF_FLAG, 1, RTE_IPV4_HDR_MF_FLAG | 185};
	struct vxlan_frame frame = vxlan_frame();

	(void)state;
	for (size_t i = 0; i < RTE_DIM(fields); i++) {
		frame.ip.fragment_offset = rte_cpu_to_be_16(fields[i]);
		ipv4_finish(&frame.ip);
		assert_drop(gro_of_vxlan(&frame), "outer_fragment");
	}
}

static void other_protocols_are_not_taken(void **state)
{
	struct vxlan_frame frame = vxlan_frame();

	(void)state;
	frame.ip.next_proto_id = IPPROTO_TCP;
	ipv4_finish(&frame.ip);
	assert_drop(gro_of_vxlan(&frame), "outer_protocol");
}

static void the_udp_header_must_be_there(void **state)
{
	struct vxlan_frame frame = vxlan_frame();
	uint16_t length = offsetof(struct vxlan_frame, vxlan) - 1;

	(void)state;
	frame.ip.total_length = rte_cpu_to_be_16(length - sizeof(frame.ether));
	ipv4_finish(&frame.ip);
	assert_drop(gro_of(&frame, length), "outer_udp_truncated");
	assert_drop(gro_of_vxlan(&frame), "outer_udp_truncated"); /* the rest is padding */
}

static void the_udp_length_must_fit(void **state)
{
	struct vxlan_frame frame = vxlan_frame();
	uint16_t all = sizeof(frame) - offsetof(struct vxlan_frame, udp);

	(void)state;
	frame.udp.dgram_len = rte_cpu_to_be_16(all + 1);
	assert_drop(gro_of_vxlan(&frame), "outer_udp_length");
	frame.udp.dgram_len = rte_cpu_to_be_16(sizeof(frame.udp) - 1);
	assert_drop(gro_of_vxlan(&frame), "outer_udp_length");
}

static void a_bad_udp_checksum_is_the_nics_word(void **state)
{
	struct vxlan_frame frame = vxlan_frame();
	struct rte_mbuf *mbuf = mbuf_of(&frame, sizeof(frame));

	(void)state;
	mbuf->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_BAD;
	assert_drop(verdict_of(&gro_stage, mbuf), "outer_udp_checksum");
	frame.udp.dgram_cksum = RTE_BE16(0x1234); /* not looked at (RFC 7348) */
	assert_int_equal(gro_of_vxlan(&frame), EXIT_MAIN);
}

static void the_udp_port_must_be_a_networks(void **state)
{
	struct vxlan_frame frame = vxlan_frame();

	(void)state;
	frame.udp.dst_port = RTE_BE16(4790);
	assert_drop(gro_of_vxlan(&frame), "outer_udp_port");
	frame.udp.dst_port = RTE_BE16(8472);
	assert_int_equal(gro_of_vxlan(&frame), EXIT_MAIN);
}

/* Any frame cut anywhere gives a verdict from its own bytes. */
static void cut_frames_are_not_read_beyond_their_end(void **state)
{
	struct vxlan_frame frame = vxlan_frame();

	(void)state;
	for (uint16_t length = 0; length < sizeof(frame); length++)
		assert_in_range(
			gro_of(&frame, length), VERDICT_DROP, VERDICT_DROP + STAGE_DROPS_MAX - 1);
}

static void bursts_are_judged_packet_by_packet(void **state)
{
	(void)state;
	assert_burst_agrees(&gro_stage, vxlan_mbuf_alike);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(vxlan_goes_on),
		TEST(arp_and_icmp_go_to_the_vtep),
		TEST(padding_is_cut_off),
		TEST(a_frame_ends_within_the_ethernet_header),
		TEST(tags_are_not_taken),
		TEST(frames_for_others_are_not_taken),
		TEST(other_ethertypes_are_not_taken),
		TEST(the_ipv4_header_must_be_there),
		TEST(the_ipv4_length_must_fit),
		TEST(the_ipv4_checksum_must_be_right),
		TEST(the_source_must_be_another_host),
		TEST(the_destination_must_be_the_vtep),
		TEST(fragments_are_not_taken),
		TEST(other_protocols_are_not_taken),
		TEST(the_udp_header_must_be_there),
		TEST(the_udp_length_must_fit),
		TEST(a_bad_udp_checksum_is_the_nics_word),
		TEST(the_udp_port_must_be_a_networks),
		TEST(cut_frames_are_not_read_beyond_their_end),
		TEST(bursts_are_judged_packet_by_packet),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
