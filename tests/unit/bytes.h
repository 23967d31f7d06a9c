/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_UNIT_BYTES_H
#define WEFT_UNIT_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

/* The bytes, over as many mbufs as they need; the caller's to free. */
struct rte_mbuf *mbuf_of_bytes(struct rte_mempool *pool, const uint8_t *bytes, size_t length);

/* Fails the test unless the packet is sound and has just these bytes; frees it. */
void assert_bytes(struct rte_mbuf *mbuf, const uint8_t *bytes, size_t length);

#endif
