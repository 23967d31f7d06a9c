/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer/elephants.h"

#include <assert.h>
#include <string.h>

#include "base/counter.h"

#define CALM_WINDOWS 8
#define CALM_PART 2 /* of the rate: an elephant with less is calm */

static_assert(ELEPHANTS_MAX < UINT8_MAX, "chains have a byte for an elephant's number + 1");
static_assert(ELEPHANTS_MAX <= HEAVY_MAX, "a report has room for as many flows as may be found");

int elephants_init(struct elephants *elephants, const struct micro_flows *config,
	uint16_t n_elephants, uint64_t hz, int socket_id)
{
	assert(n_elephants <= ELEPHANTS_MAX && hz >= 1000000); /* a window is some microseconds */
	*elephants = (struct elephants){.config = config, .n_elephants = n_elephants, .hz = hz};
	elephants->heavy = heavy_create(socket_id);
	return elephants->heavy == NULL ? -1 : 0;
}

void elephants_free(struct elephants *elephants)
{
	heavy_free(elephants->heavy);
}

/* ---- states ---- */

static void set_state(struct elephants *elephants, uint16_t i, enum elephant_state state)
{
	uint8_t *old = &elephants->list[i].state;
	int more = (state != ELEPHANT_NONE) - (*old != ELEPHANT_NONE);

	__atomic_store_n(old, state, __ATOMIC_RELAXED);
	__atomic_store_n(&elephants->n, elephants->n + more, __ATOMIC_RELAXED);
	assert(elephants->n <= elephants->n_elephants);
}

static uint8_t *first_of(struct elephants *elephants, uint16_t i)
{
	return &elephants->first[elephants->list[i].hash % FLOW_GROUPS];
}

void elephants_join(struct elephants *elephants, uint16_t i)
{
	struct elephant *elephant = &elephants->list[i];

	assert(elephant->state == ELEPHANT_FOUND);
	elephant->next = *first_of(elephants, i);
	*first_of(elephants, i) = i + 1;
	elephant->counted = elephant->arrived;
	set_state(elephants, i, ELEPHANT_SPLIT);
	counter_add(&elephants->promoted, 1);
}

void elephants_forget(struct elephants *elephants, uint16_t i)
{
	assert(elephants->list[i].state == ELEPHANT_FOUND); /* it is in no chain */
	set_state(elephants, i, ELEPHANT_NONE);
}

void elephants_leave(struct elephants *elephants, uint16_t i)
{
	uint8_t *link = first_of(elephants, i);

	assert(elephants->list[i].state == ELEPHANT_SPLIT ||
		elephants->list[i].state == ELEPHANT_LEAVING);
	while (*link != i + 1) {
		assert(*link != 0); /* it is in the chain */
		link = &elephants->list[*link - 1].next;
	}
	*link = elephants->list[i].next;
	set_state(elephants, i, ELEPHANT_NONE);
	counter_add(&elephants->demoted, 1);
}

/* ---- windows ---- */

/* What the rate comes to in a window. */
static uint32_t packets_in(const struct elephants *elephants, uint64_t cycles)
{
	return RTE_MAX(elephants->config->rate * cycles / elephants->hz, 1u);
}

/* True if it is to leave. */
static bool review_one(
	const struct elephants *elephants, struct elephant *elephant, uint64_t cycles)
{
	uint32_t packets = elephant->arrived - elephant->counted;
	bool is_calm = packets < packets_in(elephants, cycles) / CALM_PART;

	elephant->counted = elephant->arrived;
	__atomic_store_n(&elephant->rate, packets * elephants->hz / cycles, __ATOMIC_RELAXED);
	elephant->calm = is_calm ? elephant->calm + 1 : 0;
	return elephant->calm == CALM_WINDOWS;
}

static uint16_t find_calm(struct elephants *elephants, uint64_t cycles, uint16_t *changed)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < elephants->n_elephants; i++) {
		struct elephant *elephant = &elephants->list[i];

		if (elephant->state != ELEPHANT_SPLIT || !review_one(elephants, elephant, cycles))
			continue;
		set_state(elephants, i, ELEPHANT_LEAVING);
		changed[n++] = i;
	}
	return n;
}

static bool was_candidate(const struct elephants *elephants, uint32_t hash)
{
	for (uint16_t i = 0; i < elephants->n_candidates; i++)
		if (elephants->candidates[i] == hash)
			return true;
	return false;
}

/* It may have become one since it was counted. */
static bool is_known(const struct elephants *elephants, uint32_t hash)
{
	for (uint16_t i = 0; i < elephants->n_elephants; i++)
		if (elephants->list[i].state != ELEPHANT_NONE && elephants->list[i].hash == hash)
			return true;
	return false;
}

/* False if there are as many elephants as there may be. */
static bool add(struct elephants *elephants, uint32_t hash, uint16_t *number)
{
	for (uint16_t i = 0; i < elephants->n_elephants; i++) {
		struct elephant *elephant = &elephants->list[i];

		if (elephant->state != ELEPHANT_NONE)
			continue;
		elephant->calm = 0;
		elephant->followed = false;
		__atomic_store_n(&elephants->consumers[i], LCORE_INLINE, __ATOMIC_RELAXED);
		__atomic_store_n(&elephant->rate, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&elephant->hash, hash, __ATOMIC_RELAXED);
		set_state(elephants, i, ELEPHANT_FOUND);
		*number = i;
		return true;
	}
	return false;
}

/* A hash that is no more than a flow group's number is not of a flow in a tunnel. */
static uint16_t find_heavy(struct elephants *elephants, uint64_t cycles, uint16_t *changed)
{
	uint32_t heavy[ELEPHANTS_MAX];
	uint16_t n_heavy =
		heavy_report(elephants->heavy, packets_in(elephants, cycles), heavy, ELEPHANTS_MAX);
	uint16_t n = 0;

	for (uint16_t i = 0; i < n_heavy; i++)
		if (heavy[i] >= FLOW_GROUPS && was_candidate(elephants, heavy[i]) &&
			!is_known(elephants, heavy[i]) && add(elephants, heavy[i], &changed[n]))
			n++;
	memcpy(elephants->candidates, heavy, n_heavy * sizeof(heavy[0]));
	elephants->n_candidates = n_heavy;
	return n;
}

uint16_t elephants_review(struct elephants *elephants, uint64_t now, uint16_t *changed)
{
	uint64_t cycles = now - elephants->begin;
	uint16_t n;

	assert(cycles > 0); /* rates are by it */
	n = find_calm(elephants, cycles, changed);
	elephants->begin = now;
	n += find_heavy(elephants, cycles, changed + n);
	assert(n <= ELEPHANTS_MAX); /* none has changed twice */
	return n;
}

void elephants_begin_window(struct elephants *elephants, uint64_t now)
{
	uint32_t heavy;

	elephants->begin = now;
	elephants->n_candidates = 0;
	heavy_report(elephants->heavy, 0, &heavy, 1);
}
