/* SPDX-License-Identifier: BSD-3-Clause */
#include "flows.h"

#include <string.h>

#include <rte_udp.h>
#include <rte_vxlan.h>

#include "random.h"

#define MAGIC 0x77656674
#define TOO_BIG 1700

struct headers {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
} __rte_packed __rte_aligned(2);

struct inner {
	struct headers headers;
	struct stamp stamp;
} __rte_packed __rte_aligned(2);

struct outer {
	struct headers headers;
	struct rte_vxlan_hdr vxlan;
	struct rte_ether_hdr inner;
} __rte_packed __rte_aligned(2);

/* ---- good frames ---- */

/* Mostly small, sometimes any size up to the MTU. */
static uint32_t frame_length(const struct flow *flow, uint32_t number)
{
	uint64_t random = random_mix((uint64_t)flow->id << 32 | number);
	uint32_t spread = random % 16 == 0 ? SIM_FRAME_MAX - sizeof(struct inner) : 64;

	return sizeof(struct inner) + (random >> 8) % spread;
}

static void write_ipv4(struct rte_ipv4_hdr *ip, rte_be32_t from, rte_be32_t to, uint16_t length)
{
	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(length),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = from,
		.dst_addr = to};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static void write_headers(const struct flow *flow, struct headers *headers, uint32_t length)
{
	static const struct rte_ether_addr broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	uint16_t ip_length = length - sizeof(headers->ether);

	headers->ether.src_addr = sim_mac(flow->source);
	headers->ether.dst_addr =
		flow->destination == SIM_EVERYBODY ? broadcast : sim_mac(flow->destination);
	headers->ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	write_ipv4(
		&headers->ip, sim_address(flow->source), sim_address(flow->destination), ip_length);
	headers->udp = (struct rte_udp_hdr){.src_port = rte_cpu_to_be_16(1000 + flow->id),
		.dst_port = RTE_BE16(2000),
		.dgram_len = rte_cpu_to_be_16(ip_length - sizeof(headers->ip))};
}

uint32_t flow_write(const struct flow *flow, uint32_t number, void *frame)
{
	struct inner *inner = frame;
	uint32_t length = frame_length(flow, number);

	write_headers(flow, &inner->headers, length);
	inner->stamp = (struct stamp){.magic = MAGIC,
		.network = flow->network,
		.flow = flow->id,
		.number = number,
		.length = length};
	memset(inner + 1, flow->id * 31 + number, length - sizeof(*inner));
	return length;
}

const struct stamp *frame_stamp(const void *frame, uint32_t length)
{
	const struct inner *inner = frame;

	if (length < sizeof(*inner) || inner->stamp.magic != MAGIC)
		return NULL;
	return (const void *)((const char *)inner + offsetof(struct inner, stamp));
}

static void write_outer(
	const struct flow *flow, struct outer *outer, uint16_t uplink, uint32_t length)
{
	uint16_t vtep = flow->source - SIM_CONTAINERS + 1;
	uint16_t ip_length = length + sizeof(*outer) - 2 * sizeof(outer->inner);

	outer->headers.ether = (struct rte_ether_hdr){.dst_addr = sim_vtep_mac(uplink, 0),
		.src_addr = sim_vtep_mac(uplink, vtep),
		.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)};
	write_ipv4(&outer->headers.ip, sim_vtep(uplink, vtep), sim_vtep(uplink, 0), ip_length);
	outer->headers.udp = (struct rte_udp_hdr){.src_port = rte_cpu_to_be_16(0xc000 + flow->id),
		.dst_port = rte_cpu_to_be_16(sim_udp_port(flow->network)),
		.dgram_len = rte_cpu_to_be_16(ip_length - sizeof(outer->headers.ip))};
	outer->vxlan = (struct rte_vxlan_hdr){.vx_flags = RTE_BE32(0x08000000),
		.vx_vni = rte_cpu_to_be_32(sim_vni(flow->network) << 8)};
}

struct rte_mbuf *flow_next(struct flow *flow, struct rte_mempool *pool, uint16_t uplink)
{
	uint32_t header = sim_is_remote(flow->source) ? VXLAN_OVERHEAD : 0;
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
	uint32_t length;
	char *frame;

	if (mbuf == NULL)
		return NULL;
	frame = rte_pktmbuf_mtod(mbuf, char *);
	length = flow_write(flow, flow->next++, frame + header);
	if (header > 0)
		write_outer(flow, (struct outer *)frame, uplink, length);
	mbuf->data_len = mbuf->pkt_len = header + length;
	if (flow->fault != NULL)
		flow->fault->apply(mbuf);
	return mbuf;
}

bool flow_may_reach(const struct flow *flow, uint16_t place, bool strays)
{
	if (flow->fault != NULL || place == flow->source)
		return false;
	if (sim_is_remote(flow->source) && sim_is_remote(place))
		return false;
	return strays || flow->destination == place || flow->destination == SIM_EVERYBODY;
}

/* ---- faults ---- */

static struct outer *outer_of(struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_mtod(mbuf, struct outer *);
}

static struct headers *headers_of(struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_mtod(mbuf, struct headers *);
}

static void other_vni(struct rte_mbuf *mbuf)
{
	outer_of(mbuf)->vxlan.vx_vni = rte_cpu_to_be_32(sim_vni(SIM_NETWORKS) << 8);
}

static void other_vtep(struct rte_mbuf *mbuf)
{
	struct rte_ipv4_hdr *ip = &headers_of(mbuf)->ip;

	write_ipv4(
		ip, ip->src_addr ^ RTE_BE32(128), ip->dst_addr, rte_be_to_cpu_16(ip->total_length));
}

static void no_vni_flag(struct rte_mbuf *mbuf)
{
	outer_of(mbuf)->vxlan.vx_flags = 0;
}

static void wrong_outer_mac(struct rte_mbuf *mbuf)
{
	headers_of(mbuf)->ether.dst_addr.addr_bytes[4] ^= 0x80;
}

static void wrong_checksum(struct rte_mbuf *mbuf)
{
	headers_of(mbuf)->ip.hdr_checksum ^= 0x1;
}

static void other_udp_port(struct rte_mbuf *mbuf)
{
	headers_of(mbuf)->udp.dst_port = RTE_BE16(53);
}

static void group_source(struct rte_mbuf *mbuf)
{
	outer_of(mbuf)->inner.src_addr.addr_bytes[0] |= 1;
}

static void reserved_destination(struct rte_mbuf *mbuf)
{
	outer_of(mbuf)->inner.dst_addr =
		(struct rte_ether_addr){{0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e}};
}

static void spoofed_inner_source(struct rte_mbuf *mbuf)
{
	outer_of(mbuf)->inner.src_addr = sim_mac(0);
}

static void to_itself(struct rte_mbuf *mbuf)
{
	outer_of(mbuf)->inner.dst_addr = outer_of(mbuf)->inner.src_addr;
}

static void to_other_vtep(struct rte_mbuf *mbuf)
{
	struct rte_ether_hdr *inner = &outer_of(mbuf)->inner;
	struct rte_ether_addr first = sim_mac(SIM_CONTAINERS);

	inner->dst_addr = rte_is_same_ether_addr(&inner->src_addr, &first)
				  ? sim_mac(SIM_CONTAINERS + 1)
				  : first;
}

static void spoofed_mac(struct rte_mbuf *mbuf)
{
	headers_of(mbuf)->ether.src_addr.addr_bytes[4] ^= 0x80;
}

static void spoofed_address(struct rte_mbuf *mbuf)
{
	headers_of(mbuf)->ip.src_addr ^= RTE_BE32(128);
}

static void runt(struct rte_mbuf *mbuf)
{
	rte_pktmbuf_trim(mbuf, mbuf->pkt_len - RTE_ETHER_HDR_LEN + 1);
}

static void too_big_for_remote(struct rte_mbuf *mbuf)
{
	headers_of(mbuf)->ether.dst_addr = sim_mac(SIM_CONTAINERS);
	mbuf->data_len = mbuf->pkt_len = TOO_BIG;
}

static void too_big_for_container(struct rte_mbuf *mbuf)
{
	uint16_t source = headers_of(mbuf)->ether.src_addr.addr_bytes[5] - 1;

	headers_of(mbuf)->ether.dst_addr = sim_mac((source + 1) % SIM_CONTAINERS);
	mbuf->data_len = mbuf->pkt_len = TOO_BIG;
}

const struct fault faults[] = {
	{DROP_VXLAN_VNI, true, false, other_vni},
	{DROP_VXLAN_VTEP, true, false, other_vtep},
	{DROP_VXLAN_FLAG, true, false, no_vni_flag},
	{DROP_OUTER_MAC, true, false, wrong_outer_mac},
	{DROP_OUTER_IPV4_CHECKSUM, true, false, wrong_checksum},
	{DROP_OUTER_UDP_PORT, true, false, other_udp_port},
	{DROP_BRIDGE_SOURCE, true, false, group_source},
	{DROP_BRIDGE_RESERVED, true, false, reserved_destination},
	{DROP_BRIDGE_SPOOFED, true, true, spoofed_inner_source},
	{DROP_BRIDGE_SAME_PORT, true, true, to_itself},
	{DROP_BRIDGE_TUNNEL_TO_TUNNEL, true, true, to_other_vtep},
	{DROP_SOURCE_MAC, false, false, spoofed_mac},
	{DROP_SOURCE_IPV4, false, false, spoofed_address},
	{DROP_RUNT, false, false, runt},
	{DROP_ENCAP_TOO_BIG, false, true, too_big_for_remote},
	{DROP_VETH_TOO_BIG, false, true, too_big_for_container},
};
const unsigned int n_faults = RTE_DIM(faults);
