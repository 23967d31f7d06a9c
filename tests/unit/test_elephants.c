/* SPDX-License-Identifier: BSD-3-Clause */
/* Which flows of a door are elephants. The door is the test: it moves what it is told to. */
#include "fixture.h"

#include <stdlib.h>

#include "steer/elephants.h"

#define HZ 2000000
#define WINDOW_US 10000
#define WINDOW 20000 /* cycles */
#define RATE 1000000
#define LIMIT 10000 /* packets: the rate in a window */
#define ELEPHANTS 4
#define CALM 8		/* windows after which one is forgotten */
#define HASH 0x5a00007u /* of flow group 7 */
#define SHARING 4	/* elephants in one flow group */

static const struct micro_flows config = {.rate = RATE, .window = WINDOW_US};
static struct elephants *elephants;
static uint64_t now;
static uint16_t changed[ELEPHANTS_MAX];

static int begin_with(uint16_t n_elephants)
{
	elephants = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*elephants));
	now = 1000 * (uint64_t)HZ;
	if (elephants_init(elephants, &config, n_elephants, HZ, SOCKET_ID_ANY) != 0)
		return -1;
	elephants_begin_window(elephants, now);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	return begin_with(ELEPHANTS);
}

static int end(void **state)
{
	(void)state;
	elephants_free(elephants);
	free(elephants);
	return 0;
}

/* ---- traffic ---- */

/* Packets of a flow come, in bursts. */
static void arrive(uint32_t hash, uint32_t packets)
{
	struct group group = elephants_group(elephants, hash);

	for (uint32_t n; packets > 0; packets -= n) {
		n = RTE_MIN(packets, 32u);
		elephants_seen(elephants, group, hash, n);
	}
}

/* Ends a window. Returns how many flows changed. */
static uint16_t review(void)
{
	now += WINDOW;
	return elephants_review(elephants, now, changed);
}

/* The same, when packets of one flow have come. */
static uint16_t review_with(uint32_t hash, uint32_t packets)
{
	arrive(hash, packets);
	return review();
}

static void join(uint16_t i)
{
	elephants_join(elephants, i);
}

/* Makes the flow an elephant. Returns its number. */
static uint16_t promote(uint32_t hash)
{
	assert_int_equal(review_with(hash, 2 * LIMIT), 0);
	assert_int_equal(review_with(hash, 2 * LIMIT), 1);
	join(changed[0]);
	return changed[0];
}

/* ---- coming ---- */

static void a_flow_is_found_in_two_windows_on_end(void **state)
{
	uint16_t i;

	(void)state;
	assert_int_equal(review_with(HASH, LIMIT * 5 / 4), 0);
	assert_int_equal(elephants->n, 0);
	assert_int_equal(review_with(HASH, LIMIT * 5 / 4), 1);
	i = changed[0];
	assert_int_equal(elephants->list[i].state, ELEPHANT_FOUND);
	assert_int_equal(elephants->list[i].hash, HASH);
	assert_int_equal(elephants->n, 1);
	assert_int_equal(elephants_group(elephants, HASH).number, HASH % FLOW_GROUPS);
	join(i);
	assert_int_equal(elephants->list[i].state, ELEPHANT_SPLIT);
	assert_int_equal(elephants_group(elephants, HASH).number, GROUP_ELEPHANTS + i);
	assert_int_equal(elephants->promoted, 1);
}

static void windows_between_which_it_rests_do_not_count(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(review_with(HASH, 2 * LIMIT), 0);
		assert_int_equal(review(), 0);
	}
	assert_int_equal(elephants->n, 0);
}

static void a_flow_below_the_rate_is_not_found(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++)
		assert_int_equal(review_with(HASH, LIMIT * 3 / 4), 0);
}

/* A late review makes a long window. */
static void the_rate_is_that_of_the_time_that_has_passed(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		now += WINDOW;
		assert_int_equal(review_with(HASH, LIMIT * 3 / 2), 0);
	}
	now += WINDOW;
	review_with(HASH, LIMIT * 5 / 2);
	now += WINDOW;
	assert_int_equal(review_with(HASH, LIMIT * 5 / 2), 1);
}

/* Its packets are counted until its flow group has drained. */
static void a_flow_is_not_found_twice(void **state)
{
	(void)state;
	review_with(HASH, 2 * LIMIT);
	assert_int_equal(review_with(HASH, 2 * LIMIT), 1);
	assert_int_equal(review_with(HASH, 2 * LIMIT), 0);
	join(changed[0]);
	assert_int_equal(review_with(HASH, 2 * LIMIT), 0);
	assert_int_equal(elephants->n, 1);
}

static void what_was_seen_before_a_window_begins_is_forgotten(void **state)
{
	(void)state;
	review_with(HASH, 2 * LIMIT);
	elephants_begin_window(elephants, now);
	assert_int_equal(review_with(HASH, 2 * LIMIT), 0);
	arrive(HASH, 2 * LIMIT);
	elephants_begin_window(elephants, now);
	assert_int_equal(review(), 0);
	assert_int_equal(elephants->n, 0);
}

/* Such hashes are of no tunnel. */
static void a_hash_that_is_a_flow_groups_number_is_never_one(void **state)
{
	static const uint32_t hashes[] = {0, 1, HASH % FLOW_GROUPS, FLOW_GROUPS - 1};

	(void)state;
	for (int window = 0; window < 10; window++) {
		for (size_t i = 0; i < RTE_DIM(hashes); i++)
			arrive(hashes[i], 2 * LIMIT);
		assert_int_equal(review(), 0);
	}
	review_with(FLOW_GROUPS, 2 * LIMIT);
	assert_int_equal(review_with(FLOW_GROUPS, 2 * LIMIT), 1);
}

/* ---- going ---- */

static void an_elephant_is_forgotten_after_eight_calm_windows(void **state)
{
	uint16_t i = promote(HASH);

	(void)state;
	for (int window = 1; window < CALM; window++)
		assert_int_equal(review_with(HASH, LIMIT / 2 - 1), 0);
	assert_int_equal(review_with(HASH, LIMIT / 2 - 1), 1);
	assert_int_equal(changed[0], i);
	assert_int_equal(elephants->list[i].state, ELEPHANT_LEAVING);
	assert_int_equal(elephants_group(elephants, HASH).number, GROUP_ELEPHANTS + i);
	for (int window = 0; window < 2 * CALM; window++)
		assert_int_equal(review(), 0);
	elephants_leave(elephants, i);
	assert_int_equal(elephants_group(elephants, HASH).number, HASH % FLOW_GROUPS);
	assert_int_equal(elephants->n, 0);
	assert_int_equal(elephants->demoted, 1);
}

static void calm_windows_count_only_on_end(void **state)
{
	(void)state;
	promote(HASH);
	for (int round = 0; round < 5; round++) {
		for (int window = 1; window < CALM; window++)
			assert_int_equal(review(), 0);
		assert_int_equal(review_with(HASH, LIMIT / 2), 0);
	}
}

/* Between half of the rate and all of it: neither does a mouse come, nor an elephant go. */
static void near_the_limit_there_is_no_coming_and_going(void **state)
{
	uint16_t i = promote(HASH);

	(void)state;
	for (int window = 0; window < 1000; window++) {
		arrive(HASH + 1, LIMIT * (55 + window % 30) / 100);
		assert_int_equal(review_with(HASH, LIMIT * (50 + window % 100) / 100), 0);
	}
	assert_int_equal(elephants->list[i].state, ELEPHANT_SPLIT);
	assert_int_equal(elephants->n, 1);
	assert_int_equal(elephants->promoted, 1);
}

static void it_can_come_again(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		uint16_t i = promote(HASH);

		for (int window = 0; window < CALM; window++)
			assert_int_equal(review(), window == CALM - 1);
		elephants_leave(elephants, i);
	}
	assert_int_equal(elephants->promoted, 3);
	assert_int_equal(elephants->demoted, 3);
}

/* ---- rates ---- */

static void rates_are_of_the_last_window(void **state)
{
	uint16_t i = promote(HASH);

	(void)state;
	assert_int_equal(elephants->list[i].rate, 0);
	review_with(HASH, 3 * LIMIT);
	assert_int_equal(elephants->list[i].rate, 3 * RATE);
	now += WINDOW;
	review_with(HASH, 3 * LIMIT);
	assert_int_equal(elephants->list[i].rate, 3 * RATE / 2);
	review();
	assert_int_equal(elephants->list[i].rate, 0);
}

static void counts_of_packets_wrap_around(void **state)
{
	uint16_t i;

	(void)state;
	for (uint16_t j = 0; j < ELEPHANTS; j++)
		elephants->list[j].arrived = UINT32_MAX - LIMIT;
	i = promote(HASH);
	for (int window = 0; window < 2 * CALM; window++) {
		assert_int_equal(review_with(HASH, 2 * LIMIT), 0);
		assert_int_equal(elephants->list[i].rate, 2 * RATE);
	}
}

static void a_window_is_over_when_its_time_is(void **state)
{
	(void)state;
	assert_false(elephants_are_due(elephants, now));
	assert_false(elephants_are_due(elephants, now + WINDOW - 1));
	assert_true(elephants_are_due(elephants, now + WINDOW));
	review();
	assert_false(elephants_are_due(elephants, now));
}

/* ---- how many ---- */

/* Returns how many changed. */
static uint16_t review_with_many(uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		arrive(HASH + (uint32_t)i * 0x10010001, 2 * LIMIT);
	return review();
}

static void there_are_no_more_than_there_may_be(void **state)
{
	(void)state;
	review_with_many(3 * ELEPHANTS);
	assert_int_equal(review_with_many(3 * ELEPHANTS), ELEPHANTS);
	for (uint16_t i = 0; i < ELEPHANTS; i++)
		join(i);
	for (int window = 0; window < 10; window++)
		assert_int_equal(review_with_many(3 * ELEPHANTS), 0);
	assert_int_equal(elephants->n, ELEPHANTS);
}

/* When one has left there is a place for another. */
static void a_place_is_used_again(void **state)
{
	(void)state;
	review_with_many(ELEPHANTS + 1);
	review_with_many(ELEPHANTS + 1);
	for (uint16_t i = 0; i < ELEPHANTS; i++)
		join(i);
	elephants->list[2].state = ELEPHANT_LEAVING;
	assert_int_equal(review_with_many(ELEPHANTS + 1), 0);
	elephants_leave(elephants, 2);
	assert_int_equal(elephants->n, ELEPHANTS - 1);
	assert_int_equal(review_with_many(ELEPHANTS + 1), 1);
	assert_int_equal(changed[0], 2);
	assert_int_equal(elephants->n, ELEPHANTS);
}

static void as_many_can_go_and_come_at_once_as_there_may_be(void **state)
{
	(void)state;
	end(state);
	begin_with(ELEPHANTS_MAX);
	review_with_many(ELEPHANTS_MAX);
	assert_int_equal(review_with_many(ELEPHANTS_MAX), ELEPHANTS_MAX);
	for (uint16_t i = 0; i < ELEPHANTS_MAX; i++)
		join(i);
	for (int window = 1; window < CALM; window++)
		assert_int_equal(review(), 0);
	assert_int_equal(review(), ELEPHANTS_MAX);
	for (uint16_t i = 0; i < ELEPHANTS_MAX; i++)
		assert_int_equal(changed[i], i);
}

static void a_door_that_may_have_none_has_none(void **state)
{
	(void)state;
	end(state);
	begin_with(0);
	for (int window = 0; window < 5; window++)
		assert_int_equal(review_with(HASH, 2 * LIMIT), 0);
}

/* ---- several in one flow group ---- */

static uint32_t sharing_hash(uint16_t i)
{
	return HASH + i * FLOW_GROUPS;
}

static void assert_groups(const bool *is_in)
{
	const uint16_t group = HASH % FLOW_GROUPS;

	for (uint16_t i = 0; i < SHARING; i++)
		assert_int_equal(elephants_group(elephants, sharing_hash(i)).number,
			is_in[i] ? GROUP_ELEPHANTS + i : group);
	assert_int_equal(elephants_group(elephants, HASH + 0x1000000).number, group);
	assert_int_equal(elephants_group(elephants, HASH + 1).number, group + 1);
}

/* The i-th order of four, 0 to 23. */
static void make_order(unsigned int i, uint16_t *order)
{
	for (uint16_t n = 0; n < SHARING; i /= ++n) {
		uint16_t place = i % (n + 1);

		memmove(order + place + 1, order + place, (n - place) * sizeof(*order));
		order[place] = n;
	}
}

static void join_and_leave(const uint16_t *joins, const uint16_t *leaves)
{
	bool is_in[SHARING] = {false};

	for (uint16_t i = 0; i < SHARING; i++) {
		join(joins[i]);
		is_in[joins[i]] = true;
		assert_groups(is_in);
	}
	for (uint16_t i = 0; i < SHARING; i++) {
		elephants_leave(elephants, leaves[i]);
		is_in[leaves[i]] = false;
		assert_groups(is_in);
	}
}

static void elephants_of_one_flow_group_come_and_go_in_any_order(void **state)
{
	uint16_t joins[SHARING], leaves[SHARING];

	(void)state;
	for (unsigned int i = 0; i < 24 * 24; i++) {
		make_order(i / 24, joins);
		make_order(i % 24, leaves);
		for (uint16_t j = 0; j < SHARING; j++) {
			elephants->list[j].hash = sharing_hash(j);
			elephants->list[j].state = ELEPHANT_FOUND;
		}
		elephants->n = SHARING;
		join_and_leave(joins, leaves);
	}
	assert_int_equal(elephants->n, 0);
	assert_int_equal(elephants->promoted, 24 * 24 * SHARING);
	assert_int_equal(elephants->demoted, 24 * 24 * SHARING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_flow_is_found_in_two_windows_on_end),
		TEST(windows_between_which_it_rests_do_not_count),
		TEST(a_flow_below_the_rate_is_not_found),
		TEST(the_rate_is_that_of_the_time_that_has_passed),
		TEST(a_flow_is_not_found_twice),
		TEST(what_was_seen_before_a_window_begins_is_forgotten),
		TEST(a_hash_that_is_a_flow_groups_number_is_never_one),
		TEST(an_elephant_is_forgotten_after_eight_calm_windows),
		TEST(calm_windows_count_only_on_end),
		TEST(near_the_limit_there_is_no_coming_and_going),
		TEST(it_can_come_again),
		TEST(rates_are_of_the_last_window),
		TEST(counts_of_packets_wrap_around),
		TEST(a_window_is_over_when_its_time_is),
		TEST(there_are_no_more_than_there_may_be),
		TEST(a_place_is_used_again),
		TEST(as_many_can_go_and_come_at_once_as_there_may_be),
		TEST(a_door_that_may_have_none_has_none),
		TEST(elephants_of_one_flow_group_come_and_go_in_any_order),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
