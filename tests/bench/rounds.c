/* SPDX-License-Identifier: BSD-3-Clause */
#include "rounds.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_lcore.h>

#include "../traffic/distance.h"
#include "fixture.h"

#define FAR_CYCLES 400 /* a round trip from here on is far */
#define TSC_READS 1000
#define SHARED 1.4 /* times as long beside a busy CPU: they are threads of one core */
#define PROBE_TURNS 10000
#define PROBES 32
#define QUIETEST_MIN 5u

struct place {
	double distance; /* cycles; 0: not known */
	double contention;
};

unsigned int rounds_partner;
double rounds_tsc_cycles;
enum distance_class rounds_classes[ROUNDS_MAX];
static enum distance_class classes[ROUNDS_MAX]; /* whether it was quiet or not */
double rounds_distances[ROUNDS_MAX];
const char *const rounds_class_names[DISTANCE_CLASSES] = {"one core's threads", "near", "far"};

static struct place before;
static double slowest[ROUNDS_MAX]; /* probe, at begin or end, on either CPU */
static double contention[ROUNDS_MAX];
static bool partner_stops;
static bool counts[ROUNDS_MAX];

/* ---- looking ---- */

/* EAL's own answer is the number of a core, not of the CPU the thread is on. */
static unsigned int cpu_of(unsigned int lcore_id)
{
	rte_cpuset_t cpus = rte_lcore_cpuset(lcore_id);
	unsigned int cpu = 0;

	while (cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &cpus))
		cpu++;
	return cpu;
}

/* Cycles of a fixed piece of work that keeps a core's units busy, so that it takes longer when a
 * thread beside it is busy, too. */
static double probe_once(void)
{
	uint64_t begin = rte_rdtsc(), sums[8] = {1, 2, 3, 4, 5, 6, 7, 8};

	for (int i = 0; i < PROBE_TURNS; i++)
		for (unsigned int j = 0; j < RTE_DIM(sums); j++) {
			sums[j] = sums[j] * 5 + i;
			asm volatile("" : "+r"(sums[j]));
		}
	return rte_rdtsc() - begin;
}

static double probe(void)
{
	double values[PROBES];

	for (int i = 0; i < PROBES; i++)
		values[i] = probe_once();
	return fixture_median(values, PROBES);
}

static int probe_there(void *result)
{
	*(double *)result = probe();
	return 0;
}

/* On both CPUs, one after the other: they may be threads of one core. */
static void probe_both(unsigned int round)
{
	double here = probe(), there;

	rte_eal_remote_launch(probe_there, &there, rounds_partner);
	rte_eal_wait_lcore(rounds_partner);
	slowest[round] = RTE_MAX(slowest[round], RTE_MAX(here, there));
}

static int probe_until_stopped(void *unused)
{
	while (!__atomic_load_n(&partner_stops, __ATOMIC_RELAXED))
		probe_once();
	return unused != NULL;
}

/* How many times as long the probe takes when the other CPU does the same. */
static double measure_contention(void)
{
	double alone = probe(), beside;

	partner_stops = false;
	rte_eal_remote_launch(probe_until_stopped, NULL, rounds_partner);
	beside = probe();
	__atomic_store_n(&partner_stops, true, __ATOMIC_RELAXED);
	rte_eal_wait_lcore(rounds_partner);
	return beside / alone;
}

/* The clock may go in steps that are longer than reading it takes: a mean. */
static double measure_tsc(void)
{
	double values[PROBES];

	for (int i = 0; i < PROBES; i++) {
		uint64_t begin = rte_rdtsc();

		for (int j = 1; j < TSC_READS; j++)
			rte_rdtsc();
		values[i] = (double)(rte_rdtsc() - begin) / TSC_READS;
	}
	return fixture_median(values, PROBES);
}

static struct place measure_place(void)
{
	struct place place = {.distance = distance_measure(cpu_of(rounds_partner))};

	place.contention = measure_contention();
	return place;
}

static enum distance_class class_of(const struct place *place)
{
	if (place->distance == 0)
		return UNKNOWN;
	if (place->distance >= FAR_CYCLES)
		return FAR;
	return place->contention >= SHARED ? THREADS : NEAR;
}

/* ---- rounds ---- */

/* The last worker is on another CPU than main. */
static void find_partner(void)
{
	unsigned int id;

	RTE_LCORE_FOREACH_WORKER(id)
	{
		rounds_partner = id;
	}
	if (cpu_of(rounds_partner) == cpu_of(rte_get_main_lcore()))
		rte_exit(EXIT_FAILURE, "the last lcore must be on another CPU "
				       "than the main lcore: --lcores '0@0,1@0,2@1'\n");
}

void rounds_init(void)
{
	find_partner();
	rounds_tsc_cycles = measure_tsc();
}

enum distance_class rounds_look(void)
{
	struct place place = measure_place();

	return class_of(&place);
}

void rounds_begin(unsigned int round)
{
	before = measure_place();
	slowest[round] = 0;
	probe_both(round);
}

static void note_place(unsigned int round, const struct place *after)
{
	rounds_distances[round] = (before.distance + after->distance) / 2;
	contention[round] = (before.contention + after->contention) / 2;
	classes[round] = class_of(&before) == class_of(after) ? class_of(after) : UNKNOWN;
}

void rounds_end(unsigned int round)
{
	struct place after = measure_place();

	probe_both(round);
	note_place(round, &after);
}

static unsigned int count(unsigned int rounds)
{
	unsigned int n = 0;

	for (unsigned int round = 0; round < rounds; round++) {
		rounds_classes[round] = counts[round] ? classes[round] : UNKNOWN;
		n += counts[round];
	}
	return n;
}

unsigned int rounds_take_quietest(unsigned int rounds, unsigned int one_in)
{
	unsigned int most = RTE_MIN(RTE_MAX(rounds / one_in, QUIETEST_MIN), rounds);
	double sorted[ROUNDS_MAX];

	memcpy(sorted, slowest, rounds * sizeof(sorted[0]));
	fixture_sort(sorted, rounds);
	for (unsigned int round = 0; round < rounds; round++)
		counts[round] = slowest[round] <= sorted[most - 1];
	return count(rounds);
}

/* ---- figures ---- */

unsigned int rounds_count(enum distance_class class, unsigned int rounds)
{
	unsigned int n = 0;

	for (unsigned int round = 0; round < rounds; round++)
		n += rounds_classes[round] == class;
	return n;
}

enum distance_class rounds_majority(unsigned int rounds)
{
	enum distance_class most = THREADS;

	for (int class = 0; class < DISTANCE_CLASSES; class ++)
		if (rounds_count(class, rounds) > rounds_count(most, rounds))
			most = class;
	return most;
}

double rounds_median_at(enum distance_class class, const double *samples, unsigned int rounds)
{
	double values[ROUNDS_MAX];
	unsigned int n = 0;

	for (unsigned int round = 0; round < rounds; round++)
		if (rounds_classes[round] == class)
			values[n++] = samples[round];
	return fixture_median(values, n);
}

double rounds_median(const double *samples, unsigned int rounds)
{
	double values[ROUNDS_MAX];
	unsigned int n = 0;

	for (unsigned int round = 0; round < rounds; round++)
		if (counts[round])
			values[n++] = samples[round];
	return fixture_median(values, n);
}

double rounds_contention(enum distance_class class, unsigned int rounds)
{
	return rounds_median_at(class, contention, rounds);
}
