/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_GUEST_MEMORY_H
#define WEFT_GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

/*
 * The memory that a vhost-user front end shares, as its table says: where an address of the guest's
 * is with us. Made by a control thread, then used by any lcore. It remembers where something was
 * last (relaxed).
 */
#define GUEST_REGIONS_MAX 8

struct guest_region {
	uint64_t guest; /* the guest's address of it */
	uint64_t size;
	uint8_t *data; /* where it is mapped */
};

struct guest_memory {
	uint32_t n;
	uint32_t
		last; /* region that something was in; < GUEST_REGIONS_MAX, also if there is none */
	struct guest_region regions[GUEST_REGIONS_MAX];
};

/* Reads the table of librte_vhost's device. Returns -1 if it has none. Control threads. */
int guest_memory_read(struct guest_memory *memory, int device);

/* Whether `size` bytes at `data`, as we see them, lie in one region. */
bool guest_memory_has(const struct guest_memory *memory, const void *data, uint64_t size);

/* guest_memory_at(), if it is not where something was last. */
uint8_t *guest_memory_find(struct guest_memory *memory, uint64_t address, uint32_t *length);

/* Where the guest's `address` is; NULL: nowhere. *length, of what is wanted there, becomes shorter
 * if not all of it is in the same region. */
static inline uint8_t *guest_memory_at(
	struct guest_memory *memory, uint64_t address, uint32_t *length)
{
	const struct guest_region *region =
		&memory->regions[__atomic_load_n(&memory->last, __ATOMIC_RELAXED)];
	uint64_t offset = address - region->guest;

	if (likely(offset < region->size && *length <= region->size - offset))
		return region->data + offset;
	return guest_memory_find(memory, address, length);
}

#endif
