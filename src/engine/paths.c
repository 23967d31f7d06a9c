/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/paths.h"

#include "engine/steering.h"

#define REVIEWS 64	/* groups looked at in one round: all of them in about a millisecond */
#define PATIENCE_MAX 10 /* a group that keeps moving does so about once a second */

/* ---- choosing ---- */

static struct path choose(const struct lcore *lcore, struct group group)
{
	const struct door *door = lcore->door;

	return path_choose(lcore->plan, door->gate.open || !lcore->plan->gated,
		&lcore->dataplane->steering, door->loads, lcore->index, group.number);
}

static void choose_all(struct lcore *lcore)
{
	for (uint16_t i = 0; i < FLOW_GROUPS; i++) {
		struct group group = {i};
		struct path path = choose(lcore, group);

		moves_wish(&lcore->door->moves, group, &path);
	}
}

/* The average, permille. */
static uint32_t see_loads(struct lcore *lcore)
{
	const struct dataplane *dataplane = lcore->dataplane;
	const struct steering *steering = &dataplane->steering;
	uint32_t sum = 0;

	for (uint16_t i = 0; i < steering->n; i++) {
		lcore->door->loads[i] = load_read(&dataplane->lcores[steering->lcores[i]]->load);
		sum += lcore->door->loads[i];
	}
	return sum / steering->n;
}

/* ---- elephants ---- */

/* Nothing of it is on its way. */
static void begin_elephant(struct lcore *lcore, uint16_t number)
{
	const struct dataplane *dataplane = lcore->dataplane;
	struct door *door = lcore->door;
	struct elephant *elephant = &door->elephants.list[number];
	struct path *paths =
		&door->moves.paths[moves_account(&door->moves, group_of_elephant(number)).number];
	struct branch branch = {.elephant = number, .consumer = door->elephants.consumers[number]};

	for (; branch.number < dataplane->micro_flows.n_branches; branch.number++)
		paths[branch.number] = path_choose_branch(lcore->plan, &dataplane->steering,
			&dataplane->micro_flows, door->loads, lcore->index, &branch);
	__atomic_store_n(&elephant->merge_lcore, paths[0].lcore[paths[0].merge], __ATOMIC_RELAXED);
	merge_begin(&door->merges[number], dataplane->micro_flows.batch);
	split_begin(&elephant->split, &door->merges[number]);
}

/* Flows of a group whose move has ended; if the plan splits no more by now, they are forgotten. */
static void join_elephants(struct lcore *lcore, struct group group)
{
	struct door *door = lcore->door;

	for (uint16_t i = 0; i < door->elephants.n_elephants; i++) {
		const struct elephant *elephant = &door->elephants.list[i];

		if (elephant->state != ELEPHANT_FOUND ||
			elephant->hash % FLOW_GROUPS != group.number)
			continue;
		if (!steering_may_split(lcore)) {
			elephants_forget(&door->elephants, i);
			continue;
		}
		elephants_join(&door->elephants, i);
		merge_begin_counting(&door->merges[i]);
		begin_elephant(lcore, i);
	}
}

static void end_elephant_move(struct lcore *lcore, uint16_t number)
{
	struct elephants *elephants = &lcore->door->elephants;

	if (elephants->list[number].state == ELEPHANT_LEAVING || !steering_may_split(lcore))
		elephants_leave(elephants, number);
	else
		begin_elephant(lcore, number);
}

static void end_move(struct lcore *lcore, struct group group)
{
	if (group_is_elephant(group))
		end_elephant_move(lcore, group_elephant(group));
	else
		join_elephants(lcore, group);
}

/* True if it is to be merged elsewhere: on the lcore that its packets go to from there. Once, as
 * flows of several containers may be one elephant. */
static bool follows(struct elephants *elephants, uint16_t number)
{
	struct elephant *elephant = &elephants->list[number];
	uint16_t consumer = __atomic_load_n(&elephants->consumers[number], __ATOMIC_RELAXED);

	if (elephant->state != ELEPHANT_SPLIT || elephant->followed || consumer == LCORE_INLINE)
		return false;
	elephant->followed = true;
	return consumer != elephant->merge_lcore;
}

static void follow_consumers(struct lcore *lcore)
{
	struct door *door = lcore->door;

	for (uint16_t i = 0; i < door->elephants.n_elephants; i++)
		if (follows(&door->elephants, i))
			moves_begin(&door->moves, group_of_elephant(i));
}

static void review_elephants(struct lcore *lcore)
{
	struct door *door = lcore->door;
	uint16_t changed[ELEPHANTS_MAX];
	uint16_t n = elephants_review(&door->elephants, lcore->mark, changed);

	for (uint16_t i = 0; i < n; i++) {
		const struct elephant *elephant = &door->elephants.list[changed[i]];
		struct group group = group_of_elephant(changed[i]);

		if (elephant->state == ELEPHANT_FOUND)
			group.number = elephant->hash % FLOW_GROUPS;
		moves_begin(&door->moves, group);
	}
	follow_consumers(lcore);
}

static void move_elephants(struct lcore *lcore)
{
	struct door *door = lcore->door;

	for (uint16_t i = 0; i < door->elephants.n_elephants; i++)
		if (door->elephants.list[i].state == ELEPHANT_SPLIT)
			moves_begin(&door->moves, group_of_elephant(i));
	elephants_begin_window(&door->elephants, lcore->mark);
}

/* ---- moves ---- */

/* Nothing is on its way: so any path may be taken. */
static void begin_sorting(struct lcore *lcore)
{
	struct door *door = lcore->door;

	__atomic_store_n(&door->sorting, door->next_sorting, __ATOMIC_RELAXED);
	if (door->sorting == SORTING_NONE)
		return;
	see_loads(lcore);
	choose_all(lcore);
	elephants_begin_window(&door->elephants, lcore->mark);
}

uint16_t paths_poll(struct lcore *lcore)
{
	struct door *door = lcore->door;
	struct moves *moves = &door->moves;
	uint16_t sent = 0;

	if (unlikely(steering_waits(door)) && moves_at_rest(moves))
		begin_sorting(lcore);
	for (uint16_t i = moves->n_moving; i-- > 0;) {
		struct group group = moves->moving[i];

		if (!moves_end(moves, i))
			continue;
		end_move(lcore, group);
		sent += steering_send_held(lcore, group);
	}
	return sent;
}

static bool receives_from_uplink(const struct lcore *lcore)
{
	const struct tables *tables = lcore->context.tables;

	for (uint16_t i = tables->owned_begin[lcore->index];
		i < tables->owned_begin[lcore->index + 1]; i++)
		if (tables->owned[i].port->uplink)
			return true;
	return false;
}

void paths_adopt(struct lcore *lcore)
{
	struct door *door = lcore->door;
	const struct gate_config config = {.threshold = lcore->dataplane->steering.threshold,
		.hz = lcore->dataplane->clock.hz};

	__atomic_store_n(&door->plan, lcore->plan->number, __ATOMIC_RELAXED);
	__atomic_store_n(&door->next_sorting,
		receives_from_uplink(lcore) ? lcore->plan->sorting : SORTING_NONE,
		__ATOMIC_RELAXED);
	gate_begin(&door->gate, &config, lcore->mark, door->arrived);
	move_elephants(lcore);
	if (steering_waits(door) || door->sorting == SORTING_NONE)
		return;
	see_loads(lcore);
	choose_all(lcore);
}

/* ---- looking around ---- */

static uint32_t load_of(const struct lcore *lcore, uint16_t index)
{
	return load_read(&lcore->dataplane->lcores[index]->load);
}

/* A stage leaves its lcore only where that has too much to do, and only for one that has not. */
static bool is_relief(const struct lcore *lcore, const struct path *now, const struct path *then)
{
	uint32_t threshold = lcore->dataplane->steering.threshold;

	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++)
		if (now->lcore[stage] != then->lcore[stage] && now->lcore[stage] != LCORE_INLINE &&
			then->lcore[stage] != LCORE_INLINE &&
			load_of(lcore, now->lcore[stage]) >= threshold &&
			load_of(lcore, then->lcore[stage]) < threshold)
			return true;
	return false;
}

/* A group that has moved may do so again only after some reviews, and the more, the oftener it has:
 * the load that made it go is its own, and goes with it. True if it moves. */
static bool review(struct lcore *lcore, struct group group)
{
	struct moves *moves = &lcore->door->moves;
	struct group_state *state = &moves->groups[group.number];
	struct path path;

	if (state->sent == state->reviewed || state->moving)
		return false;
	state->reviewed = state->sent;
	if (state->rest > 0) {
		state->rest--;
		return false;
	}
	path = choose(lcore, group);
	if (path_is(&path, moves_path(moves, group)) ||
		!is_relief(lcore, moves_path(moves, group), &path)) {
		state->patience -= state->patience > 0;
		state->rest = state->patience > 0 ? 1u << state->patience : 0;
		return false;
	}
	state->patience = RTE_MIN(state->patience + 1, PATIENCE_MAX);
	state->rest = 1u << state->patience;
	moves_wish(moves, group, &path);
	return true;
}

/* One move at a time, so that the next one is by a load that shows this one. By the flow alone the
 * choice does not depend on loads. */
static void review_some(struct lcore *lcore)
{
	struct door *door = lcore->door;
	bool moves = !lcore->plan->balances || (lcore->plan->gated && !door->gate.open);

	for (uint16_t i = 0; i < REVIEWS && !moves; i++)
		moves = review(lcore, (struct group){door->cursor++ % FLOW_GROUPS});
}

/* The door's own load. One that credits keep from polling is full: it does not know what comes. */
static uint32_t own_load(struct lcore *lcore)
{
	uint64_t pressed = lcore->counters.time.back_pressured;
	bool more = pressed != lcore->door->pressed;

	lcore->door->pressed = pressed;
	return more ? LOAD_FULL : load_read(&lcore->load);
}

void paths_look_around(struct lcore *lcore)
{
	struct door *door = lcore->door;
	uint32_t average;

	if (door->sorting == SORTING_NONE)
		return;
	average = see_loads(lcore);
	if (lcore->plan->gated &&
		gate_update(&door->gate, lcore->mark, average, own_load(lcore), door->arrived))
		choose_all(lcore);
	else
		review_some(lcore);
	if (steering_may_split(lcore) && elephants_are_due(&door->elephants, lcore->mark))
		review_elephants(lcore);
}
