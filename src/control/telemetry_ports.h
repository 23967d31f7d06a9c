/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_TELEMETRY_PORTS_H
#define WEFT_TELEMETRY_PORTS_H

#include "control/control.h"
#include "control/requests.h"

/*
 * The telemetry commands about ports; docs/commands.md says what is in their answers. Main lcore.
 */

/* Handlers; see requests.h. */
void telemetry_show_ports(struct control *control, struct request *request);
void telemetry_add_port(struct control *control, struct request *request);
void telemetry_delete_port(struct control *control, struct request *request);

#endif
