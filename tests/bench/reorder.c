/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What it costs to cut a flow into micro-flows and to put it in order again, beside what DPDK has
 * for that: rte_reorder, rte_distributor (which does not restore order: rte_reorder does so behind
 * it), and an ordered queue of the software event device. All carry the same packets, in bursts of
 * 32, over the same branches, which are served in the same turns; each takes its turn, round after
 * round, in one run.
 *
 * On one lcore a run is timed whole. What a system costs is by how much it takes longer than a run
 * that only takes the packets through the same rings: `cycles_per_packet` of weft and rte_reorder,
 * and of that what the parts make: stamping packets at the split, labels on the way from a branch,
 * and the merge. The other two have queues of their own, so `with_queues` is by
 * how much each takes longer than a run without any branch, weft and rte_reorder with their rings.
 *
 * On two lcores one splits and merges, and the other one is all the branches; `cycles_per_packet`
 * are then the cycles that both had something to do for, without those of the source.
 *
 * Packets are written, or untouched. Written: the source has just written the first line of the
 * mbuf and that of the data, and the branch reads both, as stages do; mbufs come again as they do
 * from a pool of 16,384. Untouched: nobody but the system touches packets, and each mbuf comes
 * again only after so many others, and in another place than they, that it is in no cache.
 *
 * usage: bench-reorder [EAL options, three lcores: main, a worker on the same CPU, one on another;
 * --vdev event_sw0] [-- ROUNDS]: how many must count (20)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_distributor.h>
#include <rte_eal.h>
#include <rte_eventdev.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_reorder.h>
#include <rte_ring.h>
#include <rte_service.h>

#include "core/packet.h"
#include "core/parcel.h"
#include "core/random.h"
#include "fixture.h"
#include "reorder/merge.h"
#include "rounds.h"
#include "steer/split.h"

#define ROUNDS_DEFAULT 20
#define ROUNDS_LEAST 6 /* at one distance, to print what crosses between CPUs */
#define REPETITIONS_MAX 400
#define QUIETEST 4 /* one round of so many counts */
#define BURST 32
#define BRANCHES 4
#define WINDOW_LEAST 1024    /* packets on their way */
#define RING_SIZE 16384	     /* no ring can fill */
#define PACKETS (768u << 10) /* as many mbufs: their first lines fill 48 MiB */
#define POOL (16u << 10)     /* mbufs, where they are written */
#define RUNS 5		     /* short ones, of each in a round */
#define WARM_UP POOL
#define RUN (8u << 10)	      /* packets */
#define SLOW_TURNS 11	      /* the slow branch has one turn of so many */
#define DISTRIBUTED 8	      /* the distributor's own burst */
#define EVENTS_IN_FLIGHT 4096 /* the software event device has no more */
#define EVENT_PORT_DEPTH 128

/* ---- what is compared ---- */

static const struct scenario {
	const char *name;
	uint32_t batch;
	uint16_t n_branches;
	bool slow; /* the last branch */
	bool all;  /* systems take part; the others have no batches */
} scenarios[] = {
	{"in order", 256, 1, false, true},
	{"two branches", 256, 2, false, true},
	{"four branches", 256, 4, false, true},
	{"one slow branch", 256, 2, true, true},
	{"two branches, batches of 1", 1, 2, false, false},
	{"two branches, batches of 16", 16, 2, false, false},
	{"two branches, batches of 64", 64, 2, false, false},
	{"two branches, batches of 1024", 1024, 2, false, false},
};

enum kind {
	SOURCE,	     /* no branch */
	RINGS,	     /* branches, but nothing is put in order */
	WEFT_STAMPS, /* packets are stamped, no more */
	WEFT_LABELS, /* and labels are put in, and taken out again */
	WEFT,
	REORDER_STAMPS,
	REORDER,
	DISTRIBUTOR,
	EVENT_SW,
	KINDS_ALONE,
	WEFT_HOPS = KINDS_ALONE, /* on two lcores */
	EVENT_SW_HOPS,
	KINDS
};

/* A scenario, with written packets or untouched ones. */
#define GROUPS (2 * RTE_DIM(scenarios))

struct result {
	double cycles; /* a packet */
	double pps;
};

static struct result results[GROUPS][REPETITIONS_MAX][KINDS];

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

/* Written by the lcore that splits and merges. */
static struct {
	const struct scenario *scenario;
	bool written;
	uint32_t window;
	uint32_t pool; /* so many packets come again and again */
	uint64_t in, out;
	uint64_t out_of_order; /* packets that came out at another's place */
} run;

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

/* On a branch, as its stages would. */
static void read_lines(struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; run.written && i < n; i++) {
		uint64_t sum = mbufs[i]->pkt_len + data_of(mbufs[i])->words[0];

		asm volatile("" : : "r"(sum));
	}
}

/* What is in order leaves here. */
static void pass(struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		run.out_of_order += mbufs[i] != packets[run.out++ % run.pool];
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
	void *parcels[BURST];

	for (uint16_t i = 0; i < n; i++)
		parcels[i] = parcel_make(mbufs[i], STAGE_DELIVER);
	put(back[branch], parcels, n);
}

static void unpack(void **parcels, uint16_t n, struct rte_mbuf **mbufs)
{
	for (uint16_t i = 0; i < n; i++)
		mbufs[i] = parcel_mbuf(parcels[i]);
}

static uint16_t get_back(uint16_t branch, struct rte_mbuf **mbufs)
{
	void *parcels[BURST];
	uint16_t n = get(back[branch], parcels, BURST);

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
	plain.left = run.scenario->batch;
}

static uint16_t plain_next(uint16_t n)
{
	const struct scenario *scenario = run.scenario;
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
	struct rte_mbuf *mbufs[BURST];
	uint16_t n = get(there[branch], mbufs, BURST);

	read_lines(mbufs, n);
	if (n > 0)
		put_back(branch, mbufs, n);
	return n;
}

static void rings_merge(void)
{
	struct rte_mbuf *mbufs[BURST];

	for (uint16_t branch = 0; branch < run.scenario->n_branches; branch++) {
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
	merge_places = rte_zmalloc("merge", merge_memory(run.scenario->n_branches, run.window), 0);
	if (merge_places == NULL)
		rte_exit(EXIT_FAILURE, "bench-reorder: no memory for the merge\n");
	merge_init(&merge, merge_places, run.scenario->n_branches, run.window);
	merge_begin(&merge, run.scenario->batch);
	split_begin(&split, &merge);
}

static void weft_end(void)
{
	rte_free(merge_places);
}

static void stamp(struct rte_mbuf **mbufs, uint16_t n, uint16_t group, uint32_t micro_flow)
{
	for (uint16_t i = 0; i < n; i++) {
		packet_of(mbufs[i])->group = group;
		packet_of(mbufs[i])->micro_flow = micro_flow;
	}
}

static void weft_split(struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t taken; n > 0; mbufs += taken, n -= taken) {
		taken = split_next(&split, n);
		stamp(mbufs, taken, GROUP_BRANCHES + split.branch, split.micro_flow);
		put(there[split.branch], mbufs, taken);
	}
}

/* As rings_merge(), but the split is to know what has come. */
static void weft_merge_nothing(void)
{
	struct rte_mbuf *mbufs[BURST];

	for (uint16_t branch = 0; branch < run.scenario->n_branches; branch++) {
		uint16_t n = get_back(branch, mbufs);

		merge.arrived[branch] += n;
		pass(mbufs, n);
	}
}

static void *make_label(const struct packet *packet)
{
	union label label = {.step = STAGE_MERGE,
		.group = packet->group,
		.micro_flow = packet->micro_flow & MICRO_FLOW_MASK};

	return label.parcel;
}

static uint16_t run_of(struct rte_mbuf **mbufs, uint16_t n)
{
	const struct packet first = *packet_of(mbufs[0]);
	uint16_t end = 1;

	while (end < n && packets_share_account(packet_of(mbufs[end]), &first))
		end++;
	return end;
}

/* A label before each run of packets of one micro-flow. */
static uint16_t add_labels(struct rte_mbuf **mbufs, uint16_t n, void **parcels)
{
	uint16_t added = 0;

	for (uint16_t i = 0, end; i < n; i = end) {
		end = i + run_of(mbufs + i, n - i);
		parcels[added++] = make_label(packet_of(mbufs[i]));
		for (uint16_t j = i; j < end; j++)
			parcels[added++] = parcel_make(mbufs[j], STAGE_DELIVER);
	}
	return added;
}

static uint16_t weft_serve(uint16_t branch)
{
	struct rte_mbuf *mbufs[BURST];
	void *parcels[2 * BURST];
	uint16_t n = get(there[branch], mbufs, BURST);

	read_lines(mbufs, n);
	if (n > 0)
		put(back[branch], parcels, add_labels(mbufs, n, parcels));
	return n;
}

static void pass_parcels(void **parcels, uint16_t n)
{
	struct rte_mbuf *mbufs[2 * BURST];

	unpack(parcels, n, mbufs);
	pass(mbufs, n);
}

static void weft_merge_run(uint16_t branch, union label label, void **parcels, uint16_t n)
{
	void *held[BURST];
	uint16_t taken;

	if (!merge_arrive(&merge, branch, label.micro_flow, parcels, n, n))
		return;
	pass_parcels(parcels, n);
	while ((taken = merge_next(&merge, held, BURST)) > 0)
		pass_parcels(held, taken);
}

/* A serving ends with a whole run, and begins with a label. */
static void weft_merge_branch(uint16_t branch)
{
	void *parcels[2 * BURST];
	uint16_t n = get(back[branch], parcels, 2 * BURST), end;
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
	void *parcels[2 * BURST];

	for (uint16_t branch = 0; branch < run.scenario->n_branches; branch++) {
		uint16_t n = get(back[branch], parcels, 2 * BURST), end;

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
	for (uint16_t branch = 0; branch < run.scenario->n_branches; branch++)
		weft_merge_branch(branch);
}

/* ---- rte_reorder ---- */

static struct rte_reorder_buffer *reorder;
static uint32_t seqn;

static void reorder_begin(void)
{
	plain_begin();
	seqn = 0;
	reorder = rte_reorder_create("reorder", rte_socket_id(), rte_align32pow2(2 * run.window));
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
	struct rte_mbuf *drained[BURST];

	for (uint16_t i = 0; i < n; i++)
		if (rte_reorder_insert(reorder, mbufs[i]) != 0)
			rte_exit(EXIT_FAILURE, "bench-reorder: rte_reorder refuses a packet\n");
	while ((n = rte_reorder_drain(reorder, drained, BURST)) > 0)
		pass(drained, n);
}

static void reorder_merge(void)
{
	struct rte_mbuf *mbufs[BURST];

	for (uint16_t branch = 0; branch < run.scenario->n_branches; branch++) {
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

	for (uint16_t branch = 0; branch < run.scenario->n_branches; branch++) {
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
	uint16_t n = run.scenario->n_branches;
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

	while (served < BURST && (n = get(there[branch], mbufs, DISTRIBUTED)) > 0) {
		read_lines(mbufs, n);
		request(branch, mbufs, n);
		served += n;
	}
	return served;
}

static void distributor_merge(void)
{
	struct rte_mbuf *mbufs[BURST];
	int n;

	while ((n = rte_distributor_returned_pkts(distributor, mbufs, BURST)) > 0)
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
	for (uint8_t branch = 0; branch < run.scenario->n_branches; branch++)
		link_event_port(branch, ORDERED_QUEUE);
	check_event(rte_event_dev_start(event_device), "start");
}

static void event_end(void)
{
	uint8_t queue = ORDERED_QUEUE;

	for (uint8_t branch = 0; branch < run.scenario->n_branches; branch++)
		rte_event_port_unlink(event_device, branch, &queue, 1);
	rte_event_dev_stop(event_device);
}

static void schedule(void)
{
	rte_service_run_iter_on_app_lcore(event_service, 0);
}

static void event_split(struct rte_mbuf **mbufs, uint16_t n)
{
	struct rte_event events[BURST];

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
	struct rte_event events[BURST];
	uint16_t n = rte_event_dequeue_burst(event_device, branch, events, BURST, 0);

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
	struct rte_event events[BURST];
	uint16_t n;

	schedule();
	n = rte_event_dequeue_burst(event_device, SINK_PORT, events, BURST, 0);
	for (uint16_t i = 0; i < n; i++)
		pass(&events[i].mbuf, 1);
}

/* ---- systems ---- */

static const struct system {
	const char *name;
	bool orders;
	void (*begin)(void);
	void (*end)(void);
	void (*split)(struct rte_mbuf **mbufs, uint16_t n); /* a burst comes */
	uint16_t (*serve)(uint16_t branch); /* it does up to a burst; returns how many */
	void (*merge)(void);		    /* what has come from the branches */
} systems[KINDS] = {
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

static const struct system *active;

/* ---- turns ---- */

/* The branches' lcore. */
static struct {
	uint32_t turn;
	bool stop;
	uint64_t busy; /* cycles of turns in which there was something to do */
} branches;

/* Each branch in turn; the slow one does a tenth of what the other one does. Where that has
 * nothing to do, time passes. */
static uint16_t serve_next(void)
{
	const struct scenario *scenario = run.scenario;
	uint16_t slow = scenario->n_branches - 1, n;
	uint32_t turn = branches.turn++;

	if (!scenario->slow)
		return active->serve(turn % scenario->n_branches);
	if (turn % SLOW_TURNS != SLOW_TURNS - 1) {
		n = active->serve(0);
		if (n > 0)
			return n;
		branches.turn = turn - turn % SLOW_TURNS + SLOW_TURNS;
	}
	return active->serve(slow);
}

static bool has_room(void)
{
	return run.in - run.out + BURST <= run.window;
}

static struct rte_mbuf **next_burst(void)
{
	struct rte_mbuf **mbufs = &packets[run.in % run.pool];

	if (run.written)
		write_lines(mbufs, BURST);
	run.in += BURST;
	return mbufs;
}

static void carry(uint64_t n)
{
	for (uint64_t until = run.out + n; run.out < until;) {
		while (has_room() && run.out < until)
			active->split(next_burst(), BURST);
		serve_next();
		active->merge();
	}
}

static void begin_run(enum kind kind, const struct scenario *scenario, bool written)
{
	uint64_t first = run.in; /* those that came last are in the caches */

	memset(&run, 0, sizeof(run));
	memset(&branches, 0, sizeof(branches));
	run.scenario = scenario;
	run.written = written;
	run.window = RTE_MAX(WINDOW_LEAST, 2 * scenario->n_branches * scenario->batch);
	run.pool = written ? POOL : PACKETS;
	run.in = run.out = first;
	active = &systems[kind];
	active->begin();
}

static void end_run(void)
{
	active->end();
	if (active->orders && run.out_of_order > 0)
		rte_exit(EXIT_FAILURE, "bench-reorder: %s, %s: packets come out of order\n",
			active->name, run.scenario->name);
}

static struct result run_alone(enum kind kind, const struct scenario *scenario, bool written)
{
	struct result result = {.pps = 0};
	uint64_t begin, out;

	begin_run(kind, scenario, written);
	carry(WARM_UP);
	out = run.out;
	begin = rte_rdtsc();
	carry(RUN);
	result.cycles = (double)(rte_rdtsc() - begin) / (run.out - out);
	while (run.out < run.in) {
		serve_next();
		active->merge();
	}
	end_run();
	return result;
}

/* ---- two lcores ---- */

static int be_branches(void *unused)
{
	while (!__atomic_load_n(&branches.stop, __ATOMIC_RELAXED)) {
		uint64_t begin = rte_rdtsc();

		if (serve_next() > 0)
			branches.busy += rte_rdtsc() - begin;
	}
	return unused != NULL;
}

/* Returns the cycles of turns in which there was something to do, without the source's. */
static uint64_t carry_over_there(uint64_t n)
{
	uint64_t busy = 0;

	for (uint64_t until = run.out + n; run.out < until;) {
		struct rte_mbuf **mbufs = has_room() ? next_burst() : NULL;
		uint64_t begin = rte_rdtsc(), out = run.out;

		if (mbufs != NULL)
			active->split(mbufs, BURST);
		active->merge();
		if (mbufs != NULL || run.out > out)
			busy += rte_rdtsc() - begin;
	}
	return busy;
}

static void stop_branches(void)
{
	while (run.out < run.in)
		active->merge();
	__atomic_store_n(&branches.stop, true, __ATOMIC_RELAXED);
	rte_eal_wait_lcore(rounds_partner);
}

static struct result run_over_there(enum kind kind, const struct scenario *scenario, bool written)
{
	struct result result;
	uint64_t begin, busy, out;

	begin_run(kind, scenario, written);
	rte_eal_remote_launch(be_branches, NULL, rounds_partner);
	carry_over_there(WARM_UP);
	out = run.out;
	busy = __atomic_load_n(&branches.busy, __ATOMIC_RELAXED);
	begin = rte_rdtsc();
	busy = carry_over_there(RUN) + __atomic_load_n(&branches.busy, __ATOMIC_RELAXED) - busy;
	result.pps = (double)(run.out - out) * rte_get_tsc_hz() / (rte_rdtsc() - begin);
	result.cycles = (double)busy / (run.out - out);
	stop_branches();
	end_run();
	return result;
}

/* ---- rounds: a group's systems, one after the other ---- */

static const struct scenario *scenario_of(unsigned int group)
{
	return &scenarios[group / 2];
}

static bool is_written(unsigned int group)
{
	return group % 2 == 0;
}

static bool takes_part(enum kind kind, unsigned int group)
{
	return scenario_of(group)->all || kind <= REORDER;
}

static struct result run_once(enum kind kind, unsigned int group)
{
	return (kind < KINDS_ALONE ? run_alone : run_over_there)(
		kind, scenario_of(group), is_written(group));
}

/* A run that others interrupt is an outlier: so there are several short ones. */
static struct result middle_of(const struct result *runs)
{
	double cycles[RUNS], pps[RUNS];

	for (unsigned int i = 0; i < RUNS; i++) {
		cycles[i] = runs[i].cycles;
		pps[i] = runs[i].pps;
	}
	return (struct result){fixture_median(cycles, RUNS), fixture_median(pps, RUNS)};
}

/* In turns; first those of one lcore, as the others leave the packets in another CPU's cache. */
static void run_kinds(unsigned int group, enum kind begin, enum kind end, struct result *middles)
{
	struct result runs[KINDS][RUNS] = {0};

	for (unsigned int i = 0; i < RUNS; i++)
		for (enum kind kind = begin; kind < end; kind++)
			if (takes_part(kind, group))
				runs[kind][i] = run_once(kind, group);
	for (enum kind kind = begin; kind < end; kind++)
		middles[kind] = middle_of(runs[kind]);
}

static void run_group(unsigned int group, unsigned int repetition)
{
	unsigned int round = repetition * GROUPS + group;

	rounds_begin(round);
	run_kinds(group, 0, KINDS_ALONE, results[group][repetition]);
	run_kinds(group, KINDS_ALONE, KINDS, results[group][repetition]);
	rounds_end(round);
}

/* ---- figures ---- */

/* The repetitions of a group that count. */
struct repetitions {
	unsigned int group;
	unsigned int n;
	unsigned int list[REPETITIONS_MAX];
};

/* Those at one distance of the CPUs; at any, if that is UNKNOWN. */
static void find_repetitions(
	struct repetitions *counting, unsigned int group, enum distance_class class, unsigned int n)
{
	counting->group = group;
	counting->n = 0;
	for (unsigned int i = 0; i < n; i++) {
		enum distance_class here = rounds_classes[i * GROUPS + group];

		if (class == UNKNOWN ? here != UNKNOWN : here == class)
			counting->list[counting->n++] = i;
	}
}

/* What a system takes more than another. */
static double extra(
	const struct repetitions *counting, unsigned int i, enum kind kind, enum kind other)
{
	const struct result *all = results[counting->group][counting->list[i]];

	return all[kind].cycles - all[other].cycles;
}

static double median_extra(const struct repetitions *counting, enum kind kind, enum kind other)
{
	double values[REPETITIONS_MAX];

	for (unsigned int i = 0; i < counting->n; i++)
		values[i] = extra(counting, i, kind, other);
	return fixture_median(values, counting->n);
}

static double median_ratio(
	const struct repetitions *counting, enum kind kind, enum kind other, enum kind base)
{
	double values[REPETITIONS_MAX];

	for (unsigned int i = 0; i < counting->n; i++)
		values[i] = extra(counting, i, kind, base) / extra(counting, i, other, base);
	return fixture_median(values, counting->n);
}

static double median_of(const struct repetitions *counting, enum kind kind, size_t offset)
{
	double values[REPETITIONS_MAX];

	for (unsigned int i = 0; i < counting->n; i++)
		values[i] = *(double *)((char *)&results[counting->group][counting->list[i]][kind] +
					offset);
	return fixture_median(values, counting->n);
}

/* ---- rows ---- */

static void print_head(const struct repetitions *counting, enum kind kind, const char *where)
{
	const struct scenario *scenario = scenario_of(counting->group);

	printf("{\"scenario\": \"%s%s, %s\", \"system\": \"%s\", \"lcores\": %u, \"clock\": "
	       "\"real\", "
	       "\"batch\": %u, \"branches\": %u, ",
		scenario->name, where, is_written(counting->group) ? "written" : "untouched",
		systems[kind].name, kind < KINDS_ALONE ? 1 : 2, scenario->batch,
		scenario->n_branches);
}

/* Each run's cycles a packet. */
static void print_runs(const struct repetitions *counting, enum kind kind, enum kind base)
{
	printf("\"runs\": [");
	for (unsigned int i = 0; i < counting->n; i++)
		printf("%s%.2f", i > 0 ? ", " : "",
			base == KINDS ? results[counting->group][counting->list[i]][kind].cycles
				      : extra(counting, i, kind, base));
	printf("]}\n");
}

/* What the parts cost: each takes longer than what has all parts before it. */
static void print_parts(const struct repetitions *counting, enum kind kind)
{
	if (kind == REORDER) {
		printf("\"stamp_cycles\": %.2f, \"merge_cycles\": %.2f, ",
			median_extra(counting, REORDER_STAMPS, RINGS),
			median_extra(counting, REORDER, REORDER_STAMPS));
		return;
	}
	printf("\"stamp_cycles\": %.2f, \"label_cycles\": %.2f, \"merge_cycles\": %.2f, ",
		median_extra(counting, WEFT_STAMPS, RINGS),
		median_extra(counting, WEFT_LABELS, WEFT_STAMPS),
		median_extra(counting, WEFT, WEFT_LABELS));
}

/* What it adds to the same rings. */
static void print_alone(const struct repetitions *counting, enum kind kind)
{
	print_head(counting, kind, "");
	printf("\"cycles_per_packet\": %.2f, ", median_extra(counting, kind, RINGS));
	print_parts(counting, kind);
	printf("\"with_queues\": %.2f, \"ratio_to_rte_reorder\": %.3f, ",
		median_extra(counting, kind, SOURCE), median_ratio(counting, kind, REORDER, RINGS));
	if (takes_part(EVENT_SW, counting->group))
		printf("\"ratio_to_event_sw\": %.3f, ",
			median_ratio(counting, kind, EVENT_SW, SOURCE));
	print_runs(counting, kind, RINGS);
}

static void print_with_queues(const struct repetitions *counting, enum kind kind)
{
	print_head(counting, kind, "");
	printf("\"with_queues\": %.2f, \"ratio_to_event_sw\": %.3f, ",
		median_extra(counting, kind, SOURCE),
		median_ratio(counting, kind, EVENT_SW, SOURCE));
	print_runs(counting, kind, SOURCE);
}

static double ratio_of_hops(const struct repetitions *counting, enum kind kind)
{
	double values[REPETITIONS_MAX];

	for (unsigned int i = 0; i < counting->n; i++) {
		const struct result *all = results[counting->group][counting->list[i]];

		values[i] = all[kind].cycles / all[EVENT_SW_HOPS].cycles;
	}
	return fixture_median(values, counting->n);
}

static void print_hops(
	const struct repetitions *counting, enum kind kind, enum distance_class class)
{
	char where[64];

	snprintf(where, sizeof(where), ", with hops, %s", rounds_class_names[class]);
	print_head(counting, kind, where);
	printf("\"pps\": %.0f, \"cycles_per_packet\": %.2f, \"ratio_to_event_sw\": %.3f, ",
		median_of(counting, kind, offsetof(struct result, pps)),
		median_of(counting, kind, offsetof(struct result, cycles)),
		ratio_of_hops(counting, kind));
	print_runs(counting, kind, KINDS);
}

static void print_group(unsigned int group, unsigned int repetitions)
{
	struct repetitions counting;

	find_repetitions(&counting, group, UNKNOWN, repetitions);
	print_alone(&counting, WEFT);
	print_alone(&counting, REORDER);
	if (!takes_part(EVENT_SW, group))
		return;
	print_with_queues(&counting, DISTRIBUTOR);
	print_with_queues(&counting, EVENT_SW);
	for (int class = 0; class < DISTANCE_CLASSES; class ++) {
		find_repetitions(&counting, group, class, repetitions);
		if (counting.n < ROUNDS_LEAST)
			continue;
		print_hops(&counting, WEFT_HOPS, class);
		print_hops(&counting, EVENT_SW_HOPS, class);
	}
}

/* ---- the whole ---- */

static bool has_enough(unsigned int group, unsigned int repetitions, unsigned int enough)
{
	struct repetitions counting;
	bool hops = !takes_part(WEFT_HOPS, group);

	for (int class = 0; class < DISTANCE_CLASSES && !hops; class ++) {
		find_repetitions(&counting, group, class, repetitions);
		hops = counting.n >= ROUNDS_LEAST;
	}
	find_repetitions(&counting, group, UNKNOWN, repetitions);
	return hops && counting.n >= enough;
}

/* Returns how many groups want more. */
static unsigned int repeat(unsigned int repetition, unsigned int enough)
{
	unsigned int quiet, missing = 0;

	for (unsigned int group = 0; group < GROUPS; group++)
		run_group(group, repetition);
	quiet = rounds_take_quietest((repetition + 1) * GROUPS, QUIETEST);
	for (unsigned int group = 0; group < GROUPS; group++)
		missing += !has_enough(group, repetition + 1, enough);
	fprintf(stderr, "round %u: %u runs of %zu count, %u of %zu groups want more\n",
		repetition + 1, quiet, (repetition + 1) * GROUPS, missing, GROUPS);
	return missing;
}

int main(int argc, char **argv)
{
	int eal = rte_eal_init(argc, argv);
	unsigned int enough = ROUNDS_DEFAULT, repetitions = 0;

	if (eal < 0 || rte_lcore_count() < 3)
		rte_exit(EXIT_FAILURE, "bench-reorder: needs a main lcore and two workers: "
				       "--lcores '0@0,1@0,2@1'\n");
	if (argc > eal + 1)
		enough = RTE_MAX(atoi(argv[eal + 1]), ROUNDS_LEAST);
	rounds_init();
	make_packets();
	make_rings();
	make_event_device();
	while (repetitions < REPETITIONS_MAX && repeat(repetitions++, enough) > 0)
		;
	for (unsigned int group = 0; group < GROUPS; group++)
		print_group(group, repetitions);
	return 0;
}
