/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtual/device.h"

#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>

#include "control/config.h"

#define DEFAULT_RING_SIZE 1024

/* ---- making them ---- */

static struct rte_ring *make_ring(
	const struct device *device, const char *direction, uint16_t queue)
{
	char name[RTE_RING_NAMESIZE];
	uint16_t size = device->config->ring_size ? device->config->ring_size : DEFAULT_RING_SIZE;

	snprintf(name, sizeof(name), "weft_%s_%u_%u", direction,
		(unsigned int)(device - device->devices->list), queue);
	return rte_ring_create(
		name, size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

static int make_rings(struct device *device, struct error *error)
{
	for (uint16_t i = 0; i < device->n_queues; i++) {
		struct device_queue *queue = &device->queues[i];

		*queue = (struct device_queue){.device = device,
			.index = i,
			.to_weft = make_ring(device, "rx", i),
			.from_weft = make_ring(device, "tx", i)};
		if (queue->to_weft == NULL || queue->from_weft == NULL)
			return error_set(error,
				"ring-size: not enough memory; give EAL more (-m, huge pages)");
	}
	return 0;
}

static int make_ethdev(struct device *device, struct error *error)
{
	struct rte_ring *to_weft[PORT_QUEUES_MAX], *from_weft[PORT_QUEUES_MAX];
	char name[RTE_ETH_NAME_MAX_LEN];
	int id;

	for (uint16_t i = 0; i < device->n_queues; i++) {
		to_weft[i] = device->queues[i].to_weft;
		from_weft[i] = device->queues[i].from_weft;
	}
	snprintf(name, sizeof(name), "weft%u", (unsigned int)(device - device->devices->list));
	id = rte_eth_from_rings(name, to_weft, device->n_queues, from_weft, device->n_queues, 0);
	if (id < 0)
		return error_set(
			error, "DPDK makes no ring-backed ethdev (%s)", rte_strerror(rte_errno));
	device->ethdev = id;
	return 0;
}

/* Unlike any that a configuration is likely to have, and the same in each run. */
static struct rte_ether_addr own_mac(const struct device *device)
{
	uint8_t index = device - device->devices->list;

	if (!rte_is_zero_ether_addr(&device->config->mac))
		return device->config->mac;
	return (struct rte_ether_addr){{0x02, 0xfc, 0, 0, 0, index}};
}

static int find_costs(struct device *device, const struct costs *costs, struct error *error)
{
	/* Its type says what it would be at. */
	const char *type = device->uplink ? "uplink" : device->config->type;

	device->receive = costs_of_receive(costs, type);
	device->send = costs_of_send(costs, type);
	if (device->receive != NULL && device->send != NULL)
		return 0;
	return error_set(error,
		"type: [virtual] costs: the file has no [%s %s]; `scripts/bench calibrate` "
		"measures "
		"uplinks, vhost-user, memif, tap and ring",
		device->receive == NULL ? "receive" : "send", type);
}

static bool has_own_rings(const char *type)
{
	return strcmp(type, "vhost-user") == 0 || strcmp(type, "memif") == 0;
}

static int add_device(struct devices *devices, const struct port_config *config, bool uplink,
	const struct costs *costs, struct error *error)
{
	struct device *device = &devices->list[devices->n];

	if (rte_eth_dev_count_avail() >= RTE_MAX_ETHPORTS)
		return error_set(error,
			"under the virtual clock each uplink and each port is an ethdev, and DPDK "
			"has room for %d",
			RTE_MAX_ETHPORTS);
	*device = (struct device){
		.config = config, .uplink = uplink, .n_queues = config->queues, .devices = devices};
	device->copies = !uplink && strcmp(config->type, "ring") != 0;
	device->own_rings = !uplink && has_own_rings(config->type);
	device->mac = own_mac(device);
	if (find_costs(device, costs, error) != 0)
		return -1;
	if (make_rings(device, error) == 0 && make_ethdev(device, error) == 0) {
		devices->n++;
		return 0;
	}
	for (uint16_t i = 0; i < device->n_queues; i++) {
		rte_ring_free(device->queues[i].to_weft);
		rte_ring_free(device->queues[i].from_weft);
	}
	return -1;
}

int devices_create(struct devices *devices, const struct config *config, const struct costs *costs,
	struct error *error)
{
	memset(devices, 0, sizeof(*devices));
	for (uint32_t i = 0; i < config->n_uplinks; i++)
		if (add_device(devices, &config->uplinks[i].port, true, costs, error) != 0)
			return error_prefix(error, "[uplink %s]: ", config->uplinks[i].port.name);
	for (uint32_t i = 0; i < config->n_containers; i++)
		if (add_device(devices, &config->containers[i].port, false, costs, error) != 0)
			return error_prefix(error, "[port %s]: ", config->containers[i].port.name);
	return 0;
}

static void free_device(struct device *device)
{
	struct rte_eth_dev_info info;
	bool known = rte_eth_dev_info_get(device->ethdev, &info) == 0;

	rte_eth_dev_close(device->ethdev);
	if (known)
		rte_dev_remove(info.device);
	for (uint16_t i = 0; i < device->n_queues; i++) {
		rte_ring_free(device->queues[i].to_weft);
		rte_ring_free(device->queues[i].from_weft);
	}
}

void devices_free(struct devices *devices)
{
	for (uint16_t i = 0; i < devices->n; i++)
		free_device(&devices->list[i]);
	devices->n = 0;
}

struct device *device_find(struct devices *devices, const char *name, bool uplink)
{
	for (uint16_t i = 0; i < devices->n; i++)
		if (devices->list[i].uplink == uplink &&
			strcmp(devices->list[i].config->name, name) == 0)
			return &devices->list[i];
	return NULL;
}

/* ---- from outside ---- */

bool device_has_room(const struct device *device, uint16_t queue)
{
	const struct device_queue *own = &device->queues[queue];

	/* What a round takes is there until the round ends. */
	return device->port != NULL &&
	       rte_ring_count(own->to_weft) + own->received + device_side_open(&own->receiving) <
		       rte_ring_get_capacity(own->to_weft);
}

bool device_give(struct device *device, uint16_t queue, struct rte_mbuf *mbuf, uint64_t now)
{
	if (!device_has_room(device, queue))
		return false;
	rte_ring_sp_enqueue(device->queues[queue].to_weft, mbuf);
	device->given++;
	virtual_wake_receivers(device->devices->driver, device->port, queue, now);
	return true;
}

bool devices_are_empty(const struct devices *devices)
{
	for (uint16_t i = 0; i < devices->n; i++)
		for (uint16_t j = 0; j < devices->list[i].n_queues; j++)
			if (!rte_ring_empty(devices->list[i].queues[j].to_weft) ||
				!rte_ring_empty(devices->list[i].queues[j].from_weft))
				return false;
	return true;
}

/* ---- who uses them ---- */

void device_use(struct device_queue *queue, uint16_t lcore, uint32_t received, uint32_t sent)
{
	struct device_use *use = &queue->uses[lcore], **used = &queue->device->devices->used[lcore];

	use->received += received;
	use->sent += sent;
	queue->received += received;
	queue->sent += sent;
	if (use->listed)
		return;
	use->queue = queue;
	use->listed = true;
	use->next = *used;
	*used = use;
}

struct device_use *devices_take_used(struct devices *devices, uint16_t lcore)
{
	struct device_use *first = devices->used[lcore];

	for (struct device_use *use = first; use != NULL; use = use->next) {
		use->queue->received -= use->received;
		use->queue->sent -= use->sent;
		if (use->queue->reserver == lcore + 1)
			use->queue->reserver = 0;
		use->received = use->sent = 0;
		use->listed = false;
	}
	devices->used[lcore] = NULL;
	return first;
}
