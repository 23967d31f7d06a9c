/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_MOVES_H
#define WEFT_MOVES_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "stages/packet.h"
#include "steer/path.h"

/*
 * The groups of one door: the path of each, how many of its packets are on their way, and those
 * that wait at the door while the path changes. moves.c says how a path changes.
 *
 * A group moves as one: a flow group; all that comes while nothing is steered; or an elephant,
 * which has an account and a path for each of its branches. Any other group has one of each.
 *
 * Only the door calls these functions, but for what is said otherwise.
 */

#define ELEPHANTS_MAX 64
#define GROUP_UNSTEERED FLOW_GROUPS
#define GROUP_ELEPHANTS (FLOW_GROUPS + 1) /* the first elephant's group */
#define GROUPS_MAX (GROUP_ELEPHANTS + ELEPHANTS_MAX)

/* Flow groups come first, by their number, and elephants last. */
struct group {
	uint16_t number;
};

static inline bool group_is_flow_group(struct group group)
{
	return group.number < FLOW_GROUPS;
}

static inline bool group_is_elephant(struct group group)
{
	return group.number >= GROUP_ELEPHANTS;
}

/* The elephant of that number at the door, and back. */
static inline struct group group_of_elephant(uint16_t elephant)
{
	return (struct group){GROUP_ELEPHANTS + elephant};
}

static inline uint16_t group_elephant(struct group group)
{
	assert(group_is_elephant(group));
	return group.number - GROUP_ELEPHANTS;
}

/* What one lcore tells one door about one account of the door's. Its writer only ever counts up;
 * wraps. */
struct tally {
	uint32_t finished; /* packets that ended here (release) */
	uint32_t made;	   /* and that were made here of others, and end like them */
};

struct group_state {
	uint32_t sent;	    /* along its path */
	uint32_t in_flight; /* of these, and what was made of them, when last counted; 0 is certain
			     */
	uint32_t reviewed;  /* `sent`, when its path was last reviewed */
	uint16_t n_held;
	bool moving;
	uint8_t patience; /* 2^n reviews pass before it may move again */
	uint32_t rest;	  /* reviews until then */
	struct rte_mbuf *first_held, *last_held;
	struct path next; /* while it is moving */
};

struct moves {
	/* [account] Each written only while nothing of its group is in flight; lcores read it
	 * with a packet of the account in hand. */
	struct path *paths;

	uint16_t n_lcores;
	uint16_t n_branches;
	uint16_t n_accounts;
	uint16_t n_moving;
	struct group moving[GROUPS_MAX];
	uint32_t n_held;
	uint32_t most_held;
	uint64_t ended;				 /* moves */
	const struct tally *tallies[LCORES_MAX]; /* [account] */
	struct group_state groups[GROUPS_MAX];
};

/* Registers what held packets are chained by. -1 if mbufs have no room for it. Main lcore, once. */
int moves_register(void);

/* Packets of the group on their way, as last counted, and held. */
static inline uint32_t moves_occupancy(const struct moves *moves, struct group group)
{
	return moves->groups[group.number].in_flight + moves->groups[group.number].n_held;
}

static inline uint16_t moves_accounts(uint16_t n_elephants, uint16_t n_branches)
{
	return ACCOUNT_BRANCHES + n_elephants * n_branches;
}

/* The group's first account. */
static inline struct account moves_account(const struct moves *moves, struct group group)
{
	uint16_t number = group.number;

	if (group_is_elephant(group))
		number = ACCOUNT_BRANCHES + group_elephant(group) * moves->n_branches;
	return (struct account){number};
}

/* A flow group's path. */
static inline struct path *moves_path(const struct moves *moves, struct group group)
{
	assert(group_is_flow_group(group));
	return &moves->paths[moves_account(moves, group).number];
}

/* Packets of the group on their way when `sent` had been sent: GROUP_UNSTEERED has a count, too.
 * Any thread; for others than the door it may be below zero, if more was sent and ended meanwhile.
 */
uint32_t moves_in_flight(const struct moves *moves, struct group group, uint32_t sent);

/* Nothing is on its way, of any group, and no group is moving. */
bool moves_at_rest(struct moves *moves);

/* Counts again. */
void moves_recount(struct moves *moves, struct group group);

/* The group is to have that path, as soon as it can. */
void moves_wish(struct moves *moves, struct group group, const struct path *path);

/* The group begins to move, to the path that it has: whoever calls this wants something else of the
 * drain. An elephant's paths are written by the caller, when the move ends. */
void moves_begin(struct moves *moves, struct group group);

/* If the i-th of moving[] has nothing in flight it gets its path, is taken off the list (the last
 * one takes its index), and true is returned. Its held packets are to be taken and sent at once. */
bool moves_end(struct moves *moves, uint16_t i);

/* Keeps packets of a group that is moving. */
void moves_hold(struct moves *moves, struct group group, struct rte_mbuf **mbufs, uint16_t n);

/* Takes up to n of the packets that were held, in order. */
uint16_t moves_take_held(
	struct moves *moves, struct group group, struct rte_mbuf **mbufs, uint16_t n);

/* n packets of the group go on their way. */
static inline void moves_sent(struct moves *moves, struct group group, uint16_t n)
{
	struct group_state *state = &moves->groups[group.number];

	__atomic_store_n(&state->sent, state->sent + n, __ATOMIC_RELAXED);
	state->in_flight += n;
}

#endif
