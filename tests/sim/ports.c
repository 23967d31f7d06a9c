/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports.h"

#include <string.h>

#include <rte_arp.h>
#include <rte_hash_crc.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#include "random.h"

/* ---- from the peer ---- */

static void give(struct sim_queue *queue, const struct flow *flow)
{
	queue->given++;
	if (flow->fault != NULL)
		queue->faulty[flow->fault->drop]++;
}

/* Flows come in runs, so that bursts are of one flow and of several. */
static struct flow *choose_flow(struct sim_queue *queue)
{
	if (queue->current >= queue->n_flows || random_one_in(&queue->random, 8))
		queue->current = random_below(&queue->random, queue->n_flows);
	return queue->flows[queue->current];
}

static void forget_if_done(struct sim_queue *queue, const struct flow *flow)
{
	if (flow->next < flow->budget)
		return;
	queue->flows[queue->current] = queue->flows[queue->n_flows - 1];
	__atomic_store_n(&queue->n_flows, queue->n_flows - 1, __ATOMIC_RELAXED);
}

static uint16_t give_replies(struct sim_queue *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t i;

	for (i = 0; i < n && queue->n_replies > 0; i++) {
		mbufs[i] = queue->replies[--queue->n_replies];
		queue->given++;
	}
	return i;
}

static uint16_t sim_receive(struct port *port, uint16_t index, struct rte_mbuf **mbufs, uint16_t n)
{
	struct sim_peer *peer = port->driver;
	struct sim_queue *queue = &peer->queues[index];
	uint16_t got = give_replies(queue, mbufs, n), wanted;

	if (!__atomic_load_n(&peer->world->open, __ATOMIC_RELAXED) || got == n)
		return got;
	wanted = got + random_below(&queue->random, n - got + 1);
	while (got < wanted && queue->n_flows > 0) {
		struct flow *flow = choose_flow(queue);

		mbufs[got] = flow_next(flow, peer->world->pool, peer->uplink);
		if (mbufs[got] == NULL)
			break;
		got++;
		give(queue, flow);
		forget_if_done(queue, flow);
	}
	return got;
}

/* ---- to the peer ---- */

/* What has left must not be touched: later it would not be what it was. */
static void take(struct sim_queue *queue, struct rte_mbuf *mbuf)
{
	queue->taken++;
	memset(rte_pktmbuf_mtod(mbuf, char *), 0xa5, RTE_MIN(mbuf->data_len, 64));
	rte_pktmbuf_free(mbuf);
}

static void note(struct seen *seen, const struct stamp *stamp, const void *frame, uint32_t length)
{
	seen->next = stamp->number + 1;
	seen->count++;
	seen->digest = rte_hash_crc(frame, length, seen->digest);
}

static bool is_whole(
	const struct flow *flow, const struct stamp *stamp, const void *frame, uint32_t length)
{
	char expected[SIM_FRAME_MAX];

	return flow_write(flow, stamp->number, expected) == length &&
	       memcmp(expected, frame, length) == 0;
}

/* The inner frame, at a place of a network. Returns its flow, or NULL after a failure. */
static const struct flow *check_frame(
	struct world *world, uint16_t network, uint16_t place, const void *frame, uint32_t length)
{
	const struct stamp *stamp = frame_stamp(frame, length);
	const struct flow *flow;
	bool strays = world->config.learning || world->config.churning;

	if (stamp == NULL || stamp->flow >= world->n_flows) {
		world_fail(world, "place %u of network %u got a frame of %u bytes that nobody sent",
			place, network, length);
		return NULL;
	}
	flow = &world->flows[stamp->flow];
	if (flow->network != network)
		world_fail(world, "flow %u of network %u came out in network %u", flow->id,
			flow->network, network);
	else if (!flow_may_reach(flow, place, strays))
		world_fail(world, "flow %u (%u to %u%s) came out at place %u", flow->id,
			flow->source, flow->destination, flow->fault ? ", faulty" : "", place);
	else if (!is_whole(flow, stamp, frame, length))
		world_fail(world, "packet %u of flow %u was changed on its way", stamp->number,
			flow->id);
	else if (stamp->number < world->seen[flow->id][place].next)
		world_fail(world, "packet %u of flow %u came to place %u after packet %u",
			stamp->number, flow->id, place, world->seen[flow->id][place].next - 1);
	else
		return flow;
	return NULL;
}

static void check_container(struct sim_peer *peer, const struct rte_mbuf *mbuf)
{
	struct world *world = peer->world;
	const void *frame = rte_pktmbuf_mtod(mbuf, const void *);
	const struct flow *flow =
		check_frame(world, peer->network, peer->place, frame, mbuf->pkt_len);

	if (flow != NULL)
		note(&world->seen[flow->id][peer->place], frame_stamp(frame, mbuf->pkt_len), frame,
			mbuf->pkt_len);
}

struct outer {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	struct rte_vxlan_hdr vxlan;
} __rte_packed __rte_aligned(2);

/* What is wrong with the outer headers of a packet to VTEP `vtep`, or NULL. */
static const char *outer_fault(
	const struct sim_peer *peer, const struct rte_mbuf *mbuf, uint16_t vtep)
{
	const struct outer *outer = rte_pktmbuf_mtod(mbuf, const struct outer *);
	struct rte_ether_addr to = sim_vtep_mac(peer->uplink, vtep);
	struct rte_ether_addr from = sim_vtep_mac(peer->uplink, 0);
	uint16_t ip_length = mbuf->pkt_len - sizeof(outer->ether);

	if (!rte_is_same_ether_addr(&outer->ether.dst_addr, &to) ||
		!rte_is_same_ether_addr(&outer->ether.src_addr, &from))
		return "Ethernet addresses";
	if (outer->ip.version_ihl != RTE_IPV4_VHL_DEF ||
		rte_raw_cksum(&outer->ip, sizeof(outer->ip)) != 0xffff)
		return "IPv4 header";
	if (outer->ip.src_addr != sim_vtep(peer->uplink, 0) ||
		outer->ip.next_proto_id != IPPROTO_UDP ||
		outer->ip.fragment_offset != RTE_BE16(RTE_IPV4_HDR_DF_FLAG))
		return "IPv4 fields";
	if (outer->ip.total_length != rte_cpu_to_be_16(ip_length) ||
		outer->udp.dgram_len != rte_cpu_to_be_16(ip_length - sizeof(outer->ip)))
		return "lengths";
	if (rte_be_to_cpu_16(outer->udp.src_port) < 0xc000 || outer->udp.dgram_cksum != 0)
		return "UDP header";
	if (outer->vxlan.vx_flags != RTE_BE32(0x08000000))
		return "VXLAN flags";
	return NULL;
}

/* The network that a VNI and UDP port name at an uplink, or SIM_NETWORKS. */
static uint16_t network_of(const struct sim_peer *peer, const struct outer *outer)
{
	const struct world *world = peer->world;
	uint16_t i;

	for (i = 0; i < SIM_NETWORKS; i++)
		if (outer->vxlan.vx_vni == rte_cpu_to_be_32(sim_vni(i) << 8) &&
			outer->udp.dst_port == rte_cpu_to_be_16(sim_udp_port(i)) &&
			i % world->config.n_uplinks == peer->uplink)
			break;
	return i;
}

static void check_flow_port(
	struct world *world, const struct flow *flow, struct seen *seen, const struct outer *outer)
{
	uint16_t port = rte_be_to_cpu_16(outer->udp.src_port);

	if (seen->source_port != 0 && seen->source_port != port)
		world_fail(world, "flow %u changed its outer source port from %u to %u", flow->id,
			seen->source_port, port);
	seen->source_port = port;
}

static void check_vxlan(struct sim_peer *peer, const struct rte_mbuf *mbuf)
{
	struct world *world = peer->world;
	const struct outer *outer = rte_pktmbuf_mtod(mbuf, const struct outer *);
	uint32_t length = mbuf->pkt_len - sizeof(*outer);
	uint16_t vtep = (rte_be_to_cpu_32(outer->ip.dst_addr) & 0xff) - 1;
	const char *fault = outer_fault(peer, mbuf, vtep);
	const struct flow *flow;
	struct seen *seen;

	if (fault != NULL || vtep == 0 || vtep > SIM_REMOTES) {
		world_fail(
			world, "outer %s of a packet to VTEP %u", fault ? fault : "address", vtep);
		return;
	}
	flow = check_frame(
		world, network_of(peer, outer), SIM_CONTAINERS + vtep - 1, outer + 1, length);
	if (flow == NULL)
		return;
	seen = &world->seen[flow->id][SIM_CONTAINERS + vtep - 1];
	check_flow_port(world, flow, seen, outer);
	note(seen, frame_stamp(outer + 1, length), outer, mbuf->pkt_len);
}

/* The VTEPs answer ARP. Takes the mbuf. */
static void answer_arp(struct sim_peer *peer, struct sim_queue *queue, struct rte_mbuf *mbuf)
{
	struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbuf, struct rte_ether_hdr *);
	struct rte_arp_hdr *arp = (struct rte_arp_hdr *)(ether + 1);
	rte_be32_t target = arp->arp_data.arp_tip;

	queue->taken++;
	if (queue->n_replies == SIM_REPLIES_MAX) {
		rte_pktmbuf_free(mbuf);
		return;
	}
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_tha = arp->arp_data.arp_sha;
	arp->arp_data.arp_tip = arp->arp_data.arp_sip;
	arp->arp_data.arp_sha = sim_vtep_mac(peer->uplink, (rte_be_to_cpu_32(target) & 0xff) - 1);
	arp->arp_data.arp_sip = target;
	ether->dst_addr = ether->src_addr;
	ether->src_addr = arp->arp_data.arp_sha;
	queue->replies[queue->n_replies++] = mbuf;
}

static void send_one(
	struct sim_peer *peer, struct port *port, struct sim_queue *queue, struct rte_mbuf *mbuf)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbuf, const struct rte_ether_hdr *);

	if (port->uplink && ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP)) {
		answer_arp(peer, queue, mbuf);
		return;
	}
	if (!port->uplink)
		check_container(peer, mbuf);
	else if (mbuf->pkt_len < sizeof(struct outer))
		world_fail(peer->world, "a frame of %u bytes at an uplink", mbuf->pkt_len);
	else
		check_vxlan(peer, mbuf);
	take(queue, mbuf);
}

/* Container 1 refuses because it is away, the others because they are busy. */
static bool sim_is_up(const struct port *port)
{
	const struct sim_peer *peer = port->driver;

	return port->uplink || peer->place != 1;
}

static uint16_t sim_send(struct port *port, uint16_t index, struct rte_mbuf **mbufs, uint16_t n)
{
	struct sim_peer *peer = port->driver;
	struct sim_queue *queue = &peer->queues[index];
	uint16_t willing = n;

	if (peer->world->open && peer->world->config.refusing && random_one_in(&queue->random, 4))
		willing = random_below(&queue->random, n + 1);
	for (uint16_t i = 0; i < willing; i++)
		send_one(peer, port, queue, mbufs[i]);
	queue->refused += n - willing;
	queue->refused_away += sim_is_up(port) ? 0 : n - willing;
	return willing;
}

/* ---- coming and going ---- */

static int sim_attach(struct port *port, struct error *error)
{
	(void)port;
	(void)error;
	return 0;
}

static void sim_detach(struct port *port)
{
	struct sim_peer *peer = port->driver;

	for (uint16_t i = 0; i < port->n_queues; i++)
		while (peer->queues[i].n_replies > 0)
			rte_pktmbuf_free(peer->queues[i].replies[--peer->queues[i].n_replies]);
	port->driver = NULL;
}

const struct port_ops sim_port_ops = {
	.type = "sim",
	.attach = sim_attach,
	.detach = sim_detach,
	.receive = sim_receive,
	.send = sim_send,
	.is_up = sim_is_up,
};
