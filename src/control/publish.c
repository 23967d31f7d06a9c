/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/publish.h"

#include <string.h>

#include <rte_malloc.h>

#include "control/sections/network.h"

/* ---- networks ---- */

static int build_networks(const struct control *control, struct tables *tables)
{
	tables->n_networks = control->networks.n;
	tables->networks_by_vni = control->networks.by_vni;
	for (uint16_t i = 0; i < control->networks.n; i++) {
		uint16_t udp_port = control->networks.list[i].config->udp_port;

		tables->networks[i] = networks_build(&control->networks, i);
		if (tables->networks[i] == NULL)
			return -1;
		tables->udp_ports[udp_port / 64] |= 1ULL << (udp_port % 64);
	}
	return 0;
}

/* ---- remotes ---- */

static void build_tunnel(
	const struct control *control, const struct remote_state *state, struct tunnel *tunnel)
{
	const struct network_state *network = &control->networks.list[state->network];
	const struct tunnel_ends ends = {
		.local_mac = control->ports.list[network->uplink]->mac,
		.next_hop_mac = control->neighbours.list[state->neighbour].mac,
		.local = control->config->uplinks[network->uplink].address,
		.remote = control->remotes.vteps[state->vtep].address,
		.udp_port = network->config->udp_port,
		.vni = network->config->vni,
	};

	tunnel_build(network_tunnel(network->config), &ends, tunnel);
}

static void build_remote(const struct control *control, uint16_t index, struct remote *remote)
{
	const struct remote_state *state = &control->remotes.list[index];
	const struct neighbour *neighbour = &control->neighbours.list[state->neighbour];

	/* Compared as bytes. */
	memset(remote, 0, sizeof(*remote));
	remote->vtep = state->vtep;
	remote->network = state->network;
	remote->listed = state->listed;
	remote->resolved = neighbour->state != NEIGHBOUR_UNRESOLVED;
	build_tunnel(control, state, &remote->tunnel);
}

static int build_remotes(struct control *control, struct tables *tables)
{
	struct remote remote;

	tables->remotes_by_address = control->remotes.by_address;
	for (uint16_t i = 0; i < control->remotes.n; i++) {
		build_remote(control, i, &remote);
		tables->remotes[i] =
			remotes_publish(&control->remotes, i, &remote, &control->deferred);
		if (tables->remotes[i] == NULL)
			return -1;
	}
	return 0;
}

/* ---- ports ---- */

static uint16_t exit_queue(const struct port *uplink, uint16_t lcore)
{
	for (uint16_t queue = 0; queue < uplink->n_queues; queue++)
		if (uplink->queues[queue].owner == lcore)
			return queue;
	return lcore % uplink->n_queues;
}

/* An lcore that owns a queue of the uplink sends by it; the others hand over to an owner. */
static void build_exits(const struct control *control, struct tables *tables)
{
	for (uint16_t i = 0; i < tables->n_uplinks; i++) {
		const struct port *uplink = control->ports.list[i];

		tables->uplinks[i] = i;
		tables->uplink_addresses[i] = control->config->uplinks[i].address;
		for (uint16_t lcore = 0; lcore <= control->dataplane->n_lcores; lcore++) {
			uint16_t queue = exit_queue(uplink, lcore);

			tables->exits[i][lcore] =
				(struct uplink_exit){uplink->queues[queue].owner, queue};
		}
	}
}

static uint16_t add_owned(struct tables *tables, uint16_t n, struct port *port, uint16_t lcore)
{
	for (uint16_t queue = 0; queue < port->n_queues; queue++)
		if (port->queues[queue].owner == lcore)
			tables->owned[n++] = (struct owned_queue){port, queue};
	return n;
}

static void build_ports(const struct control *control, struct tables *tables)
{
	const struct ports *ports = &control->ports;
	uint16_t n = 0;

	tables->n_uplinks = ports->n_uplinks;
	tables->newest_port = ports->n_ever;
	tables->wire_port = PLACE_NONE;
	memcpy(tables->ports, ports->list, sizeof(tables->ports));
	for (uint16_t i = ports->n_uplinks; i < PORTS_MAX; i++)
		if (ports->list[i] != NULL)
			tables->wire_port = i;
	for (uint16_t lcore = 0; lcore < control->dataplane->n_lcores; lcore++) {
		tables->owned_begin[lcore] = n;
		for (uint16_t i = 0; i < PORTS_MAX; i++)
			if (ports->list[i] != NULL)
				n = add_owned(tables, n, ports->list[i], lcore);
	}
	tables->owned_begin[control->dataplane->n_lcores] = n;
}

bool publish_coalesces(const struct control *control)
{
	return control->config->weft.gro && ports_take_large_segments(&control->ports);
}

/* ---- the whole ---- */

void publish_free(void *argument)
{
	struct tables *tables = argument;

	for (uint16_t i = 0; i < tables->n_networks; i++)
		rte_free(tables->networks[i]);
	rte_free(tables);
}

int publish_tables(struct control *control, struct error *error)
{
	struct tables *tables = rte_zmalloc("tables",
		sizeof(*tables) + ports_count_queues(&control->ports) * sizeof(tables->owned[0]),
		RTE_CACHE_LINE_SIZE);
	struct tables *old;

	if (tables == NULL)
		return error_set(error, "not enough memory for the tables; give EAL more (-m)");
	tables->fdb = control->fdb.hash;
	tables->coalesce = publish_coalesces(control);
	build_ports(control, tables);
	build_exits(control, tables);
	if (build_networks(control, tables) != 0 || build_remotes(control, tables) != 0) {
		publish_free(tables);
		return error_set(error, "not enough memory for the tables; give EAL more (-m)");
	}
	old = dataplane_publish(control->dataplane, tables);
	if (old != NULL)
		deferred_add(&control->deferred, publish_free, old);
	control->changed = false;
	deferred_begin(&control->deferred, control->dataplane->rcu);
	return 0;
}
