/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include <rte_cycles.h>
#include <rte_malloc.h>

#include "base/clock.h"
#include "engine/lcore.h"

#define LCORES 2

static struct dataplane *dataplane;

static struct plan plan_of(const char *mode)
{
	struct plan plan;

	plan_set(&plan, plan_mode_find(mode));
	return plan;
}

static void start(uint16_t n_lcores)
{
	struct dataplane_config config = {.clock = {.read = clock_tsc, .hz = rte_get_tsc_hz()},
		.n_lcores = n_lcores,
		.credits = 64,
		.plan = plan_of("vanilla")};
	struct error error;

	dataplane = dataplane_create(&config, &error);
	assert_non_null(dataplane);
	dataplane_publish(dataplane, fixture.tables);
	for (uint16_t i = 0; i < n_lcores; i++)
		lcore_begin(dataplane->lcores[i]);
}

static int setup(void **state)
{
	if (fixture_make(state) != 0)
		return -1;
	start(LCORES);
	return 0;
}

static void end(void)
{
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		lcore_end(dataplane->lcores[i]);
	dataplane_free(dataplane);
}

static int teardown(void **state)
{
	end();
	return fixture_free(state);
}

/* A round of each. */
static void poll(void)
{
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		lcore_poll(dataplane->lcores[i]);
}

/* True if the plan was replaced at once. */
static bool set(const char *mode)
{
	struct plan plan = plan_of(mode), *old;

	assert_int_equal(dataplane_set_plan(dataplane, &plan, &old), 0);
	rte_free(old);
	assert_string_equal(dataplane_last_plan(dataplane)->mode->name, mode);
	return old != NULL;
}

/* One step of a change that waits; returns whether it goes on. */
static bool step(bool replaces)
{
	struct plan *old;
	bool goes_on = dataplane_change_plan(dataplane, &old);

	assert_int_equal(old != NULL, replaces);
	rte_free(old);
	return goes_on;
}

static void assert_mode(const char *mode)
{
	assert_string_equal(dataplane->plan->mode->name, mode);
}

/* The first lcore receives a packet, and the second ends it. */
static void admit(void)
{
	counter_add(&dataplane->lcores[0]->counters.admitted, 1);
}

static void finish(void)
{
	counter_add(&dataplane->lcores[1]->finished[0], 1);
}

/* What waits for nothing but the rounds of all. */
static void complete(const char *mode)
{
	poll();
	assert_true(step(true));
	assert_mode(mode);
	assert_true(step(false));
	poll();
	assert_false(step(false));
	assert_false(dataplane->pausing);
}

static void plans_of_one_kind_change_at_once(void **state)
{
	static const char *const modes[][2] = {{"rps", "mflow-full"}, {"turns", "auto"}};

	(void)state;
	admit();
	assert_true(set(modes[0][0]));
	assert_true(set(modes[0][1]));
	assert_mode(modes[0][1]);
	assert_false(step(false));
	finish();
	assert_false(set(modes[1][0]));
	complete(modes[1][0]);
	admit();
	assert_true(set(modes[1][1]));
	assert_mode(modes[1][1]);
	assert_false(step(false));
}

static void a_change_of_kind_waits_until_nothing_is_inside(void **state)
{
	(void)state;
	admit();
	assert_false(set("turns"));
	assert_true(dataplane->pausing);
	/* A lcore that has not seen it may still receive. */
	assert_true(step(false));
	poll();
	for (int i = 0; i < 3; i++) {
		assert_true(step(false));
		assert_mode("vanilla");
	}
	finish();
	complete("turns");
	admit();
	assert_false(set("rps"));
	poll();
	assert_true(step(false));
	assert_mode("turns");
	finish();
	complete("rps");
}

/* One that is behind must not take what another has received by the new plan. */
static void lcores_receive_again_when_all_have_the_plan(void **state)
{
	(void)state;
	set("auto");
	poll();
	step(true);
	lcore_poll(dataplane->lcores[0]);
	assert_true(step(false));
	assert_true(dataplane->pausing);
	lcore_poll(dataplane->lcores[1]);
	assert_false(step(false));
	assert_false(dataplane->pausing);
}

static void the_last_one_set_is_the_one_that_comes(void **state)
{
	(void)state;
	admit();
	set("turns");
	assert_false(set("auto"));
	poll();
	assert_true(step(false));
	finish();
	complete("auto");
}

/* Nobody has the first one yet. */
static void one_set_while_another_comes_comes_behind_it(void **state)
{
	(void)state;
	set("turns");
	poll();
	step(true);
	assert_false(set("rps"));
	assert_mode("turns");
	assert_true(step(false));
	complete("rps");
}

static void one_may_go_back_while_it_waits(void **state)
{
	(void)state;
	admit();
	set("turns");
	poll();
	assert_false(set("vanilla"));
	assert_true(step(false));
	finish();
	complete("vanilla");
}

/* The only lcore takes turns with nobody. */
static void one_lcore_waits_for_nothing(void **state)
{
	(void)state;
	end();
	start(1);
	admit();
	assert_true(set("turns"));
	assert_mode("turns");
	assert_false(dataplane->plan->by_right);
	assert_true(set("rps"));
	assert_false(step(false));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(plans_of_one_kind_change_at_once),
		TEST(a_change_of_kind_waits_until_nothing_is_inside),
		TEST(lcores_receive_again_when_all_have_the_plan),
		TEST(the_last_one_set_is_the_one_that_comes),
		TEST(one_set_while_another_comes_comes_behind_it),
		TEST(one_may_go_back_while_it_waits),
		TEST(one_lcore_waits_for_nothing),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
