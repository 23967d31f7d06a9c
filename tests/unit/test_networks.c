/* SPDX-License-Identifier: BSD-3-Clause */
/* Networks, and who is in them. */
#include "fixture.h"

#include <rte_malloc.h>

#include "control/networks.h"

static struct networks networks;
static struct network_config configs[3] = {
	{.name = "blue", .vni = 100, .udp_port = 4789, .learning = true, .ageing = 300},
	{.name = "red", .vni = 200, .udp_port = 8472, .vtep_guard = true, .ageing = 5},
	{.name = "green", .vni = 100},
};
static const struct network_room room = {.uplink = UPLINK, .uplink_mtu = 1500, .overhead = 50};

static int setup(void **state)
{
	struct error error;

	(void)state;
	configs[RED].mtu = 0;
	networks = (struct networks){.n = 0};
	if (networks_create(&networks, &error) != 0 ||
		networks_add(&networks, &configs[BLUE], &room, &error) != BLUE)
		return -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	networks_free(&networks);
	return 0;
}

static void networks_are_found_by_name_and_vni(void **state)
{
	struct error error;

	(void)state;
	assert_int_equal(networks_add(&networks, &configs[RED], &room, &error), RED);
	assert_int_equal(networks_find(&networks, "red"), RED);
	assert_int_equal(networks_find(&networks, "green"), NETWORK_NONE);
	assert_int_equal(rte_fbk_hash_lookup(networks.by_vni, 200), RED);
	assert_true(rte_fbk_hash_lookup(networks.by_vni, 201) < 0);
}

static void a_vni_is_one_networks(void **state)
{
	struct error error;

	(void)state;
	assert_int_equal(networks_add(&networks, &configs[2], &room, &error), -1);
	assert_non_null(strstr(error.text, "100"));
	assert_int_equal(networks.n, 1);
}

static void the_mtu_is_what_the_outer_headers_leave(void **state)
{
	struct error error;

	(void)state;
	assert_int_equal(networks.list[BLUE].mtu, 1450);
	configs[RED].mtu = 1451;
	assert_int_equal(networks_add(&networks, &configs[RED], &room, &error), -1);
	assert_non_null(strstr(error.text, "1450"));
	configs[RED].mtu = 1400;
	assert_int_equal(networks_add(&networks, &configs[RED], &room, &error), RED);
	assert_int_equal(networks.list[RED].mtu, 1400);
}

static void check_built(const uint16_t *places, uint16_t n, uint16_t port, uint16_t remote)
{
	struct network *network = networks_build(&networks, BLUE);

	assert_int_equal(network->n_places, n);
	assert_memory_equal(network->places, places, n * sizeof(*places));
	assert_int_equal(network->wire_port, port);
	assert_int_equal(network->wire_remote, remote);
	rte_free(network);
}

static void places_are_in_order_however_they_come_and_go(void **state)
{
	static const uint16_t in_order[] = {1, 2, 3, 4, 5, 6, 7, 9, REMOTE_2, REMOTE_3};
	static const uint16_t without_ends[] = {2, 3, 4, 5, 6, 7, REMOTE_2, REMOTE_3};
	static const uint16_t come[] = {5, REMOTE_3, 9, 1, 7, REMOTE_2, 3, 2, 6, 4};

	(void)state;
	check_built(NULL, 0, PLACE_NONE, PLACE_NONE);
	for (size_t i = 0; i < RTE_DIM(come); i++)
		networks_add_place(&networks, BLUE, come[i]);
	check_built(in_order, RTE_DIM(in_order), 9, REMOTE_2);
	networks_remove_place(&networks, BLUE, 9);
	networks_remove_place(&networks, BLUE, 1);
	check_built(without_ends, RTE_DIM(without_ends), 7, REMOTE_2);
	networks_add_place(&networks, BLUE, 1);
	networks_add_place(&networks, BLUE, 9);
	check_built(in_order, RTE_DIM(in_order), 9, REMOTE_2);
}

static void lcores_see_what_the_configuration_says(void **state)
{
	struct network *network;
	struct error error;

	(void)state;
	network = networks_build(&networks, BLUE);
	assert_int_equal(network->vni, 100);
	assert_int_equal(network->udp_port, 4789);
	assert_int_equal(network->mtu, 1450);
	assert_true(network->learning);
	assert_false(network->vtep_guard);
	assert_int_equal(network->refresh, 300 / 8);
	rte_free(network);
	networks_add(&networks, &configs[RED], &room, &error);
	network = networks_build(&networks, RED);
	assert_true(network->vtep_guard);
	assert_int_equal(network->refresh, 1);
	rte_free(network);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(networks_are_found_by_name_and_vni),
		TEST(a_vni_is_one_networks),
		TEST(the_mtu_is_what_the_outer_headers_leave),
		TEST(places_are_in_order_however_they_come_and_go),
		TEST(lcores_see_what_the_configuration_says),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
