/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/overlay.h"

#include <arpa/inet.h>

#include "control/fdb.h"
#include "control/remotes.h"

/* ---- entries of the FDB ---- */

static uint16_t place_of(
	const struct control *control, const struct fdb_config *entry, uint16_t network)
{
	const struct port *port = control_port(control, entry->port);

	if (entry->port[0] != '\0')
		return port != NULL && !port->uplink && port->network == network ? port->index
										 : PLACE_NONE;
	for (uint16_t i = 0; i < control->n_remotes; i++)
		if (control->remotes[i].network == network &&
			control->remotes[i].address == entry->vtep)
			return PLACE_REMOTE | i;
	return PLACE_NONE;
}

static int unknown_place(const struct fdb_config *entry, struct error *error)
{
	char vtep[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &entry->vtep, vtep, sizeof(vtep));
	if (entry->port[0] != '\0')
		return error_set(error, RTE_ETHER_ADDR_PRT_FMT ": network %s has no port '%s'",
			RTE_ETHER_ADDR_BYTES(&entry->mac), entry->network, entry->port);
	return error_set(error,
		RTE_ETHER_ADDR_PRT_FMT ": %s is no VTEP in the 'vteps' of network %s",
		RTE_ETHER_ADDR_BYTES(&entry->mac), vtep, entry->network);
}

int overlay_add_entry(struct control *control, const struct fdb_config *entry, struct error *error)
{
	uint16_t network = control_network(control, entry->network);
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
		return (place & ~PLACE_REMOTE) < control->n_remotes;
	return control->ports[place] != NULL && control->ports[place]->network == network;
}

void overlay_heard(struct control *control, const struct notice *notice)
{
	struct address address;
	struct error error;

	switch (notice->kind) {
	case NOTICE_ADDRESS:
		/* The notice may have waited while its port was removed. */
		if (place_exists(control, notice->network, notice->place))
			fdb_heard(&control->fdb, notice->network, &notice->mac, notice->place,
				control_now_ms(control));
		break;
	case NOTICE_NEIGHBOUR:
		address = address_of_ipv4(notice->address);
		control->changed |= neighbours_heard(&control->neighbours, notice->place, &address,
			&notice->mac, control_now_ms(control));
		break;
	case NOTICE_REMOTE:
		/* No route, or no room: then it is heard, but its addresses are not learned. */
		remote_add(control, notice->network, notice->address, false, &error);
		break;
	}
}
