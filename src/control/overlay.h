/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_OVERLAY_H
#define WEFT_OVERLAY_H

#include "control/control.h"
#include "stages/notice.h"

/* What of the overlay takes more than one owner. Main lcore. */

/* The network, with its VTEPs. The uplinks are there. */
int overlay_add_network(
	struct control *control, const struct network_config *config, struct error *error);

/* An entry as the configuration or `weftctl fdb add` gives it. */
int overlay_add_entry(struct control *control, const struct fdb_config *entry, struct error *error);

/* What the data path has heard. */
void overlay_heard(struct control *control, const struct notice *notice);

#endif
