/* SPDX-License-Identifier: BSD-3-Clause */
/* Which uplink a packet leaves by: its network's, or for the VTEP's own replies the one they came
 * by. */
#include "stages/stage.h"

enum exit { EXIT_UPLINK };
enum drop {
	DROP_TX_TOO_BIG,
};

static uint16_t leave(const struct tables *tables, struct rte_mbuf *mbuf)
{
	struct packet *packet = packet_of(mbuf);

	packet->destination = packet->network == NETWORK_NONE
				      ? mbuf->port
				      : tables->networks[packet->network]->uplink;
	if (mbuf->pkt_len > tables->ports[packet->destination]->mtu + (uint32_t)RTE_ETHER_HDR_LEN)
		return VERDICT_DROP + DROP_TX_TOO_BIG;
	return EXIT_UPLINK;
}

static void process(
	struct stage_context *context, struct rte_mbuf **mbufs, uint16_t n, uint16_t *verdicts)
{
	for (uint16_t i = 0; i < n; i++)
		verdicts[i] = leave(context->tables, mbufs[i]);
}

const struct stage tx_stage = {
	.name = "tx",
	.process = process,
	.exits = {[EXIT_UPLINK] = "uplink"},
	.drops =
		{
			[DROP_TX_TOO_BIG] = {"tx_too_big",
				"packet is larger than the uplink's MTU"},
		},
};
