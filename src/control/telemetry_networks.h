/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_TELEMETRY_NETWORKS_H
#define WEFT_TELEMETRY_NETWORKS_H

#include "control/control.h"
#include "control/requests.h"

/*
 * The telemetry commands about networks, their FDB, and next hops; docs/commands.md says what is in
 * their answers. Main lcore.
 */

/* Handlers; see requests.h. */
void telemetry_show_networks(struct control *control, struct request *request);
void telemetry_show_fdb(struct control *control, struct request *request);
void telemetry_show_neighbours(struct control *control, struct request *request);
void telemetry_add_entry(struct control *control, struct request *request);
void telemetry_delete_entry(struct control *control, struct request *request);

#endif
