/* SPDX-License-Identifier: BSD-3-Clause */
/* Next hops, in a time that only the test moves, and with questions that only it hears. */
#include "fixture.h"

#include "control/neighbours.h"

#define MINUTE_MS 60000

static struct neighbours neighbours;
static const struct address gateway = {.bytes = {[10] = 0xff, 0xff, 192, 0, 2, 126}};
static const struct address gateway6 = {.bytes = {0xfe, 0x80, [15] = 1}};

static unsigned int questions;
static struct neighbour asked; /* as it was at the last one */
static bool goes_out;

static bool ask(void *argument, const struct neighbour *neighbour)
{
	assert_ptr_equal(argument, &neighbours);
	questions++;
	asked = *neighbour;
	return goes_out;
}

static bool refresh(uint64_t now_ms)
{
	return neighbours_refresh(&neighbours, now_ms, ask, &neighbours);
}

static bool hear(const struct address *address, const struct rte_ether_addr *mac, uint64_t now_ms)
{
	return neighbours_heard(&neighbours, UPLINK, address, mac, now_ms);
}

static int setup(void **state)
{
	struct error error;

	(void)state;
	neighbours = (struct neighbours){.n = 0};
	questions = 0;
	goes_out = true;
	return neighbours_add(&neighbours, UPLINK, &gateway, &error);
}

static void an_address_is_one_neighbour_at_each_uplink(void **state)
{
	struct error error;

	(void)state;
	assert_int_equal(neighbours_add(&neighbours, UPLINK, &gateway, &error), 0);
	assert_int_equal(neighbours_add(&neighbours, UPLINK + 1, &gateway, &error), 1);
	assert_int_equal(neighbours_add(&neighbours, UPLINK, &gateway6, &error), 2);
	assert_int_equal(neighbours_add(&neighbours, UPLINK, &gateway, &error), 0);
	assert_int_equal(neighbours.n, 3);
	hear(&gateway, &mac_vtep_2, 0);
	assert_int_equal(neighbours.list[1].state, NEIGHBOUR_UNRESOLVED);
}

static void there_are_only_so_many(void **state)
{
	struct error error;

	(void)state;
	for (uint32_t i = 1; i < NEIGHBOURS_MAX; i++) {
		struct address address = address_of_ipv4(i);

		assert_int_equal(neighbours_add(&neighbours, UPLINK, &address, &error), i);
	}
	assert_int_equal(neighbours_add(&neighbours, UPLINK, &gateway6, &error), -1);
	assert_non_null(strstr(error.text, "next hops"));
	assert_int_equal(neighbours_add(&neighbours, UPLINK, &gateway, &error), 0);
}

static void unknown_ones_are_asked_for_each_second(void **state)
{
	(void)state;
	for (uint64_t now = 0; now < 10000; now += 5)
		assert_false(refresh(now));
	assert_int_equal(questions, 10);
	assert_int_equal(asked.state, NEIGHBOUR_UNRESOLVED);
	assert_false(neighbours_are_resolved(&neighbours));
}

static void an_answer_is_news_once(void **state)
{
	(void)state;
	assert_true(hear(&gateway, &mac_vtep_2, 10));
	assert_true(neighbours_are_resolved(&neighbours));
	assert_memory_equal(&neighbours.list[0].mac, &mac_vtep_2, sizeof(mac_vtep_2));
	assert_false(hear(&gateway, &mac_vtep_2, 20));
	assert_true(hear(&gateway, &mac_uplink, 30)); /* it has moved */
	assert_false(hear(&gateway6, &mac_vtep_2, 30));
	assert_int_equal(neighbours.n, 1);
}

static void known_ones_are_probed_now_and_then(void **state)
{
	(void)state;
	hear(&gateway, &mac_vtep_2, 0);
	assert_false(refresh(29999));
	assert_int_equal(questions, 0);
	assert_false(refresh(30000));
	assert_int_equal(questions, 1);
	assert_int_equal(asked.state, NEIGHBOUR_PROBING);
	assert_true(neighbours_are_resolved(&neighbours));
	assert_false(hear(&gateway, &mac_vtep_2, 30001));
	assert_false(refresh(60000));
	assert_int_equal(questions, 1);
}

static void who_answers_no_three_questions_is_given_up(void **state)
{
	(void)state;
	hear(&gateway, &mac_vtep_2, 0);
	for (int i = 0; i < 3; i++)
		assert_false(refresh(30000 + 1000 * i));
	assert_true(neighbours_are_resolved(&neighbours));
	assert_true(refresh(33000));
	assert_int_equal(questions, 4);
	assert_int_equal(asked.state, NEIGHBOUR_UNRESOLVED);
	assert_false(refresh(34000));
	assert_true(hear(&gateway, &mac_vtep_2, 34001));
}

/* Without mbufs nothing is asked, so nobody has failed to answer. */
static void questions_that_do_not_go_out_do_not_count(void **state)
{
	(void)state;
	goes_out = false;
	hear(&gateway, &mac_vtep_2, 0);
	for (uint64_t now = 0; now < 2 * MINUTE_MS; now += 500)
		assert_false(refresh(now));
	assert_true(neighbours_are_resolved(&neighbours));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_address_is_one_neighbour_at_each_uplink),
		TEST(there_are_only_so_many),
		TEST(unknown_ones_are_asked_for_each_second),
		TEST(an_answer_is_news_once),
		TEST(known_ones_are_probed_now_and_then),
		TEST(who_answers_no_three_questions_is_given_up),
		TEST(questions_that_do_not_go_out_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
