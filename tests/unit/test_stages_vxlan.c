/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

static uint16_t vxlan_of(const struct vxlan_frame *frame)
{
	return verdict_of(&vxlan_stage, mbuf_of(frame, sizeof(*frame)));
}

static void what_remains_is_exactly_the_inner_frame(void **state)
{
	struct vxlan_frame frame = vxlan_frame();
	struct rte_mbuf *mbuf = mbuf_of(&frame, sizeof(frame));

	(void)state;
	mbuf->ol_flags =
		RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_RSS_HASH;
	assert_exit(verdict_of(&vxlan_stage, mbuf), vxlan, "inner");
	assert_int_equal(mbuf->pkt_len, sizeof(frame.inner) + PAYLOAD);
	assert_memory_equal(rte_pktmbuf_mtod(mbuf, void *), &frame.inner, mbuf->pkt_len);
	assert_int_equal(mbuf->ol_flags, 0); /* it was said of the outer packet */
	assert_int_equal(packet_of(mbuf)->network, BLUE);
	assert_int_equal(packet_of(mbuf)->source, REMOTE_2);
}

static void outer_ip_options_are_taken_off_too(void **state)
{
	struct vxlan_frame frame = vxlan_frame();
	uint8_t bytes[sizeof(frame) + 4] = {0};
	uint16_t end = offsetof(struct vxlan_frame, udp);
	struct rte_mbuf *mbuf;

	(void)state;
	frame.ip.version_ihl = 0x46;
	memcpy(bytes, &frame, end);
	memcpy(bytes + end + 4, &frame.udp, sizeof(frame) - end);
	mbuf = mbuf_of(bytes, sizeof(bytes));
	assert_exit(verdict_of(&vxlan_stage, mbuf), vxlan, "inner");
	assert_int_equal(mbuf->pkt_len, sizeof(frame.inner) + PAYLOAD);
	assert_memory_equal(rte_pktmbuf_mtod(mbuf, void *), &frame.inner, mbuf->pkt_len);
}

static void the_vxlan_header_must_be_there(void **state)
{
	struct vxlan_frame frame = vxlan_frame();
	uint16_t end = offsetof(struct vxlan_frame, inner);

	(void)state;
	for (uint16_t length = offsetof(struct vxlan_frame, vxlan); length < end; length++)
		assert_drop(verdict_of(&vxlan_stage, mbuf_of(&frame, length)), "vxlan_truncated");
}

static void an_inner_ethernet_header_must_be_there(void **state)
{
	struct vxlan_frame frame = vxlan_frame();
	uint16_t end = offsetof(struct vxlan_frame, payload);

	(void)state;
	for (uint16_t length = offsetof(struct vxlan_frame, inner); length < end; length++)
		assert_drop(verdict_of(&vxlan_stage, mbuf_of(&frame, length)), "inner_truncated");
	assert_exit(verdict_of(&vxlan_stage, mbuf_of(&frame, end)), vxlan, "inner");
}

static void the_vni_flag_must_be_set(void **state)
{
	struct vxlan_frame frame = vxlan_frame();

	(void)state;
	frame.vxlan.vx_flags = RTE_BE32(0xf7ffffff);
	assert_drop(vxlan_of(&frame), "vxlan_flag");
	frame.vxlan.vx_flags = RTE_BE32(0xffffffff); /* reserved bits are ignored */
	assert_int_equal(vxlan_of(&frame), EXIT_MAIN);
}

static void the_vni_must_be_a_networks_at_this_port_and_uplink(void **state)
{
	struct vxlan_frame frame = vxlan_frame();

	(void)state;
	frame.vxlan.vx_vni = RTE_BE32(101 << 8);
	assert_drop(vxlan_of(&frame), "vxlan_vni");
	frame.vxlan.vx_vni = RTE_BE32(100 << 8 | 0xff); /* reserved byte */
	assert_int_equal(vxlan_of(&frame), EXIT_MAIN);
	frame.udp.dst_port = RTE_BE16(8472); /* red's */
	assert_drop(vxlan_of(&frame), "vxlan_vni");
	frame = vxlan_frame();
	fixture.networks[BLUE]->uplink = UPLINK + 1;
	assert_drop(vxlan_of(&frame), "vxlan_vni");
}

static void the_sender_must_be_one_of_the_networks_vteps(void **state)
{
	struct vxlan_frame frame = vxlan_frame();

	(void)state;
	frame.ip.src_addr = ADDRESS(192, 0, 2, 4);
	assert_drop(vxlan_of(&frame), "vxlan_vtep");
	frame.ip.src_addr = VTEP_3; /* blue's, but not red's */
	assert_int_equal(vxlan_of(&frame), EXIT_MAIN);
	frame.udp.dst_port = RTE_BE16(8472);
	frame.vxlan.vx_vni = RTE_BE32(200 << 8);
	assert_drop(vxlan_of(&frame), "vxlan_vtep");
}

static void without_the_guard_a_strange_vtep_is_heard_and_told_of(void **state)
{
	struct vxlan_frame frame = vxlan_frame();
	struct rte_mbuf *mbuf;
	struct notice *notice = &fixture.context.notices.list[0];

	(void)state;
	fixture.networks[BLUE]->vtep_guard = false;
	assert_int_equal(vxlan_of(&frame), EXIT_MAIN);
	assert_int_equal(fixture.context.notices.n, 0); /* that one is known */
	frame.ip.src_addr = ADDRESS(192, 0, 2, 4);
	mbuf = mbuf_of(&frame, sizeof(frame));
	assert_exit(verdict_of(&vxlan_stage, mbuf), vxlan, "inner");
	assert_int_equal(packet_of(mbuf)->source, PLACE_NONE);
	assert_int_equal(fixture.context.notices.n, 1);
	assert_int_equal(notice->kind, NOTICE_REMOTE);
	assert_int_equal(notice->network, BLUE);
	assert_int_equal(address_ipv4(&notice->address), frame.ip.src_addr);
}

/* The last answer is kept within a burst; it must not serve another network or VTEP. */
static void neighbours_in_a_burst_do_not_share_answers(void **state)
{
	struct vxlan_frame blue = vxlan_frame(), red = vxlan_frame(), third = vxlan_frame();
	struct rte_mbuf *mbufs[4];
	uint16_t verdicts[4];

	(void)state;
	red.udp.dst_port = RTE_BE16(8472);
	red.vxlan.vx_vni = RTE_BE32(200 << 8);
	third.ip.src_addr = VTEP_3;
	mbufs[0] = mbuf_of(&blue, sizeof(blue));
	mbufs[1] = mbuf_of(&red, sizeof(red));
	mbufs[2] = mbuf_of(&third, sizeof(third));
	mbufs[3] = mbuf_of(&blue, sizeof(blue));
	vxlan_stage.process(&fixture.context, mbufs, 4, verdicts);
	assert_int_equal(packet_of(mbufs[0])->source, REMOTE_2);
	assert_int_equal(packet_of(mbufs[1])->source, REMOTE_RED);
	assert_int_equal(packet_of(mbufs[1])->network, RED);
	assert_int_equal(packet_of(mbufs[2])->source, REMOTE_3);
	assert_int_equal(packet_of(mbufs[3])->source, REMOTE_2);
}

static void bursts_are_judged_packet_by_packet(void **state)
{
	(void)state;
	assert_burst_agrees(&vxlan_stage, vxlan_mbuf_alike);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_remains_is_exactly_the_inner_frame),
		TEST(outer_ip_options_are_taken_off_too),
		TEST(the_vxlan_header_must_be_there),
		TEST(an_inner_ethernet_header_must_be_there),
		TEST(the_vni_flag_must_be_set),
		TEST(the_vni_must_be_a_networks_at_this_port_and_uplink),
		TEST(the_sender_must_be_one_of_the_networks_vteps),
		TEST(without_the_guard_a_strange_vtep_is_heard_and_told_of),
		TEST(neighbours_in_a_burst_do_not_share_answers),
		TEST(bursts_are_judged_packet_by_packet),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
