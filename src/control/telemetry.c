/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/telemetry.h"

#include <stdio.h>
#include <string.h>

#include "control/answer.h"
#include "control/containers.h"
#include "control/overlay.h"
#include "control/requests.h"
#include "control/sections/fdb.h"
#include "control/sections/port.h"
#include "control/telemetry_elephants.h"
#include "control/telemetry_steer.h"
#include "control/value.h"
#include "engine/lcore.h"

/* An answer holds 16 KB of JSON; these many rows fit. */
#define PORTS_PAGE 20
#define NETWORKS_PAGE 32
#define FDB_PAGE 96
#define NEIGHBOURS_PAGE 96
#define LCORES_PAGE 64

static const char *network_name(const struct control *control, uint16_t network)
{
	return network == NETWORK_NONE ? "" : control->networks.list[network].config->name;
}

/* ---- show ---- */

static void add_port_counters(struct rte_tel_data *row, struct port *port)
{
	struct port_counters sum = port_count(port);

	rte_tel_data_add_dict_u64(row, "rx_packets", sum.rx_packets);
	rte_tel_data_add_dict_u64(row, "rx_bytes", sum.rx_bytes);
	rte_tel_data_add_dict_u64(row, "tx_packets", sum.tx_packets);
	rte_tel_data_add_dict_u64(row, "tx_bytes", sum.tx_bytes);
	rte_tel_data_add_dict_u64(row, "tx_refused", sum.tx_refused);
	rte_tel_data_add_dict_u64(row, "nic_missed", port_missed(port));
}

static void add_owners(
	const struct control *control, struct rte_tel_data *row, const struct port *port)
{
	char text[RTE_TEL_MAX_STRING_LEN] = "";

	for (uint16_t i = 0; i < port->n_queues; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u", i ? " " : "",
			control->dataplane->lcore_ids[port->queues[i].owner]);
	rte_tel_data_add_dict_u64(row, "queues", port->n_queues);
	rte_tel_data_add_dict_u64(row, "pairs", port->ops->is_up(port) ? port_pairs(port) : 0);
	answer_add_text(row, "owners", text);
}

static void add_port(const struct control *control, struct answer_list *list, struct port *port)
{
	struct rte_tel_data *row = answer_add_row(list);
	char status[PORT_STATUS_SIZE];

	port_status(port, status);
	answer_add_text(row, "name", port->config.name);
	answer_add_text(row, "role", port->uplink ? "uplink" : "container");
	answer_add_text(row, "type", port->config.type);
	answer_add_text(row, "network", network_name(control, port->network));
	answer_add_mac(row, "mac", &port->mac);
	rte_tel_data_add_dict_u64(row, "mtu", port->mtu);
	rte_tel_data_add_dict_u64(row, "up", port->ops->is_up(port));
	answer_add_text(row, "status", status);
	add_owners(control, row, port);
	add_port_counters(row, port);
}

/* Page by page: the last parameter is the row to begin with, "next" in an answer the one to go on.
 */
static void show_ports(struct control *control, struct request *request)
{
	struct answer_list list = answer_start_list(request);
	int rows = 0;

	for (uint32_t i = answer_first_row(request->parameters, PORTS_MAX); i < PORTS_MAX; i++) {
		if (control->ports.list[i] == NULL)
			continue;
		if (rows++ == PORTS_PAGE) {
			rte_tel_data_add_dict_u64(request->data, "next", i);
			return;
		}
		add_port(control, &list, control->ports.list[i]);
	}
}

static int64_t in_flight(const struct dataplane *dataplane, const struct lcore *lcore)
{
	int64_t n = counter_read(&lcore->counters.admitted);

	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		n -= counter_read(&dataplane->lcores[i]->finished[lcore->index]);
	return RTE_MAX(n, 0);
}

static void show_lcores(struct control *control, struct request *request)
{
	struct answer_list list = answer_start_list(request);
	uint64_t steering = steer_lcores(&control->dataplane->steering);

	for (uint16_t i = 0; i < control->dataplane->n_lcores; i++) {
		const struct lcore *lcore = control->dataplane->lcores[i];
		struct time_counters time = {
			.idle = counter_read(&lcore->counters.time.idle),
			.working = counter_read(&lcore->counters.time.working),
			.back_pressured = counter_read(&lcore->counters.time.back_pressured),
			.housekeeping = counter_read(&lcore->counters.time.housekeeping),
		};
		struct rte_tel_data *row = answer_add_row(&list);

		rte_tel_data_add_dict_u64(row, "lcore", lcore->id);
		rte_tel_data_add_dict_u64(row, "idle", time.idle);
		rte_tel_data_add_dict_u64(row, "working", time.working);
		rte_tel_data_add_dict_u64(row, "back_pressured", time.back_pressured);
		rte_tel_data_add_dict_u64(row, "housekeeping", time.housekeeping);
		rte_tel_data_add_dict_u64(row, "total",
			time.idle + time.working + time.back_pressured + time.housekeeping);
		rte_tel_data_add_dict_u64(row, "in_flight", in_flight(control->dataplane, lcore));
		rte_tel_data_add_dict_u64(
			row, "notices_lost", counter_read(&lcore->counters.notices_lost));
		rte_tel_data_add_dict_u64(row, "load", load_read(&lcore->load));
		rte_tel_data_add_dict_u64(row, "steering", steering >> i & 1);
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

static void add_stage(const struct control *control, struct answer_list *list, int stage)
{
	const struct dataplane *dataplane = control->dataplane;
	struct rte_tel_data *row = answer_add_row(list);
	struct stage_counters sum = {0};
	uint64_t drops = 0;

	for (uint16_t i = 0; i < dataplane->n_lcores; i++) {
		const struct stage_counters *counters =
			&dataplane->lcores[i]->counters.stages[stage];

		sum.bursts += counter_read(&counters->bursts);
		sum.packets += counter_read(&counters->packets);
		sum.cycles += counter_read(&counters->cycles);
	}
	for (unsigned int drop = 0; drop < STAGE_DROPS_MAX; drop++)
		drops += dataplane_drops(dataplane, drop_slot(stage, drop));
	answer_add_text(row, "name", stage_table[stage]->name);
	answer_add_lcores(row, "lcores", dataplane, stage_lcores(control, stage));
	rte_tel_data_add_dict_u64(row, "bursts", sum.bursts);
	rte_tel_data_add_dict_u64(row, "packets", sum.packets);
	rte_tel_data_add_dict_u64(row, "cycles", sum.cycles);
	rte_tel_data_add_dict_u64(row, "drops", drops);
}

static void show_stages(struct control *control, struct request *request)
{
	struct answer_list list = answer_start_list(request);

	for (int stage = 0; stage < STEP_COUNT; stage++)
		add_stage(control, &list, stage);
}

static void show_drops(struct control *control, struct request *request)
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

static void add_network(const struct control *control, struct answer_list *list, uint16_t index)
{
	const struct network_state *state = &control->networks.list[index];
	const struct fdb_network *fdb = &control->fdb.networks[index];
	const struct network_config *config = state->config;
	struct rte_tel_data *row = answer_add_row(list);

	answer_add_text(row, "name", config->name);
	rte_tel_data_add_dict_u64(row, "vni", config->vni);
	rte_tel_data_add_dict_u64(row, "udp_port", config->udp_port);
	answer_add_text(row, "uplink", control->ports.list[state->uplink]->config.name);
	rte_tel_data_add_dict_u64(row, "mtu", state->mtu);
	rte_tel_data_add_dict_u64(row, "ports", networks_count_ports(&control->networks, index));
	rte_tel_data_add_dict_u64(row, "vteps", config->n_vteps);
	rte_tel_data_add_dict_u64(row, "learning", config->learning);
	rte_tel_data_add_dict_u64(row, "ageing", config->ageing);
	rte_tel_data_add_dict_u64(row, "vtep_guard", config->vtep_guard);
	rte_tel_data_add_dict_u64(row, "source_guard", config->source_guard);
	rte_tel_data_add_dict_u64(row, "addresses", fdb->n_learned);
	rte_tel_data_add_dict_u64(row, "addresses_max", config->addresses);
	rte_tel_data_add_dict_u64(row, "refused", fdb->refused);
}

static void show_networks(struct control *control, struct request *request)
{
	struct answer_list list = answer_start_list(request);
	uint32_t first = answer_first_row(request->parameters, control->networks.n);

	for (uint32_t i = first; i < control->networks.n; i++) {
		if (i == first + NETWORKS_PAGE) {
			rte_tel_data_add_dict_u64(request->data, "next", i);
			return;
		}
		add_network(control, &list, i);
	}
}

static void add_entry(const struct control *control, struct answer_list *list, uint64_t key,
	const union fdb_value *value)
{
	struct rte_tel_data *row = answer_add_row(list);
	struct rte_ether_addr mac;

	memcpy(&mac, &key, sizeof(mac));
	answer_add_text(row, "network", network_name(control, key >> 48));
	answer_add_mac(row, "mac", &mac);
	if (place_is_remote(value->place)) {
		answer_add_address(row, "to",
			remotes_address(&control->remotes, value->place & ~PLACE_REMOTE));
	} else {
		answer_add_text(row, "to", control->ports.list[value->place]->config.name);
	}
	answer_add_text(row, "kind", value->fixed ? "static" : "learned");
	rte_tel_data_add_dict_u64(
		row, "age", value->fixed ? 0 : control_now_seconds(control) - value->heard);
}

/* "NETWORK", "NETWORK,NEXT" or ",NEXT". */
static void show_fdb(struct control *control, struct request *request)
{
	const char *comma = strchr(request->parameters, ',');
	size_t length = strcspn(request->parameters, ",");
	uint32_t next = comma != NULL ? answer_first_row(comma + 1, UINT32_MAX) : 0;
	struct answer_list list = answer_start_list(request);
	const void *key;
	union fdb_value value;
	int rows = 0;

	while (rte_hash_iterate(control->fdb.hash, &key, &value.word, &next) >= 0) {
		const char *name = network_name(control, *(const uint64_t *)key >> 48);

		if (length > 0 &&
			(strlen(name) != length || strncmp(name, request->parameters, length) != 0))
			continue;
		add_entry(control, &list, *(const uint64_t *)key, &value);
		if (++rows == FDB_PAGE) {
			rte_tel_data_add_dict_u64(request->data, "next", next);
			return;
		}
	}
}

static void show_neighbours(struct control *control, struct request *request)
{
	struct answer_list list = answer_start_list(request);
	uint32_t first = answer_first_row(request->parameters, control->neighbours.n);

	for (uint32_t i = first; i < control->neighbours.n; i++) {
		const struct neighbour *neighbour = &control->neighbours.list[i];
		struct rte_tel_data *row;

		if (i == first + NEIGHBOURS_PAGE) {
			rte_tel_data_add_dict_u64(request->data, "next", i);
			return;
		}
		row = answer_add_row(&list);
		answer_add_address(row, "address", &neighbour->address);
		answer_add_text(row, "uplink", control->ports.list[neighbour->uplink]->config.name);
		answer_add_mac(row, "mac", &neighbour->mac);
		answer_add_text(row, "state", neighbour_state_name(neighbour->state));
	}
}

static void show_conservation(struct control *control, struct request *request)
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

static void set_mode(struct control *control, struct request *request)
{
	const char *was = control->dataplane->plan->mode->name;
	struct error error;

	if (control_set_mode(control, request->parameters, &error) != 0)
		return answer_error(request, &error);
	rte_tel_data_start_dict(request->data);
	answer_add_text(request->data, "mode", control->dataplane->plan->mode->name);
	answer_add_text(request->data, "was", was);
}

static void show_mode(struct control *control, struct request *request)
{
	if (request->parameters[0] != '\0')
		return set_mode(control, request);
	rte_tel_data_start_dict(request->data);
	answer_add_text(request->data, "mode", control->dataplane->plan->mode->name);
	answer_add_text(request->data, "version", WEFT_VERSION);
	rte_tel_data_add_dict_u64(request->data, "uptime_ms", control_now_ms(control));
	rte_tel_data_add_dict_u64(request->data, "hz", control->dataplane->clock.hz);
}

/* ---- changes ---- */

static void port_add(struct control *control, struct request *request)
{
	struct container_config config;
	struct error error;
	char name[PORT_NAME_SIZE];
	size_t length = strcspn(request->parameters, ",");

	if (length >= sizeof(name)) {
		error_set(&error, "port %.*s: a name has at most %zu characters", (int)length,
			request->parameters, sizeof(name) - 1);
		return answer_error(request, &error);
	}
	snprintf(name, sizeof(name), "%.*s", (int)length, request->parameters);
	if (config_read_container(name,
		    request->parameters + length + (request->parameters[length] == ','), &config,
		    &error) != 0 ||
		containers_check(control, &config, &error) != 0)
		return answer_error(request, &error);
	if (containers_add(control, &config, &error) != 0) {
		error_prefix(&error, "[port %s]: ", name);
		return answer_error(request, &error);
	}
	answer_done(request, "added", name);
}

static void port_delete(struct control *control, struct request *request)
{
	struct error error;

	/* The answer waits until the port is gone, so that its socket can be used again at once. */
	request->later = true;
	answer_done(request, "deleted", request->parameters);
	if (containers_remove(control, request->parameters, request_done, request, &error) == 0)
		return;
	request->later = false;
	answer_error(request, &error);
}

/* Splits "a,b,c" in place; returns how many parts there are, at most n. */
static int split(char *text, char **parts, int n)
{
	int i = 0;

	while (i < n && text != NULL)
		parts[i++] = strsep(&text, ",");
	return i;
}

static void fdb_add(struct control *control, struct request *request)
{
	char copy[256], *parts[3];
	struct fdb_config entry;
	struct error error;

	snprintf(copy, sizeof(copy), "%s", request->parameters);
	if (split(copy, parts, 3) != 3)
		error_set(&error, "fdb add takes a network, an address and a VTEP or 'port NAME'");
	else if (config_read_fdb(parts[0], parts[1], parts[2], &entry, &error) == 0 &&
		 overlay_add_entry(control, &entry, &error) == 0)
		return answer_done(request, "added", parts[1]);
	answer_error(request, &error);
}

static bool is_port_mac(
	const struct control *control, uint16_t network, const struct rte_ether_addr *mac)
{
	for (uint16_t i = 0; i < PORTS_MAX; i++)
		if (control->ports.list[i] != NULL && control->ports.list[i]->network == network &&
			rte_is_same_ether_addr(&control->ports.list[i]->mac, mac))
			return true;
	return false;
}

static void fdb_del(struct control *control, struct request *request)
{
	char copy[256], *parts[2];
	struct rte_ether_addr mac;
	struct error error;
	uint16_t network;

	snprintf(copy, sizeof(copy), "%s", request->parameters);
	if (split(copy, parts, 2) != 2 || rte_ether_unformat_addr(parts[1], &mac) != 0) {
		error_set(&error, "fdb del takes a network and an Ethernet address such as "
				  "02:00:00:00:00:01");
		return answer_error(request, &error);
	}
	network = networks_find(&control->networks, parts[0]);
	if (network == NETWORK_NONE) {
		error_set(&error, "no network is called '%s'", parts[0]);
		return answer_error(request, &error);
	}
	if (is_port_mac(control, network, &mac)) {
		error_set(&error, "%s is a port's own address; `port del` removes both", parts[1]);
		return answer_error(request, &error);
	}
	if (fdb_delete(&control->fdb, network, &mac) != 0) {
		error_set(&error, "network %s has no address %s", parts[0], parts[1]);
		return answer_error(request, &error);
	}
	answer_done(request, "deleted", parts[1]);
}

/* ---- registration ---- */

static const struct command {
	const char *name;
	request_handler handler;
	const char *help;
} commands[] = {
	{"/weft/ports", show_ports, "Ports and their counters. Parameter: first port index"},
	{"/weft/lcores", show_lcores, "Where each lcore's cycles go, and its load, permille"},
	{"/weft/stages", show_stages, "Packets, cycles and drops of each stage"},
	{"/weft/drops", show_drops, "Drops by name. Parameter: all (those that are 0 too)"},
	{"/weft/networks", show_networks, "Networks. Parameter: first network"},
	{"/weft/fdb", show_fdb, "Where addresses are. Parameters: network, next"},
	{"/weft/neighbours", show_neighbours, "Next hops on the underlay. Parameter: first one"},
	{"/weft/conservation", show_conservation, "What went in and what became of it"},
	{"/weft/mode", show_mode, "Mode, version and time since start. Parameter: mode to go to"},
	{"/weft/steer", steer_show, "How flows are steered: policy, and moves of flow groups"},
	{"/weft/steer/gates", steer_show_gates, "Of each lcore that polls an uplink"},
	{"/weft/steer/stages", steer_show_stages, "Where the mode's steered stages may run"},
	{"/weft/steer/groups", steer_show_groups, "Flow groups. Parameter: first one"},
	{"/weft/elephants", elephants_show, "Flows that are split. Parameter: first one"},
	{"/weft/elephants/doors", elephants_show_doors, "Of each lcore that polls an uplink"},
	{"/weft/port/add", port_add, "Adds a container port. Parameters: name, key=value, ..."},
	{"/weft/port/del", port_delete, "Removes a container port. Parameter: name"},
	{"/weft/fdb/add", fdb_add,
		"Adds a static entry. Parameters: network, mac, VTEP or port NAME"},
	{"/weft/fdb/del", fdb_del, "Removes an entry. Parameters: network, mac"},
};

static int run_command(const char *name, const char *parameters, struct rte_tel_data *data)
{
	struct request request = {.parameters = parameters ? parameters : "", .data = data};

	for (size_t i = 0; i < RTE_DIM(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			request.handler = commands[i].handler;
	if (request_run(&request) != 0)
		answer_text(data, "error: weft is starting or ending");
	return 0;
}

void telemetry_register(void)
{
	for (size_t i = 0; i < RTE_DIM(commands); i++)
		rte_telemetry_register_cmd(commands[i].name, run_command, commands[i].help);
}
