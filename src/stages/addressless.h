/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_ADDRESSLESS_H
#define WEFT_ADDRESSLESS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "ports/port.h"

/*
 * What a host must be able to send before it has an address, from 0.0.0.0 or ::, and nothing else.
 * `offset` is that of the IP header, all of which lies in the first segment, as what is looked at
 * behind it must. None may be a fragment. For stages, on any lcore.
 */

/* DHCP of this port's host to any server (RFC 2131), and IGMP reports and leaves (RFC 3376, 4.2.13;
 * RFC 2236). */
bool addressless_ipv4(const struct port *port, const struct rte_mbuf *mbuf, uint16_t offset);

/* MLD reports and dones (RFC 3590), router solicitations (RFC 4861, 4.1), and duplicate address
 * detection (RFC 4862, 5.4.2), whose tentative address is written to *target; otherwise *target is
 * NULL. Whose it may be is for the caller to say. */
bool addressless_ipv6(const struct rte_mbuf *mbuf, uint16_t offset, const uint8_t **target);

#endif
