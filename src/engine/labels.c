/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/labels.h"

#include "engine/door.h"
#include "engine/outbox.h"

static union label label_of(const struct packet *packet)
{
	return (union label){.step = PARCEL_LABEL,
		.first = packet->origin.first,
		.account = packet->origin.account.number,
		.micro_flow = packet->micro_flow,
		.replica = (packet->micro_flow & MICRO_FLOW_REPLICA) != 0};
}

void labels_send(
	struct lcore *lcore, uint16_t to, enum step step, struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t run; n > 0; mbufs += run, n -= run) {
		union label label = label_of(packet_of(mbufs[0]));
		uint32_t behind;

		run = packets_in_run(mbufs, n, &behind);
		label.packets = behind;
		outbox_add_labelled(lcore, to, label, step, mbufs, run);
	}
}

/* The same label but for the number of packets. */
static bool is_alike(union label label, union label other)
{
	label.packets = other.packets;
	return label.parcel.word == other.parcel.word;
}

/* If the last word is an end mark for the same micro-flow, it tells of this one, too. */
static void send_mark(struct lcore *lcore, uint16_t to, union label mark)
{
	struct outbox *outbox = &lcore->outboxes[to];
	union label last = {.parcel = {0}};

	if (outbox->n > 0)
		last.parcel = outbox->parcels[outbox->n - 1];
	if (!is_alike(mark, last))
		return outbox_add_label(lcore, to, mark);
	last.packets += mark.packets;
	outbox->parcels[outbox->n - 1] = last.parcel;
}

/* Steps are in the order of the way. */
bool labels_is_ahead(const struct lcore *lcore, const struct packet *packet, enum step step)
{
	return unlikely(account_is_branch(packet->origin.account)) &&
	       step < door_path(lcore->dataplane, packet)->merge;
}

bool labels_mark(struct lcore *lcore, enum step step, struct rte_mbuf *mbuf)
{
	const struct packet *packet = packet_of(mbuf);
	const struct path *path;
	union label mark;

	if (likely(!labels_is_ahead(lcore, packet, step)))
		return false;
	path = door_path(lcore->dataplane, packet);
	mark = label_of(packet);
	if (mark.replica)
		return false;
	mark.bare = true;
	mark.packets = 1 + packet->followers;
	send_mark(lcore, path->lcore[path->merge], mark);
	return true;
}
