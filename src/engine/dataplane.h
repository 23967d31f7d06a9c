/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_DATAPLANE_H
#define WEFT_DATAPLANE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include "base/clock.h"
#include "base/error.h"
#include "stages/tables.h"
#include "steer/path.h"
#include "steer/plan.h"

struct lcore;

#define FROM_MAIN_SIZE 256 /* of the ring from the main lcore to each other */

/*
 * All lcores of one weft and what they share. The main lcore writes, the others read; what changes
 * while they run is in the second half, published with release stores.
 */
struct dataplane {
	struct clock clock;
	struct steering steering;
	struct micro_flows micro_flows;
	uint16_t n_lcores;
	uint32_t credits; /* packets that one lcore may have on their way */
	bool sleeps;	  /* lcores that have nothing to do; real ones */
	struct lcore *lcores[LCORES_MAX];
	const struct path *paths[LCORES_MAX]; /* of each lcore's flow groups: steer/moves.h */
	struct merge *merges[LCORES_MAX];     /* of each lcore's elephants */
	unsigned int lcore_ids[LCORES_MAX];   /* EAL's */
	struct rte_rcu_qsbr *rcu;
	struct rte_ring *from_main[LCORES_MAX]; /* packets made by the main lcore, to `send` */
	struct rte_ring *notices[LCORES_MAX];	/* from each lcore; elements are struct notice */
	uint64_t main_created;			/* counted by the main lcore */
	uint32_t plans;				/* made so far, by the main lcore */
	struct plan *next_plan;			/* that waits: main lcore */
	uint64_t change_token;			/* of what all lcores must have seen, for it */

	struct tables *tables __rte_cache_aligned; /* release/acquire */
	struct plan *plan;			   /* release/acquire */
	uint32_t seconds;			   /* relaxed: coarse, since start */
	bool closing; /* relaxed: receive nothing more, finish what is inside */
	bool pausing; /* release/acquire: the same, until another plan is there */
	bool stop;    /* relaxed: real lcores leave their loop */
};

struct dataplane_config {
	struct plan plan;
	struct steering steering;	/* n = 0: all lcores, first choice */
	struct micro_flows micro_flows; /* n_branches = 0: no elephants; n = 0: all lcores */
	uint64_t doors;			/* bit i: lcore i receives from an uplink; 0: any may */
	struct clock clock;
	uint16_t n_lcores;
	unsigned int lcore_ids[LCORES_MAX]; /* EAL's */
	uint32_t credits;
	bool sleeps;
};

/* Makes the lcores and the rings between them. Main lcore; free with
 * dataplane_free() when no lcore runs. NULL and *error on failure. */
struct dataplane *dataplane_create(const struct dataplane_config *config, struct error *error);
void dataplane_free(struct dataplane *dataplane);

/* Lets each door read the lcores' own counts of what ended there, which is how it begins; also
 * those of its flow groups. When no lcore runs. */
void dataplane_link_credits(struct dataplane *dataplane);

/* Index of the main lcore in doors and exits. */
static inline uint16_t dataplane_main(const struct dataplane *dataplane)
{
	return dataplane->n_lcores;
}

/* Replaces the tables; returns the old ones, to be freed after a grace period. Main lcore. */
struct tables *dataplane_publish(struct dataplane *dataplane, struct tables *tables);

/*
 * The same for the plan, with a copy of *plan. -1 if memory is short, and then nothing has changed.
 * *old is the plan that it replaces, to be freed with rte_free() after a grace period; or NULL,
 * where the change has to wait.
 *
 * It does where lcores are to take turns at queues that have had owners, or the other way round: a
 * packet that is inside could be overtaken. So no lcore receives until nothing is inside, and all
 * have the new plan. dataplane_change_plan() goes on with that: now and then until it returns
 * false; *old as above. Another plan may be set meanwhile, and is then the one that comes.
 */
int dataplane_set_plan(struct dataplane *dataplane, const struct plan *plan, struct plan **old);
bool dataplane_change_plan(struct dataplane *dataplane, struct plan **old);

/* The plan that was set last, whether it has to wait or is there. Main lcore. */
static inline const struct plan *dataplane_last_plan(const struct dataplane *dataplane)
{
	return dataplane->next_plan != NULL ? dataplane->next_plan : dataplane->plan;
}

/* Hands a packet made by the main lcore to the lcore that sends for uplink `uplink` (port index).
 * Main lcore. Takes the mbuf, or frees it and returns -1 when there is no room just now. */
int dataplane_inject(struct dataplane *dataplane, struct rte_mbuf *mbuf, uint16_t uplink);

/* What went in and what became of it, over all lcores. Any thread; exact when nothing moves. */
struct conservation {
	uint64_t received;
	uint64_t created;
	uint64_t delivered;
	uint64_t dropped;
	uint64_t consumed;
	uint64_t coalesced;
};

struct conservation dataplane_conservation(const struct dataplane *dataplane);

/* received + created - delivered - dropped - consumed - coalesced. */
int64_t conservation_in_flight(const struct conservation *conservation);

#define DRAIN_ROUNDS 2000

/* What a drain has seen; zeroed when it begins. */
struct drain {
	struct conservation sum; /* now */
	unsigned int rounds;	 /* since it changed */
};

/* Looks again: once a millisecond, on one control thread. False if nothing has changed for
 * DRAIN_ROUNDS: what still is inside will not come out. */
bool dataplane_drains(const struct dataplane *dataplane, struct drain *drain);

/* Nothing is inside, and all that came out is counted at its port. While no lcore receives; main
 * lcore. */
bool dataplane_is_drained(const struct dataplane *dataplane);

/* Drops of one reason, over all lcores. */
uint64_t dataplane_drops(const struct dataplane *dataplane, unsigned int slot);

#endif
