/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_cycles.h>
#include <rte_pause.h>

#include "base/random.h"

#define RUN 8		 /* packets of a flow on end, on the average */
#define STALL_ONE_IN 256 /* bursts */
#define STALL_US 3000
#define MICE 4 /* one run in so many is of another flow than an elephant */

static struct lcore *this_lcore(const struct world *world)
{
	for (uint16_t i = 0; i < world->config.n_lcores; i++)
		if (world->dataplane->lcore_ids[i] == rte_lcore_id())
			return world->dataplane->lcores[i];
	return NULL;
}

/* Takes what only one port may have; 0, or who has it. */
static uint64_t try_to_enter(uint64_t *inside, uint64_t port)
{
	uint64_t other = 0;

	__atomic_compare_exchange_n(
		inside, &other, port, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
	return other;
}

/* A queue is its owner's alone; or whoever's turn it is, but one at a time. Where a port has gone
 * and come again, some lcore may still be at the old one. */
static void enter(const struct port *port, uint16_t queue, uint64_t *inside)
{
	const struct sim_peer *peer = port->driver;
	struct world *world = peer->world;
	const struct lcore *lcore = this_lcore(world);
	uint64_t other;

	if (lcore == NULL || (!lcore->plan->by_right && port->queues[queue].owner != lcore->index))
		world_fail(world, "queue %u of %s was used by lcore %u", queue, port->config.name,
			rte_lcore_id());
	while ((other = try_to_enter(inside, port->number)) != 0)
		if (other == port->number)
			return world_fail(world, "queue %u of %s was used by two lcores at a time",
				queue, port->config.name);
}

static void leave(uint64_t *inside)
{
	__atomic_store_n(inside, 0, __ATOMIC_RELEASE);
}

/* ---- from the peer ---- */

static void give(struct sim_queue *queue, const struct flow *flow, bool fails)
{
	queue->given++;
	if (fails)
		queue->faulty[flow->fault - faults]++;
}

/* Elephants have most of the packets, while they have any. NULL if nobody has. */
static struct flow_list *choose_list(struct sim_queue *queue, bool paused)
{
	if (queue->elephants.n == 0 || paused)
		return queue->mice.n > 0 ? &queue->mice : NULL;
	if (queue->mice.n > 0 && random_one_in(&queue->random, MICE))
		return &queue->mice;
	return &queue->elephants;
}

/* Flows come in runs, so that bursts are of one flow and of several. */
static struct flow *choose_flow(const struct world *world, struct sim_queue *queue)
{
	bool paused = __atomic_load_n(&world->paused, __ATOMIC_RELAXED);
	struct flow_list *list = queue->current;

	if (list == NULL || list->current >= list->n || (paused && list == &queue->elephants) ||
		random_one_in(&queue->random, RUN)) {
		queue->current = list = choose_list(queue, paused);
		if (list == NULL)
			return NULL;
		list->current = random_below(&queue->random, list->n);
	}
	return list->flows[list->current];
}

static void forget_current(struct sim_queue *queue)
{
	struct flow_list *list = queue->current;

	list->flows[list->current] = list->flows[--list->n];
	__atomic_store_n(&queue->n_flows, queue->n_flows - 1, __ATOMIC_RELAXED);
}

/* The next packet of one of the queue's flows; NULL if none has any just now, or the prefix is at
 * its end. */
static struct rte_mbuf *next_packet(struct sim_peer *peer, struct sim_queue *queue)
{
	struct world *world = peer->world;

	while (queue->n_flows > 0 && (world->config.prefix == 0 || world->left > 0)) {
		struct flow *flow = choose_flow(world, queue);
		struct rte_mbuf *mbuf;
		bool fails;

		if (flow == NULL)
			return NULL;
		if (flow->next >= flow->budget) {
			forget_current(queue);
			continue;
		}
		fails = flow_fails(flow);
		mbuf = flow_next(flow, world->pool);
		if (mbuf == NULL)
			return NULL;
		give(queue, flow, fails);
		if (world->config.prefix > 0)
			world->left--;
		return mbuf;
	}
	return NULL;
}

/* As ThreadSanitizer knows what it means, unlike DPDK's. */
static void lock_replies(struct sim_queue *queue)
{
	while (__atomic_exchange_n(&queue->replies_locked, true, __ATOMIC_ACQUIRE))
		rte_pause();
}

static void unlock_replies(struct sim_queue *queue)
{
	__atomic_store_n(&queue->replies_locked, false, __ATOMIC_RELEASE);
}

/* Others look at the number while real lcores run. */
static void set_replies(struct sim_queue *queue, uint16_t n)
{
	__atomic_store_n(&queue->n_replies, n, __ATOMIC_RELAXED);
}

/* The first n_ready are there. */
static uint16_t give_replies(struct sim_queue *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t i;

	lock_replies(queue);
	for (i = 0; i < n && queue->n_ready > 0; i++) {
		mbufs[i] = queue->replies[--queue->n_ready];
		queue->replies[queue->n_ready] = queue->replies[queue->n_replies - 1];
		set_replies(queue, queue->n_replies - 1);
		queue->given++;
	}
	unlock_replies(queue);
	return i;
}

/* A quarter of the credits is out of the lcore that asks. */
static bool is_full(const struct world *world)
{
	const struct lcore *lcore = this_lcore(world);
	uint64_t inside = lcore->counters.admitted;

	for (uint16_t i = 0; i < world->config.n_lcores; i++)
		inside -= counter_read(&world->dataplane->lcores[i]->finished[lcore->index]);
	return inside > world->config.credits / 4;
}

/* On real lcores: one does nothing for a while. */
static void hold_up(const struct world *world, uint64_t *random)
{
	if (world->config.threads && world->config.stalling && random_one_in(random, STALL_ONE_IN))
		rte_delay_us_sleep(1 + random_below(random, STALL_US));
}

static uint16_t give_some(
	struct sim_peer *peer, struct sim_queue *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t got = give_replies(queue, mbufs, n), wanted;

	/* Order is promised to what comes through one queue. While the port that it had is not
	 * detached, a container sends nothing by its new one. */
	if (number_read16(&peer->n_ports) > 1)
		return got;
	if (!__atomic_load_n(&peer->world->open, __ATOMIC_RELAXED) || got == n ||
		(peer->world->config.patient && is_full(peer->world)))
		return got;
	wanted = got + random_below(&queue->random, n - got + 1);
	while (got < wanted && (mbufs[got] = next_packet(peer, queue)) != NULL)
		got++;
	return got;
}

static uint16_t sim_receive(struct port *port, uint16_t index, struct rte_mbuf **mbufs, uint16_t n)
{
	struct sim_peer *peer = port->driver;
	struct sim_queue *queue = &peer->queues[index];
	uint16_t got;

	enter(port, index, &queue->receiving);
	hold_up(peer->world, &queue->random);
	got = give_some(peer, queue, mbufs, n);
	leave(&queue->receiving);
	return got;
}

/* The same where packets are copied beside other lcores. */
static uint16_t sim_claim(
	struct port *port, uint16_t index, uint16_t n, struct reservation *reservation)
{
	struct sim_peer *peer = port->driver;
	struct sim_queue *queue = &peer->queues[index];

	if (!reservations_take(&queue->claims))
		return 0;
	n = RTE_MIN(n, RESERVATION_PACKETS);
	reservation->n = sim_receive(port, index, reservation->mbufs, n);
	reservation->ring = queue;
	if (reservation->n > 0)
		reservation->number = reservations_add(&queue->claims, 0);
	reservations_leave(&queue->claims);
	return reservation->n;
}

static void sim_collect(
	const struct port *port, struct reservation *reservation, struct rte_mbuf **mbufs)
{
	(void)port;
	memcpy(mbufs, reservation->mbufs, reservation->n * sizeof(mbufs[0]));
}

/* ---- to the peer ---- */

/* What has left must not be touched: later it would not be what it was. */
static void take(struct sim_queue *queue, struct rte_mbuf *mbuf)
{
	queue->taken++;
	memset(rte_pktmbuf_mtod(mbuf, char *), 0xa5, RTE_MIN(mbuf->data_len, 64));
	rte_pktmbuf_free(mbuf);
}

/* The inner frame, at a place of a network; `outer` are the headers before it, if there are any.
 * Returns its flow, or NULL after a failure. */
static const struct flow *check_frame(struct world *world, uint16_t place,
	const struct frame_inner *frame, uint32_t length, const struct frame_outer *outer)
{
	enum frame_verdict verdict = checker_receive(
		&world->checker, place, frame, length, outer, outer == NULL ? 0 : sizeof(*outer));
	char text[sizeof(world->failure)];

	if (verdict == FRAME_SOUND)
		return &world->flows[checker_payload(frame)->flow];
	checker_describe(&world->checker, verdict, place, frame, length, text, sizeof(text));
	world_fail(world, "%s", text);
	return NULL;
}

/* A container that reads its queues on several cores would see a flow out of order otherwise. */
static void check_queue(
	struct world *world, const struct flow *flow, uint8_t *known, uint16_t queue)
{
	if (*known != 0 && *known != 1 + queue)
		world_fail(
			world, "flow %u came by queue %u, and before by another", flow->id, queue);
	*known = 1 + queue;
}

static void check_container(
	struct sim_peer *peer, uint16_t queue, const void *frame, uint32_t length)
{
	const struct flow *flow = check_frame(
		peer->world, sim_place(peer->network, peer->place), frame, length, NULL);

	if (flow != NULL)
		check_queue(peer->world, flow, &peer->world->outcomes[flow->id].queues[peer->place],
			queue);
}

/* What is wrong with the outer headers of a packet to VTEP `vtep`, or NULL. */
static const char *outer_fault(
	const struct sim_peer *peer, const struct rte_mbuf *mbuf, uint16_t vtep)
{
	const struct frame_outer *outer = rte_pktmbuf_mtod(mbuf, const struct frame_outer *);
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
static uint16_t network_of(const struct sim_peer *peer, const struct frame_outer *outer)
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

static void check_flow_port(struct world *world, const struct flow *flow, uint16_t vtep,
	const struct frame_outer *outer)
{
	uint16_t *known = &world->outcomes[flow->id].source_ports[vtep - 1];
	uint16_t port = rte_be_to_cpu_16(outer->udp.src_port);

	if (*known != 0 && *known != port)
		world_fail(world, "flow %u changed its outer source port from %u to %u", flow->id,
			*known, port);
	*known = port;
}

/* A NIC's queues do not wait for each other. A flow may leave by another one only when nothing of
 * it is on its way. */
static void check_uplink_queue(
	struct world *world, const struct flow *flow, uint16_t vtep, uint16_t queue)
{
	if (!world->config.steering && !world->config.churning)
		check_queue(world, flow, &world->outcomes[flow->id].uplink_queues[vtep - 1], queue);
}

static void check_vxlan(struct sim_peer *peer, uint16_t queue, const struct rte_mbuf *mbuf)
{
	struct world *world = peer->world;
	const struct frame_outer *outer = rte_pktmbuf_mtod(mbuf, const struct frame_outer *);
	uint16_t vtep = (rte_be_to_cpu_32(outer->ip.dst_addr) & 0xff) - 1;
	const char *fault = outer_fault(peer, mbuf, vtep);
	const struct flow *flow;
	uint16_t place;

	if (fault != NULL || vtep == 0 || vtep > SIM_REMOTES) {
		world_fail(
			world, "outer %s of a packet to VTEP %u", fault ? fault : "address", vtep);
		return;
	}
	place = sim_place(network_of(peer, outer), SIM_CONTAINERS + vtep - 1);
	flow = check_frame(world, place, (const struct frame_inner *)(outer + 1),
		mbuf->pkt_len - sizeof(*outer), outer);
	if (flow == NULL)
		return;
	check_flow_port(world, flow, vtep, outer);
	check_uplink_queue(world, flow, vtep, queue);
}

/* Takes the mbuf. Under the virtual clock it is there when the round has ended: run.c. */
static void keep_reply(const struct world *world, struct sim_queue *queue, struct rte_mbuf *mbuf)
{
	lock_replies(queue);
	if (queue->n_replies == SIM_REPLIES_MAX) {
		rte_pktmbuf_free(mbuf);
	} else {
		queue->replies[queue->n_replies] = mbuf;
		set_replies(queue, queue->n_replies + 1);
	}
	if (world->config.threads)
		queue->n_ready = queue->n_replies;
	unlock_replies(queue);
}

/* The VTEPs answer ARP. Takes the mbuf. */
static void answer_arp(struct sim_peer *peer, struct sim_queue *queue, struct rte_mbuf *mbuf)
{
	struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbuf, struct rte_ether_hdr *);
	struct rte_arp_hdr *arp = (struct rte_arp_hdr *)(ether + 1);
	rte_be32_t target = arp->arp_data.arp_tip;

	queue->taken++;
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_tha = arp->arp_data.arp_sha;
	arp->arp_data.arp_tip = arp->arp_data.arp_sip;
	arp->arp_data.arp_sha = sim_vtep_mac(peer->uplink, (rte_be_to_cpu_32(target) & 0xff) - 1);
	arp->arp_data.arp_sip = target;
	ether->dst_addr = ether->src_addr;
	ether->src_addr = arp->arp_data.arp_sha;
	keep_reply(peer->world, queue, mbuf);
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
		check_container(
			peer, queue - peer->queues, rte_pktmbuf_mtod(mbuf, void *), mbuf->pkt_len);
	else if (mbuf->pkt_len < sizeof(struct frame_outer))
		world_fail(peer->world, "a frame of %u bytes at an uplink", mbuf->pkt_len);
	else
		check_vxlan(peer, queue - peer->queues, mbuf);
	take(queue, mbuf);
}

/* Container 1 refuses because it is away, the others because they are busy. */
static bool sim_is_up(const struct port *port)
{
	const struct sim_peer *peer = port->driver;

	return port->uplink || peer->place != 1;
}

/* How many of n packets it takes. */
static uint16_t willing_of(struct sim_peer *peer, struct sim_queue *queue, uint16_t n)
{
	if (__atomic_load_n(&peer->world->open, __ATOMIC_RELAXED) && peer->world->config.refusing &&
		random_one_in(&queue->send_random, 4))
		return random_below(&queue->send_random, n + 1);
	return n;
}

/* Of n packets the first `willing` were taken: the others are dropped, or the first of them. */
static void refuse(const struct port *port, struct sim_queue *queue, uint16_t willing, uint16_t n)
{
	uint16_t refused;

	queue->too_big = willing < n && sim_is_up(port) && random_one_in(&queue->send_random, 2);
	refused = queue->too_big ? 1 : n - willing;
	queue->refused += refused;
	queue->refused_away += sim_is_up(port) ? 0 : refused;
	queue->refused_too_big += queue->too_big;
}

static uint16_t sim_send(struct port *port, uint16_t index, struct rte_mbuf **mbufs, uint16_t n)
{
	struct sim_peer *peer = port->driver;
	struct sim_queue *queue = &peer->queues[index];
	uint16_t willing;

	enter(port, index, &queue->sending);
	willing = willing_of(peer, queue, n);
	hold_up(peer->world, &queue->send_random);
	for (uint16_t i = 0; i < willing; i++)
		send_one(peer, port, queue, mbufs[i]);
	refuse(port, queue, willing, n);
	leave(&queue->sending);
	return willing;
}

/* ---- the same into a ring, beside other lcores ---- */

static uint16_t room_of(const struct sim_ring *ring)
{
	return SIM_RING_SIZE - (ring->next - __atomic_load_n(&ring->released, __ATOMIC_ACQUIRE));
}

static void reserve_next(struct sim_ring *ring, struct reservation *reservation, uint16_t n)
{
	reservation->ring = ring;
	reservation->n = n;
	reservation->begin = ring->next;
	ring->next += n;
	reservation->number = reservations_add(&ring->reservations, ring->next);
}

/* Another lcore may always have been at it. */
static bool is_taken(struct world *world, struct sim_queue *queue)
{
	return this_lcore(world)->plan->by_right && random_one_in(&queue->send_random, 8);
}

static int sim_reserve(struct port *port, uint16_t index, struct rte_mbuf **mbufs, uint16_t n,
	struct reservation *reservation)
{
	struct sim_peer *peer = port->driver;
	struct sim_queue *queue = &peer->queues[index];
	uint16_t willing;

	(void)mbufs;
	enter(port, index, &queue->sending);
	if (is_taken(peer->world, queue) || !reservations_take(&queue->ring->reservations)) {
		leave(&queue->sending);
		return -1;
	}
	/* It is full of what other lcores are copying: they are to be waited for. */
	if (room_of(queue->ring) == 0) {
		reservations_leave(&queue->ring->reservations);
		leave(&queue->sending);
		return -1;
	}
	willing = RTE_MIN(willing_of(peer, queue, n), RESERVATION_PACKETS);
	willing = RTE_MIN(willing, room_of(queue->ring));
	if (willing > 0)
		reserve_next(queue->ring, reservation, willing);
	else
		refuse(port, queue, 0, n);
	reservations_leave(&queue->ring->reservations);
	leave(&queue->sending);
	return willing;
}

/* Whoever lets buffers be looked at later may find some too small. */
static bool is_unfit(
	const struct world *world, const struct reservation *reservation, uint64_t *random)
{
	return reservation->later && world->config.refusing &&
	       __atomic_load_n(&world->open, __ATOMIC_RELAXED) && random_one_in(random, 64);
}

static void fill_one(struct sim_ring *ring, uint32_t buffer, const struct rte_mbuf *mbuf)
{
	uint32_t slot = buffer % SIM_RING_SIZE;

	assert(mbuf->pkt_len <= SIM_BUFFER_SIZE && mbuf->nb_segs == 1);
	ring->frames[slot].length = mbuf->pkt_len;
	memcpy(ring->frames[slot].data, rte_pktmbuf_mtod(mbuf, void *), mbuf->pkt_len);
}

static struct sim_queue *queue_of_ring(struct sim_peer *peer, const struct sim_ring *ring)
{
	struct sim_queue *queue = peer->queues;

	while (queue->ring != ring)
		queue++;
	return queue;
}

static uint16_t sim_fill(
	const struct port *port, struct reservation *reservation, struct rte_mbuf **mbufs)
{
	struct sim_ring *ring = reservation->ring;
	struct sim_peer *peer = port->driver;
	struct sim_queue *queue = queue_of_ring(peer, ring);
	struct rte_mbuf *unfit[RESERVATION_PACKETS];
	uint64_t random = reservation->begin;
	uint16_t filled = 0, n_unfit = 0;

	for (uint16_t i = 0; i < reservation->n; i++) {
		if (is_unfit(peer->world, reservation, &random)) {
			ring->frames[(reservation->begin + i) % SIM_RING_SIZE].length = 0;
			unfit[n_unfit++] = mbufs[i];
			continue;
		}
		fill_one(ring, reservation->begin + i, mbufs[i]);
		mbufs[filled++] = mbufs[i];
	}
	memcpy(mbufs + filled, unfit, n_unfit * sizeof(unfit[0]));
	__atomic_fetch_add(&queue->unfit, n_unfit, __ATOMIC_RELAXED);
	hold_up(peer->world, &random);
	return filled;
}

/* The peer looks at once, and has its buffers free again. */
static void see_frames(void *argument, uint32_t first, uint32_t n)
{
	struct sim_queue *queue = argument;
	struct sim_ring *ring = queue->ring;
	uint32_t end = reservations_end(&ring->reservations, first + n - 1);

	for (uint32_t i = ring->released; i != end; i++) {
		if (ring->frames[i % SIM_RING_SIZE].length == 0)
			continue;
		check_container(ring->peer, queue - ring->peer->queues,
			ring->frames[i % SIM_RING_SIZE].data,
			ring->frames[i % SIM_RING_SIZE].length);
		memset(ring->frames[i % SIM_RING_SIZE].data, 0xa5, 64);
		queue->taken++;
	}
	__atomic_store_n(&ring->released, end, __ATOMIC_RELEASE);
}

static void see_claims(void *argument, uint32_t first, uint32_t n)
{
	(void)argument;
	(void)first;
	(void)n;
}

static void sim_publish(struct port *port, struct reservation *reservation)
{
	struct sim_peer *peer = port->driver;

	assert(peer != NULL); /* it is not detached */
	for (uint16_t i = 0; i < port->n_queues; i++) {
		struct sim_queue *queue = &peer->queues[i];

		if (reservation->ring == queue)
			reservations_complete(
				&queue->claims, reservation->number, see_claims, queue);
		else if (reservation->ring == queue->ring)
			reservations_complete(
				&queue->ring->reservations, reservation->number, see_frames, queue);
	}
}

static bool sim_too_big(struct port *port, uint16_t index, const struct rte_mbuf *mbuf)
{
	const struct sim_peer *peer = port->driver;

	(void)mbuf;
	return peer->queues[index].too_big;
}

/* ---- coming and going ---- */

static const struct port_ops sim_ring_ops;

void sim_make_rings(struct sim_peer *peer)
{
	for (uint16_t i = 0; i < SIM_QUEUES_MAX; i++) {
		peer->queues[i].ring = calloc(1, sizeof(*peer->queues[i].ring));
		if (peer->queues[i].ring == NULL)
			abort();
		peer->queues[i].ring->peer = peer;
	}
}

static bool is_published(const struct reservations *reservations)
{
	return reservations->next == reservations->published;
}

/* Before the last port goes all that was claimed or reserved is published. */
static void check_published(const struct sim_peer *peer)
{
	for (uint16_t i = 0; i < SIM_QUEUES_MAX; i++) {
		const struct sim_queue *queue = &peer->queues[i];

		if (queue->ring != NULL && (!is_published(&queue->claims) ||
						   !is_published(&queue->ring->reservations)))
			world_fail(peer->world, "reservations were left in a ring");
	}
}

void sim_free_rings(struct sim_peer *peer)
{
	check_published(peer);
	for (uint16_t i = 0; i < SIM_QUEUES_MAX; i++) {
		free(peer->queues[i].ring);
		peer->queues[i].ring = NULL;
	}
}

/* Of the next port. */
static struct sim_peer *next_peer;

void sim_attach_to(struct sim_peer *peer)
{
	next_peer = peer;
}

static int sim_attach(struct port *port, struct error *error)
{
	(void)error;
	port->driver = next_peer;
	next_peer->port = port;
	number_set16(&next_peer->n_ports, next_peer->n_ports + 1);
	if (next_peer->rings)
		port->ops = &sim_ring_ops;
	if (port->uplink)
		port->mtu = port->config.mtu;
	return 0;
}

static void sim_detach(struct port *port)
{
	struct sim_peer *peer = port->driver;

	for (uint16_t i = 0; i < port->n_queues; i++)
		while (peer->queues[i].n_replies > 0)
			rte_pktmbuf_free(peer->queues[i].replies[--peer->queues[i].n_replies]);
	for (uint16_t i = 0; i < port->n_queues; i++)
		peer->queues[i].n_ready = 0;
	number_set16(&peer->n_ports, peer->n_ports - 1);
	if (peer->n_ports == 0)
		check_published(peer);
	port->driver = NULL;
}

const struct port_ops sim_port_ops = {
	.type = "sim",
	.attach = sim_attach,
	.detach = sim_detach,
	.receive = sim_receive,
	.send = sim_send,
	.too_big = sim_too_big,
	.is_up = sim_is_up,
};

static const struct port_ops sim_ring_ops = {
	.type = "sim",
	.attach = sim_attach,
	.detach = sim_detach,
	.receive = port_receive_alone,
	.send = port_send_alone,
	.reserve = sim_reserve,
	.fill = sim_fill,
	.claim = sim_claim,
	.collect = sim_collect,
	.publish = sim_publish,
	.too_big = sim_too_big,
	.is_up = sim_is_up,
};
