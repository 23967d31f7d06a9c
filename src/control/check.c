/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/check.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/ipv4.h"
#include "control/keys.h"
#include "stages/tables.h"

#define MAC_FORMAT "%02x:%02x:%02x:%02x:%02x:%02x"

struct ipv4_text {
	char text[INET_ADDRSTRLEN];
};

static struct ipv4_text ipv4_text(rte_be32_t address)
{
	struct ipv4_text ipv4;

	inet_ntop(AF_INET, &address, ipv4.text, sizeof(ipv4.text));
	return ipv4;
}

/* The file's section, or that of a port which is not in it. */
static struct ini_section section_of(
	const struct config *config, const char *kind, const char *name)
{
	const struct ini_section *section = ini_find(config->ini, kind, name);

	return section != NULL ? *section : (struct ini_section){.kind = kind, .name = name};
}

#define WRONG(kind, section_name, key, value, ...)                                                 \
	do {                                                                                       \
		struct ini_section wrong_section = section_of(config, kind, section_name);         \
		ini_wrong(errors, &wrong_section, key, value, __VA_ARGS__);                        \
	} while (0)

/* ---- uplinks ---- */

static bool is_same_device(const char *one, const char *other)
{
	size_t length = strcspn(one, ",");

	return length > 0 && length == strcspn(other, ",") && strncmp(one, other, length) == 0;
}

static void check_devices(const struct config *config, const struct uplink_config *uplink,
	const struct uplink_config *other, struct error_list *errors)
{
	const char *name = uplink->port.name;

	if (is_same_device(uplink->port.device, other->port.device))
		WRONG("uplink", name, "device", NULL, "is uplink %s's already", other->port.name);
	if (uplink->port.interface[0] != '\0' &&
		strcmp(uplink->port.interface, other->port.interface) == 0)
		WRONG("uplink", name, "interface", NULL, "is uplink %s's already",
			other->port.name);
}

static void check_uplink(const struct config *config, uint32_t i, struct error_list *errors)
{
	const struct uplink_config *uplink = &config->uplinks[i];
	const char *name = uplink->port.name;

	if (uplink->gateway != 0 && uplink->address != 0 &&
		!ipv4_in_prefix(uplink->gateway, uplink->address, uplink->prefix))
		WRONG("uplink", name, "gateway", NULL, "is outside the prefix of 'address'");
	if (uplink->gateway != 0 && uplink->gateway == uplink->address)
		WRONG("uplink", name, "gateway", NULL, "is the uplink's own address");
	for (uint32_t j = 0; j < i; j++)
		check_devices(config, uplink, &config->uplinks[j], errors);
	if (i == UPLINKS_MAX)
		WRONG("uplink", name, NULL, NULL, "more than %d uplinks", UPLINKS_MAX);
}

static const struct uplink_config *find_uplink(
	const struct config *config, const struct network_config *network)
{
	for (uint32_t i = 0; i < config->n_uplinks; i++)
		if (network->uplink[0] == '\0' ||
			strcmp(config->uplinks[i].port.name, network->uplink) == 0)
			return &config->uplinks[i];
	return NULL;
}

/* ---- networks ---- */

int check_route(const struct uplink_config *uplink, rte_be32_t vtep, rte_be32_t *next_hop,
	struct error *error)
{
	*next_hop = vtep;
	if (ipv4_in_prefix(vtep, uplink->address, uplink->prefix))
		return 0;
	*next_hop = uplink->gateway;
	return uplink->gateway != 0
		       ? 0
		       : error_set(error, "is outside uplink %s's prefix, which has no gateway",
				 uplink->port.name);
}

static bool is_own_address(const struct config *config, rte_be32_t address)
{
	for (uint32_t i = 0; i < config->n_uplinks; i++)
		if (config->uplinks[i].address == address)
			return true;
	return false;
}

static void check_vtep(const struct config *config, const struct network_config *network,
	uint16_t i, struct error_list *errors)
{
	const struct uplink_config *uplink = find_uplink(config, network);
	rte_be32_t vtep = network->vteps[i], next_hop;
	const struct ipv4_text address = ipv4_text(vtep);
	struct error error;

	for (uint16_t j = 0; j < i; j++)
		if (network->vteps[j] == vtep) {
			WRONG("network", network->name, "vteps", address.text, "%s is given twice",
				address.text);
			break;
		}
	if (is_own_address(config, vtep))
		WRONG("network", network->name, "vteps", address.text,
			"%s is an uplink's own address", address.text);
	else if (uplink != NULL && uplink->address != 0 &&
		 check_route(uplink, vtep, &next_hop, &error) != 0)
		WRONG("network", network->name, "vteps", address.text, "%s %s", address.text,
			error.text);
}

static void check_network_mtu(const struct config *config, const struct network_config *network,
	struct error_list *errors)
{
	const struct uplink_config *uplink = find_uplink(config, network);
	uint16_t overhead = strcmp(config->weft.mode, "native") == 0 ? 0 : VXLAN_OVERHEAD;

	if (uplink != NULL && uplink->port.mtu != 0 && network->mtu > uplink->port.mtu - overhead)
		WRONG("network", network->name, "mtu", NULL,
			"%u is more than the uplink's %u less %u for the outer headers leaves (%u)",
			network->mtu, uplink->port.mtu, overhead, uplink->port.mtu - overhead);
}

static void check_network(const struct config *config, uint32_t i, struct error_list *errors)
{
	const struct network_config *network = &config->networks[i];

	for (uint32_t j = 0; j < i; j++)
		if (network->vni != CONFIG_NONE && config->networks[j].vni == network->vni) {
			WRONG("network", network->name, "vni", NULL, "network %s has %u already",
				config->networks[j].name, network->vni);
			break;
		}
	if (find_uplink(config, network) == NULL && network->uplink[0] != '\0')
		WRONG("network", network->name, "uplink", NULL, "no uplink is called '%s'",
			network->uplink);
	for (uint16_t j = 0; j < network->n_vteps; j++)
		check_vtep(config, network, j, errors);
	check_network_mtu(config, network, errors);
	if (i == NETWORKS_MAX)
		WRONG("network", network->name, NULL, NULL, "more than %d networks", NETWORKS_MAX);
}

static void check_number_of_vteps(const struct config *config, struct error_list *errors)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < config->n_networks; i++) {
		const struct network_config *network = &config->networks[i];

		if (n <= REMOTES_MAX && n + network->n_vteps > REMOTES_MAX)
			WRONG("network", network->name, "vteps", NULL,
				"more than %d VTEPs in all networks", REMOTES_MAX);
		n += network->n_vteps;
	}
}

/* ---- container ports by themselves ---- */

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
	const struct ini_section section = section_of(config, "port", port->name);

	return port->path[0] != '\0' ||
	       (configured != NULL && &configured->port == port && keys_given(&section, "path"));
}

static void check_type(
	const struct config *config, const struct port_config *port, struct error_list *errors)
{
	bool ring = strcmp(port->type, "ring") == 0;
	char types[128];

	port_type_list(types, sizeof(types));
	if (port->type[0] != '\0' && !is_socket(port) && !is_interface(port) && !ring)
		WRONG("port", port->name, "type", NULL, "no port type is called '%s'; there are %s",
			port->type, types);
	if (ring && !config->virtual_clock)
		WRONG("port", port->name, "type", NULL, "ring is for --clock virtual only");
	if (is_socket(port) && !has_path(config, port))
		WRONG("port", port->name, "path", NULL, "is missing, and %s needs one", port->type);
	if (is_interface(port) && port->interface[0] == '\0' && strlen(port->name) > 15)
		WRONG("port", port->name, "interface", NULL,
			"is missing, and the port's name is too long for one (at most 15 "
			"characters)");
}

static void check_lcore(const struct workers *workers, struct ini_section section, const char *key,
	uint32_t id, struct error_list *errors)
{
	char value[16];

	snprintf(value, sizeof(value), "%u", id);
	if (id != CONFIG_NONE && placement_lcore(workers, id) < 0)
		ini_wrong(errors, &section, key, value, "%u %s", id, workers->no_such);
}

void check_container(const struct config *config, const struct container_config *container,
	const struct workers *workers, struct error_list *errors)
{
	const struct port_config *port = &container->port;
	struct error error;

	if (container->network[0] != '\0' && config_network(config, container->network) == NULL)
		WRONG("port", port->name, "network", NULL, "no network is called '%s'",
			container->network);
	for (uint32_t i = 0; i < config->n_uplinks; i++)
		if (strcmp(port->name, config->uplinks[i].port.name) == 0)
			WRONG("port", port->name, NULL, NULL, "an uplink has this name already");
	check_type(config, port, errors);
	if (!config->virtual_clock && is_socket(port) && port->path[0] != '\0' &&
		check_path(port->path, &error) != 0)
		WRONG("port", port->name, "path", NULL, "%s", error.text);
	if (workers != NULL)
		check_lcore(workers, section_of(config, "port", port->name), "lcore",
			container->lcore, errors);
}

/* ---- container ports side by side ---- */

/* An address that both have, as text; "" if there is none. */
static void shared_address(const struct container_config *one, const struct container_config *other,
	char text[INET6_ADDRSTRLEN])
{
	text[0] = '\0';
	for (uint16_t i = 0; i < one->n_addresses4; i++)
		for (uint16_t j = 0; j < other->n_addresses4; j++)
			if (one->addresses4[i] == other->addresses4[j])
				inet_ntop(AF_INET, &one->addresses4[i], text, INET6_ADDRSTRLEN);
	for (uint16_t i = 0; i < one->n_addresses6; i++)
		for (uint16_t j = 0; j < other->n_addresses6; j++)
			if (memcmp(one->addresses6[i], other->addresses6[j], 16) == 0)
				inet_ntop(AF_INET6, one->addresses6[i], text, INET6_ADDRSTRLEN);
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
	WRONG("port", name, NULL, NULL, "a port has this name already");
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
	WRONG("port", container->port.name, "mac", NULL,
		"is port %s's already, in the same network", other->port.name);
	return true;
}

static bool address_clash(const struct config *config, const struct container_config *container,
	const struct container_config *other, struct error_list *errors)
{
	char address[INET6_ADDRSTRLEN];

	if (!share_network(container, other))
		return false;
	shared_address(container, other, address);
	if (address[0] == '\0')
		return false;
	WRONG("port", container->port.name, "addresses", NULL,
		"%s is port %s's already, in the same network", address, other->port.name);
	return true;
}

static bool path_clash(const struct config *config, const struct container_config *container,
	const struct container_config *other, struct error_list *errors)
{
	const struct port_config *port = &container->port;

	if (config->virtual_clock || !is_socket(port) || !is_socket(&other->port) ||
		port->path[0] == '\0' || strcmp(port->path, other->port.path) != 0)
		return false;
	WRONG("port", port->name, "path", NULL, "is port %s's already", other->port.name);
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
	if (config->virtual_clock || !share_interface(&container->port, &other->port))
		return false;
	WRONG("port", container->port.name, "interface", NULL, "%s is port %s's already",
		name_of_interface(&container->port), other->port.name);
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

static void check_all_containers(const struct config *config, struct error_list *errors)
{
	for (uint32_t i = 0; i < config->n_containers; i++) {
		const struct container_config *container = &config->containers[i];

		if (i + config->n_uplinks == PORTS_MAX) {
			WRONG("port", container->port.name, NULL, NULL,
				"there are %d ports already, uplinks included", PORTS_MAX);
			return;
		}
		check_container(config, container, NULL, errors);
		check_earlier(config, i, errors);
	}
}

/* ---- static entries ---- */

/* An entry has the line and not the section of its own. */
#define WRONG_ENTRY(entry, text, ...)                                                              \
	error_list_add(errors, (entry)->line, "[fdb %s]: " MAC_FORMAT ": " text, (entry)->network, \
		RTE_ETHER_ADDR_BYTES(&(entry)->mac), __VA_ARGS__)

static bool lists_vtep(const struct network_config *network, rte_be32_t vtep)
{
	for (uint16_t i = 0; i < network->n_vteps; i++)
		if (network->vteps[i] == vtep)
			return true;
	return false;
}

static void check_place(
	const struct config *config, const struct fdb_config *entry, struct error_list *errors)
{
	const struct network_config *network = config_network(config, entry->network);
	const struct container_config *container = config_container(config, entry->port);

	if (network == NULL)
		return; /* told of the section */
	if (entry->port[0] == '\0' && !lists_vtep(network, entry->vtep))
		WRONG_ENTRY(entry, "%s is no VTEP in the 'vteps' of network %s",
			ipv4_text(entry->vtep).text, entry->network);
	if (entry->port[0] != '\0' &&
		(container == NULL || strcmp(container->network, entry->network) != 0))
		WRONG_ENTRY(entry, "network %s has no port '%s'", entry->network, entry->port);
}

static void check_port_macs(
	const struct config *config, const struct fdb_config *entry, struct error_list *errors)
{
	for (uint32_t i = 0; i < config->n_containers; i++) {
		const struct container_config *container = &config->containers[i];

		if (rte_is_same_ether_addr(&container->port.mac, &entry->mac) &&
			strcmp(container->network, entry->network) == 0 &&
			strcmp(container->port.name, entry->port) != 0) {
			WRONG_ENTRY(entry, "is the address of port %s", container->port.name);
			return;
		}
	}
}

static int compare_entries(const void *a, const void *b)
{
	const struct fdb_config *one = *(const struct fdb_config *const *)a;
	const struct fdb_config *other = *(const struct fdb_config *const *)b;
	int networks = strcmp(one->network, other->network);
	int macs = memcmp(&one->mac, &other->mac, sizeof(one->mac));

	if (networks != 0 || macs != 0)
		return networks != 0 ? networks : macs;
	return one->line < other->line ? -1 : one->line > other->line;
}

static void check_entries_twice(const struct config *config, struct error_list *errors)
{
	const struct fdb_config **entries = calloc(config->n_fdb + 1, sizeof(*entries));

	if (entries == NULL)
		abort();
	for (uint32_t i = 0; i < config->n_fdb; i++)
		entries[i] = &config->fdb[i];
	qsort(entries, config->n_fdb, sizeof(*entries), compare_entries);
	for (uint32_t i = 1; i < config->n_fdb; i++)
		if (strcmp(entries[i]->network, entries[i - 1]->network) == 0 &&
			rte_is_same_ether_addr(&entries[i]->mac, &entries[i - 1]->mac))
			WRONG_ENTRY(entries[i], "is given twice, in line %u, too",
				entries[i - 1]->line);
	free(entries);
}

static void check_fdb_networks(const struct config *config, struct error_list *errors)
{
	for (unsigned int i = 0; i < config->ini->n; i++) {
		const struct ini_section *section = &config->ini->sections[i];

		if (strcmp(section->kind, "fdb") == 0 && section->name[0] != '\0' &&
			config_network(config, section->name) == NULL)
			ini_wrong(errors, section, NULL, NULL, "no network is called '%s'",
				section->name);
	}
}

static void check_fdb(const struct config *config, struct error_list *errors)
{
	uint64_t entries = (uint64_t)config->n_fdb + config->n_containers;

	check_fdb_networks(config, errors);
	for (uint32_t i = 0; i < config->n_fdb; i++) {
		check_place(config, &config->fdb[i], errors);
		check_port_macs(config, &config->fdb[i], errors);
	}
	check_entries_twice(config, errors);
	if (entries > config->weft.fdb_size)
		WRONG("weft", "", "fdb-size", NULL,
			"%u entries are too few for the static ones, %" PRIu64,
			config->weft.fdb_size, entries);
}

/* ---- modes ---- */

static void check_native(const struct config *config, struct error_list *errors)
{
	if (config->n_containers > 1)
		WRONG("port", config->containers[1].port.name, NULL, NULL,
			"mode native joins the uplink with one container port; this would be the "
			"second");
}

static void check_linux_overlay(const struct config *config, struct error_list *errors)
{
	for (uint32_t i = 0; i < config->n_containers; i++)
		for (uint32_t j = 0; j < i; j++) {
			const struct container_config *container = &config->containers[i];

			if (strcmp(container->network, config->containers[j].network) != 0)
				continue;
			WRONG("port", container->port.name, NULL, NULL,
				"mode linux-overlay has one container port in a network; this "
				"would be the second in %s",
				container->network);
			break;
		}
}

static void check_mode(const struct config *config, struct error_list *errors)
{
	struct error error;

	if (config_mode(config, config->weft.mode, &error) == NULL)
		WRONG("weft", "", "mode", NULL, "%s", error.text);
	if (strcmp(config->weft.mode, "native") == 0)
		check_native(config, errors);
	if (strcmp(config->weft.mode, "linux-overlay") == 0)
		check_linux_overlay(config, errors);
}

/* ---- the whole ---- */

void check_config(const struct config *config, struct error_list *errors)
{
	if (config->n_uplinks == 0)
		error_list_add(errors, 0, "[uplink NAME]: is missing; weft needs at least one");
	if (config->n_networks == 0)
		error_list_add(errors, 0, "[network NAME]: is missing; weft needs at least one");
	check_mode(config, errors);
	for (uint32_t i = 0; i < config->n_uplinks; i++)
		check_uplink(config, i, errors);
	for (uint32_t i = 0; i < config->n_networks; i++)
		check_network(config, i, errors);
	check_number_of_vteps(config, errors);
	check_all_containers(config, errors);
	check_fdb(config, errors);
	virtual_settings_check(config, errors);
}

static void check_list(const struct workers *workers, struct ini_section section,
	const struct lcore_list *lcores, struct error_list *errors)
{
	for (uint16_t i = 0; i < lcores->n; i++)
		check_lcore(workers, section, "lcores", lcores->ids[i], errors);
}

void check_lcores(
	const struct config *config, const struct workers *workers, struct error_list *errors)
{
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		check_lcore(workers, section_of(config, "pipeline", ""), stage_table[stage].name,
			config->pipeline[stage], errors);
	check_list(workers, section_of(config, "steering", ""), &config->steering.lcores, errors);
	check_list(workers, section_of(config, "micro-flows", ""), &config->micro_flows.lcores,
		errors);
	for (uint32_t i = 0; i < config->n_uplinks; i++)
		check_list(workers, section_of(config, "uplink", config->uplinks[i].port.name),
			&config->uplinks[i].lcores, errors);
	for (uint32_t i = 0; i < config->n_containers; i++)
		check_lcore(workers, section_of(config, "port", config->containers[i].port.name),
			"lcore", config->containers[i].lcore, errors);
}
