/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#define NEIGHBOUR_ADVERTISEMENT 136
#define TARGET_OFFSET 8

static uint16_t enter(uint16_t port, const void *frame, uint16_t length)
{
	struct rte_mbuf *mbuf = mbuf_of(frame, length);

	mbuf->port = port;
	return verdict_of(veth_rx_process, mbuf);
}

#define enter_frame(frame) enter(PORT_1, &(frame), sizeof(frame))

/* The frame with `n` VLAN tags between the addresses and the type. */
static uint16_t enter_tagged(const void *frame, uint16_t length, int n)
{
	static const uint8_t tag[] = {0x81, 0x00, 0x00, 0x00}; /* VLAN 0: of priority only */
	uint8_t bytes[256];
	uint16_t front = 2 * RTE_ETHER_ADDR_LEN;

	memcpy(bytes, frame, front);
	for (int i = 0; i < n; i++)
		memcpy(bytes + front + i * sizeof(tag), tag, sizeof(tag));
	memcpy(bytes + front + n * sizeof(tag), (const uint8_t *)frame + front, length - front);
	return enter(PORT_1, bytes, length + n * sizeof(tag));
}

#define enter_with_tags(frame, n) enter_tagged(&(frame), sizeof(frame), n)

static void a_packet_gets_its_ports_network(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);
	struct rte_mbuf *mbuf = mbuf_of(&frame, sizeof(frame));

	(void)state;
	mbuf->port = PORT_RED;
	assert_int_equal(verdict_of(veth_rx_process, mbuf), STAGE_BRIDGE);
	assert_int_equal(packet_of(mbuf)->network, RED);
	assert_int_equal(packet_of(mbuf)->source, PORT_RED);
}

static void a_removed_ports_packets_go_too(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);

	(void)state;
	fixture.tables->ports[PORT_1] = NULL;
	assert_drop(enter_frame(frame), PORT_GONE);
}

static void runts_are_not_taken(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);

	(void)state;
	for (uint16_t length = 0; length < RTE_ETHER_HDR_LEN; length++)
		assert_drop(enter(PORT_1, &frame, length), RUNT);
	frame.ether.ether_type = RTE_BE16(0x88b5);
	assert_int_equal(enter(PORT_1, &frame, RTE_ETHER_HDR_LEN), STAGE_BRIDGE);
}

static void another_mac_is_not_taken(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);

	(void)state;
	frame.ether.src_addr = mac_2;
	assert_drop(enter_frame(frame), SOURCE_MAC);
	fixture.networks[BLUE]->source_guard = false;
	assert_int_equal(enter_frame(frame), STAGE_BRIDGE);
}

static void another_ipv4_address_is_not_taken(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);

	(void)state;
	assert_int_equal(enter_frame(frame), STAGE_BRIDGE);
	frame.ip.src_addr = ADDRESS(10, 0, 0, 2);
	assert_drop(enter_frame(frame), SOURCE_IPV4);
	frame.ether.src_addr = mac_2; /* port 2 has no list: any address */
	assert_int_equal(enter(PORT_2, &frame, sizeof(frame)), STAGE_BRIDGE);
	fixture.networks[BLUE]->source_guard = false;
	assert_int_equal(enter_frame(frame), STAGE_BRIDGE);
}

static void half_an_ipv4_header_is_not_taken(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);

	(void)state;
	for (uint16_t length = sizeof(frame.ether); length < offsetof(struct ipv4_frame, payload);
		length++)
		assert_drop(enter(PORT_1, &frame, length), SOURCE_IPV4);
}

static struct arp_frame arp_of_port_1(void)
{
	struct arp_frame frame = arp_request();

	frame.ether.src_addr = frame.arp.arp_data.arp_sha = mac_1;
	frame.arp.arp_data.arp_sip = ADDRESS(10, 0, 0, 1);
	frame.arp.arp_data.arp_tip = ADDRESS(10, 0, 0, 9);
	return frame;
}

static void arp_tells_of_ones_own_addresses_only(void **state)
{
	struct arp_frame frame = arp_of_port_1();

	(void)state;
	assert_int_equal(enter_frame(frame), STAGE_BRIDGE);
	frame.arp.arp_data.arp_sip = 0; /* a probe (RFC 5227) */
	assert_int_equal(enter_frame(frame), STAGE_BRIDGE);
	frame.arp.arp_data.arp_sip = ADDRESS(10, 0, 0, 2);
	assert_drop(enter_frame(frame), SOURCE_ARP);
	frame = arp_of_port_1();
	frame.arp.arp_data.arp_sha = mac_2;
	assert_drop(enter_frame(frame), SOURCE_ARP);
	frame = arp_of_port_1();
	assert_drop(enter(PORT_1, &frame, offsetof(struct arp_frame, padding) - 1), SOURCE_ARP);
}

static void a_port_without_addresses_still_tells_its_mac_only(void **state)
{
	struct arp_frame frame = arp_of_port_1();

	(void)state;
	frame.ether.src_addr = frame.arp.arp_data.arp_sha = mac_2;
	assert_int_equal(enter(PORT_2, &frame, sizeof(frame)), STAGE_BRIDGE);
	frame.arp.arp_data.arp_sha = mac_1;
	assert_drop(enter(PORT_2, &frame, sizeof(frame)), SOURCE_ARP);
}

static void another_ipv6_address_is_not_taken(void **state)
{
	static const uint8_t link_local[16] = {0xfe, 0x80, [8] = 0x00, 0, 0, 0xff, 0xfe, 0, 0, 1};
	struct ipv6_frame frame = ipv6_frame(IPPROTO_UDP);

	(void)state;
	assert_int_equal(enter_frame(frame), STAGE_BRIDGE);
	memcpy(frame.ip.src_addr, link_local, 16); /* what follows from port 1's MAC */
	assert_int_equal(enter_frame(frame), STAGE_BRIDGE);
	memset(frame.ip.src_addr, 0, 16);
	assert_int_equal(enter_frame(frame), STAGE_BRIDGE);
	frame.ip.src_addr[15] = 1;
	assert_drop(enter_frame(frame), SOURCE_IPV6);
	memcpy(frame.ip.src_addr, link_local, 16);
	frame.ip.src_addr[15] = 2;
	assert_drop(enter_frame(frame), SOURCE_IPV6);
}

static void half_an_ipv6_header_is_not_taken(void **state)
{
	struct ipv6_frame frame = ipv6_frame(IPPROTO_UDP);

	(void)state;
	for (uint16_t length = sizeof(frame.ether); length < offsetof(struct ipv6_frame, payload);
		length++)
		assert_drop(enter(PORT_1, &frame, length), SOURCE_IPV6);
}

/* A neighbour advertisement `offset` bytes into the payload. */
static struct ipv6_frame advertisement(uint16_t offset)
{
	struct ipv6_frame frame = ipv6_frame(IPPROTO_ICMPV6);

	memset(frame.payload, 0, PAYLOAD);
	frame.payload[offset] = NEIGHBOUR_ADVERTISEMENT;
	memcpy(frame.payload + offset + TARGET_OFFSET, address6_1, 16);
	return frame;
}

static void ones_own_address_is_advertised_only(void **state)
{
	struct ipv6_frame frame = advertisement(0);

	(void)state;
	assert_int_equal(enter_frame(frame), STAGE_BRIDGE);
	frame.payload[TARGET_OFFSET + 15] = 2;
	assert_drop(enter_frame(frame), SOURCE_IPV6);
	frame.payload[0] = NEIGHBOUR_ADVERTISEMENT - 1; /* a solicitation is for another's */
	assert_int_equal(enter_frame(frame), STAGE_BRIDGE);
}

static void extension_headers_hide_no_advertisement(void **state)
{
	static const uint8_t kinds[] = {IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING};
	struct ipv6_frame frame = advertisement(8);

	(void)state;
	frame.payload[0] = IPPROTO_ICMPV6;
	for (size_t i = 0; i < RTE_DIM(kinds); i++) {
		frame.ip.proto = kinds[i];
		frame.payload[8 + TARGET_OFFSET + 15] = 1;
		assert_int_equal(enter_frame(frame), STAGE_BRIDGE);
		frame.payload[8 + TARGET_OFFSET + 15] = 2;
		assert_drop(enter_frame(frame), SOURCE_IPV6);
	}
}

static void cut_extension_headers_are_not_read_beyond_their_end(void **state)
{
	struct ipv6_frame frame = advertisement(8);
	uint16_t begin = offsetof(struct ipv6_frame, payload);

	(void)state;
	frame.payload[0] = IPPROTO_ICMPV6;
	frame.payload[8 + TARGET_OFFSET + 15] = 2;
	frame.ip.proto = IPPROTO_HOPOPTS;
	for (uint16_t length = begin; length < sizeof(frame); length++)
		enter(PORT_1, &frame, length);
	frame.payload[1] = 255; /* the header says that it is longer than the frame */
	enter_frame(frame);
}

static void a_vlan_tag_hides_nothing(void **state)
{
	struct ipv4_frame ipv4 = ipv4_frame(IPPROTO_UDP);
	struct arp_frame arp = arp_of_port_1();
	struct ipv6_frame ipv6 = ipv6_frame(IPPROTO_UDP);

	(void)state;
	for (int tags = 1; tags <= 2; tags++) {
		ipv4.ip.src_addr = ADDRESS(10, 0, 0, 1);
		assert_int_equal(enter_with_tags(ipv4, tags), STAGE_BRIDGE);
		ipv4.ip.src_addr = ADDRESS(10, 0, 0, 2);
		assert_drop(enter_with_tags(ipv4, tags), SOURCE_IPV4);
		arp.arp.arp_data.arp_sip = ADDRESS(10, 0, 0, 2);
		assert_drop(enter_with_tags(arp, tags), SOURCE_ARP);
		ipv6.ip.src_addr[15] = 2;
		assert_drop(enter_with_tags(ipv6, tags), SOURCE_IPV6);
	}
}

static void more_tags_than_can_be_looked_behind_are_not_taken(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);

	(void)state;
	assert_drop(enter_with_tags(frame, 3), SOURCE_VLAN);
}

static void a_partial_checksum_is_completed(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_TCP);
	struct rte_mbuf *mbuf;
	const struct ipv4_frame *out;

	(void)state;
	frame.tcp.data_off = 0x50;
	frame.tcp.cksum = rte_ipv4_phdr_cksum(&frame.ip, 0);
	mbuf = mbuf_of(&frame, sizeof(frame));
	mbuf->port = PORT_1;
	mbuf->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_NONE;
	assert_int_equal(verdict_of(veth_rx_process, mbuf), STAGE_BRIDGE);
	out = rte_pktmbuf_mtod(mbuf, void *);
	assert_int_equal(rte_ipv4_udptcp_cksum_verify(&out->ip, &out->tcp), 0);
	assert_int_equal(mbuf->ol_flags, 0);
}

static void a_partial_checksum_that_cannot_be_completed_is_not_sent(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_ICMP);
	struct rte_mbuf *mbuf = mbuf_of(&frame, sizeof(frame));

	(void)state;
	mbuf->port = PORT_1;
	mbuf->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_NONE;
	assert_drop(verdict_of(veth_rx_process, mbuf), CHECKSUM_UNFINISHED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_packet_gets_its_ports_network),
		TEST(a_removed_ports_packets_go_too),
		TEST(runts_are_not_taken),
		TEST(another_mac_is_not_taken),
		TEST(another_ipv4_address_is_not_taken),
		TEST(half_an_ipv4_header_is_not_taken),
		TEST(arp_tells_of_ones_own_addresses_only),
		TEST(a_port_without_addresses_still_tells_its_mac_only),
		TEST(another_ipv6_address_is_not_taken),
		TEST(half_an_ipv6_header_is_not_taken),
		TEST(ones_own_address_is_advertised_only),
		TEST(extension_headers_hide_no_advertisement),
		TEST(cut_extension_headers_are_not_read_beyond_their_end),
		TEST(a_vlan_tag_hides_nothing),
		TEST(more_tags_than_can_be_looked_behind_are_not_taken),
		TEST(a_partial_checksum_is_completed),
		TEST(a_partial_checksum_that_cannot_be_completed_is_not_sent),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
