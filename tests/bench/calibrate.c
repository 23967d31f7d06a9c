/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What things cost on this machine, for the virtual clock (src/virtual/costs.h): the price of cache
 * lines that cross between two CPUs, the steps of the data path, and ports. All take turns,
 * round after round, in one run; figures are medians over the rounds. Prices are by the
 * distance of the two CPUs, and only rounds that began and ended at one distance count for them.
 * The quietest rounds count: others are at work on the machine, too.
 *
 * Prints rows of JSON; `scripts/bench calibrate` makes a table and a file of costs of them.
 *
 * usage: bench-calibrate [EAL options, three lcores: main, a worker on the same CPU, one on
 * another] [-- ROUNDS [DIRECTORY]]; sockets are made in DIRECTORY (/tmp)
 */
#include "calibrate.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_lcore.h>

#include "fixture.h"

#define ROUNDS_DEFAULT 40
#define QUIETEST 8 /* one of so many counts */

bool calibrate_own_netns;

static void run_round(unsigned int round)
{
	rounds_begin(round);
	lines_round(round, true);
	steps_round(round);
	ports_round(round);
	rounds_end(round);
	fprintf(stderr, "round %u: distance %.0f cycles\n", round + 1, rounds_distances[round]);
}

static void print_contention(unsigned int rounds)
{
	for (int class = 0; class < DISTANCE_CLASSES; class ++)
		if (rounds_count(class, rounds) > 0)
			printf("{\"scenario\": \"contention: arithmetic beside a busy CPU, "
			       "%s\", " ROW ", \"times\": %.2f}\n",
				rounds_class_names[class], "bench", 2, 64, "bench",
				rounds_contention(class, rounds));
}

static void print(unsigned int rounds)
{
	fprintf(stderr, "reading the TSC takes %.1f cycles\n", rounds_tsc_cycles);
	printf("{\"costs\": {\"section\": \"machine\", \"hz\": %lu}}\n", rte_get_tsc_hz());
	steps_print(rounds);
	lines_print(rounds);
	print_contention(rounds);
	ports_print(rounds);
}

int main(int argc, char **argv)
{
	unsigned int rounds = ROUNDS_DEFAULT;
	int first;

	/* A network namespace of its own: whatever the TAP device carries stays there. */
	calibrate_own_netns = unshare(CLONE_NEWNET) == 0;
	first = fixture_init(argc, argv) + 1;
	if (argc > first)
		rounds = RTE_MIN(RTE_MAX(atoi(argv[first]), 1), ROUNDS_MAX);
	rounds_init();
	lines_init();
	steps_init();
	ports_init(argc > first + 1 ? argv[first + 1] : "/tmp");
	for (unsigned int round = 0; round < rounds; round++)
		run_round(round);
	ports_close();
	if (rte_mempool_avail_count(fixture_pool) != FIXTURE_MBUFS)
		rte_exit(EXIT_FAILURE, "bench-calibrate: %u mbufs were lost\n",
			FIXTURE_MBUFS - rte_mempool_avail_count(fixture_pool));
	fprintf(stderr, "the %u quietest of %u rounds count\n",
		rounds_take_quietest(rounds, QUIETEST), rounds);
	if (rounds_count(NEAR, rounds) + rounds_count(FAR, rounds) == 0)
		rte_exit(EXIT_FAILURE, "bench-calibrate: no quiet round began and ended with the "
				       "CPUs at one distance; the machine is too busy\n");
	print(rounds);
	return 0;
}
