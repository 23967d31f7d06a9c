/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_PUBLISH_H
#define WEFT_PUBLISH_H

#include "control/control.h"

/* Builds tables of the control side's present state and publishes them; the old ones are freed
 * after a grace period. Main lcore. -1 and *error if there is no memory (the old ones stay). */
int publish_tables(struct control *control, struct error *error);

/* Whether packets are to be coalesced just now: the configuration has nothing against it, and some
 * container takes large segments. That comes and goes with the ports' peers. Main lcore. */
bool publish_coalesces(const struct control *control);

/* Frees tables; takes struct tables * (for deferred_add). */
void publish_free(void *tables);

#endif
