/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_lcore.h>

#include "base/random.h"
#include "fixture.h"
#include "steer/heavy.h"

#define MICE 10000
#define ELEPHANTS 64
#define WINDOW 200000 /* packets */

/* Flows beyond the elephants are mice. */
static uint32_t hash_of(uint32_t flow)
{
	return random_mix(flow + 1);
}

static bool is_elephant(uint32_t hash)
{
	for (uint32_t flow = 0; flow < ELEPHANTS; flow++)
		if (hash == hash_of(flow))
			return true;
	return false;
}

static int create(void **state)
{
	*state = heavy_create(rte_socket_id());
	return *state == NULL;
}

static int destroy(void **state)
{
	heavy_free(*state);
	return 0;
}

/* One packet at a time. */
static void receive(struct heavy *heavy, uint32_t hash, uint32_t packets)
{
	for (uint32_t i = 0; i < packets; i++)
		heavy_seen(heavy, hash, 1);
}

/* A window of mice that all have the same rate, and elephants of so many times that rate. */
static void receive_mixed(struct heavy *heavy, uint64_t *random, uint32_t elephants, uint32_t times)
{
	for (uint32_t i = 0; i < WINDOW; i++) {
		uint32_t x = random_below(random, elephants * times + MICE);

		receive(heavy, hash_of(x < elephants * times ? x / times : ELEPHANTS + x % MICE),
			1);
	}
}

/* The estimate, which a report compares with `at_least`. */
static uint32_t packets_estimated(struct heavy *heavy, uint32_t hash)
{
	for (uint32_t i = 0; i < HEAVY_BUCKETS; i++)
		for (unsigned int j = 0; j < RTE_DIM(heavy->buckets[i].flows); j++)
			if (heavy->buckets[i].flows[j].hash == hash)
				return heavy->buckets[i].flows[j].samples * HEAVY_PERIOD;
	return 0;
}

static void assert_within(uint32_t value, uint32_t wanted, uint32_t percent)
{
	assert_in_range(value, wanted - wanted / 100 * percent, wanted + wanted / 100 * percent);
}

static void one_heavy_flow_is_found(void **state)
{
	uint32_t reported[HEAVY_MAX];

	receive(*state, 0x12345678, 10000);
	assert_within(packets_estimated(*state, 0x12345678), 10000, 10);
	assert_int_equal(heavy_report(*state, 5000, reported, HEAVY_MAX), 1);
	assert_int_equal(reported[0], 0x12345678);
	receive(*state, 0x12345678, 10000);
	assert_int_equal(heavy_report(*state, 20000, reported, HEAVY_MAX), 0);
}

static void nothing_received_is_nothing_reported(void **state)
{
	uint32_t reported[HEAVY_MAX];

	assert_int_equal(heavy_report(*state, 0, reported, HEAVY_MAX), 0);
	assert_int_equal(heavy_report(*state, UINT32_MAX, reported, HEAVY_MAX), 0);
}

static void heavy_flows_are_found_beside_many_mice(void **state)
{
	uint32_t reported[HEAVY_MAX], at_least = WINDOW * 50 / (ELEPHANTS * 50 + MICE) / 2;
	uint64_t random = 1;

	for (int window = 0; window < 10; window++) {
		uint16_t n;

		receive_mixed(*state, &random, ELEPHANTS, 50);
		n = heavy_report(*state, at_least, reported, HEAVY_MAX);
		assert_in_range(n, ELEPHANTS - 1, ELEPHANTS);
		for (uint16_t i = 0; i < n; i++)
			assert_true(is_elephant(reported[i]));
	}
}

static void mice_alone_are_not_reported(void **state)
{
	uint32_t reported[HEAVY_MAX];
	uint64_t random = 1;

	for (int window = 0; window < 10; window++) {
		receive_mixed(*state, &random, 0, 50);
		assert_int_equal(heavy_report(*state, WINDOW / MICE * 25, reported, HEAVY_MAX), 0);
	}
}

/* However many came before: it takes over a counter that is small. */
static void a_heavy_flow_that_begins_late_is_found(void **state)
{
	uint32_t reported[HEAVY_MAX];
	uint64_t random = 1;

	receive_mixed(*state, &random, 0, 50);
	receive(*state, hash_of(0), 5000);
	assert_int_equal(heavy_report(*state, 4000, reported, HEAVY_MAX), 1);
	assert_int_equal(reported[0], hash_of(0));
}

static void the_heaviest_come_first(void **state)
{
	uint32_t reported[HEAVY_MAX];

	for (uint32_t flow = 0; flow < 8; flow++)
		receive(*state, hash_of(flow * 3 % 8), 1000 << flow * 3 % 8);
	assert_int_equal(heavy_report(*state, 500, reported, HEAVY_MAX), 8);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(reported[i], hash_of(7 - i));
}

/* And those that are left out are the lightest. */
static void no_more_than_max_are_reported(void **state)
{
	for (uint16_t max = 0; max <= 8; max++) {
		uint16_t expected = RTE_MIN(max, 6);
		uint32_t reported[HEAVY_MAX];

		memset(reported, 0, sizeof(reported));
		for (uint32_t flow = 0; flow < 6; flow++)
			receive(*state, hash_of(flow), 1000 << flow);
		assert_int_equal(heavy_report(*state, 500, reported, max), expected);
		for (uint16_t i = 0; i < expected; i++)
			assert_int_equal(reported[i], hash_of(5 - i));
		for (uint16_t i = expected; i < HEAVY_MAX; i++)
			assert_int_equal(reported[i], 0);
	}
}

static void more_flows_than_a_report_holds_fill_it(void **state)
{
	uint32_t reported[HEAVY_MAX + 1] = {[HEAVY_MAX] = 42};

	for (uint32_t flow = 0; flow < 10 * HEAVY_MAX; flow++)
		receive(*state, hash_of(flow), 100 + flow);
	assert_int_equal(heavy_report(*state, 1, reported, HEAVY_MAX), HEAVY_MAX);
	assert_int_equal(reported[HEAVY_MAX], 42);
}

static void a_new_window_forgets(void **state)
{
	uint32_t reported[HEAVY_MAX];

	receive(*state, 1, 100000);
	heavy_report(*state, UINT32_MAX, reported, HEAVY_MAX);
	assert_int_equal(heavy_report(*state, 0, reported, HEAVY_MAX), 0);
	receive(*state, 2, 1000);
	assert_int_equal(heavy_report(*state, 0, reported, HEAVY_MAX), 1);
	assert_int_equal(reported[0], 2);
}

/* Also where the packets come in whole bursts, which are a multiple of the samples' distance. */
static void packets_count_alike_however_many_come_at_once(void **state)
{
	static const uint32_t numbers[] = {1, 2, 7, 15, 16, 17, 31, 32};

	for (unsigned int i = 0; i < RTE_DIM(numbers); i++) {
		uint32_t reported[HEAVY_MAX];

		for (uint32_t packets = 0; packets < 32000; packets += numbers[i] + 1) {
			heavy_seen(*state, 1, numbers[i]);
			heavy_seen(*state, 2, 1);
		}
		assert_within(
			packets_estimated(*state, 1) + packets_estimated(*state, 2), 32000, 5);
		assert_within(
			packets_estimated(*state, 1), 32000 * numbers[i] / (numbers[i] + 1), 10);
		heavy_report(*state, 0, reported, HEAVY_MAX);
	}
}

/* One flow always has the same place in bursts of 32. */
static void no_place_in_a_burst_is_hidden(void **state)
{
	for (uint32_t place = 0; place < 32; place++) {
		uint32_t reported[HEAVY_MAX];

		for (uint32_t i = 0; i < 32 * 10000; i++)
			heavy_seen(*state, i % 32 == place ? 1 : 2, 1);
		assert_within(packets_estimated(*state, 1), 10000, 15);
		heavy_report(*state, 0, reported, HEAVY_MAX);
	}
}

static void any_hash_is_a_flow(void **state)
{
	static const uint32_t hashes[] = {UINT32_MAX, 0, 1, UINT32_MAX - 1};
	uint32_t reported[HEAVY_MAX];

	for (unsigned int i = 0; i < RTE_DIM(hashes); i++)
		receive(*state, hashes[i], 32000 >> i);
	assert_int_equal(heavy_report(*state, 1000, reported, HEAVY_MAX), RTE_DIM(hashes));
	assert_memory_equal(reported, hashes, sizeof(hashes));
	receive(*state, 1, 1000);
	receive(*state, 0, 2000);
	assert_int_equal(heavy_report(*state, 500, reported, HEAVY_MAX), 2);
	assert_int_equal(reported[0], 0);
}

static void the_same_packets_give_the_same_report(void **state)
{
	struct heavy *other = heavy_create(rte_socket_id());

	for (int window = 0; window < 5; window++) {
		uint32_t reported[2][HEAVY_MAX];
		uint64_t random[2] = {window, window};
		uint16_t n;

		receive_mixed(*state, &random[0], ELEPHANTS, 5);
		receive_mixed(other, &random[1], ELEPHANTS, 5);
		n = heavy_report(*state, 100, reported[0], HEAVY_MAX);
		assert_true(n > 0);
		assert_int_equal(heavy_report(other, 100, reported[1], HEAVY_MAX), n);
		assert_memory_equal(reported[0], reported[1], n * sizeof(reported[0][0]));
	}
	heavy_free(other);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, create, destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_heavy_flow_is_found),
		TEST(nothing_received_is_nothing_reported),
		TEST(heavy_flows_are_found_beside_many_mice),
		TEST(mice_alone_are_not_reported),
		TEST(a_heavy_flow_that_begins_late_is_found),
		TEST(the_heaviest_come_first),
		TEST(no_more_than_max_are_reported),
		TEST(more_flows_than_a_report_holds_fill_it),
		TEST(a_new_window_forgets),
		TEST(packets_count_alike_however_many_come_at_once),
		TEST(no_place_in_a_burst_is_hidden),
		TEST(any_hash_is_a_flow),
		TEST(the_same_packets_give_the_same_report),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
