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
	struct error error;

	memset(&plan, 0x55, sizeof(plan));
	assert_int_equal(plan_set_mode(&plan, mode, &error), 0);
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

/* The lcore loop counts on it. */
static void every_mode_only_goes_down_the_way(void **state)
{
	(void)state;
	for (unsigned int i = 0; plan_mode_name(i) != NULL; i++) {
		struct plan plan = plan_of(plan_mode_name(i));

		for (int stage = 0; stage < STAGE_COUNT; stage++)
			assert_in_range(plan.instead[stage], stage, STAGE_COUNT - 1);
	}
}

static void an_unknown_mode_is_refused_with_those_there_are(void **state)
{
	struct plan plan;
	struct error error;

	(void)state;
	assert_int_equal(plan_set_mode(&plan, "vanila", &error), -1);
	assert_non_null(strstr(error.text, "'vanila'"));
	for (unsigned int i = 0; plan_mode_name(i) != NULL; i++)
		assert_non_null(strstr(error.text, plan_mode_name(i)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vanilla_runs_every_stage_where_the_one_before_ran),
		cmocka_unit_test(linux_overlay_has_a_wire_for_a_bridge),
		cmocka_unit_test(native_leaves_the_tunnel_out),
		cmocka_unit_test(every_mode_only_goes_down_the_way),
		cmocka_unit_test(an_unknown_mode_is_refused_with_those_there_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
