/* SPDX-License-Identifier: BSD-3-Clause */
/* The driver of virtual lcores: times, causality, sleep, faults. */
#include "fixture.h"

#include <stdlib.h>

#include <rte_lcore.h>
#include <rte_mbuf_dyn.h>

#include "base/random.h"
#include "engine/lcore.h"
#include "virtual/driver.h"

#define LCORES 3
#define MBUFS 2047
#define CREDITS 64
#define MANY 20000
#define PREEMPTED_BURSTS 1000
#define STEP 100	   /* cycles that a measured step takes, */
#define PREEMPTED 40000000 /* and one during which this thread was preempted */
#define FOREVER (1000ull * 1000 * 1000 * 1000)

/* Different primes, so that a sum tells what is in it. */
static const struct costs costs = {
	.hz = 1000000000,
	.idle = 7 * COST_UNIT,
	.busy = 11 * COST_UNIT,
	.steer = 37 * COST_UNIT,
	.steps =
		{
			[STAGE_RX] = {13 * COST_UNIT, 1 * COST_UNIT},
			[STAGE_GRO] = {17 * COST_UNIT, 2 * COST_UNIT},
			[STAGE_VXLAN] = {19 * COST_UNIT, 3 * COST_UNIT},
			[STAGE_BRIDGE] = {23 * COST_UNIT, 4 * COST_UNIT},
			[STAGE_VETH] = {29 * COST_UNIT, 5 * COST_UNIT},
			[STEP_DELIVER] = {31 * COST_UNIT, 6 * COST_UNIT},
		},
	.price = {.metadata = 100 * COST_UNIT,
		.header = 1000 * COST_UNIT,
		.back = 10000 * COST_UNIT},
};

#define RECEIVE_BURSTS (13 + 17 + 19 + 23 + 29 + 31)
#define RECEIVE_PACKETS (1 + 2 + 3 + 4 + 5 + 6)

/* One world: a source at the uplink that has a burst now and then, a sink at port 1. */
static struct {
	struct rte_mempool *pool;
	struct tables *tables;
	struct dataplane *dataplane;
	struct virtual_driver *driver;
	const char *mode; /* NULL: vanilla */
	uint64_t random;
	uint64_t next;	/* when the source has something again */
	uint32_t left;	/* bursts that the source still has */
	uint16_t burst; /* packets of a burst; 0: any number */
	uint16_t due;
	uint32_t given, taken;
	uint64_t taken_at; /* round in which the last one came */
	uint64_t digest;
	uint64_t published[LCORES]; /* what each lcore's finished[0] was when last published */
	uint16_t n_unpublished;	    /* packets of lcore 0's last round */
	struct rte_mbuf *unpublished[CREDITS];
	uint64_t measured; /* what the measuring clock reads next */
	uint32_t preempted_one_in;
	uint32_t preempted; /* times */
} world;

/* Each packet says when lcore 0, which received it, published it. */
static int note_offset;

static uint64_t *note_of(struct rte_mbuf *mbuf)
{
	return RTE_MBUF_DYNFIELD(mbuf, note_offset, uint64_t *);
}

/* ---- ports ---- */

static uint64_t read_measured(const struct clock *clock)
{
	(void)clock;
	return world.measured += STEP;
}

static const struct clock measuring = {.read = read_measured};

/* As if this thread were preempted, once everything has been measured often enough. */
static void maybe_preempt(void)
{
	if (world.preempted_one_in == 0 || world.left >= PREEMPTED_BURSTS ||
		!random_one_in(&world.random, world.preempted_one_in))
		return;
	world.measured += PREEMPTED;
	world.preempted++;
}

static void check_credits(uint16_t n)
{
	uint64_t back = world.dataplane->lcores[0]->finished[0];

	for (uint16_t i = 1; i < world.dataplane->n_lcores; i++)
		back += world.published[i];
	assert_true(world.given + n - back <= CREDITS);
}

static uint16_t give(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct vxlan_frame frame = vxlan_frame();

	(void)port;
	(void)queue;
	assert_int_equal(rte_lcore_id(), virtual_lcore_id(0));
	maybe_preempt();
	n = RTE_MIN(n, world.due);
	world.due -= n;
	check_credits(n);
	for (uint16_t i = 0; i < n; i++) {
		mbufs[i] = rte_pktmbuf_alloc(world.pool);
		assert_non_null(mbufs[i]);
		memcpy(rte_pktmbuf_append(mbufs[i], sizeof(frame)), &frame, sizeof(frame));
		*note_of(mbufs[i]) = world.dataplane->n_lcores == 1 ? 0 : UINT64_MAX;
		world.unpublished[world.n_unpublished++] = mbufs[i];
		world.given++;
	}
	virtual_filled(world.driver, mbufs, n, true);
	return n;
}

static uint16_t nothing(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	(void)port;
	(void)queue;
	(void)mbufs;
	(void)n;
	return 0;
}

static uint16_t take(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	unsigned int owner = port->queues[queue].owner;

	assert_int_equal(rte_lcore_id(), virtual_lcore_id(owner));
	for (uint16_t i = 0; i < n; i++)
		assert_true(*note_of(mbufs[i]) <= virtual_now(world.driver));
	rte_pktmbuf_free_bulk(mbufs, n);
	world.taken += n;
	world.taken_at = virtual_now(world.driver);
	world.digest = random_mix(world.digest ^ world.taken_at ^ n);
	return n;
}

static bool is_up(const struct port *port)
{
	(void)port;
	return true;
}

static const struct port_ops uplink_ops = {.receive = give, .send = take, .is_up = is_up};
static const struct port_ops container_ops = {.receive = nothing, .send = take, .is_up = is_up};

/* ---- outside ---- */

static uint64_t next_burst(void *argument)
{
	(void)argument;
	return world.left > 0 ? world.next : UINT64_MAX;
}

static void advance(void *argument, uint64_t until)
{
	(void)argument;
	(void)until;
	world.due += world.burst ? world.burst : random_below(&world.random, 60);
	world.left--;
	virtual_wake(world.driver, 0, world.next);
	world.next += 1 + random_below(&world.random, 4000);
}

static void note_published(void *argument, uint16_t index, uint64_t now)
{
	const struct lcore *lcore = world.dataplane->lcores[index];

	(void)argument;
	world.published[index] = lcore->finished[0];
	if (index > 0)
		return;
	for (uint16_t i = 0; i < world.n_unpublished; i++)
		*note_of(world.unpublished[i]) = now;
	world.n_unpublished = 0;
}

/* ---- worlds ---- */

static void make_tables(uint16_t container_owner)
{
	size_t size = sizeof(*world.tables);

	world.tables = calloc(1, size + sizeof(world.tables->owned[0]));
	memcpy(world.tables, fixture.tables, size);
	fixture.ports[UPLINK].ops = &uplink_ops;
	fixture.ports[PORT_1].ops = &container_ops;
	fixture.ports[UPLINK].n_queues = fixture.ports[PORT_1].n_queues = 1;
	fixture.ports[PORT_1].queues[0].owner = container_owner;
	world.tables->owned[0] = (struct owned_queue){&fixture.ports[UPLINK], 0};
	world.tables->owned_begin[0] = 0;
	for (int i = 1; i <= LCORES_MAX; i++)
		world.tables->owned_begin[i] = 1;
}

/* vxlan on lcore 1 and the container's queue on lcore 2, as far as there are so many. */
static void make_pool(void)
{
	world.pool = rte_pktmbuf_pool_create(
		"test", MBUFS, 32, 0, RTE_MBUF_DEFAULT_BUF_SIZE, rte_socket_id());
	assert_non_null(world.pool);
}

static void make_world(struct virtual_config config, uint16_t n_lcores)
{
	struct dataplane_config dataplane = {.n_lcores = n_lcores, .credits = CREDITS};
	struct error error;

	make_pool(); /* a new one: which mbuf comes next is part of a run */
	world.random = config.seed;
	config.costs = &costs;
	config.control_period = 100000;
	config.outside = (struct virtual_outside){
		.next = next_burst, .advance = advance, .sent = note_published};
	world.driver = virtual_create(&config);
	dataplane.clock = virtual_clock(world.driver);
	for (uint16_t i = 0; i < n_lcores; i++)
		dataplane.lcore_ids[i] = virtual_lcore_id(i);
	plan_set(&dataplane.plan, plan_mode_find(world.mode ? world.mode : "vanilla"));
	if (n_lcores > 1)
		dataplane.plan.lcore[STAGE_VXLAN] = 1;
	world.dataplane = dataplane_create(&dataplane, &error);
	assert_non_null(world.dataplane);
	make_tables(n_lcores - 1);
	dataplane_publish(world.dataplane, world.tables);
	assert_int_equal(virtual_take(world.driver, world.dataplane), 0);
}

static void run_world(struct virtual_config config, uint16_t n_lcores, uint32_t bursts)
{
	make_world(config, n_lcores);
	world.left = bursts;
	while (world.left > 0 || world.due > 0 || world.taken < world.given) {
		assert_true(virtual_now(world.driver) < FOREVER);
		virtual_step(world.driver);
	}
}

static uint64_t all_time(const struct lcore *lcore)
{
	const struct time_counters *time = &lcore->counters.time;

	return time->idle + time->working + time->back_pressured + time->housekeeping;
}

static void check_times(void)
{
	for (uint16_t i = 0; i < world.dataplane->n_lcores; i++)
		assert_int_equal(
			all_time(world.dataplane->lcores[i]), world.dataplane->lcores[i]->mark);
}

static void free_world(void)
{
	check_times();
	virtual_release(world.driver);
	virtual_free(world.driver);
	dataplane_free(world.dataplane);
	free(world.tables);
	assert_int_equal(rte_mempool_avail_count(world.pool), MBUFS);
	rte_mempool_free(world.pool);
	world.given = world.taken = world.due = world.burst = 0;
	world.measured = world.preempted_one_in = world.preempted = 0;
	world.next = world.digest = world.n_unpublished = 0;
	memset(world.published, 0, sizeof(world.published));
}

/* ---- tests ---- */

static void a_packet_costs_what_the_table_says(void **state)
{
	(void)state;
	world.burst = 5;
	run_world((struct virtual_config){0}, 1, 1);
	assert_int_equal(world.dataplane->lcores[0]->counters.time.working,
		RECEIVE_BURSTS + 5 * RECEIVE_PACKETS + 11);
	assert_int_equal(
		world.dataplane->lcores[0]->counters.stages[STAGE_BRIDGE].cycles, 23 + 5 * 4);
	free_world();
}

static void a_steered_packet_costs_its_door_more(void **state)
{
	(void)state;
	world.burst = 5;
	world.mode = "rps";
	run_world((struct virtual_config){0}, 1, 1);
	assert_int_equal(world.dataplane->lcores[0]->counters.time.working,
		RECEIVE_BURSTS + 5 * (RECEIVE_PACKETS + 37) + 11);
	assert_int_equal(
		world.dataplane->lcores[0]->counters.stages[STAGE_RX].cycles, 13 + 5 * (1 + 37));
	world.mode = NULL;
	free_world();
}

static uint64_t working_time(void)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < world.dataplane->n_lcores; i++)
		sum += world.dataplane->lcores[i]->counters.time.working;
	return sum;
}

/* Two hops: lines of metadata move twice; the headers once, as the last step only frees. */
static void a_hop_costs_its_lines(void **state)
{
	(void)state;
	world.burst = 1;
	run_world((struct virtual_config){0}, 3, 1);
	assert_int_equal(
		working_time(), RECEIVE_BURSTS + RECEIVE_PACKETS + 3 * 11 + 2 * 100 + 1000);
	free_world();
}

static void an_mbuf_that_was_freed_elsewhere_costs_its_lines(void **state)
{
	uint64_t first;

	(void)state;
	world.burst = 1;
	make_world((struct virtual_config){0}, 2);
	world.left = 3 * MBUFS; /* so that mbufs come back through the pool's ring */
	while (world.left > 0 || world.taken < world.given)
		virtual_step(world.driver);
	first = world.dataplane->lcores[0]->counters.stages[STAGE_RX].cycles;
	assert_true(first > 3 * MBUFS * (13 + 1) + MBUFS * 10000ull);
	free_world();
}

static void check_order(enum virtual_order order)
{
	for (uint64_t seed = 1; seed < 6; seed++) {
		run_world((struct virtual_config){.order = order, .seed = seed}, 2 + seed % 2,
			MANY / 30);
		assert_true(world.taken > MANY / 2);
		free_world();
	}
}

static void nothing_is_seen_before_its_time(void **state)
{
	(void)state;
	check_order(VIRTUAL_BY_COST);
	check_order(VIRTUAL_RANDOM);
	check_order(VIRTUAL_ADVERSARIAL);
}

/* The packet is with each of the three for one round, and each round begins when the one before it
 * has ended, though the receiver sleeps. */
static void a_sleeping_lcore_is_woken_in_time(void **state)
{
	uint64_t begin;

	(void)state;
	world.burst = 1;
	make_world((struct virtual_config){0}, 3);
	world.next = 1000;
	world.left = 1;
	begin = world.next;
	while (world.taken == 0)
		virtual_step(world.driver);
	assert_int_equal(world.taken_at - begin,
		/* lcore 0 */ 13 + 1 + 17 + 2 + 11 +
			/* lcore 1 */ 100 + 1000 + 19 + 3 + 23 + 4 + 29 + 5 + 11);
	free_world();
}

/* One packet more than there are credits: it need not wait until the door looks again by itself. */
static void a_door_is_woken_for_its_credits(void **state)
{
	(void)state;
	world.burst = CREDITS + 1;
	run_world((struct virtual_config){0}, 3, 1);
	assert_int_equal(world.taken, CREDITS + 1);
	assert_true(world.taken_at < costs.hz / LOAD_WINDOWS);
	free_world();
}

static void a_stalled_lcore_is_late(void **state)
{
	uint64_t usual;

	(void)state;
	world.burst = 1;
	run_world((struct virtual_config){0}, 3, 1);
	usual = world.taken_at;
	free_world();
	world.burst = 1;
	make_world((struct virtual_config){0}, 3);
	world.left = 1;
	virtual_stall(world.driver, 1, 1000000);
	while (world.taken == 0)
		virtual_step(world.driver);
	assert_true(world.taken_at >= usual + 1000000 - 1000);
	free_world();
}

static void a_slow_lcore_takes_longer(void **state)
{
	uint64_t usual;

	(void)state;
	world.burst = 1;
	run_world((struct virtual_config){0}, 1, 1);
	usual = working_time();
	free_world();
	world.burst = 1;
	make_world((struct virtual_config){0}, 1);
	world.left = 1;
	virtual_slow(world.driver, 0, 300);
	while (world.taken == 0)
		virtual_step(world.driver);
	assert_int_equal(working_time(), 3 * usual);
	free_world();
}

static uint64_t digest_of(uint64_t seed)
{
	uint64_t digest;

	run_world((struct virtual_config){.order = VIRTUAL_RANDOM, .seed = seed}, 3, 500);
	digest = world.digest;
	free_world();
	return digest;
}

static void a_seed_is_a_run(void **state)
{
	(void)state;
	assert_int_equal(digest_of(1), digest_of(1));
	assert_true(digest_of(1) != digest_of(2));
}

/* All other steps together take less than one that was preempted. */
static void a_measured_step_that_was_preempted_is_no_cost(void **state)
{
	const struct lcore *lcore;

	(void)state;
	world.preempted_one_in = 100;
	run_world((struct virtual_config){.measured = &measuring, .seed = 1}, 1,
		4 * PREEMPTED_BURSTS);
	lcore = world.dataplane->lcores[0];
	assert_true(world.preempted > 0);
	assert_int_equal(virtual_counters(world.driver)->outliers, world.preempted);
	assert_true(lcore->counters.time.working > 0);
	assert_true(lcore->counters.time.working < PREEMPTED);
	free_world();
}

/* ---- the program ---- */

static int start(void **state)
{
	static const struct rte_mbuf_dynfield field = {
		.name = "test_note", .size = sizeof(uint64_t), .align = 8};

	if (fixture_start_eal(state) != 0)
		return -1;
	note_offset = rte_mbuf_dynfield_register(&field);
	return note_offset < 0 ? -1 : 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_packet_costs_what_the_table_says),
		TEST(a_steered_packet_costs_its_door_more),
		TEST(a_hop_costs_its_lines),
		TEST(an_mbuf_that_was_freed_elsewhere_costs_its_lines),
		TEST(nothing_is_seen_before_its_time),
		TEST(a_sleeping_lcore_is_woken_in_time),
		TEST(a_door_is_woken_for_its_credits),
		TEST(a_stalled_lcore_is_late),
		TEST(a_slow_lcore_takes_longer),
		TEST(a_seed_is_a_run),
		TEST(a_measured_step_that_was_preempted_is_no_cost),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
