/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_LCORE_H
#define WEFT_LCORE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "engine/counters.h"
#include "engine/dataplane.h"
#include "engine/flood.h"
#include "engine/idle.h"
#include "engine/merging.h"
#include "engine/parcel.h"
#include "engine/turns.h"
#include "engine/vectors.h"
#include "stages/stage.h"
#include "steer/load.h"
#include "steer/moves.h"

/*
 * One lcore of the data path. lcore_poll() does one round: floods that wait, what stages have kept,
 * its inbox, groups whose move is over, then the queues it owns; then it flushes its outboxes. All
 * state hangs off struct lcore, so any thread may drive any number of them, one round at a time.
 *
 * Between lcores: each (sender, receiver) is a ring with one producer and one consumer, so nothing
 * ever waits for another lcore. Its elements are parcels: a packet and the step that it waits for.
 * Packets are admitted against credits: an lcore that has dataplane.credits packets on their way
 * receives nothing more until some are finished. A ring holds the credits of all doors, so it
 * cannot fill, and no circle of full rings can stand still.
 */

#define NOTICE_RING_SIZE 1024

static_assert(LCORES_MAX <= 1 << LABEL_FIRST_BITS, "a label has room for any lcore");

/* A burst, and a label. */
#define OUTBOX_SIZE (STAGE_BURST_MAX + 1)

/* Packets for an lcore, collected within a round. */
struct outbox {
	struct rte_ring *ring;
	union label label; /* of the last parcels */
	uint16_t receiver;
	bool dirty; /* in the lcore's list of those to flush */
	uint16_t n;
	struct parcel parcels[OUTBOX_SIZE];
};

struct inbox {
	struct rte_ring *ring;
	union label label; /* of the parcels that come next */
	bool own;	   /* from the lcore itself, for its merges */
};

/* What is passed on to other lcores. */
struct passing {
	enum {
		PASSING_RIGHT,
		PASSING_NUMBER,
		PASSING_RESERVATION,
	} kind;
	union {
		struct turn *turn;
		struct port *port;
	};
	struct reservation *reservation;
};

static inline void passing_do(const struct passing *passing)
{
	if (passing->kind == PASSING_RIGHT)
		turn_pass_on(passing->turn);
	else if (passing->kind == PASSING_NUMBER)
		turn_pass_number(passing->turn);
	else
		passing->port->ops->publish(passing->port, passing->reservation);
}

#define PASSED_MAX (BATCHES_MAX + CLAIMS_MAX + HANDINGS_MAX)

/* What a round has to hand over, for a driver that lets others see it at a time of its own
 * (src/virtual). Nobody else reads it. */
struct handover {
	bool holds; /* the driver's: what is passed on waits for it */
	uint16_t n_passed;
	struct passing passed[PASSED_MAX];
	uint16_t n_flushed;		    /* outboxes, the first ones of dirty[] */
	uint32_t tally_changes[LCORES_MAX]; /* by door: so often tallies[] has changed */
};

struct lcore {
	uint16_t index;	 /* among the dataplane's lcores */
	unsigned int id; /* EAL's */
	struct dataplane *dataplane;
	struct stage_context context;
	const struct plan *plan; /* this round's */
	uint64_t mark;		 /* the clock when cycles were last accounted for */
	uint64_t returned;	 /* credits known to have come back */
	/* Where each lcore tells how many packets of this door ended there. */
	const uint64_t *finished_at[LCORES_MAX];
	uint16_t n_dirty;
	struct outbox *dirty[LCORES_MAX]; /* outboxes with packets */
	struct vectors vectors;
	struct merging merging;
	void *states[STAGE_COUNT]; /* of the stages on this lcore */
	uint32_t kept;		   /* packets that are with stages, */
	uint32_t kept_by[STAGE_COUNT];
	uint16_t n_inbox;
	struct inbox inbox[LCORES_MAX + 1]; /* from each lcore, itself too, and from the main one */
	struct outbox *outboxes;	    /* [receiver] */
	struct rte_ring *notices;	    /* to the main lcore: dataplane.notices */
	struct door *door;		    /* what it knows as the first lcore of paths */
	uint16_t first_queue;		    /* of the owned ones, to be polled first */
	uint64_t created_before;	    /* counters.created when the round began */
	struct flood floods[FLOOD_KINDS];
	struct turns *turns; /* NULL: it is the only lcore */

	/* Relaxed: lcores wanted at its queues beside it, where those adapt. Alone on its line, as
	 * others look at it in all their rounds. */
	uint16_t helpers __rte_cache_aligned;
	struct load load __rte_cache_aligned;
	struct idle idle __rte_cache_aligned;
	struct lcore_counters counters __rte_cache_aligned;
	/* Packets of each door that ended here; doors sum these up. Written by this lcore only. */
	uint64_t finished[LCORES_MAX + 1] __rte_cache_aligned;
	struct tally *tallies[LCORES_MAX]; /* [door][account]: the same */
	struct handover handover;
};

/* The step that runs on this lcore where a packet waits for `step`. Only here does a stage stand in
 * another's place: while the mode changes, lcores disagree about it, and what a flow has on its way
 * from one lcore to another must still come into one vector. */
static inline enum step lcore_step_here(const struct lcore *lcore, enum step step)
{
	return step < STAGE_COUNT ? lcore->plan->instead[step] : step;
}

/* Something is being flooded: what leaves the bridge may have to wait. */
static inline bool flood_is_on(const struct lcore *lcore)
{
	return lcore->floods[FLOOD_PATIENT].waits || lcore->floods[FLOOD_URGENT].waits;
}

/* A step has been done with n packets: it is counted, with the time since the last mark. */
static inline void lcore_count_step(struct lcore *lcore, enum step step, uint16_t n)
{
	struct stage_counters *counters = &lcore->counters.stages[step];
	uint64_t now;

	counter_add(&counters->bursts, 1);
	counter_add(&counters->packets, n);
	now = clock_after(&lcore->dataplane->clock, step, n);
	counter_add(&counters->cycles, now - lcore->mark);
	lcore->mark = now;
}

static inline uint32_t bytes_of(struct rte_mbuf **mbufs, uint16_t n)
{
	uint32_t bytes = 0;

	for (uint16_t i = 0; i < n; i++)
		bytes += mbufs[i]->pkt_len;
	return bytes;
}

/* Before the first and after the last round, by the driver. */
void lcore_begin(struct lcore *lcore);
void lcore_end(struct lcore *lcore);

/* One round. True if it moved packets. Only one thread at a time per lcore. The clock is read after
 * each step of the round, when the step's packets and bursts are counted, and at its end. */
bool lcore_poll(struct lcore *lcore);

/* Real lcores: rounds until dataplane.stop. For rte_eal_remote_launch. */
int lcore_run(void *lcore);

#endif
