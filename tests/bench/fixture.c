/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_hash_crc.h>
#include <rte_icmp.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#define VNI 100
#define VTEP RTE_BE32(RTE_IPV4(192, 0, 2, 1))
#define REMOTE_VTEP RTE_BE32(RTE_IPV4(192, 0, 2, 2))
#define CONTAINER_ADDRESS RTE_BE32(RTE_IPV4(10, 0, 0, 1))
#define REMOTE_ADDRESS RTE_BE32(RTE_IPV4(10, 0, 0, 2))

static const struct rte_ether_addr vtep_mac = {{2, 0, 0, 0, 0, 1}};
static const struct rte_ether_addr container_mac = {{2, 0, 0, 0, 0, 2}};
static const struct rte_ether_addr remote_mac = {{2, 0, 0, 0, 0, 3}};

struct rte_mempool *fixture_pool;

int fixture_init(int argc, char **argv)
{
	int eal = rte_eal_init(argc, argv);

	if (eal < 0)
		rte_exit(EXIT_FAILURE, "%s: EAL does not start; see above\n", argv[0]);
	if (rte_lcore_count() < 3)
		rte_exit(EXIT_FAILURE,
			"%s: needs a main lcore and two workers: --lcores '0@0,1@0,2@1'\n",
			argv[0]);
	fixture_pool = rte_pktmbuf_pool_create(
		"mbufs", FIXTURE_MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, rte_socket_id());
	if (fixture_pool == NULL)
		rte_exit(EXIT_FAILURE, "%s: no memory for packets; give EAL more (-m)\n", argv[0]);
	return eal;
}

/* ---- frames ---- */

static void make_ipv4(
	struct rte_ipv4_hdr *ip, uint16_t bytes, uint8_t protocol, rte_be32_t from, rte_be32_t to)
{
	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(bytes),
		.time_to_live = 64,
		.next_proto_id = protocol,
		.src_addr = from,
		.dst_addr = to};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

/* Ethernet, IPv4 and UDP, of `bytes` with all of them. */
static void *make_udp(void *data, uint16_t bytes, rte_be32_t from, rte_be32_t to, uint16_t port)
{
	struct rte_ether_hdr *ether = data;
	struct rte_ipv4_hdr *ip = (void *)(ether + 1);
	struct rte_udp_hdr *udp = (void *)(ip + 1);

	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	make_ipv4(ip, bytes - sizeof(*ether), IPPROTO_UDP, from, to);
	*udp = (struct rte_udp_hdr){.src_port = RTE_BE16(50000),
		.dst_port = rte_cpu_to_be_16(port),
		.dgram_len = rte_cpu_to_be_16(bytes - sizeof(*ether) - sizeof(*ip))};
	return udp + 1;
}

void fixture_frame_vxlan(struct fixture_frame *frame, uint16_t bytes)
{
	struct rte_ether_hdr *outer = (void *)frame->data, *inner;
	struct rte_vxlan_hdr *vxlan;

	*frame = (struct fixture_frame){.bytes = tunnel_overhead(TUNNEL_VXLAN) + bytes};
	vxlan = make_udp(frame->data, frame->bytes, REMOTE_VTEP, VTEP, RTE_VXLAN_DEFAULT_PORT);
	*vxlan = (struct rte_vxlan_hdr){RTE_BE32(0x08000000), RTE_BE32(VNI << 8)};
	inner = (void *)(vxlan + 1);
	make_udp(inner, bytes, REMOTE_ADDRESS, CONTAINER_ADDRESS, 9);
	outer->dst_addr = vtep_mac;
	outer->src_addr = remote_mac;
	inner->dst_addr = container_mac;
	inner->src_addr = remote_mac;
}

void fixture_frame_inner(struct fixture_frame *frame, uint16_t bytes)
{
	struct rte_ether_hdr *ether = (void *)frame->data;

	*frame = (struct fixture_frame){.bytes = bytes};
	make_udp(frame->data, bytes, CONTAINER_ADDRESS, REMOTE_ADDRESS, 9);
	ether->dst_addr = remote_mac;
	ether->src_addr = container_mac;
}

void fixture_frame_echo(struct fixture_frame *frame)
{
	struct rte_ether_hdr *ether = (void *)frame->data;
	struct rte_ipv4_hdr *ip = (void *)(ether + 1);
	struct rte_icmp_hdr *icmp = (void *)(ip + 1);

	*frame = (struct fixture_frame){.bytes = 98}; /* as ping's */
	*ether = (struct rte_ether_hdr){vtep_mac, remote_mac, RTE_BE16(RTE_ETHER_TYPE_IPV4)};
	make_ipv4(ip, frame->bytes - sizeof(*ether), IPPROTO_ICMP, REMOTE_VTEP, VTEP);
	icmp->icmp_type = RTE_IP_ICMP_ECHO_REQUEST;
	icmp->icmp_cksum = ~rte_raw_cksum(icmp, frame->bytes - sizeof(*ether) - sizeof(*ip));
}

void fixture_frame_flow(struct fixture_frame *frame, uint16_t port)
{
	struct rte_udp_hdr *udp =
		(void *)(frame->data + tunnel_overhead(TUNNEL_VXLAN) +
			 sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr));

	udp->src_port = rte_cpu_to_be_16(port);
}

/* ---- source and sink ---- */

uint16_t fixture_source(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	const struct fixture_frame *frame = port->driver;

	(void)queue;
	if (rte_pktmbuf_alloc_bulk(fixture_pool, mbufs, n) != 0)
		return 0;
	for (uint16_t i = 0; i < n; i++)
		memcpy(rte_pktmbuf_append(mbufs[i], frame->bytes), frame->data, frame->bytes);
	return n;
}

uint16_t fixture_nothing(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	(void)port;
	(void)queue;
	(void)mbufs;
	(void)n;
	return 0;
}

uint16_t fixture_sink(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	(void)port;
	(void)queue;
	rte_pktmbuf_free_bulk(mbufs, n);
	return n;
}

bool fixture_is_up(const struct port *port)
{
	(void)port;
	return true;
}

static const struct port_ops uplink_ops = {
	.receive = fixture_source, .send = fixture_sink, .is_up = fixture_is_up};
static const struct port_ops container_ops = {
	.receive = fixture_nothing, .send = fixture_sink, .is_up = fixture_is_up};

struct port fixture_uplink = {.ops = &uplink_ops,
	.index = UPLINK,
	.uplink = true,
	.network = NETWORK_NONE,
	.mtu = 1600,
	.n_queues = 1,
	.lcores = UINT64_MAX};
struct port fixture_container = {.ops = &container_ops,
	.index = CONTAINER,
	.network = 0,
	.mtu = 1550,
	.n_queues = 1,
	.lcores = UINT64_MAX,
	.n_addresses = 1};

/* ---- tables with one network, one VTEP, one container ---- */

static struct rte_hash *make_hash(const char *name, uint32_t key_length)
{
	struct rte_hash_parameters parameters = {.name = name,
		.entries = 1024,
		.key_len = key_length,
		.hash_func = rte_hash_crc,
		.socket_id = rte_socket_id(),
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF};

	return rte_hash_create(&parameters);
}

static void add_address(struct tables *tables, const struct rte_ether_addr *mac, uint16_t place)
{
	uint64_t key = fdb_key(0, mac);
	union fdb_value value = {.place = place, .fixed = true};

	rte_hash_add_key_data(tables->fdb, &key, value.word);
}

static struct network *make_network(void)
{
	struct network *network = rte_zmalloc("network", sizeof(*network), 0);

	*network = (struct network){.vni = VNI,
		.udp_port = RTE_VXLAN_DEFAULT_PORT,
		.uplink = UPLINK,
		.mtu = 1550,
		.learning = true,
		.vtep_guard = true,
		.source_guard = true,
		.refresh = 60,
		.wire_port = CONTAINER,
		.wire_remote = PLACE_REMOTE | 0};
	return network;
}

static struct remote *make_remote(void)
{
	struct remote *remote = rte_zmalloc("remote", sizeof(*remote), 0);
	struct fixture_frame frame;

	fixture_frame_vxlan(&frame, RTE_ETHER_MIN_LEN);
	*remote = (struct remote){.network = 0, .resolved = true};
	remote->tunnel.length = tunnel_overhead(TUNNEL_VXLAN);
	memcpy(remote->tunnel.header, frame.data, remote->tunnel.length);
	return remote;
}

static void add_hashes(struct tables *tables)
{
	struct rte_fbk_hash_params vnis = {.name = "vnis",
		.entries = 1024,
		.entries_per_bucket = 4,
		.socket_id = rte_socket_id()};
	const struct remote_key key = {.address = address_of_ipv4(REMOTE_VTEP), .network = 0};

	tables->networks_by_vni = rte_fbk_hash_create(&vnis);
	rte_fbk_hash_add_key(tables->networks_by_vni, VNI, 0);
	tables->remotes_by_address = make_hash("remotes", sizeof(struct remote_key));
	rte_hash_add_key_data(tables->remotes_by_address, &key, NULL);
	tables->fdb = make_hash("fdb", sizeof(uint64_t));
	add_address(tables, &container_mac, CONTAINER);
	add_address(tables, &remote_mac, PLACE_REMOTE | 0);
}

struct tables *fixture_tables(struct port *polled)
{
	struct tables *tables =
		rte_zmalloc("tables", sizeof(*tables) + sizeof(tables->owned[0]), 0);

	add_hashes(tables);
	tables->udp_ports[RTE_VXLAN_DEFAULT_PORT / 64] |= 1ULL << (RTE_VXLAN_DEFAULT_PORT % 64);
	tables->networks[0] = make_network();
	tables->remotes[0] = make_remote();
	tables->n_networks = 1;
	tables->n_uplinks = 1;
	tables->uplinks[0] = UPLINK;
	tables->uplink_addresses[UPLINK] = address_of_ipv4(VTEP);
	tables->ports[UPLINK] = &fixture_uplink;
	tables->ports[CONTAINER] = &fixture_container;
	fixture_uplink.mac = vtep_mac;
	fixture_container.mac = container_mac;
	fixture_container.addresses[0] = address_of_ipv4(CONTAINER_ADDRESS);
	tables->owned[0] = (struct owned_queue){polled, 0};
	for (int lcore = 1; lcore <= LCORES_MAX; lcore++)
		tables->owned_begin[lcore] = 1; /* lcore 0 owns the one queue */
	return tables;
}

/* ---- real lcores ---- */

void fixture_stop(struct dataplane *dataplane)
{
	__atomic_store_n(&dataplane->closing, true, __ATOMIC_RELAXED);
	do
		usleep(100);
	while (!dataplane_is_drained(dataplane));
	__atomic_store_n(&dataplane->stop, true, __ATOMIC_RELAXED);
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		rte_eal_wait_lcore(dataplane->lcore_ids[i]);
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void fixture_sort(double *values, unsigned int n)
{
	qsort(values, n, sizeof(values[0]), compare);
}

double fixture_median(double *values, unsigned int n)
{
	if (n == 0)
		return 0;
	fixture_sort(values, n);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double fixture_middle(double *values, unsigned int n)
{
	unsigned int first = n / 4, end = n - n / 4;
	double sum = 0;

	if (n == 0)
		return 0;
	fixture_sort(values, n);
	for (unsigned int i = first; i < end; i++)
		sum += values[i];
	return sum / (end - first);
}

/* Of n coins as many as half and about two standard deviations fall on one side. */
void fixture_interval(const double *sorted, unsigned int n, double *low, double *high)
{
	unsigned int rank = 0;
	double share = 1, sum;

	for (unsigned int i = 0; i < n; i++)
		share /= 2;
	for (sum = share; sum <= 0.025 && rank < n / 2; sum += share) {
		share = share * (n - rank) / (rank + 1);
		rank++;
	}
	*low = sorted[rank > 0 ? rank - 1 : 0];
	*high = sorted[n - (rank > 0 ? rank : 1)];
}
