/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/telemetry_ports.h"

#include <stdio.h>
#include <string.h>

#include "control/answer.h"
#include "control/containers.h"
#include "control/sections/port.h"

/* An answer holds 16 KB of JSON; these many rows fit. */
#define PORTS_PAGE 20

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
	answer_add_text(row, "network", networks_name(&control->networks, port->network));
	answer_add_mac(row, "mac", &port->mac);
	rte_tel_data_add_dict_u64(row, "mtu", port->mtu);
	rte_tel_data_add_dict_u64(row, "up", port->ops->is_up(port));
	answer_add_text(row, "status", status);
	add_owners(control, row, port);
	add_port_counters(row, port);
}

/* Page by page: the last parameter is the row to begin with, "next" in an answer the one to go on.
 */
void telemetry_show_ports(struct control *control, struct request *request)
{
	struct answer_list list = answer_start_list(request);

	for (uint32_t i = answer_first_row(request->parameters, PORTS_MAX); i < PORTS_MAX; i++) {
		if (control->ports.list[i] == NULL)
			continue;
		if (answer_is_full(&list, PORTS_PAGE, request, i))
			return;
		add_port(control, &list, control->ports.list[i]);
	}
}

/* ---- changes ---- */

/* "NAME,key=value,key=value" */
static int read_port(const struct control *control, const char *parameters,
	struct container_config *config, struct error *error)
{
	char name[PORT_NAME_SIZE];
	size_t length = strcspn(parameters, ",");

	if (length >= sizeof(name))
		return error_set(error, "port %.*s: a name has at most %zu characters", (int)length,
			parameters, sizeof(name) - 1);
	snprintf(name, sizeof(name), "%.*s", (int)length, parameters);
	parameters += length + (parameters[length] == ',');
	if (config_read_container(name, parameters, config, error) != 0)
		return -1;
	return containers_check(control, config, error);
}

void telemetry_add_port(struct control *control, struct request *request)
{
	struct container_config config;
	struct error error;

	if (read_port(control, request->parameters, &config, &error) != 0)
		return answer_error(request, &error);
	if (containers_add(control, &config, &error) != 0) {
		error_prefix(&error, "[port %s]: ", config.port.name);
		return answer_error(request, &error);
	}
	answer_done(request, "added", config.port.name);
}

void telemetry_delete_port(struct control *control, struct request *request)
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
