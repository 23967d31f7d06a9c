/* SPDX-License-Identifier: BSD-3-Clause */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>

static double seconds_between(const struct snapshot *from, const struct snapshot *to)
{
	return (double)(to->time - from->time) / rte_get_tsc_hz();
}

static double rate(uint64_t from, uint64_t to, double seconds)
{
	return seconds > 0 ? (to - from) / seconds : 0;
}

static double microseconds(const struct traffic *traffic, double share)
{
	return histogram_quantile(&traffic->sink.latency, share) * 1e6 / rte_get_tsc_hz();
}

static double busy_share(const struct snapshot *from, const struct snapshot *to)
{
	return to->time > from->time ? (double)(to->busy - from->busy) / (to->time - from->time)
				     : 0;
}

static uint64_t lost(const struct traffic *traffic)
{
	uint64_t missing = traffic->source.sent - sink_received(&traffic->sink);

	return missing - RTE_MIN(missing, traffic->unanswered);
}

void report_rates(
	const struct traffic *traffic, const struct snapshot *from, const struct snapshot *to)
{
	double seconds = seconds_between(from, to);
	double bits = frame_length(traffic->options->frame_bytes) * 8;
	double tx = rate(from->sent, to->sent, seconds);
	double rx = rate(from->received, to->received, seconds);

	printf("  Rx-pps: %12.0f  Rx-bps: %14.0f  Tx-pps: %12.0f  Tx-bps: %14.0f  busy: %3.0f%%\n",
		rx, rx * bits, tx, tx * bits, 100 * busy_share(from, to));
}

static void print_counter(const char *name, uint64_t value)
{
	printf("  %-12s %16" PRIu64 "\n", name, value);
}

static bool is_sound(const struct sink *sink)
{
	return sink_received(sink) > 0 && sink->counts[FRAME_REORDERED] == 0 &&
	       sink->counts[FRAME_DUPLICATE] == 0 && sink->counts[FRAME_CORRUPTED] == 0 &&
	       sink->counts[FRAME_STRAYED] == 0;
}

bool report_result(const struct traffic *traffic)
{
	const struct sink *sink = &traffic->sink;
	double seconds = seconds_between(&traffic->begin, &traffic->end);

	print_counter("sent", traffic->source.sent);
	print_counter("received", sink_received(sink));
	print_counter("unanswered", traffic->unanswered);
	print_counter("lost", lost(traffic));
	print_counter("reordered", sink->counts[FRAME_REORDERED]);
	print_counter("duplicates", sink->counts[FRAME_DUPLICATE]);
	print_counter("corrupted", sink->counts[FRAME_CORRUPTED]);
	print_counter("strayed", sink->counts[FRAME_STRAYED]);
	print_counter("other", sink->counts[FRAME_FOREIGN]);
	printf("  %.2f s: %.0f packets/s sent, %.0f received; latency p50 %.1f, p99 %.1f, p99.9 "
	       "%.1f "
	       "us; loop %.0f%% busy\n",
		seconds, rate(traffic->begin.sent, traffic->end.sent, seconds),
		rate(traffic->begin.received, traffic->end.received, seconds),
		microseconds(traffic, 0.5), microseconds(traffic, 0.99),
		microseconds(traffic, 0.999), 100 * busy_share(&traffic->begin, &traffic->end));
	return is_sound(sink);
}

static void write_counters(FILE *file, const struct traffic *traffic)
{
	const struct sink *sink = &traffic->sink;

	fprintf(file,
		"\"sent\": %" PRIu64 ", \"received\": %" PRIu64 ", \"unanswered\": %" PRIu64
		", \"lost\": %" PRIu64 ", \"reordered\": %" PRIu64 ", \"duplicates\": %" PRIu64
		", \"corrupted\": %" PRIu64 ", \"strayed\": %" PRIu64 ", \"other\": %" PRIu64,
		traffic->source.sent, sink_received(sink), traffic->unanswered, lost(traffic),
		sink->counts[FRAME_REORDERED], sink->counts[FRAME_DUPLICATE],
		sink->counts[FRAME_CORRUPTED], sink->counts[FRAME_STRAYED],
		sink->counts[FRAME_FOREIGN]);
}

static void write_rates(FILE *file, const struct traffic *traffic)
{
	double seconds = seconds_between(&traffic->begin, &traffic->end);

	fprintf(file,
		"\"seconds\": %.3f, \"hz\": %" PRIu64
		", \"offered_pps\": %.0f, \"pps\": %.0f, \"busy\": %.4f",
		seconds, rte_get_tsc_hz(), rate(traffic->begin.sent, traffic->end.sent, seconds),
		rate(traffic->begin.received, traffic->end.received, seconds),
		busy_share(&traffic->begin, &traffic->end));
	if (traffic->sink.latency.total > 0)
		fprintf(file, ", \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f",
			microseconds(traffic, 0.5), microseconds(traffic, 0.99),
			microseconds(traffic, 0.999));
	if (traffic->distance[0] > 0 && traffic->distance[1] > 0)
		fprintf(file, ", \"distance_cycles\": [%" PRIu64 ", %" PRIu64 "]",
			traffic->distance[0], traffic->distance[1]);
}

int report_json(const struct traffic *traffic, const char *path)
{
	const struct options *options = traffic->options;
	FILE *file = fopen(path, "w");

	if (file == NULL) {
		fprintf(stderr, "weft-traffic: %s: %s\n", path, strerror(errno));
		return -1;
	}
	fprintf(file,
		"{\"direction\": \"%s\", \"native\": %s, \"frame_bytes\": %u, \"flows\": %u, "
		"\"window\": %" PRIu64 ", ",
		direction_name(options->direction), options->native ? "true" : "false",
		options->frame_bytes, options->flows, options->window);
	write_counters(file, traffic);
	fprintf(file, ", ");
	write_rates(file, traffic);
	fprintf(file, "}\n");
	if (fclose(file) == 0)
		return 0;
	fprintf(stderr, "weft-traffic: %s: %s\n", path, strerror(errno));
	return -1;
}
