/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_malloc.h>

#include "ports/memif_private.h"
#include "ports/unix_socket.h"

/*
 * The server's side of memif: a container port that copies. The client brings all shared memory;
 * weft maps it, believes nothing in it, and lends none of its own.
 *
 * One client at a time. Its session goes greeted -> building -> connected, all on the main lcore,
 * which is woken by each message: a client whose ports share memory is known to send a wrong
 * descriptor for one that is still shaking hands when another is connected (DPDK 22.11's, with
 * zero copy).
 * `connection` is what the lcores see of it: published with release when the rings are ready, taken
 * back by storing NULL. What was taken back is `retired` until every lcore has been quiescent once
 * more, and only then unmapped and closed. Nobody is listened to until then, so there is one of
 * each.
 */

static int listener_open(struct memif_port *memif, const char *path, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;

	memif->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (memif->listener < 0)
		return error_set(error, "socket: %s", strerror(errno));
	memcpy(address.sun_path, path, strlen(path));
	if (bind(memif->listener, (struct sockaddr *)&address, sizeof(address)) != 0) {
		error_set(error, "socket %s: %s", path, strerror(errno));
		close(memif->listener);
		return -1;
	}
	if (listen(memif->listener, 8) != 0 || stat(path, &status) != 0) {
		error_set(error, "socket %s: %s", path, strerror(errno));
		close(memif->listener);
		unlink(path);
		return -1;
	}
	memif->file_device = status.st_dev;
	memif->file_inode = status.st_ino;
	return 0;
}

static int config_check(const struct port *port, struct error *error)
{
	const struct port_config *config = &port->config;

	if (port->n_queues == 0 || port->n_queues > PORT_QUEUES_MAX)
		return error_set(error, "queues: %u: a memif port has 1 to %u", port->n_queues,
			PORT_QUEUES_MAX);
	if (config->ring_size > 1u << MEMIF_LOG2_RING_SIZE_MAX)
		return error_set(error, "ring-size: %u: a memif ring has at most %u descriptors",
			config->ring_size, 1u << MEMIF_LOG2_RING_SIZE_MAX);
	if (config->ring_size & (config->ring_size - 1))
		return error_set(error, "ring-size: %u: a memif ring's size is a power of two",
			config->ring_size);
	if (kick_init() != 0)
		return error_set(error, "asynchronous I/O (io_setup): %s", strerror(errno));
	if (unix_socket_claim(config->path, SOCK_SEQPACKET, error) != 0)
		return error_prefix(error, "path: ");
	return 0;
}

void memif_listen_pause(struct port *port)
{
	struct memif_port *memif = port->driver;

	events_remove(port->environment.events, memif->listener);
	memif->listening = false;
}

/* The client waits, and would be heard again at once: descriptors are out, mostly. */
static void accept_failed(struct port *port, int error)
{
	const struct memif_port *memif = port->driver;

	if (error == EAGAIN)
		return;
	memif_listen_pause(port);
	if (memif->state == MEMIF_SESSION_NONE)
		port_report(port, "cannot accept a memif client: %s", strerror(error));
}

static void client_accept(void *argument)
{
	struct port *port = argument;
	struct memif_port *memif = port->driver;
	int client;

	/* The last one may be gone, and this be it again. */
	if (memif->state != MEMIF_SESSION_NONE)
		memif_session_poll(port);
	if (memif->retired != NULL)
		return;
	client = accept4(memif->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (client < 0) {
		accept_failed(port, errno);
		return;
	}
	if (memif->state == MEMIF_SESSION_NONE) {
		memif_session_begin(port, client);
		return;
	}
	memif_refuse(client, "another client is connected");
	close(client);
	port_log(port, "memif client refused: another one is connected");
}

static int listen_on(struct port *port)
{
	struct memif_port *memif = port->driver;

	if (events_add(port->environment.events, memif->listener, client_accept, port) != 0)
		return -1;
	memif->listening = true;
	return 0;
}

static void memif_detach(struct port *port)
{
	struct memif_port *memif = port->driver;
	const char *path = port->config.path;
	struct stat status;

	if (memif->state != MEMIF_SESSION_NONE)
		memif_session_end(port, "the port is detached");
	memif_connection_free(memif->retired);
	if (stat(path, &status) == 0 && status.st_dev == memif->file_device &&
		status.st_ino == memif->file_inode)
		unlink(path);
	events_remove(port->environment.events, memif->listener);
	close(memif->listener);
	rte_free(memif);
	port->driver = NULL;
}

static int memif_attach(struct port *port, struct error *error)
{
	const struct port_config *config = &port->config;
	struct memif_port *memif;

	if (config_check(port, error) != 0)
		return -1;
	memif = rte_zmalloc_socket(
		"memif port", sizeof(*memif), RTE_CACHE_LINE_SIZE, port->environment.socket_id);
	if (memif == NULL)
		return error_set(error, "out of memory");
	memif->socket = -1;
	memif->pool = port->environment.pool;
	memif->room = rte_pktmbuf_data_room_size(memif->pool) - RTE_PKTMBUF_HEADROOM;
	memif->log2_ring_size_max = config->ring_size == 0
					    ? MEMIF_LOG2_RING_SIZE_MAX
					    : (uint8_t)__builtin_ctz(config->ring_size);
	if (listener_open(memif, config->path, error) != 0) {
		rte_free(memif);
		return -1;
	}
	port->driver = memif;
	if (listen_on(port) != 0) {
		error_set(error, "socket %s: %s", config->path, strerror(errno));
		memif_detach(port);
		return -1;
	}
	port_report(port, "waiting for a memif client");
	return 0;
}

/* Any thread may ask, so what `connection` points to is not to be read here. */
static bool memif_is_up(const struct port *port)
{
	const struct memif_port *memif = port->driver;

	return __atomic_load_n(&memif->connection, __ATOMIC_RELAXED) != NULL;
}

/* The next client may come once the last one's memory is given back. */
static void retired_free(struct port *port)
{
	struct memif_port *memif = port->driver;

	if (memif->retired == NULL ||
		rte_rcu_qsbr_check(port->environment.rcu, memif->retired_token, false) != 1)
		return;
	memif_connection_free(memif->retired);
	memif->retired = NULL;
}

static void memif_housekeep(struct port *port)
{
	struct memif_port *memif = port->driver;

	memif_session_expire(port);
	if (memif->connection != NULL) {
		if (memif_connection_lost(memif->connection))
			memif_session_end(port, "shared memory was taken away");
		else if (__atomic_load_n(&memif->connection->broken, __ATOMIC_RELAXED))
			memif_session_end(port, "a ring holds what cannot be (does the client use "
						"more queues than it was told there may be?)");
	}
	retired_free(port);
	if (!memif->listening && memif->retired == NULL)
		listen_on(port);
}

const struct port_ops memif_port_ops = {
	.type = "memif",
	.attach = memif_attach,
	.detach = memif_detach,
	.receive = port_receive_alone,
	.send = port_send_alone,
	.reserve = memif_reserve,
	.fill = memif_fill,
	.claim = memif_claim,
	.watch = memif_watch,
	.collect = memif_collect,
	.publish = memif_publish,
	.is_up = memif_is_up,
	.housekeep = memif_housekeep,
};
