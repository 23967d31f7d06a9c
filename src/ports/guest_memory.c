/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports/guest_memory.h"

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_vhost.h>

int guest_memory_read(struct guest_memory *memory, int device)
{
	struct rte_vhost_memory *table = NULL;

	memset(memory, 0, sizeof(*memory));
	if (rte_vhost_get_mem_table(device, &table) != 0)
		return -1;
	if (table->nregions <= GUEST_REGIONS_MAX)
		memory->n = table->nregions;
	for (uint32_t i = 0; i < memory->n; i++)
		memory->regions[i] = (struct guest_region){
			.guest = table->regions[i].guest_phys_addr,
			.size = table->regions[i].size,
			.data = (uint8_t *)(uintptr_t)table->regions[i].host_user_addr,
		};
	free(table);
	return memory->n > 0 ? 0 : -1;
}

bool guest_memory_has(const struct guest_memory *memory, const void *data, uint64_t size)
{
	for (uint32_t i = 0; i < memory->n; i++) {
		const struct guest_region *region = &memory->regions[i];
		uint64_t offset = (uintptr_t)data - (uintptr_t)region->data;

		if (offset < region->size && size <= region->size - offset)
			return true;
	}
	return false;
}

uint8_t *guest_memory_find(struct guest_memory *memory, uint64_t address, uint32_t *length)
{
	for (uint32_t i = 0; i < memory->n; i++) {
		const struct guest_region *region = &memory->regions[i];
		uint64_t offset = address - region->guest;

		if (offset >= region->size)
			continue;
		__atomic_store_n(&memory->last, i, __ATOMIC_RELAXED);
		*length = RTE_MIN((uint64_t)*length, region->size - offset);
		return region->data + offset;
	}
	return NULL;
}
