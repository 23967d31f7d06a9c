/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SECTION_UPLINK_H
#define WEFT_SECTION_UPLINK_H

#include "base/address.h"
#include "base/error.h"

struct uplink_config;

/* The next hop to a VTEP: itself within the uplink's prefix, else the gateway. -1 and *error if
 * there is no way. */
int uplink_next_hop(const struct uplink_config *uplink, const struct address *vtep,
	struct address *next_hop, struct error *error);

#endif
