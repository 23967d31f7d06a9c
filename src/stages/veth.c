/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The last check before a container: the port is still there, in this network, and takes the size.
 * Packets that were coalesced become one large segment here, if the container takes such.
 */
#include "stages/followers.h"
#include "stages/stage.h"

enum exit { EXIT_CONTAINER };
enum drop {
	DROP_PORT_GONE,
	DROP_VETH_TOO_BIG,
};

#define VLAN_TAG_SIZE 4

/* The size is that of a packet as it came, and of those behind it none is larger. */
static uint16_t check(const struct tables *tables, struct rte_mbuf *mbuf)
{
	const struct packet *packet = packet_of(mbuf);
	const struct port *port = tables->ports[packet->destination];

	if (port == NULL || port->network != packet->network)
		return VERDICT_DROP + DROP_PORT_GONE;
	if (mbuf->pkt_len > port->mtu + (uint32_t)RTE_ETHER_HDR_LEN + VLAN_TAG_SIZE)
		return VERDICT_DROP + DROP_VETH_TOO_BIG;
	/* Those that cannot be joined are delivered as they came. */
	if (packet->followers > 0 && port_takes_large_segments(port))
		followers_join(mbuf);
	return EXIT_CONTAINER;
}

static void process(
	struct stage_context *context, struct rte_mbuf **mbufs, uint16_t n, uint16_t *verdicts)
{
	for (uint16_t i = 0; i < n; i++)
		verdicts[i] = check(context->tables, mbufs[i]);
}

const struct stage veth_stage = {
	.name = "veth",
	.process = process,
	.exits = {[EXIT_CONTAINER] = "container"},
	.drops =
		{
			[DROP_PORT_GONE] = {"port_gone",
				"container port was removed while the packet was on its way"},
			[DROP_VETH_TOO_BIG] = {"veth_too_big",
				"packet is larger than the container's MTU"},
		},
};
