/* SPDX-License-Identifier: BSD-3-Clause */
#include "peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_debug.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "fixture.h"

#define ATTACH_TRIES 3000 /* of 1 ms each */

static struct rte_rcu_qsbr *rcu;
static struct events *events;
static const char *directory;

void peers_init(const char *sockets)
{
	directory = sockets;
	rcu = rte_zmalloc("rcu", rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
	events = events_create();
	if (rcu == NULL || events == NULL)
		rte_exit(EXIT_FAILURE, "bench: no memory; give EAL more (-m)\n");
	rte_rcu_qsbr_init(rcu, 1);
}

void peers_free(void)
{
	events_free(events);
	rte_free(rcu);
}

bool peers_attach(struct port *port, const char *type, const char *name, struct error *error)
{
	port->ops = port_type_find(type);
	port->n_queues = 1;
	port->environment = (struct port_environment){
		.pool = fixture_pool, .rcu = rcu, .events = events, .socket_id = SOCKET_ID_ANY};
	snprintf(port->config.type, sizeof(port->config.type), "%s", type);
	snprintf(port->config.name, sizeof(port->config.name), "%s", name);
	return port->ops->attach(port, error) == 0;
}

static int start(uint16_t ethdev, const struct peer_kind *kind)
{
	const struct rte_eth_conf conf = {0};

	if (rte_eth_dev_configure(ethdev, 1, 1, &conf) != 0 ||
		rte_eth_rx_queue_setup(
			ethdev, 0, kind->ring_size, SOCKET_ID_ANY, NULL, kind->pool) != 0 ||
		rte_eth_tx_queue_setup(ethdev, 0, kind->ring_size, SOCKET_ID_ANY, NULL) != 0)
		return -1;
	return rte_eth_dev_start(ethdev);
}

static bool open_ethdev(struct peer *peer, const struct peer_kind *kind, struct error *error)
{
	char devargs[2 * PORT_PATH_SIZE], name[RTE_DEV_NAME_MAX_LEN];

	snprintf(devargs, sizeof(devargs), "%s%s", kind->device, peer->port.config.path);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(devargs, ","), devargs);
	if (rte_dev_probe(devargs) == 0 && rte_eth_dev_get_port_by_name(name, &peer->ethdev) == 0 &&
		start(peer->ethdev, kind) == 0)
		return true;
	error_set(error, "cannot make the peer %s", devargs);
	return false;
}

static bool wait_until_up(struct port *port, struct error *error)
{
	for (int i = 0; i < ATTACH_TRIES; i++) {
		events_wait(events, 1);
		if (port->ops->housekeep != NULL)
			port->ops->housekeep(port);
		if (port->ops->is_up(port))
			return true;
	}
	error_set(error, "the peer did not attach");
	return false;
}

bool peers_open(
	struct peer *peer, const struct peer_kind *kind, const char *name, struct error *error)
{
	struct port *port = &peer->port;

	snprintf(port->config.path, sizeof(port->config.path), "%s/bench-%d-%s", directory,
		getpid(), name);
	if (!peers_attach(port, kind->type, name, error))
		return false;
	if (open_ethdev(peer, kind, error) && wait_until_up(port, error))
		return true;
	port->ops->detach(port);
	return false;
}

/* The peer first: a server that goes before it may leave it with memory that is gone. */
void peers_close(struct peer *peer)
{
	rte_eth_dev_stop(peer->ethdev);
	rte_eth_dev_close(peer->ethdev);
	peer->port.ops->detach(&peer->port);
}
