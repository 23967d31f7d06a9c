/* SPDX-License-Identifier: BSD-3-Clause */
#include "carry.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "engine/door.h"
#include "engine/lcore.h"

#define POLL_US 200
#define PATIENCE 50000 /* looks */

/* ---- the source ---- */

/* Written by the door, which polls it. */
static struct {
	const struct lcore *door;
	uint64_t returned; /* packets known to have come out */
	uint32_t window;
} source;

static bool is_window_full(void)
{
	const struct lcore *door = source.door;

	return door->counters.admitted - source.returned + FIXTURE_BURST > source.window;
}

static void count_returned(void)
{
	source.returned = 0;
	for (uint16_t i = 0; i < source.door->dataplane->n_lcores; i++)
		source.returned += counter_read(source.door->finished_at[i]);
}

static uint16_t give(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	if (is_window_full())
		count_returned();
	return is_window_full() ? 0 : numbers_source(port, queue, mbufs, n);
}

static const struct port_ops uplink_ops = {
	.receive = give, .send = fixture_sink, .is_up = fixture_is_up};
static const struct port_ops container_ops = {
	.receive = fixture_nothing, .send = numbers_sink, .is_up = fixture_is_up};

/* ---- begin and end ---- */

void carry_config(struct dataplane_config *config, uint16_t n_lcores, const char *mode)
{
	unsigned int id = rte_get_next_lcore(-1, 1, 0);

	*config = (struct dataplane_config){.clock = {.read = clock_tsc, .hz = rte_get_tsc_hz()},
		.n_lcores = n_lcores,
		.credits = CARRY_CREDITS};
	plan_set(&config->plan, plan_mode_find(mode));
	for (uint16_t i = 0; i < n_lcores; i++, id = rte_get_next_lcore(id, 1, 0))
		config->lcore_ids[i] = id;
}

struct dataplane *carry_start(const struct dataplane_config *config, struct tables *tables,
	struct fixture_frame *frame, uint16_t owner, uint32_t window)
{
	struct error error;
	struct dataplane *dataplane = dataplane_create(config, &error);

	if (dataplane == NULL)
		rte_exit(EXIT_FAILURE, "bench: %s\n", error.text);
	fixture_uplink.ops = &uplink_ops;
	fixture_uplink.driver = frame;
	fixture_container.ops = &container_ops;
	fixture_container.queues[0].owner = owner;
	source.door = dataplane->lcores[0];
	source.returned = 0;
	source.window = window;
	numbers_begin();
	dataplane_publish(dataplane, tables);
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		rte_eal_remote_launch(lcore_run, dataplane->lcores[i], dataplane->lcore_ids[i]);
	return dataplane;
}

void carry_await_merge(const struct dataplane *dataplane, uint16_t lcore)
{
	const struct lcore_counters *counters = &dataplane->lcores[lcore]->counters;

	for (int i = 0; i < PATIENCE; i++, usleep(POLL_US))
		if (counter_read(&counters->stages[STEP_MERGE].packets) > 0)
			return;
	rte_exit(EXIT_FAILURE, "bench: the flow does not become an elephant\n");
}

void carry_stop(struct dataplane *dataplane, const char *name, struct numbers *numbers)
{
	struct conservation sum;

	fixture_stop(dataplane);
	numbers_end(numbers, dataplane);
	sum = dataplane_conservation(dataplane);
	if (sum.dropped > 0 || sum.delivered == 0)
		rte_exit(EXIT_FAILURE,
			"bench: %s: %" PRIu64 " packets delivered, %" PRIu64 " dropped\n", name,
			sum.delivered, sum.dropped);
}

/* ---- figures ---- */

/* Counters at one moment. */
struct moment {
	uint64_t time;
	uint64_t delivered;
	uint64_t merged;
	uint64_t out_of_order;
	uint64_t steps[STEP_COUNT];
	uint64_t working[CARRY_LCORES_MAX];
};

static const struct merge_counters *merge_counters(const struct dataplane *dataplane)
{
	return &dataplane->merges[0][0].counters;
}

static void add_lcore(struct moment *moment, const struct dataplane *dataplane, uint16_t i)
{
	const struct lcore_counters *counters = &dataplane->lcores[i]->counters;

	moment->working[i] = counter_read(&counters->time.working);
	for (int step = 0; step < STEP_COUNT; step++)
		moment->steps[step] += counter_read(&counters->stages[step].cycles);
}

static struct moment moment_of(const struct dataplane *dataplane)
{
	struct moment moment = {
		.time = rte_rdtsc(), .delivered = dataplane_conservation(dataplane).delivered};

	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		add_lcore(&moment, dataplane, i);
	if (dataplane->merges[0] != NULL) {
		moment.merged = counter_read(&merge_counters(dataplane)->packets);
		moment.out_of_order = counter_read(&merge_counters(dataplane)->out_of_order);
	}
	return moment;
}

/* An lcore may be kept from running for all of a run: then it is one packet. */
static struct carry_result between(const struct moment *begin, const struct moment *end)
{
	double cycles = end->time - begin->time;
	double packets = RTE_MAX(end->delivered - begin->delivered, UINT64_C(1));
	double merged = RTE_MAX(end->merged - begin->merged, UINT64_C(1));
	struct carry_result result = {.pps = packets * rte_get_tsc_hz() / cycles,
		.out_of_order = (end->out_of_order - begin->out_of_order) / merged};

	for (int step = 0; step < STEP_COUNT; step++)
		result.steps[step] = (end->steps[step] - begin->steps[step]) / packets;
	for (uint16_t i = 0; i < CARRY_LCORES_MAX; i++) {
		result.busy[i] = (end->working[i] - begin->working[i]) / cycles;
		result.cycles += (end->working[i] - begin->working[i]) / packets;
	}
	return result;
}

struct carry_result carry_measure(const struct dataplane *dataplane, unsigned int ms)
{
	struct moment begin = moment_of(dataplane), end;
	struct carry_result result;

	usleep(ms * 1000);
	end = moment_of(dataplane);
	result = between(&begin, &end);
	if (dataplane->merges[0] != NULL)
		result.most_held =
			__atomic_load_n(&merge_counters(dataplane)->most_held, __ATOMIC_RELAXED);
	return result;
}
