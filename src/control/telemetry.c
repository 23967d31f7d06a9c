/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/telemetry.h"

#include <string.h>

#include "control/answer.h"
#include "control/requests.h"
#include "control/telemetry_elephants.h"
#include "control/telemetry_lcores.h"
#include "control/telemetry_networks.h"
#include "control/telemetry_ports.h"
#include "control/telemetry_steer.h"

/* ---- the mode ---- */

static void set_mode(struct control *control, struct request *request)
{
	const struct dataplane *dataplane = control->dataplane;
	const char *was = dataplane_last_plan(dataplane)->mode->name;
	struct error error;

	if (control_set_mode(control, request->parameters, &error) != 0)
		return answer_error(request, &error);
	rte_tel_data_start_dict(request->data);
	answer_add_text(request->data, "mode", dataplane_last_plan(dataplane)->mode->name);
	answer_add_text(request->data, "was", was);
}

static void show_mode(struct control *control, struct request *request)
{
	const struct dataplane *dataplane = control->dataplane;

	if (request->parameters[0] != '\0')
		return set_mode(control, request);
	rte_tel_data_start_dict(request->data);
	answer_add_text(request->data, "mode", dataplane->plan->mode->name);
	if (dataplane->next_plan != NULL)
		answer_add_text(request->data, "coming", dataplane->next_plan->mode->name);
	answer_add_text(request->data, "version", WEFT_VERSION);
	rte_tel_data_add_dict_u64(request->data, "uptime_ms", control_now_ms(control));
	rte_tel_data_add_dict_u64(request->data, "hz", control->dataplane->clock.hz);
}

/* ---- registration ---- */

static const struct command {
	const char *name;
	request_handler handler;
	const char *help;
} commands[] = {
	{"/weft/ports", telemetry_show_ports,
		"Ports and their counters. Parameter: first port index"},
	{"/weft/lcores", telemetry_show_lcores,
		"Where each lcore's cycles go, its load, permille, and which queues it serves. "
		"Parameter: first lcore"},
	{"/weft/stages", telemetry_show_stages, "Packets, cycles and drops of each stage"},
	{"/weft/drops", telemetry_show_drops,
		"Drops by name. Parameter: all (those that are 0 too)"},
	{"/weft/networks", telemetry_show_networks, "Networks. Parameter: first network"},
	{"/weft/fdb", telemetry_show_fdb, "Where addresses are. Parameters: network, next"},
	{"/weft/neighbours", telemetry_show_neighbours,
		"Next hops on the underlay. Parameter: first one"},
	{"/weft/conservation", telemetry_show_conservation, "What went in and what became of it"},
	{"/weft/mode", show_mode, "Mode, version and time since start. Parameter: mode to go to"},
	{"/weft/steer", steer_show, "How flows are steered: policy, and moves of flow groups"},
	{"/weft/steer/gates", steer_show_gates, "Of each lcore that polls an uplink"},
	{"/weft/steer/stages", steer_show_stages, "Where the mode's steered stages may run"},
	{"/weft/steer/groups", steer_show_groups, "Flow groups. Parameter: first one"},
	{"/weft/elephants", elephants_show, "Flows that are split. Parameter: first one"},
	{"/weft/elephants/doors", elephants_show_doors, "Of each lcore that polls an uplink"},
	{"/weft/port/add", telemetry_add_port,
		"Adds a container port. Parameters: name, key=value, ..."},
	{"/weft/port/del", telemetry_delete_port, "Removes a container port. Parameter: name"},
	{"/weft/fdb/add", telemetry_add_entry,
		"Adds a static entry. Parameters: network, mac, VTEP or port NAME"},
	{"/weft/fdb/del", telemetry_delete_entry, "Removes an entry. Parameters: network, mac"},
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
