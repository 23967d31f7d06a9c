/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TRAFFIC_SINK_H
#define TRAFFIC_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "traffic/checker.h"
#include "traffic/frames.h"
#include "traffic/histogram.h"

/*
 * A sink hands the packets that come out to the checker, those from the uplink without the tunnel's
 * headers, which it judges itself; and it measures how long they were on their way. Like a source
 * it knows no port and reads no clock.
 *
 * Used by one thread only.
 */

struct sink_config {
	const struct frame_addresses *addresses; /* as the frames must bear them here */
	uint16_t containers;			 /* flow i belongs to container i % containers */
	bool at_uplink;				 /* they are due there, not at the containers */
	const struct frame_tunnel *tunnel;	 /* NULL: plain frames on the uplink too */
	uint16_t flows;
	uint16_t frame_bytes;
};

struct sink {
	struct sink_config config;
	struct checker checker; /* places: the containers, and the uplink after them */
	uint64_t *expected;	/* of each flow: sequence number after the highest one seen */
	uint64_t passed; /* sequence numbers up to the highest ones seen, lost ones included */
	uint64_t counts[FRAME_VERDICTS];
	struct histogram latency;
};

/* Returns 0, or -1 if memory is short. */
int sink_init(struct sink *sink, const struct sink_config *config);
void sink_free(struct sink *sink);

/* Judges one packet that came out at a container's port, or on the uplink (container = -1). It
 * may be shortened, and stays the caller's. */
void sink_receive(struct sink *sink, struct rte_mbuf *mbuf, int container, uint64_t now);

/* Whole packets, each counted once. */
static inline uint64_t sink_received(const struct sink *sink)
{
	return sink->counts[FRAME_SOUND] + sink->counts[FRAME_REORDERED];
}

/* True once each container's path (that of any of its flows) has let a packet through. Slow. */
bool sink_has_heard_all(const struct sink *sink);

#endif
