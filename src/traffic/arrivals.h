/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_ARRIVALS_H
#define WEFT_ARRIVALS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * When the packets of many flows are sent. It knows no frames and no ports and reads no clock; all
 * of its arithmetic is on whole numbers, so that a seed gives the same times on every machine.
 *
 * Times are cycles. `rate` is that of all flows together, on the average: flows that are silent for
 * a part of the time go the faster in the rest of it.
 *
 * A flow with a window is like TCP without its congestion control: no more than `window` packets
 * are on their way at a time, and an acknowledgement comes a round trip after a delivery. A
 * delivery also acknowledges all that was sent before, lost or not; when none comes for long,
 * nothing is on its way any more. So latency slows the flow down, and a loss does not stop it.
 *
 * Used by one thread only.
 */

enum arrivals_kind {
	ARRIVALS_CONSTANT,
	ARRIVALS_POISSON,
	ARRIVALS_ON_OFF, /* constant for `on` cycles, nothing for `off` */
	ARRIVALS_WINDOW,
};

enum arrivals_law {
	ARRIVALS_EQUAL,
	ARRIVALS_HEAVY_TAILED, /* Zipf: flow i (from 1) gets i^-exponent of what the first gets */
};

#define ARRIVALS_EXPONENT_UNIT 100
#define ARRIVALS_FLOWS_MAX 65535

struct arrivals_config {
	enum arrivals_kind kind;
	enum arrivals_law law;
	uint32_t exponent; /* in hundredths */
	uint32_t flows;
	uint64_t hz;
	uint64_t rate; /* packets per second; windows only: 0, as fast as they allow */
	uint64_t on, off;
	uint32_t window; /* packets */
	uint64_t round_trip;
	uint64_t jump_at;   /* cycles after the start; 0: never */
	uint64_t jump_rate; /* packets per second from then on */
	uint64_t start;
	uint64_t seed;
};

struct arrivals_flow {
	uint64_t next;	 /* what the heap is ordered by: the next event's time */
	uint64_t active; /* time of the next packet, silent times left out */
	uint64_t gap;	 /* mean, of active time */
	uint64_t phase;	 /* where in its on and off time it was at the start */
	uint64_t random;
	uint64_t sequence;     /* of the next packet */
	uint64_t acknowledged; /* windows: the packet after the latest one known to be delivered */
	uint64_t heard;	       /* windows: the time of the last packet sent or acknowledged */
	uint32_t place;	       /* in the heap */
};

struct acknowledgement {
	uint64_t time;
	uint64_t sequence;
	uint32_t flow;
};

/* Acknowledgements on their way. The way takes the same time for all, so they come in order. */
struct acknowledgement_queue {
	struct acknowledgement *list;
	uint32_t size; /* a power of two */
	uint32_t first, n;
};

struct arrivals {
	struct arrivals_config config;
	struct arrivals_flow *flows;
	uint32_t *heap;
	uint64_t timeout;
	struct acknowledgement_queue acknowledgements;
};

struct arrival {
	uint64_t time;
	uint64_t sequence; /* of the flow, from 0 */
	uint32_t flow;
};

/* 0, or -1 if memory is short. */
int arrivals_init(struct arrivals *arrivals, const struct arrivals_config *config);
void arrivals_free(struct arrivals *arrivals);

/* When something may happen next. */
uint64_t arrivals_next(const struct arrivals *arrivals);

/* The next packet, if it is sent by `until`. */
bool arrivals_take(struct arrivals *arrivals, uint64_t until, struct arrival *arrival);

/* A packet has come out at its destination. Times of successive calls must not decrease. */
void arrivals_delivered(struct arrivals *arrivals, uint32_t flow, uint64_t sequence, uint64_t now);

/* ---- whole numbers in place of libm, in units of 2^-32 ---- */

#define FIXED_ONE (1ULL << 32)

/* log2(x) of a whole number above 0. */
uint64_t fixed_log2(uint64_t x);
/* 2^-x, in units of 2^-64; of 0 it is the largest number there is. */
uint64_t fixed_exp2(uint64_t x);
/* -ln(x / 2^64) of a whole number above 0. */
uint64_t fixed_minus_ln(uint64_t x);

#endif
