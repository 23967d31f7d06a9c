/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink.h"

#include <stdlib.h>
#include <string.h>

static uint16_t place_of(const struct sink_config *config, int container)
{
	return container < 0 ? config->containers : container;
}

static void describe_flow(
	struct checker_flow *flow, const struct sink_config *config, uint16_t index)
{
	uint16_t container = index % config->containers;
	uint16_t place = place_of(config, config->at_uplink ? -1 : container);

	flow->places = UINT64_C(1) << place;
	flow->frame_bytes = config->frame_bytes;
	frame_build_inner(&flow->inner, &config->addresses[container], index,
		frame_length(config->frame_bytes));
}

int sink_init(struct sink *sink, const struct sink_config *config)
{
	struct checker_flow *flows = calloc(config->flows, sizeof(*flows));
	int error = -1;

	memset(sink, 0, sizeof(*sink));
	sink->config = *config;
	sink->expected = calloc(config->flows, sizeof(*sink->expected));
	for (uint16_t i = 0; flows != NULL && i < config->flows; i++)
		describe_flow(&flows[i], config, i);
	if (flows != NULL && sink->expected != NULL)
		error = checker_init(&sink->checker, flows, config->flows);
	free(flows);
	if (error < 0)
		sink_free(sink);
	return error;
}

void sink_free(struct sink *sink)
{
	checker_free(&sink->checker);
	free(sink->expected);
	sink->expected = NULL;
}

static bool is_udp(const struct frame_outer *outer)
{
	return outer->ether.ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) &&
	       outer->ip.next_proto_id == IPPROTO_UDP;
}

/* Takes the tunnel's headers off; says what is wrong with them, or FRAME_SOUND. */
static enum frame_verdict unwrap(const struct sink *sink, struct rte_mbuf *mbuf)
{
	const struct frame_outer *outer = rte_pktmbuf_mtod(mbuf, const struct frame_outer *);

	if (!is_udp(outer))
		return FRAME_FOREIGN;
	if (mbuf->data_len < sizeof(*outer) ||
		!frame_outer_is_sound(outer, sink->config.tunnel, mbuf->data_len))
		return FRAME_CORRUPTED;
	rte_pktmbuf_adj(mbuf, sizeof(*outer));
	return FRAME_SOUND;
}

static enum frame_verdict judge(struct sink *sink, struct rte_mbuf *mbuf, int container)
{
	enum frame_verdict verdict = FRAME_SOUND;

	if (mbuf->nb_segs > 1 && rte_pktmbuf_linearize(mbuf) < 0)
		return FRAME_CORRUPTED;
	if (container < 0 && sink->config.tunnel != NULL)
		verdict = unwrap(sink, mbuf);
	if (verdict != FRAME_SOUND)
		return verdict;
	return checker_receive(&sink->checker, place_of(&sink->config, container),
		rte_pktmbuf_mtod(mbuf, const void *), mbuf->data_len, NULL, 0);
}

static void pass(struct sink *sink, const struct frame_payload *payload)
{
	uint64_t *expected = &sink->expected[payload->flow];

	sink->passed += payload->sequence + 1 - *expected;
	*expected = payload->sequence + 1;
}

void sink_receive(struct sink *sink, struct rte_mbuf *mbuf, int container, uint64_t now)
{
	enum frame_verdict verdict = judge(sink, mbuf, container);
	const struct frame_payload *payload = checker_payload(rte_pktmbuf_mtod(mbuf, void *));

	sink->counts[verdict]++;
	if (verdict == FRAME_SOUND)
		pass(sink, payload);
	if (verdict <= FRAME_DUPLICATE)
		histogram_add(&sink->latency, frame_age(payload, now));
}

static bool has_heard(const struct sink *sink, uint16_t container)
{
	for (uint32_t flow = container; flow < sink->config.flows;
		flow += sink->config.containers) {
		if (sink->expected[flow] > 0)
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
