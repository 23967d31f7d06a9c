/* SPDX-License-Identifier: BSD-3-Clause */
/* What stands behind the bridge: wire, veth, encap, tx; and rx, which only passes on. */
#include "fixture.h"

#include "base/flow_hash.h"

static struct rte_mbuf *mbuf_to(uint16_t network, uint16_t destination)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);
	struct rte_mbuf *mbuf = mbuf_of(&frame, sizeof(frame));

	packet_of(mbuf)->network = network;
	packet_of(mbuf)->destination = destination;
	return mbuf;
}

/* ---- encap ---- */

static void the_header_is_right(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);
	struct rte_mbuf *mbuf = mbuf_to(BLUE, REMOTE_2);
	uint32_t hash = flow_hash(mbuf);
	const struct vxlan_frame *out;
	uint16_t ip_length = sizeof(frame) + VXLAN_OVERHEAD - RTE_ETHER_HDR_LEN;

	(void)state;
	assert_exit(verdict_of(&encap_stage, mbuf), encap, "outer");
	assert_int_equal(mbuf->pkt_len, VXLAN_OVERHEAD + sizeof(frame));
	out = rte_pktmbuf_mtod(mbuf, void *);
	assert_memory_equal(&out->ether.dst_addr, &mac_vtep_2, RTE_ETHER_ADDR_LEN);
	assert_memory_equal(&out->ether.src_addr, &mac_uplink, RTE_ETHER_ADDR_LEN);
	assert_int_equal(out->ip.version_ihl, RTE_IPV4_VHL_DEF);
	assert_int_equal(out->ip.total_length, rte_cpu_to_be_16(ip_length));
	assert_int_equal(out->ip.fragment_offset, RTE_BE16(RTE_IPV4_HDR_DF_FLAG));
	assert_int_equal(rte_raw_cksum(&out->ip, sizeof(out->ip)), 0xffff);
	assert_int_equal(out->ip.src_addr, VTEP_OWN);
	assert_int_equal(out->ip.dst_addr, VTEP_2);
	assert_int_equal(out->udp.src_port, rte_cpu_to_be_16(0xc000 | hash >> 18));
	assert_int_equal(out->udp.dst_port, RTE_BE16(4789));
	assert_int_equal(out->udp.dgram_len, rte_cpu_to_be_16(ip_length - sizeof(out->ip)));
	assert_int_equal(out->udp.dgram_cksum, 0);
	assert_int_equal(out->vxlan.vx_flags, RTE_BE32(0x08000000));
	assert_int_equal(out->vxlan.vx_vni, RTE_BE32(100 << 8));
	assert_memory_equal(&out->inner, &frame, sizeof(frame));
}

static void source_ports_are_dynamic_ones_and_differ(void **state)
{
	uint16_t first = 0, different = 0;

	(void)state;
	for (uint16_t i = 0; i < 100; i++) {
		struct rte_mbuf *mbuf = mbuf_to(BLUE, REMOTE_2);
		const struct vxlan_frame *out;
		uint16_t port;

		rte_pktmbuf_mtod(mbuf, struct ipv4_frame *)->udp.src_port = rte_cpu_to_be_16(i);
		assert_exit(verdict_of(&encap_stage, mbuf), encap, "outer");
		out = rte_pktmbuf_mtod(mbuf, void *);
		port = rte_be_to_cpu_16(out->udp.src_port);
		assert_in_range(port, 49152, 65535);
		first = i == 0 ? port : first;
		different += port != first;
	}
	assert_in_range(different, 95, 99);
}

static void a_vtep_that_is_none_gets_nothing(void **state)
{
	(void)state;
	assert_drop(verdict_of(&encap_stage, mbuf_to(BLUE, PLACE_NONE)), "encap_no_vtep");
	fixture.tables->remotes[0] = NULL;
	assert_drop(verdict_of(&encap_stage, mbuf_to(BLUE, REMOTE_2)), "encap_no_vtep");
	assert_drop(verdict_of(&encap_stage, mbuf_to(BLUE, REMOTE_RED)), "encap_no_vtep");
	assert_exit(verdict_of(&encap_stage, mbuf_to(RED, REMOTE_RED)), encap, "outer");
}

static void packets_above_the_networks_mtu_are_not_sent(void **state)
{
	(void)state;
	fixture.networks[BLUE]->mtu = sizeof(struct ipv4_frame) - RTE_ETHER_HDR_LEN;
	assert_exit(verdict_of(&encap_stage, mbuf_to(BLUE, REMOTE_2)), encap, "outer");
	fixture.networks[BLUE]->mtu--;
	assert_drop(verdict_of(&encap_stage, mbuf_to(BLUE, REMOTE_2)), "encap_too_big");
}

static void an_unresolved_vtep_gets_nothing(void **state)
{
	struct rte_mbuf *mbuf = mbuf_to(BLUE, REMOTE_3);

	(void)state;
	assert_drop(verdict_of(&encap_stage, mbuf), "encap_unresolved");
	fixture.remotes[1].resolved = true;
	assert_exit(verdict_of(&encap_stage, mbuf), encap, "outer");
}

static void without_headroom_nothing_is_written(void **state)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);
	struct rte_mbuf *mbuf = mbuf_tight(&frame, sizeof(frame));

	(void)state;
	packet_of(mbuf)->network = BLUE;
	packet_of(mbuf)->destination = REMOTE_2;
	assert_drop(verdict_of(&encap_stage, mbuf), "encap_headroom");
	assert_memory_equal(rte_pktmbuf_mtod(mbuf, void *), &frame, sizeof(frame));
}

/* ---- tx ---- */

static void a_packet_leaves_by_its_networks_uplink(void **state)
{
	struct rte_mbuf *mbuf = mbuf_to(BLUE, REMOTE_2);

	(void)state;
	assert_exit(verdict_of(&tx_stage, mbuf), tx, "uplink");
	assert_int_equal(packet_of(mbuf)->destination, UPLINK);
}

static void a_reply_leaves_by_the_uplink_it_came_by(void **state)
{
	struct rte_mbuf *mbuf = mbuf_to(NETWORK_NONE, PLACE_NONE);

	(void)state;
	mbuf->port = UPLINK;
	assert_exit(verdict_of(&tx_stage, mbuf), tx, "uplink");
	assert_int_equal(packet_of(mbuf)->destination, UPLINK);
}

static void packets_above_the_uplinks_mtu_are_not_sent(void **state)
{
	(void)state;
	fixture.ports[UPLINK].mtu = sizeof(struct ipv4_frame) - RTE_ETHER_HDR_LEN;
	assert_exit(verdict_of(&tx_stage, mbuf_to(BLUE, REMOTE_2)), tx, "uplink");
	fixture.ports[UPLINK].mtu--;
	assert_drop(verdict_of(&tx_stage, mbuf_to(BLUE, REMOTE_2)), "tx_too_big");
}

/* ---- veth ---- */

static void a_container_gets_what_is_for_it(void **state)
{
	(void)state;
	assert_exit(verdict_of(&veth_stage, mbuf_to(BLUE, PORT_1)), veth, "container");
}

static void a_port_that_is_gone_or_anothers_gets_nothing(void **state)
{
	(void)state;
	assert_drop(verdict_of(&veth_stage, mbuf_to(BLUE, PORT_RED)), "port_gone");
	assert_drop(verdict_of(&veth_stage, mbuf_to(RED, PORT_1)), "port_gone");
	fixture.tables->ports[PORT_1] = NULL;
	assert_drop(verdict_of(&veth_stage, mbuf_to(BLUE, PORT_1)), "port_gone");
}

static void packets_above_the_containers_mtu_are_not_delivered(void **state)
{
	uint16_t tag = 4;

	(void)state;
	fixture.ports[PORT_1].mtu = sizeof(struct ipv4_frame) - RTE_ETHER_HDR_LEN - tag;
	assert_exit(verdict_of(&veth_stage, mbuf_to(BLUE, PORT_1)), veth, "container");
	fixture.ports[PORT_1].mtu--;
	assert_drop(verdict_of(&veth_stage, mbuf_to(BLUE, PORT_1)), "veth_too_big");
}

/* ---- wire ---- */

static void a_wire_joins_container_and_vtep(void **state)
{
	struct rte_mbuf *in = mbuf_to(BLUE, PLACE_NONE), *out = mbuf_to(BLUE, PLACE_NONE);

	(void)state;
	packet_of(in)->source = REMOTE_2;
	assert_exit(verdict_of(&wire_stage, in), wire, "local");
	assert_int_equal(packet_of(in)->destination, PORT_1);
	packet_of(out)->source = PORT_1;
	assert_exit(verdict_of(&wire_stage, out), wire, "remote");
	assert_int_equal(packet_of(out)->destination, REMOTE_2);
}

static void a_wire_joins_uplink_and_container(void **state)
{
	struct rte_mbuf *mbuf = mbuf_to(NETWORK_NONE, PLACE_NONE);

	(void)state;
	assert_exit(verdict_of(&wire_stage, mbuf), wire, "local");
	assert_int_equal(packet_of(mbuf)->destination, PORT_1);
	assert_int_equal(packet_of(mbuf)->network, BLUE);
}

static void a_wire_without_a_container_takes_nothing(void **state)
{
	(void)state;
	fixture.tables->wire_port = PLACE_NONE;
	fixture.networks[BLUE]->wire_port = PLACE_NONE;
	assert_drop(verdict_of(&wire_stage, mbuf_to(NETWORK_NONE, PLACE_NONE)), "wire_no_port");
	assert_drop(verdict_of(&wire_stage, mbuf_to(BLUE, PLACE_NONE)), "wire_no_port");
}

/* ---- rx ---- */

static void rx_passes_everything_on(void **state)
{
	struct rte_mbuf *mbufs[STAGE_BURST_MAX] = {NULL}; /* unread */
	uint16_t verdicts[STAGE_BURST_MAX] = {0};

	(void)state;
	rx_stage.process(&fixture.context, mbufs, STAGE_BURST_MAX, verdicts);
	for (int i = 0; i < STAGE_BURST_MAX; i++)
		assert_int_equal(verdicts[i], EXIT_MAIN);
}

/* ---- the table of stages ---- */

static void stages_are_found_by_name(void **state)
{
	(void)state;
	for (int stage = 0; stage < STEP_COUNT; stage++)
		assert_int_equal(stage_find(stage_table[stage]->name), stage);
	assert_int_equal(stage_find("bridg"), -1);
	assert_int_equal(stage_find(""), -1);
}

static void drops_have_names_of_their_own(void **state)
{
	(void)state;
	for (unsigned int slot = 0; slot < DROP_SLOTS; slot++)
		if (drop_at(slot) != NULL)
			assert_int_equal(drop_find(drop_at(slot)->name), slot);
	assert_int_equal(drop_find("runts"), -1);
}

/* What a number has no row for would be passed over. */
static void rows_have_no_gaps(void **state)
{
	(void)state;
	for (int step = 0; step < STEP_COUNT; step++) {
		const struct stage *stage = stage_table[step];

		for (int i = 1; i < STAGE_EXITS_MAX; i++)
			assert_true(stage->exits[i] == NULL || stage->exits[i - 1] != NULL);
		for (int i = 1; i < STAGE_STATISTICS_MAX; i++)
			assert_true(
				stage->statistics[i] == NULL || stage->statistics[i - 1] != NULL);
		for (int i = 0; i < STAGE_DROPS_MAX; i++) {
			assert_true(i == 0 || stage->drops[i].name == NULL ||
				    stage->drops[i - 1].name != NULL);
			assert_int_equal(
				stage->drops[i].name == NULL, stage->drops[i].text == NULL);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_header_is_right),
		TEST(source_ports_are_dynamic_ones_and_differ),
		TEST(a_vtep_that_is_none_gets_nothing),
		TEST(packets_above_the_networks_mtu_are_not_sent),
		TEST(an_unresolved_vtep_gets_nothing),
		TEST(without_headroom_nothing_is_written),
		TEST(a_packet_leaves_by_its_networks_uplink),
		TEST(a_reply_leaves_by_the_uplink_it_came_by),
		TEST(packets_above_the_uplinks_mtu_are_not_sent),
		TEST(a_container_gets_what_is_for_it),
		TEST(a_port_that_is_gone_or_anothers_gets_nothing),
		TEST(packets_above_the_containers_mtu_are_not_delivered),
		TEST(a_wire_joins_container_and_vtep),
		TEST(a_wire_joins_uplink_and_container),
		TEST(a_wire_without_a_container_takes_nothing),
		TEST(rx_passes_everything_on),
		TEST(stages_are_found_by_name),
		TEST(drops_have_names_of_their_own),
		TEST(rows_have_no_gaps),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
