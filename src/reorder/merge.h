/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_MERGE_H
#define WEFT_MERGE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

/*
 * Puts the micro-flows of one elephant back in order. merge.c says how.
 *
 * A merge belongs to the lcore that merges for its elephant; another one may get it when nothing of
 * the elephant is on its way. What others may read at any time is said below. Nothing here touches
 * a packet: a parcel is the caller's, and comes out as it went in.
 */

#define BRANCHES_MAX 16
#define BATCH_MAX 4096 /* packets of a micro-flow */

/* Micro-flows are numbered along their elephant; the number after the last one is 0. */
#define MICRO_FLOW_BITS 20
#define MICRO_FLOW_MASK ((1u << MICRO_FLOW_BITS) - 1)

/* What crosses from one lcore to another. Here it is a word, and no more. */
struct parcel {
	uintptr_t word;
};

/* What is known of a micro-flow whose turn has not come. */
struct early {
	uint32_t parcels; /* held, the next ones in the branch's queue */
	uint16_t packets; /* that they stand for */
	uint16_t ended;	  /* packets that marks have told of */
	uint16_t branch;
};

/* What a branch has handed over too early, in the order in which it did. */
struct held_queue {
	uint32_t head; /* both count up, until it is empty */
	uint32_t tail;
	struct parcel *ring;
};

/* One writer, the lcore that merges, or while nothing is on its way the door; any reader. */
struct merge_counters {
	uint64_t packets;      /* that came, and those that marks stood for */
	uint64_t out_of_order; /* parcels that had to be held */
	uint64_t marks;	       /* end marks without a packet */
	uint64_t cycles;
	uint32_t held; /* now */
	uint32_t most_held;
};

struct merge {
	uint32_t current; /* the micro-flow whose turn it is (relaxed) */
	uint32_t left; /* packets of it that have neither come nor ended; 0 only while some wait */
	uint32_t waiting; /* parcels of it that merge_next() has still to give, */
	uint16_t source;  /* from this branch's queue */
	uint16_t n_branches;
	uint32_t batch;
	uint32_t mask;	     /* of the rings and of early[] */
	uint32_t absorbed;   /* marks whose turn has come: the caller takes them off */
	struct early *early; /* [micro-flow & mask] */
	struct held_queue queues[BRANCHES_MAX];
	/* Packets that came from each branch, with those of marks (relaxed): for the door, which
	 * compares them with what it sent. */
	uint32_t arrived[BRANCHES_MAX] __rte_cache_aligned;
	struct merge_counters counters __rte_cache_aligned;
};

/* Bytes of memory that merge_init() needs. `credits` is the most packets of the elephant that can
 * be on their way at once, replicas included. */
size_t merge_memory(uint16_t n_branches, uint32_t credits);

/* Makes an empty merge in zeroed memory of at least so many bytes, which stays the caller's. */
void merge_init(struct merge *merge, void *memory, uint16_t n_branches, uint32_t credits);

/* Begins anew with micro-flow 0; batch is 1 to BATCH_MAX packets. While nothing of the elephant is
 * on its way; by any lcore. */
void merge_begin(struct merge *merge, uint32_t batch);

/* Counts from 0: the elephant is another flow now. What was said of merge_begin() holds here, too.
 */
void merge_begin_counting(struct merge *merge);

/* n parcels of one micro-flow, in order, which stand for `packets` of its packets: one that hangs
 * behind another counts with it, a replica does not count. True if it is their turn: then they are
 * to be passed on now. False if they are held. All parcels of one micro-flow come from one branch.
 * After this, and after merge_mark(), others may wait for merge_next(), whenever there is room. */
bool merge_arrive(struct merge *merge, uint16_t branch, uint32_t micro_flow,
	const struct parcel *parcels, uint16_t n, uint32_t packets);

/* An end mark: so many packets of a micro-flow have ended on their way here. It comes after their
 * replicas, as no parcel may come when its micro-flow is over. */
void merge_mark(struct merge *merge, uint16_t branch, uint32_t micro_flow, uint32_t packets);

/* Takes up to n held parcels whose turn has come, as many as `waiting` says and those that then
 * follow; 0 if there are none for now. What comes meanwhile is held behind them. */
uint16_t merge_next(struct merge *merge, struct parcel *parcels, uint16_t n);

#endif
