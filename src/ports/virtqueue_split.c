/* SPDX-License-Identifier: BSD-3-Clause */
#include <linux/virtio_ring.h>

#include "ports/kick.h"
#include "ports/virtqueue.h"

/* Virtio 1.2, 2.7. */

/* A table of its own, whose descriptors are chained in it. */
static int read_table(struct virtqueue *queue, uint16_t head, union virtqueue_descriptor table,
	struct reservation *reservation)
{
	uint16_t before = reservation->n_buffers;
	uint32_t n = table.split.len / sizeof(struct vring_desc);
	uint32_t index = 0;

	for (uint32_t i = 0; i < RTE_MIN(n, (uint32_t)CHAIN_MAX); i++) {
		union virtqueue_descriptor own;
		int status;

		if (!virtqueue_read_entry(queue, table.split.addr, index, &own))
			return CHAIN_BROKEN;
		if (own.split.flags & VRING_DESC_F_INDIRECT)
			return virtqueue_break(queue, VIRTQUEUE_TABLE);
		status = virtqueue_add(queue, own.split.addr, own.split.len,
			own.split.flags & VRING_DESC_F_WRITE, reservation);
		if (status != 1)
			return status;
		if (!(own.split.flags & VRING_DESC_F_NEXT))
			return virtqueue_end_chain(queue, reservation, before, head, 1);
		index = own.split.next;
		if (index >= n)
			return virtqueue_break(queue, VIRTQUEUE_TABLE);
	}
	return virtqueue_break(queue, n == 0 ? VIRTQUEUE_TABLE : VIRTQUEUE_CHAIN);
}

int virtqueue_split_chain(struct virtqueue *queue, uint16_t head, union virtqueue_descriptor first,
	struct reservation *reservation)
{
	uint16_t before = reservation->n_buffers;
	union virtqueue_descriptor own = first;

	if (own.split.flags & VRING_DESC_F_INDIRECT)
		return own.split.flags & VRING_DESC_F_NEXT
			       ? virtqueue_break(queue, VIRTQUEUE_TABLE)
			       : read_table(queue, head, own, reservation);
	for (uint32_t i = 0; i < RTE_MIN(queue->size, (uint32_t)CHAIN_MAX); i++) {
		int status = virtqueue_add(queue, own.split.addr, own.split.len,
			own.split.flags & VRING_DESC_F_WRITE, reservation);

		if (status != 1)
			return status;
		if (!(own.split.flags & VRING_DESC_F_NEXT))
			return virtqueue_end_chain(queue, reservation, before, head, 1);
		if (own.split.next >= queue->size)
			return virtqueue_break(queue, VIRTQUEUE_NUMBER);
		own = virtqueue_read(&queue->descriptors[own.split.next]);
		if (own.split.flags & VRING_DESC_F_INDIRECT)
			return virtqueue_break(queue, VIRTQUEUE_TABLE);
	}
	return virtqueue_break(queue, VIRTQUEUE_CHAIN);
}

/* The driver says when it wants to hear, and then looks at the index once more; we store the index,
 * and then look at what it wants. */
static bool wants_call(const struct virtqueue *queue, uint16_t before, uint16_t after)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!queue->event_index)
		return !(__atomic_load_n(&queue->available->flags, __ATOMIC_RELAXED) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	return !queue->told ||
	       vring_need_event(
		       __atomic_load_n(&queue->available->ring[queue->size], __ATOMIC_RELAXED),
		       after, before);
}

void virtqueue_split_publish(void *ring, uint32_t first, uint32_t n)
{
	struct virtqueue *queue = ring;
	uint16_t before = queue->published;
	uint16_t after = reservations_end(&queue->reservations, first + n - 1);

	__atomic_store_n(&queue->used->idx, after, __ATOMIC_RELEASE);
	queue->published = after;
	if (!wants_call(queue, before, after))
		return;
	queue->told = true;
	if (queue->call_fd >= 0)
		kick(queue->call_fd);
}
