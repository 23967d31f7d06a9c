/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

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
		cmocka_unit_test(linux_overlay_has_a_wire_for_a_bridge),
		cmocka_unit_test(native_leaves_the_tunnel_out),
		cmocka_unit_test(rps_steers_by_flow_once),
		cmocka_unit_test(falcon_steers_each_stage_behind_a_gate),
		cmocka_unit_test(a_row_of_the_user_makes_a_plan),
		cmocka_unit_test(mflow_splits_elephants_and_steers_the_others_by_flow),
		cmocka_unit_test(what_is_split_at_rx_is_sorted_by_the_outer_headers),
		cmocka_unit_test(a_row_of_the_user_may_split),
		cmocka_unit_test(transitions_are_found_in_a_row),
		cmocka_unit_test(every_mode_only_goes_down_the_way),
		cmocka_unit_test(an_unknown_mode_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
