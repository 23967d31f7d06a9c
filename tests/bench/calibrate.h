/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_BENCH_CALIBRATE_H
#define WEFT_BENCH_CALIBRATE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

/*
 * The parts of bench-calibrate. Each measures all it has once a round, so that all take turns, and
 * prints medians over the rounds: rows of JSON. What is to be written into the file of costs is in
 * a row's "costs": the section and its keys.
 */
#define ROUNDS_MAX 64
#define ROW                                                                                        \
	"\"system\": \"weft\", \"mode\": \"%s\", \"lcores\": %d, \"clock\": \"real\", "            \
	"\"frame_bytes\": %d, \"flows\": 1, \"port\": \"%s\""

/* What crosses between CPUs is measured by the distance they had; see traffic/distance.h. */
enum distance_class { NEAR, FAR, UNKNOWN, DISTANCE_CLASSES = UNKNOWN };

extern unsigned int calibrate_partner; /* EAL id of the lcore on the other CPU */
extern bool calibrate_own_netns;       /* the process has a network namespace of its own */
extern double calibrate_tsc_cycles;    /* that reading the TSC takes */
extern enum distance_class calibrate_classes[ROUNDS_MAX];
extern uint64_t calibrate_distances[ROUNDS_MAX];

/* Over the quiet rounds. */
double calibrate_median(const double *samples, unsigned int rounds);

/* Rounds at one distance, from begin to end. */
unsigned int calibrate_count(enum distance_class class, unsigned int rounds);
/* The class that the most rounds were of. */
enum distance_class calibrate_majority(unsigned int rounds);
extern const char *const calibrate_class_names[DISTANCE_CLASSES];

void lines_init(void);
void lines_round(unsigned int round);
void lines_print(unsigned int rounds);

void steps_init(void);
void steps_round(unsigned int round);
void steps_print(unsigned int rounds);

/* Sockets are made in the directory. */
void ports_init(const char *directory);
void ports_round(unsigned int round);
void ports_print(unsigned int rounds);
void ports_close(void);

#endif
