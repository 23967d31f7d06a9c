/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_COALESCE_H
#define WEFT_COALESCE_H

#include <stdint.h>

#include <rte_mbuf.h>

/*
 * Coalesces the TCP packets of a burst (GRO): a packet that goes on where an earlier one of its
 * flow ended is hung behind that one, without its outer headers, and its verdict becomes
 * VERDICT_COALESCED. The first packet of such a list keeps its outer headers and its verdict. What
 * a list is, and what can be done with it, is told in stages/followers.h.
 *
 * Looks only at packets whose verdict is EXIT_MAIN, so whose outer headers have been checked.
 * Nothing is kept from one burst to the next. Any lcore; n is at most STAGE_BURST_MAX. Returns how
 * many packets were hung behind others.
 */
uint16_t coalesce(struct rte_mbuf **mbufs, uint16_t n, uint16_t *verdicts);

#endif
