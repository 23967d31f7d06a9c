/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_NETNS_H
#define WEFT_NETNS_H

#include <stdbool.h>

#include "core/error.h"

/*
 * Network namespaces of containers: a name as `ip netns` knows it, or a path; empty is weft's own.
 * weft never keeps a descriptor or socket of a container's namespace open: that would keep the
 * namespace alive after the container. Main lcore.
 */

/* Moves a network device of weft's namespace into `netns` and calls it `name` there. It is down
 * afterwards. -1 and *error on failure: the device stays where it is. */
int netns_move(const char *device, const char *netns, const char *name, struct error *error);

/* Whether the namespace is there and has a device `name` that is up. */
bool netns_device_is_up(const char *netns, const char *name);

#endif
