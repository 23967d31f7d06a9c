/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole data path on virtual lcores, through orders of rounds that real lcores rarely show.
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

#include "base/flow_hash.h"
#include "base/random.h"
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
#define ONE_FLOW_EVERY 8 /* worlds that steer */

static uint64_t carried;
static uint64_t moves; /* of flow groups */
static uint32_t most_held;
static unsigned int compared_moving; /* worlds that steered and were compared as a whole */

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
	moves += world_moves(world);
	most_held = RTE_MAX(most_held, world_most_held(world));
	return world;
}

static void run(struct world_config config, const struct world *reference)
{
	struct world *world;

	config.packets = packets_of_world();
	config.compared = reference != NULL;
	world = run_world(&config);
	if (!world->failed && reference != NULL) {
		world_compare(reference, world);
		compared_moving += config.steering && world->paths_refused == 0;
	}
	assert_true(world_passed(world));
}

/* The same packets through one lcore. */
static struct world *run_reference(struct world_config config)
{
	struct world *world;

	config.packets = packets_of_world();
	config = world_config_reference(&config);
	world = run_world(&config);
	if (world->failed)
		assert_true(world_passed(world));
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
		config.n_flows = i % ONE_FLOW_EVERY == 0 ? 1 : 0;
		run(with_faults(config), NULL);
	}
}

static void every_mode_delivers_the_same(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct world_config config = sample(800000, i);
		struct world *reference;

		config.n_flows = i % ONE_FLOW_EVERY == 0 ? 1 : 0;
		reference = run_reference(config);
		config.steering = true;
		config.credits = 4096;
		config.stalling = i % 2;
		run(config, reference);
		world_free(reference);
	}
}

/* ---- a slow path ---- */

#define SLOW_LCORE 2
#define SLOW_TIME (2 * 1000 * 1000) /* as long as this lcore is held up, ns */
#define SLOW_PACKETS 40000

/* Lcore 0 owns all queues, and what comes from the uplink goes over any of the three. */
static struct world *make_slow_world(uint64_t seed)
{
	struct world_config config = world_config_random(seed, 3, 3);

	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++)
		config.placement[stage] = LCORE_INLINE;
	config.mode = "rps";
	config.n_uplinks = config.uplink_queues = config.container_queues = 1;
	config.uplink_owner = config.container_owner = 0;
	config.credits = 512;
	config.n_flows = 8;
	config.order = VIRTUAL_BY_COST;
	config.packets = SLOW_PACKETS;
	return world_create(&config);
}

static bool is_slow(const struct world *world, const struct flow *flow)
{
	struct flow copy = *flow;
	struct rte_mbuf *mbuf;
	uint16_t group;

	if (!sim_is_remote(flow->source))
		return false;
	mbuf = flow_next(&copy, world->pool);
	group = flow_hash_tunnelled(mbuf) % FLOW_GROUPS;
	rte_pktmbuf_free(mbuf);
	return world->dataplane->paths[0][group].lcore[STAGE_VXLAN] == SLOW_LCORE;
}

static uint16_t count_slow(const struct world *world)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < world->n_flows; i++)
		n += is_slow(world, &world->flows[i]);
	return n;
}

/* A seed that makes a world in which one flow's path is slow. */
static uint64_t find_slow_seed(void)
{
	uint64_t seed = sim_seed() + 900000;
	uint16_t n;

	do {
		struct world *world = make_slow_world(++seed);

		n = count_slow(world);
		world_free(world);
	} while (n != 1);
	return seed;
}

/* Packets that came in of flows whose path is not slow, while another is. */
static uint64_t let_in(struct world *world, uint64_t held_up)
{
	uint64_t sum = 0;

	virtual_stall(world->driver, SLOW_LCORE, held_up);
	world_open(world);
	virtual_run(world->driver, virtual_now(world->driver) + SLOW_TIME);
	for (uint16_t i = 0; i < world->n_flows; i++)
		if (!is_slow(world, &world->flows[i]))
			sum += world->flows[i].next;
	return sum;
}

/* All of them come out, too. */
static void check_others(struct world *world)
{
	for (uint16_t i = 0; i < world->n_flows; i++) {
		uint64_t missing = world_missing(world, &world->flows[i]);

		if (!is_slow(world, &world->flows[i]) && missing > world->floods_refused)
			world_fail(world, "%" PRIu64 " packets of flow %u did not come out",
				missing, i);
	}
	if (world->paths_refused == 0)
		world_fail(world, "a path that was held up refused no packet");
}

static void a_slow_path_holds_up_no_other(void **state)
{
	uint64_t seed = find_slow_seed(), most, in;
	struct world *world = make_slow_world(seed);

	(void)state;
	most = let_in(world, 0);
	world_free(world);
	world = make_slow_world(seed);
	in = let_in(world, SLOW_TIME);
	if (in < most * 9 / 10)
		world_fail(world, "%" PRIu64 " packets were let in, not %" PRIu64, in, most);
	world_run(world);
	check_others(world);
	print_message("%" PRIu64 " of %" PRIu64 " packets let in, %" PRIu64 " refused\n", in, most,
		world->paths_refused);
	world_report(world);
	assert_false(world->failed);
	world_free(world);
}

/* ---- the end ---- */

/* Packets that a path refuses are no one's to compare. */
static void groups_moved_and_packets_were_held(void **state)
{
	(void)state;
	print_message("%" PRIu64 " moves, %u packets held, %u worlds compared\n", moves, most_held,
		compared_moving);
	assert_true(moves > SAMPLES * FLOW_GROUPS);
	assert_true(most_held > 0);
	assert_true(compared_moving > SAMPLES / 4);
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
		cmocka_unit_test(a_slow_path_holds_up_no_other),
		cmocka_unit_test(groups_moved_and_packets_were_held),
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
