/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/overlay.h"

#include "control/fdb.h"
#include "control/sections/network.h"
#include "control/sections/uplink.h"

/* ---- VTEPs ---- */

/* The neighbour on the way to a VTEP. */
static int add_next_hop(struct control *control, uint16_t uplink, const struct address *address,
	struct error *error)
{
	struct address hop;

	if (uplink_next_hop(&control->config->uplinks[uplink], address, &hop, error) != 0)
		return -1;
	return neighbours_add(&control->neighbours, uplink, &hop, error);
}

static int try_to_add_vtep(struct control *control, uint16_t network, const struct address *address,
	bool listed, struct error *error)
{
	uint16_t uplink = control->networks.list[network].uplink;
	int neighbour, index;

	if (address_equal(address, &control->config->uplinks[uplink].address))
		return error_set(error, "is the uplink's own address");
	if (remotes_check(&control->remotes, network, address, error) != 0)
		return -1;
	neighbour = add_next_hop(control, uplink, address, error);
	if (neighbour < 0)
		return -1;
	index = remotes_add(&control->remotes, network, address, neighbour, listed, error);
	if (index < 0)
		return -1;
	if (listed)
		networks_add_place(&control->networks, network, PLACE_REMOTE | index);
	control->changed = true;
	return 0;
}

/* A VTEP of a network; listed ones get what is flooded, others were only heard. */
static int add_vtep(struct control *control, uint16_t network, const struct address *address,
	bool listed, struct error *error)
{
	char text[ADDRESS_TEXT_SIZE];

	if (try_to_add_vtep(control, network, address, listed, error) == 0)
		return 0;
	return error_prefix(error, "%s ", address_format(address, text));
}

/* ---- networks ---- */

static int find_uplink(const struct config *config, const char *name, struct error *error)
{
	if (name[0] == '\0')
		return 0;
	for (uint32_t i = 0; i < config->n_uplinks; i++)
		if (strcmp(config->uplinks[i].port.name, name) == 0)
			return i;
	return error_set(error, "uplink: no uplink is called '%s'", name);
}

/* Without an overlay there are no outer headers. */
static uint16_t overhead(const struct control *control, const struct network_config *config)
{
	return control->dataplane->plan->mode->overlay == OVERLAY_NONE
		       ? 0
		       : tunnel_overhead(network_tunnel(config));
}

static int add_vteps(struct control *control, uint16_t network, struct error *error)
{
	const struct network_config *config = control->networks.list[network].config;

	for (uint16_t i = 0; i < config->n_vteps; i++)
		if (add_vtep(control, network, &config->vteps[i], true, error) != 0)
			return error_prefix(error, "vteps: ");
	return 0;
}

int overlay_add_network(
	struct control *control, const struct network_config *config, struct error *error)
{
	int uplink = find_uplink(control->config, config->uplink, error);
	struct network_room room;
	int network;

	if (uplink < 0)
		return -1;
	room = (struct network_room){.uplink = uplink,
		.uplink_mtu = control->ports.list[uplink]->mtu,
		.overhead = overhead(control, config)};
	network = networks_add(&control->networks, config, &room, error);
	if (network < 0)
		return -1;
	fdb_add_network(&control->fdb, network, config->name, config->ageing, config->addresses);
	return add_vteps(control, network, error);
}

/* ---- entries of the FDB ---- */

static uint16_t place_of(
	const struct control *control, const struct fdb_config *entry, uint16_t network)
{
	const struct port *port = ports_find(&control->ports, entry->port);
	int remote;

	if (entry->port[0] != '\0')
		return port != NULL && port->network == network ? port->index : PLACE_NONE;
	remote = remotes_find(&control->remotes, network, &entry->vtep);
	return remote < 0 ? PLACE_NONE : PLACE_REMOTE | remote;
}

static int unknown_place(const struct fdb_config *entry, struct error *error)
{
	char text[ADDRESS_TEXT_SIZE];

	if (entry->port[0] != '\0')
		return error_set(error, RTE_ETHER_ADDR_PRT_FMT ": network %s has no port '%s'",
			RTE_ETHER_ADDR_BYTES(&entry->mac), entry->network, entry->port);
	return error_set(error,
		RTE_ETHER_ADDR_PRT_FMT ": %s is no VTEP in the 'vteps' of network %s",
		RTE_ETHER_ADDR_BYTES(&entry->mac), address_format(&entry->vtep, text),
		entry->network);
}

int overlay_add_entry(struct control *control, const struct fdb_config *entry, struct error *error)
{
	uint16_t network = networks_find(&control->networks, entry->network);
	uint16_t place;

	if (network == NETWORK_NONE)
		return error_set(error, "no network is called '%s'", entry->network);
	place = place_of(control, entry, network);
	if (place == PLACE_NONE)
		return unknown_place(entry, error);
	return fdb_add_static(&control->fdb, network, &entry->mac, place, error);
}

/* ---- notices ---- */

static bool place_exists(const struct control *control, uint16_t network, uint16_t place)
{
	if (place_is_remote(place))
		return (place & ~PLACE_REMOTE) < control->remotes.n;
	return ports_has(&control->ports, network, place);
}

void overlay_heard(struct control *control, const struct notice *notice)
{
	struct error error;

	switch (notice->kind) {
	case NOTICE_ADDRESS:
		/* The notice may have waited while its port was removed. */
		if (place_exists(control, notice->network, notice->place))
			fdb_heard(&control->fdb, notice->network, &notice->mac, notice->place,
				control_now_ms(control));
		break;
	case NOTICE_NEIGHBOUR:
		control->changed |= neighbours_heard(&control->neighbours, notice->place,
			&notice->address, &notice->mac, control_now_ms(control));
		break;
	case NOTICE_REMOTE:
		/* No route, or no room: then it is heard, but its addresses are not learned. */
		add_vtep(control, notice->network, &notice->address, false, &error);
		break;
	}
}
