/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtual/outside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_lcore.h>
#include <rte_thash.h>

#include "base/random.h"
#include "control/config.h"
#include "control/mode.h"
#include "control/sections/fdb.h"
#include "control/sections/network.h"
#include "control/sections/port.h"

#define NS_PER_SECOND 1000000000
#define US_PER_SECOND 1000000
#define DEFAULT_MTU 1500
#define NEVER UINT64_MAX
#define REMOTE_ADDRESS 0xc6120001    /* 198.18.0.1 */
#define CONTAINER_ADDRESS 0xc6130001 /* 198.19.0.1 */
#define RSS_TABLE_SIZE 128	     /* of most NICs; its entries name the queues in turn */

/* ---- addresses ---- */

/* What is behind a VTEP has addresses that no configuration is likely to have: one host a section,
 * in the range for benchmarks (RFC 2544). */
static struct rte_ether_addr remote_mac(uint32_t section)
{
	return (struct rte_ether_addr){{0x02, 0xfe, 0, 0, section >> 8, section}};
}

static rte_be32_t remote_address(uint32_t section)
{
	return rte_cpu_to_be_32(REMOTE_ADDRESS + section);
}

/* Of a container that may send from any. */
static rte_be32_t container_address(uint32_t container)
{
	return rte_cpu_to_be_32(CONTAINER_ADDRESS + container);
}

/* On the underlay: whoever has this address. */
static struct rte_ether_addr underlay_mac(rte_be32_t address)
{
	struct rte_ether_addr mac = {{0x02, 0xfd}};

	memcpy(&mac.addr_bytes[2], &address, sizeof(address));
	return mac;
}

static int address_end(const struct outside *outside, const struct traffic_end *end,
	uint32_t section, struct rte_ether_addr *mac, rte_be32_t *address, struct error *error)
{
	const struct container_config *container;

	*mac = remote_mac(section);
	*address = remote_address(section);
	if (end->port[0] == '\0')
		return 0;
	container = config_container(outside->config, end->port);
	*mac = container->port.mac;
	*address = container_address(container - outside->config->containers);
	for (uint16_t i = 0; i < container->n_addresses; i++)
		if (address_is_ipv4(&container->addresses[i])) {
			*address = address_ipv4(&container->addresses[i]);
			return 0;
		}
	if (container->n_addresses > 0)
		return error_set(error,
			"port %s: addresses: test traffic is IPv4, and the port "
			"has IPv6 addresses only",
			end->port);
	return 0;
}

static const struct uplink_config *find_uplink(
	const struct outside *outside, const struct network_config *network)
{
	const struct config *config = outside->config;

	for (uint32_t i = 0; i < config->n_uplinks; i++)
		if (strcmp(config->uplinks[i].port.name, network->uplink) == 0)
			return &config->uplinks[i];
	return &config->uplinks[0];
}

static void set_tunnel(struct outside_traffic *traffic, const struct device *device,
	const struct uplink_config *uplink, const struct network_config *network)
{
	const struct traffic_settings *settings = traffic->settings;
	rte_be32_t vtep = settings->from.port[0] == '\0' ? settings->from.vtep : settings->to.vtep;
	struct address hop = address_of_ipv4(vtep);

	if (!address_in_prefix(&hop, &uplink->address, uplink->prefix) &&
		!address_is_none(&uplink->gateway))
		hop = uplink->gateway;
	traffic->tunnel = (struct frame_tunnel){
		.local_mac = underlay_mac(address_ipv4(&hop)),
		.remote_mac = device->mac,
		.local = vtep,
		.remote = address_ipv4(&uplink->address),
		.vni = network->vni,
		.udp_port = network->udp_port,
	};
}

static struct device *device_of_end(
	struct outside *outside, const struct traffic_end *end, const struct uplink_config *uplink)
{
	bool remote = end->port[0] == '\0';

	return device_find(&outside->devices, remote ? uplink->port.name : end->port, remote);
}

/* ---- sections ---- */

static int check_size(const struct outside *outside, const struct outside_traffic *traffic,
	const struct network_config *network, struct error *error)
{
	const struct config *config = outside->config;
	const struct uplink_config *uplink = find_uplink(outside, network);
	uint32_t overhead = sizeof(struct frame_outer);
	uint32_t frame = frame_length(traffic->settings->bytes_max);
	uint32_t mtu = uplink->port.mtu ? uplink->port.mtu : DEFAULT_MTU;

	mtu -= outside->overlay ? overhead : 0;
	if (network->mtu != 0)
		mtu = network->mtu;
	if (frame > mtu + RTE_ETHER_HDR_LEN)
		return error_set(error, "size: with its MTU of %u the network takes up to %u", mtu,
			mtu + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN);
	if (frame + overhead + RTE_PKTMBUF_HEADROOM > config->weft.mbuf_size)
		return error_set(error, "size: needs a [weft] mbuf-size of %u at least",
			frame + overhead + RTE_PKTMBUF_HEADROOM);
	return 0;
}

static uint32_t rss_of(const struct rte_ipv4_hdr *ip, const struct rte_udp_hdr *udp)
{
	/* Microsoft's, which NICs and their drivers use. */
	static const uint8_t key[] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
		0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4,
		0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac,
		0x01, 0xfa};
	uint32_t tuple[] = {
		rte_be_to_cpu_32(ip->src_addr),
		rte_be_to_cpu_32(ip->dst_addr),
		(uint32_t)rte_be_to_cpu_16(udp->src_port) << 16 | rte_be_to_cpu_16(udp->dst_port),
	};

	return rte_softrss(tuple, RTE_DIM(tuple), key);
}

/* The containers that get the flow's packets while its own is not known, because its port is gone.
 */
static uint64_t flooded(const struct outside *outside, const struct outside_traffic *traffic)
{
	const struct config *config = outside->config;
	uint64_t places = 0;

	for (uint32_t i = 0; i < config->n_containers; i++)
		if (strcmp(config->containers[i].network, traffic->settings->network) == 0)
			places |= 1ULL << (config->n_uplinks + i);
	return places & ~(1ULL << (traffic->from - outside->devices.list));
}

/* Outer headers where there are any: so it is the UDP source port that tells flows apart. */
static void make_flow(struct outside *outside, struct outside_traffic *traffic, uint32_t i,
	struct checker_flow *flow)
{
	struct outside_flow *own = &traffic->flows[i];
	uint16_t number = traffic->first_flow + i;
	uint16_t length = frame_length(traffic->settings->bytes_max);

	frame_build_inner(&flow->inner, &traffic->addresses, number, length);
	flow->places = 1ULL << (traffic->to - outside->devices.list) | flooded(outside, traffic);
	if (traffic->settings->bytes_min == traffic->settings->bytes_max)
		flow->frame_bytes = traffic->settings->bytes_max;
	frame_build_outer(&own->outer, &traffic->tunnel, number, length);
	own->rss = traffic->wrapped_in ? rss_of(&own->outer.ip, &own->outer.udp)
				       : rss_of(&flow->inner.ip, &flow->inner.udp);
	outside->traffic_of_flow[number] = traffic - outside->traffic;
}

static int make_flows(
	struct outside *outside, struct outside_traffic *traffic, struct checker_flow *flows)
{
	traffic->flows = calloc(traffic->settings->flows, sizeof(*traffic->flows));
	if (traffic->flows == NULL)
		return -1;
	for (uint32_t i = 0; i < traffic->settings->flows; i++)
		make_flow(outside, traffic, i, &flows[traffic->first_flow + i]);
	return 0;
}

/* A container or host that is behind a VTEP never moves. */
static void add_entry(struct config *config, const struct traffic_settings *settings,
	const struct traffic_end *end, uint32_t section)
{
	struct fdb_config *entry;

	if (end->port[0] != '\0')
		return;
	entry = config_add_fdb(config);
	entry->mac = remote_mac(section);
	entry->vtep = address_of_ipv4(end->vtep);
	snprintf(entry->network, sizeof(entry->network), "%s", settings->network);
}

static void add_entries(struct config *config)
{
	for (uint32_t i = 0; i < traffic_count(config); i++) {
		const struct traffic_settings *settings = traffic_settings(config, i);

		add_entry(config, settings, &settings->from, i);
		add_entry(config, settings, &settings->to, i);
	}
}

static int make_traffic(struct outside *outside, uint32_t section, struct error *error)
{
	struct outside_traffic *traffic = &outside->traffic[section];
	const struct traffic_settings *settings = traffic_settings(outside->config, section);
	const struct network_config *network = config_network(outside->config, settings->network);
	const struct uplink_config *uplink = find_uplink(outside, network);

	traffic->settings = settings;
	traffic->from = device_of_end(outside, &settings->from, uplink);
	traffic->to = device_of_end(outside, &settings->to, uplink);
	traffic->wrapped_in = traffic->from->uplink && outside->overlay;
	traffic->wrapped_out = traffic->to->uplink && outside->overlay;
	if (check_size(outside, traffic, network, error) != 0 ||
		address_end(outside, &settings->from, section, &traffic->addresses.source_mac,
			&traffic->addresses.source, error) != 0 ||
		address_end(outside, &settings->to, section, &traffic->addresses.mac,
			&traffic->addresses.address, error) != 0)
		return -1;
	set_tunnel(traffic, traffic->from->uplink ? traffic->from : traffic->to, uplink, network);
	return 0;
}

/* Returns the number of flows, or -1. */
static int make_sections(struct outside *outside, struct error *error)
{
	uint32_t flows = 0;

	for (uint16_t i = 0; i < outside->n_traffic; i++) {
		outside->traffic[i].first_flow = flows;
		if (make_traffic(outside, i, error) != 0)
			return error_prefix(
				error, "[traffic %s]: ", outside->traffic[i].settings->name);
		flows += outside->traffic[i].settings->flows;
	}
	return flows;
}

static int make_checker(struct outside *outside, uint32_t n)
{
	struct checker_flow *flows = calloc(n + 1, sizeof(*flows));
	int status = flows == NULL ? -1 : 0;

	outside->traffic_of_flow = calloc(n + 1, sizeof(*outside->traffic_of_flow));
	if (outside->traffic_of_flow == NULL)
		status = -1;
	for (uint16_t i = 0; status == 0 && i < outside->n_traffic; i++)
		status = make_flows(outside, &outside->traffic[i], flows);
	if (status == 0)
		status = checker_init(&outside->checker, flows, n);
	free(flows);
	return status;
}

int outside_create(struct outside *outside, struct config *config, const struct costs *costs,
	struct error *error)
{
	int n_flows;

	memset(outside, 0, sizeof(*outside));
	outside->config = config;
	outside->costs = costs;
	outside->overlay = config_first_mode(config)->overlay != OVERLAY_NONE;
	outside->traffic = calloc(traffic_count(config) + 1, sizeof(*outside->traffic));
	if (outside->traffic == NULL)
		return error_set(error, "not enough memory");
	if (devices_create(&outside->devices, config, costs, error) != 0)
		return -1;
	outside->n_traffic = traffic_count(config);
	n_flows = make_sections(outside, error);
	if (n_flows < 0)
		return -1;
	add_entries(config);
	if (make_checker(outside, n_flows) != 0)
		return error_set(error,
			"not enough memory for %d flows; give EAL more (-m, huge pages)", n_flows);
	return 0;
}

void outside_free(struct outside *outside)
{
	for (uint16_t i = 0; i < outside->n_traffic; i++) {
		arrivals_free(&outside->traffic[i].arrivals);
		free(outside->traffic[i].flows);
	}
	checker_free(&outside->checker);
	devices_free(&outside->devices);
	free(outside->traffic_of_flow);
	free(outside->traffic);
}

/* ---- sending ---- */

static uint16_t choose_length(
	const struct outside_traffic *traffic, uint32_t flow, uint64_t sequence)
{
	const struct traffic_settings *settings = traffic->settings;
	uint64_t random = traffic->arrivals.config.seed ^ ((uint64_t)flow << 40 ^ sequence);
	uint16_t spread = settings->bytes_max - settings->bytes_min;

	if (spread == 0)
		return frame_length(settings->bytes_min);
	return frame_length(settings->bytes_min + random_mix(random) % (spread + 1));
}

static void write_packet(const struct outside *outside, const struct outside_traffic *traffic,
	const struct arrival *arrival, struct rte_mbuf *mbuf)
{
	const struct outside_flow *flow = &traffic->flows[arrival->flow];
	uint32_t number = traffic->first_flow + arrival->flow;
	uint16_t length = choose_length(traffic, arrival->flow, arrival->sequence);
	char *data = rte_pktmbuf_mtod(mbuf, char *);

	mbuf->data_len = mbuf->pkt_len = length;
	if (traffic->wrapped_in) {
		frame_wrap((struct frame_outer *)data, &flow->outer, length);
		data += sizeof(flow->outer);
		mbuf->data_len = mbuf->pkt_len = length + sizeof(flow->outer);
	}
	frame_write((struct frame_inner *)data, &outside->checker.flows[number].inner, length,
		arrival->sequence, arrival->time);
	mbuf->hash.rss = flow->rss;
	mbuf->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
}

/* As a driver would have done: from the mempool cache of the lcore that polled the queue last. */
static struct rte_mbuf *take_buffer(const struct device *device, uint16_t queue)
{
	unsigned int id = rte_lcore_id();
	struct rte_mbuf *mbuf;

	RTE_PER_LCORE(_lcore_id) = device->queues[queue].receiver;
	mbuf = rte_pktmbuf_alloc(device->port->environment.pool);
	RTE_PER_LCORE(_lcore_id) = id;
	return mbuf;
}

static void send_packet(
	struct outside *outside, struct outside_traffic *traffic, const struct arrival *arrival)
{
	struct device *from = traffic->from;
	uint16_t queue = traffic->flows[arrival->flow].rss % RSS_TABLE_SIZE % from->n_queues;
	struct rte_mbuf *mbuf = NULL;

	traffic->sent++;
	if (device_has_room(from, queue))
		mbuf = take_buffer(from, queue);
	if (mbuf == NULL) {
		traffic->missed++;
		return;
	}
	write_packet(outside, traffic, arrival, mbuf);
	device_give(from, queue, mbuf, arrival->time);
}

/* ---- receiving ---- */

struct arp_frame {
	struct rte_ether_hdr ether;
	struct rte_arp_hdr arp;
} __attribute__((packed, aligned(2)));

static bool is_arp(const struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_mtod(mbuf, const struct rte_ether_hdr *)->ether_type ==
	       RTE_BE16(RTE_ETHER_TYPE_ARP);
}

/* In the asker's packet. Everybody whom weft may ask is there. */
static void answer_arp(
	struct outside *outside, struct device *device, struct rte_mbuf *mbuf, uint64_t now)
{
	struct arp_frame *frame = rte_pktmbuf_mtod(mbuf, struct arp_frame *);
	struct rte_arp_ipv4 *data = &frame->arp.arp_data;
	rte_be32_t address = data->arp_tip;

	if (mbuf->data_len < sizeof(*frame) ||
		frame->arp.arp_opcode != RTE_BE16(RTE_ARP_OP_REQUEST)) {
		rte_pktmbuf_free(mbuf);
		return;
	}
	frame->arp.arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	data->arp_tha = data->arp_sha;
	data->arp_tip = data->arp_sip;
	data->arp_sha = underlay_mac(address);
	data->arp_sip = address;
	frame->ether.dst_addr = data->arp_tha;
	frame->ether.src_addr = data->arp_sha;
	outside->answered++;
	if (!device_give(device, 0, mbuf, now))
		rte_pktmbuf_free(mbuf);
}

static void complain(struct outside *outside, const char *text)
{
	if (outside->complaint[0] == '\0')
		snprintf(outside->complaint, sizeof(outside->complaint), "%s", text);
}

/* Whose frame it claims to be, or NULL. */
static struct outside_traffic *claimed(
	const struct outside *outside, const void *frame, uint32_t length)
{
	const struct frame_payload *payload = checker_payload(frame);

	if (length < sizeof(struct frame_inner) || payload->magic != FRAME_MAGIC ||
		payload->flow >= outside->checker.n_flows)
		return NULL;
	return &outside->traffic[outside->traffic_of_flow[payload->flow]];
}

/* The frame within the outer headers, or NULL if these are not those of the flow's tunnel. */
static const char *unwrap(struct outside *outside, const char *data, uint32_t *length)
{
	const char *inner = data + sizeof(struct frame_outer);
	const struct outside_traffic *traffic = NULL;

	if (*length > sizeof(struct frame_outer))
		traffic = claimed(outside, inner, *length - sizeof(struct frame_outer));
	if (traffic != NULL && !traffic->wrapped_out && !traffic->from->uplink)
		return NULL; /* flooded, as its container is gone */
	if (traffic == NULL || !traffic->wrapped_out ||
		!frame_outer_is_sound((const void *)data, &traffic->tunnel, *length)) {
		outside->misdirected++;
		complain(outside, "a packet's outer headers were wrong");
		return NULL;
	}
	*length -= sizeof(struct frame_outer);
	return inner;
}

static void count_delivery(struct outside *outside, const struct frame_payload *payload,
	enum frame_verdict verdict, uint64_t now)
{
	struct outside_traffic *traffic =
		&outside->traffic[outside->traffic_of_flow[payload->flow]];

	traffic->delivered++;
	traffic->reordered += verdict == FRAME_REORDERED;
	traffic->delivered_in_time += now <= outside->end;
	histogram_add(&traffic->latency, frame_age(payload, now));
	arrivals_delivered(
		&traffic->arrivals, payload->flow - traffic->first_flow, payload->sequence, now);
}

static void judge(struct outside *outside, const struct device *device, const struct rte_mbuf *mbuf,
	uint64_t now)
{
	uint16_t place = device - outside->devices.list;
	const char *frame = rte_pktmbuf_mtod(mbuf, const char *);
	uint32_t length = mbuf->pkt_len;
	enum frame_verdict verdict;
	char text[256];

	if (device->uplink && outside->overlay)
		frame = unwrap(outside, frame, &length);
	if (frame == NULL)
		return;
	verdict = checker_receive(&outside->checker, place, frame, length, NULL, 0);
	if ((verdict == FRAME_SOUND || verdict == FRAME_REORDERED) &&
		claimed(outside, frame, length)->to == device)
		count_delivery(outside, checker_payload(frame), verdict, now);
	if (verdict == FRAME_SOUND)
		return;
	checker_describe(&outside->checker, verdict, place, frame, length, text, sizeof(text));
	complain(outside, text);
}

static void take_packet(
	struct outside *outside, struct device *device, struct rte_mbuf *mbuf, uint64_t now)
{
	device->taken++;
	if (device->uplink && is_arp(mbuf)) {
		answer_arp(outside, device, mbuf, now);
		return;
	}
	judge(outside, device, mbuf, now);
	rte_pktmbuf_free(mbuf);
}

/* All that was published: what a round has sent that has not ended yet is not there yet. Of rounds
 * that overlap at a queue, as many packets are there as those have sent that have ended. */
static void take_all(struct outside *outside, struct device_queue *queue, uint64_t now)
{
	unsigned int n = rte_ring_count(queue->from_weft) - queue->sent;
	unsigned int id = rte_lcore_id();
	void *mbuf;

	if (n == 0)
		return;
	/* A port's buffers are freed by the lcore that sends, and so into its cache. */
	RTE_PER_LCORE(_lcore_id) = queue->sender;
	for (; n > 0 && rte_ring_sc_dequeue(queue->from_weft, &mbuf) == 0; n--)
		take_packet(outside, queue->device, mbuf, now);
	RTE_PER_LCORE(_lcore_id) = id;
}

/* ---- containers that do not read ---- */

static uint64_t cycles_of(const struct outside *outside, uint64_t n, uint64_t per_second)
{
	return (unsigned __int128)n * outside->costs->hz / per_second;
}

static uint64_t end_of_pause(const struct outside *outside, const struct pause_settings *pause)
{
	return outside->start + cycles_of(outside, pause->from_ns + pause->for_ns, NS_PER_SECOND);
}

static bool is_paused(const struct outside *outside, const struct device *device, uint64_t now)
{
	const struct virtual_settings *settings = virtual_settings(outside->config);

	if (device->uplink || !outside->sending)
		return false;
	for (uint16_t i = 0; i < settings->n_pauses; i++) {
		const struct pause_settings *pause = &settings->pauses[i];

		if (strcmp(pause->port, device->config->name) == 0 &&
			now >= outside->start + cycles_of(outside, pause->from_ns, NS_PER_SECOND) &&
			now < end_of_pause(outside, pause))
			return true;
	}
	return false;
}

static void read_again(struct outside *outside, uint64_t now)
{
	for (uint16_t i = 0; i < outside->devices.n; i++) {
		struct device *device = &outside->devices.list[i];

		if (is_paused(outside, device, now))
			continue;
		for (uint16_t j = 0; j < device->n_queues; j++)
			take_all(outside, &device->queues[j], now);
	}
}

static uint64_t next_end_of_pause(const struct outside *outside)
{
	uint64_t next = NEVER;

	for (uint16_t i = 0; i < virtual_settings(outside->config)->n_pauses; i++)
		if (outside->pause_ends[i] < next)
			next = outside->pause_ends[i];
	return next;
}

static void end_pauses(struct outside *outside, uint64_t now)
{
	for (uint16_t i = 0; i < virtual_settings(outside->config)->n_pauses; i++)
		if (outside->pause_ends[i] <= now)
			outside->pause_ends[i] = NEVER;
	read_again(outside, now);
}

/* ---- events ---- */

static uint64_t next_arrival(const struct outside *outside, struct outside_traffic **next)
{
	uint64_t first = NEVER;

	for (uint16_t i = 0; i < outside->n_traffic; i++) {
		uint64_t time = arrivals_next(&outside->traffic[i].arrivals);

		if (time < first) {
			first = time;
			*next = &outside->traffic[i];
		}
	}
	return first <= outside->end ? first : NEVER;
}

struct event {
	uint64_t time;			 /* NEVER: none */
	struct outside_traffic *traffic; /* whose packet it is; NULL: a pause ends */
};

static struct event next_event(const struct outside *outside)
{
	struct event event = {.time = NEVER};
	uint64_t pause;

	if (!outside->sending)
		return event;
	event.time = next_arrival(outside, &event.traffic);
	pause = next_end_of_pause(outside);
	return pause <= event.time ? (struct event){.time = pause} : event;
}

static uint64_t outside_next(void *argument)
{
	return next_event(argument).time;
}

static void happen(struct outside *outside, const struct event *event)
{
	struct arrival arrival;

	if (event->traffic == NULL)
		end_pauses(outside, event->time);
	else if (arrivals_take(&event->traffic->arrivals, event->time, &arrival))
		send_packet(outside, event->traffic, &arrival);
}

static void outside_advance(void *argument, uint64_t until)
{
	struct event event;

	while ((event = next_event(argument)).time <= until)
		happen(argument, &event);
}

static void outside_sent(void *argument, uint16_t lcore, uint64_t now)
{
	struct outside *outside = argument;
	struct device_use *use = devices_take_used(&outside->devices, lcore);

	for (; use != NULL; use = use->next)
		if (!is_paused(outside, use->queue->device, now))
			take_all(outside, use->queue, now);
}

struct virtual_outside outside_events(struct outside *outside)
{
	return (struct virtual_outside){.argument = outside,
		.next = outside_next,
		.advance = outside_advance,
		.sent = outside_sent};
}

/* ---- start and stop ---- */

static struct arrivals_config arrivals_of(
	const struct outside *outside, const struct outside_traffic *traffic)
{
	const struct traffic_settings *settings = traffic->settings;
	uint32_t section = traffic - outside->traffic;

	return (struct arrivals_config){
		.kind = settings->arrivals,
		.law = settings->law,
		.exponent = settings->exponent,
		.flows = settings->flows,
		.hz = outside->costs->hz,
		.rate = settings->rate,
		.on = cycles_of(outside, settings->on_us, US_PER_SECOND),
		.off = cycles_of(outside, settings->off_us, US_PER_SECOND),
		.window = settings->window,
		.round_trip = cycles_of(outside, settings->round_trip_us, US_PER_SECOND),
		.jump_at = cycles_of(outside, settings->jump_ns, NS_PER_SECOND),
		.jump_rate = settings->jump_rate,
		.start = outside->start,
		.seed = random_mix(
			virtual_settings(outside->config)->seed + ((uint64_t)section << 48)),
	};
}

int outside_start(struct outside *outside, uint64_t start, uint64_t end)
{
	const struct virtual_settings *settings = virtual_settings(outside->config);

	outside->start = start;
	outside->end = end;
	for (uint16_t i = 0; i < settings->n_pauses; i++)
		outside->pause_ends[i] = end_of_pause(outside, &settings->pauses[i]);
	for (uint16_t i = 0; i < outside->n_traffic; i++) {
		struct outside_traffic *traffic = &outside->traffic[i];
		struct arrivals_config config = arrivals_of(outside, traffic);

		if (arrivals_init(&traffic->arrivals, &config) != 0)
			return -1;
	}
	outside->sending = true;
	return 0;
}

void outside_stop(struct outside *outside, uint64_t now)
{
	if (now < outside->end)
		outside->end = now;
	outside->sending = false;
	read_again(outside, now);
}

uint64_t outside_broken(const struct outside *outside)
{
	uint64_t sum = outside->misdirected;

	for (int verdict = FRAME_SOUND + 1; verdict < FRAME_VERDICTS; verdict++)
		sum += checker_count(&outside->checker, verdict);
	return sum;
}
