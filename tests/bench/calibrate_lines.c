/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The price of cache lines. A producer takes mbufs from the pool, writes them and sends them
 * through a ring in bursts; a consumer reads them and frees them. Once the two roles are two lcores
 * on two CPUs, once one lcore that alternates between them; the price is the difference of what the
 * role's part costs. It counts as idle, and not as cost, when a side finds nothing or has no
 * credits. As weft does, the producer leaves no more packets on their way than its credits, and
 * reads how many are finished only when it runs short.
 *
 * Two CPUs can be two threads of one core, where a busy one slows the other, whatever they touch.
 * So the alternating lcore is measured beside an idle CPU and beside one that does the same.
 *
 * The pool matters, too: mbufs freed elsewhere come back through its ring, first in first out, so
 * that all of the pool passes through the caches. So the alternating lcore is also measured with
 * two mempool caches, one for each role, as virtual lcores have: its mbufs go round the pool, too.
 * The price of a line is the difference to that, and may be less than nothing: two CPUs have twice
 * the cache. What going round costs one lcore is `cold`. A second, small pool is there to compare
 * with.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_memcpy.h>
#include <rte_ring.h>

#include "calibrate.h"
#include "fixture.h"
#include "stages/packet.h"

#define CREDITS 512
#define CHUNK 64  /* bursts; a figure is the median over chunks, as interrupted ones say nothing */
#define CHUNKS 24 /* that count, after as many bursts as it takes to go once through the pool */
#define SMALL_POOL_MBUFS 2047
#define VIRTUAL_IDS 64 /* of no thread */
#define HEADER_BYTES (2 * RTE_CACHE_LINE_SIZE)
#define COPIES 64 /* buffers that payload is copied to, in turn */

/* What of a packet is written by the producer, and read by the consumer. */
enum touched { METADATA, HEADER, SHORT, LONG, TOUCHED_COUNT };

/* Bytes of the frame, with FCS; 0: not more than the mbuf's first line. */
static const struct {
	const char *name;
	uint16_t bytes;
	bool copied; /* to the consumer's own memory, as vhost does */
} touched_table[TOUCHED_COUNT] = {
	[METADATA] = {"metadata", 0, false},
	[HEADER] = {"header", HEADER_BYTES, false},
	[SHORT] = {"copied", 64, true},
	[LONG] = {"copied", 1450, true},
};

/* The parts of the two roles; the consumer's begin with GET. */
enum phase { TAKE, WRITE, SEND, GET, READ, FREE, PHASES };

static const char *const phase_names[PHASES] = {"take", "write", "send", "get", "read", "free"};

struct times {
	uint64_t cycles[PHASES]; /* of the chunk so far */
	uint32_t bursts;
	double chunks[PHASES][CHUNKS];
};

/* A producer, a consumer and the ring between them. */
struct lane {
	struct rte_ring *ring;
	struct rte_mempool *pool;
	enum touched touched;
	bool stop;
	struct {
		uint64_t sent;
		uint64_t known; /* of `finished`, when it was last read */
		struct times times;
	} out __rte_cache_aligned;
	struct {
		uint64_t got;
		uint64_t sum; /* so that what is read is used */
		struct times times;
		uint8_t copies[COPIES][RTE_MBUF_DEFAULT_DATAROOM];
	} in __rte_cache_aligned;
	uint64_t finished __rte_cache_aligned; /* consumer: wo, producer: ro */
};

enum setting { ALONE, BESIDE, ROUND_POOL, ACROSS, ACROSS_SMALL, SETTINGS };

static double samples[TOUCHED_COUNT][SETTINGS][PHASES][ROUNDS_MAX];
static struct lane *lanes[2];
static struct rte_mempool *small_pool;
static uint8_t frame[RTE_MBUF_DEFAULT_DATAROOM];

/* ---- the two roles ---- */

static uint64_t lap(struct times *times, enum phase phase, uint64_t begin)
{
	uint64_t now = rte_rdtsc();

	times->cycles[phase] += now - begin;
	return now;
}

static void end_burst(struct times *times)
{
	uint32_t chunk = times->bursts++ / CHUNK;

	if (times->bursts % CHUNK != 0)
		return;
	for (int phase = 0; phase < PHASES; phase++) {
		if (chunk < CHUNKS)
			times->chunks[phase][chunk] =
				(double)times->cycles[phase] / (CHUNK * FIXTURE_BURST);
		times->cycles[phase] = 0;
	}
}

static void write_packet(struct rte_mbuf *mbuf, enum touched touched)
{
	uint16_t bytes = touched_table[touched].bytes;

	mbuf->port = 0;
	mbuf->data_len = bytes;
	mbuf->pkt_len = bytes;
	*packet_of(mbuf) = (struct packet){.network = NETWORK_NONE, .source = PLACE_NONE};
	if (bytes > 0)
		rte_memcpy(rte_pktmbuf_mtod(mbuf, void *), frame, bytes);
}

static bool has_credits(struct lane *lane)
{
	if (lane->out.sent - lane->out.known + FIXTURE_BURST > CREDITS)
		lane->out.known = __atomic_load_n(&lane->finished, __ATOMIC_RELAXED);
	return lane->out.sent - lane->out.known + FIXTURE_BURST <= CREDITS;
}

static bool produce(struct lane *lane)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];
	uint64_t mark = rte_rdtsc();

	if (!has_credits(lane))
		return false;
	if (rte_pktmbuf_alloc_bulk(lane->pool, mbufs, FIXTURE_BURST) != 0)
		rte_exit(EXIT_FAILURE, "bench-calibrate: the pool %s is empty\n", lane->pool->name);
	mark = lap(&lane->out.times, TAKE, mark);
	for (int i = 0; i < FIXTURE_BURST; i++)
		write_packet(mbufs[i], lane->touched);
	mark = lap(&lane->out.times, WRITE, mark);
	rte_ring_sp_enqueue_bulk(lane->ring, (void **)mbufs, FIXTURE_BURST, NULL);
	lap(&lane->out.times, SEND, mark);
	end_burst(&lane->out.times);
	lane->out.sent += FIXTURE_BURST;
	return true;
}

static void read_packet(struct lane *lane, struct rte_mbuf *mbuf, uint64_t number)
{
	const uint64_t *words = rte_pktmbuf_mtod(mbuf, const uint64_t *);
	uint8_t *copy = lane->in.copies[number % COPIES];

	lane->in.sum += mbuf->data_len + packet_of(mbuf)->network;
	packet_of(mbuf)->destination = lane->touched;
	if (touched_table[lane->touched].copied)
		rte_memcpy(copy, words, mbuf->data_len);
	else if (mbuf->data_len > 0)
		lane->in.sum += words[0] + words[HEADER_BYTES / sizeof(*words) - 1];
}

/* Prefetches as the stages do. */
static void read_burst(struct lane *lane, struct rte_mbuf **mbufs)
{
	if (lane->touched != METADATA)
		for (int i = 0; i < FIXTURE_BURST; i++)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (int i = 0; i < FIXTURE_BURST; i++)
		read_packet(lane, mbufs[i], lane->in.got + i);
}

static bool consume(struct lane *lane)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];
	uint64_t mark = rte_rdtsc();

	if (rte_ring_sc_dequeue_bulk(lane->ring, (void **)mbufs, FIXTURE_BURST, NULL) == 0)
		return false;
	mark = lap(&lane->in.times, GET, mark);
	read_burst(lane, mbufs);
	mark = lap(&lane->in.times, READ, mark);
	rte_pktmbuf_free_bulk(mbufs, FIXTURE_BURST);
	lane->in.got += FIXTURE_BURST;
	__atomic_store_n(&lane->finished, lane->in.got, __ATOMIC_RELAXED);
	lap(&lane->in.times, FREE, mark);
	end_burst(&lane->in.times);
	return true;
}

/* ---- who does them ---- */

static bool is_stopped(const struct lane *lane)
{
	return __atomic_load_n(&lane->stop, __ATOMIC_RELAXED);
}

static void start(struct lane *lane, enum touched touched, struct rte_mempool *pool)
{
	lane->touched = touched;
	lane->pool = pool;
	lane->stop = false;
	memset(&lane->in.times, 0, sizeof(lane->in.times));
	memset(&lane->out.times, 0, sizeof(lane->out.times));
}

/* Until a burst has been sent. */
static void produce_one(struct lane *lane)
{
	while (!produce(lane))
		rte_pause();
}

static int alternate_until_stopped(void *argument)
{
	struct lane *lane = argument;

	while (!is_stopped(lane)) {
		produce_one(lane);
		consume(lane);
	}
	return 0;
}

/* Bursts until all mbufs of the pool have once been freed elsewhere. */
static uint32_t warm_up(const struct lane *lane)
{
	return lane->pool->size / FIXTURE_BURST + 1;
}

static int consume_until_stopped(void *argument)
{
	struct lane *lane = argument;
	uint64_t warm = lane->in.got + warm_up(lane) * FIXTURE_BURST;

	while (!is_stopped(lane) || !rte_ring_empty(lane->ring)) {
		if (lane->in.got == warm)
			memset(&lane->in.times, 0, sizeof(lane->in.times));
		if (!consume(lane))
			rte_pause();
	}
	return 0;
}

static void alternate(struct lane *lane)
{
	for (int i = 0; i < CHUNK * CHUNKS; i++) {
		produce_one(lane);
		consume(lane);
	}
}

/* Each role by an lcore id, and so a mempool cache, of its own. */
static void alternate_round_pool(struct lane *lane, uint32_t bursts)
{
	unsigned int id = rte_lcore_id();

	for (uint32_t i = 0; i < bursts; i++) {
		RTE_PER_LCORE(_lcore_id) = VIRTUAL_IDS;
		produce_one(lane);
		RTE_PER_LCORE(_lcore_id) = VIRTUAL_IDS + 1;
		consume(lane);
	}
	RTE_PER_LCORE(_lcore_id) = id;
}

static void measure_round_pool(struct lane *lane)
{
	alternate_round_pool(lane, warm_up(lane));
	memset(&lane->in.times, 0, sizeof(lane->in.times));
	memset(&lane->out.times, 0, sizeof(lane->out.times));
	alternate_round_pool(lane, CHUNK * CHUNKS);
}

static void produce_across(struct lane *lane)
{
	for (uint32_t i = warm_up(lane); i > 0; i--)
		produce_one(lane);
	memset(&lane->out.times, 0, sizeof(lane->out.times));
	for (uint32_t i = 0; i < CHUNK * CHUNKS; i++)
		produce_one(lane);
}

static void stop_partner(struct lane *lane)
{
	__atomic_store_n(&lane->stop, true, __ATOMIC_RELAXED);
	rte_eal_wait_lcore(rounds_partner);
}

void lines_start_neighbour(void)
{
	start(lanes[1], HEADER, fixture_pool);
	rte_eal_remote_launch(alternate_until_stopped, lanes[1], rounds_partner);
}

void lines_stop_neighbour(void)
{
	stop_partner(lanes[1]);
}

static void run_setting(enum setting setting, enum touched touched)
{
	struct lane *lane = lanes[0];

	start(lane, touched, setting == ACROSS_SMALL ? small_pool : fixture_pool);
	start(lanes[1], touched, fixture_pool);
	switch (setting) {
	case ALONE:
		return alternate(lane);
	case BESIDE:
		rte_eal_remote_launch(alternate_until_stopped, lanes[1], rounds_partner);
		alternate(lane);
		return stop_partner(lanes[1]);
	case ROUND_POOL:
		rte_eal_remote_launch(alternate_until_stopped, lanes[1], rounds_partner);
		measure_round_pool(lane);
		return stop_partner(lanes[1]);
	default:
		rte_eal_remote_launch(consume_until_stopped, lane, rounds_partner);
		produce_across(lane);
		return stop_partner(lane);
	}
}

static void measure(unsigned int round, enum setting setting, enum touched touched)
{
	struct lane *lane = lanes[0];

	run_setting(setting, touched);
	for (int phase = 0; phase < PHASES; phase++) {
		struct times *times = phase < GET ? &lane->out.times : &lane->in.times;

		samples[touched][setting][phase][round] =
			fixture_median(times->chunks[phase], CHUNKS);
	}
}

void lines_round(unsigned int round, bool all)
{
	for (int touched = 0; touched < TOUCHED_COUNT; touched++)
		for (int setting = 0; setting < SETTINGS; setting++)
			if (all || setting == ROUND_POOL || setting == ACROSS)
				measure(round, setting, touched);
}

static struct lane *make_lane(const char *name)
{
	struct lane *lane = rte_zmalloc("lane", sizeof(*lane), RTE_CACHE_LINE_SIZE);

	if (lane == NULL)
		rte_exit(EXIT_FAILURE, "bench-calibrate: no memory; give EAL more (-m)\n");
	lane->ring =
		rte_ring_create(name, 2 * CREDITS, rte_socket_id(), RING_F_SP_ENQ | RING_F_SC_DEQ);
	return lane;
}

void lines_init(void)
{
	lanes[0] = make_lane("lane0");
	lanes[1] = make_lane("lane1");
	small_pool = rte_pktmbuf_pool_create(
		"small", SMALL_POOL_MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, rte_socket_id());
	if (lanes[0]->ring == NULL || lanes[1]->ring == NULL || small_pool == NULL)
		rte_exit(EXIT_FAILURE, "bench-calibrate: no memory; give EAL more (-m)\n");
}

/* ---- figures ---- */

/* Of one role in one round. */
static double part(enum touched touched, enum setting setting, bool consumer, unsigned int round)
{
	double sum = 0;

	for (int phase = consumer ? GET : TAKE; phase < (consumer ? PHASES : GET); phase++)
		sum += samples[touched][setting][phase][round];
	return sum;
}

static double excess(
	enum touched touched, const enum setting settings[2], bool consumer, unsigned int round)
{
	return part(touched, settings[1], consumer, round) -
	       part(touched, settings[0], consumer, round);
}

/* In the order of the file of costs; those behind are not in it. */
enum price_kind {
	PRICE_METADATA,
	PRICE_HEADER,
	PRICE_PAYLOAD,
	PRICE_FREE,
	PRICE_BACK,
	PRICE_BACK_HEADER,
	PRICE_BACK_PAYLOAD,
	PRICE_COLD,
	PRICE_COLD_PAYLOAD,
	PRICE_SEND, /* the part of `back` that sending has: the ring's lines */
	PRICES
};
#define PRICES_OF_FILE PRICE_SEND

static const struct {
	const char *name;
	uint16_t bytes;
	size_t offset; /* in struct price */
} prices[PRICES] = {
	[PRICE_METADATA] = {"metadata", 64, offsetof(struct price, metadata)},
	[PRICE_HEADER] = {"header", 64, offsetof(struct price, header)},
	[PRICE_PAYLOAD] = {"payload", 1450, offsetof(struct price, payload)},
	[PRICE_FREE] = {"free", 64, offsetof(struct price, free)},
	[PRICE_BACK] = {"back", 64, offsetof(struct price, back)},
	[PRICE_BACK_HEADER] = {"back-header", 64, offsetof(struct price, back_header)},
	[PRICE_BACK_PAYLOAD] = {"back-payload", 1450, offsetof(struct price, back_payload)},
	[PRICE_COLD] = {"cold", 64, offsetof(struct price, cold)},
	[PRICE_COLD_PAYLOAD] = {"cold-payload", 1450, offsetof(struct price, cold_payload)},
	[PRICE_SEND] = {"of back, sending", 64, 0},
};

static double excess_of_phase(
	enum touched touched, const enum setting settings[2], enum phase phase, unsigned int round)
{
	return samples[touched][settings[1]][phase][round] -
	       samples[touched][settings[0]][phase][round];
}

/* Of each line that a long frame has more than headers. */
static double excess_of_lines(const enum setting settings[2], bool consumer, unsigned int round)
{
	const double lines =
		(touched_table[LONG].bytes - HEADER_BYTES) / (double)RTE_CACHE_LINE_SIZE;

	return (excess(LONG, settings, consumer, round) -
		       excess(HEADER, settings, consumer, round)) /
	       lines;
}

/* The difference between two settings of one round. */
static double price_between(
	enum price_kind kind, enum setting base, enum setting dearer, unsigned int round)
{
	const enum setting settings[2] = {base, dearer};

	switch (kind) {
	case PRICE_METADATA:
		return excess(METADATA, settings, true, round) -
		       excess_of_phase(METADATA, settings, FREE, round);
	case PRICE_HEADER:
		return excess(HEADER, settings, true, round) -
		       excess(METADATA, settings, true, round);
	case PRICE_PAYLOAD:
		return excess_of_lines(settings, true, round);
	case PRICE_FREE:
		return excess_of_phase(METADATA, settings, FREE, round);
	case PRICE_BACK:
		return excess(METADATA, settings, false, round);
	case PRICE_BACK_HEADER:
		return excess(HEADER, settings, false, round) -
		       excess(METADATA, settings, false, round);
	case PRICE_COLD:
		return excess(HEADER, settings, false, round);
	case PRICE_BACK_PAYLOAD:
	case PRICE_COLD_PAYLOAD:
		return excess_of_lines(settings, false, round);
	default:
		return excess_of_phase(HEADER, settings, SEND, round);
	}
}

static double price_of(enum price_kind kind, unsigned int round)
{
	if (kind == PRICE_COLD || kind == PRICE_COLD_PAYLOAD)
		return price_between(kind, BESIDE, ROUND_POOL, round);
	return price_between(kind, ROUND_POOL, ACROSS, round);
}

struct price lines_price(unsigned int round)
{
	struct price price;

	for (int kind = 0; kind < PRICES_OF_FILE; kind++) {
		int32_t *value = (int32_t *)((char *)&price + prices[kind].offset);

		*value = COST_UNIT * price_of(kind, round);
	}
	return price;
}

static double median_price(enum distance_class class, enum price_kind kind, unsigned int rounds)
{
	double values[ROUNDS_MAX];

	for (unsigned int round = 0; round < rounds; round++)
		values[round] = price_of(kind, round);
	return rounds_median_at(class, values, rounds);
}

static double median_phase(enum distance_class class, enum touched touched, enum setting setting,
	enum phase phase, unsigned int rounds)
{
	return rounds_median_at(class, samples[touched][setting][phase], rounds);
}

static uint64_t median_distance(enum distance_class class, unsigned int rounds)
{
	return rounds_median_at(class, rounds_distances, rounds);
}

/* ---- rows ---- */

static void print_row(enum distance_class class, const char *what, int lcores, int bytes,
	const char *value, double cycles, unsigned int rounds)
{
	printf("{\"scenario\": \"%s, %s\", " ROW
	       ", \"rounds\": %u, \"distance\": %lu, \"%s\": %.2f",
		what, rounds_class_names[class], "bench", lcores, bytes, "ring",
		rounds_count(class, rounds), median_distance(class, rounds), value, cycles);
}

static void print_prices(enum distance_class class, unsigned int rounds)
{
	char what[64];

	for (int kind = 0; kind < PRICES; kind++) {
		snprintf(what, sizeof(what), "price: %s", prices[kind].name);
		print_row(class, what, 2, prices[kind].bytes, "cycles_per_packet",
			median_price(class, kind, rounds), rounds);
		printf("}\n");
	}
}

static double median_contention(
	enum distance_class class, enum touched touched, unsigned int rounds)
{
	double values[ROUNDS_MAX];

	for (unsigned int i = 0; i < rounds; i++)
		values[i] = (part(touched, BESIDE, false, i) + part(touched, BESIDE, true, i)) /
			    (part(touched, ALONE, false, i) + part(touched, ALONE, true, i));
	return rounds_median_at(class, values, rounds);
}

static void print_contention(enum distance_class class, unsigned int rounds)
{
	print_row(class, "contention: times as long beside a busy CPU", 2, 64, "times",
		median_contention(class, HEADER, rounds), rounds);
	printf("}\n");
	print_row(class, "contention: times as long beside a busy CPU", 2, 1450, "times",
		median_contention(class, LONG, rounds), rounds);
	printf("}\n");
}

static void print_phases(
	enum distance_class class, enum touched touched, enum setting setting, unsigned int rounds)
{
	static const char *const names[SETTINGS] = {"one lcore", "one lcore beside another",
		"one lcore round the pool", "two lcores", "two lcores, small pool"};
	double sum = 0;
	char what[64];

	snprintf(what, sizeof(what), "lines: %s, %s", touched_table[touched].name, names[setting]);
	for (int phase = 0; phase < PHASES; phase++)
		sum += median_phase(class, touched, setting, phase, rounds);
	print_row(class, what, setting >= ACROSS ? 2 : 1, touched_table[touched].bytes,
		"cycles_per_packet", sum, rounds);
	for (int phase = 0; phase < PHASES; phase++)
		printf(", \"%s\": %.2f", phase_names[phase],
			median_phase(class, touched, setting, phase, rounds));
	printf("}\n");
}

static void print_costs(enum distance_class class, unsigned int rounds)
{
	printf("{\"costs\": {\"section\": \"price\"");
	for (int kind = 0; kind < PRICES_OF_FILE; kind++)
		printf(", \"%s\": %.2f", prices[kind].name, median_price(class, kind, rounds));
	printf("}, \"distance\": %lu, \"class\": \"%s\"}\n", median_distance(class, rounds),
		rounds_class_names[class]);
}

void lines_print(unsigned int rounds)
{
	for (int class = 0; class < DISTANCE_CLASSES; class ++) {
		if (rounds_count(class, rounds) == 0)
			continue;
		print_prices(class, rounds);
		print_contention(class, rounds);
		for (int touched = 0; touched < TOUCHED_COUNT; touched++)
			for (int setting = 0; setting < SETTINGS; setting++)
				print_phases(class, touched, setting, rounds);
	}
	print_costs(rounds_majority(rounds), rounds);
}
