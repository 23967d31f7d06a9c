/* SPDX-License-Identifier: BSD-3-Clause */
/* How an elephant is cut into micro-flows, and which branch gets each. */
#include "fixture.h"

#include "base/random.h"
#include "steer/split.h"

#define BATCH 4
#define CREDITS 1024

static struct merge merge;
static struct split split;
static uint8_t memory[1 << 20] __rte_cache_aligned;

static void start(uint16_t n_branches, uint32_t batch)
{
	memset(memory, 0, sizeof(memory));
	assert_true(merge_memory(n_branches, CREDITS) <= sizeof(memory));
	merge_init(&merge, memory, n_branches, CREDITS);
	merge_begin(&merge, batch);
	split_begin(&split, &merge);
}

static int begin(void **state)
{
	(void)state;
	start(3, BATCH);
	return 0;
}

/* A whole micro-flow; its branch. */
static uint16_t send_batch(void)
{
	assert_int_equal(split_next(&split, UINT16_MAX), split.batch);
	return split.branch;
}

/* ---- cutting ---- */

static void a_burst_is_cut_where_a_micro_flow_is_full(void **state)
{
	(void)state;
	assert_int_equal(split_next(&split, 3), 3);
	assert_int_equal(split.micro_flow, 0);
	assert_int_equal(split_next(&split, 3), 1);
	assert_int_equal(split.micro_flow, 0);
	assert_int_equal(split_next(&split, 2), 2);
	assert_int_equal(split.micro_flow, 1);
}

/* The next one begins with its first packet, so that it is chosen by what is known then. */
static void a_full_micro_flow_begins_no_other(void **state)
{
	(void)state;
	assert_int_equal(split_next(&split, BATCH), BATCH);
	assert_int_equal(split.micro_flow, 0);
	assert_int_equal(split.left, 0);
}

static void assert_cut(uint32_t batch, uint16_t n_branches)
{
	uint64_t random = batch * BRANCHES_MAX + n_branches;
	uint16_t branch = 0;

	start(n_branches, batch);
	for (uint32_t packet = 0; packet < 4 * batch + 1000;) {
		uint16_t n = 1 + random_below(&random, 64), taken = split_next(&split, n);

		assert_in_range(taken, 1, n);
		assert_int_equal(split.micro_flow, packet / batch);
		assert_int_equal(split.micro_flow, (packet + taken - 1) / batch);
		assert_true(taken == n || (packet + taken) % batch == 0);
		if (packet % batch > 0)
			assert_int_equal(split.branch, branch);
		assert_in_range(split.branch, 0, n_branches - 1);
		branch = split.branch;
		packet += taken;
	}
}

static void micro_flows_have_exactly_a_batch_and_one_branch(void **state)
{
	static const uint32_t batches[] = {1, 2, 7, 64, 256, 1024, 4096};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(batches); i++)
		for (uint16_t n_branches = 1; n_branches <= BRANCHES_MAX; n_branches++)
			assert_cut(batches[i], n_branches);
}

static void numbers_go_around(void **state)
{
	(void)state;
	split.micro_flow = MICRO_FLOW_MASK;
	send_batch();
	assert_int_equal(split.micro_flow, MICRO_FLOW_MASK);
	send_batch();
	assert_int_equal(split.micro_flow, 0);
}

/* ---- choosing ---- */

static void branches_without_backlog_take_turns(void **state)
{
	(void)state;
	for (uint16_t n_branches = 1; n_branches <= BRANCHES_MAX; n_branches++) {
		start(n_branches, BATCH);
		for (uint32_t i = 0; i < 3u * n_branches; i++) {
			assert_int_equal(send_batch(), i % n_branches);
			merge.arrived[split.branch] = split.sent[split.branch];
		}
	}
}

/* When nothing comes, all branches have the same after each round. */
static void branches_with_the_same_backlog_take_turns(void **state)
{
	(void)state;
	for (uint16_t n_branches = 1; n_branches <= BRANCHES_MAX; n_branches++) {
		start(n_branches, BATCH);
		for (uint32_t i = 0; i < 3u * n_branches; i++)
			assert_int_equal(send_batch(), i % n_branches);
	}
}

static void the_branch_with_the_least_backlog_is_next(void **state)
{
	(void)state;
	send_batch();
	send_batch();
	send_batch();
	merge.arrived[1] = 1;
	assert_int_equal(send_batch(), 1);
	merge.arrived[0] = 2;
	merge.arrived[2] = 3;
	assert_int_equal(send_batch(), 2);
	assert_int_equal(send_batch(), 0);
}

/* Also the one that has just had a micro-flow. */
static void a_branch_can_be_chosen_again(void **state)
{
	(void)state;
	send_batch();
	send_batch();
	send_batch();
	merge.arrived[2] = BATCH;
	assert_int_equal(send_batch(), 2);
	merge.arrived[2] = 2 * BATCH;
	assert_int_equal(send_batch(), 2);
}

static void what_arrives_in_mid_batch_changes_nothing(void **state)
{
	(void)state;
	split_next(&split, BATCH - 1);
	split.sent[0] += 100;
	assert_int_equal(split_next(&split, 1), 1);
	assert_int_equal(split.branch, 0);
}

static void counts_wrap_around(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 3; i++)
		split.sent[i] = merge.arrived[i] = UINT32_MAX - 1;
	merge.arrived[1]--;
	assert_int_equal(send_batch(), 0);
	assert_int_equal(split.sent[0], 2);
	assert_int_equal(send_batch(), 2);
	assert_int_equal(send_batch(), 1);
	merge.arrived[0] = 1;
	assert_int_equal(send_batch(), 0);
}

/* By the plain words: the least, and of several the next one after the last in turn. */
static uint16_t expected_branch(uint16_t last)
{
	uint16_t best = last;

	for (uint16_t i = merge.n_branches - 1; i > 0; i--) {
		uint16_t branch = (last + i) % merge.n_branches;

		if (split.sent[branch] - merge.arrived[branch] <=
			split.sent[best] - merge.arrived[best])
			best = branch;
	}
	return best;
}

static void any_backlogs_lead_to_the_least(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		uint16_t expected;

		if (i % 100 == 0) {
			start(1 + random_below(&random, BRANCHES_MAX), BATCH);
			send_batch();
		}
		for (uint16_t branch = 0; branch < merge.n_branches; branch++)
			merge.arrived[branch] = split.sent[branch] - random_below(&random, 4);
		expected = expected_branch(split.branch);
		send_batch();
		assert_int_equal(split.branch, expected);
	}
}

/* ---- together with the merge ---- */

/* One branch does one packet where the other does ten, and both always have some to do. */
static void a_slow_branch_gets_what_it_can_do(void **state)
{
	(void)state;
	start(2, BATCH);
	for (uint32_t round = 0; round < 1000; round++) {
		while (split.sent[0] + split.sent[1] - merge.arrived[0] - merge.arrived[1] < 100)
			split_next(&split, 1);
		merge.arrived[0] += 1;
		merge.arrived[1] += 10;
	}
	assert_in_range(split.sent[0], 1000, 1100);
	assert_in_range(split.sent[1], 10000, 10100);
}

static void it_begins_anew(void **state)
{
	(void)state;
	send_batch();
	send_batch();
	merge_begin(&merge, 2 * BATCH);
	split_begin(&split, &merge);
	assert_int_equal(send_batch(), 0);
	assert_int_equal(split.micro_flow, 0);
	assert_int_equal(split.sent[0], 2 * BATCH);
	assert_int_equal(split.sent[1], 0);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_burst_is_cut_where_a_micro_flow_is_full),
		TEST(a_full_micro_flow_begins_no_other),
		TEST(micro_flows_have_exactly_a_batch_and_one_branch),
		TEST(numbers_go_around),
		TEST(branches_without_backlog_take_turns),
		TEST(branches_with_the_same_backlog_take_turns),
		TEST(the_branch_with_the_least_backlog_is_next),
		TEST(a_branch_can_be_chosen_again),
		TEST(what_arrives_in_mid_batch_changes_nothing),
		TEST(counts_wrap_around),
		TEST(any_backlogs_lead_to_the_least),
		TEST(a_slow_branch_gets_what_it_can_do),
		TEST(it_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
