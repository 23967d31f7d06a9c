/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/lcore.h"

#include "engine/inbox.h"
#include "engine/outbox.h"
#include "engine/paths.h"
#include "engine/receive.h"
#include "engine/run.h"
#include "engine/steering.h"
#include "engine/turns.h"

/* ---- time ---- */

/* Time since the last mark goes to *counter; no step was done in it. */
static void book(struct lcore *lcore, uint64_t *counter)
{
	uint64_t now = clock_after(&lcore->dataplane->clock, STEP_COUNT, 0);

	counter_add(counter, now - lcore->mark);
	lcore->mark = now;
}

/* The round's time, from its begin to the mark that the last step left, or to now. */
static void book_round(struct lcore *lcore, uint64_t begin, uint16_t moved, bool refused)
{
	struct time_counters *time = &lcore->counters.time;

	lcore->mark = begin;
	if (moved > 0)
		book(lcore, &time->working);
	else if (refused)
		book(lcore, &time->back_pressured);
	else
		book(lcore, &time->idle);
}

/* ---- housekeeping ---- */

/* False if there is no room: the ring keeps some for neighbours, as the list does. */
static bool send_notice(struct lcore *lcore, const struct notice *notice)
{
	if (notice->kind != NOTICE_NEIGHBOUR &&
		rte_ring_free_count(lcore->notices) <= NOTICES_RESERVED)
		return false;
	return rte_ring_sp_enqueue_elem(
		       lcore->notices, (void *)(uintptr_t)notice, sizeof(*notice)) == 0;
}

static void housekeep(struct lcore *lcore)
{
	struct notice_list *notices = &lcore->context.notices;
	uint64_t lost = notices->lost;

	if (notices->n == 0 && lost == 0)
		return;
	for (uint16_t i = 0; i < notices->n; i++)
		lost += !send_notice(lcore, &notices->list[i]);
	counter_add(&lcore->counters.notices_lost, lost);
	notices->n = 0;
	notices->lost = 0;
	book(lcore, &lcore->counters.time.housekeeping);
}

static void look_around(struct lcore *lcore)
{
	load_update(&lcore->load, lcore->mark, lcore->counters.time.working, inbox_depth(lcore));
	paths_look_around(lcore);
	if (lcore->plan->by_right)
		turns_look_around(lcore);
	book(lcore, &lcore->counters.time.housekeeping);
}

/* ---- rounds ---- */

/* What the main lcore has published, for the whole round. */
static void look_up(struct lcore *lcore)
{
	struct dataplane *dataplane = lcore->dataplane;

	lcore->context.tables = __atomic_load_n(&dataplane->tables, __ATOMIC_ACQUIRE);
	lcore->context.cycles = lcore->mark;
	lcore->context.seconds = __atomic_load_n(&dataplane->seconds, __ATOMIC_RELAXED);
	lcore->plan = __atomic_load_n(&dataplane->plan, __ATOMIC_ACQUIRE);
	if (unlikely(lcore->plan->number != lcore->door->plan))
		paths_adopt(lcore);
}

/* What waited for credits, or for this round. */
static uint16_t poll_floods(struct lcore *lcore)
{
	if (likely(!flood_is_on(lcore)) || !flood_feed(lcore))
		return 0;
	run(lcore);
	return 1;
}

static uint16_t poll_queues(struct lcore *lcore, bool *refused)
{
	const struct dataplane *dataplane = lcore->dataplane;
	bool receives = !__atomic_load_n(&dataplane->closing, __ATOMIC_RELAXED) &&
			!__atomic_load_n(&dataplane->pausing, __ATOMIC_ACQUIRE);

	if (lcore->plan->by_right)
		return turns_poll(lcore, receives, refused);
	if (unlikely(lcore->turns != NULL && !turns_are_over(lcore->turns)))
		return turns_poll(lcore, false, refused);
	return receives ? receive_poll(lcore, refused) : 0;
}

bool lcore_poll(struct lcore *lcore)
{
	struct dataplane *dataplane = lcore->dataplane;
	uint64_t begin = lcore->mark;
	bool refused = false;
	uint16_t moved;

	/* Between two rounds nothing of the tables is held, but where a driver ends rounds early.
	 */
	if (likely(lcore->turns == NULL || !turns_has_reserved(lcore->turns)))
		rte_rcu_qsbr_quiescent(dataplane->rcu, lcore->index);
	look_up(lcore);
	lcore->created_before = lcore->counters.created;
	moved = poll_floods(lcore);
	if (unlikely(lcore->kept > 0))
		moved += run_kept(lcore);
	moved += inbox_poll(lcore);
	if (lcore->door->moves.n_moving > 0 || steering_waits(lcore->door))
		moved += paths_poll(lcore);
	moved += poll_queues(lcore, &refused);
	outbox_flush_all(lcore);
	book_round(lcore, begin, moved, refused);
	housekeep(lcore);
	if (load_is_due(&lcore->load, lcore->mark))
		look_around(lcore);
	return moved > 0;
}

/* ---- the driver of real lcores ---- */

void lcore_begin(struct lcore *lcore)
{
	rte_rcu_qsbr_thread_register(lcore->dataplane->rcu, lcore->index);
	rte_rcu_qsbr_thread_online(lcore->dataplane->rcu, lcore->index);
	lcore->mark = clock_read(&lcore->dataplane->clock);
}

void lcore_end(struct lcore *lcore)
{
	rte_rcu_qsbr_thread_offline(lcore->dataplane->rcu, lcore->index);
	rte_rcu_qsbr_thread_unregister(lcore->dataplane->rcu, lcore->index);
}

int lcore_run(void *argument)
{
	struct lcore *lcore = argument;

	lcore_begin(lcore);
	if (lcore->dataplane->sleeps)
		idle_begin(lcore);
	while (!__atomic_load_n(&lcore->dataplane->stop, __ATOMIC_RELAXED)) {
		bool moved = lcore_poll(lcore);

		if (lcore->dataplane->sleeps)
			idle_round(lcore, moved);
	}
	lcore_end(lcore);
	return 0;
}
