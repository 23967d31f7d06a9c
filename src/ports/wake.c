/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports/wake.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "ports/kick.h"

int wake_add(int *wake, int event_fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int own = *wake;

	if (event_fd < 0 || kick(event_fd) != 0)
		return -1;
	if (own < 0)
		own = epoll_create1(EPOLL_CLOEXEC);
	if (own >= 0 && epoll_ctl(own, EPOLL_CTL_ADD, event_fd, &event) == 0) {
		*wake = own;
		return 0;
	}
	if (own >= 0 && own != *wake)
		close(own);
	return -1;
}

void wake_close(int *wake)
{
	if (*wake >= 0)
		close(*wake);
	*wake = -1;
}
