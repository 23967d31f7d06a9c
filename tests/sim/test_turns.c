/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Virtual lcores that take turns at queues: a round ends whenever something is passed on, and the
 * next one may be any other lcore's, so that batches overlap in every way.
 *
 *   WEFT_SIM_PACKETS=N   how many packets in all
 *   WEFT_SIM_SEED=N      begin with another seed
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "world.h"

#define PACKETS 4000000 /* of the whole program */
#define LCORES_MOST 8
#define SAMPLES 60 /* worlds of each test */
#define TESTS 8
#define REFUSED_ONE_IN 4

static uint64_t carried, helped, moved_modes;

/* Batches that lcores received from queues which are not their own. */
static void count_help(const struct world *world)
{
	for (uint16_t i = 0; i < world->config.n_lcores; i++) {
		const struct turns *turns = world->dataplane->lcores[i]->turns;

		helped += turns->now.batches - turns->now.own_batches;
	}
	moved_modes += world->dataplane->plans - 1;
}

static struct world_config taking_turns(uint64_t base, unsigned int i)
{
	struct world_config config = world_config_random(sim_seed() + base + i, 2, LCORES_MOST);

	config.mode = i % 2 ? "auto" : "turns";
	config.packets = sim_packets(PACKETS) / (TESTS * SAMPLES) + 1;
	return config;
}

static void run(const struct world_config *config)
{
	struct world *world = world_create(config);

	world_run(world);
	carried += world_given(world);
	count_help(world);
	if (!world->failed && config->compared)
		world_compare_with_reference(world);
	assert_true(world_passed(world));
}

static void every_flow_keeps_its_order(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct world_config config = taking_turns(0, i);

		config.compared = true;
		config.n_flows = i % 3 == 0;
		run(&config);
	}
}

static void bad_packets_are_dropped_by_name(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct world_config config = taking_turns(1000, i);

		config.faulty = true;
		config.learning = i % 2;
		run(&config);
	}
}

static void ports_that_refuse_cost_only_what_they_refuse(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct world_config config = taking_turns(2000, i);

		config.refusing = config.faulty = true;
		run(&config);
	}
}

static void few_credits_slow_down_and_lose_nothing(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct world_config config = taking_turns(3000, i);

		config.credits = 32;
		config.flooding = true;
		run(&config);
	}
}

static void lcores_held_up_hold_up_their_queues_only(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct world_config config = taking_turns(4000, i);

		config.stalling = config.faulty = true;
		config.flooding = i % 2;
		run(&config);
	}
}

static void ports_come_and_go_under_load(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct world_config config = taking_turns(5000, i);

		config.churning = config.faulty = true;
		config.learning = i % 2;
		config.flooding = i % 3 == 0;
		config.stalling = i % 5 == 0;
		run(&config);
	}
}

static void modes_change_under_load(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct world_config config = taking_turns(6000, i);

		config.steering = config.faulty = true;
		config.refusing = i % REFUSED_ONE_IN == 0;
		config.stalling = i % 3 == 0;
		run(&config);
	}
}

static void modes_change_while_ports_come_and_go(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct world_config config = taking_turns(7000, i);

		config.steering = config.churning = config.flooding = true;
		run(&config);
	}
}

static void lcores_helped_each_other(void **state)
{
	(void)state;
	print_message("%" PRIu64 " packets, %" PRIu64 " batches of another's queue, %" PRIu64
		      " changes of mode\n",
		carried, helped, moved_modes);
	assert_true(carried >= sim_packets(PACKETS) / 2);
	assert_true(helped > 0);
	assert_true(moved_modes > 0);
}

static int start(void **state)
{
	(void)state;
	return sim_start(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_flow_keeps_its_order),
		cmocka_unit_test(bad_packets_are_dropped_by_name),
		cmocka_unit_test(ports_that_refuse_cost_only_what_they_refuse),
		cmocka_unit_test(few_credits_slow_down_and_lose_nothing),
		cmocka_unit_test(lcores_held_up_hold_up_their_queues_only),
		cmocka_unit_test(ports_come_and_go_under_load),
		cmocka_unit_test(modes_change_under_load),
		cmocka_unit_test(modes_change_while_ports_come_and_go),
		cmocka_unit_test(lcores_helped_each_other),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
