/* SPDX-License-Identifier: BSD-3-Clause */
/* Micro-flows are put back in order, whatever comes when, and nothing waits without need. */
#include "fixture.h"

#include <stdlib.h>

#include "base/random.h"
#include "reorder/merge.h"

#define CREDITS_MAX 65536
#define PACKETS_MAX 100000 /* of a world */
#define PARCELS_MAX (2 * PACKETS_MAX)
#define BURST 32
#define NOTHING UINT32_MAX

static struct merge *merge;
static void *memory;

/* The memory ends where the merge may write last, so that ASan sees what goes beyond. */
static void make(uint16_t n_branches, uint32_t credits)
{
	assert_int_equal(posix_memalign((void **)&merge, RTE_CACHE_LINE_SIZE, sizeof(*merge)), 0);
	memory = calloc(1, merge_memory(n_branches, credits));
	merge_init(merge, memory, n_branches, credits);
}

static void destroy(void)
{
	free(merge);
	free(memory);
	merge = NULL;
	memory = NULL;
}

static int begin(void **state)
{
	(void)state;
	make(3, 64);
	merge_begin(merge, 4);
	return 0;
}

static int end(void **state)
{
	(void)state;
	destroy();
	return 0;
}

/* ---- one step at a time: a parcel is a number from 1 on ---- */

static bool arrive(uint16_t branch, uint32_t micro_flow, uint32_t first, uint16_t n)
{
	struct parcel parcels[CREDITS_MAX];

	for (uint16_t i = 0; i < n; i++)
		parcels[i] = (struct parcel){first + i};
	return merge_arrive(merge, branch, micro_flow, parcels, n, n);
}

/* Those and no others have their turn now. */
static void assert_next(uint32_t first, uint32_t n)
{
	struct parcel parcel;

	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(merge_next(merge, &parcel, 1), 1);
		assert_int_equal(parcel.word, first + i);
	}
	assert_int_equal(merge_next(merge, &parcel, 1), 0);
}

static void what_comes_in_order_passes_at_once(void **state)
{
	(void)state;
	for (uint32_t micro_flow = 0; micro_flow < 9; micro_flow++) {
		assert_true(arrive(micro_flow % 3, micro_flow, 1, 3));
		assert_next(0, 0);
		assert_true(arrive(micro_flow % 3, micro_flow, 4, 1));
		assert_next(0, 0);
	}
	assert_int_equal(merge->counters.packets, 36);
	assert_int_equal(merge->counters.out_of_order, 0);
	assert_int_equal(merge->counters.most_held, 0);
}

static void what_comes_too_early_is_held(void **state)
{
	(void)state;
	assert_false(arrive(2, 2, 9, 4));
	assert_false(arrive(1, 1, 5, 2));
	assert_true(arrive(0, 0, 1, 3));
	assert_next(0, 0);
	assert_true(arrive(0, 0, 4, 1));
	assert_next(5, 2);
	assert_true(arrive(1, 1, 7, 2));
	assert_next(9, 4);
	assert_int_equal(merge->counters.packets, 12);
	assert_int_equal(merge->counters.out_of_order, 6);
	assert_int_equal(merge->counters.most_held, 6);
	assert_int_equal(merge->counters.held, 0);
}

static void some_can_be_taken_at_a_time(void **state)
{
	struct parcel parcels[8];

	(void)state;
	assert_false(arrive(1, 1, 5, 4));
	assert_false(arrive(2, 2, 9, 4));
	assert_true(arrive(0, 0, 1, 4));
	assert_int_equal(merge_next(merge, parcels, 3), 3);
	assert_int_equal(parcels[2].word, 7);
	assert_int_equal(merge_next(merge, parcels, 4), 4);
	assert_int_equal(parcels[0].word, 8);
	assert_int_equal(parcels[1].word, 9);
	assert_int_equal(merge->counters.held, 1);
	assert_int_equal(merge_next(merge, parcels, 8), 1);
	assert_int_equal(parcels[0].word, 12);
}

static void what_comes_while_others_wait_comes_behind_them(void **state)
{
	struct parcel parcels[8];

	(void)state;
	assert_false(arrive(1, 1, 5, 2));
	assert_true(arrive(0, 0, 1, 4));
	assert_int_equal(merge_next(merge, parcels, 1), 1);
	assert_false(arrive(1, 1, 7, 2));
	assert_false(arrive(2, 2, 9, 1));
	assert_next(6, 4);
	assert_int_equal(merge->left, 3);
	assert_int_equal(merge->counters.out_of_order, 3);
	assert_int_equal(merge->counters.held, 0);
	assert_true(arrive(2, 2, 10, 3));
}

static void branches_are_counted_with_their_marks(void **state)
{
	(void)state;
	arrive(0, 0, 1, 3);
	arrive(1, 1, 5, 2);
	merge_mark(merge, 1, 1, 2);
	merge_mark(merge, 2, 2, 4);
	assert_int_equal(merge->arrived[0], 3);
	assert_int_equal(merge->arrived[1], 4);
	assert_int_equal(merge->arrived[2], 4);
	assert_int_equal(merge->counters.packets, 11);
	assert_int_equal(merge->counters.marks, 2);
}

/* ---- marks ---- */

static void a_mark_can_be_the_last_of_its_micro_flow(void **state)
{
	(void)state;
	arrive(1, 1, 5, 4);
	arrive(0, 0, 1, 3);
	assert_next(0, 0);
	merge_mark(merge, 0, 0, 1);
	assert_int_equal(merge->absorbed, 1);
	assert_next(5, 4);
}

/* The mark keeps its credit until then. */
static void a_mark_waits_for_its_turn(void **state)
{
	(void)state;
	merge_mark(merge, 1, 1, 1);
	arrive(1, 1, 5, 3);
	arrive(2, 2, 8, 1);
	assert_int_equal(merge->absorbed, 0);
	arrive(0, 0, 1, 4);
	assert_next(5, 4);
	assert_int_equal(merge->absorbed, 1);
	assert_int_equal(merge->current, 2);
}

static void micro_flows_without_a_packet_are_over_too(void **state)
{
	(void)state;
	for (uint32_t micro_flow = 9; micro_flow > 0; micro_flow--)
		merge_mark(merge, micro_flow % 3, micro_flow, 4);
	arrive(1, 10, 41, 2);
	assert_next(0, 0);
	merge_mark(merge, 0, 0, 4);
	assert_next(41, 2);
	assert_int_equal(merge->absorbed, 40);
}

/* ---- lists and replicas ---- */

static void a_list_counts_with_all_its_packets(void **state)
{
	struct parcel list = {1}, lists[] = {{2}, {3}};

	(void)state;
	assert_false(merge_arrive(merge, 1, 1, lists, 2, 4));
	assert_true(merge_arrive(merge, 0, 0, &list, 1, 4));
	assert_next(2, 2);
	assert_int_equal(merge->current, 2);
	assert_int_equal(merge->counters.packets, 8);
	assert_int_equal(merge->counters.out_of_order, 2);
}

/* More parcels than packets, and more packets than parcels. */
static void replicas_do_not_count(void **state)
{
	struct parcel parcels[] = {{5}, {6}, {7}, {8}};

	(void)state;
	merge_arrive(merge, 1, 1, parcels, 4, 1);
	arrive(1, 1, 9, 3);
	arrive(2, 2, 12, 1);
	assert_true(merge_arrive(merge, 0, 0, parcels, 4, 0));
	assert_true(arrive(0, 0, 1, 4));
	assert_next(5, 8);
	assert_int_equal(merge->counters.packets, 9);
}

/* ---- bounds ---- */

/* All credits but one are held; with batches of one packet, each is a micro-flow. */
static void assert_all_can_be_held(uint32_t credits, uint32_t batch, uint32_t first)
{
	uint32_t last = credits - 1;

	make(2, credits);
	merge_begin(merge, batch);
	merge->current = first & MICRO_FLOW_MASK;
	for (uint32_t i = batch; i <= last; i++)
		assert_false(arrive(1, (first + i / batch) & MICRO_FLOW_MASK, i + 1, 1));
	assert_int_equal(merge->counters.held, credits - batch);
	assert_true(arrive(0, first & MICRO_FLOW_MASK, 1, batch));
	assert_next(batch + 1, credits - batch);
	destroy();
}

static void all_credits_can_be_held(void **state)
{
	static const uint32_t credits[] = {1, 2, 63, 64, 65, 1023, 1024, 65535, 65536};
	static const uint32_t firsts[] = {0, MICRO_FLOW_MASK, MICRO_FLOW_MASK - 31};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(credits); i++)
		for (size_t j = 0; j < RTE_DIM(firsts); j++) {
			assert_all_can_be_held(credits[i], 1, firsts[j]);
			if (credits[i] > 7)
				assert_all_can_be_held(credits[i], 7, firsts[j]);
		}
}

static void assert_all_can_be_marks(uint32_t credits, uint32_t first)
{
	make(1, credits);
	merge_begin(merge, 1);
	merge->current = first;
	for (uint32_t i = credits - 1; i > 0; i--)
		merge_mark(merge, 0, (first + i) & MICRO_FLOW_MASK, 1);
	assert_int_equal(merge->absorbed, 0);
	merge_mark(merge, 0, first, 1);
	assert_next(0, 0);
	assert_int_equal(merge->absorbed, credits);
	assert_int_equal(merge->current, (first + credits) & MICRO_FLOW_MASK);
	destroy();
}

static void all_credits_can_be_marks(void **state)
{
	static const uint32_t credits[] = {1, 2, 63, 64, 65, 1023, 1024, 65535, 65536};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(credits); i++) {
		assert_all_can_be_marks(credits[i], 0);
		assert_all_can_be_marks(credits[i], MICRO_FLOW_MASK);
	}
}

static void the_largest_micro_flow_can_end_in_marks(void **state)
{
	(void)state;
	make(2, CREDITS_MAX);
	merge_begin(merge, BATCH_MAX);
	for (uint32_t i = 0; i < BATCH_MAX; i++)
		merge_mark(merge, 1, 1, 1);
	arrive(0, 2, 1, 1);
	arrive(0, 0, 1, BATCH_MAX);
	assert_next(1, 1);
	assert_int_equal(merge->absorbed, BATCH_MAX);
	destroy();
}

/* Twice around; every other micro-flow comes too early. */
static void numbers_go_around(void **state)
{
	(void)state;
	make(2, 64);
	merge_begin(merge, 1);
	for (uint32_t i = 0; i < 2 * (MICRO_FLOW_MASK + 1); i += 2) {
		assert_false(arrive(1, (i + 1) & MICRO_FLOW_MASK, i + 2, 1));
		assert_true(arrive(0, i & MICRO_FLOW_MASK, i + 1, 1));
		assert_next(i + 2, 1);
	}
	destroy();
}

/* ---- worlds: a flow that is cut, branches, and what should come out ---- */

struct settings {
	uint64_t seed;
	uint32_t packets;
	uint32_t batch;
	uint32_t credits;
	uint32_t first; /* number of the first micro-flow */
	uint16_t n_branches;
	uint8_t ended;	 /* of 100 packets so many end on their way */
	uint8_t hung;	 /* ... hang behind the one before them, if that is still on its branch */
	uint8_t flooded; /* ... have a replica */
};

/* In the order in which they should come out. Micro-flows are counted from 0 on here. */
struct expected {
	uint32_t micro_flow;
	uint32_t packets;
	uint32_t next; /* on its branch */
	bool arrived;
};

struct mark {
	uint32_t micro_flow;
	uint32_t after; /* the replica of the packet that ended, or NOTHING */
	uint16_t branch;
};

static struct {
	struct settings settings;
	uint64_t random;
	uint32_t sent; /* packets */
	uint32_t n_parcels;
	uint32_t in_flight; /* credits in use */
	uint32_t n_marks;
	uint16_t branch; /* of the micro-flow under way */
	uint16_t slow;	 /* a branch that is served seldom */
	struct expected parcels[PARCELS_MAX];
	struct mark marks[PACKETS_MAX]; /* on their way, in no order */
	struct {
		uint32_t first, last;
	} branches[BRANCHES_MAX];

	/* What should be: plainly, all of the current micro-flow that has arrived has passed, and
	 * it is current until all its packets are told of. */
	uint32_t current;
	uint32_t passed; /* parcels */
	uint32_t held;
	uint32_t most_held;
	uint32_t out_of_order;
	uint32_t absorbed;
	uint32_t marks_told;
	uint32_t arrived[BRANCHES_MAX];
	uint32_t told[PACKETS_MAX]; /* [micro-flow]: packets that came or ended */
	uint32_t ended[PACKETS_MAX];
} world;

static void world_begin(const struct settings *settings)
{
	memset(&world, 0, sizeof(world));
	world.settings = *settings;
	world.random = settings->seed;
	world.slow = random_below(&world.random, settings->n_branches + 1);
	for (uint16_t i = 0; i < settings->n_branches; i++)
		world.branches[i].first = NOTHING;
	merge_begin(merge, settings->batch);
	merge->current = settings->first;
	memset(&merge->counters, 0, sizeof(merge->counters));
}

static bool percent(uint8_t share)
{
	return random_below(&world.random, 100) < share;
}

static uint32_t number_of(uint32_t micro_flow)
{
	return (world.settings.first + micro_flow) & MICRO_FLOW_MASK;
}

/* ---- sending ---- */

static uint32_t send_parcel(uint32_t micro_flow, uint32_t packets)
{
	uint32_t serial = world.n_parcels++;

	world.parcels[serial] = (struct expected){micro_flow, packets, NOTHING, false};
	if (world.branches[world.branch].first == NOTHING)
		world.branches[world.branch].first = serial;
	else
		world.parcels[world.branches[world.branch].last].next = serial;
	world.branches[world.branch].last = serial;
	world.in_flight++;
	return serial;
}

static bool hang_behind_last(uint32_t micro_flow)
{
	struct expected *last = &world.parcels[world.branches[world.branch].last];

	if (world.branches[world.branch].first == NOTHING || last->micro_flow != micro_flow ||
		last->packets == 0)
		return false;
	last->packets++;
	world.in_flight++;
	return true;
}

/* The mark of a packet does not overtake its replicas, which go before it on the same way. */
static void end_packet(uint32_t micro_flow, uint32_t replica)
{
	world.marks[world.n_marks++] = (struct mark){micro_flow, replica, world.branch};
	world.in_flight++;
}

static void send_packet(void)
{
	uint32_t micro_flow = world.sent / world.settings.batch, replica = NOTHING;

	if (world.sent++ % world.settings.batch == 0)
		world.branch = random_below(&world.random, world.settings.n_branches);
	if (percent(world.settings.flooded))
		replica = send_parcel(micro_flow, 0);
	if (percent(world.settings.ended))
		end_packet(micro_flow, replica);
	else if (!percent(world.settings.hung) || !hang_behind_last(micro_flow))
		send_parcel(micro_flow, 1);
}

static void send_burst(void)
{
	for (uint32_t n = random_below(&world.random, 2 * BURST); n > 0; n--)
		if (world.sent < world.settings.packets &&
			world.in_flight + 2 <= world.settings.credits)
			send_packet();
}

/* ---- what should be ---- */

static void expect_end_of_current(void)
{
	world.current++;
	world.absorbed += world.ended[world.current];
}

static void expect(void)
{
	while (true) {
		const struct expected *next = &world.parcels[world.passed];

		if (world.passed < world.n_parcels && next->micro_flow == world.current &&
			next->arrived) {
			world.passed++;
			world.held--;
			world.in_flight -= RTE_MAX(next->packets, 1u);
		} else if (world.told[world.current] == world.settings.batch) {
			expect_end_of_current();
		} else {
			break;
		}
	}
	world.most_held = RTE_MAX(world.most_held, world.held);
}

static void assert_counters(void)
{
	uint32_t packets = 0;

	for (uint16_t i = 0; i < world.settings.n_branches; i++) {
		assert_int_equal(merge->arrived[i], world.arrived[i]);
		packets += world.arrived[i];
	}
	assert_int_equal(merge->current, number_of(world.current));
	assert_int_equal(merge->counters.packets, packets);
	assert_int_equal(merge->counters.marks, world.marks_told);
	assert_int_equal(merge->counters.out_of_order, world.out_of_order);
	assert_int_equal(merge->counters.held, world.held);
	assert_int_equal(merge->counters.most_held, world.most_held);
}

/* What passed on arriving, from `passed` on, and what comes now is all that should. */
static void assert_as_expected(uint32_t passed)
{
	struct parcel parcels[2 * BURST];
	uint16_t n;

	expect();
	do {
		n = merge_next(merge, parcels, 1 + random_below(&world.random, 2 * BURST));
		for (uint16_t i = 0; i < n; i++)
			assert_int_equal(parcels[i].word, ++passed);
	} while (n > 0);
	assert_int_equal(passed, world.passed);
	assert_int_equal(merge->absorbed, world.absorbed);
	world.in_flight -= merge->absorbed;
	world.absorbed = merge->absorbed = 0;
	assert_counters();
}

/* ---- arriving ---- */

static uint16_t take_run(
	uint16_t branch, uint32_t *first, struct parcel *parcels, uint32_t *packets)
{
	uint32_t most = 1 + random_below(&world.random, BURST), serial;
	uint16_t n = 0;

	*first = serial = world.branches[branch].first;
	*packets = 0;
	for (; n < most && serial != NOTHING &&
		world.parcels[serial].micro_flow == world.parcels[*first].micro_flow;
		serial = world.parcels[serial].next) {
		world.parcels[serial].arrived = true;
		*packets += world.parcels[serial].packets;
		parcels[n++] = (struct parcel){serial + 1};
	}
	world.branches[branch].first = serial;
	return n;
}

static void arrive_from(uint16_t branch)
{
	struct parcel parcels[BURST];
	uint32_t first, packets, micro_flow, passed = world.passed;
	uint16_t n = take_run(branch, &first, parcels, &packets);
	bool in_order;

	if (n == 0)
		return;
	micro_flow = world.parcels[first].micro_flow;
	in_order = micro_flow == world.current;
	world.told[micro_flow] += packets;
	world.arrived[branch] += packets;
	world.held += n;
	world.out_of_order += in_order ? 0 : n;
	world.most_held = RTE_MAX(world.most_held, in_order ? 0 : world.held);
	assert_int_equal(
		merge_arrive(merge, branch, number_of(micro_flow), parcels, n, packets), in_order);
	for (uint16_t i = 0; in_order && i < n; i++)
		assert_int_equal(parcels[i].word, ++passed);
	assert_as_expected(passed);
}

static void tell_of_mark(void)
{
	uint32_t index = random_below(&world.random, world.n_marks);
	struct mark mark = world.marks[index];

	if (mark.after != NOTHING && !world.parcels[mark.after].arrived)
		return;
	world.marks[index] = world.marks[--world.n_marks];
	world.told[mark.micro_flow]++;
	world.ended[mark.micro_flow]++;
	world.absorbed += mark.micro_flow == world.current;
	world.arrived[mark.branch]++;
	world.marks_told++;
	merge_mark(merge, mark.branch, number_of(mark.micro_flow), 1);
	assert_as_expected(world.passed);
}

static void serve_branch(void)
{
	uint16_t branch = random_below(&world.random, world.settings.n_branches);

	if (branch != world.slow || random_one_in(&world.random, 10))
		arrive_from(branch);
}

static void serve(void)
{
	if (world.n_marks > 0 && random_one_in(&world.random, 2))
		tell_of_mark();
	else
		serve_branch();
}

/* Nothing more is sent; what is on its way comes. */
static void pause(void)
{
	while (world.in_flight > 0)
		serve();
	assert_int_equal(world.passed, world.n_parcels);
	assert_int_equal(world.n_marks, 0);
	assert_int_equal(merge->counters.held, 0);
}

static void run_world(const struct settings *settings)
{
	world_begin(settings);
	while (world.sent < settings->packets) {
		send_burst();
		for (uint32_t n = random_below(&world.random, 2 * settings->n_branches); n > 0; n--)
			serve();
		if (random_one_in(&world.random, 500))
			pause();
	}
	pause();
}

static const uint32_t batches[] = {1, 2, 7, 64, 256, 1024, 4096};
static const uint8_t shares[] = {0, 1, 50, 100};

static struct settings settings_of(uint64_t seed, uint32_t batch, uint16_t n_branches)
{
	uint64_t random = seed;
	uint32_t credits = 64 << random_below(&random, 11);

	return (struct settings){.seed = seed,
		.packets = 8 * batch + 600,
		.batch = batch,
		.credits = credits + random_below(&random, 2) * random_below(&random, 64),
		.first = (0u - random_below(&random, 16)) & MICRO_FLOW_MASK,
		.n_branches = n_branches};
}

/* The same merge again and again, with one batch after the other. */
static void run_worlds(struct settings settings)
{
	make(settings.n_branches, settings.credits);
	for (size_t i = 0; i < RTE_DIM(batches); i++) {
		settings.batch = batches[i];
		settings.packets = 8 * settings.batch + 600;
		run_world(&settings);
	}
	destroy();
}

static void all_comes_out_in_order(void **state)
{
	(void)state;
	for (uint16_t n_branches = 1; n_branches <= BRANCHES_MAX; n_branches++)
		for (uint64_t seed = 1; seed <= 4; seed++)
			run_worlds(settings_of(seed * 100 + n_branches, 1, n_branches));
}

static void packets_may_end_on_their_way(void **state)
{
	(void)state;
	for (uint16_t n_branches = 1; n_branches <= BRANCHES_MAX; n_branches++)
		for (size_t i = 0; i < RTE_DIM(shares); i++) {
			struct settings settings =
				settings_of(1000 * (i + 1) + n_branches, 1, n_branches);

			settings.ended = shares[i];
			run_worlds(settings);
		}
}

static void packets_may_hang_behind_others_and_have_replicas(void **state)
{
	(void)state;
	for (uint16_t n_branches = 1; n_branches <= BRANCHES_MAX; n_branches++)
		for (size_t i = 0; i < RTE_DIM(shares); i++) {
			struct settings settings =
				settings_of(9000 * (i + 1) + n_branches, 1, n_branches);

			settings.ended = shares[(i + n_branches) % RTE_DIM(shares)];
			settings.hung = shares[i];
			settings.flooded = shares[n_branches % RTE_DIM(shares)];
			run_worlds(settings);
		}
}

/* So many packets, and then none: all that there is must pass. */
static void a_flow_may_pause_at_any_packet(void **state)
{
	(void)state;
	for (size_t i = 0; batches[i] <= 1024; i++)
		for (uint32_t packets = 1; packets <= 600; packets++) {
			struct settings settings =
				settings_of(packets, batches[i], 1 + packets % BRANCHES_MAX);

			settings.packets = packets;
			settings.ended = shares[packets % RTE_DIM(shares)];
			make(settings.n_branches, settings.credits);
			run_world(&settings);
			destroy();
		}
}

/* ---- anew ---- */

static void it_begins_anew(void **state)
{
	(void)state;
	arrive(2, 1, 5, 2);
	arrive(0, 0, 1, 4);
	assert_next(5, 2);
	merge_begin(merge, 2);
	assert_int_equal(merge->arrived[0] + merge->arrived[2], 0);
	assert_false(arrive(1, 1, 3, 2));
	assert_true(arrive(0, 0, 1, 2));
	assert_next(3, 2);
	assert_int_equal(merge->counters.packets, 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_comes_in_order_passes_at_once),
		TEST(what_comes_too_early_is_held),
		TEST(some_can_be_taken_at_a_time),
		TEST(what_comes_while_others_wait_comes_behind_them),
		TEST(branches_are_counted_with_their_marks),
		TEST(a_mark_can_be_the_last_of_its_micro_flow),
		TEST(a_mark_waits_for_its_turn),
		TEST(micro_flows_without_a_packet_are_over_too),
		TEST(a_list_counts_with_all_its_packets),
		TEST(replicas_do_not_count),
		TEST(it_begins_anew),
		cmocka_unit_test(all_credits_can_be_held),
		cmocka_unit_test(all_credits_can_be_marks),
		cmocka_unit_test(the_largest_micro_flow_can_end_in_marks),
		cmocka_unit_test(numbers_go_around),
		cmocka_unit_test(all_comes_out_in_order),
		cmocka_unit_test(packets_may_end_on_their_way),
		cmocka_unit_test(packets_may_hang_behind_others_and_have_replicas),
		cmocka_unit_test(a_flow_may_pause_at_any_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
