/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int open_namespace(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s", strchr(name, '/') ? "" : "/run/netns/", name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

int netns_enter(const char *name, struct error *error)
{
	int previous = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int wanted;

	if (previous < 0 || name[0] == '\0')
		return previous;
	wanted = open_namespace(name);
	if (wanted < 0 || setns(wanted, CLONE_NEWNET) != 0) {
		error_set(error,
			"netns: cannot enter network namespace '%s' (%s); `ip netns add %s` makes "
			"it",
			name, strerror(errno), name);
		if (wanted >= 0)
			close(wanted);
		close(previous);
		return -1;
	}
	close(wanted);
	return previous;
}

void netns_leave(int previous)
{
	/* Cannot fail: the namespace was ours a moment ago. */
	(void)setns(previous, CLONE_NEWNET);
	close(previous);
}
