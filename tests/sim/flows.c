/* SPDX-License-Identifier: BSD-3-Clause */
#include "flows.h"

#include "base/random.h"

#define TOO_BIG 1700

/* ---- good frames ---- */

/* Mostly small, sometimes any size up to the MTU. */
static uint16_t length_of(const struct flow *flow, uint32_t number)
{
	uint64_t random = random_mix((uint64_t)flow->id << 32 | number);
	uint32_t spread = random % 16 == 0 ? SIM_FRAME_MAX - sizeof(struct frame_inner) + 1 : 64;

	return sizeof(struct frame_inner) + (random >> 8) % spread;
}

static void build_outer(struct flow *flow, uint16_t uplink)
{
	uint16_t vtep = flow->source - SIM_CONTAINERS + 1;
	struct frame_tunnel tunnel = {
		.local_mac = sim_vtep_mac(uplink, vtep),
		.remote_mac = sim_vtep_mac(uplink, 0),
		.local = sim_vtep(uplink, vtep),
		.remote = sim_vtep(uplink, 0),
		.vni = sim_vni(flow->network),
		.udp_port = sim_udp_port(flow->network),
	};

	frame_build_outer(&flow->outer, &tunnel, flow->id, sizeof(flow->inner));
}

void flow_build(struct flow *flow, uint16_t uplink)
{
	static const struct rte_ether_addr broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	struct frame_addresses addresses = {
		.source_mac = sim_mac(flow->source),
		.mac = flow->destination == SIM_EVERYBODY ? broadcast : sim_mac(flow->destination),
		.source = sim_address(flow->source),
		.address = sim_address(flow->destination),
	};

	frame_build_inner(&flow->inner, &addresses, flow->id, sizeof(flow->inner));
	if (sim_is_remote(flow->source))
		build_outer(flow, uplink);
}

bool flow_fails(const struct flow *flow)
{
	return flow->fault != NULL &&
	       random_mix((uint64_t)flow->next << 16 | flow->id) % 100 < flow->failing;
}

struct rte_mbuf *flow_next(struct flow *flow, struct rte_mempool *pool)
{
	uint32_t header = sim_is_remote(flow->source) ? sizeof(flow->outer) : 0;
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
	uint16_t length = length_of(flow, flow->next);
	bool fails = flow_fails(flow);
	char *frame;

	if (mbuf == NULL)
		return NULL;
	frame = rte_pktmbuf_mtod(mbuf, char *);
	if (header > 0)
		frame_wrap((struct frame_outer *)frame, &flow->outer, length);
	frame_write((struct frame_inner *)(frame + header), &flow->inner, length, flow->next++, 0);
	mbuf->data_len = mbuf->pkt_len = header + length;
	flow->failed += fails;
	if (fails)
		flow->fault->apply(mbuf);
	return mbuf;
}

bool flow_may_reach(const struct flow *flow, uint16_t place, bool strays)
{
	if ((flow->fault != NULL && flow->failing == 100) || place == flow->source)
		return false;
	if (sim_is_remote(flow->source) && sim_is_remote(place))
		return false;
	return strays || flow->destination == place || flow->destination == SIM_EVERYBODY;
}

struct checker_flow flow_describe(const struct flow *flow, bool strays)
{
	struct checker_flow known = {.inner = flow->inner, .network = flow->network};

	for (uint16_t place = 0; place < SIM_PLACES; place++)
		if (flow_may_reach(flow, place, strays))
			known.places |= UINT64_C(1) << sim_place(flow->network, place);
	return known;
}

/* ---- faults ---- */

static struct frame_outer *outer_of(struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_mtod(mbuf, struct frame_outer *);
}

static struct rte_ether_hdr *inner_of(struct rte_mbuf *mbuf)
{
	return (struct rte_ether_hdr *)(outer_of(mbuf) + 1);
}

/* The first ones, of a frame of either kind. */
static struct frame_inner *headers_of(struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_mtod(mbuf, struct frame_inner *);
}

static void other_vni(struct rte_mbuf *mbuf)
{
	outer_of(mbuf)->vxlan.vx_vni = rte_cpu_to_be_32(sim_vni(SIM_NETWORKS) << 8);
}

static void other_vtep(struct rte_mbuf *mbuf)
{
	struct rte_ipv4_hdr *ip = &headers_of(mbuf)->ip;

	ip->src_addr ^= RTE_BE32(128);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
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
	inner_of(mbuf)->src_addr.addr_bytes[0] |= 1;
}

static void reserved_destination(struct rte_mbuf *mbuf)
{
	inner_of(mbuf)->dst_addr = (struct rte_ether_addr){{0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e}};
}

static void spoofed_inner_source(struct rte_mbuf *mbuf)
{
	inner_of(mbuf)->src_addr = sim_mac(0);
}

static void to_itself(struct rte_mbuf *mbuf)
{
	inner_of(mbuf)->dst_addr = inner_of(mbuf)->src_addr;
}

static void to_other_vtep(struct rte_mbuf *mbuf)
{
	struct rte_ether_hdr *inner = inner_of(mbuf);
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
	{"vxlan_vni", true, false, other_vni},
	{"vxlan_vtep", true, false, other_vtep},
	{"vxlan_flag", true, false, no_vni_flag},
	{"outer_mac", true, false, wrong_outer_mac},
	{"outer_ipv4_checksum", true, false, wrong_checksum},
	{"outer_udp_port", true, false, other_udp_port},
	{"bridge_source", true, false, group_source},
	{"bridge_reserved", true, false, reserved_destination},
	{"bridge_spoofed", true, true, spoofed_inner_source},
	{"bridge_same_port", true, true, to_itself},
	{"bridge_tunnel_to_tunnel", true, true, to_other_vtep},
	{"source_mac", false, false, spoofed_mac},
	{"source_ipv4", false, false, spoofed_address},
	{"runt", false, false, runt},
	{"encap_too_big", false, true, too_big_for_remote},
	{"veth_too_big", false, true, too_big_for_container},
};
static_assert(RTE_DIM(faults) <= FAULTS_MAX, "queues count each");
const unsigned int n_faults = RTE_DIM(faults);
