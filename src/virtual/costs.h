/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_COSTS_H
#define WEFT_COSTS_H

#include <stdint.h>

#include "base/error.h"
#include "stages/stage.h"

/*
 * What things cost under the virtual clock, read from a file (docs/virtual.md describes it;
 * `scripts/bench calibrate` measures one). All costs are whole hundredths of a cycle, so that a run
 * is the same on every machine.
 */

#define COST_UNIT 100 /* of a cycle */
#define COST_SIZES_MAX 16
#define COST_PORTS_MAX 8

struct step_cost {
	uint32_t burst;
	uint32_t packet;
};

/*
 * A burst to or from a port of one type; a packet by its size, between two sizes in proportion. One
 * smaller than all costs as much as the smallest, for one larger than all the last two sizes go on.
 */
struct port_cost {
	char type[16]; /* "vhost-user", "memif", "tap", "ring", "uplink" */
	uint32_t burst;
	/* Of burst and packet: what an lcore does alone where others copy beside it, such as to
	 * read what the peer offers. UINT32_MAX: all. */
	struct step_cost alone;
	uint16_t n;
	uint16_t bytes[COST_SIZES_MAX]; /* of the frame with FCS, ascending */
	uint32_t packet[COST_SIZES_MAX];
};

/* Cache lines that another lcore had last, a packet. Differences between two lcores and one that
 * does the same: less than nothing where two lcores' caches hold what one's does not. */
struct price {
	int32_t metadata; /* the mbuf's first line, which the sender wrote */
	int32_t header;	  /* the packet's headers, two lines together */
	int32_t payload;  /* each further line that is read */
	int32_t free;	  /* to free an mbuf that was taken elsewhere */
	/* To fill an mbuf that was freed elsewhere: its own lines, and those that were read there.
	 */
	int32_t back;
	int32_t back_header;
	int32_t back_payload;
	/* With costs from the table, whose steps were measured on mbufs that stay in the cache: one
	 * that was freed elsewhere comes back round the whole pool. */
	int32_t cold;
	int32_t cold_payload;
};

struct costs {
	uint64_t hz;   /* cycles a second */
	uint32_t idle; /* a round that finds nothing */
	uint32_t busy; /* a round that moves packets, besides its steps */
	/* A packet that its door sends along a path, besides its steps: hash, flow group, path. */
	uint32_t steer;
	struct step_cost steps[STEP_COUNT];
	struct price price;
	uint16_t n_receive, n_send;
	struct port_cost receive[COST_PORTS_MAX];
	struct port_cost send[COST_PORTS_MAX];
};

/* Reads errors->file, and adds to *errors what is wrong with it. Each step must have its cost;
 * ports need not. */
void costs_read(struct costs *costs, struct error_list *errors);

/* The costs of sending to, or receiving from, a port of this type; NULL if the file has none. */
const struct port_cost *costs_of_send(const struct costs *costs, const char *type);
const struct port_cost *costs_of_receive(const struct costs *costs, const char *type);

/* Of one packet whose frame has `bytes` without FCS. */
uint32_t port_cost_of_packet(const struct port_cost *cost, uint32_t bytes);
/* The part of it that is done alone. */
uint32_t port_cost_alone(const struct port_cost *cost, uint32_t bytes);

#endif
