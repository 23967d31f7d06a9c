/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How large micro-flows must be for their packets to come to the merge in order: one flow, split
 * over two branches on two real cores and merged on the second, with each size of the batch in
 * turn, round after round, in one run. A figure is a median over the quietest runs. A packet is out
 * of order if the merge had to hold it, since one that was sent before it had not come yet.
 *
 * Source and sink are in the process (carry.h). One branch is the door's own lcore, and the other
 * the merge's: what comes to the merge from the first was sent through the same ring as what the
 * second has to do. batch.py has them on lcores of their own, in virtual time. As a batch can be
 * larger or smaller than what is on its way, there are two limits to that.
 *
 * usage: bench-batch [EAL options, three lcores: main, a worker on the same CPU, one on another]
 * [-- ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_lcore.h>

#include "carry.h"
#include "engine/door.h"
#include "rounds.h"

#define ROUNDS_DEFAULT 20
#define QUIETEST 4     /* one round of so many counts */
#define FRAME_BYTES 60 /* inner, without FCS: testpmd's 64 B */
#define CREDITS 8192
#define ELEPHANT_WINDOW_US 500
#define WARM_UP_MS 3
#define RUN_MS 5
#define BRANCHES 2
#define OWNER 1 /* of the container's queue */
#define RUNS_LEAST 3
#define PAPER "from 256 on next to none before the merge"

static const uint32_t batches[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096};

#define BATCHES RTE_DIM(batches)

static const struct setup {
	const char *name;
	uint32_t window; /* packets on the way at most */
} setups[] = {
	{"2 branches on 2 cores, 256 on the way", 256},
	{"2 branches on 2 cores, 2048 on the way", 2048},
};

#define SETUPS RTE_DIM(setups)

#define ROUNDS (ROUNDS_MAX / (SETUPS * BATCHES))

static struct carry_result results[ROUNDS_MAX];
static struct numbers numbers[SETUPS][BATCHES]; /* of all runs */

/* With this rate a flow becomes an elephant as soon as it can, and stays one. */
static struct dataplane_config config_of(uint32_t batch)
{
	struct dataplane_config config;

	carry_config(&config, BRANCHES, "mflow-full");
	config.credits = CREDITS;
	config.micro_flows = (struct micro_flows){.batch = batch,
		.n_branches = BRANCHES,
		.n_elephants = 1,
		.rate = 1,
		.window = ELEPHANT_WINDOW_US};
	return config;
}

static struct carry_result run(struct tables *tables, struct fixture_frame *frame,
	const struct setup *setup, uint32_t batch, struct numbers *sum)
{
	const struct dataplane_config config = config_of(batch);
	struct dataplane *dataplane = carry_start(&config, tables, frame, OWNER, setup->window);
	struct carry_result result;

	carry_await_merge(dataplane, OWNER);
	usleep(WARM_UP_MS * 1000);
	result = carry_measure(dataplane, RUN_MS);
	carry_stop(dataplane, setup->name, sum);
	if (dataplane->lcores[0]->door->elephants.list[0].state != ELEPHANT_SPLIT)
		rte_exit(EXIT_FAILURE, "bench-batch: %s: the flow is no elephant\n", setup->name);
	dataplane_free(dataplane);
	return result;
}

/* ---- rounds ---- */

/* Each run is looked at by itself: rounds.h calls it a round. */
static unsigned int run_number(unsigned int round, unsigned int setup, unsigned int batch)
{
	return (round * SETUPS + setup) * BATCHES + batch;
}

static void run_round(struct tables *tables, struct fixture_frame *frame, unsigned int round)
{
	for (unsigned int setup = 0; setup < SETUPS; setup++)
		for (unsigned int batch = 0; batch < BATCHES; batch++) {
			unsigned int number = run_number(round, setup, batch);

			rounds_begin(number);
			results[number] = run(tables, frame, &setups[setup], batches[batch],
				&numbers[setup][batch]);
			rounds_end(number);
		}
}

/* ---- figures ---- */

/* Medians over the runs that count and were at that distance; returns how many. */
static unsigned int summarize(unsigned int setup, unsigned int batch, enum distance_class class,
	unsigned int rounds, struct carry_result *median)
{
	double *all = (double *)median;
	double values[ROUNDS];
	unsigned int n = 0;

	for (size_t i = 0; i < sizeof(*median) / sizeof(double); i++) {
		n = 0;
		for (unsigned int round = 0; round < rounds; round++) {
			unsigned int number = run_number(round, setup, batch);

			if (rounds_classes[number] == class)
				values[n++] = ((const double *)&results[number])[i];
		}
		all[i] = fixture_median(values, n);
	}
	return n;
}

static void print_row(
	unsigned int setup, unsigned int batch, enum distance_class class, unsigned int rounds)
{
	struct carry_result median;
	unsigned int runs = summarize(setup, batch, class, rounds, &median);
	const struct setup *what = &setups[setup];

	if (runs < RUNS_LEAST)
		return;
	printf("{\"scenario\": \"%s, %s\", \"system\": \"weft\", \"mode\": \"mflow-full\", "
	       "\"lcores\": %u, \"clock\": \"real\", \"frame_bytes\": 64, \"flows\": 1, \"port\": "
	       "\"ring\", \"branches\": %u, \"batch\": %u, \"in_flight\": %u, ",
		what->name, rounds_class_names[class], BRANCHES, BRANCHES, batches[batch],
		what->window);
	printf("\"pps\": %.0f, \"cycles_per_packet\": %.1f, \"out_of_order\": %.4f, "
	       "\"most_held\": %.0f, \"busy\": [%.3f, %.3f], \"runs\": %u, \"paper\": \"%s\", ",
		median.pps, median.cycles, median.out_of_order, median.most_held, median.busy[0],
		median.busy[1], runs, PAPER);
	numbers_print(&numbers[setup][batch]);
	printf("}\n");
}

static void print(unsigned int rounds)
{
	for (int class = 0; class < DISTANCE_CLASSES; class ++)
		for (unsigned int setup = 0; setup < SETUPS; setup++)
			for (unsigned int batch = 0; batch < BATCHES; batch++)
				print_row(setup, batch, class, rounds);
}

int main(int argc, char **argv)
{
	int first = fixture_init(argc, argv) + 1;
	unsigned int rounds = argc > first ? RTE_MAX(atoi(argv[first]), 1) : ROUNDS_DEFAULT;
	struct fixture_frame frame;
	struct tables *tables;

	rounds = RTE_MIN(rounds, (unsigned int)ROUNDS);
	rounds_init();
	fixture_frame_vxlan(&frame, FRAME_BYTES);
	tables = fixture_tables(&fixture_uplink);
	for (unsigned int round = 0; round < rounds; round++) {
		fprintf(stderr, "round %u of %u\n", round + 1, rounds);
		run_round(tables, &frame, round);
	}
	rounds_take_quietest(rounds * SETUPS * BATCHES, QUIETEST);
	print(rounds);
	return 0;
}
