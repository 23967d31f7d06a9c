/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/dataplane.h"

#include <stdio.h>
#include <string.h>

#include <rte_lcore.h>
#include <rte_malloc.h>

#include "core/lcore.h"

#define FROM_MAIN_SIZE 256

static struct rte_ring *make_ring(const char *what, uint16_t from, uint16_t to, unsigned int stage,
	uint32_t size, unsigned int lcore_id)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "weft_%s_%u_%u_%u", what, from, to, stage);
	return rte_ring_create(name, rte_align32pow2(size + 1), rte_lcore_to_socket_id(lcore_id),
		RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static struct lcore *make_lcore(struct dataplane *dataplane, uint16_t index, unsigned int id)
{
	int socket = rte_lcore_to_socket_id(id);
	struct lcore *lcore =
		rte_zmalloc_socket("lcore", sizeof(*lcore), RTE_CACHE_LINE_SIZE, socket);
	char name[RTE_RING_NAMESIZE];

	if (lcore == NULL)
		return NULL;
	lcore->index = index;
	lcore->id = id;
	lcore->dataplane = dataplane;
	snprintf(name, sizeof(name), "weft_notices_%u", index);
	lcore->notices = rte_ring_create_elem(name, sizeof(struct notice), NOTICE_RING_SIZE, socket,
		RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (lcore->notices == NULL) {
		rte_free(lcore);
		return NULL;
	}
	return lcore;
}

static int inbox_add(struct lcore *lcore, unsigned int stage, struct rte_ring *ring)
{
	struct inbox *inbox = &lcore->inboxes[stage];

	if (ring == NULL)
		return -1;
	inbox->rings[inbox->n++] = ring;
	return 0;
}

/* A way from `from` to `to` for packets that go to `stage`. */
static int link_lcores(struct lcore *from, struct lcore *to, unsigned int stage)
{
	const struct dataplane *dataplane = from->dataplane;
	struct outbox *outbox = &from->outboxes[stage][to->index];

	outbox->stage = stage;
	outbox->receiver = to->index;
	outbox->ring = make_ring("inbox", from->index, to->index, stage,
		dataplane->credits * dataplane->n_lcores, to->id);
	return inbox_add(to, stage, outbox->ring);
}

/* The lcores that `stage` can run on other than where the stage before ran: the one that the plan
 * names, or, for the last steps, any that owns a queue. */
static bool can_receive(const struct dataplane *dataplane, unsigned int stage, uint16_t index)
{
	return stage >= STAGE_COUNT || dataplane->plan.lcore[stage] == index;
}

static int link_stage(struct dataplane *dataplane, struct lcore *from, unsigned int stage)
{
	from->outboxes[stage] =
		rte_zmalloc_socket("outboxes", dataplane->n_lcores * sizeof(struct outbox),
			RTE_CACHE_LINE_SIZE, rte_lcore_to_socket_id(from->id));
	if (from->outboxes[stage] == NULL)
		return -1;
	for (uint16_t to = 0; to < dataplane->n_lcores; to++)
		if (to != from->index && can_receive(dataplane, stage, to) &&
			link_lcores(from, dataplane->lcores[to], stage) != 0)
			return -1;
	return 0;
}

static int link_all(struct dataplane *dataplane)
{
	for (uint16_t i = 0; i < dataplane->n_lcores; i++) {
		struct lcore *lcore = dataplane->lcores[i];

		for (unsigned int stage = 0; stage < STEP_COUNT; stage++)
			if (link_stage(dataplane, lcore, stage) != 0)
				return -1;
		dataplane->from_main[i] = make_ring("main", dataplane_main(dataplane), i,
			STAGE_SEND, FROM_MAIN_SIZE, lcore->id);
		if (inbox_add(lcore, STAGE_SEND, dataplane->from_main[i]) != 0)
			return -1;
	}
	return 0;
}

void dataplane_link_credits(struct dataplane *dataplane)
{
	for (uint16_t door = 0; door < dataplane->n_lcores; door++)
		for (uint16_t i = 0; i < dataplane->n_lcores; i++)
			dataplane->lcores[door]->finished_at[i] =
				&dataplane->lcores[i]->finished[door];
}

static int make_lcores(struct dataplane *dataplane, const struct dataplane_config *config)
{
	for (uint16_t i = 0; i < config->n_lcores; i++) {
		dataplane->lcores[i] = make_lcore(dataplane, i, config->lcore_ids[i]);
		if (dataplane->lcores[i] == NULL)
			return -1;
		dataplane->notices[i] = dataplane->lcores[i]->notices;
	}
	dataplane_link_credits(dataplane);
	return link_all(dataplane);
}

static int make_rcu(struct dataplane *dataplane)
{
	size_t size = rte_rcu_qsbr_get_memsize(LCORES_MAX);

	dataplane->rcu = rte_zmalloc("rcu", size, RTE_CACHE_LINE_SIZE);
	return dataplane->rcu == NULL ? -1 : rte_rcu_qsbr_init(dataplane->rcu, LCORES_MAX);
}

struct dataplane *dataplane_create(const struct dataplane_config *config, struct error *error)
{
	struct dataplane *dataplane =
		rte_zmalloc("dataplane", sizeof(*dataplane), RTE_CACHE_LINE_SIZE);

	if (dataplane != NULL) {
		dataplane->plan = config->plan;
		dataplane->clock = config->clock;
		dataplane->n_lcores = config->n_lcores;
		dataplane->credits = config->credits;
		memcpy(dataplane->lcore_ids, config->lcore_ids, sizeof(dataplane->lcore_ids));
		if (make_rcu(dataplane) == 0 && make_lcores(dataplane, config) == 0)
			return dataplane;
		dataplane_free(dataplane);
	}
	error_set(error,
		"not enough memory for %u lcores with %u credits each; "
		"give EAL more (-m, huge pages)",
		config->n_lcores, config->credits);
	return NULL;
}

static void free_lcore(struct lcore *lcore)
{
	for (unsigned int stage = 0; stage < STEP_COUNT; stage++) {
		for (uint16_t i = 0; i < lcore->inboxes[stage].n; i++)
			rte_ring_free(lcore->inboxes[stage].rings[i]);
		rte_free(lcore->outboxes[stage]);
	}
	rte_ring_free(lcore->notices);
	rte_free(lcore);
}

void dataplane_free(struct dataplane *dataplane)
{
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		if (dataplane->lcores[i] != NULL)
			free_lcore(dataplane->lcores[i]);
	rte_free(dataplane->rcu);
	rte_free(dataplane);
}

struct tables *dataplane_publish(struct dataplane *dataplane, struct tables *tables)
{
	struct tables *old = dataplane->tables;

	__atomic_store_n(&dataplane->tables, tables, __ATOMIC_RELEASE);
	return old;
}

int dataplane_inject(struct dataplane *dataplane, struct rte_mbuf *mbuf, uint16_t uplink)
{
	uint16_t main = dataplane_main(dataplane);
	uint16_t owner = dataplane->tables->exits[uplink][main].owner;
	struct packet *packet = packet_of(mbuf);

	mbuf->port = uplink;
	*packet = (struct packet){
		.door = main, .network = NETWORK_NONE, .source = PLACE_NONE, .destination = uplink};
	if (rte_ring_sp_enqueue(dataplane->from_main[owner], mbuf) != 0) {
		rte_pktmbuf_free(mbuf);
		return -1;
	}
	counter_add(&dataplane->main_created, 1);
	return 0;
}

static uint64_t received(const struct dataplane *dataplane)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < dataplane->n_lcores; i++) {
		const struct lcore_counters *counters = &dataplane->lcores[i]->counters;

		/* A refused replica was created, but never admitted. */
		sum += counter_read(&counters->admitted) - counter_read(&counters->created) +
		       counter_read(&counters->drops[DROP_FLOOD_REFUSED]);
	}
	return sum;
}

struct conservation dataplane_conservation(const struct dataplane *dataplane)
{
	struct conservation sum = {
		.received = received(dataplane), .created = counter_read(&dataplane->main_created)};

	for (uint16_t i = 0; i < dataplane->n_lcores; i++) {
		const struct lcore_counters *counters = &dataplane->lcores[i]->counters;

		sum.created += counter_read(&counters->created);
		sum.delivered += counter_read(&counters->delivered);
		sum.consumed += counter_read(&counters->consumed);
	}
	for (unsigned int drop = 0; drop < DROP_COUNT; drop++)
		sum.dropped += dataplane_drops(dataplane, drop);
	return sum;
}

int64_t conservation_in_flight(const struct conservation *sum)
{
	return sum->received + sum->created - sum->delivered - sum->dropped - sum->consumed;
}

uint64_t dataplane_drops(const struct dataplane *dataplane, enum drop drop)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		sum += counter_read(&dataplane->lcores[i]->counters.drops[drop]);
	return sum;
}
