/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TAP ports: a device of the kernel's in a container's network namespace, whose frames weft reads
 * and writes. Each frame has a virtio header before it, by which the kernel takes a large TCP
 * segment as one packet; DPDK's own driver has no such header.
 *
 * The other way the kernel is promised nothing (TUNSETOFFLOAD is never called): what it hands us is
 * cut to the MTU and has whole checksums, made on the container's time and not on an lcore's.
 *
 * To look into a queue is a system call, even where there is nothing. An empty queue is therefore
 * left alone for a while, the longer the longer it has been empty, so that an lcore can serve many
 * containers that have little to say.
 *
 * The kernel destroys the device with its namespace. The port then waits for the namespace, as it
 * does for one that is not there yet, and makes the device again. What the name or path shows
 * counts: where it shows another namespace, the device in the old one, which processes may keep
 * alive, goes, and the new one gets a device; where it shows nothing, the device stays.
 *
 * Whenever netns_watch_changes() says so, the main lcore asks the kernel about the device, by its
 * first queue, so without entering the namespace. `device` is what the lcores see of it: published
 * with release when all of it is ready, taken back by storing NULL. What was taken back is
 * `retired`, and closed when every lcore has been quiescent once more. No other device is made
 * until then, so there is one of each.
 *
 * To make a device for nothing takes milliseconds, and a container can have it refused (the name is
 * taken) and cause any number of changes. So there is a second between two such attempts.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_tcp.h>

#include "base/frame.h"
#include "ports/large_segment.h"
#include "ports/netns.h"
#include "ports/netns_watch.h"
#include "ports/port.h"

#define PAUSE_MIN_US 10	 /* for a queue that has just been emptied */
#define PAUSE_MAX_US 160 /* and the longest one */
#define TRY_AGAIN_S 1
#define READ_SEGMENTS_MAX 32  /* the largest MTU in the smallest mbufs takes 26 */
#define WRITE_SEGMENTS_MAX 96 /* more than GRO ever puts into a large segment */

/* Used by the queue's owner only. */
struct tap_queue {
	uint64_t look_again;			   /* TSC: not before then */
	uint64_t pause;				   /* cycles from an empty queue to the next look */
	struct rte_mbuf *spare[READ_SEGMENTS_MAX]; /* for the next frame; NULL: used up */
} __rte_cache_aligned;

/* Made by main, read-only once lcores see it. */
struct tap_device {
	struct netns_id namespace; /* where it was put */
	int fds[PORT_QUEUES_MAX];  /* of its queues */
};

struct tap {
	struct tap_device *device; /* NULL: waiting; main: wo (release), lcores: ro (acquire) */
	bool up;		   /* main lcore: wo, others: ro (relaxed) */
	uint16_t n_segments;	   /* mbufs that are offered to a frame */
	uint64_t pause_min;	   /* cycles */
	uint64_t pause_max;
	/* Main lcore only. */
	struct tap_device *retired; /* was `device`; closed once no lcore can use it */
	uint64_t retired_token;
	unsigned int changes; /* netns_watch_changes() at the last look */
	uint64_t try_again;   /* TSC: without a device, at the latest then */
	bool refused;	      /* and not before, whatever changes */
	struct tap_queue queues[];
};

/* Once a burst. NULL: there is none. */
static const struct tap_device *device_of(const struct tap *tap)
{
	return __atomic_load_n(&tap->device, __ATOMIC_ACQUIRE);
}

/* ---- from the kernel ---- */

static bool refill(struct tap_queue *queue, struct rte_mempool *pool, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		if (queue->spare[i] == NULL)
			queue->spare[i] = rte_pktmbuf_alloc(pool);
		if (queue->spare[i] == NULL)
			return false;
	}
	return true;
}

/* Makes a packet of as many spare mbufs as `length` bytes fill. */
static struct rte_mbuf *take_spare(struct tap_queue *queue, uint32_t length)
{
	struct rte_mbuf *head = queue->spare[0];
	struct rte_mbuf **link = &head;
	uint16_t n = 0;

	head->pkt_len = length;
	do {
		struct rte_mbuf *segment = queue->spare[n];

		queue->spare[n++] = NULL;
		segment->data_len = RTE_MIN(length, (uint32_t)rte_pktmbuf_tailroom(segment));
		length -= segment->data_len;
		*link = segment;
		link = &segment->next;
	} while (length > 0);
	head->nb_segs = n;
	return head;
}

/* The next frame, or NULL: there is none, there are no mbufs, or the device is gone. A frame that
 * is too long for any stage to let it pass is cut. */
static struct rte_mbuf *read_frame(
	int fd, struct tap_queue *queue, struct rte_mempool *pool, uint16_t n_segments)
{
	struct virtio_net_hdr header;
	struct iovec parts[1 + READ_SEGMENTS_MAX];
	ssize_t length;

	if (!refill(queue, pool, n_segments))
		return NULL;
	parts[0] = (struct iovec){&header, sizeof(header)};
	for (uint16_t i = 0; i < n_segments; i++)
		parts[1 + i] = (struct iovec){rte_pktmbuf_mtod(queue->spare[i], void *),
			rte_pktmbuf_tailroom(queue->spare[i])};
	length = readv(fd, parts, 1 + n_segments);
	if (length < (ssize_t)sizeof(header))
		return NULL;
	return take_spare(queue, length - sizeof(header));
}

/* When to look again, after `received` of at most `n` frames. */
static void choose_pause(
	const struct tap *tap, struct tap_queue *queue, uint64_t now, uint16_t received, uint16_t n)
{
	if (received > 0)
		queue->pause = tap->pause_min;
	else
		queue->pause = RTE_MIN(2 * queue->pause, tap->pause_max);
	queue->look_again = received == n ? now : now + queue->pause;
}

static uint16_t tap_receive(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct tap *tap = port->driver;
	struct tap_queue *own = &tap->queues[queue];
	const struct tap_device *device;
	uint64_t now = rte_rdtsc();
	uint16_t received = 0;

	if (now < own->look_again)
		return 0;
	device = device_of(tap);
	if (device == NULL)
		return 0;
	while (received < n) {
		mbufs[received] = read_frame(
			device->fds[queue], own, port->environment.pool, tap->n_segments);
		if (mbufs[received] == NULL)
			break;
		received++;
	}
	choose_pause(tap, own, now, received, n);
	return received;
}

/* Who goes to sleep, or wakes, looks at once. */
static int tap_watch(struct port *port, uint16_t queue, bool on)
{
	struct tap *tap = port->driver;
	const struct tap_device *device = device_of(tap);

	(void)on;
	tap->queues[queue].look_again = 0;
	tap->queues[queue].pause = tap->pause_min;
	return device == NULL ? PORT_HAS_NO_PEER : device->fds[queue];
}

/* ---- to the kernel ---- */

/* Says to the kernel what a large segment is (virtio 1.2, 5.1.6). */
static void describe(struct rte_mbuf *mbuf, struct virtio_net_hdr *header)
{
	uint16_t start = mbuf->l2_len + mbuf->l3_len;

	header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header->gso_type = mbuf->ol_flags & RTE_MBUF_F_TX_IPV4 ? VIRTIO_NET_HDR_GSO_TCPV4
							       : VIRTIO_NET_HDR_GSO_TCPV6;
	header->gso_size = mbuf->tso_segsz;
	header->hdr_len = start + mbuf->l4_len;
	header->csum_start = start;
	header->csum_offset = offsetof(struct rte_tcp_hdr, cksum);
}

/* Larger than any stage lets pass, if it is not in tiny pieces. */
static bool tap_too_big(struct port *port, uint16_t queue, const struct rte_mbuf *mbuf)
{
	(void)port;
	(void)queue;
	return mbuf->nb_segs > WRITE_SEGMENTS_MAX;
}

/* False if the kernel does not take it: the device is down or gone, or memory is short. */
static bool write_frame(int fd, struct rte_mbuf *mbuf)
{
	struct virtio_net_hdr header = {0};
	struct iovec parts[1 + WRITE_SEGMENTS_MAX];
	int n = 1;

	if (unlikely(mbuf->nb_segs > WRITE_SEGMENTS_MAX))
		return false;
	if (large_segment_is(mbuf)) {
		large_segment_for_virtio(mbuf);
		describe(mbuf, &header);
	}
	parts[0] = (struct iovec){&header, sizeof(header)};
	for (struct rte_mbuf *segment = mbuf; segment != NULL; segment = segment->next)
		parts[n++] = (struct iovec){rte_pktmbuf_mtod(segment, void *), segment->data_len};
	return writev(fd, parts, n) == (ssize_t)(sizeof(header) + mbuf->pkt_len);
}

static uint16_t tap_send(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct tap *tap = port->driver;
	struct tap_queue *own = &tap->queues[queue];
	const struct tap_device *device = device_of(tap);
	uint16_t sent = 0;

	if (device == NULL)
		return 0;
	while (sent < n && write_frame(device->fds[queue], mbufs[sent]))
		sent++;
	rte_pktmbuf_free_bulk(mbufs, sent);
	/* The kernel works on a frame before the call returns: an answer may be there already. */
	own->look_again = 0;
	return sent;
}

/* ---- making a device (main lcore, as all that follows) ---- */

/* The kernel's device goes with the last of its queues, wherever it is. */
static void device_free(struct tap_device *device)
{
	if (device == NULL)
		return;
	for (uint16_t i = 0; i < PORT_QUEUES_MAX; i++)
		if (device->fds[i] >= 0)
			close(device->fds[i]);
	rte_free(device);
}

/* A queue of the device `name`, which the first one makes. */
static int open_queue(const struct port *port, const char *name, struct error *error)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return error_set(error,
			"type: tap needs /dev/net/tun (%s); `modprobe tun` makes it",
			strerror(errno));
	if (port->n_queues > 1)
		request.ifr_flags |= IFF_MULTI_QUEUE;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request) == 0)
		return fd;
	error_set(error,
		"type: cannot make a TAP device with %u queues (%s); it takes CAP_NET_ADMIN",
		port->n_queues, strerror(errno));
	close(fd);
	return -1;
}

static int open_queues(
	const struct port *port, struct tap_device *device, const char *name, struct error *error)
{
	for (uint16_t i = 0; i < port->n_queues; i++) {
		device->fds[i] = open_queue(port, name, error);
		if (device->fds[i] < 0)
			return -1;
	}
	return 0;
}

static int set_address(int control, const struct port *port, struct ifreq *request)
{
	request->ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(request->ifr_hwaddr.sa_data, &port->config.mac, sizeof(port->config.mac));
	return ioctl(control, SIOCSIFHWADDR, request);
}

static int set_mtu(int control, const struct port *port, struct ifreq *request)
{
	request->ifr_mtu = port->mtu;
	return ioctl(control, SIOCSIFMTU, request);
}

static int configure(const struct port *port, const char *name, struct error *error)
{
	int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};
	int status = 0;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (set_address(control, port, &request) != 0)
		status = error_set(error, "mac: the device does not take it: %s", strerror(errno));
	else if (set_mtu(control, port, &request) != 0)
		status = error_set(
			error, "mtu: the device does not take %u: %s", port->mtu, strerror(errno));
	close(control);
	return status;
}

/* In weft's namespace, called `name`. */
static struct tap_device *device_create(
	const struct port *port, const char *name, struct error *error)
{
	struct tap_device *device = rte_zmalloc_socket(
		"tap device", sizeof(*device), RTE_CACHE_LINE_SIZE, port->environment.socket_id);

	if (device == NULL) {
		error_set(error, "no memory for the port; give EAL more (-m, huge pages)");
		return NULL;
	}
	for (uint16_t i = 0; i < PORT_QUEUES_MAX; i++)
		device->fds[i] = -1;
	if (open_queues(port, device, name, error) == 0 && configure(port, name, error) == 0)
		return device;
	device_free(device);
	return NULL;
}

/* The device is made here and moved afterwards: queues that were opened in the container's
 * namespace would keep the namespace alive when the container is gone. Returns -1 if there can be
 * no device; it is no error that the namespace does not take it (yet). */
static int make_device(struct port *port, struct error *error)
{
	struct tap *tap = port->driver;
	struct tap_device *device;
	struct error refusal;
	char name[IFNAMSIZ];

	netns_passing_name(name, port->index);
	device = device_create(port, name, error);
	if (device == NULL)
		return -1;
	if (netns_move(name, port->config.netns, port_interface(port), &device->namespace,
		    &refusal) == 0) {
		__atomic_store_n(&tap->device, device, __ATOMIC_RELEASE);
		port_report(port, "interface '%s' is down", port_interface(port));
		return 0;
	}
	device_free(device);
	port_report(port, "%s", refusal.text);
	return 0;
}

/* ---- looking at it ---- */

/* NULL, or why the port needs another device. */
static const char *what_is_wrong(const struct port *port, const struct tap_device *device)
{
	int namespace = ioctl(device->fds[0], TUNGETDEVNETNS);
	struct netns_id shown;
	struct error none;

	if (namespace < 0 && errno == EBADFD)
		return "its interface was deleted";
	if (namespace < 0 && errno == EINVAL)
		return "its network namespace is gone";
	if (namespace >= 0)
		close(namespace);
	if (netns_find(port->config.netns, &shown, &none) == 0 &&
		!netns_is_same(&shown, &device->namespace))
		return "its network namespace is another one now";
	return NULL;
}

static void set_up(struct port *port, bool up)
{
	struct tap *tap = port->driver;

	__atomic_store_n(&tap->up, up, __ATOMIC_RELAXED);
	port_report(port, "interface '%s' is %s", port_interface(port), up ? "up" : "down");
}

/* Who sends and finds no device finds the port down. */
static void retire_device(struct port *port, const char *why)
{
	struct tap *tap = port->driver;

	port_report(port, "%s", why);
	tap->retired = tap->device;
	__atomic_store_n(&tap->up, false, __ATOMIC_RELAXED);
	__atomic_store_n(&tap->device, NULL, __ATOMIC_RELEASE);
	tap->retired_token = rte_rcu_qsbr_start(port->environment.rcu);
}

static void look_at_device(struct port *port, const struct tap_device *device)
{
	struct pollfd queue = {.fd = device->fds[0], .events = POLLOUT};
	const char *why = what_is_wrong(port, device);

	if (why != NULL)
		retire_device(port, why);
	else if (poll(&queue, 1, 0) >= 0) /* it takes frames while it is up */
		set_up(port, queue.revents & POLLOUT);
}

static void look_for_namespace(struct port *port)
{
	struct tap *tap = port->driver;
	struct netns_id id;
	struct error error;
	bool is_there = netns_find(port->config.netns, &id, &error) == 0;

	if (!is_there || make_device(port, &error) != 0)
		port_report(port, "%s", error.text);
	tap->refused = is_there && tap->device == NULL;
	tap->try_again = rte_rdtsc() + TRY_AGAIN_S * rte_get_tsc_hz();
}

static void look(struct port *port)
{
	struct tap *tap = port->driver;

	tap->changes = netns_watch_changes();
	netns_watch(port->config.netns);
	if (tap->device != NULL)
		look_at_device(port, tap->device);
	else
		look_for_namespace(port);
}

static bool is_time_to_look(const struct tap *tap)
{
	if (tap->device == NULL && rte_rdtsc() >= tap->try_again)
		return true;
	return tap->changes != netns_watch_changes() && !tap->refused;
}

static void tap_housekeep(struct port *port)
{
	struct tap *tap = port->driver;

	if (tap->retired != NULL) {
		if (rte_rcu_qsbr_check(port->environment.rcu, tap->retired_token, false) != 1)
			return;
		device_free(tap->retired);
		tap->retired = NULL;
		look(port);
	} else if (is_time_to_look(tap)) {
		look(port);
	}
}

static bool tap_is_up(const struct port *port)
{
	const struct tap *tap = port->driver;

	return __atomic_load_n(&tap->up, __ATOMIC_RELAXED);
}

/* ---- the port ---- */

/* Mbufs for the largest frame that any stage lets pass, and a byte more, so that a longer one is
 * seen to be longer. */
static uint16_t segments_of_frame(const struct port *port)
{
	uint32_t room = rte_pktmbuf_data_room_size(port->environment.pool) - RTE_PKTMBUF_HEADROOM;
	uint32_t length = port->mtu + RTE_ETHER_HDR_LEN +
			  FRAME_VLAN_TAGS_MAX * sizeof(struct rte_vlan_hdr) + 1;

	return RTE_MIN((length + room - 1) / room, (uint32_t)READ_SEGMENTS_MAX);
}

static struct tap *make_tap(const struct port *port)
{
	uint64_t cycles_per_us = rte_get_tsc_hz() / US_PER_S;
	struct tap *tap =
		rte_zmalloc_socket("tap", sizeof(*tap) + port->n_queues * sizeof(tap->queues[0]),
			RTE_CACHE_LINE_SIZE, port->environment.socket_id);

	if (tap == NULL)
		return NULL;
	tap->n_segments = segments_of_frame(port);
	tap->pause_min = PAUSE_MIN_US * cycles_per_us;
	tap->pause_max = PAUSE_MAX_US * cycles_per_us;
	for (uint16_t i = 0; i < port->n_queues; i++)
		tap->queues[i].pause = tap->pause_min;
	return tap;
}

static void tap_detach(struct port *port)
{
	struct tap *tap = port->driver;

	device_free(tap->device);
	device_free(tap->retired);
	netns_watch_close();
	for (uint16_t i = 0; i < port->n_queues; i++)
		rte_pktmbuf_free_bulk(tap->queues[i].spare, tap->n_segments);
	rte_free(tap);
	port->driver = NULL;
}

/* The watch begins before the device is made, so that all that happens to it is heard. */
static int tap_attach(struct port *port, struct error *error)
{
	struct tap *tap;

	port->mtu = port->config.mtu ? port->config.mtu : RTE_ETHER_MTU;
	tap = make_tap(port);
	if (tap == NULL)
		return error_set(error, "no memory for the port; give EAL more (-m, huge pages)");
	if (netns_watch_open(port->environment.events, error) != 0) {
		rte_free(tap);
		return -1;
	}
	port->driver = tap;
	tap->changes = netns_watch_changes() - 1;
	netns_watch(port->config.netns);
	if (make_device(port, error) != 0) {
		tap_detach(port);
		return -1;
	}
	port->large_segments = port->config.large_segments;
	return 0;
}

const struct port_ops tap_port_ops = {
	.type = "tap",
	.attach = tap_attach,
	.detach = tap_detach,
	.receive = tap_receive,
	.watch = tap_watch,
	.send = tap_send,
	.too_big = tap_too_big,
	.is_up = tap_is_up,
	.housekeep = tap_housekeep,
};
