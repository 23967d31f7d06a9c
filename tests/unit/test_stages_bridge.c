/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/random.h"
#include "fixture.h"
#include "stages/bridge.h"

/* A frame from a place of blue; the verdict. */
static struct rte_mbuf *mbuf_from(
	uint16_t place, const struct rte_ether_addr *from, const struct rte_ether_addr *to)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);
	struct rte_mbuf *mbuf;

	frame.ether.src_addr = *from;
	frame.ether.dst_addr = *to;
	mbuf = mbuf_of(&frame, sizeof(frame));
	packet_of(mbuf)->network = BLUE;
	packet_of(mbuf)->source = place;
	return mbuf;
}

static uint16_t bridge_of(
	uint16_t place, const struct rte_ether_addr *from, const struct rte_ether_addr *to)
{
	return verdict_of(&bridge_stage, mbuf_from(place, from, to));
}

static void assert_destination(uint16_t place, const struct rte_ether_addr *from,
	const struct rte_ether_addr *to, uint16_t exit, uint16_t destination)
{
	struct rte_mbuf *mbuf = mbuf_from(place, from, to);

	assert_int_equal(verdict_of(&bridge_stage, mbuf), exit);
	assert_int_equal(packet_of(mbuf)->destination, destination);
}

static void known_addresses_are_reached(void **state)
{
	(void)state;
	assert_destination(REMOTE_2, &mac_host_2, &mac_1, BRIDGE_LOCAL, PORT_1);
	assert_destination(PORT_1, &mac_1, &mac_2, BRIDGE_LOCAL, PORT_2);
	assert_destination(PORT_1, &mac_1, &mac_host_2, BRIDGE_REMOTE, REMOTE_2);
	assert_destination(PORT_2, &mac_2, &mac_host_3, BRIDGE_REMOTE, REMOTE_3);
}

static void a_network_has_its_own_addresses(void **state)
{
	struct rte_mbuf *mbuf = mbuf_from(REMOTE_RED, &mac_host_2, &mac_1);

	(void)state;
	packet_of(mbuf)->network = RED;
	assert_exit(verdict_of(&bridge_stage, mbuf), bridge, "local");
	assert_int_equal(packet_of(mbuf)->destination, PORT_RED);
	mbuf = mbuf_from(PORT_RED, &mac_1, &mac_2); /* blue's, unknown in red */
	packet_of(mbuf)->network = RED;
	assert_int_equal(verdict_of(&bridge_stage, mbuf), VERDICT_FLOOD);
}

static void unknown_addresses_and_groups_are_flooded(void **state)
{
	static const struct rte_ether_addr group = {{0x33, 0x33, 0, 0, 0, 1}};

	(void)state;
	assert_int_equal(bridge_of(PORT_1, &mac_1, &mac_unknown), VERDICT_FLOOD);
	assert_int_equal(bridge_of(PORT_1, &mac_1, &mac_broadcast), VERDICT_FLOOD);
	assert_int_equal(bridge_of(REMOTE_2, &mac_host_2, &group), VERDICT_FLOOD);
}

static void link_local_groups_stay_on_their_link(void **state)
{
	struct rte_ether_addr group = {{0x01, 0x80, 0xc2, 0, 0, 0}};

	(void)state;
	for (int i = 0; i < 16; i++) {
		group.addr_bytes[5] = i;
		assert_drop(bridge_of(PORT_1, &mac_1, &group), "bridge_reserved");
	}
	group.addr_bytes[5] = 16;
	assert_int_equal(bridge_of(PORT_1, &mac_1, &group), VERDICT_FLOOD);
}

static void a_source_must_be_a_station(void **state)
{
	static const struct rte_ether_addr zero, group = {{0x03, 0, 0, 0, 0, 1}};

	(void)state;
	assert_drop(bridge_of(REMOTE_2, &zero, &mac_1), "bridge_source");
	assert_drop(bridge_of(REMOTE_2, &zero, &zero), "bridge_source");
	assert_drop(bridge_of(REMOTE_2, &group, &mac_1), "bridge_source");
	assert_drop(bridge_of(REMOTE_2, &mac_broadcast, &mac_1), "bridge_source");
	assert_int_equal(fixture.context.notices.n, 0);
}

static void a_static_source_must_come_from_its_place(void **state)
{
	(void)state;
	assert_drop(bridge_of(REMOTE_2, &mac_1, &mac_2), "bridge_spoofed");
	assert_drop(bridge_of(PORT_2, &mac_1, &mac_host_2), "bridge_spoofed");
	assert_drop(bridge_of(REMOTE_2, &mac_host_3, &mac_1), "bridge_spoofed");
	assert_int_equal(bridge_of(REMOTE_3, &mac_host_3, &mac_1), BRIDGE_LOCAL);
	assert_int_equal(fixture.context.notices.n, 0); /* static ones are not learned */
}

static void nothing_goes_back_where_it_came_from(void **state)
{
	(void)state;
	assert_drop(bridge_of(PORT_1, &mac_1, &mac_1), "bridge_same_port");
	assert_drop(bridge_of(REMOTE_2, &mac_host_2, &mac_host_2), "bridge_same_port");
}

static void nothing_goes_from_tunnel_to_tunnel(void **state)
{
	(void)state;
	assert_drop(bridge_of(REMOTE_2, &mac_host_2, &mac_host_3), "bridge_tunnel_to_tunnel");
	assert_drop(bridge_of(PLACE_NONE, &mac_unknown, &mac_host_3), "bridge_tunnel_to_tunnel");
}

static void assert_noticed(const struct rte_ether_addr *mac, uint16_t place)
{
	const struct notice *notice = &fixture.context.notices.list[0];

	assert_int_equal(fixture.context.notices.n, 1);
	assert_int_equal(notice->kind, NOTICE_ADDRESS);
	assert_int_equal(notice->network, BLUE);
	assert_int_equal(notice->place, place);
	assert_memory_equal(&notice->mac, mac, RTE_ETHER_ADDR_LEN);
}

static void a_new_address_is_told_of(void **state)
{
	(void)state;
	assert_int_equal(bridge_of(REMOTE_2, &mac_unknown, &mac_1), BRIDGE_LOCAL);
	assert_noticed(&mac_unknown, REMOTE_2);
}

static void an_address_that_moved_is_told_of(void **state)
{
	(void)state;
	assert_int_equal(bridge_of(REMOTE_3, &mac_host_2, &mac_1), BRIDGE_LOCAL);
	assert_noticed(&mac_host_2, REMOTE_3);
}

static void a_fresh_address_is_not_told_of_again(void **state)
{
	(void)state;
	for (uint32_t age = 0; age < REFRESH; age++) {
		fixture.context.seconds = HEARD + age;
		assert_int_equal(bridge_of(REMOTE_2, &mac_host_2, &mac_1), BRIDGE_LOCAL);
		assert_int_equal(fixture.context.notices.n, 0);
	}
	fixture.context.seconds = HEARD + REFRESH;
	bridge_of(REMOTE_2, &mac_host_2, &mac_1);
	assert_noticed(&mac_host_2, REMOTE_2);
}

/* The main lcore's clock may be a second ahead of the turn's. */
static void an_address_heard_in_the_future_is_fresh(void **state)
{
	(void)state;
	fixture.context.seconds = HEARD - 1;
	assert_int_equal(bridge_of(REMOTE_2, &mac_host_2, &mac_1), BRIDGE_LOCAL);
	assert_int_equal(fixture.context.notices.n, 0);
}

static void nothing_is_told_of_where_nothing_is_learned(void **state)
{
	(void)state;
	fixture.networks[BLUE]->learning = false;
	fixture.context.seconds = HEARD + 10 * REFRESH;
	assert_int_equal(bridge_of(REMOTE_2, &mac_unknown, &mac_1), BRIDGE_LOCAL);
	assert_int_equal(bridge_of(REMOTE_2, &mac_host_2, &mac_1), BRIDGE_LOCAL);
	assert_int_equal(fixture.context.notices.n, 0);
}

static void an_address_from_nowhere_is_not_learned(void **state)
{
	(void)state;
	assert_int_equal(bridge_of(PLACE_NONE, &mac_unknown, &mac_1), BRIDGE_LOCAL);
	assert_int_equal(fixture.context.notices.n, 0);
}

static void notices_beyond_the_list_are_counted(void **state)
{
	(void)state;
	for (int i = 0; i < NOTICES_MAX - NOTICES_RESERVED + 3; i++)
		bridge_of(REMOTE_2, &mac_unknown, &mac_1);
	assert_int_equal(fixture.context.notices.n, NOTICES_MAX - NOTICES_RESERVED);
	assert_int_equal(fixture.context.notices.lost, 3);
}

static void new_addresses_leave_room_for_neighbours(void **state)
{
	(void)state;
	for (int i = 0; i < NOTICES_MAX; i++)
		bridge_of(REMOTE_2, &mac_unknown, &mac_1);
	notice_add(&fixture.context.notices, (struct notice){.kind = NOTICE_NEIGHBOUR});
	assert_int_equal(fixture.context.notices.n, NOTICES_MAX - NOTICES_RESERVED + 1);
}

/* The last answer is kept within a burst; it must serve the same pair only. */
static void neighbours_in_a_burst_do_not_share_answers(void **state)
{
	struct rte_mbuf *mbufs[] = {mbuf_from(REMOTE_2, &mac_host_2, &mac_1),
		mbuf_from(REMOTE_2, &mac_host_2, &mac_2), mbuf_from(PORT_1, &mac_1, &mac_host_2),
		mbuf_from(REMOTE_RED, &mac_host_2, &mac_1),
		mbuf_from(REMOTE_2, &mac_host_2, &mac_1)};
	static const uint16_t places[] = {PORT_1, PORT_2, REMOTE_2, PORT_RED, PORT_1};
	uint16_t verdicts[RTE_DIM(mbufs)];

	(void)state;
	packet_of(mbufs[3])->network = RED;
	bridge_stage.process(&fixture.context, mbufs, RTE_DIM(mbufs), verdicts);
	for (size_t i = 0; i < RTE_DIM(mbufs); i++)
		assert_int_equal(packet_of(mbufs[i])->destination, places[i]);
}

static struct rte_mbuf *make_any(uint64_t *random)
{
	const struct rte_ether_addr *const macs[] = {
		&mac_1, &mac_2, &mac_host_2, &mac_host_3, &mac_unknown, &mac_broadcast};
	static const uint16_t places[] = {PORT_1, PORT_2, REMOTE_2, REMOTE_3};
	uint32_t from = 0, to = 1;

	if (random_one_in(random, 3)) {
		from = random_below(random, RTE_DIM(macs));
		to = random_below(random, RTE_DIM(macs));
	}
	return mbuf_from(
		places[random_one_in(random, 4) ? random_below(random, RTE_DIM(places)) : 0],
		macs[from], macs[to]);
}

static void bursts_are_judged_packet_by_packet(void **state)
{
	(void)state;
	assert_burst_agrees(&bridge_stage, make_any);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(known_addresses_are_reached),
		TEST(a_network_has_its_own_addresses),
		TEST(unknown_addresses_and_groups_are_flooded),
		TEST(link_local_groups_stay_on_their_link),
		TEST(a_source_must_be_a_station),
		TEST(a_static_source_must_come_from_its_place),
		TEST(nothing_goes_back_where_it_came_from),
		TEST(nothing_goes_from_tunnel_to_tunnel),
		TEST(a_new_address_is_told_of),
		TEST(an_address_that_moved_is_told_of),
		TEST(a_fresh_address_is_not_told_of_again),
		TEST(an_address_heard_in_the_future_is_fresh),
		TEST(nothing_is_told_of_where_nothing_is_learned),
		TEST(an_address_from_nowhere_is_not_learned),
		TEST(notices_beyond_the_list_are_counted),
		TEST(new_addresses_leave_room_for_neighbours),
		TEST(neighbours_in_a_burst_do_not_share_answers),
		TEST(bursts_are_judged_packet_by_packet),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
