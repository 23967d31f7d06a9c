/* SPDX-License-Identifier: BSD-3-Clause */
/* The worlds of test_pipeline.c on real lcores, which share the CPUs there are. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <rte_launch.h>
#include <rte_lcore.h>

#include "world.h"

#define WORKERS_MAX 3
#define PACKETS 120000 /* of the whole program */
#define WORLDS 12
#define CHURN_ROUNDS 50
#define WAIT_SECONDS 60

typedef bool (*condition)(const struct world *world);

/* Container ports come and go for the first rounds; then all come back. */
static void churn(struct world *world)
{
	if (world->turns < CHURN_ROUNDS)
		world_churn(world);
	else
		world_restore(world);
}

/* The control side's part, on the main lcore, until the condition holds. */
static void serve_until(struct world *world, condition holds)
{
	uint64_t end = rte_rdtsc() + WAIT_SECONDS * rte_get_tsc_hz();

	while (!holds(world)) {
		if (rte_rdtsc() > end) {
			world_fail(world, "not done after %d s", WAIT_SECONDS);
			return;
		}
		control_poll(world->control);
		if (world->config.churning && world->open)
			churn(world);
		world->turns++;
		sched_yield(); /* a worker has this CPU too */
	}
}

static bool is_drained(const struct world *world)
{
	return world_is_empty(world) && world->control->deferred.first == NULL;
}

static void launch(struct world *world)
{
	for (uint16_t i = 0; i < world->config.n_lcores; i++)
		rte_eal_remote_launch(
			lcore_run, world->dataplane->lcores[i], world->dataplane->lcore_ids[i]);
}

static void run(struct world_config config)
{
	struct world *world;
	int status;

	config.threads = true;
	config.packets = sim_packets(PACKETS) / WORLDS;
	world = world_create(&config);
	launch(world);
	serve_until(world, world_is_resolved);
	world->turns = 0;
	world_open(world);
	serve_until(world, world_is_exhausted);
	serve_until(world, is_drained);
	__atomic_store_n(&world->dataplane->stop, true, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
	status = world_check(world);
	world_report(world);
	world_free(world);
	assert_int_equal(status, 0);
}

static void real_lcores_keep_order_and_lose_nothing(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < WORLDS / 3; i++) {
		struct world_config config = world_config_random(sim_seed() + i, 2, WORKERS_MAX);

		config.faulty = true;
		run(config);
	}
}

static void peers_that_refuse_disturb_nobody(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < WORLDS / 3; i++) {
		struct world_config config =
			world_config_random(sim_seed() + 100 + i, 1, WORKERS_MAX);

		config.credits = 64;
		config.refusing = config.faulty = true;
		run(config);
	}
}

static void ports_come_and_go_under_load(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < WORLDS / 3; i++) {
		struct world_config config =
			world_config_random(sim_seed() + 200 + i, 2, WORKERS_MAX);

		config.churning = config.faulty = true;
		config.learning = i % 2;
		run(config);
	}
}

static int start(void **state)
{
	(void)state;
	return sim_start(1 + WORKERS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_lcores_keep_order_and_lose_nothing),
		cmocka_unit_test(peers_that_refuse_disturb_nobody),
		cmocka_unit_test(ports_come_and_go_under_load),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
