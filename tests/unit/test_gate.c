/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <rte_common.h>

#include "base/random.h"
#include "steer/gate.h"
#include "steer/smooth.h"

#define HZ 2000000000ULL
#define SECOND HZ
#define MILLISECOND (HZ / 1000)
#define STEP (MILLISECOND / 4)
#define THRESHOLD 850
#define STEERING 3
#define CHANGES_MAX 64

/* What the steering lcores and the door are like. */
struct machine {
	uint64_t rate;	 /* packets per second that fill all steering lcores */
	uint32_t closed; /* steering lcores that are used while the gate is closed */
	uint32_t door;	 /* the door's load at that rate, permille */
};

static const struct machine plain = {.rate = 2000000, .closed = 2, .door = 500};

/* A closed loop: the gate decides how many lcores do the work, and so what their average is. */
struct world {
	const struct machine *machine;
	struct gate gate;
	uint64_t now;
	uint64_t random;
	uint64_t offered;
	int64_t average, own; /* as the lcores' load would be: smoothed over a millisecond */
	unsigned int n_changes;
	uint64_t changes[CHANGES_MAX];
};

static struct world make_world(const struct machine *machine, uint64_t seed)
{
	static const struct gate_config config = {.threshold = THRESHOLD, .hz = HZ};
	struct world world = {.machine = machine, .random = seed, .now = 777, .offered = 1234567};

	gate_begin(&world.gate, &config, world.now, world.offered);
	return world;
}

/* So many packets come in a time in which `mean` do on the average: near to Poisson's law. */
static uint64_t arrivals(struct world *world, double mean)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += random_below(&world->random, 1 << 20) / (double)(1 << 20);
	return fmax(0, mean + sqrt(mean) * sum);
}

static uint32_t average_of(const struct world *world, double share)
{
	uint32_t used = world->gate.open ? STEERING : world->machine->closed;

	return 1000 * fmin(1, share * STEERING / used) * used / STEERING;
}

/* `load` is what is offered, in permille of what the steering lcores can do. */
static void step(struct world *world, uint32_t load)
{
	double mean = (double)world->machine->rate * load / 1000 * STEP / HZ;
	uint64_t packets = arrivals(world, mean);
	double share = packets / ((double)world->machine->rate * STEP / HZ);

	world->now += STEP;
	world->offered += packets;
	world->average = smooth(world->average, average_of(world, share), STEP, MILLISECOND);
	world->own =
		smooth(world->own, fmin(1000, share * world->machine->door), STEP, MILLISECOND);
	if (gate_update(&world->gate, world->now, smooth_read(world->average),
		    smooth_read(world->own), world->offered)) {
		assert_true(world->n_changes < CHANGES_MAX);
		world->changes[world->n_changes++] = world->now;
		assert_int_equal(world->gate.changes, world->n_changes);
		assert_int_equal(world->gate.open, world->n_changes % 2 == 0);
	}
}

static void run_for(struct world *world, uint64_t time, uint32_t load)
{
	for (uint64_t end = world->now + time; world->now < end;)
		step(world, load);
}

/* How long it takes until the gate is so, at most `most`. */
static uint64_t time_until(struct world *world, bool open, uint32_t load, uint64_t most)
{
	uint64_t begin = world->now;

	while (world->gate.open != open && world->now - begin < most)
		step(world, load);
	return world->now - begin;
}

/* ---- a constant load ---- */

static void assert_calm(const struct world *world)
{
	for (unsigned int i = 2; i < world->n_changes; i++)
		assert_true(world->changes[i] - world->changes[i - 2] >= 10 * SECOND);
}

static void a_constant_load_changes_it_twice_in_ten_seconds_at_most(void **state)
{
	static const struct machine machines[] = {
		{.rate = 2000000, .closed = 2, .door = 500},
		{.rate = 2000000, .closed = 1, .door = 500},
		{.rate = 2000000, .closed = 2, .door = 850}, /* the door at its limit */
		{.rate = 100000, .closed = 2, .door = 500},  /* much noise */
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(machines); i++) {
		for (uint32_t load = 600; load <= 1100; load += 20) {
			struct world world = make_world(&machines[i], load);

			run_for(&world, 30 * SECOND, load);
			assert_calm(&world);
		}
	}
}

static void it_stays_open_under_a_load_that_is_well_below_the_threshold(void **state)
{
	struct world world = make_world(&plain, 1);

	(void)state;
	run_for(&world, 30 * SECOND, THRESHOLD - 50);
	assert_int_equal(world.n_changes, 0);
}

/* Above the threshold it is open only for the moments of its tries. */
static void it_is_closed_above_the_threshold(void **state)
{
	struct world world = make_world(&plain, 1);

	(void)state;
	run_for(&world, 35 * SECOND, THRESHOLD + 50);
	assert_int_equal(world.n_changes, 7);
	for (unsigned int i = 2; i < world.n_changes; i += 2)
		assert_true(world.changes[i] - world.changes[i - 1] < 50 * MILLISECOND);
}

/* ---- a load that changes ---- */

static void a_rising_load_closes_it_within_20_ms(void **state)
{
	(void)state;
	for (uint32_t from = 0; from <= 800; from += 100) {
		struct world world = make_world(&plain, 2);

		run_for(&world, SECOND, from);
		assert_true(time_until(&world, false, 1100, SECOND) <= 20 * MILLISECOND);
	}
}

static void a_falling_load_opens_it_within_500_ms(void **state)
{
	(void)state;
	for (uint32_t to = 0; to <= 600; to += 100) {
		struct world world = make_world(&plain, 3);

		run_for(&world, 2 * SECOND, 1000);
		assert_false(world.gate.open);
		assert_true(time_until(&world, true, to, SECOND) <= 500 * MILLISECOND);
		run_for(&world, 20 * SECOND, to);
		assert_int_equal(world.n_changes, 2);
	}
}

/* The rate at which it closed is known, though it closed in the midst of the rise. */
static void it_knows_the_rate_after_a_sudden_rise(void **state)
{
	struct world world = make_world(&plain, 4);

	(void)state;
	run_for(&world, SECOND, 0);
	time_until(&world, false, 1000, SECOND);
	run_for(&world, 500 * MILLISECOND, 1000);
	assert_true(time_until(&world, true, 700, SECOND) <= 500 * MILLISECOND);
}

/* Each fall may open it once; no load between leaves it swinging. */
static void a_small_fall_does_not_make_it_swing(void **state)
{
	(void)state;
	for (uint32_t to = 600; to < 1000; to += 20) {
		struct world world = make_world(&plain, 5);

		run_for(&world, 2 * SECOND, 1000);
		run_for(&world, 30 * SECOND, to);
		assert_calm(&world);
	}
}

/* ---- its conditions, one by one ---- */

static struct world closed_world(void)
{
	struct world world = make_world(&plain, 6);

	run_for(&world, SECOND, 1000);
	assert_false(world.gate.open);
	return world;
}

/* What gate_update() is told for a time; true if the gate is open then. */
static bool is_open_after(
	struct world *world, uint64_t time, uint32_t average, uint32_t own, uint64_t rate)
{
	for (uint64_t end = world->now + time; world->now < end;) {
		world->now += MILLISECOND;
		world->offered += rate / 1000;
		gate_update(&world->gate, world->now, average, own, world->offered);
	}
	return world->gate.open;
}

static void a_full_door_does_not_tell_the_rate(void **state)
{
	struct world world = closed_world();

	(void)state;
	assert_false(is_open_after(&world, 5 * SECOND, 500, THRESHOLD, plain.rate / 2));
	assert_true(is_open_after(&world, SECOND, 500, THRESHOLD - 1, plain.rate / 2));
}

static void the_average_must_be_well_below_the_threshold(void **state)
{
	struct world world = closed_world();

	(void)state;
	assert_false(is_open_after(&world, 20 * SECOND, THRESHOLD - 100, 0, plain.rate / 2));
	assert_true(is_open_after(&world, SECOND, THRESHOLD - 101, 0, plain.rate / 2));
}

static void ten_seconds_after_closing_it_is_tried(void **state)
{
	struct world world = closed_world();

	(void)state;
	assert_false(is_open_after(&world,
		world.gate.closed_at + 10 * SECOND - world.now - 2 * MILLISECOND, 500, 0,
		plain.rate));
	assert_true(is_open_after(&world, 4 * MILLISECOND, 500, 0, plain.rate));
}

static void an_average_at_the_threshold_closes_it(void **state)
{
	struct world world = make_world(&plain, 7);

	(void)state;
	assert_true(is_open_after(&world, SECOND, THRESHOLD - 1, 0, plain.rate));
	assert_false(is_open_after(&world, SECOND, THRESHOLD, 0, plain.rate));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_constant_load_changes_it_twice_in_ten_seconds_at_most),
		cmocka_unit_test(it_stays_open_under_a_load_that_is_well_below_the_threshold),
		cmocka_unit_test(it_is_closed_above_the_threshold),
		cmocka_unit_test(a_rising_load_closes_it_within_20_ms),
		cmocka_unit_test(a_falling_load_opens_it_within_500_ms),
		cmocka_unit_test(it_knows_the_rate_after_a_sudden_rise),
		cmocka_unit_test(a_small_fall_does_not_make_it_swing),
		cmocka_unit_test(a_full_door_does_not_tell_the_rate),
		cmocka_unit_test(the_average_must_be_well_below_the_threshold),
		cmocka_unit_test(ten_seconds_after_closing_it_is_tried),
		cmocka_unit_test(an_average_at_the_threshold_closes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
