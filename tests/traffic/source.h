/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SOURCE_H
#define WEFT_SOURCE_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "traffic/frames.h"

/*
 * A source makes the packets of a group of flows, which take turns, at one rate for the group. It
 * knows no port and reads no clock: the caller says what time it is, so a source runs under a
 * virtual clock as well. Flows of different rates are several sources.
 *
 * Used by one thread only.
 */

struct source_config {
	const struct frame_addresses *addresses; /* one for each container */
	uint16_t containers;			 /* flow i belongs to container i % containers */
	const struct frame_tunnel *tunnel;	 /* NULL: plain frames */
	uint16_t flows;
	uint16_t frame_bytes;
	double packets_per_cycle; /* 0: no limit */
	uint64_t window;	  /* packets outstanding at most; 0: no limit */
};

struct source_flow {
	uint64_t next_sequence;
	struct frame_outer outer;
	struct frame_inner inner;
} __rte_cache_aligned;

struct source {
	struct source_config config;
	struct source_flow *flows;
	uint16_t next_flow;
	uint64_t sent;	/* packets made */
	uint64_t epoch; /* the rate counts from here */
	uint64_t due;	/* packets that the rate has let pass since then */
};

/* Returns 0, or -1 if memory is short. */
int source_init(struct source *source, const struct source_config *config);
void source_free(struct source *source);

/* Starts the rate's clock. */
void source_start(struct source *source, uint64_t now);

/* How many packets, at most n, may be made now if `outstanding` have not come back. */
uint16_t source_allowance(struct source *source, uint64_t now, uint64_t outstanding, uint16_t n);

/* Writes the next packet into an empty mbuf; returns the container it belongs to. */
uint16_t source_write(struct source *source, struct rte_mbuf *mbuf, uint64_t now);

#endif
