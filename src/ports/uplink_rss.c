/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports/uplink_rss.h"

#include <rte_ethdev.h>
#include <rte_flow.h>

#include "base/log.h"
#include "ports/port.h"

#define RSS_LEVEL_INNER 2

static struct rte_flow *make_rule(uint16_t ethdev, const struct rte_flow_action_rss *rss)
{
	static const struct rte_flow_attr ingress = {.ingress = 1};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = RTE_FLOW_ITEM_TYPE_IPV4},
		{.type = RTE_FLOW_ITEM_TYPE_UDP},
		{.type = RTE_FLOW_ITEM_TYPE_VXLAN},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_RSS, .conf = rss},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};
	struct rte_flow_error error;

	if (rte_flow_validate(ethdev, &ingress, pattern, actions, &error) != 0)
		return NULL;
	return rte_flow_create(ethdev, &ingress, pattern, actions, &error);
}

bool uplink_rss(uint16_t ethdev, const char *name, uint16_t n_queues)
{
	uint16_t queues[PORT_QUEUES_MAX];
	struct rte_flow_action_rss rss = {
		.level = RSS_LEVEL_INNER,
		.types = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP,
		.queue_num = n_queues,
		.queue = queues,
	};
	bool inner;

	for (uint16_t i = 0; i < n_queues; i++)
		queues[i] = i;
	inner = make_rule(ethdev, &rss) != NULL;
	RTE_LOG(NOTICE, weft, "uplink %s: %u queues, RSS over the %s headers\n", name, n_queues,
		inner ? "inner" : "outer");
	return inner;
}
