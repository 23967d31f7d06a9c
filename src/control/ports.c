/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/ports.h"

#include <numa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "base/log.h"
#include "control/placement.h"
#include "control/sections/port.h"

/* ---- lcores and NUMA nodes ---- */

static struct workers workers_of(const struct control *control)
{
	return (struct workers){.ids = control->dataplane->lcore_ids,
		.n = control->dataplane->n_lcores,
		.no_such = "is no worker lcore; `weftctl show lcores` lists them"};
}

static int socket_of_lcore(const struct control *control, uint16_t lcore)
{
	return rte_lcore_to_socket_id(control->dataplane->lcore_ids[lcore]);
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

static void warn_of_distance(const struct control *control, const struct port *port)
{
	for (uint16_t i = 0; i < port->n_queues; i++) {
		int socket = socket_of_lcore(control, port->queues[i].owner);

		if (socket != port->environment.socket_id)
			RTE_LOG(WARNING, weft,
				"port %s: lcore %u is on NUMA node %d, the device on %d (distance "
				"%d): "
				"choose lcores there\n",
				port->config.name,
				control->dataplane->lcore_ids[port->queues[i].owner], socket,
				port->environment.socket_id,
				numa_distance(socket, port->environment.socket_id));
	}
}

static void set_environment(const struct control *control, struct port *port, int socket)
{
	struct rte_mempool *pool = control->pools.by_socket[socket];

	port->environment.socket_id = socket;
	port->environment.rcu = control->dataplane->rcu;
	port->environment.events = control->events;
	/* A node that no lcore is on has no pool of its own. */
	port->environment.pool =
		pool != NULL ? pool : control->pools.by_socket[socket_of_lcore(control, 0)];
}

/* ---- coming ---- */

static struct port *make_port(const struct port_config *config)
{
	struct port *port = rte_zmalloc("port", sizeof(*port), RTE_CACHE_LINE_SIZE);

	if (port == NULL)
		return NULL;
	port->config = *config;
	port->ops = port_type_find(config->type);
	port->n_queues = config->queues;
	port->n_pairs = config->queues;
	port->mac = config->mac;
	return port;
}

static void choose_uplink_owners(
	const struct control *control, struct port *port, const struct uplink_config *config)
{
	const struct workers workers = workers_of(control);

	for (uint16_t i = 0; i < port->n_queues; i++)
		port->queues[i].owner = placement_uplink_owner(&workers, config, i);
}

int ports_add_uplink(struct control *control, uint16_t i, struct error *error)
{
	const struct uplink_config *config = &control->config->uplinks[i];
	struct port *port = make_port(&config->port);

	if (port == NULL)
		return error_set(error, "not enough memory; give EAL more (-m, huge pages)");
	port->uplink = true;
	port->index = i;
	port->number = ++control->n_ports_ever;
	port->network = NETWORK_NONE;
	choose_uplink_owners(control, port, config);
	set_environment(control, port,
		socket_of_device(
			config->port.device, socket_of_lcore(control, port->queues[0].owner)));
	if (port->ops->attach(port, error) != 0) {
		rte_free(port);
		return -1;
	}
	warn_of_distance(control, port);
	control->ports[i] = port;
	return 0;
}

static void choose_owner(struct control *control, struct port *port, uint32_t id)
{
	const struct workers workers = workers_of(control);
	uint16_t owner = id != CONFIG_NONE ? placement_lcore(&workers, id)
					   : control->next_lcore++ % workers.n;

	for (uint16_t i = 0; i < port->n_queues; i++)
		port->queues[i].owner = owner;
}

/* A free index, and one that was not in use a moment ago: packets on their way still name it. */
static int choose_index(struct control *control, uint16_t *index)
{
	for (uint16_t tries = 0; tries < PORTS_MAX; tries++) {
		uint16_t candidate = control->next_port;

		control->next_port = (candidate + 1) % PORTS_MAX;
		if (candidate >= control->config->n_uplinks && control->ports[candidate] == NULL) {
			*index = candidate;
			return 0;
		}
	}
	return -1;
}

static uint16_t count_containers(const struct control *control, uint16_t network)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < PORTS_MAX; i++)
		n += control->ports[i] != NULL && !control->ports[i]->uplink &&
		     (network == NETWORK_NONE || control->ports[i]->network == network);
	return n;
}

static int check_mode(const struct control *control, uint16_t network, struct error *error)
{
	const char *mode = control->dataplane->plan->mode;

	if (strcmp(mode, "native") == 0 && count_containers(control, NETWORK_NONE) > 0)
		return error_set(error, "mode native joins the uplink with one container port; "
					"this would be the second");
	if (strcmp(mode, "linux-overlay") == 0 && count_containers(control, network) > 0)
		return error_set(error,
			"mode linux-overlay has one container port in a network; "
			"this would be the second in %s",
			control->networks.list[network].config->name);
	return 0;
}

int ports_fit_mode(const struct control *control, const char *mode, struct error *error)
{
	for (uint16_t i = 0; i < control->networks.n && strcmp(mode, "linux-overlay") == 0; i++)
		if (count_containers(control, i) > 1)
			return error_set(error,
				"mode linux-overlay has one container port in a network; there are "
				"%u in %s",
				count_containers(control, i),
				control->networks.list[i].config->name);
	return 0;
}

/* What belongs to a container port besides its settings. */
static int prepare(struct control *control, struct port *port,
	const struct container_config *config, struct error *error)
{
	port->network = networks_find(&control->networks, config->network);
	if (check_mode(control, port->network, error) != 0)
		return -1;
	choose_owner(control, port, config->lcore);
	port->number = ++control->n_ports_ever;
	if (choose_index(control, &port->index) != 0)
		return error_set(error, "there are %d ports already", PORTS_MAX);
	port->mtu = control->networks.list[port->network].mtu;
	port->config.mtu = port->mtu;
	port->n_addresses4 = config->n_addresses4;
	port->n_addresses6 = config->n_addresses6;
	memcpy(port->addresses4, config->addresses4, sizeof(port->addresses4));
	memcpy(port->addresses6, config->addresses6, sizeof(port->addresses6));
	set_environment(control, port, socket_of_lcore(control, port->queues[0].owner));
	return 0;
}

static int bring_up(struct control *control, struct port *port, struct error *error)
{
	if (fdb_add_static(&control->fdb, port->network, &port->mac, port->index, error) != 0)
		return error_prefix(error, "mac: ");
	if (port->ops->attach(port, error) != 0) {
		fdb_delete(&control->fdb, port->network, &port->mac);
		return -1;
	}
	control->ports[port->index] = port;
	networks_add_place(&control->networks, port->network, port->index);
	control->changed = true;
	return 0;
}

int ports_add_container(
	struct control *control, const struct container_config *config, struct error *error)
{
	struct port *port;

	port = make_port(&config->port);
	if (port == NULL)
		return error_set(error, "not enough memory; give EAL more (-m, huge pages)");
	if (prepare(control, port, config, error) != 0 || bring_up(control, port, error) != 0) {
		rte_free(port);
		return -1;
	}
	return 0;
}

/* ---- ports of others beside those that are there ---- */

static void describe(
	const struct control *control, const struct port *port, struct container_config *container)
{
	*container = (struct container_config){.port = port->config,
		.n_addresses4 = port->n_addresses4,
		.n_addresses6 = port->n_addresses6};
	memcpy(container->addresses4, port->addresses4, sizeof(port->addresses4));
	memcpy(container->addresses6, port->addresses6, sizeof(port->addresses6));
	snprintf(container->network, sizeof(container->network), "%s",
		control->networks.list[port->network].config->name);
}

int ports_check_container(
	const struct control *control, const struct container_config *config, struct error *error)
{
	const struct workers workers = workers_of(control);
	struct error_list errors = {0};
	struct container_config other;
	int status = 0;

	check_container(control->config, config, &workers, &errors);
	for (uint16_t i = 0; i < PORTS_MAX; i++) {
		if (control->ports[i] == NULL || control->ports[i]->uplink)
			continue;
		describe(control, control->ports[i], &other);
		check_containers(control->config, config, &other, &errors);
	}
	if (errors.n > 0)
		status = error_list_join(&errors, error);
	error_list_free(&errors);
	return status;
}

/* ---- going ---- */

static void detach(void *argument)
{
	struct port *port = argument;

	port->ops->detach(port);
	rte_free(port);
}

int ports_remove(struct control *control, const char *name, deferred_function done, void *argument,
	struct error *error)
{
	struct port *port = control_port(control, name);

	if (port == NULL)
		return error_set(error, "no port is called '%s'", name);
	if (port->uplink)
		return error_set(error, "%s is an uplink, which stays as long as weft runs", name);
	fdb_forget_place(&control->fdb, port->index);
	networks_remove_place(&control->networks, port->network, port->index);
	control->ports[port->index] = NULL;
	control->changed = true;
	deferred_add(&control->deferred, detach, port);
	deferred_add(&control->deferred, done, argument);
	return 0;
}

void ports_remove_all(struct control *control)
{
	for (uint16_t i = 0; i < PORTS_MAX; i++) {
		if (control->ports[i] != NULL)
			detach(control->ports[i]);
		control->ports[i] = NULL;
	}
}

void ports_housekeep(struct control *control)
{
	for (uint16_t i = 0; i < PORTS_MAX; i++)
		if (control->ports[i] != NULL && control->ports[i]->ops->housekeep != NULL)
			control->ports[i]->ops->housekeep(control->ports[i]);
}
