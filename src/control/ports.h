/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_CONTROL_PORTS_H
#define WEFT_CONTROL_PORTS_H

#include "control/control.h"

/* Ports coming and going. Main lcore. */

/* Attaches uplink i of the configuration; it gets port index i. */
int ports_add_uplink(struct control *control, uint16_t i, struct error *error);

/* Whether a container port can be beside those that there are; -1 and all that is wrong in *error.
 */
int ports_check_container(
	const struct control *control, const struct container_config *config, struct error *error);

/* Attaches a container port that was checked, and gives its MAC a static entry in the FDB. The
 * tables are changed, not yet published. */
int ports_add_container(
	struct control *control, const struct container_config *config, struct error *error);

/* Takes a container port out; it is detached after a grace period, then done(argument) is called.
 */
int ports_remove(struct control *control, const char *name, deferred_function done, void *argument,
	struct error *error);

/* Detaches every port at once. No lcore runs. */
void ports_remove_all(struct control *control);

/* -1 and *error if there are more container ports than that mode can tell apart. */
int ports_fit_mode(const struct control *control, const char *mode, struct error *error);

/* Control work of the ports themselves. */
void ports_housekeep(struct control *control);

#endif
