/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_UNIT_SLEEPER_H
#define WEFT_UNIT_SLEEPER_H

#include <stdbool.h>

/* Who would sleep at a port's descriptor, as lcores do. -1: it cannot be watched. To be closed. */
int sleeper_open(int fd);

/* True if it has been woken since the last call; waits for so long. */
bool sleeper_is_woken(int sleeper, int patience_ms);

#endif
