/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_TELEMETRY_STEER_H
#define WEFT_TELEMETRY_STEER_H

#include <stdbool.h>
#include <stdint.h>

#include "control/control.h"
#include "control/requests.h"

/*
 * The telemetry commands about steering; docs/commands.md says what is in their answers. What
 * lcores count is read while they count, each number whole, but not all of one instant. Main lcore.
 */

/* Handlers; see requests.h. */
void steer_show(struct control *control, struct request *request);
void steer_show_gates(struct control *control, struct request *request);
void steer_show_stages(struct control *control, struct request *request);
void steer_show_groups(struct control *control, struct request *request);

/* Only what comes from uplinks is steered: bit i is set if the lcore of index i polls one. */
uint64_t steer_doors(const struct control *control);

/* The lcores that steered stages run on; bit i is index i. */
uint64_t steer_lcores(const struct steering *steering);

/* Whether packets from uplinks get to that stage otherwise than by going on inline. */
bool steer_is_steered(const struct plan *plan, int stage);

/* The lcores on which the plan lets a stage of the way from the uplinks run; bit i is index i. */
uint64_t steer_stage_lcores(const struct control *control, int stage);

#endif
