/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a hop between two lcores costs: the receive path of one flow on one lcore, beside the same
 * path cut before each stage in turn and continued on a second lcore. Source and sink are in the
 * process: the source writes a VXLAN packet's headers into a fresh mbuf, as a driver would have,
 * the sink frees. All variants take turns, round after round, in the same run; a figure is a
 * median over the rounds. The hop's price is the difference of all working cycles, both lcores'
 * together, to the uncut path of the same round.
 *
 * usage: bench-hop [EAL options, three lcores: main and two workers] [-- [--rounds N] [--ms N]
 * [--json]]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_hash_crc.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#include "core/lcore.h"

#define MBUFS 16383
#define CREDITS 512
#define FRAME_BYTES 60 /* inner, without FCS: testpmd's 64 B */
#define VNI 100
#define UPLINK 0
#define CONTAINER 1
#define ROUNDS_MAX 256
#define ROUND_MS 100

static const struct rte_ether_addr vtep_mac = {{2, 0, 0, 0, 0, 1}};
static const struct rte_ether_addr container_mac = {{2, 0, 0, 0, 0, 2}};
static const struct rte_ether_addr remote_mac = {{2, 0, 0, 0, 0, 3}};

static uint8_t frame[VXLAN_OVERHEAD + FRAME_BYTES];
static struct rte_mempool *pool;

/* ---- source and sink ---- */

static void make_frame(void)
{
	struct rte_ether_hdr *outer = (void *)frame;
	struct rte_ipv4_hdr *ip = (void *)(outer + 1);
	struct rte_udp_hdr *udp = (void *)(ip + 1);
	struct rte_vxlan_hdr *vxlan = (void *)(udp + 1);
	struct rte_ether_hdr *inner = (void *)(vxlan + 1);

	*outer = (struct rte_ether_hdr){vtep_mac, remote_mac, RTE_BE16(RTE_ETHER_TYPE_IPV4)};
	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = RTE_BE16(sizeof(frame) - sizeof(*outer)),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = RTE_BE32(RTE_IPV4(192, 0, 2, 2)),
		.dst_addr = RTE_BE32(RTE_IPV4(192, 0, 2, 1))};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	*udp = (struct rte_udp_hdr){.src_port = RTE_BE16(50000),
		.dst_port = RTE_BE16(4789),
		.dgram_len = RTE_BE16(sizeof(frame) - sizeof(*outer) - sizeof(*ip))};
	*vxlan = (struct rte_vxlan_hdr){RTE_BE32(0x08000000), RTE_BE32(VNI << 8)};
	*inner = (struct rte_ether_hdr){container_mac, remote_mac, RTE_BE16(RTE_ETHER_TYPE_IPV4)};
}

static uint16_t source(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	(void)port;
	(void)queue;
	if (rte_pktmbuf_alloc_bulk(pool, mbufs, n) != 0)
		return 0;
	for (uint16_t i = 0; i < n; i++)
		memcpy(rte_pktmbuf_append(mbufs[i], sizeof(frame)), frame, sizeof(frame));
	return n;
}

static uint16_t nothing(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	(void)port;
	(void)queue;
	(void)mbufs;
	(void)n;
	return 0;
}

static uint16_t sink(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	(void)port;
	(void)queue;
	rte_pktmbuf_free_bulk(mbufs, n);
	return n;
}

static bool is_up(const struct port *port)
{
	(void)port;
	return true;
}

static const struct port_ops uplink_ops = {.receive = source, .send = sink, .is_up = is_up};
static const struct port_ops container_ops = {.receive = nothing, .send = sink, .is_up = is_up};

static struct port uplink = {.ops = &uplink_ops,
	.index = UPLINK,
	.uplink = true,
	.network = NETWORK_NONE,
	.mtu = 1600,
	.n_queues = 1};
static struct port container = {
	.ops = &container_ops, .index = CONTAINER, .network = 0, .mtu = 1550, .n_queues = 1};

/* ---- tables with one network, one VTEP, one container ---- */

static struct rte_hash *make_hash(const char *name)
{
	struct rte_hash_parameters parameters = {.name = name,
		.entries = 1024,
		.key_len = sizeof(uint64_t),
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

static struct tables *make_tables(void)
{
	struct rte_fbk_hash_params vnis = {.name = "vnis",
		.entries = 1024,
		.entries_per_bucket = 4,
		.socket_id = rte_socket_id()};
	struct tables *tables =
		rte_zmalloc("tables", sizeof(*tables) + sizeof(tables->owned[0]), 0);
	struct network *network = rte_zmalloc("network", sizeof(*network), 0);
	struct remote *remote = rte_zmalloc("remote", sizeof(*remote), 0);
	uint64_t key = remote_key(0, RTE_BE32(RTE_IPV4(192, 0, 2, 2)));

	*network = (struct network){.vni = VNI,
		.udp_port = 4789,
		.uplink = UPLINK,
		.mtu = 1550,
		.learning = true,
		.vtep_guard = true,
		.refresh = 60};
	tables->networks_by_vni = rte_fbk_hash_create(&vnis);
	rte_fbk_hash_add_key(tables->networks_by_vni, VNI, 0);
	tables->remotes_by_address = make_hash("remotes");
	rte_hash_add_key_data(tables->remotes_by_address, &key, NULL);
	tables->fdb = make_hash("fdb");
	add_address(tables, &container_mac, CONTAINER);
	add_address(tables, &remote_mac, PLACE_REMOTE | 0);
	tables->udp_ports[4789 / 64] |= 1ULL << (4789 % 64);
	tables->networks[0] = network;
	tables->remotes[0] = remote;
	tables->n_networks = 1;
	tables->uplink_addresses[UPLINK] = RTE_BE32(RTE_IPV4(192, 0, 2, 1));
	tables->ports[UPLINK] = &uplink;
	tables->ports[CONTAINER] = &container;
	tables->owned[0] = (struct owned_queue){&uplink, 0};
	for (int lcore = 1; lcore <= LCORES_MAX; lcore++)
		tables->owned_begin[lcore] = 1; /* lcore 0 owns the one queue */
	return tables;
}

/* ---- a measurement ---- */

struct result {
	double cycles; /* of work, a packet, all lcores together */
	double stages[STEP_COUNT];
	double pps;
};

static uint64_t stop_and_drain(struct dataplane *dataplane)
{
	struct conservation sum;
	uint64_t delivered = dataplane_conservation(dataplane).delivered;

	__atomic_store_n(&dataplane->closing, true, __ATOMIC_RELAXED);
	do {
		usleep(100);
		sum = dataplane_conservation(dataplane);
	} while (conservation_in_flight(&sum) != 0);
	__atomic_store_n(&dataplane->stop, true, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
	return delivered;
}

static struct result evaluate(
	const struct dataplane *dataplane, uint64_t delivered, unsigned int ms)
{
	struct conservation sum = dataplane_conservation(dataplane);
	struct result result = {.pps = delivered * 1000.0 / ms};

	for (uint16_t i = 0; i < dataplane->n_lcores; i++) {
		const struct lcore_counters *counters = &dataplane->lcores[i]->counters;

		result.cycles += (double)counters->time.working / sum.delivered;
		for (int stage = 0; stage < STEP_COUNT; stage++)
			result.stages[stage] +=
				(double)counters->stages[stage].cycles / sum.delivered;
	}
	return result;
}

/* The path cut before `cut` (STEP_COUNT: not at all): `cut` and what follows run on lcore 1. */
static struct result measure(struct tables *tables, unsigned int cut, unsigned int ms)
{
	struct dataplane_config config = {.clock = {clock_tsc, rte_get_tsc_hz()},
		.n_lcores = cut == STEP_COUNT ? 1 : 2,
		.credits = CREDITS};
	struct error error;
	struct dataplane *dataplane;
	struct result result;
	unsigned int id = rte_get_next_lcore(-1, 1, 0);

	plan_set_mode(&config.plan, "vanilla", &error);
	for (uint16_t i = 0; i < config.n_lcores; i++, id = rte_get_next_lcore(id, 1, 0))
		config.lcore_ids[i] = id;
	if (cut < STAGE_COUNT)
		config.plan.lcore[cut] = 1;
	container.queues[0].owner = cut == STEP_COUNT ? 0 : 1;
	dataplane = dataplane_create(&config, &error);
	if (dataplane == NULL)
		rte_exit(EXIT_FAILURE, "%s\n", error.text);
	dataplane_publish(dataplane, tables);
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		rte_eal_remote_launch(lcore_run, dataplane->lcores[i], dataplane->lcore_ids[i]);
	usleep(ms * 1000);
	result = evaluate(dataplane, stop_and_drain(dataplane), ms);
	dataplane_free(dataplane);
	return result;
}

/* ---- all of them ---- */

static const struct variant {
	const char *name;
	unsigned int cut;
} variants[] = {
	{"one lcore", STEP_COUNT},
	{"cut before gro (unread)", STAGE_GRO},
	{"cut before vxlan (read)", STAGE_VXLAN},
	{"cut before bridge (written)", STAGE_BRIDGE},
	{"cut before veth (written)", STAGE_VETH},
	{"cut before deliver (written)", STAGE_DELIVER},
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned int n)
{
	qsort(values, n, sizeof(values[0]), compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static struct result results[RTE_DIM(variants)][ROUNDS_MAX];

static double median_cycles(unsigned int variant, unsigned int rounds)
{
	double values[ROUNDS_MAX];

	for (unsigned int i = 0; i < rounds; i++)
		values[i] = results[variant][i].cycles;
	return median(values, rounds);
}

static double median_hop(unsigned int variant, unsigned int rounds)
{
	double values[ROUNDS_MAX];

	for (unsigned int i = 0; i < rounds; i++)
		values[i] = results[variant][i].cycles - results[0][i].cycles;
	return median(values, rounds);
}

static double median_pps(unsigned int variant, unsigned int rounds)
{
	double values[ROUNDS_MAX];

	for (unsigned int i = 0; i < rounds; i++)
		values[i] = results[variant][i].pps;
	return median(values, rounds);
}

static double median_stage(int stage, unsigned int rounds)
{
	double values[ROUNDS_MAX];

	for (unsigned int i = 0; i < rounds; i++)
		values[i] = results[0][i].stages[stage];
	return median(values, rounds);
}

static void print_stages(unsigned int rounds)
{
	for (int stage = 0; stage < STEP_COUNT; stage++)
		if (median_stage(stage, rounds) > 0)
			printf("{\"scenario\": \"stage: %s\", \"system\": \"weft\", \"mode\": "
			       "\"vanilla\", \"lcores\": 1, \"clock\": \"real\", \"frame_bytes\": "
			       "64, \"flows\": 1, \"port\": \"ring\", \"cycles_per_packet\": "
			       "%.1f}\n",
				stage_table[stage].name, median_stage(stage, rounds));
}

static void print_variants(unsigned int rounds)
{
	for (unsigned int i = 0; i < RTE_DIM(variants); i++)
		printf("{\"scenario\": \"hop: %s\", \"system\": \"weft\", \"mode\": \"vanilla\", "
		       "\"lcores\": %d, \"clock\": \"real\", \"frame_bytes\": 64, \"flows\": 1, "
		       "\"port\": \"ring\", \"pps\": %.0f, \"cycles_per_packet\": %.1f, "
		       "\"hop_cycles\": %.1f}\n",
			variants[i].name, variants[i].cut == STEP_COUNT ? 1 : 2,
			median_pps(i, rounds), median_cycles(i, rounds), median_hop(i, rounds));
}

int main(int argc, char **argv)
{
	int eal = rte_eal_init(argc, argv);
	struct tables *tables;
	unsigned int rounds = 20;

	if (eal < 0 || rte_lcore_count() < 3)
		rte_exit(EXIT_FAILURE, "bench-hop: needs a main lcore and two workers: "
				       "--lcores '0@0,1@0,2@1'\n");
	if (argc > eal + 1)
		rounds = RTE_MIN(atoi(argv[eal + 1]), ROUNDS_MAX);
	make_frame();
	uplink.mac = vtep_mac;
	pool = rte_pktmbuf_pool_create(
		"mbufs", MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, rte_socket_id());
	tables = make_tables();
	for (unsigned int round = 0; round < rounds; round++) {
		fprintf(stderr, "round %u of %u\n", round + 1, rounds);
		for (unsigned int i = 0; i < RTE_DIM(variants); i++)
			results[i][round] = measure(tables, variants[i].cut, ROUND_MS);
	}
	print_variants(rounds);
	print_stages(rounds);
	return 0;
}
