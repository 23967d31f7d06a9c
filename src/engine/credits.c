/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/credits.h"

#include "engine/door.h"

#define RESERVE 4	  /* one in so many credits is not for those who hold many, */
#define REPLICA_RESERVE 8 /* and one in so many is not for received packets */

static uint64_t credits_out(const struct lcore *lcore)
{
	assert(lcore->counters.admitted >= lcore->returned);
	return lcore->counters.admitted - lcore->returned;
}

static void count_returned(struct lcore *lcore)
{
	lcore->returned = 0;
	for (uint16_t i = 0; i < lcore->dataplane->n_lcores; i++)
		lcore->returned += counter_read(lcore->finished_at[i]);
}

static uint32_t left_of(const struct lcore *lcore, uint32_t credits)
{
	return credits - RTE_MIN(credits_out(lcore), credits);
}

/* Other lcores' counts are read only when they are needed. */
uint32_t credits_for_received(struct lcore *lcore)
{
	uint32_t credits = lcore->dataplane->credits - lcore->dataplane->credits / REPLICA_RESERVE;

	if (credits_out(lcore) + RECEIVE_BURST > credits)
		count_returned(lcore);
	return left_of(lcore, credits);
}

uint32_t credits_for_replicas(struct lcore *lcore)
{
	if (left_of(lcore, lcore->dataplane->credits) == 0)
		count_returned(lcore);
	return left_of(lcore, lcore->dataplane->credits);
}

/* What flow groups may still use when n packets that have just come in are not counted, less what
 * this one has. */
static int64_t spare(const struct lcore *lcore, struct group group, uint16_t n)
{
	const struct dataplane *dataplane = lcore->dataplane;
	int64_t left = (int64_t)dataplane->credits - credits_out(lcore) + n;

	return left - dataplane->credits / RESERVE - moves_occupancy(&lcore->door->moves, group);
}

/* A group may have as much on its way as is left for all others (dynamic thresholds, as in
 * shared-memory switches: Choudhury and Hahne, 1998): one whose path is slow comes to half of them,
 * two to a third each. A part is reserved, so that there always are credits to receive with,
 * however many paths are slow. */
uint16_t credits_for_group(struct lcore *lcore, struct group group, uint16_t n)
{
	int64_t room = spare(lcore, group, n);

	if (likely(room >= n))
		return n;
	count_returned(lcore);
	moves_recount(&lcore->door->moves, group);
	room = spare(lcore, group, n);
	return RTE_MIN(RTE_MAX(room, 0), n);
}
