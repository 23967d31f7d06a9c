/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_VIRTUAL_DEVICE_H
#define WEFT_VIRTUAL_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_ring.h>

#include "ports/port.h"
#include "virtual/driver.h"

/*
 * Under the virtual clock each uplink and each container port is an ethdev that is backed by rings:
 * weft polls one end, virtual/outside.c has the other. What crossing them costs is not what rings
 * cost, but what the cost file says for the type that the port has in the configuration.
 *
 * Everything here belongs to the one thread of the run.
 */

struct device;

/* What the last round of an lcore received from a queue and sent by it, until the round's end has
 * come. */
struct device_use {
	struct device_queue *queue;
	uint32_t received;
	uint32_t sent;
	bool listed; /* in the lcore's list of those that are not empty */
	struct device_use *next;
};

/* What lcores copy out of a queue, or into it, side by side: ports/reservation.h. */
struct device_side {
	struct device_queue *queue;
	struct reservations reservations;
	uint32_t next;	    /* so many packets were claimed, or buffers reserved, */
	uint32_t published; /* and so many of them published */
};

/* Those that are not published yet. */
static inline uint32_t device_side_open(const struct device_side *side)
{
	return side->next - side->published;
}

struct device_queue {
	struct device *device;
	uint16_t index;
	struct rte_ring *to_weft;
	struct rte_ring *from_weft;
	/* EAL ids of the lcores that did so last: buffers come from their caches, or go there. */
	unsigned int receiver, sender;
	struct device_use uses[LCORES_MAX];
	uint32_t received, sent; /* by all of them */
	/* Of types whose rings are weft's own: */
	struct device_side receiving, sending;
	uint16_t reserver;	   /* lcore + 1 whose round, which has reserved, has not ended */
	struct rte_mbuf **buffers; /* reserved ones, by place in the ring */
};

struct device {
	const struct port_config *config;
	bool uplink;
	bool copies;	/* what is sent is read whole */
	bool own_rings; /* as the type has them, so that lcores copy side by side: copying.c */
	uint16_t ethdev;
	struct rte_ether_addr mac;
	const struct port_cost *receive, *send;
	uint16_t n_queues;
	struct device_queue queues[PORT_QUEUES_MAX];
	struct devices *devices;
	struct port *port; /* while weft has it */
	uint64_t given;	   /* packets put into weft's rings */
	uint64_t taken;	   /* packets that weft sent and that were looked at */
};

struct devices {
	struct virtual_driver *driver;
	uint16_t n;
	struct device list[RTE_MAX_ETHPORTS];
	struct device_use *used[LCORES_MAX]; /* of each lcore, since it was last asked for */
};

/* Of weft's ports, of whatever type. */
bool device_is_up(const struct port *port);
void device_detach(struct port *port);

/* Where the type has rings of weft's own: the functions of the data path, and what they need while
 * weft has the port. -1 if memory is short; copying_detach() in that case, too. */
extern const struct port_ops copying_port_ops;
int copying_attach(struct device *device);
void copying_detach(struct device *device);

struct config;

/* Makes an ethdev for each port of the configuration, which must stay where it is. 0, or -1 and
 * *error; in either case free with devices_free(), when weft has detached its ports. */
int devices_create(struct devices *devices, const struct config *config, const struct costs *costs,
	struct error *error);
void devices_free(struct devices *devices);

/* From here on all ports are of type ring, whatever the configuration calls them: nothing on this
 * machine is opened. Before the configuration is checked. */
void devices_replace_ports(void);

/* From here on weft's ports find these; NULL: no more. */
void devices_offer(struct devices *devices);

/* By the port's name, or NULL. */
struct device *device_find(struct devices *devices, const char *name, bool uplink);

/* Puts a packet into a ring and wakes who may receive it. False, and nothing is done, if the
 * ring is full or weft does not have the port. */
bool device_give(struct device *device, uint16_t queue, struct rte_mbuf *mbuf, uint64_t now);
bool device_has_room(const struct device *device, uint16_t queue);

/* Nothing waits to be received. */
bool devices_are_empty(const struct devices *devices);

/* An lcore has received so many packets from a queue, or sent them by it. */
void device_use(struct device_queue *queue, uint16_t lcore, uint32_t received, uint32_t sent);

/* What an lcore has used since the last call, linked by `next`: what it has done there is
 * published. */
struct device_use *devices_take_used(struct devices *devices, uint16_t lcore);

#endif
