/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include <stdlib.h>

#include <rte_eal.h>
#include <rte_hash_crc.h>

#include "base/random.h"

#define MBUFS_MAX 4096

const struct rte_ether_addr mac_uplink = {{0x04, 0, 0, 0, 0, 1}};
const struct rte_ether_addr mac_vtep_2 = {{0x04, 0, 0, 0, 0, 2}};
const struct rte_ether_addr mac_1 = {{0x02, 0, 0, 0, 0, 1}};
const struct rte_ether_addr mac_2 = {{0x02, 0, 0, 0, 0, 2}};
const struct rte_ether_addr mac_host_2 = {{0x02, 0, 0, 0, 1, 2}};
const struct rte_ether_addr mac_host_3 = {{0x02, 0, 0, 0, 1, 3}};
const struct rte_ether_addr mac_unknown = {{0x02, 0, 0, 0, 9, 9}};
const struct rte_ether_addr mac_broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
const uint8_t address6_1[16] = {0xfd, [15] = 1};

struct fixture fixture;

static void *buffers[MBUFS_MAX];
static unsigned int n_buffers;

int fixture_start_eal(void **state)
{
	char *arguments[] = {"unit", "--no-huge", "--no-shconf", "-m", "256", "--no-pci",
		"--no-telemetry", "--log-level=user1:error"};

	(void)state;
	return rte_eal_init(RTE_DIM(arguments), arguments) < 0 ? -1 : 0;
}

/* ---- mbufs ---- */

static void *keep(void *memory)
{
	if (memory == NULL || n_buffers == MBUFS_MAX)
		abort();
	buffers[n_buffers++] = memory;
	return memory;
}

static struct rte_mbuf *make_mbuf(const void *bytes, uint16_t length, uint16_t headroom)
{
	struct rte_mbuf *mbuf = keep(aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*mbuf)));

	memset(mbuf, 0, sizeof(*mbuf));
	mbuf->buf_addr = keep(malloc(headroom + length));
	mbuf->buf_len = headroom + length;
	mbuf->data_off = headroom;
	mbuf->data_len = mbuf->pkt_len = length;
	mbuf->nb_segs = 1;
	mbuf->refcnt = 1;
	if (length > 0)
		memcpy(rte_pktmbuf_mtod(mbuf, void *), bytes, length);
	packet_of(mbuf)->network = NETWORK_NONE;
	packet_of(mbuf)->source = PLACE_NONE;
	packet_of(mbuf)->destination = PLACE_NONE;
	return mbuf;
}

struct rte_mbuf *mbuf_of(const void *bytes, uint16_t length)
{
	return make_mbuf(bytes, length, HEADROOM);
}

struct rte_mbuf *mbuf_tight(const void *bytes, uint16_t length)
{
	return make_mbuf(bytes, length, 0);
}

uint16_t exit_of(const struct stage *stage, const char *name)
{
	assert_true(stage_find_exit(stage, name) >= 0);
	return stage_find_exit(stage, name);
}

uint16_t drop_of(const char *name)
{
	assert_true(drop_find(name) >= 0);
	return VERDICT_DROP + drop_number(drop_find(name));
}

uint16_t verdict_of(const struct stage *stage, struct rte_mbuf *mbuf)
{
	uint16_t verdict = UINT16_MAX;

	stage->process(&fixture.context, &mbuf, 1, &verdict);
	return verdict;
}

#define BURSTS 400
#define BURST 16

static void assert_same_packet(struct rte_mbuf *one, struct rte_mbuf *other)
{
	assert_int_equal(one->data_off, other->data_off);
	assert_int_equal(one->pkt_len, other->pkt_len);
	assert_int_equal(one->data_len, other->data_len);
	assert_int_equal(one->ol_flags, other->ol_flags);
	assert_memory_equal(packet_of(one), packet_of(other), sizeof(struct packet));
	assert_memory_equal(
		rte_pktmbuf_mtod(one, void *), rte_pktmbuf_mtod(other, void *), one->data_len);
}

static void compare_burst(
	const struct stage *stage, struct rte_mbuf *(*make)(uint64_t *random), uint64_t seed)
{
	uint16_t alone[BURST], together[BURST];
	struct rte_mbuf *one[BURST], *other[BURST];
	uint64_t random = seed;

	for (int i = 0; i < BURST; i++) {
		one[i] = make(&random);
		alone[i] = verdict_of(stage, one[i]);
	}
	random = seed;
	for (int i = 0; i < BURST; i++)
		other[i] = make(&random);
	stage->process(&fixture.context, other, BURST, together);
	for (int i = 0; i < BURST; i++) {
		assert_int_equal(together[i], alone[i]);
		if (alone[i] < VERDICT_DROP)
			assert_same_packet(one[i], other[i]);
	}
}

void assert_burst_agrees(const struct stage *stage, struct rte_mbuf *(*make)(uint64_t *random))
{
	for (uint64_t seed = 1; seed <= BURSTS; seed++) {
		compare_burst(stage, make, seed);
		fixture_free(NULL);
		fixture_make(NULL);
	}
}

/* ---- tables ---- */

static struct rte_hash *make_hash(const char *name, uint32_t key_length)
{
	struct rte_hash_parameters parameters = {.name = name,
		.entries = 64,
		.key_len = key_length,
		.hash_func = rte_hash_crc,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF};

	return rte_hash_create(&parameters);
}

void fdb_entry(uint16_t network, const struct rte_ether_addr *mac, uint16_t place, bool fixed,
	uint32_t heard)
{
	uint64_t key = fdb_key(network, mac);
	union fdb_value value = {.place = place, .fixed = fixed, .heard = heard};

	assert_int_equal(rte_hash_add_key_data(fixture.tables->fdb, &key, value.word), 0);
}

static void make_network(
	uint16_t index, uint32_t vni, uint16_t udp_port, const uint16_t *places, uint16_t n)
{
	struct network *network = calloc(1, sizeof(*network) + n * sizeof(*places));

	*network = (struct network){.vni = vni,
		.udp_port = udp_port,
		.uplink = UPLINK,
		.mtu = 1450,
		.learning = true,
		.vtep_guard = true,
		.source_guard = true,
		.refresh = REFRESH,
		.wire_port = places[0],
		.wire_remote = places[n - 1],
		.n_places = n};
	memcpy(network->places, places, n * sizeof(*places));
	fixture.networks[index] = fixture.tables->networks[index] = network;
	rte_fbk_hash_add_key(fixture.tables->networks_by_vni, vni, index);
	fixture.tables->udp_ports[udp_port / 64] |= 1ULL << udp_port % 64;
}

static void make_remote(uint16_t index, uint16_t network, rte_be32_t address, bool resolved)
{
	struct remote *remote = &fixture.remotes[index];
	const struct tunnel_ends ends = {.local_mac = mac_uplink,
		.next_hop_mac = mac_vtep_2,
		.local = address_of_ipv4(VTEP_OWN),
		.remote = address_of_ipv4(address),
		.udp_port = fixture.networks[network]->udp_port,
		.vni = fixture.networks[network]->vni};
	const struct remote_key key = {.address = ends.remote, .network = network};

	*remote = (struct remote){.network = network, .resolved = resolved, .listed = true};
	tunnel_build(TUNNEL_VXLAN, &ends, &remote->tunnel);
	fixture.tables->remotes[index] = remote;
	assert_int_equal(rte_hash_add_key_data(fixture.tables->remotes_by_address, &key,
				 (void *)(uintptr_t)index),
		0);
}

static void make_port(uint16_t index, uint16_t network, const struct rte_ether_addr *mac)
{
	struct port *port = &fixture.ports[index];

	*port = (struct port){.index = index,
		.uplink = index == UPLINK,
		.network = network,
		.mtu = index == UPLINK ? 1500 : 1450,
		.n_queues = 1,
		.lcores = UINT64_MAX,
		.mac = *mac};
	if (index == PORT_1) {
		port->addresses[port->n_addresses++] = address_of_ipv4(ADDRESS(10, 0, 0, 1));
		port->addresses[port->n_addresses++] = address_of_ipv6(address6_1);
	}
	fixture.tables->ports[index] = port;
}

static void make_entries(void)
{
	fdb_entry(BLUE, &mac_1, PORT_1, true, 0);
	fdb_entry(BLUE, &mac_2, PORT_2, true, 0);
	fdb_entry(BLUE, &mac_host_2, REMOTE_2, false, HEARD);
	fdb_entry(BLUE, &mac_host_3, REMOTE_3, true, 0);
	fdb_entry(RED, &mac_1, PORT_RED, true, 0);
}

int fixture_make(void **state)
{
	static const uint16_t blue[] = {PORT_1, PORT_2, REMOTE_3, REMOTE_2};
	static const uint16_t red[] = {PORT_RED, REMOTE_RED};
	struct rte_fbk_hash_params vnis = {.name = "vnis", .entries = 64, .entries_per_bucket = 4};
	struct tables *tables = calloc(1, sizeof(*tables));

	(void)state;
	fixture = (struct fixture){.tables = tables, .context = {.tables = tables}};
	fixture.context.seconds = HEARD;
	fixture.context.statistics = fixture.statistics;
	tables->fdb = make_hash("fdb", sizeof(uint64_t));
	tables->remotes_by_address = make_hash("remotes", sizeof(struct remote_key));
	tables->networks_by_vni = rte_fbk_hash_create(&vnis);
	tables->n_networks = RTE_DIM(fixture.networks);
	tables->n_uplinks = 1;
	tables->wire_port = PORT_1;
	tables->uplink_addresses[UPLINK] = address_of_ipv4(VTEP_OWN);
	make_network(BLUE, 100, 4789, blue, RTE_DIM(blue));
	make_network(RED, 200, 8472, red, RTE_DIM(red));
	make_remote(0, BLUE, VTEP_2, true);
	make_remote(1, BLUE, VTEP_3, false);
	make_remote(2, RED, VTEP_2, true);
	make_port(UPLINK, NETWORK_NONE, &mac_uplink);
	make_port(PORT_1, BLUE, &mac_1);
	make_port(PORT_2, BLUE, &mac_2);
	make_port(PORT_RED, RED, &mac_1);
	make_entries();
	return 0;
}

int fixture_free(void **state)
{
	(void)state;
	while (n_buffers > 0)
		free(buffers[--n_buffers]);
	rte_hash_free(fixture.tables->fdb);
	rte_hash_free(fixture.tables->remotes_by_address);
	rte_fbk_hash_free(fixture.tables->networks_by_vni);
	free(fixture.networks[BLUE]);
	free(fixture.networks[RED]);
	free(fixture.tables);
	return 0;
}

/* ---- frames ---- */

void ipv4_finish(struct rte_ipv4_hdr *ip)
{
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static struct rte_ipv4_hdr ipv4_header(
	uint8_t protocol, uint16_t payload, rte_be32_t from, rte_be32_t to)
{
	struct rte_ipv4_hdr ip = {.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(sizeof(ip) + payload),
		.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = 64,
		.next_proto_id = protocol,
		.src_addr = from,
		.dst_addr = to};

	ipv4_finish(&ip);
	return ip;
}

static void fill(uint8_t *bytes)
{
	for (int i = 0; i < PAYLOAD; i++)
		bytes[i] = 7 * i + 3;
}

struct vxlan_frame vxlan_frame(void)
{
	struct vxlan_frame frame = {
		.ether = {.dst_addr = mac_uplink,
			.src_addr = mac_vtep_2,
			.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)},
		.udp = {.src_port = RTE_BE16(50000),
			.dst_port = RTE_BE16(4789),
			.dgram_len = RTE_BE16(sizeof(frame) - offsetof(struct vxlan_frame, udp))},
		.vxlan = {.vx_flags = RTE_BE32(0x08000000), .vx_vni = RTE_BE32(100 << 8)},
		.inner = {.dst_addr = mac_1,
			.src_addr = mac_host_2,
			.ether_type = RTE_BE16(0x88b5)}, /* local experimental */
	};

	frame.ip = ipv4_header(
		IPPROTO_UDP, sizeof(frame) - offsetof(struct vxlan_frame, udp), VTEP_2, VTEP_OWN);
	fill(frame.payload);
	return frame;
}

struct ipv4_frame ipv4_frame(uint8_t protocol)
{
	struct ipv4_frame frame = {.ether = {.dst_addr = mac_host_2,
					   .src_addr = mac_1,
					   .ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)}};

	frame.ip = ipv4_header(protocol, PAYLOAD, ADDRESS(10, 0, 0, 1), ADDRESS(10, 0, 0, 9));
	fill(frame.payload);
	return frame;
}

struct ipv6_frame ipv6_frame(uint8_t protocol)
{
	struct ipv6_frame frame = {.ether = {.dst_addr = mac_host_2,
					   .src_addr = mac_1,
					   .ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV6)}};

	frame.ip = (struct rte_ipv6_hdr){.vtc_flow = RTE_BE32(0x60000000),
		.payload_len = RTE_BE16(PAYLOAD),
		.proto = protocol,
		.hop_limits = 64};
	memcpy(frame.ip.src_addr, address6_1, 16);
	memcpy(frame.ip.dst_addr, address6_1, 15);
	frame.ip.dst_addr[15] = 9;
	fill(frame.payload);
	return frame;
}

struct arp_frame arp_request(void)
{
	return (struct arp_frame){
		.ether = {.dst_addr = mac_broadcast,
			.src_addr = mac_vtep_2,
			.ether_type = RTE_BE16(RTE_ETHER_TYPE_ARP)},
		.arp = {.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
			.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
			.arp_hlen = RTE_ETHER_ADDR_LEN,
			.arp_plen = sizeof(rte_be32_t),
			.arp_opcode = RTE_BE16(RTE_ARP_OP_REQUEST),
			.arp_data = {.arp_sha = mac_vtep_2,
				.arp_sip = VTEP_2,
				.arp_tip = VTEP_OWN}},
	};
}

struct ipv4_frame echo_request(void)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_ICMP);

	frame.ether.dst_addr = mac_uplink;
	frame.ether.src_addr = mac_vtep_2;
	frame.ip = ipv4_header(IPPROTO_ICMP, PAYLOAD, VTEP_2, VTEP_OWN);
	frame.icmp = (struct rte_icmp_hdr){.icmp_type = RTE_IP_ICMP_ECHO_REQUEST,
		.icmp_ident = RTE_BE16(7),
		.icmp_seq_nb = RTE_BE16(8)};
	frame.icmp.icmp_cksum = ~rte_raw_cksum(frame.payload, PAYLOAD);
	return frame;
}

struct rte_mbuf *vxlan_mbuf_alike(uint64_t *random)
{
	static const uint64_t flags[] = {0, RTE_MBUF_F_RX_IP_CKSUM_GOOD, RTE_MBUF_F_RX_IP_CKSUM_BAD,
		RTE_MBUF_F_RX_L4_CKSUM_BAD, RTE_MBUF_F_RX_L4_CKSUM_NONE,
		RTE_MBUF_F_RX_VLAN_STRIPPED};
	struct vxlan_frame frame = vxlan_frame();
	uint16_t shorter = random_below(random, 4) * 8;
	struct rte_mbuf *mbuf;

	frame.ip.packet_id = random_below(random, UINT16_MAX + 1);
	frame.ip.total_length = rte_cpu_to_be_16(rte_be_to_cpu_16(frame.ip.total_length) - shorter);
	frame.ip.hdr_checksum = 0;
	frame.ip.hdr_checksum = rte_ipv4_cksum(&frame.ip);
	frame.udp.dgram_len = rte_cpu_to_be_16(rte_be_to_cpu_16(frame.udp.dgram_len) - shorter);
	frame.udp.src_port = random_below(random, UINT16_MAX + 1);
	if (random_one_in(random, 4))
		((uint8_t *)&frame)[random_below(random, VXLAN_OVERHEAD)] ^=
			1 << random_below(random, 8);
	mbuf = mbuf_of(&frame, sizeof(frame) - (random_one_in(random, 2) ? shorter : 0));
	if (random_one_in(random, 3))
		mbuf->ol_flags = flags[random_below(random, RTE_DIM(flags))];
	return mbuf;
}
