/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_CONTAINERS_H
#define WEFT_CONTAINERS_H

#include "control/control.h"

/* Container ports coming and going, with their places and addresses. Main lcore. */

/* Whether a container port can be beside those that there are; -1 and all that is wrong in *error.
 */
int containers_check(
	const struct control *control, const struct container_config *config, struct error *error);

/* Attaches a container port that was checked, and gives its MAC a static entry in the FDB. The
 * tables are changed, not yet published. */
int containers_add(
	struct control *control, const struct container_config *config, struct error *error);

/* Takes a container port out; it is detached after a grace period, then done(argument) is called.
 */
int containers_remove(struct control *control, const char *name, deferred_function done,
	void *argument, struct error *error);

/* -1 and *error if there are more container ports than that mode can tell apart. */
int containers_fit_mode(
	const struct control *control, const struct mode *mode, struct error *error);

#endif
