/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_VIRTQUEUE_H
#define WEFT_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

#include <rte_common.h>
#include <rte_mbuf.h>

#include "ports/guest_memory.h"
#include "ports/reservation.h"

/*
 * One ring of a container's virtio device (virtio 1.2: 2.7 split, 2.8 packed), seen from the
 * device's side: several lcores copy into it, or out of it, side by side (reservation.h).
 *
 * What is not trusted: all that is in the container's memory can change at any moment to anything.
 * Each index and each descriptor is read once, and checked against the ring's size and the memory
 * table. Buffers are used in the order in which they were offered, so a chain is given back at the
 * place where it was found, and each lcore knows the places of what it has reserved.
 *
 * To look at descriptors takes most of the time of a reservation, which one lcore at a time makes.
 * So where the driver's last chains were single buffers, a packet that fits into the smallest of
 * them gets the next chain without a look: who fills it looks. If it is too small, or of several
 * buffers, the packet is not copied, the chain is given back with nothing in it, and the next ones
 * are looked at again.
 *
 * A ring that cannot be is broken: no more of it is read, until the front end sets it up anew. What
 * had been reserved before is published.
 *
 * A position in a split ring counts all chains, modulo 2^16, as the indices in it do. In a packed
 * one it is a descriptor's number, and in the highest bit the wrap counter.
 */

enum virtqueue_fault {
	VIRTQUEUE_SOUND,
	VIRTQUEUE_INDEX,   /* more is offered than the ring has */
	VIRTQUEUE_NUMBER,  /* there is no descriptor of that number */
	VIRTQUEUE_ADDRESS, /* outside the memory that is shared */
	VIRTQUEUE_CHAIN,   /* it has no end, or more descriptors than anybody needs */
	VIRTQUEUE_TABLE,   /* of indirect descriptors, and not possible */
	VIRTQUEUE_KIND,	   /* to be written where we read, or the other way round */
	VIRTQUEUE_EMPTY,   /* no room in it */
	VIRTQUEUE_MEMORY,  /* the ring itself is not where it could be used */
};

/* A descriptor of either kind of ring, as it is read: in two words. */
union virtqueue_descriptor {
	struct vring_desc split;
	struct vring_packed_desc packed;
	uint64_t words[2];
};

struct virtqueue {
	/* Read only, while lcores see it. */
	union virtqueue_descriptor *descriptors;
	struct vring_avail *available;		/* split */
	struct vring_used *used;		/* split */
	struct vring_packed_desc_event *driver; /* packed: when it wants to be told */
	struct vring_packed_desc_event *device; /* packed: when we do */
	struct rte_mempool *pool;		/* mbufs of received packets */
	uint32_t room;				/* bytes of data in each of them */
	uint16_t size;				/* descriptors */
	uint16_t header;			/* bytes before each packet */
	bool packed;
	bool to_driver; /* it is filled; else it is read */
	bool mergeable; /* a packet may have several chains */
	bool event_index;
	bool large_segments;	    /* the container takes them */
	int call_fd;		    /* -1: it wants no interrupts */
	int kick_fd;		    /* -1: it sends none */
	enum virtqueue_fault fault; /* any lcore: wo, main: ro */
	struct guest_memory memory;

	/* Who reserves: rw. */
	uint16_t next __rte_cache_aligned; /* position */
	uint16_t offered;		   /* split: the position up to which we know of chains */
	uint32_t shortest;		   /* bytes, of the chains that it has just looked at */
	/* Split: bytes of the smallest of some chains of one buffer each that were looked at last,
	 * 0 if they were no such ones. Who fills sets it to 0 where the next ones are not like
	 * that (relaxed). */
	uint32_t usual;

	/* Who publishes: rw. */
	uint16_t published __rte_cache_aligned; /* position */
	bool told; /* the driver has been told of something since lcores see the ring */

	struct reservations reservations;
};

/* What a ring is made of. */
struct virtqueue_setup {
	int device;	   /* librte_vhost's */
	uint16_t ring;	   /* its number; the driver receives by even ones */
	uint64_t features; /* that the driver accepted */
	bool large_segments;
	struct rte_mempool *pool;
};

/* Makes a ring of what librte_vhost knows of it, from where the driver and it are now. Returns -1
 * if it cannot be used, or not yet: `fault` is VIRTQUEUE_SOUND if the front end has not said all of
 * it. Control threads, while no lcore sees it. */
int virtqueue_init(struct virtqueue *queue, const struct virtqueue_setup *setup);

/* Tells librte_vhost how far the ring is. As virtqueue_init(). */
void virtqueue_save(const struct virtqueue *queue, int device, uint16_t ring);

/* Whether the driver shall kick us when it offers more; it may do so in any case. If so, look for
 * more afterwards, before sleep: and with an event index, it kicks once. Who has the ring (a
 * control thread, or the lcore that receives by it). */
void virtqueue_want_kicks(struct virtqueue *queue, bool wanted);

/* In words, for a report. */
const char *virtqueue_fault_text(enum virtqueue_fault fault);

/* As the functions of struct port_ops. *room: if the first packet that is left can never have
 * buffers, what the largest one that could have has, in bytes; else left alone. */
int virtqueue_reserve(struct virtqueue *queue, struct rte_mbuf **mbufs, uint16_t n,
	struct reservation *reservation, uint32_t *room);
uint16_t virtqueue_fill(struct reservation *reservation, struct rte_mbuf **mbufs);
uint16_t virtqueue_claim(struct virtqueue *queue, uint16_t n, struct reservation *reservation);
void virtqueue_collect(struct reservation *reservation, struct rte_mbuf **mbufs);
void virtqueue_publish(struct reservation *reservation);

/* ---- for the files of virtqueues only ---- */

#define CHAIN_MAX 255 /* descriptors */

/* What a chain is not. */
#define CHAIN_NONE 0	    /* there is none (yet) */
#define CHAIN_TOO_LONG (-1) /* the reservation has no room for it */
#define CHAIN_BROKEN (-2)

/* A ring's place for a chain may be anything: they read the rest of one that is not a single
 * descriptor, given its first one, add its buffers to the reservation and return how many
 * descriptors of the ring it takes, or CHAIN_... */
int virtqueue_split_chain(struct virtqueue *queue, uint16_t head, union virtqueue_descriptor first,
	struct reservation *reservation);
int virtqueue_packed_chain(struct virtqueue *queue, uint16_t position,
	union virtqueue_descriptor first, struct reservation *reservation);

/* Adds what a descriptor says, in as many parts as its memory has. CHAIN_... or 1. */
int virtqueue_add(struct virtqueue *queue, uint64_t address, uint32_t length, bool writable,
	struct reservation *reservation);

/* Reads a descriptor of a table of indirect ones. False: the queue is broken, as it is not there.
 */
bool virtqueue_read_entry(
	struct virtqueue *queue, uint64_t table, uint32_t index, union virtqueue_descriptor *own);

/* Marks the end of a chain whose buffers began at `first`. Returns `slots`, or CHAIN_BROKEN. */
int virtqueue_end_chain(struct virtqueue *queue, struct reservation *reservation, uint16_t first,
	uint16_t id, uint16_t slots);

/* reservations_publish_t */
void virtqueue_split_publish(void *queue, uint32_t first, uint32_t n);
void virtqueue_packed_publish(void *queue, uint32_t first, uint32_t n);

int virtqueue_break(struct virtqueue *queue, enum virtqueue_fault fault);

static inline union virtqueue_descriptor virtqueue_read(const union virtqueue_descriptor *shared)
{
	union virtqueue_descriptor own;

	own.words[1] = __atomic_load_n(&shared->words[1], __ATOMIC_ACQUIRE);
	own.words[0] = __atomic_load_n(&shared->words[0], __ATOMIC_RELAXED);
	return own;
}

#define PACKED_WRAP 0x8000u
#define PACKED_USED_OR_AVAILABLE (1u << VRING_PACKED_DESC_F_AVAIL | 1u << VRING_PACKED_DESC_F_USED)

static inline uint16_t packed_index(uint16_t position)
{
	return position & (PACKED_WRAP - 1);
}

static inline uint16_t packed_after(
	const struct virtqueue *queue, uint16_t position, uint16_t slots)
{
	uint32_t index = packed_index(position) + (uint32_t)slots;

	if (unlikely(index >= queue->size))
		return (index - queue->size) | ((position ^ PACKED_WRAP) & PACKED_WRAP);
	return index | (position & PACKED_WRAP);
}

/* What the flags of a descriptor become that is given back there. */
static inline uint16_t packed_used_flags(const struct virtqueue *queue, uint16_t position)
{
	return (position & PACKED_WRAP ? PACKED_USED_OR_AVAILABLE : 0) |
	       (queue->to_driver ? VRING_DESC_F_WRITE : 0);
}

#endif
