/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/pools.h"

#include <stdio.h>

#include <rte_errno.h>
#include <rte_mbuf.h>

#define CACHE 256 /* mbufs an lcore keeps for itself */

int pools_add(struct pools *pools, int socket, uint32_t n, uint32_t size, struct error *error)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	if (pools->by_socket[socket] != NULL)
		return 0;
	snprintf(name, sizeof(name), "weft_mbufs_%d", socket);
	pools->by_socket[socket] = rte_pktmbuf_pool_create(name, n, CACHE, 0, size, socket);
	if (pools->by_socket[socket] != NULL)
		return 0;
	return error_set(error,
		"[weft]: mbufs: not enough memory on NUMA node %d for %u of %u bytes (%s); lower "
		"it, or "
		"give EAL more: `scripts/setup` prepares huge pages, `--no-huge -m 512` does "
		"without",
		socket, n, size, rte_strerror(rte_errno));
}

void pools_free(struct pools *pools)
{
	for (int i = 0; i < RTE_MAX_NUMA_NODES; i++)
		rte_mempool_free(pools->by_socket[i]);
}

void pools_count(const struct pools *pools, uint64_t *all, uint64_t *free)
{
	*all = 0;
	*free = 0;
	for (int i = 0; i < RTE_MAX_NUMA_NODES; i++) {
		if (pools->by_socket[i] == NULL)
			continue;
		*all += pools->by_socket[i]->size;
		*free += rte_mempool_avail_count(pools->by_socket[i]);
	}
}
