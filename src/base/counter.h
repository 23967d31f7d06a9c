/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_COUNTER_H
#define WEFT_COUNTER_H

#include <stdint.h>

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

#endif
