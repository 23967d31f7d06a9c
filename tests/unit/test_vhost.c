/* SPDX-License-Identifier: BSD-3-Clause */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_tcp.h>
#include <rte_vhost.h>

#include "bytes.h"
#include "ports/port.h"

/*
 * A port of type vhost-user and, in the same process, virtio-user as the container, which takes
 * large segments when its driver is told to (LRO).
 */
#define POOL 2047
#define RING_SIZE 256
#define SEGMENT 1398
#define PATIENCE_MS 60000

extern const struct port_ops vhost_port_ops;

static struct rte_mempool *pool;
static struct rte_rcu_qsbr *rcu;
static char directory[64];
static struct port port;
static uint16_t container; /* its ethdev */

/* ---- between the library and the port ---- */

static const struct rte_vhost_device_ops *library; /* what the library would call */
static int connection;				   /* the last one; the library's thread: wo */

static int connected(void)
{
	return __atomic_load_n(&connection, __ATOMIC_ACQUIRE);
}

static int new_connection(int device)
{
	int status = library->new_connection(device);

	__atomic_store_n(&connection, device, __ATOMIC_RELEASE);
	return status;
}

/* Instead of the library's. */
int rte_vhost_driver_callback_register(
	const char *path, const struct rte_vhost_device_ops *const ops)
{
	static struct rte_vhost_device_ops between;
	int (*driver_callback_register)(const char *, const struct rte_vhost_device_ops *) =
		dlsym(RTLD_NEXT, __func__);

	library = ops;
	between = *ops;
	between.new_connection = new_connection;
	return driver_callback_register(path, &between);
}

/* ---- the two ends ---- */

static void port_open(bool large_segments, uint16_t n_queues)
{
	struct error error;

	memset(&port, 0, sizeof(port));
	port.ops = &vhost_port_ops;
	port.n_queues = n_queues;
	port.environment = (struct port_environment){.pool = pool, .rcu = rcu, .socket_id = 0};
	port.config.large_segments = large_segments;
	snprintf(port.config.name, sizeof(port.config.name), "web");
	snprintf(port.config.path, sizeof(port.config.path), "%s/socket", directory);
	if (vhost_port_ops.attach(&port, &error) != 0)
		fail_msg("%s", error.text);
}

/* With room for so many queue pairs, and with settings that begin with a comma. */
static void container_probe(uint16_t n_pairs, const char *settings)
{
	static unsigned int number; /* a name is used once */
	char name[32], device[2 * PORT_PATH_SIZE];

	snprintf(name, sizeof(name), "net_virtio_user%u", number++);
	snprintf(device, sizeof(device),
		"%s,mac=02:00:00:00:00:07,queue_size=%u,path=%s,queues=%u%s", name, RING_SIZE,
		port.config.path, n_pairs, settings);
	assert_int_equal(rte_dev_probe(device), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name(name, &container), 0);
}

/* Until the port serves as many pairs. */
static void wait_for_pairs(uint16_t n)
{
	for (int i = 0; i < PATIENCE_MS && port.n_pairs != n; i++) {
		usleep(1000);
		vhost_port_ops.housekeep(&port);
	}
	assert_int_equal(port.n_pairs, n);
	assert_int_equal(vhost_port_ops.is_up(&port), n > 0);
}

/* Enables n_pairs of those it has room for. */
static void container_start(uint64_t offloads, uint16_t n_pairs)
{
	const struct rte_eth_conf conf = {
		.rxmode.offloads = offloads, .rxmode.max_lro_pkt_size = 1530};

	assert_int_equal(rte_eth_dev_configure(container, n_pairs, n_pairs, &conf), 0);
	for (uint16_t i = 0; i < n_pairs; i++) {
		assert_int_equal(
			rte_eth_rx_queue_setup(container, i, RING_SIZE, SOCKET_ID_ANY, NULL, pool),
			0);
		assert_int_equal(
			rte_eth_tx_queue_setup(container, i, RING_SIZE, SOCKET_ID_ANY, NULL), 0);
	}
	assert_int_equal(rte_eth_dev_start(container), 0);
	wait_for_pairs(n_pairs);
}

static uint64_t container_can(void)
{
	struct rte_eth_dev_info info;

	assert_int_equal(rte_eth_dev_info_get(container, &info), 0);
	return info.rx_offload_capa;
}

/* Whatever a test did: no mbuf is left. */
static int close_both(void **state)
{
	struct rte_eth_dev_info info;

	(void)state;
	rte_eth_dev_info_get(container, &info);
	rte_eth_dev_stop(container);
	rte_eth_dev_close(container);
	rte_dev_remove(info.device);
	vhost_port_ops.detach(&port);
	return !port.large_segments && rte_mempool_avail_count(pool) == POOL ? 0 : -1;
}

/* ---- a large segment ---- */

static uint8_t frame[RTE_ETHER_HDR_LEN + 65535];

static struct rte_tcp_hdr *make_headers(size_t length, bool ipv6)
{
	struct rte_ether_hdr *ether = (void *)frame;
	struct rte_ipv4_hdr *ip = (void *)(ether + 1);
	struct rte_ipv6_hdr *ip6 = (void *)(ether + 1);

	for (size_t i = 0; i < length; i++)
		frame[i] = (uint8_t)(i * 7 + (i >> 8));
	ether->ether_type = ipv6 ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4);
	if (ipv6) {
		*ip6 = (struct rte_ipv6_hdr){.vtc_flow = RTE_BE32(6u << 28),
			.payload_len = rte_cpu_to_be_16(length - sizeof(*ether) - sizeof(*ip6)),
			.proto = IPPROTO_TCP,
			.hop_limits = 64,
			.src_addr = {0xfd, [15] = 1},
			.dst_addr = {0xfd, [15] = 2}};
		return (void *)(ip6 + 1);
	}
	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(length - sizeof(*ether)),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_TCP,
		.src_addr = RTE_BE32(RTE_IPV4(10, 9, 0, 1)),
		.dst_addr = RTE_BE32(RTE_IPV4(10, 9, 0, 2))};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	return (void *)(ip + 1);
}

static rte_be16_t pseudo_sum(bool ipv6, uint64_t flags)
{
	const void *ip = frame + RTE_ETHER_HDR_LEN;

	return ipv6 ? rte_ipv6_phdr_cksum(ip, flags) : rte_ipv4_phdr_cksum(ip, flags);
}

/* As the data path hands it over; `frame` is then as the container is to see it. */
static struct rte_mbuf *make_large(size_t length, bool ipv6)
{
	struct rte_tcp_hdr *tcp = make_headers(length, ipv6);
	struct rte_mbuf *mbuf;

	*tcp = (struct rte_tcp_hdr){
		.data_off = sizeof(*tcp) / 4 << 4, .tcp_flags = RTE_TCP_ACK_FLAG};
	tcp->cksum = pseudo_sum(ipv6, RTE_MBUF_F_TX_TCP_SEG);
	mbuf = mbuf_of_bytes(pool, frame, length);
	tcp->cksum = pseudo_sum(ipv6, 0);
	mbuf->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM |
			  (ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
	mbuf->l2_len = RTE_ETHER_HDR_LEN;
	mbuf->l3_len = (uint8_t *)tcp - frame - RTE_ETHER_HDR_LEN;
	mbuf->l4_len = sizeof(*tcp);
	mbuf->tso_segsz = SEGMENT;
	return mbuf;
}

static struct rte_mbuf *container_got(void)
{
	struct rte_mbuf *mbuf = NULL;

	for (int i = 0; i < 100 && rte_eth_rx_burst(container, 0, &mbuf, 1) == 0; i++)
		usleep(100);
	return mbuf;
}

static void assert_got(struct rte_mbuf *mbuf, size_t length, uint16_t segment)
{
	static uint8_t copy[sizeof(frame)];

	assert_non_null(mbuf);
	assert_int_equal(mbuf->pkt_len, length);
	assert_int_equal((mbuf->ol_flags & RTE_MBUF_F_RX_LRO) != 0, segment != 0);
	if (segment != 0)
		assert_int_equal(mbuf->tso_segsz, segment);
	assert_memory_equal(rte_pktmbuf_read(mbuf, 0, length, copy), frame, length);
	rte_pktmbuf_free(mbuf);
}

/* ---- tests ---- */

/* Also that the pseudo header's sum has the length, which librte_vhost would leave out. */
static void large_segments_arrive_whole(void **state)
{
	static const size_t lengths[] = {3000, 9000, 64 * 1024};

	(void)state;
	port_open(true, 1);
	container_probe(1, "");
	container_start(
		container_can() & (RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_TCP_CKSUM), 1);
	assert_true(port.large_segments);
	for (size_t i = 0; i < 2 * RTE_DIM(lengths); i++) {
		struct rte_mbuf *mbuf = make_large(lengths[i / 2], i % 2);

		assert_int_equal(vhost_port_ops.send(&port, 0, &mbuf, 1), 1);
		assert_got(container_got(), lengths[i / 2], SEGMENT);
	}
}

static void a_container_without_them_is_given_none(void **state)
{
	struct rte_mbuf *mbufs[3];

	(void)state;
	port_open(true, 1);
	container_probe(1, "");
	container_start(0, 1);
	assert_false(port.large_segments);
	mbufs[1] = make_large(3000, false);
	make_headers(1000, false);
	mbufs[0] = mbuf_of_bytes(pool, frame, 1000);
	mbufs[2] = mbuf_of_bytes(pool, frame, 1000);
	assert_int_equal(vhost_port_ops.send(&port, 0, mbufs, 3), 1);
	rte_pktmbuf_free_bulk(mbufs + 1, 2);
	assert_got(container_got(), 1000, 0);
	assert_null(container_got());
}

static void large_segments_can_be_switched_off(void **state)
{
	(void)state;
	port_open(false, 1);
	container_probe(1, "");
	assert_int_equal(container_can() & RTE_ETH_RX_OFFLOAD_TCP_LRO, 0);
	container_start(0, 1);
	assert_false(port.large_segments);
}

/* ---- tests: features ---- */

/* Of all that the library has: a bit that it learns to offer is one to be thought of. What is off:
 * what makes a container send large segments (6, 11 to 14), UFO and ECN towards it (9, 10), the log
 * of what is written (26), and IOMMU_PLATFORM (33), with which an lcore would ask the front end for
 * addresses. */
static void features_are_those_weft_knows(void **state)
{
	static const uint8_t offered[] = {0, 1, 3, 15, 17, 18, 21, 22, 27, 28, 29, 30, 32, 34, 35};
	static const uint8_t protocol[] = {0, 3, 4, 16};
	const uint64_t large = UINT64_C(1) << 7 | UINT64_C(1) << 8;
	uint64_t features, expected = 0, protocol_features, expected_protocol = 0;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(offered); i++)
		expected |= UINT64_C(1) << offered[i];
	for (size_t i = 0; i < RTE_DIM(protocol); i++)
		expected_protocol |= UINT64_C(1) << protocol[i];
	for (int large_segments = 0; large_segments <= 1; large_segments++) {
		port_open(large_segments, 1);
		rte_vhost_driver_get_features(port.config.path, &features);
		rte_vhost_driver_get_protocol_features(port.config.path, &protocol_features);
		vhost_port_ops.detach(&port);
		assert_int_equal(features, expected | (large_segments ? large : 0));
		assert_int_equal(protocol_features, expected_protocol);
	}
}

/* ---- tests: queue pairs ---- */

#define PACKETS 8 /* by each queue */

static struct rte_mbuf *mbuf_of_number(uint32_t number)
{
	struct rte_mbuf *mbuf;

	make_headers(100, false);
	memcpy(frame + 100 - sizeof(number), &number, sizeof(number));
	mbuf = mbuf_of_bytes(pool, frame, 100);
	return mbuf;
}

static uint32_t number_of(struct rte_mbuf *mbuf)
{
	uint32_t number;

	memcpy(&number, rte_pktmbuf_mtod_offset(mbuf, void *, 100 - sizeof(number)),
		sizeof(number));
	rte_pktmbuf_free(mbuf);
	return number;
}

/* Frees what a queue of one end gave, numbers from queue * PACKETS, and sees that what one queue
 * of the other end sent comes by one queue, in order. */
static void take(uint32_t *next, uint16_t n_senders, struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		uint32_t number = number_of(mbufs[i]);

		assert_true(number / PACKETS < n_senders);
		assert_int_equal(number % PACKETS, next[number / PACKETS]++);
	}
}

static void assert_all_came(const uint32_t *next, uint16_t n_senders)
{
	for (uint16_t i = 0; i < n_senders; i++)
		assert_int_equal(next[i], PACKETS);
}

/* By each of the port's queues, to whichever queue the container reads. */
static void all_arrive(uint16_t n_pairs)
{
	uint32_t next[PORT_QUEUES_MAX] = {0};
	struct rte_mbuf *mbufs[PACKETS];

	for (uint16_t queue = 0; queue < port.n_queues; queue++) {
		for (uint16_t i = 0; i < PACKETS; i++)
			mbufs[i] = mbuf_of_number(queue * PACKETS + i);
		assert_int_equal(vhost_port_ops.send(&port, queue, mbufs, PACKETS), PACKETS);
	}
	for (uint16_t queue = 0; queue < n_pairs; queue++)
		for (uint16_t n = 1; n > 0;) {
			n = rte_eth_rx_burst(container, queue, mbufs, PACKETS);
			take(next, port.n_queues, mbufs, n);
		}
	assert_all_came(next, port.n_queues);
}

/* By each of the container's queues; the port takes one packet at a time, and where its queues have
 * as many rings each, no ring waits until others are empty. */
static void all_leave(uint16_t n_pairs)
{
	uint32_t next[PORT_QUEUES_MAX] = {0};
	struct rte_mbuf *mbufs[PACKETS];

	for (uint16_t queue = 0; queue < n_pairs; queue++) {
		for (uint16_t i = 0; i < PACKETS; i++)
			mbufs[i] = mbuf_of_number(queue * PACKETS + i);
		assert_int_equal(rte_eth_tx_burst(container, queue, mbufs, PACKETS), PACKETS);
	}
	for (uint16_t turn = 0; turn < PACKETS * n_pairs; turn++) {
		for (uint16_t queue = 0; queue < port.n_queues; queue++)
			take(next, n_pairs, mbufs, vhost_port_ops.receive(&port, queue, mbufs, 1));
		if (n_pairs % port.n_queues == 0)
			for (uint16_t i = 1; i < n_pairs; i++)
				assert_in_range(next[i] + 1, next[0], next[0] + 2);
	}
	assert_all_came(next, n_pairs);
}

static void assert_status(const char *text)
{
	char status[PORT_STATUS_SIZE];

	port_status(&port, status);
	assert_string_equal(status, text);
}

/* Those that are enabled change while the container is attached. */
static void every_ring_is_served(void **state)
{
	static const uint16_t queues[] = {1, 2, 3, 4, 16};
	static const char *const settings[] = {
		"", ",packed_vq=1", ",in_order=1,mrg_rxbuf=0", "", ""};
	static const uint16_t pairs[] = {1, 4, 2, 3, 1};

	for (size_t i = 0; i < RTE_DIM(queues); i++) {
		port_open(false, queues[i]);
		assert_status("waiting for a container");
		container_probe(4, settings[i]);
		for (size_t j = 0; j < RTE_DIM(pairs); j++) {
			container_start(0, pairs[j]);
			all_arrive(pairs[j]);
			all_leave(pairs[j]);
			rte_eth_dev_stop(container);
		}
		assert_status("container attached, 1 of 4 queue pairs enabled");
		if (i + 1 < RTE_DIM(queues))
			assert_int_equal(close_both(state), 0);
	}
}

/* ---- tests: a front end played by hand ---- */

/* The library's thread tells of it; its rings are told of by the tests, and are not there. */
static int hand_dial(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int hand = socket(AF_UNIX, SOCK_STREAM, 0);

	__atomic_store_n(&connection, -1, __ATOMIC_RELAXED);
	memcpy(address.sun_path, port.config.path, strlen(port.config.path));
	assert_int_equal(connect(hand, (struct sockaddr *)&address, sizeof(address)), 0);
	for (int i = 0; i < PATIENCE_MS && connected() < 0; i++)
		usleep(1000);
	assert_true(connected() >= 0);
	return hand;
}

static void hand_says(int hand, uint32_t what)
{
	const uint32_t message[] = {what, 1 /* the protocol's version */, 0};

	assert_int_equal(send(hand, message, sizeof(message), 0), sizeof(message));
}

/* The answer to this comes after all that was said before is done. */
static void hand_waits(int hand)
{
	uint32_t answer[5];

	hand_says(hand, 1 /* GET_FEATURES */);
	assert_int_equal(recv(hand, answer, sizeof(answer), MSG_WAITALL), sizeof(answer));
}

static void pairs_change(uint16_t from, uint16_t to, bool ready)
{
	for (uint16_t ring = 2 * from; ring < 2 * to; ring++)
		library->vring_state_changed(connected(), ring, ready);
}

static void round_finds_pairs(uint16_t n)
{
	vhost_port_ops.housekeep(&port);
	assert_int_equal(port.n_pairs, n);
}

static void hand_open(int *hand, uint16_t n_pairs)
{
	port_open(false, 4);
	*hand = hand_dial();
	pairs_change(0, n_pairs, true);
	assert_int_equal(library->new_device(connected()), 0);
	round_finds_pairs(n_pairs);
}

static void hand_close(int hand)
{
	library->destroy_device(connected());
	close(hand);
	vhost_port_ops.detach(&port);
}

/* A round may come when the library has told the one half of what a message does. */
static void rings_that_are_away_for_a_moment_move_no_flow(void **state)
{
	int hand;

	(void)state;
	hand_open(&hand, 2);
	for (uint16_t i = 0; i < 10; i++) {
		pairs_change(i % 2, 2, false);
		round_finds_pairs(2);
		pairs_change(i % 2, 2, true);
		round_finds_pairs(2);
	}
	pairs_change(1, 2, false);
	round_finds_pairs(2);
	round_finds_pairs(1);
	pairs_change(1, 4, true);
	round_finds_pairs(1);
	round_finds_pairs(4);
	hand_close(hand);
}

/* The library does not tell that they are. */
static void all_rings_are_forgotten_at_a_reset(void **state)
{
	int hand;

	(void)state;
	hand_open(&hand, 4);
	library->destroy_device(connected());
	assert_false(vhost_port_ops.is_up(&port));
	hand_says(hand, 4 /* RESET_OWNER */);
	hand_waits(hand);
	pairs_change(0, 1, true);
	assert_int_equal(library->new_device(connected()), 0);
	round_finds_pairs(1);
	hand_close(hand);
}

/* ---- environment ---- */

static int environment_make(void **state)
{
	char *arguments[] = {"test_vhost", "--no-huge", "-m", "128", "--no-pci", "--no-telemetry",
		"--no-shconf", "--single-file-segments", "--log-level=*:error", NULL};

	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/weft-vhost-XXXXXX");
	if (mkdtemp(directory) == NULL || rte_eal_init(RTE_DIM(arguments) - 1, arguments) < 0)
		return -1;
	pool = rte_pktmbuf_pool_create("test", POOL, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	rcu = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
	return pool != NULL && rcu != NULL && rte_rcu_qsbr_init(rcu, 1) == 0 ? 0 : -1;
}

static int environment_end(void **state)
{
	(void)state;
	rte_mempool_free(pool);
	rte_free(rcu);
	return rmdir(directory) == 0 ? rte_eal_cleanup() : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(large_segments_arrive_whole, close_both),
		cmocka_unit_test_teardown(a_container_without_them_is_given_none, close_both),
		cmocka_unit_test_teardown(large_segments_can_be_switched_off, close_both),
		cmocka_unit_test(features_are_those_weft_knows),
		cmocka_unit_test_teardown(every_ring_is_served, close_both),
		cmocka_unit_test(rings_that_are_away_for_a_moment_move_no_flow),
		cmocka_unit_test(all_rings_are_forgotten_at_a_reset),
	};

	return cmocka_run_group_tests_name("vhost", tests, environment_make, environment_end);
}
