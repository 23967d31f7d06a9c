/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which ring between two lcores: one lcore enqueues bursts of 32 as fast as there is room, the
 * other dequeues. All flavours take turns, round after round, in one run; a figure is the median
 * over the rounds of the cycles that the slower side spent for each element, while both had work.
 *
 * Prints rows of JSON; `scripts/bench rings` makes a table of them.
 *
 * usage: bench-rings [EAL options, three lcores: main and two workers] [-- ROUNDS]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_ring.h>
#include <rte_ring_peek_zc.h>

#define BURST 32
#define SIZE 1024
#define ELEMENTS (4u << 20) /* a round */
#define ROUNDS_MAX 256

struct element {
	uint64_t words[2];
};

typedef unsigned int (*mover)(struct rte_ring *ring, struct element *elements, unsigned int size);

struct flavour {
	const char *name;
	unsigned int flags;
	unsigned int size; /* of an element, bytes */
	mover enqueue;
	mover dequeue;
};

static unsigned int put(struct rte_ring *ring, struct element *elements, unsigned int size)
{
	return rte_ring_enqueue_burst_elem(ring, elements, size, BURST, NULL);
}

static unsigned int get(struct rte_ring *ring, struct element *elements, unsigned int size)
{
	return rte_ring_dequeue_burst_elem(ring, elements, size, BURST, NULL);
}

/* Writes the elements where they will lie, instead of copying them there. */
static unsigned int put_in_place(struct rte_ring *ring, struct element *elements, unsigned int size)
{
	struct rte_ring_zc_data room;
	unsigned int n = rte_ring_enqueue_zc_burst_elem_start(ring, size, BURST, &room, NULL);

	for (unsigned int i = 0; i < n; i++) {
		void **slots = i < room.n1 ? room.ptr1 : room.ptr2;

		slots[i < room.n1 ? i : i - room.n1] = (void *)elements[0].words[0];
	}
	if (n > 0)
		rte_ring_enqueue_zc_elem_finish(ring, n);
	return n;
}

static unsigned int get_in_place(struct rte_ring *ring, struct element *elements, unsigned int size)
{
	struct rte_ring_zc_data found;
	unsigned int n = rte_ring_dequeue_zc_burst_elem_start(ring, size, BURST, &found, NULL);

	for (unsigned int i = 0; i < n; i++) {
		void **slots = i < found.n1 ? found.ptr1 : found.ptr2;

		elements[0].words[0] += (uint64_t)slots[i < found.n1 ? i : i - found.n1];
	}
	if (n > 0)
		rte_ring_dequeue_zc_elem_finish(ring, n);
	return n;
}

static const struct flavour flavours[] = {
	{"one producer, 8 bytes", RING_F_SP_ENQ | RING_F_SC_DEQ, 8, put, get},
	{"one producer, 16 bytes", RING_F_SP_ENQ | RING_F_SC_DEQ, 16, put, get},
	{"one producer, zero-copy, 8 bytes", RING_F_SP_ENQ | RING_F_SC_DEQ, 8, put_in_place,
		get_in_place},
	{"many producers, 8 bytes", RING_F_SC_DEQ, 8, put, get},
	{"many producers, RTS, 8 bytes", RING_F_MP_RTS_ENQ | RING_F_SC_DEQ, 8, put, get},
	{"many producers, HTS, 8 bytes", RING_F_MP_HTS_ENQ | RING_F_SC_DEQ, 8, put, get},
};

struct side {
	const struct flavour *flavour;
	struct rte_ring *ring;
	mover move;
	double cycles; /* spent in calls that moved something, an element */
};

static int run_side(void *argument)
{
	struct side *side = argument;
	struct element elements[BURST] = {{{0}}};
	uint64_t busy = 0;

	for (unsigned int left = ELEMENTS; left > 0;) {
		uint64_t begin = rte_rdtsc();
		unsigned int n = side->move(side->ring, elements, side->flavour->size);

		if (n > 0)
			busy += rte_rdtsc() - begin;
		left -= RTE_MIN(n, left);
	}
	side->cycles = (double)busy / ELEMENTS;
	return 0;
}

static double measure(const struct flavour *flavour)
{
	struct rte_ring *ring =
		rte_ring_create_elem("ring", flavour->size, SIZE, rte_socket_id(), flavour->flags);
	struct side sides[2] = {
		{flavour, ring, flavour->enqueue, 0}, {flavour, ring, flavour->dequeue, 0}};
	unsigned int id = -1;

	for (int i = 0; i < 2; i++) {
		id = rte_get_next_lcore(id, 1, 0);
		rte_eal_remote_launch(run_side, &sides[i], id);
	}
	rte_eal_mp_wait_lcore();
	rte_ring_free(ring);
	return RTE_MAX(sides[0].cycles, sides[1].cycles);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static double results[RTE_DIM(flavours)][ROUNDS_MAX];
	int eal = rte_eal_init(argc, argv);
	unsigned int rounds = 20;

	if (eal < 0 || rte_lcore_count() < 3)
		rte_exit(EXIT_FAILURE, "bench-rings: needs a main lcore and two workers: "
				       "--lcores '0@0,1@0,2@1'\n");
	if (argc > eal + 1)
		rounds = RTE_MIN(atoi(argv[eal + 1]), ROUNDS_MAX);
	for (unsigned int round = 0; round < rounds; round++) {
		fprintf(stderr, "round %u of %u\n", round + 1, rounds);
		for (unsigned int i = 0; i < RTE_DIM(flavours); i++)
			results[i][round] = measure(&flavours[i]);
	}
	for (unsigned int i = 0; i < RTE_DIM(flavours); i++) {
		qsort(results[i], rounds, sizeof(double), compare);
		printf("{\"scenario\": \"ring: %s\", \"system\": \"rte_ring\", \"lcores\": 2, "
		       "\"clock\": \"real\", \"port\": \"ring\", \"cycles_per_packet\": %.1f}\n",
			flavours[i].name, results[i][rounds / 2]);
	}
	return 0;
}
