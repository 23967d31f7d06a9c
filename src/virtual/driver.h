/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_VIRTUAL_DRIVER_H
#define WEFT_VIRTUAL_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "engine/dataplane.h"
#include "virtual/costs.h"

/*
 * The driver of virtual lcores: one thread runs the rounds of any number of lcores, in virtual
 * time. Each lcore has a clock of its own, and it is always the turn of the one furthest behind. A
 * turn is atomic: it begins at the lcore's clock, and what it does is seen by the others when it
 * ends.
 *
 * Causality: the driver sits in all that leads from one lcore to another. What a round sends to
 * other lcores, the credits it gives back and its notices stay with the driver until the round's
 * end is the earliest time there is; then they are handed over, all with that time. Whoever is
 * furthest behind has therefore been given everything published up to its clock, and nothing later.
 * (Slots of inboxes that become free are not handed over: by its credits no lcore ever looks at how
 * many are left.)
 *
 * An lcore that finds nothing to do sleeps until something is handed to it, a packet arrives at one
 * of its queues, or the control side has something for it; the time in between is idle time.
 *
 * The driver, its dataplane and their control side belong to one thread.
 */

struct virtual_driver;

enum virtual_order {
	VIRTUAL_BY_COST,     /* rounds take what they cost */
	VIRTUAL_RANDOM,	     /* any time: rounds overlap in every way */
	VIRTUAL_ADVERSARIAL, /* as before; and the lcore that has most to do is held up for long */
};

/* What is outside of weft: traffic sources and sinks. `next` is the time of the next event there,
 * UINT64_MAX if there is none; `advance` lets everything up to a time happen, and wakes the lcores
 * whose queues got packets; `sent` tells that what the lcore has sent in its last round is out. */
struct virtual_outside {
	void *argument;
	uint64_t (*next)(void *argument);
	void (*advance)(void *argument, uint64_t until);
	void (*sent)(void *argument, uint16_t lcore, uint64_t now);
};

struct virtual_config {
	const struct costs *costs; /* the caller's; must outlive the driver */
	/* By this a step costs what it takes here and now; NULL: what the file says. The caller's.
	 */
	const struct clock *measured;
	enum virtual_order order;
	uint64_t seed;
	uint64_t control_period; /* cycles between two rounds of the control side */
	void (*control)(void *argument);
	void *control_argument;
	struct virtual_outside outside;
};

/* NULL if memory is short. Free with virtual_free(). */
struct virtual_driver *virtual_create(const struct virtual_config *config);
void virtual_free(struct virtual_driver *driver);

/* The clock that the dataplane is to be made with. */
struct clock virtual_clock(struct virtual_driver *driver);

/* EAL id of a virtual lcore: each has mempool caches of its own, and no thread. (Where other
 * threads are EAL's lcores, the ids must be others than theirs.) */
unsigned int virtual_lcore_id(uint16_t index);

/* Takes over the dataplane's lcores, which no thread runs; virtual_release() gives them back with
 * everything handed over, so that the dataplane can be freed. -1 if memory is short, and then
 * nothing was taken. */
int virtual_take(struct virtual_driver *driver, struct dataplane *dataplane);
void virtual_release(struct virtual_driver *driver);

/* The earliest time at which anything can still happen: cycles since the driver was made. */
uint64_t virtual_now(const struct virtual_driver *driver);

/* Runs until that time. */
void virtual_run(struct virtual_driver *driver, uint64_t until);
/* One round of an lcore or of the control side, or one event outside. */
void virtual_step(struct virtual_driver *driver);

/* True if every lcore sleeps: all that their rounds did has been handed over. */
bool virtual_is_at_rest(const struct virtual_driver *driver);

/* ---- for what is outside ---- */

/* The lcore has something to look for at that time. */
void virtual_wake(struct virtual_driver *driver, uint16_t lcore, uint64_t time);
/* So has whoever may receive from that queue. */
void virtual_wake_receivers(
	struct virtual_driver *driver, const struct port *port, uint16_t queue, uint64_t time);

/* ---- for ports, within a round ---- */

/* Index of the lcore whose round it is; between two rounds there is none. */
uint16_t virtual_current(const struct virtual_driver *driver);
bool virtual_is_in_round(const struct virtual_driver *driver);

/* What follows up to virtual_resume() is not weft's work: it costs nothing. */
void virtual_pause(struct virtual_driver *driver);
void virtual_resume(struct virtual_driver *driver);
/* Adds to the cost of the step, in hundredths of a cycle. */
void virtual_charge(struct virtual_driver *driver, uint64_t cost);
/* The lcore has filled these mbufs: it pays for those that were freed elsewhere. `timed`: filling
 * them was part of its round, and so of what the round is measured to take. */
void virtual_filled(struct virtual_driver *driver, struct rte_mbuf **mbufs, uint16_t n, bool timed);
/* It reads them whole: it pays for the lines that another lcore had. */
void virtual_copied(struct virtual_driver *driver, struct rte_mbuf **mbufs, uint16_t n);
/* It frees them: it pays for those that were taken elsewhere. */
void virtual_freed(struct virtual_driver *driver, struct rte_mbuf **mbufs, uint16_t n);

/* ---- faults ---- */

/* Its next round takes so much longer: nobody sees what it does, and it does nothing else. */
void virtual_stall(struct virtual_driver *driver, uint16_t lcore, uint64_t cycles);
/* Its rounds take so many times as long, in hundredths; 100: no longer. */
void virtual_slow(struct virtual_driver *driver, uint16_t lcore, uint32_t percent);

/* ---- what it did ---- */

struct virtual_counters {
	uint64_t rounds;
	uint64_t steps;	   /* and ends of rounds, each of which had its cost */
	uint64_t outliers; /* of these, measured ones rejected as preempted */
	uint64_t moved;	   /* words handed to inboxes: packets and labels */
	/* Cycles for which lcores had the right to receive, and handed over while they had the
	 * number; of all queues that they take turns at. */
	uint64_t right_held, number_held;
	uint64_t overflowed; /* words that an inbox had no room for: credits were exceeded */
};

const struct virtual_counters *virtual_counters(const struct virtual_driver *driver);

#endif
