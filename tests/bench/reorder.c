/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What it costs to cut a flow into micro-flows and to put it in order again, beside what DPDK has
 * for that: rte_reorder, rte_distributor (which does not restore order: rte_reorder does so behind
 * it), and an ordered queue of the software event device. All carry the same packets, in bursts of
 * 32, over the same branches, which are served in the same turns; each takes its turn, round after
 * round, in one run.
 *
 * On one lcore a run is timed whole. What a system costs is by how much it takes longer than a run
 * that only takes the packets through the same rings: `cycles_per_packet` of weft and rte_reorder,
 * and of that what the parts make: stamping packets at the split, labels on the way from a branch,
 * and the merge. The other two have queues of their own, so `with_queues` is by
 * how much each takes longer than a run without any branch, weft and rte_reorder with their rings.
 *
 * On two lcores one splits and merges, and the other one is all the branches; `cycles_per_packet`
 * are then the cycles that both had something to do for, without those of the source.
 *
 * Packets are written, or untouched. Written: the source has just written the first line of the
 * mbuf and that of the data, and the branch reads both, as stages do; mbufs come again as they do
 * from a pool of 16,384. Untouched: nobody but the system touches packets, and each mbuf comes
 * again only after so many others, and in another place than they, that it is in no cache.
 *
 * usage: bench-reorder [EAL options, three lcores: main, a worker on the same CPU, one on another;
 * --vdev event_sw0] [-- ROUNDS]: how many must count (20)
 */
#include "reorder.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_lcore.h>

#include "fixture.h"
#include "rounds.h"

#define ROUNDS_DEFAULT 20
#define ROUNDS_LEAST 6 /* at one distance, to print what crosses between CPUs */
#define REPETITIONS_MAX 400
#define QUIETEST 4 /* one round of so many counts */
#define RUNS 5	   /* short ones, of each in a round */

/* ---- what is compared ---- */

static const struct scenario scenarios[] = {
	{"in order", 256, 1, false, true},
	{"two branches", 256, 2, false, true},
	{"four branches", 256, 4, false, true},
	{"one slow branch", 256, 2, true, true},
	{"two branches, batches of 1", 1, 2, false, false},
	{"two branches, batches of 16", 16, 2, false, false},
	{"two branches, batches of 64", 64, 2, false, false},
	{"two branches, batches of 1024", 1024, 2, false, false},
};

/* A scenario, with written packets or untouched ones. */
#define GROUPS (2 * RTE_DIM(scenarios))

static struct result results[GROUPS][REPETITIONS_MAX][KINDS];

/* ---- rounds: a group's systems, one after the other ---- */

static const struct scenario *scenario_of(unsigned int group)
{
	return &scenarios[group / 2];
}

static bool is_written(unsigned int group)
{
	return group % 2 == 0;
}

static bool takes_part(enum kind kind, unsigned int group)
{
	return scenario_of(group)->all || kind <= REORDER;
}

static struct result middle_of(const struct result *runs)
{
	double cycles[RUNS], pps[RUNS];

	for (unsigned int i = 0; i < RUNS; i++) {
		cycles[i] = runs[i].cycles;
		pps[i] = runs[i].pps;
	}
	return (struct result){fixture_median(cycles, RUNS), fixture_median(pps, RUNS)};
}

/* In turns; first those of one lcore, as the others leave the packets in another CPU's cache. */
static void run_kinds(unsigned int group, enum kind begin, enum kind end, struct result *middles)
{
	struct result runs[KINDS][RUNS] = {0};

	for (unsigned int i = 0; i < RUNS; i++)
		for (enum kind kind = begin; kind < end; kind++)
			if (takes_part(kind, group))
				runs[kind][i] =
					run_once(kind, scenario_of(group), is_written(group));
	for (enum kind kind = begin; kind < end; kind++)
		middles[kind] = middle_of(runs[kind]);
}

static void run_group(unsigned int group, unsigned int repetition)
{
	unsigned int round = repetition * GROUPS + group;

	rounds_begin(round);
	run_kinds(group, 0, KINDS_ALONE, results[group][repetition]);
	run_kinds(group, KINDS_ALONE, KINDS, results[group][repetition]);
	rounds_end(round);
}

/* ---- figures ---- */

/* The repetitions of a group that count. */
struct repetitions {
	unsigned int group;
	unsigned int n;
	unsigned int list[REPETITIONS_MAX];
};

/* Those at one distance of the CPUs; at any, if that is UNKNOWN. */
static void find_repetitions(
	struct repetitions *counting, unsigned int group, enum distance_class class, unsigned int n)
{
	counting->group = group;
	counting->n = 0;
	for (unsigned int i = 0; i < n; i++) {
		enum distance_class here = rounds_classes[i * GROUPS + group];

		if (class == UNKNOWN ? here != UNKNOWN : here == class)
			counting->list[counting->n++] = i;
	}
}

/* What a system takes more than another. */
static double extra(
	const struct repetitions *counting, unsigned int i, enum kind kind, enum kind other)
{
	const struct result *all = results[counting->group][counting->list[i]];

	return all[kind].cycles - all[other].cycles;
}

static double median_extra(const struct repetitions *counting, enum kind kind, enum kind other)
{
	double values[REPETITIONS_MAX];

	for (unsigned int i = 0; i < counting->n; i++)
		values[i] = extra(counting, i, kind, other);
	return fixture_median(values, counting->n);
}

static double median_ratio(
	const struct repetitions *counting, enum kind kind, enum kind other, enum kind base)
{
	double values[REPETITIONS_MAX];

	for (unsigned int i = 0; i < counting->n; i++)
		values[i] = extra(counting, i, kind, base) / extra(counting, i, other, base);
	return fixture_median(values, counting->n);
}

static double median_of(const struct repetitions *counting, enum kind kind, size_t offset)
{
	double values[REPETITIONS_MAX];

	for (unsigned int i = 0; i < counting->n; i++)
		values[i] = *(double *)((char *)&results[counting->group][counting->list[i]][kind] +
					offset);
	return fixture_median(values, counting->n);
}

/* ---- rows ---- */

static void print_head(const struct repetitions *counting, enum kind kind, const char *where)
{
	const struct scenario *scenario = scenario_of(counting->group);

	printf("{\"scenario\": \"%s%s, %s\", \"system\": \"%s\", \"lcores\": %u, \"clock\": "
	       "\"real\", "
	       "\"batch\": %u, \"branches\": %u, ",
		scenario->name, where, is_written(counting->group) ? "written" : "untouched",
		systems[kind].name, kind < KINDS_ALONE ? 1 : 2, scenario->batch,
		scenario->n_branches);
}

/* Each run's cycles a packet. */
static void print_runs(const struct repetitions *counting, enum kind kind, enum kind base)
{
	printf("\"runs\": [");
	for (unsigned int i = 0; i < counting->n; i++)
		printf("%s%.2f", i > 0 ? ", " : "",
			base == KINDS ? results[counting->group][counting->list[i]][kind].cycles
				      : extra(counting, i, kind, base));
	printf("]}\n");
}

/* What the parts cost: each takes longer than what has all parts before it. */
static void print_parts(const struct repetitions *counting, enum kind kind)
{
	if (kind == REORDER) {
		printf("\"stamp_cycles\": %.2f, \"merge_cycles\": %.2f, ",
			median_extra(counting, REORDER_STAMPS, RINGS),
			median_extra(counting, REORDER, REORDER_STAMPS));
		return;
	}
	printf("\"stamp_cycles\": %.2f, \"label_cycles\": %.2f, \"merge_cycles\": %.2f, ",
		median_extra(counting, WEFT_STAMPS, RINGS),
		median_extra(counting, WEFT_LABELS, WEFT_STAMPS),
		median_extra(counting, WEFT, WEFT_LABELS));
}

/* What it adds to the same rings. */
static void print_alone(const struct repetitions *counting, enum kind kind)
{
	print_head(counting, kind, "");
	printf("\"cycles_per_packet\": %.2f, ", median_extra(counting, kind, RINGS));
	print_parts(counting, kind);
	printf("\"with_queues\": %.2f, \"ratio_to_rte_reorder\": %.3f, ",
		median_extra(counting, kind, SOURCE), median_ratio(counting, kind, REORDER, RINGS));
	if (takes_part(EVENT_SW, counting->group))
		printf("\"ratio_to_event_sw\": %.3f, ",
			median_ratio(counting, kind, EVENT_SW, SOURCE));
	print_runs(counting, kind, RINGS);
}

static void print_with_queues(const struct repetitions *counting, enum kind kind)
{
	print_head(counting, kind, "");
	printf("\"with_queues\": %.2f, \"ratio_to_event_sw\": %.3f, ",
		median_extra(counting, kind, SOURCE),
		median_ratio(counting, kind, EVENT_SW, SOURCE));
	print_runs(counting, kind, SOURCE);
}

static double ratio_of_hops(const struct repetitions *counting, enum kind kind)
{
	double values[REPETITIONS_MAX];

	for (unsigned int i = 0; i < counting->n; i++) {
		const struct result *all = results[counting->group][counting->list[i]];

		values[i] = all[kind].cycles / all[EVENT_SW_HOPS].cycles;
	}
	return fixture_median(values, counting->n);
}

static void print_hops(
	const struct repetitions *counting, enum kind kind, enum distance_class class)
{
	char where[64];

	snprintf(where, sizeof(where), ", with hops, %s", rounds_class_names[class]);
	print_head(counting, kind, where);
	printf("\"pps\": %.0f, \"cycles_per_packet\": %.2f, \"ratio_to_event_sw\": %.3f, ",
		median_of(counting, kind, offsetof(struct result, pps)),
		median_of(counting, kind, offsetof(struct result, cycles)),
		ratio_of_hops(counting, kind));
	print_runs(counting, kind, KINDS);
}

static void print_group(unsigned int group, unsigned int repetitions)
{
	struct repetitions counting;

	find_repetitions(&counting, group, UNKNOWN, repetitions);
	print_alone(&counting, WEFT);
	print_alone(&counting, REORDER);
	if (!takes_part(EVENT_SW, group))
		return;
	print_with_queues(&counting, DISTRIBUTOR);
	print_with_queues(&counting, EVENT_SW);
	for (int class = 0; class < DISTANCE_CLASSES; class ++) {
		find_repetitions(&counting, group, class, repetitions);
		if (counting.n < ROUNDS_LEAST)
			continue;
		print_hops(&counting, WEFT_HOPS, class);
		print_hops(&counting, EVENT_SW_HOPS, class);
	}
}

/* ---- the whole ---- */

static bool has_enough(unsigned int group, unsigned int repetitions, unsigned int enough)
{
	struct repetitions counting;
	bool hops = !takes_part(WEFT_HOPS, group);

	for (int class = 0; class < DISTANCE_CLASSES && !hops; class ++) {
		find_repetitions(&counting, group, class, repetitions);
		hops = counting.n >= ROUNDS_LEAST;
	}
	find_repetitions(&counting, group, UNKNOWN, repetitions);
	return hops && counting.n >= enough;
}

/* Returns how many groups want more. */
static unsigned int repeat(unsigned int repetition, unsigned int enough)
{
	unsigned int quiet, missing = 0;

	for (unsigned int group = 0; group < GROUPS; group++)
		run_group(group, repetition);
	quiet = rounds_take_quietest((repetition + 1) * GROUPS, QUIETEST);
	for (unsigned int group = 0; group < GROUPS; group++)
		missing += !has_enough(group, repetition + 1, enough);
	fprintf(stderr, "round %u: %u runs of %zu count, %u of %zu groups want more\n",
		repetition + 1, quiet, (repetition + 1) * GROUPS, missing, GROUPS);
	return missing;
}

int main(int argc, char **argv)
{
	int eal = rte_eal_init(argc, argv);
	unsigned int enough = ROUNDS_DEFAULT, repetitions = 0;

	if (eal < 0 || rte_lcore_count() < 3)
		rte_exit(EXIT_FAILURE, "bench-reorder: needs a main lcore and two workers: "
				       "--lcores '0@0,1@0,2@1'\n");
	if (argc > eal + 1)
		enough = RTE_MAX(atoi(argv[eal + 1]), ROUNDS_LEAST);
	rounds_init();
	systems_init();
	while (repetitions < REPETITIONS_MAX && repeat(repetitions++, enough) > 0)
		;
	for (unsigned int group = 0; group < GROUPS; group++)
		print_group(group, repetitions);
	return 0;
}
