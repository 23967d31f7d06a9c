/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports that are DPDK ethdevs: uplinks of any kind, and the kernel's vhost-net through virtio-user.
 * They differ in how the device comes to be, and in nothing after that.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "ports/port.h"
#include "ports/uplink_rss.h"

#define DEFAULT_RING_SIZE 1024
#define DEVICE_NAME_SIZE 64

struct ethdev {
	uint16_t id;
	bool probed; /* by us, so it is removed again */
	bool up;     /* main lcore: wo, others: ro (relaxed) */
	bool wakes;  /* its queues have descriptors that tell of packets */
};

static uint16_t ethdev_receive(
	struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	const struct ethdev *ethdev = port->driver;

	return rte_eth_rx_burst(ethdev->id, queue, mbufs, n);
}

static uint16_t ethdev_send(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	const struct ethdev *ethdev = port->driver;

	return rte_eth_tx_burst(ethdev->id, queue, mbufs, n);
}

/* The library keeps the descriptor for as long as the device runs. */
static int ethdev_watch(struct port *port, uint16_t queue, bool on)
{
	const struct ethdev *ethdev = port->driver;

	if (!ethdev->wakes)
		return PORT_MUST_BE_POLLED;
	if (!on)
		rte_eth_dev_rx_intr_disable(ethdev->id, queue);
	else if (rte_eth_dev_rx_intr_enable(ethdev->id, queue) != 0)
		return PORT_MUST_BE_POLLED;
	return rte_eth_dev_rx_intr_ctl_q_get_fd(ethdev->id, queue);
}

static bool ethdev_is_up(const struct port *port)
{
	const struct ethdev *ethdev = port->driver;

	return __atomic_load_n(&ethdev->up, __ATOMIC_RELAXED);
}

static void ethdev_housekeep(struct port *port)
{
	struct ethdev *ethdev = port->driver;
	struct rte_eth_link link;
	bool up = rte_eth_link_get_nowait(ethdev->id, &link) == 0 && link.link_status;

	if (up != ethdev->up || port->status[0] == '\0')
		port_report(port, up ? "the link is up" : "there is no link");
	__atomic_store_n(&ethdev->up, up, __ATOMIC_RELAXED);
}

static uint64_t ethdev_missed(struct port *port)
{
	const struct ethdev *ethdev = port->driver;
	struct rte_eth_stats stats;

	if (rte_eth_stats_get(ethdev->id, &stats) != 0)
		return 0;
	return stats.imissed + stats.rx_nombuf;
}

/* ---- bringing a device up ---- */

static void device_name(const char *device, char name[DEVICE_NAME_SIZE])
{
	snprintf(name, DEVICE_NAME_SIZE, "%.*s", (int)strcspn(device, ","), device);
}

/* The library's telemetry tells names, and takes each byte as an index into a table. */
static bool is_printable(const char *name)
{
	while (*name >= '!' && *name <= '~')
		name++;
	return *name == '\0';
}

/* Finds the device if EAL has it (a PCI device, or --vdev), and makes it otherwise. */
static int probe(struct ethdev *ethdev, const char *device, struct error *error)
{
	char name[DEVICE_NAME_SIZE];

	device_name(device, name);
	if (!is_printable(name))
		return error_set(error, "device: '%s' is no name of a device", name);
	if (rte_eth_dev_get_port_by_name(name, &ethdev->id) == 0)
		return 0;
	if (rte_dev_probe(device) == 0 && rte_eth_dev_get_port_by_name(name, &ethdev->id) == 0) {
		ethdev->probed = true;
		return 0;
	}
	return error_set(error,
		"device: '%s' is not there or cannot be opened; `dpdk-devbind.py --status` lists "
		"PCI devices, and a vdev needs its arguments (net_memif0,socket=/run/uplink.sock)",
		device);
}

static void unprobe(const struct ethdev *ethdev)
{
	struct rte_eth_dev_info info;
	bool known = rte_eth_dev_info_get(ethdev->id, &info) == 0;

	rte_eth_dev_close(ethdev->id);
	if (known && ethdev->probed)
		rte_dev_remove(info.device);
}

/* Also of a port with one queue: the hash tells flows apart. */
static uint64_t rss_of(const struct port *port, const struct rte_eth_dev_info *info)
{
	bool tells_hash = port->uplink && info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH;

	if (port->n_queues == 1 && !tells_hash)
		return 0;
	return info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP);
}

/* mlx5 leaves the hash out of some compressed completions: packets of one flow would differ in
 * whether they have it. */
static bool every_packet_has_hash(const struct rte_eth_dev_info *info)
{
	const struct rte_devargs *devargs = rte_dev_devargs(info->device);

	if (strstr(info->driver_name, "mlx5") == NULL)
		return true;
	return devargs != NULL && devargs->args != NULL &&
	       strstr(devargs->args, "rxq_cqe_comp_en=0") != NULL;
}

static int configure(struct port *port, const struct rte_eth_dev_info *info, bool interrupts,
	struct error *error)
{
	const struct ethdev *ethdev = port->driver;
	struct rte_eth_conf conf = {.intr_conf = {.rxq = interrupts}};
	uint64_t rss = rss_of(port, info);
	uint16_t n = port->n_queues;
	uint16_t mtu;

	if (n > info->max_rx_queues || n > info->max_tx_queues)
		return error_set(error, "queues: the device has %u receive and %u transmit queues",
			info->max_rx_queues, info->max_tx_queues);
	if (rss != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = rss;
		conf.rxmode.offloads = info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH;
	}
	port->hashes_outer = rss & RTE_ETH_RSS_NONFRAG_IPV4_UDP && every_packet_has_hash(info);
	/* DPDK's default is 1500 whatever the device had; its own MTU is kept. */
	if (rte_eth_dev_get_mtu(ethdev->id, &mtu) == 0)
		conf.rxmode.mtu = RTE_MIN(mtu, info->max_mtu);
	/* For containers it is no gain: drivers compute it in software, and of the whole packet. */
	if (port->uplink)
		conf.rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_CHECKSUM;
	conf.txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (rte_eth_dev_configure(ethdev->id, n, n, &conf) != 0)
		return error_set(
			error, "device: the driver %s refuses %u queues", info->driver_name, n);
	return 0;
}

static int set_up_queues(struct port *port, struct error *error)
{
	const struct ethdev *ethdev = port->driver;
	uint16_t rx = port->config.ring_size ? port->config.ring_size : DEFAULT_RING_SIZE;
	uint16_t tx = rx;

	if (rte_eth_dev_adjust_nb_rx_tx_desc(ethdev->id, &rx, &tx) != 0)
		return error_set(error, "ring-size: the device does not take %u", rx);
	for (uint16_t i = 0; i < port->n_queues; i++)
		if (rte_eth_rx_queue_setup(ethdev->id, i, rx, port->environment.socket_id, NULL,
			    port->environment.pool) != 0 ||
			rte_eth_tx_queue_setup(
				ethdev->id, i, tx, port->environment.socket_id, NULL) != 0)
			return error_set(error,
				"ring-size: cannot set up queue %u with %u descriptors; the "
				"driver's "
				"line above says why (it may want a larger [weft] mbuf-size)",
				i, rx);
	return 0;
}

/* Devices that filter nothing, such as memif, have no address to set: then it is ours alone. */
static int set_mac(struct port *port, struct error *error)
{
	const struct ethdev *ethdev = port->driver;
	int status;

	if (rte_is_zero_ether_addr(&port->config.mac)) {
		if (rte_eth_macaddr_get(ethdev->id, &port->mac) != 0)
			return error_set(error, "mac: the device does not tell its own; give one");
		return 0;
	}
	port->mac = port->config.mac;
	status = rte_eth_dev_default_mac_addr_set(ethdev->id, &port->config.mac);
	if (status == -ENOTSUP)
		rte_eth_promiscuous_enable(ethdev->id);
	else if (status != 0)
		return error_set(error, "mac: the device does not take this address");
	return 0;
}

static int set_mtu(struct port *port, struct error *error)
{
	const struct ethdev *ethdev = port->driver;
	uint16_t mtu = port->config.mtu;

	if (mtu != 0 && rte_eth_dev_set_mtu(ethdev->id, mtu) != 0)
		return error_set(error, "mtu: the device does not take %u", mtu);
	if (rte_eth_dev_get_mtu(ethdev->id, &port->mtu) != 0)
		return error_set(error, "mtu: the device does not tell its own; give one");
	return 0;
}

static int start(struct port *port, const struct rte_eth_dev_info *info, bool interrupts,
	struct error *error)
{
	const struct ethdev *ethdev = port->driver;
	int status;

	if (configure(port, info, interrupts, error) != 0 || set_up_queues(port, error) != 0 ||
		set_mtu(port, error) != 0 || (port->uplink && set_mac(port, error) != 0))
		return -1;
	status = rte_eth_dev_start(ethdev->id);
	if (status != 0)
		return error_set(error, "device: the driver %s cannot start it (%s)",
			info->driver_name, rte_strerror(-status));
	return 0;
}

/* Drivers tell only when they are asked; some have the calls and no descriptors. */
static bool has_interrupts(const struct port *port)
{
	const struct ethdev *ethdev = port->driver;
	bool all = true;

	for (uint16_t i = 0; i < port->n_queues && all; i++) {
		all = rte_eth_dev_rx_intr_enable(ethdev->id, i) == 0 &&
		      rte_eth_dev_rx_intr_ctl_q_get_fd(ethdev->id, i) >= 0;
		rte_eth_dev_rx_intr_disable(ethdev->id, i);
	}
	return all;
}

/* Some drivers that have no interrupts, or not enough, refuse what asks for them. */
static int start_with_interrupts(
	struct port *port, const struct rte_eth_dev_info *info, struct error *error)
{
	struct ethdev *ethdev = port->driver;

	if (!port->environment.sleeps || start(port, info, true, error) != 0)
		return start(port, info, false, error);
	ethdev->wakes = has_interrupts(port);
	return 0;
}

static int bring_up(struct port *port, struct error *error)
{
	const struct ethdev *ethdev = port->driver;
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(ethdev->id, &info) != 0)
		return error_set(error, "device: the driver does not answer");
	if (start_with_interrupts(port, &info, error) != 0)
		return -1;
	if (port->uplink && port->n_queues > 1)
		port->hashes_inner = uplink_rss(ethdev->id, port->config.name, port->n_queues) &&
				     every_packet_has_hash(&info);
	return 0;
}

static int attach_device(struct port *port, const char *device, struct error *error)
{
	struct ethdev *ethdev = rte_zmalloc_socket(
		"ethdev", sizeof(*ethdev), RTE_CACHE_LINE_SIZE, port->environment.socket_id);

	if (ethdev == NULL)
		return error_set(error, "no memory for the port; give EAL more (-m, huge pages)");
	if (probe(ethdev, device, error) != 0) {
		rte_free(ethdev);
		return -1;
	}
	port->driver = ethdev;
	if (bring_up(port, error) != 0) {
		unprobe(ethdev);
		rte_free(ethdev);
		port->driver = NULL;
		return -1;
	}
	ethdev_housekeep(port);
	return 0;
}

static void ethdev_detach(struct port *port)
{
	struct ethdev *ethdev = port->driver;

	rte_eth_dev_stop(ethdev->id);
	unprobe(ethdev);
	rte_free(ethdev);
	port->driver = NULL;
}

/* ---- the two types ---- */

static int uplink_attach(struct port *port, struct error *error)
{
	return attach_device(port, port->config.device, error);
}

static int vhost_net_attach(struct port *port, struct error *error)
{
	char device[PORT_DEVICE_SIZE], mac[RTE_ETHER_ADDR_FMT_SIZE];

	if (access("/dev/vhost-net", R_OK | W_OK) != 0)
		return error_set(error,
			"type: vhost-net needs /dev/vhost-net; `modprobe vhost_net` "
			"makes it where the kernel has it, type = tap works without");
	rte_ether_format_addr(mac, sizeof(mac), &port->config.mac);
	snprintf(device, sizeof(device),
		"net_virtio_user_%s,path=/dev/vhost-net,iface=%s,mac=%s,queues=%u,queue_size=%u",
		port->config.name, port_interface(port), mac, port->n_queues,
		port->config.ring_size ? port->config.ring_size : DEFAULT_RING_SIZE);
	return attach_device(port, device, error);
}

const struct port_ops uplink_port_ops = {
	.type = "uplink",
	.attach = uplink_attach,
	.detach = ethdev_detach,
	.receive = ethdev_receive,
	.send = ethdev_send,
	.watch = ethdev_watch,
	.is_up = ethdev_is_up,
	.housekeep = ethdev_housekeep,
	.missed = ethdev_missed,
};

const struct port_ops vhost_net_port_ops = {
	.type = "vhost-net",
	.attach = vhost_net_attach,
	.detach = ethdev_detach,
	.receive = ethdev_receive,
	.send = ethdev_send,
	.watch = ethdev_watch,
	.is_up = ethdev_is_up,
	.housekeep = ethdev_housekeep,
};
