/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_VECTORS_H
#define WEFT_VECTORS_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <rte_common.h>
#include <rte_mbuf.h>

#include "stages/stage.h"

/*
 * The packets that wait for each step on one lcore, between two feeds. Whoever feeds puts at most
 * STAGE_BURST_MAX packets in, while all vectors are empty; then the steps run downwards, once, and
 * all are empty again. A packet only ever goes on to a step further down, so no vector can hold
 * more than were fed. For the lcore loop.
 */
struct vector {
	uint16_t n;
	struct rte_mbuf *mbufs[STAGE_BURST_MAX];
};

struct vectors {
	uint32_t waiting; /* bit of each step that packets wait for */
	struct vector *of[STEP_COUNT];
	struct vector storage[STEP_COUNT];
};

static_assert(STEP_COUNT <= 32, "a bit for each step");

static inline void vectors_init(struct vectors *vectors)
{
	for (unsigned int step = 0; step < STEP_COUNT; step++)
		vectors->of[step] = &vectors->storage[step];
}

/* Places for n packets more, which the caller fills. */
static inline struct rte_mbuf **vectors_extend(struct vectors *vectors, enum step step, uint16_t n)
{
	struct vector *vector = vectors->of[step];
	struct rte_mbuf **places = &vector->mbufs[vector->n];

	assert(vector->n + n <= STAGE_BURST_MAX);
	vector->n += n;
	vectors->waiting |= 1u << step;
	return places;
}

static inline void vectors_add(
	struct vectors *vectors, enum step step, struct rte_mbuf **mbufs, uint16_t n)
{
	memcpy(vectors_extend(vectors, step, n), mbufs, n * sizeof(mbufs[0]));
}

/* All that waits for one step waits for another one from now on. */
static inline void vectors_hand_on(struct vectors *vectors, enum step from, enum step to)
{
	struct vector *vector = vectors->of[from];

	assert(to > from);
	if (unlikely(vectors->of[to]->n > 0)) {
		vectors_add(vectors, to, vector->mbufs, vector->n);
		vector->n = 0;
		return;
	}
	vectors->of[from] = vectors->of[to];
	vectors->of[to] = vector;
	vectors->waiting |= 1u << to;
}

#endif
