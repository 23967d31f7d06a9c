/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtual/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/check.h"
#include "control/control.h"
#include "control/placement.h"
#include "control/report.h"
#include "control/requests.h"
#include "virtual/outside.h"
#include "virtual/result.h"

#define ROUNDS_PER_SECOND 200 /* of control work, as on real lcores */
#define SLICES_PER_SECOND 1000
#define WARM_UP_SLICES 3000
#define NS_PER_SECOND 1000000000

struct run {
	struct config *config;
	const struct run_options *options;
	const char *json; /* file for the results, or NULL */
	struct costs costs;
	struct outside outside;
	struct virtual_driver *driver;
	struct dataplane *dataplane;
	struct control *control;
	struct result result;
	uint32_t report_due; /* seconds */
};

/* ---- what the configuration names ---- */

/* A relative name begins where the configuration is; free() it. */
static char *name_costs(const struct config *config)
{
	const char *costs = virtual_settings(config)->costs, *slash = strrchr(config->file, '/');
	char *path;

	if (costs[0] == '/' || slash == NULL)
		return strdup(costs);
	return asprintf(&path, "%.*s/%s", (int)(slash - config->file), config->file, costs) < 0
		       ? NULL
		       : path;
}

static void add_costs_error(struct error_list *errors, const struct error_list *wrong, size_t i)
{
	char *text;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (stream == NULL)
		abort();
	error_list_print_line(wrong, i, stream);
	fclose(stream);
	error_list_add(errors, 0, "[virtual]: costs: %s", text);
	free(text);
}

static void read_costs(const struct config *config, struct costs *costs, struct error_list *errors)
{
	char *path = name_costs(config);
	struct error_list wrong = {.file = path};

	if (path == NULL)
		abort();
	costs_read(costs, &wrong);
	for (size_t i = 0; i < wrong.n; i++)
		add_costs_error(errors, &wrong, i);
	error_list_free(&wrong);
	free(path);
}

static void check_costs(const struct config *config, struct error_list *errors)
{
	struct costs costs;

	if (virtual_settings(config)->costs[0] != '\0')
		read_costs(config, &costs, errors);
	else
		error_list_add(errors, 0,
			"[virtual]: costs: is missing; --clock virtual needs the file that says "
			"what things cost (docs/virtual.md)");
}

static void check_virtual_lcores(const struct config *config, struct error_list *errors)
{
	unsigned int ids[LCORES_MAX];
	char no_such[96];
	const struct workers workers = {ids, virtual_settings(config)->lcores, no_such};

	snprintf(no_such, sizeof(no_such), "is no virtual lcore; [virtual] lcores makes %s%u",
		workers.n > 1 ? "1 to " : "", workers.n);
	for (uint16_t i = 0; i < workers.n; i++)
		ids[i] = virtual_lcore_id(i);
	check_lcores(config, &workers, errors);
}

void run_virtual_check(const struct config *config, struct error_list *errors)
{
	check_costs(config, errors);
	check_virtual_lcores(config, errors);
}

/* ---- building it up ---- */

static void control_round(void *argument)
{
	struct run *run = argument;

	requests_poll(run->control);
	control_poll(run->control);
}

static int make_driver(struct run *run, struct error *error)
{
	static const struct clock tsc = {.read = clock_tsc};
	const struct virtual_settings *settings = virtual_settings(run->config);
	const struct virtual_config config = {
		.costs = &run->costs,
		.measured = settings->measured ? &tsc : NULL,
		.order = settings->order,
		.seed = settings->seed,
		.control_period = run->costs.hz / ROUNDS_PER_SECOND,
		.control = control_round,
		.control_argument = run,
		.outside = outside_events(&run->outside),
	};

	run->driver = virtual_create(&config);
	if (run->driver == NULL)
		return error_set(error, "not enough memory");
	run->outside.devices.driver = run->driver;
	return 0;
}

static int make_dataplane(struct run *run, struct error *error)
{
	struct dataplane_config config = {
		.clock = virtual_clock(run->driver),
		.n_lcores = virtual_settings(run->config)->lcores,
		.credits = run->config->weft.credits,
	};

	for (uint16_t i = 0; i < config.n_lcores; i++)
		config.lcore_ids[i] = virtual_lcore_id(i);
	placement_plan(run->config, &config);
	run->dataplane = dataplane_create(&config, error);
	return run->dataplane == NULL ? -1 : 0;
}

/* Before anything runs: it would be a pity afterwards. */
static int check_json(const char *path, struct error *error)
{
	FILE *file = path == NULL ? NULL : fopen(path, "a");

	if (path != NULL && file == NULL)
		return error_set(error, "--json %s: %s", path, strerror(errno));
	if (file != NULL)
		fclose(file);
	return 0;
}

/* They were right when they were checked. */
static int read_checked_costs(struct run *run, struct error *error)
{
	struct error_list errors = {.file = run->config->file};
	int status = 0;

	read_costs(run->config, &run->costs, &errors);
	if (errors.n > 0)
		status = error_list_join(&errors, error);
	error_list_free(&errors);
	return status;
}

static int build(struct run *run, struct error *error)
{
	if (check_json(run->json, error) != 0)
		return -1;
	if (read_checked_costs(run, error) != 0)
		return -1;
	if (outside_create(&run->outside, run->config, &run->costs, error) != 0)
		return error_prefix(error, "%s: ", run->config->file);
	if (make_driver(run, error) != 0 || make_dataplane(run, error) != 0)
		return -1;
	devices_offer(&run->outside.devices);
	run->control = control_create(run->config, run->dataplane, error);
	if (run->control == NULL)
		return -1;
	run->result = (struct result){
		.outside = &run->outside,
		.dataplane = run->dataplane,
		.counters = virtual_counters(run->driver),
	};
	return 0;
}

static void tear_down(struct run *run)
{
	if (run->control != NULL)
		control_free(run->control);
	if (run->dataplane != NULL)
		dataplane_free(run->dataplane);
	outside_free(&run->outside);
	devices_offer(NULL);
	if (run->driver != NULL)
		virtual_free(run->driver);
}

/* ---- time ---- */

static bool is_interrupted(const struct run *run)
{
	return *run->options->signalled != 0;
}

static void report_now_and_then(struct run *run)
{
	uint32_t period = run->options->stats_period;

	if (period == 0 || control_now_seconds(run->control) < run->report_due)
		return;
	report_ports(run->control);
	run->report_due = control_now_seconds(run->control) + period;
}

static void run_slice(struct run *run, uint64_t until)
{
	uint64_t next = virtual_now(run->driver) + run->costs.hz / SLICES_PER_SECOND;

	virtual_run(run->driver, RTE_MIN(next, until));
	report_now_and_then(run);
}

static bool is_resolved(const struct control *control)
{
	if (control->dataplane->plan->mode->overlay == OVERLAY_NONE)
		return true;
	return neighbours_are_resolved(&control->neighbours) && !control->changed;
}

/* No traffic before weft knows its next hops. */
static void warm_up(struct run *run)
{
	for (int i = 0; i < WARM_UP_SLICES && !is_resolved(run->control) && !is_interrupted(run);
		i++)
		run_slice(run, UINT64_MAX);
}

static int send_traffic(struct run *run)
{
	uint64_t start = virtual_now(run->driver);
	uint64_t end = start + (unsigned __int128)virtual_settings(run->config)->ns *
				       run->costs.hz / NS_PER_SECOND;

	if (outside_start(&run->outside, start, end) != 0)
		return -1;
	result_begin(&run->result);
	while (virtual_now(run->driver) < end && !is_interrupted(run)) {
		run_slice(run, end);
		result_look(&run->result, virtual_now(run->driver));
	}
	result_end(&run->result);
	outside_stop(&run->outside, virtual_now(run->driver));
	return 0;
}

static bool is_empty(const struct run *run)
{
	return dataplane_is_drained(run->dataplane) && devices_are_empty(&run->outside.devices);
}

static void run_until_empty(struct run *run)
{
	struct drain drain = {0};

	while (dataplane_drains(run->dataplane, &drain) && !is_empty(run))
		run_slice(run, UINT64_MAX);
}

/* What is in the receive rings comes in, then the doors are shut as in a real run. */
static void drain(struct run *run)
{
	run_until_empty(run);
	__atomic_store_n(&run->dataplane->closing, true, __ATOMIC_RELAXED);
	run_until_empty(run);
}

/* ---- the whole ---- */

static bool check_balance(const struct run *run)
{
	struct conservation sum = dataplane_conservation(run->dataplane);
	struct balance balance = {
		.received = sum.received,
		.created = sum.created,
		.delivered = sum.delivered,
		.dropped = sum.dropped,
		.consumed = sum.consumed,
		.coalesced = sum.coalesced,
	};
	char text[256];

	for (uint16_t i = 0; i < run->outside.devices.n; i++) {
		balance.given += run->outside.devices.list[i].given;
		balance.taken += run->outside.devices.list[i].taken;
	}
	pools_count(&run->control->pools, &balance.mbufs, &balance.mbufs_free);
	if (balance_check(&balance, text, sizeof(text)))
		return true;
	printf("  account: %s\n", text);
	return false;
}

static int end(struct run *run, struct error *error)
{
	bool held;

	requests_close();
	drain(run);
	report_ports(run->control);
	held = report_conservation(run->control);
	virtual_release(run->driver);
	control_detach(run->control);
	held &= report_mbufs(run->control);
	held &= check_balance(run);
	held &= result_print(&run->result);
	fflush(stdout);
	if (run->json != NULL && result_write_json(&run->result, run->json, error) != 0)
		return -1;
	return held ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int perform(struct run *run, struct error *error)
{
	if (virtual_take(run->driver, run->dataplane) != 0)
		return error_set(error, "not enough memory; give EAL more (-m, huge pages)");
	printf("weft: ready, mode %s, %u virtual lcore%s\n", run->dataplane->plan->mode->name,
		run->dataplane->n_lcores, run->dataplane->n_lcores == 1 ? "" : "s");
	fflush(stdout);
	requests_open(run->options->wake);
	warm_up(run);
	if (send_traffic(run) != 0) {
		requests_close();
		virtual_release(run->driver);
		return error_set(error, "not enough memory for the flows");
	}
	return end(run, error);
}

int run_virtual(struct config *config, const struct run_options *options, const char *json,
	struct error *error)
{
	struct run *run = calloc(1, sizeof(*run));
	int status;

	if (run == NULL)
		return error_set(error, "not enough memory");
	run->config = config;
	run->options = options;
	run->json = json;
	run->report_due = options->stats_period;
	status = build(run, error);
	if (status == 0)
		status = perform(run, error);
	tear_down(run);
	free(run);
	return status;
}
