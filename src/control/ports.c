/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/ports.h"

#include <assert.h>
#include <numa.h>
#include <stdio.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "base/log.h"
#include "stages/packet.h"

/* ---- lcores and NUMA nodes ---- */

static int socket_of_lcore(const struct ports *ports, uint16_t lcore)
{
	return rte_lcore_to_socket_id(ports->setting.workers.ids[lcore]);
}

/* Where an uplink's device is, if EAL knows the device and the device knows. */
static int socket_of_device(const char *device, int otherwise)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	uint16_t id;
	int socket;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(device, ","), device);
	if (rte_eth_dev_get_port_by_name(name, &id) != 0)
		return otherwise;
	socket = rte_eth_dev_socket_id(id);
	return socket < 0 ? otherwise : socket;
}

static void warn_of_distance(const struct ports *ports, const struct port *port)
{
	for (uint16_t i = 0; i < port->n_queues; i++) {
		int socket = socket_of_lcore(ports, port->queues[i].owner);

		if (socket != port->environment.socket_id)
			RTE_LOG(WARNING, weft,
				"port %s: lcore %u is on NUMA node %d, the device on %d (distance "
				"%d): "
				"choose lcores there\n",
				port->config.name,
				ports->setting.workers.ids[port->queues[i].owner], socket,
				port->environment.socket_id,
				numa_distance(socket, port->environment.socket_id));
	}
}

static void set_environment(const struct ports *ports, struct port *port, int socket)
{
	const struct ports_setting *setting = &ports->setting;
	struct rte_mempool *pool = setting->pools->by_socket[socket];

	/* A node that no lcore is on has no pool of its own. */
	if (pool == NULL)
		pool = setting->pools->by_socket[socket_of_lcore(ports, 0)];
	port->environment = (struct port_environment){.pool = pool,
		.rcu = setting->rcu,
		.events = setting->events,
		.socket_id = socket,
		.sleeps = setting->sleeps};
}

/* ---- coming ---- */

static struct port *make_port(
	struct ports *ports, const struct port_config *config, struct error *error)
{
	struct port *port = rte_zmalloc("port", sizeof(*port), RTE_CACHE_LINE_SIZE);

	if (port == NULL) {
		error_set(error, "not enough memory; give EAL more (-m, huge pages)");
		return NULL;
	}
	port->number = ++ports->n_ever;
	port->config = *config;
	port->ops = port_type_find(config->type);
	assert(port->ops != NULL); /* the type was checked */
	port->n_queues = config->queues;
	port->n_pairs = config->queues;
	port->mac = config->mac;
	port->lcores = UINT64_MAX;
	return port;
}

static void choose_uplink_owners(
	const struct ports *ports, struct port *port, const struct uplink_config *config)
{
	const struct workers *workers = &ports->setting.workers;

	for (uint16_t i = 0; i < port->n_queues; i++)
		port->queues[i].owner = placement_uplink_owner(workers, config, i);
	if (config->lcores.n > 0)
		port->lcores = placement_set(workers, &config->lcores);
}

int ports_add_uplink(struct ports *ports, const struct uplink_config *config, struct error *error)
{
	struct port *port = make_port(ports, &config->port, error);

	if (port == NULL)
		return -1;
	port->uplink = true;
	port->index = ports->n_uplinks;
	port->network = NETWORK_NONE;
	choose_uplink_owners(ports, port, config);
	set_environment(ports, port,
		socket_of_device(
			config->port.device, socket_of_lcore(ports, port->queues[0].owner)));
	if (ports_attach(ports, port, error) != 0)
		return -1;
	warn_of_distance(ports, port);
	ports->n_uplinks++;
	return 0;
}

static void choose_owner(struct ports *ports, struct port *port, uint32_t id)
{
	const struct workers *workers = &ports->setting.workers;
	uint16_t owner =
		id != CONFIG_NONE ? placement_lcore(workers, id) : ports->next_lcore++ % workers->n;

	for (uint16_t i = 0; i < port->n_queues; i++)
		port->queues[i].owner = owner;
}

/* A free index, and one that was not in use a moment ago: packets on their way still name it. */
static int choose_index(struct ports *ports, uint16_t *index)
{
	for (uint16_t tries = 0; tries < PORTS_MAX; tries++) {
		uint16_t candidate = ports->next;

		ports->next = (candidate + 1) % PORTS_MAX;
		if (candidate >= ports->n_uplinks && ports->list[candidate] == NULL) {
			*index = candidate;
			return 0;
		}
	}
	return -1;
}

static void set_addresses(struct port *port, const struct container_config *config)
{
	port->n_addresses = config->n_addresses;
	memcpy(port->addresses, config->addresses, sizeof(port->addresses));
}

struct port *ports_make_container(struct ports *ports, const struct container_config *config,
	uint16_t network, uint16_t mtu, struct error *error)
{
	struct port *port = make_port(ports, &config->port, error);

	if (port == NULL)
		return NULL;
	if (choose_index(ports, &port->index) != 0) {
		error_set(error, "there are %d ports already", PORTS_MAX);
		ports_discard(port);
		return NULL;
	}
	port->network = network;
	port->mtu = mtu;
	port->config.mtu = mtu;
	choose_owner(ports, port, config->lcore);
	set_addresses(port, config);
	set_environment(ports, port, socket_of_lcore(ports, port->queues[0].owner));
	return port;
}

int ports_attach(struct ports *ports, struct port *port, struct error *error)
{
	assert(ports->list[port->index] == NULL);
	if (port->ops->attach(port, error) != 0) {
		ports_discard(port);
		return -1;
	}
	ports->list[port->index] = port;
	return 0;
}

void ports_discard(struct port *port)
{
	rte_free(port);
}

/* ---- going ---- */

void ports_take_out(struct ports *ports, const struct port *port)
{
	assert(ports->list[port->index] == port && !port->uplink);
	ports->list[port->index] = NULL;
}

/* Lcores may still have batches of it, whose numbers they are to pass on. */
bool ports_is_at_rest(const void *argument)
{
	const struct port *port = argument;

	for (uint16_t i = 0; i < port->n_queues; i++)
		if (!turn_is_at_rest(&port->queues[i].turn))
			return false;
	return true;
}

void ports_detach(void *argument)
{
	struct port *port = argument;

	port->ops->detach(port);
	rte_free(port);
}

void ports_remove_all(struct ports *ports)
{
	for (uint16_t i = 0; i < PORTS_MAX; i++) {
		if (ports->list[i] != NULL)
			ports_detach(ports->list[i]);
		ports->list[i] = NULL;
	}
}

/* ---- all of them ---- */

void ports_housekeep(struct ports *ports)
{
	for (uint16_t i = 0; i < PORTS_MAX; i++)
		if (ports->list[i] != NULL && ports->list[i]->ops->housekeep != NULL)
			ports->list[i]->ops->housekeep(ports->list[i]);
}

struct port *ports_find(const struct ports *ports, const char *name)
{
	for (uint16_t i = 0; i < PORTS_MAX; i++)
		if (ports->list[i] != NULL && strcmp(ports->list[i]->config.name, name) == 0)
			return ports->list[i];
	return NULL;
}

bool ports_has(const struct ports *ports, uint16_t network, uint16_t index)
{
	return index < PORTS_MAX && ports->list[index] != NULL &&
	       ports->list[index]->network == network;
}

size_t ports_count_queues(const struct ports *ports)
{
	size_t n = 0;

	for (uint16_t i = 0; i < PORTS_MAX; i++)
		if (ports->list[i] != NULL)
			n += ports->list[i]->n_queues;
	return n;
}

bool ports_take_large_segments(const struct ports *ports)
{
	for (uint16_t i = ports->n_uplinks; i < PORTS_MAX; i++)
		if (ports->list[i] != NULL && port_takes_large_segments(ports->list[i]))
			return true;
	return false;
}
