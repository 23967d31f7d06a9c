/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/ending.h"

#include <assert.h>

#include "engine/merging.h"
#include "stages/rx.h"

void endings_read(struct rte_mbuf **mbufs, uint16_t n, struct endings *endings)
{
	endings->lists = 0;
	for (uint16_t i = 0; i < n; i++) {
		endings->accounts[i] = packet_of(mbufs[i])->account;
		endings->lists |= packet_of(mbufs[i])->followers;
	}
	for (uint16_t i = 0; endings->lists != 0 && i < n; i++)
		endings->followers[i] = packet_of(mbufs[i])->followers;
}

void ending_finish(struct lcore *lcore, uint32_t account, uint32_t packets)
{
	const struct packet packet = {.account = account};
	uint32_t *finished;

	counter_add(&lcore->finished[packet.door], packets);
	if (packet.group == GROUP_NONE)
		return;
	finished = &lcore->tallies[packet.first][packet.group].finished;
	__atomic_store_n(finished, *finished + packets, __ATOMIC_RELEASE);
	lcore->tally_changes[packet.first]++;
}

uint32_t endings_count(const struct endings *endings, uint16_t begin, uint16_t end)
{
	uint32_t packets = end - begin;

	for (uint16_t i = begin; endings->lists != 0 && i < end; i++)
		packets += endings->followers[i];
	return packets;
}

/* One store for each run of packets of one account: a door that has run short of credits reads its
 * count all the time, and takes the line away each time. */
void endings_finish(struct lcore *lcore, const struct endings *endings, uint16_t n)
{
	const uint32_t *accounts = endings->accounts;

	for (uint16_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && accounts[end] == accounts[i]; end++)
			;
		ending_finish(lcore, accounts[i], endings_count(endings, i, end));
	}
}

void ending_drop(
	struct lcore *lcore, uint16_t step, uint16_t drop, struct rte_mbuf **mbufs, uint16_t n)
{
	struct endings endings;
	uint16_t left = 0;

	assert(drop_at(drop_slot(step, drop)) != NULL);
	endings_read(mbufs, n, &endings);
	counter_add(&lcore->counters.drops[step][drop], endings_count(&endings, 0, n));
	/* A packet that a merge waits for ends there. */
	for (uint16_t i = 0; i < n; i++) {
		if (merging_mark(lcore, lcore->step, mbufs[i]))
			continue;
		endings.accounts[left] = endings.accounts[i];
		if (endings.lists != 0)
			endings.followers[left] = endings.followers[i];
		left++;
	}
	endings_finish(lcore, &endings, left);
	rte_pktmbuf_free_bulk(mbufs, n);
}

void ending_consume(struct lcore *lcore, struct rte_mbuf *mbuf)
{
	struct endings endings;

	endings_read(&mbuf, 1, &endings);
	counter_add(&lcore->counters.consumed, endings_count(&endings, 0, 1));
	endings_finish(lcore, &endings, 1);
	rte_pktmbuf_free(mbuf);
}

void ending_lose(struct lcore *lcore, struct rte_mbuf *mbuf)
{
	struct endings endings;

	endings_read(&mbuf, 1, &endings);
	counter_add(&lcore->counters.drops[STAGE_RX][RX_INBOX_FULL], endings_count(&endings, 0, 1));
	endings_finish(lcore, &endings, 1);
	rte_pktmbuf_free(mbuf);
}
