/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtual/series.h"

#include <inttypes.h>
#include <stddef.h>

#include "engine/door.h"
#include "stages/rx.h"

static void add_traffic(struct series_sample *sample, const struct outside *outside)
{
	for (uint16_t i = 0; i < outside->n_traffic; i++) {
		sample->sent += outside->traffic[i].sent;
		sample->missed += outside->traffic[i].missed;
		sample->delivered += outside->traffic[i].delivered;
	}
}

static void add_doors(struct series_sample *sample, const struct dataplane *dataplane)
{
	for (uint16_t i = 0; i < dataplane->n_lcores; i++) {
		const struct door *door = dataplane->lcores[i]->door;

		if (door->arrived == 0)
			continue;
		sample->moves += door->moves.ended;
		sample->gate_changes += door->gate.changes;
	}
	sample->refused = dataplane_drops(dataplane, drop_slot(STAGE_RX, RX_PATH_FULL));
}

static struct series_sample count(
	const struct outside *outside, const struct dataplane *dataplane, uint64_t now)
{
	struct series_sample sample = {.time = now};

	add_traffic(&sample, outside);
	add_doors(&sample, dataplane);
	return sample;
}

void series_begin(
	struct series *series, const struct outside *outside, const struct dataplane *dataplane)
{
	*series = (struct series){.begin = count(outside, dataplane, outside->start)};
}

static bool is_due(const struct series *series, const struct outside *outside, uint64_t now)
{
	uint64_t length = outside->end - outside->start;

	return series->n < SERIES_SAMPLES &&
	       now >= outside->start + length * (series->n + 1) / SERIES_SAMPLES;
}

void series_look(struct series *series, const struct outside *outside,
	const struct dataplane *dataplane, uint64_t now)
{
	if (is_due(series, outside, now))
		series->samples[series->n++] = count(outside, dataplane, now);
}

static void write_array(
	const struct series *series, const char *name, size_t offset, double unit, FILE *file)
{
	uint64_t begin = *(const uint64_t *)((const char *)&series->begin + offset);

	fprintf(file, "\"%s\": [", name);
	for (uint16_t i = 0; i < series->n; i++) {
		uint64_t n = *(const uint64_t *)((const char *)&series->samples[i] + offset);

		fprintf(file, "%s%.*f", i > 0 ? ", " : "", unit == 1 ? 0 : 6, (n - begin) / unit);
	}
	fprintf(file, "]");
}

void series_write(const struct series *series, uint64_t hz, FILE *file)
{
	static const struct {
		const char *name;
		size_t offset;
	} members[] = {
		{"sent", offsetof(struct series_sample, sent)},
		{"missed", offsetof(struct series_sample, missed)},
		{"delivered", offsetof(struct series_sample, delivered)},
		{"refused", offsetof(struct series_sample, refused)},
		{"moves", offsetof(struct series_sample, moves)},
		{"gate_changes", offsetof(struct series_sample, gate_changes)},
	};

	fprintf(file, "{");
	write_array(series, "seconds", offsetof(struct series_sample, time), hz, file);
	for (size_t i = 0; i < RTE_DIM(members); i++) {
		fprintf(file, ",\n    ");
		write_array(series, members[i].name, members[i].offset, 1, file);
	}
	fprintf(file, "}");
}
