/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TRAFFIC_DISTANCE_H
#define TRAFFIC_DISTANCE_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_cycles.h>

/*
 * Cycles that a cache line takes to another CPU and back. On a virtual machine this changes while
 * it runs: its CPUs may be two threads of one core now (130 cycles) and two cores a second later
 * (800), and what crosses between weft and its peer becomes dearer by as much. So a measurement
 * that does not say at what distance it was made cannot be compared with another.
 */

#define DISTANCE_ROUNDS 100
#define DISTANCE_PLAYS 20
#define DISTANCE_SECONDS 0.1

struct distance_ball {
	/* This side sets it, the other clears it. */
	_Alignas(RTE_CACHE_LINE_SIZE) atomic_bool there;
	_Alignas(RTE_CACHE_LINE_SIZE) atomic_bool over;
};

static inline void *distance_return_ball(void *argument)
{
	struct distance_ball *ball = argument;

	while (!atomic_load_explicit(&ball->over, memory_order_relaxed)) {
		if (atomic_load_explicit(&ball->there, memory_order_acquire))
			atomic_store_explicit(&ball->there, false, memory_order_release);
	}
	return NULL;
}

/* Cycles for one round; those during which the other side did not run count as no round. */
static inline uint64_t distance_play(struct distance_ball *ball, uint64_t deadline)
{
	uint64_t begin = rte_rdtsc();

	for (int i = 0; i < DISTANCE_ROUNDS; i++) {
		atomic_store_explicit(&ball->there, true, memory_order_release);
		while (atomic_load_explicit(&ball->there, memory_order_acquire)) {
			if (rte_rdtsc() > deadline)
				return UINT64_MAX;
		}
	}
	return (rte_rdtsc() - begin) / DISTANCE_ROUNDS;
}

static inline int distance_start_thread(
	pthread_t *thread, unsigned int cpu, struct distance_ball *ball)
{
	pthread_attr_t attributes;
	cpu_set_t cpus;
	int error;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	pthread_attr_init(&attributes);
	pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
	error = pthread_create(thread, &attributes, distance_return_ball, ball);
	pthread_attr_destroy(&attributes);
	return error;
}

/* Takes about 1 ms if the other CPU is idle, and until its scheduler gives way if it is not. 0: it
 * cannot be used. */
static inline uint64_t distance_measure(unsigned int cpu)
{
	uint64_t deadline = rte_rdtsc() + DISTANCE_SECONDS * rte_get_tsc_hz();
	uint64_t best = UINT64_MAX;
	struct distance_ball ball = {false, false};
	pthread_t thread;

	if (distance_start_thread(&thread, cpu, &ball) != 0)
		return 0;
	for (int i = 0; i < DISTANCE_PLAYS; i++)
		best = RTE_MIN(best, distance_play(&ball, deadline));
	atomic_store_explicit(&ball.over, true, memory_order_relaxed);
	pthread_join(thread, NULL);
	return best == UINT64_MAX ? 0 : best;
}

#endif
