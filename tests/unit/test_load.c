/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/random.h"
#include "steer/load.h"
#include "steer/smooth.h"

#define HZ 2100000000ULL
#define MICROSECOND (HZ / 1000000)
#define WINDOW (250 * MICROSECOND)

/* An lcore that works for a share of its time. */
struct worker {
	struct load load;
	uint64_t now;
	uint64_t busy;
};

static struct worker worker_begin(void)
{
	struct worker worker = {.now = 12345};

	load_begin(&worker.load, worker.now, HZ);
	return worker;
}

/* One window, whatever its length. */
static uint32_t work(struct worker *worker, uint64_t length, uint32_t permille)
{
	worker->now += length;
	worker->busy += length * permille / 1000;
	load_update(&worker->load, worker->now, worker->busy, 0);
	return load_read(&worker->load);
}

static uint32_t work_for(struct worker *worker, uint64_t time, uint64_t length, uint32_t permille)
{
	for (; time > 0; time -= length)
		work(worker, length, permille);
	return load_read(&worker->load);
}

static void assert_near(double value, double wanted, double distance)
{
	if (fabs(value - wanted) > distance)
		fail_msg("%g is not within %g of %g", value, distance, wanted);
}

/* ---- smoothing ---- */

static void smoothing_is_exponential(void **state)
{
	(void)state;
	for (uint64_t time = 0; time < 1000000; time += 1 + time / 10) {
		double left = 1000 * exp(-(double)time / 1000);

		assert_near(
			smooth(1000 * SMOOTH_ONE, 0, time, 1000) / (double)SMOOTH_ONE, left, 30);
		assert_near(smooth(0, 1000, time, 1000) / (double)SMOOTH_ONE, 1000 - left, 30);
	}
}

static void what_is_constant_is_its_own_average(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint32_t from = random_next(&random), to = random_next(&random);
		int64_t average = (int64_t)from * SMOOTH_ONE;

		assert_int_equal(
			smooth(average, from, 1 + random_below(&random, 5000), 1000), average);
		for (int j = 0; j < 10000; j++)
			average = smooth(average, to, 10, 1000);
		assert_int_equal(average, (int64_t)to * SMOOTH_ONE);
	}
}

/* ---- load ---- */

static void it_is_due_after_a_window(void **state)
{
	struct worker worker = worker_begin();

	(void)state;
	assert_false(load_is_due(&worker.load, worker.now));
	assert_false(load_is_due(&worker.load, worker.now + WINDOW - 1));
	assert_true(load_is_due(&worker.load, worker.now + WINDOW));
	work(&worker, 3 * WINDOW, 500);
	assert_false(load_is_due(&worker.load, worker.now + WINDOW - 1));
	assert_true(load_is_due(&worker.load, worker.now + WINDOW));
}

static void a_constant_load_is_told_exactly(void **state)
{
	(void)state;
	for (uint32_t permille = 0; permille <= 1000; permille += 125) {
		struct worker worker = worker_begin();

		assert_int_equal(load_read(&worker.load), 0);
		assert_int_equal(work_for(&worker, 100 * WINDOW, WINDOW, permille), permille);
	}
}

/* In a millisecond 1 - 1/e of the way, and nearly all of it in five. */
static void it_follows_within_a_millisecond(void **state)
{
	struct worker worker = worker_begin();

	(void)state;
	assert_near(work_for(&worker, 4 * WINDOW, WINDOW, 1000), 632, 10);
	assert_near(work_for(&worker, 16 * WINDOW, WINDOW, 1000), 993, 5);
	assert_near(work_for(&worker, 4 * WINDOW, WINDOW, 0), 367, 10);
}

/* A window of any length does what the windows in it would have done. */
static void long_windows_count_for_as_much_as_they_are_long(void **state)
{
	(void)state;
	for (uint64_t n = 1; n < 100; n++) {
		struct worker one = worker_begin(), many = worker_begin();

		work_for(&one, 20 * WINDOW, WINDOW, 900);
		work_for(&many, 20 * WINDOW, WINDOW, 900);
		assert_near(
			work(&one, n * WINDOW, 100), work_for(&many, n * WINDOW, WINDOW, 100), 30);
	}
}

static void a_long_sleep_leaves_nothing(void **state)
{
	struct worker worker = worker_begin();

	(void)state;
	work_for(&worker, 20 * WINDOW, WINDOW, 1000);
	assert_int_equal(work(&worker, 3600 * HZ, 0), 0);
	work_for(&worker, 20 * WINDOW, WINDOW, 0);
	assert_int_equal(work(&worker, 3600 * HZ, 1000), LOAD_FULL);
}

static void an_lcore_with_much_waiting_is_full_at_once(void **state)
{
	struct worker worker = worker_begin();

	(void)state;
	work_for(&worker, 100 * WINDOW, WINDOW, 500);
	worker.now += WINDOW;
	worker.busy += WINDOW / 2;
	load_update(&worker.load, worker.now, worker.busy, LOAD_DEEP + 1);
	assert_int_equal(load_read(&worker.load), LOAD_FULL);
	worker.now += WINDOW;
	worker.busy += WINDOW / 2;
	load_update(&worker.load, worker.now, worker.busy, LOAD_DEEP);
	assert_int_equal(load_read(&worker.load), 500);
}

/* A round's time is accounted for at its end, so that of a long one may belong to the window
 * before.
 */
static void it_is_never_more_than_full(void **state)
{
	struct worker worker = worker_begin();

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_true(work(&worker, WINDOW, 1500) <= LOAD_FULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(smoothing_is_exponential),
		cmocka_unit_test(what_is_constant_is_its_own_average),
		cmocka_unit_test(it_is_due_after_a_window),
		cmocka_unit_test(a_constant_load_is_told_exactly),
		cmocka_unit_test(it_follows_within_a_millisecond),
		cmocka_unit_test(long_windows_count_for_as_much_as_they_are_long),
		cmocka_unit_test(a_long_sleep_leaves_nothing),
		cmocka_unit_test(an_lcore_with_much_waiting_is_full_at_once),
		cmocka_unit_test(it_is_never_more_than_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
