/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_NETNS_H
#define WEFT_NETNS_H

#include "core/error.h"

/*
 * Puts the calling thread into a network namespace: a name as `ip netns` knows it, or a path.
 * Returns a descriptor of the namespace it was in, for netns_leave(); -1 and *error on failure.
 * An empty name stays where it is (and is left like any other).
 */
int netns_enter(const char *name, struct error *error);

/* Back to the namespace that netns_enter() returned; closes the descriptor. */
void netns_leave(int previous);

#endif
