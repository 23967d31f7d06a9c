/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a packet gets to everybody in its network, however many they are.
 *
 * It is sent as it is to the last place, and a replica to each one before. A replica takes a credit
 * of the lcore that makes it. When none is left, or the feed is full, the packet stays here and
 * knows the first place that it has not been to; later feeds go on from there.
 *
 * Order: from then on, what leaves the bridge for a place waits behind it, flooded or not, in one
 * queue. (So does what comes by `wire`, while the mode changes.) Nothing that was received later
 * can come to a place earlier. The queue has room for all that is inside, which is no more than all
 * lcores' credits.
 *
 * A round makes so many replicas of what can wait and no more, also where their credits come back
 * within it: inboxes and other networks must have their turn, too.
 *
 * Places come and go between two rounds, so no list of them is kept: a network's places ascend, and
 * a flood goes on with the first that is not below the one where it was. One that has gone gets
 * nothing, none gets two. Nor does a port that is newer than the flood get anything: its container
 * may have got it by the port that it had before.
 *
 * Progress: nothing that waits here is waited for by what it needs, a replica's end. Replicas take
 * an eighth of the credits that no received packet gets (engine/credits.h), and go straight to
 * ports, which take or refuse them. That is not true on a branch before its merge: there a replica
 * may wait for a micro-flow whose packets stand behind another flood, on another branch, and that
 * for this one. So what is to be merged has a queue of its own, which is empty again at the end of
 * each round: its replicas are refused if there is no credit for them among those of received
 * packets. No packet of its flow is in the other queue: an elephant is split when nothing of it is
 * on its way.
 */
#include "engine/flood.h"

#include "engine/credits.h"
#include "engine/drop.h"
#include "engine/labels.h"
#include "engine/ledger.h"
#include "engine/outbox.h"
#include "engine/route.h"
#include "stages/bridge.h"
#include "stages/followers.h"

/* ---- replicas ---- */

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
	packet_copy(replica, mbuf);
	packet_of(replica)->origin.door = lcore->index;
	if (account_is_branch(packet_of(replica)->origin.account))
		packet_of(replica)->micro_flow |= MICRO_FLOW_REPLICA;
	counter_add(&lcore->counters.admitted, 1);
	ledger_made(lcore, packet_of(replica));
	return replica;
}

/* Where the bridge's packets to that place go. */
static enum step step_to(const struct lcore *lcore, uint16_t place)
{
	return lcore->plan
		->next[STAGE_BRIDGE][place_is_remote(place) ? BRIDGE_REMOTE : BRIDGE_LOCAL];
}

static void send_to_place(struct lcore *lcore, struct rte_mbuf *mbuf, uint16_t place)
{
	packet_of(mbuf)->destination = place;
	route(lcore, step_to(lcore, place), &mbuf, 1);
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

static enum flood_kind kind_of(const struct lcore *lcore, struct rte_mbuf *mbuf)
{
	return labels_is_ahead(lcore, packet_of(mbuf), STAGE_BRIDGE) ? FLOOD_URGENT : FLOOD_PATIENT;
}

/* For replicas of this feed. */
static uint32_t credits_of(struct lcore *lcore, enum flood_kind kind)
{
	if (kind == FLOOD_URGENT)
		return credits_for_received(lcore);
	if (lcore->counters.created - lcore->created_before >= FLOOD_ROUND_MAX)
		return 0;
	return credits_for_replicas(lcore);
}

/* To the next places, at most *room packets. False if it has to wait for credits or room. */
static bool advance(
	struct lcore *lcore, enum flood_kind kind, struct flooding *flooding, uint16_t *room)
{
	struct rte_mbuf *mbuf = flooding->mbuf;
	const struct tables *tables = lcore->context.tables;
	uint16_t i = index_of(tables->networks[packet_of(mbuf)->network], flooding->from);
	uint16_t place = next_place(tables, flooding, &i), next;

	if (place == PLACE_NONE) {
		if (*room == 0)
			return false;
		drop_packets(lcore, STAGE_BRIDGE,
			flooding->from > 0 ? BRIDGE_FLOOD_GONE : BRIDGE_FLOOD_NOBODY, &mbuf, 1);
		--*room;
	}
	for (; place != PLACE_NONE; place = next, --*room) {
		uint32_t credits = credits_of(lcore, kind);

		next = next_place(tables, flooding, &i);
		if (*room == 0 || (next != PLACE_NONE && credits == 0 && kind == FLOOD_PATIENT))
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
	struct flood *flood = &lcore->floods[kind_of(lcore, mbuf)];

	if (rte_ring_sp_enqueue(flood->behind, mbuf) != 0)
		outbox_lose(lcore, mbuf);
}

static struct rte_mbuf *take(struct flood *flood)
{
	void *mbuf = flood->followers;

	if (mbuf == NULL && rte_ring_sc_dequeue(flood->behind, &mbuf) != 0)
		return NULL;
	flood->followers = NULL;
	return mbuf;
}

/* Sends what waits behind a flood that is over, up to the next one. False if the feed is full. */
static bool begin_next(struct lcore *lcore, struct flood *flood, uint16_t *room)
{
	struct rte_mbuf *mbuf;

	for (; *room > 0; --*room) {
		mbuf = take(flood);
		if (mbuf == NULL) {
			flood->waits = false;
			return false;
		}
		if (packet_of(mbuf)->destination == PLACE_ALL) {
			flood->followers = followers_take(mbuf);
			flood->current = (struct flooding){
				.mbuf = mbuf, .newest_port = lcore->context.tables->newest_port};
			return true;
		}
		send_to_place(lcore, mbuf, packet_of(mbuf)->destination);
	}
	return false;
}

/* Returns how much room of the feed is left. */
static uint16_t go_on(struct lcore *lcore, enum flood_kind kind, uint16_t room)
{
	struct flood *flood = &lcore->floods[kind];

	while (flood->current.mbuf != NULL || begin_next(lcore, flood, &room)) {
		if (!advance(lcore, kind, &flood->current, &room))
			break;
		flood->current.mbuf = NULL;
	}
	return room;
}

void flood(struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		packet_of(mbufs[i])->destination = PLACE_ALL;
		lcore->floods[kind_of(lcore, mbufs[i])].waits = true;
		keep(lcore, mbufs[i]);
	}
}

static bool comes_from_bridge(const struct lcore *lcore, enum step step)
{
	const uint8_t *next = lcore->plan->next[STAGE_BRIDGE];

	return step == next[BRIDGE_LOCAL] || step == next[BRIDGE_REMOTE];
}

uint16_t flood_keep(struct lcore *lcore, enum step step, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t left = 0;

	if (likely(!flood_is_on(lcore)) || !comes_from_bridge(lcore, step))
		return n;
	for (uint16_t i = 0; i < n; i++)
		if (lcore->floods[kind_of(lcore, mbufs[i])].waits)
			keep(lcore, mbufs[i]);
		else
			mbufs[left++] = mbufs[i];
	return left;
}

bool flood_feed(struct lcore *lcore)
{
	uint16_t room = STAGE_BURST_MAX;

	if (likely(!flood_is_on(lcore)))
		return false;
	room = go_on(lcore, FLOOD_URGENT, room);
	room = go_on(lcore, FLOOD_PATIENT, room);
	if (room == STAGE_BURST_MAX)
		return false;
	/* A burst of the bridge's, whose packets have been counted. */
	lcore_count_step(lcore, STAGE_BRIDGE, 0);
	return true;
}
