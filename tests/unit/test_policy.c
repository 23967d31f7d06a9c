/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <rte_common.h>

#include "base/flow_hash.h"
#include "base/random.h"
#include "stages/packet.h"
#include "steer/policy.h"

#define CHOICES 100000
#define LCORES_MOST 20
#define GROUPS 256
#define STAGES 16

struct choice {
	uint16_t lcore;
	bool second;
};

static struct choice choose(
	const char *policy, uint32_t hash, const uint32_t *loads, uint16_t n, uint32_t threshold)
{
	struct choice choice;

	choice.lcore = policy_find(policy)->choose(hash, loads, n, threshold, &choice.second);
	return choice;
}

/* ---- the paper's Algorithm 1, get_falcon_cpu, line by line ---- */

/* The kernel's hash, here by long division of the product: its bits 16 to 31. */
static uint64_t model_hash(uint64_t value)
{
	return value * 1640531527 % (1ULL << 32) / (1 << 16);
}

static struct choice model(uint32_t hash, const uint32_t *loads, uint16_t n, uint32_t threshold)
{
	uint64_t device_hash = model_hash(hash);
	uint16_t cpu = device_hash % n;

	if (loads[cpu] < threshold)
		return (struct choice){cpu, false};
	device_hash = model_hash(device_hash);
	return (struct choice){device_hash % n, true};
}

static void random_loads(uint64_t *random, uint32_t *loads)
{
	for (int i = 0; i < LCORES_MOST; i++)
		loads[i] = random_below(random, 1001);
}

static void two_choice_is_algorithm_1(void **state)
{
	uint64_t random = 1;
	uint32_t loads[LCORES_MOST];

	(void)state;
	for (int i = 0; i < CHOICES; i++) {
		uint32_t hash = random_next(&random), threshold = random_below(&random, 1100);
		uint16_t n = 1 + random_below(&random, LCORES_MOST);
		struct choice ours, paper;

		random_loads(&random, loads);
		ours = choose("two-choice", hash, loads, n, threshold);
		paper = model(hash, loads, n, threshold);
		assert_int_equal(ours.lcore, paper.lcore);
		assert_int_equal(ours.second, paper.second);
	}
}

/* ---- the others, by the two lcores that two-choice has ---- */

static void static_is_always_the_first(void **state)
{
	static const uint32_t none[LCORES_MOST];
	uint64_t random = 2;
	uint32_t loads[LCORES_MOST];

	(void)state;
	for (int i = 0; i < CHOICES; i++) {
		uint32_t hash = random_next(&random);
		uint16_t n = 1 + random_below(&random, LCORES_MOST);
		struct choice choice;

		random_loads(&random, loads);
		choice = choose("static", hash, loads, n, random_below(&random, 1100));
		assert_int_equal(choice.lcore, model(hash, none, n, 1).lcore);
		assert_false(choice.second);
	}
}

static void least_loaded_is_the_better_of_the_two(void **state)
{
	uint64_t random = 3;
	uint32_t loads[LCORES_MOST];

	(void)state;
	for (int i = 0; i < CHOICES; i++) {
		uint32_t hash = random_next(&random);
		uint16_t n = 1 + random_below(&random, LCORES_MOST), first, second;
		struct choice choice;

		random_loads(&random, loads);
		first = model(hash, loads, n, UINT32_MAX).lcore;
		second = model(hash, loads, n, 0).lcore;
		choice = choose("least-loaded", hash, loads, n, 850);
		assert_int_equal(choice.lcore, loads[second] < loads[first] ? second : first);
		assert_int_equal(choice.second, loads[second] < loads[first]);
	}
}

/* Two lcores, the first and the second choice of a hash. */
static uint32_t hash_with_two_lcores(void)
{
	static const uint32_t none[2];
	uint32_t hash = 0;

	while (model(hash, none, 2, 1).lcore == model(hash, none, 2, 0).lcore)
		hash++;
	return hash;
}

static void a_load_at_the_threshold_is_too_much(void **state)
{
	uint32_t hash = hash_with_two_lcores(), loads[] = {850, 850};

	(void)state;
	assert_true(choose("two-choice", hash, loads, 2, 850).second);
	assert_false(choose("two-choice", hash, loads, 2, 851).second);
	assert_int_not_equal(choose("two-choice", hash, loads, 2, 850).lcore,
		choose("two-choice", hash, loads, 2, 851).lcore);
}

static void the_first_is_taken_of_equals(void **state)
{
	uint32_t hash = hash_with_two_lcores(), loads[] = {500, 500};
	struct choice choice = choose("least-loaded", hash, loads, 2, 850);

	(void)state;
	assert_false(choice.second);
	assert_int_equal(choice.lcore, choose("static", hash, loads, 2, 850).lcore);
}

static void one_lcore_is_the_choice_of_all(void **state)
{
	static const char *const names[] = {"static", "two-choice", "least-loaded"};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(names); i++)
		for (uint32_t load = 0; load <= 1000; load += 500)
			for (uint32_t hash = 0; hash < GROUPS; hash++)
				assert_int_equal(choose(names[i], hash, &load, 1, 850).lcore, 0);
}

/* ---- evenness ---- */

/* The hash that path.c lets stand for the flows of a group. */
static uint32_t hash_of_group(uint32_t group, uint32_t stage)
{
	return flow_hash_mix(stage * FLOW_GROUPS + group);
}

/* How many flow groups come to each lcore at that stage, by the first choice or by the second. */
static void count_groups(uint32_t stage, uint16_t n, bool second, uint32_t *counts)
{
	static const uint32_t none[LCORES_MOST];

	for (uint32_t group = 0; group < GROUPS; group++)
		counts[choose("two-choice", hash_of_group(group, stage), none, n, !second).lcore]++;
}

/* As evenly as dice would: within four standard deviations. */
static void flow_groups_spread_evenly(void **state)
{
	(void)state;
	for (uint32_t stage = 0; stage < STAGES; stage++) {
		for (uint16_t n = 2; n <= LCORES_MOST; n++) {
			for (int second = 0; second < 2; second++) {
				uint32_t counts[LCORES_MOST] = {0};
				double mean = (double)GROUPS / n;

				count_groups(stage, n, second, counts);
				for (uint16_t i = 0; i < n; i++)
					assert_true(fabs(counts[i] - mean) < 4 * sqrt(mean));
			}
		}
	}
}

/* Five standard deviations of many draws. */
static void flows_spread_evenly(void **state)
{
	static const uint32_t none[LCORES_MOST];
	uint64_t random = 4;

	(void)state;
	for (uint16_t n = 2; n <= LCORES_MOST; n++) {
		uint32_t counts[2][LCORES_MOST] = {{0}};
		double mean = (double)CHOICES / n;

		for (int i = 0; i < CHOICES; i++) {
			uint32_t hash = random_next(&random);

			counts[0][choose("two-choice", hash, none, n, 1).lcore]++;
			counts[1][choose("two-choice", hash, none, n, 0).lcore]++;
		}
		for (uint16_t i = 0; i < n; i++) {
			assert_true(fabs(counts[0][i] - mean) < 5 * sqrt(mean));
			assert_true(fabs(counts[1][i] - mean) < 5 * sqrt(mean));
		}
	}
}

/* ---- names ---- */

static void policies_have_names(void **state)
{
	char list[64];

	(void)state;
	policy_list(list, sizeof(list));
	assert_string_equal(list, "static, two-choice, least-loaded");
	assert_string_equal(policy_find("two-choice")->name, "two-choice");
	assert_null(policy_find("two"));
	policy_list(list, 10);
	assert_string_equal(list, "static, t");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_choice_is_algorithm_1),
		cmocka_unit_test(static_is_always_the_first),
		cmocka_unit_test(least_loaded_is_the_better_of_the_two),
		cmocka_unit_test(a_load_at_the_threshold_is_too_much),
		cmocka_unit_test(the_first_is_taken_of_equals),
		cmocka_unit_test(one_lcore_is_the_choice_of_all),
		cmocka_unit_test(flow_groups_spread_evenly),
		cmocka_unit_test(flows_spread_evenly),
		cmocka_unit_test(policies_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
