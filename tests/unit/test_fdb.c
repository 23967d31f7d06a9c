/* SPDX-License-Identifier: BSD-3-Clause */
/* The FDB's contents, in a time that only the test moves. */
#include "fixture.h"

#include <rte_malloc.h>

#include "control/fdb.h"

#define ADDRESSES 6 /* that a network may learn */
#define AGEING 300
#define FDB_SIZE 8 /* less than two networks may learn */

static uint64_t now_ms;
static struct rte_rcu_qsbr *rcu;
static struct fdb fdb;

static int setup(void **state)
{
	struct error error;

	(void)state;
	now_ms = 0;
	rcu = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
	rte_rcu_qsbr_init(rcu, 1);
	fdb = (struct fdb){.size = 0};
	fdb_add_network(&fdb, BLUE, "blue", AGEING, ADDRESSES);
	fdb_add_network(&fdb, RED, "red", AGEING, ADDRESSES);
	return fdb_create(&fdb, FDB_SIZE, rcu, &error);
}

static int teardown(void **state)
{
	(void)state;
	fdb_free(&fdb);
	rte_free(rcu);
	return 0;
}

/* The entry, or NULL. */
static const union fdb_value *entry(uint16_t network, const struct rte_ether_addr *mac)
{
	static union fdb_value value;
	uint64_t key = fdb_key(network, mac);

	return rte_hash_lookup_data(fdb.hash, &key, &value.word) >= 0 ? &value : NULL;
}

static struct rte_ether_addr host(uint8_t i)
{
	return (struct rte_ether_addr){{0x02, 0, 0, 0, 2, i}};
}

static void hear(uint8_t i, uint16_t place)
{
	struct rte_ether_addr mac = host(i);

	fdb_heard(&fdb, BLUE, &mac, place, now_ms);
}

static bool knows(uint8_t i)
{
	struct rte_ether_addr mac = host(i);

	return entry(BLUE, &mac) != NULL;
}

static void age_at(uint64_t seconds)
{
	now_ms = seconds * 1000;
	fdb_age(&fdb, now_ms);
}

static void what_is_heard_is_learned_and_moves(void **state)
{
	struct rte_ether_addr mac = host(1);

	(void)state;
	now_ms = 7000;
	hear(1, REMOTE_2);
	assert_int_equal(entry(BLUE, &mac)->place, REMOTE_2);
	assert_int_equal(entry(BLUE, &mac)->heard, 7);
	assert_false(entry(BLUE, &mac)->fixed);
	assert_null(entry(RED, &mac));
	hear(1, PORT_1);
	assert_int_equal(entry(BLUE, &mac)->place, PORT_1);
	assert_int_equal(fdb.networks[BLUE].n_learned, 1);
}

static void static_entries_do_not_move_or_age(void **state)
{
	struct rte_ether_addr mac = host(1);
	struct error error;

	(void)state;
	assert_int_equal(fdb_add_static(&fdb, BLUE, &mac, PORT_1, &error), 0);
	hear(1, REMOTE_2);
	age_at(10 * AGEING);
	assert_int_equal(entry(BLUE, &mac)->place, PORT_1);
	assert_true(entry(BLUE, &mac)->fixed);
	assert_int_equal(fdb.networks[BLUE].n_learned, 0);
}

static void a_static_entry_replaces_a_learned_one(void **state)
{
	struct rte_ether_addr mac = host(1);
	struct error error;

	(void)state;
	hear(1, REMOTE_2);
	assert_int_equal(fdb_add_static(&fdb, BLUE, &mac, PORT_1, &error), 0);
	assert_int_equal(entry(BLUE, &mac)->place, PORT_1);
	assert_int_equal(fdb.networks[BLUE].n_learned, 0);
}

static void an_address_has_one_static_place(void **state)
{
	struct rte_ether_addr mac = host(1);
	struct error error;

	(void)state;
	assert_int_equal(fdb_add_static(&fdb, BLUE, &mac, PORT_1, &error), 0);
	assert_int_equal(fdb_add_static(&fdb, BLUE, &mac, PORT_1, &error), 0);
	assert_int_equal(fdb_add_static(&fdb, BLUE, &mac, REMOTE_2, &error), -1);
	assert_non_null(strstr(error.text, "blue"));
	assert_int_equal(fdb_add_static(&fdb, RED, &mac, PORT_RED, &error), 0);
}

static void a_network_learns_no_more_than_it_may(void **state)
{
	(void)state;
	for (uint8_t i = 0; i <= ADDRESSES; i++)
		hear(i, REMOTE_2);
	assert_true(knows(ADDRESSES - 1));
	assert_false(knows(ADDRESSES));
	hear(0, PORT_1); /* known ones may still move */
	assert_int_equal(fdb.networks[BLUE].n_learned, ADDRESSES);
	age_at(AGEING + 1);
	hear(ADDRESSES, REMOTE_2);
	assert_true(knows(ADDRESSES));
}

static void hear_red(uint8_t i)
{
	struct rte_ether_addr mac = host(i);

	fdb_heard(&fdb, RED, &mac, PORT_RED, now_ms);
}

/* What networks may learn is no reservation: the table has a size of its own. */
static void all_networks_learn_no_more_than_the_table_holds(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < ADDRESSES; i++)
		hear(i, REMOTE_2);
	for (uint8_t i = 0; i < ADDRESSES; i++)
		hear_red(i);
	assert_int_equal(fdb.networks[BLUE].n_learned, ADDRESSES);
	assert_int_equal(fdb.networks[RED].n_learned, FDB_SIZE - ADDRESSES);
	assert_int_equal(fdb.networks[BLUE].refused, 0);
	assert_int_equal(fdb.networks[RED].refused, ADDRESSES - (FDB_SIZE - ADDRESSES));
	hear(0, PORT_1); /* known ones may still move */
	assert_int_equal(fdb.networks[BLUE].refused, 0);
	age_at(AGEING + 1);
	hear_red(ADDRESSES - 1);
	assert_int_equal(fdb.networks[RED].n_learned, 1);
}

static void learned_addresses_make_room_for_static_ones(void **state)
{
	struct error error;

	(void)state;
	for (uint8_t i = 0; i < ADDRESSES; i++) {
		hear(i, REMOTE_2);
		hear_red(i);
	}
	for (uint8_t i = 0; i < FDB_SIZE; i++) {
		struct rte_ether_addr mac = host(100 + i);

		assert_int_equal(fdb_add_static(&fdb, BLUE, &mac, PORT_1, &error), 0);
		assert_int_equal(entry(BLUE, &mac)->place, PORT_1);
	}
	assert_int_equal(fdb.networks[BLUE].n_learned, 0);
	assert_int_equal(fdb.networks[RED].n_learned, 0);
}

static void static_entries_without_room_are_refused(void **state)
{
	struct rte_ether_addr mac = host(99);
	struct error error;

	(void)state;
	for (uint8_t i = 0; i < FDB_SIZE; i++) {
		struct rte_ether_addr other = host(100 + i);

		fdb_add_static(&fdb, BLUE, &other, PORT_1, &error);
	}
	assert_int_equal(fdb_add_static(&fdb, BLUE, &mac, PORT_1, &error), -1);
	assert_non_null(strstr(error.text, "fdb-size"));
	assert_int_equal(fdb_delete(&fdb, BLUE, &(struct rte_ether_addr){{2, 0, 0, 0, 2, 100}}), 0);
	assert_int_equal(fdb_add_static(&fdb, BLUE, &mac, PORT_1, &error), 0);
}

/* ---- what the log is told ---- */

static unsigned int count_lines(FILE *log, const char *word)
{
	char line[512];
	unsigned int n = 0;

	rewind(log);
	while (fgets(line, sizeof(line), log) != NULL)
		n += strstr(line, word) != NULL;
	return n;
}

static void a_full_table_is_told_once(void **state)
{
	FILE *log = tmpfile();

	(void)state;
	rte_openlog_stream(log);
	rte_log_set_level(RTE_LOGTYPE_USER1, RTE_LOG_WARNING);
	for (int round = 0; round < 100; round++) {
		for (uint8_t i = 0; i <= ADDRESSES; i++)
			hear(i, REMOTE_2);
		for (uint8_t i = 0; i < ADDRESSES; i++)
			hear_red(i);
	}
	assert_int_equal(count_lines(log, "fdb-size"), 1);
	assert_int_equal(count_lines(log, "'addresses'"), 1);
	rte_log_set_level(RTE_LOGTYPE_USER1, RTE_LOG_ERR);
	rte_openlog_stream(NULL);
	fclose(log);
}

static void addresses_age_unless_heard_again(void **state)
{
	(void)state;
	hear(1, REMOTE_2);
	hear(2, REMOTE_2);
	now_ms = 200 * 1000;
	hear(2, REMOTE_2);
	age_at(AGEING);
	assert_true(knows(1));
	age_at(AGEING + 2);
	assert_false(knows(1));
	assert_true(knows(2));
	age_at(200 + AGEING + 2);
	assert_false(knows(2));
	assert_int_equal(fdb.networks[BLUE].n_learned, 0);
}

static void a_place_that_goes_takes_its_addresses_along(void **state)
{
	struct rte_ether_addr fixed = host(9);
	struct error error;

	(void)state;
	hear(1, PORT_1);
	hear(2, REMOTE_2);
	fdb_add_static(&fdb, BLUE, &fixed, PORT_1, &error);
	fdb_forget_place(&fdb, PORT_1);
	assert_false(knows(1));
	assert_null(entry(BLUE, &fixed));
	assert_true(knows(2));
	assert_int_equal(fdb.networks[BLUE].n_learned, 1);
}

static void entries_are_deleted_once(void **state)
{
	struct rte_ether_addr mac = host(1);

	(void)state;
	hear(1, REMOTE_2);
	assert_int_equal(fdb_delete(&fdb, RED, &mac), -1);
	assert_int_equal(fdb_delete(&fdb, BLUE, &mac), 0);
	assert_int_equal(fdb_delete(&fdb, BLUE, &mac), -1);
	assert_int_equal(fdb.networks[BLUE].n_learned, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_heard_is_learned_and_moves),
		TEST(static_entries_do_not_move_or_age),
		TEST(a_static_entry_replaces_a_learned_one),
		TEST(an_address_has_one_static_place),
		TEST(a_network_learns_no_more_than_it_may),
		TEST(all_networks_learn_no_more_than_the_table_holds),
		TEST(learned_addresses_make_room_for_static_ones),
		TEST(static_entries_without_room_are_refused),
		TEST(a_full_table_is_told_once),
		TEST(addresses_age_unless_heard_again),
		TEST(a_place_that_goes_takes_its_addresses_along),
		TEST(entries_are_deleted_once),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
