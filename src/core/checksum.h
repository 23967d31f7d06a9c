/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_CHECKSUM_H
#define WEFT_CHECKSUM_H

#include <rte_mbuf.h>

/*
 * Completes the TCP or UDP checksum of a frame whose sender left it partial (the field holds the
 * pseudo header's sum, as virtio's NEEDS_CSUM means). A partial checksum that crosses a tunnel
 * makes ping work and TCP stall. Returns -1, the frame unchanged, if no TCP or UDP header is found.
 */
int checksum_complete(struct rte_mbuf *mbuf);

#endif
