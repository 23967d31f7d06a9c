/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SIM_WORLD_H
#define WEFT_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "control/control.h"
#include "core/dataplane.h"
#include "core/lcore.h"
#include "flows.h"

/*
 * A whole weft without EAL threads or devices: the real lcores, rings, stages, control side and
 * tables, between synthetic ports that make packets and check what comes out. One thread steps the
 * lcores and the control side in any order; real lcores can run the same world (test_lcores.c).
 *
 * The first thing that is wrong stays in `failure`; world_check() adds what only shows at the end.
 */

#define SIM_UPLINKS_MAX 2
#define SIM_QUEUES_MAX 2
#define SIM_FLOWS_MAX 64
#define SIM_REPLIES_MAX 32

enum schedule {
	SCHEDULE_IN_TURN,
	SCHEDULE_RANDOM,
	SCHEDULE_STARVE, /* one lcore at a time gets no turn for long */
	SCHEDULE_COUNT,
};

struct world_config {
	uint64_t seed;	    /* owners and turns */
	uint64_t flow_seed; /* packets */
	uint16_t n_lcores;
	uint32_t credits;
	uint16_t placement[STAGE_COUNT];
	uint16_t n_uplinks;
	uint16_t uplink_queues;
	uint16_t container_queues;
	enum schedule schedule;
	uint32_t packets; /* of all flows, about */
	bool faulty;	  /* packets that must be dropped are among them */
	bool refusing;	  /* the peers take packets only now and then */
	bool learning;	  /* the hosts behind VTEPs have no static entries */
	bool churning;	  /* container ports come and go */
	bool threads;	  /* for real lcores */
};

/* A queue of a synthetic port; touched by its owner only. */
struct sim_queue {
	uint64_t random;
	uint16_t n_flows; /* that have packets left */
	uint16_t current;
	struct flow *flows[SIM_FLOWS_MAX];
	uint64_t given;
	uint64_t taken;
	uint64_t refused;
	uint64_t refused_away;	     /* of these, because the peer is away */
	uint64_t faulty[DROP_COUNT]; /* given, and to be dropped so */
	uint16_t n_replies;
	struct rte_mbuf *replies[SIM_REPLIES_MAX];
} __rte_cache_aligned;

struct world;

/* The peer of a port; it stays while its port goes and comes. */
struct sim_peer {
	struct world *world;
	uint16_t uplink;  /* uplinks */
	uint16_t network; /* containers */
	uint16_t place;
	struct port *port; /* the control side's; NULL while removed */
	struct sim_queue queues[SIM_QUEUES_MAX];
};

/* What came out of a flow at one place. Written by the owner of the queue it comes out by. */
struct seen {
	uint64_t count;
	uint32_t next; /* the smallest number that may come */
	uint32_t digest;
	uint16_t source_port; /* outer, 0: none yet */
};

struct world {
	struct world_config config;
	uint64_t random;
	uint64_t turns;
	uint64_t starve_until;
	uint16_t starved;
	bool open; /* relaxed: the sources give packets */
	struct dataplane *dataplane;
	struct control *control;
	struct config settings;
	struct rte_mempool *pool;
	uint32_t mbufs; /* in the pool at the beginning */
	struct sim_peer uplinks[SIM_UPLINKS_MAX];
	struct sim_peer containers[SIM_NETWORKS][SIM_CONTAINERS];
	uint16_t n_flows;
	struct flow flows[SIM_FLOWS_MAX];
	struct seen seen[SIM_FLOWS_MAX][SIM_PLACES];
	uint64_t removals, removed; /* ports taken out, and of those detached */
	uint64_t floods_refused;    /* set by world_check() */
	int failed;		    /* atomic: the first one writes `failure` */
	char failure[256];
};

/* Once a program: EAL with this many lcores, which share the CPUs there are. 0 or -1. */
int sim_start(uint16_t n_lcores);

/* How many packets the program should carry: WEFT_SIM_PACKETS, or the default. */
uint64_t sim_packets(uint64_t otherwise);
/* Where the program's seeds begin: WEFT_SIM_SEED, or 1. */
uint64_t sim_seed(void);

/* Everything in a seed's hands but what the caller then sets himself. */
struct world_config world_config_random(uint64_t seed, uint16_t lcores_min, uint16_t lcores_max);

/* A world whose sources are still closed and whose next hops are resolved. NULL if that failed
 * (it says why). */
struct world *world_create(const struct world_config *config);

/* Frees all but what came out, so that the next world can be made: there is one at a time. */
void world_end(struct world *world);
void world_free(struct world *world);

/* One turn of an lcore, or one round of the control side. */
void world_step(struct world *world);

/* Opens the sources, steps until all their packets were given and what is inside has come out, and
 * checks what must hold. 0 if all does, else -1, and it says what did not. */
int world_run(struct world *world);

/* The parts of it, for worlds whose lcores run by themselves. */
bool world_is_resolved(const struct world *world); /* the next hops */
void world_open(struct world *world);
bool world_is_exhausted(const struct world *world);
bool world_is_empty(const struct world *world);
void world_churn(struct world *world);
void world_restore(struct world *world);
int world_check(struct world *world);

/* Packets given by all sources. */
uint64_t world_given(const struct world *world);

/* The same packets, byte for byte and in the same order, must have come out of each flow. Worlds
 * of the same flow seed. 0, or -1 with the difference in the second one's `failure`. */
int world_compare(const struct world *reference, struct world *world);

/* Marks the world as failed. Any lcore. */
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the failure with what is needed to see it again. */
void world_report(const struct world *world);

#endif
