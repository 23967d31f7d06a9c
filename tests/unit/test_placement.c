/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "file.h"

#include "control/check.h"
#include "engine/dataplane.h"

/* Workers 4, 5 and 6. */
static struct dataplane_config three_workers(void)
{
	return (struct dataplane_config){.n_lcores = 3, .lcore_ids = {4, 5, 6}};
}

/* What was placed last: the plan has its mode. */
static struct config *placed;

static int place_on(const char *words, struct dataplane_config *dataplane, struct error *error)
{
	const struct workers workers = {dataplane->lcore_ids, dataplane->n_lcores, "is no worker"};
	struct error_list errors = {.file = file};
	char text[1024];
	struct config *config;
	int status;

	snprintf(text, sizeof(text),
		"[uplink eth1]\ndevice = net_null0\naddress = 192.0.2.1/24\n%s"
		"[network blue]\nvni = 100\n",
		words);
	file_write(text, strlen(text));
	config = file_read_config(error);
	if (config == NULL)
		fail_msg("%s", error->text);
	check_lcores(config, &workers, &errors);
	if (errors.n == 0)
		placement_plan(config, dataplane);
	else
		error_list_join(&errors, error);
	status = errors.n == 0 ? 0 : -1;
	error_list_free(&errors);
	config_free(placed);
	placed = config;
	return status;
}

static int place(const char *words, struct dataplane_config *dataplane, struct error *error)
{
	*dataplane = three_workers();
	return place_on(words, dataplane, error);
}

static struct dataplane_config place_good(const char *words)
{
	struct dataplane_config dataplane;
	struct error error;

	if (place(words, &dataplane, &error) != 0)
		fail_msg("%s", error.text);
	return dataplane;
}

static void lcores_that_own_no_uplink_queue_steer(void **state)
{
	struct dataplane_config dataplane = place_good("lcores = 5\n");

	(void)state;
	assert_int_equal(dataplane.steering.n, 2);
	assert_int_equal(dataplane.steering.lcores[0], 0);
	assert_int_equal(dataplane.steering.lcores[1], 2);
	assert_string_equal(dataplane.steering.policy->name, "two-choice");
	assert_int_equal(dataplane.steering.threshold, 850);
}

static void queues_go_to_all_workers_in_turn(void **state)
{
	struct dataplane_config dataplane = place_good("queues = 2\n");

	(void)state;
	assert_int_equal(dataplane.steering.n, 1);
	assert_int_equal(dataplane.steering.lcores[0], 2);
}

static void all_steer_where_all_own_a_queue(void **state)
{
	struct dataplane_config dataplane = place_good("queues = 4\n");

	(void)state;
	assert_int_equal(dataplane.steering.n, 3);
	for (uint16_t i = 0; i < 3; i++)
		assert_int_equal(dataplane.steering.lcores[i], i);
}

static void named_lcores_steer_in_their_order(void **state)
{
	struct dataplane_config dataplane =
		place_good("[steering]\nlcores = 6 4\npolicy = static\nthreshold = 40\n");

	(void)state;
	assert_int_equal(dataplane.steering.n, 2);
	assert_int_equal(dataplane.steering.lcores[0], 2);
	assert_int_equal(dataplane.steering.lcores[1], 0);
	assert_string_equal(dataplane.steering.policy->name, "static");
	assert_int_equal(dataplane.steering.threshold, 400);
}

/* ---- micro-flows ---- */

static void lcores_that_own_no_uplink_queue_are_branches(void **state)
{
	struct dataplane_config dataplane = place_good("lcores = 5\n");

	(void)state;
	assert_int_equal(dataplane.micro_flows.n, 2);
	assert_int_equal(dataplane.micro_flows.lcores[0], 0);
	assert_int_equal(dataplane.micro_flows.lcores[1], 2);
	assert_int_equal(dataplane.micro_flows.n_branches, 2);
	assert_int_equal(dataplane.micro_flows.n_elephants, 16);
	assert_int_equal(dataplane.micro_flows.batch, 256);
	assert_int_equal(dataplane.micro_flows.rate, 100000);
}

static void all_are_branches_where_the_others_are_too_few(void **state)
{
	struct dataplane_config dataplane = place_good("queues = 2\n");

	(void)state;
	assert_int_equal(dataplane.steering.n, 1);
	assert_int_equal(dataplane.micro_flows.n, 3);
	for (uint16_t i = 0; i < 3; i++)
		assert_int_equal(dataplane.micro_flows.lcores[i], i);
	dataplane = place_good("lcores = 5\n[micro-flows]\nbranches = 3\n");
	assert_int_equal(dataplane.micro_flows.n, 3);
}

static void named_lcores_are_branches_in_their_order(void **state)
{
	struct dataplane_config dataplane = place_good(
		"[micro-flows]\nlcores = 6 4\nbatch = 32\nbranches = 4\nelephants = 1\n");

	(void)state;
	assert_int_equal(dataplane.micro_flows.n, 2);
	assert_int_equal(dataplane.micro_flows.lcores[0], 2);
	assert_int_equal(dataplane.micro_flows.lcores[1], 0);
	assert_int_equal(dataplane.micro_flows.batch, 32);
	assert_int_equal(dataplane.micro_flows.n_branches, 4);
	assert_int_equal(dataplane.micro_flows.n_elephants, 1);
}

/* A flow with the rate has 16 samples in a window, one packet in 16 being one. */
static void a_window_is_long_enough_to_tell_the_rate(void **state)
{
	(void)state;
	assert_int_equal(place_good("").micro_flows.window, 4000);
	assert_int_equal(place_good("[micro-flows]\nrate = 1000000000\n").micro_flows.window, 4000);
	assert_int_equal(place_good("[micro-flows]\nrate = 64000\n").micro_flows.window, 4000);
	assert_int_equal(place_good("[micro-flows]\nrate = 1000\n").micro_flows.window, 256000);
	assert_int_equal(place_good("[micro-flows]\nrate = 1\n").micro_flows.window, 256000000);
}

static void doors_are_the_lcores_that_own_an_uplink_queue(void **state)
{
	(void)state;
	assert_int_equal(place_good("lcores = 5\n").doors, 2);
	assert_int_equal(place_good("queues = 2\nlcores = 6 4\n").doors, 5);
	assert_int_equal(place_good("queues = 4\n").doors, 7);
}

static void the_last_of_64_workers_may_be_a_door(void **state)
{
	struct dataplane_config dataplane = {.n_lcores = LCORES_MAX};
	struct error error;

	(void)state;
	for (uint16_t i = 0; i < LCORES_MAX; i++)
		dataplane.lcore_ids[i] = 1 + i;
	assert_int_equal(place_on("lcores = 64\n", &dataplane, &error), 0);
	assert_true(dataplane.doors == 1ULL << 63);
	assert_int_equal(dataplane.micro_flows.n, LCORES_MAX - 1);
}

/* ---- the plan ---- */

static void the_plan_is_of_the_mode_with_placed_stages(void **state)
{
	struct dataplane_config dataplane = place_good("[weft]\nmode = mine\n"
						       "[mode mine]\nvxlan = flow\n"
						       "[pipeline]\nbridge = 6\n");

	(void)state;
	assert_string_equal(dataplane.plan.mode->name, "mine");
	assert_int_equal(dataplane.plan.sorting, SORTING_INNER);
	assert_int_equal(dataplane.plan.open[STAGE_VXLAN].kind, TRANSITION_FLOW);
	assert_int_equal(dataplane.plan.lcore[STAGE_BRIDGE], 2);
	assert_int_equal(dataplane.plan.lcore[STAGE_VXLAN], LCORE_INLINE);
}

static void lcores_that_are_no_workers_are_named(void **state)
{
	static const char *const words[][2] = {
		{"lcores = 5 7\nqueues = 2\n", "[uplink eth1]: lcores: 7 "},
		{"[steering]\nlcores = 4 0\n", "[steering]: lcores: 0 "},
		{"[micro-flows]\nlcores = 4 7\n", "[micro-flows]: lcores: 7 "},
		{"[pipeline]\nbridge = 1\n", "[pipeline]: bridge: 1 "},
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(words); i++) {
		struct dataplane_config dataplane;
		struct error error;

		assert_int_equal(place(words[i][0], &dataplane, &error), -1);
		assert_int_equal(strncmp(error.text, file, strlen(file)), 0);
		if (strstr(error.text, words[i][1]) == NULL)
			fail_msg("no '%s' in: %s", words[i][1], error.text);
	}
}

static int forget(void **state)
{
	(void)state;
	config_free(placed);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, file_make, file_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lcores_that_own_no_uplink_queue_steer),
		TEST(queues_go_to_all_workers_in_turn),
		TEST(all_steer_where_all_own_a_queue),
		TEST(named_lcores_steer_in_their_order),
		TEST(lcores_that_own_no_uplink_queue_are_branches),
		TEST(all_are_branches_where_the_others_are_too_few),
		TEST(named_lcores_are_branches_in_their_order),
		TEST(a_window_is_long_enough_to_tell_the_rate),
		TEST(doors_are_the_lcores_that_own_an_uplink_queue),
		TEST(the_last_of_64_workers_may_be_a_door),
		TEST(the_plan_is_of_the_mode_with_placed_stages),
		TEST(lcores_that_are_no_workers_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, forget);
}
