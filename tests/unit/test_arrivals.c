/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "traffic/arrivals.h"

#define HZ 1000000000ULL
#define RATE 1000000ULL
#define SECOND HZ

static const struct arrivals_config plain = {
	.kind = ARRIVALS_CONSTANT, .exponent = 110, .flows = 1, .hz = HZ, .rate = RATE, .seed = 1};

static struct arrivals make(const struct arrivals_config *config)
{
	struct arrivals arrivals;

	assert_int_equal(arrivals_init(&arrivals, config), 0);
	return arrivals;
}

/* Packets up to a time; each flow's numbers must follow each other, and times must not decrease. */
static uint64_t count_until(struct arrivals *arrivals, uint64_t until, uint64_t *of_flow)
{
	struct arrival arrival;
	uint64_t n = 0, last = 0;

	while (arrivals_take(arrivals, until, &arrival)) {
		assert_true(arrival.time >= last && arrival.time <= until);
		last = arrival.time;
		if (of_flow != NULL)
			assert_int_equal(arrival.sequence, of_flow[arrival.flow]++);
		n++;
	}
	return n;
}

static uint64_t count_of(const struct arrivals_config *config, uint64_t until)
{
	struct arrivals arrivals = make(config);
	uint64_t n = count_until(&arrivals, until, NULL);

	arrivals_free(&arrivals);
	return n;
}

static void assert_near(double value, double wanted, double share)
{
	if (fabs(value - wanted) > share * wanted)
		fail_msg("%g is not within %g %% of %g", value, 100 * share, wanted);
}

/* ---- whole numbers in place of libm ---- */

static void logarithms_are_those_of_libm(void **state)
{
	static const uint64_t numbers[] = {1, 2, 3, 10, 1000, 65535, 1ULL << 40, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		double fixed = fixed_log2(numbers[i]) / (double)FIXED_ONE;
		double ln = fixed_minus_ln(numbers[i]) / (double)FIXED_ONE;

		assert_true(fabs(fixed - log2(numbers[i])) < 1e-8);
		assert_true(fabs(ln - (64 * log(2) - log(numbers[i]))) < 1e-7);
	}
}

static void powers_are_those_of_libm(void **state)
{
	(void)state;
	for (double x = 0; x < 40; x += 0.37) {
		double fixed = ldexp(fixed_exp2(x * FIXED_ONE), -64);

		assert_near(fixed, exp2(-x), 1e-7);
	}
	assert_int_equal(fixed_exp2(0), UINT64_MAX);
	assert_int_equal(fixed_exp2(64 * FIXED_ONE), 0);
}

/* ---- rates ---- */

static void constant_is_even(void **state)
{
	struct arrivals arrivals = make(&plain);
	struct arrival first, next;

	(void)state;
	assert_true(arrivals_take(&arrivals, UINT64_MAX - 1, &first));
	assert_true(first.time <= HZ / RATE);
	for (uint64_t i = 1; i < 1000; i++) {
		assert_true(arrivals_take(&arrivals, UINT64_MAX - 1, &next));
		assert_int_equal(next.time, first.time + i * HZ / RATE);
		assert_int_equal(next.sequence, i);
	}
	arrivals_free(&arrivals);
}

/* 3 packets a second of a clock of 1 GHz: a third of a cycle is not lost each time. */
static void fractions_of_a_cycle_add_up(void **state)
{
	struct arrivals_config config = plain;

	(void)state;
	config.rate = 300000007;
	assert_near(count_of(&config, SECOND / 100), config.rate / 100.0, 1e-5);
}

static void all_kinds_keep_the_rate(void **state)
{
	struct arrivals_config config = plain;

	(void)state;
	config.flows = 100;
	config.on = SECOND / 1000;
	config.off = SECOND / 500;
	for (int law = ARRIVALS_EQUAL; law <= ARRIVALS_HEAVY_TAILED; law++)
		for (int kind = ARRIVALS_CONSTANT; kind <= ARRIVALS_ON_OFF; kind++) {
			config.law = law;
			config.kind = kind;
			assert_near(count_of(&config, SECOND), RATE, 0.01);
		}
}

static void poisson_gaps_are_exponential(void **state)
{
	struct arrivals_config config = plain;
	struct arrivals arrivals;
	struct arrival arrival;
	uint64_t last = 0;
	double sum = 0, squares = 0, long_ones = 0, mean = (double)HZ / RATE;
	const int n = 200000;

	(void)state;
	config.kind = ARRIVALS_POISSON;
	arrivals = make(&config);
	for (int i = 0; i < n; i++) {
		assert_true(arrivals_take(&arrivals, UINT64_MAX - 1, &arrival));
		sum += arrival.time - last;
		squares += (double)(arrival.time - last) * (arrival.time - last);
		long_ones += arrival.time - last > 3 * mean;
		last = arrival.time;
	}
	assert_near(sum / n, mean, 0.01);
	assert_near(squares / n - (sum / n) * (sum / n), mean * mean, 0.02);
	assert_near(long_ones / n, exp(-3), 0.05);
	arrivals_free(&arrivals);
}

static void heavy_tailed_flows_follow_zipf(void **state)
{
	struct arrivals_config config = plain;
	struct arrivals arrivals;
	uint64_t of_flow[1000] = {0};
	double sum = 0;

	(void)state;
	config.law = ARRIVALS_HEAVY_TAILED;
	config.flows = 1000;
	for (int i = 1; i <= 1000; i++)
		sum += pow(i, -1.1);
	arrivals = make(&config);
	count_until(&arrivals, 10 * SECOND, of_flow);
	for (int i = 1; i <= 1000; i *= 10)
		assert_near(of_flow[i - 1], 10 * RATE * pow(i, -1.1) / sum, 0.01);
	arrivals_free(&arrivals);
}

static void there_may_be_65535_flows(void **state)
{
	struct arrivals_config config = plain;
	struct arrivals arrivals;
	uint64_t *of_flow = calloc(ARRIVALS_FLOWS_MAX, sizeof(*of_flow));

	(void)state;
	config.flows = ARRIVALS_FLOWS_MAX;
	arrivals = make(&config);
	assert_near(count_until(&arrivals, SECOND / 2, of_flow), RATE / 2, 0.05);
	for (int i = 0; i < ARRIVALS_FLOWS_MAX; i++)
		assert_in_range(of_flow[i], 7, 8);
	arrivals_free(&arrivals);
	free(of_flow);
}

static void off_is_silent(void **state)
{
	struct arrivals_config config = plain;
	struct arrivals arrivals;
	struct arrival arrival;
	uint64_t last = 0;
	int pauses = 0;

	(void)state;
	config.kind = ARRIVALS_ON_OFF;
	config.on = SECOND / 1000;
	config.off = 3 * SECOND / 1000;
	arrivals = make(&config);
	while (arrivals_take(&arrivals, SECOND, &arrival)) {
		uint64_t gap = arrival.time - last;

		/* Four times as fast as the mean, or a pause. */
		if (last > 0 && gap > HZ / RATE) {
			assert_in_range(gap, config.off, config.off + HZ / RATE);
			pauses++;
		} else if (last > 0) {
			assert_in_range(gap, HZ / RATE / 4 - 1, HZ / RATE / 4 + 1);
		}
		last = arrival.time;
	}
	assert_in_range(pauses, 249, 251);
	arrivals_free(&arrivals);
}

static void a_jump_changes_the_rate(void **state)
{
	struct arrivals_config config = plain;

	(void)state;
	config.flows = 10;
	config.on = config.off = SECOND / 1000;
	config.jump_at = SECOND / 2;
	for (int kind = ARRIVALS_CONSTANT; kind <= ARRIVALS_ON_OFF; kind++) {
		config.kind = kind;
		config.jump_rate = RATE / 10;
		assert_near(count_of(&config, SECOND / 2), RATE / 2, 0.01);
		assert_near(count_of(&config, SECOND), RATE / 2 + RATE / 20, 0.01);
		/* A flow that waits long is not late for the jump. */
		config.rate = 1;
		config.jump_rate = RATE;
		assert_near(count_of(&config, SECOND), RATE / 2, 0.01);
		config.rate = RATE;
	}
}

/* ---- windows ---- */

#define ROUND_TRIP (SECOND / 1000)

static const struct arrivals_config windowed = {.kind = ARRIVALS_WINDOW,
	.flows = 1,
	.hz = HZ,
	.window = 10,
	.round_trip = ROUND_TRIP,
	.start = 12345,
	.seed = 1};

/* Whether a packet gets lost. */
typedef bool (*loss)(const struct arrival *arrival);

static bool never(const struct arrival *arrival)
{
	(void)arrival;
	return false;
}

static bool one_in_ten(const struct arrival *arrival)
{
	return arrival->sequence % 10 == 3;
}

static bool all_but_one_in_fifty(const struct arrival *arrival)
{
	return arrival->sequence % 50 != 0;
}

/* Packets of one flow that are sent in a second, where each takes `latency` to be delivered. */
static uint64_t send_windowed(const struct arrivals_config *config, uint64_t latency, loss is_lost)
{
	struct arrivals arrivals = make(config);
	struct arrival on_way[64], arrival;
	uint64_t first = 0, n = 0, now;

	while ((now = arrivals_next(&arrivals)) < config->start + SECOND) {
		if (first < n && on_way[first % 64].time + latency <= now) {
			now = on_way[first % 64].time + latency;
			if (!is_lost(&on_way[first % 64]))
				arrivals_delivered(&arrivals, 0, on_way[first % 64].sequence, now);
			first++;
			continue;
		}
		if (!arrivals_take(&arrivals, now, &arrival))
			continue;
		on_way[n++ % 64] = arrival;
		assert_true(n - first <= 64);
	}
	arrivals_free(&arrivals);
	return n;
}

static void a_window_limits_by_the_round_trip(void **state)
{
	struct arrivals_config config = windowed;

	(void)state;
	assert_near(send_windowed(&config, 0, never), 10 * 1000, 0.01);
	assert_near(send_windowed(&config, ROUND_TRIP, never), 10 * 500, 0.01);
	config.round_trip *= 4;
	assert_near(send_windowed(&config, 0, never), 10 * 250, 0.01);
	config.window = 20;
	assert_near(send_windowed(&config, 0, never), 20 * 250, 0.01);
}

static void a_window_may_have_a_rate_too(void **state)
{
	struct arrivals_config config = windowed;

	(void)state;
	config.rate = 2000;
	assert_near(send_windowed(&config, 0, never), 2000, 0.01);
	config.rate = 1000000;
	assert_near(send_windowed(&config, 0, never), 10 * 1000, 0.02);
}

static void a_loss_is_discovered_by_later_deliveries(void **state)
{
	(void)state;
	assert_near(send_windowed(&windowed, 0, one_in_ten), 10 * 1000, 0.05);
}

static void a_window_that_is_lost_is_given_up(void **state)
{
	uint64_t n = send_windowed(&windowed, 0, all_but_one_in_fifty);

	(void)state;
	/* A time-out (9 ms) takes nine times as long as an acknowledgement. */
	assert_in_range(n, 1000, 2000);
}

static void an_old_acknowledgement_changes_nothing(void **state)
{
	struct arrivals arrivals = make(&windowed);
	struct arrival arrival;
	uint64_t start = windowed.start, n = 0;

	(void)state;
	while (arrivals_take(&arrivals, start + ROUND_TRIP, &arrival))
		n++;
	assert_int_equal(n, 10);
	arrivals_delivered(&arrivals, 0, 9, start + ROUND_TRIP);
	while (arrivals_take(&arrivals, start + 2 * ROUND_TRIP, &arrival))
		n++;
	assert_int_equal(n, 20);
	for (int i = 0; i < 200; i++)
		arrivals_delivered(&arrivals, 0, i % 10, start + 2 * ROUND_TRIP);
	while (arrivals_take(&arrivals, start + 4 * ROUND_TRIP, &arrival))
		n++;
	assert_int_equal(n, 20);
	arrivals_free(&arrivals);
}

/* ---- seeds ---- */

#define SEED_1 0xd4271d23a93cf358ULL /* of 10,000 times and flows */

static uint64_t digest_of(const struct arrivals_config *config)
{
	struct arrivals arrivals = make(config);
	struct arrival arrival;
	uint64_t digest = 0;

	for (int i = 0; i < 10000; i++) {
		assert_true(arrivals_take(&arrivals, UINT64_MAX - 1, &arrival));
		digest = (digest ^ arrival.time) * 0x100000001b3 + arrival.flow;
	}
	arrivals_free(&arrivals);
	return digest;
}

static void a_seed_gives_the_same_times_everywhere(void **state)
{
	struct arrivals_config config = plain;

	(void)state;
	config.kind = ARRIVALS_POISSON;
	config.law = ARRIVALS_HEAVY_TAILED;
	config.flows = 100;
	config.hz = 2893000000;
	assert_int_equal(digest_of(&config), digest_of(&config));
	assert_int_equal(digest_of(&config), SEED_1);
	config.seed = 2;
	assert_int_not_equal(digest_of(&config), SEED_1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logarithms_are_those_of_libm),
		cmocka_unit_test(powers_are_those_of_libm),
		cmocka_unit_test(constant_is_even),
		cmocka_unit_test(fractions_of_a_cycle_add_up),
		cmocka_unit_test(all_kinds_keep_the_rate),
		cmocka_unit_test(poisson_gaps_are_exponential),
		cmocka_unit_test(heavy_tailed_flows_follow_zipf),
		cmocka_unit_test(there_may_be_65535_flows),
		cmocka_unit_test(off_is_silent),
		cmocka_unit_test(a_jump_changes_the_rate),
		cmocka_unit_test(a_window_limits_by_the_round_trip),
		cmocka_unit_test(a_window_may_have_a_rate_too),
		cmocka_unit_test(a_loss_is_discovered_by_later_deliveries),
		cmocka_unit_test(a_window_that_is_lost_is_given_up),
		cmocka_unit_test(an_old_acknowledgement_changes_nothing),
		cmocka_unit_test(a_seed_gives_the_same_times_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
