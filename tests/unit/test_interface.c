/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "base/events.h"
#include "bytes.h"
#include "file.h"
#include "ports/port.h"
#include "sleeper.h"

/*
 * An uplink at one end of a cable between two interfaces of the kernel's, in a network namespace of
 * this program's own, and a packet socket at the other end. The socket's frames have virtio
 * headers, so that it can leave checksums and segmentation to the other side, as the kernel does.
 */
#define NEAR "weft-near"
#define FAR "weft-far"
#define POOL 4095
#define SMALL_POOL 511
#define SMALL_ROOM 512
#define MTU 1500
#define RING 64
#define SEGMENT 1400
#define TEST_TYPE 0x88b5 /* IEEE 802, for local experiments */
#define FRAME_MAX 66000
#define PATIENCE_S 10
#define DESCRIPTORS 256

extern const struct port_ops interface_port_ops;

static const struct rte_ether_addr own_mac = {{2, 0, 0, 0, 0, 7}};
static struct rte_mempool *pool, *small_pool;
static bool able; /* to make network devices */
static struct events *events;
static struct rte_rcu_qsbr *rcu;
static struct port port;
static int peer = -1;
static int fds_before;

struct frame {
	struct virtio_net_hdr header;
	uint8_t data[FRAME_MAX];
} __rte_packed __rte_aligned(2);

static struct frame frame, expected;

#define NEEDS_DEVICES()                                                                            \
	do {                                                                                       \
		if (!able)                                                                         \
			skip();                                                                    \
	} while (0)

/* ---- the kernel's side ---- */

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

static void make_cable(void)
{
	run("ip link add " NEAR " address 02:00:00:00:00:01 type veth peer name " FAR);
	run("ip link set " FAR " up");
	run("ip link set " NEAR " up");
}

static int packet_socket(const char *interface)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(interface)};
	const int on = 1;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	/* A queueing discipline drops without a word until the kernel has put it to work. */
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void peer_open(void)
{
	peer = packet_socket(FAR);
}

/* The kernel may carry a frame along when the call that sent it has long returned. */
static bool is_patient(time_t since)
{
	sched_yield();
	return time(NULL) - since < PATIENCE_S;
}

/* The length of the next frame that came out at the other end, which is then in `frame`. */
static size_t peer_got(void)
{
	struct pollfd waiting = {.fd = peer, .events = POLLIN};
	ssize_t length;

	poll(&waiting, 1, PATIENCE_S * 1000);
	length = recv(peer, &frame, sizeof(frame), MSG_DONTWAIT);
	/* The kernel tells once that the interface was down. */
	if (length < 0 && errno == ENETDOWN)
		return peer_got();
	return length < 0 ? 0 : length - sizeof(frame.header);
}

static void assert_peer_got_nothing(void)
{
	assert_int_equal(recv(peer, &frame, sizeof(frame), MSG_DONTWAIT), -1);
}

static void peer_sends(size_t length)
{
	size_t whole = sizeof(frame.header) + length;
	time_t begin = time(NULL);
	ssize_t sent;

	do
		sent = send(peer, &frame, whole, 0);
	while (sent < 0 && errno == ENOBUFS && is_patient(begin));
	assert_int_equal(sent, whole);
}

/* All that the program may have; its children have some. */
static void take_descriptors(int fds[DESCRIPTORS], struct rlimit *before)
{
	struct rlimit few;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
	few = (struct rlimit){DESCRIPTORS, before->rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (int i = 0; i < DESCRIPTORS; i++)
		fds[i] = fcntl(0, F_DUPFD_CLOEXEC, 0);
	assert_int_equal(fds[DESCRIPTORS - 1], -1);
}

static void give_descriptors(const int fds[DESCRIPTORS], const struct rlimit *before)
{
	for (int i = 0; i < DESCRIPTORS && fds[i] >= 0; i++)
		close(fds[i]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, before), 0);
}

/* ---- the port ---- */

static void port_prepare(uint16_t queues, struct rte_mempool *mbufs)
{
	memset(&port, 0, sizeof(port));
	port.ops = &interface_port_ops;
	port.uplink = true;
	port.n_queues = queues;
	port.environment = (struct port_environment){.pool = mbufs, .rcu = rcu, .events = events};
	port.config.ring_size = RING;
	snprintf(port.config.name, sizeof(port.config.name), "phys");
	snprintf(port.config.interface, sizeof(port.config.interface), NEAR);
}

static void port_attach(void)
{
	struct error error = {""};

	fds_before = fds_open();
	if (interface_port_ops.attach(&port, &error) != 0)
		fail_msg("%s", error.text);
}

static void port_open(uint16_t queues, struct rte_mempool *mbufs)
{
	make_cable();
	port_prepare(queues, mbufs);
	port_attach();
	peer_open();
}

/* Whatever a test did: no descriptor and no mbuf is left. */
static int port_close(void **state)
{
	(void)state;
	if (port.driver == NULL)
		return 0;
	interface_port_ops.detach(&port);
	if (peer >= 0)
		close(peer);
	peer = -1;
	if (if_nametoindex(NEAR) != 0)
		run("ip link del " NEAR);
	return fds_open() == fds_before && rte_mempool_avail_count(pool) == POOL &&
			       rte_mempool_avail_count(small_pool) == SMALL_POOL
		       ? 0
		       : -1;
}

/* The next frame of a queue, or NULL. */
static struct rte_mbuf *receive_now(uint16_t queue)
{
	struct rte_mbuf *mbuf;

	return interface_port_ops.receive(&port, queue, &mbuf, 1) == 1 ? mbuf : NULL;
}

static struct rte_mbuf *receive(void)
{
	time_t begin = time(NULL);
	struct rte_mbuf *mbuf;

	do
		mbuf = receive_now(0);
	while (mbuf == NULL && is_patient(begin));
	return mbuf;
}

static uint16_t send_one(struct rte_mbuf *mbuf)
{
	return interface_port_ops.send(&port, 0, &mbuf, 1);
}

/* The kernel tells of links when it has the time. */
static void assert_status(bool up, const char *words)
{
	char status[PORT_STATUS_SIZE];
	time_t begin = time(NULL);

	do {
		events_wait(events, 10);
		interface_port_ops.housekeep(&port);
		port_status(&port, status);
		if (interface_port_ops.is_up(&port) == up && strstr(status, words) != NULL)
			return;
	} while (is_patient(begin));
	fail_msg("up: %d, no '%s' in: %s", interface_port_ops.is_up(&port), words, status);
}

/* ---- frames ---- */

/* A frame of no protocol that the kernel knows, in `frame`. */
static void make_frame(size_t length, uint8_t seed)
{
	struct rte_ether_hdr *ether = (void *)frame.data;

	memset(&frame.header, 0, sizeof(frame.header));
	for (size_t i = 0; i < length; i++)
		frame.data[i] = (uint8_t)(seed + i * 7 + (i >> 8));
	memset(&ether->dst_addr, 0xff, sizeof(ether->dst_addr));
	ether->src_addr = own_mac;
	ether->ether_type = RTE_BE16(TEST_TYPE);
}

static struct rte_mbuf *mbuf_of_frame(struct rte_mempool *from, size_t length)
{
	return mbuf_of_bytes(from, frame.data, length);
}

static void assert_received(struct rte_mbuf *mbuf, size_t length)
{
	assert_bytes(mbuf, frame.data, length);
}

/* There and back. */
static void assert_passes(struct rte_mempool *mbufs, size_t length, uint8_t seed)
{
	make_frame(length, seed);
	peer_sends(length);
	assert_received(receive(), length);
	make_frame(length, seed + 1);
	memcpy(&expected, &frame, sizeof(frame));
	assert_int_equal(send_one(mbuf_of_frame(mbufs, length)), 1);
	assert_int_equal(peer_got(), length);
	assert_memory_equal(frame.data, expected.data, length);
}

/* A TCP segment whose checksum, and cutting, is left to the other side. */
static void make_tcp(size_t length)
{
	struct rte_ether_hdr *ether = (void *)frame.data;
	struct rte_ipv4_hdr *ip = (void *)(ether + 1);
	struct rte_tcp_hdr *tcp = (void *)(ip + 1);

	make_frame(length, 1);
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(length - sizeof(*ether)),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_TCP,
		.src_addr = RTE_BE32(RTE_IPV4(10, 9, 0, 1)),
		.dst_addr = RTE_BE32(RTE_IPV4(10, 9, 0, 2))};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	*tcp = (struct rte_tcp_hdr){.src_port = RTE_BE16(1000),
		.dst_port = RTE_BE16(2000),
		.data_off = sizeof(*tcp) / 4 << 4,
		.tcp_flags = RTE_TCP_ACK_FLAG,
		.cksum = rte_ipv4_phdr_cksum(ip, 0)};
	frame.header = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = (uint8_t *)tcp - frame.data,
		.csum_offset = offsetof(struct rte_tcp_hdr, cksum)};
}

#define TCP_HEADERS (RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_tcp_hdr))

static void make_large_tcp(size_t length)
{
	make_tcp(length);
	frame.header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	frame.header.gso_size = SEGMENT;
	frame.header.hdr_len = TCP_HEADERS;
}

/* The payload's bytes of the next frame, which is a whole TCP segment. */
static size_t assert_segment(struct rte_mbuf *mbuf, size_t done)
{
	static uint8_t copy[4096];
	const struct rte_ipv4_hdr *ip = (void *)(copy + RTE_ETHER_HDR_LEN);
	size_t length;

	assert_non_null(mbuf);
	rte_mbuf_sanity_check(mbuf, 1);
	length = mbuf->pkt_len;
	assert_true(length <= TCP_HEADERS + SEGMENT);
	assert_int_equal(mbuf->nb_segs, 1);
	memcpy(copy, rte_pktmbuf_mtod(mbuf, void *), length);
	rte_pktmbuf_free(mbuf);
	assert_int_equal(rte_be_to_cpu_16(ip->total_length), length - RTE_ETHER_HDR_LEN);
	assert_int_equal(rte_ipv4_udptcp_cksum_verify(ip, ip + 1), 0);
	assert_memory_equal(
		copy + TCP_HEADERS, frame.data + TCP_HEADERS + done, length - TCP_HEADERS);
	return length - TCP_HEADERS;
}

/* ---- tests ---- */

static void address_and_mtu_are_the_interfaces(void **state)
{
	static const struct rte_ether_addr near = {{2, 0, 0, 0, 0, 1}};

	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	assert_memory_equal(&port.mac, &near, sizeof(near));
	assert_int_equal(port.mtu, MTU);
	assert_status(true, NEAR " is up");
}

static void they_can_be_given(void **state)
{
	(void)state;
	NEEDS_DEVICES();
	make_cable();
	port_prepare(1, pool);
	port.config.mac = own_mac;
	port.config.mtu = 1400;
	port_attach();
	peer_open();
	assert_memory_equal(&port.mac, &own_mac, sizeof(own_mac));
	assert_int_equal(port.mtu, 1400);
	assert_passes(pool, 100, 1);
}

static void frames_pass_both_ways(void **state)
{
	static const size_t lengths[] = {RTE_ETHER_HDR_LEN, 15, 60, 1000, MTU + RTE_ETHER_HDR_LEN};

	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	for (size_t round = 0; round < 3 * RING; round++)
		assert_passes(pool, lengths[round % RTE_DIM(lengths)], round);
	assert_null(receive_now(0));
	assert_int_equal(interface_port_ops.missed(&port), 0);
}

static void frames_wake_who_sleeps(void **state)
{
	int sleeper;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	sleeper = sleeper_open(interface_port_ops.watch(&port, 0, true));
	assert_true(sleeper >= 0);
	make_frame(100, 0);
	for (int i = 0; i < 3; i++) {
		while (sleeper_is_woken(sleeper, 0))
			;
		peer_sends(100);
		assert_true(sleeper_is_woken(sleeper, PATIENCE_S * 1000));
		assert_received(receive(), 100);
	}
	close(sleeper);
	run("ip link del " NEAR);
	assert_status(false, "there is no interface");
	assert_int_equal(interface_port_ops.watch(&port, 0, true), PORT_HAS_NO_PEER);
}

static void bursts_keep_their_order(void **state)
{
	struct rte_mbuf *mbufs[40];
	time_t begin = time(NULL);

	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	for (int i = 0; i < 40; i++) {
		make_frame(100, i);
		peer_sends(100);
	}
	for (int n = 0; n < 40;) {
		uint16_t some =
			interface_port_ops.receive(&port, 0, mbufs + n, RTE_MIN(40 - n, 32));

		assert_true(some > 0 || is_patient(begin));
		n += some;
	}
	for (int i = 0; i < 40; i++) {
		make_frame(100, i);
		assert_received(mbufs[i], 100);
		mbufs[i] = mbuf_of_frame(pool, 100);
	}
	assert_int_equal(interface_port_ops.send(&port, 0, mbufs, 40), 40);
	for (int i = 0; i < 40; i++) {
		make_frame(100, i);
		memcpy(&expected, &frame, sizeof(frame));
		assert_int_equal(peer_got(), 100);
		assert_memory_equal(frame.data, expected.data, 100);
	}
}

static void long_frames_take_several_mbufs(void **state)
{
	(void)state;
	NEEDS_DEVICES();
	make_cable();
	run("ip link set " NEAR " mtu 9000 && ip link set " FAR " mtu 9000");
	port_prepare(1, small_pool);
	port_attach();
	peer_open();
	assert_int_equal(port.mtu, 9000);
	for (size_t length = SMALL_ROOM - 2; length <= 9014; length += length < 520 ? 1 : 472)
		assert_passes(small_pool, length, length);
	assert_passes(small_pool, 9014, 1);
}

/* Frames that no slot of the ring could take come all the same. */
static void a_larger_mtu_than_can_be_configured(void **state)
{
	(void)state;
	NEEDS_DEVICES();
	make_cable();
	run("ip link set " NEAR " mtu 65535 && ip link set " FAR " mtu 65535");
	port_prepare(1, pool);
	port_attach();
	peer_open();
	assert_int_equal(port.mtu, PORT_MTU_MAX);
	assert_passes(pool, PORT_MTU_MAX + RTE_ETHER_HDR_LEN, 1);
	make_frame(60000, 1);
	peer_sends(60000);
	assert_received(receive(), 60000);
}

/* What was sent is what was received, in order, and what is told to be missed. */
static void a_full_ring_is_counted(void **state)
{
	uint32_t received = 0;
	time_t begin = time(NULL);
	struct rte_mbuf *mbuf;
	int last = -1;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	for (int i = 0; i < 4 * RING; i++) {
		make_frame(100, 0);
		frame.data[50] = i;
		peer_sends(100);
	}
	while (received + interface_port_ops.missed(&port) < 4 * RING && is_patient(begin)) {
		mbuf = receive_now(0);
		if (mbuf == NULL)
			continue;
		assert_true(*rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 50) > last);
		last = *rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 50);
		rte_pktmbuf_free(mbuf);
		received++;
	}
	assert_true(received >= RING);
	assert_true(received < 4 * RING);
	assert_int_equal(interface_port_ops.missed(&port), 4 * RING - received);
	assert_passes(pool, 100, 1);
}

static void no_mbufs_leave_frames_waiting(void **state)
{
	static struct rte_mbuf *all[POOL];

	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, all, POOL), 0);
	make_large_tcp(20000);
	peer_sends(20000);
	make_frame(100, 1);
	peer_sends(100);
	assert_null(receive_now(0));
	assert_null(receive_now(0));
	rte_pktmbuf_free_bulk(all, POOL);
	make_large_tcp(20000);
	for (size_t done = 0; done < 20000 - TCP_HEADERS;)
		done += assert_segment(receive(), done);
	make_frame(100, 1);
	assert_received(receive(), 100);
	assert_int_equal(interface_port_ops.missed(&port), 0);
}

static void unfinished_checksums_are_finished(void **state)
{
	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	for (size_t length = TCP_HEADERS + 1; length < TCP_HEADERS + 40; length++) {
		make_tcp(length);
		peer_sends(length);
		assert_int_equal(assert_segment(receive(), 0), length - TCP_HEADERS);
	}
}

/* Among others, and in their order. */
static void large_segments_are_cut(void **state)
{
	static const size_t lengths[] = {
		TCP_HEADERS + SEGMENT + 1, TCP_HEADERS + 2 * SEGMENT, 20000, 65535};

	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	for (size_t round = 0; round < 3 * RING; round++) {
		size_t length = lengths[round % RTE_DIM(lengths)];

		make_frame(100, round);
		peer_sends(100);
		make_large_tcp(length);
		peer_sends(length);
		make_frame(200, round);
		peer_sends(200);
		make_frame(100, round);
		assert_received(receive(), 100);
		make_large_tcp(length);
		for (size_t done = 0; done < length - TCP_HEADERS;)
			done += assert_segment(receive(), done);
		make_frame(200, round);
		assert_received(receive(), 200);
	}
	assert_int_equal(interface_port_ops.missed(&port), 0);
}

/* Also when the interface goes down and up between a large one's coming and its being read. */
static void large_segments_survive_a_link_that_went_down(void **state)
{
	struct pollfd waiting = {.events = POLLIN};

	(void)state;
	NEEDS_DEVICES();
	make_cable();
	/* Was there before the port, so the kernel gives it each frame after the port. */
	waiting.fd = packet_socket(NEAR);
	port_prepare(1, pool);
	port_attach();
	peer_open();
	make_large_tcp(20000);
	peer_sends(20000);
	assert_int_equal(poll(&waiting, 1, PATIENCE_S * 1000), 1);
	run("ip link set " NEAR " down");
	for (size_t done = 0; done < 20000 - TCP_HEADERS;)
		done += assert_segment(receive(), done);
	run("ip link set " NEAR " up");
	peer_sends(20000);
	for (size_t done = 0; done < 20000 - TCP_HEADERS;)
		done += assert_segment(receive(), done);
	assert_null(receive_now(0));
	close(waiting.fd);
	fds_before--;
}

/* Of large ones the kernel keeps some megabytes; what is more is missed, and counted once. */
static void too_many_large_segments_are_counted(void **state)
{
	const uint32_t n = 2000;
	const size_t length = 65000;
	time_t begin = time(NULL);
	uint32_t whole = 0;
	struct rte_mbuf *mbuf;

	(void)state;
	NEEDS_DEVICES();
	make_cable();
	port_prepare(1, pool);
	port.config.ring_size = n;
	port_attach();
	peer_open();
	make_large_tcp(length);
	for (uint32_t i = 0; i < n; i++)
		peer_sends(length);
	while (whole + interface_port_ops.missed(&port) < n && is_patient(begin)) {
		mbuf = receive_now(0);
		if (mbuf == NULL)
			continue;
		for (size_t done = assert_segment(mbuf, 0); done < length - TCP_HEADERS;)
			done += assert_segment(receive(), done);
		whole++;
	}
	assert_in_range(whole, 1, n - 1);
	assert_int_equal(interface_port_ops.missed(&port), n - whole);
	assert_passes(pool, 100, 1);
}

static void a_tag_that_was_taken_off_is_told(void **state)
{
	struct rte_mbuf *mbuf;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	make_frame(100, 1);
	((struct rte_ether_hdr *)frame.data)->ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
	peer_sends(100);
	mbuf = receive();
	assert_non_null(mbuf);
	assert_true(mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED);
	rte_pktmbuf_free(mbuf);
	assert_passes(pool, 100, 1);
}

static void a_link_that_is_down_takes_nothing(void **state)
{
	struct rte_mbuf *mbuf;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	run("ip link set " NEAR " down");
	make_frame(100, 1);
	mbuf = mbuf_of_frame(pool, 100);
	assert_int_equal(send_one(mbuf), 0);
	assert_status(false, "`ip link set " NEAR " up`");
	run("ip link set " NEAR " up && ip link set " FAR " down");
	assert_int_equal(send_one(mbuf), 0);
	assert_status(false, NEAR " has no link");
	run("ip link set " FAR " up");
	assert_status(true, NEAR " is up");
	assert_int_equal(send_one(mbuf), 1);
	assert_int_equal(peer_got(), 100);
	assert_passes(pool, 100, 1);
}

/* Under another address of its own: the uplink keeps the first one. */
static void one_that_was_deleted_is_waited_for(void **state)
{
	static const struct rte_ether_addr near = {{2, 0, 0, 0, 0, 1}};
	time_t begin = time(NULL);
	struct rte_mbuf *mbuf;
	uint64_t missed = 0;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	for (int i = 0; i < 3 * RING; i++) {
		make_frame(100, i);
		peer_sends(100);
	}
	while (missed == 0 && is_patient(begin))
		missed = interface_port_ops.missed(&port);
	run("ip link del " NEAR);
	make_frame(100, 1);
	mbuf = mbuf_of_frame(pool, 100);
	assert_int_equal(send_one(mbuf), 0);
	assert_status(false, "no interface " NEAR);
	assert_int_equal(send_one(mbuf), 0);
	assert_null(receive_now(0));
	assert_true(missed > 0);
	assert_true(interface_port_ops.missed(&port) >= missed);
	make_cable();
	run("ip link set " NEAR " address 02:00:00:00:00:99");
	close(peer);
	peer_open();
	assert_status(true, NEAR " is up");
	assert_memory_equal(&port.mac, &near, sizeof(near));
	assert_int_equal(send_one(mbuf), 1);
	assert_int_equal(peer_got(), 100);
	assert_passes(pool, 100, 1);
}

/* Nobody looked in between. */
static void one_that_was_replaced_is_noticed(void **state)
{
	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	run("ip link del " NEAR);
	make_cable();
	close(peer);
	peer_open();
	assert_status(true, NEAR " is up");
	assert_passes(pool, 100, 1);
}

/* Nobody looked while it was in another namespace, and it has kept its index. */
static void one_that_was_away_is_noticed(void **state)
{
	unsigned int index;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	index = if_nametoindex(NEAR);
	run("home=$$; unshare -n sleep 1000 & away=$!;"
	    "until nsenter -t $away -n ip link set lo up &&"
	    "  [ $(readlink /proc/$away/ns/net) != $(readlink /proc/$home/ns/net) ]; do :; done;"
	    "ip link set " NEAR " netns $away &&"
	    "nsenter -t $away -n ip link set " NEAR " netns $home;"
	    "status=$?; kill $away; exit $status");
	run("ip link set " NEAR " up");
	assert_int_equal(if_nametoindex(NEAR), index);
	assert_status(true, NEAR " is up");
	assert_passes(pool, 100, 1);
}

static void one_that_is_not_there_yet_is_waited_for(void **state)
{
	struct rte_mbuf *mbuf;

	(void)state;
	NEEDS_DEVICES();
	port_prepare(1, pool);
	port.config.mac = own_mac;
	port_attach();
	assert_status(false, "no interface " NEAR);
	assert_int_equal(port.mtu, MTU);
	assert_null(receive_now(0));
	make_frame(100, 1);
	mbuf = mbuf_of_frame(pool, 100);
	assert_int_equal(send_one(mbuf), 0);
	rte_pktmbuf_free(mbuf);
	make_cable();
	peer_open();
	assert_status(true, NEAR " is up");
	assert_passes(pool, 100, 1);
}

static void an_mtu_that_shrinks_is_told(void **state)
{
	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	run("ip link set " NEAR " mtu 1400");
	assert_status(true, "MTU is 1400");
	assert_int_equal(port.mtu, MTU);
	run("ip link set " NEAR " mtu 1500");
	assert_status(true, NEAR " is up");
}

/* The next frame of any queue, and which. */
static struct rte_mbuf *receive_any(uint16_t n, uint16_t *queue)
{
	time_t begin = time(NULL);
	struct rte_mbuf *mbuf = NULL;

	for (*queue = 0; mbuf == NULL && is_patient(begin);) {
		mbuf = receive_now(*queue);
		if (mbuf == NULL)
			*queue = (*queue + 1) % n;
	}
	return mbuf;
}

static void assert_all_empty(uint16_t n)
{
	for (uint16_t queue = 0; queue < n; queue++)
		assert_null(receive_now(queue));
}

/* Each frame comes once, and a flow's always to the same queue. */
static void several_queues_share_the_frames(void **state)
{
	uint16_t queue_of_flow[8], queue;
	struct rte_mbuf *mbuf;

	(void)state;
	NEEDS_DEVICES();
	port_open(4, pool);
	for (int i = 0; i < 64; i++) {
		make_tcp(100);
		frame.data[35] = i % 8; /* of the source port */
		memset(&frame.header, 0, sizeof(frame.header));
		peer_sends(100);
		assert_received(receive_any(4, &queue), 100);
		if (i < 8)
			queue_of_flow[i] = queue;
		assert_int_equal(queue, queue_of_flow[i % 8]);
		assert_all_empty(4);
	}
	for (queue = 0; queue < 4; queue++) {
		make_frame(100, queue);
		mbuf = mbuf_of_frame(pool, 100);
		assert_int_equal(interface_port_ops.send(&port, queue, &mbuf, 1), 1);
		assert_int_equal(peer_got(), 100);
	}
	/* What leaves does not come in again. */
	assert_all_empty(4);
}

/* Older kernels' sockets do not share before, so there are none. */
static void several_queues_wait_for_a_link_that_is_down(void **state)
{
	const int netlink = 1;
	uint16_t queue;

	(void)state;
	NEEDS_DEVICES();
	make_cable();
	run("ip link set " NEAR " down");
	port_prepare(2, pool);
	port_attach();
	assert_status(false, "`ip link set " NEAR " up`");
	assert_int_equal(fds_open(), fds_before + netlink);
	run("ip link set " NEAR " up");
	assert_status(true, NEAR " is up");
	peer_open();
	make_frame(100, 1);
	peer_sends(100);
	assert_received(receive_any(2, &queue), 100);
	run("ip link set " NEAR " down");
	assert_status(false, "`ip link set " NEAR " up`");
	run("ip link set " NEAR " up");
	assert_status(true, NEAR " is up");
	peer_sends(100);
	assert_received(receive_any(2, &queue), 100);
	assert_all_empty(2);
}

static void out_of_descriptors_a_link_stays_up(void **state)
{
	int fds[DESCRIPTORS];
	struct rlimit before;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	take_descriptors(fds, &before);
	run("ip link set " NEAR " mtu 1400");
	assert_status(true, "MTU is 1400");
	give_descriptors(fds, &before);
	assert_passes(pool, 100, 1);
}

static void what_cannot_be_opened_is_tried_again(void **state)
{
	int fds[DESCRIPTORS];
	struct rlimit before;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	run("ip link del " NEAR);
	assert_status(false, "no interface " NEAR);
	take_descriptors(fds, &before);
	make_cable();
	assert_status(false, "Too many open files");
	give_descriptors(fds, &before);
	close(peer);
	peer_open();
	assert_status(true, NEAR " is up");
	assert_passes(pool, 100, 1);
}

/* Its NIC would filter the one that the uplink has. */
static void an_address_that_changes_leaves_the_uplinks(void **state)
{
	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	run("ip link set " NEAR " address 02:00:00:00:00:99");
	run("bridge fdb show dev " NEAR " | grep -q '^02:00:00:00:00:01 '");
	assert_status(true, NEAR " is up");
}

static void what_the_kernel_refuses_stays_the_callers(void **state)
{
	struct rte_mbuf *mbufs[3];

	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	make_frame(3000, 1);
	mbufs[0] = mbuf_of_frame(pool, 100);
	mbufs[1] = mbuf_of_frame(pool, 3000);
	mbufs[2] = mbuf_of_frame(pool, 100);
	assert_int_equal(interface_port_ops.send(&port, 0, mbufs, 3), 1);
	assert_true(interface_port_ops.too_big(&port, 0, mbufs[1]));
	assert_int_equal(peer_got(), 100);
	assert_peer_got_nothing();
	run("ip link set " NEAR " down");
	assert_int_equal(interface_port_ops.send(&port, 0, mbufs + 2, 1), 0);
	assert_false(interface_port_ops.too_big(&port, 0, mbufs[2]));
	rte_pktmbuf_free_bulk(mbufs + 1, 2);
}

static void more_pieces_than_fit_a_call_are_too_big(void **state)
{
	struct rte_mbuf *mbufs[2], *piece;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, pool);
	make_frame(100, 1);
	mbufs[0] = mbuf_of_frame(pool, 100);
	mbufs[1] = mbuf_of_frame(pool, 100);
	for (int i = 0; i < 128; i++) {
		piece = rte_pktmbuf_alloc(pool);
		rte_pktmbuf_append(piece, 1);
		assert_int_equal(rte_pktmbuf_chain(mbufs[1], piece), 0);
	}
	assert_int_equal(interface_port_ops.send(&port, 0, mbufs, 2), 1);
	assert_true(interface_port_ops.too_big(&port, 0, mbufs[1]));
	rte_pktmbuf_free(mbufs[1]);
}

static void assert_refused(const char *word)
{
	struct error error = {""};

	fds_before = fds_open();
	assert_int_equal(interface_port_ops.attach(&port, &error), -1);
	if (strstr(error.text, word) == NULL)
		fail_msg("no '%s' in: %s", word, error.text);
	assert_int_equal(fds_open(), fds_before);
	assert_null(port.driver);
}

static void attach_leaves_nothing_on_failure(void **state)
{
	(void)state;
	NEEDS_DEVICES();
	port_prepare(1, pool);
	assert_refused("interface: there is no '" NEAR "'");
	make_cable();
	port.config.mtu = 9000;
	assert_refused("mtu: ");
	port_prepare(1, pool);
	snprintf(port.config.interface, sizeof(port.config.interface), "lo");
	assert_refused("interface: lo is no Ethernet device");
	run("ip link del " NEAR);
}

/* ---- environment ---- */

static int environment_make(void **state)
{
	char *arguments[] = {"test_interface", "--no-huge", "-m", "128", "--no-pci",
		"--no-telemetry", "--no-shconf", "--log-level=user1:error", NULL};

	(void)state;
	/* The namespace goes with the program. */
	able = unshare(CLONE_NEWNET) == 0;
	/* No packets but the tests' own: IPv6 would send some by itself. */
	if (able && system("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6") != 0)
		return -1;
	if (rte_eal_init(RTE_DIM(arguments) - 1, arguments) < 0)
		return -1;
	events = events_create();
	rcu = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(rte_rcu_qsbr_get_memsize(1), 64));
	rte_rcu_qsbr_init(rcu, 1);
	pool = rte_pktmbuf_pool_create("test", POOL, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	small_pool = rte_pktmbuf_pool_create(
		"small", SMALL_POOL, 0, 0, RTE_PKTMBUF_HEADROOM + SMALL_ROOM, 0);
	return events != NULL && pool != NULL && small_pool != NULL ? 0 : -1;
}

static int environment_end(void **state)
{
	(void)state;
	events_free(events);
	free(rcu);
	rte_mempool_free(pool);
	rte_mempool_free(small_pool);
	return rte_eal_cleanup();
}

#define TEST(name) cmocka_unit_test_teardown(name, port_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(address_and_mtu_are_the_interfaces),
		TEST(they_can_be_given),
		TEST(frames_pass_both_ways),
		TEST(bursts_keep_their_order),
		TEST(frames_wake_who_sleeps),
		TEST(long_frames_take_several_mbufs),
		TEST(a_larger_mtu_than_can_be_configured),
		TEST(a_full_ring_is_counted),
		TEST(no_mbufs_leave_frames_waiting),
		TEST(unfinished_checksums_are_finished),
		TEST(large_segments_are_cut),
		TEST(large_segments_survive_a_link_that_went_down),
		TEST(too_many_large_segments_are_counted),
		TEST(a_tag_that_was_taken_off_is_told),
		TEST(a_link_that_is_down_takes_nothing),
		TEST(one_that_was_deleted_is_waited_for),
		TEST(one_that_was_replaced_is_noticed),
		TEST(one_that_was_away_is_noticed),
		TEST(one_that_is_not_there_yet_is_waited_for),
		TEST(an_mtu_that_shrinks_is_told),
		TEST(several_queues_share_the_frames),
		TEST(several_queues_wait_for_a_link_that_is_down),
		TEST(out_of_descriptors_a_link_stays_up),
		TEST(what_cannot_be_opened_is_tried_again),
		TEST(an_address_that_changes_leaves_the_uplinks),
		TEST(what_the_kernel_refuses_stays_the_callers),
		TEST(more_pieces_than_fit_a_call_are_too_big),
		TEST(attach_leaves_nothing_on_failure),
	};

	return cmocka_run_group_tests_name("interface", tests, environment_make, environment_end);
}
