/* SPDX-License-Identifier: BSD-3-Clause */
/* weft's side of the ring-backed ethdevs: what their rings cost is left out, and what a port of
 * their type costs is charged. */
#include <assert.h>
#include <string.h>

#include "virtual/device.h"

#define DEFAULT_MTU 1500

static struct devices *offered;

/* ---- the data path ---- */

static void charge(const struct device *device, const struct port_cost *cost,
	struct rte_mbuf **mbufs, uint16_t n)
{
	uint64_t sum = cost->burst;

	for (uint16_t i = 0; i < n; i++)
		sum += port_cost_of_packet(cost, mbufs[i]->pkt_len);
	virtual_charge(device->devices->driver, sum);
}

static void note_received(struct device_queue *queue, uint16_t n)
{
	queue->receiver = rte_lcore_id();
	device_use(queue, virtual_current(queue->device->devices->driver), n, 0);
}

static void note_sent(struct device_queue *queue, uint16_t n)
{
	queue->sender = rte_lcore_id();
	device_use(queue, virtual_current(queue->device->devices->driver), 0, n);
}

/* A poll that finds nothing is part of what an idle round costs. */
static uint16_t virtual_receive(
	struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct device *device = port->driver;
	struct virtual_driver *driver = device->devices->driver;

	virtual_pause(driver);
	n = rte_eth_rx_burst(device->ethdev, queue, mbufs, n);
	if (n > 0) {
		charge(device, device->receive, mbufs, n);
		virtual_filled(driver, mbufs, n, false);
		note_received(&device->queues[queue], n);
	}
	virtual_resume(driver);
	return n;
}

static uint16_t virtual_send(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct device *device = port->driver;
	struct virtual_driver *driver = device->devices->driver;

	virtual_pause(driver);
	n = rte_eth_tx_burst(device->ethdev, queue, mbufs, n);
	charge(device, device->send, mbufs, n);
	if (device->copies)
		virtual_copied(driver, mbufs, n);
	virtual_freed(driver, mbufs, n);
	note_sent(&device->queues[queue], n);
	virtual_resume(driver);
	return n;
}

bool device_is_up(const struct port *port)
{
	(void)port;
	return true;
}

/* ---- coming and going ---- */

static int start(const struct device *device, const struct port *port)
{
	const struct rte_eth_conf conf = {0};
	uint16_t n = device->n_queues;
	int status = rte_eth_dev_configure(device->ethdev, n, n, &conf);

	for (uint16_t i = 0; i < n && status == 0; i++) {
		status = rte_eth_rx_queue_setup(
			device->ethdev, i, 0, SOCKET_ID_ANY, NULL, port->environment.pool);
		if (status == 0)
			status = rte_eth_tx_queue_setup(device->ethdev, i, 0, SOCKET_ID_ANY, NULL);
	}
	return status == 0 ? rte_eth_dev_start(device->ethdev) : status;
}

static int virtual_attach(struct port *port, struct error *error)
{
	struct device *device;

	assert(offered != NULL);
	device = device_find(offered, port->config.name, port->uplink);
	if (device == NULL || device->port != NULL)
		return error_set(error, "under the virtual clock there are the file's ports only");
	if (device->n_queues != port->n_queues)
		return error_set(error, "queues: there are %u, as in the file", device->n_queues);
	if (start(device, port) != 0)
		return error_set(error, "the ring-backed ethdev does not start");
	if (port->uplink)
		port->mac = device->mac;
	if (port->mtu == 0)
		port->mtu = port->config.mtu ? port->config.mtu : DEFAULT_MTU;
	for (uint16_t i = 0; i < device->n_queues; i++)
		device->queues[i].receiver = device->queues[i].sender =
			virtual_lcore_id(port->queues[i].owner);
	if (device->own_rings) {
		port->ops = &copying_port_ops;
		if (copying_attach(device) != 0) {
			copying_detach(device);
			rte_eth_dev_stop(device->ethdev);
			return error_set(error, "not enough memory");
		}
	}
	port->driver = device;
	device->port = port;
	return 0;
}

static unsigned int empty(struct rte_ring *ring)
{
	unsigned int n = 0;
	void *mbuf;

	for (; rte_ring_sc_dequeue(ring, &mbuf) == 0; n++)
		rte_pktmbuf_free(mbuf);
	return n;
}

/* What weft has not received was not given, and what nobody has looked at is out all the same. */
static void empty_queue(struct device *device, struct device_queue *queue)
{
	device->given -= empty(queue->to_weft);
	device->taken += empty(queue->from_weft);
}

void device_detach(struct port *port)
{
	struct device *device = port->driver;

	rte_eth_dev_stop(device->ethdev);
	for (uint16_t i = 0; i < device->n_queues; i++)
		empty_queue(device, &device->queues[i]);
	if (device->own_rings)
		copying_detach(device);
	device->port = NULL;
	port->driver = NULL;
}

static const struct port_ops ring_port_ops = {
	.type = PORT_TYPE_IN_PROCESS,
	.attach = virtual_attach,
	.detach = device_detach,
	.receive = virtual_receive,
	.send = virtual_send,
	.is_up = device_is_up,
};

void devices_replace_ports(void)
{
	port_types_replace(&ring_port_ops);
}

void devices_offer(struct devices *devices)
{
	offered = devices;
}
