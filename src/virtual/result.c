/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtual/result.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "control/config.h"
#include "engine/door.h"
#include "engine/lcore.h"
#include "stages/rx.h"

#define NAME_SIZE 128
#define BUSY_LIMIT 0.97 /* an lcore that is busy for more has nothing to spare */
#define US_PER_SECOND 1e6

/* ---- lcores ---- */

static void read_times(const struct dataplane *dataplane, struct time_counters *times)
{
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		times[i] = dataplane->lcores[i]->counters.time;
}

static void add_merges(struct result_door *sum, const struct door *door)
{
	for (uint16_t i = 0; i < door->elephants.n_elephants; i++) {
		const struct merge_counters *counters = &door->merges[i].counters;

		sum->merged += counters->packets;
		sum->out_of_order += counters->out_of_order;
		sum->most_held = RTE_MAX(sum->most_held, counters->most_held);
	}
}

static struct result_door read_door(const struct lcore *lcore)
{
	const struct door *door = lcore->door;
	struct result_door sum = {.gate_changes = door->gate.changes,
		.moves = door->moves.ended,
		.refused = lcore->counters.drops[STAGE_RX][RX_PATH_FULL],
		.promoted = door->elephants.promoted,
		.demoted = door->elephants.demoted};

	add_merges(&sum, door);
	return sum;
}

void result_begin(struct result *result)
{
	const struct dataplane *dataplane = result->dataplane;

	result->begin = *result->counters;
	result->lcores.n = dataplane->n_lcores;
	read_times(dataplane, result->lcores.begin);
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		result->doors[i] = read_door(dataplane->lcores[i]);
	series_begin(&result->series, result->outside, dataplane);
}

void result_look(struct result *result, uint64_t now)
{
	series_look(&result->series, result->outside, result->dataplane, now);
}

void result_end(struct result *result)
{
	result->end = *result->counters;
	read_times(result->dataplane, result->lcores.end);
}

/* Of a run that was ended at once there is nothing to tell, but no division by nothing either. */
static double cycles_of(const struct result *result)
{
	return RTE_MAX(result->outside->end - result->outside->start, UINT64_C(1));
}

static double seconds_of(const struct result *result)
{
	return cycles_of(result) / result->outside->costs->hz;
}

static uint64_t busy_cycles(const struct result *result, uint16_t lcore)
{
	const struct time_counters *begin = &result->lcores.begin[lcore];
	const struct time_counters *end = &result->lcores.end[lcore];

	return end->working + end->housekeeping - begin->working - begin->housekeeping;
}

/* A round that was under way at the end is counted whole. */
static double busy_share(const struct result *result, uint16_t lcore)
{
	double share = busy_cycles(result, lcore) / cycles_of(result);

	return share < 1 ? share : 1;
}

static double back_pressured_share(const struct result *result, uint16_t lcore)
{
	return (result->lcores.end[lcore].back_pressured -
		       result->lcores.begin[lcore].back_pressured) /
	       cycles_of(result);
}

/* In percent of an lcore. */
static double load_stddev(const struct result *result)
{
	double sum = 0, squares = 0, n = result->lcores.n;

	for (uint16_t i = 0; i < result->lcores.n; i++) {
		double share = 100 * busy_share(result, i);

		sum += share;
		squares += share * share;
	}
	squares = squares / n - (sum / n) * (sum / n);
	return squares > 0 ? sqrt(squares) : 0;
}

static uint16_t busiest(const struct result *result)
{
	uint16_t first = 0;

	for (uint16_t i = 1; i < result->lcores.n; i++)
		if (busy_cycles(result, i) > busy_cycles(result, first))
			first = i;
	return first;
}

/* ---- traffic ---- */

/* Of one section, or of all. */
struct figures {
	char name[PORT_NAME_SIZE];
	char port[16];	/* type of the container port that it ends or begins at */
	char bytes[16]; /* as in the configuration */
	uint32_t flows;
	uint64_t sent, missed, delivered, delivered_in_time;
	struct histogram latency;
};

static const struct traffic_settings *settings_of(const struct result *result, uint16_t i)
{
	return result->outside->traffic[i].settings;
}

/* The configuration says vhost-user; tables of results say vhost. */
static void name_port(const struct outside_traffic *traffic, char *name, size_t size)
{
	const struct device *device = traffic->to->uplink ? traffic->from : traffic->to;
	const char *type = device->config->type;

	snprintf(name, size, "%s", strcmp(type, "vhost-user") == 0 ? "vhost" : type);
}

static void name_bytes(const struct traffic_settings *settings, char *name, size_t size)
{
	if (settings->bytes_min == settings->bytes_max)
		snprintf(name, size, "%u", settings->bytes_min);
	else
		snprintf(name, size, "\"%u-%u\"", settings->bytes_min, settings->bytes_max);
}

/* Where sections differ, that of all has no single one. */
static void join(char *text, size_t size, const char *other, const char *different)
{
	if (text[0] == '\0')
		snprintf(text, size, "%s", other);
	else if (strcmp(text, other) != 0)
		snprintf(text, size, "%s", different);
}

static void add_traffic(struct figures *figures, const struct outside_traffic *traffic)
{
	char port[sizeof(figures->port)], bytes[sizeof(figures->bytes)];

	name_port(traffic, port, sizeof(port));
	join(figures->port, sizeof(figures->port), port, "mixed");
	name_bytes(traffic->settings, bytes, sizeof(bytes));
	join(figures->bytes, sizeof(figures->bytes), bytes, "\"mixed\"");
	figures->flows += traffic->settings->flows;
	figures->sent += traffic->sent;
	figures->missed += traffic->missed;
	figures->delivered += traffic->delivered;
	figures->delivered_in_time += traffic->delivered_in_time;
	figures->latency.total += traffic->latency.total;
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
		figures->latency.counts[i] += traffic->latency.counts[i];
}

static void figures_of(const struct result *result, uint16_t i, struct figures *figures)
{
	*figures = (struct figures){0};
	snprintf(figures->name, sizeof(figures->name), "%s", settings_of(result, i)->name);
	add_traffic(figures, &result->outside->traffic[i]);
}

static void figures_of_all(const struct result *result, struct figures *figures)
{
	*figures = (struct figures){.name = "all", .bytes = "", .port = ""};
	for (uint16_t i = 0; i < result->outside->n_traffic; i++)
		add_traffic(figures, &result->outside->traffic[i]);
	if (result->outside->n_traffic == 0) {
		join(figures->port, sizeof(figures->port), "none", "");
		join(figures->bytes, sizeof(figures->bytes), "null", "");
	}
}

static uint64_t dropped(const struct figures *figures)
{
	return figures->sent - figures->missed - figures->delivered;
}

static double quantile_us(const struct result *result, const struct figures *figures, double share)
{
	return histogram_quantile(&figures->latency, share) * US_PER_SECOND /
	       result->outside->costs->hz;
}

/* Neither delivered nor counted as a drop, over all that went in and came out. */
static int64_t lost(const struct result *result)
{
	struct conservation sum = dataplane_conservation(result->dataplane);
	const struct devices *devices = &result->outside->devices;
	int64_t n = sum.created - sum.dropped - sum.consumed - sum.coalesced;

	for (uint16_t i = 0; i < devices->n; i++)
		n += devices->list[i].given - devices->list[i].taken;
	return n;
}

/* ---- what bounded it ---- */

static unsigned int most_frequent_drop(const struct result *result)
{
	unsigned int most = 0;

	for (unsigned int slot = 1; slot < DROP_SLOTS; slot++)
		if (dataplane_drops(result->dataplane, slot) >
			dataplane_drops(result->dataplane, most))
			most = slot;
	return most;
}

static void name_limit(
	const struct result *result, const struct figures *all, char *text, size_t size)
{
	uint16_t lcore = busiest(result);
	struct conservation sum = dataplane_conservation(result->dataplane);

	if (busy_share(result, lcore) >= BUSY_LIMIT)
		snprintf(text, size, "lcore %u", result->dataplane->lcore_ids[lcore]);
	else if (sum.dropped > 0 && sum.dropped >= all->missed)
		snprintf(text, size, "%s", drop_at(most_frequent_drop(result))->name);
	else if (all->missed > 0)
		snprintf(text, size, "receive rings");
	else
		snprintf(text, size, "sources");
}

/* ---- the table ---- */

static void print_row(const struct result *result, const struct figures *figures)
{
	double seconds = seconds_of(result);

	printf("  %-16s %12" PRIu64 " %12" PRIu64 " %10" PRIu64 " %10" PRIu64
	       " %12.0f %9.2f %9.2f %9.2f\n",
		figures->name, figures->sent, figures->delivered, figures->missed, dropped(figures),
		figures->delivered_in_time / seconds, quantile_us(result, figures, 0.5),
		quantile_us(result, figures, 0.99), quantile_us(result, figures, 0.999));
}

static void print_lcores(const struct result *result)
{
	printf("\n  %-16s %12s %14s %18s\n", "lcore", "busy, %", "of it, cycles",
		"back-pressured, %");
	for (uint16_t i = 0; i < result->lcores.n; i++)
		printf("  %-16u %12.1f %14" PRIu64 " %18.1f\n", result->dataplane->lcore_ids[i],
			100 * busy_share(result, i), busy_cycles(result, i),
			100 * back_pressured_share(result, i));
}

static bool print_verdicts(const struct result *result, int64_t n_lost)
{
	const struct checker *checker = &result->outside->checker;
	bool sound = outside_broken(result->outside) == 0 && n_lost == 0;

	printf("\n  reordered %" PRIu64 ", duplicates %" PRIu64 ", corrupted %" PRIu64
	       ", strayed %" PRIu64 ", foreign %" PRIu64 ", misdirected %" PRIu64 ", lost %" PRId64
	       ": %s\n",
		checker_count(checker, FRAME_REORDERED), checker_count(checker, FRAME_DUPLICATE),
		checker_count(checker, FRAME_CORRUPTED), checker_count(checker, FRAME_STRAYED),
		checker_count(checker, FRAME_FOREIGN), result->outside->misdirected, n_lost,
		sound ? "held" : "VIOLATED");
	if (result->outside->complaint[0] != '\0')
		printf("  the first: %s\n", result->outside->complaint);
	return sound;
}

static void print_steps(const struct result *result)
{
	if (virtual_settings(result->outside->config)->measured)
		printf("\n  measured %" PRIu64 " steps, %" PRIu64 " rejected as preempted\n",
			result->counters->steps, result->counters->outliers);
}

bool result_print(const struct result *result)
{
	struct figures figures;
	int64_t n_lost;

	printf("\n  %-16s %12s %12s %10s %10s %12s %9s %9s %9s\n", "traffic", "sent", "delivered",
		"missed", "dropped", "packets/s", "p50, us", "p99, us", "p99.9, us");
	for (uint16_t i = 0; i < result->outside->n_traffic; i++) {
		figures_of(result, i, &figures);
		print_row(result, &figures);
	}
	figures_of_all(result, &figures);
	n_lost = lost(result);
	if (result->outside->n_traffic != 1)
		print_row(result, &figures);
	print_lcores(result);
	print_steps(result);
	return print_verdicts(result, n_lost);
}

/* ---- JSON ---- */

/* The configuration's name without directory and ending. */
static void name_scenario(const struct result *result, char *name, size_t size)
{
	const char *file = result->outside->config->file;
	const char *slash = strrchr(file, '/');
	size_t n = 0;

	if (slash != NULL)
		file = slash + 1;
	for (; *file != '\0' && *file != '.' && n + 1 < size; file++)
		name[n++] = *file == '"' || *file == '\\' || *file < ' ' ? '_' : *file;
	name[n] = '\0';
}

static uint64_t all_busy_cycles(const struct result *result)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < result->lcores.n; i++)
		sum += busy_cycles(result, i);
	return sum;
}

static void write_latency(FILE *file, const struct result *result, const struct figures *figures)
{
	static const struct {
		const char *name;
		double share;
	} quantiles[] = {{"p50_us", 0.5}, {"p99_us", 0.99}, {"p999_us", 0.999}};

	for (size_t i = 0; i < RTE_DIM(quantiles); i++) {
		if (figures->latency.total == 0)
			fprintf(file, ", \"%s\": null", quantiles[i].name);
		else
			fprintf(file, ", \"%s\": %.3f", quantiles[i].name,
				quantile_us(result, figures, quantiles[i].share));
	}
}

static void write_reordered(FILE *file, const struct result *result, int section)
{
	uint64_t reordered = 0;
	const struct outside *outside = result->outside;

	if (section < 0)
		reordered = checker_count(&outside->checker, FRAME_REORDERED);
	else
		reordered = outside->traffic[section].reordered;
	fprintf(file, ", \"reordered\": %" PRIu64, reordered);
}

/* Whose packets are lost nobody can tell where there are drops too. */
static void write_lost(FILE *file, const struct figures *figures, int64_t n_lost, bool all)
{
	if (all || n_lost == 0)
		fprintf(file, ", \"lost\": %" PRId64, n_lost);
	else if (dropped(figures) == 0)
		fprintf(file, ", \"lost\": 0");
	else
		fprintf(file, ", \"lost\": null");
}

/* What is the same in all rows. */
static void write_run(FILE *file, const struct result *result, const struct figures *all)
{
	char name[NAME_SIZE];

	name_scenario(result, name, sizeof(name));
	fprintf(file, "\"scenario\": \"%s\", \"system\": \"weft\", \"mode\": \"%s\"", name,
		result->dataplane->plan->mode->name);
	fprintf(file, ", \"lcores\": %u, \"clock\": \"virtual\"", result->lcores.n);
	fprintf(file, ", \"cycles_per_packet\": ");
	if (all->delivered_in_time == 0)
		fprintf(file, "null");
	else
		fprintf(file, "%.2f", (double)all_busy_cycles(result) / all->delivered_in_time);
	fprintf(file, ", \"core_load_stddev\": %.3f", load_stddev(result));
	name_limit(result, all, name, sizeof(name));
	fprintf(file, ", \"limit\": \"%s\"", name);
}

/* Section -1: all of them. */
static void write_row(FILE *file, const struct result *result, const struct figures *all,
	const struct figures *figures, int section)
{
	fprintf(file, "%s\n    {", section < 0 ? "" : ",");
	write_run(file, result, all);
	fprintf(file, ", \"traffic\": \"%s\", \"frame_bytes\": %s, \"flows\": %u", figures->name,
		figures->bytes, figures->flows);
	fprintf(file, ", \"port\": \"%s\", \"pps\": %.1f, \"offered_pps\": %.1f", figures->port,
		figures->delivered_in_time / seconds_of(result),
		figures->sent / seconds_of(result));
	fprintf(file,
		", \"sent\": %" PRIu64 ", \"delivered\": %" PRIu64 ", \"missed\": %" PRIu64
		", \"drops\": %" PRIu64,
		figures->sent, figures->delivered, figures->missed, dropped(figures));
	write_reordered(file, result, section);
	write_lost(file, figures, lost(result), section < 0);
	write_latency(file, result, figures);
	fprintf(file, "}");
}

static void write_machine(FILE *file, const struct result *result)
{
	const struct virtual_settings *settings = virtual_settings(result->outside->config);

	fprintf(file,
		"  \"machine\": {\"hz\": %" PRIu64 ", \"steps\": \"%s\", \"seed\": %" PRIu64
		", \"seconds\": %.9f},\n",
		result->outside->costs->hz, settings->measured ? "measured" : "table",
		settings->seed, seconds_of(result));
}

static void write_lcores(FILE *file, const struct result *result)
{
	fprintf(file, "  \"lcores\": [");
	for (uint16_t i = 0; i < result->lcores.n; i++)
		fprintf(file, "%s{\"lcore\": %u, \"busy\": %.4f, \"back_pressured\": %.4f}",
			i == 0 ? "" : ", ", result->dataplane->lcore_ids[i], busy_share(result, i),
			back_pressured_share(result, i));
	fprintf(file, "],\n");
}

/* Shares of the time, of all queues that lcores take turns at together. */
static void write_turns(FILE *file, const struct result *result)
{
	fprintf(file, "  \"turns\": {\"right\": %.4f, \"number\": %.4f},\n",
		(result->end.right_held - result->begin.right_held) / cycles_of(result),
		(result->end.number_held - result->begin.number_held) / cycles_of(result));
}

static void write_door(FILE *file, const struct lcore *lcore, const struct result_door *begin)
{
	const struct door *door = lcore->door;
	struct result_door end = read_door(lcore);

	fprintf(file,
		"{\"lcore\": %u, \"gate\": {\"open\": %s, \"changes\": %" PRIu64
		"}, \"moves\": {\"ended\": %" PRIu64 ", \"most_held\": %u}, \"refused\": %" PRIu64,
		lcore->id, door->gate.open ? "true" : "false",
		end.gate_changes - begin->gate_changes, end.moves - begin->moves,
		door->moves.most_held, end.refused - begin->refused);
	fprintf(file,
		", \"elephants\": {\"promoted\": %" PRIu64 ", \"demoted\": %" PRIu64
		", \"merged\": %" PRIu64 ", \"out_of_order\": %" PRIu64 ", \"most_held\": %u}}",
		end.promoted - begin->promoted, end.demoted - begin->demoted,
		end.merged - begin->merged, end.out_of_order - begin->out_of_order, end.most_held);
}

/* Of each lcore that packets came to, to be steered. */
static void write_doors(FILE *file, const struct result *result)
{
	const struct dataplane *dataplane = result->dataplane;
	const char *separator = "";

	fprintf(file, "  \"doors\": [");
	for (uint16_t i = 0; i < dataplane->n_lcores; i++) {
		if (dataplane->lcores[i]->door->arrived == 0)
			continue;
		fprintf(file, "%s", separator);
		write_door(file, dataplane->lcores[i], &result->doors[i]);
		separator = ", ";
	}
	fprintf(file, "],\n");
}

static void write_series(FILE *file, const struct result *result)
{
	fprintf(file, "  \"series\": ");
	series_write(&result->series, result->outside->costs->hz, file);
	fprintf(file, ",\n");
}

/* Of each reason that there was. */
static void write_drops(FILE *file, const struct result *result)
{
	const char *separator = "";

	fprintf(file, "  \"drops\": {");
	for (unsigned int slot = 0; slot < DROP_SLOTS; slot++) {
		uint64_t packets = dataplane_drops(result->dataplane, slot);

		if (packets == 0)
			continue;
		fprintf(file, "%s\"%s\": %" PRIu64, separator, drop_at(slot)->name, packets);
		separator = ", ";
	}
	fprintf(file, "},\n");
}

static void write_rows(FILE *file, const struct result *result)
{
	struct figures all, figures;

	fprintf(file, "  \"rows\": [");
	figures_of_all(result, &all);
	write_row(file, result, &all, &all, -1);
	for (uint16_t i = 0; i < result->outside->n_traffic; i++) {
		figures_of(result, i, &figures);
		write_row(file, result, &all, &figures, i);
	}
	fprintf(file, "\n  ]\n");
}

int result_write_json(const struct result *result, const char *name, struct error *error)
{
	FILE *file = fopen(name, "w");
	bool failed;

	if (file == NULL)
		return error_set(error, "--json %s: %s", name, strerror(errno));
	fprintf(file, "{\n  \"weft\": \"%s\",\n", WEFT_VERSION);
	write_machine(file, result);
	write_lcores(file, result);
	write_turns(file, result);
	write_doors(file, result);
	write_drops(file, result);
	write_series(file, result);
	write_rows(file, result);
	fprintf(file, "}\n");
	failed = ferror(file);
	if (fclose(file) != 0 || failed)
		return error_set(error, "--json %s: cannot be written", name);
	return 0;
}
