/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_BENCH_PRICES_H
#define WEFT_BENCH_PRICES_H

#include "rounds.h"
#include "virtual/costs.h"

/*
 * The price of cache lines that cross, by the distance of the two CPUs, which changes from one
 * second to the next: measured again and again, and a median of the last ones.
 */
void prices_init(void);

/* Measures once, where the distance stays as it is. */
void prices_measure(void);

/* At the distance of now, which *class is set to. Measures until there is one. */
struct price prices_now(enum distance_class *class);

#endif
