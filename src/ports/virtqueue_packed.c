/* SPDX-License-Identifier: BSD-3-Clause */
#include <linux/virtio_ring.h>

#include "ports/kick.h"
#include "ports/virtqueue.h"

/* Virtio 1.2, 2.8. */

/* A table of its own: all of it, in its order. */
static int read_table(
	struct virtqueue *queue, union virtqueue_descriptor table, struct reservation *reservation)
{
	uint16_t before = reservation->n_buffers;
	uint32_t n = table.packed.len / sizeof(struct vring_packed_desc);

	if (n == 0 || n > CHAIN_MAX)
		return virtqueue_break(queue, VIRTQUEUE_TABLE);
	for (uint32_t i = 0; i < n; i++) {
		union virtqueue_descriptor own;
		int status;

		if (!virtqueue_read_entry(queue, table.packed.addr, i, &own))
			return CHAIN_BROKEN;
		status = virtqueue_add(queue, own.packed.addr, own.packed.len,
			own.packed.flags & VRING_DESC_F_WRITE, reservation);
		if (status != 1)
			return status;
	}
	return virtqueue_end_chain(queue, reservation, before, table.packed.id, 1);
}

int virtqueue_packed_chain(struct virtqueue *queue, uint16_t position,
	union virtqueue_descriptor first, struct reservation *reservation)
{
	uint16_t before = reservation->n_buffers;
	union virtqueue_descriptor own = first;

	if (own.packed.flags & VRING_DESC_F_INDIRECT)
		return own.packed.flags & VRING_DESC_F_NEXT
			       ? virtqueue_break(queue, VIRTQUEUE_TABLE)
			       : read_table(queue, own, reservation);
	for (uint32_t slots = 1; slots <= RTE_MIN(queue->size, (uint32_t)CHAIN_MAX); slots++) {
		int status = virtqueue_add(queue, own.packed.addr, own.packed.len,
			own.packed.flags & VRING_DESC_F_WRITE, reservation);

		if (status != 1)
			return status;
		if (!(own.packed.flags & VRING_DESC_F_NEXT))
			return virtqueue_end_chain(
				queue, reservation, before, own.packed.id, slots);
		position = packed_after(queue, position, 1);
		own = virtqueue_read(&queue->descriptors[packed_index(position)]);
		if (own.packed.flags & VRING_DESC_F_INDIRECT)
			return virtqueue_break(queue, VIRTQUEUE_TABLE);
	}
	return virtqueue_break(queue, VIRTQUEUE_CHAIN);
}

/* As if the ring had no end, counted from its begin in the round in which `after` is. */
static uint16_t from_here(const struct virtqueue *queue, uint16_t position, uint16_t after)
{
	return packed_index(position) - ((position ^ after) & PACKED_WRAP ? queue->size : 0);
}

/* As in a split ring; two bytes say where, and two whether at all. */
static bool wants_call(const struct virtqueue *queue, uint16_t before, uint16_t after)
{
	uint16_t flags, event;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	flags = __atomic_load_n(&queue->driver->flags, __ATOMIC_ACQUIRE);
	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !queue->event_index)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	event = __atomic_load_n(&queue->driver->off_wrap, __ATOMIC_RELAXED);
	return !queue->told || vring_need_event(from_here(queue, event, after), packed_index(after),
				       from_here(queue, before, after));
}

/* The flags of a reservation's first descriptor, behind which the others are ready. */
static void show(struct virtqueue *queue, uint16_t position)
{
	__atomic_store_n(&queue->descriptors[packed_index(position)].packed.flags,
		packed_used_flags(queue, position), __ATOMIC_RELEASE);
}

void virtqueue_packed_publish(void *ring, uint32_t first, uint32_t n)
{
	struct virtqueue *queue = ring;
	uint16_t before = queue->published;

	for (uint32_t i = 0; i < n; i++) {
		show(queue, queue->published);
		queue->published = reservations_end(&queue->reservations, first + i);
	}
	if (!wants_call(queue, before, queue->published))
		return;
	queue->told = true;
	if (queue->call_fd >= 0)
		kick(queue->call_fd);
}
