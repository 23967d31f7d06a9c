/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink.h"

#include <string.h>

#include <rte_malloc.h>

int sink_init(struct sink *sink, const struct sink_config *config)
{
	uint16_t length = frame_length(config->frame_bytes);

	memset(sink, 0, sizeof(*sink));
	sink->config = *config;
	sink->pattern_length = length - sizeof(struct frame_inner);
	sink->flows = rte_zmalloc(NULL, config->flows * sizeof(*sink->flows), 64);
	sink->pattern = rte_zmalloc(NULL, sink->pattern_length + 1, 64);
	if (sink->flows == NULL || sink->pattern == NULL) {
		sink_free(sink);
		return -1;
	}
	frame_build_pattern(sink->pattern, sink->pattern_length);
	for (uint16_t flow = 0; flow < config->flows; flow++)
		frame_build_inner(&sink->flows[flow].inner,
			&config->addresses[flow % config->containers], flow, length);
	return 0;
}

void sink_free(struct sink *sink)
{
	rte_free(sink->flows);
	rte_free(sink->pattern);
	sink->flows = NULL;
	sink->pattern = NULL;
}

/* True if the bit of the sequence number was not set. */
static bool mark_seen(struct sink_flow *flow, uint64_t sequence)
{
	uint64_t *word = &flow->seen[sequence % SINK_MEMORY / 64];
	uint64_t bit = 1ull << (sequence % 64);
	bool new = (*word & bit) == 0;

	*word |= bit;
	return new;
}

static void forget(struct sink_flow *flow, uint64_t from, uint64_t to)
{
	if (to - from > SINK_MEMORY)
		from = to - SINK_MEMORY;
	for (uint64_t sequence = from; sequence < to; sequence++)
		flow->seen[sequence % SINK_MEMORY / 64] &= ~(1ull << (sequence % 64));
}

static void judge_late(struct sink *sink, struct sink_flow *flow, uint64_t sequence)
{
	if (flow->expected - sequence > SINK_MEMORY || mark_seen(flow, sequence)) {
		sink->received++;
		sink->reordered++;
	} else {
		sink->duplicates++;
	}
}

static void judge_order(struct sink *sink, struct sink_flow *flow, uint64_t sequence)
{
	if (sequence < flow->expected) {
		judge_late(sink, flow, sequence);
		return;
	}
	forget(flow, flow->expected, sequence + 1);
	mark_seen(flow, sequence);
	sink->passed += sequence + 1 - flow->expected;
	flow->expected = sequence + 1;
	sink->received++;
}

/* Ours and unharmed, as far as one frame can tell. */
static struct sink_flow *find_flow(
	struct sink *sink, const struct frame_inner *inner, int container)
{
	uint16_t index = inner->payload.flow;
	struct sink_flow *flow = &sink->flows[index];

	if (index >= sink->config.flows)
		return NULL;
	if (container != (sink->config.at_uplink ? -1 : index % sink->config.containers))
		return NULL;
	if (memcmp(inner, &flow->inner, FRAME_FIXED) != 0)
		return NULL;
	if (memcmp(inner + 1, sink->pattern, sink->pattern_length) != 0)
		return NULL;
	if (inner->payload.check != frame_checksum(inner->payload.sequence, inner->payload.stamp))
		return NULL;
	return flow;
}

static bool is_udp(const struct frame_inner *inner)
{
	return inner->ether.ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) &&
	       inner->ip.next_proto_id == IPPROTO_UDP;
}

/* Takes the tunnel's headers off; false if they are wrong. */
static bool unwrap(const struct sink *sink, struct rte_mbuf *mbuf)
{
	const struct frame_outer *outer = rte_pktmbuf_mtod(mbuf, const struct frame_outer *);

	if (mbuf->data_len < sizeof(*outer) ||
		!frame_outer_is_sound(outer, sink->config.tunnel, mbuf->data_len))
		return false;
	rte_pktmbuf_adj(mbuf, sizeof(*outer));
	return true;
}

void sink_receive(struct sink *sink, struct rte_mbuf *mbuf, int container, uint64_t now)
{
	bool wrapped = container < 0 && sink->config.tunnel != NULL;
	const struct frame_inner *inner;
	struct sink_flow *flow = NULL;

	if (mbuf->nb_segs > 1 && rte_pktmbuf_linearize(mbuf) < 0)
		goto corrupted;
	if (wrapped && is_udp(rte_pktmbuf_mtod(mbuf, const struct frame_inner *)) &&
		!unwrap(sink, mbuf))
		goto corrupted;
	inner = rte_pktmbuf_mtod(mbuf, const struct frame_inner *);
	if (!is_udp(inner)) {
		sink->other++;
		return;
	}
	if (mbuf->data_len == frame_length(sink->config.frame_bytes))
		flow = find_flow(sink, inner, container);
	if (flow == NULL)
		goto corrupted;
	histogram_add(&sink->latency, frame_age(&inner->payload, now));
	judge_order(sink, flow, inner->payload.sequence);
	return;
corrupted:
	sink->corrupted++;
}

static bool has_heard(const struct sink *sink, uint16_t container)
{
	for (uint32_t flow = container; flow < sink->config.flows;
		flow += sink->config.containers) {
		if (sink->flows[flow].expected > 0)
			return true;
	}
	return false;
}

bool sink_has_heard_all(const struct sink *sink)
{
	uint16_t used = RTE_MIN(sink->config.containers, sink->config.flows);

	for (uint16_t container = 0; container < used; container++) {
		if (!has_heard(sink, container))
			return false;
	}
	return true;
}
