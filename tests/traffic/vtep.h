/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TRAFFIC_VTEP_H
#define TRAFFIC_VTEP_H

#include <stdbool.h>

#include <rte_mbuf.h>

#include "traffic/frames.h"

/*
 * What a remote tunnel end must do beside sending packets: answer ARP for its address, and find
 * out the Ethernet address of the tunnel's other end (tunnel->remote_mac).
 *
 * Used by one thread only.
 */
struct vtep {
	struct frame_tunnel *tunnel;
	bool resolved; /* remote_mac is known */
};

/* Writes an ARP request for the remote end's address into an empty mbuf. */
void vtep_request(const struct vtep *vtep, struct rte_mbuf *mbuf);

/* Looks at an ARP frame; returns true if the mbuf now holds the answer, which must be sent. */
bool vtep_answer(struct vtep *vtep, struct rte_mbuf *mbuf);

static inline bool vtep_wants(const struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_mtod(mbuf, const struct rte_ether_hdr *)->ether_type ==
	       rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP);
}

#endif
