/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_BENCH_REORDER_H
#define WEFT_BENCH_REORDER_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

/*
 * The parts of bench-reorder: the systems that are compared (reorder_systems.c), a run of one of
 * them on one lcore or two (reorder_runs.c), and rounds, figures and rows (reorder.c).
 */
#define BRANCHES 4
#define PACKETS (768u << 10) /* as many mbufs: their first lines fill 48 MiB */
#define POOL (16u << 10)     /* mbufs, where they are written */
#define WINDOW_LEAST 1024    /* packets on their way */
#define SLOW_TURNS 11	     /* the slow branch has one turn of so many */

struct scenario {
	const char *name;
	uint32_t batch;
	uint16_t n_branches;
	bool slow; /* the last branch */
	bool all;  /* systems take part; the others have no batches */
};

enum kind {
	SOURCE,	     /* no branch */
	RINGS,	     /* branches, but nothing is put in order */
	WEFT_STAMPS, /* packets are stamped, no more */
	WEFT_LABELS, /* and labels are put in, and taken out again */
	WEFT,
	REORDER_STAMPS,
	REORDER,
	DISTRIBUTOR,
	EVENT_SW,
	KINDS_ALONE,
	WEFT_HOPS = KINDS_ALONE, /* on two lcores */
	EVENT_SW_HOPS,
	KINDS
};

/* Its functions in the order in which they are called; a burst is of FIXTURE_BURST packets. */
struct system {
	const char *name;
	bool orders;
	void (*begin)(void);
	void (*end)(void);
	void (*split)(struct rte_mbuf **mbufs, uint16_t n); /* a burst comes */
	uint16_t (*serve)(uint16_t branch); /* it does up to a burst; returns how many */
	void (*merge)(void);		    /* what has come from the branches */
};

extern const struct system systems[KINDS];

/* The run under way. Written by the lcore that splits and merges. */
struct run {
	const struct scenario *scenario;
	bool written;
	uint32_t window;
	uint32_t pool; /* so many packets come again and again */
	uint64_t in, out;
	uint64_t out_of_order; /* packets that came out at another's place */
};

extern struct run the_run;

/* Makes the packets and what systems need for all runs; ends the program if it cannot. */
void systems_init(void);

/* What the source gives next: a burst, which is written if the run wants that. */
struct rte_mbuf **systems_next_burst(void);

struct result {
	double cycles; /* a packet */
	double pps;
};

/* Carries packets through a system, on the lcore that calls and, if the kind says so, on
 * rounds_partner. Ends the program if they come out of order and should not. */
struct result run_once(enum kind kind, const struct scenario *scenario, bool written);

#endif
