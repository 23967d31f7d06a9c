/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SOLICIT_H
#define WEFT_SOLICIT_H

#include "control/neighbours.h"

/* Asks for a neighbour's Ethernet address by ARP (RFC 826), at its uplink; whether the question
 * went out. `control` is a struct control *. Main lcore. */
bool solicit(void *control, const struct neighbour *neighbour);

#endif
