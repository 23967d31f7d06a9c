/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receive burst of an uplink. Packets are passed on unread: whatever is done to them here is
 * done by the one lcore that every packet of a heavy flow has to go through.
 */
#include "stages/rx.h"

enum exit { EXIT_FRAME };

static void process(
	struct stage_context *context, struct rte_mbuf **mbufs, uint16_t n, uint16_t *verdicts)
{
	(void)context;
	(void)mbufs;
	for (uint16_t i = 0; i < n; i++)
		verdicts[i] = EXIT_FRAME;
}

const struct stage rx_stage = {
	.name = "rx",
	.process = process,
	.exits = {[EXIT_FRAME] = "frame"},
	.drops =
		{
			[RX_PATH_FULL] = {"path_full",
				"flow group has as many packets on its path as it may"},
			[RX_INBOX_FULL] = {"inbox_full",
				"an inbox was full, which credits rule out: please report"},
			[RX_VERDICT_UNKNOWN] = {"verdict_unknown",
				"a stage gave a verdict that it has not: please report"},
		},
};
