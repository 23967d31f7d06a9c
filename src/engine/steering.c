/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/steering.h"

#include <rte_malloc.h>
#include <rte_prefetch.h>

#include "base/flow_hash.h"
#include "engine/credits.h"
#include "engine/drop.h"
#include "engine/route.h"
#include "engine/run.h"
#include "stages/rx.h"

/* ---- making ---- */

static int make_merges(struct door *door, const struct dataplane *dataplane, int socket_id)
{
	uint16_t n_branches = dataplane->micro_flows.n_branches;
	/* A replica has the credit of the lcore that it was made on. */
	uint32_t credits = 2 * dataplane->credits;
	uint16_t n = door->elephants.n_elephants;
	size_t size = merge_memory(n_branches, credits);
	char *memory = rte_zmalloc_socket(
		"merges", n * (sizeof(struct merge) + size), RTE_CACHE_LINE_SIZE, socket_id);

	door->merges = (struct merge *)memory;
	if (memory == NULL)
		return n == 0 ? 0 : -1;
	memory += n * sizeof(struct merge);
	for (uint16_t i = 0; i < n; i++, memory += size)
		merge_init(&door->merges[i], memory, n_branches, credits);
	return 0;
}

int steering_init(
	struct door *door, const struct dataplane *dataplane, bool receives, int socket_id)
{
	const struct micro_flows *micro_flows = &dataplane->micro_flows;
	struct moves *moves = &door->moves;

	moves->n_lcores = dataplane->n_lcores;
	moves->n_branches = micro_flows->n_branches;
	moves->n_accounts = moves_accounts(micro_flows->n_elephants, micro_flows->n_branches);
	moves->paths = rte_zmalloc_socket(
		"paths", moves->n_accounts * sizeof(*moves->paths), RTE_CACHE_LINE_SIZE, socket_id);
	if (moves->paths == NULL || elephants_init(&door->elephants, micro_flows,
					    receives ? micro_flows->n_elephants : 0,
					    dataplane->clock.hz, socket_id) != 0)
		return -1;
	return make_merges(door, dataplane, socket_id);
}

void steering_free(struct door *door)
{
	rte_free(door->merges);
	rte_free(door->moves.paths);
	elephants_free(&door->elephants);
}

/* ---- sending ---- */

static void refuse(struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		packet_of(mbufs[i])->origin.account.number = ACCOUNT_NONE;
	drop_packets(lcore, STAGE_RX, RX_PATH_FULL, mbufs, n);
}

static void set_account(
	const struct lcore *lcore, struct account account, struct rte_mbuf **mbufs, uint16_t n)
{
	const union origin origin = {
		.account = account, .first = lcore->index, .door = lcore->index};

	for (uint16_t i = 0; i < n; i++)
		packet_of(mbufs[i])->origin = origin;
}

static void set_micro_flow(uint32_t micro_flow, struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		packet_of(mbufs[i])->micro_flow = micro_flow;
}

/* Each branch has an account of its own. */
static void send_split(struct lcore *lcore, struct group group, struct rte_mbuf **mbufs, uint16_t n)
{
	struct door *door = lcore->door;
	struct split *split = &door->elephants.list[group_elephant(group)].split;
	uint16_t first = moves_account(&door->moves, group).number;

	for (uint16_t taken; n > 0; mbufs += taken, n -= taken) {
		taken = split_next(split, n);
		set_account(lcore, (struct account){first + split->branch}, mbufs, taken);
		set_micro_flow(split->micro_flow, mbufs, taken);
		route(lcore, STAGE_RX, mbufs, taken);
	}
}

static void send_group(struct lcore *lcore, struct group group, struct rte_mbuf **mbufs, uint16_t n)
{
	set_account(lcore, moves_account(&lcore->door->moves, group), mbufs, n);
	route(lcore, STAGE_RX, mbufs, n);
}

static void send_along(struct lcore *lcore, struct group group, struct rte_mbuf **mbufs, uint16_t n)
{
	moves_sent(&lcore->door->moves, group, n);
	counter_add(&lcore->counters.steered, n);
	if (group_is_elephant(group))
		send_split(lcore, group, mbufs, n);
	else
		send_group(lcore, group, mbufs, n);
}

static void send_or_hold(
	struct lcore *lcore, struct group group, struct rte_mbuf **mbufs, uint16_t n)
{
	if (unlikely(lcore->door->moves.groups[group.number].moving))
		moves_hold(&lcore->door->moves, group, mbufs, n);
	else
		send_along(lcore, group, mbufs, n);
}

static void enter_group(
	struct lcore *lcore, struct group group, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t room = credits_for_group(lcore, group, n);

	if (steering_may_split(lcore))
		elephants_seen(&lcore->door->elephants, group, packet_of(mbufs[0])->flow_hash, n);
	if (unlikely(room < n))
		refuse(lcore, mbufs + room, n - room);
	if (room > 0)
		send_or_hold(lcore, group, mbufs, room);
}

/* ---- telling packets apart ---- */

static void prefetch_headers(
	const struct port *port, enum sorting sorting, struct rte_mbuf **mbufs, uint16_t n)
{
	if (sorting == SORTING_INNER ? port->hashes_inner : port->hashes_outer)
		return;
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (uint16_t i = 0; i < n && sorting == SORTING_INNER; i++)
		rte_prefetch0(rte_pktmbuf_mtod_offset(mbufs[i], void *, RTE_CACHE_LINE_SIZE));
}

static void hash_packets(
	const struct port *port, enum sorting sorting, struct rte_mbuf **mbufs, uint16_t n)
{
	prefetch_headers(port, sorting, mbufs, n);
	for (uint16_t i = 0; i < n; i++)
		packet_of(mbufs[i])->flow_hash =
			sorting == SORTING_INNER ? flow_hash_received(mbufs[i], port->hashes_inner)
						 : flow_hash_outer(mbufs[i], port->hashes_outer);
}

typedef void (*group_function)(
	struct lcore *lcore, struct group group, struct rte_mbuf **mbufs, uint16_t n);

/* In runs of packets of one group, by their flow hashes. */
static void sort(struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n, group_function function)
{
	const struct elephants *elephants = &lcore->door->elephants;
	struct group groups[RECEIVE_BURST];

	assert(n <= RECEIVE_BURST);
	for (uint16_t i = 0; i < n; i++)
		groups[i] = elephants_group(elephants, packet_of(mbufs[i])->flow_hash);
	for (uint16_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && groups[end].number == groups[i].number; end++)
			;
		function(lcore, groups[i], mbufs + i, end - i);
	}
}

void steering_enter(
	struct lcore *lcore, const struct port *port, struct rte_mbuf **mbufs, uint16_t n)
{
	hash_packets(port, lcore->door->sorting, mbufs, n);
	counter_add(&lcore->door->arrived, n);
	sort(lcore, mbufs, n, enter_group);
}

uint16_t steering_send_held(struct lcore *lcore, struct group group)
{
	struct rte_mbuf *mbufs[RECEIVE_BURST];
	uint16_t sent = 0, n;

	while ((n = moves_take_held(&lcore->door->moves, group, mbufs, RECEIVE_BURST)) > 0) {
		sort(lcore, mbufs, n, send_or_hold);
		run(lcore);
		sent += n;
	}
	return sent;
}
