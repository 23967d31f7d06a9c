/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_COUNTERS_H
#define WEFT_COUNTERS_H

#include <stdint.h>

#include "stages/stage.h"

/*
 * Counters have one writer, the lcore they belong to, and any number of readers. Relaxed stores
 * and loads are enough: a reader wants each number whole, not all of one instant. None is ever
 * reset, so that differences can be taken by any number of observers; but those of a merge are an
 * elephant's, and begin anew with another one.
 */
static inline void counter_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline uint64_t counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* The same for numbers that go both ways. */
static inline void number_set16(uint16_t *number, uint16_t value)
{
	__atomic_store_n(number, value, __ATOMIC_RELAXED);
}

static inline void number_set32(uint32_t *number, uint32_t value)
{
	__atomic_store_n(number, value, __ATOMIC_RELAXED);
}

static inline uint16_t number_read16(const uint16_t *number)
{
	return __atomic_load_n(number, __ATOMIC_RELAXED);
}

static inline uint32_t number_read32(const uint32_t *number)
{
	return __atomic_load_n(number, __ATOMIC_RELAXED);
}

struct stage_counters {
	uint64_t bursts;
	uint64_t packets;
	uint64_t cycles; /* with moving its packets on; rx, veth_rx: with the receive bursts */
};

/* Where an lcore's cycles go; together they are all of its time. */
struct time_counters {
	uint64_t idle;		 /* turns that found nothing */
	uint64_t working;	 /* turns that moved packets */
	uint64_t back_pressured; /* turns that moved nothing because credits were out */
	uint64_t housekeeping;	 /* notices, a look at loads and paths */
};

struct lcore_counters {
	struct time_counters time;
	struct stage_counters stages[STEP_COUNT];
	uint64_t drops[DROP_COUNT];
	uint64_t admitted; /* packets that entered here: received or created */
	uint64_t created;  /* of these, replicas made by weft */
	uint64_t consumed;
	uint64_t delivered;
	uint64_t coalesced; /* packets that left as parts of larger ones */
	uint64_t steered;   /* packets sent along a path */
	uint64_t notices_lost;
};

#endif
