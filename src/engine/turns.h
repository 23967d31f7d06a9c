/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_TURNS_H
#define WEFT_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "engine/handing.h"
#include "steer/helpers.h"
#include "steer/plan.h"

struct lcore;
struct dataplane;

#define BATCHES_MAX 4 /* that wait for their numbers on an lcore */
#define CLAIMS_MAX (BATCH_PACKETS / RESERVATION_PACKETS)

/* What an lcore has of the turns at queues. */
struct turns {
	struct batch
		*current;   /* whose packets are in the vectors, or behind a flood; else &loose */
	struct batch loose; /* what is of no batch: made by the main lcore */
	struct batch batches[BATCHES_MAX];
	struct batch *free[BATCHES_MAX];
	struct batch *waiting[BATCHES_MAX]; /* for their numbers, the oldest first */
	uint16_t n_free, n_waiting;
	struct helpers helpers; /* at its own queues, where modes adapt */
	struct {
		uint64_t batches,
			own_batches; /* that it has received, and of them its own queues' */
		uint64_t full;	     /* of its own ones, those that left packets behind */
		uint64_t packets;    /* in its own ones */
		uint64_t of_own;     /* those that all lcores have received of its own */
	} seen, now;		     /* when the last window ended, and by now */
	uint16_t n_looked;	     /* queues looked into in this round */
	bool found;		     /* its own had something */
	/* Of the current batch, before the first stage: either are there. */
	uint16_t n_received;
	uint16_t n_claims;
	uint16_t n_handings;
	struct rte_mbuf *received[BATCH_PACKETS];
	struct reservation claims[CLAIMS_MAX];
	struct handing handings[HANDINGS_MAX];
};

/* Main lcore; -1 if memory is short. Free with turns_free(), in that case, too. */
int turns_init(struct turns *turns, const struct dataplane *dataplane, int socket_id);
void turns_free(struct turns *turns);

/* True while it has made reservations in ports that it has not published: tables must stay. */
static inline bool turns_has_reserved(const struct turns *turns)
{
	return turns->n_handings > 0 || turns->n_claims > 0;
}

/* True if a driver has ended a round early: what was received is to be run, or what has been handed
 * over is to be copied. */
static inline bool turns_have_parts(const struct turns *turns)
{
	return turns->n_received > 0 || turns_has_reserved(turns);
}

/* True if nothing is left to be done. When a mode by owner has begun, something may be: batches
 * whose packets have ended pass their numbers on, and what the main lcore has made is sent. */
static inline bool turns_are_over(const struct turns *turns)
{
	return turns->n_waiting == 0 && !turns_has_reserved(turns) && batch_is_out(&turns->loose);
}

/* Takes turns at the queues: everything that can be done with batches, and if it may receive, new
 * ones. Returns how much it did, and sets *refused if credits kept it from receiving. For the lcore
 * loop. */
uint16_t turns_poll(struct lcore *lcore, bool receives, bool *refused);

/* Whether lcore `index` may take turns at a queue of the port that `owner` owns, where the mode
 * lets it: all may, or as many behind the owner as that wants. Any thread. */
bool turns_may_help(const struct dataplane *dataplane, const struct mode *mode, uint16_t index,
	const struct port *port, uint16_t owner);

/* A look at loads, now and then: how many others shall help at its queues. For the lcore loop. */
void turns_look_around(struct lcore *lcore);

/* Packets that have come to `deliver` or to `send` wait for the number of their batch. For the
 * lcore loop. */
void turns_add(struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n);

#endif
