/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/events.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define HANDLED_MAX 256 /* in one events_wait() */

struct watch {
	int fd;
	event_handler handle;
	void *argument;
	struct watch *next;
};

struct events {
	int epoll;
	struct watch *first;
};

struct events *events_create(void)
{
	struct events *events = calloc(1, sizeof(*events));

	if (events == NULL)
		return NULL;
	events->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (events->epoll >= 0)
		return events;
	free(events);
	return NULL;
}

void events_free(struct events *events)
{
	if (events == NULL)
		return;
	for (struct watch *watch = events->first, *next; watch != NULL; watch = next) {
		next = watch->next;
		free(watch);
	}
	close(events->epoll);
	free(events);
}

int events_add(struct events *events, int fd, event_handler handle, void *argument)
{
	struct watch *watch = malloc(sizeof(*watch));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

	if (watch == NULL)
		return -1;
	*watch = (struct watch){fd, handle, argument, events->first};
	if (epoll_ctl(events->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		free(watch);
		return -1;
	}
	events->first = watch;
	return 0;
}

void events_remove(struct events *events, int fd)
{
	for (struct watch **link = &events->first; *link != NULL; link = &(*link)->next) {
		struct watch *watch = *link;

		if (watch->fd != fd)
			continue;
		epoll_ctl(events->epoll, EPOLL_CTL_DEL, fd, NULL);
		*link = watch->next;
		free(watch);
		return;
	}
}

/* One at a time: a handler may remove what else is ready. The kernel serves them in turn. */
void events_wait(struct events *events, int timeout_ms)
{
	struct epoll_event event;

	for (int i = 0; i < HANDLED_MAX; i++) {
		const struct watch *watch;

		if (epoll_wait(events->epoll, &event, 1, i == 0 ? timeout_ms : 0) != 1)
			return;
		watch = event.data.ptr;
		watch->handle(watch->argument);
	}
}
