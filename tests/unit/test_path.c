/* SPDX-License-Identifier: BSD-3-Clause */
/* The path that a plan wants for a flow group, and for an elephant's branch, for each kind of
 * transition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <rte_common.h>

#include "stages/packet.h"
#include "steer/load.h"
#include "steer/path.h"

#define FIRST 9 /* the lcore that chooses */

/* Numbers that are no indices of this list, so that one is not taken for the other. */
static struct steering steering = {.n = 4, .lcores = {3, 5, 7, 11}, .threshold = LOAD_FULL / 2};
static uint32_t loads[LCORES_MAX];

static int begin(void **state)
{
	(void)state;
	steering.policy = policy_find("static");
	memset(loads, 0, sizeof(loads));
	return 0;
}

static struct plan plan_of(const char *name)
{
	struct plan plan;

	plan_set(&plan, plan_mode_find(name));
	return plan;
}

static struct path choose(const struct plan *plan, uint16_t group)
{
	return path_choose(plan, true, &steering, loads, FIRST, group);
}

static bool is_steering(uint16_t lcore)
{
	for (uint16_t i = 0; i < steering.n; i++)
		if (steering.lcores[i] == lcore)
			return true;
	return false;
}

/* ---- kinds ---- */

static void inline_stages_stay_where_the_plan_has_them(void **state)
{
	struct plan plan = plan_of("vanilla");
	struct path path;

	(void)state;
	plan.lcore[STAGE_VXLAN] = 2;
	path = choose(&plan, 0);
	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++)
		assert_int_equal(path.lcore[stage], stage == STAGE_VXLAN ? 2 : LCORE_INLINE);
	assert_int_equal(path.second, 0);
}

static void stages_of_other_ways_stay_where_the_plan_has_them(void **state)
{
	struct plan plan = plan_of("falcon-func");

	(void)state;
	plan.lcore[STAGE_ENCAP] = 2;
	plan.lcore[STAGE_VTEP] = 4;
	assert_int_equal(choose(&plan, 0).lcore[STAGE_ENCAP], 2);
	assert_int_equal(choose(&plan, 0).lcore[STAGE_VTEP], 4);
}

static void rps_has_one_lcore_for_a_flow(void **state)
{
	struct plan plan = plan_of("rps");

	(void)state;
	for (uint16_t group = 0; group < FLOW_GROUPS; group++) {
		struct path path = choose(&plan, group);

		assert_true(is_steering(path.lcore[STAGE_VXLAN]));
		for (unsigned int stage = 0; stage < STAGE_COUNT; stage++)
			if (stage != STAGE_VXLAN)
				assert_int_equal(path.lcore[stage], LCORE_INLINE);
	}
}

/* What hashes alike, or near, would do for a steering lcore here and there. */
static void rps_uses_all_lcores_evenly(void **state)
{
	struct plan plan = plan_of("rps");
	unsigned int groups[LCORES_MAX] = {0};

	(void)state;
	for (uint16_t group = 0; group < FLOW_GROUPS; group++)
		groups[choose(&plan, group).lcore[STAGE_VXLAN]]++;
	for (uint16_t i = 0; i < steering.n; i++) {
		assert_true(groups[steering.lcores[i]] > FLOW_GROUPS / steering.n * 3 / 4);
		assert_true(groups[steering.lcores[i]] < FLOW_GROUPS / steering.n * 5 / 4);
	}
}

static void rps_does_not_look_at_loads(void **state)
{
	struct plan plan = plan_of("rps");
	struct path idle = choose(&plan, 1), busy;

	(void)state;
	steering.policy = policy_find("two-choice");
	for (uint16_t i = 0; i < steering.n; i++)
		loads[i] = LOAD_FULL;
	busy = choose(&plan, 1);
	assert_true(path_is(&idle, &busy));
	assert_int_equal(busy.second, 0);
}

static void each_stage_of_a_flow_has_a_choice_of_its_own(void **state)
{
	struct plan plan = plan_of("falcon-func");
	unsigned int apart = 0;

	(void)state;
	for (uint16_t group = 0; group < FLOW_GROUPS; group++) {
		struct path path = choose(&plan, group);

		assert_true(is_steering(path.lcore[STAGE_GRO]));
		assert_true(is_steering(path.lcore[STAGE_VXLAN]));
		assert_true(is_steering(path.lcore[STAGE_BRIDGE]));
		assert_int_equal(path.lcore[STAGE_RX], LCORE_INLINE);
		assert_int_equal(path.lcore[STAGE_VETH], LCORE_INLINE);
		apart += path.lcore[STAGE_VXLAN] != path.lcore[STAGE_BRIDGE];
	}
	assert_true(apart > FLOW_GROUPS / 2);
}

static void the_policy_sees_loads_and_says_what_was_second(void **state)
{
	struct plan plan = plan_of("falcon-dev");
	const uint16_t both = 1 << STAGE_VXLAN | 1 << STAGE_BRIDGE;
	unsigned int moved = 0;

	(void)state;
	steering.policy = policy_find("two-choice");
	for (uint16_t group = 0; group < FLOW_GROUPS; group++) {
		struct path idle, busy;

		memset(loads, 0, sizeof(loads));
		idle = choose(&plan, group);
		for (uint16_t i = 0; i < steering.n; i++)
			loads[i] = LOAD_FULL;
		busy = choose(&plan, group);
		assert_int_equal(idle.second, 0);
		assert_int_equal(busy.second, both);
		moved += !path_is(&idle, &busy);
	}
	assert_true(moved > FLOW_GROUPS / 2);
}

/* ---- with ---- */

/* Row in which one stage is steered and others are stacked on it, or on where the door is. */
static const struct mode stacked = {.name = "stacked",
	.row = {[STAGE_GRO] = {.kind = TRANSITION_FLOW_STAGE},
		[STAGE_VXLAN] = {.kind = TRANSITION_WITH, .with = STAGE_RX},
		[STAGE_BRIDGE] = {.kind = TRANSITION_WITH, .with = STAGE_GRO},
		[STAGE_VETH] = {.kind = TRANSITION_WITH, .with = STAGE_BRIDGE}}};

static void a_stage_goes_with_another(void **state)
{
	struct plan plan;

	(void)state;
	plan_set(&plan, &stacked);
	for (uint16_t group = 0; group < FLOW_GROUPS; group++) {
		struct path path = choose(&plan, group);

		assert_int_equal(path.lcore[STAGE_BRIDGE], path.lcore[STAGE_GRO]);
		assert_int_equal(path.lcore[STAGE_VETH], path.lcore[STAGE_GRO]);
	}
}

static void with_rx_is_with_the_door(void **state)
{
	struct plan plan;

	(void)state;
	plan_set(&plan, &stacked);
	assert_int_equal(choose(&plan, 0).lcore[STAGE_VXLAN], FIRST);
	plan.lcore[STAGE_RX] = 2;
	assert_int_equal(choose(&plan, 0).lcore[STAGE_VXLAN], 2);
}

static void with_an_inline_stage_is_where_that_one_runs(void **state)
{
	static const struct mode mode = {.name = "mode",
		.row = {[STAGE_GRO] = {.kind = TRANSITION_FLOW},
			[STAGE_BRIDGE] = {.kind = TRANSITION_FLOW_STAGE},
			[STAGE_VETH] = {.kind = TRANSITION_WITH, .with = STAGE_VXLAN}}};
	struct plan plan;

	(void)state;
	plan_set(&plan, &mode);
	for (uint16_t group = 0; group < FLOW_GROUPS; group++) {
		struct path path = choose(&plan, group);

		assert_int_equal(path.lcore[STAGE_VXLAN], LCORE_INLINE);
		assert_int_equal(path.lcore[STAGE_VETH], path.lcore[STAGE_GRO]);
	}
}

/* ---- branches ---- */

#define CONSUMER 13

static struct micro_flows micro_flows = {.n_branches = 2, .n = 5, .lcores = {2, 4, 6, 8, 10}};

static struct path choose_branch(
	const struct plan *plan, uint16_t elephant, uint16_t number, uint16_t consumer)
{
	struct branch branch = {elephant, number, consumer};

	return path_choose_branch(plan, &steering, &micro_flows, loads, FIRST, &branch);
}

/* gro to vxlan on the branches, each of which is two lcores; bridge and veth after the merge. */
static const struct mode pipelined = {.name = "pipelined",
	.row = {[STAGE_GRO] = {.kind = TRANSITION_SPLIT},
		[STAGE_VXLAN] = {.kind = TRANSITION_FLOW_STAGE},
		[STAGE_BRIDGE] = {.kind = TRANSITION_MERGE},
		[STAGE_VETH] = {.kind = TRANSITION_FLOW_STAGE}}};

static void branches_are_on_different_lcores(void **state)
{
	struct plan plan = plan_of("mflow-full");

	(void)state;
	assert_int_equal(choose_branch(&plan, 0, 0, CONSUMER).lcore[STAGE_RX], 2);
	assert_int_equal(choose_branch(&plan, 0, 1, CONSUMER).lcore[STAGE_RX], 4);
}

/* The first elephant has the first lcores, the second one the next, and so round. */
static void elephants_are_on_different_lcores(void **state)
{
	struct plan plan = plan_of("mflow-device");

	(void)state;
	assert_int_equal(choose_branch(&plan, 1, 0, CONSUMER).lcore[STAGE_VXLAN], 6);
	assert_int_equal(choose_branch(&plan, 1, 1, CONSUMER).lcore[STAGE_VXLAN], 8);
	assert_int_equal(choose_branch(&plan, 2, 0, CONSUMER).lcore[STAGE_VXLAN], 10);
	assert_int_equal(choose_branch(&plan, 2, 1, CONSUMER).lcore[STAGE_VXLAN], 2);
}

static void a_branch_runs_the_stages_up_to_the_merge(void **state)
{
	struct plan plan = plan_of("mflow-full");
	struct path path = choose_branch(&plan, 0, 1, CONSUMER);

	(void)state;
	assert_int_equal(path.lcore[STAGE_RX], 4);
	assert_int_equal(path.lcore[STAGE_GRO], LCORE_INLINE);
	assert_int_equal(path.lcore[STAGE_VXLAN], LCORE_INLINE);
	assert_int_equal(path.lcore[STAGE_BRIDGE], LCORE_INLINE);
	assert_int_equal(path.lcore[STAGE_VETH], CONSUMER);
	assert_int_equal(path.merge, STAGE_VETH);
	assert_int_equal(path.second, 0);
}

static void what_stands_before_the_split_stays(void **state)
{
	struct plan plan = plan_of("mflow-device");
	struct path path = choose_branch(&plan, 0, 0, CONSUMER);

	(void)state;
	assert_int_equal(path.lcore[STAGE_RX], LCORE_INLINE);
	assert_int_equal(path.lcore[STAGE_GRO], LCORE_INLINE);
	assert_int_equal(path.split, STAGE_VXLAN);
	assert_int_equal(path.merge, STAGE_BRIDGE);
}

static void an_elephant_is_merged_where_it_is_consumed(void **state)
{
	struct plan plan = plan_of("mflow-device");

	(void)state;
	for (uint16_t number = 0; number < micro_flows.n_branches; number++)
		assert_int_equal(
			choose_branch(&plan, 3, number, CONSUMER).lcore[STAGE_BRIDGE], CONSUMER);
}

/* All its branches meet there: behind their lcores, where there are so many. */
static void without_a_consumer_a_branch_lcore_merges(void **state)
{
	struct plan plan = plan_of("mflow-device");

	(void)state;
	for (uint16_t number = 0; number < micro_flows.n_branches; number++) {
		assert_int_equal(
			choose_branch(&plan, 0, number, LCORE_INLINE).lcore[STAGE_BRIDGE], 6);
		assert_int_equal(
			choose_branch(&plan, 2, number, LCORE_INLINE).lcore[STAGE_BRIDGE], 4);
	}
}

static void a_branch_may_be_pipelined(void **state)
{
	struct path path, other;
	struct plan plan;

	(void)state;
	plan_set(&plan, &pipelined);
	path = choose_branch(&plan, 0, 0, LCORE_INLINE);
	other = choose_branch(&plan, 0, 1, LCORE_INLINE);
	assert_int_equal(path.lcore[STAGE_GRO], 2);
	assert_int_equal(other.lcore[STAGE_GRO], 4);
	assert_int_equal(path.lcore[STAGE_VXLAN], 6);
	assert_int_equal(other.lcore[STAGE_VXLAN], 8);
	assert_int_equal(path.lcore[STAGE_BRIDGE], 10);
	assert_int_equal(other.lcore[STAGE_BRIDGE], 10);
}

static void behind_the_merge_all_branches_go_one_way(void **state)
{
	struct path path, other;
	struct plan plan;

	(void)state;
	plan_set(&plan, &pipelined);
	for (uint16_t elephant = 0; elephant < 8; elephant++) {
		path = choose_branch(&plan, elephant, 0, LCORE_INLINE);
		other = choose_branch(&plan, elephant, 1, LCORE_INLINE);
		assert_true(is_steering(path.lcore[STAGE_VETH]));
		assert_int_equal(path.lcore[STAGE_VETH], other.lcore[STAGE_VETH]);
	}
}

static void a_stage_goes_with_one_of_its_branch(void **state)
{
	struct mode mode = pipelined;
	struct plan plan;

	(void)state;
	mode.row[STAGE_BRIDGE] = (struct transition){TRANSITION_WITH, STAGE_GRO};
	mode.row[STAGE_VETH] = (struct transition){.kind = TRANSITION_MERGE};
	plan_set(&plan, &mode);
	for (uint16_t number = 0; number < micro_flows.n_branches; number++) {
		struct path path = choose_branch(&plan, 1, number, CONSUMER);

		assert_int_equal(path.lcore[STAGE_BRIDGE], path.lcore[STAGE_GRO]);
		assert_int_not_equal(path.lcore[STAGE_VXLAN], path.lcore[STAGE_GRO]);
		assert_int_equal(path.merge, STAGE_VETH);
	}
}

static void other_flows_have_no_merge(void **state)
{
	struct plan full = plan_of("mflow-full"), rps = plan_of("rps");

	(void)state;
	for (uint16_t group = 0; group < FLOW_GROUPS; group++) {
		struct path path = choose(&full, group), other = choose(&rps, group);

		assert_true(path_is(&path, &other));
		assert_int_equal(path.merge, STAGE_COUNT);
		assert_int_equal(path.split, STAGE_COUNT);
	}
}

/* ---- the rest ---- */

static void a_closed_gate_goes_as_rps(void **state)
{
	struct plan falcon = plan_of("falcon-func"), rps = plan_of("rps");

	(void)state;
	for (uint16_t group = 0; group < FLOW_GROUPS; group++) {
		struct path closed = path_choose(&falcon, false, &steering, loads, FIRST, group);
		struct path path = choose(&rps, group);

		assert_true(path_is(&closed, &path));
	}
}

static void another_salt_chooses_otherwise(void **state)
{
	const char *modes[] = {"rps", "falcon-dev"};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(modes); i++) {
		struct plan plan = plan_of(modes[i]), salted = plan;
		unsigned int changed = 0;

		salted.salt = FLOW_GROUPS / 2;
		for (uint16_t group = 0; group < FLOW_GROUPS; group++) {
			struct path path = choose(&plan, group), other = choose(&salted, group);

			changed += !path_is(&path, &other);
		}
		assert_true(changed > FLOW_GROUPS / 2);
	}
}

/* The same flow comes to the same lcores whichever lcore received it. */
static void the_door_does_not_matter(void **state)
{
	struct plan plan = plan_of("falcon-func");

	(void)state;
	for (uint16_t group = 0; group < FLOW_GROUPS; group++) {
		struct path path = choose(&plan, group);
		struct path other = path_choose(&plan, true, &steering, loads, FIRST + 1, group);

		assert_true(path_is(&path, &other));
	}
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(inline_stages_stay_where_the_plan_has_them),
		TEST(stages_of_other_ways_stay_where_the_plan_has_them),
		TEST(rps_has_one_lcore_for_a_flow),
		TEST(rps_uses_all_lcores_evenly),
		TEST(rps_does_not_look_at_loads),
		TEST(each_stage_of_a_flow_has_a_choice_of_its_own),
		TEST(the_policy_sees_loads_and_says_what_was_second),
		TEST(a_stage_goes_with_another),
		TEST(with_rx_is_with_the_door),
		TEST(with_an_inline_stage_is_where_that_one_runs),
		TEST(branches_are_on_different_lcores),
		TEST(elephants_are_on_different_lcores),
		TEST(a_branch_runs_the_stages_up_to_the_merge),
		TEST(what_stands_before_the_split_stays),
		TEST(an_elephant_is_merged_where_it_is_consumed),
		TEST(without_a_consumer_a_branch_lcore_merges),
		TEST(a_branch_may_be_pipelined),
		TEST(behind_the_merge_all_branches_go_one_way),
		TEST(a_stage_goes_with_one_of_its_branch),
		TEST(other_flows_have_no_merge),
		TEST(a_closed_gate_goes_as_rps),
		TEST(another_salt_chooses_otherwise),
		TEST(the_door_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
