/* SPDX-License-Identifier: BSD-3-Clause */
#include "traffic.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_prefetch.h>

#include "distance.h"
#include "report.h"

#define PREFETCH_AHEAD 4
/* Between two ARP requests. */
#define ASK_AGAIN_S 0.1
/* Between two packets that try whether the path is there. */
#define PROBE_AGAIN_S 0.05
/* A full window from which nothing came so long is lost. */
#define LOST_AFTER_S 0.2
/* The drain ends when nothing came so long, where packets are lost else, */
#define DRAIN_LOST_S 3
/* and where all that is missing may be what was sent before the path was there. */
#define DRAIN_UNANSWERED_S 0.1

static uint64_t cycles(double seconds)
{
	return seconds * rte_get_tsc_hz();
}

/* Where packets go in: the uplink, or the containers. */
static bool sends_at_uplink(const struct options *options)
{
	return options->direction != DIRECTION_TRANSMIT;
}

static bool receives_at_uplink(const struct options *options)
{
	return options->direction != DIRECTION_RECEIVE;
}

static rte_be32_t next_address(rte_be32_t address, uint16_t n)
{
	return rte_cpu_to_be_32(rte_be_to_cpu_32(address) + n);
}

static struct frame_addresses reversed(const struct frame_addresses *addresses)
{
	return (struct frame_addresses){
		.source_mac = addresses->mac,
		.mac = addresses->source_mac,
		.source = addresses->address,
		.address = addresses->source,
	};
}

static void set_addresses(struct traffic *traffic, uint16_t container)
{
	struct frame_addresses forth = traffic->options->addresses;
	struct frame_addresses back;

	forth.mac.addr_bytes[RTE_ETHER_ADDR_LEN - 1] += container;
	forth.address = next_address(forth.address, container);
	back = reversed(&forth);
	traffic->sends[container] = forth;
	traffic->receives[container] = forth;
	if (traffic->options->direction == DIRECTION_TRANSMIT) {
		traffic->sends[container] = back;
		traffic->receives[container] = back;
	} else if (traffic->options->direction == DIRECTION_ECHO) {
		/* The container swaps the MACs and leaves the rest. */
		traffic->receives[container].mac = back.mac;
		traffic->receives[container].source_mac = back.source_mac;
	}
}

/* True if the mbuf now holds the answer. Without a tunnel there is no VTEP that could answer. */
static bool answers_arp(struct traffic *traffic, struct rte_mbuf *mbuf)
{
	return !traffic->options->native && vtep_wants(mbuf) && vtep_answer(&traffic->vtep, mbuf);
}

static void handle(struct traffic *traffic, struct rte_mbuf *mbuf, uint16_t index, uint64_t now)
{
	struct port *port = &traffic->ports.port[index];

	if (index == 0 && answers_arp(traffic, mbuf)) {
		if (rte_eth_tx_burst(port->id, 0, &mbuf, 1) == 1)
			return;
	} else if (traffic->sink.expected != NULL) {
		sink_receive(&traffic->sink, mbuf, index - 1, now);
	}
	rte_pktmbuf_free(mbuf);
}

static uint16_t receive(struct traffic *traffic, uint16_t index)
{
	struct rte_mbuf *mbufs[BURST_MAX];
	uint16_t n =
		rte_eth_rx_burst(traffic->ports.port[index].id, 0, mbufs, traffic->options->burst);
	uint64_t now = rte_rdtsc();

	for (uint16_t i = 0; i < RTE_MIN(n, PREFETCH_AHEAD); i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		if (i + PREFETCH_AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[i + PREFETCH_AHEAD], void *));
		handle(traffic, mbufs[i], index, now);
	}
	if (n > 0)
		traffic->last_received = now;
	return n;
}

static uint64_t outstanding(struct traffic *traffic, uint64_t now)
{
	uint64_t missing = traffic->source.sent - traffic->sink.passed;

	traffic->abandoned = RTE_MIN(traffic->abandoned, missing);
	if (now - RTE_MAX(traffic->last_received, traffic->last_abandoned) > cycles(LOST_AFTER_S)) {
		traffic->abandoned = missing;
		traffic->last_abandoned = now;
	}
	return missing - traffic->abandoned;
}

static uint16_t flush(struct traffic *traffic, bool *blocked)
{
	uint16_t sent = 0;

	*blocked = false;
	for (uint16_t i = 0; i < traffic->ports.n; i++) {
		struct port *port = &traffic->ports.port[i];

		if (port->n_pending > 0)
			sent += port_flush(port);
		*blocked |= port->n_pending > 0;
	}
	return sent;
}

static uint16_t make(struct traffic *traffic, uint16_t n)
{
	struct rte_mbuf *mbufs[BURST_MAX];
	uint64_t now = rte_rdtsc();

	n = source_allowance(&traffic->source, now, outstanding(traffic, now), n);
	if (n == 0 || rte_pktmbuf_alloc_bulk(traffic->ports.pool, mbufs, n) < 0)
		return 0;
	for (uint16_t i = 0; i < n; i++) {
		uint16_t container = source_write(&traffic->source, mbufs[i], now);
		uint16_t index = sends_at_uplink(traffic->options) ? 0 : container + 1;
		struct port *port = &traffic->ports.port[index];

		port->pending[port->n_pending++] = mbufs[i];
	}
	return n;
}

/* What a port did not take goes first; nothing new is made until all of it is gone. */
static uint16_t send_some(struct traffic *traffic)
{
	bool blocked;
	uint16_t moved = flush(traffic, &blocked);

	if (!blocked && make(traffic, traffic->options->burst) > 0)
		moved += flush(traffic, &blocked);
	return moved;
}

static uint16_t receive_all(struct traffic *traffic)
{
	uint16_t moved = 0;

	for (uint16_t i = 0; i < traffic->ports.n; i++)
		moved += receive(traffic, i);
	return moved;
}

static void rest(const struct options *options)
{
	if (options->pause_us > 0)
		usleep(options->pause_us);
	else if (options->yield)
		sched_yield();
}

static struct snapshot take_snapshot(const struct traffic *traffic, uint64_t now)
{
	return (struct snapshot){
		.time = now,
		.sent = traffic->source.sent,
		.received = sink_received(&traffic->sink),
		.busy = traffic->busy,
	};
}

static uint64_t turn(struct traffic *traffic, uint64_t now, bool sending)
{
	uint16_t moved = receive_all(traffic);
	uint64_t later;

	if (sending)
		moved += send_some(traffic);
	if (moved == 0)
		rest(traffic->options);
	later = rte_rdtsc();
	if (moved > 0)
		traffic->busy += later - now;
	return later;
}

/* Sends for so long, with a line of rates every second. Returns the time it ended. */
static uint64_t run_for(struct traffic *traffic, double seconds, uint64_t now)
{
	uint64_t end = now + cycles(seconds);
	uint64_t report_at = now + rte_get_tsc_hz();
	struct snapshot last = take_snapshot(traffic, now);

	while (now < end && !*traffic->stop) {
		now = turn(traffic, now, true);
		if (now >= report_at) {
			struct snapshot current = take_snapshot(traffic, now);

			report_rates(traffic, &last, &current);
			last = current;
			report_at += rte_get_tsc_hz();
		}
	}
	return now;
}

/* For how many seconds to wait for the next packet that was sent. */
static double patience(const struct traffic *traffic)
{
	uint64_t missing = traffic->source.sent - sink_received(&traffic->sink);

	if (missing == 0)
		return 0;
	return missing <= traffic->unanswered ? DRAIN_UNANSWERED_S : DRAIN_LOST_S;
}

static void drain(struct traffic *traffic, uint64_t now)
{
	uint64_t begin = now;
	bool blocked;

	while (now - RTE_MAX(begin, traffic->last_received) < cycles(patience(traffic))) {
		flush(traffic, &blocked);
		now = turn(traffic, now, false);
	}
	for (uint16_t i = 0; i < traffic->ports.n; i++)
		traffic->source.sent -= traffic->ports.port[i].n_pending;
}

/* Links that are up do not mean that a container listens yet: single packets find out. Those that
 * nobody heard are no loss. */
static bool find_path(struct traffic *traffic)
{
	uint64_t now = rte_rdtsc();
	uint64_t deadline = now + cycles(traffic->options->timeout);
	uint64_t probe_at = now;
	bool blocked = false;

	while (!sink_has_heard_all(&traffic->sink)) {
		if (*traffic->stop || now > deadline) {
			fprintf(stderr, "weft-traffic: no packet came through\n");
			return false;
		}
		if (now >= probe_at && make(traffic, 1) > 0)
			probe_at = now + cycles(PROBE_AGAIN_S);
		flush(traffic, &blocked);
		now = turn(traffic, now, false);
	}
	traffic->unanswered = traffic->source.sent - sink_received(&traffic->sink);
	return true;
}

static uint64_t measure_distance(const struct options *options)
{
	return options->distance_cpu < 0 ? 0 : distance_measure(options->distance_cpu);
}

void traffic_run(struct traffic *traffic)
{
	uint64_t now = rte_rdtsc();

	source_start(&traffic->source, now);
	if (!find_path(traffic))
		return;
	traffic->distance[0] = measure_distance(traffic->options);
	now = rte_rdtsc();
	source_start(&traffic->source, now);
	now = run_for(traffic, traffic->options->warmup, now);
	memset(&traffic->sink.latency, 0, sizeof(traffic->sink.latency));
	traffic->begin = take_snapshot(traffic, now);
	printf("weft-traffic: measuring\n");
	now = run_for(traffic, traffic->options->seconds, now);
	traffic->end = take_snapshot(traffic, now);
	printf("weft-traffic: measured\n");
	drain(traffic, now);
	traffic->distance[1] = measure_distance(traffic->options);
}

static int init_ends(struct traffic *traffic)
{
	const struct options *options = traffic->options;
	struct source_config source = {
		.addresses = traffic->sends,
		.containers = traffic->containers,
		.tunnel = options->native || !sends_at_uplink(options) ? NULL : &traffic->tunnel,
		.flows = options->flows,
		.frame_bytes = options->frame_bytes,
		.packets_per_cycle = options->rate / rte_get_tsc_hz(),
		.window = options->window,
	};
	struct sink_config sink = {
		.addresses = traffic->receives,
		.containers = traffic->containers,
		.at_uplink = receives_at_uplink(options),
		.tunnel = options->native ? NULL : &traffic->tunnel,
		.flows = options->flows,
		.frame_bytes = options->frame_bytes,
	};

	if (source_init(&traffic->source, &source) < 0 || sink_init(&traffic->sink, &sink) < 0) {
		fprintf(stderr, "weft-traffic: no memory for so many flows\n");
		return -1;
	}
	return 0;
}

static void ask(struct traffic *traffic)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(traffic->ports.pool);

	if (mbuf == NULL)
		return;
	vtep_request(&traffic->vtep, mbuf);
	if (rte_eth_tx_burst(traffic->ports.port[0].id, 0, &mbuf, 1) == 0)
		rte_pktmbuf_free(mbuf);
}

static bool is_connected(struct traffic *traffic)
{
	return ports_are_up(&traffic->ports) &&
	       (traffic->options->native || traffic->vtep.resolved);
}

static int connect_peer(struct traffic *traffic)
{
	uint64_t now = rte_rdtsc();
	uint64_t deadline = now + cycles(traffic->options->timeout);
	uint64_t ask_at = now;

	while (!is_connected(traffic)) {
		if (*traffic->stop || now > deadline) {
			fprintf(stderr, "weft-traffic: %s\n",
				ports_are_up(&traffic->ports) ? "no answer to ARP"
							      : "a link is down");
			return -1;
		}
		if (now >= ask_at && !traffic->options->native && ports_are_up(&traffic->ports)) {
			ask(traffic);
			ask_at = now + cycles(ASK_AGAIN_S);
		}
		receive_all(traffic);
		rest(traffic->options);
		now = rte_rdtsc();
	}
	return 0;
}

/* The number of containers follows from the ports; with echo it is run by somebody else. */
static int check_ports(struct traffic *traffic)
{
	const struct options *options = traffic->options;

	traffic->containers = RTE_MAX(1, traffic->ports.n - 1);
	if (traffic->ports.n == 0 ||
		(options->direction != DIRECTION_ECHO && traffic->ports.n < 2)) {
		fprintf(stderr, "weft-traffic: %s wants %s\n", direction_name(options->direction),
			options->direction == DIRECTION_ECHO ? "an uplink"
							     : "an uplink and a container");
		return -1;
	}
	return 0;
}

int traffic_open(struct traffic *traffic, const struct options *options, const volatile int *stop)
{
	memset(traffic, 0, sizeof(*traffic));
	traffic->options = options;
	traffic->stop = stop;
	traffic->tunnel = options->tunnel;
	traffic->vtep.tunnel = &traffic->tunnel;
	if (ports_open(&traffic->ports, options, stop) < 0 || check_ports(traffic) < 0)
		return -1;
	for (uint16_t i = 0; i < traffic->containers; i++)
		set_addresses(traffic, i);
	rte_eth_macaddr_get(traffic->ports.port[0].id, &traffic->tunnel.local_mac);
	if (connect_peer(traffic) < 0)
		return -1;
	return init_ends(traffic);
}

void traffic_close(struct traffic *traffic)
{
	source_free(&traffic->source);
	sink_free(&traffic->sink);
	ports_close(&traffic->ports);
}
