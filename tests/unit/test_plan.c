/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/plan.h"

static struct plan plan_of(const char *mode)
{
	struct plan plan;

	memset(&plan, 0x55, sizeof(plan));
	plan_set(&plan, plan_mode_find(mode));
	assert_string_equal(plan.mode, mode);
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
	assert_false(plan.steers || plan.gated);
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
	assert_true(plan.steers);
	assert_false(plan.gated);
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
		assert_true(plans[i].steers && plans[i].gated);
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
	assert_string_equal(plan.mode, "mine");
	assert_true(plan.steers);
	assert_row(plan.open, &(struct row){.gro = TRANSITION_FLOW, .veth = TRANSITION_WITH});
	assert_int_equal(plan.open[STAGE_VETH].with, STAGE_GRO);
	assert_memory_equal(plan.closed, plan.open, sizeof(plan.open));
	mode.gated = true;
	plan_set(&plan, &mode);
	assert_row(plan.closed, &(struct row){.vxlan = TRANSITION_FLOW});
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
		cmocka_unit_test(every_mode_only_goes_down_the_way),
		cmocka_unit_test(an_unknown_mode_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
