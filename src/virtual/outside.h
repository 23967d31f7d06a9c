/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_VIRTUAL_OUTSIDE_H
#define WEFT_VIRTUAL_OUTSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "traffic/arrivals.h"
#include "traffic/checker.h"
#include "traffic/frames.h"
#include "traffic/histogram.h"
#include "virtual/config.h"
#include "virtual/device.h"
#include "virtual/driver.h"

/*
 * What is outside of weft under the virtual clock: the containers and the hosts behind the uplinks.
 * They send what the sections [traffic NAME] say, look at each packet that weft sends them, and
 * answer weft's ARP requests.
 *
 * A packet is put into its receive ring when its time has come. If there is no room it is missed,
 * as by a NIC, or by a container that finds its ring full: it was refused at the door.
 *
 * Everything here belongs to the one thread of the run.
 */

/* What is the same in each of a flow's packets, besides the checker's model. */
struct outside_flow {
	struct frame_outer outer;
	uint32_t rss;
};

/* A section of the configuration. */
struct outside_traffic {
	const struct traffic_settings *settings;
	struct device *from, *to;
	bool wrapped_in, wrapped_out; /* it comes, or leaves, through a tunnel */
	struct frame_addresses addresses;
	struct frame_tunnel tunnel; /* as the remote VTEP sees it */
	uint32_t first_flow;	    /* number of its flow 0 in frames */
	struct outside_flow *flows;
	struct arrivals arrivals;

	uint64_t sent, missed;
	uint64_t delivered, delivered_in_time; /* the latter: while sources were on */
	uint64_t reordered;
	struct histogram latency; /* cycles */
};

struct outside {
	const struct config *config;
	const struct costs *costs;
	struct devices devices;
	uint16_t n_traffic;
	struct outside_traffic *traffic;
	uint16_t *traffic_of_flow;
	struct checker checker;
	uint64_t pause_ends[VIRTUAL_PAUSES_MAX]; /* UINT64_MAX: it is over */
	bool overlay;				 /* what goes by uplinks is wrapped */
	bool sending;				 /* between start and stop */
	uint64_t start, end;			 /* of the sources */
	uint64_t answered;			 /* ARP requests */
	uint64_t misdirected;			 /* packets whose outer headers were wrong */
	char complaint[256]; /* about the first packet that broke an invariant */
};

/* Makes the ports' other ends, and adds to the configuration static FDB entries for the senders and
 * receivers behind VTEPs. 0, or -1 and *error; in either case free with outside_free() when weft
 * has detached its ports. */
int outside_create(struct outside *outside, struct config *config, const struct costs *costs,
	struct error *error);
void outside_free(struct outside *outside);

struct virtual_outside outside_events(struct outside *outside);

/* Sources send from `start` up to and including `end`. 0, or -1 if memory is short. */
int outside_start(struct outside *outside, uint64_t start, uint64_t end);
/* They stop, if they have not yet, and everybody reads what is there. */
void outside_stop(struct outside *outside, uint64_t now);

/* Packets that broke an invariant. */
uint64_t outside_broken(const struct outside *outside);

#endif
