/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/steering.h"

#include <rte_malloc.h>
#include <rte_prefetch.h>

#include "base/flow_hash.h"
#include "engine/credits.h"
#include "engine/drop.h"
#include "engine/route.h"
#include "engine/run.h"
#include "stages/rx.h"

#define REVIEWS 64	/* groups looked at in one round: all of them in about a millisecond */
#define PATIENCE_MAX 10 /* a group that keeps moving does so about once a second */

/* ---- making ---- */

static int make_merges(struct door *door, const struct dataplane *dataplane, int socket_id)
{
	uint16_t n_branches = dataplane->micro_flows.n_branches;
	/* A replica has the credit of the lcore that it was made on. */
	uint32_t credits = 2 * dataplane->credits;
	uint16_t n = door->elephants.n_elephants;
	size_t size = merge_memory(n_branches, credits);
	char *memory = rte_zmalloc_socket(
		"merges", n * (sizeof(struct merge) + size), RTE_CACHE_LINE_SIZE, socket_id);

	door->merges = (struct merge *)memory;
	if (memory == NULL)
		return n == 0 ? 0 : -1;
	memory += n * sizeof(struct merge);
	for (uint16_t i = 0; i < n; i++, memory += size)
		merge_init(&door->merges[i], memory, n_branches, credits);
	return 0;
}

int steering_init(
	struct door *door, const struct dataplane *dataplane, bool receives, int socket_id)
{
	const struct micro_flows *micro_flows = &dataplane->micro_flows;
	struct moves *moves = &door->moves;

	moves->n_lcores = dataplane->n_lcores;
	moves->n_branches = micro_flows->n_branches;
	moves->n_accounts = moves_accounts(micro_flows->n_elephants, micro_flows->n_branches);
	moves->paths = rte_zmalloc_socket(
		"paths", moves->n_accounts * sizeof(*moves->paths), RTE_CACHE_LINE_SIZE, socket_id);
	if (moves->paths == NULL || elephants_init(&door->elephants, micro_flows,
					    receives ? micro_flows->n_elephants : 0,
					    dataplane->clock.hz, socket_id) != 0)
		return -1;
	return make_merges(door, dataplane, socket_id);
}

void steering_free(struct door *door)
{
	rte_free(door->merges);
	rte_free(door->moves.paths);
	elephants_free(&door->elephants);
}

/* ---- sending ---- */

static bool may_split(const struct lcore *lcore)
{
	return lcore->plan->splits && lcore->dataplane->n_lcores > 1 &&
	       lcore->door->elephants.n_elephants > 0 && !steering_waits(lcore->door);
}

static void refuse(struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		packet_of(mbufs[i])->group = GROUP_NONE;
	drop_packets(lcore, STAGE_RX, RX_PATH_FULL, mbufs, n);
}

/* All that the door writes into a packet that it has not read. */
static void stamp(const struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n, uint16_t branch,
	uint32_t micro_flow)
{
	const struct packet packet = {.group = branch, .first = lcore->index, .door = lcore->index};

	for (uint16_t i = 0; i < n; i++) {
		packet_of(mbufs[i])->account = packet.account;
		packet_of(mbufs[i])->micro_flow = micro_flow;
	}
}

static void send_split(struct lcore *lcore, uint16_t group, struct rte_mbuf **mbufs, uint16_t n)
{
	struct door *door = lcore->door;
	struct split *split = &door->elephants.list[group - GROUP_ELEPHANTS].split;
	uint16_t account = moves_account(&door->moves, group);

	for (uint16_t taken; n > 0; mbufs += taken, n -= taken) {
		taken = split_next(split, n);
		stamp(lcore, mbufs, taken, account + split->branch, split->micro_flow);
		route(lcore, STAGE_RX, mbufs, taken);
	}
}

static void send_along(struct lcore *lcore, uint16_t group, struct rte_mbuf **mbufs, uint16_t n)
{
	moves_sent(&lcore->door->moves, group, n);
	counter_add(&lcore->counters.steered, n);
	if (group >= GROUP_ELEPHANTS)
		send_split(lcore, group, mbufs, n);
	else
		route(lcore, STAGE_RX, mbufs, n);
}

static void send_or_hold(struct lcore *lcore, uint16_t group, struct rte_mbuf **mbufs, uint16_t n)
{
	if (unlikely(lcore->door->moves.groups[group].moving))
		moves_hold(&lcore->door->moves, group, mbufs, n);
	else
		send_along(lcore, group, mbufs, n);
}

static void enter_group(struct lcore *lcore, uint16_t group, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t room = credits_for_group(lcore, group, n);

	if (may_split(lcore))
		elephants_seen(&lcore->door->elephants, group, packet_of(mbufs[0])->flow_hash, n);
	if (unlikely(room < n))
		refuse(lcore, mbufs + room, n - room);
	if (room > 0)
		send_or_hold(lcore, group, mbufs, room);
}

/* ---- telling packets apart ---- */

static void prefetch_headers(
	const struct port *port, enum sorting sorting, struct rte_mbuf **mbufs, uint16_t n)
{
	if (sorting == SORTING_INNER ? port->hashes_inner : port->hashes_outer)
		return;
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (uint16_t i = 0; i < n && sorting == SORTING_INNER; i++)
		rte_prefetch0(rte_pktmbuf_mtod_offset(mbufs[i], void *, RTE_CACHE_LINE_SIZE));
}

static void hash_packets(
	const struct port *port, enum sorting sorting, struct rte_mbuf **mbufs, uint16_t n)
{
	prefetch_headers(port, sorting, mbufs, n);
	for (uint16_t i = 0; i < n; i++)
		packet_of(mbufs[i])->flow_hash =
			sorting == SORTING_INNER ? flow_hash_received(mbufs[i], port->hashes_inner)
						 : flow_hash_outer(mbufs[i], port->hashes_outer);
}

typedef void (*group_function)(
	struct lcore *lcore, uint16_t group, struct rte_mbuf **mbufs, uint16_t n);

/* In runs of packets of one group, by their flow hashes. */
static void sort(struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n, group_function function)
{
	const struct elephants *elephants = &lcore->door->elephants;

	for (uint16_t i = 0; i < n; i++)
		packet_of(mbufs[i])->group =
			elephants_group(elephants, packet_of(mbufs[i])->flow_hash);
	for (uint16_t i = 0, end; i < n; i = end) {
		uint16_t group = packet_of(mbufs[i])->group;

		for (end = i + 1; end < n && packet_of(mbufs[end])->group == group; end++)
			;
		function(lcore, group, mbufs + i, end - i);
	}
}

void steering_enter(
	struct lcore *lcore, const struct port *port, struct rte_mbuf **mbufs, uint16_t n)
{
	hash_packets(port, lcore->door->sorting, mbufs, n);
	counter_add(&lcore->door->arrived, n);
	sort(lcore, mbufs, n, enter_group);
}

/* ---- choosing paths ---- */

static struct path choose(const struct lcore *lcore, uint16_t group)
{
	const struct door *door = lcore->door;

	return path_choose(lcore->plan, door->gate.open || !lcore->plan->gated,
		&lcore->dataplane->steering, door->loads, lcore->index, group);
}

static void choose_all(struct lcore *lcore)
{
	for (uint16_t group = 0; group < FLOW_GROUPS; group++) {
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
		&door->moves.paths[moves_account(&door->moves, GROUP_ELEPHANTS + number)];
	struct branch branch = {.elephant = number, .consumer = door->elephants.consumers[number]};

	for (; branch.number < dataplane->micro_flows.n_branches; branch.number++)
		paths[branch.number] = path_choose_branch(lcore->plan, &dataplane->steering,
			&dataplane->micro_flows, door->loads, lcore->index, &branch);
	__atomic_store_n(&elephant->merge_lcore, paths[0].lcore[paths[0].merge], __ATOMIC_RELAXED);
	merge_begin(&door->merges[number], dataplane->micro_flows.batch);
	split_begin(&elephant->split, &door->merges[number]);
}

/* Flows of a group whose move has ended; if the plan splits no more by now, they are forgotten. */
static void join_elephants(struct lcore *lcore, uint16_t group)
{
	struct door *door = lcore->door;

	for (uint16_t i = 0; i < door->elephants.n_elephants; i++) {
		const struct elephant *elephant = &door->elephants.list[i];

		if (elephant->state != ELEPHANT_FOUND || elephant->hash % FLOW_GROUPS != group)
			continue;
		if (!may_split(lcore)) {
			elephants_forget(&door->elephants, i);
			continue;
		}
		elephants_join(&door->elephants, i);
		merge_begin_counting(&door->merges[i]);
		begin_elephant(lcore, i);
	}
}

static void end_move(struct lcore *lcore, uint16_t group)
{
	struct elephants *elephants = &lcore->door->elephants;
	uint16_t number = group - GROUP_ELEPHANTS;

	if (group < FLOW_GROUPS)
		join_elephants(lcore, group);
	else if (elephants->list[number].state == ELEPHANT_LEAVING || !may_split(lcore))
		elephants_leave(elephants, number);
	else
		begin_elephant(lcore, number);
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
			moves_begin(&door->moves, GROUP_ELEPHANTS + i);
}

static void review_elephants(struct lcore *lcore)
{
	struct door *door = lcore->door;
	uint16_t changed[ELEPHANTS_MAX];
	uint16_t n = elephants_review(&door->elephants, lcore->mark, changed);

	for (uint16_t i = 0; i < n; i++) {
		const struct elephant *elephant = &door->elephants.list[changed[i]];
		uint16_t group = GROUP_ELEPHANTS + changed[i];

		if (elephant->state == ELEPHANT_FOUND)
			group = elephant->hash % FLOW_GROUPS;
		moves_begin(&door->moves, group);
	}
	follow_consumers(lcore);
}

static void move_elephants(struct lcore *lcore)
{
	struct door *door = lcore->door;

	for (uint16_t i = 0; i < door->elephants.n_elephants; i++)
		if (door->elephants.list[i].state == ELEPHANT_SPLIT)
			moves_begin(&door->moves, GROUP_ELEPHANTS + i);
	elephants_begin_window(&door->elephants, lcore->mark);
}

/* ---- moves ---- */

/* What was held may have another group by now, and that may be moving, too. */
static uint16_t send_held(struct lcore *lcore, uint16_t group)
{
	struct rte_mbuf *mbufs[RECEIVE_BURST];
	uint16_t sent = 0, n;

	while ((n = moves_take_held(&lcore->door->moves, group, mbufs, RECEIVE_BURST)) > 0) {
		sort(lcore, mbufs, n, send_or_hold);
		run(lcore);
		sent += n;
	}
	return sent;
}

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

uint16_t steering_poll(struct lcore *lcore)
{
	struct door *door = lcore->door;
	struct moves *moves = &door->moves;
	uint16_t sent = 0;

	if (unlikely(steering_waits(door)) && moves_at_rest(moves))
		begin_sorting(lcore);
	for (uint16_t i = moves->n_moving; i-- > 0;) {
		uint16_t group = moves->moving[i];

		if (!moves_end(moves, i))
			continue;
		end_move(lcore, group);
		sent += send_held(lcore, group);
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

void steering_adopt(struct lcore *lcore)
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
static bool review(struct lcore *lcore, uint16_t group)
{
	struct moves *moves = &lcore->door->moves;
	struct flow_group *flow_group = &moves->groups[group];
	struct path path;

	if (flow_group->sent == flow_group->reviewed || flow_group->moving)
		return false;
	flow_group->reviewed = flow_group->sent;
	if (flow_group->rest > 0) {
		flow_group->rest--;
		return false;
	}
	path = choose(lcore, group);
	if (path_is(&path, &moves->paths[group]) ||
		!is_relief(lcore, &moves->paths[group], &path)) {
		flow_group->patience -= flow_group->patience > 0;
		flow_group->rest = flow_group->patience > 0 ? 1u << flow_group->patience : 0;
		return false;
	}
	flow_group->patience = RTE_MIN(flow_group->patience + 1, PATIENCE_MAX);
	flow_group->rest = 1u << flow_group->patience;
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
		moves = review(lcore, door->cursor++ % FLOW_GROUPS);
}

/* The door's own load. One that credits keep from polling is full: it does not know what comes. */
static uint32_t own_load(struct lcore *lcore)
{
	uint64_t pressed = lcore->counters.time.back_pressured;
	bool more = pressed != lcore->door->pressed;

	lcore->door->pressed = pressed;
	return more ? LOAD_FULL : load_read(&lcore->load);
}

void steering_look_around(struct lcore *lcore)
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
	if (may_split(lcore) && elephants_are_due(&door->elephants, lcore->mark))
		review_elephants(lcore);
}
