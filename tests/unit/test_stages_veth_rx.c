/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#define NEIGHBOUR_ADVERTISEMENT 136
#define TARGET_OFFSET 8

static uint16_t enter(uint16_t port, const void *frame, uint16_t length)
{
	struct rte_mbuf *mbuf = mbuf_of(frame, length);

	mbuf->port = port;
	return verdict_of(&veth_rx_stage, mbuf);
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
	assert_exit(verdict_of(&veth_rx_stage, mbuf), veth_rx, "frame");
	assert_int_equal(packet_of(mbuf)->network, RED);
	assert_int_equal(packet_of(mbuf)->source, PORT_RED);
}

static void a_removed_ports_packets_go_too(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);

	(void)state;
	fixture.tables->ports[PORT_1] = NULL;
	assert_drop(enter_frame(frame), "source_gone");
}

static void runts_are_not_taken(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);

	(void)state;
	for (uint16_t length = 0; length < RTE_ETHER_HDR_LEN; length++)
		assert_drop(enter(PORT_1, &frame, length), "runt");
	frame.ether.ether_type = RTE_BE16(0x88b5);
	assert_int_equal(enter(PORT_1, &frame, RTE_ETHER_HDR_LEN), EXIT_MAIN);
}

static void another_mac_is_not_taken(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);

	(void)state;
	frame.ether.src_addr = mac_2;
	assert_drop(enter_frame(frame), "source_mac");
	fixture.networks[BLUE]->source_guard = false;
	assert_int_equal(enter_frame(frame), EXIT_MAIN);
}

static void another_ipv4_address_is_not_taken(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);

	(void)state;
	assert_int_equal(enter_frame(frame), EXIT_MAIN);
	frame.ip.src_addr = ADDRESS(10, 0, 0, 2);
	assert_drop(enter_frame(frame), "source_ipv4");
	frame.ether.src_addr = mac_2; /* port 2 has no list: any address */
	assert_int_equal(enter(PORT_2, &frame, sizeof(frame)), EXIT_MAIN);
	fixture.networks[BLUE]->source_guard = false;
	assert_int_equal(enter_frame(frame), EXIT_MAIN);
}

static void half_an_ipv4_header_is_not_taken(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);

	(void)state;
	for (uint16_t length = sizeof(frame.ether); length < offsetof(struct ipv4_frame, payload);
		length++)
		assert_drop(enter(PORT_1, &frame, length), "source_ipv4");
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
	assert_int_equal(enter_frame(frame), EXIT_MAIN);
	frame.arp.arp_data.arp_tip = frame.arp.arp_data.arp_sip; /* an announcement (RFC 5227) */
	assert_int_equal(enter_frame(frame), EXIT_MAIN);
	frame.arp.arp_data.arp_sip = ADDRESS(10, 0, 0, 2);
	assert_drop(enter_frame(frame), "source_arp");
	frame = arp_of_port_1();
	frame.arp.arp_data.arp_sha = mac_2;
	assert_drop(enter_frame(frame), "source_arp");
	frame = arp_of_port_1();
	assert_drop(enter(PORT_1, &frame, offsetof(struct arp_frame, padding) - 1), "source_arp");
}

static void arp_probes_are_for_ones_own_addresses(void **state)
{
	struct arp_frame frame = arp_of_port_1();

	(void)state;
	frame.arp.arp_data.arp_sip = 0;
	frame.arp.arp_data.arp_tip = ADDRESS(10, 0, 0, 1);
	assert_int_equal(enter_frame(frame), EXIT_MAIN);
	frame.arp.arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY); /* it answers nothing */
	assert_drop(enter_frame(frame), "source_arp");
	frame.arp.arp_opcode = RTE_BE16(RTE_ARP_OP_REQUEST);
	frame.arp.arp_data.arp_tip = ADDRESS(10, 0, 0, 2);
	assert_drop(enter_frame(frame), "source_arp");
}

static void a_port_without_addresses_still_tells_its_mac_only(void **state)
{
	struct arp_frame frame = arp_of_port_1();

	(void)state;
	frame.ether.src_addr = frame.arp.arp_data.arp_sha = mac_2;
	assert_int_equal(enter(PORT_2, &frame, sizeof(frame)), EXIT_MAIN);
	frame.arp.arp_data.arp_sha = mac_1;
	assert_drop(enter(PORT_2, &frame, sizeof(frame)), "source_arp");
}

static void another_ipv6_address_is_not_taken(void **state)
{
	static const uint8_t link_local[16] = {0xfe, 0x80, [8] = 0x00, 0, 0, 0xff, 0xfe, 0, 0, 1};
	struct ipv6_frame frame = ipv6_frame(IPPROTO_UDP);

	(void)state;
	assert_int_equal(enter_frame(frame), EXIT_MAIN);
	memcpy(frame.ip.src_addr, link_local, 16); /* what follows from port 1's MAC */
	assert_int_equal(enter_frame(frame), EXIT_MAIN);
	memset(frame.ip.src_addr, 0, 16);
	assert_drop(enter_frame(frame), "source_ipv6");
	frame.ip.src_addr[15] = 1;
	assert_drop(enter_frame(frame), "source_ipv6");
	memcpy(frame.ip.src_addr, link_local, 16);
	frame.ip.src_addr[15] = 2;
	assert_drop(enter_frame(frame), "source_ipv6");
}

/* Both are kept in one list, an IPv4 address as IPv6 maps it. */
static void an_ipv4_address_is_none_of_ipv6(void **state)
{
	const struct address mapped = address_of_ipv4(ADDRESS(10, 0, 0, 1));
	struct ipv6_frame frame = ipv6_frame(IPPROTO_UDP);

	(void)state;
	assert_true(address_equal(&fixture.ports[PORT_1].addresses[0], &mapped));
	memcpy(frame.ip.src_addr, mapped.bytes, 16);
	assert_drop(enter_frame(frame), "source_ipv6");
}

static void half_an_ipv6_header_is_not_taken(void **state)
{
	struct ipv6_frame frame = ipv6_frame(IPPROTO_UDP);

	(void)state;
	for (uint16_t length = sizeof(frame.ether); length < offsetof(struct ipv6_frame, payload);
		length++)
		assert_drop(enter(PORT_1, &frame, length), "source_ipv6");
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
	assert_int_equal(enter_frame(frame), EXIT_MAIN);
	frame.payload[TARGET_OFFSET + 15] = 2;
	assert_drop(enter_frame(frame), "source_ipv6");
	frame.payload[0] = NEIGHBOUR_ADVERTISEMENT - 1; /* a solicitation is for another's */
	assert_int_equal(enter_frame(frame), EXIT_MAIN);
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
		assert_int_equal(enter_frame(frame), EXIT_MAIN);
		frame.payload[8 + TARGET_OFFSET + 15] = 2;
		assert_drop(enter_frame(frame), "source_ipv6");
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
		assert_int_equal(enter_with_tags(ipv4, tags), EXIT_MAIN);
		ipv4.ip.src_addr = ADDRESS(10, 0, 0, 2);
		assert_drop(enter_with_tags(ipv4, tags), "source_ipv4");
		arp.arp.arp_data.arp_sip = ADDRESS(10, 0, 0, 2);
		assert_drop(enter_with_tags(arp, tags), "source_arp");
		ipv6.ip.src_addr[15] = 2;
		assert_drop(enter_with_tags(ipv6, tags), "source_ipv6");
	}
}

static void more_tags_than_can_be_looked_behind_are_not_taken(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);

	(void)state;
	assert_drop(enter_with_tags(frame, 3), "source_vlan");
}

/* ---- without an address ---- */

/* Changes one field of a frame, which then is not taken, and puts it back. */
#define refused_with(frame, field, value, drop)                                                    \
	do {                                                                                       \
		__typeof__((frame).field) kept = (frame).field;                                    \
		(frame).field = (value);                                                           \
		assert_drop(enter_frame(frame), drop);                                             \
		(frame).field = kept;                                                              \
		assert_int_equal(enter_frame(frame), EXIT_MAIN);                                   \
	} while (0)

#define refused_ipv4_with(frame, field, value) refused_with(frame, field, value, "source_ipv4")
#define refused_ipv6_with(frame, field, value) refused_with(frame, field, value, "source_ipv6")

/* All that is looked at must be there. */
static void needs_bytes(const void *frame, uint16_t least, uint16_t verdict)
{
	for (uint16_t length = RTE_ETHER_HDR_LEN; length < least; length++)
		assert_int_equal(enter(PORT_1, frame, length), verdict);
}

#define DHCP_OP 0
#define DHCP_HARDWARE 1
#define DHCP_HARDWARE_LENGTH 2
#define DHCP_RELAY 24
#define DHCP_CLIENT 28
#define DHCP_CHECKED (DHCP_CLIENT + RTE_ETHER_ADDR_LEN)

static struct ipv4_frame discover(void)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);
	uint8_t *dhcp = frame.payload + sizeof(frame.udp);

	frame.ether.dst_addr = mac_broadcast;
	frame.ip.src_addr = 0;
	frame.ip.dst_addr = ADDRESS(255, 255, 255, 255);
	memset(frame.payload, 0, PAYLOAD);
	frame.udp.src_port = RTE_BE16(68);
	frame.udp.dst_port = RTE_BE16(67);
	dhcp[DHCP_OP] = dhcp[DHCP_HARDWARE] = 1;
	dhcp[DHCP_HARDWARE_LENGTH] = RTE_ETHER_ADDR_LEN;
	memcpy(dhcp + DHCP_CLIENT, &mac_1, RTE_ETHER_ADDR_LEN);
	return frame;
}

static void dhcp_needs_no_address(void **state)
{
	struct ipv4_frame frame = discover();

	(void)state;
	assert_int_equal(enter_frame(frame), EXIT_MAIN);
	assert_int_equal(enter_with_tags(frame, 1), EXIT_MAIN);
	refused_ipv4_with(frame, ip.src_addr, ADDRESS(10, 0, 0, 2));
	refused_ipv4_with(frame, ip.dst_addr, ADDRESS(10, 0, 0, 9));
	refused_ipv4_with(frame, ip.next_proto_id, IPPROTO_TCP);
	refused_ipv4_with(frame, ip.version_ihl, 0x44);
	refused_ipv4_with(frame, ip.fragment_offset, RTE_BE16(RTE_IPV4_HDR_MF_FLAG));
	refused_ipv4_with(frame, ip.fragment_offset, RTE_BE16(1));
	refused_ipv4_with(frame, udp.src_port, RTE_BE16(67));
	refused_ipv4_with(frame, udp.dst_port, RTE_BE16(68));
	refused_ipv4_with(frame, udp.dst_port, RTE_BE16(53));
	needs_bytes(&frame, offsetof(struct ipv4_frame, payload) + sizeof(frame.udp) + DHCP_CHECKED,
		drop_of("source_ipv4"));
}

static void dhcp_asks_for_ones_own_host(void **state)
{
	static const uint8_t dhcp = sizeof(struct rte_udp_hdr);
	struct ipv4_frame frame = discover();

	(void)state;
	refused_ipv4_with(frame, payload[dhcp + DHCP_CLIENT + 5], 2);
	refused_ipv4_with(frame, payload[dhcp + DHCP_OP], 2); /* a server's answer */
	refused_ipv4_with(frame, payload[dhcp + DHCP_HARDWARE], 6);
	refused_ipv4_with(frame, payload[dhcp + DHCP_HARDWARE_LENGTH], 16);
	refused_ipv4_with(frame, payload[dhcp + DHCP_RELAY + 3], 9); /* who gets the answer */
}

static void dhcp_behind_ip_options_is_found(void **state)
{
	struct ipv4_frame frame = discover();
	struct ipv4_frame longer = frame;

	(void)state;
	longer.ip.version_ihl = 0x46;
	memcpy(longer.payload + 4, frame.payload, PAYLOAD - 4);
	assert_int_equal(enter_frame(longer), EXIT_MAIN);
	longer.ip.version_ihl = 0x4f;
	assert_drop(enter_frame(longer), "source_ipv4");
}

#define IGMP_GROUP ADDRESS(239, 1, 2, 3)

static struct ipv4_frame igmp(uint8_t type, rte_be32_t to)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_IGMP);
	rte_be32_t group = IGMP_GROUP;

	frame.ip.src_addr = 0;
	frame.ip.dst_addr = to;
	frame.ip.time_to_live = 1;
	frame.payload[0] = type;
	memcpy(frame.payload + 4, &group, sizeof(group));
	return frame;
}

static void igmp_needs_no_address(void **state)
{
	static const struct {
		uint8_t type;
		rte_be32_t to;
	} kinds[] = {{0x22, ADDRESS(224, 0, 0, 22)}, {0x12, IGMP_GROUP}, {0x16, IGMP_GROUP},
		{0x17, ADDRESS(224, 0, 0, 2)}};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(kinds); i++) {
		struct ipv4_frame frame = igmp(kinds[i].type, kinds[i].to);

		assert_int_equal(enter_frame(frame), EXIT_MAIN);
		refused_ipv4_with(frame, ip.src_addr, ADDRESS(10, 0, 0, 2));
		refused_ipv4_with(frame, ip.dst_addr, ADDRESS(224, 0, 0, 1));
		refused_ipv4_with(frame, ip.time_to_live, 2);
		refused_ipv4_with(frame, ip.fragment_offset, RTE_BE16(RTE_IPV4_HDR_MF_FLAG));
		refused_ipv4_with(frame, payload[0], 0x11); /* a query is a router's */
		needs_bytes(
			&frame, offsetof(struct ipv4_frame, payload) + 8, drop_of("source_ipv4"));
	}
}

static void igmp_reports_groups_only(void **state)
{
	struct ipv4_frame frame = igmp(0x16, ADDRESS(10, 0, 0, 9));
	rte_be32_t group = ADDRESS(10, 0, 0, 9);

	(void)state;
	memcpy(frame.payload + 4, &group, sizeof(group));
	assert_drop(enter_frame(frame), "source_ipv4");
}

/* ICMPv6 from ::. */
static struct ipv6_frame icmpv6(uint8_t type, uint16_t length, const uint8_t to[16])
{
	struct ipv6_frame frame = ipv6_frame(IPPROTO_ICMPV6);

	memset(frame.ip.src_addr, 0, 16);
	memcpy(frame.ip.dst_addr, to, 16);
	memset(frame.payload, 0, PAYLOAD);
	frame.ip.payload_len = rte_cpu_to_be_16(length);
	frame.ip.hop_limits = 255;
	frame.payload[0] = type;
	return frame;
}

static const uint8_t all_routers[16] = {0xff, 0x02, [15] = 2};
static const uint8_t mldv2_routers[16] = {0xff, 0x02, [15] = 0x16};
static const uint8_t some_group[16] = {0xff, 0x02, [11] = 1, 0xff, 0, 0, 1};

#define ROUTER_SOLICITATION 133
#define SOLICITATION_LENGTH 8

static void router_solicitations_need_no_address(void **state)
{
	struct ipv6_frame frame = icmpv6(ROUTER_SOLICITATION, SOLICITATION_LENGTH, all_routers);

	(void)state;
	assert_int_equal(enter_frame(frame), EXIT_MAIN);
	assert_int_equal(enter_with_tags(frame, 2), EXIT_MAIN);
	refused_ipv6_with(frame, ip.src_addr[15], 1);
	refused_ipv6_with(frame, ip.dst_addr[15], 1);
	refused_ipv6_with(frame, ip.hop_limits, 254);
	refused_ipv6_with(frame, ip.proto, IPPROTO_UDP);
	refused_ipv6_with(frame, ip.proto, IPPROTO_FRAGMENT);
	refused_ipv6_with(frame, ip.payload_len, RTE_BE16(SOLICITATION_LENGTH - 1));
	refused_ipv6_with(frame, ip.payload_len, RTE_BE16(PAYLOAD + 1));
	refused_ipv6_with(frame, payload[0], 134); /* an advertisement is a router's */
	refused_ipv6_with(frame, payload[0], 137); /* so is a redirect */
	refused_ipv6_with(frame, payload[0], 128);
	refused_ipv6_with(frame, payload[1], 1);
	needs_bytes(&frame, offsetof(struct ipv6_frame, payload) + SOLICITATION_LENGTH,
		drop_of("source_ipv6"));
}

static void who_has_no_address_tells_no_ethernet_address(void **state)
{
	struct ipv6_frame frame =
		icmpv6(ROUTER_SOLICITATION, SOLICITATION_LENGTH + 16, all_routers);

	(void)state;
	frame.payload[8] = frame.payload[16] = 14; /* nonces (RFC 7527) */
	frame.payload[9] = frame.payload[17] = 1;
	assert_int_equal(enter_frame(frame), EXIT_MAIN);
	refused_ipv6_with(frame, payload[16], 1);
	refused_ipv6_with(frame, payload[9], 0);
	refused_ipv6_with(frame, payload[17], 2); /* beyond the end */
	refused_ipv6_with(frame, ip.payload_len, RTE_BE16(SOLICITATION_LENGTH + 15));
}

static struct ipv6_frame detection(void)
{
	struct ipv6_frame frame = icmpv6(135, 8 + 16, some_group);

	memcpy(frame.payload + TARGET_OFFSET, address6_1, 16);
	return frame;
}

static void duplicate_addresses_are_detected_without_an_address(void **state)
{
	static const uint8_t link_local[16] = {0xfe, 0x80, [8] = 0x00, 0, 0, 0xff, 0xfe, 0, 0, 1};
	struct ipv6_frame frame = detection();

	(void)state;
	assert_int_equal(enter_frame(frame), EXIT_MAIN);
	refused_ipv6_with(frame, ip.hop_limits, 1);
	refused_ipv6_with(frame, ip.dst_addr[15], 2); /* not its solicited-node group */
	refused_ipv6_with(frame, ip.dst_addr[11], 0);
	refused_ipv6_with(frame, ip.proto, IPPROTO_FRAGMENT);
	refused_ipv6_with(frame, payload[TARGET_OFFSET], 0xfc); /* another's address */
	refused_ipv6_with(frame, ip.payload_len, RTE_BE16(8 + 15));
	refused_ipv6_with(frame, payload[0], NEIGHBOUR_ADVERTISEMENT);
	memcpy(frame.payload + TARGET_OFFSET, link_local, 16);
	assert_int_equal(enter_frame(frame), EXIT_MAIN);
	memset(frame.payload + TARGET_OFFSET, 0, 16);
	frame.ip.dst_addr[15] = 0;
	assert_drop(enter_frame(frame), "source_ipv6");
}

static void mld_needs_no_address(void **state)
{
	static const struct {
		uint8_t type;
		const uint8_t *to;
	} kinds[] = {{131, some_group}, {132, all_routers}, {143, mldv2_routers}};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(kinds); i++) {
		struct ipv6_frame frame = icmpv6(kinds[i].type, 8 + 16, kinds[i].to);

		frame.ip.hop_limits = 1;
		memcpy(frame.payload + TARGET_OFFSET, some_group, 16);
		assert_int_equal(enter_frame(frame), EXIT_MAIN);
		refused_ipv6_with(frame, ip.hop_limits, 255);
		refused_ipv6_with(frame, ip.dst_addr[15], 9);
		refused_ipv6_with(frame, ip.src_addr[0], 0xfd);
		refused_ipv6_with(frame, payload[0], 130); /* a query is a router's */
		refused_ipv6_with(frame, ip.proto, IPPROTO_FRAGMENT);
	}
}

static void mld_reports_groups_only(void **state)
{
	struct ipv6_frame frame = icmpv6(131, 8 + 16, address6_1);

	(void)state;
	frame.ip.hop_limits = 1;
	memcpy(frame.payload + TARGET_OFFSET, address6_1, 16);
	assert_drop(enter_frame(frame), "source_ipv6");
}

/* As MLD is really sent. */
static void mld_has_a_router_alert(void **state)
{
	static const uint8_t hop_by_hop[8] = {IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0};
	struct ipv6_frame frame = icmpv6(143, 8 + 8, mldv2_routers);

	(void)state;
	frame.ip.hop_limits = 1;
	frame.ip.proto = IPPROTO_HOPOPTS;
	memmove(frame.payload + 8, frame.payload, 8);
	memcpy(frame.payload, hop_by_hop, sizeof(hop_by_hop));
	assert_int_equal(enter_frame(frame), EXIT_MAIN);
	refused_ipv6_with(frame, payload[0], IPPROTO_FRAGMENT);
	refused_ipv6_with(frame, payload[0], IPPROTO_UDP);
	refused_ipv6_with(frame, payload[0], IPPROTO_HOPOPTS);
	refused_ipv6_with(frame, payload[1], 1); /* longer than the packet */
	refused_ipv6_with(frame, payload[1], 255);
	refused_ipv6_with(frame, ip.proto, IPPROTO_DSTOPTS);
	needs_bytes(&frame, offsetof(struct ipv6_frame, payload) + 8 + 8, drop_of("source_ipv6"));
}

/* It goes from the link-local address (RFC 8415), which must be the host's. */
static void dhcpv6_needs_a_link_local_address_only(void **state)
{
	static const uint8_t link_local[16] = {0xfe, 0x80, [8] = 0x00, 0, 0, 0xff, 0xfe, 0, 0, 1};
	static const uint8_t servers[16] = {0xff, 0x02, [13] = 1, 0, 2};
	struct ipv6_frame frame = ipv6_frame(IPPROTO_UDP);

	(void)state;
	memcpy(frame.ip.src_addr, link_local, 16);
	memcpy(frame.ip.dst_addr, servers, 16);
	frame.udp.src_port = RTE_BE16(546);
	frame.udp.dst_port = RTE_BE16(547);
	refused_ipv6_with(frame, ip.src_addr[15], 2);
	memset(frame.ip.src_addr, 0, 16);
	assert_drop(enter_frame(frame), "source_ipv6");
}

/* What is looked at must be in the first segment. */
static void a_later_segment_is_not_looked_at(void **state)
{
	struct ipv4_frame frame = discover();
	uint16_t front = offsetof(struct ipv4_frame, payload) + sizeof(frame.udp);
	struct rte_mbuf *mbuf = mbuf_of(&frame, front);

	(void)state;
	mbuf->port = PORT_1;
	mbuf->next = mbuf_of((const char *)&frame + front, sizeof(frame) - front);
	mbuf->pkt_len = sizeof(frame);
	mbuf->nb_segs = 2;
	assert_drop(verdict_of(&veth_rx_stage, mbuf), "source_ipv4");
}

static void without_a_list_any_address_is_none(void **state)
{
	struct ipv4_frame ipv4 = ipv4_frame(IPPROTO_UDP);
	struct ipv6_frame ipv6 = ipv6_frame(IPPROTO_UDP);

	(void)state;
	ipv4.ip.src_addr = 0;
	memset(ipv6.ip.src_addr, 0, 16);
	ipv4.ether.src_addr = ipv6.ether.src_addr = mac_2;
	assert_int_equal(enter(PORT_2, &ipv4, sizeof(ipv4)), EXIT_MAIN);
	assert_int_equal(enter(PORT_2, &ipv6, sizeof(ipv6)), EXIT_MAIN);
}

/* ---- checksums ---- */

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
	assert_exit(verdict_of(&veth_rx_stage, mbuf), veth_rx, "frame");
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
	assert_drop(verdict_of(&veth_rx_stage, mbuf), "checksum_unfinished");
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
		TEST(arp_probes_are_for_ones_own_addresses),
		TEST(a_port_without_addresses_still_tells_its_mac_only),
		TEST(another_ipv6_address_is_not_taken),
		TEST(an_ipv4_address_is_none_of_ipv6),
		TEST(half_an_ipv6_header_is_not_taken),
		TEST(ones_own_address_is_advertised_only),
		TEST(extension_headers_hide_no_advertisement),
		TEST(cut_extension_headers_are_not_read_beyond_their_end),
		TEST(a_vlan_tag_hides_nothing),
		TEST(more_tags_than_can_be_looked_behind_are_not_taken),
		TEST(dhcp_needs_no_address),
		TEST(dhcp_asks_for_ones_own_host),
		TEST(dhcp_behind_ip_options_is_found),
		TEST(igmp_needs_no_address),
		TEST(igmp_reports_groups_only),
		TEST(router_solicitations_need_no_address),
		TEST(who_has_no_address_tells_no_ethernet_address),
		TEST(duplicate_addresses_are_detected_without_an_address),
		TEST(mld_needs_no_address),
		TEST(mld_reports_groups_only),
		TEST(mld_has_a_router_alert),
		TEST(dhcpv6_needs_a_link_local_address_only),
		TEST(a_later_segment_is_not_looked_at),
		TEST(without_a_list_any_address_is_none),
		TEST(a_partial_checksum_is_completed),
		TEST(a_partial_checksum_that_cannot_be_completed_is_not_sent),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
