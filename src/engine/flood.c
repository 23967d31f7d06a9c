/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a packet gets to everybody in its network, however many they are.
 *
 * It is sent as it is to the last place, and a replica to each one before. A replica takes a credit
 * of the lcore that makes it. When none is left, the packet stays here and knows the first place
 * that it has not been to; the next turns go on from there as credits come back.
 *
 * Order: from then on, what leaves the bridge for a place waits behind it, flooded or not, in one
 * queue. (So does what comes by `wire`, while the mode changes.) Nothing that was received later
 * can come to a place earlier. The queue has room for all that is inside, which is no more than all
 * lcores' credits.
 *
 * A turn makes so many replicas of what can wait and no more, also where their credits come back
 * within it: inboxes and other networks must have their turn, too.
 *
 * Places come and go between two turns, so no list of them is kept: a network's places ascend, and
 * a flood goes on with the first that is not below the one where it was. One that has gone gets
 * nothing, none gets two. Nor does a port that is newer than the flood get anything: its container
 * may have got it by the port that it had before.
 *
 * Progress: nothing that waits here is waited for by what it needs, a replica's end. Replicas take
 * an eighth of the credits that no received packet gets (engine/door.h), and go straight to ports,
 * which take or refuse them. That is not true on a branch before its merge: there a replica may
 * wait for a micro-flow whose packets stand behind another flood, on another branch, and that for
 * this one. So what is to be merged waits for nothing and passes by, and its replicas are refused
 * if there is no credit for them among those of received packets. No packet of its flow is in the
 * queue: an elephant is split when nothing of it is on its way.
 */
#include "engine/flood.h"

#include "engine/door.h"
#include "engine/ending.h"
#include "engine/merging.h"
#include "engine/transition.h"
#include "stages/bridge.h"
#include "stages/followers.h"

/* ---- replicas ---- */

/* Before anybody can see its end, or that of the packet it is made of: steer/moves.c. */
static void count_made(struct lcore *lcore, const struct packet *packet)
{
	struct tally *tally;

	if (packet->group == GROUP_NONE)
		return;
	tally = &lcore->tallies[packet->first][packet->group];
	__atomic_store_n(&tally->made, tally->made + 1, __ATOMIC_RELAXED);
	lcore->tally_changes[packet->first]++;
}

/* A copy, not a clone: each replica gets outer headers of its own. NULL, and counted, if there is
 * no credit or buffer. */
static struct rte_mbuf *replicate(struct lcore *lcore, struct rte_mbuf *mbuf, uint32_t credits)
{
	struct rte_mbuf *replica = NULL;

	if (credits > 0)
		replica = rte_pktmbuf_copy(mbuf, mbuf->pool, 0, UINT32_MAX);
	counter_add(&lcore->counters.created, 1);
	if (replica == NULL) {
		counter_add(&lcore->counters.drops[STAGE_BRIDGE][BRIDGE_FLOOD_REFUSED], 1);
		return NULL;
	}
	packet_of(replica)->door = lcore->index;
	if (group_is_branch(packet_of(replica)->group))
		packet_of(replica)->micro_flow |= MICRO_FLOW_REPLICA;
	counter_add(&lcore->counters.admitted, 1);
	count_made(lcore, packet_of(replica));
	return replica;
}

/* Where the bridge's packets to that place go. */
static uint16_t step_to(const struct lcore *lcore, uint16_t place)
{
	return lcore->plan
		->next[STAGE_BRIDGE][place_is_remote(place) ? BRIDGE_REMOTE : BRIDGE_LOCAL];
}

static void send_to_place(struct lcore *lcore, struct rte_mbuf *mbuf, uint16_t place)
{
	packet_of(mbuf)->destination = place;
	transition(lcore, step_to(lcore, place), &mbuf, 1);
}

static void send_replica(
	struct lcore *lcore, struct rte_mbuf *mbuf, uint16_t place, uint32_t credits)
{
	struct rte_mbuf *replica = replicate(lcore, mbuf, credits);

	if (replica != NULL)
		send_to_place(lcore, replica, place);
}

/* ---- from place to place ---- */

/* Head-end replication (RFC 7348, 4.2 without multicast): never back, never tunnel to tunnel. */
static bool floods_to(uint16_t source, uint16_t place)
{
	return place != source && !(place_is_remote(source) && place_is_remote(place));
}

static bool is_newer(const struct tables *tables, uint16_t place, const struct flooding *flooding)
{
	return !place_is_remote(place) && tables->ports[place]->number > flooding->newest_port;
}

/* The next place for a packet, from the network's places[*i] on, or PLACE_NONE. */
static uint16_t next_place(
	const struct tables *tables, const struct flooding *flooding, uint16_t *i)
{
	const struct packet *packet = packet_of(flooding->mbuf);
	const struct network *network = tables->networks[packet->network];

	while (*i < network->n_places) {
		uint16_t place = network->places[(*i)++];

		if (floods_to(packet->source, place) && !is_newer(tables, place, flooding))
			return place;
	}
	return PLACE_NONE;
}

static uint16_t index_of(const struct network *network, uint32_t from)
{
	uint16_t i = 0;

	while (i < network->n_places && network->places[i] < from)
		i++;
	return i;
}

static bool is_to_be_merged(const struct lcore *lcore, struct rte_mbuf *mbuf)
{
	return merging_is_ahead(lcore, packet_of(mbuf), STAGE_BRIDGE);
}

/* Those that can wait for the next turn. */
static uint32_t credits_this_turn(struct lcore *lcore)
{
	if (lcore->counters.created - lcore->flood.created >= FLOOD_TURN_MAX)
		return 0;
	return door_replica_credits(lcore);
}

static struct flooding flooding_of(const struct lcore *lcore, struct rte_mbuf *mbuf)
{
	return (struct flooding){.mbuf = mbuf, .newest_port = lcore->context.tables->newest_port};
}

/* False if it has to wait for credits, or the next turn. */
static bool advance(struct lcore *lcore, struct flooding *flooding)
{
	struct rte_mbuf *mbuf = flooding->mbuf;
	const struct tables *tables = lcore->context.tables;
	bool waits = !is_to_be_merged(lcore, mbuf);
	uint16_t i = index_of(tables->networks[packet_of(mbuf)->network], flooding->from);
	uint16_t place = next_place(tables, flooding, &i), next;

	if (place == PLACE_NONE)
		ending_drop(lcore, STAGE_BRIDGE,
			flooding->from > 0 ? BRIDGE_FLOOD_GONE : BRIDGE_FLOOD_NOBODY, &mbuf, 1);
	for (; place != PLACE_NONE; place = next) {
		uint32_t credits = waits ? credits_this_turn(lcore) : door_credits(lcore);

		next = next_place(tables, flooding, &i);
		if (next != PLACE_NONE && credits == 0 && waits)
			return false;
		flooding->from = place + 1;
		if (next != PLACE_NONE)
			send_replica(lcore, mbuf, place, credits);
		else
			send_to_place(lcore, mbuf, place);
	}
	return true;
}

/* ---- waiting ---- */

static void keep(struct lcore *lcore, struct rte_mbuf *mbuf)
{
	if (rte_ring_sp_enqueue(lcore->flood.behind, mbuf) != 0)
		ending_lose(lcore, mbuf);
}

static struct rte_mbuf *take(struct flood *flood)
{
	void *mbuf = flood->followers;

	if (mbuf == NULL && rte_ring_sc_dequeue(flood->behind, &mbuf) != 0)
		return NULL;
	flood->followers = NULL;
	return mbuf;
}

/* Sends what waits behind a flood that is over, up to the next one; false if there is none. */
static bool begin_next(struct lcore *lcore)
{
	struct flood *flood = &lcore->flood;
	struct rte_mbuf *mbuf;

	while ((mbuf = take(flood)) != NULL) {
		if (packet_of(mbuf)->destination == PLACE_ALL) {
			flood->followers = followers_take(mbuf);
			flood->current = flooding_of(lcore, mbuf);
			return true;
		}
		send_to_place(lcore, mbuf, packet_of(mbuf)->destination);
	}
	return false;
}

/* What is sent may come to the bridge by a merge of this lcore's, and then is kept. False if there
 * was nothing to be done. */
static bool go_on(struct lcore *lcore)
{
	struct flood *flood = &lcore->flood;
	const struct flooding before = flood->current;

	while (flood->current.mbuf != NULL || begin_next(lcore)) {
		if (!advance(lcore, &flood->current))
			return flood->current.mbuf != before.mbuf ||
			       flood->current.from != before.from;
		flood->current.mbuf = NULL;
	}
	flood->waits = false;
	return true;
}

static void flood_at_once(struct lcore *lcore, struct rte_mbuf *mbuf)
{
	for (struct rte_mbuf *next; mbuf != NULL; mbuf = next) {
		struct flooding flooding = flooding_of(lcore, mbuf);

		next = followers_take(mbuf);
		advance(lcore, &flooding);
	}
}

void flood(struct lcore *lcore, struct rte_mbuf *mbuf)
{
	if (unlikely(is_to_be_merged(lcore, mbuf)))
		return flood_at_once(lcore, mbuf);
	packet_of(mbuf)->destination = PLACE_ALL;
	keep(lcore, mbuf);
	if (lcore->flood.waits)
		return;
	lcore->flood.waits = true;
	go_on(lcore);
}

bool flood_keep(struct lcore *lcore, uint16_t step, struct rte_mbuf *mbuf)
{
	const uint8_t *exits = lcore->plan->next[STAGE_BRIDGE];

	if ((step != exits[BRIDGE_LOCAL] && step != exits[BRIDGE_REMOTE]) ||
		is_to_be_merged(lcore, mbuf))
		return false;
	keep(lcore, mbuf);
	return true;
}

/* It is a burst of the bridge's, whose packets have been counted. */
bool flood_poll(struct lcore *lcore)
{
	struct stage_counters *counters = &lcore->counters.stages[STAGE_BRIDGE];

	lcore->step = STAGE_BRIDGE;
	if (!go_on(lcore))
		return false;
	counter_add(&counters->bursts, 1);
	lcore_account(lcore, &counters->cycles);
	transition_run_from(lcore, 0);
	return true;
}
