/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_HANDING_H
#define WEFT_HANDING_H

#include <stdint.h>

#include "engine/batch.h"
#include "ports/port.h"

struct lcore;

/* How what has come out of a batch gets to the ports, in two parts. For the lcore loop. */

#define HANDINGS_MAX 8 /* reservations that an lcore makes before it copies */

/* Packets that have buffers in a port's ring, and are not copied yet. */
struct handing {
	struct port *port;
	bool is_plain;			/* each is one packet, and has a credit of the lcore's */
	struct reservation reservation; /* with the packets */
};

/* Hands over what has come out of a batch whose number is up: what is for a ring of our own is
 * given buffers there, to be copied next; what is for another port is sent. Returns how many
 * packets that were: all that there are, unless another lcore is at a port. */
uint16_t handing_over(struct lcore *lcore, struct batch *batch);

/* Copies what has buffers, beside other lcores. Returns how many packets that were. */
uint16_t handing_copy(struct lcore *lcore);

#endif
