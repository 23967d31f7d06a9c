/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_HISTOGRAM_H
#define WEFT_HISTOGRAM_H

#include <stdint.h>

/*
 * Counts values in buckets that grow with the value: 32 to each power of two, so that a percentile
 * is right within 3 %. Used by one thread only.
 */
#define HISTOGRAM_SUB_BITS 5
#define HISTOGRAM_SUB (1 << HISTOGRAM_SUB_BITS)
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_SUB_BITS + 1) * HISTOGRAM_SUB)

struct histogram {
	uint64_t total;
	uint64_t counts[HISTOGRAM_BUCKETS];
};

static inline unsigned int histogram_bucket(uint64_t value)
{
	unsigned int shift;

	if (value < HISTOGRAM_SUB)
		return value;
	shift = 63 - __builtin_clzll(value) - HISTOGRAM_SUB_BITS;
	return (shift << HISTOGRAM_SUB_BITS) + (value >> shift);
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->total++;
	histogram->counts[histogram_bucket(value)]++;
}

/* The middle of the bucket below which the share (0 to 1) of the values lies; 0 if there is none.
 */
double histogram_quantile(const struct histogram *histogram, double share);

#endif
