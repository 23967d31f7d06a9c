/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SECTION_NETWORK_H
#define WEFT_SECTION_NETWORK_H

#include <stdbool.h>

#include "base/address.h"
#include "stages/tunnel.h"

struct config;
struct network_config;

/* What packets to the network's VTEPs are wrapped in. */
enum tunnel_kind network_tunnel(const struct network_config *network);

/* By name; NULL if the file has none. */
const struct network_config *config_network(const struct config *config, const char *name);

/* Whether it is among the network's `vteps`. */
bool network_lists_vtep(const struct network_config *network, const struct address *vtep);

#endif
