/* SPDX-License-Identifier: BSD-3-Clause */
#include "traffic/histogram.h"

static double bucket_middle(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < 2 * HISTOGRAM_SUB)
		return bucket;
	shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
	return ((double)(bucket - (shift << HISTOGRAM_SUB_BITS)) + 0.5) * (double)(1ull << shift);
}

double histogram_quantile(const struct histogram *histogram, double share)
{
	double wanted = share * histogram->total;
	uint64_t sum = 0;

	for (unsigned int bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
		sum += histogram->counts[bucket];
		if (sum > 0 && sum >= wanted)
			return bucket_middle(bucket);
	}
	return 0;
}
