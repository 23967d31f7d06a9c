/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_IPV4_H
#define WEFT_IPV4_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_byteorder.h>
#include <rte_ip.h>

#define IPV4_FRAGMENT_BITS (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)

/* An address that one host can have: not "this network", loopback, multicast or reserved. */
static inline bool ipv4_is_host(rte_be32_t address)
{
	uint8_t first = rte_be_to_cpu_32(address) >> 24;

	return first != 0 && first != 127 && first < 224;
}

#endif
