/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/net_namespace.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define WAITING "waiting for network namespace '%s'"
#define NAMES "/run/netns/" /* where `ip netns` has them */

/* ---- finding it ---- */

void netns_path(const char *netns, char path[NETNS_PATH_SIZE])
{
	snprintf(path, NETNS_PATH_SIZE, "%s%s", strchr(netns, '/') ? "" : NAMES, netns);
}

static bool is_missing(int error)
{
	return error == ENOENT || error == ENOTDIR;
}

static int check(int fd, const char *netns, struct netns_id *id, struct error *error)
{
	struct statfs system;
	struct stat status;

	if (fstat(fd, &status) != 0 || fstatfs(fd, &system) != 0)
		return error_set(error, "network namespace '%s': %s", netns, strerror(errno));
	if (S_ISREG(status.st_mode) && status.st_size == 0 && system.f_type != NSFS_MAGIC)
		return error_set(error, WAITING, netns);
	if (system.f_type != NSFS_MAGIC || ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return error_set(error, "this is no network namespace: '%s'", netns);
	*id = (struct netns_id){status.st_dev, status.st_ino};
	return 0;
}

/* Does not block, whatever is there. */
static int open_namespace(const char *netns, struct netns_id *id, struct error *error)
{
	char path[NETNS_PATH_SIZE] = "/proc/thread-self/ns/net";
	int fd;

	if (netns[0] != '\0')
		netns_path(netns, path);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && is_missing(errno))
		return error_set(error, WAITING, netns);
	if (fd < 0)
		return error_set(
			error, "cannot open network namespace '%s': %s", netns, strerror(errno));
	if (check(fd, netns, id, error) == 0)
		return fd;
	close(fd);
	return -1;
}

int netns_find(const char *netns, struct netns_id *id, struct error *error)
{
	int fd = open_namespace(netns, id, error);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

/* ---- devices on their way ---- */

void netns_passing_name(char name[IFNAMSIZ], uint16_t number)
{
	snprintf(name, IFNAMSIZ, "wf%d.%u", getpid(), number);
}

bool netns_is_passing(const char *name)
{
	int end = 0;

	return sscanf(name, "wf%*u.%*u%n", &end) == 0 && end > 0 && name[end] == '\0';
}

/* ---- moving a device (rtnetlink) ---- */

struct request {
	struct nlmsghdr header;
	union {
		struct ifinfomsg link;
		struct rtgenmsg general;
	};
	char attributes[64];
};

static void add_attribute(
	struct request *request, unsigned short type, const void *value, size_t size)
{
	struct rtattr *attribute =
		(void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(size);
	memcpy(RTA_DATA(attribute), value, size);
	request->header.nlmsg_len =
		NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
}

/* Sends the request and returns the kernel's errno, 0 for done. */
static int talk(const struct request *request)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char echoed[sizeof(*request)];
	} answer;
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int status;

	if (netlink < 0)
		return errno;
	if (send(netlink, request, request->header.nlmsg_len, 0) < 0 ||
		recv(netlink, &answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(int)))
		status = errno;
	else
		status = -answer.error.error;
	close(netlink);
	return status;
}

/* Kernels before 6.2 do not rename a device that is up. */
static void take_down(const char *device)
{
	const struct request request = {
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(request.link)),
			.nlmsg_type = RTM_NEWLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.link = {.ifi_family = AF_UNSPEC,
			.ifi_index = if_nametoindex(device),
			.ifi_change = IFF_UP},
	};

	talk(&request);
}

static int move(const char *device, int namespace, const char *name)
{
	struct request request = {
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(request.link)),
			.nlmsg_type = RTM_NEWLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.link = {.ifi_family = AF_UNSPEC, .ifi_index = if_nametoindex(device)},
	};

	add_attribute(&request, IFLA_NET_NS_FD, &namespace, sizeof(namespace));
	add_attribute(&request, IFLA_IFNAME, name, strlen(name) + 1);
	return talk(&request);
}

/* The kernel tells of a namespace's devices only where the namespace has a number. It keeps one
 * that it had. */
static void give_number(int namespace)
{
	const int any = -1;
	struct request request = {
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(request.general)),
			.nlmsg_type = RTM_NEWNSID,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.general = {.rtgen_family = AF_UNSPEC},
	};

	add_attribute(&request, NETNSA_NSID, &any, sizeof(any));
	add_attribute(&request, NETNSA_FD, &namespace, sizeof(namespace));
	talk(&request);
}

int netns_move(const char *device, const char *netns, const char *name, struct netns_id *id,
	struct error *error)
{
	int namespace = open_namespace(netns, id, error);
	int status;

	if (namespace < 0)
		return -1;
	if (netns[0] != '\0')
		give_number(namespace);
	take_down(device);
	status = move(device, namespace, name);
	close(namespace);
	if (status == 0)
		return 0;
	return error_set(error, "cannot make interface '%s' in the network namespace: %s", name,
		strerror(status));
}
