/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long packets of one flow take from the time at which they come until the sink has them: auto
 * on two real lcores beside vanilla on one, both with lcores that poll while idle and with lcores
 * that sleep, at half of what vanilla carries just then, and at 1000 packets/s. The source stamps
 * each with the time that it was due, so that what waits because no lcore looks is counted. All
 * runs of a round are made one after the other, and count if nobody else was at work on the cores
 * (rounds.h).
 *
 * usage: bench-latency [EAL options, three lcores: main, a worker on the same CPU, one on another]
 * [-- ROUNDS]: how many must count (20)
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "ends.h"
#include "engine/lcore.h"
#include "numbers.h"
#include "rounds.h"

#define ROUNDS_DEFAULT 20
#define ROUNDS_LEAST 6 /* to print */
#define QUIETEST 4     /* one round of so many counts */
#define RUNS_MAX 256
#define CREDITS 2048
#define FULL_MS 5
#define HALF_MS 20
#define FEW_MS 200
#define FEW_RATE 1000 /* packets/s */
#define CORES 2
#define US_PER_SECOND 1e6

static const struct {
	const char *mode;
	uint16_t n_lcores;
	bool sleeps; /* lcores that have nothing to do */
} subjects[] = {
	{"vanilla", 1, false}, {"auto", CORES, false}, {"vanilla", 1, true}, {"auto", CORES, true}};

#define SUBJECTS RTE_DIM(subjects)
#define VANILLA 0 /* polls */

enum { HALF, FEW, LOADS };

static const char *const load_names[LOADS] = {"half load", "1000 packets/s"};
static const uint16_t frame_sizes[] = {64, 1450};

#define CELLS (LOADS * RTE_DIM(frame_sizes))

/* All of them doubles. */
struct result {
	double offered, pps;
	double p50, p99; /* us */
};

static struct result results[CELLS][RUNS_MAX][SUBJECTS];
static struct numbers numbers[CELLS][SUBJECTS]; /* of all runs */

/* ---- a run ---- */

static struct dataplane *start(struct tables *tables, unsigned int subject, uint16_t frame_bytes)
{
	struct dataplane_config config = {.clock = {.read = clock_tsc, .hz = rte_get_tsc_hz()},
		.n_lcores = subjects[subject].n_lcores,
		.credits = CREDITS,
		.sleeps = subjects[subject].sleeps};
	unsigned int id = rte_get_next_lcore(-1, 1, 0);
	struct dataplane *dataplane;
	struct error error;

	plan_set(&config.plan, plan_mode_find(subjects[subject].mode));
	for (uint16_t i = 0; i < config.n_lcores; i++, id = rte_get_next_lcore(id, 1, 0))
		config.lcore_ids[i] = id;
	dataplane = dataplane_create(&config, &error);
	if (dataplane == NULL)
		rte_exit(EXIT_FAILURE, "%s\n", error.text);
	ends_set(tables, SINK, TO_CONTAINER, frame_bytes - RTE_ETHER_CRC_LEN, NULL);
	numbers_begin();
	dataplane_publish(dataplane, tables);
	return dataplane;
}

/* Lets the lcores run; returns packets/s. */
static double carry(struct dataplane *dataplane, unsigned int ms)
{
	uint64_t begin = rte_rdtsc(), delivered;
	double pps;

	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		rte_eal_remote_launch(lcore_run, dataplane->lcores[i], dataplane->lcore_ids[i]);
	usleep(ms * 1000);
	delivered = dataplane_conservation(dataplane).delivered;
	pps = delivered * (double)rte_get_tsc_hz() / (rte_rdtsc() - begin);
	fixture_stop(dataplane);
	return pps;
}

/* What vanilla carries at most. */
static double measure_most(struct tables *tables, uint16_t frame_bytes)
{
	struct dataplane *dataplane = start(tables, VANILLA, frame_bytes);
	double pps = carry(dataplane, FULL_MS);

	dataplane_free(dataplane);
	return RTE_MAX(pps, 1.0);
}

static struct result run(
	struct tables *tables, unsigned int cell, unsigned int subject, double offered)
{
	struct dataplane *dataplane = start(tables, subject, frame_sizes[cell / LOADS]);
	double us = US_PER_SECOND / rte_get_tsc_hz();
	struct result result = {.offered = offered};

	ends_schedule(offered);
	result.pps = carry(dataplane, cell % LOADS == HALF ? HALF_MS : FEW_MS);
	numbers_end(&numbers[cell][subject], dataplane);
	dataplane_free(dataplane);
	result.p50 = histogram_quantile(ends_latency(), 0.5) * us;
	result.p99 = histogram_quantile(ends_latency(), 0.99) * us;
	return result;
}

/* Who is first changes from run to run. */
static void run_cell(struct tables *tables, unsigned int cell, unsigned int number)
{
	unsigned int round = number * CELLS + cell;
	double offered = FEW_RATE;

	rounds_begin(round);
	if (cell % LOADS == HALF)
		offered = measure_most(tables, frame_sizes[cell / LOADS]) / 2;
	for (unsigned int i = 0; i < SUBJECTS; i++) {
		unsigned int subject = (i + number) % SUBJECTS;

		results[cell][number][subject] = run(tables, cell, subject, offered);
	}
	rounds_end(round);
}

/* ---- figures ---- */

/* The runs of a cell that count. */
struct runs {
	unsigned int n;
	unsigned int list[RUNS_MAX];
};

static struct runs runs_at(unsigned int cell, enum distance_class class, unsigned int all)
{
	struct runs runs = {.n = 0};

	for (unsigned int run = 0; run < all; run++)
		if (rounds_classes[run * CELLS + cell] == class)
			runs.list[runs.n++] = run;
	return runs;
}

static double member(unsigned int cell, unsigned int run, unsigned int subject, size_t offset)
{
	return *(const double *)((const char *)&results[cell][run][subject] + offset);
}

static double median_of(
	unsigned int cell, const struct runs *runs, unsigned int subject, size_t offset)
{
	double values[RUNS_MAX];

	for (unsigned int i = 0; i < runs->n; i++)
		values[i] = member(cell, runs->list[i], subject, offset);
	return fixture_median(values, runs->n);
}

static void print_ratio(unsigned int cell, const struct runs *runs, unsigned int subject,
	const char *name, size_t offset)
{
	double values[RUNS_MAX], median, low, high;

	for (unsigned int i = 0; i < runs->n; i++)
		values[i] = member(cell, runs->list[i], subject, offset) /
			    RTE_MAX(member(cell, runs->list[i], VANILLA, offset), 1e-3);
	median = fixture_median(values, runs->n);
	fixture_interval(values, runs->n, &low, &high);
	printf("\"%s_to_vanilla\": %.3f, \"%s_interval\": [%.3f, %.3f], ", name, median, name, low,
		high);
}

static void print_row(
	unsigned int cell, const struct runs *runs, enum distance_class class, unsigned int subject)
{
	printf("{\"scenario\": \"latency, %s, idle lcores %s, %s\", \"system\": \"weft\", "
	       "\"mode\": \"%s\", "
	       "\"lcores\": %u, \"clock\": \"real\", \"frame_bytes\": %u, \"flows\": 1, "
	       "\"port\": \"ring\", ",
		load_names[cell % LOADS], subjects[subject].sleeps ? "sleep" : "poll",
		rounds_class_names[class], subjects[subject].mode, subjects[subject].n_lcores,
		frame_sizes[cell / LOADS]);
	printf("\"offered_pps\": %.0f, \"pps\": %.0f, \"p50_us\": %.3f, \"p99_us\": %.3f, ",
		median_of(cell, runs, subject, offsetof(struct result, offered)),
		median_of(cell, runs, subject, offsetof(struct result, pps)),
		median_of(cell, runs, subject, offsetof(struct result, p50)),
		median_of(cell, runs, subject, offsetof(struct result, p99)));
	print_ratio(cell, runs, subject, "p50", offsetof(struct result, p50));
	print_ratio(cell, runs, subject, "p99", offsetof(struct result, p99));
	numbers_print(&numbers[cell][subject]);
	printf(", \"limit\": \"sources\", \"pairs\": %u}\n", runs->n);
}

static void print(unsigned int all)
{
	for (int class = 0; class < DISTANCE_CLASSES; class ++) {
		for (unsigned int cell = 0; cell < CELLS; cell++) {
			const struct runs runs = runs_at(cell, class, all);

			for (unsigned int i = 0; i < SUBJECTS && runs.n >= ROUNDS_LEAST; i++)
				print_row(cell, &runs, class, i);
		}
	}
}

/* ---- the whole ---- */

static bool has_enough(unsigned int cell, unsigned int all, unsigned int enough)
{
	for (int class = 0; class < DISTANCE_CLASSES; class ++)
		if (runs_at(cell, class, all).n >= enough)
			return true;
	return false;
}

/* Returns how many cells have not enough runs yet. */
static unsigned int run_round(struct tables *tables, unsigned int number, unsigned int enough)
{
	unsigned int missing = 0;

	for (unsigned int cell = 0; cell < CELLS; cell++)
		run_cell(tables, cell, number);
	rounds_take_quietest((number + 1) * CELLS, QUIETEST);
	for (unsigned int cell = 0; cell < CELLS; cell++)
		missing += !has_enough(cell, number + 1, enough);
	if (number % 10 == 9 || missing == 0)
		fprintf(stderr, "round %u: %u of %zu cells want more runs\n", number + 1, missing,
			CELLS);
	return missing;
}

int main(int argc, char **argv)
{
	int first = fixture_init(argc, argv) + 1;
	unsigned int enough = argc > first ? RTE_MAX(atoi(argv[first]), 1) : ROUNDS_DEFAULT;
	unsigned int rounds = 0;
	struct tables *tables;

	enough = RTE_MAX(enough, (unsigned int)ROUNDS_LEAST);
	rounds_init();
	tables = fixture_tables(&fixture_uplink);
	while (rounds < RUNS_MAX && run_round(tables, rounds++, enough) > 0)
		;
	print(rounds);
	return 0;
}
