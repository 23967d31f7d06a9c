/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <rte_log.h>

#include "ports/memif_private.h"

#define HANDSHAKE_MS 2000   /* longest wait for the next message of a handshake */
#define MESSAGES_AT_ONCE 64 /* more than a whole handshake of most clients */

struct envelope {
	struct memif_message message;
	int fd; /* -1: came without */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* What a client calls itself goes to the log, so only what prints is kept. */
static void text_take(char *to, size_t size, const char *from, size_t from_size)
{
	size_t i;

	for (i = 0; i < RTE_MIN(size - 1, from_size) && from[i] != '\0'; i++)
		to[i] = isprint((unsigned char)from[i]) ? from[i] : '?';
	to[i] = '\0';
}

static int message_send(int socket, const struct memif_message *message)
{
	ssize_t sent = send(socket, message, sizeof(*message), MSG_DONTWAIT | MSG_NOSIGNAL);

	return sent == sizeof(*message) ? 0 : -1;
}

static int message_send_empty(int socket, enum memif_message_type type)
{
	struct memif_message message = {.type = type};

	return message_send(socket, &message);
}

void memif_refuse(int socket, const char *reason)
{
	struct memif_message message = {.type = MEMIF_DISCONNECT};

	snprintf(message.disconnect.reason, sizeof(message.disconnect.reason), "%s", reason);
	message_send(socket, &message);
}

/* `reason`: why weft ends it, or NULL. */
static void report_end(struct port *port, const char *reason)
{
	const struct memif_port *memif = port->driver;

	if (reason == NULL)
		reason = memif->farewell[0] ? memif->farewell : "it is gone";
	port_report(port, "memif client %s %s: %s", memif->client[0] ? memif->client : "(no name)",
		memif->state == MEMIF_SESSION_CONNECTED ? "disconnected" : "did not connect",
		reason);
}

void memif_session_end(struct port *port, const char *reason)
{
	struct memif_port *memif = port->driver;

	report_end(port, reason);
	if (reason != NULL)
		memif_refuse(memif->socket, reason);
	events_remove(port->environment.events, memif->socket);
	close(memif->socket);
	memif->socket = -1;
	memif->state = MEMIF_SESSION_NONE;
	memif_connection_free(memif->building);
	memif->building = NULL;
	if (memif->connection != NULL) {
		memif_listen_pause(port);
		memif->retired = memif->connection;
		__atomic_store_n(&memif->connection, NULL, __ATOMIC_RELEASE);
		memif->retired_token = rte_rcu_qsbr_start(port->environment.rcu);
	}
}

static const char *init_take(struct port *port, const struct memif_init *init)
{
	struct memif_port *memif = port->driver;

	text_take(memif->client, sizeof(memif->client), init->name, sizeof(init->name));
	if (init->version != MEMIF_VERSION)
		return "weft speaks memif 2.0 only";
	if (init->interface != 0)
		return "the interface id here is 0";
	if (init->mode != MEMIF_MODE_ETHERNET)
		return "weft speaks Ethernet mode only";
	memif->building = memif_connection_create(port->environment.socket_id);
	if (memif->building == NULL)
		return "weft is out of memory";
	memif->state = MEMIF_SESSION_BUILDING;
	return NULL;
}

static const char *connect_take(struct port *port)
{
	struct memif_port *memif = port->driver;
	struct memif_connection *connection = memif->building;
	struct memif_message reply = {.type = MEMIF_CONNECTED};
	const char *refusal = memif_connection_start(connection);
	uint16_t n_pairs;

	if (refusal != NULL)
		return refusal;
	snprintf(reply.connect.name, sizeof(reply.connect.name), "%s", port->config.name);
	if (message_send(memif->socket, &reply) != 0)
		return "CONNECTED cannot be sent";
	memif->state = MEMIF_SESSION_CONNECTED;
	memif->building = NULL;
	n_pairs = RTE_MIN(connection->n_from_client, connection->n_to_client);
	__atomic_store_n(&port->n_pairs, n_pairs, __ATOMIC_RELAXED);
	__atomic_store_n(&memif->connection, connection, __ATOMIC_RELEASE);
	port_report(port, "memif client %s connected, %u queue pair%s", memif->client, n_pairs,
		n_pairs == 1 ? "" : "s");
	return NULL;
}

static const char *building_take(struct port *port, struct envelope *envelope)
{
	struct memif_port *memif = port->driver;
	const struct memif_message *message = &envelope->message;
	const char *refusal;

	switch (message->type) {
	case MEMIF_ADD_REGION:
		refusal = memif_connection_add_region(
			memif->building, &message->add_region, envelope->fd);
		break;
	case MEMIF_ADD_RING:
		refusal = memif_connection_add_ring(
			memif->building, &message->add_ring, port, &envelope->fd);
		break;
	case MEMIF_CONNECT:
		return connect_take(port);
	default:
		return "unexpected message";
	}
	if (refusal == NULL && message_send_empty(memif->socket, MEMIF_ACK) != 0)
		return "ACK cannot be sent";
	return refusal;
}

static const char *message_take(struct port *port, struct envelope *envelope)
{
	struct memif_port *memif = port->driver;
	const char *refusal;

	if (memif->state == MEMIF_SESSION_BUILDING)
		return building_take(port, envelope);
	if (memif->state != MEMIF_SESSION_GREETED || envelope->message.type != MEMIF_INIT)
		return "unexpected message";
	refusal = init_take(port, &envelope->message.init);
	if (refusal == NULL && message_send_empty(memif->socket, MEMIF_ACK) != 0)
		return "ACK cannot be sent";
	return refusal;
}

/* The control buffer has room for two descriptors (it is padded), so a client can make us the
 * owner of both; the kernel drops any further ones. */
static int fds_take(struct msghdr *header, int *fd)
{
	int n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0);
			at += sizeof(int), n++) {
			if (*fd >= 0)
				close(*fd);
			memcpy(fd, CMSG_DATA(c) + at, sizeof(int));
		}
	}
	return n;
}

/* Returns recvmsg()'s result; a message that is no message comes as one of type 0. */
static ssize_t envelope_receive(int socket, struct envelope *envelope)
{
	char control[CMSG_SPACE(sizeof(int))] __rte_aligned(8);
	struct iovec part = {&envelope->message, sizeof(envelope->message)};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t received = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	envelope->fd = -1;
	if (received <= 0)
		return received;
	if (fds_take(&header, &envelope->fd) > 1 || received != sizeof(envelope->message) ||
		(header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		envelope->message.type = 0;
	return received;
}

/* False once there is nothing more to read: the client is silent, or the session is over. */
static bool session_step(struct port *port)
{
	struct memif_port *memif = port->driver;
	struct envelope envelope;
	ssize_t received = envelope_receive(memif->socket, &envelope);
	const char *refusal = NULL;

	if (received < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (received > 0 && envelope.message.type == MEMIF_DISCONNECT)
		text_take(memif->farewell, sizeof(memif->farewell),
			envelope.message.disconnect.reason,
			sizeof(envelope.message.disconnect.reason));
	else if (received > 0)
		refusal = message_take(port, &envelope);
	if (envelope.fd >= 0)
		close(envelope.fd);
	memif->deadline = now_ms() + HANDSHAKE_MS;
	if (received > 0 && envelope.message.type != MEMIF_DISCONNECT && refusal == NULL)
		return true;
	memif_session_end(port, refusal);
	return false;
}

void memif_session_poll(void *port)
{
	for (int i = 0; i < MESSAGES_AT_ONCE && session_step(port); i++)
		;
}

void memif_session_begin(struct port *port, int socket)
{
	struct memif_port *memif = port->driver;
	struct memif_message message = {.type = MEMIF_HELLO};

	message.hello = (struct memif_hello){
		.name = "weft",
		.version_min = MEMIF_VERSION,
		.version_max = MEMIF_VERSION,
		.region_max = MEMIF_REGIONS_MAX - 1,
		.ring_to_client_max = PORT_QUEUES_MAX - 1,
		.ring_from_client_max = PORT_QUEUES_MAX - 1,
		.log2_ring_size_max = memif->log2_ring_size_max,
	};
	memif->socket = socket;
	memif->state = MEMIF_SESSION_GREETED;
	memif->deadline = now_ms() + HANDSHAKE_MS;
	memif->client[0] = '\0';
	memif->farewell[0] = '\0';
	if (events_add(port->environment.events, socket, memif_session_poll, port) != 0)
		memif_session_end(port, "weft cannot watch its socket");
	else if (message_send(socket, &message) != 0)
		memif_session_end(port, NULL);
}

void memif_session_expire(struct port *port)
{
	const struct memif_port *memif = port->driver;

	if (memif->state == MEMIF_SESSION_GREETED || memif->state == MEMIF_SESSION_BUILDING) {
		if (now_ms() > memif->deadline)
			memif_session_end(port, "the handshake takes too long");
	}
}
