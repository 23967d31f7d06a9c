/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_TELEMETRY_ELEPHANTS_H
#define WEFT_TELEMETRY_ELEPHANTS_H

#include "control/control.h"
#include "control/requests.h"

/*
 * The telemetry commands about elephants; docs/commands.md says what is in their answers. What
 * lcores count is read while they count, each number whole, but not all of one instant. Main lcore.
 */

/* Handlers; see requests.h. */
void elephants_show(struct control *control, struct request *request);
void elephants_show_doors(struct control *control, struct request *request);

#endif
