/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Do virtual lcores tell the truth? Placements of the receive path over two lcores, each predicted
 * by two virtual lcores with measured costs and then run on the two real cores, in turns, round
 * after round. Just before each pair the price of cache lines is measured (calibrate_lines.c),
 * since the distance of the cores changes from one second to the next; a pair counts if it began
 * and ended at one distance, and nobody else was at work.
 *
 * Source and sink are in the process, on the lcores that own their ports' queues. A vhost
 * container's other end, a virtio-user device, is emptied by the lcore that fills it: there is no
 * third core. That takes time in both worlds; its cycles are also counted apart. While the virtual
 * lcores run on one core the other one is kept as busy as it would be, which matters if they share
 * one.
 *
 * usage: bench-two-core [EAL options, three lcores: main, a worker on the same CPU, one on another]
 * [-- PAIRS [DIRECTORY]]: how many must count (20); sockets are made in DIRECTORY (/tmp)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>

#include "calibrate.h"
#include "engine/lcore.h"
#include "fixture.h"
#include "numbers.h"
#include "peers.h"
#include "prices.h"
#include "virtual/driver.h"

#define PAIRS_DEFAULT 20
#define PAIRS_LEAST 6 /* to print a placement */
#define QUIETEST 4    /* one pair of so many counts */
#define CREDITS 512
#define WARM_UP_MS 1
#define RUN_MS 5
#define CORES 2
#define PEER_MBUFS 8191
#define PAIRS_MAX 256	/* of a variant */
#define VIRTUAL_IDS 64u /* not those of real lcores, whose mempool caches are in use meanwhile */

/* ---- ports, which tell the virtual driver what they touch ---- */

static struct peer vhost;
/* Written by the lcore that owns the container's queue. */
static uint64_t peer_cycles __rte_cache_aligned;
static struct virtual_driver *driver __rte_cache_aligned; /* NULL: the real cores run */

static uint16_t give(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	n = numbers_source(port, queue, mbufs, n);
	if (driver != NULL && n > 0) {
		virtual_pause(driver);
		virtual_filled(driver, mbufs, n, true);
		virtual_resume(driver);
	}
	return n;
}

static uint16_t take(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	if (driver != NULL) {
		virtual_pause(driver);
		virtual_freed(driver, mbufs, n);
		virtual_resume(driver);
	}
	return numbers_sink(port, queue, mbufs, n);
}

/* Returns how many packets there were. */
static uint16_t empty_peer(void)
{
	struct rte_mbuf *mbufs[STAGE_BURST_MAX];
	uint64_t begin = rte_rdtsc();
	uint16_t n = rte_eth_rx_burst(vhost.ethdev, 0, mbufs, STAGE_BURST_MAX);

	numbers_check(mbufs, n, numbers_offset(&fixture_container));
	rte_pktmbuf_free_bulk(mbufs, n);
	peer_cycles += rte_rdtsc() - begin;
	return n;
}

static uint16_t take_by_vhost(
	struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	(void)port;
	if (driver != NULL) {
		virtual_pause(driver);
		virtual_copied(driver, mbufs, n);
		virtual_freed(driver, mbufs, n);
		virtual_resume(driver);
	}
	n = vhost.port.ops->send(&vhost.port, queue, mbufs, n);
	empty_peer();
	return n;
}

static const struct port_ops uplink_ops = {
	.receive = give, .send = fixture_sink, .is_up = fixture_is_up};
static const struct port_ops sink_ops = {
	.receive = fixture_nothing, .send = take, .is_up = fixture_is_up};
static const struct port_ops vhost_ops = {
	.receive = fixture_nothing, .send = take_by_vhost, .is_up = fixture_is_up};

/* ---- what is compared ---- */

/* `cut` and what follows run on lcore 1; STEP_COUNT: nothing does. */
struct variant {
	unsigned int cut;
	uint16_t frame_bytes;
	bool vhost;
};

static const unsigned int cuts[] = {
	STEP_COUNT, STAGE_GRO, STAGE_VXLAN, STAGE_BRIDGE, STAGE_VETH, STEP_DELIVER};
static const uint16_t frame_sizes[] = {64, 1450};

#define VARIANTS (RTE_DIM(cuts) * RTE_DIM(frame_sizes) * 2)

struct result {
	double pps;
	double cycles;	    /* working, of both lcores, a packet */
	double peer;	    /* of these, the container's own */
	double busy[CORES]; /* share of the time */
};

enum world { VIRTUAL, REAL, WORLDS };

static struct variant variants[VARIANTS];
static struct result results[VARIANTS][PAIRS_MAX][WORLDS];
static struct numbers numbers[VARIANTS][WORLDS]; /* of all runs */
static struct fixture_frame frames[RTE_DIM(frame_sizes)];

static void make_variants(void)
{
	unsigned int n = 0;

	for (unsigned int size = 0; size < RTE_DIM(frame_sizes); size++) {
		fixture_frame_vxlan(&frames[size], frame_sizes[size] - RTE_ETHER_CRC_LEN);
		for (int port = 0; port < 2; port++)
			for (unsigned int cut = 0; cut < RTE_DIM(cuts); cut++)
				variants[n++] =
					(struct variant){cuts[cut], frame_sizes[size], port == 1};
	}
}

/* ---- a run ---- */

/* Counters at one moment. */
struct moment {
	uint64_t time;
	uint64_t delivered;
	uint64_t peer;
	uint64_t working[CORES];
};

static struct moment moment_of(const struct dataplane *dataplane, uint64_t time)
{
	struct moment moment = {.time = time,
		.delivered = dataplane_conservation(dataplane).delivered,
		.peer = counter_read(&peer_cycles)};

	for (uint16_t i = 0; i < CORES; i++)
		moment.working[i] = counter_read(&dataplane->lcores[i]->counters.time.working);
	return moment;
}

static struct result between(struct moment begin, struct moment end)
{
	double cycles = end.time - begin.time, packets = end.delivered - begin.delivered;
	struct result result = {.pps = packets * rte_get_tsc_hz() / cycles,
		.peer = (end.peer - begin.peer) / packets};

	for (uint16_t i = 0; i < CORES; i++) {
		result.busy[i] = (end.working[i] - begin.working[i]) / cycles;
		result.cycles += (end.working[i] - begin.working[i]) / packets;
	}
	return result;
}

static void set_ports(const struct variant *variant)
{
	fixture_uplink.driver = &frames[variant->frame_bytes == frame_sizes[1]];
	fixture_container.ops = variant->vhost ? &vhost_ops : &sink_ops;
	fixture_container.queues[0].owner = variant->cut == STEP_COUNT ? 0 : 1;
}

static struct dataplane *make_dataplane(const struct variant *variant, struct clock clock)
{
	struct dataplane_config config = {.clock = clock, .n_lcores = CORES, .credits = CREDITS};
	unsigned int id = rte_get_next_lcore(-1, 1, 0);
	struct dataplane *dataplane;
	struct error error;

	plan_set(&config.plan, plan_mode_find("vanilla"));
	for (uint16_t i = 0; i < CORES; i++, id = rte_get_next_lcore(id, 1, 0))
		config.lcore_ids[i] = driver != NULL ? VIRTUAL_IDS + i : id;
	if (variant->cut < STAGE_COUNT)
		config.plan.lcore[variant->cut] = 1;
	dataplane = dataplane_create(&config, &error);
	if (dataplane == NULL)
		rte_exit(EXIT_FAILURE, "%s\n", error.text);
	return dataplane;
}

/* What came of a run that is over. */
static void end_numbers(
	const struct dataplane *dataplane, const struct variant *variant, enum world world)
{
	while (empty_peer() > 0)
		;
	numbers_end(&numbers[variant - variants][world], dataplane);
}

static struct result run_real(struct tables *tables, const struct variant *variant)
{
	struct clock clock = {.read = clock_tsc, .hz = rte_get_tsc_hz()};
	struct dataplane *dataplane = make_dataplane(variant, clock);
	struct moment begin, end;

	numbers_begin();
	dataplane_publish(dataplane, tables);
	for (uint16_t i = 0; i < CORES; i++)
		rte_eal_remote_launch(lcore_run, dataplane->lcores[i], dataplane->lcore_ids[i]);
	usleep(WARM_UP_MS * 1000);
	begin = moment_of(dataplane, rte_rdtsc());
	usleep(RUN_MS * 1000);
	end = moment_of(dataplane, rte_rdtsc());
	fixture_stop(dataplane);
	end_numbers(dataplane, variant, REAL);
	dataplane_free(dataplane);
	return between(begin, end);
}

static uint64_t cycles_of(unsigned int ms)
{
	return ms * rte_get_tsc_hz() / 1000;
}

static struct result measure_virtual(struct dataplane *dataplane)
{
	struct moment begin, end;

	virtual_run(driver, cycles_of(WARM_UP_MS));
	begin = moment_of(dataplane, virtual_now(driver));
	virtual_run(driver, cycles_of(WARM_UP_MS + RUN_MS));
	end = moment_of(dataplane, virtual_now(driver));
	dataplane->closing = true;
	while (!virtual_is_at_rest(driver))
		virtual_step(driver);
	return between(begin, end);
}

static struct result run_virtual(
	struct tables *tables, const struct variant *variant, const struct costs *costs)
{
	static const struct clock tsc = {.read = clock_tsc};
	struct virtual_config config = {
		.costs = costs, .measured = &tsc, .control_period = UINT32_MAX};
	struct dataplane *dataplane;
	struct result result;

	driver = virtual_create(&config);
	dataplane = make_dataplane(variant, virtual_clock(driver));
	numbers_begin();
	dataplane_publish(dataplane, tables);
	if (virtual_take(driver, dataplane) != 0)
		rte_exit(EXIT_FAILURE, "no memory; give EAL more (-m)\n");
	lines_start_neighbour();
	result = measure_virtual(dataplane);
	lines_stop_neighbour();
	virtual_release(driver);
	virtual_free(driver);
	driver = NULL;
	end_numbers(dataplane, variant, VIRTUAL);
	dataplane_free(dataplane);
	return result;
}

/* ---- a pair ---- */

static void run_pair(struct tables *tables, unsigned int variant, unsigned int pair)
{
	unsigned int round = pair * VARIANTS + variant;
	struct costs costs = {.hz = rte_get_tsc_hz()};
	enum distance_class class;

	set_ports(&variants[variant]);
	costs.price = prices_now(&class);
	rounds_begin(round);
	results[variant][pair][VIRTUAL] = run_virtual(tables, &variants[variant], &costs);
	results[variant][pair][REAL] = run_real(tables, &variants[variant]);
	rounds_end(round);
}

/* ---- figures ---- */

struct figures {
	unsigned int n;
	double ratio, low, high; /* virtual to real: the median and its 95 % interval */
	double pps[WORLDS], cycles[WORLDS], peer[WORLDS], busy[WORLDS][CORES];
};

static double median_of(
	unsigned int variant, const unsigned int *pairs, unsigned int n, int world, size_t offset)
{
	double values[PAIRS_MAX];

	for (unsigned int i = 0; i < n; i++)
		memcpy(&values[i], (const char *)&results[variant][pairs[i]][world] + offset,
			sizeof(values[i]));
	return fixture_median(values, n);
}

static unsigned int pairs_at(
	unsigned int variant, enum distance_class class, unsigned int rounds, unsigned int *pairs)
{
	unsigned int n = 0;

	for (unsigned int pair = 0; pair < rounds; pair++)
		if (rounds_classes[pair * VARIANTS + variant] == class)
			pairs[n++] = pair;
	return n;
}

static struct figures figures_of(
	unsigned int variant, enum distance_class class, unsigned int rounds)
{
	unsigned int pairs[PAIRS_MAX];
	struct figures figures = {.n = pairs_at(variant, class, rounds, pairs)};
	double ratios[PAIRS_MAX];

	for (unsigned int i = 0; i < figures.n; i++)
		ratios[i] = results[variant][pairs[i]][VIRTUAL].pps /
			    results[variant][pairs[i]][REAL].pps;
	figures.ratio = fixture_median(ratios, figures.n);
	if (figures.n > 0)
		fixture_interval(ratios, figures.n, &figures.low, &figures.high);
	for (int world = 0; world < WORLDS; world++) {
		figures.pps[world] =
			median_of(variant, pairs, figures.n, world, offsetof(struct result, pps));
		figures.cycles[world] = median_of(
			variant, pairs, figures.n, world, offsetof(struct result, cycles));
		figures.peer[world] =
			median_of(variant, pairs, figures.n, world, offsetof(struct result, peer));
		for (int i = 0; i < CORES; i++)
			figures.busy[world][i] = median_of(variant, pairs, figures.n, world,
				offsetof(struct result, busy) + i * sizeof(double));
	}
	return figures;
}

static void print_runs(
	unsigned int variant, enum distance_class class, unsigned int rounds, int world)
{
	unsigned int pairs[PAIRS_MAX], n = pairs_at(variant, class, rounds, pairs);

	for (unsigned int i = 0; i < n; i++)
		printf("%s%.0f", i > 0 ? ", " : "", results[variant][pairs[i]][world].pps);
}

static void print_scenario(const struct variant *what, enum distance_class class)
{
	if (what->cut == STEP_COUNT)
		printf("{\"scenario\": \"one lcore, %s\", ", rounds_class_names[class]);
	else
		printf("{\"scenario\": \"cut before %s, %s\", ", stage_table[what->cut]->name,
			rounds_class_names[class]);
}

static void print_row(unsigned int variant, enum distance_class class, unsigned int rounds,
	const struct figures *figures, int world)
{
	const struct variant *what = &variants[variant];

	print_scenario(what, class);
	printf("\"system\": \"weft\", \"mode\": \"vanilla\", \"lcores\": %d, \"clock\": \"%s\", "
	       "\"frame_bytes\": %u, \"flows\": 1, \"port\": \"%s\", \"pps\": %.0f, "
	       "\"cycles_per_packet\": %.1f, \"peer_cycles_per_packet\": %.1f, "
	       "\"busy\": [%.3f, %.3f], \"limit\": \"lcore %d\", \"pairs\": %u, ",
		what->cut == STEP_COUNT ? 1 : CORES, world == REAL ? "real" : "virtual",
		what->frame_bytes, what->vhost ? "vhost" : "ring", figures->pps[world],
		figures->cycles[world], figures->peer[world], figures->busy[world][0],
		figures->busy[world][1], figures->busy[world][1] > figures->busy[world][0],
		figures->n);
	if (world == VIRTUAL)
		printf("\"ratio_to_real\": %.3f, \"interval\": [%.3f, %.3f], ", figures->ratio,
			figures->low, figures->high);
	numbers_print(&numbers[variant][world]);
	printf(", \"runs\": [");
	print_runs(variant, class, rounds, world);
	printf("]}\n");
}

/* Of few pairs there is no interval. */
static void print(unsigned int rounds)
{
	for (int class = 0; class < DISTANCE_CLASSES; class ++) {
		for (unsigned int variant = 0; variant < VARIANTS; variant++) {
			struct figures figures = figures_of(variant, class, rounds);

			if (figures.n < PAIRS_LEAST)
				continue;
			print_row(variant, class, rounds, &figures, REAL);
			print_row(variant, class, rounds, &figures, VIRTUAL);
		}
	}
}

/* ---- the whole ---- */

static void init(const char *directory)
{
	struct peer_kind kind = {.type = "vhost-user",
		.device = "net_virtio_user0,queue_size=1024,path=",
		.ring_size = 1024,
		.pool = rte_pktmbuf_pool_create(
			"peer", PEER_MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY)};
	struct error error;

	rounds_init();
	prices_init();
	peers_init(directory);
	if (kind.pool == NULL || !peers_open(&vhost, &kind, "vhost-user", &error))
		rte_exit(EXIT_FAILURE, "bench-two-core: no vhost-user container\n");
	fixture_uplink.ops = &uplink_ops;
	make_variants();
}

static bool has_enough(unsigned int variant, unsigned int rounds, unsigned int enough)
{
	unsigned int pairs[PAIRS_MAX];

	for (int class = 0; class < DISTANCE_CLASSES; class ++)
		if (pairs_at(variant, class, rounds, pairs) >= enough)
			return true;
	return false;
}

/* Returns how many placements have not enough pairs yet. */
static unsigned int run_round(struct tables *tables, unsigned int round, unsigned int enough)
{
	unsigned int quiet, missing = 0;

	prices_measure();
	for (unsigned int variant = 0; variant < VARIANTS; variant++)
		run_pair(tables, variant, round);
	quiet = rounds_take_quietest((round + 1) * VARIANTS, QUIETEST);
	for (unsigned int variant = 0; variant < VARIANTS; variant++)
		missing += !has_enough(variant, round + 1, enough);
	if (round % 10 == 9 || missing == 0)
		fprintf(stderr, "round %u: %u pairs of %zu count, %u of %zu placements want more\n",
			round + 1, quiet, (round + 1) * VARIANTS, missing, VARIANTS);
	return missing;
}

int main(int argc, char **argv)
{
	int first = fixture_init(argc, argv) + 1;
	unsigned int enough = argc > first ? RTE_MAX(atoi(argv[first]), 1) : PAIRS_DEFAULT;
	unsigned int rounds = 0;
	struct tables *tables;

	init(argc > first + 1 ? argv[first + 1] : "/tmp");
	tables = fixture_tables(&fixture_uplink);
	while (rounds < RTE_MIN((size_t)PAIRS_MAX, ROUNDS_MAX / VARIANTS) &&
		run_round(tables, rounds++, RTE_MAX(enough, (unsigned int)PAIRS_LEAST)) > 0)
		;
	peers_close(&vhost);
	peers_free();
	print(rounds);
	return 0;
}
