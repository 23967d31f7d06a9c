/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole data path on virtual lcores, through orders of turns that real lcores rarely show.
 *
 *   WEFT_SIM_PACKETS=N   how many packets in all
 *   WEFT_SIM_SEED=N      begin with another seed
 *   WEFT_SIM_EVERY=1     every placement of all stages together, too
 *
 * A world that fails is printed with its seed, and with the shortest prefix of its packets that
 * still fails, in a form that runs it again: build/sim-pipeline 'seed=... prefix=...'
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/random.h"
#include "world.h"

#define PACKETS 10000000 /* of the whole program */
#define LCORES_MOST 8
#define PROGRESS_EVERY 10000 /* placements */
#define REFERENCE_EVERY 100  /* placements: then other packets */

/* How many placements there are. */
#define RECEIVE_PLACEMENTS 877	/* ways to put 7 things into at most 8 places */
#define TRANSMIT_PLACEMENTS 203 /* 6 things */
#define ALL_PLACEMENTS 677359	/* 11 things */
#define SAMPLES 100

static uint64_t carried;

/* ---- worlds ---- */

static bool wants_every(void)
{
	return getenv("WEFT_SIM_EVERY") != NULL;
}

static uint32_t packets_of_world(void)
{
	uint64_t worlds = 2 * (RECEIVE_PLACEMENTS + TRANSMIT_PLACEMENTS) + 10 * SAMPLES;

	if (wants_every())
		worlds += ALL_PLACEMENTS;
	return sim_packets(PACKETS) / worlds + 1;
}

static struct world *run_world(const struct world_config *config)
{
	struct world *world = world_create(config);

	world_run(world);
	carried += world_given(world);
	return world;
}

/* Fails the test after it has found the shortest prefix that fails, too. */
static void check(struct world *world)
{
	bool failed = world->failed;

	if (failed)
		world_shorten(world);
	world_free(world);
	assert_false(failed);
}

static void run(struct world_config config, const struct world *reference)
{
	struct world *world;

	config.packets = packets_of_world();
	config.compared = reference != NULL;
	world = run_world(&config);
	if (!world->failed && reference != NULL)
		world_compare(reference, world);
	check(world);
}

/* The same packets through one lcore. */
static struct world *run_reference(struct world_config config)
{
	struct world *world;

	config.packets = packets_of_world();
	config = world_config_reference(&config);
	world = run_world(&config);
	if (world->failed)
		check(world);
	world_end(world);
	return world;
}

/* ---- placements ---- */

/* What is placed: the owners of the uplinks' and of the containers' queues, and stages. */
enum { UPLINKS = STEP_COUNT, CONTAINERS };

static const unsigned int receive_way[] = {
	UPLINKS, STAGE_RX, STAGE_GRO, STAGE_VXLAN, STAGE_BRIDGE, STAGE_VETH, CONTAINERS};
static const unsigned int transmit_way[] = {
	CONTAINERS, STAGE_VETH_RX, STAGE_BRIDGE, STAGE_ENCAP, STAGE_TX, UPLINKS};
static const unsigned int all_ways[] = {UPLINKS, CONTAINERS, STAGE_RX, STAGE_GRO, STAGE_VXLAN,
	STAGE_VTEP, STAGE_VETH_RX, STAGE_BRIDGE, STAGE_VETH, STAGE_ENCAP, STAGE_TX};

/* Which lcore has each thing. Lcores differ by name only, so the first thing is on lcore 0, and
 * each further one on an lcore in use or on the next. */
struct placement {
	unsigned int n;
	const unsigned int *things;
	uint16_t lcores[RTE_DIM(all_ways)];
};

static uint16_t lcores_before(const struct placement *placement, unsigned int end)
{
	uint16_t used = 0;

	for (unsigned int i = 0; i < end; i++)
		used = RTE_MAX(used, placement->lcores[i] + 1);
	return used;
}

/* The next one in lexical order; false behind the last. */
static bool next_placement(struct placement *placement)
{
	for (unsigned int i = placement->n - 1; i > 0; i--) {
		uint16_t most = RTE_MIN(lcores_before(placement, i), LCORES_MOST - 1);

		if (placement->lcores[i] < most) {
			placement->lcores[i]++;
			return true;
		}
		placement->lcores[i] = 0;
	}
	return false;
}

static void place(struct world_config *config, const struct placement *placement)
{
	config->n_lcores = lcores_before(placement, placement->n);
	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++)
		config->placement[stage] = LCORE_INLINE;
	for (unsigned int i = 0; i < placement->n; i++) {
		uint16_t lcore = placement->lcores[i];

		if (placement->things[i] == UPLINKS)
			config->uplink_owner = lcore;
		else if (placement->things[i] == CONTAINERS)
			config->container_owner = lcore;
		else
			config->placement[placement->things[i]] = lcore;
	}
}

static struct world_config config_of_placement(
	const struct placement *placement, uint64_t seed, uint64_t flow_seed)
{
	struct world_config config = world_config_random(seed, 1, 1);

	config.flow_seed = flow_seed;
	config.n_uplinks = 1 + flow_seed % SIM_UPLINKS_MAX;
	config.credits = 512;
	config.faulty = true;
	config.stalling = seed % 4 == 0;
	place(&config, placement);
	return config;
}

/* Every fault there is, in any mixture, as often as not. */
static struct world_config with_faults(struct world_config config)
{
	uint64_t random = config.seed;

	config.flow_seed = random_next(&random);
	config.credits = 64 << random_below(&random, 4);
	config.refusing = random_below(&random, 2);
	config.churning = random_below(&random, 2);
	config.learning = random_below(&random, 2);
	config.stalling = random_below(&random, 2);
	return config;
}

/* Each undisturbed, compared with one lcore, and with faults; where there are very many, in turns.
 */
static void run_every_placement(
	const unsigned int *things, unsigned int n, unsigned int expected, bool in_turns)
{
	struct placement placement = {.n = n, .things = things};
	struct world *reference = NULL;
	unsigned int i = 0;

	do {
		uint64_t flow_seed = sim_seed() + i / REFERENCE_EVERY;
		struct world_config config =
			config_of_placement(&placement, sim_seed() + i, flow_seed);

		if (i % REFERENCE_EVERY == 0) {
			if (reference != NULL)
				world_free(reference);
			reference = run_reference(config);
		}
		if (!in_turns || (sim_seed() + i) % 2 == 0)
			run(config, reference);
		if (!in_turns || (sim_seed() + i) % 2 == 1)
			run(with_faults(config), NULL);
		if (++i % PROGRESS_EVERY == 0)
			print_message(
				"%u of %u placements, %" PRIu64 " packets\n", i, expected, carried);
	} while (next_placement(&placement));
	world_free(reference);
	assert_int_equal(i, expected);
}

static void every_placement_of_the_receive_way_holds(void **state)
{
	(void)state;
	run_every_placement(receive_way, RTE_DIM(receive_way), RECEIVE_PLACEMENTS, false);
}

static void every_placement_of_the_transmit_way_holds(void **state)
{
	(void)state;
	run_every_placement(transmit_way, RTE_DIM(transmit_way), TRANSMIT_PLACEMENTS, false);
}

static void every_placement_of_all_stages_holds(void **state)
{
	(void)state;
	run_every_placement(all_ways, RTE_DIM(all_ways), ALL_PLACEMENTS, true);
}

/* ---- samples ---- */

static struct world_config sample(unsigned int base, unsigned int i)
{
	struct world_config config = world_config_random(sim_seed() + base + i, 1, LCORES_MOST);

	config.faulty = true;
	return config;
}

static void several_owners_and_queues_deliver_the_same(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct world_config config = sample(100000, i);
		struct world *reference = run_reference(config);

		run(config, reference);
		world_free(reference);
	}
}

static void peers_that_refuse_cost_only_what_they_refuse(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct world_config config = sample(200000, i);

		config.refusing = true;
		run(config, NULL);
	}
}

static void full_inboxes_slow_down_but_lose_nothing(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct world_config config = sample(300000, i);

		config.credits = 64;
		config.order = VIRTUAL_ADVERSARIAL;
		run(config, NULL);
	}
}

static void lcores_held_up_hold_up_the_others_and_lose_nothing(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct world_config config = sample(400000, i);

		config.stalling = true;
		config.order = i % 2 ? VIRTUAL_BY_COST : VIRTUAL_RANDOM;
		run(config, NULL);
	}
}

static void ports_come_and_go_under_load(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct world_config config = sample(500000, i);

		config.churning = true;
		config.refusing = i % 2;
		config.stalling = i % 4 == 0;
		run(config, NULL);
	}
}

static void addresses_are_learned_under_load(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct world_config config = sample(600000, i);

		config.learning = true;
		run(config, NULL);
	}
}

static void groups_move_under_load_and_keep_their_order(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2 * SAMPLES; i++) {
		struct world_config config = sample(700000, i);

		config.steering = true;
		run(with_faults(config), NULL);
	}
}

static void every_mode_delivers_the_same(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct world_config config = sample(800000, i);
		struct world *reference = run_reference(config);

		config.steering = true;
		config.credits = 4096;
		config.stalling = i % 2;
		run(config, reference);
		world_free(reference);
	}
}

static void enough_packets_were_carried(void **state)
{
	(void)state;
	print_message("%" PRIu64 " packets\n", carried);
	assert_true(carried >= sim_packets(PACKETS));
}

/* ---- the program ---- */

static int start(void **state)
{
	static int started = -1;

	(void)state;
	if (started != 0)
		started = sim_start(1);
	return started;
}

/* One world again, as it was printed. */
static int run_again(const char *text)
{
	struct world_config config;
	struct world *world;
	int status;

	if (sim_start(1) != 0 || world_config_read(&config, text) != 0)
		return EXIT_FAILURE;
	world = world_try(&config);
	status = world->failed ? EXIT_FAILURE : EXIT_SUCCESS;
	if (!world->failed)
		printf("%" PRIu64 " packets, all invariants hold\n", world_given(world));
	world_report(world);
	world_free(world);
	return status;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_placement_of_the_receive_way_holds),
		cmocka_unit_test(every_placement_of_the_transmit_way_holds),
		cmocka_unit_test(several_owners_and_queues_deliver_the_same),
		cmocka_unit_test(peers_that_refuse_cost_only_what_they_refuse),
		cmocka_unit_test(full_inboxes_slow_down_but_lose_nothing),
		cmocka_unit_test(lcores_held_up_hold_up_the_others_and_lose_nothing),
		cmocka_unit_test(ports_come_and_go_under_load),
		cmocka_unit_test(addresses_are_learned_under_load),
		cmocka_unit_test(groups_move_under_load_and_keep_their_order),
		cmocka_unit_test(every_mode_delivers_the_same),
		cmocka_unit_test(enough_packets_were_carried),
	};

	const struct CMUnitTest every[] = {
		cmocka_unit_test(every_placement_of_all_stages_holds),
	};
	int failed = 0;

	if (argc > 1)
		return run_again(argv[1]);
	if (wants_every())
		failed = cmocka_run_group_tests(every, start, NULL);
	return failed + cmocka_run_group_tests(tests, start, NULL);
}
