/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TRAFFIC_SINK_H
#define TRAFFIC_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "frames.h"
#include "histogram.h"

/*
 * A sink judges the packets that come out: are they whole, in order, there once, and where they
 * belong? Like a source it knows no port and reads no clock.
 *
 * Used by one thread only.
 */

/* Packets that come later than this many successors are told from duplicates no more. */
#define SINK_MEMORY 8192

struct sink_config {
	const struct frame_addresses *addresses; /* as the frames must bear them here */
	uint16_t containers;			 /* flow i belongs to container i % containers */
	bool at_uplink;				 /* they are due there, not at the containers */
	const struct frame_tunnel *tunnel;	 /* NULL: plain frames on the uplink too */
	uint16_t flows;
	uint16_t frame_bytes;
};

struct sink_flow {
	uint64_t expected; /* sequence number after the highest one seen */
	struct frame_inner inner;
	uint64_t seen[SINK_MEMORY / 64]; /* bit i: sequence number i (mod SINK_MEMORY) came */
} __rte_cache_aligned;

struct sink {
	struct sink_config config;
	struct sink_flow *flows;
	uint8_t *pattern;
	uint16_t pattern_length;
	uint64_t passed;     /* sequence numbers up to the highest ones seen, lost ones included */
	uint64_t received;   /* sound packets, each counted once */
	uint64_t reordered;  /* of these: came after a successor */
	uint64_t duplicates; /* sound, but seen before */
	uint64_t corrupted;  /* a changed byte, a wrong header, or the wrong place */
	uint64_t other;	     /* not ours: ARP, neighbour discovery */
	struct histogram latency;
};

/* Returns 0, or -1 if memory is short. */
int sink_init(struct sink *sink, const struct sink_config *config);
void sink_free(struct sink *sink);

/* Judges one packet that came out at a container's port, or on the uplink (container = -1). It
 * may be shortened, and stays the caller's. */
void sink_receive(struct sink *sink, struct rte_mbuf *mbuf, int container, uint64_t now);

/* True once each container's path (that of any of its flows) has let a packet through. Slow. */
bool sink_has_heard_all(const struct sink *sink);

#endif
