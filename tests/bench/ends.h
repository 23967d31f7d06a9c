/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_BENCH_ENDS_H
#define WEFT_BENCH_ENDS_H

#include "fixture.h"
#include "traffic/histogram.h"
#include "virtual/driver.h"

/*
 * What is at both ends of weft where two lcores take turns at a queue, and there is no third core
 * for anybody else.
 *
 * The uplink's source stands for a NIC: who has the right only takes buffers and draws the packets'
 * numbers; frames are written by the lcore that received them, beside the other one, since a NIC's
 * DMA takes no time of any core's.
 *
 * The container's end is an ethdev in this process. Each lcore that copies packets there or from
 * there first does the container's work: it takes what has been published, or sends anew. It does
 * so by a try, and goes on if the other lcore is at it. So the container's work is a part of what
 * is measured, the same in all modes; its cycles are also counted apart.
 */
enum container { SINK, VHOST, VHOST_COLD, MEMIF, CONTAINERS };

/* What is measured goes to the container, or is sent by it. */
enum direction { TO_CONTAINER, FROM_CONTAINER };

/* As JSON rows call their port, and what is particular about it ("" if nothing is). */
extern const char *const ends_names[CONTAINERS];
extern const char *const ends_notes[CONTAINERS];

/* Written under a try, or with the right, read by the main lcore. */
struct ends_cycles {
	uint64_t container; /* the container's work */
	uint64_t right;	    /* from taking buffers until the right may be passed on */
};

/* Once; ends the program if a container cannot be made. Only a sink: directory NULL. */
void ends_init(const char *directory);
void ends_free(void);

/* Puts the ends into the tables while no lcore runs: of the packets that are measured, and the
 * driver of virtual lcores, or NULL. Inner frames have `bytes` without FCS. */
void ends_set(struct tables *tables, enum container container, enum direction direction,
	uint16_t bytes, struct virtual_driver *driver);

/* From now on, until ends_set(), the uplink's packets come at these times: so many a second,
 * evenly. Each carries its time, by the TSC, and the sink notes how much later it takes it, in
 * cycles. */
void ends_schedule(double packets_per_second);
/* What the sink has noted since then; to be read when no lcore runs. */
const struct histogram *ends_latency(void);

/* When no lcore runs any more, once: the container takes what is left, or takes it back. */
void ends_drain(void);

struct ends_cycles ends_cycles(void);

#endif
