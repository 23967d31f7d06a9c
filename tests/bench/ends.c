/* SPDX-License-Identifier: BSD-3-Clause */
#include "ends.h"

#include <emmintrin.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_debug.h>
#include <rte_ethdev.h>

#include "base/counter.h"
#include "numbers.h"
#include "peers.h"

#define RING_SIZE 1024
#define PEER_MBUFS 8191
#define VIRTIO_HEADER 12 /* bytes before a packet */
#define PEER_BURST 64
#define TAKEN_BURSTS 4	       /* at a time: what others could not take, too */
#define WORK_CYCLES_MAX 100000 /* of a try */
#define VIRTIO_USER(name) "net_virtio_user" name ",queue_size=1024,path="

const char *const ends_names[CONTAINERS] = {"ring", "vhost", "vhost", "memif"};
const char *const ends_notes[CONTAINERS] = {"", "", ", buffers cold", ""};

static struct virtual_driver *driver; /* NULL: real lcores run */
static enum direction direction;
static struct fixture_frame frame;

/* ---- the uplink ---- */

static uint64_t right_cycles __rte_cache_aligned;

/* Packets that come at their times. */
static struct {
	double interval; /* cycles; 0: there always are some */
	uint64_t start;
	uint64_t given; /* who has the right: rw */
} schedule __rte_cache_aligned;
static struct histogram latency __rte_cache_aligned; /* who sends to the sink: rw */

#define STAMP_OFFSET sizeof(uint32_t) /* behind the number */

static uint16_t take_due(uint16_t n)
{
	uint64_t due;

	if (schedule.interval == 0)
		return n;
	due = (rte_rdtsc() - schedule.start) / schedule.interval - schedule.given;
	n = RTE_MIN(due, (uint64_t)n);
	schedule.given += n;
	return n;
}

/* Numbers are drawn from 0 on, in the order of the schedule. */
static void stamp(struct rte_mbuf **mbufs, uint16_t n, uint32_t first, uint16_t offset)
{
	for (uint16_t i = 0; i < n && schedule.interval > 0; i++) {
		uint64_t time = schedule.start + (first + i + 1) * schedule.interval;

		memcpy(rte_pktmbuf_mtod_offset(mbufs[i], char *, offset + STAMP_OFFSET), &time,
			sizeof(time));
	}
}

static void note_latency(struct rte_mbuf **mbufs, uint16_t n, uint16_t offset)
{
	uint64_t now = rte_rdtsc(), time;

	for (uint16_t i = 0; i < n; i++) {
		memcpy(&time, rte_pktmbuf_mtod_offset(mbufs[i], char *, offset + STAMP_OFFSET),
			sizeof(time));
		histogram_add(&latency, now - time);
	}
}

static uint16_t nic_claim(
	struct port *port, uint16_t queue, uint16_t n, struct reservation *reservation)
{
	uint64_t begin = rte_rdtsc();

	(void)port;
	(void)queue;
	n = take_due(n);
	if (n == 0 || rte_mempool_get_bulk(fixture_pool, (void **)reservation->mbufs, n) != 0)
		return 0;
	reservation->n = n;
	reservation->begin = numbers_draw(n);
	counter_add(&right_cycles, rte_rdtsc() - begin);
	return n;
}

static void fill_frames(struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		rte_pktmbuf_reset(mbufs[i]);
		memcpy(rte_pktmbuf_append(mbufs[i], frame.bytes), frame.data, frame.bytes);
	}
}

static void nic_collect(
	const struct port *port, struct reservation *reservation, struct rte_mbuf **mbufs)
{
	uint16_t n = reservation->n;

	memcpy(mbufs, reservation->mbufs, n * sizeof(mbufs[0]));
	fill_frames(mbufs, n);
	numbers_write(mbufs, n, reservation->begin, numbers_offset(port));
	stamp(mbufs, n, reservation->begin, numbers_offset(port));
	if (driver != NULL) {
		virtual_pause(driver);
		virtual_filled(driver, mbufs, n, true);
		virtual_resume(driver);
	}
}

static void nic_publish(struct port *port, struct reservation *reservation)
{
	(void)port;
	(void)reservation;
}

static void tell_freed(struct rte_mbuf **mbufs, uint16_t n, bool copied)
{
	if (driver == NULL)
		return;
	virtual_pause(driver);
	if (copied)
		virtual_copied(driver, mbufs, n);
	virtual_freed(driver, mbufs, n);
	virtual_resume(driver);
}

static uint16_t sink_send(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	tell_freed(mbufs, n, false);
	if (schedule.interval > 0)
		note_latency(mbufs, n, numbers_offset(port));
	return numbers_sink(port, queue, mbufs, n);
}

static const struct port_ops nic_ops = {.receive = port_receive_alone,
	.claim = nic_claim,
	.collect = nic_collect,
	.publish = nic_publish,
	.send = sink_send,
	.is_up = fixture_is_up};
static const struct port_ops sink_ops = {
	.receive = fixture_nothing, .send = sink_send, .is_up = fixture_is_up};

/* ---- the container's end ---- */

static struct end {
	struct peer peer;
	const struct port_ops *own; /* the port's; what weft calls comes here first */
	struct port_ops ops;
	struct rte_mempool *pool;
} ends[CONTAINERS];
static struct end *end; /* of this run; NULL: a sink */
static struct {
	uint32_t taken;
	uint64_t cycles;
} container __rte_cache_aligned;

/* As if another core had taken them, or made them: no cache here has their lines. */
static void forget(struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		char *data = rte_pktmbuf_mtod(mbufs[i], char *) - VIRTIO_HEADER;
		char *behind = data + VIRTIO_HEADER + mbufs[i]->data_len;

		for (char *line = RTE_PTR_ALIGN_FLOOR(data, RTE_CACHE_LINE_SIZE); line < behind;
			line += RTE_CACHE_LINE_SIZE)
			_mm_clflush(line);
	}
}

static uint16_t take_burst(void)
{
	struct rte_mbuf *mbufs[PEER_BURST];
	uint16_t n = rte_eth_rx_burst(end->peer.ethdev, 0, mbufs, PEER_BURST);

	numbers_check(mbufs, n, numbers_offset(&end->peer.port));
	if (end == &ends[VHOST_COLD])
		forget(mbufs, n);
	rte_pktmbuf_free_bulk(mbufs, n);
	return n;
}

/* A number that was drawn for a packet that the ring then has no room for is drawn again. */
static void give_burst(void)
{
	struct rte_mbuf *mbufs[PEER_BURST];
	uint32_t first;
	uint16_t n;

	if (rte_mempool_get_bulk(end->pool, (void **)mbufs, PEER_BURST) != 0)
		return;
	fill_frames(mbufs, PEER_BURST);
	first = numbers_draw(PEER_BURST);
	numbers_write(mbufs, PEER_BURST, first, numbers_offset(&end->peer.port));
	if (end == &ends[VHOST_COLD])
		forget(mbufs, PEER_BURST);
	n = rte_eth_tx_burst(end->peer.ethdev, 0, mbufs, PEER_BURST);
	rte_pktmbuf_free_bulk(mbufs + n, PEER_BURST - n);
	numbers_give_back(PEER_BURST - n);
}

/* It gives as many as its lcore then copies, and no more: the other lcore may wait for the number
 * of these. */
static void work_once(void)
{
	if (direction == FROM_CONTAINER) {
		give_burst();
		return;
	}
	for (int i = 0; i < TAKEN_BURSTS; i++)
		if (take_burst() < PEER_BURST)
			break;
}

/* Virtual lcores pay for what it took, unless this thread did not run: a step that has it is not
 * to be taken for one of those. */
static void book_work(uint64_t cycles)
{
	counter_add(&container.cycles, cycles);
	if (driver == NULL)
		return;
	virtual_resume(driver);
	if (cycles < WORK_CYCLES_MAX)
		virtual_charge(driver, cycles * COST_UNIT);
}

static void work_as_container(void)
{
	uint64_t begin = rte_rdtsc();

	if (__atomic_load_n(&container.taken, __ATOMIC_RELAXED) != 0 ||
		__atomic_exchange_n(&container.taken, 1, __ATOMIC_ACQUIRE) != 0)
		return;
	if (driver != NULL)
		virtual_pause(driver);
	work_once();
	book_work(rte_rdtsc() - begin);
	__atomic_store_n(&container.taken, 0, __ATOMIC_RELEASE);
}

/* With the number; the container works here only where there was no room. */
static int peer_reserve(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n,
	struct reservation *reservation)
{
	int reserved = end->own->reserve(port, queue, mbufs, n, reservation);

	if (reserved != 0)
		return reserved;
	work_as_container();
	return end->own->reserve(port, queue, mbufs, n, reservation);
}

static uint16_t peer_fill(
	const struct port *port, struct reservation *reservation, struct rte_mbuf **mbufs)
{
	work_as_container();
	tell_freed(mbufs, reservation->n, true);
	return end->own->fill(port, reservation, mbufs);
}

static void tell_filled(struct rte_mbuf **mbufs, uint16_t n)
{
	if (driver == NULL || n == 0)
		return;
	virtual_pause(driver);
	virtual_filled(driver, mbufs, n, true);
	virtual_resume(driver);
}

static uint16_t timed_claim(
	struct port *port, uint16_t queue, uint16_t n, struct reservation *reservation)
{
	uint64_t begin = rte_rdtsc();

	n = end->own->claim(port, queue, n, reservation);
	counter_add(&right_cycles, rte_rdtsc() - begin);
	return n;
}

/* With the right; the container works here only where there was nothing. */
static uint16_t peer_claim(
	struct port *port, uint16_t queue, uint16_t n, struct reservation *reservation)
{
	uint16_t claimed = timed_claim(port, queue, n, reservation);

	if (claimed > 0)
		return claimed;
	work_as_container();
	return timed_claim(port, queue, n, reservation);
}

static void peer_collect(
	const struct port *port, struct reservation *reservation, struct rte_mbuf **mbufs)
{
	work_as_container();
	end->own->collect(port, reservation, mbufs);
	tell_filled(mbufs, reservation->n);
}

/* A container that receives sends nothing, and the other way round. Where lcores can copy side by
 * side, send and receive are made of the parts of that. */
static void set_ops(struct end *it)
{
	it->ops = *it->own;
	if (direction == TO_CONTAINER) {
		it->ops.receive = fixture_nothing;
		it->ops.claim = NULL;
		it->ops.reserve = peer_reserve;
		it->ops.fill = peer_fill;
	} else {
		it->ops.claim = peer_claim;
		it->ops.collect = peer_collect;
	}
}

/* ---- begin and end ---- */

static struct rte_mempool *make_pool(void)
{
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
		"peer", PEER_MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

	if (pool == NULL)
		rte_exit(EXIT_FAILURE, "bench: no memory for packets; give EAL more (-m)\n");
	return pool;
}

static void open_end(enum container which, const char *type, const char *device, const char *name,
	struct rte_mempool *pool)
{
	const struct peer_kind kind = {type, device, RING_SIZE, pool};
	struct end *it = &ends[which];
	struct port *port = &it->peer.port;
	struct error error;

	if (!peers_open(&it->peer, &kind, name, &error))
		rte_exit(EXIT_FAILURE, "bench: no container %s: %s\n", name, error.text);
	it->own = port->ops;
	it->pool = pool;
	port->index = fixture_container.index;
	port->network = fixture_container.network;
	port->mtu = fixture_container.mtu;
	port->lcores = fixture_container.lcores;
}

void ends_init(const char *directory)
{
	struct rte_mempool *pool;

	if (directory == NULL)
		return;
	peers_init(directory);
	pool = make_pool();
	open_end(VHOST, "vhost-user", VIRTIO_USER("0"), "vhost", pool);
	open_end(VHOST_COLD, "vhost-user", VIRTIO_USER("1"), "vhost-cold", pool);
	open_end(MEMIF, "memif",
		"net_memif0,role=client,id=0,rsize=10,bsize=2048,socket-abstract=no,socket=",
		"memif", pool);
}

void ends_free(void)
{
	for (int i = 0; i < CONTAINERS; i++) {
		if (ends[i].own == NULL)
			continue;
		ends[i].peer.port.ops = ends[i].own;
		peers_close(&ends[i].peer);
	}
	peers_free();
}

static struct port *container_port(void)
{
	struct port *port = end == NULL ? &fixture_container : &end->peer.port;

	if (end == NULL) {
		port->ops = &sink_ops;
	} else {
		set_ops(end);
		port->ops = &end->ops;
		port->mac = fixture_container.mac;
		port->n_addresses = fixture_container.n_addresses;
		port->addresses[0] = fixture_container.addresses[0];
	}
	return port;
}

void ends_set(struct tables *tables, enum container which, enum direction towards, uint16_t bytes,
	struct virtual_driver *virtual)
{
	struct port *port;

	driver = virtual;
	schedule.interval = 0;
	direction = towards;
	end = which == SINK ? NULL : &ends[which];
	if (direction == TO_CONTAINER)
		fixture_frame_vxlan(&frame, bytes);
	else
		fixture_frame_inner(&frame, bytes);
	fixture_uplink.ops = &nic_ops;
	port = container_port();
	tables->ports[fixture_container.index] = port;
	tables->owned[0] =
		(struct owned_queue){direction == TO_CONTAINER ? &fixture_uplink : port, 0};
	for (int i = 0; i < PORT_QUEUES_MAX; i++)
		port->queues[i].owner = fixture_uplink.queues[i].owner = 0;
}

/* What weft has not received was never sent. */
static uint16_t take_back(void)
{
	struct rte_mbuf *mbufs[PEER_BURST];
	uint16_t n = end->own->receive(&end->peer.port, 0, mbufs, PEER_BURST);

	rte_pktmbuf_free_bulk(mbufs, n);
	numbers_give_back(n);
	return n;
}

void ends_drain(void)
{
	if (end == NULL)
		return;
	end->peer.port.ops = end->own;
	while ((direction == TO_CONTAINER ? take_burst() : take_back()) > 0)
		;
}

void ends_schedule(double packets_per_second)
{
	latency = (struct histogram){.total = 0};
	schedule.interval = rte_get_tsc_hz() / packets_per_second;
	schedule.start = rte_rdtsc();
	schedule.given = 0;
}

const struct histogram *ends_latency(void)
{
	return &latency;
}

struct ends_cycles ends_cycles(void)
{
	return (struct ends_cycles){
		.container = counter_read(&container.cycles), .right = counter_read(&right_cycles)};
}
