/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_malloc.h>

#include "file.h"
#include "ports/memif_private.h"
#include "ports/peer_memory.h"
#include "ports/unix_socket.h"
#include "sleeper.h"

/*
 * A memif client played by hand against the port. Its one region:
 *   0     ring from client, RING descriptors
 *   1024  ring to client, RING descriptors
 *   4096  BUFFERS buffers of BUFFER bytes: the first RING for the one ring, then for the other
 */
#define RING 8
#define LOG2_RING 3
#define TO_CLIENT 1024
#define BUFFER 2048
#define BUFFERS (2 * RING)
#define REGION (4096 + BUFFERS * BUFFER)
#define POOL 511
#define STEPS_MAX 48

extern const struct port_ops memif_port_ops;

static struct rte_mempool *pool;
static struct rte_rcu_qsbr *rcu;
static struct events *events;
static struct port port;
static char directory[64];
static int fds_before;
static struct rlimit fds_limit;
static int accepts; /* calls of accept4() */

struct client {
	int socket;
	int memory_fd;
	int event_from, event_to;
	uint8_t *memory;
	struct memif_ring *from, *to; /* as the server sees them */
	char reason[96];	      /* of the last DISCONNECT */
};

/* The client's messages, each with up to two descriptors. */
struct handshake {
	int n;
	struct step {
		struct memif_message message;
		size_t size;
		int fds[2];
		int n_fds;
	} steps[STEPS_MAX];
};
enum { INIT, REGION_0, RING_FROM, RING_TO, CONNECT }; /* the steps of a good one */

/* Instead of the C library's. */
int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags)
{
	accepts++;
	return (int)syscall(SYS_accept4, socket, address, length, flags);
}

static void port_prepare(uint16_t queues)
{
	memset(&port, 0, sizeof(port));
	port.ops = &memif_port_ops;
	port.n_queues = queues;
	port.environment = (struct port_environment){
		.pool = pool, .rcu = rcu, .events = events, .socket_id = 0};
	snprintf(port.config.name, sizeof(port.config.name), "web");
	snprintf(port.config.path, sizeof(port.config.path), "%s/socket", directory);
}

static int port_setup_queues(uint16_t queues)
{
	struct error error;

	snprintf(directory, sizeof(directory), "/tmp/weft-memif-XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	fds_before = fds_open();
	port_prepare(queues);
	return memif_port_ops.attach(&port, &error);
}

static int port_setup(void **state)
{
	(void)state;
	return port_setup_queues(1);
}

static int port_setup_two(void **state)
{
	(void)state;
	return port_setup_queues(2);
}

/* Whatever a test did: no descriptor, no file and no mbuf is left. */
static int port_teardown(void **state)
{
	(void)state;
	memif_port_ops.detach(&port);
	if (rmdir(directory) != 0 || fds_open() != fds_before)
		return -1;
	return rte_mempool_avail_count(pool) == POOL ? 0 : -1;
}

static void housekeep(void)
{
	events_wait(events, 0);
	memif_port_ops.housekeep(&port);
}

static void client_dial(struct client *client)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	peer_memory_init(); /* cmocka has its own handler, anew for each test */
	memset(client, 0, sizeof(*client));
	client->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	memcpy(address.sun_path, port.config.path, strlen(port.config.path));
	assert_int_equal(connect(client->socket, (struct sockaddr *)&address, sizeof(address)), 0);
	client->memory_fd = memfd_create("client", MFD_CLOEXEC);
	assert_int_equal(ftruncate(client->memory_fd, REGION), 0);
	client->memory =
		mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_SHARED, client->memory_fd, 0);
	client->from = (struct memif_ring *)client->memory;
	client->to = (struct memif_ring *)(client->memory + TO_CLIENT);
	client->from->cookie = client->to->cookie = MEMIF_COOKIE;
	client->event_from = eventfd(0, EFD_NONBLOCK);
	client->event_to = eventfd(0, EFD_NONBLOCK);
}

static void client_close(struct client *client)
{
	close(client->socket);
	close(client->memory_fd);
	close(client->event_from);
	close(client->event_to);
	munmap(client->memory, REGION);
}

static void step_send(const struct client *client, const struct step *step)
{
	char control[CMSG_SPACE(2 * sizeof(int))] __rte_aligned(8) = {0};
	struct iovec part = {(void *)(uintptr_t)&step->message, step->size};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

	if (step->n_fds > 0) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE(step->n_fds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(step->n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), step->fds, step->n_fds * sizeof(int));
	}
	sendmsg(client->socket, &header, MSG_NOSIGNAL);
}

/* The type of the server's next message; -1: none yet, 0: it has closed. */
static int reply_read(struct client *client)
{
	struct memif_message message;
	ssize_t received = recv(client->socket, &message, sizeof(message), 0);

	if (received < 0)
		return errno == EAGAIN ? -1 : 0;
	if (received == 0)
		return 0;
	assert_int_equal(received, sizeof(message));
	if (message.type == MEMIF_DISCONNECT)
		memcpy(client->reason, message.disconnect.reason, sizeof(client->reason));
	return message.type;
}

static void ring_step(struct step *step, int flags, uint32_t offset, int event)
{
	step->message.type = MEMIF_ADD_RING;
	step->message.add_ring.flags = (uint16_t)flags;
	step->message.add_ring.offset = offset;
	step->message.add_ring.log2_size = LOG2_RING;
	step->fds[0] = event;
	step->n_fds = 1;
}

static void handshake_good(struct handshake *handshake, const struct client *client)
{
	struct step *steps = handshake->steps;

	memset(handshake, 0, sizeof(*handshake));
	handshake->n = 5;
	for (int i = 0; i < STEPS_MAX; i++)
		steps[i].size = sizeof(struct memif_message);
	steps[INIT].message.type = MEMIF_INIT;
	steps[INIT].message.init.version = MEMIF_VERSION;
	memcpy(steps[INIT].message.init.name, "test\n", 5);
	steps[REGION_0].message.type = MEMIF_ADD_REGION;
	steps[REGION_0].message.add_region.size = REGION;
	steps[REGION_0].fds[0] = client->memory_fd;
	steps[REGION_0].n_fds = 1;
	ring_step(&steps[RING_FROM], MEMIF_RING_FROM_CLIENT, 0, client->event_from);
	ring_step(&steps[RING_TO], 0, TO_CLIENT, client->event_to);
	steps[CONNECT].message.type = MEMIF_CONNECT;
}

/* The reply to the last step that got one. */
static int handshake_run(struct client *client, const struct handshake *handshake)
{
	int reply;

	housekeep();
	reply = reply_read(client);
	if (reply != MEMIF_HELLO)
		return reply;
	for (int i = 0; i < handshake->n; i++) {
		step_send(client, &handshake->steps[i]);
		housekeep();
		reply = reply_read(client);
		if (reply != MEMIF_ACK)
			break;
	}
	return reply;
}

static void client_connect(struct client *client)
{
	struct handshake handshake;

	client_dial(client);
	handshake_good(&handshake, client);
	assert_int_equal(handshake_run(client, &handshake), MEMIF_CONNECTED);
	assert_true(memif_port_ops.is_up(&port));
	client->to->flags = MEMIF_RING_NO_INTERRUPT;
	read(client->event_to, &(uint64_t){0}, 8); /* from the try at ADD_RING */
}

static uint32_t buffer_offset(int buffer)
{
	return 4096 + buffer * BUFFER;
}

/* Puts one descriptor into the ring, unpublished. */
static void descriptor_put(
	struct memif_ring *ring, uint16_t index, uint16_t flags, uint32_t length, uint32_t offset)
{
	union memif_descriptor *d = &ring->descriptors[index % RING];

	d->flags = flags;
	d->region = 0;
	d->length = length;
	d->offset = offset;
}

static void head_publish(struct memif_ring *ring, uint16_t head)
{
	__atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
}

static uint8_t pattern(uint32_t seed, uint32_t at)
{
	return (uint8_t)(seed * 31 + at * 7 + (at >> 8));
}

static void pattern_write(uint8_t *data, uint32_t length, uint32_t seed, uint32_t from)
{
	for (uint32_t i = 0; i < length; i++)
		data[i] = pattern(seed, from + i);
}

/* Sends frame `seed` from the client in one descriptor, at place `head` of the ring. */
static void client_send(struct client *client, uint32_t seed, uint32_t length)
{
	uint16_t head = client->from->head;
	uint32_t offset = buffer_offset(head % RING);

	pattern_write(client->memory + offset, length, seed, 0);
	descriptor_put(client->from, head, 0, length, offset);
	head_publish(client->from, head + 1);
}

static void buffers_offer(struct client *client, uint16_t n, uint32_t length)
{
	uint16_t head = client->to->head;

	for (uint16_t i = 0; i < n; i++, head++)
		descriptor_put(client->to, head, 0, length, buffer_offset(RING + head % RING));
	head_publish(client->to, head);
}

static uint16_t receive(struct rte_mbuf **mbufs, uint16_t n)
{
	return memif_port_ops.receive(&port, 0, mbufs, n);
}

static void mbuf_check(struct rte_mbuf *mbuf, uint32_t seed, uint32_t length)
{
	uint8_t copy[MEMIF_FRAME_MAX];
	const uint8_t *data = rte_pktmbuf_read(mbuf, 0, length, copy);

	assert_int_equal(mbuf->pkt_len, length);
	assert_non_null(data);
	for (uint32_t i = 0; i < length; i++)
		assert_int_equal(data[i], pattern(seed, i));
	rte_pktmbuf_free(mbuf);
}

/* A frame in segments of at most `part` bytes. */
static struct rte_mbuf *mbuf_make(uint32_t seed, uint32_t length, uint32_t part)
{
	struct rte_mbuf *head = NULL;

	for (uint32_t at = 0; at < length; at += part) {
		struct rte_mbuf *segment = rte_pktmbuf_alloc(pool);
		uint32_t n = RTE_MIN(part, length - at);

		pattern_write((uint8_t *)rte_pktmbuf_append(segment, (uint16_t)n), n, seed, at);
		if (head == NULL)
			head = segment;
		else
			assert_int_equal(rte_pktmbuf_chain(head, segment), 0);
	}
	return head;
}

static uint16_t send_one(struct rte_mbuf *mbuf)
{
	return memif_port_ops.send(&port, 0, &mbuf, 1);
}

/* Reads a frame at descriptor `at`, over as many as it has; returns how many. */
static uint16_t client_check(struct client *client, uint16_t at, uint32_t seed, uint32_t length)
{
	uint32_t done = 0;

	for (uint16_t used = 1;; used++, at++) {
		const union memif_descriptor *d = &client->to->descriptors[at % RING];

		for (uint32_t i = 0; i < d->length; i++, done++)
			assert_int_equal(client->memory[d->offset + i], pattern(seed, done));
		if (!(d->flags & MEMIF_DESCRIPTOR_NEXT)) {
			assert_int_equal(done, length);
			return used;
		}
	}
}

/* The rest of a test after which the peer is expected to have been thrown out. */
static void expect_thrown_out(struct client *client, const char *reason)
{
	housekeep();
	assert_false(memif_port_ops.is_up(&port));
	assert_int_equal(reply_read(client), MEMIF_DISCONNECT);
	assert_non_null(strstr(client->reason, reason));
	assert_int_equal(reply_read(client), 0);
	client_close(client);
	client_connect(client); /* and it may come again */
	client_close(client);
}

/* Handshakes that must be refused. */

static int other_fd = -1; /* a descriptor that is not what it claims */

static void bad_version(struct handshake *h)
{
	h->steps[INIT].message.init.version = 0x0300;
}
static void bad_interface(struct handshake *h)
{
	h->steps[INIT].message.init.interface = 1;
}
static void bad_mode(struct handshake *h)
{
	h->steps[INIT].message.init.mode = 1;
}
static void bad_first(struct handshake *h)
{
	h->steps[INIT] = h->steps[CONNECT];
}
static void bad_init_again(struct handshake *h)
{
	h->steps[REGION_0] = h->steps[INIT];
}
static void bad_type(struct handshake *h)
{
	h->steps[REGION_0].message.type = 99;
}
static void bad_short(struct handshake *h)
{
	h->steps[REGION_0].size = 20;
}
static void bad_long(struct handshake *h)
{
	h->steps[REGION_0].size = sizeof(struct memif_message) + 8;
}
static void bad_two_fds(struct handshake *h)
{
	h->steps[REGION_0].fds[1] = h->steps[REGION_0].fds[0];
	h->steps[REGION_0].n_fds = 2;
}
static void bad_region_no_fd(struct handshake *h)
{
	h->steps[REGION_0].n_fds = 0;
}
static void bad_region_order(struct handshake *h)
{
	h->steps[REGION_0].message.add_region.index = 1;
}
static void bad_region_twice(struct handshake *h)
{
	h->steps[RING_FROM] = h->steps[REGION_0];
}
static void bad_region_empty(struct handshake *h)
{
	h->steps[REGION_0].message.add_region.size = 0;
}
static void bad_region_huge(struct handshake *h)
{
	h->steps[REGION_0].message.add_region.size = UINT64_MAX;
}
static void bad_region_larger_than_file(struct handshake *h)
{
	h->steps[REGION_0].message.add_region.size = REGION + 4096;
}
static void bad_region_is_eventfd(struct handshake *h)
{
	h->steps[REGION_0].fds[0] = h->steps[RING_FROM].fds[0];
}
static void bad_region_is_device(struct handshake *h)
{
	other_fd = open("/dev/zero", O_RDWR);
	h->steps[REGION_0].fds[0] = other_fd;
}
static void bad_region_on_disk(struct handshake *h)
{
	other_fd = open("/proc/version", O_RDONLY);
	h->steps[REGION_0].fds[0] = other_fd;
}
static void bad_region_read_only(struct handshake *h)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", h->steps[REGION_0].fds[0]);
	other_fd = open(path, O_RDONLY);
	h->steps[REGION_0].fds[0] = other_fd;
}
static void bad_regions_too_many(struct handshake *h)
{
	for (int i = 0; i <= MEMIF_REGIONS_MAX; i++) {
		h->steps[REGION_0 + i] = h->steps[REGION_0];
		h->steps[REGION_0 + i].message.add_region.index = (uint16_t)i;
	}
	h->n = REGION_0 + MEMIF_REGIONS_MAX + 1;
}
static void bad_rings_too_many(struct handshake *h)
{
	h->steps[RING_FROM].message.add_ring.index = PORT_QUEUES_MAX;
}
static void bad_ring_index(struct handshake *h)
{
	h->steps[RING_TO].message.add_ring.index = UINT16_MAX;
}
static void bad_ring_twice(struct handshake *h)
{
	h->steps[RING_TO] = h->steps[RING_FROM];
}
static void bad_ring_large(struct handshake *h)
{
	h->steps[RING_FROM].message.add_ring.log2_size = MEMIF_LOG2_RING_SIZE_MAX + 1;
}
static void bad_ring_log2(struct handshake *h)
{
	h->steps[RING_FROM].message.add_ring.log2_size = 255;
}
static void bad_ring_offset(struct handshake *h)
{
	h->steps[RING_FROM].message.add_ring.offset = UINT32_MAX - 15;
}
static void bad_ring_over_the_end(struct handshake *h)
{
	h->steps[RING_FROM].message.add_ring.offset = REGION - 128;
}
static void bad_ring_unaligned(struct handshake *h)
{
	h->steps[RING_FROM].message.add_ring.offset = 2;
}
static void bad_ring_region(struct handshake *h)
{
	h->steps[RING_FROM].message.add_ring.region = 1;
}
static void bad_ring_no_fd(struct handshake *h)
{
	h->steps[RING_TO].n_fds = 0;
}
static void bad_ring_fd(struct handshake *h)
{
	h->steps[RING_TO].fds[0] = h->steps[REGION_0].fds[0];
}
static void bad_ring_from_no_fd(struct handshake *h)
{
	h->steps[RING_FROM].n_fds = 0;
}
static void bad_ring_from_fd(struct handshake *h)
{
	h->steps[RING_FROM].fds[0] = h->steps[REGION_0].fds[0];
}
static void bad_no_rings(struct handshake *h)
{
	h->steps[RING_FROM] = h->steps[CONNECT];
}
static void bad_one_direction(struct handshake *h)
{
	h->steps[RING_TO] = h->steps[CONNECT];
}
static void bad_cookie(struct handshake *h)
{
	h->steps[RING_TO].message.add_ring.offset = 2048;
}
static void bad_truncated(struct handshake *h)
{
	other_fd = memfd_create("other", MFD_CLOEXEC);
	assert_int_equal(ftruncate(other_fd, REGION), 0);
	h->steps[REGION_0].fds[0] = other_fd;
}

static const struct bad {
	void (*spoil)(struct handshake *handshake);
	const char *reason;
} bads[] = {
	{bad_version, "memif 2.0"},
	{bad_interface, "interface id here is 0"},
	{bad_mode, "Ethernet"},
	{bad_first, "unexpected message"},
	{bad_init_again, "unexpected message"},
	{bad_type, "unexpected message"},
	{bad_short, "unexpected message"},
	{bad_long, "unexpected message"},
	{bad_two_fds, "unexpected message"},
	{bad_region_no_fd, "file descriptor"},
	{bad_region_order, "in order"},
	{bad_region_twice, "in order"},
	{bad_region_empty, "impossible size"},
	{bad_region_huge, "impossible size"},
	{bad_region_larger_than_file, "larger than its file"},
	{bad_region_is_eventfd, "not a file"},
	{bad_region_is_device, "not a file"},
	{bad_region_on_disk, "neither a memfd"},
	{bad_region_read_only, "cannot be mapped"},
	{bad_regions_too_many, "too many regions"},
	{bad_rings_too_many, "too many rings"},
	{bad_ring_index, "too many rings"},
	{bad_ring_twice, "a ring comes once"},
	{bad_ring_large, "too large"},
	{bad_ring_log2, "too large"},
	{bad_ring_offset, "not inside"},
	{bad_ring_over_the_end, "not inside"},
	{bad_ring_unaligned, "not aligned"},
	{bad_ring_region, "in no region"},
	{bad_ring_no_fd, "eventfd"},
	{bad_ring_fd, "eventfd"},
	{bad_ring_from_no_fd, "eventfd"},
	{bad_ring_from_fd, "eventfd"},
	{bad_no_rings, "each direction"},
	{bad_one_direction, "each direction"},
	{bad_cookie, "no cookie"},
	{bad_truncated, "no cookie"},
};

static void handshakes_that_are_refused(void **state)
{
	struct handshake handshake;
	struct client client;
	int before = fds_open();

	(void)state;
	for (size_t i = 0; i < RTE_DIM(bads); i++) {
		client_dial(&client);
		handshake_good(&handshake, &client);
		bads[i].spoil(&handshake);
		if (handshake_run(&client, &handshake) != MEMIF_DISCONNECT ||
			strstr(client.reason, bads[i].reason) == NULL)
			fail_msg("bad handshake %zu: \"%s\" instead of \"%s\"", i, client.reason,
				bads[i].reason);
		assert_int_equal(reply_read(&client), 0);
		client_close(&client);
		if (other_fd >= 0)
			close(other_fd);
		other_fd = -1;
		assert_int_equal(fds_open(), before);
	}
	client_connect(&client);
	client_close(&client);
}

static void memory_gone_before_connect(void **state)
{
	struct handshake handshake;
	struct client client;

	(void)state;
	client_dial(&client);
	handshake_good(&handshake, &client);
	handshake.n = CONNECT;
	assert_int_equal(handshake_run(&client, &handshake), MEMIF_ACK);
	assert_int_equal(ftruncate(client.memory_fd, 0), 0);
	step_send(&client, &handshake.steps[CONNECT]);
	housekeep();
	assert_int_equal(reply_read(&client), MEMIF_DISCONNECT);
	client_close(&client);
}

static void hangs_up_at_any_step(void **state)
{
	struct handshake handshake;
	struct client client;
	int before = fds_open();

	(void)state;
	for (int steps = 0; steps <= CONNECT + 1; steps++) {
		client_dial(&client);
		handshake_good(&handshake, &client);
		handshake.n = steps;
		handshake_run(&client, &handshake);
		client_close(&client);
		housekeep();
		assert_false(memif_port_ops.is_up(&port));
		assert_int_equal(fds_open(), before);
	}
}

static void all_messages_at_once(void **state)
{
	struct handshake handshake;
	struct client client;

	(void)state;
	client_dial(&client);
	handshake_good(&handshake, &client);
	for (int i = 0; i < handshake.n; i++)
		step_send(&client, &handshake.steps[i]);
	housekeep();
	housekeep();
	assert_true(memif_port_ops.is_up(&port));
	client_close(&client);
}

/* A client that has several ports may count on it: see memif.c. */
static void a_handshake_waits_for_no_round(void **state)
{
	struct handshake handshake;
	struct client client;

	(void)state;
	client_dial(&client);
	events_wait(events, -1);
	assert_int_equal(reply_read(&client), MEMIF_HELLO);
	handshake_good(&handshake, &client);
	for (int i = 0; i < handshake.n; i++) {
		step_send(&client, &handshake.steps[i]);
		events_wait(events, -1);
		assert_int_equal(reply_read(&client), i == CONNECT ? MEMIF_CONNECTED : MEMIF_ACK);
	}
	close(client.socket);
	client.socket = -1;
	events_wait(events, -1);
	assert_false(memif_port_ops.is_up(&port));
	client_close(&client);
}

/* Whatever the kernel tells of first. */
static void a_client_that_comes_again_is_let_in(void **state)
{
	struct client client;

	(void)state;
	client_connect(&client);
	for (int i = 0; i < 10; i++) {
		struct client again;

		client_dial(&again);
		close(client.socket);
		client.socket = -1;
		housekeep();
		housekeep();
		assert_int_equal(reply_read(&again), MEMIF_HELLO);
		client_close(&again);
		client_close(&client);
		housekeep();
		client_connect(&client);
	}
	client_close(&client);
}

static void assert_status(const char *expected)
{
	char status[PORT_STATUS_SIZE];

	port_status(&port, status);
	assert_string_equal(status, expected);
}

static void the_status_says_why(void **state)
{
	struct step farewell = {.size = sizeof(struct memif_message)};
	struct handshake handshake;
	struct client client;

	(void)state;
	assert_status("waiting for a memif client");
	client_dial(&client);
	handshake_good(&handshake, &client);
	handshake.steps[REGION_0].message.add_region.size = 1 << 30;
	handshake_run(&client, &handshake);
	assert_status("memif client test? did not connect: the region is larger than its file");
	client_close(&client);
	client_connect(&client);
	assert_status("memif client test? connected, 1 queue pair");
	client_close(&client);
	housekeep();
	assert_status("memif client test? disconnected: it is gone");
	client_connect(&client);
	farewell.message.type = MEMIF_DISCONNECT;
	memcpy(farewell.message.disconnect.reason, "closing\x1b", 8);
	step_send(&client, &farewell);
	housekeep();
	assert_status("memif client test? disconnected: closing?");
	client_close(&client);
}

static void a_stalled_handshake_ends(void **state)
{
	struct handshake handshake;
	struct client client;

	(void)state;
	client_dial(&client);
	handshake_good(&handshake, &client);
	handshake.n = RING_TO;
	assert_int_equal(handshake_run(&client, &handshake), MEMIF_ACK);
	usleep(2100 * 1000);
	housekeep();
	assert_int_equal(reply_read(&client), MEMIF_DISCONNECT);
	assert_non_null(strstr(client.reason, "too long"));
	client_close(&client);
}

static void a_second_client_is_refused(void **state)
{
	struct client first, second;

	(void)state;
	client_connect(&first);
	client_dial(&second);
	housekeep();
	assert_int_equal(reply_read(&second), MEMIF_DISCONNECT);
	assert_non_null(strstr(second.reason, "another client"));
	client_close(&second);
	assert_true(memif_port_ops.is_up(&port));
	close(first.socket);
	first.socket = -1;
	client_dial(&second); /* the first one has hung up */
	housekeep();
	client_close(&second);
	client_connect(&second);
	client_close(&second);
	client_close(&first);
}

/* Leaves the process without a descriptor, and returns how many it took for that. */
static int fds_use_up(int *fds, int max)
{
	const struct rlimit few = {(rlim_t)max, fds_limit.rlim_max};
	int n = 0;

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (n < max && (fds[n] = dup(STDERR_FILENO)) >= 0)
		n++;
	assert_int_equal(errno, EMFILE);
	return n;
}

static void fds_give_back(const int *fds, int n)
{
	while (n-- > 0)
		close(fds[n]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &fds_limit), 0);
}

/* It waits, and the main lcore does other things meanwhile. */
static void a_client_waits_for_a_descriptor(void **state)
{
	struct handshake handshake;
	struct client client;
	int fds[100], n;

	(void)state;
	client_dial(&client);
	handshake_good(&handshake, &client);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &fds_limit), 0);
	n = fds_use_up(fds, RTE_DIM(fds));
	accepts = 0;
	for (int i = 1; i <= 3; i++) {
		housekeep();
		assert_int_equal(accepts, i);
		assert_string_equal(
			port.status, "cannot accept a memif client: Too many open files");
	}
	fds_give_back(fds, n);
	assert_int_equal(handshake_run(&client, &handshake), MEMIF_CONNECTED);
	client_close(&client);
}

static void messages_after_connect(void **state)
{
	struct handshake handshake;
	struct client client;

	(void)state;
	client_connect(&client);
	handshake_good(&handshake, &client);
	step_send(&client, &handshake.steps[REGION_0]);
	expect_thrown_out(&client, "unexpected message");
}

static void the_client_disconnects(void **state)
{
	struct step step = {.size = sizeof(struct memif_message)};
	struct client client;

	(void)state;
	client_connect(&client);
	step.message.type = MEMIF_DISCONNECT;
	memset(step.message.disconnect.reason, 'x', sizeof(step.message.disconnect.reason));
	step_send(&client, &step);
	housekeep();
	assert_false(memif_port_ops.is_up(&port));
	assert_int_equal(reply_read(&client), 0);
	client_close(&client);
}

/* Nothing of a connection goes while an lcore may still look at it. */
static void teardown_waits_for_lcores(void **state)
{
	struct rte_mbuf *mbufs[RING];
	struct client client, next;
	int before = fds_open(), connected;

	(void)state;
	rte_rcu_qsbr_thread_register(rcu, 0);
	rte_rcu_qsbr_thread_online(rcu, 0);
	client_connect(&client);
	client_close(&client);
	connected = fds_open();
	housekeep();
	assert_false(memif_port_ops.is_up(&port));
	assert_int_equal(receive(mbufs, RING), 0);
	assert_int_equal(fds_open(), connected - 1); /* the socket went, the eventfd did not */
	client_dial(&next);
	housekeep();
	assert_int_equal(reply_read(&next), -1); /* not greeted yet */
	rte_rcu_qsbr_quiescent(rcu, 0);
	housekeep();
	housekeep();
	assert_int_equal(reply_read(&next), MEMIF_HELLO);
	client_close(&next);
	housekeep();
	assert_int_equal(fds_open(), before);
	rte_rcu_qsbr_thread_offline(rcu, 0);
	rte_rcu_qsbr_thread_unregister(rcu, 0);
}

static void detach_while_connected(void **state)
{
	struct client client;
	struct error error;

	(void)state;
	client_connect(&client);
	memif_port_ops.detach(&port);
	assert_int_equal(access(port.config.path, F_OK), -1);
	assert_int_equal(reply_read(&client), MEMIF_DISCONNECT);
	client_close(&client);
	assert_int_equal(memif_port_ops.attach(&port, &error), 0);
}

static void packets_from_the_client(void **state)
{
	struct rte_mbuf *mbufs[RING];
	struct client client;
	uint32_t seed = 0;

	(void)state;
	client_connect(&client);
	assert_int_equal(receive(mbufs, RING), 0);
	for (int round = 0; round < 100; round++) {
		uint16_t n = 1 + round % RING;

		for (uint16_t i = 0; i < n; i++)
			client_send(&client, seed + i, 14 + (seed + i) * 3 % (BUFFER - 14));
		assert_int_equal(receive(mbufs, RING), n);
		for (uint16_t i = 0; i < n; i++, seed++)
			mbuf_check(mbufs[i], seed, 14 + seed * 3 % (BUFFER - 14));
		assert_int_equal(client.from->tail, client.from->head);
	}
	client_close(&client);
}

static void receive_takes_no_more_than_asked(void **state)
{
	struct rte_mbuf *mbufs[RING];
	struct client client;

	(void)state;
	client_connect(&client);
	for (uint32_t i = 0; i < RING; i++)
		client_send(&client, i, 64);
	assert_int_equal(receive(mbufs, 3), 3);
	assert_int_equal(client.from->tail, 3);
	assert_int_equal(receive(mbufs + 3, RING), RING - 3);
	for (uint32_t i = 0; i < RING; i++)
		mbuf_check(mbufs[i], i, 64);
	client_close(&client);
}

static void packets_to_the_client(void **state)
{
	struct rte_mbuf *mbufs[RING];
	struct client client;
	uint32_t seed = 0;

	(void)state;
	client_connect(&client);
	for (int round = 0; round < 100; round++) {
		uint16_t n = 1 + round % RING, at = client.to->tail;

		buffers_offer(&client, n, BUFFER);
		for (uint16_t i = 0; i < n; i++)
			mbufs[i] = mbuf_make(seed + i, 14 + (seed + i) * 3 % 2000, BUFFER);
		assert_int_equal(memif_port_ops.send(&port, 0, mbufs, n), n);
		assert_int_equal(client.to->tail, client.to->head);
		for (uint16_t i = 0; i < n; i++, seed++)
			assert_int_equal(
				client_check(&client, at + i, seed, 14 + seed * 3 % 2000), 1);
	}
	client_close(&client);
}

static void a_full_ring_takes_a_part(void **state)
{
	struct rte_mbuf *mbufs[RING];
	struct client client;

	(void)state;
	client_connect(&client);
	for (uint32_t i = 0; i < RING; i++)
		mbufs[i] = mbuf_make(i, 64, BUFFER);
	assert_int_equal(memif_port_ops.send(&port, 0, mbufs, RING), 0);
	buffers_offer(&client, 3, BUFFER);
	assert_int_equal(memif_port_ops.send(&port, 0, mbufs, RING), 3);
	for (uint16_t i = 0; i < 3; i++)
		client_check(&client, i, i, 64);
	rte_pktmbuf_free_bulk(mbufs + 3, RING - 3);
	client_close(&client);
}

/* Frame `seed` in descriptors of at most `part` bytes, published when whole. */
static void client_send_chain(struct client *client, uint32_t seed, uint32_t length, uint32_t part)
{
	uint16_t head = client->from->head;

	for (uint32_t at = 0; at < length; at += part, head++) {
		uint32_t n = RTE_MIN(part, length - at), offset = buffer_offset(head % RING);

		pattern_write(client->memory + offset, n, seed, at);
		descriptor_put(
			client->from, head, at + n < length ? MEMIF_DESCRIPTOR_NEXT : 0, n, offset);
	}
	head_publish(client->from, head);
}

static void chains_from_the_client(void **state)
{
	struct rte_mbuf *mbufs[RING];
	struct client client;

	(void)state;
	client_connect(&client);
	for (uint32_t round = 0; round < 20; round++) {
		client_send(&client, 1, 60);
		client_send_chain(&client, 2, 300, 128); /* many small, one mbuf */
		client_send_chain(&client, 3, 2048 + 200, 2048);
		assert_int_equal(receive(mbufs, RING), 3);
		mbuf_check(mbufs[0], 1, 60);
		assert_int_equal(mbufs[1]->nb_segs, 1);
		mbuf_check(mbufs[1], 2, 300);
		assert_int_equal(mbufs[2]->nb_segs, 2);
		mbuf_check(mbufs[2], 3, 2048 + 200);
		client_send_chain(&client, 4, 9018, 2048);
		assert_int_equal(receive(mbufs, RING), 1);
		mbuf_check(mbufs[0], 4, 9018);
	}
	client_close(&client);
}

static void a_chain_waits_for_its_end(void **state)
{
	struct rte_mbuf *mbufs[RING];
	struct client client;

	(void)state;
	client_connect(&client);
	client_send(&client, 1, 64);
	pattern_write(client.memory + buffer_offset(1), 100, 2, 0);
	pattern_write(client.memory + buffer_offset(2), 100, 2, 100);
	descriptor_put(client.from, 1, MEMIF_DESCRIPTOR_NEXT, 100, buffer_offset(1));
	descriptor_put(client.from, 2, 0, 100, buffer_offset(2));
	head_publish(client.from, 2);
	assert_int_equal(receive(mbufs, RING), 1);
	mbuf_check(mbufs[0], 1, 64);
	assert_int_equal(receive(mbufs, RING), 0);
	head_publish(client.from, 3);
	assert_int_equal(receive(mbufs, RING), 1);
	mbuf_check(mbufs[0], 2, 200);
	client_close(&client);
}

static void frames_of_odd_lengths_are_for_the_stages_to_drop(void **state)
{
	struct rte_mbuf *mbufs[RING];
	struct client client;

	(void)state;
	client_connect(&client);
	client_send(&client, 1, 64);
	descriptor_put(client.from, 1, 0, 0, buffer_offset(1));
	descriptor_put(client.from, 2, 0, 13, buffer_offset(2));
	descriptor_put(client.from, 3, 0, MEMIF_FRAME_MAX + 1, buffer_offset(0));
	head_publish(client.from, 4);
	client_send(&client, 2, 64);
	assert_int_equal(receive(mbufs, RING), 5);
	assert_int_equal(mbufs[1]->pkt_len, 0);
	assert_int_equal(mbufs[2]->pkt_len, 13);
	assert_int_equal(mbufs[3]->pkt_len, MEMIF_FRAME_MAX);
	rte_pktmbuf_free_bulk(mbufs + 1, 3);
	mbuf_check(mbufs[0], 1, 64);
	mbuf_check(mbufs[4], 2, 64);
	assert_true(memif_port_ops.is_up(&port));
	client_close(&client);
}

static void no_mbufs_leave_packets_waiting(void **state)
{
	struct rte_mbuf *mbufs[RING], *held[POOL];
	struct client client;

	(void)state;
	client_connect(&client);
	client_send(&client, 1, 64);
	client_send_chain(&client, 2, 5000, 2048);
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, held, POOL), 0);
	assert_int_equal(receive(mbufs, RING), 0);
	rte_pktmbuf_free_bulk(held, 2); /* enough for the first and one segment of the second */
	assert_int_equal(receive(mbufs, RING), 1);
	mbuf_check(mbufs[0], 1, 64);
	rte_pktmbuf_free_bulk(held + 2, POOL - 2);
	assert_int_equal(receive(mbufs, RING), 1);
	mbuf_check(mbufs[0], 2, 5000);
	client_close(&client);
}

static void long_packets_to_the_client(void **state)
{
	struct client client;
	uint16_t at = 0;

	(void)state;
	client_connect(&client);
	for (uint32_t round = 0; round < 20; round++) {
		uint16_t n;

		buffers_offer(&client, RING - (client.to->head - client.to->tail), 512);
		assert_int_equal(send_one(mbuf_make(1, 100, 40)), 1); /* segments, one buffer */
		n = client_check(&client, at, 1, 100);
		assert_int_equal(n, 1);
		at += n;
		assert_int_equal(send_one(mbuf_make(2, 512 * 3 + round, 700)), 1);
		n = client_check(&client, at, 2, 512 * 3 + round);
		assert_int_equal(n, round == 0 ? 3 : 4);
		at += n;
		assert_int_equal(client.to->tail, at);
	}
	client_close(&client);
}

static void a_packet_larger_than_the_ring(void **state)
{
	struct rte_mbuf *mbufs[2];
	struct client client;

	(void)state;
	client_connect(&client);
	buffers_offer(&client, 2, 100);
	mbufs[0] = mbuf_make(1, 64, 64);
	mbufs[1] = mbuf_make(2, 150, 150);
	assert_int_equal(memif_port_ops.send(&port, 0, mbufs, 2), 1);
	assert_int_equal(client.to->tail, 1);
	rte_pktmbuf_free(mbufs[1]);
	client_close(&client);
}

/* What must not be written: bytes behind the packet, or the client's offset. */
static void a_client_sees_its_packet_only(void **state)
{
	struct client client;

	(void)state;
	client_connect(&client);
	buffers_offer(&client, 1, BUFFER);
	memset(client.memory + buffer_offset(RING), 0xee, BUFFER);
	assert_int_equal(send_one(mbuf_make(1, 61, 61)), 1);
	for (int i = 61; i < BUFFER; i++)
		assert_int_equal(client.memory[buffer_offset(RING) + i], 0xee);
	assert_int_equal(client.to->descriptors[0].offset, buffer_offset(RING));
	client_close(&client);
}

static void corrupt_head(struct client *client)
{
	client_send(client, 1, 64);
	head_publish(client->from, RING + 1);
}
static void corrupt_head_backwards(struct client *client)
{
	head_publish(client->from, UINT16_MAX);
}
static void corrupt_region(struct client *client)
{
	client_send(client, 1, 64);
	client_send(client, 2, 64);
	client->from->descriptors[1].region = 1;
}
static void corrupt_offset(struct client *client)
{
	client_send(client, 1, 64);
	client->from->descriptors[0].offset = REGION - 63;
}
static void corrupt_offset_wraps(struct client *client)
{
	client_send(client, 1, 64);
	client->from->descriptors[0].offset = UINT32_MAX;
}
static void corrupt_length(struct client *client)
{
	client_send(client, 1, 64);
	client->from->descriptors[0].length = UINT32_MAX;
}
static void corrupt_chain_end(struct client *client)
{
	client_send_chain(client, 1, 300, 100);
	client->from->descriptors[2].region = UINT16_MAX;
}
static void corrupt_endless_chain(struct client *client)
{
	for (uint16_t i = 0; i < RING; i++)
		descriptor_put(client->from, i, MEMIF_DESCRIPTOR_NEXT, 1, 0);
	head_publish(client->from, RING);
}

static void corrupt_rings_from_the_client(void **state)
{
	void (*const corrupts[])(struct client *) = {corrupt_head, corrupt_head_backwards,
		corrupt_region, corrupt_offset, corrupt_offset_wraps, corrupt_length,
		corrupt_chain_end, corrupt_endless_chain};
	struct rte_mbuf *mbufs[RING];
	struct client client;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(corrupts); i++) {
		client_connect(&client);
		corrupts[i](&client);
		rte_pktmbuf_free_bulk(mbufs, receive(mbufs, RING));
		assert_int_equal(receive(mbufs, RING), 0);
		expect_thrown_out(&client, "a ring holds");
		housekeep();
	}
}

static void corrupt_rings_to_the_client(void **state)
{
	struct client client;

	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		struct rte_mbuf *mbuf = mbuf_make(1, 100, 60);

		client_connect(&client);
		buffers_offer(&client, 2, 50);
		if (kind == 0)
			head_publish(client.to, RING + 1);
		else if (kind == 1)
			client.to->descriptors[0].region = 7;
		else if (kind == 2)
			client.to->descriptors[1].offset = REGION - 1;
		else
			client.to->descriptors[1].length = UINT32_MAX;
		assert_int_equal(send_one(mbuf), 0);
		rte_pktmbuf_free(mbuf);
		expect_thrown_out(&client, "a ring holds");
		housekeep();
	}
}

/* Any content at all: no crash, no leak, and whatever comes out is a frame. */
static void random_rings(void **state)
{
	struct rte_mbuf *mbufs[RING];
	struct client client;

	(void)state;
	srand(1);
	for (int round = 0; round < 3000; round++) {
		uint16_t n;

		if (round == 0 || !memif_port_ops.is_up(&port)) {
			if (round > 0)
				client_close(&client);
			housekeep();
			client_connect(&client);
		}
		for (int i = 0; i < RING; i++) {
			descriptor_put(
				client.from, i, rand() % 4 == 0, rand() % 4000, rand() % REGION);
			descriptor_put(client.to, i, 0, rand() % 3000, rand() % REGION);
			client.from->descriptors[i].region = rand() % 50 == 0;
		}
		/* the random offsets may have overwritten the rings too: all the better */
		head_publish(client.from, client.from->head + rand() % RING);
		head_publish(client.to, client.to->head + rand() % RING);
		n = receive(mbufs, RING);
		for (uint16_t i = 0; i < n; i++)
			assert_in_range(mbufs[i]->pkt_len, 0, MEMIF_FRAME_MAX);
		rte_pktmbuf_free_bulk(mbufs, n);
		for (int i = 0; i < 4; i++)
			mbufs[i] = mbuf_make(i, 1 + rand() % 4000, 300 + rand() % 1500);
		n = memif_port_ops.send(&port, 0, mbufs, 4);
		rte_pktmbuf_free_bulk(mbufs + n, 4 - n);
		housekeep();
	}
	client_close(&client);
}

static void memory_taken_away(void **state)
{
	struct rte_mbuf *mbufs[RING];
	struct client client;

	(void)state;
	client_connect(&client);
	client_send(&client, 1, 64);
	assert_int_equal(ftruncate(client.memory_fd, 0), 0);
	rte_pktmbuf_free_bulk(mbufs, receive(mbufs, RING));
	expect_thrown_out(&client, "shared memory");
}

static void memory_cut_behind_the_rings(void **state)
{
	struct rte_mbuf *mbufs[RING];
	struct client client;

	(void)state;
	client_connect(&client);
	client_send(&client, 1, 64);
	assert_int_equal(ftruncate(client.memory_fd, 4096), 0);
	rte_pktmbuf_free_bulk(mbufs, receive(mbufs, RING)); /* a frame of zeros, or none */
	expect_thrown_out(&client, "shared memory");
}

static uint64_t event_count(const struct client *client)
{
	uint64_t n = 0;

	return read(client->event_to, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void interrupts_when_asked_for(void **state)
{
	struct client client;

	(void)state;
	client_connect(&client);
	assert_int_equal(client.from->flags & MEMIF_RING_NO_INTERRUPT, MEMIF_RING_NO_INTERRUPT);
	buffers_offer(&client, 2, BUFFER);
	assert_int_equal(send_one(mbuf_make(1, 64, 64)), 1);
	assert_int_equal(event_count(&client), 0);
	client.to->flags = 0;
	assert_int_equal(send_one(mbuf_make(1, 64, 64)), 1);
	assert_int_equal(event_count(&client), 1);
	client_close(&client);
}

/* Also more often than there is room for completions, and into an eventfd that would block. */
static void interrupts_never_block(void **state)
{
	uint64_t full = UINT64_MAX - 1;
	struct client client;

	(void)state;
	client_connect(&client);
	client.to->flags = 0;
	fcntl(client.event_to, F_SETFL, 0);
	assert_int_equal(write(client.event_to, &full, sizeof(full)), sizeof(full));
	for (int i = 0; i < 3000; i++) {
		buffers_offer(&client, 1, BUFFER);
		assert_int_equal(send_one(mbuf_make(1, 64, 64)), 1);
	}
	assert_true(event_count(&client) > 0);
	fcntl(client.event_to, F_SETFL, O_NONBLOCK);
	buffers_offer(&client, 1, BUFFER);
	assert_int_equal(send_one(mbuf_make(1, 64, 64)), 1);
	assert_int_equal(event_count(&client), 1);
	client_close(&client);
}

/* ---- who sleeps ---- */

static int watch(bool on)
{
	return memif_port_ops.watch(&port, 0, on);
}

static void kick_weft(const struct client *client)
{
	assert_int_equal(write(client->event_from, &(uint64_t){1}, 8), 8);
}

static uint64_t kicks_read(const struct client *client)
{
	uint64_t n = 0;

	return read(client->event_from, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void a_client_wakes_who_sleeps(void **state)
{
	struct client client;
	int sleeper;

	(void)state;
	assert_int_equal(watch(true), PORT_HAS_NO_PEER);
	client_connect(&client);
	sleeper = sleeper_open(watch(true));
	assert_true(sleeper >= 0);
	assert_int_equal(client.from->flags & MEMIF_RING_NO_INTERRUPT, 0);
	sleeper_is_woken(sleeper, 0); /* perhaps by the try at ADD_RING */
	for (int i = 0; i < 3; i++) { /* nobody reads what the client wrote */
		assert_false(sleeper_is_woken(sleeper, 0));
		kick_weft(&client);
		assert_true(sleeper_is_woken(sleeper, 0));
	}
	assert_true(watch(false) >= 0);
	assert_int_equal(client.from->flags & MEMIF_RING_NO_INTERRUPT, MEMIF_RING_NO_INTERRUPT);
	close(sleeper);
	client_close(&client);
}

/* A ring from the client is read with interrupts wanted, too: at the last look before sleep. */
static void weft_does_not_wake_itself(void **state)
{
	struct rte_mbuf *mbuf;
	struct client client;

	(void)state;
	client_connect(&client);
	kicks_read(&client);
	watch(true);
	client_send(&client, 1, 64);
	assert_int_equal(receive(&mbuf, 1), 1);
	mbuf_check(mbuf, 1, 64);
	assert_int_equal(kicks_read(&client), 0);
	client_close(&client);
}

/* It may keep its end of the eventfd for as long as it likes. */
static void a_client_that_is_gone_wakes_nobody(void **state)
{
	struct client client, next;
	int sleeper;

	(void)state;
	client_connect(&client);
	sleeper = sleeper_open(watch(true));
	shutdown(client.socket, SHUT_RDWR);
	housekeep();
	housekeep();
	assert_int_equal(watch(true), PORT_HAS_NO_PEER);
	sleeper_is_woken(sleeper, 0);
	kick_weft(&client);
	assert_false(sleeper_is_woken(sleeper, 0));
	client_connect(&next);
	kick_weft(&client);
	assert_false(sleeper_is_woken(sleeper, 0));
	close(sleeper);
	client_close(&client);
	client_close(&next);
}

static void fewer_queues_than_the_port(void **state)
{
	struct rte_mbuf *mbufs[1] = {mbuf_make(1, 64, 64)};
	struct client client;

	(void)state;
	client_connect(&client); /* with one pair, to a port of two */
	assert_int_equal(memif_port_ops.receive(&port, 1, mbufs, 1), 0);
	assert_int_equal(memif_port_ops.send(&port, 1, mbufs, 1), 0);
	rte_pktmbuf_free(mbufs[0]);
	client_close(&client);
}

/* With two rings that it sends by, and as many or one that it receives by. Returns the second of
 * the former. */
static struct memif_ring *client_connect_two(struct client *client, bool one_to_client)
{
	struct handshake handshake;
	struct memif_ring *from;

	client_dial(client);
	handshake_good(&handshake, client);
	handshake.steps[6] = handshake.steps[CONNECT];
	handshake.steps[4] = handshake.steps[RING_FROM];
	handshake.steps[4].fds[0] = client->event_to; /* another one than the first ring's */
	handshake.steps[5] = handshake.steps[one_to_client ? 6 : RING_TO];
	for (int i = 4; i < (one_to_client ? 5 : 6); i++) {
		handshake.steps[i].message.add_ring.index = 1;
		handshake.steps[i].message.add_ring.offset += 2048;
	}
	handshake.n = one_to_client ? 6 : 7;
	from = (struct memif_ring *)(client->memory + 2048);
	from->cookie = ((struct memif_ring *)(client->memory + 2048 + TO_CLIENT))->cookie =
		MEMIF_COOKIE;
	assert_int_equal(handshake_run(client, &handshake), MEMIF_CONNECTED);
	return from;
}

static void client_sends(struct client *client, struct memif_ring *ring, uint16_t n)
{
	pattern_write(client->memory + buffer_offset(0), 64, 5, 0);
	for (uint16_t i = 0; i < n; i++)
		descriptor_put(ring, i, 0, 64, buffer_offset(0));
	head_publish(ring, n);
}

static void two_queues(void **state)
{
	struct rte_mbuf *mbuf;
	struct client client;
	struct memif_ring *from;

	(void)state;
	from = client_connect_two(&client, false);
	assert_int_equal(port_pairs(&port), 2);
	client_sends(&client, from, 1);
	assert_int_equal(memif_port_ops.receive(&port, 0, &mbuf, 1), 0);
	assert_int_equal(memif_port_ops.receive(&port, 1, &mbuf, 1), 1);
	mbuf_check(mbuf, 5, 64);
	assert_int_equal(from->tail, 1);
	client_close(&client);
}

/* One queue takes turns between two rings. */
static void more_rings_than_the_port_has_queues(void **state)
{
	struct rte_mbuf *mbuf;
	struct client client;
	struct memif_ring *first, *second;

	(void)state;
	second = client_connect_two(&client, false);
	first = (struct memif_ring *)client.memory;
	client_sends(&client, first, 4);
	client_sends(&client, second, 4);
	for (uint16_t i = 0; i < 8; i++) {
		assert_int_equal(memif_port_ops.receive(&port, 0, &mbuf, 1), 1);
		mbuf_check(mbuf, 5, 64);
		assert_int_equal(first->tail, i / 2 + 1);
		assert_int_equal(second->tail, (i + 1) / 2);
	}
	assert_int_equal(memif_port_ops.receive(&port, 0, &mbuf, 1), 0);
	client_close(&client);
}

static void each_ring_of_a_queue_wakes(void **state)
{
	struct memif_ring *second;
	struct client client;
	int sleeper;

	(void)state;
	second = client_connect_two(&client, false);
	sleeper = sleeper_open(watch(true));
	assert_true(sleeper >= 0);
	assert_int_equal(client.from->flags & MEMIF_RING_NO_INTERRUPT, 0);
	assert_int_equal(second->flags & MEMIF_RING_NO_INTERRUPT, 0);
	sleeper_is_woken(sleeper, 0);
	kick_weft(&client);
	assert_true(sleeper_is_woken(sleeper, 0));
	assert_false(sleeper_is_woken(sleeper, 0));
	assert_int_equal(write(client.event_to, &(uint64_t){1}, 8), 8);
	assert_true(sleeper_is_woken(sleeper, 0));
	close(sleeper);
	client_close(&client);
}

static void more_rings_from_the_client_than_to_it(void **state)
{
	struct rte_mbuf *mbufs[1];
	struct client client;
	struct memif_ring *from;

	(void)state;
	from = client_connect_two(&client, true);
	assert_int_equal(port_pairs(&port), 1);
	client_sends(&client, from, 1);
	assert_int_equal(memif_port_ops.receive(&port, 1, mbufs, 1), 1);
	mbuf_check(mbufs[0], 5, 64);
	buffers_offer(&client, 2, BUFFER);
	for (uint16_t queue = 0; queue < 2; queue++) {
		mbufs[0] = mbuf_make(1, 64, 64);
		assert_int_equal(memif_port_ops.send(&port, queue, mbufs, 1), 1);
	}
	client_close(&client);
}

static void a_gap_between_rings(void **state)
{
	struct handshake handshake;
	struct client client;

	(void)state;
	client_dial(&client);
	handshake_good(&handshake, &client);
	handshake.steps[RING_TO].message.add_ring.index = 1;
	assert_int_equal(handshake_run(&client, &handshake), MEMIF_DISCONNECT);
	assert_non_null(strstr(client.reason, "numbered from 0"));
	client_close(&client);
}

static void not_connected(void **state)
{
	struct rte_mbuf *mbufs[1] = {mbuf_make(1, 64, 64)};

	(void)state;
	assert_false(memif_port_ops.is_up(&port));
	assert_int_equal(receive(mbufs, 1), 0);
	assert_int_equal(memif_port_ops.send(&port, 0, mbufs, 1), 0);
	rte_pktmbuf_free(mbufs[0]);
	housekeep();
}

/* ---- side by side ---- */

/* Buffers for packets `seed` and so on. Returns for how many; the others are freed. */
static int reserve(
	uint16_t queue, struct reservation *reservation, uint32_t seed, uint16_t n, uint32_t length)
{
	struct rte_mbuf *mbufs[RING];
	int reserved;

	for (uint16_t i = 0; i < n; i++)
		mbufs[i] = mbuf_make(seed + i, length, length);
	reserved = memif_port_ops.reserve(&port, queue, mbufs, n, reservation);
	for (uint16_t i = 0; i < n; i++) {
		if (i < reserved)
			reservation->mbufs[i] = mbufs[i];
		else
			rte_pktmbuf_free(mbufs[i]);
	}
	return reserved;
}

static void fill_and_publish(struct reservation *reservation)
{
	memif_port_ops.fill(&port, reservation, reservation->mbufs);
	rte_pktmbuf_free_bulk(reservation->mbufs, reservation->n);
	memif_port_ops.publish(&port, reservation);
}

static void the_client_sees_packets_in_the_order_of_reservations(void **state)
{
	struct reservation first, second, third;
	struct client client;
	uint16_t at = 0;

	(void)state;
	client_connect(&client);
	for (int round = 0; round < 20; round++, at += 5) { /* around the ring, too */
		buffers_offer(&client, 5, 100);
		assert_int_equal(reserve(0, &first, 10, 1, 64), 1);
		assert_int_equal(reserve(0, &second, 20, 2, 64), 2);
		assert_int_equal(reserve(0, &third, 30, 2, 150), 1); /* two buffers each */
		fill_and_publish(&third);
		fill_and_publish(&second);
		assert_int_equal(client.to->tail, at);
		fill_and_publish(&first);
		assert_int_equal(client.to->tail, (uint16_t)(at + 5));
		assert_int_equal(client_check(&client, at, 10, 64), 1);
		assert_int_equal(client_check(&client, at + 1, 20, 64), 1);
		assert_int_equal(client_check(&client, at + 2, 21, 64), 1);
		assert_int_equal(client_check(&client, at + 3, 30, 150), 2);
	}
	client_close(&client);
}

static void collect_and_publish(struct reservation *reservation, uint32_t seed, uint32_t length)
{
	struct rte_mbuf *mbufs[RING];

	memif_port_ops.collect(&port, reservation, mbufs);
	memif_port_ops.publish(&port, reservation);
	for (uint16_t i = 0; i < reservation->n; i++)
		mbuf_check(mbufs[i], seed + i, length);
}

static void the_client_gets_buffers_back_in_the_order_of_claims(void **state)
{
	struct reservation first, second, third;
	struct client client;
	uint16_t at = 0;

	(void)state;
	client_connect(&client);
	for (int round = 0; round < 20; round++, at += 6) {
		for (uint32_t i = 0; i < 3; i++)
			client_send(&client, 10 + i, 64);
		client_send_chain(&client, 20, 2500, 1000);
		assert_int_equal(memif_port_ops.claim(&port, 0, 1, &first), 1);
		assert_int_equal(memif_port_ops.claim(&port, 0, 2, &second), 2);
		assert_int_equal(memif_port_ops.claim(&port, 0, RING, &third), 1);
		collect_and_publish(&third, 20, 2500);
		collect_and_publish(&second, 11, 64);
		assert_int_equal(client.from->tail, at);
		collect_and_publish(&first, 10, 64);
		assert_int_equal(client.from->tail, (uint16_t)(at + 6));
	}
	client_close(&client);
}

static void what_is_reserved_is_reserved_once(void **state)
{
	struct reservation first, second;
	struct client client;

	(void)state;
	client_connect(&client);
	buffers_offer(&client, RING, BUFFER);
	assert_int_equal(reserve(0, &first, 1, RING, 64), RING);
	assert_int_equal(reserve(0, &second, 1, 1, 64), -1); /* the client has not seen it */
	fill_and_publish(&first);
	assert_int_equal(reserve(0, &second, 1, 1, 64), 0);
	buffers_offer(&client, 1, BUFFER);
	assert_int_equal(reserve(0, &second, 9, 2, 64), 1);
	fill_and_publish(&second);
	assert_int_equal(client_check(&client, RING, 9, 64), 1);
	client_send(&client, 1, 64);
	assert_int_equal(memif_port_ops.claim(&port, 0, RING, &first), 1);
	assert_int_equal(memif_port_ops.claim(&port, 0, RING, &second), 0);
	collect_and_publish(&first, 1, 64);
	client_close(&client);
}

/* The port has two queues, the client one ring. */
static void another_lcore_is_at_the_ring(void **state)
{
	const struct memif_port *memif = port.driver;
	struct reservation reservation;
	struct reservations *ring;
	struct client client;

	(void)state;
	client_connect(&client);
	ring = &memif->connection->to_client[0].reservations;
	buffers_offer(&client, 2, BUFFER);
	assert_true(reservations_take(ring));
	assert_int_equal(reserve(0, &reservation, 1, 1, 64), -1);
	assert_int_equal(reserve(1, &reservation, 1, 1, 64), -1);
	reservations_leave(ring);
	assert_int_equal(reserve(1, &reservation, 1, 1, 64), 1);
	fill_and_publish(&reservation);
	assert_int_equal(client.to->tail, 1);
	client_close(&client);
}

static void broken_descriptors_in_the_middle(void **state)
{
	struct reservation reservation;
	struct client client;

	(void)state;
	client_connect(&client);
	buffers_offer(&client, 4, BUFFER);
	client.to->descriptors[2].offset = REGION - 63;
	assert_int_equal(reserve(0, &reservation, 1, 4, 64), 2);
	fill_and_publish(&reservation);
	assert_int_equal(client.to->tail, 2);
	assert_int_equal(client_check(&client, 1, 2, 64), 1);
	expect_thrown_out(&client, "a ring holds");
	housekeep();
	client_connect(&client);
	for (uint32_t i = 0; i < 4; i++)
		client_send(&client, i, 64);
	client.from->descriptors[2].region = 1;
	assert_int_equal(memif_port_ops.claim(&port, 0, RING, &reservation), 2);
	collect_and_publish(&reservation, 0, 64);
	assert_int_equal(client.from->tail, 2);
	expect_thrown_out(&client, "a ring holds");
	housekeep();
}

/* Its memory stays until the lcore that has reserved is quiescent. */
static void a_client_goes_while_lcores_copy(void **state)
{
	struct reservation reservation, claim;
	struct client client;

	(void)state;
	rte_rcu_qsbr_thread_register(rcu, 0);
	rte_rcu_qsbr_thread_online(rcu, 0);
	client_connect(&client);
	buffers_offer(&client, 2, BUFFER);
	client_send(&client, 5, 64);
	assert_int_equal(reserve(0, &reservation, 1, 2, 64), 2);
	assert_int_equal(memif_port_ops.claim(&port, 0, RING, &claim), 1);
	client_close(&client);
	housekeep();
	housekeep();
	assert_false(memif_port_ops.is_up(&port));
	fill_and_publish(&reservation);
	collect_and_publish(&claim, 5, 64);
	rte_rcu_qsbr_quiescent(rcu, 0);
	housekeep();
	rte_rcu_qsbr_thread_offline(rcu, 0);
	rte_rcu_qsbr_thread_unregister(rcu, 0);
	client_connect(&client);
	client_close(&client);
}

/* Threads that copy side by side. Who reserves has the turn: packets are numbered by it. */
#define THREADS 3
#define NUMBERED 3000

static struct copiers {
	pthread_mutex_t turn;
	uint32_t next;	 /* number of the packet that is reserved or claimed next */
	uint32_t errors; /* packets that are not what they should be */
	uint32_t ended;	 /* threads */
} copiers;

static uint32_t number_length(uint32_t number)
{
	return 64 + number % 5 * 700; /* some take two buffers, or segments */
}

/* Lets others overtake, at places that differ. */
static void dawdle(uint32_t number)
{
	for (uint32_t i = number * 2654435761u >> 30; i > 0; i--)
		sched_yield();
}

static bool reserve_numbered(struct reservation *reservation)
{
	struct rte_mbuf *mbufs[3] = {0};
	int n = 0, reserved;

	pthread_mutex_lock(&copiers.turn);
	for (; n < 3 && copiers.next + n < NUMBERED; n++)
		mbufs[n] = mbuf_make(copiers.next + n, number_length(copiers.next + n), 1000);
	reserved = n == 0 ? 0 : memif_port_ops.reserve(&port, 0, mbufs, n, reservation);
	copiers.next += RTE_MAX(reserved, 0);
	pthread_mutex_unlock(&copiers.turn);
	memcpy(reservation->mbufs, mbufs, sizeof(mbufs));
	for (int i = RTE_MAX(reserved, 0); i < n; i++)
		rte_pktmbuf_free(mbufs[i]);
	return reserved > 0;
}

static void *send_numbered(void *argument)
{
	struct reservation reservation;

	while (__atomic_load_n(&copiers.next, __ATOMIC_RELAXED) < NUMBERED) {
		if (reserve_numbered(&reservation)) {
			dawdle(reservation.begin);
			fill_and_publish(&reservation);
		} else {
			sched_yield();
		}
	}
	__atomic_fetch_add(&copiers.ended, 1, __ATOMIC_RELEASE);
	return argument;
}

static bool has_pattern(const uint8_t *data, uint32_t length, uint32_t seed, uint32_t from)
{
	for (uint32_t i = 0; i < length; i++)
		if (data[i] != pattern(seed, from + i))
			return false;
	return true;
}

static void *receive_numbered(void *argument)
{
	struct rte_mbuf *mbufs[3];
	struct reservation claim;
	uint8_t copy[BUFFER * 2];
	uint32_t number;
	uint16_t n;

	while (__atomic_load_n(&copiers.next, __ATOMIC_RELAXED) < NUMBERED) {
		pthread_mutex_lock(&copiers.turn);
		n = memif_port_ops.claim(&port, 0, RTE_DIM(mbufs), &claim);
		number = copiers.next;
		copiers.next += n;
		pthread_mutex_unlock(&copiers.turn);
		if (n == 0) {
			sched_yield();
			continue;
		}
		dawdle(number);
		memif_port_ops.collect(&port, &claim, mbufs);
		memif_port_ops.publish(&port, &claim);
		for (uint16_t i = 0; i < n; i++, number++) {
			uint32_t length = number_length(number);
			const uint8_t *data = rte_pktmbuf_read(mbufs[i], 0, length, copy);

			if (mbufs[i]->pkt_len != length || !has_pattern(data, length, number, 0))
				__atomic_fetch_add(&copiers.errors, 1, __ATOMIC_RELAXED);
			rte_pktmbuf_free(mbufs[i]);
		}
	}
	__atomic_fetch_add(&copiers.ended, 1, __ATOMIC_RELEASE);
	return argument;
}

static void copiers_start(pthread_t *threads, void *(*function)(void *))
{
	copiers = (struct copiers){.turn = PTHREAD_MUTEX_INITIALIZER};
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, function, NULL), 0);
}

static void copiers_join(const pthread_t *threads)
{
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static bool copiers_have_ended(void)
{
	return __atomic_load_n(&copiers.ended, __ATOMIC_ACQUIRE) == THREADS;
}

static void threads_send_side_by_side(void **state)
{
	uint32_t number = 0, done = 0, errors = 0;
	pthread_t threads[THREADS];
	struct client client;
	uint16_t at = 0, tail;
	bool ended;

	(void)state;
	client_connect(&client);
	buffers_offer(&client, RING, BUFFER);
	copiers_start(threads, send_numbered);
	do {
		ended = copiers_have_ended();
		tail = __atomic_load_n(&client.to->tail, __ATOMIC_ACQUIRE);
		for (; at != tail; at++) {
			const union memif_descriptor *d = &client.to->descriptors[at % RING];

			errors += !has_pattern(client.memory + d->offset, d->length, number, done);
			done += d->length;
			if (d->flags & MEMIF_DESCRIPTOR_NEXT)
				continue;
			errors += done != number_length(number++);
			done = 0;
		}
		buffers_offer(&client, (uint16_t)(at + RING - client.to->head), BUFFER);
		sched_yield();
	} while (!ended);
	copiers_join(threads);
	assert_int_equal(number, NUMBERED);
	assert_int_equal(errors, 0);
	client_close(&client);
}

static void threads_receive_side_by_side(void **state)
{
	pthread_t threads[THREADS];
	struct client client;
	uint32_t number = 0;

	(void)state;
	client_connect(&client);
	copiers_start(threads, receive_numbered);
	while (!copiers_have_ended()) {
		uint16_t tail = __atomic_load_n(&client.from->tail, __ATOMIC_ACQUIRE);

		while (number < NUMBERED && (uint16_t)(client.from->head - tail) < RING - 1) {
			client_send_chain(&client, number, number_length(number), 2000);
			number++;
		}
		sched_yield();
	}
	copiers_join(threads);
	assert_int_equal(copiers.errors, 0);
	assert_int_equal(copiers.next, NUMBERED);
	assert_int_equal(client.from->tail, client.from->head);
	client_close(&client);
}

/* The socket's path. */

static void claim_refused(const char *path, const char *reason)
{
	struct error error = {""};

	assert_int_equal(unix_socket_claim(path, SOCK_SEQPACKET, &error), -1);
	if (strstr(error.text, reason) == NULL)
		fail_msg("\"%s\" instead of \"%s\"", error.text, reason);
}

static void paths_that_are_refused(void **state)
{
	char path[200];
	int file;

	(void)state;
	claim_refused(port.config.path, "in use by another process");
	claim_refused("", "empty");
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	claim_refused(path, "longer than 107");
	claim_refused("/proc/none/socket", "cannot make directory /proc/none");
	snprintf(path, sizeof(path), "%s/file", directory);
	file = open(path, O_CREAT | O_WRONLY, 0600);
	close(file);
	claim_refused(path, "not a socket");
	assert_int_equal(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/file/socket", directory);
	claim_refused(path, "ot a directory");
	snprintf(path, sizeof(path), "%s/file", directory);
	unlink(path);
}

static bool is_directory(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode) &&
	       (status.st_mode & 0777) == 0755;
}

static void its_directory_is_made(void **state)
{
	char outer[200], inner[220], path[240];
	mode_t mask = umask(0);
	struct error error;

	(void)state;
	snprintf(outer, sizeof(outer), "%s/outer", directory);
	snprintf(inner, sizeof(inner), "%s//inner", outer);
	snprintf(path, sizeof(path), "%s/socket", inner);
	assert_int_equal(unix_socket_claim(path, SOCK_SEQPACKET, &error), 0);
	assert_true(is_directory(outer));
	assert_true(is_directory(inner));
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(unix_socket_claim(path, SOCK_SEQPACKET, &error), 0);
	umask(mask);
	rmdir(inner);
	rmdir(outer);
}

static void a_stale_socket_is_removed(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int stale = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct error error;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/stale", directory);
	assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof(address)), 0);
	close(stale);
	assert_int_equal(unix_socket_claim(address.sun_path, SOCK_SEQPACKET, &error), 0);
	assert_int_equal(access(address.sun_path, F_OK), -1);
}

static void a_live_socket_of_another_type(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int live = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/stream", directory);
	assert_int_equal(bind(live, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(live, 1), 0);
	claim_refused(address.sun_path, "in use by another process");
	close(live);
	unlink(address.sun_path);
}

static void attach_leaves_nothing_on_failure(void **state)
{
	struct port saved = port;
	int before = fds_open();
	struct error error;

	(void)state;
	assert_int_equal(memif_port_ops.attach(&port, &error), -1); /* in use, by ourselves */
	assert_int_equal(access(port.config.path, F_OK), 0);
	port.config.ring_size = 1000;
	assert_int_equal(memif_port_ops.attach(&port, &error), -1);
	assert_non_null(strstr(error.text, "power of two"));
	assert_int_equal(fds_open(), before);
	port = saved;
}

static int environment_make(void **state)
{
	char *arguments[] = {"test_memif", "--no-huge", "-m", "128", "--no-pci", "--no-telemetry",
		"--no-shconf", "--log-level=user1:error", NULL};

	(void)state;
	if (rte_eal_init(RTE_DIM(arguments) - 1, arguments) < 0)
		return -1;
	pool = rte_pktmbuf_pool_create("test", POOL, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	rcu = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
	events = events_create();
	if (pool == NULL || rcu == NULL || events == NULL || rte_rcu_qsbr_init(rcu, 1) != 0)
		return -1;
	return kick_init(); /* its one descriptor belongs to the process */
}

static int environment_end(void **state)
{
	(void)state;
	rte_mempool_free(pool);
	rte_free(rcu);
	events_free(events);
	return rte_eal_cleanup();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, port_setup, port_teardown)
#define TEST_TWO(name) cmocka_unit_test_setup_teardown(name, port_setup_two, port_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(handshakes_that_are_refused),
		TEST(memory_gone_before_connect),
		TEST(hangs_up_at_any_step),
		TEST(all_messages_at_once),
		TEST(a_handshake_waits_for_no_round),
		TEST(a_client_that_comes_again_is_let_in),
		TEST(the_status_says_why),
		TEST(a_stalled_handshake_ends),
		TEST(a_second_client_is_refused),
		TEST(a_client_waits_for_a_descriptor),
		TEST(messages_after_connect),
		TEST(the_client_disconnects),
		TEST(teardown_waits_for_lcores),
		TEST(detach_while_connected),
		TEST(packets_from_the_client),
		TEST(receive_takes_no_more_than_asked),
		TEST(packets_to_the_client),
		TEST(a_full_ring_takes_a_part),
		TEST(chains_from_the_client),
		TEST(a_chain_waits_for_its_end),
		TEST(frames_of_odd_lengths_are_for_the_stages_to_drop),
		TEST(no_mbufs_leave_packets_waiting),
		TEST(long_packets_to_the_client),
		TEST(a_packet_larger_than_the_ring),
		TEST(a_client_sees_its_packet_only),
		TEST(corrupt_rings_from_the_client),
		TEST(corrupt_rings_to_the_client),
		TEST(random_rings),
		TEST(memory_taken_away),
		TEST(memory_cut_behind_the_rings),
		TEST(interrupts_when_asked_for),
		TEST(interrupts_never_block),
		TEST(a_client_wakes_who_sleeps),
		TEST(weft_does_not_wake_itself),
		TEST(a_client_that_is_gone_wakes_nobody),
		TEST(each_ring_of_a_queue_wakes),
		TEST_TWO(fewer_queues_than_the_port),
		TEST_TWO(two_queues),
		TEST_TWO(more_rings_from_the_client_than_to_it),
		TEST(more_rings_than_the_port_has_queues),
		TEST_TWO(a_gap_between_rings),
		TEST(not_connected),
		TEST(the_client_sees_packets_in_the_order_of_reservations),
		TEST(the_client_gets_buffers_back_in_the_order_of_claims),
		TEST(what_is_reserved_is_reserved_once),
		TEST_TWO(another_lcore_is_at_the_ring),
		TEST(broken_descriptors_in_the_middle),
		TEST(a_client_goes_while_lcores_copy),
		TEST(threads_send_side_by_side),
		TEST(threads_receive_side_by_side),
		TEST(paths_that_are_refused),
		TEST(its_directory_is_made),
		TEST(a_stale_socket_is_removed),
		TEST(a_live_socket_of_another_type),
		TEST(attach_leaves_nothing_on_failure),
	};

	return cmocka_run_group_tests_name("memif", tests, environment_make, environment_end);
}
