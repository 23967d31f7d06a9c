/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/route.h"

#include "engine/door.h"
#include "engine/drop.h"
#include "engine/labels.h"
#include "engine/merging.h"
#include "engine/outbox.h"
#include "stages/gro.h"

/* ---- where to ---- */

/* Where a packet goes for its next step. */
struct target {
	uint16_t lcore; /* index, or LCORE_NONE: nowhere */
	bool merges;	/* before the step it is put in order there */
};

#define LCORE_NONE UINT16_MAX

static uint16_t lcore_or_here(const struct lcore *lcore, uint16_t to)
{
	return to == LCORE_INLINE ? lcore->index : to;
}

/* What is for the VTEP itself belongs to no elephant: such a packet has the hash of one. */
static struct target target_on_branch(
	const struct lcore *lcore, enum step step, const struct path *path)
{
	if (step == STAGE_VTEP)
		return (struct target){LCORE_NONE, false};
	return (struct target){lcore_or_here(lcore, path->lcore[step]), step == path->merge};
}

/* The last steps are done by the owner of the queue. A port may have gone since `veth`, if a stage
 * between kept the packet: that is seen where it would leave, so here. */
static uint16_t owner_of(const struct lcore *lcore, enum step step, const struct packet *packet)
{
	const struct tables *tables = lcore->context.tables;
	const struct port *port = tables->ports[packet->destination];

	if (step == STEP_DELIVER)
		return likely(port != NULL) ? port->queues[0].owner : lcore->index;
	return tables->exits[packet->destination][lcore->index].owner;
}

static struct target target_of(const struct lcore *lcore, enum step step, struct rte_mbuf *mbuf)
{
	const struct packet *packet = packet_of(mbuf);
	uint16_t to;

	if (lcore->plan->by_right)
		return (struct target){lcore->index, false};
	if (step >= STAGE_COUNT)
		return (struct target){owner_of(lcore, step, packet), false};
	if (unlikely(account_is_branch(packet->origin.account)))
		return target_on_branch(lcore, step, door_path(lcore->dataplane, packet));
	if (account_is_flow_group(packet->origin.account))
		to = door_path(lcore->dataplane, packet)->lcore[step];
	else
		to = lcore->plan->lcore[step];
	return (struct target){lcore_or_here(lcore, to), false};
}

/* All that the target depends on, of the packet. */
static uint32_t way_of(enum step step, struct rte_mbuf *mbuf)
{
	return step < STAGE_COUNT ? packet_of(mbuf)->origin.word : packet_of(mbuf)->destination;
}

static bool is_same(struct target target, struct target other)
{
	return target.lcore == other.lcore && target.merges == other.merges;
}

/* How many of n packets, from the first one on, have the same target; mostly all. */
static uint16_t run_of(const struct lcore *lcore, enum step step, struct rte_mbuf **mbufs,
	uint16_t n, struct target *target)
{
	uint32_t way = way_of(step, mbufs[0]);

	*target = target_of(lcore, step, mbufs[0]);
	for (uint16_t i = 1; i < n; i++) {
		if (likely(way_of(step, mbufs[i]) == way))
			continue;
		way = way_of(step, mbufs[i]);
		if (!is_same(*target, target_of(lcore, step, mbufs[i])))
			return i;
	}
	return n;
}

/* ---- sending there ---- */

static void send_out(struct lcore *lcore, struct target target, enum step step,
	struct rte_mbuf **mbufs, uint16_t n)
{
	if (unlikely(target.lcore == LCORE_NONE))
		drop_packets(lcore, STAGE_GRO, GRO_VTEP_SPLIT, mbufs, n);
	else if (unlikely(target.merges))
		labels_send(lcore, target.lcore, step, mbufs, n);
	else if (target.lcore == lcore->index)
		route_here(lcore, step, mbufs, n);
	else
		outbox_add(lcore, target.lcore, step, mbufs, n);
}

/* What goes on from its merge to be delivered tells its door where. */
static void note_consumer(struct lcore *lcore, enum step step, uint16_t to, struct rte_mbuf *mbuf)
{
	if (step == STEP_DELIVER && unlikely(account_is_branch(packet_of(mbuf)->origin.account)))
		merging_note_consumer(lcore, packet_of(mbuf), to);
}

void route(struct lcore *lcore, enum step step, struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t run; n > 0; mbufs += run, n -= run) {
		struct target target;

		run = run_of(lcore, step, mbufs, n, &target);
		note_consumer(lcore, step, target.lcore, mbufs[0]);
		send_out(lcore, target, step, mbufs, run);
	}
}

void route_vector(struct lcore *lcore, enum step from, enum step step)
{
	struct vector *vector = lcore->vectors.of[from];
	struct target target = {lcore->index, false};
	uint16_t run = vector->n;

	if (lcore->dataplane->n_lcores > 1 && !lcore->plan->by_right) {
		run = run_of(lcore, step, vector->mbufs, vector->n, &target);
		note_consumer(lcore, step, target.lcore, vector->mbufs[0]);
	}
	if (likely(run == vector->n && target.lcore == lcore->index && !target.merges))
		return vectors_hand_on(&lcore->vectors, from, lcore_step_here(lcore, step));
	send_out(lcore, target, step, vector->mbufs, run);
	route(lcore, step, vector->mbufs + run, vector->n - run);
	vector->n = 0;
}
