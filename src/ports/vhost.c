/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user ports: weft is the backend of a container's virtio-user (or a guest's virtio-net). The
 * library copies packets in and out of the container's memory, so weft's own is never lent.
 *
 * The library's control thread tells of containers coming and going, and of each ring that is ready
 * or no longer so. It takes notes; the main lcore, once a housekeeping, shares the rings out among
 * the port's queues. A ring whose eventfd the front end exchanges is not ready for the length of
 * one message, and flows must not go elsewhere meanwhile: while a container is served, rings are
 * shared out anew only when two rounds running have found the same ones. A message that takes
 * longer than that, as its thread had no CPU, does move flows, there and back.
 *
 * Protocol: the main lcore stores the device's id (release) when the rings are shared out; lcores
 * load it (acquire) for each burst; when the container goes, the control thread stores -1 and waits
 * for all lcores to end their round before the library frees the device. A ring that is switched
 * off needs no such wait: the library refuses to use it as of then, under a lock that it has for
 * each ring. Nor could there be one: it holds all of these locks while it tells of a ring, and an
 * lcore may be waiting for one of them.
 *
 * `ports.mutex` is never taken in vring_state_changed(), for this reason, and never by an lcore.
 */
#include <linux/virtio_net.h>
#include <pthread.h>
#include <stdio.h>
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
#define RESET_OWNER 4 /* a vhost-user message, which the library's headers do not name */

/* What a container is offered of what the library can; the rest is switched off. The table in
 * docs/design/ports.md says what weft does with each of them, and why it does not with others. */
#define FEATURES                                                                                   \
	(1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_GUEST_CSUM | 1ULL << VIRTIO_NET_F_MTU |  \
		1ULL << VIRTIO_NET_F_MRG_RXBUF | 1ULL << VIRTIO_NET_F_CTRL_VQ |                    \
		1ULL << VIRTIO_NET_F_CTRL_RX | 1ULL << VIRTIO_NET_F_GUEST_ANNOUNCE |               \
		1ULL << VIRTIO_NET_F_MQ | 1ULL << VHOST_F_LOG_ALL | 1ULL << VIRTIO_F_ANY_LAYOUT |  \
		1ULL << VIRTIO_RING_F_INDIRECT_DESC | 1ULL << VIRTIO_RING_F_EVENT_IDX |            \
		1ULL << VHOST_USER_F_PROTOCOL_FEATURES | 1ULL << VIRTIO_F_VERSION_1 |              \
		1ULL << VIRTIO_F_RING_PACKED | 1ULL << VIRTIO_F_IN_ORDER)
#define PROTOCOL_FEATURES                                                                          \
	(1ULL << VHOST_USER_PROTOCOL_F_MQ | 1ULL << VHOST_USER_PROTOCOL_F_LOG_SHMFD |              \
		1ULL << VHOST_USER_PROTOCOL_F_RARP | 1ULL << VHOST_USER_PROTOCOL_F_REPLY_ACK |     \
		1ULL << VHOST_USER_PROTOCOL_F_NET_MTU | 1ULL << VHOST_USER_PROTOCOL_F_STATUS)

/* What a container has that takes large segments, and what offers them to it. */
#define FEATURES_SEGMENTS (1ULL << VIRTIO_NET_F_GUEST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO6)
#define FEATURES_LARGE                                                                             \
	(FEATURES_SEGMENTS | 1ULL << VIRTIO_NET_F_GUEST_CSUM | 1ULL << VIRTIO_NET_F_MRG_RXBUF)

/* What the library has room for. Rings come in pairs, as the container sees them: even ones it
 * receives by, odd ones it sends by. */
#define RINGS_MAX 256
#define NO_RING RINGS_MAX
#define LOOKS_MAX 8 /* into so many of a container's rings in one call, at most */

/* A set of rings. */
struct rings {
	uint64_t words[RINGS_MAX / 64];
};

/* The rings that one of the port's queues serves; main: wo, the queue's owner: ro. All of a port's
 * queues have one owner, so a flow is one lcore's whichever ring it comes through. Each field is
 * good by itself: one that is out of date names a ring that the library will not use. */
struct vhost_queue {
	uint16_t to;	 /* the one it sends by, or NO_RING */
	uint16_t n_from; /* those it receives by */
	uint16_t next;	 /* of from[]: whose turn it is; the owner's own */
	uint8_t from[RINGS_MAX / 2];
} __rte_cache_aligned;

struct vhost {
	int device;	    /* NO_DEVICE or the library's id; lcores: ro */
	int ready;	    /* the device that may be served; under ports.mutex */
	struct rings rings; /* that are shared out; main */
	struct rings found; /* by the last round; main */
	struct vhost_queue queues[];
};

/* Ports by socket path, for the library's callbacks. */
static struct {
	pthread_mutex_t mutex;
	struct port *list[PORTS_MAX];
} ports = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* The rings that may be used, by device; the library's threads: rw, main: ro (relaxed). */
static struct rings ready_rings[RTE_MAX_VHOST_DEVICE];

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

static void forget_rings(int device)
{
	for (size_t i = 0; i < RTE_DIM(ready_rings[device].words); i++)
		__atomic_store_n(&ready_rings[device].words[i], 0, __ATOMIC_RELAXED);
}

/* The library has reset all rings, and tells of none of them. The message begins with its type. */
static enum rte_vhost_msg_result message_handled(int device, void *message)
{
	if (*(const uint32_t *)message == RESET_OWNER)
		forget_rings(device);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static const struct rte_vhost_user_extern_ops message_ops = {.post_msg_handle = message_handled};

static int new_connection(int device)
{
	forget_rings(device);
	return rte_vhost_extern_callback_register(device, &message_ops, NULL);
}

static int vring_state_changed(int device, uint16_t ring, int enable)
{
	uint64_t *word = &ready_rings[device].words[ring / 64];
	uint64_t bit = UINT64_C(1) << ring % 64;

	if (enable)
		__atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(word, ~bit, __ATOMIC_RELAXED);
	return 0;
}

/* The socket takes any number of connections; the first that is ready has the port. */
static int new_device(int device)
{
	struct port *port = find_port(device);
	struct vhost *vhost;
	bool is_first;

	if (port == NULL)
		return -1;
	vhost = port->driver;
	pthread_mutex_lock(&ports.mutex);
	is_first = vhost->ready == NO_DEVICE;
	if (is_first)
		vhost->ready = device;
	pthread_mutex_unlock(&ports.mutex);
	return is_first ? 0 : -1;
}

static bool withdraw(struct port *port, int device)
{
	struct vhost *vhost = port->driver;
	bool had_port;

	pthread_mutex_lock(&ports.mutex);
	had_port = vhost->ready == device;
	if (had_port) {
		vhost->ready = NO_DEVICE;
		__atomic_store_n(&port->large_segments, false, __ATOMIC_RELAXED);
		__atomic_store_n(&port->n_pairs, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&vhost->device, NO_DEVICE, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&ports.mutex);
	return had_port;
}

static void destroy_device(int device)
{
	struct port *port = find_port(device);

	if (port == NULL || !withdraw(port, device))
		return;
	port_quiesce(port);
	port_report(port, "the container is gone");
}

static const struct rte_vhost_device_ops device_ops = {
	.new_connection = new_connection,
	.vring_state_changed = vring_state_changed,
	.new_device = new_device,
	.destroy_device = destroy_device,
};

/* ---- the data path ---- */

static int device_of(const struct port *port)
{
	const struct vhost *vhost = port->driver;

	return __atomic_load_n(&vhost->device, __ATOMIC_ACQUIRE);
}

/* One burst of the next ring that has some. */
static uint16_t vhost_receive(
	struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct vhost *vhost = port->driver;
	struct vhost_queue *own = &vhost->queues[queue];
	int device = device_of(port);
	uint16_t n_rings = __atomic_load_n(&own->n_from, __ATOMIC_RELAXED);
	uint16_t received = 0;

	if (device == NO_DEVICE)
		return 0;
	for (uint16_t i = 0; i < RTE_MIN(n_rings, LOOKS_MAX) && received == 0; i++) {
		if (own->next >= n_rings)
			own->next = 0;
		received = rte_vhost_dequeue_burst(device,
			__atomic_load_n(&own->from[own->next++], __ATOMIC_RELAXED),
			port->environment.pool, mbufs, n);
	}
	return received;
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
	uint16_t ring = __atomic_load_n(&vhost->queues[queue].to, __ATOMIC_RELAXED);
	uint16_t sent;

	if (device == NO_DEVICE || ring == NO_RING)
		return 0;
	n = prepare(port, mbufs, n);
	sent = rte_vhost_enqueue_burst(device, ring, mbufs, n);
	rte_pktmbuf_free_bulk(mbufs, sent);
	return sent;
}

static bool vhost_is_up(const struct port *port)
{
	return device_of(port) != NO_DEVICE && port_pairs(port) > 0;
}

/* ---- the main lcore: which queue serves which rings ---- */

static bool has_ring(const struct rings *rings, uint16_t ring)
{
	return rings->words[ring / 64] >> ring % 64 & 1;
}

static struct rings rings_of(int device)
{
	struct rings rings;

	for (size_t i = 0; i < RTE_DIM(rings.words); i++)
		rings.words[i] = __atomic_load_n(&ready_rings[device].words[i], __ATOMIC_RELAXED);
	return rings;
}

static bool same_rings(const struct rings *one, const struct rings *other)
{
	return memcmp(one, other, sizeof(*one)) == 0;
}

/* Every ring that the container sends by has a queue, which takes turns between its rings. */
static void share_out_from(struct vhost *vhost, uint16_t n_queues, const struct rings *rings)
{
	uint16_t n_from[PORT_QUEUES_MAX] = {0};
	uint16_t n = 0;

	for (uint16_t ring = 1; ring < RINGS_MAX; ring += 2) {
		uint16_t queue = n % n_queues;

		if (!has_ring(rings, ring))
			continue;
		__atomic_store_n(
			&vhost->queues[queue].from[n_from[queue]++], ring, __ATOMIC_RELAXED);
		n++;
	}
	for (uint16_t i = 0; i < n_queues; i++)
		__atomic_store_n(&vhost->queues[i].n_from, n_from[i], __ATOMIC_RELAXED);
}

/* Every queue sends by a ring that the container may be reading. */
static void share_out_to(struct vhost *vhost, uint16_t n_queues, const struct rings *rings)
{
	uint16_t found[PORT_QUEUES_MAX];
	uint16_t n = 0;

	for (uint16_t ring = 0; ring < RINGS_MAX && n < n_queues; ring += 2)
		if (has_ring(rings, ring))
			found[n++] = ring;
	for (uint16_t i = 0; i < n_queues; i++)
		__atomic_store_n(
			&vhost->queues[i].to, n == 0 ? NO_RING : found[i % n], __ATOMIC_RELAXED);
}

static uint16_t count_pairs(const struct rings *rings)
{
	uint16_t n = 0;

	for (uint16_t ring = 0; ring < RINGS_MAX; ring += 2)
		n += has_ring(rings, ring) && has_ring(rings, ring + 1);
	return n;
}

/* Mergeable buffers, as a container without them would need one of 64 KB for each packet. */
static bool takes_large_segments(int device)
{
	uint64_t features;

	return rte_vhost_get_negotiated_features(device, &features) == 0 &&
	       (features & FEATURES_LARGE) == FEATURES_LARGE;
}

/* What is to be said of an MTU that the front end has told (QEMU's host_mtu), if it is too large
 * here. */
static void describe_mtu(const struct port *port, int device, char *text, size_t size)
{
	uint16_t mtu;

	text[0] = '\0';
	if (rte_vhost_get_mtu(device, &mtu) == 0 && mtu > port->mtu)
		snprintf(text, size, "; its MTU is %u, the network's %u", mtu, port->mtu);
}

static void report_pairs(struct port *port, int device)
{
	uint16_t there = rte_vhost_get_vring_num(device) / 2;
	char mtu[64];

	describe_mtu(port, device, mtu, sizeof(mtu));
	if (port->n_pairs == there)
		port_report(port, "container attached, %u queue pair%s%s", there,
			there == 1 ? "" : "s", mtu);
	else
		port_report(port, "container attached, %u of %u queue pairs enabled%s",
			port->n_pairs, there, mtu);
}

static void serve(struct port *port, int device, const struct rings *rings)
{
	struct vhost *vhost = port->driver;

	vhost->rings = *rings;
	share_out_from(vhost, port->n_queues, rings);
	share_out_to(vhost, port->n_queues, rings);
	/* We poll: the container need not kick. */
	for (uint16_t ring = 0; ring < RINGS_MAX; ring++)
		if (has_ring(rings, ring))
			rte_vhost_enable_guest_notification(device, ring, 0);
	__atomic_store_n(&port->n_pairs, count_pairs(rings), __ATOMIC_RELAXED);
	__atomic_store_n(&port->large_segments, takes_large_segments(device), __ATOMIC_RELAXED);
	__atomic_store_n(&vhost->device, device, __ATOMIC_RELEASE);
	report_pairs(port, device);
}

static void vhost_housekeep(struct port *port)
{
	struct vhost *vhost = port->driver;
	struct rings rings;

	pthread_mutex_lock(&ports.mutex);
	if (vhost->ready != NO_DEVICE) {
		rings = rings_of(vhost->ready);
		if (vhost->device == NO_DEVICE ||
			(!same_rings(&rings, &vhost->rings) && same_rings(&rings, &vhost->found)))
			serve(port, vhost->ready, &rings);
		vhost->found = rings;
	}
	pthread_mutex_unlock(&ports.mutex);
}

/* ---- the main lcore: coming and going ---- */

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

static int offer_features(const struct port *port)
{
	uint64_t features = FEATURES | (port->config.large_segments ? FEATURES_SEGMENTS : 0);

	if (rte_vhost_driver_disable_features(port->config.path, ~features) != 0)
		return -1;
	return rte_vhost_driver_set_protocol_features(port->config.path, PROTOCOL_FEATURES);
}

static int start(struct port *port, struct error *error)
{
	const char *path = port->config.path;
	uint64_t flags = RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS |
			 (port->config.client ? RTE_VHOST_USER_CLIENT : 0);

	/* As client, too: for the container to listen there. */
	if ((port->config.client ? unix_socket_directory(path, error)
				 : unix_socket_claim(path, SOCK_STREAM, error)) != 0)
		return error_prefix(error, "path: ");
	if (rte_vhost_driver_register(path, flags) != 0)
		return error_set(error, "path: '%s' is already a port's", path);
	if (offer_features(port) != 0 ||
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
	struct vhost *vhost = rte_zmalloc_socket("vhost",
		sizeof(*vhost) + port->n_queues * sizeof(vhost->queues[0]), RTE_CACHE_LINE_SIZE,
		port->environment.socket_id);

	if (vhost == NULL)
		return error_set(error, "no memory for the port; give EAL more (-m, huge pages)");
	vhost->device = NO_DEVICE;
	vhost->ready = NO_DEVICE;
	port->driver = vhost;
	port->n_pairs = 0;
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
	.housekeep = vhost_housekeep,
};
