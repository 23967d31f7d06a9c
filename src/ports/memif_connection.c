/* SPDX-License-Identifier: BSD-3-Clause */
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <rte_malloc.h>

#include "ports/memif_private.h"
#include "ports/peer_memory.h"

#define REGION_SIZE_MAX (UINT64_C(1) << 40)

struct memif_connection *memif_connection_create(int socket_id)
{
	struct memif_connection *connection = rte_zmalloc_socket(
		"memif connection", sizeof(*connection), RTE_CACHE_LINE_SIZE, socket_id);

	if (connection == NULL)
		return NULL;
	for (int i = 0; i < PORT_QUEUES_MAX; i++) {
		connection->wakes[i] = -1;
		connection->from_client[i].event_fd = -1;
		connection->to_client[i].event_fd = -1;
	}
	return connection;
}

static void close_event(const struct memif_queue *queue)
{
	if (queue->event_fd >= 0)
		close(queue->event_fd);
}

void memif_connection_free(struct memif_connection *connection)
{
	if (connection == NULL)
		return;
	for (uint16_t i = 0; i < connection->n_regions; i++) {
		peer_memory_remove(connection->regions[i].base);
		munmap(connection->regions[i].base, connection->regions[i].mapped);
	}
	for (uint16_t i = 0; i < PORT_QUEUES_MAX; i++) {
		wake_close(&connection->wakes[i]);
		close_event(&connection->from_client[i]);
		close_event(&connection->to_client[i]);
	}
	rte_free(connection);
}

bool memif_connection_lost(const struct memif_connection *connection)
{
	for (uint16_t i = 0; i < connection->n_regions; i++)
		if (peer_memory_lost(connection->regions[i].base))
			return true;
	return false;
}

/* A file of another kind (on FUSE, say) could let an lcore wait for the client at a page fault. */
static const char *file_check(int fd, uint64_t size, size_t *page)
{
	struct statfs system;
	struct stat status;

	if (fstat(fd, &status) != 0 || fstatfs(fd, &system) != 0 || !S_ISREG(status.st_mode))
		return "the region is not a file";
	if (system.f_type != TMPFS_MAGIC && system.f_type != HUGETLBFS_MAGIC)
		return "the region is neither a memfd nor in hugetlbfs";
	if ((uint64_t)status.st_size < size)
		return "the region is larger than its file";
	*page = system.f_type == HUGETLBFS_MAGIC ? (size_t)system.f_bsize
						 : (size_t)sysconf(_SC_PAGESIZE);
	return NULL;
}

static const char *region_map(struct memif_region *region, int fd)
{
	void *base = mmap(NULL, region->mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (base == MAP_FAILED)
		return "the region cannot be mapped";
	if (peer_memory_add(base, region->mapped) != 0) {
		munmap(base, region->mapped);
		return "too many regions in use";
	}
	region->base = base;
	return NULL;
}

const char *memif_connection_add_region(
	struct memif_connection *connection, const struct memif_add_region *message, int fd)
{
	struct memif_region region = {.size = message->size};
	const char *refusal;
	size_t page;

	if (fd < 0)
		return "a region comes with a file descriptor";
	if (message->index >= MEMIF_REGIONS_MAX)
		return "too many regions";
	if (message->index != connection->n_regions)
		return "regions come in order, each once";
	if (region.size == 0 || region.size > REGION_SIZE_MAX)
		return "impossible size of a region";
	refusal = file_check(fd, region.size, &page);
	if (refusal != NULL)
		return refusal;
	region.mapped = RTE_ALIGN_CEIL(region.size, page);
	refusal = region_map(&region, fd);
	if (refusal == NULL)
		connection->regions[connection->n_regions++] = region;
	return refusal;
}

static const char *ring_place(struct memif_connection *connection,
	const struct memif_add_ring *message, uint8_t log2_size_max, struct memif_queue *queue)
{
	const struct memif_region *region;
	uint64_t bytes;

	if (message->region >= connection->n_regions)
		return "the ring is in no region";
	if (message->log2_size > log2_size_max)
		return "the ring is too large";
	region = &connection->regions[message->region];
	bytes = sizeof(struct memif_ring) + (sizeof(union memif_descriptor) << message->log2_size);
	if (message->offset + bytes > region->size)
		return "the ring is not inside its region";
	if (message->offset % sizeof(union memif_descriptor) != 0)
		return "the ring is not aligned";
	queue->ring = (struct memif_ring *)(region->base + message->offset);
	queue->size = (uint16_t)(1u << message->log2_size);
	return NULL;
}

const char *memif_connection_add_ring(struct memif_connection *connection,
	const struct memif_add_ring *message, const struct port *port, int *fd)
{
	const struct memif_port *memif = port->driver;
	bool from_client = message->flags & MEMIF_RING_FROM_CLIENT;
	struct memif_queue *queue;
	const char *refusal;

	if (message->index >= PORT_QUEUES_MAX)
		return "too many rings";
	queue = from_client ? &connection->from_client[message->index]
			    : &connection->to_client[message->index];
	if (queue->ring != NULL)
		return "a ring comes once";
	refusal = ring_place(connection, message, memif->log2_ring_size_max, queue);
	if (refusal != NULL)
		return refusal;
	if (from_client ? wake_add(&connection->wakes[message->index % port->n_queues], *fd) != 0
			: *fd < 0 || kick(*fd) != 0)
		return "a ring comes with an eventfd";
	queue->to_client = !from_client;
	connection->n_from_client += from_client;
	connection->n_to_client += !from_client;
	queue->event_fd = *fd;
	*fd = -1;
	return NULL;
}

static const char *rings_start(struct memif_queue *queues, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct memif_ring *ring = queues[i].ring;

		if (ring == NULL)
			return "rings are numbered from 0";
		if (__atomic_load_n(&ring->cookie, __ATOMIC_RELAXED) != MEMIF_COOKIE)
			return "a ring bears no cookie";
		__atomic_store_n(&ring->head, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&ring->tail, 0, __ATOMIC_RELAXED);
	}
	return NULL;
}

const char *memif_connection_start(struct memif_connection *connection)
{
	const char *refusal;

	if (connection->n_from_client == 0 || connection->n_to_client == 0)
		return "a ring in each direction is needed";
	refusal = rings_start(connection->from_client, connection->n_from_client);
	if (refusal == NULL)
		refusal = rings_start(connection->to_client, connection->n_to_client);
	if (refusal != NULL)
		return refusal;
	for (uint16_t i = 0; i < connection->n_from_client; i++)
		__atomic_store_n(&connection->from_client[i].ring->flags, MEMIF_RING_NO_INTERRUPT,
			__ATOMIC_RELAXED);
	return NULL;
}
