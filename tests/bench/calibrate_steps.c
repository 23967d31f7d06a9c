/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What steps cost: one lcore of the data path, driven by the main thread turn by turn, with a
 * source and a sink whose own time is measured and taken off. Four ways lead through all steps but
 * the merge, and the first of them is gone twice more: with every transition steered, onto the same
 * lcore, where what it takes longer is what it costs to steer; and split, with both branches and
 * their merge on the same lcore, as what crosses between lcores has prices of its own. So
 * micro-flows come to the merge in order, and it holds nothing.
 *
 * A turn's own cost is what goes before the receive call and after the last step; a step's is all
 * from the end of the one before to its own, and for the first one from the end of the receive
 * call. On a real lcore the steps' clock costs, too; what only this program adds is taken off.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_lcore.h>

#include "calibrate.h"
#include "engine/lcore.h"
#include "fit.h"
#include "fixture.h"

#define PACKETS 1024 /* of a chunk */
#define IDLE_TURNS 1024
#define LAST_TURNS 4 /* until all is delivered */
#define CHUNKS 9     /* a round's figure is their median, as interrupted ones say nothing */
#define CREDITS 512
#define FRAME_BYTES 60 /* inner, without FCS */
#define BRANCHES 2
#define BATCH 256
#define ELEPHANT_WINDOW_US 250
#define PATIENCE 1000000 /* turns until the flow is an elephant */

struct way {
	const char *name;
	const char *mode;
	struct port *source;
	struct fixture_frame frame;
};

enum { RECEIVE, TRANSMIT, NO_BRIDGE, PING, STEERED, SPLIT, WAYS };

static struct way ways[WAYS] = {
	[RECEIVE] = {.name = "receive", .mode = "vanilla", .source = &fixture_uplink},
	[TRANSMIT] = {.name = "transmit", .mode = "vanilla", .source = &fixture_container},
	[NO_BRIDGE] = {.name = "receive without bridge",
		.mode = "linux-overlay",
		.source = &fixture_uplink},
	[PING] = {.name = "ping to the VTEP", .mode = "vanilla", .source = &fixture_uplink},
	[STEERED] = {.name = "receive, steered", .mode = "falcon-func", .source = &fixture_uplink},
	[SPLIT] = {.name = "receive, split", .mode = "mflow-full", .source = &fixture_uplink},
};

/* The way whose cost of a step goes into the file: RECEIVE, but for these. */
static const int way_of_step[STEP_COUNT] = {[STAGE_VTEP] = PING,
	[STAGE_VETH_RX] = TRANSMIT,
	[STAGE_WIRE] = NO_BRIDGE,
	[STAGE_ENCAP] = TRANSMIT,
	[STAGE_TX] = TRANSMIT,
	[STEP_SEND] = TRANSMIT,
	[STEP_MERGE] = SPLIT};

/* What the source and the sink have seen of the turns so far. */
static struct {
	const struct lcore *lcore;
	uint16_t burst;	  /* packets the source gives; 0: none */
	uint64_t before;  /* from the turns' begin to the source */
	uint64_t receive; /* in the source */
	uint64_t send;	  /* in the sink */
	uint64_t received;
	uint64_t calls; /* of the sink */
} seen;

static struct tables *tables;
static double steps[WAYS][STEP_COUNT][FIT_POINTS][ROUNDS_MAX];
static double turns[WAYS][FIT_POINTS][ROUNDS_MAX], idle[ROUNDS_MAX];

/* ---- source and sink ---- */

static uint16_t timed_source(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	uint64_t begin = rte_rdtsc();

	seen.before += begin - seen.lcore->mark;
	n = RTE_MIN(n, seen.burst);
	if (n > 0)
		n = fixture_source(port, queue, mbufs, n);
	seen.received = rte_rdtsc();
	seen.receive += seen.received - begin;
	return n;
}

static uint16_t timed_sink(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	uint64_t begin = rte_rdtsc();

	fixture_sink(port, queue, mbufs, n);
	seen.send += rte_rdtsc() - begin;
	seen.calls++;
	return n;
}

static const struct port_ops timed_ops = {
	.receive = timed_source, .send = timed_sink, .is_up = fixture_is_up};

/* ---- a measurement ---- */

/* One lcore alone would not split; so there is a second one, which nothing is sent to. */
static void add_split(struct dataplane_config *config)
{
	config->n_lcores = 2;
	config->lcore_ids[1] = rounds_partner;
	config->steering =
		(struct steering){.n = 1, .policy = policy_find("static"), .threshold = LOAD_FULL};
	config->micro_flows = (struct micro_flows){.batch = BATCH,
		.n_branches = BRANCHES,
		.n_elephants = 1,
		.rate = 1,
		.window = ELEPHANT_WINDOW_US,
		.n = 1};
}

static struct dataplane *make_dataplane(const struct way *way)
{
	struct dataplane_config config = {.clock = {.read = clock_tsc, .hz = rte_get_tsc_hz()},
		.n_lcores = 1,
		.lcore_ids = {rte_lcore_id()},
		.credits = CREDITS};
	struct dataplane *dataplane;
	struct error error;

	plan_set(&config.plan, plan_mode_find(way->mode));
	if (config.plan.splits)
		add_split(&config);
	dataplane = dataplane_create(&config, &error);
	if (dataplane == NULL)
		rte_exit(EXIT_FAILURE, "%s\n", error.text);
	tables->owned[0].port = way->source;
	dataplane_publish(dataplane, tables);
	return dataplane;
}

/* What a chunk of turns cost; all but the source's and the sink's. */
struct chunk {
	double steps[STEP_COUNT];
	double turn;
};

static void run_turns(struct lcore *lcore, uint16_t burst, unsigned int n)
{
	/* Not all: credits are counted by `admitted`. */
	memset(&lcore->counters.time, 0, sizeof(lcore->counters.time));
	memset(&lcore->counters.stages, 0, sizeof(lcore->counters.stages));
	lcore->counters.delivered = 0;
	memset(&seen, 0, sizeof(seen));
	seen.lcore = lcore;
	seen.burst = burst;
	lcore->mark = clock_tsc(NULL);
	for (unsigned int i = 0; i < n; i++)
		lcore_poll(lcore);
}

/* Until the flow is an elephant, if it is to be one. */
static void await_merge(struct lcore *lcore, uint16_t burst)
{
	const struct stage_counters *merge = &lcore->counters.stages[STEP_MERGE];
	unsigned int turns = 0;

	if (!lcore->dataplane->plan->splits)
		return;
	do {
		run_turns(lcore, burst, 1);
	} while (merge->packets == 0 && ++turns < PATIENCE);
	if (merge->packets == 0)
		rte_exit(EXIT_FAILURE, "bench-calibrate: the flow does not become an elephant\n");
}

/* The source's own time is in the way's first step, the sink's in its last. */
static double own_cycles(const struct lcore *lcore, int step, int first)
{
	double cycles = lcore->counters.stages[step].cycles;

	if (step == first)
		cycles -= seen.before + seen.receive;
	if ((step == STEP_DELIVER || step == STEP_SEND) && cycles > 0)
		cycles -= seen.send + seen.calls * rounds_tsc_cycles;
	return RTE_MAX(cycles, 0);
}

static void note(struct chunk *chunk, const struct lcore *lcore, int first, unsigned int n)
{
	double rest = (double)lcore->counters.time.working + seen.before;

	for (int step = 0; step < STEP_COUNT; step++) {
		chunk->steps[step] = own_cycles(lcore, step, first) / n;
		rest -= lcore->counters.stages[step].cycles;
	}
	chunk->turn = RTE_MAX(rest / n - rounds_tsc_cycles, 0);
}

/* What is merged comes by the lcore's inbox, a turn later. */
static void check_delivered(
	const struct lcore *lcore, const struct way *way, uint64_t packets, uint16_t burst)
{
	uint64_t later = lcore->dataplane->plan->splits ? burst : 0;

	if (lcore->counters.delivered + later < packets ||
		lcore->counters.delivered > packets + later)
		rte_exit(EXIT_FAILURE,
			"bench-calibrate: %s: %lu packets delivered instead of %lu\n", way->name,
			lcore->counters.delivered, packets);
}

static double median_chunk(const struct chunk *chunks, size_t offset)
{
	double values[CHUNKS];

	for (int i = 0; i < CHUNKS; i++)
		values[i] = *(const double *)((const char *)&chunks[i] + offset);
	return fixture_median(values, CHUNKS);
}

static void measure(unsigned int way, unsigned int point, unsigned int round)
{
	struct dataplane *dataplane = make_dataplane(&ways[way]);
	struct lcore *lcore = dataplane->lcores[0];
	uint16_t burst = fit_bursts[point];
	struct chunk chunks[CHUNKS];

	ways[way].source->driver = &ways[way].frame;
	lcore_begin(lcore);
	await_merge(lcore, burst);
	for (int i = 0; i < CHUNKS; i++) {
		run_turns(lcore, burst, PACKETS / burst);
		check_delivered(lcore, &ways[way], PACKETS, burst);
		note(&chunks[i], lcore,
			ways[way].source == &fixture_uplink ? STAGE_RX : STAGE_VETH_RX,
			PACKETS / burst);
	}
	run_turns(lcore, 0, LAST_TURNS);
	lcore_end(lcore);
	for (int step = 0; step < STEP_COUNT; step++)
		steps[way][step][point][round] =
			median_chunk(chunks, offsetof(struct chunk, steps[step]));
	turns[way][point][round] = median_chunk(chunks, offsetof(struct chunk, turn));
	dataplane_free(dataplane);
}

static void measure_idle(unsigned int round)
{
	struct dataplane *dataplane = make_dataplane(&ways[RECEIVE]);
	struct lcore *lcore = dataplane->lcores[0];
	double values[CHUNKS];

	lcore_begin(lcore);
	for (int i = 0; i < CHUNKS; i++) {
		run_turns(lcore, 0, IDLE_TURNS);
		values[i] = ((double)lcore->counters.time.idle - seen.receive) / IDLE_TURNS -
			    rounds_tsc_cycles;
	}
	lcore_end(lcore);
	idle[round] = RTE_MAX(fixture_median(values, CHUNKS), 0);
	dataplane_free(dataplane);
}

void steps_round(unsigned int round)
{
	for (unsigned int way = 0; way < WAYS; way++)
		for (unsigned int point = 0; point < FIT_POINTS; point++)
			measure(way, point, round);
	measure_idle(round);
}

void steps_init(void)
{
	fixture_frame_vxlan(&ways[RECEIVE].frame, FRAME_BYTES);
	fixture_frame_inner(&ways[TRANSMIT].frame, FRAME_BYTES);
	fixture_frame_echo(&ways[PING].frame);
	ways[NO_BRIDGE].frame = ways[RECEIVE].frame;
	ways[STEERED].frame = ways[RECEIVE].frame;
	ways[SPLIT].frame = ways[RECEIVE].frame;
	fixture_uplink.ops = &timed_ops;
	fixture_container.ops = &timed_ops;
	tables = fixture_tables(&fixture_uplink);
}

/* ---- rows ---- */

static bool fit_step(unsigned int way, int step, struct fit *fit, unsigned int rounds)
{
	double costs[1][FIT_POINTS];

	for (int point = 0; point < FIT_POINTS; point++)
		costs[0][point] = rounds_median(steps[way][step][point], rounds);
	*fit = fit_series(costs, 1);
	return costs[0][FIT_POINTS - 1] > 0;
}

static void print_step(unsigned int way, int step, const struct fit *fit)
{
	const char *name = stage_table[step]->name;
	double packet = fit->packet[0];

	printf("{\"scenario\": \"step: %s (%s)\", " ROW
	       ", \"burst_cycles\": %.2f, \"cycles_per_packet\": %.2f, \"fit_error\": %.3f",
		name, ways[way].name, ways[way].mode, 1, 64, "bench", fit->burst, packet,
		fit->error);
	if ((int)way == way_of_step[step])
		printf(", \"costs\": {\"section\": \"step %s\", \"burst\": %.2f, \"packet\": "
		       "%.2f}",
			name, fit->burst, packet);
	printf("}\n");
}

/* The same at all sizes of bursts, or it would not be the turn's. */
static double median_turn(unsigned int rounds)
{
	double values[WAYS * FIT_POINTS];

	for (unsigned int way = 0; way < WAYS; way++)
		for (int point = 0; point < FIT_POINTS; point++)
			values[way * FIT_POINTS + point] = rounds_median(turns[way][point], rounds);
	return fixture_median(values, RTE_DIM(values));
}

/* Of a packet in bursts of that size, over the same way in the same round. */
static double median_steer(unsigned int point, unsigned int rounds)
{
	double values[ROUNDS_MAX] = {0};

	for (unsigned int round = 0; round < rounds; round++)
		for (int step = 0; step < STEP_COUNT; step++)
			values[round] += (steps[STEERED][step][point][round] -
						 steps[RECEIVE][step][point][round]) /
					 fit_bursts[point];
	return RTE_MAX(rounds_median(values, rounds), 0);
}

static void print_turn(unsigned int rounds)
{
	double nothing = rounds_median(idle, rounds), busy = median_turn(rounds);
	double steer = median_steer(FIT_POINTS - 1, rounds);

	printf("{\"scenario\": \"turn: idle\", " ROW ", \"burst_cycles\": %.2f}\n", "vanilla", 1,
		64, "bench", nothing);
	printf("{\"scenario\": \"turn: busy\", " ROW ", \"burst_cycles\": %.2f, "
	       "\"costs\": {\"section\": \"turn\", \"idle\": %.2f, \"busy\": %.2f, "
	       "\"steer\": %.2f}}\n",
		"vanilla", 1, 64, "bench", busy, nothing, busy, steer);
	printf("{\"scenario\": \"steer: onto the same lcore\", " ROW
	       ", \"cycles_per_packet\": %.2f, \"alone_cycles_per_packet\": %.2f}\n",
		ways[STEERED].mode, 1, 64, "bench", steer, median_steer(0, rounds));
}

/* Ports' costs say what copying takes. */
static void print_copy(void)
{
	printf("{\"scenario\": \"step: copy\", " ROW
	       ", \"costs\": {\"section\": \"step copy\", \"burst\": 0, \"packet\": 0}}\n",
		"turns", 1, 64, "bench");
}

void steps_print(unsigned int rounds)
{
	struct fit fit;

	print_turn(rounds);
	print_copy();
	for (unsigned int way = 0; way < WAYS; way++)
		for (int step = 0; step < STEP_COUNT; step++)
			if (fit_step(way, step, &fit, rounds))
				print_step(way, step, &fit);
}
