/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_BENCH_FIT_H
#define WEFT_BENCH_FIT_H

#include <stdint.h>

/*
 * Cost of a burst = burst + packet * n, fitted to what bursts of several sizes cost, by least
 * squares. A point weighs as the inverse of its size, as what varies is mostly the packets. Several
 * series (frame sizes) have `burst` in common. Neither can be negative.
 */
#define FIT_POINTS 5
#define FIT_SERIES_MAX 5

struct fit {
	double burst;
	double packet[FIT_SERIES_MAX];
	double error; /* the largest relative deviation of a point */
};

extern const uint16_t fit_bursts[FIT_POINTS]; /* packets of a burst */

struct fit fit_series(const double costs[][FIT_POINTS], unsigned int n_series);

#endif
