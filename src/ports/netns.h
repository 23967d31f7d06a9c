/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_NETNS_H
#define WEFT_NETNS_H

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * Network namespaces of containers: a name as `ip netns` knows it, or a path; empty is weft's own.
 * weft never keeps a descriptor or socket of a container's namespace open: that would keep the
 * namespace alive after the container. Main lcore.
 */

#define NETNS_PATH_SIZE (PATH_MAX + 16)

/* Where the file of a namespace is that is not weft's own. */
void netns_path(const char *netns, char path[NETNS_PATH_SIZE]);

/* Tells namespaces apart that are there at the same time. */
struct netns_id {
	dev_t device;
	ino_t inode;
};

/* -1 and *error, which says that the namespace is waited for, or why there will be none. A file
 * that is empty is a name whose namespace `ip netns` is still making. */
int netns_find(const char *netns, struct netns_id *id, struct error *error);

static inline bool netns_is_same(const struct netns_id *one, const struct netns_id *other)
{
	return one->device == other->device && one->inode == other->inode;
}

/* What a device is called in weft's namespace until it is moved: no other weft has the name. */
void netns_passing_name(char name[IFNAMSIZ], uint16_t number);
/* Whether some weft calls a device so. */
bool netns_is_passing(const char *name);

/* Moves a network device of weft's namespace into `netns`, whose *id is set, and calls it `name`
 * there. It is down afterwards, and weft's namespace hears of what happens to devices there. -1 and
 * *error on failure: the device stays where it is. */
int netns_move(const char *device, const char *netns, const char *name, struct netns_id *id,
	struct error *error);

#endif
