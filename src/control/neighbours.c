/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/neighbours.h"

#define ASK_AGAIN_MS 1000
#define REFRESH_MS 30000
#define TRIES_MAX 3

const char *neighbour_state_name(enum neighbour_state state)
{
	static const char *const names[] = {"unresolved", "reachable", "probing"};

	return names[state];
}

static int find(const struct neighbours *neighbours, uint16_t uplink, const struct address *address)
{
	for (int i = 0; i < neighbours->n; i++)
		if (neighbours->list[i].uplink == uplink &&
			address_equal(&neighbours->list[i].address, address))
			return i;
	return -1;
}

int neighbours_add(struct neighbours *neighbours, uint16_t uplink, const struct address *address,
	struct error *error)
{
	int index = find(neighbours, uplink, address);

	if (index >= 0)
		return index;
	if (neighbours->n == NEIGHBOURS_MAX)
		return error_set(error, "more than %d next hops", NEIGHBOURS_MAX);
	neighbours->list[neighbours->n] = (struct neighbour){
		.address = *address, .uplink = uplink, .state = NEIGHBOUR_UNRESOLVED};
	return neighbours->n++;
}

bool neighbours_heard(struct neighbours *neighbours, uint16_t uplink, const struct address *address,
	const struct rte_ether_addr *mac, uint64_t now_ms)
{
	int index = find(neighbours, uplink, address);
	struct neighbour *neighbour;
	bool changed;

	if (index < 0)
		return false;
	neighbour = &neighbours->list[index];
	changed = neighbour->state == NEIGHBOUR_UNRESOLVED ||
		  !rte_is_same_ether_addr(&neighbour->mac, mac);
	neighbour->mac = *mac;
	neighbour->state = NEIGHBOUR_REACHABLE;
	neighbour->tries = 0;
	neighbour->due_ms = now_ms + REFRESH_MS;
	return changed;
}

/* Whether it is not known any more. */
static bool give_up(struct neighbour *neighbour)
{
	if (neighbour->state != NEIGHBOUR_PROBING || neighbour->tries < TRIES_MAX)
		return false;
	neighbour->state = NEIGHBOUR_UNRESOLVED;
	return true;
}

bool neighbours_refresh(
	struct neighbours *neighbours, uint64_t now_ms, neighbour_ask ask, void *argument)
{
	bool changed = false;

	for (uint16_t i = 0; i < neighbours->n; i++) {
		struct neighbour *neighbour = &neighbours->list[i];

		if (now_ms < neighbour->due_ms)
			continue;
		if (neighbour->state == NEIGHBOUR_REACHABLE)
			neighbour->state = NEIGHBOUR_PROBING;
		changed |= give_up(neighbour);
		neighbour->tries += ask(argument, neighbour);
		neighbour->due_ms = now_ms + ASK_AGAIN_MS;
	}
	return changed;
}

bool neighbours_are_resolved(const struct neighbours *neighbours)
{
	for (uint16_t i = 0; i < neighbours->n; i++)
		if (neighbours->list[i].state == NEIGHBOUR_UNRESOLVED)
			return false;
	return true;
}
