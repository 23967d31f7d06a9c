/* SPDX-License-Identifier: BSD-3-Clause */
#include "source.h"

#include <string.h>

#include <rte_malloc.h>

/* A source that was held up makes good for this many bursts at once, not for all it missed. */
#define BURSTS_BEHIND 4

static void build_flow(struct source *source, uint16_t flow)
{
	const struct source_config *config = &source->config;
	uint16_t length = frame_length(config->frame_bytes);
	struct source_flow *state = &source->flows[flow];

	frame_build_inner(
		&state->inner, &config->addresses[flow % config->containers], flow, length);
	if (config->tunnel != NULL)
		frame_build_outer(&state->outer, config->tunnel, flow, length);
}

int source_init(struct source *source, const struct source_config *config)
{
	memset(source, 0, sizeof(*source));
	source->config = *config;
	source->flows = rte_zmalloc(NULL, config->flows * sizeof(*source->flows), 64);
	if (source->flows == NULL)
		return -1;
	for (uint16_t flow = 0; flow < config->flows; flow++)
		build_flow(source, flow);
	return 0;
}

void source_free(struct source *source)
{
	rte_free(source->flows);
	source->flows = NULL;
}

void source_start(struct source *source, uint64_t now)
{
	source->epoch = now;
	source->due = 0;
}

static uint64_t rate_allowance(struct source *source, uint64_t now, uint16_t n)
{
	uint64_t due = (now - source->epoch) * source->config.packets_per_cycle;
	uint64_t allowed = due - source->due;

	if (allowed > BURSTS_BEHIND * n) {
		source->due = due - BURSTS_BEHIND * n;
		allowed = BURSTS_BEHIND * n;
	}
	return allowed;
}

uint16_t source_allowance(struct source *source, uint64_t now, uint64_t outstanding, uint16_t n)
{
	uint64_t allowed = n;

	if (source->config.window != 0) {
		if (outstanding >= source->config.window)
			return 0;
		allowed = RTE_MIN(allowed, source->config.window - outstanding);
	}
	if (source->config.packets_per_cycle > 0)
		allowed = RTE_MIN(allowed, rate_allowance(source, now, n));
	return allowed;
}

uint16_t source_write(struct source *source, struct rte_mbuf *mbuf, uint64_t now)
{
	uint16_t index = source->next_flow;
	struct source_flow *flow = &source->flows[index];
	uint16_t length = frame_length(source->config.frame_bytes), headers = 0;
	uint8_t *data = rte_pktmbuf_mtod(mbuf, uint8_t *);

	if (source->config.tunnel != NULL) {
		headers = sizeof(flow->outer);
		memcpy(data, &flow->outer, sizeof(flow->outer));
	}
	frame_write((struct frame_inner *)(data + headers), &flow->inner, length,
		flow->next_sequence++, now);
	mbuf->data_len = mbuf->pkt_len = headers + length;
	source->next_flow = index + 1 == source->config.flows ? 0 : index + 1;
	source->sent++;
	source->due++;
	return index % source->config.containers;
}
