/* SPDX-License-Identifier: BSD-3-Clause */
/* A run of bench-reorder: one system carries packets, on one lcore or on two. */
#include "reorder.h"

#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "fixture.h"
#include "rounds.h"

#define WARM_UP POOL
#define RUN (8u << 10) /* packets */

static const struct system *active;

/* ---- turns ---- */

/* The branches' lcore. */
static struct {
	uint32_t turn;
	bool stop;
	uint64_t busy; /* cycles of turns in which there was something to do */
} branches;

/* Each branch in turn; the slow one does a tenth of what the other one does. Where that has
 * nothing to do, time passes. */
static uint16_t serve_next(void)
{
	const struct scenario *scenario = the_run.scenario;
	uint16_t slow = scenario->n_branches - 1, n;
	uint32_t turn = branches.turn++;

	if (!scenario->slow)
		return active->serve(turn % scenario->n_branches);
	if (turn % SLOW_TURNS != SLOW_TURNS - 1) {
		n = active->serve(0);
		if (n > 0)
			return n;
		branches.turn = turn - turn % SLOW_TURNS + SLOW_TURNS;
	}
	return active->serve(slow);
}

static bool has_room(void)
{
	return the_run.in - the_run.out + FIXTURE_BURST <= the_run.window;
}

static void carry(uint64_t n)
{
	for (uint64_t until = the_run.out + n; the_run.out < until;) {
		while (has_room() && the_run.out < until)
			active->split(systems_next_burst(), FIXTURE_BURST);
		serve_next();
		active->merge();
	}
}

static void begin_run(enum kind kind, const struct scenario *scenario, bool written)
{
	uint64_t first = the_run.in; /* those that came last are in the caches */

	memset(&the_run, 0, sizeof(the_run));
	memset(&branches, 0, sizeof(branches));
	the_run.scenario = scenario;
	the_run.written = written;
	the_run.window = RTE_MAX(WINDOW_LEAST, 2 * scenario->n_branches * scenario->batch);
	the_run.pool = written ? POOL : PACKETS;
	the_run.in = the_run.out = first;
	active = &systems[kind];
	active->begin();
}

static void end_run(void)
{
	active->end();
	if (active->orders && the_run.out_of_order > 0)
		rte_exit(EXIT_FAILURE, "bench-reorder: %s, %s: packets come out of order\n",
			active->name, the_run.scenario->name);
}

static struct result run_alone(enum kind kind, const struct scenario *scenario, bool written)
{
	struct result result = {.pps = 0};
	uint64_t begin, out;

	begin_run(kind, scenario, written);
	carry(WARM_UP);
	out = the_run.out;
	begin = rte_rdtsc();
	carry(RUN);
	result.cycles = (double)(rte_rdtsc() - begin) / (the_run.out - out);
	while (the_run.out < the_run.in) {
		serve_next();
		active->merge();
	}
	end_run();
	return result;
}

/* ---- two lcores ---- */

static int be_branches(void *unused)
{
	while (!__atomic_load_n(&branches.stop, __ATOMIC_RELAXED)) {
		uint64_t begin = rte_rdtsc();

		if (serve_next() > 0)
			branches.busy += rte_rdtsc() - begin;
	}
	return unused != NULL;
}

/* Returns the cycles of turns in which there was something to do, without the source's. */
static uint64_t carry_over_there(uint64_t n)
{
	uint64_t busy = 0;

	for (uint64_t until = the_run.out + n; the_run.out < until;) {
		struct rte_mbuf **mbufs = has_room() ? systems_next_burst() : NULL;
		uint64_t begin = rte_rdtsc(), out = the_run.out;

		if (mbufs != NULL)
			active->split(mbufs, FIXTURE_BURST);
		active->merge();
		if (mbufs != NULL || the_run.out > out)
			busy += rte_rdtsc() - begin;
	}
	return busy;
}

static void stop_branches(void)
{
	while (the_run.out < the_run.in)
		active->merge();
	__atomic_store_n(&branches.stop, true, __ATOMIC_RELAXED);
	rte_eal_wait_lcore(rounds_partner);
}

static struct result run_over_there(enum kind kind, const struct scenario *scenario, bool written)
{
	struct result result;
	uint64_t begin, busy, out;

	begin_run(kind, scenario, written);
	rte_eal_remote_launch(be_branches, NULL, rounds_partner);
	carry_over_there(WARM_UP);
	out = the_run.out;
	busy = __atomic_load_n(&branches.busy, __ATOMIC_RELAXED);
	begin = rte_rdtsc();
	busy = carry_over_there(RUN) + __atomic_load_n(&branches.busy, __ATOMIC_RELAXED) - busy;
	result.pps = (double)(the_run.out - out) * rte_get_tsc_hz() / (rte_rdtsc() - begin);
	result.cycles = (double)busy / (the_run.out - out);
	stop_branches();
	end_run();
	return result;
}

/* ---- either ---- */

struct result run_once(enum kind kind, const struct scenario *scenario, bool written)
{
	return (kind < KINDS_ALONE ? run_alone : run_over_there)(kind, scenario, written);
}
