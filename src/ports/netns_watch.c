/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Three descriptors wake the main lcore, however many ports there are:
 *
 * netlink: devices come, go, are set up and down, in weft's namespace and in those that have a
 *   number there (netns_move() gives one). No socket is in a container's namespace: it would keep
 *   that alive. Of a namespace that ends the kernel says that its number is free, before it
 *   destroys the devices.
 * mounts: the name of a namespace is a file on which the namespace is mounted. `ip netns`, podman,
 *   Docker and CNI plugins make the file first, and mount a moment later.
 * inotify: a name may be a symbolic link, and its directory may be made late.
 *
 * What they say is not read (but for weft's own devices on their way, which would make it look for
 * ever): it is cheaper to look at the devices than to know whose they are, and nothing is missed
 * when a queue overflows.
 */
#include "ports/netns_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/netns.h"

static struct {
	unsigned int users;
	unsigned int changes;
	struct events *events;
	int netlink;
	int directories; /* inotify */
	int mounts;
	int mounts_changed; /* epoll: `mounts` itself can always be read */
} watch;

/* ---- devices ---- */

static bool is_of_passing_device(const struct nlmsghdr *header, size_t length)
{
	const struct ifinfomsg *link = NLMSG_DATA(header);
	const struct rtattr *attribute = IFLA_RTA(link);
	unsigned int left;

	if (!NLMSG_OK(header, length) ||
		(header->nlmsg_type != RTM_NEWLINK && header->nlmsg_type != RTM_DELLINK))
		return false;
	left = IFLA_PAYLOAD(header);
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == IFLA_IFNAME)
			return netns_is_passing(RTA_DATA(attribute));
	return false;
}

static void hear_devices(void *argument)
{
	union {
		struct nlmsghdr header;
		char bytes[16384];
	} message;
	ssize_t length = recv(watch.netlink, &message, sizeof(message), 0);

	(void)argument;
	if (length < 0 && errno != ENOBUFS)
		return;
	if (length < 0 || !is_of_passing_device(&message.header, length))
		watch.changes++;
}

static bool set_option(int option, int value)
{
	return setsockopt(watch.netlink, SOL_NETLINK, option, &value, sizeof(value)) == 0;
}

static int open_netlink(struct error *error)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};

	watch.netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	/* In this order: to bind is to leave groups. */
	if (watch.netlink >= 0 &&
		bind(watch.netlink, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		set_option(NETLINK_ADD_MEMBERSHIP, RTNLGRP_LINK) &&
		set_option(NETLINK_ADD_MEMBERSHIP, RTNLGRP_NSID) &&
		set_option(NETLINK_LISTEN_ALL_NSID, 1))
		return 0;
	return error_set(error,
		"cannot hear of network devices (netlink: %s); it takes CAP_NET_BROADCAST",
		strerror(errno));
}

/* ---- names ---- */

static void hear_directories(void *argument)
{
	char names[4096] __attribute__((aligned(8)));

	(void)argument;
	if (read(watch.directories, names, sizeof(names)) > 0)
		watch.changes++;
}

static void hear_mounts(void *argument)
{
	struct epoll_event event;

	(void)argument;
	/* What is asked for has been forgotten by the kernel since it woke us. */
	epoll_wait(watch.mounts_changed, &event, 1, 0);
	watch.changes++;
}

static int open_names(struct error *error)
{
	struct epoll_event event = {.events = EPOLLPRI};

	watch.directories = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch.directories < 0)
		return error_set(error,
			"cannot watch for network namespaces (inotify: %s); is "
			"fs.inotify.max_user_instances too small?",
			strerror(errno));
	watch.mounts = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
	watch.mounts_changed = epoll_create1(EPOLL_CLOEXEC);
	if (watch.mounts >= 0 && watch.mounts_changed >= 0 &&
		epoll_ctl(watch.mounts_changed, EPOLL_CTL_ADD, watch.mounts, &event) == 0)
		return 0;
	return error_set(error, "cannot watch for network namespaces (/proc/self/mounts: %s)",
		strerror(errno));
}

static bool watch_one(const char *directory, uint32_t once)
{
	return inotify_add_watch(watch.directories, directory,
		       IN_CREATE | IN_MOVED_TO | IN_ONLYDIR | once) >= 0;
}

/* The directory of `path`; while it is missing, the nearest one above, for once. */
static void watch_directory(char *path, uint32_t once)
{
	char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path) {
		watch_one(slash == NULL ? "." : "/", once);
		return;
	}
	*slash = '\0';
	if (!watch_one(path, once)) {
		watch_directory(path, IN_ONESHOT);
		/* It may have come just before. */
		watch_one(path, once);
	}
	*slash = '/';
}

void netns_watch(const char *netns)
{
	char path[NETNS_PATH_SIZE];

	if (netns[0] == '\0')
		return;
	netns_path(netns, path);
	watch_directory(path, 0);
}

/* ---- open and closed ---- */

static void close_one(int *fd)
{
	if (*fd < 0)
		return;
	events_remove(watch.events, *fd);
	close(*fd);
	*fd = -1;
}

static void close_all(void)
{
	close_one(&watch.netlink);
	close_one(&watch.directories);
	close_one(&watch.mounts_changed);
	close_one(&watch.mounts);
}

int netns_watch_open(struct events *events, struct error *error)
{
	if (watch.users > 0) {
		watch.users++;
		return 0;
	}
	watch.events = events;
	watch.netlink = watch.directories = watch.mounts = watch.mounts_changed = -1;
	if (open_netlink(error) != 0 || open_names(error) != 0) {
		close_all();
		return -1;
	}
	if (events_add(events, watch.netlink, hear_devices, NULL) != 0 ||
		events_add(events, watch.directories, hear_directories, NULL) != 0 ||
		events_add(events, watch.mounts_changed, hear_mounts, NULL) != 0) {
		error_set(error, "cannot watch for network namespaces: %s", strerror(errno));
		close_all();
		return -1;
	}
	watch.users = 1;
	return 0;
}

void netns_watch_close(void)
{
	if (--watch.users == 0)
		close_all();
}

unsigned int netns_watch_changes(void)
{
	return watch.changes;
}
