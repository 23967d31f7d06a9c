/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ports/reservation.h"

/* As if so many reservations had come and gone. */
static void begin_after(struct reservations *reservations, uint32_t n)
{
	*reservations = (struct reservations){.next = n, .published = n};
	for (uint32_t number = n - RESERVATIONS_MAX; number != n; number++)
		reservations->slots[number % RESERVATIONS_MAX].completed = number + 1;
}

/* ---- one thread ---- */

#define FIRST (UINT32_MAX - 1) /* the third number is 0 */

/* What was published, and what is completed by another while it is. */
struct log {
	struct reservations reservations;
	uint32_t expected; /* the next number to be published */
	int calls;
	bool completes;
	uint32_t completed_meanwhile;
};

static void publish(void *ring, uint32_t first, uint32_t n)
{
	struct log *log = ring;

	log->calls++;
	assert_int_equal(first, log->expected);
	log->expected += n;
	if (log->completes) {
		log->completes = false;
		reservations_complete(&log->reservations, log->completed_meanwhile, publish, ring);
		assert_int_equal(log->expected, first + n); /* not by two */
	}
}

static void complete(struct log *log, uint32_t number)
{
	reservations_complete(&log->reservations, number, publish, log);
}

static void begin(struct log *log)
{
	*log = (struct log){.expected = FIRST};
	begin_after(&log->reservations, FIRST);
}

/* Reservation i ends at 10 * i. */
static void reserve(struct log *log, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		assert_true(reservations_take(&log->reservations));
		assert_int_equal(reservations_add(&log->reservations, 10 * i), FIRST + i);
		reservations_leave(&log->reservations);
	}
}

static void ring_is_for_one(void **state)
{
	struct log log;

	(void)state;
	begin(&log);
	assert_true(reservations_take(&log.reservations));
	assert_false(reservations_take(&log.reservations));
	reservations_leave(&log.reservations);
	assert_true(reservations_take(&log.reservations));
}

static void oldest_is_published_first(void **state)
{
	struct log log;

	(void)state;
	begin(&log);
	reserve(&log, 5);
	complete(&log, FIRST + 1);
	complete(&log, FIRST + 3);
	assert_int_equal(log.calls, 0);
	complete(&log, FIRST);
	assert_int_equal(log.calls, 1);
	assert_int_equal(log.expected, (uint32_t)(FIRST + 2));
	complete(&log, FIRST + 2);
	assert_int_equal(log.calls, 2);
	complete(&log, FIRST + 4);
	assert_int_equal(log.expected, (uint32_t)(FIRST + 5));
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(reservations_end(&log.reservations, FIRST + i), 10 * i);
}

/* Also when the slots have been used by others. */
static void no_more_than_there_are_slots(void **state)
{
	struct log log;

	(void)state;
	begin(&log);
	reserve(&log, RESERVATIONS_MAX);
	assert_false(reservations_take(&log.reservations));
	for (uint32_t i = 1; i < RESERVATIONS_MAX; i++)
		complete(&log, FIRST + i);
	assert_int_equal(log.calls, 0);
	assert_false(reservations_take(&log.reservations));
	complete(&log, FIRST);
	assert_int_equal(log.calls, 1);
	assert_int_equal(log.expected, (uint32_t)(FIRST + RESERVATIONS_MAX));
	assert_true(reservations_take(&log.reservations));
}

/* Who publishes looks again when it has let go. */
static void completed_meanwhile_is_published(void **state)
{
	struct log log;

	(void)state;
	begin(&log);
	reserve(&log, 3);
	log.completes = true;
	log.completed_meanwhile = FIRST + 1;
	complete(&log, FIRST);
	assert_int_equal(log.calls, 2);
	assert_int_equal(log.expected, (uint32_t)(FIRST + 2));
	complete(&log, FIRST + 2);
	assert_int_equal(log.expected, (uint32_t)(FIRST + 3));
}

/* ---- side by side ---- */

#define THREADS 4
#define RING_SIZE 256 /* items */
#define MOST 7	      /* items of a reservation */
#define ITEMS 400000
#define BURSTS 5000 /* of a thread */
#define BURST_MAX (RESERVATIONS_MAX / THREADS)

static_assert(BURST_MAX * THREADS * MOST <= 2 * RING_SIZE, "a burst of all of them has room");

/* A ring of numbers in their order; none of its items is atomic. */
static struct ring {
	struct reservations reservations;
	uint32_t reserved;  /* items, of all times; who reserves: rw */
	uint32_t published; /* who publishes: wo */
	uint32_t read;
	uint32_t items[2 * RING_SIZE];
	uint32_t most; /* items that are in it at a time */
	bool is_over;  /* all have been reserved */
} ring;

struct claim {
	uint32_t number, begin, n;
};

static void ring_begin(uint32_t most)
{
	ring = (struct ring){.most = most};
	begin_after(&ring.reservations, UINT32_MAX - 1000);
}

static void ring_publish(void *argument, uint32_t first, uint32_t n)
{
	(void)argument;
	__atomic_store_n(&ring.published, reservations_end(&ring.reservations, first + n - 1),
		__ATOMIC_RELEASE);
}

/* False: another thread has the ring, or there is no room. */
static bool ring_reserve(struct claim *claim, uint32_t n)
{
	uint32_t room;

	if (!reservations_take(&ring.reservations))
		return false;
	room = ring.most - (ring.reserved - __atomic_load_n(&ring.read, __ATOMIC_ACQUIRE));
	claim->begin = ring.reserved;
	claim->n = RTE_MIN(n, room);
	ring.reserved += claim->n;
	if (claim->n > 0)
		claim->number = reservations_add(&ring.reservations, ring.reserved);
	__atomic_store_n(&ring.is_over, ring.reserved >= ITEMS, __ATOMIC_RELAXED);
	reservations_leave(&ring.reservations);
	return claim->n > 0;
}

static void ring_fill(const struct claim *claim)
{
	for (uint32_t i = claim->begin; i != claim->begin + claim->n; i++)
		ring.items[i % RTE_DIM(ring.items)] = i;
	reservations_complete(&ring.reservations, claim->number, ring_publish, NULL);
}

/* How many of those that are there are not the next ones. */
static uint32_t ring_read(void)
{
	uint32_t end = __atomic_load_n(&ring.published, __ATOMIC_ACQUIRE), wrong = 0;
	uint32_t i;

	for (i = ring.read; i != end; i++)
		wrong += ring.items[i % RTE_DIM(ring.items)] != i;
	__atomic_store_n(&ring.read, end, __ATOMIC_RELEASE);
	return wrong;
}

struct writer {
	pthread_t thread;
	unsigned int seed;
	pthread_barrier_t *barrier;
};

static void start(struct writer *writers, void *(*function)(void *), pthread_barrier_t *barrier)
{
	for (int i = 0; i < THREADS; i++) {
		writers[i] = (struct writer){.seed = i, .barrier = barrier};
		assert_int_equal(
			pthread_create(&writers[i].thread, NULL, function, &writers[i]), 0);
	}
}

static void join(struct writer *writers)
{
	for (int i = 0; i < THREADS; i++)
		pthread_join(writers[i].thread, NULL);
}

/* Reserves as many as there is room for at once, and fills them in any order. */
static void write_some(unsigned int *seed, unsigned int most)
{
	struct claim claims[BURST_MAX];
	unsigned int n = 0;

	for (unsigned int tries = 0; tries < 2 * most && n < most; tries++)
		n += ring_reserve(&claims[n], 1 + rand_r(seed) % MOST);
	if (n == 0)
		sched_yield(); /* the others may have no CPU */
	while (n > 0) {
		unsigned int i = rand_r(seed) % n;

		ring_fill(&claims[i]);
		claims[i] = claims[--n];
	}
}

static void *write_bursts(void *argument)
{
	struct writer *writer = argument;

	for (int i = 0; i < BURSTS; i++) {
		pthread_barrier_wait(writer->barrier);
		write_some(&writer->seed, 1 + rand_r(&writer->seed) % BURST_MAX);
		pthread_barrier_wait(writer->barrier);
	}
	return NULL;
}

/* When all have completed, all is published: no later one comes to make up for it. */
static void nothing_is_left_behind(void **state)
{
	static struct writer writers[THREADS];
	pthread_barrier_t barrier;
	uint32_t wrong = 0, left = 0;

	(void)state;
	ring_begin(RTE_DIM(ring.items));
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	start(writers, write_bursts, &barrier);
	for (int i = 0; i < BURSTS; i++) {
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		left += ring.published != ring.reserved;
		wrong += ring_read();
	}
	join(writers);
	pthread_barrier_destroy(&barrier);
	assert_int_equal(left, 0);
	assert_int_equal(wrong, 0);
}

static void *write_all(void *argument)
{
	struct writer *writer = argument;

	while (!__atomic_load_n(&ring.is_over, __ATOMIC_RELAXED))
		write_some(&writer->seed, BURST_MAX);
	return NULL;
}

/* A full ring, and no slot that is free. */
static void order_is_kept_side_by_side(void **state)
{
	static struct writer writers[THREADS];
	uint32_t wrong = 0;

	(void)state;
	ring_begin(RING_SIZE);
	start(writers, write_all, NULL);
	while (ring.read < ITEMS) {
		wrong += ring_read();
		sched_yield();
	}
	join(writers);
	wrong += ring_read();
	assert_int_equal(wrong, 0);
	assert_int_equal(ring.read, ring.reserved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ring_is_for_one),
		cmocka_unit_test(oldest_is_published_first),
		cmocka_unit_test(no_more_than_there_are_slots),
		cmocka_unit_test(completed_meanwhile_is_published),
		cmocka_unit_test(nothing_is_left_behind),
		cmocka_unit_test(order_is_kept_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
