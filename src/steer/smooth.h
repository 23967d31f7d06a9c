/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SMOOTH_H
#define WEFT_SMOOTH_H

#include <assert.h>
#include <stdint.h>

#include <rte_common.h>

/*
 * Exponential smoothing in whole numbers: in the time x (in units of the time constant) the
 * distance of an average from what is sampled shrinks to e^-x of itself. The first four terms of
 * e^x stand for it, which is within 3 % of the distance whatever x is: a sample of a long time
 * counts for as much as it is long. Rounding is towards the sample, so what is constant becomes its
 * own average.
 */
#define SMOOTH_ONE 1024
#define SMOOTH_FAR 64 /* time constants, after which next to nothing is left */

/* `average` is in units of 1 / SMOOTH_ONE of the sample's. The times are in any one unit; what is
 * below 1 / SMOOTH_ONE of the time constant is lost. Samples may be up to 2^32. */
static inline int64_t smooth(int64_t average, int64_t sample, uint64_t time, uint64_t constant)
{
	int64_t x = RTE_MIN(time, SMOOTH_FAR * constant) * SMOOTH_ONE / constant;
	int64_t one = SMOOTH_ONE * SMOOTH_ONE;
	int64_t growth = one + SMOOTH_ONE * x + x * x / 2 + x * x / SMOOTH_ONE * x / 6;

	assert(sample >= 0 && sample <= UINT32_MAX);
	return sample * SMOOTH_ONE + (average - sample * SMOOTH_ONE) * one / growth;
}

static inline int64_t smooth_read(int64_t average)
{
	return (average + SMOOTH_ONE / 2) / SMOOTH_ONE;
}

#endif
