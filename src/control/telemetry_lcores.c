/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/telemetry_lcores.h"

#include <string.h>

#include "control/answer.h"
#include "control/telemetry_steer.h"
#include "engine/lcore.h"

/* An answer holds 16 KB of JSON; these many rows fit. */
#define LCORES_PAGE 20

static int64_t in_flight(const struct dataplane *dataplane, const struct lcore *lcore)
{
	int64_t n = counter_read(&lcore->counters.admitted);

	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		n -= counter_read(&dataplane->lcores[i]->finished[lcore->index]);
	return RTE_MAX(n, 0);
}

static void add_time(struct rte_tel_data *row, const struct time_counters *counters)
{
	uint64_t idle = counter_read(&counters->idle);
	uint64_t working = counter_read(&counters->working);
	uint64_t back_pressured = counter_read(&counters->back_pressured);
	uint64_t housekeeping = counter_read(&counters->housekeeping);

	rte_tel_data_add_dict_u64(row, "idle", idle);
	rte_tel_data_add_dict_u64(row, "working", working);
	rte_tel_data_add_dict_u64(row, "back_pressured", back_pressured);
	rte_tel_data_add_dict_u64(row, "housekeeping", housekeeping);
	rte_tel_data_add_dict_u64(row, "total", idle + working + back_pressured + housekeeping);
}

/* ---- who serves which queue ---- */

#define NAME_MAX_SIZE (PORT_NAME_SIZE + sizeof(" .64 ..."))

static void name_queue(char *text, const struct port *port, uint16_t queue)
{
	size_t length = strlen(text), room = RTE_TEL_MAX_STRING_LEN - length;

	if (length > 3 && strcmp(text + length - 3, "...") == 0)
		return;
	if (room < NAME_MAX_SIZE)
		snprintf(text + length, room, " ...");
	else
		snprintf(text + length, room, "%s%s.%u", length ? " " : "", port->config.name,
			queue);
}

/* Whether lcore `index` takes turns at a queue beside its owner. */
static bool helps_at(const struct control *control, uint16_t index, const struct port *port,
	const struct port_queue *queue)
{
	const struct plan *plan = control->dataplane->plan;

	return plan->by_right && queue->owner != index &&
	       turns_may_help(control->dataplane, plan->mode, index, port, queue->owner);
}

struct service {
	char home[RTE_TEL_MAX_STRING_LEN]; /* the queues that the lcore owns: "phys.0 web.0" */
	uint64_t helps;			   /* the owners at whose queues it takes turns now */
};

static void find_service(const struct control *control, uint16_t index, struct service *service)
{
	*service = (struct service){.helps = 0};
	for (uint16_t i = 0; i < PORTS_MAX; i++) {
		const struct port *port = control->ports.list[i];

		for (uint16_t j = 0; port != NULL && j < port->n_queues; j++) {
			const struct port_queue *queue = &port->queues[j];

			if (queue->owner == index)
				name_queue(service->home, port, j);
			else if (helps_at(control, index, port, queue))
				service->helps |= 1ULL << queue->owner;
		}
	}
}

static void add_service(
	const struct control *control, struct rte_tel_data *row, const struct lcore *lcore)
{
	const struct plan *plan = control->dataplane->plan;
	const struct turns *turns = lcore->turns;
	bool adapts = plan->by_right && plan->mode->adapts;
	struct service service;

	find_service(control, lcore->index, &service);
	answer_add_text(row, "home", service.home);
	answer_add_lcores(row, "helps", control->dataplane, service.helps);
	rte_tel_data_add_dict_u64(row, "helpers", adapts ? number_read16(&lcore->helpers) : 0);
	rte_tel_data_add_dict_u64(row, "batches", turns ? counter_read(&turns->now.batches) : 0);
	rte_tel_data_add_dict_u64(
		row, "own_batches", turns ? counter_read(&turns->now.own_batches) : 0);
}

/* ---- lcores ---- */

static void add_lcore(const struct control *control, struct answer_list *list, uint16_t index)
{
	const struct dataplane *dataplane = control->dataplane;
	const struct lcore *lcore = dataplane->lcores[index];
	struct rte_tel_data *row = answer_add_row(list);

	rte_tel_data_add_dict_u64(row, "lcore", lcore->id);
	add_time(row, &lcore->counters.time);
	rte_tel_data_add_dict_u64(row, "asleep", counter_read(&lcore->idle.time));
	rte_tel_data_add_dict_u64(row, "sleeps", number_read32(&lcore->idle.asleep));
	rte_tel_data_add_dict_u64(row, "in_flight", in_flight(dataplane, lcore));
	rte_tel_data_add_dict_u64(row, "notices_lost", counter_read(&lcore->counters.notices_lost));
	rte_tel_data_add_dict_u64(row, "load", load_read(&lcore->load));
	rte_tel_data_add_dict_u64(row, "steering", steer_lcores(&dataplane->steering) >> index & 1);
	add_service(control, row, lcore);
}

/* Page by page. */
void telemetry_show_lcores(struct control *control, struct request *request)
{
	struct answer_list list = answer_start_list(request);
	uint32_t end = control->dataplane->n_lcores;

	for (uint32_t i = answer_first_row(request->parameters, end); i < end; i++) {
		if (answer_is_full(&list, LCORES_PAGE, request, i))
			return;
		add_lcore(control, &list, i);
	}
}

/* Where the plan says that it runs, if it steers the stage; else where it has seen packets. */
static uint64_t stage_lcores(const struct control *control, int stage)
{
	const struct dataplane *dataplane = control->dataplane;
	uint64_t lcores = 0;

	if (steer_is_steered(dataplane->plan, stage))
		return steer_stage_lcores(control, stage);
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		if (counter_read(&dataplane->lcores[i]->counters.stages[stage].packets) > 0)
			lcores |= 1ULL << i;
	return lcores;
}

/* Of all lcores. */
static struct stage_counters count_stage(const struct dataplane *dataplane, int stage)
{
	struct stage_counters sum = {0};

	for (uint16_t i = 0; i < dataplane->n_lcores; i++) {
		const struct stage_counters *counters =
			&dataplane->lcores[i]->counters.stages[stage];

		sum.bursts += counter_read(&counters->bursts);
		sum.packets += counter_read(&counters->packets);
		sum.cycles += counter_read(&counters->cycles);
	}
	return sum;
}

/* What the stage counts by itself. */
static void add_statistics(const struct dataplane *dataplane, struct rte_tel_data *row, int stage)
{
	struct rte_tel_data *statistics;

	if (stage_table[stage]->statistics[0] == NULL)
		return;
	statistics = rte_tel_data_alloc();
	rte_tel_data_start_dict(statistics);
	for (int i = 0; i < STAGE_STATISTICS_MAX && stage_table[stage]->statistics[i]; i++) {
		uint64_t sum = 0;

		for (uint16_t lcore = 0; lcore < dataplane->n_lcores; lcore++)
			sum += counter_read(
				&dataplane->lcores[lcore]->counters.statistics[stage][i]);
		rte_tel_data_add_dict_u64(statistics, stage_table[stage]->statistics[i], sum);
	}
	rte_tel_data_add_dict_container(row, "statistics", statistics, 0);
}

static void add_stage(const struct control *control, struct answer_list *list, int stage)
{
	const struct dataplane *dataplane = control->dataplane;
	struct rte_tel_data *row = answer_add_row(list);
	struct stage_counters sum = count_stage(dataplane, stage);
	uint64_t drops = 0;

	for (unsigned int drop = 0; drop < STAGE_DROPS_MAX; drop++)
		drops += dataplane_drops(dataplane, drop_slot(stage, drop));
	answer_add_text(row, "name", stage_table[stage]->name);
	answer_add_lcores(row, "lcores", dataplane, stage_lcores(control, stage));
	rte_tel_data_add_dict_u64(row, "bursts", sum.bursts);
	rte_tel_data_add_dict_u64(row, "packets", sum.packets);
	rte_tel_data_add_dict_u64(row, "cycles", sum.cycles);
	rte_tel_data_add_dict_u64(row, "drops", drops);
	add_statistics(dataplane, row, stage);
}

void telemetry_show_stages(struct control *control, struct request *request)
{
	struct answer_list list = answer_start_list(request);

	for (int stage = 0; stage < STEP_COUNT; stage++)
		add_stage(control, &list, stage);
}

void telemetry_show_drops(struct control *control, struct request *request)
{
	struct answer_list list = answer_start_list(request);
	bool all = strcmp(request->parameters, "all") == 0;

	for (unsigned int slot = 0; slot < DROP_SLOTS; slot++) {
		const struct stage_drop *drop = drop_at(slot);
		uint64_t packets = dataplane_drops(control->dataplane, slot);
		struct rte_tel_data *row;

		if (drop == NULL || (packets == 0 && !all))
			continue;
		row = answer_add_row(&list);
		answer_add_text(row, "stage", stage_table[drop_step(slot)]->name);
		answer_add_text(row, "reason", drop->name);
		answer_add_text(row, "text", drop->text);
		rte_tel_data_add_dict_u64(row, "packets", packets);
	}
}

void telemetry_show_conservation(struct control *control, struct request *request)
{
	struct conservation sum = dataplane_conservation(control->dataplane);
	uint64_t mbufs, mbufs_free;

	pools_count(&control->pools, &mbufs, &mbufs_free);
	rte_tel_data_start_dict(request->data);
	rte_tel_data_add_dict_u64(request->data, "received", sum.received);
	rte_tel_data_add_dict_u64(request->data, "created", sum.created);
	rte_tel_data_add_dict_u64(request->data, "delivered", sum.delivered);
	rte_tel_data_add_dict_u64(request->data, "dropped", sum.dropped);
	rte_tel_data_add_dict_u64(request->data, "consumed", sum.consumed);
	rte_tel_data_add_dict_u64(request->data, "coalesced", sum.coalesced);
	rte_tel_data_add_dict_u64(
		request->data, "in_flight", RTE_MAX(conservation_in_flight(&sum), 0));
	rte_tel_data_add_dict_u64(request->data, "mbufs", mbufs);
	rte_tel_data_add_dict_u64(request->data, "mbufs_free", mbufs_free);
}
