/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/drop.h"

#include "engine/labels.h"
#include "engine/ledger.h"
#include "stages/rx.h"

/* Those that a merge waits for end there: their credits come back when it has heard of them. */
static uint16_t mark_all(struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n, enum step step,
	struct endings *endings)
{
	uint16_t left = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (labels_mark(lcore, step, mbufs[i]))
			continue;
		endings->origins[left] = endings->origins[i];
		if (endings->lists != 0)
			endings->followers[left] = endings->followers[i];
		left++;
	}
	return left;
}

static void drop(
	struct lcore *lcore, enum step step, uint64_t *counter, struct rte_mbuf **mbufs, uint16_t n)
{
	struct endings endings;

	ledger_read(mbufs, n, &endings);
	counter_add(counter, ledger_packets(&endings, 0, n));
	ledger_end(lcore, &endings, mark_all(lcore, mbufs, n, step, &endings));
	rte_pktmbuf_free_bulk(mbufs, n);
}

void drop_packets(struct lcore *lcore, enum step step, unsigned int number, struct rte_mbuf **mbufs,
	uint16_t n)
{
	assert(drop_at(drop_slot(step, number)) != NULL);
	drop(lcore, step, &lcore->counters.drops[step][number], mbufs, n);
}

void drop_unknown(struct lcore *lcore, enum step step, struct rte_mbuf **mbufs, uint16_t n)
{
	assert(!"a verdict that the stage has");
	drop(lcore, step, &lcore->counters.drops[STAGE_RX][RX_VERDICT_UNKNOWN], mbufs, n);
}

void drop_consumed(struct lcore *lcore, enum step step, struct rte_mbuf **mbufs, uint16_t n)
{
	drop(lcore, step, &lcore->counters.consumed, mbufs, n);
}
