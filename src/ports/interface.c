/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Uplinks at a network interface of the kernel's. What the data path uses, packet queues, is there
 * as long as the interface is: when that goes, the queues go, and one that later has the same name
 * is opened anew, under the Ethernet address that the uplink had from the first.
 *
 * The kernel tells of changes by netlink. What it tells is not read: it is asked afresh, so that no
 * message need be understood, and none is missed.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_malloc.h>

#include "base/counter.h"
#include "base/events.h"
#include "ports/packet_queue.h"
#include "ports/port.h"

#define DEFAULT_RING_SIZE 1024

/* What the kernel says of an interface. */
struct link {
	int index; /* 0: there is none */
	short flags;
	int mtu;	     /* as far as an uplink uses it */
	unsigned short type; /* ARPHRD_... */
	struct rte_ether_addr mac;
};

struct interface {
	bool up;	     /* main lcore: wo, others: ro (relaxed) */
	int netlink;	     /* tells when to look again */
	struct link link;    /* as last looked at */
	uint64_t look_again; /* TSC: if there are no queues, not before then */
	uint64_t missed;     /* of queues that are gone, and of others until they were asked */
	struct packet_queue *queues[]; /* main lcore: wo (release), owners: ro (acquire); or NULL */
};

/* ---- the data path ---- */

static uint16_t interface_receive(
	struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct interface *interface = port->driver;
	struct packet_queue *own = __atomic_load_n(&interface->queues[queue], __ATOMIC_ACQUIRE);

	return own == NULL ? 0 : packet_queue_receive(own, mbufs, n);
}

/* The kernel wakes whoever waits for the socket, always. */
static int interface_watch(struct port *port, uint16_t queue, bool on)
{
	const struct interface *interface = port->driver;
	const struct packet_queue *own =
		__atomic_load_n(&interface->queues[queue], __ATOMIC_ACQUIRE);

	(void)on;
	return own == NULL ? PORT_HAS_NO_PEER : packet_queue_descriptor(own);
}

static uint16_t interface_send(
	struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct interface *interface = port->driver;
	struct packet_queue *own = __atomic_load_n(&interface->queues[queue], __ATOMIC_ACQUIRE);

	return own == NULL ? 0 : packet_queue_send(own, mbufs, n);
}

static bool interface_too_big(struct port *port, uint16_t queue, const struct rte_mbuf *mbuf)
{
	struct interface *interface = port->driver;
	struct packet_queue *own = __atomic_load_n(&interface->queues[queue], __ATOMIC_ACQUIRE);

	(void)mbuf;
	return own != NULL && packet_queue_too_big(own);
}

static bool interface_is_up(const struct port *port)
{
	const struct interface *interface = port->driver;

	return __atomic_load_n(&interface->up, __ATOMIC_RELAXED);
}

/* ---- what the kernel says ---- */

/* Any socket does. */
static bool ask(int fd, struct ifreq *request, struct link *link)
{
	if (ioctl(fd, SIOCGIFINDEX, request) != 0)
		return false;
	link->index = request->ifr_ifindex;
	if (ioctl(fd, SIOCGIFMTU, request) != 0)
		return false;
	link->mtu = RTE_MIN(request->ifr_mtu, PORT_MTU_MAX);
	if (ioctl(fd, SIOCGIFHWADDR, request) != 0)
		return false;
	link->type = request->ifr_hwaddr.sa_family;
	memcpy(&link->mac, request->ifr_hwaddr.sa_data, sizeof(link->mac));
	if (ioctl(fd, SIOCGIFFLAGS, request) != 0)
		return false;
	link->flags = request->ifr_flags;
	return true;
}

static struct link look_at(const struct port *port)
{
	const struct interface *interface = port->driver;
	struct link link = {0};
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", port_interface(port));
	/* It may go between two questions. */
	if (!ask(interface->netlink, &request, &link))
		link = errno == ENODEV ? (struct link){0} : interface->link;
	return link;
}

static int watch_links(struct error *error)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	error_set(error, "interface: cannot watch it by netlink: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* ---- queues ---- */

static void close_all(struct interface *interface, struct packet_queue **queues, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		if (queues[i] == NULL)
			continue;
		interface->missed += packet_queue_missed(queues[i]);
		packet_queue_close(queues[i]);
	}
}

/* Takes them from lcores that may be using them. */
static void close_queues(struct port *port)
{
	struct interface *interface = port->driver;
	struct packet_queue *queues[PORT_QUEUES_MAX];

	memcpy(queues, interface->queues, port->n_queues * sizeof(queues[0]));
	for (uint16_t i = 0; i < port->n_queues; i++)
		__atomic_store_n(&interface->queues[i], NULL, __ATOMIC_RELEASE);
	port_quiesce(port);
	close_all(interface, queues, port->n_queues);
}

static int open_all(struct port *port, struct packet_queue **queues, struct error *error)
{
	struct interface *interface = port->driver;
	const struct link *link = &interface->link;
	struct packet_queue_settings settings = {
		.interface = link->index,
		.mtu = RTE_MAX(link->mtu, port->mtu),
		.slots = port->config.ring_size ? port->config.ring_size : DEFAULT_RING_SIZE,
		.mac = &port->mac,
		.shared = port->n_queues > 1,
		.pool = port->environment.pool,
		.socket_id = port->environment.socket_id,
	};

	for (uint16_t i = 0; i < port->n_queues; i++) {
		queues[i] = packet_queue_open(&settings, error);
		if (queues[i] == NULL)
			return -1;
		settings.first = queues[0];
	}
	return 0;
}

static int open_queues(struct port *port, struct error *error)
{
	struct interface *interface = port->driver;
	struct packet_queue *queues[PORT_QUEUES_MAX] = {NULL};

	if (open_all(port, queues, error) != 0) {
		close_all(interface, queues, port->n_queues);
		return -1;
	}
	for (uint16_t i = 0; i < port->n_queues; i++) {
		packet_queue_begin(queues[i]);
		__atomic_store_n(&interface->queues[i], queues[i], __ATOMIC_RELEASE);
	}
	return 0;
}

/* ---- changes ---- */

static void report(struct port *port)
{
	const struct interface *interface = port->driver;
	const struct link *link = &interface->link;
	const char *name = port_interface(port);

	if (link->index == 0)
		port_report(port, "there is no interface %s: waiting for it", name);
	else if (!(link->flags & IFF_UP))
		port_report(
			port, "interface %s is down; `ip link set %s up` takes it up", name, name);
	else if (!(link->flags & IFF_RUNNING))
		port_report(port, "interface %s has no link", name);
	else if (link->mtu < port->mtu)
		port_report(port,
			"interface %s is up, but its MTU is %d now and the uplink's %u: larger "
			"packets are lost",
			name, link->mtu, port->mtu);
	else
		port_report(port, "interface %s is up", name);
}

static bool is_up(const struct interface *interface)
{
	const short needed = IFF_UP | IFF_RUNNING;

	return interface->queues[0] != NULL && (interface->link.flags & needed) == needed;
}

static int check(const struct port *port, const struct link *link, struct error *error)
{
	if (link->index != 0 && link->type != ARPHRD_ETHER)
		return error_set(
			error, "interface: %s is no Ethernet device", port_interface(port));
	return 0;
}

/* Older kernels, such as Debian 12's, let sockets share only what is up. */
static bool can_open(const struct port *port, const struct link *link)
{
	return link->index != 0 && (port->n_queues == 1 || link->flags & IFF_UP);
}

/* Does as the interface is now. -1 and *error if it is there and cannot be used. */
static int follow(struct port *port, struct error *error)
{
	struct interface *interface = port->driver;
	struct link link = look_at(port);
	int status = 0;

	if (interface->queues[0] != NULL && !packet_queue_is_at(interface->queues[0], link.index))
		close_queues(port);
	interface->link = link;
	if (interface->queues[0] == NULL && can_open(port, &link)) {
		status = check(port, &link, error);
		if (status == 0)
			status = open_queues(port, error);
	}
	__atomic_store_n(&interface->up, is_up(interface), __ATOMIC_RELAXED);
	return status;
}

static void look_again(struct port *port)
{
	struct interface *interface = port->driver;
	struct error error;

	interface->look_again = rte_rdtsc() + rte_get_tsc_hz();
	if (follow(port, &error) != 0)
		port_report(port, "%s", error.text);
	else
		report(port);
}

/* Something about some interface has changed. */
static void heard(void *argument)
{
	struct port *port = argument;
	struct interface *interface = port->driver;
	char message[8192];

	while (recv(interface->netlink, message, sizeof(message), 0) >= 0 || errno == ENOBUFS)
		;
	look_again(port);
}

/* What kept queues from being opened, no memory or descriptors, may be over. */
static void interface_housekeep(struct port *port)
{
	const struct interface *interface = port->driver;

	if (interface->link.index != 0 && interface->queues[0] == NULL &&
		rte_rdtsc() >= interface->look_again)
		look_again(port);
}

/* ---- coming and going ---- */

/* From the interface, where the configuration says nothing. */
static int choose_address(struct port *port, const struct link *link, struct error *error)
{
	const char *name = port_interface(port);
	uint16_t mtu = port->config.mtu;

	if (link->index == 0 && rte_is_zero_ether_addr(&port->config.mac))
		return error_set(error,
			"interface: there is no '%s'; weft waits for it if the uplink has a `mac`",
			name);
	if (link->index != 0 && mtu > link->mtu)
		return error_set(error, "mtu: %s has %d; `ip link set %s mtu %u` makes it larger",
			name, link->mtu, name, mtu);
	port->mac = rte_is_zero_ether_addr(&port->config.mac) ? link->mac : port->config.mac;
	port->mtu = mtu != 0 ? mtu : link->index != 0 ? link->mtu : RTE_ETHER_MTU;
	return 0;
}

static void interface_detach(struct port *port)
{
	struct interface *interface = port->driver;

	events_remove(port->environment.events, interface->netlink);
	close(interface->netlink);
	close_all(interface, interface->queues, port->n_queues);
	rte_free(interface);
	port->driver = NULL;
}

static int begin(struct port *port, struct error *error)
{
	struct interface *interface = port->driver;

	/* Before the first look, so that no change is missed. */
	interface->netlink = watch_links(error);
	if (interface->netlink < 0)
		return -1;
	interface->link = look_at(port);
	if (choose_address(port, &interface->link, error) == 0 && follow(port, error) == 0)
		return 0;
	close(interface->netlink);
	return -1;
}

static int interface_attach(struct port *port, struct error *error)
{
	struct interface *interface = rte_zmalloc_socket("interface",
		sizeof(*interface) + port->n_queues * sizeof(interface->queues[0]),
		RTE_CACHE_LINE_SIZE, port->environment.socket_id);

	if (interface == NULL)
		return error_set(error, "no memory for the port; give EAL more (-m, huge pages)");
	port->driver = interface;
	if (begin(port, error) != 0) {
		rte_free(interface);
		port->driver = NULL;
		return -1;
	}
	if (events_add(port->environment.events, interface->netlink, heard, port) != 0) {
		error_set(error, "interface: cannot watch it: %s", strerror(errno));
		interface_detach(port);
		return -1;
	}
	report(port);
	return 0;
}

static uint64_t interface_missed(struct port *port)
{
	struct interface *interface = port->driver;

	for (uint16_t i = 0; i < port->n_queues; i++)
		if (interface->queues[i] != NULL)
			interface->missed += packet_queue_missed(interface->queues[i]);
	return interface->missed;
}

const struct port_ops interface_port_ops = {
	.type = "interface",
	.attach = interface_attach,
	.detach = interface_detach,
	.receive = interface_receive,
	.watch = interface_watch,
	.send = interface_send,
	.too_big = interface_too_big,
	.is_up = interface_is_up,
	.housekeep = interface_housekeep,
	.missed = interface_missed,
};
