/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_UPLINK_RSS_H
#define WEFT_UPLINK_RSS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Asks the NIC to spread VXLAN packets over the queues by their inner headers: an rte_flow rule
 * with an RSS action of level 2 (on mlx5 the port's own RSS cannot do it). Where the NIC cannot,
 * the port's RSS over the outer headers stays, whose UDP source port carries the sender's hash of
 * the inner ones (RFC 7348, section 5). Says which it is, and returns true if it is the inner ones:
 * the hash in an mbuf that has one is then of the inner addresses and ports. Main lcore, device
 * started.
 */
bool uplink_rss(uint16_t ethdev, const char *name, uint16_t n_queues);

#endif
