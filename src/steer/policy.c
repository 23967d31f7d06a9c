/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer/policy.h"

#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#define GOLDEN_RATIO_32 0x61c88647 /* 2^32 divided by its square */
#define HASH_BITS 16

/* Multiplicative hash: the upper bits of the product depend on all of the factor's. */
static uint32_t hash_32(uint32_t value)
{
	return value * GOLDEN_RATIO_32 >> (32 - HASH_BITS);
}

static uint16_t choose_static(
	uint32_t hash, const uint32_t *loads, uint16_t n, uint32_t threshold, bool *second)
{
	(void)loads;
	(void)threshold;
	*second = false;
	return hash_32(hash) % n;
}

static uint16_t choose_two_choice(
	uint32_t hash, const uint32_t *loads, uint16_t n, uint32_t threshold, bool *second)
{
	uint32_t once = hash_32(hash);

	*second = loads[once % n] >= threshold;
	return (*second ? hash_32(once) : once) % n;
}

static uint16_t choose_least_loaded(
	uint32_t hash, const uint32_t *loads, uint16_t n, uint32_t threshold, bool *second)
{
	uint32_t once = hash_32(hash), twice = hash_32(once);

	(void)threshold;
	*second = loads[twice % n] < loads[once % n];
	return (*second ? twice : once) % n;
}

static const struct policy policies[] = {
	{"static", choose_static},
	{"two-choice", choose_two_choice},
	{"least-loaded", choose_least_loaded},
};

const struct policy *policy_find(const char *name)
{
	for (size_t i = 0; i < RTE_DIM(policies); i++)
		if (strcmp(policies[i].name, name) == 0)
			return &policies[i];
	return NULL;
}

void policy_list(char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < RTE_DIM(policies); i++)
		snprintf(text + strlen(text), size - strlen(text), "%s%s", i ? ", " : "",
			policies[i].name);
}
