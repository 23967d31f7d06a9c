/* SPDX-License-Identifier: BSD-3-Clause */
#include "sleeper.h"

#include <sys/epoll.h>
#include <unistd.h>

int sleeper_open(int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int sleeper = epoll_create1(EPOLL_CLOEXEC);

	if (epoll_ctl(sleeper, EPOLL_CTL_ADD, fd, &event) == 0)
		return sleeper;
	close(sleeper);
	return -1;
}

bool sleeper_is_woken(int sleeper, int patience_ms)
{
	struct epoll_event event;

	return epoll_wait(sleeper, &event, 1, patience_ms) == 1;
}
