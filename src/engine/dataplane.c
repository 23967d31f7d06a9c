/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/dataplane.h"

#include <string.h>

#include <rte_lcore.h>
#include <rte_malloc.h>

#include "engine/door.h"
#include "engine/lcore.h"
#include "engine/parcel.h"
#include "engine/steering.h"
#include "stages/bridge.h"

/* Of its own memory: EAL's memzones are few, and many lcores have many rings. */
static struct rte_ring *make_ring(size_t element, uint32_t size, unsigned int lcore_id)
{
	struct rte_ring *ring = rte_malloc_socket("ring", rte_ring_get_memsize_elem(element, size),
		RTE_CACHE_LINE_SIZE, rte_lcore_to_socket_id(lcore_id));

	if (ring != NULL && rte_ring_init(ring, "weft", size, RING_F_SP_ENQ | RING_F_SC_DEQ) == 0)
		return ring;
	rte_free(ring);
	return NULL;
}

static void *zmalloc(const struct lcore *lcore, size_t size)
{
	return rte_zmalloc_socket(
		"lcore", size, RTE_CACHE_LINE_SIZE, rte_lcore_to_socket_id(lcore->id));
}

/* What each lcore tells each door. */
static int make_tallies(struct lcore *lcore, const struct dataplane *dataplane)
{
	uint16_t n_accounts = lcore->door->moves.n_accounts;

	for (uint16_t door = 0; door < dataplane->n_lcores; door++) {
		lcore->tallies[door] = zmalloc(lcore, n_accounts * sizeof(*lcore->tallies[door]));
		if (lcore->tallies[door] == NULL)
			return -1;
	}
	return 0;
}

static int make_door(struct lcore *lcore, struct dataplane *dataplane, bool receives)
{
	lcore->door = zmalloc(lcore, sizeof(*lcore->door));
	if (lcore->door == NULL || steering_init(lcore->door, dataplane, receives,
					   rte_lcore_to_socket_id(lcore->id)) != 0)
		return -1;
	dataplane->paths[lcore->index] = lcore->door->moves.paths;
	dataplane->merges[lcore->index] = lcore->door->merges;
	return 0;
}

/* What stages keep from burst to burst. */
static int make_states(struct lcore *lcore)
{
	for (uint16_t stage = 0; stage < STAGE_COUNT; stage++) {
		size_t size = stage_table[stage]->state_size;

		if (size == 0)
			continue;
		lcore->states[stage] = zmalloc(lcore, size);
		if (lcore->states[stage] == NULL)
			return -1;
	}
	return 0;
}

/* Behind a flood may wait all that is inside; behind one that cannot wait, a feed. */
static int make_floods(struct lcore *lcore)
{
	const struct dataplane *dataplane = lcore->dataplane;
	const uint32_t packets[] = {[FLOOD_PATIENT] = dataplane->credits * dataplane->n_lcores,
		[FLOOD_URGENT] = STAGE_BURST_MAX};

	for (unsigned int kind = 0; kind < FLOOD_KINDS; kind++) {
		lcore->floods[kind].behind =
			make_ring(sizeof(void *), rte_align32pow2(packets[kind] + 1), lcore->id);
		if (lcore->floods[kind].behind == NULL)
			return -1;
	}
	return 0;
}

/* One lcore alone takes no turns. */
static int make_turns(struct lcore *lcore)
{
	if (lcore->dataplane->n_lcores == 1)
		return 0;
	lcore->turns = zmalloc(lcore, sizeof(*lcore->turns));
	if (lcore->turns == NULL)
		return -1;
	return turns_init(lcore->turns, lcore->dataplane, rte_lcore_to_socket_id(lcore->id));
}

static int make_lcore(
	struct dataplane *dataplane, const struct dataplane_config *config, uint16_t index)
{
	unsigned int id = config->lcore_ids[index];
	bool receives = config->doors == 0 || config->doors >> index & 1;
	int socket = rte_lcore_to_socket_id(id);
	struct lcore *lcore =
		rte_zmalloc_socket("lcore", sizeof(*lcore), RTE_CACHE_LINE_SIZE, socket);

	dataplane->lcores[index] = lcore;
	if (lcore == NULL)
		return -1;
	lcore->index = index;
	lcore->idle.wake_fd = lcore->idle.epoll_fd = -1;
	lcore->id = id;
	lcore->dataplane = dataplane;
	lcore->context.hz = dataplane->clock.hz;
	load_begin(&lcore->load, clock_read(&dataplane->clock), dataplane->clock.hz);
	lcore->notices = make_ring(sizeof(struct notice), NOTICE_RING_SIZE, id);
	lcore->outboxes = zmalloc(lcore, dataplane->n_lcores * sizeof(*lcore->outboxes));
	vectors_init(&lcore->vectors);
	if (lcore->notices == NULL || lcore->outboxes == NULL || make_states(lcore) != 0 ||
		make_floods(lcore) != 0 || make_turns(lcore) != 0 ||
		make_door(lcore, dataplane, receives) != 0)
		return -1;
	dataplane->notices[index] = lcore->notices;
	return make_tallies(lcore, dataplane);
}

static int inbox_add(struct lcore *lcore, struct rte_ring *ring, bool own)
{
	if (ring == NULL)
		return -1;
	lcore->inbox[lcore->n_inbox++] = (struct inbox){.ring = ring, .own = own};
	return 0;
}

static int link_lcores(struct lcore *from, struct lcore *to)
{
	const struct dataplane *dataplane = from->dataplane;
	struct outbox *outbox = &from->outboxes[to->index];
	/* A packet, or the mark that it left, and the label before it. */
	uint32_t words = 2 * dataplane->credits * dataplane->n_lcores;

	outbox->receiver = to->index;
	outbox->ring = make_ring(sizeof(void *), rte_align32pow2(words + 1), to->id);
	return inbox_add(to, outbox->ring, from == to);
}

static int link_all(struct dataplane *dataplane)
{
	for (uint16_t i = 0; i < dataplane->n_lcores; i++) {
		struct lcore *lcore = dataplane->lcores[i];

		/* One alone merges nothing, and has nothing for itself. */
		for (uint16_t to = 0; to < dataplane->n_lcores && dataplane->n_lcores > 1; to++)
			if (link_lcores(lcore, dataplane->lcores[to]) != 0)
				return -1;
		dataplane->from_main[i] = make_ring(sizeof(void *), FROM_MAIN_SIZE, lcore->id);
		if (inbox_add(lcore, dataplane->from_main[i], false) != 0)
			return -1;
	}
	return 0;
}

void dataplane_link_credits(struct dataplane *dataplane)
{
	for (uint16_t door = 0; door < dataplane->n_lcores; door++)
		for (uint16_t i = 0; i < dataplane->n_lcores; i++) {
			dataplane->lcores[door]->finished_at[i] =
				&dataplane->lcores[i]->finished[door];
			dataplane->lcores[door]->door->moves.tallies[i] =
				dataplane->lcores[i]->tallies[door];
		}
}

static int make_lcores(struct dataplane *dataplane, const struct dataplane_config *config)
{
	for (uint16_t i = 0; i < config->n_lcores; i++)
		if (make_lcore(dataplane, config, i) != 0)
			return -1;
	dataplane_link_credits(dataplane);
	return link_all(dataplane);
}

/* All lcores, if none are named. */
static void set_steering(struct dataplane *dataplane, const struct steering *steering)
{
	dataplane->steering = *steering;
	if (steering->n > 0)
		return;
	dataplane->steering.policy = policy_find("static");
	dataplane->steering.threshold = LOAD_FULL;
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		dataplane->steering.lcores[dataplane->steering.n++] = i;
}

/* All lcores, if none are named. */
static void set_micro_flows(struct dataplane *dataplane, const struct micro_flows *micro_flows)
{
	dataplane->micro_flows = *micro_flows;
	if (micro_flows->n_branches == 0)
		dataplane->micro_flows = (struct micro_flows){.batch = 1, .n_branches = 1};
	if (micro_flows->n > 0)
		return;
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		dataplane->micro_flows.lcores[dataplane->micro_flows.n++] = i;
}

static int make_idle(struct dataplane *dataplane, struct error *error)
{
	for (uint16_t i = 0; i < dataplane->n_lcores && dataplane->sleeps; i++)
		if (idle_init(&dataplane->lcores[i]->idle, error) != 0)
			return -1;
	return 0;
}

static int make_rcu(struct dataplane *dataplane)
{
	size_t size = rte_rcu_qsbr_get_memsize(LCORES_MAX);

	dataplane->rcu = rte_zmalloc("rcu", size, RTE_CACHE_LINE_SIZE);
	return dataplane->rcu == NULL ? -1 : rte_rcu_qsbr_init(dataplane->rcu, LCORES_MAX);
}

static struct plan *make_plan(struct dataplane *dataplane, const struct plan *plan)
{
	struct plan *copy = rte_malloc("plan", sizeof(*copy), RTE_CACHE_LINE_SIZE);

	if (copy == NULL)
		return NULL;
	*copy = *plan;
	copy->by_right = copy->mode->receive == RECEIVE_BY_RIGHT && dataplane->n_lcores > 1;
	copy->number = ++dataplane->plans;
	return copy;
}

/* Returns the old one. */
static struct plan *publish_plan(struct dataplane *dataplane, struct plan *plan)
{
	struct plan *old = dataplane->plan;

	__atomic_store_n(&dataplane->plan, plan, __ATOMIC_RELEASE);
	if (old != NULL)
		idle_wake_all(dataplane);
	return old;
}

static int set_first_plan(struct dataplane *dataplane, const struct plan *plan)
{
	struct plan *copy = make_plan(dataplane, plan);

	if (copy != NULL)
		publish_plan(dataplane, copy);
	return copy == NULL ? -1 : 0;
}

/* What depends on the configuration only. */
static void configure(struct dataplane *dataplane, const struct dataplane_config *config)
{
	dataplane->clock = config->clock;
	dataplane->n_lcores = config->n_lcores;
	dataplane->credits = config->credits;
	dataplane->sleeps = config->sleeps;
	memcpy(dataplane->lcore_ids, config->lcore_ids, sizeof(dataplane->lcore_ids));
	set_steering(dataplane, &config->steering);
	set_micro_flows(dataplane, &config->micro_flows);
}

static int make_all(
	struct dataplane *dataplane, const struct dataplane_config *config, struct error *error)
{
	if (moves_register() == 0 && make_rcu(dataplane) == 0 &&
		make_lcores(dataplane, config) == 0 &&
		set_first_plan(dataplane, &config->plan) == 0)
		return make_idle(dataplane, error);
	return error_set(error,
		"not enough memory for %u lcores with %u 'credits' each ([weft]), and for %u "
		"'elephants' of %u 'branches' at each that receives ([micro-flows]); lower them, "
		"or give EAL more (-m, huge pages)",
		config->n_lcores, config->credits, config->micro_flows.n_elephants,
		config->micro_flows.n_branches);
}

struct dataplane *dataplane_create(const struct dataplane_config *config, struct error *error)
{
	struct dataplane *dataplane =
		rte_zmalloc("dataplane", sizeof(*dataplane), RTE_CACHE_LINE_SIZE);

	if (dataplane == NULL) {
		error_set(error, "not enough memory; give EAL more (-m, huge pages)");
		return NULL;
	}
	configure(dataplane, config);
	if (make_all(dataplane, config, error) == 0)
		return dataplane;
	dataplane_free(dataplane);
	return NULL;
}

static void free_lcore(struct lcore *lcore)
{
	for (uint16_t i = 0; i < lcore->n_inbox; i++)
		rte_free(lcore->inbox[i].ring);
	for (uint16_t i = 0; i < LCORES_MAX; i++)
		rte_free(lcore->tallies[i]);
	for (uint16_t i = 0; i < STAGE_COUNT; i++)
		rte_free(lcore->states[i]);
	if (lcore->door != NULL)
		steering_free(lcore->door);
	if (lcore->turns != NULL)
		turns_free(lcore->turns);
	rte_free(lcore->turns);
	for (unsigned int kind = 0; kind < FLOOD_KINDS; kind++)
		rte_free(lcore->floods[kind].behind);
	idle_free(&lcore->idle);
	rte_free(lcore->outboxes);
	rte_free(lcore->door);
	rte_free(lcore->notices);
	rte_free(lcore);
}

void dataplane_free(struct dataplane *dataplane)
{
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		if (dataplane->lcores[i] != NULL)
			free_lcore(dataplane->lcores[i]);
	rte_free(dataplane->plan);
	rte_free(dataplane->next_plan);
	rte_free(dataplane->rcu);
	rte_free(dataplane);
}

struct tables *dataplane_publish(struct dataplane *dataplane, struct tables *tables)
{
	struct tables *old = dataplane->tables;

	__atomic_store_n(&dataplane->tables, tables, __ATOMIC_RELEASE);
	idle_wake_all(dataplane);
	return old;
}

/* ---- a change of plan ---- */

/* While no lcore receives. What has ended is read first: nothing can end before it was admitted. */
static bool is_empty(const struct dataplane *dataplane)
{
	uint64_t inside = 0;

	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		for (uint16_t door = 0; door < dataplane->n_lcores; door++)
			inside -= __atomic_load_n(
				&dataplane->lcores[i]->finished[door], __ATOMIC_ACQUIRE);
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		inside += counter_read(&dataplane->lcores[i]->counters.admitted);
	return inside == 0;
}

/* While no lcore receives: all numbers were passed on, so nobody counts for a queue any more. */
static bool is_at_rest(const struct dataplane *dataplane)
{
	const struct tables *tables = dataplane->tables;
	uint16_t n = tables == NULL ? 0 : tables->owned_begin[dataplane->n_lcores];

	for (uint16_t i = 0; i < n; i++)
		if (!turn_is_at_rest(&tables->owned[i].port->queues[tables->owned[i].queue].turn))
			return false;
	return true;
}

static void pause_lcores(struct dataplane *dataplane)
{
	__atomic_store_n(&dataplane->pausing, true, __ATOMIC_RELEASE);
	dataplane->change_token = rte_rcu_qsbr_start(dataplane->rcu);
}

int dataplane_set_plan(struct dataplane *dataplane, const struct plan *plan, struct plan **old)
{
	struct plan *copy = make_plan(dataplane, plan);

	*old = NULL;
	if (copy == NULL)
		return -1;
	if (!dataplane->pausing && copy->by_right == dataplane->plan->by_right) {
		*old = publish_plan(dataplane, copy);
		return 0;
	}
	if (!dataplane->pausing)
		pause_lcores(dataplane);
	rte_free(dataplane->next_plan);
	dataplane->next_plan = copy;
	return 0;
}

bool dataplane_change_plan(struct dataplane *dataplane, struct plan **old)
{
	*old = NULL;
	if (!dataplane->pausing ||
		!rte_rcu_qsbr_check(dataplane->rcu, dataplane->change_token, false))
		return dataplane->pausing;
	if (dataplane->next_plan == NULL) {
		__atomic_store_n(&dataplane->pausing, false, __ATOMIC_RELEASE);
	} else if (is_empty(dataplane) && is_at_rest(dataplane)) {
		*old = publish_plan(dataplane, dataplane->next_plan);
		dataplane->next_plan = NULL;
		dataplane->change_token = rte_rcu_qsbr_start(dataplane->rcu);
	}
	return dataplane->pausing;
}

int dataplane_inject(struct dataplane *dataplane, struct rte_mbuf *mbuf, uint16_t uplink)
{
	uint16_t main = dataplane_main(dataplane);
	uint16_t owner = dataplane->tables->exits[uplink][main].owner;
	struct packet *packet = packet_of(mbuf);
	struct parcel parcel;

	mbuf->port = uplink;
	packet->followers = 0;
	packet->origin = (union origin){.account = {ACCOUNT_NONE}, .first = main, .door = main};
	packet->network = NETWORK_NONE;
	packet->source = PLACE_NONE;
	packet->destination = uplink;
	parcel = parcel_make(mbuf, STEP_SEND);
	if (rte_ring_sp_enqueue_elem(dataplane->from_main[owner], &parcel, sizeof(parcel)) != 0) {
		rte_pktmbuf_free(mbuf);
		return -1;
	}
	idle_wake_all(dataplane);
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
		       counter_read(&counters->drops[STAGE_BRIDGE][BRIDGE_FLOOD_REFUSED]);
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
		sum.coalesced += counter_read(&counters->coalesced);
	}
	for (unsigned int slot = 0; slot < DROP_SLOTS; slot++)
		sum.dropped += dataplane_drops(dataplane, slot);
	return sum;
}

int64_t conservation_in_flight(const struct conservation *sum)
{
	return sum->received + sum->created - sum->delivered - sum->dropped - sum->consumed -
	       sum->coalesced;
}

bool dataplane_drains(const struct dataplane *dataplane, struct drain *drain)
{
	struct conservation sum = dataplane_conservation(dataplane);

	drain->rounds = memcmp(&sum, &drain->sum, sizeof(sum)) == 0 ? drain->rounds + 1 : 0;
	drain->sum = sum;
	return drain->rounds < DRAIN_ROUNDS;
}

bool dataplane_is_drained(const struct dataplane *dataplane)
{
	struct conservation sum = dataplane_conservation(dataplane);

	return conservation_in_flight(&sum) == 0 && is_at_rest(dataplane);
}

uint64_t dataplane_drops(const struct dataplane *dataplane, unsigned int slot)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		sum += counter_read(
			&dataplane->lcores[i]->counters.drops[drop_step(slot)][drop_number(slot)]);
	return sum;
}
