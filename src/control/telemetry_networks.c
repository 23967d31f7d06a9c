/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/telemetry_networks.h"

#include <stdio.h>
#include <string.h>

#include "control/answer.h"
#include "control/overlay.h"
#include "control/sections/fdb.h"

/* An answer holds 16 KB of JSON; these many rows fit. */
#define NETWORKS_PAGE 32
#define FDB_PAGE 96
#define NEIGHBOURS_PAGE 96

/* ---- show ---- */

static void add_network(const struct control *control, struct answer_list *list, uint16_t index)
{
	const struct network_state *state = &control->networks.list[index];
	const struct fdb_network *fdb = &control->fdb.networks[index];
	const struct network_config *config = state->config;
	struct rte_tel_data *row = answer_add_row(list);

	answer_add_text(row, "name", config->name);
	rte_tel_data_add_dict_u64(row, "vni", config->vni);
	rte_tel_data_add_dict_u64(row, "udp_port", config->udp_port);
	answer_add_text(row, "uplink", control->ports.list[state->uplink]->config.name);
	rte_tel_data_add_dict_u64(row, "mtu", state->mtu);
	rte_tel_data_add_dict_u64(row, "ports", networks_count_ports(&control->networks, index));
	rte_tel_data_add_dict_u64(row, "vteps", config->n_vteps);
	rte_tel_data_add_dict_u64(row, "learning", config->learning);
	rte_tel_data_add_dict_u64(row, "ageing", config->ageing);
	rte_tel_data_add_dict_u64(row, "vtep_guard", config->vtep_guard);
	rte_tel_data_add_dict_u64(row, "source_guard", config->source_guard);
	rte_tel_data_add_dict_u64(row, "addresses", fdb->n_learned);
	rte_tel_data_add_dict_u64(row, "addresses_max", config->addresses);
	rte_tel_data_add_dict_u64(row, "refused", fdb->refused);
}

void telemetry_show_networks(struct control *control, struct request *request)
{
	struct answer_list list = answer_start_list(request);
	uint32_t end = control->networks.n;

	for (uint32_t i = answer_first_row(request->parameters, end); i < end; i++) {
		if (answer_is_full(&list, NETWORKS_PAGE, request, i))
			return;
		add_network(control, &list, i);
	}
}

static void add_entry(const struct control *control, struct answer_list *list, uint64_t key,
	const union fdb_value *value)
{
	struct rte_tel_data *row = answer_add_row(list);
	struct rte_ether_addr mac;

	memcpy(&mac, &key, sizeof(mac));
	answer_add_text(row, "network", networks_name(&control->networks, key >> 48));
	answer_add_mac(row, "mac", &mac);
	if (place_is_remote(value->place)) {
		answer_add_address(row, "to",
			remotes_address(&control->remotes, value->place & ~PLACE_REMOTE));
	} else {
		answer_add_text(row, "to", control->ports.list[value->place]->config.name);
	}
	answer_add_text(row, "kind", value->fixed ? "static" : "learned");
	rte_tel_data_add_dict_u64(
		row, "age", value->fixed ? 0 : control_now_seconds(control) - value->heard);
}

/* Whether the text begins with the network's name and a comma, or is it, or names none. */
static bool names_network(const char *text, const char *name)
{
	size_t length = strcspn(text, ",");

	return length == 0 || (strlen(name) == length && strncmp(name, text, length) == 0);
}

/* "NETWORK", "NETWORK,NEXT" or ",NEXT". What is next is the hash table's to know. */
void telemetry_show_fdb(struct control *control, struct request *request)
{
	const char *comma = strchr(request->parameters, ',');
	uint32_t next = comma != NULL ? answer_first_row(comma + 1, UINT32_MAX) : 0;
	struct answer_list list = answer_start_list(request);
	const void *key;
	union fdb_value value;

	while (rte_hash_iterate(control->fdb.hash, &key, &value.word, &next) >= 0) {
		uint64_t entry = *(const uint64_t *)key;

		if (!names_network(
			    request->parameters, networks_name(&control->networks, entry >> 48)))
			continue;
		add_entry(control, &list, entry, &value);
		if (answer_is_full(&list, FDB_PAGE, request, next))
			return;
	}
}

void telemetry_show_neighbours(struct control *control, struct request *request)
{
	struct answer_list list = answer_start_list(request);
	uint32_t end = control->neighbours.n;

	for (uint32_t i = answer_first_row(request->parameters, end); i < end; i++) {
		const struct neighbour *neighbour = &control->neighbours.list[i];
		struct rte_tel_data *row;

		if (answer_is_full(&list, NEIGHBOURS_PAGE, request, i))
			return;
		row = answer_add_row(&list);
		answer_add_address(row, "address", &neighbour->address);
		answer_add_text(row, "uplink", control->ports.list[neighbour->uplink]->config.name);
		answer_add_mac(row, "mac", &neighbour->mac);
		answer_add_text(row, "state", neighbour_state_name(neighbour->state));
	}
}

/* ---- changes ---- */

/* Splits "a,b,c" in place; returns how many parts there are, at most n. */
static int split(char *text, char **parts, int n)
{
	int i = 0;

	while (i < n && text != NULL)
		parts[i++] = strsep(&text, ",");
	return i;
}

void telemetry_add_entry(struct control *control, struct request *request)
{
	char copy[256], *parts[3];
	struct fdb_config entry;
	struct error error;

	snprintf(copy, sizeof(copy), "%s", request->parameters);
	if (split(copy, parts, 3) != 3)
		error_set(&error, "fdb add takes a network, an address and a VTEP or 'port NAME'");
	else if (config_read_fdb(parts[0], parts[1], parts[2], &entry, &error) == 0 &&
		 overlay_add_entry(control, &entry, &error) == 0)
		return answer_done(request, "added", parts[1]);
	answer_error(request, &error);
}

static bool is_port_mac(
	const struct control *control, uint16_t network, const struct rte_ether_addr *mac)
{
	for (uint16_t i = 0; i < PORTS_MAX; i++)
		if (control->ports.list[i] != NULL && control->ports.list[i]->network == network &&
			rte_is_same_ether_addr(&control->ports.list[i]->mac, mac))
			return true;
	return false;
}

static int delete_entry(
	struct control *control, const char *network, const char *address, struct error *error)
{
	uint16_t index = networks_find(&control->networks, network);
	struct rte_ether_addr mac;

	if (rte_ether_unformat_addr(address, &mac) != 0)
		return error_set(error, "fdb del takes a network and an Ethernet address such as "
					"02:00:00:00:00:01");
	if (index == NETWORK_NONE)
		return error_set(error, "no network is called '%s'", network);
	if (is_port_mac(control, index, &mac))
		return error_set(
			error, "%s is a port's own address; `port del` removes both", address);
	if (fdb_delete(&control->fdb, index, &mac) != 0)
		return error_set(error, "network %s has no address %s", network, address);
	return 0;
}

void telemetry_delete_entry(struct control *control, struct request *request)
{
	char copy[256], *parts[2] = {"", ""};
	struct error error;

	snprintf(copy, sizeof(copy), "%s", request->parameters);
	split(copy, parts, 2);
	if (delete_entry(control, parts[0], parts[1], &error) != 0)
		return answer_error(request, &error);
	answer_done(request, "deleted", parts[1]);
}
