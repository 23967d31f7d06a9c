/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_NETNS_H
#define WEFT_NETNS_H

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

/*
 * Network namespaces of containers: a name as `ip netns` knows it, or a path; empty is weft's own.
 * weft never keeps a descriptor or socket of a container's namespace open: that would keep the
 * namespace alive after the container. Main lcore.
 */

#define NETNS_PATH_SIZE (PATH_MAX + 16)

/* Where the file of a namespace is that is not weft's own. */
void netns_path(const char *netns, char path[NETNS_PATH_SIZE]);

/* What a device is called in weft's namespace until it is moved: no other weft has the name. */
void netns_passing_name(char name[IFNAMSIZ], uint16_t number);
/* Whether some weft calls a device so. */
bool netns_is_passing(const char *name);

/* Moves a network device of weft's namespace into `netns` and calls it `name` there. It is down
 * afterwards, and weft's namespace hears of what happens to devices there. -1 and *error on
 * failure: the device stays where it is. */
int netns_move(const char *device, const char *netns, const char *name, struct error *error);

/* Whether the namespace is there and has a device `name` that is up. */
bool netns_device_is_up(const char *netns, const char *name);

#endif
