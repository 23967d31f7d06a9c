/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_PARCEL_H
#define WEFT_PARCEL_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "reorder/merge.h"
#include "stages/stage.h"

#define RECEIVE_BURST 32 /* of a queue, or of an inbox */

/*
 * A parcel is a packet and the step that it waits for, in one word. An
 * mbuf begins at a cache line, so its address leaves room for a step.
 */
#define PARCEL_STEP_BITS 6
#define PARCEL_STEP (((uintptr_t)1 << PARCEL_STEP_BITS) - 1)
#define PARCEL_LABEL STEP_COUNT /* in place of a step: the word is a label */
static_assert(RTE_CACHE_LINE_SIZE > PARCEL_STEP && PARCEL_LABEL <= PARCEL_STEP, "a step fits");

static inline struct parcel parcel_make(struct rte_mbuf *mbuf, enum step step)
{
	return (struct parcel){(uintptr_t)mbuf | step};
}

static inline struct rte_mbuf *parcel_mbuf(struct parcel parcel)
{
	return (struct rte_mbuf *)(parcel.word & ~PARCEL_STEP);
}

static inline unsigned int parcel_step(struct parcel parcel)
{
	return parcel.word & PARCEL_STEP;
}

/*
 * A label stands before parcels that are to be merged, and says of all that follow, up to the next
 * one, which micro-flow they are of; so who merges need not look at packets. Label 0 says that none
 * is. A bare label is an end mark. Where a packet is dropped on its way to the merge, the mark has
 * its credit: each word but a label's has one, and each label at least one such word behind it.
 */
#define LABEL_FIRST_BITS 6
#define LABEL_PACKETS_BITS 14
static_assert(BATCH_MAX < 1u << LABEL_PACKETS_BITS, "a micro-flow's packets fit");

union label {
	struct {
		uint64_t step : PARCEL_STEP_BITS;  /* PARCEL_LABEL */
		uint64_t first : LABEL_FIRST_BITS; /* lcore that split the elephant */
		uint64_t account : 16;		   /* the branch's; 0 in label none */
		uint64_t micro_flow : MICRO_FLOW_BITS;
		uint64_t replica : 1; /* the parcels are no packets of the micro-flow */
		uint64_t bare : 1;
		uint64_t packets
		    : LABEL_PACKETS_BITS; /* that hang behind the parcels; bare: that ended */
	};
	struct parcel parcel;
};
static_assert(sizeof(union label) == sizeof(struct parcel), "a label is a word");

static inline bool parcel_is_label(struct parcel parcel)
{
	return parcel_step(parcel) == PARCEL_LABEL;
}

static inline bool label_is_none(union label label)
{
	return label.account == 0;
}

#endif
