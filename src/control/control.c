/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_lcore.h>
#include <rte_malloc.h>

#include "base/log.h"
#include "control/containers.h"
#include "control/mode.h"
#include "control/overlay.h"
#include "control/publish.h"
#include "control/solicit.h"
#include "engine/lcore.h"

#define NOTICE_BURST 64

/* ---- names and time ---- */

uint64_t control_now_ms(const struct control *control)
{
	const struct clock *clock = &control->dataplane->clock;

	return (clock_read(clock) - control->started) / (clock->hz / 1000);
}

uint32_t control_now_seconds(const struct control *control)
{
	return control_now_ms(control) / 1000;
}

/* ---- pools ---- */

static int make_pools(struct control *control, struct error *error)
{
	const struct weft_config *config = &control->config->weft;
	const struct dataplane *dataplane = control->dataplane;

	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		if (pools_add(&control->pools, rte_lcore_to_socket_id(dataplane->lcore_ids[i]),
			    config->mbufs, config->mbuf_size, error) != 0)
			return -1;
	return 0;
}

/* ---- from the configuration ---- */

static int add_uplinks(struct control *control, struct error *error)
{
	for (uint32_t i = 0; i < control->config->n_uplinks; i++)
		if (ports_add_uplink(&control->ports, &control->config->uplinks[i], error) != 0)
			return error_prefix(
				error, "[uplink %s]: ", control->config->uplinks[i].port.name);
	return 0;
}

static int add_networks(struct control *control, struct error *error)
{
	for (uint32_t i = 0; i < control->config->n_networks; i++)
		if (overlay_add_network(control, &control->config->networks[i], error) != 0)
			return error_prefix(
				error, "[network %s]: ", control->config->networks[i].name);
	return 0;
}

static int add_containers(struct control *control, struct error *error)
{
	for (uint32_t i = 0; i < control->config->n_containers; i++)
		if (containers_add(control, &control->config->containers[i], error) != 0)
			return error_prefix(
				error, "[port %s]: ", control->config->containers[i].port.name);
	return 0;
}

static int add_entries(struct control *control, struct error *error)
{
	for (uint32_t i = 0; i < control->config->n_fdb; i++)
		if (overlay_add_entry(control, &control->config->fdb[i], error) != 0)
			return error_prefix(error, "[fdb %s]: ", control->config->fdb[i].network);
	return 0;
}

static int make_events(struct control *control, struct error *error)
{
	control->events = events_create();
	if (control->events != NULL)
		return 0;
	return error_set(error, "no descriptors are left (%s)", strerror(errno));
}

static void set_up_ports(struct control *control)
{
	const struct dataplane *dataplane = control->dataplane;

	control->ports.setting = (struct ports_setting){
		.workers = {.ids = dataplane->lcore_ids,
			.n = dataplane->n_lcores,
			.no_such = "is no worker lcore; `weftctl show lcores` lists them"},
		.pools = &control->pools,
		.rcu = dataplane->rcu,
		.events = control->events,
		.sleeps = dataplane->sleeps};
}

static int build(struct control *control, struct error *error)
{
	if (make_events(control, error) != 0 || make_pools(control, error) != 0 ||
		networks_create(&control->networks, error) != 0 ||
		fdb_create(&control->fdb, control->config->weft.fdb_size, control->dataplane->rcu,
			error) != 0 ||
		remotes_create(&control->remotes, error) != 0)
		return -1;
	set_up_ports(control);
	if (add_uplinks(control, error) != 0 || add_networks(control, error) != 0 ||
		add_containers(control, error) != 0 || add_entries(control, error) != 0)
		return -1;
	return publish_tables(control, error);
}

struct control *control_create(
	struct config *config, struct dataplane *dataplane, struct error *error)
{
	struct control *control = calloc(1, sizeof(*control));

	if (control == NULL)
		abort();
	control->config = config;
	control->dataplane = dataplane;
	control->started = clock_read(&dataplane->clock);
	if (build(control, error) == 0)
		return control;
	error_prefix(error, "%s: ", config->file);
	control_free(control);
	return NULL;
}

void control_detach(struct control *control)
{
	deferred_run_all(&control->deferred);
	ports_remove_all(&control->ports);
}

void control_free(struct control *control)
{
	control_detach(control);
	if (control->dataplane->tables != NULL)
		publish_free(dataplane_publish(control->dataplane, NULL));
	remotes_free(&control->remotes);
	fdb_free(&control->fdb);
	networks_free(&control->networks);
	pools_free(&control->pools);
	events_free(control->events);
	free(control);
}

/* ---- the mode ---- */

static bool places_stages(const struct plan *plan)
{
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		if (plan->lcore[stage] != LCORE_INLINE)
			return true;
	return false;
}

static int check_change(const struct control *control, const struct mode *from,
	const struct mode *to, struct error *error)
{
	const struct mode *bare = to->overlay == OVERLAY_NONE ? to : from;

	if (bare->overlay == OVERLAY_NONE)
		return error_set(error,
			"mode %s has another MTU and other headers than mode %s; "
			"choose it when weft starts (--mode)",
			bare->name, bare == to ? from->name : to->name);
	if (to->receive == RECEIVE_BY_RIGHT && places_stages(control->dataplane->plan))
		return error_set(error,
			"in mode %s an lcore runs all stages of what it receives, and [pipeline] "
			"places stages; start weft without [pipeline]",
			to->name);
	if ((from->overlay != OVERLAY_BRIDGED || to->overlay != OVERLAY_BRIDGED) &&
		places_stages(control->dataplane->plan))
		return error_set(error,
			"modes %s and %s have different stages, and [pipeline] places stages, so "
			"that "
			"packets could overtake each other; choose the mode when weft starts "
			"(--mode)",
			from->name, to->name);
	return containers_fit_mode(control, to, error);
}

void control_retire_plan(struct control *control, struct plan *plan)
{
	if (plan == NULL)
		return;
	deferred_add(&control->deferred, rte_free, plan);
	control->changed = true; /* grace periods begin when tables are published */
}

static int set_plan(struct control *control, const struct mode *mode, struct error *error)
{
	struct plan plan, *old = control->dataplane->plan;

	plan_set(&plan, mode);
	memcpy(plan.lcore, old->lcore, sizeof(plan.lcore));
	if (dataplane_set_plan(control->dataplane, &plan, &old) != 0)
		return error_set(error, "not enough memory; give EAL more (-m, huge pages)");
	control_retire_plan(control, old);
	return 0;
}

int control_set_mode(struct control *control, const char *name, struct error *error)
{
	const struct mode *from = dataplane_last_plan(control->dataplane)->mode;
	const struct mode *to = config_mode(control->config, name, error);

	if (to == NULL || check_change(control, from, to, error) != 0)
		return -1;
	return set_plan(control, to, error);
}

/* ---- the round ---- */

/* All that is there now, but no more than a ring holds: an lcore may go on filling it. */
static void drain_lcore(struct control *control, struct rte_ring *ring)
{
	struct notice notices[NOTICE_BURST];
	unsigned int n;

	for (int i = 0; i < NOTICE_RING_SIZE / NOTICE_BURST; i++) {
		n = rte_ring_sc_dequeue_burst_elem(
			ring, notices, sizeof(notices[0]), NOTICE_BURST, NULL);
		for (unsigned int j = 0; j < n; j++)
			overlay_heard(control, &notices[j]);
		if (n < NOTICE_BURST)
			return;
	}
}

static void drain_notices(struct control *control)
{
	for (uint16_t i = 0; i < control->dataplane->n_lcores; i++)
		drain_lcore(control, control->dataplane->notices[i]);
}

/* Nobody needs a next hop where nothing is encapsulated. */
static void refresh_neighbours(struct control *control)
{
	if (control->dataplane->plan->mode->overlay != OVERLAY_NONE)
		control->changed |= neighbours_refresh(
			&control->neighbours, control_now_ms(control), solicit, control);
}

static bool change_plan(struct control *control)
{
	struct plan *old;
	bool is_changing = dataplane_change_plan(control->dataplane, &old);

	control_retire_plan(control, old);
	return is_changing;
}

bool control_poll(struct control *control)
{
	struct error error;
	bool is_changing = change_plan(control);

	__atomic_store_n(
		&control->dataplane->seconds, control_now_seconds(control), __ATOMIC_RELAXED);
	drain_notices(control);
	ports_housekeep(&control->ports);
	control->changed |= publish_coalesces(control) != control->dataplane->tables->coalesce;
	refresh_neighbours(control);
	fdb_age(&control->fdb, control_now_ms(control));
	if (control->changed && publish_tables(control, &error) != 0)
		RTE_LOG(ERR, weft, "changes wait: %s\n", error.text);
	deferred_run(&control->deferred, control->dataplane->rcu);
	return is_changing;
}
