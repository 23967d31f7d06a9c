/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TRAFFIC_TRAFFIC_H
#define TRAFFIC_TRAFFIC_H

#include <stdint.h>

#include "options.h"
#include "ports.h"
#include "sink.h"
#include "source.h"
#include "vtep.h"

/*
 * The polling loop: what comes in is judged by the sink, what the source makes goes out. One lcore
 * does all of it, so nothing here is shared.
 */

/* Where all counters stand at one moment; two of them make a rate. */
struct snapshot {
	uint64_t time;
	uint64_t sent;
	uint64_t received;
	uint64_t busy; /* cycles of turns that moved something */
};

struct traffic {
	const struct options *options;
	const volatile int *stop;
	struct ports ports;
	struct frame_tunnel tunnel;
	struct vtep vtep;
	struct frame_addresses sends[PORTS_MAX];    /* one for each container */
	struct frame_addresses receives[PORTS_MAX]; /* the same as they come out */
	uint16_t containers;
	struct source source;
	struct sink sink;
	uint64_t unanswered;	 /* packets sent before the first one came through */
	uint64_t abandoned;	 /* lost packets that the window waits for no more */
	uint64_t last_abandoned; /* time */
	uint64_t last_received;	 /* time */
	uint64_t busy;
	uint64_t distance[2];  /* cycles to weft's CPU and back, before and after; 0: unknown */
	struct snapshot begin; /* the measurement */
	struct snapshot end;
};

/* Opens ports, finds the peer; -1 on failure, which it has said. */
int traffic_open(struct traffic *traffic, const struct options *options, const volatile int *stop);
void traffic_close(struct traffic *traffic);

/* Warms up, measures, drains. */
void traffic_run(struct traffic *traffic);

#endif
