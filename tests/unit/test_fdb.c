/* SPDX-License-Identifier: BSD-3-Clause */
/* The FDB's contents, with a control side made by hand and a clock that only the test moves. */
#include "fixture.h"

#include <stdlib.h>

#include <rte_malloc.h>

#include "control/fdb.h"

#define HZ 1000
#define ADDRESSES 6 /* that a network may learn */
#define AGEING 300
#define FDB_SIZE 8 /* less than two networks may learn */

static uint64_t now_ms;
static struct control *control;
static struct config config;
static struct network_config networks[2];
static struct dataplane dataplane;
static struct port port_blue = {.index = PORT_1, .network = BLUE, .config.name = "web"};
static struct port port_red = {.index = PORT_RED, .network = RED, .config.name = "shop"};

static uint64_t read_clock(const struct clock *clock)
{
	(void)clock;
	return now_ms;
}

static void make_network(uint16_t index, const char *name)
{
	networks[index] = (struct network_config){.ageing = AGEING, .addresses = ADDRESSES};
	snprintf(networks[index].name, sizeof(networks[index].name), "%s", name);
	control->networks[index].config = &networks[index];
	control->n_networks++;
}

static int setup(void **state)
{
	struct error error;

	(void)state;
	now_ms = 0;
	dataplane.clock = (struct clock){.read = read_clock, .hz = HZ};
	dataplane.rcu = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
	rte_rcu_qsbr_init(dataplane.rcu, 1);
	control = calloc(1, sizeof(*control));
	config = (struct config){.weft.fdb_size = FDB_SIZE, .n_networks = 2, .networks = networks};
	control->config = &config;
	control->dataplane = &dataplane;
	make_network(BLUE, "blue");
	make_network(RED, "red");
	control->ports[PORT_1] = &port_blue;
	control->ports[PORT_RED] = &port_red;
	control->remotes[0] = (struct remote_state){.address = VTEP_2, .network = BLUE};
	control->remotes[1] = (struct remote_state){.address = VTEP_3, .network = RED};
	control->n_remotes = 2;
	return fdb_create(control, &error);
}

static int teardown(void **state)
{
	(void)state;
	fdb_free(control);
	free(control);
	rte_free(dataplane.rcu);
	return 0;
}

/* The entry, or NULL. */
static const union fdb_value *entry(uint16_t network, const struct rte_ether_addr *mac)
{
	static union fdb_value value;
	uint64_t key = fdb_key(network, mac);

	return rte_hash_lookup_data(control->fdb, &key, &value.word) >= 0 ? &value : NULL;
}

static struct rte_ether_addr host(uint8_t i)
{
	return (struct rte_ether_addr){{0x02, 0, 0, 0, 2, i}};
}

static void hear(uint8_t i, uint16_t place)
{
	struct rte_ether_addr mac = host(i);

	fdb_heard(control, BLUE, &mac, place);
}

static bool knows(uint8_t i)
{
	struct rte_ether_addr mac = host(i);

	return entry(BLUE, &mac) != NULL;
}

static void age_at(uint64_t seconds)
{
	now_ms = seconds * 1000;
	fdb_age(control);
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
	assert_int_equal(control->networks[BLUE].n_learned, 1);
}

static void static_entries_do_not_move_or_age(void **state)
{
	struct rte_ether_addr mac = host(1);
	struct error error;

	(void)state;
	assert_int_equal(fdb_add_static(control, BLUE, &mac, PORT_1, &error), 0);
	hear(1, REMOTE_2);
	age_at(10 * AGEING);
	assert_int_equal(entry(BLUE, &mac)->place, PORT_1);
	assert_true(entry(BLUE, &mac)->fixed);
	assert_int_equal(control->networks[BLUE].n_learned, 0);
}

static void a_static_entry_replaces_a_learned_one(void **state)
{
	struct rte_ether_addr mac = host(1);
	struct error error;

	(void)state;
	hear(1, REMOTE_2);
	assert_int_equal(fdb_add_static(control, BLUE, &mac, PORT_1, &error), 0);
	assert_int_equal(entry(BLUE, &mac)->place, PORT_1);
	assert_int_equal(control->networks[BLUE].n_learned, 0);
}

static void an_address_has_one_static_place(void **state)
{
	struct rte_ether_addr mac = host(1);
	struct error error;

	(void)state;
	assert_int_equal(fdb_add_static(control, BLUE, &mac, PORT_1, &error), 0);
	assert_int_equal(fdb_add_static(control, BLUE, &mac, PORT_1, &error), 0);
	assert_int_equal(fdb_add_static(control, BLUE, &mac, REMOTE_2, &error), -1);
	assert_non_null(strstr(error.text, "blue"));
	assert_int_equal(fdb_add_static(control, RED, &mac, PORT_RED, &error), 0);
}

static void a_network_learns_no_more_than_it_may(void **state)
{
	(void)state;
	for (uint8_t i = 0; i <= ADDRESSES; i++)
		hear(i, REMOTE_2);
	assert_true(knows(ADDRESSES - 1));
	assert_false(knows(ADDRESSES));
	hear(0, PORT_1); /* known ones may still move */
	assert_int_equal(control->networks[BLUE].n_learned, ADDRESSES);
	age_at(AGEING + 1);
	hear(ADDRESSES, REMOTE_2);
	assert_true(knows(ADDRESSES));
}

static void hear_red(uint8_t i)
{
	struct rte_ether_addr mac = host(i);

	fdb_heard(control, RED, &mac, PORT_RED);
}

/* What networks may learn is no reservation: the table has a size of its own. */
static void all_networks_learn_no_more_than_the_table_holds(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < ADDRESSES; i++)
		hear(i, REMOTE_2);
	for (uint8_t i = 0; i < ADDRESSES; i++)
		hear_red(i);
	assert_int_equal(control->networks[BLUE].n_learned, ADDRESSES);
	assert_int_equal(control->networks[RED].n_learned, FDB_SIZE - ADDRESSES);
	assert_int_equal(control->networks[BLUE].refused, 0);
	assert_int_equal(control->networks[RED].refused, ADDRESSES - (FDB_SIZE - ADDRESSES));
	hear(0, PORT_1); /* known ones may still move */
	assert_int_equal(control->networks[BLUE].refused, 0);
	age_at(AGEING + 1);
	hear_red(ADDRESSES - 1);
	assert_int_equal(control->networks[RED].n_learned, 1);
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

		assert_int_equal(fdb_add_static(control, BLUE, &mac, PORT_1, &error), 0);
		assert_int_equal(entry(BLUE, &mac)->place, PORT_1);
	}
	assert_int_equal(control->networks[BLUE].n_learned, 0);
	assert_int_equal(control->networks[RED].n_learned, 0);
}

static void static_entries_without_room_are_refused(void **state)
{
	struct rte_ether_addr mac = host(99);
	struct error error;

	(void)state;
	for (uint8_t i = 0; i < FDB_SIZE; i++) {
		struct rte_ether_addr other = host(100 + i);

		fdb_add_static(control, BLUE, &other, PORT_1, &error);
	}
	assert_int_equal(fdb_add_static(control, BLUE, &mac, PORT_1, &error), -1);
	assert_non_null(strstr(error.text, "fdb-size"));
	assert_int_equal(
		fdb_delete(control, BLUE, &(struct rte_ether_addr){{2, 0, 0, 0, 2, 100}}), 0);
	assert_int_equal(fdb_add_static(control, BLUE, &mac, PORT_1, &error), 0);
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
	assert_int_equal(control->networks[BLUE].n_learned, 0);
}

static void a_place_that_is_not_there_teaches_nothing(void **state)
{
	(void)state;
	hear(1, PORT_2);       /* was removed while the notice waited */
	hear(1, PORT_RED);     /* its index is another network's now */
	hear(1, REMOTE_2 + 2); /* no such VTEP */
	assert_false(knows(1));
}

static void a_place_that_goes_takes_its_addresses_along(void **state)
{
	struct rte_ether_addr fixed = host(9);
	struct error error;

	(void)state;
	hear(1, PORT_1);
	hear(2, REMOTE_2);
	fdb_add_static(control, BLUE, &fixed, PORT_1, &error);
	fdb_forget_place(control, PORT_1);
	assert_false(knows(1));
	assert_null(entry(BLUE, &fixed));
	assert_true(knows(2));
	assert_int_equal(control->networks[BLUE].n_learned, 1);
}

static void entries_are_deleted_once(void **state)
{
	struct rte_ether_addr mac = host(1);

	(void)state;
	hear(1, REMOTE_2);
	assert_int_equal(fdb_delete(control, RED, &mac), -1);
	assert_int_equal(fdb_delete(control, BLUE, &mac), 0);
	assert_int_equal(fdb_delete(control, BLUE, &mac), -1);
	assert_int_equal(control->networks[BLUE].n_learned, 0);
}

static struct fdb_config configured(const char *network, const char *port, rte_be32_t vtep)
{
	struct fdb_config entry = {.mac = host(1), .vtep = vtep};

	snprintf(entry.network, sizeof(entry.network), "%s", network);
	snprintf(entry.port, sizeof(entry.port), "%s", port);
	return entry;
}

static void configured_entries_find_their_place(void **state)
{
	struct rte_ether_addr mac = host(1);
	struct fdb_config to_vtep = configured("blue", "", VTEP_2);
	struct fdb_config to_port = configured("red", "shop", 0);
	struct error error;

	(void)state;
	assert_int_equal(fdb_add_configured(control, &to_vtep, &error), 0);
	assert_int_equal(entry(BLUE, &mac)->place, REMOTE_2);
	assert_int_equal(fdb_add_configured(control, &to_port, &error), 0);
	assert_int_equal(entry(RED, &mac)->place, PORT_RED);
}

static void entries_for_others_places_are_refused(void **state)
{
	static const char *const words[] = {"'green'", "192.0.2.3", "shop", "nobody"};
	const struct fdb_config wrong[] = {configured("green", "", VTEP_2),
		configured("blue", "", VTEP_3), configured("blue", "shop", 0),
		configured("blue", "nobody", 0)};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(wrong); i++) {
		struct error error;

		assert_int_equal(fdb_add_configured(control, &wrong[i], &error), -1);
		if (strstr(error.text, words[i]) == NULL)
			fail_msg("%s", error.text);
	}
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
		TEST(a_place_that_is_not_there_teaches_nothing),
		TEST(a_place_that_goes_takes_its_addresses_along),
		TEST(entries_are_deleted_once),
		TEST(configured_entries_find_their_place),
		TEST(entries_for_others_places_are_refused),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
