/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_CHECKER_H
#define WEFT_CHECKER_H

#include <stdbool.h>
#include <stdint.h>

#include "traffic/balance.h"
#include "traffic/frames.h"
#include "traffic/histogram.h"

/*
 * The invariants of weft (docs/design.md), judged from outside by what goes in and what comes out:
 * used by simulations, by the traffic generator of the end-to-end tests and of the quickstart, and
 * by runs under the virtual clock. It knows no port and reads no clock.
 *
 * Order, integrity and isolation are judged frame by frame: checker_receive(). Equivalence is that
 * two checkers of the same flows have the same digests: checker_compare(). Conservation and
 * progress are judged from counts: balance.h.
 *
 * A place is where frames can come out: up to 64, numbered by the user. Several threads may call
 * checker_receive() as long as what comes out of one flow at one place is one thread's.
 */

#define CHECKER_PLACES_MAX 64
/* Frames that come later than this many successors are told from duplicates no more. */
#define CHECKER_MEMORY 1024

/* What is known about a flow beforehand. */
struct checker_flow {
	struct frame_inner inner; /* as its frames must look when they come out, up to FRAME_FIXED;
				     lengths and IPv4 checksum apart */
	uint16_t network;	  /* for messages */
	uint16_t frame_bytes;	  /* with FCS, as in frames.h; 0: of any length */
	uint64_t places;	  /* bit i: its frames may come out at place i */
};

enum frame_verdict {
	FRAME_SOUND,	 /* in order, whole, where it belongs */
	FRAME_REORDERED, /* whole, but came after a successor */
	FRAME_DUPLICATE, /* came before */
	FRAME_STRAYED,	 /* whole, but came out where none of its flow may: isolation */
	FRAME_CORRUPTED, /* a byte is not as it was sent */
	FRAME_FOREIGN,	 /* not UDP over IPv4, so not one of ours */
	FRAME_VERDICTS,
};

/* A flow at one place. */
struct checker_state {
	uint64_t expected;		    /* sequence number after the highest one seen */
	uint64_t received;		    /* sound and reordered ones */
	uint32_t digest;		    /* of what came out and in which order, stamps apart */
	uint64_t seen[CHECKER_MEMORY / 64]; /* bit i: sequence number i (mod CHECKER_MEMORY) came */
} __rte_cache_aligned;

struct checker {
	uint32_t n_flows;
	struct checker_flow *flows;
	uint32_t *first; /* of a flow: index of its first state; one for each of its places */
	struct checker_state *states;
	/* Of each place; sound ones are counted by the states. Relaxed atomics. */
	uint64_t broken[CHECKER_PLACES_MAX][FRAME_VERDICTS];
};

/* `flows` are copied. 0, or -1 if memory is short. */
int checker_init(struct checker *checker, const struct checker_flow *flows, uint32_t n);
void checker_free(struct checker *checker);

/* Judges the frame (outer headers taken off before) that came out at `place`. Bytes of `extra`, if
 * any, go into the digest too: what else must be the same in every mode. */
enum frame_verdict checker_receive(struct checker *checker, uint16_t place, const void *frame,
	uint32_t length, const void *extra, uint32_t extra_length);

/* Flow, sequence number and stamp, if the frame is whole: up to FRAME_STRAYED. */
static inline const struct frame_payload *checker_payload(const void *frame)
{
	return &((const struct frame_inner *)frame)->payload;
}

/* The state of a flow at one of its places, or NULL. */
struct checker_state *checker_state(const struct checker *checker, uint32_t flow, uint16_t place);

/* Frames with a verdict, over all places. Slow; while nobody calls checker_receive(). */
uint64_t checker_count(const struct checker *checker, enum frame_verdict verdict);

/* Writes what the first difference of two checkers is; true if there is none. */
bool checker_compare(
	const struct checker *reference, const struct checker *checker, char *text, size_t size);
/* The same for one flow that both have. */
bool checker_compare_flow(const struct checker *reference, const struct checker *checker,
	uint32_t flow, char *text, size_t size);

/* One sentence about a verdict that breaks an invariant: which flow, number, place. */
void checker_describe(const struct checker *checker, enum frame_verdict verdict, uint16_t place,
	const void *frame, uint32_t length, char *text, size_t size);

#endif
