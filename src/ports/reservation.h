/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_RESERVATION_H
#define WEFT_RESERVATION_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_mbuf.h>

/*
 * A ring that is shared with a peer, and that several lcores copy into (or out of) side by side.
 *
 * One lcore at a time reserves buffers, the next ones in the ring; it has the ring for itself by a
 * try, and only for as long as it takes to read what the peer offers. Reservations are numbered.
 * Then it copies, beside others who copy into theirs. The peer must see them in the order of the
 * ring, so they are published in the order of reservations: who has copied marks its reservation
 * complete, and whoever finds the oldest one complete publishes it, and all complete ones behind
 * it. So nobody waits for a slower copier.
 *
 * Who completes a reservation while another lcore publishes leaves it to that one, which may be
 * past it already. So who has published looks again, after it has let others publish.
 */
#define RESERVATIONS_MAX 64 /* of a ring, that are not published yet; a power of two */

/* What one ring's reservations are numbered and published by. */
struct reservations {
	uint32_t taken;				 /* 1 while some lcore reserves */
	uint32_t next;				 /* who reserves: rw */
	uint32_t publishing __rte_cache_aligned; /* 1 while some lcore publishes */
	uint32_t published;			 /* so many; who publishes: wo */
	struct {
		uint32_t completed; /* number + 1 of the last one here that was */
		uint32_t end;	    /* the ring's: what publishing it means */
	} slots[RESERVATIONS_MAX] __rte_cache_aligned;
};

/* Publishes n reservations, from number `first` on: tells the peer of all their buffers. */
typedef void (*reservations_publish_t)(void *ring, uint32_t first, uint32_t n);

/* Takes the ring to reserve in it. False: another lcore has it, or too many are not yet published.
 * Ends with reservations_leave(). */
bool reservations_take(struct reservations *reservations);

/* Numbers a reservation. While the ring is taken, and once each time. */
static inline uint32_t reservations_add(struct reservations *reservations, uint32_t end)
{
	uint32_t number = reservations->next++;

	reservations->slots[number % RESERVATIONS_MAX].end = end;
	return number;
}

static inline void reservations_leave(struct reservations *reservations)
{
	__atomic_store_n(&reservations->taken, 0, __ATOMIC_RELEASE);
}

static inline uint32_t reservations_end(const struct reservations *reservations, uint32_t number)
{
	return reservations->slots[number % RESERVATIONS_MAX].end;
}

/* True if some are not published yet. While the ring is taken. */
static inline bool reservations_are_pending(const struct reservations *reservations)
{
	return reservations->next != __atomic_load_n(&reservations->published, __ATOMIC_ACQUIRE);
}

/* Where the next one begins: where the last one ended, 0 at first. While the ring is taken. */
static inline uint32_t reservations_begin(const struct reservations *reservations)
{
	return reservations_end(reservations, reservations->next - 1);
}

/* All that is to be done with its buffers is done. */
void reservations_complete(struct reservations *reservations, uint32_t number,
	reservations_publish_t publish, void *ring);

/* A buffer of the peer's, where we see it; it lies in the peer's memory, as was checked. */
struct peer_buffer {
	uint8_t *data;
	uint32_t length; /* bytes; what may be written, or is to be read */
	uint16_t id;	 /* the ring's */
	bool ends;	 /* the packet's last one */
	uint8_t slots; /* virtqueues: the ring's, that it gives back as the last one under its id */
};

#define RESERVATION_PACKETS 64
#define RESERVATION_BUFFERS 256
#define RESERVATION_MBUFS 128 /* of packets to be received */

/* What one lcore has reserved: for packets that it is to copy. */
struct reservation {
	bool later;	 /* the caller's: buffers may be looked at when they are filled */
	void *ring;	 /* the port's */
	uint32_t number; /* among the ring's reservations */
	uint32_t begin;	 /* the ring's: of its first buffer */
	uint16_t n;	 /* packets */
	uint16_t n_buffers;
	uint16_t n_mbufs;
	struct peer_buffer buffers[RESERVATION_BUFFERS];
	struct rte_mbuf *mbufs[RESERVATION_MBUFS]; /* taken for what is received, not yet reset */
};

#endif
