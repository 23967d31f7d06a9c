/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_HELPERS_H
#define WEFT_HELPERS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How many lcores help another one, where modes adapt: they take turns at the queues that it owns.
 * The owner decides, window after window (load.h). If its own queues leave it no time, or packets
 * wait in them though it has time, one more shall help. One is let go when the others have time
 * enough for all.
 *
 * How much time that takes is known roughly only: fewer lcores receive larger batches, and then a
 * packet costs less. So where it is not clear, the owner tries to do with one helper less, and soon
 * where batches are small. If it has to call it back within some seconds, the next try comes twice
 * as late, and at last after as many seconds: a load at the edge brings no swinging.
 */
#define HELPERS_NO_TIME                                                                            \
	950 /* permille of an lcore's time: its queues fall behind, or soon will                   \
	     */

struct helpers {
	uint16_t n;	   /* wanted now */
	uint16_t rest;	   /* windows until loads show the last change */
	uint16_t patience; /* windows before a try */
	uint16_t waited;   /* of these */
	uint16_t tried;	   /* windows that a try may still turn out wrong */
};

/* What the owner has seen in a window. */
struct helpers_view {
	uint32_t load;	/* permille of its time, spent on what its own queues gave it */
	uint32_t share; /* permille of the batches of its own queues that it received itself */
	bool is_behind; /* whenever it received, there was more than it could take */
	bool is_small;	/* what it received each time: most of the time went for that */
};

/* Nobody helps. */
void helpers_init(struct helpers *helpers);

/* The next window; afterwards helpers.n, which is at most `most`, is right for now. True if it has
 * changed. */
bool helpers_review(struct helpers *helpers, const struct helpers_view *view, uint16_t most);

#endif
