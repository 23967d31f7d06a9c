/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_PACKET_QUEUE_H
#define WEFT_PACKET_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "base/error.h"

/*
 * A receive and a transmit queue at a network interface of the kernel's: packet sockets, and a ring
 * that the kernel puts received frames into. What comes out has whole checksums and is no larger
 * than the interface's MTU, whatever the kernel's other end left to hardware (ports/cut.h).
 */
struct packet_queue;

struct packet_queue_settings {
	int interface;	/* its index */
	uint16_t mtu;	/* at most PORT_MTU_MAX; longer frames are received by a slower way */
	uint16_t slots; /* frames that may wait */
	const struct rte_ether_addr *mac; /* receives for this, whatever the interface's own is */
	const struct packet_queue *first; /* shares the frames with it, by flow; NULL: is first */
	bool shared;			  /* more will share with this one */
	struct rte_mempool *pool;
	int socket_id;
};

/* Main lcore. NULL and *error on failure. Nothing is received before packet_queue_begin(). */
struct packet_queue *packet_queue_open(
	const struct packet_queue_settings *settings, struct error *error);

/* Main lcore, once all that share are open. */
void packet_queue_begin(struct packet_queue *queue);

/* Main lcore; no lcore uses it any more. */
void packet_queue_close(struct packet_queue *queue);

/* Main lcore: whether it is still at this interface. The kernel takes it from one that goes, which
 * may come back with the same index. */
bool packet_queue_is_at(const struct packet_queue *queue, int interface);

/* Main lcore: packets that there was no room for since the last call. */
uint64_t packet_queue_missed(struct packet_queue *queue);

/* As those of struct port_ops; by the lcore that owns the queue. */
uint16_t packet_queue_receive(struct packet_queue *queue, struct rte_mbuf **mbufs, uint16_t n);
uint16_t packet_queue_send(struct packet_queue *queue, struct rte_mbuf **mbufs, uint16_t n);
bool packet_queue_too_big(const struct packet_queue *queue);

/* What can be read when packets have come; the queue's. */
int packet_queue_descriptor(const struct packet_queue *queue);

#endif
