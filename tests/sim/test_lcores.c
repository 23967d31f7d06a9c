/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worlds of test_pipeline.c on real lcores, which share the CPUs there are: with more lcores
 * than CPUs each is preempted wherever that hurts most.
 *
 *   WEFT_SIM_PACKETS=N   how many packets in all
 *   WEFT_SIM_SEED=N      begin with another seed
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "world.h"

#define WORKERS_MAX 8
#define WORKERS_FEW 3
#define PACKETS 252000 /* of the whole program */
#define WORLDS (3 * EACH + 3 * MOVING + 2 * TURNS)
#define EACH 4	 /* of each test with few lcores, */
#define MOVING 3 /* and of each with moves, */
#define TURNS 4	 /* and with turns */
#define CHURN_ROUNDS 50
#define SPLIT_MOVES_MS 8      /* how often the mode changes where flows are split, */
#define ELEPHANTS_GIVE_MS 8   /* how long elephants have packets, */
#define ELEPHANTS_PAUSE_MS 10 /* and how long they have none */
#define SPLIT_TIMES 10	      /* as many packets has a world whose flows are split */
#define SPLIT_RATE 8000	      /* packets per second that make an elephant */
#define SPLIT_WINDOW 1000     /* microseconds */
#define SPLITTING 3	      /* worlds of each such test */
#define MOVE_MS 1
#define MOVES_LEAST 2000 /* of flow groups, in the whole program */
#define MORE 100	 /* worlds at most, for what has not happened in the others */
#define WAIT_SECONDS 60
#define SLOWEST 1000 /* packets a second, where CPUs are busy with other things */

static struct sim_elephants elephants;
static uint64_t moves;
static uint32_t most_held;

typedef bool (*condition)(const struct world *world);

/* Container ports come and go for the first rounds; then all come back. */
static void churn(struct world *world)
{
	if (world->rounds < CHURN_ROUNDS)
		world_churn(world);
	else
		world_restore(world);
}

static uint64_t in_ms(uint64_t ms)
{
	return rte_rdtsc() + rte_get_tsc_hz() / 1000 * ms;
}

/* Every flow group gets another path about once a millisecond; where flows are split less often, as
 * they must have been found to be elephants before. */
static void move(struct world *world)
{
	static uint64_t due;

	if (rte_rdtsc() < due)
		return;
	world_move(world);
	due = in_ms(world->config.row > 0 ? SPLIT_MOVES_MS : MOVE_MS);
}

static void pause_or_go_on(struct world *world)
{
	static uint64_t due;

	if (rte_rdtsc() < due)
		return;
	__atomic_store_n(&world->paused, !world->paused, __ATOMIC_RELAXED);
	due = in_ms(world->paused ? ELEPHANTS_PAUSE_MS : ELEPHANTS_GIVE_MS);
}

/* Moves end with the sources: each one leaves an old plan to wait for a grace period. */
static void disturb(struct world *world)
{
	if (world->config.churning)
		churn(world);
	if (world->config.steering && !world_is_exhausted(world))
		move(world);
	if (world->config.pausing)
		pause_or_go_on(world);
}

/* The control side's part, on the main lcore, until the condition holds. */
static void serve_until(struct world *world, condition holds)
{
	uint32_t seconds = WAIT_SECONDS + world->config.packets / SLOWEST;
	uint64_t end = rte_rdtsc() + seconds * rte_get_tsc_hz();

	while (!holds(world)) {
		if (rte_rdtsc() > end) {
			world_fail(world, "not done after %u s", seconds);
			return;
		}
		control_poll(world->control);
		if (world->open)
			disturb(world);
		world->rounds++;
		rte_delay_us_sleep(20); /* workers have this CPU, too */
	}
}

static bool is_empty(const struct world *world)
{
	return world_is_empty(world) && world->control->deferred.first == NULL;
}

static bool is_drained(const struct world *world)
{
	return dataplane_is_drained(world->dataplane) && world->control->deferred.first == NULL;
}

static uint64_t shut; /* token */

static bool is_shut(const struct world *world)
{
	return rte_rcu_qsbr_check(world->dataplane->rcu, shut, false);
}

static void launch(struct world *world)
{
	for (uint16_t i = 0; i < world->config.n_lcores; i++)
		rte_eal_remote_launch(
			lcore_run, world->dataplane->lcores[i], world->dataplane->lcore_ids[i]);
}

static void run(struct world_config config)
{
	struct world *world;
	int status;

	config.threads = true;
	config.packets = sim_packets(PACKETS) / WORLDS;
	if (config.row > 0)
		config.packets *= SPLIT_TIMES;
	world = world_create(&config);
	launch(world);
	serve_until(world, world_is_resolved);
	world->rounds = 0;
	world_open(world);
	serve_until(world, world_is_exhausted);
	serve_until(world, is_empty);
	/* A source may have given its last packets to a round that has not counted them yet; and
	 * who polls in vain has the right all the same. */
	__atomic_store_n(&world->dataplane->closing, true, __ATOMIC_RELAXED);
	shut = rte_rcu_qsbr_start(world->dataplane->rcu);
	serve_until(world, is_shut);
	serve_until(world, is_drained);
	__atomic_store_n(&world->dataplane->stop, true, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
	status = world_check(world);
	world_add_elephants(world, &elephants);
	moves += world_moves(world);
	most_held = RTE_MAX(most_held, world_most_held(world));
	world_report(world);
	world_free(world);
	assert_int_equal(status, 0);
}

static void real_lcores_keep_order_and_lose_nothing(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < EACH; i++) {
		struct world_config config = world_config_random(sim_seed() + i, 2, WORKERS_FEW);

		config.faulty = true;
		run(config);
	}
}

static void peers_that_refuse_disturb_nobody(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < EACH; i++) {
		struct world_config config =
			world_config_random(sim_seed() + 100 + i, 1, WORKERS_FEW);

		config.credits = 64;
		config.refusing = config.faulty = true;
		run(config);
	}
}

static void ports_come_and_go_under_load(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < EACH; i++) {
		struct world_config config =
			world_config_random(sim_seed() + 200 + i, 2, WORKERS_FEW);

		config.churning = config.faulty = true;
		config.learning = i % 2;
		run(config);
	}
}

static struct world_config taking_turns(unsigned int i, uint16_t lcores_most)
{
	struct world_config config = world_config_random(sim_seed() + 300 + i, 2, lcores_most);

	config.mode = i % 2 ? "auto" : "turns";
	config.faulty = true;
	return config;
}

static void lcores_take_turns(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < TURNS; i++) {
		struct world_config config = taking_turns(i, WORKERS_FEW);

		config.n_flows = i % 2;
		config.flooding = i % 3 == 0;
		run(config);
	}
}

static void lcores_take_turns_while_some_are_held_up(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < TURNS; i++) {
		struct world_config config = taking_turns(100 + i, WORKERS_MAX);

		config.stalling = true;
		config.refusing = i % 2;
		config.churning = i % 3 == 0;
		run(config);
	}
}

/* Undisturbed on two lcores; with peers that refuse on four, and with ports that come and go on
 * eight. */
static struct world_config moving(uint64_t base, unsigned int i, uint16_t n_flows)
{
	uint16_t n_lcores = 2 << i;
	struct world_config config = world_config_random(sim_seed() + base + i, n_lcores, n_lcores);

	config.n_flows = n_flows;
	config.steering = config.faulty = true;
	config.refusing = n_lcores == 4;
	config.churning = n_lcores == WORKERS_MAX;
	return config;
}

static void move_flows(uint16_t n_flows)
{
	for (unsigned int i = 0; i < MOVING; i++)
		run(moving(n_flows, i, n_flows));
}

static void one_flow_keeps_its_order_while_it_moves(void **state)
{
	(void)state;
	move_flows(1);
}

static void some_flows_keep_their_order_while_they_move(void **state)
{
	(void)state;
	move_flows(64);
}

static void ten_thousand_flows_keep_their_order_while_they_move(void **state)
{
	(void)state;
	move_flows(10000);
}

/* Elephants on two, four and eight lcores. */
static struct world_config splitting(uint64_t base, unsigned int i)
{
	uint16_t n_lcores = 2 << i;
	struct world_config config =
		world_config_splitting(sim_seed() + base + i, n_lcores, n_lcores);

	config.rate = SPLIT_RATE;
	config.window = SPLIT_WINDOW;
	config.steering = config.faulty = true;
	return config;
}

static void micro_flows_keep_the_order_of_elephants(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SPLITTING; i++) {
		struct world_config config = splitting(20000, i);

		config.steering = false;
		config.patient = true;
		config.failing = i;
		config.credits = 4096;
		run(config);
	}
}

static struct world_config coming_and_going(uint64_t base, unsigned int i)
{
	struct world_config config = splitting(base, i);

	config.pausing = config.patient = true;
	config.failing = 50;
	config.credits = 4096;
	return config;
}

static void elephants_come_and_go_and_modes_change(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SPLITTING; i++)
		run(coming_and_going(20100, i));
}

static void branches_are_held_up_with_few_credits(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SPLITTING; i++) {
		struct world_config config = splitting(20200, i);

		config.credits = 64;
		config.batch = 1 + i;
		config.stalling = config.refusing = true;
		run(config);
	}
}

static void ports_come_and_go_while_flows_are_split(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SPLITTING; i++) {
		struct world_config config = splitting(20300, i);

		config.churning = config.pausing = true;
		config.learning = i % 2;
		run(config);
	}
}

/* How much happens in a world depends on how fast its lcores are, and on the kernel: what has not
 * happened yet does so in one of the next ones. */
static bool all_happened_to_elephants(void)
{
	return elephants.promoted > 0 && elephants.demoted > 0 && elephants.moved > 0 &&
	       elephants.out_of_order > 0 && elephants.marks > 0;
}

static void elephants_were_cut_and_put_together(void **state)
{
	(void)state;
	if (sim_packets(PACKETS) < PACKETS)
		return; /* a world may end before there is an elephant */
	for (unsigned int i = 0; i < MORE && !all_happened_to_elephants(); i++)
		run(coming_and_going(21000 + i, i % SPLITTING));
	print_message("%" PRIu64 " packets merged, %" PRIu64 " out of order, %" PRIu64
		      " marks; %" PRIu64 " promotions, %" PRIu64 " demotions, %" PRIu64
		      " changes of mode while some were split; at most %u held\n",
		elephants.packets, elephants.out_of_order, elephants.marks, elephants.promoted,
		elephants.demoted, elephants.moved, elephants.most_held);
	assert_true(all_happened_to_elephants());
}

static void groups_moved_and_packets_were_held(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < MORE && (moves <= MOVES_LEAST || most_held == 0); i++)
		run(moving(64 + MORE + i, i % MOVING, 64));
	print_message("%" PRIu64 " moves, %u packets held\n", moves, most_held);
	assert_true(moves > MOVES_LEAST);
	assert_true(most_held > 0);
}

static int start(void **state)
{
	(void)state;
	return sim_start(1 + WORKERS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_lcores_keep_order_and_lose_nothing),
		cmocka_unit_test(peers_that_refuse_disturb_nobody),
		cmocka_unit_test(ports_come_and_go_under_load),
		cmocka_unit_test(lcores_take_turns),
		cmocka_unit_test(lcores_take_turns_while_some_are_held_up),
		cmocka_unit_test(one_flow_keeps_its_order_while_it_moves),
		cmocka_unit_test(some_flows_keep_their_order_while_they_move),
		cmocka_unit_test(ten_thousand_flows_keep_their_order_while_they_move),
		cmocka_unit_test(micro_flows_keep_the_order_of_elephants),
		cmocka_unit_test(elephants_come_and_go_and_modes_change),
		cmocka_unit_test(branches_are_held_up_with_few_credits),
		cmocka_unit_test(ports_come_and_go_while_flows_are_split),
		cmocka_unit_test(elephants_were_cut_and_put_together),
		cmocka_unit_test(groups_moved_and_packets_were_held),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
