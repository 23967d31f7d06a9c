/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a flow group gets another path without one of its packets overtaking another.
 *
 * The door sends all packets of a group along one path and counts them (`sent`). Whoever ends a
 * packet, by delivery, drop or otherwise, counts it in its own tally of that door (`finished`); who
 * makes a replica of a packet counts that first (`made`), and the replica then ends like any other.
 * So nothing of the group is in flight when sent + made = finished, summed over the lcores.
 *
 * To change a path, the door
 *   1. marks the group as moving: what arrives for it from now on is held here, in order;
 *   2. sums up again each round, until nothing is in flight;
 *   3. writes the new path, sends what it held, and the group is no longer moving.
 * As nothing new is sent, 2. takes one drain of the path, also under full load.
 *
 * The sum is not of one instant. All of `finished` is read before any of `made`: a replica whose
 * end was seen has been counted as made before, so the sum can be too large, but never too small.
 * Each `finished` is stored with release and read with acquire, after which two things are certain:
 * the path of a packet that ended is no longer read, so it may be written; and whatever the
 * packet's replicas did to `made` is visible. A new path reaches the others with the packets that
 * take it, through their rings.
 *
 * A flow that becomes an elephant leaves its group when that has nothing in flight, and comes back
 * when the elephant has nothing in flight. So both are moves; what was held then goes where it
 * belongs by now, which may be to where others are held.
 *
 * While the plan steers nothing, packets are not told apart by group but counted as one class; and
 * plans may tell them apart by different hashes. When that changes, the groups of a flow are
 * different ones before and after. So the door then receives nothing from uplinks until nothing is
 * in flight, of any group.
 *
 * tests/model/moves.pml is a model of this.
 */
#include "steer/moves.h"

#include <rte_mbuf_dyn.h>

#include "base/counter.h"

static int next_offset = -1;

int moves_register(void)
{
	static const struct rte_mbuf_dynfield field = {.name = "weft_dynfield_held",
		.size = sizeof(struct rte_mbuf *),
		.align = __alignof__(struct rte_mbuf *)};

	next_offset = rte_mbuf_dynfield_register(&field);
	return next_offset < 0 ? -1 : 0;
}

static struct rte_mbuf **next_of(struct rte_mbuf *mbuf)
{
	return RTE_MBUF_DYNFIELD(mbuf, next_offset, struct rte_mbuf **);
}

/* ---- counting ---- */

static uint32_t sum_finished(const struct tally *tallies, uint16_t account, uint16_t end)
{
	uint32_t sum = 0;

	for (; account < end; account++)
		sum += __atomic_load_n(&tallies[account].finished, __ATOMIC_ACQUIRE);
	return sum;
}

static uint32_t sum_made(const struct tally *tallies, uint16_t account, uint16_t end)
{
	uint32_t sum = 0;

	for (; account < end; account++)
		sum += __atomic_load_n(&tallies[account].made, __ATOMIC_RELAXED);
	return sum;
}

uint32_t moves_in_flight(const struct moves *moves, struct group group, uint32_t sent)
{
	uint16_t account = moves_account(moves, group).number;
	uint16_t end = account + (group_is_elephant(group) ? moves->n_branches : 1);
	uint32_t n = sent;

	for (uint16_t i = 0; i < moves->n_lcores; i++)
		n -= sum_finished(moves->tallies[i], account, end);
	for (uint16_t i = 0; i < moves->n_lcores; i++)
		n += sum_made(moves->tallies[i], account, end);
	return n;
}

bool moves_at_rest(struct moves *moves)
{
	uint16_t n_elephants = (moves->n_accounts - ACCOUNT_BRANCHES) / moves->n_branches;

	if (moves->n_moving > 0)
		return false;
	for (uint16_t i = 0; i < GROUP_ELEPHANTS + n_elephants; i++) {
		if (moves->groups[i].in_flight > 0)
			moves_recount(moves, (struct group){i});
		if (moves->groups[i].in_flight > 0)
			return false;
	}
	return true;
}

void moves_recount(struct moves *moves, struct group group)
{
	struct group_state *state = &moves->groups[group.number];

	state->in_flight = moves_in_flight(moves, group, state->sent);
}

/* ---- moving ---- */

void moves_begin(struct moves *moves, struct group group)
{
	struct group_state *state = &moves->groups[group.number];

	if (state->moving)
		return;
	assert(moves->n_moving < GROUPS_MAX); /* each group is there once */
	state->moving = true;
	if (group_is_flow_group(group))
		state->next = *moves_path(moves, group);
	moves->moving[moves->n_moving] = group;
	number_set16(&moves->n_moving, moves->n_moving + 1);
}

void moves_wish(struct moves *moves, struct group group, const struct path *path)
{
	struct group_state *state = &moves->groups[group.number];

	if (!state->moving && path_is(moves_path(moves, group), path)) {
		moves_path(moves, group)->second = path->second;
		return;
	}
	moves_begin(moves, group);
	state->next = *path;
}

bool moves_end(struct moves *moves, uint16_t i)
{
	struct group group = moves->moving[i];
	struct group_state *state = &moves->groups[group.number];

	assert(i < moves->n_moving && state->moving);
	if (state->in_flight > 0)
		moves_recount(moves, group);
	if (state->in_flight > 0)
		return false;
	if (group_is_flow_group(group))
		*moves_path(moves, group) = state->next;
	state->moving = false;
	number_set16(&moves->n_moving, moves->n_moving - 1);
	moves->moving[i] = moves->moving[moves->n_moving];
	counter_add(&moves->ended, 1);
	return true;
}

/* ---- holding ---- */

static void hold(struct group_state *state, struct rte_mbuf *mbuf)
{
	*next_of(mbuf) = NULL;
	if (state->first_held == NULL)
		state->first_held = mbuf;
	else
		*next_of(state->last_held) = mbuf;
	state->last_held = mbuf;
}

void moves_hold(struct moves *moves, struct group group, struct rte_mbuf **mbufs, uint16_t n)
{
	assert(moves->groups[group.number].moving); /* else nobody would take them */
	for (uint16_t i = 0; i < n; i++)
		hold(&moves->groups[group.number], mbufs[i]);
	number_set16(&moves->groups[group.number].n_held, moves->groups[group.number].n_held + n);
	number_set32(&moves->n_held, moves->n_held + n);
	number_set32(&moves->most_held, RTE_MAX(moves->most_held, moves->n_held));
}

uint16_t moves_take_held(
	struct moves *moves, struct group group, struct rte_mbuf **mbufs, uint16_t n)
{
	struct group_state *state = &moves->groups[group.number];
	uint16_t taken = 0;

	for (; taken < n && state->first_held != NULL; taken++) {
		mbufs[taken] = state->first_held;
		state->first_held = *next_of(mbufs[taken]);
	}
	assert(taken <= state->n_held && (taken < state->n_held) == (state->first_held != NULL));
	number_set16(&state->n_held, state->n_held - taken);
	number_set32(&moves->n_held, moves->n_held - taken);
	return taken;
}
