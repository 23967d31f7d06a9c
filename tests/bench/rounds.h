/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_BENCH_ROUNDS_H
#define WEFT_BENCH_ROUNDS_H

#include <stdint.h>

#include <rte_common.h>

/*
 * Rounds of a benchmark of two CPUs. In a round everything that is compared takes its turn. At its
 * begin and its end it is looked at how far apart the CPUs are, and how much others are at work on
 * them; what depends on the distance counts only if that was the same at both times.
 */
#define ROUNDS_MAX 16384

/* What crosses between CPUs is measured by the distance they had; see traffic/distance.h. They may
 * be two threads of one core, two cores with a cache in common, or further apart. */
enum distance_class { THREADS, NEAR, FAR, UNKNOWN, DISTANCE_CLASSES = UNKNOWN };

extern const char *const rounds_class_names[DISTANCE_CLASSES];
extern unsigned int rounds_partner;		       /* EAL id of the lcore on the other CPU */
extern double rounds_tsc_cycles;		       /* that reading the TSC takes */
extern enum distance_class rounds_classes[ROUNDS_MAX]; /* UNKNOWN: it does not count */
extern double rounds_distances[ROUNDS_MAX];	       /* cycles there and back */

/* Once. Ends the program if the last worker is not on another CPU than main. */
void rounds_init(void);

void rounds_begin(unsigned int round);
void rounds_end(unsigned int round);

/* How far apart the CPUs are now. */
enum distance_class rounds_look(void);

/* Others are at work on the machine, more or less all the time, which a fixed piece of arithmetic
 * shows, done at the begin and the end of a round on both CPUs. Of the rounds so far the quietest,
 * one in so many, count; returns how many. */
unsigned int rounds_take_quietest(unsigned int rounds, unsigned int one_in);

/* Over the rounds that count; those of them that were at one distance. */
double rounds_median(const double *samples, unsigned int rounds);
double rounds_median_at(enum distance_class class, const double *samples, unsigned int rounds);

/* How many were at one distance; the distance that the most were at. */
unsigned int rounds_count(enum distance_class class, unsigned int rounds);
enum distance_class rounds_majority(unsigned int rounds);

/* How many times as long arithmetic takes beside a busy CPU, at one distance. */
double rounds_contention(enum distance_class class, unsigned int rounds);

#endif
