/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One flow on two real lcores that take turns at its queue: modes turns and auto beside vanilla on
 * one lcore, and each beside what virtual lcores predict. A cell is a container's type, a size of
 * frames, and whether the container receives or sends; all runs of a cell are made one after the
 * other, and count if they began and ended at one distance of the cores and nobody else was at
 * work. ends.h says what is at both ends.
 *
 * There is no core for the container. In vanilla all lines of its rings and buffers stay in the one
 * core's cache; in the other modes they move between the two cores, as they would in any mode
 * between weft's core and a container's. So against a container with a core of its own vanilla does
 * better here than it would, and the ratios are the lower for it, the more so the farther the cores
 * are. With "buffers cold" the container's end leaves the lines of each buffer in no cache, in all
 * modes; those of its ring still move.
 *
 * usage: bench-turns [EAL options, three lcores: main, a worker on the same CPU, one on another]
 * [-- ROUNDS [DIRECTORY]]: how many must count (20); sockets are made in DIRECTORY (/tmp)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "calibrate.h"
#include "ends.h"
#include "engine/lcore.h"
#include "numbers.h"
#include "prices.h"

#define ROUNDS_DEFAULT 20
#define ROUNDS_LEAST 6 /* to print a cell */
#define QUIETEST 4     /* one run of a cell of so many counts */
#define CREDITS 2048
#define WARM_UP_MS 5 /* helpers are there by then */
#define RUN_MS 5
#define CORES 2
#define RUNS_MAX 256 /* of a cell */
#define HELD 0.85    /* share of the time from which on it is what bounds */
#define VIRTUAL_IDS 64u

/* ---- what is compared ---- */

static const struct {
	const char *mode;
	uint16_t n_lcores;
} subjects[] = {{"vanilla", 1}, {"turns", CORES}, {"auto", CORES}};

#define SUBJECTS RTE_DIM(subjects)
#define VANILLA 0

static const uint16_t frame_sizes[] = {64, 1450};

struct cell {
	enum container container;
	enum direction direction;
	uint16_t frame_bytes;
};

enum world { REAL, VIRTUAL, WORLDS };

/* All of them doubles. */
struct result {
	double pps;
	double cycles;					/* working, of all lcores, a packet */
	double container;				/* of these, the container's own */
	double container_held, right_held, number_held; /* shares of the time */
	double busy[CORES];
	double drops; /* of what came, a share */
};

#define CELLS_MAX (CONTAINERS * 2 * RTE_DIM(frame_sizes))

static unsigned int n_cells;
static struct cell cells[CELLS_MAX];
static struct result results[CELLS_MAX][RUNS_MAX][SUBJECTS][WORLDS];
static struct numbers numbers[CELLS_MAX][SUBJECTS][WORLDS]; /* of all runs */

static void add_cells(enum container container, enum direction direction)
{
	for (unsigned int size = 0; size < RTE_DIM(frame_sizes); size++)
		cells[n_cells++] = (struct cell){container, direction, frame_sizes[size]};
}

static void make_cells(void)
{
	for (int container = 0; container < CONTAINERS; container++)
		add_cells(container, TO_CONTAINER);
	add_cells(VHOST, FROM_CONTAINER);
	add_cells(VHOST_COLD, FROM_CONTAINER);
	add_cells(MEMIF, FROM_CONTAINER);
}

/* ---- a run ---- */

/* Counters at one moment. */
struct moment {
	uint64_t time;
	struct conservation sum;
	struct ends_cycles ends;
	uint64_t handing_over;
	uint64_t working[CORES];
};

static struct moment moment_of(const struct dataplane *dataplane, uint64_t time)
{
	struct moment moment = {
		.time = time, .sum = dataplane_conservation(dataplane), .ends = ends_cycles()};

	for (uint16_t i = 0; i < dataplane->n_lcores; i++) {
		const struct lcore_counters *counters = &dataplane->lcores[i]->counters;

		moment.working[i] = counter_read(&counters->time.working);
		moment.handing_over += counter_read(&counters->stages[STEP_DELIVER].cycles) +
				       counter_read(&counters->stages[STEP_SEND].cycles);
	}
	return moment;
}

static struct result between(const struct moment *begin, const struct moment *end)
{
	double cycles = RTE_MAX(end->time - begin->time, UINT64_C(1));
	double delivered = end->sum.delivered - begin->sum.delivered;
	double packets = RTE_MAX(delivered, 1.0);
	double container = end->ends.container - begin->ends.container;
	struct result result = {.pps = delivered * rte_get_tsc_hz() / cycles,
		.container = container / packets,
		.container_held = container / cycles,
		.right_held = (end->ends.right - begin->ends.right) / cycles,
		.number_held = (end->handing_over - begin->handing_over) / cycles,
		.drops = (end->sum.dropped - begin->sum.dropped) / packets};

	for (uint16_t i = 0; i < CORES; i++) {
		result.busy[i] = (end->working[i] - begin->working[i]) / cycles;
		result.cycles += (end->working[i] - begin->working[i]) / packets;
	}
	return result;
}

static struct dataplane *make_dataplane(unsigned int subject, struct clock clock, bool is_virtual)
{
	struct dataplane_config config = {
		.clock = clock, .n_lcores = subjects[subject].n_lcores, .credits = CREDITS};
	unsigned int id = rte_get_next_lcore(-1, 1, 0);
	struct dataplane *dataplane;
	struct error error;

	plan_set(&config.plan, plan_mode_find(subjects[subject].mode));
	for (uint16_t i = 0; i < config.n_lcores; i++, id = rte_get_next_lcore(id, 1, 0))
		config.lcore_ids[i] = is_virtual ? VIRTUAL_IDS + i : id;
	dataplane = dataplane_create(&config, &error);
	if (dataplane == NULL)
		rte_exit(EXIT_FAILURE, "%s\n", error.text);
	return dataplane;
}

static void end_run(struct dataplane *dataplane, struct numbers *sum)
{
	ends_drain();
	numbers_end(sum, dataplane);
	dataplane_free(dataplane);
}

static struct result run_real(struct tables *tables, unsigned int cell, unsigned int subject)
{
	struct clock clock = {.read = clock_tsc, .hz = rte_get_tsc_hz()};
	struct dataplane *dataplane = make_dataplane(subject, clock, false);
	const struct cell *what = &cells[cell];
	struct moment begin, end;

	ends_set(tables, what->container, what->direction, what->frame_bytes - RTE_ETHER_CRC_LEN,
		NULL);
	numbers_begin();
	dataplane_publish(dataplane, tables);
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		rte_eal_remote_launch(lcore_run, dataplane->lcores[i], dataplane->lcore_ids[i]);
	usleep(WARM_UP_MS * 1000);
	begin = moment_of(dataplane, rte_rdtsc());
	usleep(RUN_MS * 1000);
	end = moment_of(dataplane, rte_rdtsc());
	fixture_stop(dataplane);
	end_run(dataplane, &numbers[cell][subject][REAL]);
	return between(&begin, &end);
}

static uint64_t cycles_of(unsigned int ms)
{
	return ms * rte_get_tsc_hz() / 1000;
}

static struct result measure_virtual(struct virtual_driver *driver, struct dataplane *dataplane)
{
	struct moment begin, end;

	virtual_run(driver, cycles_of(WARM_UP_MS));
	begin = moment_of(dataplane, virtual_now(driver));
	virtual_run(driver, cycles_of(WARM_UP_MS + RUN_MS));
	end = moment_of(dataplane, virtual_now(driver));
	dataplane->closing = true;
	while (!virtual_is_at_rest(driver))
		virtual_step(driver);
	return between(&begin, &end);
}

static struct result run_virtual(
	struct tables *tables, unsigned int cell, unsigned int subject, const struct costs *costs)
{
	static const struct clock tsc = {.read = clock_tsc};
	const struct virtual_config config = {
		.costs = costs, .measured = &tsc, .control_period = UINT32_MAX};
	struct virtual_driver *driver = virtual_create(&config);
	struct dataplane *dataplane = make_dataplane(subject, virtual_clock(driver), true);
	const struct cell *what = &cells[cell];
	struct result result;

	ends_set(tables, what->container, what->direction, what->frame_bytes - RTE_ETHER_CRC_LEN,
		driver);
	numbers_begin();
	dataplane_publish(dataplane, tables);
	if (virtual_take(driver, dataplane) != 0)
		rte_exit(EXIT_FAILURE, "no memory; give EAL more (-m)\n");
	if (dataplane->n_lcores > 1)
		lines_start_neighbour();
	result = measure_virtual(driver, dataplane);
	if (dataplane->n_lcores > 1)
		lines_stop_neighbour();
	virtual_release(driver);
	virtual_free(driver);
	end_run(dataplane, &numbers[cell][subject][VIRTUAL]);
	return result;
}

/* Everybody is now the first one, now the last. */
static void run_cell(struct tables *tables, unsigned int cell, unsigned int run)
{
	unsigned int round = run * n_cells + cell;
	struct costs costs = {.hz = rte_get_tsc_hz()};
	enum distance_class class;

	costs.price = prices_now(&class);
	rounds_begin(round);
	for (unsigned int i = 0; i < SUBJECTS; i++) {
		unsigned int subject = (i + run) % SUBJECTS;
		struct result *result = results[cell][run][subject];

		result[REAL] = run_real(tables, cell, subject);
		result[VIRTUAL] = run_virtual(tables, cell, subject, &costs);
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
		if (rounds_classes[run * n_cells + cell] == class)
			runs.list[runs.n++] = run;
	return runs;
}

static struct result median_of(
	unsigned int cell, const struct runs *runs, unsigned int subject, enum world world)
{
	struct result median;
	double values[RUNS_MAX];

	for (size_t member = 0; member < sizeof(median) / sizeof(double); member++) {
		for (unsigned int i = 0; i < runs->n; i++)
			values[i] = ((const double *)&results[cell][runs->list[i]][subject]
							     [world])[member];
		((double *)&median)[member] = fixture_median(values, runs->n);
	}
	return median;
}

struct ratio {
	double median, low, high;
};

/* Of packets/s, both in the same run of the cell. An lcore may be kept from running for all of it.
 */
static struct ratio ratio_of(unsigned int cell, const struct runs *runs,
	const unsigned int itself[2], const unsigned int reference[2])
{
	double values[RUNS_MAX];
	struct ratio ratio;

	for (unsigned int i = 0; i < runs->n; i++) {
		struct result(*all)[WORLDS] = results[cell][runs->list[i]];

		values[i] = all[itself[0]][itself[1]].pps /
			    RTE_MAX(all[reference[0]][reference[1]].pps, 1.0);
	}
	ratio.median = fixture_median(values, runs->n);
	fixture_interval(values, runs->n, &ratio.low, &ratio.high);
	return ratio;
}

/* ---- rows ---- */

static void print_limit(const struct result *result)
{
	if (result->number_held >= HELD)
		printf("\"limit\": \"number\", ");
	else if (result->right_held >= HELD)
		printf("\"limit\": \"right\", ");
	else if (result->container_held >= HELD)
		printf("\"limit\": \"container\", ");
	else
		printf("\"limit\": \"lcore %d\", ", result->busy[1] > result->busy[0]);
}

static void print_figures(const struct result *result, uint16_t n_lcores)
{
	printf("\"pps\": %.0f, \"cycles_per_packet\": %.1f, \"peer_cycles_per_packet\": %.1f, ",
		result->pps, result->cycles, result->container);
	printf("\"drops\": %.4f, \"busy\": [%.3f", result->drops, result->busy[0]);
	if (n_lcores > 1)
		printf(", %.3f], \"right_held\": %.3f, \"number_held\": %.3f, ", result->busy[1],
			result->right_held, result->number_held);
	else
		printf("], ");
	if (n_lcores > 1)
		print_limit(result);
	else
		printf("\"limit\": \"lcore 0\", ");
}

static void print_ratio(const char *name, const struct ratio *ratio, const char *interval)
{
	printf("\"ratio_to_%s\": %.4f, \"%s\": [%.4f, %.4f], ", name, ratio->median, interval,
		ratio->low, ratio->high);
}

static void print_ratios(
	unsigned int cell, const struct runs *runs, unsigned int subject, enum world world)
{
	const unsigned int itself[] = {subject, world}, vanilla[] = {VANILLA, world};
	const unsigned int real[] = {subject, REAL};
	const struct ratio to_vanilla = ratio_of(cell, runs, itself, vanilla);
	const struct ratio to_real = ratio_of(cell, runs, itself, real);

	print_ratio("vanilla", &to_vanilla, "interval");
	if (world == VIRTUAL)
		print_ratio("real", &to_real, "real_interval");
}

static void print_row(unsigned int cell, const struct runs *runs, enum distance_class class,
	unsigned int subject, enum world world)
{
	const struct cell *what = &cells[cell];
	const struct result result = median_of(cell, runs, subject, world);
	uint16_t n_lcores = subjects[subject].n_lcores;

	printf("{\"scenario\": \"%s%s, %s\", ",
		what->direction == TO_CONTAINER ? "turns, to the container"
						: "turns, from the container",
		ends_notes[what->container], rounds_class_names[class]);
	printf("\"system\": \"weft\", \"mode\": \"%s\", \"lcores\": %u, \"clock\": \"%s\", "
	       "\"frame_bytes\": %u, \"flows\": 1, \"port\": \"%s\", ",
		subjects[subject].mode, n_lcores, world == REAL ? "real" : "virtual",
		what->frame_bytes, ends_names[what->container]);
	print_figures(&result, n_lcores);
	print_ratios(cell, runs, subject, world);
	numbers_print(&numbers[cell][subject][world]);
	printf(", \"pairs\": %u, \"runs\": [", runs->n);
	for (unsigned int i = 0; i < runs->n; i++)
		printf("%s%.0f", i > 0 ? ", " : "",
			results[cell][runs->list[i]][subject][world].pps);
	printf("]}\n");
}

static void print(unsigned int all)
{
	for (int class = 0; class < DISTANCE_CLASSES; class ++) {
		for (unsigned int cell = 0; cell < n_cells; cell++) {
			const struct runs runs = runs_at(cell, class, all);

			for (unsigned int i = 0; i < SUBJECTS * WORLDS && runs.n >= ROUNDS_LEAST;
				i++)
				print_row(cell, &runs, class, i / WORLDS, i % WORLDS);
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
static unsigned int run_round(struct tables *tables, unsigned int round, unsigned int enough)
{
	unsigned int quiet, missing = 0;

	prices_measure();
	for (unsigned int cell = 0; cell < n_cells; cell++)
		run_cell(tables, cell, round);
	quiet = rounds_take_quietest((round + 1) * n_cells, QUIETEST);
	for (unsigned int cell = 0; cell < n_cells; cell++)
		missing += !has_enough(cell, round + 1, enough);
	if (round % 10 == 9 || missing == 0)
		fprintf(stderr, "round %u: %u runs of %u count, %u of %u cells want more\n",
			round + 1, quiet, (round + 1) * n_cells, missing, n_cells);
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
	prices_init();
	ends_init(argc > first + 1 ? argv[first + 1] : "/tmp");
	make_cells();
	tables = fixture_tables(&fixture_uplink);
	while (rounds < RUNS_MAX && run_round(tables, rounds++, enough) > 0)
		;
	ends_free();
	print(rounds);
	return 0;
}
