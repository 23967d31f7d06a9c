/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#define RETRY_US 20000

static int fail(const char *device, const char *step, int error)
{
	fprintf(stderr, "weft-traffic: %s: %s: %s\n", device, step, rte_strerror(-error));
	return -1;
}

/* Largest IP packet on the port. */
static uint16_t mtu_of(const struct options *options)
{
	uint16_t mtu = options->frame_bytes - RTE_ETHER_HDR_LEN - RTE_ETHER_CRC_LEN;

	if (!options->native)
		mtu += sizeof(struct frame_outer);
	return RTE_MAX(mtu, RTE_ETHER_MTU);
}

static int configure(uint16_t id, const struct options *options)
{
	struct rte_eth_conf conf = {.rxmode = {.mtu = mtu_of(options)}};
	struct rte_eth_dev_info info;
	int error = rte_eth_dev_info_get(id, &info);

	if (error < 0)
		return error;
	conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	return rte_eth_dev_configure(id, 1, 1, &conf);
}

static int start_queues(uint16_t id, const struct options *options, struct rte_mempool *pool)
{
	uint16_t rx = options->ring_size;
	uint16_t tx = options->ring_size;
	int socket = SOCKET_ID_ANY;
	int error = rte_eth_dev_adjust_nb_rx_tx_desc(id, &rx, &tx);

	if (error == 0)
		error = rte_eth_rx_queue_setup(id, 0, rx, socket, NULL, pool);
	if (error == 0)
		error = rte_eth_tx_queue_setup(id, 0, tx, socket, NULL);
	if (error == 0)
		error = rte_eth_dev_start(id);
	return error;
}

static int add_port(struct ports *ports, uint16_t id, const struct options *options)
{
	char name[RTE_ETH_NAME_MAX_LEN] = "?";
	int error;

	rte_eth_dev_get_name_by_port(id, name);
	if (ports->n == PORTS_MAX)
		return fail(name, "too many ports", -ENOSPC);
	error = configure(id, options);
	if (error < 0)
		return fail(name, "configure", error);
	error = start_queues(id, options, ports->pool);
	if (error < 0)
		return fail(name, "start", error);
	/* What the container gets is judged by its MAC here, not filtered by the device. */
	rte_eth_promiscuous_enable(id);
	ports->port[ports->n++].id = id;
	return 0;
}

/* The socket a device connects to: the value of path= or socket=. */
static void socket_of(const char *devargs, char *path, size_t size)
{
	const char *start = strstr(devargs, "path=");
	size_t length;

	if (start == NULL)
		start = strstr(devargs, "socket=");
	start = start == NULL ? "" : strchr(start, '=') + 1;
	length = strcspn(start, ",");
	snprintf(path, size, "%.*s", (int)length, start);
}

static bool wait_for_socket(const char *devargs, uint64_t deadline, const volatile int *stop)
{
	char path[256];

	socket_of(devargs, path, sizeof(path));
	while (path[0] != '\0' && access(path, F_OK) != 0) {
		if (*stop || rte_rdtsc() > deadline) {
			fprintf(stderr, "weft-traffic: %s: the socket is not there\n", path);
			return false;
		}
		usleep(RETRY_US);
	}
	return true;
}

static int open_device(struct ports *ports, const struct options *options, const char *devargs,
	const volatile int *stop)
{
	uint64_t deadline = rte_rdtsc() + options->timeout * rte_get_tsc_hz();
	char name[RTE_DEV_NAME_MAX_LEN];
	uint16_t id;
	int error;

	if (!wait_for_socket(devargs, deadline, stop))
		return -1;
	/* Between bind() and listen() the socket is there but refuses. */
	while ((error = rte_dev_probe(devargs)) < 0 && !*stop && rte_rdtsc() < deadline)
		usleep(RETRY_US);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(devargs, ","), devargs);
	if (error == 0)
		error = rte_eth_dev_get_port_by_name(name, &id);
	if (error < 0)
		return fail(devargs, "open", error);
	return add_port(ports, id, options);
}

int ports_open(struct ports *ports, const struct options *options, const volatile int *stop)
{
	uint16_t room = RTE_MAX(2048, mtu_of(options) + RTE_ETHER_HDR_LEN) + RTE_PKTMBUF_HEADROOM;
	uint16_t id;

	memset(ports, 0, sizeof(*ports));
	ports->pool =
		rte_pktmbuf_pool_create("traffic", options->mbufs, 256, 0, room, SOCKET_ID_ANY);
	if (ports->pool == NULL)
		return fail("packet buffers", "create", -rte_errno);
	RTE_ETH_FOREACH_DEV(id)
	{
		if (add_port(ports, id, options) < 0)
			return -1;
	}
	for (uint16_t i = 0; i < options->n_devices; i++) {
		if (open_device(ports, options, options->devices[i], stop) < 0)
			return -1;
	}
	return 0;
}

void ports_close(struct ports *ports)
{
	for (uint16_t i = 0; i < ports->n; i++) {
		struct port *port = &ports->port[i];

		rte_pktmbuf_free_bulk(port->pending, port->n_pending);
		rte_eth_dev_stop(port->id);
		rte_eth_dev_close(port->id);
	}
	rte_mempool_free(ports->pool);
}

bool ports_are_up(const struct ports *ports)
{
	struct rte_eth_link link;

	for (uint16_t i = 0; i < ports->n; i++) {
		if (rte_eth_link_get_nowait(ports->port[i].id, &link) < 0 ||
			link.link_status != RTE_ETH_LINK_UP)
			return false;
	}
	return true;
}
