/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The systems of bench-reorder: none, weft's split and merge, and those of DPDK; and the packets
 * and rings that they have in common.
 */
#include "reorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_distributor.h>
#include <rte_eventdev.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_reorder.h>
#include <rte_ring.h>
#include <rte_service.h>

#include "base/random.h"
#include "engine/parcel.h"
#include "fixture.h"
#include "reorder/merge.h"
#include "stages/packet.h"
#include "steer/split.h"

#define RING_SIZE 16384	      /* no ring can fill */
#define DISTRIBUTED 8	      /* the distributor's own burst */
#define EVENTS_IN_FLIGHT 4096 /* the software event device has no more */
#define EVENT_PORT_DEPTH 128

/* ---- packets ---- */

struct line {
	uint64_t words[RTE_CACHE_LINE_SIZE / sizeof(uint64_t)];
};

struct buffer {
	struct rte_mbuf mbuf;
	struct line data;
};

/* They come in this order, again and again. */
static struct rte_mbuf *packets[PACKETS];

struct run the_run;

static void make_packets(void)
{
	struct buffer *buffers =
		rte_zmalloc("packets", PACKETS * sizeof(buffers[0]), RTE_CACHE_LINE_SIZE);
	uint64_t random = 1;

	if (buffers == NULL)
		rte_exit(
			EXIT_FAILURE, "bench-reorder: no memory for packets; give EAL more (-m)\n");
	for (uint32_t i = 0; i < PACKETS; i++) {
		uint32_t other = random_below(&random, i + 1);

		packets[i] = packets[other];
		packets[other] = &buffers[i].mbuf;
	}
}

static struct line *data_of(struct rte_mbuf *mbuf)
{
	return &((struct buffer *)mbuf)->data;
}

static void write_lines(struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		mbufs[i]->pkt_len = mbufs[i]->data_len = RTE_CACHE_LINE_SIZE;
		data_of(mbufs[i])->words[0]++;
	}
}

struct rte_mbuf **systems_next_burst(void)
{
	struct rte_mbuf **mbufs = &packets[the_run.in % the_run.pool];

	if (the_run.written)
		write_lines(mbufs, FIXTURE_BURST);
	the_run.in += FIXTURE_BURST;
	return mbufs;
}

/* On a branch, as its stages would. */
static void read_lines(struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; the_run.written && i < n; i++) {
		uint64_t sum = mbufs[i]->pkt_len + data_of(mbufs[i])->words[0];

		asm volatile("" : : "r"(sum));
	}
}

/* What is in order leaves here. */
static void pass(struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		the_run.out_of_order += mbufs[i] != packets[the_run.out++ % the_run.pool];
}

/* ---- branches: a ring there and a ring back ---- */

static struct rte_ring *there[BRANCHES], *back[BRANCHES];

static struct rte_ring *make_ring(const char *name, uint16_t branch)
{
	struct rte_ring *ring;
	char full[32];

	snprintf(full, sizeof(full), "%s %u", name, branch);
	ring = rte_ring_create(full, RING_SIZE, rte_socket_id(), RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (ring == NULL)
		rte_exit(EXIT_FAILURE, "bench-reorder: no memory for rings\n");
	return ring;
}

static void make_rings(void)
{
	for (uint16_t i = 0; i < BRANCHES; i++) {
		there[i] = make_ring("there", i);
		back[i] = make_ring("back", i);
	}
}

static void put(struct rte_ring *ring, void *words, uint16_t n)
{
	if (rte_ring_sp_enqueue_burst(ring, words, n, NULL) < n)
		rte_exit(EXIT_FAILURE, "bench-reorder: a ring is full\n");
}

static uint16_t get(struct rte_ring *ring, void *words, uint16_t n)
{
	return rte_ring_sc_dequeue_burst(ring, words, n, NULL);
}

/* Packets come back as parcels, as they do between weft's lcores. */
static void put_back(uint16_t branch, struct rte_mbuf **mbufs, uint16_t n)
{
	struct parcel parcels[FIXTURE_BURST];

	for (uint16_t i = 0; i < n; i++)
		parcels[i] = parcel_make(mbufs[i], STEP_DELIVER);
	put(back[branch], parcels, n);
}

static void unpack(struct parcel *parcels, uint16_t n, struct rte_mbuf **mbufs)
{
	for (uint16_t i = 0; i < n; i++)
		mbufs[i] = parcel_mbuf(parcels[i]);
}

static uint16_t get_back(uint16_t branch, struct rte_mbuf **mbufs)
{
	struct parcel parcels[FIXTURE_BURST];
	uint16_t n = get(back[branch], parcels, FIXTURE_BURST);

	unpack(parcels, n, mbufs);
	return n;
}

/* ---- no system: what all have in common ---- */

static void nothing(void)
{
}

static void source_split(struct rte_mbuf **mbufs, uint16_t n)
{
	read_lines(mbufs, n);
	pass(mbufs, n);
}

static uint16_t source_serve(uint16_t branch)
{
	(void)branch;
	return 1;
}

/* Branches in turn, by a rule that is simpler than weft's. */
static struct {
	uint32_t micro_flow;
	uint32_t left;
	uint16_t branch;
} plain;

static void plain_begin(void)
{
	memset(&plain, 0, sizeof(plain));
	plain.left = the_run.scenario->batch;
}

static uint16_t plain_next(uint16_t n)
{
	const struct scenario *scenario = the_run.scenario;
	uint16_t taken;

	if (plain.left == 0) {
		plain.micro_flow++;
		plain.left = scenario->batch;
		plain.branch = scenario->slow ? plain.micro_flow % SLOW_TURNS == SLOW_TURNS - 1
					      : plain.micro_flow % scenario->n_branches;
	}
	taken = RTE_MIN(plain.left, n);
	plain.left -= taken;
	return taken;
}

static void rings_split(struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t taken; n > 0; mbufs += taken, n -= taken) {
		taken = plain_next(n);
		put(there[plain.branch], mbufs, taken);
	}
}

static uint16_t rings_serve(uint16_t branch)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];
	uint16_t n = get(there[branch], mbufs, FIXTURE_BURST);

	read_lines(mbufs, n);
	if (n > 0)
		put_back(branch, mbufs, n);
	return n;
}

static void rings_merge(void)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];

	for (uint16_t branch = 0; branch < the_run.scenario->n_branches; branch++) {
		uint16_t n = get_back(branch, mbufs);

		pass(mbufs, n);
	}
}

/* ---- weft ---- */

static struct split split;
static struct merge merge;
static void *merge_places;

static void weft_begin(void)
{
	merge_places =
		rte_zmalloc("merge", merge_memory(the_run.scenario->n_branches, the_run.window), 0);
	if (merge_places == NULL)
		rte_exit(EXIT_FAILURE, "bench-reorder: no memory for the merge\n");
	merge_init(&merge, merge_places, the_run.scenario->n_branches, the_run.window);
	merge_begin(&merge, the_run.scenario->batch);
	split_begin(&split, &merge);
}

static void weft_end(void)
{
	rte_free(merge_places);
}

static void stamp(struct rte_mbuf **mbufs, uint16_t n, uint16_t account, uint32_t micro_flow)
{
	for (uint16_t i = 0; i < n; i++) {
		packet_of(mbufs[i])->origin.account.number = account;
		packet_of(mbufs[i])->micro_flow = micro_flow;
	}
}

static void weft_split(struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t taken; n > 0; mbufs += taken, n -= taken) {
		taken = split_next(&split, n);
		stamp(mbufs, taken, ACCOUNT_BRANCHES + split.branch, split.micro_flow);
		put(there[split.branch], mbufs, taken);
	}
}

/* As rings_merge(), but the split is to know what has come. */
static void weft_merge_nothing(void)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];

	for (uint16_t branch = 0; branch < the_run.scenario->n_branches; branch++) {
		uint16_t n = get_back(branch, mbufs);

		merge.arrived[branch] += n;
		pass(mbufs, n);
	}
}

static struct parcel make_label(const struct packet *packet, uint32_t behind)
{
	union label label = {.step = PARCEL_LABEL,
		.account = packet->origin.account.number,
		.micro_flow = packet->micro_flow & MICRO_FLOW_MASK,
		.packets = behind};

	return label.parcel;
}

/* A label before each run of packets of one micro-flow. */
static uint16_t add_labels(struct rte_mbuf **mbufs, uint16_t n, struct parcel *parcels)
{
	uint16_t added = 0;

	for (uint16_t i = 0, end; i < n; i = end) {
		uint32_t behind;

		end = i + packets_in_run(mbufs + i, n - i, &behind);
		parcels[added++] = make_label(packet_of(mbufs[i]), behind);
		for (uint16_t j = i; j < end; j++)
			parcels[added++] = parcel_make(mbufs[j], STEP_DELIVER);
	}
	return added;
}

static uint16_t weft_serve(uint16_t branch)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];
	struct parcel parcels[2 * FIXTURE_BURST];
	uint16_t n = get(there[branch], mbufs, FIXTURE_BURST);

	read_lines(mbufs, n);
	if (n > 0)
		put(back[branch], parcels, add_labels(mbufs, n, parcels));
	return n;
}

static void pass_parcels(struct parcel *parcels, uint16_t n)
{
	struct rte_mbuf *mbufs[2 * FIXTURE_BURST];

	unpack(parcels, n, mbufs);
	pass(mbufs, n);
}

static void weft_merge_run(uint16_t branch, union label label, struct parcel *parcels, uint16_t n)
{
	struct parcel held[FIXTURE_BURST];
	uint16_t taken;

	if (!merge_arrive(&merge, branch, label.micro_flow, parcels, n, n))
		return;
	pass_parcels(parcels, n);
	while ((taken = merge_next(&merge, held, FIXTURE_BURST)) > 0)
		pass_parcels(held, taken);
}

/* A serving ends with a whole run, and begins with a label. */
static void weft_merge_branch(uint16_t branch)
{
	struct parcel parcels[2 * FIXTURE_BURST];
	uint16_t n = get(back[branch], parcels, 2 * FIXTURE_BURST), end;
	static union label labels[BRANCHES];

	for (uint16_t i = 0; i < n; i = end) {
		if (parcel_is_label(parcels[i]))
			labels[branch].parcel = parcels[i++];
		for (end = i; end < n && !parcel_is_label(parcels[end]); end++)
			;
		if (end > i)
			weft_merge_run(branch, labels[branch], parcels + i, end - i);
	}
}

/* As weft_merge_branch(), without the merge. */
static void weft_unlabel(void)
{
	struct parcel parcels[2 * FIXTURE_BURST];

	for (uint16_t branch = 0; branch < the_run.scenario->n_branches; branch++) {
		uint16_t n = get(back[branch], parcels, 2 * FIXTURE_BURST), end;

		for (uint16_t i = 0; i < n; i = end) {
			i += parcel_is_label(parcels[i]);
			for (end = i; end < n && !parcel_is_label(parcels[end]); end++)
				;
			merge.arrived[branch] += end - i;
			pass_parcels(parcels + i, end - i);
		}
	}
}

static void weft_merge(void)
{
	for (uint16_t branch = 0; branch < the_run.scenario->n_branches; branch++)
		weft_merge_branch(branch);
}

/* ---- rte_reorder ---- */

static struct rte_reorder_buffer *reorder;
static uint32_t seqn;

static void reorder_begin(void)
{
	plain_begin();
	seqn = 0;
	reorder =
		rte_reorder_create("reorder", rte_socket_id(), rte_align32pow2(2 * the_run.window));
	if (reorder == NULL)
		rte_exit(EXIT_FAILURE, "bench-reorder: no memory for rte_reorder\n");
}

static void reorder_end(void)
{
	rte_reorder_free(reorder);
}

static void number(struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		*rte_reorder_seqn(mbufs[i]) = seqn++;
}

static void reorder_split(struct rte_mbuf **mbufs, uint16_t n)
{
	number(mbufs, n);
	rings_split(mbufs, n);
}

static void put_in_order(struct rte_mbuf **mbufs, uint16_t n)
{
	struct rte_mbuf *drained[FIXTURE_BURST];

	for (uint16_t i = 0; i < n; i++)
		if (rte_reorder_insert(reorder, mbufs[i]) != 0)
			rte_exit(EXIT_FAILURE, "bench-reorder: rte_reorder refuses a packet\n");
	while ((n = rte_reorder_drain(reorder, drained, FIXTURE_BURST)) > 0)
		pass(drained, n);
}

static void reorder_merge(void)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];

	for (uint16_t branch = 0; branch < the_run.scenario->n_branches; branch++) {
		uint16_t n = get_back(branch, mbufs);

		if (n > 0)
			put_in_order(mbufs, n);
	}
}

/* ---- rte_distributor ---- */

/*
 * In one thread: packets that are for a worker are fetched at once, so that the distributor never
 * waits for it; and between two requests of a worker it looks for what comes back. A tag goes to
 * one worker as long as that has packets of it, and the distributor hands over eight at a time: so
 * each eight have another tag.
 */
static struct rte_distributor
	*distributors[BRANCHES + 1]; /* [branches]; there is no way to free one */
static struct rte_distributor *distributor;

static void fetch(void)
{
	struct rte_mbuf *mbufs[DISTRIBUTED];

	for (uint16_t branch = 0; branch < the_run.scenario->n_branches; branch++) {
		int n = rte_distributor_poll_pkt(distributor, branch, mbufs);

		if (n > 0)
			put(there[branch], mbufs, n);
	}
}

static void request(uint16_t branch, struct rte_mbuf **mbufs, uint16_t n)
{
	rte_distributor_request_pkt(distributor, branch, mbufs, n);
	rte_distributor_process(distributor, NULL, 0);
	fetch();
}

static void distributor_begin(void)
{
	uint16_t n = the_run.scenario->n_branches;
	char name[32];

	snprintf(name, sizeof(name), "distributor %u", n);
	reorder_begin();
	distributor = distributors[n];
	if (distributor == NULL)
		distributor = distributors[n] =
			rte_distributor_create(name, rte_socket_id(), n, RTE_DIST_ALG_BURST);
	if (distributor == NULL)
		rte_exit(EXIT_FAILURE, "bench-reorder: no memory for rte_distributor\n");
	for (uint16_t branch = 0; branch < n; branch++)
		request(branch, NULL, 0);
}

static void distributor_split(struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t taken; n > 0; mbufs += taken, n -= taken) {
		taken = RTE_MIN(n, DISTRIBUTED);
		number(mbufs, taken);
		for (uint16_t i = 0; i < taken; i++)
			mbufs[i]->hash.usr = seqn / DISTRIBUTED << 1;
		rte_distributor_process(distributor, mbufs, taken);
		fetch();
	}
}

static uint16_t distributor_serve(uint16_t branch)
{
	struct rte_mbuf *mbufs[DISTRIBUTED];
	uint16_t served = 0, n;

	while (served < FIXTURE_BURST && (n = get(there[branch], mbufs, DISTRIBUTED)) > 0) {
		read_lines(mbufs, n);
		request(branch, mbufs, n);
		served += n;
	}
	return served;
}

static void distributor_merge(void)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];
	int n;

	while ((n = rte_distributor_returned_pkts(distributor, mbufs, FIXTURE_BURST)) > 0)
		put_in_order(mbufs, n);
}

/* ---- the software event device ---- */

enum { ORDERED_QUEUE, LAST_QUEUE, EVENT_QUEUES };

static int event_device;
static uint32_t event_service;

/* Ports: the branches', whether they take part or not, and two more. */
enum { SOURCE_PORT = BRANCHES, SINK_PORT, EVENT_PORTS };

static void check_event(int result, const char *what)
{
	if (result < 0)
		rte_exit(EXIT_FAILURE, "bench-reorder: event_sw: %s: %d\n", what, result);
}

static void add_event_port(uint8_t port, uint32_t flags)
{
	const struct rte_event_port_conf config = {.new_event_threshold = EVENTS_IN_FLIGHT,
		.dequeue_depth = EVENT_PORT_DEPTH,
		.enqueue_depth = EVENT_PORT_DEPTH,
		.event_port_cfg = flags};

	check_event(rte_event_port_setup(event_device, port, &config), "port");
}

static void link_event_port(uint8_t port, uint8_t queue)
{
	if (rte_event_port_link(event_device, port, &queue, NULL, 1) != 1)
		check_event(-rte_errno, "link");
}

/* Once: in DPDK 22.11 a second configuration makes its count of events negative. */
static void configure_events(void)
{
	const struct rte_event_dev_config config = {.nb_events_limit = EVENTS_IN_FLIGHT,
		.nb_event_queues = EVENT_QUEUES,
		.nb_event_ports = EVENT_PORTS,
		.nb_event_queue_flows = WINDOW_LEAST,
		.nb_event_port_dequeue_depth = EVENT_PORT_DEPTH,
		.nb_event_port_enqueue_depth = EVENT_PORT_DEPTH,
		.nb_single_link_event_port_queues = 1};
	const struct rte_event_queue_conf last = {
		.event_queue_cfg = RTE_EVENT_QUEUE_CFG_SINGLE_LINK};

	check_event(rte_event_dev_configure(event_device, &config), "configuration");
	check_event(rte_event_queue_setup(event_device, LAST_QUEUE, &last), "last queue");
	for (uint8_t port = 0; port < EVENT_PORTS; port++)
		add_event_port(port, port == SINK_PORT ? RTE_EVENT_PORT_CFG_SINGLE_LINK : 0);
	link_event_port(SINK_PORT, LAST_QUEUE);
}

static void make_event_device(void)
{
	event_device = rte_event_dev_get_dev_id("event_sw0");
	check_event(event_device, "give EAL --vdev event_sw0");
	configure_events();
	check_event(rte_event_dev_service_id_get(event_device, &event_service), "no service");
	check_event(rte_service_set_runstate_mapped_check(event_service, 0), "service");
	check_event(rte_service_runstate_set(event_service, 1), "service");
}

static void event_begin(void)
{
	const struct rte_event_queue_conf ordered = {.schedule_type = RTE_SCHED_TYPE_ORDERED,
		.nb_atomic_flows = WINDOW_LEAST,
		.nb_atomic_order_sequences = WINDOW_LEAST};

	check_event(rte_event_queue_setup(event_device, ORDERED_QUEUE, &ordered), "ordered queue");
	for (uint8_t branch = 0; branch < the_run.scenario->n_branches; branch++)
		link_event_port(branch, ORDERED_QUEUE);
	check_event(rte_event_dev_start(event_device), "start");
}

static void event_end(void)
{
	uint8_t queue = ORDERED_QUEUE;

	for (uint8_t branch = 0; branch < the_run.scenario->n_branches; branch++)
		rte_event_port_unlink(event_device, branch, &queue, 1);
	rte_event_dev_stop(event_device);
}

static void schedule(void)
{
	rte_service_run_iter_on_app_lcore(event_service, 0);
}

static void event_split(struct rte_mbuf **mbufs, uint16_t n)
{
	struct rte_event events[FIXTURE_BURST];

	for (uint16_t i = 0; i < n; i++)
		events[i] = (struct rte_event){.op = RTE_EVENT_OP_NEW,
			.queue_id = ORDERED_QUEUE,
			.sched_type = RTE_SCHED_TYPE_ORDERED,
			.event_type = RTE_EVENT_TYPE_CPU,
			.mbuf = mbufs[i]};
	for (uint16_t sent = 0; sent < n;) {
		sent += rte_event_enqueue_burst(event_device, SOURCE_PORT, events + sent, n - sent);
		if (sent < n)
			schedule();
	}
}

static uint16_t event_serve(uint16_t branch)
{
	struct rte_event events[FIXTURE_BURST];
	uint16_t n = rte_event_dequeue_burst(event_device, branch, events, FIXTURE_BURST, 0);

	for (uint16_t i = 0; i < n; i++) {
		events[i].op = RTE_EVENT_OP_FORWARD;
		events[i].queue_id = LAST_QUEUE;
		read_lines(&events[i].mbuf, 1);
	}
	for (uint16_t sent = 0; sent < n;)
		sent += rte_event_enqueue_burst(event_device, branch, events + sent, n - sent);
	return n;
}

static void event_merge(void)
{
	struct rte_event events[FIXTURE_BURST];
	uint16_t n;

	schedule();
	n = rte_event_dequeue_burst(event_device, SINK_PORT, events, FIXTURE_BURST, 0);
	for (uint16_t i = 0; i < n; i++)
		pass(&events[i].mbuf, 1);
}

/* ---- systems ---- */

const struct system systems[KINDS] = {
	[SOURCE] = {"", true, nothing, nothing, source_split, source_serve, nothing},
	[RINGS] = {"", false, plain_begin, nothing, rings_split, rings_serve, rings_merge},
	[WEFT_STAMPS] = {"", false, weft_begin, weft_end, weft_split, rings_serve,
		weft_merge_nothing},
	[WEFT_LABELS] = {"", false, weft_begin, weft_end, weft_split, weft_serve, weft_unlabel},
	[WEFT] = {"weft", true, weft_begin, weft_end, weft_split, weft_serve, weft_merge},
	[REORDER_STAMPS] = {"", false, reorder_begin, reorder_end, reorder_split, rings_serve,
		rings_merge},
	[REORDER] = {"rte_reorder", true, reorder_begin, reorder_end, reorder_split, rings_serve,
		reorder_merge},
	[DISTRIBUTOR] = {"rte_distributor", true, distributor_begin, reorder_end, distributor_split,
		distributor_serve, distributor_merge},
	[EVENT_SW] = {"event_sw", true, event_begin, event_end, event_split, event_serve,
		event_merge},
	[WEFT_HOPS] = {"weft", true, weft_begin, weft_end, weft_split, weft_serve, weft_merge},
	[EVENT_SW_HOPS] = {"event_sw", true, event_begin, event_end, event_split, event_serve,
		event_merge},
};

void systems_init(void)
{
	make_packets();
	make_rings();
	make_event_device();
}
