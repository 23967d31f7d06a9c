/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user ports: weft is the backend of a container's virtio-user (or a guest's virtio-net). The
 * library copies packets in and out of the container's memory, so weft's own is never lent.
 *
 * The library's control thread tells of containers coming and going. Protocol: it stores the
 * device's id (release) when the rings are ready; lcores load it (acquire) for each burst; when the
 * container goes it stores -1 and waits for all lcores to end their turn before the library frees
 * the device. While a port is detached the main lcore waits for that thread, so `ports` needs only
 * its own mutex, which no lcore ever takes.
 */
#include <linux/virtio_net.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_vhost.h>

#include "ports/large_segment.h"
#include "ports/port.h"
#include "ports/unix_socket.h"

#define NO_DEVICE (-1)

/* Segmentation is left to the container: what it sends is no larger than its MTU. */
#define FEATURES_OFF                                                                               \
	(1ULL << VIRTIO_NET_F_HOST_TSO4 | 1ULL << VIRTIO_NET_F_HOST_TSO6 |                         \
		1ULL << VIRTIO_NET_F_HOST_UFO | 1ULL << VIRTIO_NET_F_HOST_ECN |                    \
		1ULL << VIRTIO_NET_F_GUEST_UFO | 1ULL << VIRTIO_NET_F_GUEST_ECN)

/* What a container has that takes large segments, and what offers them to it. */
#define FEATURES_SEGMENTS (1ULL << VIRTIO_NET_F_GUEST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO6)
#define FEATURES_LARGE                                                                             \
	(FEATURES_SEGMENTS | 1ULL << VIRTIO_NET_F_GUEST_CSUM | 1ULL << VIRTIO_NET_F_MRG_RXBUF)

struct vhost {
	int device;	/* NO_DEVICE or the library's id; control thread: wo, lcores: ro */
	uint16_t pairs; /* of rings that the container has; set before `device` */
};

/* Ports by socket path, for the library's callbacks. */
static struct {
	pthread_mutex_t mutex;
	struct port *list[PORTS_MAX];
} ports = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- the library's control thread ---- */

static struct port *find_port(int device)
{
	char path[PORT_PATH_SIZE];
	struct port *found = NULL;

	if (rte_vhost_get_ifname(device, path, sizeof(path)) != 0)
		return NULL;
	pthread_mutex_lock(&ports.mutex);
	for (int i = 0; i < PORTS_MAX && found == NULL; i++)
		if (ports.list[i] != NULL && strcmp(ports.list[i]->config.path, path) == 0)
			found = ports.list[i];
	pthread_mutex_unlock(&ports.mutex);
	return found;
}

/* Mergeable buffers, as a container without them would need one of 64 KB for each packet. */
static bool takes_large_segments(int device)
{
	uint64_t features;

	return rte_vhost_get_negotiated_features(device, &features) == 0 &&
	       (features & FEATURES_LARGE) == FEATURES_LARGE;
}

static int new_device(int device)
{
	struct port *port = find_port(device);
	struct vhost *vhost;

	if (port == NULL)
		return -1;
	vhost = port->driver;
	/* The socket takes any number of connections; the first that is ready has the port. */
	if (vhost->device != NO_DEVICE)
		return -1;
	vhost->pairs = RTE_MAX(rte_vhost_get_vring_num(device) / 2, 1);
	/* We poll: the container need not kick. */
	for (uint16_t ring = 0; ring < rte_vhost_get_vring_num(device); ring++)
		rte_vhost_enable_guest_notification(device, ring, 0);
	__atomic_store_n(&port->large_segments, takes_large_segments(device), __ATOMIC_RELAXED);
	__atomic_store_n(&vhost->device, device, __ATOMIC_RELEASE);
	port_report(port, "container attached, %u queue pair%s", vhost->pairs,
		vhost->pairs == 1 ? "" : "s");
	return 0;
}

static void destroy_device(int device)
{
	struct port *port = find_port(device);
	struct vhost *vhost;

	if (port == NULL)
		return;
	vhost = port->driver;
	if (vhost->device != device)
		return;
	__atomic_store_n(&port->large_segments, false, __ATOMIC_RELAXED);
	__atomic_store_n(&vhost->device, NO_DEVICE, __ATOMIC_RELEASE);
	port_quiesce(port);
	port_report(port, "the container is gone");
}

static const struct rte_vhost_device_ops device_ops = {
	.new_device = new_device,
	.destroy_device = destroy_device,
};

/* ---- the data path ---- */

static int device_of(const struct port *port)
{
	const struct vhost *vhost = port->driver;

	return __atomic_load_n(&vhost->device, __ATOMIC_ACQUIRE);
}

/* Rings come in pairs, as the container sees them: even ones it receives by, odd ones it sends by.
 * It may have fewer than the port: one lcore owns all of a port's queues, so they can share a ring.
 */
static uint16_t vhost_receive(
	struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	const struct vhost *vhost = port->driver;
	int device = device_of(port);

	if (device == NO_DEVICE || queue >= vhost->pairs)
		return 0;
	return rte_vhost_dequeue_burst(device, 2 * queue + 1, port->environment.pool, mbufs, n);
}

/* The library overwrites the checksum field of a large segment with what a NIC wants: a container
 * that passes the packet on, cut again, would send wrong checksums. It leaves the field as it is
 * where the headers are not all in the first mbuf, so they are parted here, without a copy. */
static bool part_headers(struct rte_mbuf *mbuf)
{
	struct rte_mbuf *rest = rte_pktmbuf_alloc(mbuf->pool);

	if (rest == NULL)
		return false;
	rte_pktmbuf_attach(rest, mbuf);
	rte_pktmbuf_adj(rest, RTE_ETHER_HDR_LEN);
	rest->next = mbuf->next;
	mbuf->next = rest;
	mbuf->nb_segs++;
	mbuf->data_len = RTE_ETHER_HDR_LEN;
	return true;
}

/* How many packets, from the front, the container can be given. A large segment may still be on its
 * way when a container attaches that takes none. */
static uint16_t prepare(const struct port *port, struct rte_mbuf **mbufs, uint16_t n)
{
	bool large_segments = __atomic_load_n(&port->large_segments, __ATOMIC_RELAXED);

	for (uint16_t i = 0; i < n; i++) {
		if (likely(!large_segment_is(mbufs[i])))
			continue;
		if (!large_segments)
			return i;
		large_segment_for_virtio(mbufs[i]);
		if (!part_headers(mbufs[i]))
			return i;
	}
	return n;
}

static uint16_t vhost_send(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	const struct vhost *vhost = port->driver;
	int device = device_of(port);
	uint16_t sent;

	if (device == NO_DEVICE)
		return 0;
	n = prepare(port, mbufs, n);
	sent = rte_vhost_enqueue_burst(device, 2 * (queue % vhost->pairs), mbufs, n);
	rte_pktmbuf_free_bulk(mbufs, sent);
	return sent;
}

static bool vhost_is_up(const struct port *port)
{
	return device_of(port) != NO_DEVICE;
}

/* ---- the main lcore ---- */

static int remember(struct port *port)
{
	int i = 0;

	pthread_mutex_lock(&ports.mutex);
	while (i < PORTS_MAX && ports.list[i] != NULL)
		i++;
	if (i < PORTS_MAX)
		ports.list[i] = port;
	pthread_mutex_unlock(&ports.mutex);
	return i < PORTS_MAX ? 0 : -1;
}

static void forget(const struct port *port)
{
	pthread_mutex_lock(&ports.mutex);
	for (int i = 0; i < PORTS_MAX; i++)
		if (ports.list[i] == port)
			ports.list[i] = NULL;
	pthread_mutex_unlock(&ports.mutex);
}

static int start(struct port *port, struct error *error)
{
	const char *path = port->config.path;
	/* A container with one queue pair is not told that there could be more. */
	uint64_t off = FEATURES_OFF | (port->n_queues == 1 ? 1ULL << VIRTIO_NET_F_MQ : 0) |
		       (port->config.large_segments ? 0 : FEATURES_SEGMENTS);
	uint64_t flags = RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS |
			 (port->config.client ? RTE_VHOST_USER_CLIENT : 0);

	/* As client, too: for the container to listen there. */
	if ((port->config.client ? unix_socket_directory(path, error)
				 : unix_socket_claim(path, SOCK_STREAM, error)) != 0)
		return error_prefix(error, "path: ");
	if (rte_vhost_driver_register(path, flags) != 0)
		return error_set(error, "path: '%s' is already a port's", path);
	if (rte_vhost_driver_disable_features(path, off) != 0 ||
		rte_vhost_driver_callback_register(path, &device_ops) != 0 ||
		rte_vhost_driver_start(path) != 0) {
		rte_vhost_driver_unregister(path);
		return error_set(error,
			"path: cannot open a socket at '%s'; may this user write to its "
			"directory?",
			path);
	}
	return 0;
}

static int vhost_attach(struct port *port, struct error *error)
{
	struct vhost *vhost = rte_zmalloc_socket(
		"vhost", sizeof(*vhost), RTE_CACHE_LINE_SIZE, port->environment.socket_id);

	if (vhost == NULL)
		return error_set(error, "no memory for the port; give EAL more (-m, huge pages)");
	vhost->device = NO_DEVICE;
	port->driver = vhost;
	/* The library's data path would log, a line a burst, what a container does wrong. */
	rte_log_set_level_pattern("lib.vhost.data", RTE_LOG_CRIT);
	port_report(port, port->config.client ? "waiting for the container's socket"
					      : "waiting for a container");
	if (remember(port) == 0 && start(port, error) == 0)
		return 0;
	forget(port);
	rte_free(vhost);
	port->driver = NULL;
	return -1;
}

/* The library ends the connection, and destroy_device() runs, before unregister returns. */
static void vhost_detach(struct port *port)
{
	rte_vhost_driver_unregister(port->config.path);
	forget(port);
	rte_free(port->driver);
	port->driver = NULL;
}

const struct port_ops vhost_port_ops = {
	.type = "vhost-user",
	.attach = vhost_attach,
	.detach = vhost_detach,
	.receive = vhost_receive,
	.send = vhost_send,
	.is_up = vhost_is_up,
};
