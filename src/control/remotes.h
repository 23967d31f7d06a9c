/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_REMOTES_H
#define WEFT_REMOTES_H

#include "control/control.h"

/* Remote VTEPs, one entry for each network they are in. Main lcore. */

int remotes_create(struct control *control, struct error *error);
void remotes_free(struct control *control);

/* A VTEP of a network; listed ones get what is flooded, others were only heard. */
int remote_add(struct control *control, uint16_t network, rte_be32_t address, bool listed,
	struct error *error);

#endif
