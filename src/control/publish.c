/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/publish.h"

#include <rte_malloc.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

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

#define DEFAULT_TTL 64

static void build_header(
	const struct control *control, const struct remote_state *state, struct remote *remote)
{
	const struct network_state *network = &control->networks.list[state->network];
	struct rte_ether_hdr *ether = (void *)remote->header;
	struct rte_ipv4_hdr *ip = (void *)(ether + 1);
	struct rte_udp_hdr *udp = (void *)(ip + 1);
	struct rte_vxlan_hdr *vxlan = (void *)(udp + 1);

	static_assert(
		sizeof(*ether) + sizeof(*ip) + sizeof(*udp) + sizeof(*vxlan) == VXLAN_OVERHEAD,
		"the outer headers");
	ether->dst_addr = control->neighbours.list[state->neighbour].mac;
	ether->src_addr = control->ports.list[network->uplink]->mac;
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	/* Never fragmented on the way (RFC 7348, 4.3), so the zero identification does no harm. */
	ip->fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	ip->time_to_live = DEFAULT_TTL;
	ip->next_proto_id = IPPROTO_UDP;
	ip->src_addr = control->config->uplinks[network->uplink].address;
	ip->dst_addr = remote->address;
	udp->dst_port = rte_cpu_to_be_16(network->config->udp_port);
	vxlan->vx_flags = VXLAN_FLAG_I;
	vxlan->vx_vni = rte_cpu_to_be_32(network->config->vni << 8);
}

static void build_remote(const struct control *control, uint16_t index, struct remote *remote)
{
	const struct remote_state *state = &control->remotes.list[index];
	const struct neighbour *neighbour = &control->neighbours.list[state->neighbour];

	/* Compared as bytes. */
	memset(remote, 0, sizeof(*remote));
	remote->address = address_ipv4(remotes_address(&control->remotes, index));
	remote->network = state->network;
	remote->listed = state->listed;
	remote->resolved = neighbour->state != NEIGHBOUR_UNRESOLVED;
	build_header(control, state, remote);
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
