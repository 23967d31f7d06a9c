/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/sections/uplink.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/ipv4.h"
#include "control/config.h"
#include "control/keys.h"
#include "control/sections/lcores.h"
#include "control/sections/sections.h"

static int value_prefix(const struct key *key, const char *value, void *to, struct error *error)
{
	struct uplink_config *uplink = to;
	char address[INET_ADDRSTRLEN];
	const char *slash = strchr(value, '/');
	struct address host;
	uint64_t prefix;

	if (slash == NULL || slash - value >= (int)sizeof(address) ||
		parse_number(slash + 1, 1, 32, &prefix) != 0)
		return error_set(
			error, "'%s' is no address with its prefix such as 192.0.2.1/24", value);
	snprintf(address, sizeof(address), "%.*s", (int)(slash - value), value);
	if (value_ipv4(key, address, &host, error) != 0)
		return -1;
	if (!ipv4_is_host(address_ipv4(&host)))
		return error_set(error, "'%s' is no host's address", value);
	uplink->address = host;
	uplink->prefix = prefix;
	return 0;
}

/* 0.0.0.0 is none. */
static int value_gateway(const struct key *key, const char *value, void *to, struct error *error)
{
	const struct address zero = address_of_ipv4(0);
	struct address *gateway = to;

	if (value_ipv4(key, value, gateway, error) != 0)
		return -1;
	if (address_equal(gateway, &zero))
		*gateway = (struct address){.words = {0, 0}};
	return 0;
}

#define PORT(field) (offsetof(struct uplink_config, port) + offsetof(struct port_config, field))
static const struct key uplink_keys[] = {
	{"interface", value_text, PORT(interface), 0, 16, 0},
	{"device", value_device, PORT(device), 0, PORT_DEVICE_SIZE, 0},
	{"address", value_prefix, 0, 0, 0, KEY_REQUIRED},
	{"gateway", value_gateway, offsetof(struct uplink_config, gateway), 0, 0, 0},
	{"mac", value_mac, PORT(mac), 0, 0, 0},
	{"mtu", value_u16, PORT(mtu), 128, PORT_MTU_MAX, 0},
	{"queues", value_u16, PORT(queues), 1, PORT_QUEUES_MAX, 0},
	{"lcores", value_lcores, offsetof(struct uplink_config, lcores), 0, 0, KEY_LIST},
	{"ring-size", value_u16, PORT(ring_size), 32, 32768, 0},
	{0},
};
#undef PORT

static bool is_af_packet(const char *device)
{
	return strncmp(device, "net_af_packet", strlen("net_af_packet")) == 0 ||
	       strncmp(device, "eth_af_packet", strlen("eth_af_packet")) == 0;
}

/* DPDK's driver hides losses and a link that is down (docs/design/ports.md): who asks for it gets
 * ours. */
static void replace_af_packet(
	struct port_config *port, const struct ini_section *section, struct error_list *errors)
{
	const char *interface = strstr(port->device, ",iface=");
	size_t length = 0;

	if (interface != NULL) {
		interface += strlen(",iface=");
		length = strcspn(interface, ",");
	}
	if (length == 0 || length >= sizeof(port->interface)) {
		ini_wrong(errors, section, "device", NULL,
			"'%s' names no interface of the kernel's; write interface = eth1 instead",
			port->device);
		return;
	}
	snprintf(port->interface, sizeof(port->interface), "%.*s", (int)length, interface);
	snprintf(port->type, sizeof(port->type), "interface");
	port->device[0] = '\0';
}

static void choose_uplink_type(
	struct port_config *port, const struct ini_section *section, struct error_list *errors)
{
	static const char what[] =
		"an uplink has an interface of the kernel's (interface = eth1) or a device of "
		"DPDK's (device = 0000:3b:00.0)";
	bool interface = keys_given(section, "interface"), device = keys_given(section, "device");

	if (interface && device)
		ini_wrong(errors, section, "device", NULL, "there is an interface, too; %s", what);
	if (!interface && !device)
		ini_wrong(errors, section, "interface", NULL, "is missing; %s", what);
	snprintf(port->type, sizeof(port->type), interface ? "interface" : "uplink");
	if (!interface && is_af_packet(port->device))
		replace_af_packet(port, section, errors);
}

static void read_uplink(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	struct uplink_config *uplink;

	config->uplinks = array_add(config->uplinks, &config->n_uplinks, sizeof(*uplink));
	uplink = &config->uplinks[config->n_uplinks - 1];
	snprintf(uplink->port.name, sizeof(uplink->port.name), "%s", section->name);
	uplink->port.queues = 1;
	keys_read(uplink_keys, section, uplink, errors);
	choose_uplink_type(&uplink->port, section, errors);
}

/* ---- when the file has been read ---- */

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
		config_wrong(config, errors, "uplink", name, "device", NULL,
			"is uplink %s's already", other->port.name);
	if (uplink->port.interface[0] != '\0' &&
		strcmp(uplink->port.interface, other->port.interface) == 0)
		config_wrong(config, errors, "uplink", name, "interface", NULL,
			"is uplink %s's already", other->port.name);
}

static void check_uplink(const struct config *config, uint32_t i, struct error_list *errors)
{
	const struct uplink_config *uplink = &config->uplinks[i];
	const char *name = uplink->port.name;
	bool gateway = !address_is_none(&uplink->gateway);

	if (gateway && !address_is_none(&uplink->address) &&
		!address_in_prefix(&uplink->gateway, &uplink->address, uplink->prefix))
		config_wrong(config, errors, "uplink", name, "gateway", NULL,
			"is outside the prefix of 'address'");
	if (gateway && address_equal(&uplink->gateway, &uplink->address))
		config_wrong(config, errors, "uplink", name, "gateway", NULL,
			"is the uplink's own address");
	for (uint32_t j = 0; j < i; j++)
		check_devices(config, uplink, &config->uplinks[j], errors);
	if (i == UPLINKS_MAX)
		config_wrong(config, errors, "uplink", name, NULL, NULL, "more than %d uplinks",
			UPLINKS_MAX);
}

static void check_uplinks(const struct config *config, struct error_list *errors)
{
	if (config->n_uplinks == 0)
		error_list_add(errors, 0, "[uplink NAME]: is missing; weft needs at least one");
	for (uint32_t i = 0; i < config->n_uplinks; i++)
		check_uplink(config, i, errors);
}

static void check_uplink_lcores(
	const struct config *config, const struct workers *workers, struct error_list *errors)
{
	for (uint32_t i = 0; i < config->n_uplinks; i++)
		lcores_check_list(config, "uplink", config->uplinks[i].port.name,
			&config->uplinks[i].lcores, workers, errors);
}

int uplink_next_hop(const struct uplink_config *uplink, const struct address *vtep,
	struct address *next_hop, struct error *error)
{
	*next_hop = *vtep;
	if (address_in_prefix(vtep, &uplink->address, uplink->prefix))
		return 0;
	*next_hop = uplink->gateway;
	return !address_is_none(&uplink->gateway)
		       ? 0
		       : error_set(error, "is outside uplink %s's prefix, which has no gateway",
				 uplink->port.name);
}

static void free_uplinks(struct config *config)
{
	free(config->uplinks);
}

const struct section_kind uplink_section = {.name = "uplink",
	.names = "NAME",
	.most = UPLINKS_MAX + 1, /* the last is what is wrong */
	.read = read_uplink,
	.check = check_uplinks,
	.check_lcores = check_uplink_lcores,
	.free = free_uplinks};
