/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

static struct rte_mbuf *mbuf_of_arp(const struct arp_frame *frame)
{
	return mbuf_of(frame, sizeof(*frame));
}

static uint16_t vtep_of(const void *frame, uint16_t length)
{
	return verdict_of(&vtep_stage, mbuf_of(frame, length));
}

static void arp_for_the_vtep_is_answered(void **state)
{
	struct arp_frame request = arp_request();
	struct rte_mbuf *mbuf = mbuf_of_arp(&request);
	const struct arp_frame *reply = rte_pktmbuf_mtod(mbuf, void *);
	const struct rte_arp_ipv4 *data = &reply->arp.arp_data;

	(void)state;
	assert_exit(verdict_of(&vtep_stage, mbuf), vtep, "reply");
	assert_memory_equal(&reply->ether.dst_addr, &mac_vtep_2, RTE_ETHER_ADDR_LEN);
	assert_memory_equal(&reply->ether.src_addr, &mac_uplink, RTE_ETHER_ADDR_LEN);
	assert_int_equal(reply->arp.arp_opcode, RTE_BE16(RTE_ARP_OP_REPLY));
	assert_memory_equal(&data->arp_sha, &mac_uplink, RTE_ETHER_ADDR_LEN);
	assert_int_equal(data->arp_sip, VTEP_OWN);
	assert_memory_equal(&data->arp_tha, &mac_vtep_2, RTE_ETHER_ADDR_LEN);
	assert_int_equal(data->arp_tip, VTEP_2);
	assert_int_equal(packet_of(mbuf)->network, NETWORK_NONE);
}

static void assert_neighbour_noticed(void)
{
	const struct notice *notice = &fixture.context.notices.list[0];

	assert_int_equal(fixture.context.notices.n, 1);
	assert_int_equal(notice->kind, NOTICE_NEIGHBOUR);
	assert_int_equal(address_ipv4(&notice->address), VTEP_2);
	assert_int_equal(notice->place, UPLINK);
	assert_memory_equal(&notice->mac, &mac_vtep_2, RTE_ETHER_ADDR_LEN);
}

static void who_asks_is_told_of(void **state)
{
	struct arp_frame frame = arp_request();

	(void)state;
	vtep_of(&frame, sizeof(frame));
	assert_neighbour_noticed();
}

static void an_arp_reply_is_told_of_and_consumed(void **state)
{
	struct arp_frame frame = arp_request();

	(void)state;
	frame.arp.arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	assert_int_equal(vtep_of(&frame, sizeof(frame)), VERDICT_CONSUMED);
	assert_neighbour_noticed();
}

static void gratuitous_arp_is_told_of_and_not_answered(void **state)
{
	struct arp_frame frame = arp_request();

	(void)state;
	frame.arp.arp_data.arp_tip = VTEP_2;
	assert_int_equal(vtep_of(&frame, sizeof(frame)), VERDICT_CONSUMED);
	assert_neighbour_noticed();
}

static void arp_of_others_is_not_heard(void **state)
{
	struct arp_frame frame = arp_request();

	(void)state;
	frame.arp.arp_data.arp_tip = VTEP_3;
	assert_drop(vtep_of(&frame, sizeof(frame)), "arp_unwanted");
	frame = arp_request();
	frame.arp.arp_data.arp_sip = VTEP_OWN; /* an address conflict, or a forgery */
	assert_drop(vtep_of(&frame, sizeof(frame)), "arp_unwanted");
	assert_int_equal(fixture.context.notices.n, 0);
}

static void malformed_arp_is_not_heard(void **state)
{
	struct arp_frame good = arp_request(), frame = good;

	(void)state;
	for (uint16_t length = sizeof(good.ether); length < offsetof(struct arp_frame, padding);
		length++)
		assert_drop(vtep_of(&good, length), "arp_malformed");
	frame.arp.arp_hardware = RTE_BE16(6);
	assert_drop(vtep_of(&frame, sizeof(frame)), "arp_malformed");
	frame = good;
	frame.arp.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV6);
	assert_drop(vtep_of(&frame, sizeof(frame)), "arp_malformed");
	frame = good;
	frame.arp.arp_hlen = 8;
	assert_drop(vtep_of(&frame, sizeof(frame)), "arp_malformed");
	frame = good;
	frame.arp.arp_plen = 16;
	assert_drop(vtep_of(&frame, sizeof(frame)), "arp_malformed");
	frame = good;
	frame.arp.arp_data.arp_sha = mac_broadcast;
	assert_drop(vtep_of(&frame, sizeof(frame)), "arp_malformed");
	assert_int_equal(fixture.context.notices.n, 0);
}

static void ping_is_answered(void **state)
{
	struct ipv4_frame request = echo_request();
	struct rte_mbuf *mbuf = mbuf_of(&request, sizeof(request));
	struct ipv4_frame *reply = rte_pktmbuf_mtod(mbuf, void *);
	size_t header = sizeof(request.icmp);

	(void)state;
	assert_exit(verdict_of(&vtep_stage, mbuf), vtep, "reply");
	assert_memory_equal(&reply->ether.dst_addr, &mac_vtep_2, RTE_ETHER_ADDR_LEN);
	assert_memory_equal(&reply->ether.src_addr, &mac_uplink, RTE_ETHER_ADDR_LEN);
	assert_int_equal(reply->ip.src_addr, VTEP_OWN);
	assert_int_equal(reply->ip.dst_addr, VTEP_2);
	assert_int_equal(rte_raw_cksum(&reply->ip, sizeof(reply->ip)), 0xffff);
	assert_int_equal(reply->icmp.icmp_type, RTE_IP_ICMP_ECHO_REPLY);
	assert_int_equal(reply->icmp.icmp_ident, request.icmp.icmp_ident);
	assert_int_equal(reply->icmp.icmp_seq_nb, request.icmp.icmp_seq_nb);
	assert_int_equal(rte_raw_cksum(reply->payload, PAYLOAD), 0xffff);
	assert_memory_equal(reply->payload + header, request.payload + header, PAYLOAD - header);
}

static void malformed_icmp_is_not_answered(void **state)
{
	struct ipv4_frame frame = echo_request();

	(void)state;
	assert_drop(vtep_of(&frame, offsetof(struct ipv4_frame, payload) + 7), "icmp_malformed");
	frame.icmp.icmp_cksum ^= RTE_BE16(1);
	assert_drop(vtep_of(&frame, sizeof(frame)), "icmp_malformed");
}

static void other_icmp_is_not_answered(void **state)
{
	static const uint8_t types[][2] = {{RTE_IP_ICMP_ECHO_REPLY, 0}, {3, 4}, {8, 1}};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(types); i++) {
		struct ipv4_frame frame = echo_request();

		frame.icmp.icmp_type = types[i][0];
		frame.icmp.icmp_code = types[i][1];
		frame.icmp.icmp_cksum = 0;
		frame.icmp.icmp_cksum = ~rte_raw_cksum(frame.payload, PAYLOAD);
		assert_drop(vtep_of(&frame, sizeof(frame)), "icmp_unwanted");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(arp_for_the_vtep_is_answered),
		TEST(who_asks_is_told_of),
		TEST(an_arp_reply_is_told_of_and_consumed),
		TEST(gratuitous_arp_is_told_of_and_not_answered),
		TEST(arp_of_others_is_not_heard),
		TEST(malformed_arp_is_not_heard),
		TEST(ping_is_answered),
		TEST(malformed_icmp_is_not_answered),
		TEST(other_icmp_is_not_answered),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
