/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_NETNS_WATCH_H
#define WEFT_NETNS_WATCH_H

#include "base/error.h"
#include "base/events.h"

/*
 * Tells when it is worth while to look again at network namespaces and at devices in them. One for
 * all ports of the process; main lcore.
 */

/* The first opens it, the last closes it. -1 and *error: the kernel does not let weft watch. */
int netns_watch_open(struct events *events, struct error *error);
void netns_watch_close(void);

/* Watches for what `netns` names too, until it has come. To be called before one looks. */
void netns_watch(const char *netns);

/* Another number whenever something may have changed since. */
unsigned int netns_watch_changes(void);

#endif
