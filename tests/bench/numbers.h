/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_BENCH_NUMBERS_H
#define WEFT_BENCH_NUMBERS_H

#include <stdint.h>

#include "engine/dataplane.h"
#include "fixture.h"

/*
 * The packets of a benchmark's one flow are numbered, so that whoever takes them at the end sees
 * whether all have come, and in order. The number is in the first bytes of the inner UDP payload:
 * there source and sink have the line in their cache anyway. One run at a time.
 */
struct numbers {
	uint64_t reordered; /* came after one with a higher number (RFC 4737, 3.3) */
	int64_t lost;	    /* neither came nor were dropped by name; less than 0: came twice */
};

/* Draws numbers for n packets; returns the first. One lcore at a time. */
uint32_t numbers_draw(uint16_t n);

/* The last n drawn are of no packet. As numbers_draw(). */
void numbers_give_back(uint16_t n);

/* Where the number is in what the port gives or gets: uplinks have the outer headers. */
uint16_t numbers_offset(const struct port *port);

/* Writes numbers into frames, from `first` on. Any lcore. */
void numbers_write(struct rte_mbuf **mbufs, uint16_t n, uint32_t first, uint16_t offset);

/* These have come. One lcore at a time. */
void numbers_check(struct rte_mbuf **mbufs, uint16_t n, uint16_t offset);

/* Functions of a port: fixture_source(), numbered, and fixture_sink() of what is. */
uint16_t numbers_source(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n);
uint16_t numbers_sink(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n);

/* Around a run: before the first packet; when none is inside any more, adds what it has shown. */
void numbers_begin(void);
void numbers_end(struct numbers *sum, const struct dataplane *dataplane);

/* The end of every row: `"reordered": 0, "lost": 0`. */
void numbers_print(const struct numbers *numbers);

#endif
