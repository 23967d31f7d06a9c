/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/run.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_lcore.h>

#include "control/check.h"
#include "control/control.h"
#include "control/eal_options.h"
#include "control/placement.h"
#include "control/report.h"
#include "control/requests.h"
#include "engine/dataplane.h"
#include "engine/lcore.h"

#define ROUND_MS 5 /* the main lcore looks for notices and timers this often */

/* ---- the lcores ---- */

static int find_workers(struct dataplane_config *config, struct error *error)
{
	unsigned int id;

	RTE_LCORE_FOREACH_WORKER(id)
	{
		if (config->n_lcores == LCORES_MAX)
			return error_set(error, "more than %d worker lcores", LCORES_MAX);
		config->lcore_ids[config->n_lcores++] = id;
	}
	if (config->n_lcores == 0)
		return error_set(error,
			"EAL has one lcore; weft needs a main lcore and a worker: -l 0,1, "
			"or --lcores '0@0,1@0' to share one core");
	return 0;
}

/* EAL has started. The workers there are, and whether the configuration names no others. */
static void find_lcores(
	const struct config *config, struct dataplane_config *dataplane, struct error_list *errors)
{
	struct workers workers = {.ids = dataplane->lcore_ids,
		.no_such = "is no worker lcore; EAL's -l or --lcores names them, and the first is "
			   "the main lcore"};
	struct error error;

	if (find_workers(dataplane, &error) != 0) {
		error_list_add(errors, 0, "%s", error.text);
		return;
	}
	workers.n = dataplane->n_lcores;
	check_lcores(config, &workers, errors);
}

void run_real_check(const struct config *config, int argc, char **argv, struct error_list *errors)
{
	struct dataplane_config settings = {0};
	struct eal_options eal;
	struct error error;
	char directory[PATH_MAX];

	if (eal_options_make_lcores(&eal, argc, argv, &error) != 0) {
		error_list_add(errors, 0, "%s", error.text);
		return;
	}
	if (rte_eal_init(eal.argc, eal.argv) < 0) {
		error_list_add(
			errors, 0, "EAL does not take these lcores (its lines above say why)");
	} else {
		find_lcores(config, &settings, errors);
		snprintf(directory, sizeof(directory), "%s", rte_eal_get_runtime_dir());
		rte_eal_cleanup();
		rmdir(directory);
	}
	eal_options_free(&eal);
}

/* ---- the main lcore's loop ---- */

struct request_taker {
	struct control *control;
	int wake_fd;
};

static void take_requests(void *argument)
{
	const struct request_taker *taker = argument;
	uint64_t count;

	(void)!read(taker->wake_fd, &count, sizeof(count));
	requests_poll(taker->control);
}

static void serve(struct control *control, const struct run_options *options)
{
	uint64_t due = options->stats_period;
	bool is_changing = false;

	while (!*options->signalled) {
		events_wait(control->events, is_changing ? 0 : ROUND_MS);
		is_changing = control_poll(control);
		if (options->stats_period > 0 && control_now_seconds(control) >= due) {
			report_ports(control);
			due = control_now_seconds(control) + options->stats_period;
		}
	}
}

/* ---- end ---- */

/* Shuts the doors, waits until every lcore has seen it, and lets them finish what is inside, which
 * takes a while where floods wait. */
static void drain(struct dataplane *dataplane)
{
	struct drain drain = {0};
	uint64_t token;

	__atomic_store_n(&dataplane->closing, true, __ATOMIC_RELAXED);
	token = rte_rcu_qsbr_start(dataplane->rcu);
	while (!rte_rcu_qsbr_check(dataplane->rcu, token, false))
		usleep(1000);
	while (dataplane_drains(dataplane, &drain) && !dataplane_is_drained(dataplane))
		usleep(1000);
	__atomic_store_n(&dataplane->stop, true, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
}

static int end(struct control *control)
{
	bool held;

	requests_close();
	drain(control->dataplane);
	report_ports(control);
	held = report_conservation(control);
	control_detach(control);
	held &= report_mbufs(control);
	return held ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the whole ---- */

static void launch(const struct dataplane *dataplane)
{
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		rte_eal_remote_launch(lcore_run, dataplane->lcores[i], dataplane->lcore_ids[i]);
	printf("weft: ready, mode %s, %u worker lcore%s\n", dataplane->plan->mode->name,
		dataplane->n_lcores, dataplane->n_lcores == 1 ? "" : "s");
	fflush(stdout);
}

static int run_dataplane(struct config *config, struct dataplane *dataplane,
	const struct run_options *options, struct error *error)
{
	struct control *control = control_create(config, dataplane, error);
	struct request_taker taker = {control, options->wake_fd};
	int status;

	if (control == NULL)
		return -1;
	if (events_add(control->events, options->wake_fd, take_requests, &taker) != 0) {
		error_set(error, "the main lcore cannot be woken (%s)", strerror(errno));
		control_free(control);
		return -1;
	}
	launch(dataplane);
	requests_open(options->wake);
	serve(control, options);
	status = end(control);
	control_free(control);
	return status;
}

static int take_lcores(const struct config *config, struct dataplane_config *dataplane)
{
	struct error_list errors = {.file = config->file};
	int status;

	find_lcores(config, dataplane, &errors);
	status = errors.n == 0 ? 0 : -1;
	error_list_print(&errors, "weft:", stderr);
	error_list_free(&errors);
	return status;
}

int run_real(struct config *config, const struct run_options *options, struct error *error)
{
	struct dataplane_config settings = {
		.clock = {.read = clock_tsc, .hz = rte_get_tsc_hz()},
		.credits = config->weft.credits,
		.sleeps = config->weft.sleeps,
	};
	struct dataplane *dataplane;
	int status;

	if (take_lcores(config, &settings) != 0)
		return EXIT_FAILURE;
	placement_plan(config, &settings);
	dataplane = dataplane_create(&settings, error);
	if (dataplane == NULL)
		return -1;
	status = run_dataplane(config, dataplane, options, error);
	dataplane_free(dataplane);
	return status;
}
