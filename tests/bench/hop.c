/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a hop between two lcores costs: the receive path of one flow on one lcore, beside the same
 * path cut before each stage in turn and continued on a second lcore. Source and sink are in the
 * process: the source writes a VXLAN packet's headers into a fresh mbuf, as a driver would have,
 * the sink frees. All variants take turns, round after round, in the same run; a figure is a
 * median over the rounds. The hop's price is the difference of all working cycles, both lcores'
 * together, to the uncut path of the same round.
 *
 * usage: bench-hop [EAL options, three lcores: main and two workers] [-- [--rounds N] [--ms N]
 * [--json]]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_lcore.h>

#include "engine/lcore.h"
#include "fixture.h"
#include "numbers.h"

#define CREDITS 512
#define FRAME_BYTES 60 /* inner, without FCS: testpmd's 64 B */
#define ROUNDS_MAX 256
#define ROUND_MS 100

/* ---- a measurement ---- */

struct result {
	double cycles; /* of work, a packet, all lcores together */
	double stages[STEP_COUNT];
	double pps;
};

static const struct port_ops uplink_ops = {
	.receive = numbers_source, .send = fixture_sink, .is_up = fixture_is_up};
static const struct port_ops container_ops = {
	.receive = fixture_nothing, .send = numbers_sink, .is_up = fixture_is_up};

static struct result evaluate(
	const struct dataplane *dataplane, uint64_t delivered, unsigned int ms)
{
	struct conservation sum = dataplane_conservation(dataplane);
	struct result result = {.pps = delivered * 1000.0 / ms};

	for (uint16_t i = 0; i < dataplane->n_lcores; i++) {
		const struct lcore_counters *counters = &dataplane->lcores[i]->counters;

		result.cycles += (double)counters->time.working / sum.delivered;
		for (int stage = 0; stage < STEP_COUNT; stage++)
			result.stages[stage] +=
				(double)counters->stages[stage].cycles / sum.delivered;
	}
	return result;
}

/* The path cut before `cut` (STEP_COUNT: not at all): `cut` and what follows run on lcore 1. */
static struct result measure(
	struct tables *tables, unsigned int cut, unsigned int ms, struct numbers *sum)
{
	struct dataplane_config config = {.clock = {.read = clock_tsc, .hz = rte_get_tsc_hz()},
		.n_lcores = cut == STEP_COUNT ? 1 : 2,
		.credits = CREDITS};
	struct error error;
	struct dataplane *dataplane;
	struct result result;
	uint64_t delivered;
	unsigned int id = rte_get_next_lcore(-1, 1, 0);

	plan_set(&config.plan, plan_mode_find("vanilla"));
	for (uint16_t i = 0; i < config.n_lcores; i++, id = rte_get_next_lcore(id, 1, 0))
		config.lcore_ids[i] = id;
	if (cut < STAGE_COUNT)
		config.plan.lcore[cut] = 1;
	fixture_container.queues[0].owner = cut == STEP_COUNT ? 0 : 1;
	dataplane = dataplane_create(&config, &error);
	if (dataplane == NULL)
		rte_exit(EXIT_FAILURE, "%s\n", error.text);
	numbers_begin();
	dataplane_publish(dataplane, tables);
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		rte_eal_remote_launch(lcore_run, dataplane->lcores[i], dataplane->lcore_ids[i]);
	usleep(ms * 1000);
	delivered = dataplane_conservation(dataplane).delivered;
	fixture_stop(dataplane);
	numbers_end(sum, dataplane);
	result = evaluate(dataplane, delivered, ms);
	dataplane_free(dataplane);
	return result;
}

/* ---- all of them ---- */

static const struct variant {
	const char *name;
	unsigned int cut;
} variants[] = {
	{"one lcore", STEP_COUNT},
	{"cut before gro (unread)", STAGE_GRO},
	{"cut before vxlan (read)", STAGE_VXLAN},
	{"cut before bridge (written)", STAGE_BRIDGE},
	{"cut before veth (written)", STAGE_VETH},
	{"cut before deliver (written)", STEP_DELIVER},
};

static struct result results[RTE_DIM(variants)][ROUNDS_MAX];
static struct numbers numbers[RTE_DIM(variants)]; /* of all rounds */

static double median_cycles(unsigned int variant, unsigned int rounds)
{
	double values[ROUNDS_MAX];

	for (unsigned int i = 0; i < rounds; i++)
		values[i] = results[variant][i].cycles;
	return fixture_median(values, rounds);
}

static double median_hop(unsigned int variant, unsigned int rounds)
{
	double values[ROUNDS_MAX];

	for (unsigned int i = 0; i < rounds; i++)
		values[i] = results[variant][i].cycles - results[0][i].cycles;
	return fixture_median(values, rounds);
}

static double median_pps(unsigned int variant, unsigned int rounds)
{
	double values[ROUNDS_MAX];

	for (unsigned int i = 0; i < rounds; i++)
		values[i] = results[variant][i].pps;
	return fixture_median(values, rounds);
}

static double median_stage(int stage, unsigned int rounds)
{
	double values[ROUNDS_MAX];

	for (unsigned int i = 0; i < rounds; i++)
		values[i] = results[0][i].stages[stage];
	return fixture_median(values, rounds);
}

static void print_stages(unsigned int rounds)
{
	for (int stage = 0; stage < STEP_COUNT; stage++)
		if (median_stage(stage, rounds) > 0)
			printf("{\"scenario\": \"stage: %s\", \"system\": \"weft\", \"mode\": "
			       "\"vanilla\", \"lcores\": 1, \"clock\": \"real\", \"frame_bytes\": "
			       "64, \"flows\": 1, \"port\": \"ring\", \"cycles_per_packet\": "
			       "%.1f}\n",
				stage_table[stage]->name, median_stage(stage, rounds));
}

static void print_variants(unsigned int rounds)
{
	for (unsigned int i = 0; i < RTE_DIM(variants); i++) {
		printf("{\"scenario\": \"hop: %s\", \"system\": \"weft\", \"mode\": \"vanilla\", "
		       "\"lcores\": %d, \"clock\": \"real\", \"frame_bytes\": 64, \"flows\": 1, "
		       "\"port\": \"ring\", \"pps\": %.0f, \"cycles_per_packet\": %.1f, "
		       "\"hop_cycles\": %.1f, ",
			variants[i].name, variants[i].cut == STEP_COUNT ? 1 : 2,
			median_pps(i, rounds), median_cycles(i, rounds), median_hop(i, rounds));
		numbers_print(&numbers[i]);
		printf("}\n");
	}
}

int main(int argc, char **argv)
{
	int first = fixture_init(argc, argv) + 1;
	struct fixture_frame frame;
	struct tables *tables;
	unsigned int rounds = 20;

	if (argc > first)
		rounds = RTE_MIN(atoi(argv[first]), ROUNDS_MAX);
	fixture_frame_vxlan(&frame, FRAME_BYTES);
	fixture_uplink.driver = &frame;
	fixture_uplink.ops = &uplink_ops;
	fixture_container.ops = &container_ops;
	tables = fixture_tables(&fixture_uplink);
	for (unsigned int round = 0; round < rounds; round++) {
		fprintf(stderr, "round %u of %u\n", round + 1, rounds);
		for (unsigned int i = 0; i < RTE_DIM(variants); i++)
			results[i][round] = measure(tables, variants[i].cut, ROUND_MS, &numbers[i]);
	}
	print_variants(rounds);
	print_stages(rounds);
	return 0;
}
