/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_WAKE_H
#define WEFT_WAKE_H

/*
 * What an lcore waits for that sleeps until a peer writes to an eventfd (watch of struct port_ops).
 *
 * A peer keeps its end of what it hands us, and may hand us anything. The kernel forgets a watched
 * file only when nobody has it open any more, so an lcore that watched the peer's file itself could
 * be woken by it for ever. And a file of another kind could keep an lcore waiting that only asks
 * what there is to be read. So an lcore watches a descriptor of our own, an epoll that has eventfds
 * in it, and forgets them all when this is closed. Nobody reads the eventfds: their flags are the
 * peer's, so that a read might wait.
 */

/* Adds an eventfd of the peer's to *wake, which is made if it is -1. Returns -1 if it is no
 * eventfd, or if there are no descriptors; *wake stays as it is. After kick_init(); control
 * threads. */
int wake_add(int *wake, int event_fd);

/* Does nothing if there is none. Sets it to -1. */
void wake_close(int *wake);

#endif
