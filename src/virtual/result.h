/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_VIRTUAL_RESULT_H
#define WEFT_VIRTUAL_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/counters.h"
#include "core/error.h"
#include "virtual/outside.h"

/*
 * What a virtual run has come to, for people and for programs. Nothing in it depends on the machine
 * or the time of day, unless steps were measured.
 */

struct result_lcores {
	uint16_t n;
	struct time_counters begin[LCORES_MAX], end[LCORES_MAX];
};

struct result {
	const struct outside *outside;
	const struct dataplane *dataplane;
	const struct virtual_counters *counters;
	struct result_lcores lcores; /* while sources were on */
};

/* The lcores' counters, when sources start and when they stop. */
void result_begin(struct result *result);
void result_end(struct result *result);

/* Prints the table. True if no packet broke an invariant and none is missing. */
bool result_print(const struct result *result);

/* Writes the rows. 0, or -1 and *error. */
int result_write_json(const struct result *result, const char *file, struct error *error);

#endif
