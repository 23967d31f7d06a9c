/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_KICK_H
#define WEFT_KICK_H

/* Makes the process ready to kick; returns -1 with errno. Main lcore; again is harmless. */
int kick_init(void);

/* Raises the interrupt of a peer's eventfd. Never blocks, whatever the peer does with its end.
 * Returns -1 if `event_fd` is no eventfd. Any thread. */
int kick(int event_fd);

#endif
