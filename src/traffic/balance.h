/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_BALANCE_H
#define WEFT_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The invariants that are judged from counts; checker.h has the others. */

/* ---- conservation ---- */

/* Counts of weft, and what those outside say about the same. */
struct balance {
	uint64_t received, created, delivered, dropped, consumed, coalesced; /* weft's */
	uint64_t given, taken;	    /* by the sources, by the sinks */
	uint64_t mbufs, mbufs_free; /* in the pool, after everything has come to rest */
};

/* True if all of it fits together; else writes what does not. */
bool balance_check(const struct balance *balance, char *text, size_t size);

/* ---- progress ---- */

/* Begins as {0}. */
struct progress {
	uint64_t finished; /* when it was last looked at */
	uint64_t since;	   /* the time at which this last changed, or nothing was inside */
};

/* False if packets have been inside for longer than `bound` while none of them came out. To be
 * called more often than that; times in any unit. */
bool progress_check(struct progress *progress, uint64_t in_flight, uint64_t finished, uint64_t now,
	uint64_t bound);

#endif
