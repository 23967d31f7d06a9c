/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_PARCEL_H
#define WEFT_PARCEL_H

#include <assert.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "stages/stage.h"

/*
 * What crosses from one lcore to another: a packet and the step that it waits for, in one word. An
 * mbuf begins at a cache line, so its address leaves room for a step.
 */
#define PARCEL_STEP ((uintptr_t)RTE_CACHE_LINE_SIZE - 1)
static_assert(STEP_COUNT <= PARCEL_STEP, "a step fits");

static inline void *parcel_make(struct rte_mbuf *mbuf, unsigned int step)
{
	return (void *)((uintptr_t)mbuf | step);
}

static inline struct rte_mbuf *parcel_mbuf(void *parcel)
{
	return (struct rte_mbuf *)((uintptr_t)parcel & ~PARCEL_STEP);
}

static inline unsigned int parcel_step(void *parcel)
{
	return (uintptr_t)parcel & PARCEL_STEP;
}

#endif
