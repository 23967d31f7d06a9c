/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SERIES_H
#define WEFT_SERIES_H

#include <stdint.h>
#include <stdio.h>

#include "engine/dataplane.h"
#include "virtual/outside.h"

/*
 * What had happened in a virtual run at some times, evenly spread over the time for which there was
 * traffic: how it took a change of the traffic, and what the doors did about it. Main lcore.
 */

#define SERIES_SAMPLES 100

/* Counts since the start of the traffic, of all sections, and of all lcores that packets came to,
 * to be steered. */
struct series_sample {
	uint64_t time; /* cycles */
	uint64_t sent;
	uint64_t missed; /* found their receive ring full */
	uint64_t delivered;
	uint64_t refused;      /* at the door, their path being full */
	uint64_t moves;	       /* of flow groups to another path, ended */
	uint64_t gate_changes; /* Falcon's gate opened or closed */
};

struct series {
	struct series_sample begin; /* what there was before */
	uint16_t n;
	struct series_sample samples[SERIES_SAMPLES];
};

/* When the traffic starts. */
void series_begin(
	struct series *series, const struct outside *outside, const struct dataplane *dataplane);

/* Takes a sample if one is due at the time `now`; to be called every now and then. */
void series_look(struct series *series, const struct outside *outside,
	const struct dataplane *dataplane, uint64_t now);

/* As an object of JSON: an array for each member of a sample, times in seconds. */
void series_write(const struct series *series, uint64_t hz, FILE *file);

#endif
