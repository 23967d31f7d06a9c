/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_BENCH_CALIBRATE_H
#define WEFT_BENCH_CALIBRATE_H

#include <stdbool.h>
#include <stdint.h>

#include "ports/port.h"
#include "rounds.h"
#include "virtual/costs.h"

/*
 * The parts of bench-calibrate. Each measures all it has once a round, so that all take turns, and
 * prints medians over the rounds: rows of JSON. What is to be written into the file of costs is in
 * a row's "costs": the section and its keys.
 */
#define ROW                                                                                        \
	"\"system\": \"weft\", \"mode\": \"%s\", \"lcores\": %d, \"clock\": \"real\", "            \
	"\"frame_bytes\": %d, \"flows\": 1, \"port\": \"%s\""

extern bool calibrate_own_netns; /* the process has a network namespace of its own */

void lines_init(void);
/* All, or only what the prices of packets that arrive and mbufs that come back need. */
void lines_round(unsigned int round, bool all);
/* The other CPU does the like, as busy as a lcore would be, until it is to stop. */
void lines_start_neighbour(void);
void lines_stop_neighbour(void);
void lines_print(unsigned int rounds);
/* What one round says. */
struct price lines_price(unsigned int round);

void steps_init(void);
void steps_round(unsigned int round);
void steps_print(unsigned int rounds);

/* Sockets are made in the directory. */
void ports_init(const char *directory);
void ports_round(unsigned int round);
void ports_print(unsigned int rounds);
void ports_close(void);

#endif
