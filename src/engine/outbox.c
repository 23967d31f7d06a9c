/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/outbox.h"

#include "engine/ending.h"
#include "engine/merging.h"

static void flush(struct lcore *lcore, struct outbox *outbox)
{
	unsigned int sent =
		rte_ring_sp_enqueue_burst(outbox->ring, outbox->parcels, outbox->n, NULL);

	for (; unlikely(sent < outbox->n); sent++)
		if (!parcel_is_label(outbox->parcels[sent]))
			ending_lose(lcore, parcel_mbuf(outbox->parcels[sent]));
	outbox->n = 0;
}

/* What it lets on may send more: it is taken out first. */
void outbox_merge_own(struct lcore *lcore)
{
	struct outbox *outbox = &lcore->outboxes[lcore->index];
	struct inbox inbox = {.ring = NULL};
	void *parcels[OUTBOX_SIZE];
	uint16_t n = outbox->n;

	memcpy(parcels, outbox->parcels, n * sizeof(parcels[0]));
	outbox->n = 0;
	outbox->label.parcel = NULL;
	merging_unpack(lcore, &inbox, parcels, n);
}

/* Makes room for n words. */
static void open_for(struct lcore *lcore, struct outbox *outbox, uint16_t n)
{
	bool is_own = outbox->ring == NULL;

	if (outbox->n + n > OUTBOX_SIZE && is_own)
		outbox_merge_own(lcore);
	else if (outbox->n + n > OUTBOX_SIZE)
		flush(lcore, outbox);
	if (outbox->dirty || is_own)
		return;
	lcore->dirty[lcore->n_dirty++] = outbox;
	outbox->dirty = true;
}

void outbox_add_label(struct lcore *lcore, uint16_t to, union label label)
{
	struct outbox *outbox = &lcore->outboxes[to];

	open_for(lcore, outbox, 1);
	outbox->parcels[outbox->n++] = label.parcel;
}

static void add(struct outbox *outbox, uint16_t step, struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		outbox->parcels[outbox->n + i] = parcel_make(mbufs[i], step);
	outbox->n += n;
}

void outbox_add_labelled(struct lcore *lcore, uint16_t to, union label label, uint16_t step,
	struct rte_mbuf **mbufs, uint16_t n)
{
	struct outbox *outbox = &lcore->outboxes[to];

	open_for(lcore, outbox, n + 1);
	if (outbox->label.parcel != label.parcel) {
		outbox->parcels[outbox->n++] = label.parcel;
		label.packets = 0;
		outbox->label = label;
	}
	add(outbox, step, mbufs, n);
}

void outbox_add(
	struct lcore *lcore, uint16_t to, uint16_t step, struct rte_mbuf **mbufs, uint16_t n)
{
	struct outbox *outbox = &lcore->outboxes[to];

	if (unlikely(!label_is_none(outbox->label)))
		return outbox_add_labelled(
			lcore, to, (union label){.step = STAGE_MERGE}, step, mbufs, n);
	open_for(lcore, outbox, n);
	add(outbox, step, mbufs, n);
}

void outbox_flush_all(struct lcore *lcore)
{
	for (uint16_t i = 0; i < lcore->n_dirty; i++) {
		flush(lcore, lcore->dirty[i]);
		lcore->dirty[i]->dirty = false;
	}
	lcore->n_flushed = lcore->n_dirty;
	lcore->n_dirty = 0;
}
