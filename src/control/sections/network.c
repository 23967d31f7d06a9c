/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/sections/network.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_vxlan.h>

#include "base/array.h"
#include "base/ipv4.h"
#include "control/config.h"
#include "control/keys.h"
#include "control/mode.h"
#include "control/sections/sections.h"
#include "control/sections/uplink.h"

static int read_vtep(const char *word, void *to, struct error *error)
{
	struct network_config *network = to;
	struct address *vtep = &network->vteps[network->n_vteps];

	if (network->n_vteps == CONFIG_NETWORK_VTEPS_MAX)
		return error_set(error, "more than %d VTEPs", CONFIG_NETWORK_VTEPS_MAX);
	if (value_ipv4(NULL, word, vtep, error) != 0)
		return -1;
	if (!ipv4_is_host(address_ipv4(vtep)))
		return error_set(error, "'%s' is no host's address", word);
	network->n_vteps++;
	return 0;
}

static int value_vteps(const struct key *key, const char *value, void *to, struct error *error)
{
	(void)key;
	return value_words(value, read_vtep, to, error);
}

static const struct key network_keys[] = {
	{"vni", value_u32, offsetof(struct network_config, vni), 0, (1 << 24) - 1, KEY_REQUIRED},
	{"udp-port", value_u16, offsetof(struct network_config, udp_port), 1, 65535, 0},
	{"uplink", value_text, offsetof(struct network_config, uplink), 0, PORT_NAME_SIZE, 0},
	{"vteps", value_vteps, 0, 0, 0, KEY_LIST},
	{"vtep-guard", value_bool, offsetof(struct network_config, vtep_guard), 0, 0, 0},
	{"source-guard", value_bool, offsetof(struct network_config, source_guard), 0, 0, 0},
	{"learning", value_bool, offsetof(struct network_config, learning), 0, 0, 0},
	{"ageing", value_u32, offsetof(struct network_config, ageing), 1, 1000000, 0},
	{"addresses", value_u32, offsetof(struct network_config, addresses), 1, 1 << 20, 0},
	{"mtu", value_u16, offsetof(struct network_config, mtu), 68, PORT_MTU_MAX, 0},
	{0},
};

static void read_network(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	struct network_config *network;

	config->networks = array_add(config->networks, &config->n_networks, sizeof(*network));
	network = &config->networks[config->n_networks - 1];
	*network = (struct network_config){.vni = CONFIG_NONE,
		.udp_port = RTE_VXLAN_DEFAULT_PORT,
		.vtep_guard = true,
		.source_guard = true,
		.learning = true,
		.ageing = 300,
		.addresses = 4096};
	snprintf(network->name, sizeof(network->name), "%s", section->name);
	keys_read(network_keys, section, network, errors);
}

/* ---- when the file has been read ---- */

static const struct uplink_config *find_uplink(
	const struct config *config, const struct network_config *network)
{
	for (uint32_t i = 0; i < config->n_uplinks; i++)
		if (network->uplink[0] == '\0' ||
			strcmp(config->uplinks[i].port.name, network->uplink) == 0)
			return &config->uplinks[i];
	return NULL;
}

static bool is_own_address(const struct config *config, const struct address *address)
{
	for (uint32_t i = 0; i < config->n_uplinks; i++)
		if (address_equal(&config->uplinks[i].address, address))
			return true;
	return false;
}

static void check_vtep(const struct config *config, const struct network_config *network,
	uint16_t i, struct error_list *errors)
{
	const struct uplink_config *uplink = find_uplink(config, network);
	const struct address *vtep = &network->vteps[i];
	struct address next_hop;
	char address[ADDRESS_TEXT_SIZE];
	struct error error;

	address_format(vtep, address);
	for (uint16_t j = 0; j < i; j++)
		if (address_equal(&network->vteps[j], vtep)) {
			config_wrong(config, errors, "network", network->name, "vteps", address,
				"%s is given twice", address);
			break;
		}
	if (is_own_address(config, vtep))
		config_wrong(config, errors, "network", network->name, "vteps", address,
			"%s is an uplink's own address", address);
	else if (uplink != NULL && !address_is_none(&uplink->address) &&
		 uplink_next_hop(uplink, vtep, &next_hop, &error) != 0)
		config_wrong(config, errors, "network", network->name, "vteps", address, "%s %s",
			address, error.text);
}

static void check_network_mtu(const struct config *config, const struct network_config *network,
	struct error_list *errors)
{
	const struct uplink_config *uplink = find_uplink(config, network);
	const struct mode *mode = config_first_mode(config);
	uint16_t overhead = mode != NULL && mode->overlay == OVERLAY_NONE
				    ? 0
				    : tunnel_overhead(network_tunnel(network));

	if (uplink != NULL && uplink->port.mtu != 0 && network->mtu > uplink->port.mtu - overhead)
		config_wrong(config, errors, "network", network->name, "mtu", NULL,
			"%u is more than the uplink's %u less %u for the outer headers leaves (%u)",
			network->mtu, uplink->port.mtu, overhead, uplink->port.mtu - overhead);
}

static void check_network(const struct config *config, uint32_t i, struct error_list *errors)
{
	const struct network_config *network = &config->networks[i];

	for (uint32_t j = 0; j < i; j++)
		if (network->vni != CONFIG_NONE && config->networks[j].vni == network->vni) {
			config_wrong(config, errors, "network", network->name, "vni", NULL,
				"network %s has %u already", config->networks[j].name,
				network->vni);
			break;
		}
	if (find_uplink(config, network) == NULL && network->uplink[0] != '\0')
		config_wrong(config, errors, "network", network->name, "uplink", NULL,
			"no uplink is called '%s'", network->uplink);
	for (uint16_t j = 0; j < network->n_vteps; j++)
		check_vtep(config, network, j, errors);
	check_network_mtu(config, network, errors);
	if (i == NETWORKS_MAX)
		config_wrong(config, errors, "network", network->name, NULL, NULL,
			"more than %d networks", NETWORKS_MAX);
}

static void check_number_of_vteps(const struct config *config, struct error_list *errors)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < config->n_networks; i++) {
		const struct network_config *network = &config->networks[i];

		if (n <= REMOTES_MAX && n + network->n_vteps > REMOTES_MAX)
			config_wrong(config, errors, "network", network->name, "vteps", NULL,
				"more than %d VTEPs in all networks", REMOTES_MAX);
		n += network->n_vteps;
	}
}

static void check_networks(const struct config *config, struct error_list *errors)
{
	if (config->n_networks == 0)
		error_list_add(errors, 0, "[network NAME]: is missing; weft needs at least one");
	for (uint32_t i = 0; i < config->n_networks; i++)
		check_network(config, i, errors);
	check_number_of_vteps(config, errors);
}

enum tunnel_kind network_tunnel(const struct network_config *network)
{
	(void)network; /* there is one kind */
	return TUNNEL_VXLAN;
}

const struct network_config *config_network(const struct config *config, const char *name)
{
	for (uint32_t i = 0; i < config->n_networks; i++)
		if (strcmp(config->networks[i].name, name) == 0)
			return &config->networks[i];
	return NULL;
}

bool network_lists_vtep(const struct network_config *network, const struct address *vtep)
{
	for (uint16_t i = 0; i < network->n_vteps; i++)
		if (address_equal(&network->vteps[i], vtep))
			return true;
	return false;
}

static void free_networks(struct config *config)
{
	free(config->networks);
}

const struct section_kind network_section = {.name = "network",
	.names = "NAME",
	.most = NETWORKS_MAX + 1, /* the last is what is wrong */
	.read = read_network,
	.check = check_networks,
	.free = free_networks};
