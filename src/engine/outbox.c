/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/outbox.h"

#include "engine/ledger.h"
#include "stages/rx.h"

void outbox_lose(struct lcore *lcore, struct rte_mbuf *mbuf)
{
	struct endings endings;

	ledger_read(&mbuf, 1, &endings);
	counter_add(
		&lcore->counters.drops[STAGE_RX][RX_INBOX_FULL], ledger_packets(&endings, 0, 1));
	ledger_end(lcore, &endings, 1);
	rte_pktmbuf_free(mbuf);
}

static void flush(struct lcore *lcore, struct outbox *outbox)
{
	unsigned int sent = rte_ring_sp_enqueue_burst_elem(
		outbox->ring, outbox->parcels, sizeof(outbox->parcels[0]), outbox->n, NULL);

	for (; unlikely(sent < outbox->n); sent++)
		if (!parcel_is_label(outbox->parcels[sent]))
			outbox_lose(lcore, parcel_mbuf(outbox->parcels[sent]));
	outbox->n = 0;
	if (lcore->dataplane->sleeps)
		idle_wake(&lcore->dataplane->lcores[outbox->receiver]->idle);
}

/* The lcore's outbox for another, with room for n words. */
static struct outbox *open_for(struct lcore *lcore, uint16_t to, uint16_t n)
{
	struct outbox *outbox = &lcore->outboxes[to];

	assert(n <= OUTBOX_SIZE);
	if (outbox->n + n > OUTBOX_SIZE)
		flush(lcore, outbox);
	if (!outbox->dirty)
		lcore->dirty[lcore->n_dirty++] = outbox;
	outbox->dirty = true;
	return outbox;
}

void outbox_add_label(struct lcore *lcore, uint16_t to, union label label)
{
	struct outbox *outbox = open_for(lcore, to, 1);

	outbox->parcels[outbox->n++] = label.parcel;
}

static void add(struct outbox *outbox, enum step step, struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		outbox->parcels[outbox->n + i] = parcel_make(mbufs[i], step);
	outbox->n += n;
}

void outbox_add_labelled(struct lcore *lcore, uint16_t to, union label label, enum step step,
	struct rte_mbuf **mbufs, uint16_t n)
{
	struct outbox *outbox = open_for(lcore, to, n + 1);

	if (outbox->label.parcel.word != label.parcel.word) {
		outbox->parcels[outbox->n++] = label.parcel;
		label.packets = 0;
		outbox->label = label;
	}
	add(outbox, step, mbufs, n);
}

void outbox_add(
	struct lcore *lcore, uint16_t to, enum step step, struct rte_mbuf **mbufs, uint16_t n)
{
	if (unlikely(!label_is_none(lcore->outboxes[to].label)))
		outbox_add_labelled(lcore, to, (union label){.step = PARCEL_LABEL}, step, mbufs, n);
	else
		add(open_for(lcore, to, n), step, mbufs, n);
}

void outbox_flush_all(struct lcore *lcore)
{
	for (uint16_t i = 0; i < lcore->n_dirty; i++) {
		flush(lcore, lcore->dirty[i]);
		lcore->dirty[i]->dirty = false;
	}
	lcore->handover.n_flushed = lcore->n_dirty;
	lcore->n_dirty = 0;
}
