/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/networks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <rte_lcore.h>
#include <rte_malloc.h>

#include "base/log.h"
#include "stages/tables.h"

#define VNI_BUCKET_ENTRIES 8

/* Buckets of eight, 8192 of them: that nine of 4096 VNIs meet in one happens to one set of VNIs in
 * 30,000. */
int networks_create(struct networks *networks, struct error *error)
{
	struct rte_fbk_hash_params parameters = {
		.name = "weft_vnis",
		.entries = 16 * NETWORKS_MAX,
		.entries_per_bucket = VNI_BUCKET_ENTRIES,
		.socket_id = rte_socket_id(),
	};

	networks->by_vni = rte_fbk_hash_create(&parameters);
	if (networks->by_vni == NULL)
		return error_set(error, "not enough memory; give EAL more (-m, huge pages)");
	return 0;
}

void networks_free(struct networks *networks)
{
	for (uint16_t i = 0; i < networks->n; i++)
		free(networks->list[i].places);
	rte_fbk_hash_free(networks->by_vni);
}

/* The outer Ethernet header is not part of the uplink's MTU, but the inner one is: so what the
 * outer headers take away is just their size. */
static int choose_mtu(
	struct network_state *state, const struct network_room *room, struct error *error)
{
	uint16_t most = room->uplink_mtu - room->overhead;

	state->mtu = state->config->mtu == 0 ? most : state->config->mtu;
	if (state->mtu > most)
		return error_set(error,
			"mtu: %u is more than the uplink's %u less %u for the outer headers leaves "
			"(%u)",
			state->mtu, room->uplink_mtu, room->overhead, most);
	return 0;
}

int networks_add(struct networks *networks, const struct network_config *config,
	const struct network_room *room, struct error *error)
{
	struct network_state *state = &networks->list[networks->n];

	*state = (struct network_state){.config = config, .uplink = room->uplink};
	if (rte_fbk_hash_lookup(networks->by_vni, config->vni) >= 0)
		return error_set(error, "vni: another network has %u already", config->vni);
	if (choose_mtu(state, room, error) != 0)
		return -1;
	if (rte_fbk_hash_add_key(networks->by_vni, config->vni, networks->n) != 0)
		return error_set(
			error, "vni: the table of networks has no room for %u", config->vni);
	RTE_LOG(NOTICE, weft, "network %s: containers may use an MTU of %u\n", config->name,
		state->mtu);
	return networks->n++;
}

uint16_t networks_find(const struct networks *networks, const char *name)
{
	for (uint16_t i = 0; i < networks->n; i++)
		if (strcmp(networks->list[i].config->name, name) == 0)
			return i;
	return NETWORK_NONE;
}

const char *networks_name(const struct networks *networks, uint16_t index)
{
	assert(index == NETWORK_NONE || index < networks->n);
	return index == NETWORK_NONE ? "" : networks->list[index].config->name;
}

/* ---- places ---- */

/* Where the place is, or would be. */
static uint16_t position(const struct network_state *state, uint16_t place)
{
	uint16_t begin = 0, end = state->n_places;

	while (begin < end) {
		uint16_t middle = (begin + end) / 2;

		if (state->places[middle] < place)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin;
}

static void make_room(struct network_state *state)
{
	if (state->n_places < state->room)
		return;
	state->room = state->room == 0 ? 8 : 2 * state->room;
	state->places = realloc(state->places, state->room * sizeof(state->places[0]));
	if (state->places == NULL)
		abort();
}

void networks_add_place(struct networks *networks, uint16_t index, uint16_t place)
{
	struct network_state *state = &networks->list[index];
	uint16_t at = position(state, place);

	make_room(state);
	memmove(&state->places[at + 1], &state->places[at],
		(state->n_places - at) * sizeof(state->places[0]));
	state->places[at] = place;
	state->n_places++;
}

void networks_remove_place(struct networks *networks, uint16_t index, uint16_t place)
{
	struct network_state *state = &networks->list[index];
	uint16_t at = position(state, place);

	assert(at < state->n_places && state->places[at] == place);
	state->n_places--;
	memmove(&state->places[at], &state->places[at + 1],
		(state->n_places - at) * sizeof(state->places[0]));
}

uint16_t networks_count_ports(const struct networks *networks, uint16_t index)
{
	return position(&networks->list[index], PLACE_REMOTE);
}

/* ---- what lcores see ---- */

/* A notice for each address about eight times in its life keeps it from ageing. */
static uint32_t refresh_interval(uint32_t ageing)
{
	return ageing >= 8 ? ageing / 8 : 1;
}

/* Container ports stand before VTEPs. Modes without a bridge go to the last port and to the first
 * VTEP. */
static void fill_places(const struct network_state *state, struct network *network)
{
	uint16_t n_ports = position(state, PLACE_REMOTE);

	network->n_places = state->n_places;
	network->wire_port = n_ports > 0 ? state->places[n_ports - 1] : PLACE_NONE;
	network->wire_remote = n_ports < state->n_places ? state->places[n_ports] : PLACE_NONE;
	if (state->n_places > 0)
		memcpy(network->places, state->places, state->n_places * sizeof(state->places[0]));
}

struct network *networks_build(const struct networks *networks, uint16_t index)
{
	const struct network_state *state = &networks->list[index];
	struct network *network = rte_zmalloc("network",
		sizeof(*network) + state->n_places * sizeof(network->places[0]),
		RTE_CACHE_LINE_SIZE);

	if (network == NULL)
		return NULL;
	network->vni = state->config->vni;
	network->udp_port = state->config->udp_port;
	network->uplink = state->uplink;
	network->mtu = state->mtu;
	network->learning = state->config->learning;
	network->vtep_guard = state->config->vtep_guard;
	network->source_guard = state->config->source_guard;
	network->refresh = refresh_interval(state->config->ageing);
	fill_places(state, network);
	return network;
}
