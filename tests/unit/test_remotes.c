/* SPDX-License-Identifier: BSD-3-Clause */
/* VTEPs, and what they are to networks. */
#include "fixture.h"

#include <rte_malloc.h>

#include "control/remotes.h"

static struct remotes remotes;
static struct deferred_list deferred;

static int setup(void **state)
{
	struct error error;

	(void)state;
	memset(&remotes, 0, sizeof(remotes));
	return remotes_create(&remotes, &error);
}

static int teardown(void **state)
{
	(void)state;
	remotes_free(&remotes);
	deferred_run_all(&deferred);
	return 0;
}

static int add(uint16_t network, rte_be32_t ipv4)
{
	const struct address address = address_of_ipv4(ipv4);
	struct error error;

	if (remotes_check(&remotes, network, &address, &error) != 0)
		return -1;
	return remotes_add(&remotes, network, &address, 7, true, &error);
}

static int find(uint16_t network, rte_be32_t ipv4)
{
	const struct address address = address_of_ipv4(ipv4);

	return remotes_find(&remotes, network, &address);
}

static void a_vtep_is_one_in_all_networks(void **state)
{
	(void)state;
	assert_int_equal(add(BLUE, VTEP_2), 0);
	assert_int_equal(add(BLUE, VTEP_3), 1);
	assert_int_equal(add(RED, VTEP_2), 2);
	assert_int_equal(remotes.n_vteps, 2);
	assert_int_equal(remotes.list[0].vtep, remotes.list[2].vtep);
	assert_int_not_equal(remotes.list[0].vtep, remotes.list[1].vtep);
	assert_int_equal(address_ipv4(remotes_address(&remotes, 2)), VTEP_2);
}

static void remotes_are_found_in_their_network_alone(void **state)
{
	(void)state;
	add(BLUE, VTEP_2);
	add(RED, VTEP_3);
	assert_int_equal(find(BLUE, VTEP_2), 0);
	assert_int_equal(find(RED, VTEP_3), 1);
	assert_int_equal(find(RED, VTEP_2), -1);
	assert_int_equal(find(BLUE, VTEP_3), -1);
}

static void none_is_there_twice(void **state)
{
	const struct address address = address_of_ipv4(VTEP_2);
	struct error error;

	(void)state;
	add(BLUE, VTEP_2);
	assert_int_equal(remotes_check(&remotes, BLUE, &address, &error), -1);
	assert_non_null(strstr(error.text, "twice"));
	assert_int_equal(remotes_check(&remotes, RED, &address, &error), 0);
}

static void there_are_only_so_many(void **state)
{
	const struct address address = address_of_ipv4(VTEP_3);
	struct error error;

	(void)state;
	for (uint32_t i = 0; i < REMOTES_MAX; i++)
		assert_int_equal(add(i % 2, rte_cpu_to_be_32(0x0a000000 + i)), i);
	assert_int_equal(remotes_check(&remotes, BLUE, &address, &error), -1);
	assert_non_null(strstr(error.text, "VTEPs"));
	assert_int_equal(remotes.n_vteps, REMOTES_MAX);
}

static void what_is_published_changes_only_as_a_whole(void **state)
{
	struct remote wanted = {.network = BLUE};
	const struct remote *first, *second;

	(void)state;
	add(BLUE, VTEP_2);
	first = remotes_publish(&remotes, 0, &wanted, &deferred);
	assert_ptr_equal(remotes_publish(&remotes, 0, &wanted, &deferred), first);
	assert_null(deferred.first);
	wanted.resolved = true;
	second = remotes_publish(&remotes, 0, &wanted, &deferred);
	assert_ptr_not_equal(second, first);
	assert_true(second->resolved);
	assert_false(first->resolved); /* lcores may still read it */
	assert_non_null(deferred.first);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_vtep_is_one_in_all_networks),
		TEST(remotes_are_found_in_their_network_alone),
		TEST(none_is_there_twice),
		TEST(there_are_only_so_many),
		TEST(what_is_published_changes_only_as_a_whole),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
