/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_POOLS_H
#define WEFT_POOLS_H

#include <stdint.h>

#include <rte_lcore.h>
#include <rte_mempool.h>

#include "base/error.h"

/* The mbufs: a pool on each NUMA node that a worker lcore is on. Main lcore; begins zeroed. */
struct pools {
	struct rte_mempool *by_socket[RTE_MAX_NUMA_NODES]; /* NULL: none there */
};

/* A pool of `n` mbufs of `size` bytes on `socket`, unless it is there already. -1 and *error,
 * which names the keys of [weft], if there is no memory. */
int pools_add(struct pools *pools, int socket, uint32_t n, uint32_t size, struct error *error);
void pools_free(struct pools *pools);

/* mbufs in all pools together, and those of them that are free now. */
void pools_count(const struct pools *pools, uint64_t *all, uint64_t *free);

#endif
