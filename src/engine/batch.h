/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_BATCH_H
#define WEFT_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "stages/tables.h"

/* That are received at once, at most. With half of it an lcore has the right, and then the number,
 * too often; with twice as much the packets do not stay in its cache. Measured on two cores, one
 * flow: docs/measurements. */
#define BATCH_PACKETS 128
#define DEPARTURES_MAX 16 /* of a batch at a time */

/* Packets of a batch that leave by one queue of a port, in their order. */
struct departure {
	uint16_t port; /* index */
	uint16_t queue;
	uint16_t n;
	bool has_followers;
	bool is_whole; /* none is gone; then: */
	uint32_t bytes;
	struct rte_mbuf **mbufs;
};

/* What came of one poll of a queue, and leaves when its number is up. */
struct batch {
	struct owned_queue source; /* port NULL: of no queue, and without a number */
	uint32_t ticket;
	uint32_t packets; /* received, not yet counted for the port */
	uint32_t bytes;
	uint32_t sorted, end; /* of mbufs[]: before `sorted` they are among departures, or gone */
	uint16_t departed, n_departures; /* the first that is not over; all */
	struct departure departures[DEPARTURES_MAX];
	uint32_t most;
	struct rte_mbuf **mbufs; /* those that leave; room for `most` */
};

/* For at most so many packets that leave. -1 if memory is short. */
int batch_init(struct batch *batch, uint32_t most, int socket_id);
void batch_free(struct batch *batch);

/* Nothing has come out yet. */
void batch_begin(struct batch *batch, const struct owned_queue *source, uint32_t ticket);

/* Packets that come out, in this order. */
void batch_add(struct batch *batch, struct rte_mbuf **mbufs, uint16_t n);

/* Sorts what has come out, or the first of it, by where it leaves. When all that was sorted before
 * is handed over. */
void batch_sort(struct batch *batch, const struct tables *tables);

/* True if nothing that has come out is still to be handed over. */
static inline bool batch_is_out(const struct batch *batch)
{
	return batch->departed == batch->n_departures && batch->sorted == batch->end;
}

#endif
