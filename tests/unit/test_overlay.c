/* SPDX-License-Identifier: BSD-3-Clause */
/* What takes more than one owner of the control side, with one that is made by hand. */
#include "fixture.h"

#include <stdlib.h>

#include <rte_malloc.h>

#include "control/overlay.h"

#define FDB_SIZE 8

static struct control *control;
static struct config config;
static struct network_config networks[2];
static struct dataplane dataplane;
static struct port port_blue = {.index = PORT_1, .network = BLUE, .config.name = "web"};
static struct port port_red = {.index = PORT_RED, .network = RED, .config.name = "shop"};
static const struct rte_ether_addr host = {{0x02, 0, 0, 0, 2, 1}};

static uint64_t read_clock(const struct clock *clock)
{
	(void)clock;
	return 0;
}

static void make_network(uint16_t index, const char *name)
{
	networks[index] = (struct network_config){.ageing = 300, .addresses = FDB_SIZE};
	snprintf(networks[index].name, sizeof(networks[index].name), "%s", name);
	fdb_add_network(&control->fdb, index, networks[index].name, 300, FDB_SIZE);
	control->networks.list[index] = (struct network_state){.config = &networks[index]};
	control->networks.n++;
}

static void add_vtep(uint16_t network, rte_be32_t ipv4)
{
	const struct address address = address_of_ipv4(ipv4);
	struct error error;

	assert_true(remotes_add(&control->remotes, network, &address, 0, true, &error) >= 0);
}

static int setup(void **state)
{
	struct error error;

	(void)state;
	dataplane.clock = (struct clock){.read = read_clock, .hz = 1000};
	dataplane.rcu = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
	rte_rcu_qsbr_init(dataplane.rcu, 1);
	control = calloc(1, sizeof(*control));
	config = (struct config){.n_networks = 2, .networks = networks};
	control->config = &config;
	control->dataplane = &dataplane;
	make_network(BLUE, "blue");
	make_network(RED, "red");
	control->ports.list[PORT_1] = &port_blue;
	control->ports.list[PORT_RED] = &port_red;
	if (fdb_create(&control->fdb, FDB_SIZE, dataplane.rcu, &error) != 0 ||
		remotes_create(&control->remotes, &error) != 0)
		return -1;
	add_vtep(BLUE, VTEP_2);
	add_vtep(RED, VTEP_3);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fdb_free(&control->fdb);
	remotes_free(&control->remotes);
	free(control);
	rte_free(dataplane.rcu);
	return 0;
}

/* The place of `host`, or PLACE_NONE. */
static uint16_t place_in(uint16_t network)
{
	uint64_t key = fdb_key(network, &host);
	union fdb_value value;

	return rte_hash_lookup_data(control->fdb.hash, &key, &value.word) >= 0 ? value.place
									       : PLACE_NONE;
}

static void hear_blue(uint16_t place)
{
	const struct notice notice = {
		.kind = NOTICE_ADDRESS, .mac = host, .network = BLUE, .place = place};

	overlay_heard(control, &notice);
}

static void a_place_that_is_not_there_teaches_nothing(void **state)
{
	(void)state;
	hear_blue(PORT_2);	 /* was removed while the notice waited */
	hear_blue(PORT_RED);	 /* its index is another network's now */
	hear_blue(REMOTE_2 + 2); /* no such VTEP */
	assert_int_equal(place_in(BLUE), PLACE_NONE);
	hear_blue(PORT_1);
	assert_int_equal(place_in(BLUE), PORT_1);
}

static struct fdb_config configured(const char *network, const char *port, rte_be32_t vtep)
{
	struct fdb_config entry = {.mac = host, .vtep = address_of_ipv4(vtep)};

	snprintf(entry.network, sizeof(entry.network), "%s", network);
	snprintf(entry.port, sizeof(entry.port), "%s", port);
	return entry;
}

static void configured_entries_find_their_place(void **state)
{
	struct fdb_config to_vtep = configured("blue", "", VTEP_2);
	struct fdb_config to_port = configured("red", "shop", 0);
	struct error error;

	(void)state;
	assert_int_equal(overlay_add_entry(control, &to_vtep, &error), 0);
	assert_int_equal(place_in(BLUE), REMOTE_2);
	assert_int_equal(overlay_add_entry(control, &to_port, &error), 0);
	assert_int_equal(place_in(RED), PORT_RED);
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

		assert_int_equal(overlay_add_entry(control, &wrong[i], &error), -1);
		if (strstr(error.text, words[i]) == NULL)
			fail_msg("%s", error.text);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_place_that_is_not_there_teaches_nothing),
		TEST(configured_entries_find_their_place),
		TEST(entries_for_others_places_are_refused),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
