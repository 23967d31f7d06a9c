/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_tcp.h>

#include "base/events.h"
#include "bytes.h"
#include "file.h"
#include "ports/netns_watch.h"
#include "ports/port.h"
#include "sleeper.h"

/*
 * A port of type tap, and behind it a packet socket at the kernel's device, which is in a network
 * namespace of this program's own. The socket's frames have virtio headers, too.
 */
#define NAME "weft-tap"
#define POOL 511
#define SMALL_POOL 255
#define SMALL_ROOM 512
#define MTU 1450
#define TEST_TYPE 0x88b5 /* IEEE 802, for local experiments */
#define FRAME_MAX 66000
#define PATIENCE_MS 60000
#define ROUNDS_MAX 10000 /* of at least a millisecond */
#define SEGMENT 1398
#define LARGE (65535 + RTE_ETHER_HDR_LEN)

extern const struct port_ops tap_port_ops;

static const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 7}};
static const struct rte_ether_addr peer = {{2, 0, 0, 0, 0, 8}};
static struct rte_mempool *pool, *small_pool;
static bool able; /* to make network devices */
static struct port port;
static struct events *events;
static struct rte_rcu_qsbr *rcu;
static int packet_socket = -1;
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

/* No packets but the tests' own: IPv6 would send some by itself. */
static void silence(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/" NAME "/disable_ipv6", O_WRONLY);

	if (fd < 0)
		return;
	assert_int_equal(write(fd, "1", 1), 1);
	close(fd);
}

static struct ifreq interface_ask(unsigned long what)
{
	struct ifreq request = {.ifr_name = NAME};

	assert_int_equal(ioctl(packet_socket, what, &request), 0);
	return request;
}

static void interface_set_up(bool up)
{
	struct ifreq request = interface_ask(SIOCGIFFLAGS);

	request.ifr_flags = up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP;
	assert_int_equal(ioctl(packet_socket, SIOCSIFFLAGS, &request), 0);
}

static void interface_set_mtu(int mtu)
{
	struct ifreq request = {.ifr_name = NAME, .ifr_mtu = mtu};

	assert_int_equal(ioctl(packet_socket, SIOCSIFMTU, &request), 0);
}

static void interface_delete(void)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
	} request = {{.nlmsg_len = sizeof(request),
			     .nlmsg_type = RTM_DELLINK,
			     .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		{.ifi_index = (int)if_nametoindex(NAME)}};
	int netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	char answer[256];

	assert_int_equal(send(netlink, &request, sizeof(request), 0), sizeof(request));
	assert_true(recv(netlink, answer, sizeof(answer), 0) > 0);
	assert_int_equal(if_nametoindex(NAME), 0);
	close(netlink);
}

static void packet_socket_bind(void)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(NAME)};
	const int on = 1;

	assert_int_equal(
		setsockopt(packet_socket, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	assert_int_equal(
		setsockopt(packet_socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	assert_int_equal(bind(packet_socket, (struct sockaddr *)&address, sizeof(address)), 0);
}

/* The length of the next frame that the kernel got, which is then in `frame`; 0: none. */
static size_t kernel_got(void)
{
	ssize_t length = recv(packet_socket, &frame, sizeof(frame), MSG_DONTWAIT);

	return length < 0 ? 0 : length - sizeof(frame.header);
}

static void kernel_sends(size_t length)
{
	size_t whole = sizeof(frame.header) + length;

	assert_int_equal(send(packet_socket, &frame, whole, 0), whole);
}

/* ---- namespaces ---- */

/* Named by a bind mount, as `ip netns` names them; at a path that is longer than a socket's. */
static char directory[] = "/tmp/weft-unit-XXXXXX";
static char netns[PATH_MAX];

static int namespace_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Returns the namespace that was left, for namespace_leave(). */
static int namespace_enter(const char *path)
{
	int own = namespace_open("/proc/thread-self/ns/net"), other = namespace_open(path);

	assert_int_equal(setns(other, CLONE_NEWNET), 0);
	close(other);
	return own;
}

static void namespace_leave(int own)
{
	assert_int_equal(setns(own, CLONE_NEWNET), 0);
	close(own);
}

/* The file comes first, and the namespace a moment later. */
static void name_make(const char *path)
{
	int name = open(path, O_RDONLY | O_CREAT | O_EXCL, 0600);

	assert_true(name >= 0);
	close(name);
}

static void namespace_mount(const char *path)
{
	int own = namespace_open("/proc/thread-self/ns/net");

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(mount("/proc/thread-self/ns/net", path, NULL, MS_BIND, NULL), 0);
	namespace_leave(own);
}

static void namespace_make(const char *path)
{
	name_make(path);
	namespace_mount(path);
}

/* It lives on while anybody holds it. */
static void namespace_remove(const char *path)
{
	umount2(path, MNT_DETACH);
	unlink(path);
}

static int in_namespace(const char *path, unsigned long what, struct ifreq *request)
{
	int own = namespace_enter(path);
	int control = socket(AF_INET, SOCK_DGRAM, 0);
	int status = ioctl(control, what, request);

	close(control);
	namespace_leave(own);
	return status;
}

static bool has_device(const char *path)
{
	struct ifreq request = {.ifr_name = NAME};

	return in_namespace(path, SIOCGIFFLAGS, &request) == 0;
}

static void set_device_up(const char *path, bool up)
{
	struct ifreq request = {.ifr_name = NAME, .ifr_flags = up ? IFF_UP : 0};

	assert_int_equal(in_namespace(path, SIOCSIFFLAGS, &request), 0);
}

/* ---- the port ---- */

static void port_prepare(uint16_t queues, uint16_t mtu, struct rte_mempool *mbufs)
{
	memset(&port, 0, sizeof(port));
	port.ops = &tap_port_ops;
	port.index = 1;
	port.n_queues = queues;
	port.environment = (struct port_environment){.pool = mbufs, .rcu = rcu, .events = events};
	port.config.mac = mac;
	port.config.mtu = mtu;
	port.config.large_segments = true;
	snprintf(port.config.name, sizeof(port.config.name), NAME);
}

/* A port whose device is to be in the namespace at `path`, if that is there. */
static void port_open_in(const char *path)
{
	struct error error = {""};

	port_prepare(2, MTU, pool);
	snprintf(port.config.netns, sizeof(port.config.netns), "%s", path);
	fds_before = fds_open();
	if (tap_port_ops.attach(&port, &error) != 0)
		fail_msg("%s", error.text);
}

static void port_open(uint16_t queues, uint16_t mtu, struct rte_mempool *mbufs)
{
	struct error error = {""};

	port_prepare(queues, mtu, mbufs);
	fds_before = fds_open();
	if (tap_port_ops.attach(&port, &error) != 0)
		fail_msg("%s", error.text);
	packet_socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	silence();
	interface_set_up(true);
	packet_socket_bind();
}

/* Whatever a test did: no descriptor, no device and no mbuf is left. */
static int port_close(void **state)
{
	(void)state;
	if (port.driver == NULL)
		return 0;
	tap_port_ops.detach(&port);
	namespace_remove(netns);
	if (packet_socket >= 0)
		close(packet_socket);
	packet_socket = -1;
	return if_nametoindex(NAME) == 0 && fds_open() == fds_before &&
			       rte_mempool_avail_count(pool) == POOL &&
			       rte_mempool_avail_count(small_pool) == SMALL_POOL
		       ? 0
		       : -1;
}

/* An empty queue is not looked into for a while. */
static struct rte_mbuf *receive(uint16_t queue)
{
	uint64_t until = rte_rdtsc() + PATIENCE_MS * rte_get_tsc_hz() / MS_PER_S;
	struct rte_mbuf *mbuf;

	while (rte_rdtsc() < until)
		if (tap_port_ops.receive(&port, queue, &mbuf, 1) == 1)
			return mbuf;
	return NULL;
}

static bool send_one(struct rte_mbuf *mbuf)
{
	return tap_port_ops.send(&port, 0, &mbuf, 1) == 1;
}

static void housekeep(void)
{
	events_wait(events, 0);
	tap_port_ops.housekeep(&port);
}

/* The kernel does what it is asked for in its own time. */
#define UNTIL(condition)                                                                           \
	do {                                                                                       \
		int rounds = 0;                                                                    \
                                                                                                   \
		for (; !(condition) && rounds < ROUNDS_MAX; rounds++) {                            \
			events_wait(events, 1);                                                    \
			tap_port_ops.housekeep(&port);                                             \
			usleep(1000);                                                              \
		}                                                                                  \
		if (rounds == ROUNDS_MAX)                                                          \
			fail_msg("not in time: %s; status: %s", #condition, port.status);          \
	} while (0)

/* Until nothing is heard any more of what earlier tests left to the kernel. */
static void calm_down(void)
{
	unsigned int changes = netns_watch_changes();

	for (int rounds = 0, calm = 0; calm < 100 && rounds < ROUNDS_MAX; rounds++, calm++) {
		housekeep();
		usleep(1000);
		if (netns_watch_changes() != changes)
			calm = 0;
		changes = netns_watch_changes();
	}
}

static bool says(const char *words)
{
	return strncmp(port.status, words, strlen(words)) == 0;
}

/* ---- frames ---- */

/* A frame of no protocol that the kernel knows, to the port or from it, in `frame`. */
static void make_frame(size_t length, uint8_t seed)
{
	struct rte_ether_hdr *ether = (void *)frame.data;

	memset(&frame.header, 0, sizeof(frame.header));
	for (size_t i = 0; i < length; i++)
		frame.data[i] = (uint8_t)(seed + i * 7 + (i >> 8));
	ether->dst_addr = peer;
	ether->src_addr = mac;
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

static void set_ports(struct rte_tcp_hdr *tcp, uint8_t flags)
{
	*tcp = (struct rte_tcp_hdr){.src_port = RTE_BE16(1000),
		.dst_port = RTE_BE16(2000),
		.sent_seq = RTE_BE32(1),
		.data_off = sizeof(*tcp) / 4 << 4,
		.tcp_flags = flags};
}

/* Headers of a large TCP segment in `frame`. The TCP checksum is left to the caller. */
static struct rte_tcp_hdr *make_ipv4(size_t length, uint8_t flags)
{
	struct rte_ether_hdr *ether = (void *)frame.data;
	struct rte_ipv4_hdr *ip = (void *)(ether + 1);
	struct rte_tcp_hdr *tcp = (void *)(ip + 1);

	make_frame(length, 1);
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(length - sizeof(*ether)),
		.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_TCP,
		.src_addr = RTE_BE32(RTE_IPV4(10, 9, 0, 1)),
		.dst_addr = RTE_BE32(RTE_IPV4(10, 9, 0, 2))};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	set_ports(tcp, flags);
	return tcp;
}

static struct rte_tcp_hdr *make_ipv6(size_t length, uint8_t flags)
{
	struct rte_ether_hdr *ether = (void *)frame.data;
	struct rte_ipv6_hdr *ip = (void *)(ether + 1);
	struct rte_tcp_hdr *tcp = (void *)(ip + 1);

	make_frame(length, 2);
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV6);
	*ip = (struct rte_ipv6_hdr){.vtc_flow = RTE_BE32(6u << 28),
		.payload_len = rte_cpu_to_be_16(length - sizeof(*ether) - sizeof(*ip)),
		.proto = IPPROTO_TCP,
		.hop_limits = 64,
		.src_addr = {0xfd, [15] = 1},
		.dst_addr = {0xfd, [15] = 2}};
	set_ports(tcp, flags);
	return tcp;
}

/* `frame` as the data path hands over a large segment. */
static struct rte_mbuf *mbuf_of_large(size_t length, uint64_t flags, uint16_t l3_len)
{
	struct rte_mbuf *mbuf = mbuf_of_frame(pool, length);

	mbuf->ol_flags |= flags | RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM;
	mbuf->l2_len = RTE_ETHER_HDR_LEN;
	mbuf->l3_len = l3_len;
	mbuf->l4_len = sizeof(struct rte_tcp_hdr);
	mbuf->tso_segsz = SEGMENT;
	return mbuf;
}

/* It came as one packet that is `expected`, and of which the kernel knows what it has to know. */
static void assert_one_large(size_t length, uint8_t gso_type, uint16_t l3_len)
{
	memcpy(&expected, &frame, sizeof(frame));
	assert_int_equal(kernel_got(), length);
	assert_int_equal(frame.header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(frame.header.gso_type, gso_type);
	assert_int_equal(frame.header.gso_size, SEGMENT);
	assert_int_equal(frame.header.csum_start, RTE_ETHER_HDR_LEN + l3_len);
	assert_int_equal(frame.header.csum_offset, offsetof(struct rte_tcp_hdr, cksum));
	assert_memory_equal(frame.data, expected.data, length);
	assert_int_equal(kernel_got(), 0);
}

/* ---- tests ---- */

static void the_device_is_as_configured(void **state)
{
	struct ifreq request;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, MTU, pool);
	request = interface_ask(SIOCGIFHWADDR);
	assert_memory_equal(request.ifr_hwaddr.sa_data, &mac, sizeof(mac));
	assert_int_equal(interface_ask(SIOCGIFMTU).ifr_mtu, MTU);
	assert_int_equal(port.mtu, MTU);
	assert_true(port.large_segments);
}

static void up_is_what_the_container_says(void **state)
{
	(void)state;
	NEEDS_DEVICES();
	port_open(1, MTU, pool);
	assert_false(tap_port_ops.is_up(&port));
	UNTIL(tap_port_ops.is_up(&port));
	assert_string_equal(port.status, "interface '" NAME "' is up");
	interface_set_up(false);
	UNTIL(!tap_port_ops.is_up(&port));
	assert_string_equal(port.status, "interface '" NAME "' is down");
}

static void large_segments_can_be_switched_off(void **state)
{
	struct error error;

	(void)state;
	NEEDS_DEVICES();
	port_prepare(1, MTU, pool);
	port.config.large_segments = false;
	assert_int_equal(tap_port_ops.attach(&port, &error), 0);
	assert_false(port.large_segments);
	tap_port_ops.detach(&port);
}

static void frames_pass_both_ways(void **state)
{
	static const size_t lengths[] = {RTE_ETHER_HDR_LEN, 15, 60, 1000, MTU + RTE_ETHER_HDR_LEN};

	(void)state;
	NEEDS_DEVICES();
	port_open(1, MTU, pool);
	for (size_t i = 0; i < RTE_DIM(lengths); i++) {
		make_frame(lengths[i], i);
		kernel_sends(lengths[i]);
		assert_received(receive(0), lengths[i]);
		make_frame(lengths[i], i + 100);
		memcpy(&expected, &frame, sizeof(frame));
		assert_true(send_one(mbuf_of_frame(pool, lengths[i])));
		assert_int_equal(kernel_got(), lengths[i]);
		assert_memory_equal(&frame, &expected, sizeof(frame.header) + lengths[i]);
	}
}

static void a_burst_keeps_its_order(void **state)
{
	struct rte_mbuf *mbufs[32];

	(void)state;
	NEEDS_DEVICES();
	port_open(1, MTU, pool);
	for (int i = 0; i < 40; i++) {
		make_frame(100, i);
		kernel_sends(100);
	}
	assert_int_equal(tap_port_ops.receive(&port, 0, mbufs, 32), 32);
	for (int i = 0; i < 40; i++) {
		make_frame(100, i);
		assert_received(i < 32 ? mbufs[i] : receive(0), 100);
	}
}

/* Frames over many mbufs, and every length around the end of the first one. */
static void long_frames_take_several_mbufs(void **state)
{
	const size_t longest = 9000 + RTE_ETHER_HDR_LEN;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, 9000, small_pool);
	for (size_t length = SMALL_ROOM - 2; length <= longest; length += length < 520 ? 1 : 471) {
		make_frame(length, length);
		kernel_sends(length);
		assert_received(receive(0), length);
		memcpy(&expected, &frame, sizeof(frame));
		assert_true(send_one(mbuf_of_frame(small_pool, length)));
		assert_int_equal(kernel_got(), length);
		assert_memory_equal(&frame, &expected, sizeof(frame.header) + length);
	}
}

static void a_frame_beyond_the_mtu_stays_too_long(void **state)
{
	struct rte_mbuf *mbuf;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, MTU, small_pool);
	interface_set_mtu(9000);
	make_frame(9000, 0);
	kernel_sends(9000);
	mbuf = receive(0);
	assert_non_null(mbuf);
	rte_mbuf_sanity_check(mbuf, 1);
	assert_true(mbuf->pkt_len > MTU + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN);
	rte_pktmbuf_free(mbuf);
}

static void a_large_ipv4_segment_arrives_whole(void **state)
{
	const struct rte_ipv4_hdr *ip = (void *)(frame.data + RTE_ETHER_HDR_LEN);
	struct rte_mbuf *mbuf;
	struct rte_tcp_hdr *tcp;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, MTU, pool);
	tcp = make_ipv4(LARGE, RTE_TCP_ACK_FLAG);
	tcp->cksum = rte_ipv4_phdr_cksum(ip, RTE_MBUF_F_TX_TCP_SEG);
	mbuf = mbuf_of_large(LARGE, RTE_MBUF_F_TX_IPV4, sizeof(*ip));
	tcp->cksum = rte_ipv4_phdr_cksum(ip, 0);
	assert_true(send_one(mbuf));
	assert_one_large(LARGE, VIRTIO_NET_HDR_GSO_TCPV4, sizeof(*ip));
}

static void a_large_ipv6_segment_arrives_whole(void **state)
{
	const struct rte_ipv6_hdr *ip = (void *)(frame.data + RTE_ETHER_HDR_LEN);
	struct rte_mbuf *mbuf;
	struct rte_tcp_hdr *tcp;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, MTU, pool);
	tcp = make_ipv6(LARGE, RTE_TCP_ACK_FLAG);
	tcp->cksum = rte_ipv6_phdr_cksum(ip, RTE_MBUF_F_TX_TCP_SEG);
	mbuf = mbuf_of_large(LARGE, RTE_MBUF_F_TX_IPV6, sizeof(*ip));
	tcp->cksum = rte_ipv6_phdr_cksum(ip, 0);
	assert_true(send_one(mbuf));
	assert_one_large(LARGE, VIRTIO_NET_HDR_GSO_TCPV6, sizeof(*ip));
}

/* What DPDK calls offloading the IPv4 header's checksum, the port has to do. */
static void the_ip_checksum_is_made_where_asked_for(void **state)
{
	struct rte_ipv4_hdr *ip = (void *)(frame.data + RTE_ETHER_HDR_LEN);
	const size_t length = 4000;
	rte_be16_t checksum;
	struct rte_mbuf *mbuf;
	struct rte_tcp_hdr *tcp;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, MTU, pool);
	tcp = make_ipv4(length, RTE_TCP_ACK_FLAG);
	tcp->cksum = rte_ipv4_phdr_cksum(ip, RTE_MBUF_F_TX_TCP_SEG);
	checksum = ip->hdr_checksum;
	ip->hdr_checksum = 0;
	mbuf = mbuf_of_large(length, RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM, sizeof(*ip));
	ip->hdr_checksum = checksum;
	tcp->cksum = rte_ipv4_phdr_cksum(ip, 0);
	assert_true(send_one(mbuf));
	assert_one_large(length, VIRTIO_NET_HDR_GSO_TCPV4, sizeof(*ip));
}

/* Its checksum is right, and its payload continues the others'. */
static uint32_t assert_one_of_many(struct rte_mbuf *mbuf)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(mbuf, void *, RTE_ETHER_HDR_LEN);
	const struct rte_tcp_hdr *tcp = (const void *)(ip + 1);
	const size_t headers = RTE_ETHER_HDR_LEN + sizeof(*ip) + sizeof(*tcp);
	uint32_t at = rte_be_to_cpu_32(tcp->sent_seq) - 1;
	uint32_t length = mbuf->pkt_len - headers;

	assert_true(mbuf->pkt_len <= MTU + RTE_ETHER_HDR_LEN);
	assert_int_equal(rte_ipv4_cksum(ip), 0);
	assert_int_equal(rte_ipv4_udptcp_cksum_verify(ip, tcp), 0);
	assert_memory_equal(tcp + 1, frame.data + headers + at, length);
	rte_pktmbuf_free(mbuf);
	return length;
}

/* The kernel has been promised nothing: it cuts segments and makes checksums itself. */
static void the_kernel_sends_small_and_whole_packets(void **state)
{
	const struct rte_ipv4_hdr *ip = (void *)(frame.data + RTE_ETHER_HDR_LEN);
	const size_t length = 30000, headers = RTE_ETHER_HDR_LEN + sizeof(*ip);
	struct rte_tcp_hdr *tcp;
	size_t got = headers + sizeof(*tcp);

	(void)state;
	NEEDS_DEVICES();
	port_open(1, MTU, pool);
	tcp = make_ipv4(length, RTE_TCP_ACK_FLAG);
	tcp->cksum = rte_ipv4_phdr_cksum(ip, 0);
	frame.header = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = headers + sizeof(*tcp),
		.gso_size = SEGMENT,
		.csum_start = headers,
		.csum_offset = offsetof(struct rte_tcp_hdr, cksum)};
	kernel_sends(length);
	while (got < length) {
		struct rte_mbuf *mbuf = receive(0);

		assert_non_null(mbuf);
		got += assert_one_of_many(mbuf);
	}
	assert_int_equal(got, length);
}

static void a_device_that_is_down_takes_nothing(void **state)
{
	struct rte_mbuf *mbufs[2];

	(void)state;
	NEEDS_DEVICES();
	port_open(1, MTU, pool);
	interface_set_up(false);
	make_frame(100, 0);
	for (int i = 0; i < 2; i++)
		mbufs[i] = mbuf_of_frame(pool, 100);
	assert_int_equal(tap_port_ops.send(&port, 0, mbufs, 2), 0);
	rte_pktmbuf_free_bulk(mbufs, 2);
}

static void more_pieces_than_fit_a_call_are_too_big(void **state)
{
	struct rte_mbuf *mbuf, *piece;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, MTU, pool);
	interface_set_up(true);
	make_frame(100, 0);
	mbuf = mbuf_of_frame(pool, 100);
	assert_false(tap_port_ops.too_big(&port, 0, mbuf));
	for (int i = 0; i < 96; i++) {
		piece = rte_pktmbuf_alloc(pool);
		rte_pktmbuf_append(piece, 1);
		assert_int_equal(rte_pktmbuf_chain(mbuf, piece), 0);
	}
	assert_int_equal(tap_port_ops.send(&port, 0, &mbuf, 1), 0);
	assert_true(tap_port_ops.too_big(&port, 0, mbuf));
	rte_pktmbuf_free(mbuf);
}

static void a_device_that_is_gone_does_no_harm(void **state)
{
	struct rte_mbuf *mbuf;

	(void)state;
	NEEDS_DEVICES();
	port_open(2, MTU, pool);
	make_frame(100, 0);
	interface_delete();
	mbuf = mbuf_of_frame(pool, 100);
	assert_false(send_one(mbuf));
	rte_pktmbuf_free(mbuf);
	for (uint16_t queue = 0; queue < 2; queue++)
		assert_int_equal(tap_port_ops.receive(&port, queue, &mbuf, 1), 0);
	UNTIL(if_nametoindex(NAME) != 0);
	assert_false(tap_port_ops.is_up(&port));
}

/* Runts, and more segments than a packet can have here. */
static void what_the_kernel_does_not_take(void **state)
{
	struct rte_mbuf *mbuf;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, MTU, pool);
	make_frame(RTE_ETHER_HDR_LEN, 0);
	mbuf = mbuf_of_frame(pool, RTE_ETHER_HDR_LEN - 1);
	assert_false(send_one(mbuf));
	rte_pktmbuf_free(mbuf);
	mbuf = mbuf_of_frame(pool, RTE_ETHER_HDR_LEN);
	for (int i = 0; i < 100; i++)
		assert_int_equal(rte_pktmbuf_chain(mbuf, rte_pktmbuf_alloc(pool)), 0);
	assert_false(send_one(mbuf));
	rte_pktmbuf_free(mbuf);
	assert_int_equal(kernel_got(), 0);
}

static void no_mbufs_leave_frames_waiting(void **state)
{
	struct rte_mbuf *held[POOL], *mbuf;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, MTU, pool);
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, held, POOL), 0);
	make_frame(100, 0);
	kernel_sends(100);
	assert_int_equal(tap_port_ops.receive(&port, 0, &mbuf, 1), 0);
	rte_pktmbuf_free_bulk(held, POOL);
	assert_received(receive(0), 100);
}

/* A flow is answered by the queue that it was heard by. */
static void several_queues(void **state)
{
	struct rte_mbuf *mbuf;

	(void)state;
	NEEDS_DEVICES();
	port_open(4, MTU, pool);
	for (uint16_t queue = 0; queue < 4; queue++) {
		make_frame(100, queue);
		memcpy(&expected, &frame, sizeof(frame));
		mbuf = mbuf_of_frame(pool, 100);
		assert_int_equal(tap_port_ops.send(&port, queue, &mbuf, 1), 1);
		assert_int_equal(kernel_got(), 100);
		assert_memory_equal(&frame, &expected, sizeof(frame.header) + 100);
	}
	make_frame(100, 9);
	kernel_sends(100);
	for (uint16_t queue = 0, received = 0; received == 0; queue = (queue + 1) % 4) {
		received = tap_port_ops.receive(&port, queue, &mbuf, 1);
		if (received == 1)
			assert_received(mbuf, 100);
	}
}

static void a_queue_that_stays_empty_is_left_alone(void **state)
{
	struct rte_mbuf *mbuf;
	uint64_t begin;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, MTU, pool);
	make_frame(100, 0);
	for (begin = rte_rdtsc(); rte_rdtsc() - begin < rte_get_tsc_hz() / 1000;)
		assert_int_equal(tap_port_ops.receive(&port, 0, &mbuf, 1), 0);
	/* Until something is sent to it. */
	assert_true(send_one(mbuf_of_frame(pool, 100)));
	kernel_sends(100);
	assert_int_equal(tap_port_ops.receive(&port, 0, &mbuf, 1), 1);
	rte_pktmbuf_free(mbuf);
}

/* Who goes to sleep at a queue looks into it at once, however long it has been empty; and who is
 * woken, too. */
static void frames_wake_who_sleeps(void **state)
{
	struct rte_mbuf *mbuf;
	int sleeper;

	(void)state;
	NEEDS_DEVICES();
	port_open(1, MTU, pool);
	sleeper = sleeper_open(tap_port_ops.watch(&port, 0, true));
	assert_true(sleeper >= 0);
	make_frame(100, 0);
	while (tap_port_ops.receive(&port, 0, &mbuf, 1) == 1) /* the kernel's own */
		rte_pktmbuf_free(mbuf);
	for (int i = 0; i < 3; i++) {
		while (sleeper_is_woken(sleeper, 0))
			;
		kernel_sends(100);
		assert_true(sleeper_is_woken(sleeper, PATIENCE_MS));
		tap_port_ops.watch(&port, 0, false);
		assert_int_equal(tap_port_ops.receive(&port, 0, &mbuf, 1), 1);
		rte_pktmbuf_free(mbuf);
		assert_int_equal(tap_port_ops.receive(&port, 0, &mbuf, 1), 0);
		tap_port_ops.watch(&port, 0, true);
	}
	close(sleeper);
}

static void assert_refused(const char *word)
{
	struct error error = {""};

	fds_before = fds_open();
	assert_int_equal(tap_port_ops.attach(&port, &error), -1);
	if (strstr(error.text, word) == NULL)
		fail_msg("no '%s' in: %s", word, error.text);
	assert_int_equal(fds_open(), fds_before);
	assert_null(port.driver);
}

static void attach_leaves_nothing_on_failure(void **state)
{
	(void)state;
	NEEDS_DEVICES();
	port_prepare(1, 10, pool);
	assert_refused("mtu: ");
	port_prepare(1, MTU, pool);
	port.config.mac = (struct rte_ether_addr){{1}};
	assert_refused("mac: ");
	assert_int_equal(rte_mempool_avail_count(pool), POOL);
}

/* ---- tests: namespaces that come and go ---- */

/* Nothing passes a port that waits, and what would is the caller's still. */
static void assert_nothing_passes(void)
{
	struct rte_mbuf *mbuf;

	make_frame(100, 0);
	mbuf = mbuf_of_frame(pool, 100);
	assert_false(send_one(mbuf));
	rte_pktmbuf_free(mbuf);
	for (uint16_t queue = 0; queue < 2; queue++)
		assert_int_equal(tap_port_ops.receive(&port, queue, &mbuf, 1), 0);
	assert_false(tap_port_ops.is_up(&port));
}

static void a_namespace_is_waited_for(void **state)
{
	struct ifreq request = {.ifr_name = NAME};

	(void)state;
	NEEDS_DEVICES();
	port_open_in(netns);
	assert_true(says("waiting for network namespace '/tmp/"));
	assert_nothing_passes();
	name_make(netns);
	housekeep();
	assert_true(says("waiting for network namespace '/tmp/"));
	assert_nothing_passes();
	namespace_mount(netns);
	UNTIL(has_device(netns));
	assert_string_equal(port.status, "interface '" NAME "' is down");
	assert_int_equal(in_namespace(netns, SIOCGIFHWADDR, &request), 0);
	assert_memory_equal(request.ifr_hwaddr.sa_data, &mac, sizeof(mac));
	assert_int_equal(in_namespace(netns, SIOCGIFMTU, &request), 0);
	assert_int_equal(request.ifr_mtu, MTU);
	set_device_up(netns, true);
	UNTIL(tap_port_ops.is_up(&port));
	set_device_up(netns, false);
	UNTIL(!tap_port_ops.is_up(&port));
}

static void a_namespace_comes_and_goes(void **state)
{
	int fds = 0;

	(void)state;
	NEEDS_DEVICES();
	namespace_make(netns);
	port_open_in(netns);
	for (int i = 0; i < 20; i++) {
		struct rte_mbuf *mbuf;

		set_device_up(netns, true);
		UNTIL(tap_port_ops.is_up(&port));
		/* A kernel that speaks IPv6 says something of its own by and by. */
		if (tap_port_ops.receive(&port, 0, &mbuf, 1) == 1)
			rte_pktmbuf_free(mbuf);
		if (i == 0)
			fds = fds_open();
		assert_int_equal(fds_open(), fds);
		/* The port does not keep it alive. */
		namespace_remove(netns);
		UNTIL(says("waiting for network namespace '/tmp/"));
		assert_nothing_passes();
		assert_int_equal(fds_open(), fds - 2);
		namespace_make(netns);
		UNTIL(has_device(netns));
	}
}

/* A process may keep a namespace that has no name any more. */
static void the_name_says_which_namespace(void **state)
{
	char path[64];
	int old;

	(void)state;
	NEEDS_DEVICES();
	namespace_make(netns);
	port_open_in(netns);
	set_device_up(netns, true);
	UNTIL(tap_port_ops.is_up(&port));
	old = namespace_open(netns);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", old);
	namespace_remove(netns);
	housekeep();
	assert_true(tap_port_ops.is_up(&port));
	assert_true(has_device(path));
	namespace_make(netns);
	UNTIL(has_device(netns));
	assert_false(has_device(path));
	assert_false(tap_port_ops.is_up(&port));
	close(old);
}

/* The kernel says so before it destroys the device, and the name is gone since long. */
static void a_namespace_without_a_name_ends(void **state)
{
	int old;

	(void)state;
	NEEDS_DEVICES();
	namespace_make(netns);
	port_open_in(netns);
	set_device_up(netns, true);
	UNTIL(tap_port_ops.is_up(&port));
	old = namespace_open(netns);
	namespace_remove(netns);
	housekeep();
	assert_true(tap_port_ops.is_up(&port));
	close(old);
	UNTIL(says("waiting for network namespace '/tmp/"));
	assert_nothing_passes();
}

/* As for containers that have no name for `ip netns`. */
static void a_name_may_be_a_link(void **state)
{
	char place[64], other[64], link[80];
	unsigned int changes;

	(void)state;
	NEEDS_DEVICES();
	snprintf(place, sizeof(place), "%s/late/later", directory);
	snprintf(link, sizeof(link), "%s/link", place);
	snprintf(other, sizeof(other), "%s/other", directory);
	namespace_make(netns);
	namespace_make(other);
	port_open_in(link);
	calm_down();
	*strrchr(place, '/') = '\0';
	changes = netns_watch_changes();
	assert_int_equal(mkdir(place, 0700), 0);
	housekeep();
	assert_int_not_equal(netns_watch_changes(), changes);
	strcat(place, "/later");
	changes = netns_watch_changes();
	assert_int_equal(mkdir(place, 0700), 0);
	housekeep();
	assert_int_not_equal(netns_watch_changes(), changes);
	assert_true(says("waiting for network namespace '/tmp/"));
	assert_int_equal(symlink(netns, link), 0);
	UNTIL(has_device(netns));
	unlink(link);
	assert_int_equal(symlink(other, link), 0);
	UNTIL(has_device(other));
	assert_false(has_device(netns));
	unlink(link);
	rmdir(place);
	*strrchr(place, '/') = '\0';
	rmdir(place);
	namespace_remove(other);
}

/* And again and again is not tried what fails. */
static void a_name_that_is_taken_is_waited_for(void **state)
{
	struct ifreq request = {.ifr_name = NAME, .ifr_flags = IFF_TAP | IFF_NO_PI};
	unsigned int changes;
	int own, other;

	(void)state;
	NEEDS_DEVICES();
	namespace_make(netns);
	own = namespace_enter(netns);
	other = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	assert_int_equal(ioctl(other, TUNSETIFF, &request), 0);
	namespace_leave(own);
	port_open_in(netns);
	assert_true(says("cannot make interface '" NAME "'"));
	assert_nothing_passes();
	for (int i = 0; i < 10; i++)
		housekeep();
	changes = netns_watch_changes();
	for (int i = 0; i < 10; i++)
		housekeep();
	assert_int_equal(netns_watch_changes(), changes);
	close(other);
	fds_before--;
	UNTIL(says("interface '" NAME "' is down"));
	assert_true(has_device(netns));
}

/* A device takes the next number of its namespace. */
static unsigned int next_number(void)
{
	struct ifreq request = {.ifr_name = "probe", .ifr_flags = IFF_TAP | IFF_NO_PI};
	int probe = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	unsigned int number;

	assert_int_equal(ioctl(probe, TUNSETIFF, &request), 0);
	number = if_nametoindex("probe");
	close(probe);
	return number;
}

/* A container can take the name, and cause changes without end. */
static void a_refused_device_is_not_made_each_round(void **state)
{
	enum { CHANGES = 300 };
	struct ifreq request = {.ifr_name = NAME, .ifr_flags = IFF_TAP | IFF_NO_PI};
	unsigned int before;
	int own, other;

	(void)state;
	NEEDS_DEVICES();
	namespace_make(netns);
	own = namespace_enter(netns);
	other = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	assert_int_equal(ioctl(other, TUNSETIFF, &request), 0);
	namespace_leave(own);
	port_open_in(netns);
	UNTIL(says("cannot make interface '" NAME "'"));
	before = next_number();
	for (int i = 0; i < CHANGES; i++) {
		unsigned int changes = netns_watch_changes();

		set_device_up(netns, i % 2 == 0);
		housekeep();
		assert_int_not_equal(netns_watch_changes(), changes);
	}
	assert_in_range(next_number() - before, 1, CHANGES / 3);
	close(other);
	fds_before--;
	UNTIL(says("interface '" NAME "' is down"));
}

/* Nobody tells when the reason of a failure is gone. */
static void a_device_is_made_when_descriptors_are_there(void **state)
{
	struct rlimit limit, few;
	int fds[100], n = 0;

	(void)state;
	NEEDS_DEVICES();
	port_open_in(netns);
	namespace_make(netns);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = (struct rlimit){RTE_DIM(fds), limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while ((fds[n] = dup(STDERR_FILENO)) >= 0)
		n++;
	UNTIL(says("cannot open network namespace"));
	close(fds[--n]); /* one, for the namespace or for one of two queues */
	UNTIL(says("type: tap needs /dev/net/tun (Too many open files)"));
	calm_down();
	while (n > 0)
		close(fds[--n]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	UNTIL(has_device(netns));
}

static void a_file_that_is_no_namespace(void **state)
{
	static const char *const files[] = {"/proc/self/ns/mnt", "/etc/passwd", "/tmp"};

	(void)state;
	NEEDS_DEVICES();
	for (size_t i = 0; i < RTE_DIM(files); i++) {
		port_open_in(files[i]);
		assert_true(says("this is no network namespace: '"));
		assert_nothing_passes();
		assert_int_equal(port_close(NULL), 0);
	}
}

/* An lcore may be using what is to be closed. */
static void a_device_is_closed_when_nobody_uses_it(void **state)
{
	int fds;

	(void)state;
	NEEDS_DEVICES();
	port_open(2, MTU, pool);
	UNTIL(tap_port_ops.is_up(&port));
	assert_int_equal(rte_rcu_qsbr_thread_register(rcu, 0), 0);
	rte_rcu_qsbr_thread_online(rcu, 0);
	fds = fds_open();
	interface_delete();
	UNTIL(says("its interface was deleted"));
	assert_nothing_passes();
	for (int i = 0; i < 10; i++)
		housekeep();
	assert_int_equal(fds_open(), fds);
	assert_int_equal(if_nametoindex(NAME), 0);
	rte_rcu_qsbr_quiescent(rcu, 0);
	UNTIL(if_nametoindex(NAME) != 0);
	assert_int_equal(fds_open(), fds);
	rte_rcu_qsbr_thread_offline(rcu, 0);
	rte_rcu_qsbr_thread_unregister(rcu, 0);
}

/* ---- environment ---- */

/* They go with the program. Nobody else's mounts are heard of, nor that names of others' go. */
static bool namespaces_make(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return false;
	while (umount2("/run/netns", MNT_DETACH) == 0)
		;
	return true;
}

/* A path of directories below a directory of the program's own. */
static bool paths_make(void)
{
	if (mkdtemp(directory) == NULL)
		return false;
	snprintf(netns, sizeof(netns), "%s/", directory);
	for (int i = 0; i < 10; i++) {
		strcat(netns, "a-directory-of-the-long-path/");
		if (mkdir(netns, 0700) != 0)
			return false;
	}
	strcat(netns, "web");
	return true;
}

static void paths_remove(void)
{
	if (!able)
		return;
	for (char *end = strrchr(netns, '/'); end != netns + strlen("/tmp");
		end = strrchr(netns, '/')) {
		*end = '\0';
		rmdir(netns);
	}
}

static int environment_make(void **state)
{
	char *arguments[] = {"test_tap", "--no-huge", "-m", "128", "--no-pci", "--no-telemetry",
		"--no-shconf", "--log-level=user1:error", NULL};

	(void)state;
	able = access("/dev/net/tun", R_OK | W_OK) == 0 && namespaces_make() && paths_make();
	if (rte_eal_init(RTE_DIM(arguments) - 1, arguments) < 0)
		return -1;
	pool = rte_pktmbuf_pool_create("test", POOL, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	small_pool = rte_pktmbuf_pool_create(
		"small", SMALL_POOL, 0, 0, RTE_PKTMBUF_HEADROOM + SMALL_ROOM, 0);
	events = events_create();
	rcu = rte_zmalloc("rcu", rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
	return pool != NULL && small_pool != NULL && events != NULL && rcu != NULL
		       ? rte_rcu_qsbr_init(rcu, 1)
		       : -1;
}

static int environment_end(void **state)
{
	(void)state;
	paths_remove();
	events_free(events);
	rte_free(rcu);
	rte_mempool_free(pool);
	rte_mempool_free(small_pool);
	return rte_eal_cleanup();
}

#define TEST(name) cmocka_unit_test_teardown(name, port_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_device_is_as_configured),
		TEST(up_is_what_the_container_says),
		TEST(large_segments_can_be_switched_off),
		TEST(frames_pass_both_ways),
		TEST(a_burst_keeps_its_order),
		TEST(long_frames_take_several_mbufs),
		TEST(a_frame_beyond_the_mtu_stays_too_long),
		TEST(a_large_ipv4_segment_arrives_whole),
		TEST(a_large_ipv6_segment_arrives_whole),
		TEST(the_ip_checksum_is_made_where_asked_for),
		TEST(the_kernel_sends_small_and_whole_packets),
		TEST(a_device_that_is_down_takes_nothing),
		TEST(more_pieces_than_fit_a_call_are_too_big),
		TEST(a_device_that_is_gone_does_no_harm),
		TEST(what_the_kernel_does_not_take),
		TEST(no_mbufs_leave_frames_waiting),
		TEST(several_queues),
		TEST(a_queue_that_stays_empty_is_left_alone),
		TEST(frames_wake_who_sleeps),
		TEST(attach_leaves_nothing_on_failure),
		TEST(a_name_that_is_taken_is_waited_for), /* while nothing else is heard */
		TEST(a_refused_device_is_not_made_each_round),
		TEST(a_device_is_made_when_descriptors_are_there),
		TEST(a_name_may_be_a_link),
		TEST(a_namespace_is_waited_for),
		TEST(a_namespace_comes_and_goes),
		TEST(the_name_says_which_namespace),
		TEST(a_namespace_without_a_name_ends),
		TEST(a_file_that_is_no_namespace),
		TEST(a_device_is_closed_when_nobody_uses_it),
	};

	return cmocka_run_group_tests_name("tap", tests, environment_make, environment_end);
}
