/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Elephants in micro-flows, on virtual lcores: every way to split and merge, batch size and number
 * of branches, while packets are dropped on branches, flows pause, lcores are held up, ports come
 * and go, modes change and credits run short.
 *
 *   WEFT_SIM_PACKETS=N   how many packets in all
 *   WEFT_SIM_SEED=N      begin with another seed
 *
 * A world that fails is printed as in test_pipeline.c; build/sim-pipeline runs it again.
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
#include "engine/door.h"
#include "world.h"

#define PACKETS 20000000 /* of the whole program, about */
#define WORLDS (SIM_BATCHES * (SIM_BRANCHES_MOST - 1) * 8)
#define LCORES_MOST 8
#define RATE 64000 /* packets per second that make an elephant: 16 in a window */

static uint64_t carried;
static struct sim_elephants sum; /* over all worlds */
static unsigned int compared;	 /* worlds that split were, as a whole */
static unsigned int with_doors;	 /* worlds in which several doors had elephants */

/* ---- worlds ---- */

static uint32_t packets_of_world(void)
{
	return sim_packets(PACKETS) / WORLDS + 1;
}

static struct world_config splitting(uint64_t seed, uint16_t batch, uint16_t n_branches)
{
	struct world_config config = world_config_splitting(seed, 2, LCORES_MOST);

	config.batch = batch;
	config.n_branches = n_branches;
	config.rate = RATE;
	config.packets = packets_of_world();
	return config;
}

static bool has_doors(const struct world *world)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < world->config.n_lcores; i++)
		n += world->dataplane->lcores[i]->door->elephants.promoted > 0;
	return n > 1;
}

static void add_up(const struct world *world)
{
	carried += world_given(world);
	with_doors += has_doors(world);
	world_add_elephants(world, &sum);
}

static void run(const struct world_config *config)
{
	struct world *world = world_create(config);

	world_run(world);
	add_up(world);
	if (!world->failed && config->compared) {
		world_compare_with_reference(world);
		compared += world->paths_refused == 0;
	}
	assert_true(world_passed(world));
}

typedef void (*change)(struct world_config *config, uint64_t random);

/* Every batch size with every number of branches. */
static void run_all(uint64_t base, change change)
{
	uint64_t seed = sim_seed() + base;

	for (unsigned int i = 0; i < SIM_BATCHES; i++)
		for (uint16_t n_branches = 2; n_branches <= SIM_BRANCHES_MOST; n_branches++) {
			struct world_config config = splitting(seed++, sim_batches[i], n_branches);

			change(&config, random_mix(seed));
			run(&config);
		}
}

/* ---- every way to split ---- */

static void undisturbed(struct world_config *config, uint64_t random)
{
	config->credits = 4096;
	config->compared = config->patient = config->faulty = true;
	config->failing = random % 2;
}

static void micro_flows_deliver_the_same_as_one_lcore(void **state)
{
	(void)state;
	run_all(1000000, undisturbed);
}

static void with_pauses(struct world_config *config, uint64_t random)
{
	undisturbed(config, random);
	config->steering = config->pausing = true;
	config->stalling = random & 2;
}

static void elephants_come_and_go_and_modes_change(void **state)
{
	(void)state;
	run_all(1100000, with_pauses);
}

/* Every fault there is, in any mixture. */
static void with_faults(struct world_config *config, uint64_t random)
{
	config->faulty = true;
	config->credits = 64 << random_below(&random, 4);
	config->steering = random_below(&random, 2);
	config->pausing = random_below(&random, 2);
	config->refusing = random_below(&random, 2);
	config->churning = random_below(&random, 2);
	config->learning = random_below(&random, 2);
	config->stalling = random_below(&random, 2);
	config->patient = random_below(&random, 4) > 0;
	config->failing = random_below(&random, 2) ? 0 : random_below(&random, 101);
}

static void every_fault_breaks_nothing(void **state)
{
	(void)state;
	run_all(1200000, with_faults);
}

static void with_drops(struct world_config *config, uint64_t random)
{
	static const uint16_t percents[] = {0, 1, 50, 100};

	config->failing = percents[random % RTE_DIM(percents)];
	config->compared = config->patient = true;
	config->credits = 4096;
}

static void branches_that_drop_leave_marks(void **state)
{
	(void)state;
	run_all(1300000, with_drops);
}

/* Each packet with a label of its own, where a batch is one. */
static void with_few_credits(struct world_config *config, uint64_t random)
{
	config->credits = 64;
	config->order = VIRTUAL_ADVERSARIAL;
	config->faulty = true;
	config->failing = random % 4 == 0 ? 50 : 0;
	config->steering = random & 4;
	config->patient = random & 8;
}

static void few_credits_never_fill_an_inbox(void **state)
{
	(void)state;
	run_all(1400000, with_few_credits);
}

static void with_stalls(struct world_config *config, uint64_t random)
{
	config->stalling = true;
	config->order = random % 2 ? VIRTUAL_BY_COST : VIRTUAL_RANDOM;
	config->refusing = random & 2;
	config->patient = random & 4;
}

static void branches_are_held_up_and_go_on(void **state)
{
	(void)state;
	run_all(1500000, with_stalls);
}

/* By replicas, and by what merges let go at once, bursts of several steps become full together; on
 * an lcore that is branch, merges, and owns the containers. */
static void with_floods(struct world_config *config, uint64_t random)
{
	config->flooding = true;
	config->row = 2; /* mflow-full */
	config->n_lcores = 2;
	config->uplink_owner = 0;
	config->container_owner = 1;
	config->credits = 4096;
	config->order = VIRTUAL_ADVERSARIAL;
	config->n_elephants = config->elephants = 8;
	config->patient = random & 2;
	config->steering = random & 4;
	config->failing = random & 8 ? 20 : 0;
}

static void floods_on_branches_come_out_once(void **state)
{
	(void)state;
	run_all(2000000, with_floods);
}

/* ---- pauses ---- */

#define PAUSES 600 /* after every count up to this one */
#define WARM_UPS 200

static struct world *make_pausing_world(unsigned int i)
{
	struct world_config config = splitting(
		sim_seed() + 1600000 + i, sim_batches[i], 2 + i % (SIM_BRANCHES_MOST - 1));

	config.credits = 4096;
	config.n_flows = config.n_elephants = config.elephants = 1;
	config.rate = 1; /* however slow it is */
	config.packets = PAUSES * (PAUSES + WARM_UPS);
	config.prefix = 1; /* how many there are at a time is said later */
	return world_create(&config);
}

/* So many packets, and then none until all have come out. */
static void let_in(struct world *world, uint32_t n)
{
	world->left = n;
	world_open(world);
	while (!world->failed && !world_is_exhausted(world))
		virtual_step(world->driver);
	world->open = false;
	world_drain(world);
	if (world_missing(world, &world->flows[0]) > 0 || world_held(world) > 0)
		world_fail(world, "after %u packets on end, %" PRIu64 " did not come out, %u wait",
			n, world_missing(world, &world->flows[0]), world_held(world));
}

static bool is_split(const struct world *world)
{
	for (uint16_t i = 0; i < world->config.n_lcores; i++)
		if (world->dataplane->lcores[i]->door->elephants.list[0].state == ELEPHANT_SPLIT)
			return true;
	return false;
}

static void pause_after_every_count(struct world *world)
{
	for (unsigned int i = 0; i < WARM_UPS && !is_split(world); i++)
		let_in(world, PAUSES);
	for (uint32_t n = 1; n <= PAUSES && !world->failed; n++) {
		let_in(world, n);
		if (!is_split(world))
			world_fail(world, "the flow is not split when it has paused %u times", n);
	}
	world_settle(world);
	world_check(world);
	add_up(world);
	world_report(world);
}

static void the_last_packet_needs_nothing_behind_it(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SIM_BATCHES; i++) {
		struct world *world = make_pausing_world(i);
		bool failed;

		pause_after_every_count(world);
		failed = world->failed;
		world_free(world);
		assert_false(failed);
	}
}

/* ---- many flows ---- */

#define MICE 10000
#define MICE_WORLDS 16 /* times the packets of another world */

static void run_beside_mice(uint16_t n_elephants, uint64_t seed)
{
	struct world_config config = splitting(seed, 64, 2 + seed % 3);
	uint64_t promoted = sum.promoted;

	config.n_elephants = n_elephants;
	config.elephants = ELEPHANTS_MAX;
	config.n_flows = MICE + n_elephants;
	config.packets = RTE_MAX(packets_of_world() * MICE_WORLDS, 2u * MICE);
	config.rate = RATE / 16;
	config.credits = 1024;
	config.patient = true;
	config.stalling = config.faulty = config.pausing = n_elephants > 1;
	run(&config);
	if (sum.promoted - promoted < n_elephants / 2u + 1)
		fail_msg("seed %" PRIu64 ": of %u elephants %" PRIu64 " were found", seed,
			n_elephants, sum.promoted - promoted);
}

static void many_elephants_run_beside_ten_thousand_mice(void **state)
{
	static const uint16_t numbers[] = {1, 4, 16, 64};

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(numbers); i++)
		run_beside_mice(numbers[i], sim_seed() + 1700000 + i);
}

/* ---- the end of a run ---- */

#define CLOSINGS 24

static unsigned int closed_while_held;

static void close_in_the_middle(struct world *world)
{
	uint64_t half = world->config.packets / 2;

	world_open(world);
	while (!world->failed && !world_is_exhausted(world) &&
		(world_given(world) < half || world_held(world) == 0))
		virtual_step(world->driver);
	closed_while_held += world_held(world) > 0;
	world->dataplane->closing = true;
	world_drain(world);
	world->open = false;
	world_settle(world);
	world_check(world);
	add_up(world);
	world_report(world);
}

static void what_is_held_comes_out_when_weft_ends(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < CLOSINGS; i++) {
		struct world_config config = splitting(sim_seed() + 1800000 + i,
			sim_batches[i % SIM_BATCHES], 2 + i % (SIM_BRANCHES_MOST - 1));
		struct world *world;
		bool failed;

		config.steering = i % 2;
		config.patient = i / 2 % 2;
		world = world_create(&config);
		close_in_the_middle(world);
		failed = world->failed;
		world_free(world);
		assert_false(failed);
	}
	assert_true(closed_while_held > CLOSINGS / 4);
}

/* ---- a slow branch ---- */

#define SLOW_TIME (25 * 1000 * 1000) /* 100 ms: as long as a branch is held up, cycles */
#define SLOW_RATE 240000	     /* more than a mouse has, less than an elephant */
#define SLOW_FLOWS 8
#define SLOW_FIND 10 /* windows in which elephants are found, times SLOW_TIME / 100 */

/* Lcore 0 owns all queues, and branches are on the other five; elephant 0 has lcores 1 and 2. */
static struct world *make_slow_world(uint64_t seed)
{
	struct world_config config = splitting(seed | 1, 64, 2);

	config.row = 1 + seed / 2 % 2; /* mflow-device, mflow-full */
	config.n_lcores = 6;
	config.n_uplinks = config.uplink_queues = config.container_queues = 1;
	config.uplink_owner = config.container_owner = 0;
	config.credits = 1024;
	config.n_flows = SLOW_FLOWS;
	config.n_elephants = config.elephants = 2;
	config.rate = SLOW_RATE;
	config.order = VIRTUAL_BY_COST;
	config.packets = 100 * PACKETS;
	return world_create(&config);
}

static struct group group_of(const struct world *world, const struct flow *flow)
{
	const struct door *door = world->dataplane->lcores[0]->door;
	struct flow copy = *flow;
	struct rte_mbuf *mbuf = flow_next(&copy, world->pool);
	uint32_t hash = door->sorting == SORTING_OUTER ? flow_hash_outer_headers(mbuf)
						       : flow_hash_tunnelled(mbuf);

	rte_pktmbuf_free(mbuf);
	return elephants_group(&door->elephants, hash);
}

static bool path_has(const struct path *path, uint16_t lcore)
{
	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++)
		if (path->lcore[stage] == lcore)
			return true;
	return false;
}

static bool goes_over(const struct world *world, const struct flow *flow, uint16_t lcore)
{
	const struct moves *moves = &world->dataplane->lcores[0]->door->moves;
	struct group group;
	uint16_t account, n;

	if (!sim_is_remote(flow->source))
		return false;
	group = group_of(world, flow);
	account = moves_account(moves, group).number;
	n = group_is_elephant(group) ? moves->n_branches : 1;
	for (uint16_t i = account; i < account + n; i++)
		if (path_has(&moves->paths[i], lcore))
			return true;
	return false;
}

static bool are_both_split(const struct world *world)
{
	const struct door *door = world->dataplane->lcores[0]->door;

	for (unsigned int i = 0; i < 2; i++)
		if (door->elephants.list[i].state != ELEPHANT_SPLIT ||
			door->elephants.list[i].merge_lcore != 0 || !world->flows[i].elephant ||
			!group_is_elephant(group_of(world, &world->flows[i])))
			return false;
	return door->moves.n_moving == 0;
}

/* Packets that came in, until so long from now, of flows that do not go over the slow lcore. */
static uint64_t let_in_others(struct world *world, const bool *slow)
{
	uint64_t before[SLOW_FLOWS], in = 0;

	for (uint16_t i = 0; i < SLOW_FLOWS; i++)
		before[i] = world->flows[i].next;
	virtual_run(world->driver, virtual_now(world->driver) + SLOW_TIME);
	for (uint16_t i = 0; i < SLOW_FLOWS; i++)
		in += slow[i] ? 0 : world->flows[i].next - before[i];
	return in;
}

static void check_others(struct world *world, const bool *slow)
{
	for (uint16_t i = 0; i < SLOW_FLOWS; i++) {
		uint64_t missing = world_missing(world, &world->flows[i]);

		if (!slow[i] && missing > world->floods_refused)
			world_fail(world, "%" PRIu64 " packets of flow %u did not come out",
				missing, i);
	}
	if (world->paths_refused == 0)
		world_fail(world, "a branch that was held up made no path full");
}

/* Both elephants are split, and of all flows just one goes over the lcore; then true. */
static bool find_elephants(struct world *world, uint16_t lcore, bool *slow)
{
	uint16_t n = 0;

	world_open(world);
	for (unsigned int i = 0; i < 100 && !are_both_split(world); i++)
		virtual_run(world->driver, virtual_now(world->driver) + SLOW_TIME / 100);
	if (!are_both_split(world))
		return false;
	for (uint16_t i = 0; i < SLOW_FLOWS; i++) {
		slow[i] = goes_over(world, &world->flows[i], lcore);
		n += slow[i];
	}
	return n == 1 && (slow[0] || slow[1]);
}

static void hold_up_a_branch(struct world *world, uint16_t lcore, const bool *slow)
{
	uint64_t most = let_in_others(world, slow), in;

	virtual_stall(world->driver, lcore, SLOW_TIME);
	in = let_in_others(world, slow);
	if (in < most * 9 / 10)
		world_fail(world, "%" PRIu64 " packets were let in, not %" PRIu64, in, most);
	virtual_run(world->driver, virtual_now(world->driver) + SLOW_TIME / 10);
	world->open = false;
	world_drain(world);
	world_settle(world);
	world_check(world);
	check_others(world, slow);
	print_message("%s: %" PRIu64 " of %" PRIu64 " packets let in, %" PRIu64 " refused\n",
		world->dataplane->plan->mode->name, in, most, world->paths_refused);
}

static void a_slow_branch_holds_up_no_other_flow(void **state)
{
	bool slow[SLOW_FLOWS];

	(void)state;
	for (uint64_t seed = sim_seed() + 1900000, done = 0; done < 2; seed++) {
		struct world *world = make_slow_world(seed);
		bool failed;

		if (seed / 2 % 2 == done && find_elephants(world, 1, slow)) {
			hold_up_a_branch(world, 1, slow);
			done++;
		}
		world_report(world);
		failed = world->failed;
		add_up(world);
		world_free(world);
		assert_false(failed);
	}
}

/* ---- the end ---- */

static void elephants_were_cut_and_put_together(void **state)
{
	(void)state;
	print_message("%" PRIu64 " packets, %" PRIu64 " merged, %" PRIu64 " out of order, %" PRIu64
		      " marks; %" PRIu64 " promotions, %" PRIu64 " demotions, %" PRIu64
		      " changes of mode while some were split; at most %u held; %u worlds "
		      "compared, %u with several doors\n",
		carried, sum.packets, sum.out_of_order, sum.marks, sum.promoted, sum.demoted,
		sum.moved, sum.most_held, compared, with_doors);
	assert_true(carried >= sim_packets(PACKETS));
	assert_true(sum.packets > carried / 8);
	assert_true(sum.out_of_order > sum.packets / 64);
	assert_true(sum.marks > sum.packets / 256);
	assert_true(sum.promoted > WORLDS);
	assert_true(sum.demoted > WORLDS / 4);
	assert_true(sum.moved > WORLDS / 4);
	assert_true(compared > WORLDS / 8);
	assert_true(with_doors > WORLDS / 8);
}

static int start(void **state)
{
	(void)state;
	return sim_start(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(micro_flows_deliver_the_same_as_one_lcore),
		cmocka_unit_test(elephants_come_and_go_and_modes_change),
		cmocka_unit_test(every_fault_breaks_nothing),
		cmocka_unit_test(branches_that_drop_leave_marks),
		cmocka_unit_test(few_credits_never_fill_an_inbox),
		cmocka_unit_test(branches_are_held_up_and_go_on),
		cmocka_unit_test(floods_on_branches_come_out_once),
		cmocka_unit_test(the_last_packet_needs_nothing_behind_it),
		cmocka_unit_test(many_elephants_run_beside_ten_thousand_mice),
		cmocka_unit_test(what_is_held_comes_out_when_weft_ends),
		cmocka_unit_test(a_slow_branch_holds_up_no_other_flow),
		cmocka_unit_test(elephants_were_cut_and_put_together),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
