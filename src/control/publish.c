/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/publish.h"

#include <rte_malloc.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

/* ---- networks ---- */

static uint16_t count_places(const struct control *control, uint16_t network)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < PORTS_MAX; i++)
		n += control->ports[i] != NULL && !control->ports[i]->uplink &&
		     control->ports[i]->network == network;
	for (uint16_t i = 0; i < control->n_remotes; i++)
		n += control->remotes[i].network == network && control->remotes[i].listed;
	return n;
}

static void fill_places(const struct control *control, uint16_t index, struct network *network)
{
	network->wire_port = PLACE_NONE;
	network->wire_remote = PLACE_NONE;
	for (uint16_t i = 0; i < PORTS_MAX; i++) {
		const struct port *port = control->ports[i];

		if (port == NULL || port->uplink || port->network != index)
			continue;
		network->places[network->n_places++] = i;
		network->wire_port = i;
	}
	for (uint16_t i = 0; i < control->n_remotes; i++) {
		const struct remote_state *remote = &control->remotes[i];

		if (remote->network != index || !remote->listed)
			continue;
		network->places[network->n_places++] = PLACE_REMOTE | i;
		if (network->wire_remote == PLACE_NONE)
			network->wire_remote = PLACE_REMOTE | i;
	}
}

/* A notice for each address about eight times in its life keeps it from ageing. */
static uint32_t refresh_interval(uint32_t ageing)
{
	return ageing >= 8 ? ageing / 8 : 1;
}

static struct network *build_network(const struct control *control, uint16_t index)
{
	const struct network_state *state = &control->networks[index];
	uint16_t n = count_places(control, index);
	struct network *network = rte_zmalloc(
		"network", sizeof(*network) + n * sizeof(network->places[0]), RTE_CACHE_LINE_SIZE);

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
	fill_places(control, index, network);
	return network;
}

static int build_networks(const struct control *control, struct tables *tables)
{
	tables->n_networks = control->n_networks;
	tables->networks_by_vni = control->networks_by_vni;
	for (uint16_t i = 0; i < control->n_networks; i++) {
		uint16_t udp_port = control->networks[i].config->udp_port;

		tables->networks[i] = build_network(control, i);
		if (tables->networks[i] == NULL)
			return -1;
		tables->udp_ports[udp_port / 64] |= 1ULL << (udp_port % 64);
	}
	return 0;
}

/* ---- remotes ---- */

#define DEFAULT_TTL 64

static void build_header(
	const struct control *control, const struct remote_state *state, struct remote *remote)
{
	const struct network_state *network = &control->networks[state->network];
	struct rte_ether_hdr *ether = (void *)remote->header;
	struct rte_ipv4_hdr *ip = (void *)(ether + 1);
	struct rte_udp_hdr *udp = (void *)(ip + 1);
	struct rte_vxlan_hdr *vxlan = (void *)(udp + 1);

	static_assert(
		sizeof(*ether) + sizeof(*ip) + sizeof(*udp) + sizeof(*vxlan) == VXLAN_OVERHEAD,
		"the outer headers");
	ether->dst_addr = control->neighbours.list[state->neighbour].mac;
	ether->src_addr = control->ports[network->uplink]->mac;
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	/* Never fragmented on the way (RFC 7348, 4.3), so the zero identification does no harm. */
	ip->fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	ip->time_to_live = DEFAULT_TTL;
	ip->next_proto_id = IPPROTO_UDP;
	ip->src_addr = control->config->uplinks[network->uplink].address;
	ip->dst_addr = state->address;
	udp->dst_port = rte_cpu_to_be_16(network->config->udp_port);
	vxlan->vx_flags = RTE_BE32(0x08000000);
	vxlan->vx_vni = rte_cpu_to_be_32(network->config->vni << 8);
}

/* A remote is immutable once published: it is made anew when it has changed. */
static int build_remote(struct control *control, struct remote_state *state)
{
	bool resolved = control->neighbours.list[state->neighbour].state != NEIGHBOUR_UNRESOLVED;
	struct remote *remote = rte_zmalloc("remote", sizeof(*remote), RTE_CACHE_LINE_SIZE);

	if (remote == NULL)
		return -1;
	remote->address = state->address;
	remote->network = state->network;
	remote->listed = state->listed;
	remote->resolved = resolved;
	build_header(control, state, remote);
	if (state->published != NULL)
		deferred_add(&control->deferred, rte_free, state->published);
	state->published = remote;
	return 0;
}

static bool remote_is_current(const struct control *control, const struct remote_state *state)
{
	const struct neighbour *neighbour = &control->neighbours.list[state->neighbour];
	const struct remote *remote = state->published;

	return remote != NULL && remote->resolved == (neighbour->state != NEIGHBOUR_UNRESOLVED) &&
	       rte_is_same_ether_addr(
		       (const struct rte_ether_addr *)remote->header, &neighbour->mac);
}

static int build_remotes(struct control *control, struct tables *tables)
{
	tables->remotes_by_address = control->remotes_by_address;
	for (uint16_t i = 0; i < control->n_remotes; i++) {
		struct remote_state *state = &control->remotes[i];

		if (!remote_is_current(control, state) && build_remote(control, state) != 0)
			return -1;
		tables->remotes[i] = state->published;
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
		const struct port *uplink = control->ports[i];

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
	uint16_t n = 0;

	tables->n_uplinks = control->config->n_uplinks;
	tables->wire_port = PLACE_NONE;
	for (uint16_t i = 0; i < PORTS_MAX; i++) {
		tables->ports[i] = control->ports[i];
		if (control->ports[i] != NULL && !control->ports[i]->uplink)
			tables->wire_port = i;
	}
	for (uint16_t lcore = 0; lcore < control->dataplane->n_lcores; lcore++) {
		tables->owned_begin[lcore] = n;
		for (uint16_t i = 0; i < PORTS_MAX; i++)
			if (control->ports[i] != NULL)
				n = add_owned(tables, n, control->ports[i], lcore);
	}
	tables->owned_begin[control->dataplane->n_lcores] = n;
}

bool publish_coalesces(const struct control *control)
{
	if (!control->config->weft.gro)
		return false;
	for (uint16_t i = 0; i < PORTS_MAX; i++)
		if (control->ports[i] != NULL && !control->ports[i]->uplink &&
			port_takes_large_segments(control->ports[i]))
			return true;
	return false;
}

static size_t count_queues(const struct control *control)
{
	size_t n = 0;

	for (uint16_t i = 0; i < PORTS_MAX; i++)
		if (control->ports[i] != NULL)
			n += control->ports[i]->n_queues;
	return n;
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
		sizeof(*tables) + count_queues(control) * sizeof(tables->owned[0]),
		RTE_CACHE_LINE_SIZE);
	struct tables *old;

	if (tables == NULL)
		return error_set(error, "not enough memory for the tables; give EAL more (-m)");
	tables->fdb = control->fdb.hash;
	tables->coalesce = publish_coalesces(control);
	tables->newest_port = control->n_ports_ever;
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
