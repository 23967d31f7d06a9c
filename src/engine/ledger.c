/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/ledger.h"

void ledger_read(struct rte_mbuf **mbufs, uint16_t n, struct endings *endings)
{
	endings->lists = 0;
	for (uint16_t i = 0; i < n; i++) {
		endings->origins[i] = packet_of(mbufs[i])->origin;
		endings->lists |= packet_of(mbufs[i])->followers;
	}
	for (uint16_t i = 0; endings->lists != 0 && i < n; i++)
		endings->followers[i] = packet_of(mbufs[i])->followers;
}

uint32_t ledger_packets(const struct endings *endings, uint16_t begin, uint16_t end)
{
	uint32_t packets = end - begin;

	for (uint16_t i = begin; endings->lists != 0 && i < end; i++)
		packets += endings->followers[i];
	return packets;
}

static struct tally *tally_of(struct lcore *lcore, union origin origin)
{
	return &lcore->tallies[origin.first][origin.account.number];
}

void ledger_end_origin(struct lcore *lcore, union origin origin, uint32_t packets)
{
	uint32_t *finished;

	counter_add(&lcore->finished[origin.door], packets);
	if (origin.account.number == ACCOUNT_NONE)
		return;
	finished = &tally_of(lcore, origin)->finished;
	__atomic_store_n(finished, *finished + packets, __ATOMIC_RELEASE);
	lcore->handover.tally_changes[origin.first]++;
}

/* One store for each run of packets of one origin: a door that has run short of credits reads its
 * count all the time, and takes the line away each time. */
void ledger_end(struct lcore *lcore, const struct endings *endings, uint16_t n)
{
	const union origin *origins = endings->origins;

	for (uint16_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && origins[end].word == origins[i].word; end++)
			;
		ledger_end_origin(lcore, origins[i], ledger_packets(endings, i, end));
	}
}

void ledger_made(struct lcore *lcore, const struct packet *packet)
{
	struct tally *tally;

	if (packet->origin.account.number == ACCOUNT_NONE)
		return;
	tally = tally_of(lcore, packet->origin);
	__atomic_store_n(&tally->made, tally->made + 1, __ATOMIC_RELAXED);
	lcore->handover.tally_changes[packet->origin.first]++;
}
