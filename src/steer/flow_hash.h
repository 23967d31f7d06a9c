/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_FLOW_HASH_H
#define WEFT_FLOW_HASH_H

#include <stdint.h>

#include <rte_mbuf.h>

/*
 * Hash of an inner frame's flow: addresses, protocol and ports of IPv4 and IPv6 (VLAN tags are
 * skipped). Fragments, which do not all have the ports, hash on addresses and protocol only, so
 * that all fragments of a datagram stay together. Anything else hashes on its Ethernet addresses
 * and type. Reads only the first segment and never beyond it. Not symmetric: the two directions of
 * a connection come in by different ports and have no reason to share an lcore.
 */
uint32_t flow_hash(const struct rte_mbuf *mbuf);

#endif
