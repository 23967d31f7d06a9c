/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer/heavy.h"

#include <assert.h>
#include <string.h>

#include <rte_malloc.h>

#include "base/random.h"

struct heavy *heavy_create(int socket_id)
{
	struct heavy *heavy =
		rte_zmalloc_socket("heavy", sizeof(*heavy), RTE_CACHE_LINE_SIZE, socket_id);

	if (heavy != NULL)
		heavy->until_sample = 1;
	return heavy;
}

void heavy_free(struct heavy *heavy)
{
	rte_free(heavy);
}

/* A bucket's first places are taken first, so a flow with hash 0 is found before one that is
 * nobody's, whose hash is 0, too. */
static struct heavy_flow *find(struct heavy_bucket *bucket, uint32_t hash)
{
	for (unsigned int i = 0; i < RTE_DIM(bucket->flows); i++)
		if (bucket->flows[i].hash == hash)
			return &bucket->flows[i];
	return NULL;
}

/* Samples and place make one number, so that no branch is needed, which would be guessed wrong. */
static struct heavy_flow *find_least(struct heavy_bucket *bucket)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < RTE_DIM(bucket->flows); i++)
		least = RTE_MIN(least, (uint64_t)bucket->flows[i].samples << 32 | i);
	return &bucket->flows[(uint32_t)least];
}

static void count(struct heavy_bucket *bucket, uint32_t hash, uint32_t samples)
{
	struct heavy_flow *flow = find(bucket, hash);

	if (flow == NULL)
		flow = find_least(bucket);
	flow->hash = hash;
	flow->samples += samples;
}

void heavy_sample(struct heavy *heavy, uint32_t hash, uint32_t n)
{
	struct heavy_bucket *bucket = &heavy->buckets[(uint64_t)hash * HEAVY_BUCKETS >> 32];
	uint32_t samples = 0;

	assert(heavy->until_sample > 0 && n >= heavy->until_sample); /* see heavy_seen() */
	for (; n >= heavy->until_sample; samples++) {
		n -= heavy->until_sample;
		heavy->until_sample = 1 + random_below(&heavy->random, 2 * HEAVY_PERIOD - 1);
	}
	heavy->until_sample -= n;
	count(bucket, hash, samples);
}

/* Among the n heaviest so far, of which there may be max. Returns how many there are then. */
static uint16_t insert(
	struct heavy_flow *heaviest, uint16_t n, uint16_t max, const struct heavy_flow *flow)
{
	uint16_t i = n;

	assert(n <= max);
	for (; i > 0 && heaviest[i - 1].samples < flow->samples; i--)
		if (i < max)
			heaviest[i] = heaviest[i - 1];
	if (i < max)
		heaviest[i] = *flow;
	return n < max ? n + 1 : n;
}

uint16_t heavy_report(struct heavy *heavy, uint32_t at_least, uint32_t *hashes, uint16_t max)
{
	uint32_t enough = RTE_MAX(at_least / HEAVY_PERIOD + (at_least % HEAVY_PERIOD > 0), 1u);
	struct heavy_flow heaviest[HEAVY_MAX];
	uint16_t n = 0;

	assert(max <= HEAVY_MAX);
	for (unsigned int i = 0; i < HEAVY_BUCKETS; i++)
		for (unsigned int j = 0; j < RTE_DIM(heavy->buckets[i].flows); j++)
			if (heavy->buckets[i].flows[j].samples >= enough)
				n = insert(heaviest, n, max, &heavy->buckets[i].flows[j]);
	for (uint16_t i = 0; i < n; i++)
		hashes[i] = heaviest[i].hash;
	memset(heavy->buckets, 0, sizeof(heavy->buckets));
	return n;
}
