/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include <stdlib.h>

#include "traffic/checker.h"

#define FLOWS 4
#define LENGTH 200
#define ELSEWHERE 63

/* Flows 0 and 1 have the same addresses, in networks of their own. Flow 2 is a broadcast; flow 3
 * may come out nowhere. */
static const struct checker_flow description[FLOWS] = {
	{.network = 0, .places = 1 << 0},
	{.network = 1, .places = 1 << 5},
	{.network = 0, .places = 1 << 0 | 1 << 2 | 1 << 3},
	{.network = 0, .places = 0},
};

struct test_frame {
	struct frame_inner inner;
	uint8_t rest[FRAME_BYTES_MAX];
};

static struct checker checker;
static struct checker_flow flows[FLOWS];
static char text[256];

static int make(void **state)
{
	struct frame_addresses addresses = {
		.source_mac = mac_1, .mac = mac_2, .source = VTEP_2, .address = VTEP_3};

	(void)state;
	memcpy(flows, description, sizeof(flows));
	for (uint16_t i = 0; i < FLOWS; i++)
		frame_build_inner(&flows[i].inner, &addresses, i, sizeof(struct frame_inner));
	return checker_init(&checker, flows, FLOWS);
}

static int release(void **state)
{
	(void)state;
	checker_free(&checker);
	return 0;
}

static struct test_frame frame_of(uint16_t flow, uint64_t sequence, uint16_t length)
{
	struct test_frame frame;

	frame_write(&frame.inner, &flows[flow].inner, length, sequence, sequence << 20);
	return frame;
}

static enum frame_verdict receive_at(
	struct checker *by, uint16_t place, uint16_t flow, uint64_t sequence)
{
	struct test_frame frame = frame_of(flow, sequence, LENGTH);

	return checker_receive(by, place, &frame, LENGTH, NULL, 0);
}

static enum frame_verdict receive(uint64_t sequence)
{
	return receive_at(&checker, 0, 0, sequence);
}

static enum frame_verdict receive_frame(const struct test_frame *frame, uint32_t length)
{
	return checker_receive(&checker, 0, frame, length, NULL, 0);
}

/* ---- frames ---- */

static void a_frame_of_any_length_is_sound(void **state)
{
	uint64_t sequence = 0;

	(void)state;
	for (uint16_t i = sizeof(struct frame_inner); i <= FRAME_BYTES_MAX; i++) {
		struct test_frame frame = frame_of(0, sequence++, i);

		assert_int_equal(rte_ipv4_cksum(&frame.inner.ip), 0);
		assert_int_equal(receive_frame(&frame, i), FRAME_SOUND);
	}
	assert_int_equal(checker_count(&checker, FRAME_SOUND), sequence);
}

static void wrapped_frames_of_any_length_are_sound(void **state)
{
	struct frame_tunnel there = {.local_mac = mac_vtep_2,
		.remote_mac = mac_uplink,
		.local = VTEP_2,
		.remote = VTEP_OWN,
		.vni = 100,
		.udp_port = 4789};
	struct frame_tunnel here = {.local_mac = mac_uplink,
		.remote_mac = mac_vtep_2,
		.local = VTEP_OWN,
		.remote = VTEP_2,
		.vni = 100,
		.udp_port = 4789};
	struct frame_outer model, outer;

	(void)state;
	frame_build_outer(&model, &there, 7, LENGTH);
	for (uint16_t i = sizeof(struct frame_inner); i <= FRAME_BYTES_MAX; i++) {
		frame_wrap(&outer, &model, i);
		assert_true(frame_outer_is_sound(&outer, &here, i + sizeof(outer)));
		assert_false(frame_outer_is_sound(&outer, &here, i + sizeof(outer) - 1));
	}
}

/* Every other value of every byte. Three bytes say whether it is UDP over IPv4 at all. */
static void assert_no_changed_byte_is_sound(struct checker *by)
{
	struct test_frame frame = frame_of(0, 0x0102030405060708, LENGTH);
	uint8_t *bytes = (uint8_t *)&frame;

	for (uint16_t i = 0; i < LENGTH; i++)
		for (uint16_t change = 1; change < 256; change++) {
			bool foreign = i == 12 || i == 13 || i == 23;
			enum frame_verdict verdict;

			bytes[i] ^= change;
			verdict = checker_receive(by, 0, &frame, LENGTH, NULL, 0);
			bytes[i] ^= change;
			assert_int_equal(verdict, foreign ? FRAME_FOREIGN : FRAME_CORRUPTED);
		}
	assert_int_equal(checker_receive(by, 0, &frame, LENGTH, NULL, 0), FRAME_SOUND);
}

static void no_changed_byte_is_sound(void **state)
{
	struct checker_flow flow = flows[0];
	struct checker fixed;

	(void)state;
	assert_no_changed_byte_is_sound(&checker);
	flow.frame_bytes = LENGTH + RTE_ETHER_CRC_LEN;
	assert_int_equal(checker_init(&fixed, &flow, 1), 0);
	assert_no_changed_byte_is_sound(&fixed);
	checker_free(&fixed);
}

static void a_wrong_length_is_corruption(void **state)
{
	struct test_frame frame = frame_of(0, 0, LENGTH);

	(void)state;
	for (uint16_t i = sizeof(frame.inner.ether) + sizeof(frame.inner.ip); i < 2 * LENGTH; i++)
		assert_int_equal(
			receive_frame(&frame, i), i == LENGTH ? FRAME_SOUND : FRAME_CORRUPTED);
	assert_int_equal(receive_frame(&frame, FRAME_BYTES_MAX + 1), FRAME_CORRUPTED);
}

/* With all headers made to fit: only `check` knows. */
static void a_shortened_packet_is_corruption(void **state)
{
	struct test_frame frame = frame_of(0, 0, LENGTH), shorter = frame_of(0, 0, LENGTH - 2);

	(void)state;
	shorter.inner.payload = frame.inner.payload;
	assert_int_equal(receive_frame(&shorter, LENGTH - 2), FRAME_CORRUPTED);
}

static void flows_of_one_length_have_no_other(void **state)
{
	struct checker_flow flow = flows[0];
	struct checker fixed;
	struct test_frame good, bad;

	(void)state;
	flow.frame_bytes = LENGTH + RTE_ETHER_CRC_LEN;
	assert_int_equal(checker_init(&fixed, &flow, 1), 0);
	good = frame_of(0, 0, LENGTH);
	bad = frame_of(0, 1, LENGTH + 1);
	assert_int_equal(checker_receive(&fixed, 0, &good, LENGTH, NULL, 0), FRAME_SOUND);
	assert_int_equal(checker_receive(&fixed, 0, &bad, LENGTH + 1, NULL, 0), FRAME_CORRUPTED);
	checker_free(&fixed);
}

static void foreign_frames_are_told_from_corrupted_ones(void **state)
{
	struct arp_frame arp = arp_request();
	struct ipv4_frame icmp = echo_request(), udp = ipv4_frame(IPPROTO_UDP);

	(void)state;
	assert_int_equal(checker_receive(&checker, 0, &arp, sizeof(arp), NULL, 0), FRAME_FOREIGN);
	assert_int_equal(checker_receive(&checker, 0, &icmp, sizeof(icmp), NULL, 0), FRAME_FOREIGN);
	assert_int_equal(checker_receive(&checker, 0, &udp, sizeof(udp), NULL, 0), FRAME_CORRUPTED);
	for (uint32_t i = 0; i < 34; i++)
		assert_int_equal(checker_receive(&checker, 0, &udp, i, NULL, 0), FRAME_FOREIGN);
	checker_describe(&checker, FRAME_FOREIGN, 4, &arp, 60, text, sizeof(text));
	assert_string_equal(text, "place 4: a frame of 60 bytes is none that was sent");
}

static void a_flow_that_there_is_not_is_corruption(void **state)
{
	struct checker_flow none = flows[0];
	struct test_frame frame;

	(void)state;
	none.inner.payload.flow = FLOWS;
	frame_write(&frame.inner, &none.inner, LENGTH, 0, 0);
	assert_int_equal(receive_frame(&frame, LENGTH), FRAME_CORRUPTED);
}

/* ---- isolation ---- */

static void a_frame_at_a_wrong_place_has_strayed(void **state)
{
	(void)state;
	for (uint16_t place = 0; place < CHECKER_PLACES_MAX; place++)
		assert_int_equal(receive_at(&checker, place, 0, 0),
			place == 0 ? FRAME_SOUND : FRAME_STRAYED);
	assert_int_equal(checker_count(&checker, FRAME_STRAYED), CHECKER_PLACES_MAX - 1);
	assert_int_equal(checker_count(&checker, FRAME_SOUND), 1);
}

/* All that tells the networks' frames apart is what the flows are. */
static void a_frame_in_another_network_has_strayed(void **state)
{
	struct test_frame frame = frame_of(1, 9, LENGTH);

	(void)state;
	assert_int_equal(receive_frame(&frame, LENGTH), FRAME_STRAYED);
	checker_describe(&checker, FRAME_STRAYED, 0, &frame, LENGTH, text, sizeof(text));
	assert_string_equal(text,
		"place 0: packet 9 of flow 1 of network 1, 200 bytes, came out where none of its "
		"flow may");
	assert_int_equal(receive_at(&checker, 5, 1, 9), FRAME_SOUND);
}

static void a_packet_that_must_be_dropped_may_come_out_nowhere(void **state)
{
	(void)state;
	for (uint16_t place = 0; place < CHECKER_PLACES_MAX; place++)
		assert_int_equal(receive_at(&checker, place, 3, 0), FRAME_STRAYED);
	assert_null(checker_state(&checker, 3, 0));
}

static void a_broadcast_comes_out_everywhere_once(void **state)
{
	(void)state;
	assert_int_equal(receive_at(&checker, 0, 2, 0), FRAME_SOUND);
	assert_int_equal(receive_at(&checker, 3, 2, 0), FRAME_SOUND);
	assert_int_equal(receive_at(&checker, 2, 2, 0), FRAME_SOUND);
	assert_int_equal(receive_at(&checker, 3, 2, 0), FRAME_DUPLICATE);
	assert_int_equal(checker_state(&checker, 2, 3)->received, 1);
	assert_null(checker_state(&checker, 2, 1));
	assert_null(checker_state(&checker, FLOWS, 0));
	assert_null(checker_state(&checker, 2, CHECKER_PLACES_MAX));
}

/* ---- order ---- */

static void a_swapped_pair_is_reordering(void **state)
{
	(void)state;
	assert_int_equal(receive(0), FRAME_SOUND);
	assert_int_equal(receive(2), FRAME_SOUND);
	assert_int_equal(receive(1), FRAME_REORDERED);
	assert_int_equal(receive(3), FRAME_SOUND);
	assert_int_equal(checker_count(&checker, FRAME_SOUND), 3);
	assert_int_equal(checker_count(&checker, FRAME_REORDERED), 1);
	assert_int_equal(checker_state(&checker, 0, 0)->received, 4);
	assert_int_equal(checker_state(&checker, 0, 0)->expected, 4);
}

static void a_packet_that_comes_twice_is_a_duplicate(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 3 * CHECKER_MEMORY; i++)
		assert_int_equal(receive(i), FRAME_SOUND);
	for (uint64_t i = 2 * CHECKER_MEMORY; i < 3 * CHECKER_MEMORY; i++)
		assert_int_equal(receive(i), FRAME_DUPLICATE);
	assert_int_equal(receive(2 * CHECKER_MEMORY - 1), FRAME_REORDERED); /* forgotten */
	assert_int_equal(checker_count(&checker, FRAME_DUPLICATE), CHECKER_MEMORY);
}

/* The bits of those that were skipped are not those of their predecessors. */
static void lost_packets_are_missing_and_may_come_late_once(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < CHECKER_MEMORY; i++)
		assert_int_equal(receive(i), FRAME_SOUND);
	assert_int_equal(receive(CHECKER_MEMORY + 100), FRAME_SOUND);
	assert_int_equal(checker_state(&checker, 0, 0)->received, CHECKER_MEMORY + 1);
	assert_int_equal(checker_state(&checker, 0, 0)->expected, CHECKER_MEMORY + 101);
	for (uint64_t i = CHECKER_MEMORY; i < CHECKER_MEMORY + 100; i++) {
		assert_int_equal(receive(i), FRAME_REORDERED);
		assert_int_equal(receive(i), FRAME_DUPLICATE);
	}
	assert_int_equal(receive(100 * CHECKER_MEMORY), FRAME_SOUND);
	assert_int_equal(receive(100 * CHECKER_MEMORY - 1), FRAME_REORDERED);
}

/* ---- equivalence ---- */

static void assert_same(const struct checker *other, bool same)
{
	text[0] = '\0';
	assert_int_equal(checker_compare(&checker, other, text, sizeof(text)), same);
	assert_int_equal(text[0] == '\0', same);
}

static void the_same_packets_at_another_time_are_the_same(void **state)
{
	struct checker other;
	struct test_frame frame;

	(void)state;
	assert_int_equal(checker_init(&other, flows, FLOWS), 0);
	assert_same(&other, true);
	for (uint64_t i = 0; i < 10; i++) {
		receive(i);
		assert_same(&other, false);
		frame_write(&frame.inner, &flows[0].inner, LENGTH, i, 123456789);
		checker_receive(&other, 0, &frame, LENGTH, NULL, 0);
		assert_same(&other, true);
	}
	checker_free(&other);
}

static void lost_other_and_swapped_packets_are_a_difference(void **state)
{
	static const uint64_t orders[][3] = {{0, 1, 3}, {0, 2, 1}, {1, 2, 2}};
	struct checker other;

	(void)state;
	for (uint64_t i = 0; i < 3; i++)
		receive(i);
	for (unsigned int i = 0; i < RTE_DIM(orders); i++) {
		assert_int_equal(checker_init(&other, flows, FLOWS), 0);
		for (unsigned int j = 0; j < 3; j++)
			receive_at(&other, 0, 0, orders[i][j]);
		assert_same(&other, false);
		assert_true(checker_compare_flow(&checker, &other, 1, text, sizeof(text)));
		assert_false(checker_compare_flow(&checker, &other, 0, text, sizeof(text)));
		checker_free(&other);
	}
}

static void length_extra_bytes_and_place_are_a_difference(void **state)
{
	struct test_frame frame = frame_of(2, 0, LENGTH), longer = frame_of(2, 0, LENGTH + 1);
	struct checker others[3];

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(others); i++)
		assert_int_equal(checker_init(&others[i], flows, FLOWS), 0);
	checker_receive(&checker, 0, &frame, LENGTH, "abc", 3);
	checker_receive(&others[0], 0, &longer, LENGTH + 1, "abc", 3);
	checker_receive(&others[1], 0, &frame, LENGTH, "abd", 3);
	checker_receive(&others[2], 2, &frame, LENGTH, "abc", 3);
	for (unsigned int i = 0; i < RTE_DIM(others); i++) {
		assert_same(&others[i], false);
		checker_free(&others[i]);
	}
}

static void other_flows_are_a_difference(void **state)
{
	struct checker other;

	(void)state;
	assert_int_equal(checker_init(&other, flows, FLOWS - 1), 0);
	assert_same(&other, false);
	checker_free(&other);
}

static void there_may_be_no_flow_and_very_many(void **state)
{
	struct checker_flow *many = calloc(10000, sizeof(*many));
	struct checker other;

	(void)state;
	assert_int_equal(checker_init(&other, NULL, 0), 0);
	assert_int_equal(receive_at(&other, 0, 0, 0), FRAME_CORRUPTED);
	assert_int_equal(checker_count(&other, FRAME_SOUND), 0);
	checker_free(&other);
	for (unsigned int i = 0; i < 10000; i++) {
		many[i] = flows[0];
		many[i].inner.payload.flow = i;
		many[i].places = UINT64_C(1) << ELSEWHERE;
	}
	assert_int_equal(checker_init(&other, many, 10000), 0);
	assert_int_equal(receive_at(&other, ELSEWHERE, 0, 0), FRAME_SOUND);
	checker_free(&other);
	free(many);
}

/* ---- conservation and progress ---- */

static void accounts_that_are_off_by_one_are_found(void **state)
{
	const struct balance sound = {.received = 100,
		.created = 7,
		.delivered = 90,
		.dropped = 12,
		.consumed = 4,
		.coalesced = 1,
		.given = 100,
		.taken = 90,
		.mbufs = 1000,
		.mbufs_free = 1000};

	(void)state;
	assert_true(balance_check(&sound, text, sizeof(text)));
	for (size_t i = 0; i < sizeof(sound); i += sizeof(uint64_t))
		for (int off = -1; off <= 1; off += 2) {
			struct balance balance = sound;

			*(uint64_t *)((char *)&balance + i) += off;
			text[0] = '\0';
			assert_false(balance_check(&balance, text, sizeof(text)));
			assert_true(text[0] != '\0');
		}
}

static void what_stands_still_for_too_long_makes_no_progress(void **state)
{
	struct progress progress = {0};

	(void)state;
	assert_true(progress_check(&progress, 5, 0, 1000000, 10)); /* the first look */
	assert_true(progress_check(&progress, 5, 0, 1000010, 10));
	assert_false(progress_check(&progress, 5, 0, 1000011, 10));
	assert_true(progress_check(&progress, 5, 1, 1000012, 10)); /* one came out */
	assert_true(progress_check(&progress, 4, 1, 1000022, 10));
	assert_false(progress_check(&progress, 4, 1, 1000023, 10));
	assert_true(progress_check(&progress, 0, 1, 2000000, 10)); /* nothing is inside */
	assert_true(progress_check(&progress, 1, 1, 2000010, 10));
	assert_false(progress_check(&progress, 1, 1, 2000011, 10));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, release)
	const struct CMUnitTest tests[] = {
		TEST(a_frame_of_any_length_is_sound),
		TEST(wrapped_frames_of_any_length_are_sound),
		TEST(no_changed_byte_is_sound),
		TEST(a_wrong_length_is_corruption),
		TEST(a_shortened_packet_is_corruption),
		TEST(flows_of_one_length_have_no_other),
		TEST(foreign_frames_are_told_from_corrupted_ones),
		TEST(a_flow_that_there_is_not_is_corruption),
		TEST(a_frame_at_a_wrong_place_has_strayed),
		TEST(a_frame_in_another_network_has_strayed),
		TEST(a_packet_that_must_be_dropped_may_come_out_nowhere),
		TEST(a_broadcast_comes_out_everywhere_once),
		TEST(a_swapped_pair_is_reordering),
		TEST(a_packet_that_comes_twice_is_a_duplicate),
		TEST(lost_packets_are_missing_and_may_come_late_once),
		TEST(the_same_packets_at_another_time_are_the_same),
		TEST(lost_other_and_swapped_packets_are_a_difference),
		TEST(length_extra_bytes_and_place_are_a_difference),
		TEST(other_flows_are_a_difference),
		TEST(there_may_be_no_flow_and_very_many),
		TEST(accounts_that_are_off_by_one_are_found),
		TEST(what_stands_still_for_too_long_makes_no_progress),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
