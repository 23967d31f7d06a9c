/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_MERGING_H
#define WEFT_MERGING_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/parcel.h"

struct inbox;
struct lcore;
struct packet;

/*
 * What comes to the merges of an lcore, under labels: each parcel is let on in its place
 * (reorder/merge.h). For the lcore loop, while a burst of an inbox is fed.
 */

/* A merge that has more to let on than there is room for in a feed. */
struct ready {
	struct merge *merge;
	union label label;
};

/* An lcore's, in one feed; touched by it alone. */
struct merging {
	bool active;	     /* merges were told something */
	uint16_t fed;	     /* parcels that the feed has, with all of the burst */
	uint16_t n_parcels;  /* that came for merges */
	union label last;    /* of what came last */
	union origin origin; /* that marks were absorbed for, */
	uint32_t absorbed;   /* and for how many packets */
	uint16_t n_ready;
	struct ready ready[RECEIVE_BURST];
};

/* Parcels that wait for one step go there. */
void merging_pass(struct lcore *lcore, struct parcel *parcels, uint16_t n);

/* A label that stands before parcels, or an end mark. */
void merging_take_label(struct lcore *lcore, struct inbox *inbox, union label label);

/* Parcels for one step, under the inbox's label: those whose place it is go on. */
void merging_take(struct lcore *lcore, struct inbox *inbox, struct parcel *parcels, uint16_t n);

/* Before each feed's run: counts it, and gives back the credits of marks. */
void merging_count(struct lcore *lcore);

/* After each feed's run. True if that has let more on, which is to be run; false if the burst is
 * over. */
bool merging_feed(struct lcore *lcore);

/* Packets of a branch go from their merge to that lcore. */
void merging_note_consumer(struct lcore *lcore, const struct packet *packet, uint16_t consumer);

#endif
