/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/containers.h"

#include <string.h>

#include "control/sections/port.h"

/* ---- modes without a bridge ---- */

static uint32_t count_all(const struct control *control)
{
	uint32_t n = 0;

	for (uint16_t i = 0; i < control->networks.n; i++)
		n += networks_count_ports(&control->networks, i);
	return n;
}

static int check_mode(const struct control *control, uint16_t network, struct error *error)
{
	const struct mode *mode = dataplane_last_plan(control->dataplane)->mode;

	if (mode->overlay == OVERLAY_NONE && count_all(control) > 0)
		return error_set(error,
			"mode %s joins the uplink with one container port; this would be the "
			"second",
			mode->name);
	if (mode->overlay == OVERLAY_POINT_TO_POINT &&
		networks_count_ports(&control->networks, network) > 0)
		return error_set(error,
			"mode %s has one container port in a network; this would be the second "
			"in %s",
			mode->name, control->networks.list[network].config->name);
	return 0;
}

int containers_fit_mode(const struct control *control, const struct mode *mode, struct error *error)
{
	if (mode->overlay != OVERLAY_POINT_TO_POINT)
		return 0;
	for (uint16_t i = 0; i < control->networks.n; i++)
		if (networks_count_ports(&control->networks, i) > 1)
			return error_set(error,
				"mode %s has one container port in a network; there are %u in %s",
				mode->name, networks_count_ports(&control->networks, i),
				control->networks.list[i].config->name);
	return 0;
}

/* ---- beside those that are there ---- */

static void describe(
	const struct control *control, const struct port *port, struct container_config *container)
{
	*container =
		(struct container_config){.port = port->config, .n_addresses = port->n_addresses};
	memcpy(container->addresses, port->addresses, sizeof(port->addresses));
	snprintf(container->network, sizeof(container->network), "%s",
		control->networks.list[port->network].config->name);
}

int containers_check(
	const struct control *control, const struct container_config *config, struct error *error)
{
	const struct ports *ports = &control->ports;
	struct error_list errors = {0};
	struct container_config other;
	int status = 0;

	check_container(control->config, config, &ports->setting.workers, &errors);
	for (uint16_t i = ports->n_uplinks; i < PORTS_MAX; i++) {
		if (ports->list[i] == NULL)
			continue;
		describe(control, ports->list[i], &other);
		check_containers(control->config, config, &other, &errors);
	}
	if (errors.n > 0)
		status = error_list_join(&errors, error);
	error_list_free(&errors);
	return status;
}

/* ---- coming and going ---- */

/* Its MAC is known before its first packet comes. */
static int bring_up(struct control *control, struct port *port, struct error *error)
{
	uint16_t network = port->network, place = port->index;
	struct rte_ether_addr mac = port->mac;

	if (fdb_add_static(&control->fdb, network, &mac, place, error) != 0) {
		ports_discard(port);
		return error_prefix(error, "mac: ");
	}
	if (ports_attach(&control->ports, port, error) != 0) {
		fdb_delete(&control->fdb, network, &mac);
		return -1;
	}
	networks_add_place(&control->networks, network, place);
	control->changed = true;
	return 0;
}

int containers_add(
	struct control *control, const struct container_config *config, struct error *error)
{
	uint16_t network = networks_find(&control->networks, config->network);
	struct port *port;

	if (check_mode(control, network, error) != 0)
		return -1;
	port = ports_make_container(
		&control->ports, config, network, control->networks.list[network].mtu, error);
	return port == NULL ? -1 : bring_up(control, port, error);
}

int containers_remove(struct control *control, const char *name, deferred_function done,
	void *argument, struct error *error)
{
	struct port *port = ports_find(&control->ports, name);

	if (port == NULL)
		return error_set(error, "no port is called '%s'", name);
	if (port->uplink)
		return error_set(error, "%s is an uplink, which stays as long as weft runs", name);
	fdb_forget_place(&control->fdb, port->index);
	networks_remove_place(&control->networks, port->network, port->index);
	ports_take_out(&control->ports, port);
	control->changed = true;
	deferred_add_when(&control->deferred, ports_is_at_rest, ports_detach, port);
	deferred_add(&control->deferred, done, argument);
	return 0;
}
