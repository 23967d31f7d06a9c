/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_BRIDGE_H
#define WEFT_BRIDGE_H

#include "stages/stage.h"

/* The bridge's exits: by them goes what the engine floods, too. */
enum bridge_exit {
	BRIDGE_LOCAL,  /* to a container port */
	BRIDGE_REMOTE, /* to a VTEP */
};

/* Drops of the engine's while it floods; the stage's own come after them. */
enum bridge_drop {
	BRIDGE_FLOOD_NOBODY,
	BRIDGE_FLOOD_REFUSED,
	BRIDGE_FLOOD_GONE,
	BRIDGE_DROPS,
};

#endif
