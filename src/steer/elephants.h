/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_ELEPHANTS_H
#define WEFT_ELEPHANTS_H

#include <stdbool.h>
#include <stdint.h>

#include "stages/packet.h"
#include "steer/heavy.h"
#include "steer/moves.h"
#include "steer/path.h"
#include "steer/split.h"

/*
 * The elephants of one door: which flows they are, and which are about to be. For the door alone,
 * but for what is said otherwise.
 *
 * A flow is found if it comes to the rate in two windows on end, and forgotten if it has less than
 * half of it in eight: so one whose rate is near the limit does not come and go. It joins when
 * nothing of its flow group is on its way, and leaves when nothing of its own is: both are moves
 * (steer/moves.h), which the door makes.
 */

enum elephant_state {
	ELEPHANT_NONE,
	ELEPHANT_FOUND,	  /* its flow group is moving */
	ELEPHANT_SPLIT,	  /* it has a group of its own */
	ELEPHANT_LEAVING, /* which is moving */
};

/* What other threads may read of it is written with relaxed stores. */
struct elephant {
	uint8_t state;	      /* enum elephant_state, relaxed */
	uint8_t next;	      /* the next one of the flow group, + 1; 0: none */
	uint8_t calm;	      /* windows on end in which it had too little */
	bool followed;	      /* its merge has gone to its consumer */
	uint16_t merge_lcore; /* relaxed */
	uint32_t hash;	      /* relaxed */
	uint32_t rate;	      /* packets per second in the last window, relaxed */
	uint32_t arrived;     /* packets, with those that were refused */
	uint32_t counted;     /* of these, up to the window's begin */
	struct split split;
};

struct elephants {
	const struct micro_flows *config;
	uint16_t n_elephants; /* at most */
	uint64_t begin;	      /* of the window, cycles */
	uint64_t hz;
	uint16_t n; /* that are not NONE, relaxed */
	uint16_t n_candidates;
	uint32_t candidates[ELEPHANTS_MAX]; /* flows that were heavy in the last window */
	uint8_t first[FLOW_GROUPS];	    /* the first one of the flow group, + 1; 0: none */
	uint64_t promoted;		    /* counters */
	uint64_t demoted;
	struct heavy *heavy;
	struct elephant list[ELEPHANTS_MAX];
	/* Of each elephant, the lcore that its packets go to from the merge, or LCORE_INLINE while
	 * unknown. Written where it is merged (relaxed), so apart from what the door writes. */
	uint16_t consumers[ELEPHANTS_MAX] __rte_cache_aligned;
};

/* At most n_elephants. -1 if memory is short. Main lcore; elephants_free() too. */
int elephants_init(struct elephants *elephants, const struct micro_flows *config,
	uint16_t n_elephants, uint64_t hz, int socket_id);
void elephants_free(struct elephants *elephants);

/* The group of a packet with this flow hash: its elephant's, or the flow group. */
static inline struct group elephants_group(const struct elephants *elephants, uint32_t hash)
{
	struct group group = {hash % FLOW_GROUPS};

	for (uint8_t i = elephants->first[group.number]; i != 0; i = elephants->list[i - 1].next)
		if (elephants->list[i - 1].hash == hash)
			return group_of_elephant(i - 1);
	return group;
}

/* Packets of this group came, with those that are refused, and the first of them has that hash. In
 * a flow group the others may be of other flows; each flow is the first one as often as it should.
 */
static inline void elephants_seen(
	struct elephants *elephants, struct group group, uint32_t hash, uint16_t n)
{
	if (group_is_elephant(group))
		elephants->list[group_elephant(group)].arrived += n;
	else
		heavy_seen(elephants->heavy, hash, n);
}

/* Is the window over? */
static inline bool elephants_are_due(const struct elephants *elephants, uint64_t now)
{
	return now - elephants->begin >=
	       elephants->hz / 1000000 * (uint64_t)elephants->config->window;
}

/* Ends the window: takes the rates of elephants and of heavy flows. The flows that have become
 * elephants are in state FOUND from now on, and those that have ceased to be in state LEAVING;
 * their numbers go to changed[ELEPHANTS_MAX], and how many they are is returned. The door is to
 * move the flow groups of the former, and the elephants' of the latter. */
uint16_t elephants_review(struct elephants *elephants, uint64_t now, uint16_t *changed);

/* Begins a window, and forgets what was seen in the last one. */
void elephants_begin_window(struct elephants *elephants, uint64_t now);

/* It has its own group from now on, and no other packets of it are on their way. */
void elephants_join(struct elephants *elephants, uint16_t i);

/* It was found, and is not to join. */
void elephants_forget(struct elephants *elephants, uint16_t i);

/* Its packets belong to its flow group from now on, and none are on their way. */
void elephants_leave(struct elephants *elephants, uint16_t i);

#endif
