/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_CHECKSUM_H
#define WEFT_CHECKSUM_H

#include <rte_mbuf.h>

/*
 * The Internet checksum's sum (RFC 1071, not inverted) over a packet from `offset` to its end,
 * across segments. Stands in for rte_raw_cksum_mbuf(), which in DPDK 22.11 loses a carry where a
 * segment has an odd length.
 */
uint16_t checksum_from(const struct rte_mbuf *mbuf, uint32_t offset);

/*
 * Completes the TCP or UDP checksum of a frame whose sender left it partial (the field holds the
 * pseudo header's sum, as virtio's NEEDS_CSUM means). A partial checksum that crosses a tunnel
 * makes ping work and TCP stall. Returns -1, the frame unchanged, if no TCP or UDP header is found.
 */
int checksum_complete(struct rte_mbuf *mbuf);

/* The same where the sender says what the sum is of, `start` to the end of the frame, and where it
 * belongs, at `field`. Returns -1, the frame unchanged, if that is not in the first segment. */
int checksum_complete_at(struct rte_mbuf *mbuf, uint32_t start, uint32_t field);

#endif
