/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_common.h>

#include "base/random.h"
#include "steer/helpers.h"
#include "steer/load.h"

#define SECOND LOAD_WINDOWS
#define SOON 32	     /* windows: 8 ms */
#define NOISE 30     /* permille, of what comes in a window */
#define SMOOTHED 4   /* windows, by the lcore's load */
#define EACH_MORE 20 /* permille that a packet costs more with each helper: batches are smaller */
#define MOST 8	     /* helpers */
#define CHANGES_MAX 4096

/* Queues of one owner, to which as much comes as `offered` permille of one lcore carry; lcores that
 * take turns at them get through equal parts. */
struct world {
	struct helpers helpers;
	uint16_t most;
	uint64_t random;
	uint32_t offered;
	uint32_t noise;
	bool is_behind, is_small;
	int64_t load;	  /* of the owner: 1/SMOOTHED of a window's each time */
	uint64_t waiting; /* permille of a window's work */
	unsigned int windows;
	unsigned int n_changes;
	unsigned int changes[CHANGES_MAX]; /* in which windows */
};

static struct world make_world(uint32_t offered)
{
	struct world world = {.most = MOST, .random = 1, .offered = offered, .noise = NOISE};

	helpers_init(&world.helpers);
	return world;
}

/* What the window brings, and what an lcore has of it. */
static uint32_t work(struct world *world)
{
	uint32_t comes = world->offered * (LOAD_FULL + EACH_MORE * world->helpers.n) / LOAD_FULL;
	uint32_t lcores = world->helpers.n + 1, done;

	comes += comes * random_below(&world->random, 2 * world->noise + 1) / LOAD_FULL;
	comes -= comes * world->noise / LOAD_FULL;
	done = RTE_MIN(world->waiting + comes, (uint64_t)LOAD_FULL * lcores);
	world->waiting = RTE_MIN(world->waiting + comes - done, (uint64_t)10 * LOAD_FULL);
	return done / lcores;
}

static void pass_window(struct world *world)
{
	uint16_t before = world->helpers.n;
	uint32_t busy = work(world);
	struct helpers_view view = {.share = LOAD_FULL / (before + 1),
		.is_behind = world->is_behind,
		.is_small = world->is_small};
	bool changed;

	world->load += (busy - world->load) / SMOOTHED;
	if (llabs(busy - world->load) < SMOOTHED)
		world->load = busy;
	view.load = world->load;
	changed = helpers_review(&world->helpers, &view, world->most);
	assert_int_equal(changed, world->helpers.n != before);
	assert_true(world->helpers.n <= world->most);
	assert_true(abs(world->helpers.n - before) <= 1);
	if (world->helpers.n != before)
		world->changes[world->n_changes++ % CHANGES_MAX] = world->windows;
	world->windows++;
}

static void pass(struct world *world, unsigned int windows)
{
	for (unsigned int i = 0; i < windows; i++)
		pass_window(world);
}

/* ---- as many as it takes ---- */

static void who_has_time_calls_nobody(void **state)
{
	static const uint32_t offered[] = {0, 100, 700, 900};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(offered); i++) {
		struct world world = make_world(offered[i]);

		pass(&world, 2 * SECOND);
		assert_int_equal(world.n_changes, 0);
	}
}

static void who_has_none_is_helped_within_some_windows(void **state)
{
	static const struct {
		uint32_t offered;
		uint16_t helpers;
	} loads[] = {{960, 1}, {1000, 1}, {1300, 1}, {1800, 1}, {2700, 2}, {4500, 4}};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(loads); i++) {
		struct world world = make_world(100);

		world.noise = 0;
		pass(&world, SECOND);
		world.offered = loads[i].offered;
		pass(&world, SOON + loads[i].helpers * 8);
		assert_in_range(world.helpers.n, loads[i].helpers, loads[i].helpers + 2);
	}
}

/* Who finds a few packets each time has no time, and could do with more of them. */
static void who_receives_small_batches_is_let_alone(void **state)
{
	struct world world = make_world(1000);

	(void)state;
	pass(&world, SOON);
	assert_int_equal(world.helpers.n, 1);
	world.is_small = true;
	pass(&world, SOON);
	assert_int_equal(world.helpers.n, 0);
	pass(&world, SECOND);
	assert_int_equal(world.n_changes, 2);
}

/* Lcores that wait for each other have time, and yet are too slow. */
static void who_is_behind_is_helped_though_it_has_time(void **state)
{
	struct world world = make_world(700);

	(void)state;
	world.is_behind = true;
	pass(&world, MOST * 8);
	assert_int_equal(world.helpers.n, MOST);
	pass(&world, SECOND);
	assert_int_equal(world.n_changes, MOST);
	world.is_behind = false;
	pass(&world, MOST * 8);
	assert_int_equal(world.helpers.n, 0);
}

static void they_go_within_some_windows(void **state)
{
	struct world world = make_world(4500);

	(void)state;
	pass(&world, SECOND);
	assert_true(world.helpers.n >= 4);
	world.offered = 1300;
	pass(&world, 2 * SOON);
	assert_int_equal(world.helpers.n, 1);
	world.offered = 300;
	pass(&world, SOON);
	assert_int_equal(world.helpers.n, 0);
}

static void there_are_never_more_than_there_can_be(void **state)
{
	(void)state;
	for (uint16_t most = 0; most < 3; most++) {
		struct world world = make_world(50000);

		world.most = most;
		pass(&world, SECOND);
		assert_int_equal(world.helpers.n, most);
		assert_int_equal(world.n_changes, most);
	}
}

/* ---- without swinging ---- */

/* Tries to do with less come later and later: in eight seconds ten or so, and as many calls. */
static void a_load_that_stays_changes_little(void **state)
{
	static const uint32_t offered[] = {700, 960, 1000, 1300, 2700};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(offered); i++)
		for (uint64_t seed = 1; seed <= 3; seed++) {
			struct world world = make_world(offered[i]);
			unsigned int before;

			world.random = seed;
			pass(&world, 8 * SECOND);
			assert_in_range(world.n_changes, 0, 2 * 10 + 4);
			before = world.n_changes;
			pass(&world, 8 * SECOND);
			assert_in_range(world.n_changes - before, 0, 2 * 3);
		}
}

/* Nobody is let go whose work the others could not do, but for a try. */
static void work_does_not_wait(void **state)
{
	static const uint32_t offered[] = {1300, 1800, 2700};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(offered); i++) {
		struct world world = make_world(offered[i]);

		pass(&world, 2 * SOON);
		for (int window = 0; window < 8 * SECOND; window++) {
			pass_window(&world);
			assert_true(world.helpers.n >= offered[i] / LOAD_FULL);
			assert_int_equal(world.waiting, 0);
		}
	}
}

/* A view of an lcore that one helper leaves `load` to do, and that has none without. */
static void review(struct helpers *helpers, uint32_t load)
{
	const struct helpers_view alone = {.load = LOAD_FULL, .share = LOAD_FULL};
	const struct helpers_view helped = {.load = load, .share = LOAD_FULL / 2};

	helpers_review(helpers, helpers->n == 0 ? &alone : &helped, 1);
}

/* Windows until it has let one go. */
static unsigned int windows_until(struct helpers *helpers, uint16_t n, uint32_t load)
{
	unsigned int windows = 0;

	for (; helpers->n != n; windows++) {
		assert_in_range(windows, 0, 8 * SECOND);
		review(helpers, load);
	}
	return windows;
}

static void each_try_that_was_wrong_doubles_the_patience(void **state)
{
	struct helpers helpers;
	unsigned int last = 0;

	(void)state;
	helpers_init(&helpers);
	for (int i = 0; i < 12; i++) {
		unsigned int windows;

		assert_in_range(windows_until(&helpers, 1, 500), 1, 8);
		windows = windows_until(&helpers, 0, 500);
		if (i > 0 && i < 8)
			assert_in_range(windows, 2 * (last - 4), 2 * last);
		assert_in_range(windows, last, 4 * SECOND + SECOND / 4);
		last = windows;
	}
	assert_in_range(last, 3 * SECOND, 4 * SECOND + SECOND / 4);
}

static void a_try_that_was_right_ends_the_patience(void **state)
{
	struct helpers helpers, fresh;

	(void)state;
	helpers_init(&fresh);
	helpers_init(&helpers);
	for (int i = 0; i < 4; i++) {
		windows_until(&helpers, 1, 500);
		windows_until(&helpers, 0, 500);
	}
	assert_true(helpers.patience > fresh.patience);
	for (int i = 0; i < 5 * SECOND; i++) {
		const struct helpers_view view = {.load = 700, .share = LOAD_FULL};

		helpers_review(&helpers, &view, 1);
	}
	assert_int_equal(helpers.n, 0);
	assert_int_equal(helpers.patience, fresh.patience);
}

/* All of its batches may have been received by others. */
static void an_owner_without_a_share_keeps_its_helpers(void **state)
{
	struct helpers helpers;

	(void)state;
	helpers_init(&helpers);
	windows_until(&helpers, 1, 500);
	for (int i = 0; i < SECOND; i++) {
		const struct helpers_view view = {.load = 900, .share = 0};

		helpers_review(&helpers, &view, 1);
		assert_int_equal(helpers.n, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_time_calls_nobody),
		cmocka_unit_test(who_has_none_is_helped_within_some_windows),
		cmocka_unit_test(who_receives_small_batches_is_let_alone),
		cmocka_unit_test(who_is_behind_is_helped_though_it_has_time),
		cmocka_unit_test(they_go_within_some_windows),
		cmocka_unit_test(there_are_never_more_than_there_can_be),
		cmocka_unit_test(a_load_that_stays_changes_little),
		cmocka_unit_test(work_does_not_wait),
		cmocka_unit_test(each_try_that_was_wrong_doubles_the_patience),
		cmocka_unit_test(a_try_that_was_right_ends_the_patience),
		cmocka_unit_test(an_owner_without_a_share_keeps_its_helpers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
