/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user ports: weft is the backend of a container's virtio-user (or a guest's virtio-net).
 * librte_vhost speaks with the front end and maps its memory; the rings are ours (virtqueue.h). We
 * copy in and out of the container's memory, so weft's own is never lent.
 *
 * The library's control thread tells of containers coming and going, of each ring that is ready or
 * no longer so, and of each message before and after it acts on it. A ring is lent to the lcores
 * while it is ready; before a message that may change something about it (its addresses, its
 * eventfds, the memory), it is taken back.
 *
 * Which of the port's queues serves which rings is the main lcore's affair, once a housekeeping. A
 * ring whose eventfd the front end exchanges is not ready for the length of one message, and flows
 * must not go elsewhere meanwhile: while a container is served, rings are shared out anew only when
 * two rounds running have found the same ones. A message that takes longer than that, as its thread
 * had no CPU, does move flows, there and back.
 *
 * Protocol: the control thread stores a ring's pointer (release) when it is lent; lcores load it
 * (acquire) for each burst. To take it back it stores NULL, waits until all lcores have ended their
 * round, so that all that was reserved is published, and tells the library how far the ring is.
 * Lcores never take a lock of the library's, and it may hold those meanwhile.
 */
#include <errno.h>
#include <linux/virtio_net.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_malloc.h>
#include <rte_vhost.h>

#include "ports/kick.h"
#include "ports/large_segment.h"
#include "ports/port.h"
#include "ports/unix_socket.h"
#include "ports/virtqueue.h"
#include "ports/wake.h"

#define NO_DEVICE (-1)

/* Messages of vhost-user, which the library's headers do not name. */
enum {
	GET_FEATURES = 1,
	SET_OWNER = 3,
	RESET_OWNER = 4,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
	NET_SET_MTU = 20,
	SET_STATUS = 39,
	GET_STATUS = 40,
};

/* How they begin. */
struct message {
	uint32_t type;
	uint32_t flags;
	uint32_t size;
	uint32_t ring; /* of messages that are of one ring; in the lowest byte, if it is an
			  eventfd's */
	uint32_t value;
};

/* What a container is offered of what the library can; the rest is switched off. The table in
 * docs/design/ports.md says what weft does with each of them, and why it does not with others. */
#define FEATURES                                                                                   \
	(1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_GUEST_CSUM | 1ULL << VIRTIO_NET_F_MTU |  \
		1ULL << VIRTIO_NET_F_MRG_RXBUF | 1ULL << VIRTIO_NET_F_CTRL_VQ |                    \
		1ULL << VIRTIO_NET_F_CTRL_RX | 1ULL << VIRTIO_NET_F_GUEST_ANNOUNCE |               \
		1ULL << VIRTIO_NET_F_MQ | 1ULL << VIRTIO_F_ANY_LAYOUT |                            \
		1ULL << VIRTIO_RING_F_INDIRECT_DESC | 1ULL << VIRTIO_RING_F_EVENT_IDX |            \
		1ULL << VHOST_USER_F_PROTOCOL_FEATURES | 1ULL << VIRTIO_F_VERSION_1 |              \
		1ULL << VIRTIO_F_RING_PACKED | 1ULL << VIRTIO_F_IN_ORDER)
#define PROTOCOL_FEATURES                                                                          \
	(1ULL << VHOST_USER_PROTOCOL_F_MQ | 1ULL << VHOST_USER_PROTOCOL_F_REPLY_ACK |              \
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

/* The rings that one of the port's queues serves; main: wo, who has the right to receive or to send
 * by the queue: ro. Each field is good by itself: one that is out of date names a ring that another
 * queue serves, too, or that is not lent. */
struct vhost_queue {
	uint16_t to;	 /* the one it sends by, or NO_RING */
	uint16_t n_from; /* those it receives by */
	uint16_t next;	 /* of from[]: whose turn it is; who receives: rw */
	uint8_t from[RINGS_MAX / 2];
	/* The largest packet that the last reservation could have had buffers for; who sends: rw */
	uint32_t room __rte_cache_aligned;
} __rte_cache_aligned;

struct vhost {
	bool served;	    /* there is a container whose rings are shared out */
	int ready;	    /* the device that may be served, or NO_DEVICE; under ports.mutex */
	struct rings rings; /* that are shared out; main */
	struct rings found; /* by the last round; main */
	/* What lcores may use, NULL: nothing; control threads: wo. */
	struct virtqueue *lent[RINGS_MAX];
	/* The same, lent or not; stays until the port ends; control threads: rw, main: their faults
	 * alone. */
	struct virtqueue *made[RINGS_MAX];
	/* Of rings that are lent: tell of what the container sends; -1: nothing does. Control
	 * threads: wo, who has the right to receive: ro. */
	int wakes[RINGS_MAX];
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

/* ---- lending rings to the lcores ---- */

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

/* Mergeable buffers, as a container without them would need one of 64 KB for each packet. */
static bool takes_large_segments(uint64_t features)
{
	return (features & FEATURES_LARGE) == FEATURES_LARGE;
}

static struct virtqueue *make_ring(struct vhost *vhost, const struct port *port, uint16_t ring)
{
	if (vhost->made[ring] == NULL)
		__atomic_store_n(&vhost->made[ring],
			rte_zmalloc_socket("virtqueue", sizeof(struct virtqueue),
				RTE_CACHE_LINE_SIZE, port->environment.socket_id),
			__ATOMIC_RELEASE);
	return vhost->made[ring];
}

static void lend(struct port *port, int device, uint16_t ring)
{
	struct vhost *vhost = port->driver;
	struct virtqueue *queue = make_ring(vhost, port, ring);
	struct virtqueue_setup setup = {
		.device = device, .ring = ring, .pool = port->environment.pool};

	if (queue == NULL || rte_vhost_get_negotiated_features(device, &setup.features) != 0)
		return;
	setup.large_segments = takes_large_segments(setup.features);
	if (virtqueue_init(queue, &setup) != 0)
		return;
	if (!queue->to_driver)
		wake_add(&vhost->wakes[ring], queue->kick_fd);
	__atomic_store_n(&vhost->lent[ring], queue, __ATOMIC_RELEASE);
}

/* All that are ready, but `except`. */
static void lend_all(struct port *port, int device, uint16_t except)
{
	const struct vhost *vhost = port->driver;
	struct rings rings = rings_of(device);

	for (uint16_t ring = 0; ring < RINGS_MAX; ring++)
		if (has_ring(&rings, ring) && vhost->lent[ring] == NULL && ring != except)
			lend(port, device, ring);
}

/* Rings from `first` to before `end`. */
static void take_back(struct port *port, int device, uint16_t first, uint16_t end)
{
	struct vhost *vhost = port->driver;
	struct rings taken = {0};
	bool any = false;

	for (uint16_t ring = first; ring < end; ring++) {
		if (vhost->lent[ring] == NULL)
			continue;
		any = true;
		taken.words[ring / 64] |= UINT64_C(1) << ring % 64;
		__atomic_store_n(&vhost->lent[ring], NULL, __ATOMIC_RELEASE);
	}
	if (any)
		port_quiesce(port);
	for (uint16_t ring = first; any && ring < end; ring++)
		if (has_ring(&taken, ring)) {
			virtqueue_save(vhost->made[ring], device, ring);
			wake_close(&vhost->wakes[ring]);
		}
}

/* ---- the library's control thread: messages and events ---- */

static bool is_served(const struct port *port, int device)
{
	const struct vhost *vhost = port->driver;
	bool is_it;

	pthread_mutex_lock(&ports.mutex);
	is_it = vhost->ready == device;
	pthread_mutex_unlock(&ports.mutex);
	return is_it;
}

/* The port that this device has; NULL: it has none. */
static struct port *port_of(int device)
{
	struct port *port = find_port(device);

	return port != NULL && is_served(port, device) ? port : NULL;
}

/* What nothing of a ring, nor of the memory, follows from. */
static bool is_harmless(const struct message *message)
{
	switch (message->type) {
	case GET_FEATURES:
	case SET_OWNER:
	case SET_VRING_ERR:
	case GET_PROTOCOL_FEATURES:
	case SET_PROTOCOL_FEATURES:
	case GET_QUEUE_NUM:
	case NET_SET_MTU:
	case SET_STATUS:
	case GET_STATUS:
		return true;
	default:
		return false;
	}
}

/* The ring that a message is of, or NO_RING: it may be of all. */
static uint16_t ring_of(const struct message *message)
{
	switch (message->type) {
	case SET_VRING_NUM:
	case SET_VRING_ADDR:
	case SET_VRING_BASE:
	case GET_VRING_BASE:
	case SET_VRING_ENABLE:
		return RTE_MIN(message->ring, (uint32_t)NO_RING);
	case SET_VRING_KICK:
	case SET_VRING_CALL:
		return message->ring & 0xff;
	default:
		return NO_RING;
	}
}

static enum rte_vhost_msg_result message_comes(int device, void *data)
{
	const struct message *message = data;
	struct port *port = port_of(device);
	uint16_t ring = ring_of(message);

	if (port == NULL || is_harmless(message))
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	if (ring == NO_RING)
		take_back(port, device, 0, RINGS_MAX);
	else
		take_back(port, device, ring, ring + 1);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

/* Whether rings are ready is told after this, if it changes; if it does not, only this is. A reset
 * of all rings is told of by nothing else. */
static enum rte_vhost_msg_result message_handled(int device, void *data)
{
	const struct message *message = data;
	struct port *port = port_of(device);

	if (message->type == RESET_OWNER)
		forget_rings(device);
	else if (port != NULL && !is_harmless(message))
		lend_all(port, device,
			message->type == SET_VRING_ENABLE && message->value == 0 ? ring_of(message)
										 : NO_RING);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static const struct rte_vhost_user_extern_ops message_ops = {
	.pre_msg_handle = message_comes, .post_msg_handle = message_handled};

static int new_connection(int device)
{
	forget_rings(device);
	return rte_vhost_extern_callback_register(device, &message_ops, NULL);
}

static int vring_state_changed(int device, uint16_t ring, int enable)
{
	uint64_t *word = &ready_rings[device].words[ring / 64];
	uint64_t bit = UINT64_C(1) << ring % 64;
	struct port *port = port_of(device);

	if (enable)
		__atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(word, ~bit, __ATOMIC_RELAXED);
	if (port != NULL && enable)
		lend_all(port, device, NO_RING);
	else if (port != NULL)
		take_back(port, device, ring, ring + 1);
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
	if (!is_first)
		return -1;
	lend_all(port, device, NO_RING);
	return 0;
}

static void destroy_device(int device)
{
	struct port *port = port_of(device);
	struct vhost *vhost;

	if (port == NULL)
		return;
	vhost = port->driver;
	pthread_mutex_lock(&ports.mutex);
	vhost->ready = NO_DEVICE;
	__atomic_store_n(&port->large_segments, false, __ATOMIC_RELAXED);
	__atomic_store_n(&port->n_pairs, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&vhost->served, false, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&ports.mutex);
	take_back(port, device, 0, RINGS_MAX);
	port_report(port, "the container is gone");
}

static const struct rte_vhost_device_ops device_ops = {
	.new_connection = new_connection,
	.vring_state_changed = vring_state_changed,
	.new_device = new_device,
	.destroy_device = destroy_device,
};

/* ---- the data path ---- */

static struct virtqueue *lent_ring(const struct vhost *vhost, uint16_t ring)
{
	return __atomic_load_n(&vhost->lent[ring], __ATOMIC_ACQUIRE);
}

/* Of the next ring that has some. */
static uint16_t vhost_claim(
	struct port *port, uint16_t queue, uint16_t n, struct reservation *reservation)
{
	struct vhost *vhost = port->driver;
	struct vhost_queue *own = &vhost->queues[queue];
	uint16_t n_rings = __atomic_load_n(&own->n_from, __ATOMIC_RELAXED);
	uint16_t claimed = 0;

	for (uint16_t i = 0; i < RTE_MIN(n_rings, LOOKS_MAX) && claimed == 0; i++) {
		struct virtqueue *ring;

		if (own->next >= n_rings)
			own->next = 0;
		ring = lent_ring(vhost, __atomic_load_n(&own->from[own->next++], __ATOMIC_RELAXED));
		if (ring != NULL)
			claimed = virtqueue_claim(ring, n, reservation);
	}
	return claimed;
}

static void vhost_collect(
	const struct port *port, struct reservation *reservation, struct rte_mbuf **mbufs)
{
	(void)port;
	virtqueue_collect(reservation, mbufs);
}

static int vhost_reserve(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n,
	struct reservation *reservation)
{
	struct vhost *vhost = port->driver;
	struct vhost_queue *own = &vhost->queues[queue];
	uint16_t to = __atomic_load_n(&own->to, __ATOMIC_RELAXED);
	struct virtqueue *ring = to == NO_RING ? NULL : lent_ring(vhost, to);

	own->room = UINT32_MAX;
	return ring == NULL ? 0 : virtqueue_reserve(ring, mbufs, n, reservation, &own->room);
}

static uint16_t vhost_fill(
	const struct port *port, struct reservation *reservation, struct rte_mbuf **mbufs)
{
	(void)port;
	return virtqueue_fill(reservation, mbufs);
}

static void vhost_publish(struct port *port, struct reservation *reservation)
{
	(void)port;
	virtqueue_publish(reservation);
}

/* A large segment may still be on its way when a container attaches that takes none. */
static bool vhost_too_big(struct port *port, uint16_t queue, const struct rte_mbuf *mbuf)
{
	const struct vhost *vhost = port->driver;

	return mbuf->pkt_len > vhost->queues[queue].room ||
	       (large_segment_is(mbuf) && !port_takes_large_segments(port));
}

static bool vhost_is_up(const struct port *port)
{
	const struct vhost *vhost = port->driver;

	return __atomic_load_n(&vhost->served, __ATOMIC_RELAXED) && port_pairs(port) > 0;
}

/* ---- the main lcore: which queue serves which rings ---- */

static enum virtqueue_fault fault_of(const struct vhost *vhost, uint16_t ring)
{
	const struct virtqueue *queue = __atomic_load_n(&vhost->made[ring], __ATOMIC_ACQUIRE);

	return queue == NULL ? VIRTQUEUE_SOUND : __atomic_load_n(&queue->fault, __ATOMIC_RELAXED);
}

/* Those that are ready and can be used. */
static struct rings find_rings(const struct vhost *vhost)
{
	struct rings rings = rings_of(vhost->ready);

	for (uint16_t ring = 0; ring < RINGS_MAX; ring++)
		if (fault_of(vhost, ring) != VIRTQUEUE_SOUND)
			rings.words[ring / 64] &= ~(UINT64_C(1) << ring % 64);
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

/* What is to be said of an MTU that the front end has told (QEMU's host_mtu), if it is too large
 * here. */
static void describe_mtu(const struct port *port, int device, char *text, size_t size)
{
	uint16_t mtu;

	text[0] = '\0';
	if (rte_vhost_get_mtu(device, &mtu) == 0 && mtu > port->mtu)
		snprintf(text, size, "; its MTU is %u, the network's %u", mtu, port->mtu);
}

/* The first of the container's rings that are broken. */
static void describe_fault(const struct vhost *vhost, char *text, size_t size)
{
	text[0] = '\0';
	for (uint16_t ring = 0; ring < RINGS_MAX && text[0] == '\0'; ring++)
		if (fault_of(vhost, ring) != VIRTQUEUE_SOUND)
			snprintf(text, size, "; ring %u is broken: %s", ring,
				virtqueue_fault_text(fault_of(vhost, ring)));
}

static void report_pairs(struct port *port, int device)
{
	uint16_t there = rte_vhost_get_vring_num(device) / 2;
	char mtu[64], fault[64];

	describe_mtu(port, device, mtu, sizeof(mtu));
	describe_fault(port->driver, fault, sizeof(fault));
	if (port->n_pairs == there)
		port_report(port, "container attached, %u queue pair%s%s%s", there,
			there == 1 ? "" : "s", mtu, fault);
	else
		port_report(port, "container attached, %u of %u queue pairs enabled%s%s",
			port->n_pairs, there, mtu, fault);
}

static void serve(struct port *port, int device, const struct rings *rings)
{
	struct vhost *vhost = port->driver;
	uint64_t features = 0;

	rte_vhost_get_negotiated_features(device, &features);
	vhost->rings = *rings;
	share_out_from(vhost, port->n_queues, rings);
	share_out_to(vhost, port->n_queues, rings);
	__atomic_store_n(&port->n_pairs, count_pairs(rings), __ATOMIC_RELAXED);
	__atomic_store_n(&port->large_segments, takes_large_segments(features), __ATOMIC_RELAXED);
	__atomic_store_n(&vhost->served, true, __ATOMIC_RELAXED);
	report_pairs(port, device);
}

static void vhost_housekeep(struct port *port)
{
	struct vhost *vhost = port->driver;
	struct rings rings;

	pthread_mutex_lock(&ports.mutex);
	if (vhost->ready != NO_DEVICE) {
		rings = find_rings(vhost);
		if (!vhost->served ||
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
	uint64_t flags = port->config.client ? RTE_VHOST_USER_CLIENT : 0;

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
	if (kick_init() != 0) {
		rte_free(vhost);
		return error_set(error, "cannot use asynchronous requests: %s", strerror(errno));
	}
	vhost->ready = NO_DEVICE;
	for (uint16_t ring = 0; ring < RINGS_MAX; ring++)
		vhost->wakes[ring] = -1;
	port->driver = vhost;
	port->n_pairs = 0;
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
	struct vhost *vhost = port->driver;

	rte_vhost_driver_unregister(port->config.path);
	forget(port);
	for (uint16_t ring = 0; ring < RINGS_MAX; ring++) {
		rte_free(vhost->made[ring]);
		wake_close(&vhost->wakes[ring]);
	}
	rte_free(vhost);
	port->driver = NULL;
}

/* More rings than one have more descriptors than one. */
static int vhost_watch(struct port *port, uint16_t queue, bool on)
{
	struct vhost *vhost = port->driver;
	const struct vhost_queue *own = &vhost->queues[queue];
	uint16_t n = __atomic_load_n(&own->n_from, __ATOMIC_RELAXED);
	int fd = PORT_HAS_NO_PEER;

	for (uint16_t i = 0; i < n; i++) {
		uint16_t index = __atomic_load_n(&own->from[i], __ATOMIC_RELAXED);
		struct virtqueue *ring = __atomic_load_n(&vhost->lent[index], __ATOMIC_ACQUIRE);

		if (ring == NULL)
			continue;
		virtqueue_want_kicks(ring, on);
		fd = fd == PORT_HAS_NO_PEER ? vhost->wakes[index] : PORT_MUST_BE_POLLED;
	}
	return fd;
}

const struct port_ops vhost_port_ops = {
	.type = "vhost-user",
	.attach = vhost_attach,
	.detach = vhost_detach,
	.receive = port_receive_alone,
	.send = port_send_alone,
	.claim = vhost_claim,
	.collect = vhost_collect,
	.reserve = vhost_reserve,
	.fill = vhost_fill,
	.publish = vhost_publish,
	.too_big = vhost_too_big,
	.watch = vhost_watch,
	.is_up = vhost_is_up,
	.housekeep = vhost_housekeep,
};
