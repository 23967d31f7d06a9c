/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What ports cost: one call of a port's send or receive, for bursts of several sizes and frames of
 * several sizes, and of the part of it that one lcore does at a time, where there is one. The peer
 * works between the calls, uncounted: on the same CPU, and again on another, where the rings and
 * the packets have to cross as they would to a real container.
 *
 * The peers: virtio-user and net_memif in this process; for TAP a UDP socket behind it, in a
 * network namespace of the program's own. A ring is net_ring looped back, which is also what stands
 * in for an uplink: with the buffers taken or freed that a NIC's driver would take or free.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_udp.h>

#include "calibrate.h"
#include "fit.h"
#include "fixture.h"
#include "peers.h"

#define SIZES FIT_SERIES_MAX
#define PACKETS 2048 /* of a measurement, half of them, once around the rings, to warm up */
#define TAP_PACKETS 128
#define PEER_MBUFS 8191
#define RING_SIZE 1024
#define TRY_MS 1 /* to get a burst that was sent */
#define FAILED (-1e9)
#define TAP_NAME "weft-tap"
#define TAP_ADDRESS RTE_IPV4(10, 99, 0, 1)
#define TAP_PEER RTE_IPV4(10, 99, 0, 2)
#define TAP_UDP_PORT 4000

static const uint16_t sizes[SIZES] = {64, 256, 512, 1024, 1450}; /* frames with FCS */
static const struct rte_ether_addr tap_mac = {{2, 0, 0, 0, 0, 9}};
static const struct rte_ether_addr tap_peer_mac = {{2, 0, 0, 0, 0, 10}};

/* Reserve and claim are the parts of send and receive that one lcore does at a time. Across: the
 * peer is on another CPU. */
enum { SEND, RECEIVE, RESERVE, CLAIM, CALLS };
enum { SAME_CPU, ACROSS, PLACES };

struct subject {
	const char *type;
	unsigned int packets; /* of a measurement */
	/* Makes the port and its peer; false and *error if it cannot be had. */
	bool (*open)(struct subject *subject, struct error *error);
	void (*give)(struct subject *subject); /* the peer sends `burst` frames of `bytes` */
	void (*take)(struct subject *subject); /* it takes all that was sent to it */
	bool there;
	uint16_t burst;
	uint16_t bytes; /* without FCS */
	struct fixture_frame frame;
	struct peer peer; /* some have only the port */
	double samples[PLACES][CALLS][SIZES][FIT_POINTS][ROUNDS_MAX];
};

static struct rte_mempool *peer_pool;
static int tap_socket = -1;

/* ---- frames ---- */

static uint16_t make_burst(
	struct rte_mempool *pool, const struct subject *subject, struct rte_mbuf **mbufs)
{
	if (rte_pktmbuf_alloc_bulk(pool, mbufs, subject->burst) != 0)
		return 0;
	for (uint16_t i = 0; i < subject->burst; i++)
		memcpy(rte_pktmbuf_append(mbufs[i], subject->bytes), subject->frame.data,
			subject->bytes);
	return subject->burst;
}

/* ---- peers that are ethdevs: virtio-user, memif ---- */

static void ethdev_give(struct subject *subject)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];
	uint16_t n = make_burst(peer_pool, subject, mbufs);
	uint16_t sent = rte_eth_tx_burst(subject->peer.ethdev, 0, mbufs, n);

	rte_pktmbuf_free_bulk(mbufs + sent, n - sent);
}

static void ethdev_take(struct subject *subject)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];
	uint16_t n;

	while ((n = rte_eth_rx_burst(subject->peer.ethdev, 0, mbufs, FIXTURE_BURST)) > 0)
		rte_pktmbuf_free_bulk(mbufs, n);
}

static bool open_socket_port(struct subject *subject, const char *device, struct error *error)
{
	const struct peer_kind kind = {subject->type, device, RING_SIZE, peer_pool};

	return peers_open(&subject->peer, &kind, subject->type, error);
}

static bool vhost_open(struct subject *subject, struct error *error)
{
	return open_socket_port(subject, "net_virtio_user0,queue_size=1024,path=", error);
}

static bool memif_open(struct subject *subject, struct error *error)
{
	return open_socket_port(subject,
		"net_memif0,role=client,id=0,rsize=10,bsize=2048,socket-abstract=no,socket=",
		error);
}

/* ---- TAP ---- */

static void set_address(struct sockaddr *to, uint32_t address)
{
	const struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};

	memcpy(to, &from, sizeof(from));
}

/* An address, up, and a neighbour that need not be asked for. */
static bool configure_tap(void)
{
	struct ifreq request = {.ifr_name = TAP_NAME};
	struct arpreq neighbour = {.arp_flags = ATF_COM | ATF_PERM, .arp_dev = TAP_NAME};
	bool ok;

	set_address(&request.ifr_addr, TAP_ADDRESS);
	ok = ioctl(tap_socket, SIOCSIFADDR, &request) == 0;
	set_address(&request.ifr_netmask, RTE_IPV4(255, 255, 255, 0));
	ok = ok && ioctl(tap_socket, SIOCSIFNETMASK, &request) == 0;
	ok = ok && ioctl(tap_socket, SIOCGIFFLAGS, &request) == 0;
	request.ifr_flags |= IFF_UP;
	ok = ok && ioctl(tap_socket, SIOCSIFFLAGS, &request) == 0;
	set_address(&neighbour.arp_pa, TAP_PEER);
	neighbour.arp_ha.sa_family = ARPHRD_ETHER;
	memcpy(neighbour.arp_ha.sa_data, &tap_peer_mac, sizeof(tap_peer_mac));
	return ok && ioctl(tap_socket, SIOCSARP, &neighbour) == 0;
}

static bool open_tap_socket(void)
{
	struct sockaddr_in own = {.sin_family = AF_INET,
		.sin_port = htons(TAP_UDP_PORT),
		.sin_addr.s_addr = htonl(INADDR_ANY)};
	int room = 4 << 20;

	tap_socket = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	return tap_socket >= 0 && bind(tap_socket, (struct sockaddr *)&own, sizeof(own)) == 0 &&
	       setsockopt(tap_socket, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) == 0;
}

/* Only in a namespace of its own, which goes with the process. */
static bool tap_open(struct subject *subject, struct error *error)
{
	struct port *port = &subject->peer.port;

	port->config.mac = tap_mac;
	port->mac = tap_mac;
	port->index = 1;
	snprintf(port->config.interface, sizeof(port->config.interface), TAP_NAME);
	if (!calibrate_own_netns) {
		error_set(error, "there is no network namespace to measure it in");
		return false;
	}
	if (!peers_attach(port, "tap", subject->type, error))
		return false;
	if (open_tap_socket() && configure_tap())
		return true;
	error_set(error, "cannot set up the network behind it");
	port->ops->detach(port);
	return false;
}

static void make_tap_frame(struct subject *subject)
{
	struct rte_ether_hdr *ether = (void *)subject->frame.data;
	struct rte_ipv4_hdr *ip = (void *)(ether + 1);
	struct rte_udp_hdr *udp = (void *)(ip + 1);

	fixture_frame_inner(&subject->frame, subject->bytes);
	ether->dst_addr = tap_mac;
	ether->src_addr = tap_peer_mac;
	ip->src_addr = RTE_BE32(TAP_PEER);
	ip->dst_addr = RTE_BE32(TAP_ADDRESS);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	udp->dst_port = RTE_BE16(TAP_UDP_PORT);
}

static void tap_give(struct subject *subject)
{
	const size_t headers =
		RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr);
	struct sockaddr_in to;

	set_address((struct sockaddr *)&to, TAP_PEER);
	to.sin_port = htons(TAP_UDP_PORT);
	for (uint16_t i = 0; i < subject->burst; i++)
		sendto(tap_socket, subject->frame.data, subject->bytes - headers, 0,
			(struct sockaddr *)&to, sizeof(to));
}

static void tap_take(struct subject *subject)
{
	(void)subject;
	while (recv(tap_socket, NULL, 0, MSG_TRUNC) >= 0)
		;
}

/* ---- a ring, and an uplink ---- */

static bool ring_open(struct subject *subject, struct error *error)
{
	snprintf(subject->peer.port.config.device, sizeof(subject->peer.port.config.device),
		"net_ring%s", subject->type);
	subject->peer.port.uplink = true;
	return peers_attach(&subject->peer.port, "uplink", subject->type, error);
}

/* What is sent comes back. */
static void ring_give(struct subject *subject)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];
	uint16_t n = make_burst(fixture_pool, subject, mbufs);

	subject->peer.port.ops->send(&subject->peer.port, 0, mbufs, n);
}

static void ring_take(struct subject *subject)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];
	uint16_t n;

	while ((n = subject->peer.port.ops->receive(&subject->peer.port, 0, mbufs, FIXTURE_BURST)) >
		0)
		rte_pktmbuf_free_bulk(mbufs, n);
}

/* Buffers of the NIC that is not there: those it sent from, or will receive into. */
static struct {
	uint16_t n;
	struct rte_mbuf *mbufs[FIXTURE_BURST];
} nic;

static const struct port_ops *ring_ops;

static uint16_t nic_receive(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	n = ring_ops->receive(port, queue, mbufs, n);
	if (n > 0 && rte_pktmbuf_alloc_bulk(fixture_pool, nic.mbufs, n) == 0)
		nic.n = n;
	return n;
}

static uint16_t nic_send(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	n = ring_ops->send(port, queue, mbufs, n);
	rte_pktmbuf_free_bulk(nic.mbufs, nic.n);
	nic.n = 0;
	return n;
}

static bool nic_open(struct subject *subject, struct error *error)
{
	static struct port_ops ops;

	if (!ring_open(subject, error))
		return false;
	ring_ops = subject->peer.port.ops;
	ops = *ring_ops;
	ops.receive = nic_receive;
	ops.send = nic_send;
	subject->peer.port.ops = &ops;
	return true;
}

static void nic_free(void)
{
	rte_pktmbuf_free_bulk(nic.mbufs, nic.n);
	nic.n = 0;
}

static void nic_give(struct subject *subject)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];

	nic_free();
	ring_ops->send(&subject->peer.port, 0, mbufs, make_burst(fixture_pool, subject, mbufs));
}

/* Leaves buffers to be freed by the next burst sent. */
static void nic_take(struct subject *subject)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];
	uint16_t n;

	nic_free();
	while ((n = ring_ops->receive(&subject->peer.port, 0, mbufs, FIXTURE_BURST)) > 0)
		rte_pktmbuf_free_bulk(mbufs, n);
	if (rte_pktmbuf_alloc_bulk(fixture_pool, nic.mbufs, subject->burst) == 0)
		nic.n = subject->burst;
}

static struct subject subjects[] = {
	{.type = "uplink",
		.packets = PACKETS,
		.open = nic_open,
		.give = nic_give,
		.take = nic_take},
	{.type = "vhost-user",
		.packets = PACKETS,
		.open = vhost_open,
		.give = ethdev_give,
		.take = ethdev_take},
	{.type = "memif",
		.packets = PACKETS,
		.open = memif_open,
		.give = ethdev_give,
		.take = ethdev_take},
	{.type = "tap",
		.packets = TAP_PACKETS,
		.open = tap_open,
		.give = tap_give,
		.take = tap_take},
	{.type = "ring",
		.packets = PACKETS,
		.open = ring_open,
		.give = ring_give,
		.take = ring_take},
};

/* ---- the peer's place ---- */

struct peer_call {
	struct subject *subject;
	void (*call)(struct subject *subject); /* NULL: none */
	bool over;
} __rte_cache_aligned;

static struct peer_call peer_call;

static int serve(void *argument)
{
	struct peer_call *call = argument;

	while (!__atomic_load_n(&call->over, __ATOMIC_ACQUIRE)) {
		if (__atomic_load_n(&call->call, __ATOMIC_ACQUIRE) == NULL)
			continue;
		call->call(call->subject);
		__atomic_store_n(&call->call, NULL, __ATOMIC_RELEASE);
	}
	return 0;
}

static void let_peer(int place, struct subject *subject, void (*call)(struct subject *subject))
{
	if (place == SAME_CPU) {
		call(subject);
		return;
	}
	peer_call.subject = subject;
	__atomic_store_n(&peer_call.call, call, __ATOMIC_RELEASE);
	while (__atomic_load_n(&peer_call.call, __ATOMIC_ACQUIRE) != NULL)
		;
}

static void start_serving(int place)
{
	peer_call.over = false;
	if (place == ACROSS)
		rte_eal_remote_launch(serve, &peer_call, rounds_partner);
}

static void stop_serving(void)
{
	__atomic_store_n(&peer_call.over, true, __ATOMIC_RELEASE);
	rte_eal_wait_lcore(rounds_partner);
}

/* ---- a measurement ---- */

/* Cycles of the call, or FAILED if the peer had no room. The fence: what the peer has written would
 * not be in this CPU's store buffer. */
static double send_once(struct subject *subject)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];
	uint16_t n = make_burst(fixture_pool, subject, mbufs), sent;
	uint64_t begin, end;

	rte_mb();
	begin = rte_rdtsc();
	sent = subject->peer.port.ops->send(&subject->peer.port, 0, mbufs, n);
	end = rte_rdtsc();
	rte_pktmbuf_free_bulk(mbufs + sent, n - sent);
	return sent == subject->burst ? (double)(end - begin) - rounds_tsc_cycles : FAILED;
}

/* weft asks for whole bursts, whatever there is. A TAP that was empty is not looked at for a while.
 */
static double receive_once(struct subject *subject)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];
	uint64_t begin, end, until = rte_rdtsc() + TRY_MS * rte_get_tsc_hz() / MS_PER_S;
	uint16_t n;

	rte_mb();
	do {
		begin = rte_rdtsc();
		n = subject->peer.port.ops->receive(&subject->peer.port, 0, mbufs, FIXTURE_BURST);
		end = rte_rdtsc();
	} while (n == 0 && end < until);
	rte_pktmbuf_free_bulk(mbufs, n);
	return n == subject->burst ? (double)(end - begin) - rounds_tsc_cycles : FAILED;
}

static double reserve_once(struct subject *subject)
{
	struct port *port = &subject->peer.port;
	struct rte_mbuf *mbufs[FIXTURE_BURST];
	uint16_t n = make_burst(fixture_pool, subject, mbufs);
	struct reservation reservation;
	uint64_t begin, end;
	int reserved;

	reservation.later = true;
	rte_mb();
	begin = rte_rdtsc();
	reserved = port->ops->reserve(port, 0, mbufs, n, &reservation);
	end = rte_rdtsc();
	if (reserved > 0) {
		port->ops->fill(port, &reservation, mbufs);
		port->ops->publish(port, &reservation);
	}
	rte_pktmbuf_free_bulk(mbufs, n);
	return reserved == subject->burst ? (double)(end - begin) - rounds_tsc_cycles : FAILED;
}

static double claim_once(struct subject *subject)
{
	struct port *port = &subject->peer.port;
	uint64_t begin, end, until = rte_rdtsc() + TRY_MS * rte_get_tsc_hz() / MS_PER_S;
	struct rte_mbuf *mbufs[FIXTURE_BURST];
	struct reservation reservation;
	uint16_t n;

	rte_mb();
	do {
		begin = rte_rdtsc();
		n = port->ops->claim(port, 0, FIXTURE_BURST, &reservation);
		end = rte_rdtsc();
	} while (n == 0 && end < until);
	if (n > 0) {
		port->ops->collect(port, &reservation, mbufs);
		port->ops->publish(port, &reservation);
		rte_pktmbuf_free_bulk(mbufs, n);
	}
	return n == subject->burst ? (double)(end - begin) - rounds_tsc_cycles : FAILED;
}

static const struct {
	const char *name;
	bool from_peer;
	double (*once)(struct subject *subject);
	int alone; /* the call that is its part for one lcore at a time */
} calls[CALLS] = {
	[SEND] = {"send", false, send_once, RESERVE},
	[RECEIVE] = {"receive", true, receive_once, CLAIM},
	[RESERVE] = {"reserve", false, reserve_once, RESERVE},
	[CLAIM] = {"claim", true, claim_once, CLAIM},
};

static bool has_call(const struct subject *subject, int call)
{
	const struct port_ops *ops = subject->peer.port.ops;

	return call == SEND || call == RECEIVE || (ops->reserve != NULL && ops->claim != NULL);
}

static double call_once(struct subject *subject, int place, int call)
{
	double cycles;

	if (calls[call].from_peer)
		let_peer(place, subject, subject->give);
	cycles = calls[call].once(subject);
	if (!calls[call].from_peer)
		let_peer(place, subject, subject->take);
	return cycles;
}

static double measure(struct subject *subject, int place, int call)
{
	unsigned int times = subject->packets / subject->burst, n = 0;
	double values[PACKETS];

	for (unsigned int i = 0; i < times; i++) {
		double cycles = call_once(subject, place, call);

		if (i >= times / 2 && cycles != FAILED)
			values[n++] = cycles;
	}
	if (n == 0)
		rte_exit(EXIT_FAILURE, "bench-calibrate: no %s of %u packets by %s succeeded\n",
			calls[call].name, subject->burst, subject->type);
	return fixture_middle(values, n);
}

static void drain(struct subject *subject)
{
	struct rte_mbuf *mbufs[FIXTURE_BURST];
	uint16_t n;

	subject->take(subject);
	while ((n = subject->peer.port.ops->receive(&subject->peer.port, 0, mbufs, FIXTURE_BURST)) >
		0)
		rte_pktmbuf_free_bulk(mbufs, n);
}

static void measure_size(struct subject *subject, int place, int size, unsigned int round)
{
	subject->bytes = sizes[size] - RTE_ETHER_CRC_LEN;
	fixture_frame_inner(&subject->frame, subject->bytes);
	if (subject->open == tap_open)
		make_tap_frame(subject);
	for (int point = 0; point < FIT_POINTS; point++) {
		subject->burst = fit_bursts[point];
		for (int call = 0; call < CALLS; call++) {
			if (!has_call(subject, call))
				continue;
			subject->samples[place][call][size][point][round] =
				measure(subject, place, call);
			drain(subject);
		}
	}
}

void ports_round(unsigned int round)
{
	for (int place = 0; place < PLACES; place++) {
		start_serving(place);
		for (size_t i = 0; i < RTE_DIM(subjects); i++)
			for (int size = 0; size < SIZES && subjects[i].there; size++)
				measure_size(&subjects[i], place, size, round);
		stop_serving();
	}
}

/* ---- begin and end ---- */

void ports_init(const char *directory)
{
	struct error error;

	rte_log_set_level_pattern("pmd.net.*", RTE_LOG_CRIT); /* TAP's would be of no use here */
	peers_init(directory);
	peer_pool = rte_pktmbuf_pool_create(
		"peer", PEER_MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (peer_pool == NULL)
		rte_exit(EXIT_FAILURE, "bench-calibrate: no memory; give EAL more (-m)\n");
	for (size_t i = 0; i < RTE_DIM(subjects); i++) {
		subjects[i].there = subjects[i].open(&subjects[i], &error);
		if (!subjects[i].there)
			fprintf(stderr, "%s is not measured: %s\n", subjects[i].type, error.text);
	}
}

static bool has_peer_device(const struct subject *subject)
{
	return subject->give == ethdev_give;
}

void ports_close(void)
{
	for (size_t i = 0; i < RTE_DIM(subjects); i++) {
		struct subject *subject = &subjects[i];

		if (subject->there && has_peer_device(subject))
			peers_close(&subject->peer);
		else if (subject->there)
			subject->peer.port.ops->detach(&subject->peer.port);
	}
	nic_free();
	if (tap_socket >= 0)
		close(tap_socket);
	peers_free();
}

/* ---- rows ---- */

/* What crosses between the CPUs depends on their distance. */
static double median_of(const double *samples, int place, unsigned int rounds)
{
	if (place == SAME_CPU)
		return rounds_median(samples, rounds);
	return rounds_median_at(rounds_majority(rounds), samples, rounds);
}

struct fitted {
	struct fit fit;
	double points[SIZES][FIT_POINTS]; /* what it was fitted to */
};

static struct fitted fit_port(
	const struct subject *subject, int place, int call, unsigned int rounds)
{
	struct fitted fitted;

	for (int size = 0; size < SIZES; size++)
		for (int point = 0; point < FIT_POINTS; point++)
			fitted.points[size][point] = median_of(
				subject->samples[place][call][size][point], place, rounds);
	fitted.fit = fit_series(fitted.points, SIZES);
	return fitted;
}

static void print_points(const double points[FIT_POINTS])
{
	for (int point = 0; point < FIT_POINTS; point++)
		printf(", \"burst_of_%u\": %.0f", fit_bursts[point], points[point]);
}

/* What is done alone does not look into the frame: that of the smallest one stands for all. */
static void print_costs(const char *type, int call, const struct fit *fit, const struct fit *alone)
{
	printf(", \"costs\": {\"section\": \"%s %s\", \"burst\": %.2f", calls[call].name, type,
		fit->burst);
	if (alone != NULL)
		printf(", \"alone-burst\": %.2f, \"alone\": %.2f", alone->burst, alone->packet[0]);
	for (int size = 0; size < SIZES; size++)
		printf(", \"%u\": %.2f", sizes[size], fit->packet[size]);
	printf("}");
}

static void print_size(const char *type, int place, int call, int size, const struct fitted *fitted)
{
	const struct fit *fit = &fitted->fit;

	printf("{\"scenario\": \"%s, peer on %s CPU\", " ROW
	       ", \"burst_cycles\": %.2f, \"cycles_per_packet\": %.2f, "
	       "\"fit_error\": %.3f, \"peer\": \"%s\"",
		calls[call].name, place == SAME_CPU ? "the same" : "another", "native", 1,
		sizes[size], type, fit->burst, fit->packet[size], fit->error,
		place == SAME_CPU ? "same" : "other");
	print_points(fitted->points[size]);
}

static void print_call(const struct subject *subject, int place, int call, unsigned int rounds)
{
	struct fitted fitted = fit_port(subject, place, call, rounds), alone;
	bool has_alone = has_call(subject, calls[call].alone);

	if (has_alone)
		alone = fit_port(subject, place, calls[call].alone, rounds);
	for (int size = 0; size < SIZES; size++) {
		print_size(subject->type, place, call, size, &fitted);
		if (size == 0 && calls[call].alone != call)
			print_costs(
				subject->type, call, &fitted.fit, has_alone ? &alone.fit : NULL);
		printf("}\n");
	}
}

void ports_print(unsigned int rounds)
{
	for (size_t i = 0; i < RTE_DIM(subjects); i++)
		for (int place = 0; place < PLACES && subjects[i].there; place++)
			for (int call = 0; call < CALLS; call++)
				if (has_call(&subjects[i], call))
					print_call(&subjects[i], place, call, rounds);
}
