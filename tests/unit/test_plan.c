/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "steer/hops.h"
#include "steer/plan.h"

static struct plan plan_of(const char *mode)
{
	struct plan plan;

	memset(&plan, 0x55, sizeof(plan));
	plan_set(&plan, plan_mode_find(mode));
	assert_string_equal(plan.mode->name, mode);
	return plan;
}

static void vanilla_runs_every_stage_where_the_one_before_ran(void **state)
{
	struct plan plan = plan_of("vanilla");

	(void)state;
	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		assert_int_equal(plan.instead[stage], stage);
		assert_int_equal(plan.lcore[stage], LCORE_INLINE);
		assert_int_equal(plan.open[stage].kind, TRANSITION_INLINE);
	}
	assert_int_equal(plan.sorting, SORTING_NONE);
	assert_false(plan.gated || plan.balances || plan.splits);
}

/* Rows of their own only in who receives and who delivers. */
static void in_turns_nothing_leaves_the_lcore_that_received_it(void **state)
{
	static const char *const names[] = {"turns", "auto"};
	struct plan vanilla = plan_of("vanilla");

	(void)state;
	for (size_t i = 0; i < RTE_DIM(names); i++) {
		struct plan plan = plan_of(names[i]);

		assert_int_equal(plan.mode->receive, RECEIVE_BY_RIGHT);
		assert_int_equal(plan.mode->deliver, DELIVER_BY_TICKET);
		assert_int_equal(plan.mode->adapts, i == 1);
		plan.mode = vanilla.mode;
		assert_memory_equal(&plan, &vanilla, sizeof(plan));
	}
}

static void linux_overlay_has_a_wire_for_a_bridge(void **state)
{
	struct plan plan = plan_of("linux-overlay");

	(void)state;
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		assert_int_equal(plan.instead[stage], stage == STAGE_BRIDGE ? STAGE_WIRE : stage);
}

static void native_leaves_the_tunnel_out(void **state)
{
	struct plan plan = plan_of("native");

	(void)state;
	assert_int_equal(plan.instead[STAGE_GRO], STAGE_WIRE);
	assert_int_equal(plan.instead[STAGE_BRIDGE], STAGE_WIRE);
	assert_int_equal(plan.instead[STAGE_ENCAP], STAGE_TX);
	assert_int_equal(plan.instead[STAGE_VETH], STAGE_VETH);
}

/* The kinds of the transitions into each stage of the receive path. */
struct row {
	enum transition_kind gro, vxlan, bridge, veth;
};

static void assert_row(const struct transition *transitions, const struct row *row)
{
	assert_int_equal(transitions[STAGE_RX].kind, TRANSITION_INLINE);
	assert_int_equal(transitions[STAGE_GRO].kind, row->gro);
	assert_int_equal(transitions[STAGE_VXLAN].kind, row->vxlan);
	assert_int_equal(transitions[STAGE_BRIDGE].kind, row->bridge);
	assert_int_equal(transitions[STAGE_VETH].kind, row->veth);
}

static void rps_steers_by_flow_once(void **state)
{
	struct plan plan = plan_of("rps");

	(void)state;
	assert_int_equal(plan.sorting, SORTING_INNER);
	assert_false(plan.gated || plan.balances || plan.splits);
	assert_row(plan.open, &(struct row){.vxlan = TRANSITION_FLOW});
	assert_memory_equal(plan.closed, plan.open, sizeof(plan.open));
}

static void falcon_steers_each_stage_behind_a_gate(void **state)
{
	static const struct row rows[] = {
		{.vxlan = TRANSITION_FLOW_STAGE, .bridge = TRANSITION_FLOW_STAGE},
		{.gro = TRANSITION_FLOW_STAGE,
			.vxlan = TRANSITION_FLOW_STAGE,
			.bridge = TRANSITION_FLOW_STAGE}};
	struct plan rps = plan_of("rps");
	struct plan plans[] = {plan_of("falcon-dev"), plan_of("falcon-func")};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(plans); i++) {
		assert_int_equal(plans[i].sorting, SORTING_INNER);
		assert_true(plans[i].gated && plans[i].balances);
		assert_row(plans[i].open, &rows[i]);
		assert_memory_equal(plans[i].closed, rps.open, sizeof(rps.open));
	}
}

static void a_row_of_the_user_makes_a_plan(void **state)
{
	struct mode mode = {.name = "mine",
		.row = {[STAGE_GRO] = {.kind = TRANSITION_FLOW},
			[STAGE_VETH] = {TRANSITION_WITH, STAGE_GRO}}};
	struct plan plan;

	(void)state;
	memset(&plan, 0x55, sizeof(plan));
	plan_set(&plan, &mode);
	assert_ptr_equal(plan.mode, &mode);
	assert_int_equal(plan.sorting, SORTING_INNER);
	assert_row(plan.open, &(struct row){.gro = TRANSITION_FLOW, .veth = TRANSITION_WITH});
	assert_int_equal(plan.open[STAGE_VETH].with, STAGE_GRO);
	assert_memory_equal(plan.closed, plan.open, sizeof(plan.open));
	mode.gated = true;
	plan_set(&plan, &mode);
	assert_row(plan.closed, &(struct row){.vxlan = TRANSITION_FLOW});
}

/* Only elephants have the row; what they are not goes as rps. */
static void mflow_splits_elephants_and_steers_the_others_by_flow(void **state)
{
	struct plan rps = plan_of("rps");
	struct plan device = plan_of("mflow-device"), full = plan_of("mflow-full");

	(void)state;
	assert_row(device.elephant,
		&(struct row){.vxlan = TRANSITION_SPLIT, .bridge = TRANSITION_MERGE});
	assert_int_equal(full.elephant[STAGE_RX].kind, TRANSITION_SPLIT);
	assert_int_equal(full.elephant[STAGE_VETH].kind, TRANSITION_MERGE);
	assert_true(device.splits && full.splits);
	assert_false(device.gated || full.gated || device.balances || full.balances);
	assert_memory_equal(device.open, rps.open, sizeof(rps.open));
	assert_memory_equal(full.open, rps.open, sizeof(rps.open));
	assert_memory_equal(full.closed, rps.open, sizeof(rps.open));
}

/* What is split at once is not to be read before that. */
static void what_is_split_at_rx_is_sorted_by_the_outer_headers(void **state)
{
	(void)state;
	assert_int_equal(plan_of("mflow-full").sorting, SORTING_OUTER);
	assert_int_equal(plan_of("mflow-device").sorting, SORTING_INNER);
}

static void a_row_of_the_user_may_split(void **state)
{
	static const struct mode mode = {.name = "mine",
		.row = {[STAGE_GRO] = {.kind = TRANSITION_SPLIT},
			[STAGE_VXLAN] = {.kind = TRANSITION_FLOW_STAGE},
			[STAGE_BRIDGE] = {.kind = TRANSITION_MERGE}}};
	struct plan plan;

	(void)state;
	plan_set(&plan, &mode);
	assert_true(plan.splits);
	assert_int_equal(plan.sorting, SORTING_INNER);
	assert_false(plan.balances);
	assert_row(plan.elephant, &(struct row){.gro = TRANSITION_SPLIT,
					  .vxlan = TRANSITION_FLOW_STAGE,
					  .bridge = TRANSITION_MERGE});
	assert_row(plan.open, &(struct row){.vxlan = TRANSITION_FLOW});
}

/* ---- a new row ---- */

#define ROWS_MAX 16

/* weft's table, and one row more. Returns how many rows there are then. */
static unsigned int copy_table(struct mode rows[ROWS_MAX], const struct mode *more)
{
	unsigned int n = 0;

	for (; plan_mode(n) != NULL; n++)
		rows[n] = *plan_mode(n);
	assert_true(n < ROWS_MAX);
	rows[n++] = *more;
	return n;
}

/* All that a mode is, is its row: nothing else knows its name. */
static void a_new_mode_is_one_row(void **state)
{
	static const struct mode more = {.name = "new",
		.overlay = OVERLAY_POINT_TO_POINT,
		.row = {[STAGE_GRO] = {.kind = TRANSITION_FLOW_STAGE},
			[STAGE_BRIDGE] = {.kind = TRANSITION_WITH, .with = STAGE_RX}}};
	struct mode rows[ROWS_MAX];
	unsigned int n = copy_table(rows, &more);
	struct plan plan, old;

	(void)state;
	for (unsigned int i = 0; i + 1 < n; i++) {
		plan_set(&plan, &rows[i]);
		old = plan_of(rows[i].name);
		assert_memory_equal(plan.instead, old.instead, sizeof(plan.instead));
		assert_memory_equal(plan.elephant, old.elephant, sizeof(plan.elephant));
	}
	plan_set(&plan, &rows[n - 1]);
	assert_ptr_equal(plan.mode, &rows[n - 1]);
	assert_true(plan.balances && !plan.gated && !plan.splits);
	assert_int_equal(plan.sorting, SORTING_INNER);
	assert_int_equal(plan.instead[STAGE_BRIDGE], STAGE_WIRE);
	assert_row(
		plan.open, &(struct row){.gro = TRANSITION_FLOW_STAGE, .bridge = TRANSITION_WITH});
}

/* ---- hops ---- */

struct expected_hop {
	enum step stage;
	enum hop_kind kind;
	uint16_t lcore;
	uint8_t with, depth;
	bool on_branch;
};

static void assert_hops(
	const struct hops *hops, const struct expected_hop *expected, unsigned int n)
{
	assert_int_equal(hops->n, n);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(hops->list[i].stage, expected[i].stage);
		assert_int_equal(hops->list[i].kind, expected[i].kind);
		assert_int_equal(hops->list[i].lcore, expected[i].lcore);
		assert_int_equal(hops->list[i].with, expected[i].with);
		assert_int_equal(hops->list[i].depth, expected[i].depth);
		assert_int_equal(hops->list[i].on_branch, expected[i].on_branch);
	}
}

static void hops_say_by_what_each_stage_has_its_lcore(void **state)
{
	static const struct mode mode = {.name = "mine",
		.row = {[STAGE_GRO] = {.kind = TRANSITION_FLOW},
			[STAGE_VXLAN] = {.kind = TRANSITION_FLOW_STAGE},
			[STAGE_VETH] = {TRANSITION_WITH, STAGE_VXLAN}}};
	static const struct expected_hop expected[] = {
		{.stage = STAGE_RX, .kind = HOP_STAY, .lcore = LCORE_INLINE},
		{.stage = STAGE_GRO, .kind = HOP_GROUP, .lcore = LCORE_INLINE},
		{.stage = STAGE_VXLAN, .kind = HOP_GROUP_STAGE, .lcore = LCORE_INLINE},
		{.stage = STAGE_BRIDGE, .kind = HOP_PLACED, .lcore = 3},
		{.stage = STAGE_VETH, .kind = HOP_WITH, .lcore = LCORE_INLINE, .with = 2}};
	struct plan plan;
	struct hops hops;

	(void)state;
	plan_set(&plan, &mode);
	plan.lcore[STAGE_BRIDGE] = 3;
	hops = hops_of(&plan, plan.open);
	assert_hops(&hops, expected, RTE_DIM(expected));
}

/* Before the split and after the merge there are no branches: `flow+stage` is another thing. */
static void hops_are_on_branches_between_split_and_merge(void **state)
{
	static const struct mode mode = {.name = "mine",
		.row = {[STAGE_GRO] = {.kind = TRANSITION_SPLIT},
			[STAGE_VXLAN] = {.kind = TRANSITION_FLOW_STAGE},
			[STAGE_BRIDGE] = {.kind = TRANSITION_MERGE},
			[STAGE_VETH] = {.kind = TRANSITION_FLOW_STAGE}}};
	static const struct expected_hop expected[] = {
		{.stage = STAGE_RX, .kind = HOP_STAY, .lcore = LCORE_INLINE},
		{.stage = STAGE_GRO, .kind = HOP_BRANCH, .lcore = LCORE_INLINE, .on_branch = true},
		{.stage = STAGE_VXLAN,
			.kind = HOP_BRANCH,
			.lcore = LCORE_INLINE,
			.depth = 1,
			.on_branch = true},
		{.stage = STAGE_BRIDGE, .kind = HOP_MERGE, .lcore = LCORE_INLINE, .depth = 2},
		{.stage = STAGE_VETH, .kind = HOP_GROUP_STAGE, .lcore = LCORE_INLINE}};
	struct plan plan;
	struct hops hops;

	(void)state;
	plan_set(&plan, &mode);
	hops = hops_of(&plan, plan.elephant);
	assert_hops(&hops, expected, RTE_DIM(expected));
}

static void transitions_are_found_in_a_row(void **state)
{
	const struct mode *mode = plan_mode_find("mflow-device");

	(void)state;
	assert_int_equal(mode_find_transition(mode, TRANSITION_SPLIT), STAGE_VXLAN);
	assert_int_equal(mode_find_transition(mode, TRANSITION_MERGE), STAGE_BRIDGE);
	assert_int_equal(mode_find_transition(mode, TRANSITION_FLOW), -1);
}

/* The lcore loop counts on it. */
static void every_mode_only_goes_down_the_way(void **state)
{
	(void)state;
	for (unsigned int i = 0; plan_mode(i) != NULL; i++) {
		struct plan plan = plan_of(plan_mode(i)->name);

		for (int stage = 0; stage < STAGE_COUNT; stage++)
			assert_in_range(plan.instead[stage], stage, STAGE_COUNT - 1);
	}
}

static void an_unknown_mode_is_not_found(void **state)
{
	(void)state;
	assert_null(plan_mode_find("vanila"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vanilla_runs_every_stage_where_the_one_before_ran),
		cmocka_unit_test(in_turns_nothing_leaves_the_lcore_that_received_it),
		cmocka_unit_test(linux_overlay_has_a_wire_for_a_bridge),
		cmocka_unit_test(native_leaves_the_tunnel_out),
		cmocka_unit_test(rps_steers_by_flow_once),
		cmocka_unit_test(falcon_steers_each_stage_behind_a_gate),
		cmocka_unit_test(a_row_of_the_user_makes_a_plan),
		cmocka_unit_test(mflow_splits_elephants_and_steers_the_others_by_flow),
		cmocka_unit_test(what_is_split_at_rx_is_sorted_by_the_outer_headers),
		cmocka_unit_test(a_row_of_the_user_may_split),
		cmocka_unit_test(a_new_mode_is_one_row),
		cmocka_unit_test(hops_say_by_what_each_stage_has_its_lcore),
		cmocka_unit_test(hops_are_on_branches_between_split_and_merge),
		cmocka_unit_test(transitions_are_found_in_a_row),
		cmocka_unit_test(every_mode_only_goes_down_the_way),
		cmocka_unit_test(an_unknown_mode_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
