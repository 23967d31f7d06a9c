/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/neighbours.h"

#include <rte_arp.h>

#include "control/check.h"

#define ASK_AGAIN_MS 1000
#define REFRESH_MS 30000
#define TRIES_MAX 3

static const struct rte_ether_addr broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

const char *neighbour_state_name(enum neighbour_state state)
{
	static const char *const names[] = {"unresolved", "reachable", "probing"};

	return names[state];
}

static int find(const struct control *control, uint16_t uplink, rte_be32_t address)
{
	for (int i = 0; i < control->n_neighbours; i++)
		if (control->neighbours[i].uplink == uplink &&
			control->neighbours[i].address == address)
			return i;
	return -1;
}

int neighbour_towards(
	struct control *control, uint16_t uplink, rte_be32_t address, struct error *error)
{
	int index;

	if (check_route(&control->config->uplinks[uplink], address, &address, error) != 0)
		return -1;
	index = find(control, uplink, address);
	if (index >= 0)
		return index;
	if (control->n_neighbours == NEIGHBOURS_MAX)
		return error_set(error, "more than %d next hops", NEIGHBOURS_MAX);
	control->neighbours[control->n_neighbours] = (struct neighbour){
		.address = address, .uplink = uplink, .state = NEIGHBOUR_UNRESOLVED};
	return control->n_neighbours++;
}

void neighbour_heard(struct control *control, uint16_t uplink, rte_be32_t address,
	const struct rte_ether_addr *mac)
{
	int index = find(control, uplink, address);
	struct neighbour *neighbour;

	if (index < 0)
		return;
	neighbour = &control->neighbours[index];
	if (neighbour->state == NEIGHBOUR_UNRESOLVED ||
		!rte_is_same_ether_addr(&neighbour->mac, mac))
		control->changed = true;
	neighbour->mac = *mac;
	neighbour->state = NEIGHBOUR_REACHABLE;
	neighbour->tries = 0;
	neighbour->due_ms = control_now_ms(control) + REFRESH_MS;
}

/* Known neighbours are asked directly, so that a refresh disturbs nobody else. */
static void write_request(
	const struct control *control, const struct neighbour *neighbour, struct rte_mbuf *mbuf)
{
	const struct port *uplink = control->ports[neighbour->uplink];
	struct rte_ether_hdr *ether;
	struct rte_arp_hdr *arp;

	ether = (void *)rte_pktmbuf_append(mbuf, sizeof(*ether) + sizeof(*arp));
	arp = (void *)(ether + 1);
	ether->dst_addr = neighbour->state == NEIGHBOUR_UNRESOLVED ? broadcast : neighbour->mac;
	ether->src_addr = uplink->mac;
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_ARP);
	arp->arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER);
	arp->arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	arp->arp_hlen = RTE_ETHER_ADDR_LEN;
	arp->arp_plen = sizeof(rte_be32_t);
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REQUEST);
	arp->arp_data.arp_sha = uplink->mac;
	arp->arp_data.arp_sip = control->config->uplinks[neighbour->uplink].address;
	arp->arp_data.arp_tha = (struct rte_ether_addr){{0}};
	arp->arp_data.arp_tip = neighbour->address;
}

/* Whether the question went out. */
static bool ask(struct control *control, const struct neighbour *neighbour)
{
	struct rte_mempool *pool = control->ports[neighbour->uplink]->environment.pool;
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);

	if (mbuf == NULL)
		return false;
	write_request(control, neighbour, mbuf);
	return dataplane_inject(control->dataplane, mbuf, neighbour->uplink) == 0;
}

static void refresh(struct control *control, struct neighbour *neighbour)
{
	if (neighbour->state == NEIGHBOUR_REACHABLE)
		neighbour->state = NEIGHBOUR_PROBING;
	if (neighbour->state == NEIGHBOUR_PROBING && neighbour->tries == TRIES_MAX) {
		neighbour->state = NEIGHBOUR_UNRESOLVED;
		control->changed = true;
	}
	neighbour->tries += ask(control, neighbour);
	neighbour->due_ms = control_now_ms(control) + ASK_AGAIN_MS;
}

void neighbours_refresh(struct control *control)
{
	uint64_t now = control_now_ms(control);

	/* Nobody needs a next hop where nothing is encapsulated (mode native). */
	if (control->dataplane->plan->instead[STAGE_ENCAP] != STAGE_ENCAP)
		return;
	for (uint16_t i = 0; i < control->n_neighbours; i++)
		if (now >= control->neighbours[i].due_ms)
			refresh(control, &control->neighbours[i]);
}
