/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which structure finds the heavy flows of a door: src/steer/heavy.h, the sketch of DPDK's
 * rte_member, fed with all packets or with samples, and a plain table of Space-Saving. All take
 * turns at the same window of packets, round after round, in one run. Figures are medians over the
 * rounds: cycles a packet, without those of walking the packets; cycles of the report that ends a
 * window; and means: elephants missed, and mice reported, when flows are asked for that have half
 * of an elephant's packets. Where there are only mice, it is the elephants of 64 beside 10,000.
 *
 * Prints rows of JSON; `scripts/bench heavy` makes a table of them.
 *
 * usage: bench-heavy [EAL options] [-- ROUNDS]
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_member.h>

#include "base/random.h"
#include "steer/heavy.h"

#define ROUNDS_MAX 1000
#define WINDOW_MAX 50000

/* ---- packets ---- */

struct workload {
	const char *name;
	uint32_t elephants;
	uint32_t mice;
	uint32_t times;	 /* as many packets as a mouse an elephant has */
	uint32_t one_in; /* so many packets is of the same elephant */
};

static const struct workload workloads[] = {
	{"1 elephant", 1, 0, 1, 1},
	{"64 elephants, 10,000 mice", 64, 10000, 50, 264},
	{"10,000 mice", 0, 10000, 50, 264},
	{"1,000,000 mice", 0, 1000000, 50, 264},
	{"1 elephant, a tenth of all, 1,000,000 mice", 1, 1000000, 111111, 10},
};
static const uint32_t windows[] = {10000, WINDOW_MAX}; /* packets */

static uint32_t hashes[WINDOW_MAX];

/* Elephants are the first flows. */
static uint32_t hash_of(uint32_t flow)
{
	return random_mix(flow + 1);
}

static void make_packets(const struct workload *workload, uint32_t n)
{
	static uint64_t random;
	uint32_t heavy = workload->elephants * workload->times;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t x = random_below(&random, heavy + workload->mice);

		hashes[i] =
			hash_of(x < heavy ? x / workload->times : workload->elephants + x - heavy);
	}
}

/* ---- what is compared ---- */

struct finder {
	const char *name;
	void *(*create)(void);
	void (*feed)(void *state, uint32_t n);
	uint16_t (*report)(void *state, uint32_t at_least, uint32_t *found);
};

/* What was counted is in memory after each packet, as where others' work comes between them. */
static inline void end_packet(void)
{
	asm volatile("" ::: "memory");
}

static void *create_nothing(void)
{
	return hashes;
}

static void feed_nothing(void *state, uint32_t n)
{
	(void)state;
	for (uint32_t i = 0; i < n; i++)
		asm volatile("" : : "r"(hashes[i]) : "memory");
}

static uint16_t report_nothing(void *state, uint32_t at_least, uint32_t *found)
{
	(void)state;
	(void)at_least;
	(void)found;
	return 0;
}

static void *create_heavy(void)
{
	return heavy_create(rte_socket_id());
}

static void feed_heavy(void *state, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		heavy_seen(state, hashes[i], 1);
		end_packet();
	}
}

static uint16_t report_heavy(void *state, uint32_t at_least, uint32_t *found)
{
	return heavy_report(state, at_least, found, HEAVY_MAX);
}

/* The samples of those that have none of their own. */
static inline bool is_sample(void)
{
	static uint64_t random;
	static uint32_t left = 1;

	if (likely(--left > 0))
		return false;
	left = 1 + random_below(&random, 2 * HEAVY_PERIOD - 1);
	return true;
}

#define MEMBER_TOP 96 /* not a power of two: there, the sketch logs an error for each packet */

static void *create_member(float error_rate, float sample_rate)
{
	static unsigned int number;
	char name[RTE_MEMBER_NAMESIZE];
	struct rte_member_parameters parameters = {.name = name,
		.type = RTE_MEMBER_TYPE_SKETCH,
		.key_len = sizeof(hashes[0]),
		.prim_hash_seed = 1,
		.sec_hash_seed = 2,
		.error_rate = error_rate,
		.sample_rate = sample_rate,
		.top_k = MEMBER_TOP,
		.socket_id = rte_socket_id()};

	snprintf(name, sizeof(name), "heavy%u", number++);
	return rte_member_create(&parameters);
}

static void *create_member_of_all(void)
{
	return create_member(0.001, 1);
}

/* The columns are as many as the error rate and the samples want: this takes as much memory. */
static void *create_member_that_samples(void)
{
	return create_member(0.001 * HEAVY_PERIOD, 1.0 / HEAVY_PERIOD);
}

static void feed_member(void *state, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		rte_member_add(state, &hashes[i], 1);
}

static void feed_member_samples(void *state, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (is_sample())
			rte_member_add(state, &hashes[i], 1);
		end_packet();
	}
}

static uint16_t report_member(void *state, uint32_t at_least, uint32_t *found)
{
	uint64_t counts[MEMBER_TOP];
	void *keys[MEMBER_TOP];
	int n = rte_member_report_heavyhitter(state, keys, counts);
	uint16_t reported = 0;

	for (int i = 0; i < n && reported < HEAVY_MAX; i++)
		if (counts[i] >= at_least)
			found[reported++] = *(uint32_t *)keys[i];
	rte_member_reset(state);
	return reported;
}

static uint16_t report_member_samples(void *state, uint32_t at_least, uint32_t *found)
{
	return report_member(state, (at_least + HEAVY_PERIOD - 1) / HEAVY_PERIOD, found);
}

#define TABLE_FLOWS 128

struct table {
	uint32_t hashes[TABLE_FLOWS];
	uint32_t samples[TABLE_FLOWS];
};

static void *create_table(void)
{
	return rte_zmalloc("table", sizeof(struct table), RTE_CACHE_LINE_SIZE);
}

static void count_in_table(struct table *table, uint32_t hash)
{
	unsigned int place = 0;

	while (place < TABLE_FLOWS && table->hashes[place] != hash)
		place++;
	if (place == TABLE_FLOWS) {
		place = 0;
		for (unsigned int i = 1; i < TABLE_FLOWS; i++)
			if (table->samples[i] < table->samples[place])
				place = i;
	}
	table->hashes[place] = hash;
	table->samples[place]++;
}

static void feed_table(void *state, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (is_sample())
			count_in_table(state, hashes[i]);
		end_packet();
	}
}

static uint16_t report_table(void *state, uint32_t at_least, uint32_t *found)
{
	struct table *table = state;
	uint16_t reported = 0;

	for (unsigned int i = 0; i < TABLE_FLOWS && reported < HEAVY_MAX; i++)
		if (table->samples[i] * HEAVY_PERIOD >= at_least)
			found[reported++] = table->hashes[i];
	memset(table, 0, sizeof(*table));
	return reported;
}

enum { NOTHING };

static const struct finder finders[] = {
	[NOTHING] = {"nothing", create_nothing, feed_nothing, report_nothing},
	{"steer/heavy.h", create_heavy, feed_heavy, report_heavy},
	{"rte_member, all packets", create_member_of_all, feed_member, report_member},
	{"rte_member, its own samples", create_member_that_samples, feed_member, report_member},
	{"rte_member, 1 in 16", create_member_of_all, feed_member_samples, report_member_samples},
	{"Space-Saving, 128 flows, 1 in 16", create_table, feed_table, report_table},
};

/* ---- measuring ---- */

static void *states[RTE_DIM(finders)];
static size_t bytes[RTE_DIM(finders)];

struct figures {
	double feed[ROUNDS_MAX];   /* cycles a packet */
	double report[ROUNDS_MAX]; /* cycles */
	uint32_t missed;	   /* elephants, in all rounds */
	uint32_t mice;		   /* reported, in all rounds */
};

static size_t bytes_allocated(void)
{
	struct rte_malloc_socket_stats stats;

	rte_malloc_get_socket_stats(rte_socket_id(), &stats);
	return stats.heap_allocsz_bytes;
}

static void create_finders(void)
{
	for (unsigned int i = 0; i < RTE_DIM(finders); i++) {
		size_t before = bytes_allocated();

		states[i] = finders[i].create();
		if (states[i] == NULL)
			rte_exit(EXIT_FAILURE, "bench-heavy: no memory; give EAL more (-m)\n");
		bytes[i] = bytes_allocated() - before;
	}
}

static uint32_t count_elephants(const struct workload *workload, const uint32_t *found, uint16_t n)
{
	uint32_t elephants = 0;

	for (uint16_t i = 0; i < n; i++)
		for (uint32_t flow = 0; flow < workload->elephants; flow++)
			elephants += found[i] == hash_of(flow);
	return elephants;
}

static void measure(unsigned int i, const struct workload *workload, uint32_t window,
	unsigned int round, struct figures *figures)
{
	uint32_t found[HEAVY_MAX], elephants;
	uint64_t begin = rte_rdtsc(), fed;
	uint16_t n;

	finders[i].feed(states[i], window);
	fed = rte_rdtsc();
	n = finders[i].report(states[i], window / workload->one_in / 2, found);
	figures->report[round] = rte_rdtsc() - fed;
	figures->feed[round] = (double)(fed - begin) / window;
	elephants = count_elephants(workload, found, n);
	figures->missed += workload->elephants - elephants;
	figures->mice += n - elephants;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned int n)
{
	qsort(values, n, sizeof(double), compare);
	return values[n / 2];
}

static void print(const struct workload *workload, uint32_t window, struct figures *figures,
	unsigned int rounds)
{
	for (unsigned int i = NOTHING + 1; i < RTE_DIM(finders); i++) {
		for (unsigned int round = 0; round < rounds; round++)
			figures[i].feed[round] -= figures[NOTHING].feed[round];
		printf("{\"scenario\": \"heavy flows: %s\", \"structure\": \"%s\", "
		       "\"window_packets\": %u, \"lcores\": 1, \"clock\": \"real\", "
		       "\"cycles_per_packet\": %.2f, \"report_cycles\": %.0f, \"bytes\": %zu, "
		       "\"missed\": %.3f, \"mice_reported\": %.3f}\n",
			workload->name, finders[i].name, window, median(figures[i].feed, rounds),
			median(figures[i].report, rounds), bytes[i],
			(double)figures[i].missed / rounds, (double)figures[i].mice / rounds);
	}
}

static void run(const struct workload *workload, uint32_t window, unsigned int rounds)
{
	static struct figures figures[RTE_DIM(finders)];

	fprintf(stderr, "%s, windows of %u\n", workload->name, window);
	memset(figures, 0, sizeof(figures));
	for (unsigned int round = 0; round < rounds; round++) {
		make_packets(workload, window);
		for (unsigned int i = 0; i < RTE_DIM(finders); i++)
			measure(i, workload, window, round, &figures[i]);
	}
	print(workload, window, figures, rounds);
}

int main(int argc, char **argv)
{
	int eal = rte_eal_init(argc, argv);
	unsigned int rounds = 20;

	if (eal < 0)
		rte_exit(EXIT_FAILURE, "bench-heavy: EAL does not start; see above\n");
	if (argc > eal + 1)
		rounds = RTE_MIN(RTE_MAX(atoi(argv[eal + 1]), 1), ROUNDS_MAX);
	create_finders();
	for (unsigned int i = 0; i < RTE_DIM(workloads); i++)
		for (unsigned int j = 0; j < RTE_DIM(windows); j++)
			run(&workloads[i], windows[j], rounds);
	return 0;
}
