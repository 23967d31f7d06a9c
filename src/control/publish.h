/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_PUBLISH_H
#define WEFT_PUBLISH_H

#include "control/control.h"

/* Builds tables of the control side's present state and publishes them; the old ones are freed
 * after a grace period. Main lcore. -1 and *error if there is no memory (the old ones stay). */
int publish_tables(struct control *control, struct error *error);

/* Frees tables; takes struct tables * (for deferred_add). */
void publish_free(void *tables);

#endif
