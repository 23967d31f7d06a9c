/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/door.h"

#include <rte_malloc.h>
#include <rte_prefetch.h>

#include "core/transition.h"
#include "steer/flow_hash.h"

#define RESERVE 4	/* one in so many credits is not for those who hold many */
#define REVIEWS 64	/* groups looked at in one round: all of them in about a millisecond */
#define PATIENCE_MAX 10 /* a group that keeps moving does so about once a second */

struct door *door_create(int socket_id)
{
	return rte_zmalloc_socket("door", sizeof(struct door), RTE_CACHE_LINE_SIZE, socket_id);
}

/* ---- credits ---- */

static uint64_t credits_out(const struct lcore *lcore)
{
	return lcore->counters.admitted - lcore->returned;
}

static void count_returned(struct lcore *lcore)
{
	lcore->returned = 0;
	for (uint16_t i = 0; i < lcore->dataplane->n_lcores; i++)
		lcore->returned += counter_read(lcore->finished_at[i]);
}

/* Other lcores' counts are read only when they are needed. */
uint32_t door_credits(struct lcore *lcore)
{
	const struct dataplane *dataplane = lcore->dataplane;

	if (credits_out(lcore) + RECEIVE_BURST > dataplane->credits)
		count_returned(lcore);
	return dataplane->credits - credits_out(lcore);
}

/* What flow groups may still use when n packets that have just come in are not counted, less what
 * this one has. */
static int64_t spare(const struct lcore *lcore, uint16_t group, uint16_t n)
{
	const struct dataplane *dataplane = lcore->dataplane;
	int64_t left = (int64_t)dataplane->credits - credits_out(lcore) + n;

	return left - dataplane->credits / RESERVE - moves_occupancy(&lcore->door->moves, group);
}

/* How many of n packets of a group may go on. A group may have as much on its way as is left for
 * all others (dynamic thresholds, as in shared-memory switches: Choudhury and Hahne, 1998): one
 * whose path is slow comes to half of them, two to a third each. A part is reserved, so that there
 * always are credits to receive with, however many paths are slow. */
static uint16_t room_for(struct lcore *lcore, uint16_t group, uint16_t n)
{
	int64_t room = spare(lcore, group, n);

	if (likely(room >= n))
		return n;
	count_returned(lcore);
	moves_recount(&lcore->door->moves, group);
	room = spare(lcore, group, n);
	return RTE_MIN(RTE_MAX(room, 0), n);
}

/* ---- steering ---- */

static void refuse(struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		packet_of(mbufs[i])->group = GROUP_NONE;
	transition_drop(lcore, mbufs, n, DROP_PATH_FULL);
}

static void send_along(struct lcore *lcore, uint16_t group, struct rte_mbuf **mbufs, uint16_t n)
{
	moves_sent(&lcore->door->moves, group, n);
	counter_add(&lcore->counters.steered, n);
	transition(lcore, STAGE_RX, mbufs, n);
}

static void steer_group(struct lcore *lcore, uint16_t group, struct rte_mbuf **mbufs, uint16_t n)
{
	struct moves *moves = &lcore->door->moves;
	uint16_t room = room_for(lcore, group, n);

	if (unlikely(room < n))
		refuse(lcore, mbufs + room, n - room);
	if (room == 0)
		return;
	if (unlikely(moves->groups[group].moving))
		moves_hold(moves, group, mbufs, room);
	else
		send_along(lcore, group, mbufs, room);
}

static void group_packets(const struct port *port, struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n && !port->hashes_inner; i++) {
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
		rte_prefetch0(rte_pktmbuf_mtod_offset(mbufs[i], void *, RTE_CACHE_LINE_SIZE));
	}
	for (uint16_t i = 0; i < n; i++) {
		struct packet *packet = packet_of(mbufs[i]);

		packet->flow_hash = flow_hash_received(mbufs[i], port->hashes_inner);
		packet->group = packet->flow_hash % FLOW_GROUPS;
	}
}

static void steer(struct lcore *lcore, const struct port *port, struct rte_mbuf **mbufs, uint16_t n)
{
	group_packets(port, mbufs, n);
	counter_add(&lcore->door->arrived, n);
	for (uint16_t i = 0, end; i < n; i = end) {
		uint16_t group = packet_of(mbufs[i])->group;

		for (end = i + 1; end < n && packet_of(mbufs[end])->group == group; end++)
			;
		steer_group(lcore, group, mbufs + i, end - i);
	}
}

uint16_t door_poll_moves(struct lcore *lcore)
{
	struct moves *moves = &lcore->door->moves;
	struct rte_mbuf *mbufs[RECEIVE_BURST];
	uint16_t moved = 0;

	for (uint16_t i = moves_may_end(moves) ? moves->n_moving : 0; i-- > 0;) {
		uint16_t group = moves->moving[i], n;

		if (!moves_end(moves, i))
			continue;
		while ((n = moves_take_held(moves, group, mbufs, RECEIVE_BURST)) > 0) {
			send_along(lcore, group, mbufs, n);
			transition_run_from(lcore, 0);
			moved += n;
		}
	}
	if (moves->n_moving == 0 && !lcore->plan->steers)
		moves->active = false;
	return moved;
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

static bool receives_from_uplink(const struct lcore *lcore)
{
	const struct tables *tables = lcore->context.tables;

	for (uint16_t i = tables->owned_begin[lcore->index];
		i < tables->owned_begin[lcore->index + 1]; i++)
		if (tables->owned[i].port->uplink)
			return true;
	return false;
}

void door_adopt(struct lcore *lcore)
{
	struct door *door = lcore->door;
	const struct gate_config config = {.threshold = lcore->dataplane->steering.threshold,
		.hz = lcore->dataplane->clock.hz};

	door->plan = lcore->plan->number;
	gate_begin(&door->gate, &config, lcore->mark, door->arrived);
	if (!door->moves.active) {
		if (!lcore->plan->steers || !receives_from_uplink(lcore))
			return;
		door->moves.active = true;
		door->moves.waits = true;
	}
	see_loads(lcore);
	choose_all(lcore);
}

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

void door_look_around(struct lcore *lcore)
{
	struct door *door = lcore->door;
	uint32_t average;

	if (!door->moves.active)
		return;
	average = see_loads(lcore);
	if (lcore->plan->gated &&
		gate_update(&door->gate, lcore->mark, average, own_load(lcore), door->arrived))
		choose_all(lcore);
	else
		review_some(lcore);
}

/* ---- receiving ---- */

static void admit(
	struct lcore *lcore, struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct port_counters *counters = &port->queues[queue].counters;
	const struct packet fresh = {.group = port->uplink ? GROUP_UNSTEERED : GROUP_NONE,
		.first = lcore->index,
		.door = lcore->index};

	counter_add(&lcore->counters.admitted, n);
	counter_add(&counters->rx_packets, n);
	counter_add(&counters->rx_bytes, bytes_of(mbufs, n));
	for (uint16_t i = 0; i < n; i++) {
		struct packet *packet = packet_of(mbufs[i]);

		mbufs[i]->port = port->index;
		packet->account = fresh.account;
		packet->followers = 0;
		packet->network = NETWORK_NONE;
		packet->source = PLACE_NONE;
	}
}

static void enter(struct lcore *lcore, struct port *port, struct rte_mbuf **mbufs, uint16_t n)
{
	if (!port->uplink)
		return transition(lcore, STAGE_VETH_RX, mbufs, n);
	if (lcore->door->moves.active)
		return steer(lcore, port, mbufs, n);
	lcore->door->moves.unsteered += n;
	transition(lcore, STAGE_RX, mbufs, n);
}

static uint16_t poll_queue(struct lcore *lcore, const struct owned_queue *owned, uint32_t credits)
{
	struct rte_mbuf *mbufs[RECEIVE_BURST];
	uint16_t n = owned->port->ops->receive(
		owned->port, owned->queue, mbufs, RTE_MIN(credits, (uint32_t)RECEIVE_BURST));

	if (n == 0)
		return 0;
	admit(lcore, owned->port, owned->queue, mbufs, n);
	enter(lcore, owned->port, mbufs, n);
	transition_run_from(lcore, 0);
	return n;
}

uint16_t door_poll_queues(struct lcore *lcore, bool *refused)
{
	const struct tables *tables = lcore->context.tables;
	uint16_t end = tables->owned_begin[lcore->index + 1];
	uint16_t moved = 0;

	for (uint16_t i = tables->owned_begin[lcore->index]; i < end; i++) {
		uint32_t credits = door_credits(lcore);

		if (credits > 0)
			moved += poll_queue(lcore, &tables->owned[i], credits);
		else
			*refused = true;
	}
	return moved;
}
