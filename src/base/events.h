/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_EVENTS_H
#define WEFT_EVENTS_H

/*
 * What wakes the main lcore besides its rounds: sockets of peers, of the kernel, of requests. So
 * what somebody waits for is answered at once. Main lcore only.
 */
struct events;

typedef void (*event_handler)(void *argument);

/* NULL, with errno, if the kernel gives no more descriptors. Free with events_free(). */
struct events *events_create(void);
void events_free(struct events *events);

/* From now on handle(argument) is called in events_wait() whenever fd can be read or its other end
 * is gone, again and again until that is no longer so. The descriptor stays the caller's, and is in
 * here once at most. Returns -1, with errno, if it cannot be watched. */
int events_add(struct events *events, int fd, event_handler handle, void *argument);

/* Before the descriptor is closed. Harmless if it is not watched. Handlers may call this, also for
 * others' descriptors. */
void events_remove(struct events *events, int fd);

/* Sleeps until there is something to handle, at most `timeout_ms`; then handles what there is, but
 * no more than a round's worth, so that peers with much to say cannot keep the main lcore. */
void events_wait(struct events *events, int timeout_ms);

#endif
