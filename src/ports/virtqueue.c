/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports/virtqueue.h"

#include <assert.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stddef.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_memcpy.h>
#include <rte_mempool.h>
#include <rte_prefetch.h>
#include <rte_tcp.h>
#include <rte_vhost.h>

#include "base/checksum.h"
#include "ports/large_segment.h"

#define FRAME_MAX 9728 /* bytes taken of a frame; longer than any MTU allows */
#define QUEUE_SIZE_MAX 32768

/* The functions that take `packed` are compiled twice, so that no packet asks which it is. */

int virtqueue_break(struct virtqueue *queue, enum virtqueue_fault fault)
{
	__atomic_store_n(&queue->fault, fault, __ATOMIC_RELAXED);
	return CHAIN_BROKEN;
}

static bool is_broken(const struct virtqueue *queue)
{
	return unlikely(__atomic_load_n(&queue->fault, __ATOMIC_RELAXED) != VIRTQUEUE_SOUND);
}

const char *virtqueue_fault_text(enum virtqueue_fault fault)
{
	static const char *const texts[] = {
		[VIRTQUEUE_SOUND] = "nothing",
		[VIRTQUEUE_INDEX] = "more is offered than it has",
		[VIRTQUEUE_NUMBER] = "no such descriptor",
		[VIRTQUEUE_ADDRESS] = "an address outside the shared memory",
		[VIRTQUEUE_CHAIN] = "a chain without end",
		[VIRTQUEUE_TABLE] = "an impossible table of descriptors",
		[VIRTQUEUE_KIND] = "a buffer of the wrong direction",
		[VIRTQUEUE_EMPTY] = "a buffer without room",
		[VIRTQUEUE_MEMORY] = "it is not in the shared memory",
	};

	return texts[fault];
}

/* ---- making one ---- */

static bool is_in_memory(const struct virtqueue *queue)
{
	const struct guest_memory *memory = &queue->memory;
	uint64_t size = queue->size;

	if (!guest_memory_has(memory, queue->descriptors, size * sizeof(struct vring_desc)))
		return false;
	if (queue->packed)
		return guest_memory_has(memory, queue->driver, sizeof(*queue->driver)) &&
		       guest_memory_has(memory, queue->device, sizeof(*queue->device));
	/* With the two bytes of the event index, which are always there. */
	return guest_memory_has(memory, queue->available,
		       sizeof(struct vring_avail) + (size + 1) * sizeof(uint16_t)) &&
	       guest_memory_has(memory, queue->used,
		       sizeof(struct vring_used) + size * sizeof(struct vring_used_elem) +
			       sizeof(uint16_t));
}

static bool is_aligned(const struct virtqueue *queue)
{
	return ((uintptr_t)queue->descriptors % sizeof(uint64_t) |
		       (uintptr_t)queue->available % sizeof(uint16_t) |
		       (uintptr_t)queue->used % sizeof(uint32_t) |
		       (uintptr_t)queue->driver % sizeof(uint16_t) |
		       (uintptr_t)queue->device % sizeof(uint16_t)) == 0;
}

static bool is_usable(const struct virtqueue *queue)
{
	return queue->size > 0 && queue->size <= QUEUE_SIZE_MAX &&
	       (queue->packed || (queue->size & (queue->size - 1)) == 0) &&
	       (!queue->packed || packed_index(queue->next) < queue->size) && is_aligned(queue) &&
	       is_in_memory(queue);
}

static void set_rings(struct virtqueue *queue, const struct rte_vhost_vring *vring)
{
	queue->descriptors = (union virtqueue_descriptor *)vring->desc;
	queue->available = queue->packed ? NULL : vring->avail;
	queue->used = queue->packed ? NULL : vring->used;
	queue->driver = queue->packed ? vring->driver_event : NULL;
	queue->device = queue->packed ? vring->device_event : NULL;
	queue->size = vring->size;
	queue->call_fd = vring->callfd;
	queue->kick_fd = vring->kickfd;
}

static void set_features(struct virtqueue *queue, const struct virtqueue_setup *setup)
{
	uint64_t features = setup->features;

	queue->packed = features >> VIRTIO_F_RING_PACKED & 1;
	queue->to_driver = setup->ring % 2 == 0;
	queue->mergeable = features >> VIRTIO_NET_F_MRG_RXBUF & 1;
	queue->event_index = features >> VIRTIO_RING_F_EVENT_IDX & 1;
	queue->large_segments = setup->large_segments;
	queue->header = queue->mergeable || features >> VIRTIO_F_VERSION_1 & 1
				? sizeof(struct virtio_net_hdr_mrg_rxbuf)
				: sizeof(struct virtio_net_hdr);
	queue->pool = setup->pool;
	queue->room = rte_pktmbuf_data_room_size(setup->pool) - RTE_PKTMBUF_HEADROOM;
}

int virtqueue_init(struct virtqueue *queue, const struct virtqueue_setup *setup)
{
	struct rte_vhost_vring vring;
	uint16_t used;

	memset(queue, 0, sizeof(*queue));
	set_features(queue, setup);
	if (rte_vhost_get_vhost_vring(setup->device, setup->ring, &vring) != 0 ||
		vring.desc == NULL || vring.avail == NULL || vring.used == NULL ||
		rte_vhost_get_vring_base(setup->device, setup->ring, &queue->next, &used) != 0 ||
		guest_memory_read(&queue->memory, setup->device) != 0)
		return -1;
	set_rings(queue, &vring);
	queue->offered = queue->published = queue->next;
	if (!is_usable(queue))
		return virtqueue_break(queue, VIRTQUEUE_MEMORY);
	virtqueue_want_kicks(queue, false);
	return 0;
}

void virtqueue_save(const struct virtqueue *queue, int device, uint16_t ring)
{
	rte_vhost_set_vring_base(device, ring, queue->published, queue->published);
}

void virtqueue_want_kicks(struct virtqueue *queue, bool wanted)
{
	uint16_t next = queue->next;

	if (queue->packed) {
		__atomic_store_n(&queue->device->flags,
			wanted ? VRING_PACKED_EVENT_FLAG_ENABLE : VRING_PACKED_EVENT_FLAG_DISABLE,
			__ATOMIC_RELAXED);
	} else {
		/* An event that lies behind comes once in 2^16 chains. */
		if (queue->event_index)
			__atomic_store_n((uint16_t *)&queue->used->ring[queue->size],
				wanted ? next : (uint16_t)(next - 1), __ATOMIC_RELAXED);
		__atomic_store_n(
			&queue->used->flags, wanted ? 0 : VRING_USED_F_NO_NOTIFY, __ATOMIC_RELAXED);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* ---- chains ---- */

int virtqueue_add(struct virtqueue *queue, uint64_t address, uint32_t length, bool writable,
	struct reservation *reservation)
{
	if (writable != queue->to_driver)
		return virtqueue_break(queue, VIRTQUEUE_KIND);
	while (length > 0) {
		struct peer_buffer *buffer = &reservation->buffers[reservation->n_buffers];
		uint32_t part = length;
		uint8_t *data;

		if (reservation->n_buffers == RESERVATION_BUFFERS)
			return CHAIN_TOO_LONG;
		data = guest_memory_at(&queue->memory, address, &part);
		if (data == NULL)
			return virtqueue_break(queue, VIRTQUEUE_ADDRESS);
		*buffer = (struct peer_buffer){.data = data, .length = part};
		reservation->n_buffers++;
		address += part;
		length -= part;
	}
	return 1;
}

bool virtqueue_read_entry(
	struct virtqueue *queue, uint64_t table, uint32_t index, union virtqueue_descriptor *own)
{
	uint32_t length = sizeof(*own);
	const void *entry =
		guest_memory_at(&queue->memory, table + index * (uint64_t)sizeof(*own), &length);

	if (entry == NULL || length < sizeof(*own)) {
		virtqueue_break(queue, VIRTQUEUE_ADDRESS);
		return false;
	}
	if ((uintptr_t)entry % sizeof(own->words[0]) != 0) {
		virtqueue_break(queue, VIRTQUEUE_TABLE);
		return false;
	}
	*own = virtqueue_read(entry);
	return true;
}

int virtqueue_end_chain(struct virtqueue *queue, struct reservation *reservation, uint16_t first,
	uint16_t id, uint16_t slots)
{
	struct peer_buffer *last;

	if (reservation->n_buffers == first) {
		if (queue->to_driver)
			return virtqueue_break(queue, VIRTQUEUE_EMPTY);
		if (first == RESERVATION_BUFFERS)
			return CHAIN_TOO_LONG;
		reservation->buffers[reservation->n_buffers++] = (struct peer_buffer){0};
	}
	last = &reservation->buffers[reservation->n_buffers - 1];
	last->id = id;
	last->slots = slots;
	return slots;
}

static inline uint16_t position_after(
	const struct virtqueue *queue, uint16_t position, uint16_t slots, const bool packed)
{
	return packed ? packed_after(queue, position, slots) : (uint16_t)(position + slots);
}

/* A chain of one descriptor whose buffer lies together: as nearly all. */
static inline bool add_single(struct virtqueue *queue, uint16_t flags, uint64_t address,
	uint32_t length, uint16_t id, struct reservation *reservation)
{
	struct peer_buffer *buffer = &reservation->buffers[reservation->n_buffers];
	uint32_t part = length;
	uint8_t *data;

	if (unlikely((flags & (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE)) !=
			     (queue->to_driver ? VRING_DESC_F_WRITE : 0) ||
		     length == 0 || reservation->n_buffers == RESERVATION_BUFFERS))
		return false;
	data = guest_memory_at(&queue->memory, address, &part);
	if (unlikely(data == NULL || part < length))
		return false;
	if (queue->to_driver) {
		__builtin_prefetch(data, 1);
	} else {
		/* Headers often stand before a line's end, and the frame in the next one. */
		rte_prefetch0(data);
		rte_prefetch0(data + queue->header);
	}
	*buffer = (struct peer_buffer){.data = data, .length = length, .id = id, .slots = 1};
	reservation->n_buffers++;
	return true;
}

/* How many chains the driver has offered that nobody has taken. */
static inline uint16_t look_again(struct virtqueue *queue)
{
	uint16_t ready;

	queue->offered = __atomic_load_n(&queue->available->idx, __ATOMIC_ACQUIRE);
	ready = queue->offered - queue->next;
	if (likely(ready <= queue->size))
		return ready;
	queue->offered = queue->next;
	virtqueue_break(queue, VIRTQUEUE_INDEX);
	return 0;
}

/* Looks again only if less is known of than is wanted. Returns how many chains there are, at most
 * n. Of a packed ring nobody knows. */
static inline uint16_t look(struct virtqueue *queue, uint16_t n, const bool packed)
{
	if (packed || (uint16_t)(queue->offered - queue->next) >= n)
		return n;
	return RTE_MIN(n, look_again(queue));
}

static inline int split_chain(
	struct virtqueue *queue, uint16_t position, struct reservation *reservation)
{
	union virtqueue_descriptor own;
	uint16_t head;

	if (position == queue->offered) {
		look_again(queue);
		if (is_broken(queue))
			return CHAIN_BROKEN;
		if (position == queue->offered)
			return CHAIN_NONE;
	}
	head = __atomic_load_n(
		&queue->available->ring[position & (queue->size - 1)], __ATOMIC_RELAXED);
	if (unlikely(head >= queue->size))
		return virtqueue_break(queue, VIRTQUEUE_NUMBER);
	own = virtqueue_read(&queue->descriptors[head]);
	if (likely(add_single(
		    queue, own.split.flags, own.split.addr, own.split.len, head, reservation))) {
		if (reservation->later)
			queue->shortest = RTE_MIN(queue->shortest, own.split.len);
		return 1;
	}
	queue->shortest = 0;
	return virtqueue_split_chain(queue, head, own, reservation);
}

static inline int packed_chain(
	struct virtqueue *queue, uint16_t position, struct reservation *reservation)
{
	union virtqueue_descriptor own =
		virtqueue_read(&queue->descriptors[packed_index(position)]);
	uint16_t flags = own.packed.flags;
	uint16_t expected = position & PACKED_WRAP ? 1u << VRING_PACKED_DESC_F_AVAIL
						   : 1u << VRING_PACKED_DESC_F_USED;

	if ((flags & PACKED_USED_OR_AVAILABLE) != expected)
		return CHAIN_NONE;
	if (likely(add_single(
		    queue, flags, own.packed.addr, own.packed.len, own.packed.id, reservation)))
		return 1;
	return virtqueue_packed_chain(queue, position, own, reservation);
}

/* Adds the buffers of the chain there. Returns how many of the ring's descriptors it takes, or
 * CHAIN_... */
static inline int add_chain(struct virtqueue *queue, uint16_t position,
	struct reservation *reservation, const bool packed)
{
	return packed ? packed_chain(queue, position, reservation)
		      : split_chain(queue, position, reservation);
}

static inline uint32_t length_from(const struct reservation *reservation, uint16_t first)
{
	uint32_t length = 0;

	for (uint16_t i = first; i < reservation->n_buffers; i++)
		length += reservation->buffers[i].length;
	return length;
}

/* Takes so many bytes off the end. All of what is left of a chain, perhaps nothing, is before its
 * end, which is remembered by its last buffer. */
static void shorten(struct reservation *reservation, uint32_t excess)
{
	struct peer_buffer *last = &reservation->buffers[reservation->n_buffers - 1];
	uint16_t id = last->id;
	uint8_t slots = last->slots;

	while (excess > 0 && excess >= last->length) {
		excess -= last->length;
		last--;
		reservation->n_buffers--;
	}
	last->length -= excess;
	last->id = id;
	last->slots = slots;
}

/* Hints only: what is read here is read again. */
static inline void prefetch_chains(const struct virtqueue *queue, uint16_t n, const bool packed)
{
	if (packed) {
		for (uint16_t i = 0; i < n; i += 4)
			rte_prefetch0(&queue->descriptors[packed_index(
				packed_after(queue, queue->next, RTE_MIN(i, queue->size - 1)))]);
		return;
	}
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(
			&queue->descriptors[queue->available->ring[(uint16_t)(queue->next + i) &
								   (queue->size - 1)] &
					    (queue->size - 1)]);
}

static inline void begin(struct virtqueue *queue, struct reservation *reservation)
{
	reservation->ring = queue;
	reservation->begin = queue->next;
	reservation->n = 0;
	reservation->n_buffers = 0;
	reservation->n_mbufs = 0;
}

/* Numbers what has been reserved, up to there, and lets others reserve. */
static inline void leave(struct virtqueue *queue, struct reservation *reservation, uint16_t end)
{
	if (reservation->n > 0) {
		queue->next = end;
		reservation->number = reservations_add(&queue->reservations, end);
	}
	reservations_leave(&queue->reservations);
}

/* ---- towards the driver ---- */

/* A packet has not found enough room: of `taken` descriptors, `got` bytes. `slots` is what came of
 * the last look. If it never will, as these are one chain, or all that a ring or a reservation can
 * have, sets *room. */
static void misfit(struct virtqueue *queue, const struct reservation *reservation, int slots,
	uint32_t taken, uint32_t got, uint32_t *room)
{
	bool is_long = slots == CHAIN_TOO_LONG && reservation->n == 0;

	if (slots == CHAIN_BROKEN || !(slots > 0 || is_long || taken >= queue->size))
		return;
	if (got > queue->header)
		*room = got - queue->header;
	else
		virtqueue_break(queue, is_long ? VIRTQUEUE_CHAIN : VIRTQUEUE_EMPTY);
}

/* Buffers for one packet of `need` bytes, its header among them. Sets *position to behind them.
 * False: there are none, or not enough. */
static __rte_always_inline bool reserve_packet(struct virtqueue *queue, uint16_t *position,
	uint32_t need, struct reservation *reservation, uint32_t *room, const bool packed)
{
	uint16_t before = reservation->n_buffers, end = *position;
	uint32_t got = 0, taken = 0;
	int slots;

	do {
		uint16_t first = reservation->n_buffers;

		slots = taken < queue->size ? add_chain(queue, end, reservation, packed)
					    : CHAIN_NONE;
		if (slots <= 0)
			break;
		got += length_from(reservation, first);
		end = position_after(queue, end, slots, packed);
		taken += slots;
	} while (unlikely(got < need && queue->mergeable));
	if (unlikely(got < need)) {
		misfit(queue, reservation, slots, taken, got, room);
		reservation->n_buffers = before;
		return false;
	}
	if (got > need)
		shorten(reservation, got - need);
	reservation->buffers[reservation->n_buffers - 1].ends = true;
	*position = end;
	return true;
}

/* Whether it fits into a chain like those that were looked at last. */
static inline bool is_usual(const struct virtqueue *queue, const struct rte_mbuf *mbuf)
{
	return mbuf->pkt_len + queue->header <= __atomic_load_n(&queue->usual, __ATOMIC_RELAXED) &&
	       !large_segment_is(mbuf);
}

/* A chain for each of the first packets, without a look. */
static __rte_always_inline void reserve_unseen(struct virtqueue *queue, struct rte_mbuf **mbufs,
	uint16_t n, struct reservation *reservation)
{
	n = look(queue, n, false);
	while (reservation->n < n && is_usual(queue, mbufs[reservation->n]))
		reservation->n++;
}

/* Sets *position to behind their chains. */
static __rte_always_inline void reserve_seen(struct virtqueue *queue, struct rte_mbuf **mbufs,
	uint16_t n, struct reservation *reservation, uint16_t *position, uint32_t *room,
	const bool packed)
{
	queue->shortest = UINT32_MAX;
	prefetch_chains(queue, look(queue, n, packed), packed);
	for (uint16_t i = 0; i < n; i++) {
		if (unlikely(large_segment_is(mbufs[i]) && !queue->large_segments))
			break;
		if (!reserve_packet(queue, position, mbufs[i]->pkt_len + queue->header, reservation,
			    room, packed))
			break;
		reservation->n++;
	}
	if (reservation->later && reservation->n > 0)
		__atomic_store_n(&queue->usual, queue->shortest, __ATOMIC_RELAXED);
}

static __rte_always_inline int reserve(struct virtqueue *queue, struct rte_mbuf **mbufs, uint16_t n,
	struct reservation *reservation, uint32_t *room, const bool packed)
{
	uint16_t position = queue->next;
	uint32_t room_before = *room;
	bool is_pending;

	begin(queue, reservation);
	n = RTE_MIN(n, RESERVATION_PACKETS);
	if (!packed && reservation->later)
		reserve_unseen(queue, mbufs, n, reservation);
	if (likely(reservation->n > 0))
		position += reservation->n;
	else
		reserve_seen(queue, mbufs, n, reservation, &position, room, packed);
	/* If the ring is full of what lcores are copying, the driver has not been asked yet. */
	is_pending = unlikely(reservation->n == 0) && *room == room_before &&
		     reservations_are_pending(&queue->reservations);
	leave(queue, reservation, position);
	return is_pending ? -1 : reservation->n;
}

int virtqueue_reserve(struct virtqueue *queue, struct rte_mbuf **mbufs, uint16_t n,
	struct reservation *reservation, uint32_t *room)
{
	if (is_broken(queue))
		return 0;
	if (!reservations_take(&queue->reservations))
		return -1;
	return queue->packed ? reserve(queue, mbufs, n, reservation, room, true)
			     : reserve(queue, mbufs, n, reservation, room, false);
}

/* Gives a chain back, at its position. The driver does not see it: of a split ring, before the
 * index is stored; of a packed one, before the first descriptor of the reservation is. */
static inline void give_back(struct virtqueue *queue, const struct reservation *reservation,
	uint16_t position, uint16_t id, uint32_t length, const bool packed)
{
	if (packed) {
		union virtqueue_descriptor *shared = &queue->descriptors[packed_index(position)];

		union virtqueue_descriptor own = {
			.packed = {.len = length,
				.id = id,
				.flags = packed_used_flags(queue, position)}};

		if (likely(position != (uint16_t)reservation->begin)) {
			__atomic_store_n(&shared->words[1], own.words[1], __ATOMIC_RELEASE);
		} else {
			__atomic_store_n(&shared->packed.len, length, __ATOMIC_RELAXED);
			__atomic_store_n(&shared->packed.id, id, __ATOMIC_RELAXED);
		}
	} else {
		struct vring_used_elem *shared = &queue->used->ring[position & (queue->size - 1)];

		__atomic_store_n(&shared->id, id, __ATOMIC_RELAXED);
		__atomic_store_n(&shared->len, length, __ATOMIC_RELAXED);
	}
}

/* Says to the driver what a large segment is (virtio 1.2, 5.1.6). */
static void describe(struct rte_mbuf *mbuf, struct virtio_net_hdr *header)
{
	uint16_t start = mbuf->l2_len + mbuf->l3_len;

	large_segment_for_virtio(mbuf);
	header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header->gso_type = mbuf->ol_flags & RTE_MBUF_F_TX_IPV4 ? VIRTIO_NET_HDR_GSO_TCPV4
							       : VIRTIO_NET_HDR_GSO_TCPV6;
	header->gso_size = mbuf->tso_segsz;
	header->hdr_len = start + mbuf->l4_len;
	header->csum_start = start;
	header->csum_offset = offsetof(struct rte_tcp_hdr, cksum);
}

/* Bytes that are written into one buffer after the other. */
struct pen {
	const struct peer_buffer *buffer;
	uint32_t done; /* of it */
};

static void put(struct pen *pen, const uint8_t *data, uint32_t n)
{
	while (n > 0) {
		uint32_t part = RTE_MIN(n, pen->buffer->length - pen->done);

		memcpy(pen->buffer->data + pen->done, data, part);
		data += part;
		n -= part;
		pen->done += part;
		if (pen->done == pen->buffer->length) {
			pen->buffer++;
			pen->done = 0;
		}
	}
}

static uint16_t count_chains(const struct peer_buffer *buffer)
{
	uint16_t n = 0;

	for (bool ends = false; !ends; buffer++) {
		n += buffer->slots > 0;
		ends = buffer->ends;
	}
	return n;
}

static void write_packet(
	const struct virtqueue *queue, const struct peer_buffer *buffers, struct rte_mbuf *mbuf)
{
	struct virtio_net_hdr_mrg_rxbuf header = {.num_buffers = count_chains(buffers)};
	struct pen pen = {.buffer = buffers};

	if (large_segment_is(mbuf))
		describe(mbuf, &header.hdr);
	put(&pen, (const uint8_t *)&header, queue->header);
	for (const struct rte_mbuf *segment = mbuf; segment != NULL; segment = segment->next)
		put(&pen, rte_pktmbuf_mtod(segment, const uint8_t *), segment->data_len);
}

/* The chains of a packet whose first buffer is `buffer`. Returns the next packet's. */
static inline const struct peer_buffer *give_back_chains(struct virtqueue *queue,
	const struct reservation *reservation, const struct peer_buffer *buffer, uint16_t *position,
	const bool packed)
{
	uint32_t length = 0;

	for (bool ends = false; !ends; buffer++) {
		length += buffer->length;
		ends = buffer->ends;
		if (buffer->slots == 0)
			continue;
		give_back(queue, reservation, *position, buffer->id, queue->to_driver ? length : 0,
			packed);
		*position = position_after(queue, *position, buffer->slots, packed);
		length = 0;
	}
	return buffer;
}

/* The chain of the next packet, of `need` bytes. A buffer of length 0: it does not fit. */
static __rte_always_inline void see_chain(
	struct virtqueue *queue, uint16_t head, uint32_t need, struct reservation *reservation)
{
	struct peer_buffer *buffer = &reservation->buffers[reservation->n_buffers];
	union virtqueue_descriptor own;

	if (unlikely(head >= queue->size)) {
		virtqueue_break(queue, VIRTQUEUE_NUMBER);
		own = (union virtqueue_descriptor){.words = {0}};
	} else {
		own = virtqueue_read(&queue->descriptors[head]);
	}
	if (unlikely(own.split.len < need || !add_single(queue, own.split.flags, own.split.addr,
						     own.split.len, head, reservation))) {
		*buffer = (struct peer_buffer){.id = head, .slots = 1};
		reservation->n_buffers++;
	} else {
		buffer->length = need;
	}
	buffer->ends = true;
}

/* The chains that were reserved without a look. By the lcore that has them. */
static __rte_noinline void see_chains(
	struct virtqueue *queue, struct reservation *reservation, struct rte_mbuf **mbufs)
{
	uint16_t heads[RESERVATION_PACKETS];

	for (uint16_t i = 0; i < reservation->n; i++) {
		uint16_t position = (reservation->begin + i) & (queue->size - 1);

		heads[i] = __atomic_load_n(&queue->available->ring[position], __ATOMIC_RELAXED);
		rte_prefetch0(&queue->descriptors[heads[i] & (queue->size - 1)]);
	}
	for (uint16_t i = 0; i < reservation->n; i++)
		see_chain(queue, heads[i], mbufs[i]->pkt_len + queue->header, reservation);
}

static __rte_always_inline void fill_packet(
	const struct virtqueue *queue, const struct peer_buffer *buffer, struct rte_mbuf *mbuf)
{
	const struct virtio_net_hdr_mrg_rxbuf plain = {.num_buffers = 1};

	if (unlikely(!buffer->ends || mbuf->nb_segs > 1 || large_segment_is(mbuf)))
		return write_packet(queue, buffer, mbuf);
	if (likely(queue->header == sizeof(plain)))
		memcpy(buffer->data, &plain, sizeof(plain));
	else
		memcpy(buffer->data, &plain.hdr, sizeof(plain.hdr));
	rte_memcpy(
		buffer->data + queue->header, rte_pktmbuf_mtod(mbuf, const void *), mbuf->data_len);
}

/* Moves the packets whose bits are set to the end. */
static __rte_noinline void put_last(struct rte_mbuf **mbufs, uint16_t n, uint64_t set)
{
	struct rte_mbuf *last[RESERVATION_PACKETS];
	uint16_t n_first = 0, n_last = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (set >> i & 1)
			last[n_last++] = mbufs[i];
		else
			mbufs[n_first++] = mbufs[i];
	}
	memcpy(mbufs + n_first, last, n_last * sizeof(last[0]));
}

static __rte_always_inline uint16_t fill(struct virtqueue *queue, struct reservation *reservation,
	struct rte_mbuf **mbufs, const bool packed)
{
	const struct peer_buffer *buffer = reservation->buffers;
	uint16_t position = reservation->begin;
	uint64_t unfit = 0;

	if (!packed && reservation->n_buffers == 0)
		see_chains(queue, reservation, mbufs);
	for (uint16_t i = 0; i < reservation->n; i++) {
		if (unlikely(buffer->length == 0))
			unfit |= UINT64_C(1) << i;
		else
			fill_packet(queue, buffer, mbufs[i]);
		buffer = give_back_chains(queue, reservation, buffer, &position, packed);
	}
	if (likely(unfit == 0))
		return reservation->n;
	__atomic_store_n(&queue->usual, 0, __ATOMIC_RELAXED);
	put_last(mbufs, reservation->n, unfit);
	return reservation->n - __builtin_popcountll(unfit);
}

static_assert(RESERVATION_PACKETS <= 64, "a bit for each");

uint16_t virtqueue_fill(struct reservation *reservation, struct rte_mbuf **mbufs)
{
	struct virtqueue *queue = reservation->ring;

	return queue->packed ? fill(queue, reservation, mbufs, true)
			     : fill(queue, reservation, mbufs, false);
}

/* ---- from the driver ---- */

/* Bytes of a packet of which there are so many with its header. */
static inline uint32_t frame_of(const struct virtqueue *queue, uint32_t length)
{
	return length > queue->header ? length - queue->header : 0;
}

static inline uint16_t mbufs_for(const struct virtqueue *queue, uint32_t frame)
{
	return likely(frame <= queue->room) ? 1 : (frame + queue->room - 1) / queue->room;
}

/* The next packet. Cuts one that no MTU allows: it is still too long for any stage to let it
 * pass, but bounded. Returns as add_chain(). */
static inline int claim_packet(struct virtqueue *queue, uint16_t position,
	struct reservation *reservation, const bool packed)
{
	uint16_t first = reservation->n_buffers;
	int slots = add_chain(queue, position, reservation, packed);
	uint32_t length, most = queue->header + FRAME_MAX;
	uint16_t n_mbufs;

	if (slots > 0) {
		length = length_from(reservation, first);
		if (unlikely(length > most)) {
			shorten(reservation, length - most);
			length = most;
		}
		n_mbufs = mbufs_for(queue, frame_of(queue, length));
		if (likely(reservation->n_mbufs + n_mbufs <= RESERVATION_MBUFS)) {
			reservation->n_mbufs += n_mbufs;
			reservation->buffers[reservation->n_buffers - 1].ends = true;
			return slots;
		}
		slots = CHAIN_NONE;
	} else if (slots == CHAIN_TOO_LONG && reservation->n == 0) {
		virtqueue_break(queue, VIRTQUEUE_CHAIN);
	}
	reservation->n_buffers = first;
	return slots;
}

/* Leaves only so many packets, and says in *position where they end. */
static void keep(const struct virtqueue *queue, struct reservation *reservation, uint16_t n,
	uint16_t *position)
{
	uint16_t buffers = 0, n_mbufs = 0;

	*position = reservation->begin;
	for (uint16_t i = 0; i < n; i++) {
		uint32_t length = 0;

		do {
			length += reservation->buffers[buffers].length;
			if (reservation->buffers[buffers].slots > 0)
				*position = position_after(queue, *position,
					reservation->buffers[buffers].slots, queue->packed);
		} while (!reservation->buffers[buffers++].ends);
		n_mbufs += mbufs_for(queue, frame_of(queue, length));
	}
	reservation->n = n;
	reservation->n_buffers = buffers;
	reservation->n_mbufs = n_mbufs;
}

/* Fewer packets, if there are not enough mbufs. */
static inline void take_mbufs(
	const struct virtqueue *queue, struct reservation *reservation, uint16_t *position)
{
	while (reservation->n > 0 &&
		unlikely(rte_mempool_get_bulk(queue->pool, (void **)reservation->mbufs,
				 reservation->n_mbufs) != 0))
		keep(queue, reservation, reservation->n / 2, position);
}

static __rte_always_inline uint16_t claim(
	struct virtqueue *queue, uint16_t n, struct reservation *reservation, const bool packed)
{
	uint16_t position = queue->next;

	begin(queue, reservation);
	reservation->later = false;
	n = look(queue, RTE_MIN(n, RESERVATION_PACKETS), packed);
	prefetch_chains(queue, n, packed);
	while (reservation->n < n) {
		int slots = claim_packet(queue, position, reservation, packed);

		if (slots <= 0)
			break;
		position = position_after(queue, position, slots, packed);
		reservation->n++;
	}
	take_mbufs(queue, reservation, &position);
	leave(queue, reservation, position);
	return reservation->n;
}

uint16_t virtqueue_claim(struct virtqueue *queue, uint16_t n, struct reservation *reservation)
{
	if (is_broken(queue) || !reservations_take(&queue->reservations))
		return 0;
	return queue->packed ? claim(queue, n, reservation, true)
			     : claim(queue, n, reservation, false);
}

/* The sender may leave the checksum to us. If what it says of it is impossible, the checksum is for
 * the stages to complete or to refuse. */
static void finish_checksum(struct rte_mbuf *mbuf, const struct virtio_net_hdr *header)
{
	uint32_t field = (uint32_t)header->csum_start + header->csum_offset;

	if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return;
	if (checksum_complete_at(mbuf, header->csum_start, field) != 0)
		mbuf->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
}

/* Bytes that are read from one buffer after the other. */
static void get(struct pen *pen, uint8_t *data, uint32_t n)
{
	while (n > 0) {
		uint32_t part = RTE_MIN(n, pen->buffer->length - pen->done);

		memcpy(data, pen->buffer->data + pen->done, part);
		data += part;
		n -= part;
		pen->done += part;
		if (pen->done == pen->buffer->length && n > 0) {
			pen->buffer++;
			pen->done = 0;
		}
	}
}

/* The packet of several buffers, or of several mbufs. Returns how many mbufs it has. */
static uint16_t read_packet(
	const struct virtqueue *queue, const struct peer_buffer *buffers, struct rte_mbuf **mbufs)
{
	struct virtio_net_hdr_mrg_rxbuf header = {0};
	struct pen pen = {.buffer = buffers};
	uint32_t length = 0, frame;
	uint16_t n;

	for (const struct peer_buffer *buffer = buffers;; buffer++) {
		length += buffer->length;
		if (buffer->ends)
			break;
	}
	frame = frame_of(queue, length);
	n = mbufs_for(queue, frame);
	get(&pen, (uint8_t *)&header, RTE_MIN(queue->header, length));
	mbufs[0]->pkt_len = frame;
	mbufs[0]->nb_segs = n;
	for (uint16_t i = 0; i < n; i++) {
		uint32_t part = RTE_MIN(frame, queue->room);

		mbufs[i]->data_len = part;
		mbufs[i]->next = i + 1 < n ? mbufs[i + 1] : NULL;
		get(&pen, rte_pktmbuf_mtod(mbufs[i], uint8_t *), part);
		frame -= part;
	}
	finish_checksum(mbufs[0], &header.hdr);
	return n;
}

static inline bool is_plain(const struct virtqueue *queue, const struct peer_buffer *buffer)
{
	return buffer->ends && buffer->length >= queue->header &&
	       buffer->length - queue->header <= queue->room;
}

static inline void read_plain(
	const struct virtqueue *queue, const struct peer_buffer *buffer, struct rte_mbuf *mbuf)
{
	uint32_t length = buffer->length - queue->header;
	struct virtio_net_hdr header;

	memcpy(&header, buffer->data, sizeof(header));
	mbuf->data_len = length;
	mbuf->pkt_len = length;
	rte_memcpy(rte_pktmbuf_mtod(mbuf, void *), buffer->data + queue->header, length);
	finish_checksum(mbuf, &header);
}

static __rte_always_inline void collect(struct virtqueue *queue, struct reservation *reservation,
	struct rte_mbuf **mbufs, const bool packed)
{
	const struct peer_buffer *buffer = reservation->buffers;
	struct rte_mbuf **own = reservation->mbufs;
	uint16_t position = reservation->begin;

	for (uint16_t i = 0; i < reservation->n_mbufs; i++)
		rte_pktmbuf_reset(own[i]);
	for (uint16_t i = 0; i < reservation->n; i++) {
		mbufs[i] = own[0];
		if (likely(is_plain(queue, buffer))) {
			read_plain(queue, buffer, own[0]);
			own++;
		} else {
			own += read_packet(queue, buffer, own);
		}
		buffer = give_back_chains(queue, reservation, buffer, &position, packed);
	}
}

void virtqueue_collect(struct reservation *reservation, struct rte_mbuf **mbufs)
{
	struct virtqueue *queue = reservation->ring;

	if (queue->packed)
		collect(queue, reservation, mbufs, true);
	else
		collect(queue, reservation, mbufs, false);
}

void virtqueue_publish(struct reservation *reservation)
{
	struct virtqueue *queue = reservation->ring;

	reservations_complete(&queue->reservations, reservation->number,
		queue->packed ? virtqueue_packed_publish : virtqueue_split_publish, queue);
}
