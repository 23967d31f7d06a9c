/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_VIRTUAL_PRIVATE_H
#define WEFT_VIRTUAL_PRIVATE_H

/* What the files of the driver share: driver.c has the rounds, wires.c what leads from one lcore to
 * another, clock.c what a step costs. */

#include "engine/lcore.h"
#include "virtual/driver.h"

/* A way from one lcore's outbox to another one's inbox, which are one ring on real lcores. */
struct wire {
	struct outbox *outbox;
	struct rte_ring *staged; /* what the outbox leads to: sent, and not yet seen */
	struct rte_ring *ring;	 /* the inbox's */
	uint16_t receiver;
	bool to_itself;	  /* what the lcore has for its own merges: its lines stay */
	uint32_t waiting; /* elements in the inbox when it was last looked at */
	int64_t owed;	  /* price of their lines, to be paid when they are taken */
	struct wire *next_of_receiver;
};

struct virtual_lcore {
	struct lcore *lcore;
	uint64_t time;	   /* cycles: the end of its last round, or of its sleep */
	uint32_t fraction; /* hundredths of a cycle beyond */
	bool refused;	   /* its last round found no credits left */
	bool worked;	   /* its last round did, so that others may have something of it */
	bool asleep;
	uint64_t nap_until; /* it looks at its load then, also if nothing woke it */
	uint64_t stall;	    /* cycles by which its round is to be longer */
	uint32_t percent;
	uint16_t n_wires;
	struct wire *wires; /* as sender */
	struct wire *outgoing[LCORES_MAX];
	struct wire *incoming;
	struct rte_ring *notices; /* the main lcore's end */
	/* What the other doors see of lcore->finished. */
	uint64_t finished[LCORES_MAX];
	struct tally *tallies[LCORES_MAX]; /* [door][account] */
	uint32_t tally_changes[LCORES_MAX];
	uint64_t seen_steered; /* the lcore's counter after its last step */
	/* Of its last round: after its last step, and before the first one that handed packets
	 * over, or UINT64_MAX. */
	uint64_t stepped, handing_since;
	uint32_t cached_mbufs; /* that it has freed and not taken again */
};

#define ESTIMATE_STEPS (STEP_COUNT + 1) /* the last: the end of a round */
#define ESTIMATE_SIZES 8		/* of a burst, by powers of two */

/* What steps of one kind have taken so far. */
struct estimate {
	uint64_t cycles;
	uint32_t n;
};

struct virtual_driver {
	struct virtual_config config;
	struct dataplane *dataplane;
	struct virtual_lcore lcores[LCORES_MAX];
	struct wire *wires;
	uint32_t run; /* number of this driver in the process */
	uint64_t random;
	uint64_t now; /* of the round or event under way, or the last one */
	uint64_t control_time;
	uint64_t held_until; /* adversarial order: no lcore is held up before */
	struct virtual_counters counters;

	/* The round under way. */
	struct virtual_lcore *current; /* NULL: none */
	bool worked;		       /* it had a step */
	bool ended;		       /* its end was paid for */
	int64_t charged;	       /* hundredths, since the clock was last read */
	uint64_t read_at;	       /* TSC when that reading ended */
	uint64_t paused_at;
	struct estimate estimates[ESTIMATE_STEPS][ESTIMATE_SIZES];
};

/* ---- wires.c ---- */

/* Puts the driver between the lcores. -1 if memory is short. */
int wires_lay(struct virtual_driver *driver);
void wires_remove(struct virtual_driver *driver);

/* Hands over what the lcore's last round did to others, and wakes them. */
void wires_hand_over(struct virtual_driver *driver, struct virtual_lcore *sender);

/* The same for its notices alone, which wait while the main lcore's end is full. */
void wires_move_notices(struct virtual_lcore *sender);

/* What the lcore owes, in hundredths, for packets that it has taken. */
int64_t wires_price(struct virtual_lcore *receiver);

/* Packets that wait in the lcore's inboxes. */
uint32_t wires_waiting(const struct virtual_lcore *receiver);

/* ---- clock.c ---- */

uint64_t virtual_clock_read(const struct clock *clock);
/* The end of a round is STEP_COUNT. */
uint64_t virtual_clock_after(const struct clock *clock, unsigned int step, uint32_t packets);
/* The TSC runs for the lcore from here on. */
void clock_begin_round(struct virtual_driver *driver, struct virtual_lcore *lcore);
void clock_end_round(struct virtual_driver *driver);

#endif
