/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/ledger.h"

void ledger_read(struct rte_mbuf **mbufs, uint16_t n, struct endings *endings)
{
	endings->lists = 0;
	for (uint16_t i = 0; i < n; i++) {
		endings->accounts[i] = packet_of(mbufs[i])->account;
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

void ledger_end_account(struct lcore *lcore, uint32_t account, uint32_t packets)
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

/* One store for each run of packets of one account: a door that has run short of credits reads its
 * count all the time, and takes the line away each time. */
void ledger_end(struct lcore *lcore, const struct endings *endings, uint16_t n)
{
	const uint32_t *accounts = endings->accounts;

	for (uint16_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && accounts[end] == accounts[i]; end++)
			;
		ledger_end_account(lcore, accounts[i], ledger_packets(endings, i, end));
	}
}

void ledger_made(struct lcore *lcore, const struct packet *packet)
{
	struct tally *tally;

	if (packet->group == GROUP_NONE)
		return;
	tally = &lcore->tallies[packet->first][packet->group];
	__atomic_store_n(&tally->made, tally->made + 1, __ATOMIC_RELAXED);
	lcore->tally_changes[packet->first]++;
}
