/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_HEAVY_H
#define WEFT_HEAVY_H

#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

/*
 * The heaviest flows of a door, counted over a window. One packet in 16 is a sample, on the
 * average; the distance to the next one is as good as random, so that no rhythm of bursts hides a
 * flow. The samples are counted by Space-Saving (Metwally, Agrawal and El Abbadi, ICDT'05): a flow
 * that has no counter takes over the smallest one, with what that has counted. It is done in
 * buckets of a cache line each, so that a sample costs one line. So of no flow that is counted are
 * samples missing, and it has too many by an eighth of its bucket's at most, one in 2048 of all.
 *
 * A door has one, which is its lcore's own, but for creating and freeing. What it reports depends
 * on nothing but the calls, so that a simulation can be repeated. `scripts/bench heavy` compares it
 * with rte_member's sketch, which costs several times as much and finds no more in such samples.
 */

#define HEAVY_PERIOD 16 /* packets a sample, on the average */
#define HEAVY_BUCKETS 256
#define HEAVY_MAX 64 /* flows in a report */

struct heavy_flow {
	uint32_t hash;
	uint32_t samples; /* 0: nobody's */
};

struct heavy_bucket {
	struct heavy_flow flows[RTE_CACHE_LINE_SIZE / sizeof(struct heavy_flow)];
} __rte_cache_aligned;

struct heavy {
	struct heavy_bucket buckets[HEAVY_BUCKETS]; /* by the hash's high bits */
	uint64_t random;
	uint32_t until_sample; /* packets, with the one that will be it */
};

/* NULL if memory is short. Main lcore. */
struct heavy *heavy_create(int socket_id);

/* NULL is fine. Main lcore, when the door no longer uses it. */
void heavy_free(struct heavy *heavy);

/* For heavy_seen(): counts what is a sample of these packets. */
void heavy_sample(struct heavy *heavy, uint32_t hash, uint32_t n);

/* n packets of the flow with that hash came. */
static inline void heavy_seen(struct heavy *heavy, uint32_t hash, uint32_t n)
{
	if (likely(n < heavy->until_sample))
		heavy->until_sample -= n;
	else
		heavy_sample(heavy, hash, n);
}

/*
 * Ends a window and begins the next one, which knows nothing of it. Writes the hashes of the flows
 * that had `at_least` packets or more, heaviest first, and returns how many; no more than `max`,
 * which is HEAVY_MAX at most. Packets are estimated by samples, so the fewer they are the more it
 * is chance: of the flows with `at_least` = 160, ten samples, most will be told from flows with
 * half or twice as many packets, with 32 few.
 */
uint16_t heavy_report(struct heavy *heavy, uint32_t at_least, uint32_t *hashes, uint16_t max);

#endif
