/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Floods to hundreds of ports with few credits, on one lcore and on several, where each queue has
 * an owner and where lcores take turns at them: each packet comes to every port once, and in its
 * order among those that the same sender sends to one port alone.
 *
 *   WEFT_SIM_SEED=N   begin with another seed
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_hash_crc.h>
#include <rte_malloc.h>

#include "base/random.h"
#include "world.h"

#define PORTS 300
#define VISITORS 20 /* of these come and go, */
#define SENDERS 6   /* and these send */
#define PACKETS 100 /* of a sender */
#define BURST_MOST 8
#define LCORES_MOST 4
#define SEEDS 40	      /* worlds of each test */
#define MBUFS 16383	      /* more than ever are inside */
#define ROUNDS_MOST 400000    /* until all is out */
#define TYPE RTE_BE16(0x88b5) /* for local experiments (IEEE 802) */

struct frame {
	struct rte_ether_hdr ether;
	uint16_t sender;
	uint32_t number;
} __rte_packed __rte_aligned(2);

/* What came to a port from a sender, and what should have. */
struct receipt {
	uint32_t last; /* number of the last one */
	uint32_t received;
	uint32_t sent;
};

static struct {
	uint64_t random;
	uint16_t storm; /* port that sends broadcasts without end; PORTS: none */
	uint64_t now;
	struct rte_mempool *pool;
	struct rte_hash *fdb;
	struct dataplane *dataplane;
	struct tables *tables[2]; /* with all ports, and without the visitors */
	struct port ports[PORTS];
	uint32_t next[SENDERS];
	struct receipt receipts[SENDERS][PORTS];
} floods;

static struct rte_ether_addr mac_of(uint16_t port)
{
	return (struct rte_ether_addr){{0x02, 0, 0, 0, port >> 8, port & 0xff}};
}

/* ---- the ports' peers ---- */

static void count_sent(uint16_t sender, uint16_t destination)
{
	for (uint16_t i = 0; i < PORTS; i++)
		if (i != sender && (destination == PORTS || destination == i))
			floods.receipts[sender][i].sent++;
}

/* Half of all packets are for everybody. */
static struct rte_mbuf *make_packet(uint16_t sender)
{
	static const struct rte_ether_addr broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(floods.pool);
	uint16_t destination = PORTS;
	struct frame *frame;

	assert_non_null(mbuf);
	frame = rte_pktmbuf_mtod(mbuf, void *);
	memset(frame, 0, RTE_ETHER_MIN_LEN);
	mbuf->data_len = mbuf->pkt_len = RTE_ETHER_MIN_LEN;
	frame->ether = (struct rte_ether_hdr){
		.dst_addr = broadcast, .src_addr = mac_of(sender), .ether_type = TYPE};
	frame->sender = sender;
	frame->number = ++floods.next[sender];
	if (sender != floods.storm && random_one_in(&floods.random, 2)) {
		destination = (sender + 1 + random_below(&floods.random, PORTS - 1)) % PORTS;
		frame->ether.dst_addr = mac_of(destination);
	}
	count_sent(sender, destination);
	return mbuf;
}

static bool has_more(uint16_t sender)
{
	return sender == floods.storm || floods.next[sender] < PACKETS;
}

/* In bursts, small ones, so that each sender's packets are many batches. */
static uint16_t receive(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t i;

	(void)queue;
	if (port->index >= SENDERS ||
		(port->index != floods.storm && random_one_in(&floods.random, 2)))
		return 0;
	n = RTE_MIN(n, 1 + random_below(&floods.random, BURST_MOST));
	for (i = 0; i < n && has_more(port->index); i++)
		mbufs[i] = make_packet(port->index);
	return i;
}

static uint16_t take(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	(void)queue;
	for (uint16_t i = 0; i < n; i++) {
		const struct frame *frame = rte_pktmbuf_mtod(mbufs[i], const void *);
		struct receipt *receipt = &floods.receipts[frame->sender][port->index];

		assert_int_not_equal(frame->sender, port->index);
		assert_true(frame->number > receipt->last);
		receipt->last = frame->number;
		receipt->received++;
		rte_pktmbuf_free(mbufs[i]);
	}
	return n;
}

static bool is_up(const struct port *port)
{
	(void)port;
	return true;
}

static const struct port_ops ops = {
	.type = "flood", .receive = receive, .send = take, .is_up = is_up};

/* ---- a world ---- */

static void make_fdb(void)
{
	struct rte_hash_parameters parameters = {.name = "floods",
		.entries = 2 * PORTS,
		.key_len = sizeof(uint64_t),
		.hash_func = rte_hash_crc,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF};

	floods.fdb = rte_hash_create(&parameters);
	for (uint16_t i = 0; i < PORTS; i++) {
		struct rte_ether_addr mac = mac_of(i);
		uint64_t key = fdb_key(0, &mac);
		union fdb_value value = {.place = i, .fixed = true};

		assert_int_equal(rte_hash_add_key_data(floods.fdb, &key, value.word), 0);
	}
}

static void make_ports(uint16_t n_lcores)
{
	for (uint16_t i = 0; i < PORTS; i++) {
		floods.ports[i] = (struct port){.ops = &ops,
			.index = i,
			.mtu = 1450,
			.n_queues = 1,
			.lcores = UINT64_MAX,
			.mac = mac_of(i)};
		floods.ports[i].queues[0].owner = i % n_lcores;
	}
}

/* Of the first n ports. */
static struct tables *make_tables(uint16_t n, uint16_t n_lcores)
{
	struct tables *tables = calloc(1, sizeof(*tables) + n * sizeof(tables->owned[0]));
	struct network *network = calloc(1, sizeof(*network) + n * sizeof(network->places[0]));
	uint16_t owned = 0;

	tables->fdb = floods.fdb;
	tables->networks[0] = network;
	tables->n_networks = 1;
	*network = (struct network){.mtu = 1450, .n_places = n};
	for (uint16_t i = 0; i < n; i++) {
		tables->ports[i] = &floods.ports[i];
		network->places[i] = i;
	}
	for (uint16_t lcore = 0; lcore < n_lcores; lcore++) {
		for (uint16_t i = lcore; i < n; i += n_lcores)
			tables->owned[owned++] = (struct owned_queue){.port = &floods.ports[i]};
		tables->owned_begin[lcore + 1] = owned;
	}
	return tables;
}

static void free_tables(struct tables *tables)
{
	free(tables->networks[0]);
	free(tables);
}

/* In turns; or each stage where the one before it ran, or on any lcore. */
static void choose_plan(struct plan *plan, uint16_t n_lcores)
{
	static const enum step stages[] = {STAGE_VETH_RX, STAGE_BRIDGE, STAGE_VETH};

	if (random_one_in(&floods.random, 2))
		return plan_set(plan, plan_mode_find("turns"));
	plan_set(plan, plan_mode_find("vanilla"));
	for (size_t i = 0; i < RTE_DIM(stages); i++)
		if (random_one_in(&floods.random, 2))
			plan->lcore[stages[i]] = random_below(&floods.random, n_lcores);
}

/* A tick a reading. */
static uint64_t read_clock(const struct clock *clock)
{
	(void)clock;
	return ++floods.now;
}

static void make_dataplane(uint16_t n_lcores, uint32_t credits)
{
	struct dataplane_config config = {.clock = {.read = read_clock, .hz = rte_get_tsc_hz()},
		.n_lcores = n_lcores,
		.credits = credits};
	struct error error;

	choose_plan(&config.plan, n_lcores);
	for (uint16_t i = 0; i < n_lcores; i++)
		config.lcore_ids[i] = rte_get_main_lcore();
	floods.dataplane = dataplane_create(&config, &error);
	assert_non_null(floods.dataplane);
	for (uint16_t i = 0; i < n_lcores; i++) {
		floods.dataplane->lcores[i]->handover.holds = true;
		lcore_begin(floods.dataplane->lcores[i]);
	}
}

static void begin(uint64_t seed, uint16_t n_lcores, uint32_t credits)
{
	memset(&floods, 0, sizeof(floods));
	floods.random = seed;
	floods.storm = PORTS;
	floods.pool = rte_pktmbuf_pool_create("floods", MBUFS, 0, 0, 512, SOCKET_ID_ANY);
	assert_non_null(floods.pool);
	make_fdb();
	make_ports(n_lcores);
	floods.tables[0] = make_tables(PORTS, n_lcores);
	floods.tables[1] = make_tables(PORTS - VISITORS, n_lcores);
	make_dataplane(n_lcores, credits);
	dataplane_publish(floods.dataplane, floods.tables[0]);
}

static void end(void)
{
	for (uint16_t i = 0; i < floods.dataplane->n_lcores; i++)
		lcore_end(floods.dataplane->lcores[i]);
	dataplane_free(floods.dataplane);
	free_tables(floods.tables[0]);
	free_tables(floods.tables[1]);
	rte_hash_free(floods.fdb);
	rte_mempool_free(floods.pool);
}

/* ---- what must hold ---- */

static bool is_over(void)
{
	struct conservation all = dataplane_conservation(floods.dataplane);

	for (uint16_t i = 0; i < SENDERS; i++)
		if (has_more(i))
			return false;
	return conservation_in_flight(&all) == 0;
}

/* Others see what a round passes on when the lcore's next one begins. */
static void pass_on(struct lcore *lcore)
{
	for (uint16_t i = 0; i < lcore->handover.n_passed; i++)
		passing_do(&lcore->handover.passed[i]);
	lcore->handover.n_passed = 0;
}

/* Whether the lcore is busy is what it says, and no round is longer than others by floods. */
static void poll(struct lcore *lcore)
{
	struct conservation before = dataplane_conservation(floods.dataplane), after;
	bool moved;

	pass_on(lcore);
	moved = lcore_poll(lcore);

	after = dataplane_conservation(floods.dataplane);
	assert_true(moved || memcmp(&before, &after, sizeof(before)) == 0);
	assert_true(after.created - before.created <= FLOOD_ROUND_MAX);
}

static void poll_any(void)
{
	poll(floods.dataplane->lcores[random_below(&floods.random, floods.dataplane->n_lcores)]);
}

static void check_end(void)
{
	for (uint16_t i = 0; i < floods.dataplane->n_lcores; i++)
		assert_false(flood_is_on(floods.dataplane->lcores[i]));
	assert_int_equal(sim_drops(floods.dataplane, "flood_refused"), 0);
	assert_int_equal(sim_drops(floods.dataplane, "inbox_full"), 0);
	assert_int_equal(rte_mempool_avail_count(floods.pool), MBUFS);
}

/* All that was sent to the first n ports. */
static void check_received(uint16_t n)
{
	for (uint16_t i = 0; i < SENDERS; i++)
		for (uint16_t j = 0; j < n; j++)
			assert_int_equal(
				floods.receipts[i][j].received, floods.receipts[i][j].sent);
}

/* In any order of rounds; `visits`: the last ports come and go meanwhile. */
static void run(bool visits)
{
	uint32_t rounds = 0;

	for (; !is_over(); rounds++) {
		assert_true(rounds < ROUNDS_MOST);
		if (visits && random_one_in(&floods.random, 16))
			dataplane_publish(
				floods.dataplane, floods.tables[random_below(&floods.random, 2)]);
		poll_any();
	}
	check_end();
}

static void everybody_gets_everything(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SEEDS; i++) {
		begin(sim_seed() + i, 1 + i % LCORES_MOST, 64 << 3 * (i % 3));
		run(false);
		check_received(PORTS);
		end();
	}
}

/* Those that stay get everything, and the others nothing twice. */
static void ports_come_and_go_during_floods(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SEEDS; i++) {
		begin(sim_seed() + SEEDS + i, 1 + i % LCORES_MOST, 64);
		run(true);
		check_received(PORTS - VISITORS);
		end();
	}
}

static bool others_have_sent(void)
{
	for (uint16_t i = 0; i < SENDERS; i++)
		if (i != floods.storm && has_more(i))
			return false;
	return true;
}

/* On one lcore, where the port that is asked first storms. */
static void a_storm_stops_no_other_port(void **state)
{
	(void)state;
	begin(sim_seed(), 1, 256);
	floods.storm = 0;
	for (uint32_t rounds = 0; !others_have_sent(); rounds++) {
		assert_true(rounds < ROUNDS_MOST);
		poll_any();
	}
	floods.storm = PORTS;
	run(false);
	check_received(PORTS);
	end();
}

/* One lcore, where one port storms and the others are silent; until half of the credits
 * are used up. */
static struct lcore *begin_storm(uint32_t credits)
{
	struct lcore *lcore;

	begin(sim_seed(), 1, credits);
	lcore = floods.dataplane->lcores[0];
	for (uint16_t i = 1; i < SENDERS; i++)
		floods.next[i] = PACKETS;
	floods.storm = 0;
	while (floods.next[0] < credits / 2)
		poll(lcore);
	floods.storm = PORTS;
	floods.next[0] = RTE_MAX(floods.next[0], PACKETS);
	assert_true(flood_is_on(lcore));
	return lcore;
}

static void a_flood_s_time_is_the_bridge_s(void **state)
{
	struct lcore *lcore = begin_storm(64);
	const struct stage_counters *bridge = &lcore->counters.stages[STAGE_BRIDGE];
	uint64_t cycles = bridge->cycles;

	(void)state;
	poll(lcore);
	assert_true(bridge->cycles > cycles);
	run(false);
	end();
}

/* The last port goes and another one comes in its place, while a flood is on that has not been
 * there: that one gets it no more, and all floods that have not begun. */
static void a_port_s_successor_gets_only_later_floods(void **state)
{
	const struct receipt *receipt = &floods.receipts[0][PORTS - 1];
	struct lcore *lcore = begin_storm(64);

	(void)state;
	assert_true(receipt->received < receipt->sent);
	floods.ports[PORTS - 1].number = floods.tables[0]->newest_port = 1;
	floods.next[0] = PACKETS - 1;
	while (floods.next[0] < PACKETS)
		poll(lcore);
	run(false);
	assert_int_equal(receipt->received, receipt->sent - 1);
	end();
}

/* What `wire` has no VTEP for is no flood. */
static void what_has_no_vtep_is_no_flood(void **state)
{
	struct lcore *lcore = begin_storm(64);
	struct plan plan, *old;

	(void)state;
	plan_set(&plan, plan_mode_find("linux-overlay"));
	assert_int_equal(dataplane_set_plan(floods.dataplane, &plan, &old), 0);
	rte_free(old);
	floods.tables[0]->networks[0]->wire_remote = PLACE_NONE;
	floods.next[1] = PACKETS - 1;
	while (floods.next[1] < PACKETS)
		poll(lcore);
	run(false);
	assert_int_equal(sim_drops(floods.dataplane, "flood_nobody"), 0);
	assert_int_equal(sim_drops(floods.dataplane, "encap_no_vtep"), 1);
	end();
}

/* A drain takes as long as something comes out, and has an end if nothing does. */
static void a_drain_waits_for_floods(void **state)
{
	struct lcore *lcore = begin_storm(2048);
	struct drain drain = {0};
	uint32_t rounds = 0;

	(void)state;
	floods.dataplane->closing = true;
	while (dataplane_drains(floods.dataplane, &drain))
		rounds++;
	assert_in_range(rounds, DRAIN_ROUNDS, DRAIN_ROUNDS + 1);
	drain = (struct drain){0};
	for (rounds = 0; !is_over(); rounds++) {
		assert_true(dataplane_drains(floods.dataplane, &drain));
		if (rounds % 8 == 0)
			poll(lcore);
	}
	assert_true(rounds > DRAIN_ROUNDS);
	check_end();
	end();
}

static int start(void **state)
{
	(void)state;
	return sim_start(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everybody_gets_everything),
		cmocka_unit_test(ports_come_and_go_during_floods),
		cmocka_unit_test(a_storm_stops_no_other_port),
		cmocka_unit_test(a_flood_s_time_is_the_bridge_s),
		cmocka_unit_test(a_port_s_successor_gets_only_later_floods),
		cmocka_unit_test(what_has_no_vtep_is_no_flood),
		cmocka_unit_test(a_drain_waits_for_floods),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
