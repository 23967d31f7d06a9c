/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_TELEMETRY_LCORES_H
#define WEFT_TELEMETRY_LCORES_H

#include "control/control.h"
#include "control/requests.h"

/*
 * The telemetry commands about lcores, stages and drops, and whether all packets are accounted for;
 * docs/commands.md says what is in their answers. Main lcore.
 */

/* Handlers; see requests.h. */
void telemetry_show_lcores(struct control *control, struct request *request);
void telemetry_show_stages(struct control *control, struct request *request);
void telemetry_show_drops(struct control *control, struct request *request);
void telemetry_show_conservation(struct control *control, struct request *request);

#endif
