/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_RANDOM_H
#define WEFT_RANDOM_H

#include <stdint.h>

/* splitmix64: a good number from any state, so a counter or a seed will do. */
static inline uint64_t random_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static inline uint64_t random_next(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15;
	return random_mix(*state);
}

/* 0 to n - 1 */
static inline uint32_t random_below(uint64_t *state, uint32_t n)
{
	return (random_next(state) >> 32) * n >> 32;
}

static inline int random_one_in(uint64_t *state, uint32_t n)
{
	return random_below(state, n) == 0;
}

#endif
