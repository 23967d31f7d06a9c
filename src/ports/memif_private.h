/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_MEMIF_PRIVATE_H
#define WEFT_MEMIF_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <rte_branch_prediction.h>

#include "ports/kick.h"
#include "ports/memif_protocol.h"
#include "ports/port.h"
#include "ports/wake.h"

/*
 * Shared by the files of the memif port only.
 *   memif.c             port_ops: listening, accepting, teardown    main lcore
 *   memif_control.c     one client's messages                       main lcore
 *   memif_connection.c  the client's memory and rings               main lcore
 *   memif_data.c        receive and send                            lcores
 */

#define MEMIF_REGIONS_MAX 32
#define MEMIF_LOG2_RING_SIZE_MAX 14
#define MEMIF_FRAME_MAX 9728 /* bytes taken of a frame; longer than any MTU allows */

struct memif_region {
	uint8_t *base;
	uint64_t size; /* what descriptors may point into */
	size_t mapped; /* size, rounded up to the file's page */
};

/* One ring. The ends of its reservations are indices of descriptors, unmasked. */
struct memif_queue {
	struct memif_ring *ring; /* NULL: the client has not added it (yet) */
	uint16_t size;
	bool to_client;
	int event_fd; /* by which who writes it tells who reads it */
	struct reservations reservations;
} __rte_cache_aligned;

/* All that one client shares with us. Made by main, read-only once lcores see it, `broken` and
 * what the queues hold excepted. */
struct memif_connection {
	bool broken; /* stored by any lcore that finds the ring impossible; main: ro */
	uint16_t n_regions;
	uint16_t n_from_client;
	uint16_t n_to_client;
	struct memif_region regions[MEMIF_REGIONS_MAX];
	/* Of each of the port's queues: which of its rings from the client is next. By who may
	 * receive from it. */
	uint16_t next_ring[PORT_QUEUES_MAX] __rte_cache_aligned;
	int wakes[PORT_QUEUES_MAX]; /* of the port's queues: tell of rings from the client; or -1 */
	struct memif_queue from_client[PORT_QUEUES_MAX];
	struct memif_queue to_client[PORT_QUEUES_MAX];
};

enum memif_session_state {
	MEMIF_SESSION_NONE,
	MEMIF_SESSION_GREETED,
	MEMIF_SESSION_BUILDING,
	MEMIF_SESSION_CONNECTED
};

struct memif_port {
	/* Main stores it (release) when all behind it is ready, and NULL before that is taken
	 * down; the lcores load it (acquire) once a burst. */
	struct memif_connection *connection;
	struct rte_mempool *pool;
	uint32_t room; /* data bytes of an mbuf */

	/* Main lcore only, from here. */
	enum memif_session_state state __rte_cache_aligned;
	int listener;
	bool listening;	   /* the listener is watched */
	int socket;	   /* the session's; -1: none */
	uint64_t deadline; /* of the next message while the session is being set up, ms */
	struct memif_connection *building; /* the session's, before lcores may see it */
	struct memif_connection *retired;  /* was connection; freed once no lcore can hold it */
	uint64_t retired_token;
	char client[MEMIF_NAME_SIZE];
	char farewell[MEMIF_REASON_SIZE]; /* why it went, in its words */
	dev_t file_device;		  /* the socket file, to remove no other */
	ino_t file_inode;
	uint8_t log2_ring_size_max;
};

/* These return NULL, or why the client is refused. The fd stays the caller's, but for an
 * add_ring that sets *fd to -1. */
const char *memif_connection_add_region(
	struct memif_connection *connection, const struct memif_add_region *message, int fd);
const char *memif_connection_add_ring(struct memif_connection *connection,
	const struct memif_add_ring *message, const struct port *port, int *fd);
const char *memif_connection_start(struct memif_connection *connection);

struct memif_connection *memif_connection_create(int socket_id);
void memif_connection_free(struct memif_connection *connection);
/* True once the client has taken memory away. */
bool memif_connection_lost(const struct memif_connection *connection);

/* No client is let in until a housekeeping at which nothing is `retired`. */
void memif_listen_pause(struct port *port);

/* Greets the client behind `socket`, which is the session's from then on. */
void memif_session_begin(struct port *port, int socket);
/* Handles what the client of a struct port sent; ends the session when the client is gone or breaks
 * the rules. An event_handler. */
void memif_session_poll(void *port);
/* Ends the session if the next message of its handshake is overdue. */
void memif_session_expire(struct port *port);
/* Tells the client why (NULL: it is gone) and takes down all it had. */
void memif_session_end(struct port *port, const char *reason);
/* Sends DISCONNECT. */
void memif_refuse(int socket, const char *reason);

/* Of struct port_ops. */
int memif_reserve(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n,
	struct reservation *reservation);
uint16_t memif_fill(
	const struct port *port, struct reservation *reservation, struct rte_mbuf **mbufs);
int memif_watch(struct port *port, uint16_t queue, bool on);
uint16_t memif_claim(
	struct port *port, uint16_t queue, uint16_t n, struct reservation *reservation);
void memif_collect(
	const struct port *port, struct reservation *reservation, struct rte_mbuf **mbufs);
void memif_publish(struct port *port, struct reservation *reservation);

#endif
