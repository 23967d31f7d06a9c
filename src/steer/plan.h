/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_PLAN_H
#define WEFT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "steer/graph.h"

/*
 * A mode is a row of modes[] in plan.c, or of the user's configuration: how packets are received,
 * how one from an uplink gets to each stage from the stage before, how packets are delivered, and
 * what overlay there is. The plan is what the lcores go by, made of a row. It is a snapshot: the
 * main lcore makes a new one for every change of mode, and never changes one that it has published.
 */

#define LCORE_INLINE UINT16_MAX
#define MODE_NAME_SIZE 32

enum transition_kind {
	TRANSITION_INLINE,     /* call on, on the same lcore or the one that the plan names */
	TRANSITION_FLOW,       /* steer: every such stage of a flow group on one lcore */
	TRANSITION_FLOW_STAGE, /* steer: on an lcore for this flow group and this stage */
	TRANSITION_WITH,       /* stacked: on the lcore that runs another stage of the path */
	TRANSITION_SPLIT,      /* elephants: in micro-flows, each on the lcore of its branch */
	TRANSITION_MERGE,      /* elephants: put back in order, on one lcore */
};

/* By what a door tells the packets from uplinks apart. */
enum sorting {
	SORTING_NONE,
	SORTING_INNER, /* the flow hash of the inner headers */
	SORTING_OUTER, /* of the outer ones, in which tunnels have it as the source port: what is
			* split as it comes in shall not be read before that */
};

struct transition {
	uint8_t kind; /* enum transition_kind */
	uint8_t with; /* TRANSITION_WITH: the stage, further up in the table */
};

/* Which lcores take packets from the queues of ports. */
enum receive_by {
	RECEIVE_BY_OWNER, /* of the queue, alone */
	RECEIVE_BY_RIGHT, /* any, in turn: ports/turn.h */
};

/* Which hand packets to the queues of ports. */
enum deliver_by {
	DELIVER_BY_OWNER,  /* of the queue, alone */
	DELIVER_BY_TICKET, /* who received, in the order of tickets */
};

/* What joins the container ports. Where a stage has no use, another stands in its place. */
enum overlay {
	OVERLAY_BRIDGED,	/* VXLAN, and a bridge of any number of ports in each network */
	OVERLAY_POINT_TO_POINT, /* VXLAN, and one port in each network, without a bridge */
	OVERLAY_NONE,		/* one port in all has the uplink's frames as they are */
};

struct mode {
	char name[MODE_NAME_SIZE];
	enum receive_by receive;
	struct transition row[STAGE_COUNT];
	enum deliver_by deliver;
	bool adapts; /* by right: as many lcores at a queue as its load needs */
	bool gated;  /* goes as `rps` while the steering lcores have much to do (Falcon's gate) */
	enum overlay overlay;
};

/* The stages that a packet from an uplink passes by main exits, in order, which is that of the
 * table; those that a row is about. */
struct plan_way {
	unsigned int n;
	enum step stages[STAGE_COUNT];
};

static inline bool plan_way_has(const struct plan_way *way, unsigned int stage)
{
	for (unsigned int i = 0; i < way->n; i++)
		if (way->stages[i] == stage)
			return true;
	return false;
}

struct plan {
	uint32_t number;	 /* each one published has another */
	const struct mode *mode; /* the row, which outlives the plan */
	bool by_right;		 /* several lcores take turns at each queue, and nothing crosses */
	bool gated;
	enum sorting sorting;	       /* none: no stage is steered */
	bool balances;		       /* some stage by the loads */
	bool splits;		       /* elephants have another row than other flows */
	uint32_t salt;		       /* another one makes other choices for the same flows */
	graph_next_t next;	       /* where the exits of the stages lead, */
	struct plan_way way;	       /* and so the stages that a row is about */
	uint16_t instead[STAGE_COUNT]; /* the stage that runs where this one would */
	uint16_t lcore[STAGE_COUNT];   /* where an inline stage runs: an index, or LCORE_INLINE */
	struct transition open[STAGE_COUNT];   /* how a packet from an uplink gets there, */
	struct transition closed[STAGE_COUNT]; /* and how while the gate is closed */
	struct transition elephant[STAGE_COUNT];
};

/* Fills *plan with a row, which is to outlive it; every inline stage runs where the stage before it
 * ran. */
void plan_set(struct plan *plan, const struct mode *mode);

/* The way by the graph as it is, for what needs no plan. Main lcore. */
struct plan_way plan_way(void);

/* The first stage that a row gets to in that way, or -1. */
int mode_find_transition(const struct mode *mode, enum transition_kind kind);

/* The i-th row of modes[], NULL behind the last; the one of that name, or NULL. */
const struct mode *plan_mode(unsigned int i);
const struct mode *plan_mode_find(const char *name);

#endif
