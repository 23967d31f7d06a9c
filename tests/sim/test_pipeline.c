/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole data path, stepped by one thread through orders of turns that real lcores rarely show.
 * WEFT_SIM_PACKETS=N raises the number of packets, WEFT_SIM_SEED=N begins with another seed.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "random.h"
#include "world.h"

#define PACKETS 1200000 /* of the whole program */
#define WORLDS 810	/* about, of the whole program */
#define AMPLE_CREDITS 512

static uint64_t carried;

static uint32_t packets_of_world(void)
{
	return sim_packets(PACKETS) / WORLDS;
}

/* Runs a world and what is to be compared with it; fails the test after the report. */
static void run(struct world_config config, const struct world *reference)
{
	struct world *world;
	int status;

	config.packets = packets_of_world();
	world = world_create(&config);
	status = world_run(world);
	if (status == 0 && reference != NULL)
		status = world_compare(reference, world);
	carried += world_given(world);
	world_free(world);
	assert_int_equal(status, 0);
}

/* The same packets through one lcore. */
static struct world *run_reference(struct world_config config)
{
	struct world *world;
	int status;

	config.packets = packets_of_world();
	config.n_lcores = 1;
	config.credits = AMPLE_CREDITS;
	config.schedule = SCHEDULE_IN_TURN;
	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++)
		config.placement[stage] = LCORE_INLINE;
	world = world_create(&config);
	status = world_run(world);
	carried += world_given(world);
	world_end(world);
	assert_int_equal(status, 0);
	return world;
}

/* Sets the stages' lcores to the i-th of all combinations; false when there are no more. */
static bool place(
	struct world_config *config, const enum stage *stages, unsigned int n, unsigned int i)
{
	unsigned int choices = config->n_lcores + 1;

	for (unsigned int j = 0; j < n; j++) {
		uint16_t choice = i % choices;

		config->placement[stages[j]] = choice == config->n_lcores ? LCORE_INLINE : choice;
		i /= choices;
	}
	return i == 0;
}

/* Every combination for these stages on two lcores; the others lie at random. */
static void run_every_placement(const enum stage *stages, unsigned int n)
{
	uint64_t seed = sim_seed();
	struct world_config first = world_config_random(seed, 2, 2);
	struct world *reference;

	first.faulty = true;
	reference = run_reference(first);
	for (unsigned int i = 0;; i++) {
		struct world_config config = world_config_random(seed + i, 2, 2);

		config.flow_seed = first.flow_seed;
		config.n_uplinks = first.n_uplinks;
		config.faulty = true;
		config.credits = AMPLE_CREDITS;
		if (!place(&config, stages, n, i))
			break;
		run(config, reference);
	}
	world_free(reference);
}

static void every_placement_of_the_receive_stages_delivers_the_same(void **state)
{
	static const enum stage stages[] = {
		STAGE_RX, STAGE_GRO, STAGE_VXLAN, STAGE_BRIDGE, STAGE_VETH};

	(void)state;
	run_every_placement(stages, RTE_DIM(stages));
}

static void every_placement_of_the_transmit_stages_delivers_the_same(void **state)
{
	static const enum stage stages[] = {STAGE_VETH_RX, STAGE_BRIDGE, STAGE_ENCAP, STAGE_TX};

	(void)state;
	run_every_placement(stages, RTE_DIM(stages));
}

static void placements_on_up_to_four_lcores_deliver_the_same(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		struct world_config config = world_config_random(sim_seed() + 1000 + i, 1, 4);
		struct world *reference;

		config.faulty = true;
		reference = run_reference(config);
		run(config, reference);
		world_free(reference);
	}
}

static void peers_that_refuse_cost_only_what_they_refuse(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		struct world_config config = world_config_random(sim_seed() + 2000 + i, 1, 4);

		config.faulty = config.refusing = true;
		run(config, NULL);
	}
}

static void few_credits_slow_down_but_lose_nothing(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 50; i++) {
		struct world_config config = world_config_random(sim_seed() + 3000 + i, 2, 4);

		config.credits = 64;
		config.schedule = SCHEDULE_STARVE;
		run(config, NULL);
	}
}

static void ports_come_and_go_under_load(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		struct world_config config = world_config_random(sim_seed() + 4000 + i, 1, 4);

		config.churning = config.faulty = true;
		config.refusing = i % 2;
		run(config, NULL);
	}
}

static void addresses_are_learned_under_load(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 50; i++) {
		struct world_config config = world_config_random(sim_seed() + 5000 + i, 1, 4);

		config.learning = config.faulty = true;
		run(config, NULL);
	}
}

static void enough_packets_were_carried(void **state)
{
	(void)state;
	print_message("%" PRIu64 " packets\n", carried);
	assert_true(carried >= sim_packets(PACKETS) * 5 / 6);
}

static int start(void **state)
{
	(void)state;
	return sim_start(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_placement_of_the_receive_stages_delivers_the_same),
		cmocka_unit_test(every_placement_of_the_transmit_stages_delivers_the_same),
		cmocka_unit_test(placements_on_up_to_four_lcores_deliver_the_same),
		cmocka_unit_test(peers_that_refuse_cost_only_what_they_refuse),
		cmocka_unit_test(few_credits_slow_down_but_lose_nothing),
		cmocka_unit_test(ports_come_and_go_under_load),
		cmocka_unit_test(addresses_are_learned_under_load),
		cmocka_unit_test(enough_packets_were_carried),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
