/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "control/config.h"
#include "control/keys.h"
#include "control/sections/lcores.h"
#include "control/sections/network.h"
#include "control/sections/port.h"

/* ---- by themselves ---- */

static bool is_socket(const struct port_config *port)
{
	return strcmp(port->type, "vhost-user") == 0 || strcmp(port->type, "memif") == 0;
}

static bool is_interface(const struct port_config *port)
{
	return strcmp(port->type, "tap") == 0 || strcmp(port->type, "vhost-net") == 0;
}

/* Where a directory is missing it will be made, or somebody makes it later; a file in its place
 * stays one. */
static int check_directory(const char *path, struct error *error)
{
	char *directory = strdup(path), *slash;
	struct stat status;
	int result = 0;

	if (directory == NULL)
		abort();
	while ((slash = strrchr(directory, '/')) != NULL && slash != directory) {
		*slash = '\0';
		if (stat(directory, &status) != 0)
			continue;
		if (!S_ISDIR(status.st_mode))
			result = error_set(error, "%s is not a directory", directory);
		break;
	}
	free(directory);
	return result;
}

static int check_path(const char *path, struct error *error)
{
	struct stat status;

	if (lstat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
		return error_set(error,
			"%s exists and is not a socket: remove it or choose another path", path);
	return check_directory(path, error);
}

/* One that was given and is wrong has been told of. */
static bool has_path(const struct config *config, const struct port_config *port)
{
	const struct container_config *configured = config_container(config, port->name);
	const struct ini_section section = config_section(config, "port", port->name);

	return port->path[0] != '\0' ||
	       (configured != NULL && &configured->port == port && keys_given(&section, "path"));
}

static void check_type(
	const struct config *config, const struct port_config *port, struct error_list *errors)
{
	bool ring = strcmp(port->type, PORT_TYPE_IN_PROCESS) == 0;
	char types[128];

	port_type_list(types, sizeof(types));
	if (port->type[0] != '\0' && !is_socket(port) && !is_interface(port) && !ring)
		config_wrong(config, errors, "port", port->name, "type", NULL,
			"no port type is called '%s'; there are %s", port->type, types);
	if (ring && !port_types_are_replaced())
		config_wrong(config, errors, "port", port->name, "type", NULL,
			"%s is for --clock virtual only", port->type);
	if (is_socket(port) && !has_path(config, port))
		config_wrong(config, errors, "port", port->name, "path", NULL,
			"is missing, and %s needs one", port->type);
	if (is_interface(port) && port->interface[0] == '\0' && strlen(port->name) > 15)
		config_wrong(config, errors, "port", port->name, "interface", NULL,
			"is missing, and the port's name is too long for one (at most 15 "
			"characters)");
}

void check_container(const struct config *config, const struct container_config *container,
	const struct workers *workers, struct error_list *errors)
{
	const struct port_config *port = &container->port;
	struct error error;

	if (container->network[0] != '\0' && config_network(config, container->network) == NULL)
		config_wrong(config, errors, "port", port->name, "network", NULL,
			"no network is called '%s'", container->network);
	for (uint32_t i = 0; i < config->n_uplinks; i++)
		if (strcmp(port->name, config->uplinks[i].port.name) == 0)
			config_wrong(config, errors, "port", port->name, NULL, NULL,
				"an uplink has this name already");
	check_type(config, port, errors);
	if (!port_types_are_replaced() && is_socket(port) && port->path[0] != '\0' &&
		check_path(port->path, &error) != 0)
		config_wrong(config, errors, "port", port->name, "path", NULL, "%s", error.text);
	if (workers != NULL)
		lcores_check(
			config, "port", port->name, "lcore", container->lcore, workers, errors);
}

/* ---- side by side ---- */

/* An address that both have, as text; "" if there is none. */
static void shared_address(const struct container_config *one, const struct container_config *other,
	char text[ADDRESS_TEXT_SIZE])
{
	text[0] = '\0';
	for (uint16_t i = 0; i < one->n_addresses; i++)
		for (uint16_t j = 0; j < other->n_addresses; j++)
			if (address_equal(&one->addresses[i], &other->addresses[j]))
				address_format(&one->addresses[i], text);
}

/* Each says whether the two cannot be side by side in one way, and tells so of the first. */
typedef bool (*clash)(const struct config *config, const struct container_config *container,
	const struct container_config *other, struct error_list *errors);

static bool name_clash(const struct config *config, const struct container_config *container,
	const struct container_config *other, struct error_list *errors)
{
	const char *name = container->port.name;

	if (strcmp(name, other->port.name) != 0)
		return false;
	config_wrong(config, errors, "port", name, NULL, NULL, "a port has this name already");
	return true;
}

static bool share_network(
	const struct container_config *container, const struct container_config *other)
{
	return container->network[0] != '\0' && strcmp(container->network, other->network) == 0;
}

static bool mac_clash(const struct config *config, const struct container_config *container,
	const struct container_config *other, struct error_list *errors)
{
	if (rte_is_zero_ether_addr(&container->port.mac) ||
		!rte_is_same_ether_addr(&container->port.mac, &other->port.mac) ||
		!share_network(container, other))
		return false;
	config_wrong(config, errors, "port", container->port.name, "mac", NULL,
		"is port %s's already, in the same network", other->port.name);
	return true;
}

static bool address_clash(const struct config *config, const struct container_config *container,
	const struct container_config *other, struct error_list *errors)
{
	char address[ADDRESS_TEXT_SIZE];

	if (!share_network(container, other))
		return false;
	shared_address(container, other, address);
	if (address[0] == '\0')
		return false;
	config_wrong(config, errors, "port", container->port.name, "addresses", NULL,
		"%s is port %s's already, in the same network", address, other->port.name);
	return true;
}

static bool path_clash(const struct config *config, const struct container_config *container,
	const struct container_config *other, struct error_list *errors)
{
	const struct port_config *port = &container->port;

	if (port_types_are_replaced() || !is_socket(port) || !is_socket(&other->port) ||
		port->path[0] == '\0' || strcmp(port->path, other->port.path) != 0)
		return false;
	config_wrong(config, errors, "port", port->name, "path", NULL, "is port %s's already",
		other->port.name);
	return true;
}

static const char *name_of_namespace(const char *netns)
{
	static const char *const directories[] = {"/run/netns/", "/var/run/netns/"};

	for (size_t i = 0; i < RTE_DIM(directories); i++)
		if (strncmp(netns, directories[i], strlen(directories[i])) == 0)
			return netns + strlen(directories[i]);
	return netns;
}

static const char *name_of_interface(const struct port_config *port)
{
	return port->interface[0] != '\0' ? port->interface : port->name;
}

static bool share_interface(const struct port_config *one, const struct port_config *other)
{
	return is_interface(one) && is_interface(other) &&
	       strcmp(name_of_interface(one), name_of_interface(other)) == 0 &&
	       strcmp(name_of_namespace(one->netns), name_of_namespace(other->netns)) == 0;
}

static bool interface_clash(const struct config *config, const struct container_config *container,
	const struct container_config *other, struct error_list *errors)
{
	if (port_types_are_replaced() || !share_interface(&container->port, &other->port))
		return false;
	config_wrong(config, errors, "port", container->port.name, "interface", NULL,
		"%s is port %s's already", name_of_interface(&container->port), other->port.name);
	return true;
}

static const clash clashes[] = {name_clash, mac_clash, address_clash, path_clash, interface_clash};

void check_containers(const struct config *config, const struct container_config *container,
	const struct container_config *other, struct error_list *errors)
{
	for (size_t i = 0; i < RTE_DIM(clashes); i++)
		clashes[i](config, container, other, errors);
}

/* The first clash of each kind: many ports with one address are not to give lines for each two. */
static void check_earlier(const struct config *config, uint32_t i, struct error_list *errors)
{
	const struct container_config *containers = config->containers;

	for (size_t kind = 0; kind < RTE_DIM(clashes); kind++)
		for (uint32_t j = 0; j < i; j++)
			if (clashes[kind](config, &containers[i], &containers[j], errors))
				break;
}
void check_ports(const struct config *config, struct error_list *errors)
{
	for (uint32_t i = 0; i < config->n_containers; i++) {
		const struct container_config *container = &config->containers[i];

		if (i + config->n_uplinks == PORTS_MAX) {
			config_wrong(config, errors, "port", container->port.name, NULL, NULL,
				"there are %d ports already, uplinks included", PORTS_MAX);
			return;
		}
		check_container(config, container, NULL, errors);
		check_earlier(config, i, errors);
	}
}

void check_port_lcores(
	const struct config *config, const struct workers *workers, struct error_list *errors)
{
	for (uint32_t i = 0; i < config->n_containers; i++)
		lcores_check(config, "port", config->containers[i].port.name, "lcore",
			config->containers[i].lcore, workers, errors);
}
