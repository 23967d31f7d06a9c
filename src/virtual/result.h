/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_VIRTUAL_RESULT_H
#define WEFT_VIRTUAL_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/counters.h"
#include "virtual/outside.h"
#include "virtual/series.h"

/*
 * What a virtual run has come to, for people and for programs. Nothing in it depends on the machine
 * or the time of day, unless steps were measured.
 */

struct result_lcores {
	uint16_t n;
	struct time_counters begin[LCORES_MAX], end[LCORES_MAX];
};

/* What a door had done about its flow groups' paths, and its elephants. */
struct result_door {
	uint64_t gate_changes;
	uint64_t moves;
	uint64_t refused; /* packets whose path was full */
	uint64_t promoted;
	uint64_t demoted;
	uint64_t merged;       /* packets of elephants, */
	uint64_t out_of_order; /* and those that had to be held */
	uint32_t most_held;    /* by one merge */
};

struct result {
	const struct outside *outside;
	const struct dataplane *dataplane;
	const struct virtual_counters *counters;
	struct virtual_counters begin, end;   /* while sources were on */
	struct result_lcores lcores;	      /* while sources were on */
	struct result_door doors[LCORES_MAX]; /* of each lcore, when they started */
	struct series series;
};

/* The lcores' counters, when sources start and when they stop; and now and then in between. */
void result_begin(struct result *result);
void result_look(struct result *result, uint64_t now);
void result_end(struct result *result);

/* Prints the table. True if no packet broke an invariant and none is missing. */
bool result_print(const struct result *result);

/* Writes the rows. 0, or -1 and *error. */
int result_write_json(const struct result *result, const char *file, struct error *error);

#endif
