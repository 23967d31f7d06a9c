/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_POLICY_H
#define WEFT_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Which of the steering lcores runs a stage of a flow. A policy is a line of policies[] in policy.c
 * and a pure function: any thread may call it.
 *
 * All of them know the same two lcores of a hash: with h = hash_32(hash), the multiplicative hash
 * to 16 bits, the first is h % n and the second hash_32(h) % n, which may be the same.
 *   static        always the first
 *   two-choice    the first while its load is below the threshold, else the second whatever its
 *                 load: it commits, so that flows do not swing between lcores (Falcon,
 *                 EuroSys'21, Algorithm 1, get_falcon_cpu)
 *   least-loaded  the less loaded of the two, the first if they are equal
 */
struct policy {
	const char *name;
	/* Index of the chosen lcore, below n. `hash` is the flow's hash plus the stage's number, so
	 * that the stages of a flow come to different lcores (small numbers are no good hashes
	 * here: 0 to 255 leave one lcore of nine out); loads[0..n) and the threshold are in
	 * permille, and n is at least 1. Sets *second to whether the second choice was taken. */
	uint16_t (*choose)(
		uint32_t hash, const uint32_t *loads, uint16_t n, uint32_t threshold, bool *second);
};

/* NULL if no policy is called `name`. */
const struct policy *policy_find(const char *name);
/* Writes "static, two-choice, ..." */
void policy_list(char *text, size_t size);

#endif
