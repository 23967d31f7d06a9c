/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SIM_WORLD_H
#define WEFT_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "control/control.h"
#include "engine/dataplane.h"
#include "engine/lcore.h"
#include "flows.h"
#include "traffic/checker.h"
#include "virtual/costs.h"
#include "virtual/driver.h"

/*
 * A whole weft without EAL threads or devices: the real lcores, rings, stages, control side and
 * tables, between synthetic ports that make packets and check what comes out. Its lcores are
 * virtual ones; real lcores can run the same world (test_lcores.c).
 *
 * The first thing that is wrong stays in `failure`; world_check() adds what only shows at the end.
 */

#define SIM_UPLINKS_MAX 2
#define SIM_QUEUES_MAX 2
#define SIM_FLOWS_MAX 10064
#define SIM_REPLIES_MAX 32
#define SIM_BATCHES 6
#define SIM_BRANCHES_MOST 8
#define SIM_ANY UINT16_MAX /* as the seed has it */

struct world_config {
	uint64_t seed;	    /* owners, rounds, faults */
	uint64_t flow_seed; /* packets */
	uint16_t n_lcores;
	uint32_t credits;
	const char *mode; /* NULL: vanilla */
	uint16_t placement[STAGE_COUNT];
	uint16_t n_uplinks;
	uint16_t uplink_queues;
	uint16_t container_queues;
	uint16_t uplink_owner; /* or SIM_ANY */
	uint16_t container_owner;
	uint16_t n_flows; /* 0: as the seed has it; 1: a good one from a remote host */
	enum virtual_order order;
	uint32_t packets; /* of all flows, about */
	uint64_t prefix;  /* the sources end after so many; 0: after all */
	bool faulty;	  /* packets that must be dropped are among them */
	bool refusing;	  /* the peers take packets only now and then */
	bool learning;	  /* the hosts behind VTEPs have no static entries */
	bool churning;	  /* container ports come and go */
	bool stalling;	  /* lcores are held up, or slow, for a while */
	bool steering;	  /* in modes that steer, which change, as do the choices */
	bool compared;	  /* with the same packets through one lcore */
	bool threads;	  /* for real lcores */
	/* Worlds that split: */
	uint16_t row;	     /* the mode, + 1: world_row(); 0: elephants are not split */
	uint16_t n_branches; /* of each elephant */
	uint16_t batch;
	uint16_t n_elephants; /* flows that are meant to be elephants; of n_flows */
	uint16_t elephants;   /* that a door has at most */
	uint32_t rate;	      /* packets per second that make an elephant */
	uint16_t window;      /* microseconds in which they are; 0: as short as it can be */
	uint16_t failing;     /* percent of an elephant's packets that must be dropped */
	bool pausing;	      /* elephants have no packets now and then */
	bool flooding;	      /* half of the flows are to everybody */
	bool patient;	      /* sources wait while many packets are inside, so no path is full */
};

/* Flows of a queue that have packets left. */
struct flow_list {
	uint16_t n;
	uint16_t current;
	struct flow **flows;
};

#define SIM_RING_SIZE 256
#define SIM_BUFFER_SIZE 2048

struct sim_peer;

/* Frames that are copied side by side, and seen in their order. */
struct sim_ring {
	struct sim_peer *peer;
	struct reservations reservations;
	uint32_t next;	   /* buffer; who reserves: rw */
	uint32_t released; /* buffers that have been seen; who publishes: wo (release) */
	struct {
		uint32_t length;
		uint8_t data[SIM_BUFFER_SIZE];
	} frames[SIM_RING_SIZE];
};

/* A queue of a synthetic port. One lcore at a time receives from it, and one sends by it; each has
 * its part, but for what is relaxed, and replies. */
struct sim_queue {
	uint64_t receiving, sending; /* number of the port whose lcore does; or 0 */
	struct reservations claims;
	struct sim_ring *ring; /* NULL: it takes packets as they are */
	uint64_t random;
	uint64_t send_random;
	uint16_t n_flows; /* relaxed: that have packets left */
	struct flow_list elephants, mice;
	struct flow_list *current; /* NULL: none yet */
	uint64_t given;
	uint64_t taken;
	uint64_t refused;
	uint64_t refused_away;	     /* of these, because the peer is away */
	uint64_t refused_too_big;    /* of these, each alone */
	uint64_t unfit;		     /* that a buffer turned out not to hold; any lcore */
	bool too_big;		     /* why the last ones were refused */
	uint64_t faulty[FAULTS_MAX]; /* given, with each of faults[] */
	bool replies_locked;
	uint16_t n_replies; /* relaxed */
	uint16_t n_ready;   /* of these, those that are there by now */
	struct rte_mbuf *replies[SIM_REPLIES_MAX];
} __rte_cache_aligned;

struct world;

/* The peer of a port; it stays while its port goes and comes. */
struct sim_peer {
	struct world *world;
	uint16_t uplink;  /* uplinks */
	bool rings;	  /* has rings of its own, that lcores use side by side */
	uint16_t network; /* containers */
	uint16_t place;
	uint16_t owner; /* containers: of the port's queues; SIM_ANY before it came first */
	uint16_t owners[SIM_QUEUES_MAX]; /* uplinks: of each queue */
	struct port *port;		 /* the control side's; NULL while removed */
	uint16_t n_ports;		 /* attached: relaxed */
	struct sim_queue queues[SIM_QUEUES_MAX];
};

/* How a flow came out. What does so at one place does by one queue, whose owner writes it. */
struct outcome {
	uint16_t source_ports[SIM_REMOTES]; /* 0: not known yet */
	uint8_t queues[SIM_CONTAINERS];	    /* that it came by, + 1; 0: none yet */
	uint8_t uplink_queues[SIM_REMOTES]; /* the same */
};

struct world {
	struct world_config config;
	uint64_t random;
	uint64_t rounds;	       /* of the control side */
	uint64_t poke_at;	       /* when the sources have packets again */
	uint16_t slowed;	       /* lcore that is slow just now */
	int churns;		       /* that are still to come */
	uint64_t left;		       /* packets that the prefix still has */
	bool open;		       /* relaxed: the sources give packets */
	bool paused;		       /* relaxed: elephants' do not */
	uint64_t moved_split;	       /* world_move() while flows were split */
	struct virtual_driver *driver; /* NULL: real lcores */
	struct costs costs;	       /* of virtual ones */
	struct dataplane *dataplane;
	struct control *control;
	struct config settings;
	struct rte_mempool *pool;
	uint32_t mbufs; /* in the pool at the beginning */
	struct sim_peer uplinks[SIM_UPLINKS_MAX];
	struct sim_peer containers[SIM_NETWORKS][SIM_CONTAINERS];
	uint16_t n_flows;
	struct flow *flows;
	struct outcome *outcomes;   /* [flow] */
	struct checker checker;	    /* its places are numbered by sim_place() */
	uint64_t removals, removed; /* ports taken out, and of those detached */
	uint64_t floods_refused;    /* set by world_check() */
	uint64_t paths_refused;
	int failed; /* atomic: the first one writes `failure` */
	char failure[256];
};

/* Packets of a micro-flow. */
extern const uint16_t sim_batches[SIM_BATCHES];

/* Once a program: EAL with this many lcores, which share the CPUs there are. 0 or -1. */
int sim_start(uint16_t n_lcores);

/* How many packets the program should carry: WEFT_SIM_PACKETS, or the default. */
uint64_t sim_packets(uint64_t otherwise);
/* Where the program's seeds begin: WEFT_SIM_SEED, or 1. */
uint64_t sim_seed(void);

/* Everything in a seed's hands but what the caller then sets himself. */
struct world_config world_config_random(uint64_t seed, uint16_t lcores_min, uint16_t lcores_max);

/* The same for a world that splits; lcores that do the same have no names, so stages that are not
 * steered are inline. */
struct world_config world_config_splitting(uint64_t seed, uint16_t lcores_min, uint16_t lcores_max);

/* A world whose sources are still closed and whose next hops are resolved. NULL if that failed
 * (it says why). */
struct world *world_create(const struct world_config *config);

/* Frees all but what came out, so that the next world can be made: there is one at a time. */
void world_end(struct world *world);
void world_free(struct world *world);

/* Its parts for virtual lcores: before the dataplane is made, and when all is there. */
void world_make_driver(struct world *world);
void world_warm_up(struct world *world);

/* Opens the sources, runs until all their packets were given and what is inside has come out, and
 * checks what must hold. 0 if all does, else -1, and it says what did not. */
int world_run(struct world *world);

/* The parts of it, for worlds whose lcores run by themselves. */
bool world_is_resolved(const struct world *world); /* the next hops */
void world_open(struct world *world);
bool world_is_exhausted(const struct world *world);
bool world_is_empty(const struct world *world);
bool world_has_replies(const struct world *world); /* that weft has not received yet */
void world_churn(struct world *world);
void world_move(struct world *world); /* all flow groups, to other paths of maybe another mode */
void world_restore(struct world *world);
void world_drain(struct world *world);	/* virtual lcores: until all that is inside has come out */
void world_settle(struct world *world); /* and until they are at rest */
int world_check(struct world *world);

/* Moves of flow groups that have ended, and the most packets that waited at one door for that. */
uint64_t world_moves(const struct world *world);
uint32_t world_most_held(const struct world *world);

/* What became of elephants, over all doors. */
struct sim_elephants {
	uint64_t promoted;
	uint64_t demoted;
	uint64_t packets;      /* that came to merges */
	uint64_t out_of_order; /* of these, and marks: of the last elephant that each merge had */
	uint64_t marks;
	uint64_t moved; /* changes of mode while some were split */
	uint32_t most_held;
};

void world_add_elephants(const struct world *world, struct sim_elephants *sum);

/* Packets that wait in merges just now. */
uint32_t world_held(const struct world *world);

/* The modes that split: those of modes[], and what a user may write. NULL behind the last. */
const struct mode *world_row(unsigned int i);

/* Deliveries of a flow that did not happen, of those that should have. */
uint64_t world_missing(const struct world *world, const struct flow *flow);

/* Packets given by all sources. */
uint64_t world_given(const struct world *world);

/* The same packets, byte for byte and in the same order, must have come out of each flow. Worlds
 * of the same flow seed. 0, or -1 with the difference in the second one's `failure`. */
int world_compare(const struct world *reference, struct world *world);

/* Marks the world as failed. Any lcore. */
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the failure, if there is one, with what is needed to see it again. */
void world_report(const struct world *world);

/* ---- once more (again.c) ---- */

/* A world in words, which sim-pipeline takes as its argument. Reading: 0, or -1, and it says why.
 */
void world_config_write(const struct world_config *config, FILE *file);
int world_config_read(struct world_config *config, const char *text);

/* The same packets through one lcore, undisturbed. */
struct world_config world_config_reference(const struct world_config *config);

/* Runs just the packets that the world was given through one lcore, and compares. Ends the world.
 */
void world_compare_with_reference(struct world *world);

/* Makes and runs a world, and its reference if it is to be compared. The caller frees it. */
struct world *world_try(const struct world_config *config);

/* Reports a world that failed, finds the shortest prefix of its packets that still fails, and
 * prints how to see it. Ends the world. */
void world_shorten(struct world *world);

/* True if it did not fail; one that did is shortened. Frees the world. */
bool world_passed(struct world *world);

/* How many packets were dropped so; by a drop's name, which there must be. */
uint64_t sim_drops(const struct dataplane *dataplane, const char *name);

#endif
