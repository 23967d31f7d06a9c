/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stands in for the bridge where there is none: joins a network's one container port with
 * its one VTEP, or, before anything was decapsulated, the only container port with the uplink.
 */
#include "stages/stage.h"

enum exit { EXIT_LOCAL, EXIT_REMOTE };
enum drop {
	DROP_WIRE_NO_PORT,
};

static uint16_t join(const struct tables *tables, struct rte_mbuf *mbuf)
{
	struct packet *packet = packet_of(mbuf);

	if (packet->source < PORTS_MAX) {
		packet->destination = tables->networks[packet->network]->wire_remote;
		return EXIT_REMOTE;
	}
	packet->destination = packet->network == NETWORK_NONE
				      ? tables->wire_port
				      : tables->networks[packet->network]->wire_port;
	if (packet->destination == PLACE_NONE)
		return VERDICT_DROP + DROP_WIRE_NO_PORT;
	packet->network = tables->ports[packet->destination]->network;
	return EXIT_LOCAL;
}

static void process(
	struct stage_context *context, struct rte_mbuf **mbufs, uint16_t n, uint16_t *verdicts)
{
	for (uint16_t i = 0; i < n; i++)
		verdicts[i] = join(context->tables, mbufs[i]);
}

const struct stage wire_stage = {
	.name = "wire",
	.process = process,
	.exits = {[EXIT_LOCAL] = "local", [EXIT_REMOTE] = "remote"},
	.drops =
		{
			[DROP_WIRE_NO_PORT] = {"wire_no_port", "the network has no container port"},
		},
};
