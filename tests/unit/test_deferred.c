/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include <rte_malloc.h>

#include "control/deferred.h"

#define LCORES 2

static struct rte_rcu_qsbr *rcu;
static struct deferred_list list;
static char done[16];

static void note(void *argument)
{
	strcat(done, argument);
}

/* Two lcores, in a turn each. */
static int setup(void **state)
{
	(void)state;
	rcu = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(LCORES), RTE_CACHE_LINE_SIZE);
	if (rcu == NULL || rte_rcu_qsbr_init(rcu, LCORES) != 0)
		return -1;
	for (unsigned int i = 0; i < LCORES; i++) {
		rte_rcu_qsbr_thread_register(rcu, i);
		rte_rcu_qsbr_thread_online(rcu, i);
	}
	done[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rte_free(rcu);
	return list.first == NULL ? 0 : -1;
}

static void end_turns(void)
{
	for (unsigned int i = 0; i < LCORES; i++)
		rte_rcu_qsbr_quiescent(rcu, i);
}

static void run(void)
{
	deferred_run(&list, rcu);
}

static void work_waits_for_the_turns_of_all_lcores(void **state)
{
	(void)state;
	deferred_add(&list, note, "a");
	deferred_begin(&list, rcu);
	run();
	assert_string_equal(done, "");
	rte_rcu_qsbr_quiescent(rcu, 0);
	run();
	assert_string_equal(done, "");
	rte_rcu_qsbr_quiescent(rcu, 1);
	run();
	assert_string_equal(done, "a");
}

static void work_waits_for_the_tables_to_be_published(void **state)
{
	(void)state;
	deferred_add(&list, note, "a");
	end_turns();
	run();
	assert_string_equal(done, "");
	deferred_begin(&list, rcu);
	run();
	assert_string_equal(done, "");
	end_turns();
	run();
	assert_string_equal(done, "a");
}

static void work_is_done_in_order_and_once(void **state)
{
	(void)state;
	deferred_add(&list, note, "a");
	deferred_begin(&list, rcu);
	deferred_add(&list, note, "b");
	deferred_add(&list, note, "c");
	end_turns();
	run();
	assert_string_equal(done, "a");
	deferred_begin(&list, rcu);
	end_turns();
	run();
	run();
	assert_string_equal(done, "abc");
}

/* A later begin must not move the grace period of what already waits. */
static void a_later_publication_delays_nothing(void **state)
{
	(void)state;
	deferred_add(&list, note, "a");
	deferred_begin(&list, rcu);
	end_turns();
	deferred_add(&list, note, "b");
	deferred_begin(&list, rcu);
	run();
	assert_string_equal(done, "a");
	end_turns();
	run();
	assert_string_equal(done, "ab");
}

static bool is_set(const void *argument)
{
	return *(const char *)argument != '\0';
}

static void work_waits_for_its_condition(void **state)
{
	char flag[2] = "";

	(void)state;
	deferred_add_when(&list, is_set, note, flag);
	deferred_begin(&list, rcu);
	end_turns();
	run();
	assert_string_equal(done, "");
	flag[0] = 'a';
	run();
	assert_string_equal(done, "a");
}

static void a_condition_does_not_stand_for_the_grace_period(void **state)
{
	char flag[2] = "a";

	(void)state;
	deferred_add_when(&list, is_set, note, flag);
	run();
	deferred_begin(&list, rcu);
	run();
	assert_string_equal(done, "");
	end_turns();
	run();
	assert_string_equal(done, "a");
}

static void what_is_added_later_waits_for_the_condition(void **state)
{
	char flag[2] = "";

	(void)state;
	deferred_add_when(&list, is_set, note, flag);
	deferred_add(&list, note, "b");
	deferred_begin(&list, rcu);
	end_turns();
	run();
	assert_string_equal(done, "");
	flag[0] = 'a';
	run();
	assert_string_equal(done, "ab");
}

/* It may never hold when nobody runs who would bring it about. */
static void when_no_lcore_runs_no_condition_counts(void **state)
{
	char flag[2] = "";

	(void)state;
	deferred_add_when(&list, is_set, note, flag);
	deferred_add(&list, note, "b");
	deferred_run_all(&list);
	assert_string_equal(done, "b");
}

static void when_no_lcore_runs_all_is_done(void **state)
{
	(void)state;
	deferred_add(&list, note, "a");
	deferred_begin(&list, rcu);
	deferred_add(&list, note, "b");
	deferred_run_all(&list);
	assert_string_equal(done, "ab");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(work_waits_for_the_turns_of_all_lcores),
		TEST(work_waits_for_the_tables_to_be_published),
		TEST(work_is_done_in_order_and_once),
		TEST(a_later_publication_delays_nothing),
		TEST(work_waits_for_its_condition),
		TEST(a_condition_does_not_stand_for_the_grace_period),
		TEST(what_is_added_later_waits_for_the_condition),
		TEST(when_no_lcore_runs_no_condition_counts),
		TEST(when_no_lcore_runs_all_is_done),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
