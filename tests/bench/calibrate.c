/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What things cost on this machine, for the virtual clock (src/virtual/costs.h): the price of cache
 * lines that cross between two CPUs, the steps of the data path, and ports. All take turns,
 * round after round, in one run; figures are medians over the rounds. Prices are by the
 * distance of the two CPUs, and only rounds that began and ended at one distance count for them.
 * Rounds in which a probe took longer than in the best one do not count: others were at work.
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

#include "../traffic/distance.h"
#include "fixture.h"

#define ROUNDS_DEFAULT 20
#define FAR_CYCLES 400 /* a round trip from here on is far */
#define TSC_READS 1000
#define PROBE_TURNS 20000
#define QUIET 1.1 /* times the best probe's cycles */

unsigned int calibrate_partner;
bool calibrate_own_netns;
double calibrate_tsc_cycles;
enum distance_class calibrate_classes[ROUNDS_MAX];
uint64_t calibrate_distances[ROUNDS_MAX];
const char *const calibrate_class_names[DISTANCE_CLASSES] = {"near", "far"};

static double probes[ROUNDS_MAX];
static bool quiet[ROUNDS_MAX];

unsigned int calibrate_count(enum distance_class class, unsigned int rounds)
{
	unsigned int n = 0;

	for (unsigned int round = 0; round < rounds; round++)
		n += calibrate_classes[round] == class;
	return n;
}

enum distance_class calibrate_majority(unsigned int rounds)
{
	return calibrate_count(FAR, rounds) > calibrate_count(NEAR, rounds) ? FAR : NEAR;
}

static enum distance_class class_of(uint64_t distance)
{
	if (distance == 0)
		return UNKNOWN;
	return distance < FAR_CYCLES ? NEAR : FAR;
}

/* EAL's own answer is the number of a core, not of the CPU the thread is on. */
static unsigned int cpu_of(unsigned int lcore_id)
{
	rte_cpuset_t cpus = rte_lcore_cpuset(lcore_id);
	unsigned int cpu = 0;

	while (cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &cpus))
		cpu++;
	return cpu;
}

static uint64_t measure_distance(void)
{
	return distance_measure(cpu_of(calibrate_partner));
}

/* Cycles of a fixed piece of work that keeps a core's units busy, so that it takes longer when a
 * thread beside it is busy, too. */
static double probe(void)
{
	uint64_t begin = rte_rdtsc(), sums[8] = {1, 2, 3, 4, 5, 6, 7, 8};

	for (int i = 0; i < PROBE_TURNS; i++)
		for (unsigned int j = 0; j < RTE_DIM(sums); j++) {
			sums[j] = sums[j] * 5 + i;
			asm volatile("" : "+r"(sums[j]));
		}
	return rte_rdtsc() - begin;
}

static double measure_tsc(void)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < TSC_READS; i++) {
		uint64_t begin = rte_rdtsc();

		best = RTE_MIN(best, rte_rdtsc() - begin);
	}
	return best;
}

static void run_round(unsigned int round)
{
	uint64_t before = measure_distance(), after;
	double probed = probe();

	lines_round(round);
	after = measure_distance();
	calibrate_distances[round] = (before + after) / 2;
	calibrate_classes[round] = class_of(before) == class_of(after) ? class_of(after) : UNKNOWN;
	probed = RTE_MAX(probed, probe());
	steps_round(round);
	ports_round(round);
	probes[round] = RTE_MAX(probed, probe());
	fprintf(stderr, "round %u: distance %lu, then %lu cycles, probe %.0f\n", round + 1, before,
		after, probes[round]);
}

/* In the others there was other work on the CPU, or on a thread beside it. */
static void find_quiet_rounds(unsigned int rounds)
{
	double best = probes[0];
	unsigned int n = 0;

	for (unsigned int round = 0; round < rounds; round++)
		best = RTE_MIN(best, probes[round]);
	for (unsigned int round = 0; round < rounds; round++) {
		quiet[round] = probes[round] <= QUIET * best;
		n += quiet[round];
		if (!quiet[round])
			calibrate_classes[round] = UNKNOWN;
	}
	fprintf(stderr, "%u of %u rounds were quiet, and count\n", n, rounds);
}

double calibrate_median(const double *samples, unsigned int rounds)
{
	double values[ROUNDS_MAX];
	unsigned int n = 0;

	for (unsigned int round = 0; round < rounds; round++)
		if (quiet[round])
			values[n++] = samples[round];
	return fixture_median(values, n);
}

/* The last worker is on another CPU than main. */
static void find_partner(void)
{
	unsigned int id;

	RTE_LCORE_FOREACH_WORKER(id)
	{
		calibrate_partner = id;
	}
	if (cpu_of(calibrate_partner) == cpu_of(rte_get_main_lcore()))
		rte_exit(EXIT_FAILURE, "bench-calibrate: the last lcore must be on another CPU "
				       "than the main lcore: --lcores '0@0,1@0,2@1'\n");
}

static void print(unsigned int rounds)
{
	printf("{\"costs\": {\"section\": \"machine\", \"hz\": %lu}}\n", rte_get_tsc_hz());
	steps_print(rounds);
	lines_print(rounds);
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
	find_partner();
	calibrate_tsc_cycles = measure_tsc();
	lines_init();
	steps_init();
	ports_init(argc > first + 1 ? argv[first + 1] : "/tmp");
	for (unsigned int round = 0; round < rounds; round++)
		run_round(round);
	ports_close();
	find_quiet_rounds(rounds);
	if (calibrate_count(NEAR, rounds) + calibrate_count(FAR, rounds) == 0)
		rte_exit(EXIT_FAILURE, "bench-calibrate: no quiet round began and ended with the "
				       "CPUs at one distance; the machine is too busy\n");
	print(rounds);
	return 0;
}
