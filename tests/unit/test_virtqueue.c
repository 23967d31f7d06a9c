/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include <rte_eal.h>
#include <rte_ip.h>
#include <rte_vhost.h>

#include "bytes.h"
#include "ports/kick.h"
#include "ports/virtqueue.h"

/*
 * A virtqueue, and a driver that is played here: it offers chains of every form, in memory of two
 * regions, and looks at what comes back. What librte_vhost would say of the ring, the functions of
 * its name here do.
 */
#define POOL 1023
#define SIZE 64
#define PARTS_MAX 4
#define REGION (1u << 20)
#define GUEST                                                                                      \
	UINT64_C(0x700000000) /* the first region; the other one follows it, for the guest         \
			       */
#define RINGS_AT 0	      /* in the first region: ring, tables, then buffers */
#define TABLES_AT 16384
#define BUFFERS_AT 65536
#define FRAME_MAX 4096

struct part {
	uint64_t address;
	uint32_t length;
};

struct chain {
	uint16_t n, slots, id;
	struct part parts[PARTS_MAX];
};

static struct driver {
	uint64_t features;
	bool packed, to_driver;
	uint16_t size, header;
	uint16_t at;		    /* where it offers next: position */
	uint16_t seen;		    /* where something comes back next */
	uint16_t descriptor;	    /* split: the next one */
	uint16_t slots;		    /* that are offered */
	uint32_t offered, returned; /* chains, ever */
	uint32_t buffer;	    /* where the next one is, from BUFFERS_AT */
	struct chain chains[SIZE];
	int call_fd;
} driver;

static uint8_t *regions[2];
static struct virtqueue queue;
static struct rte_mempool *pool;
static uint32_t random_state;
static bool later;	      /* reservations may be made without a look at chains */
static uint32_t copied[SIZE]; /* numbers of frames that the driver is to see */
static uint32_t n_copied, n_seen;
static bool all_fit; /* it is to see all */

static uint32_t draw(uint32_t n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % n;
}

/* ---- instead of the library's ---- */

int rte_vhost_get_mem_table(int device, struct rte_vhost_memory **memory)
{
	(void)device;
	*memory = calloc(1, sizeof(**memory) + 2 * sizeof((*memory)->regions[0]));
	(*memory)->nregions = 2;
	for (int i = 0; i < 2; i++)
		(*memory)->regions[i] = (struct rte_vhost_mem_region){
			.guest_phys_addr = GUEST + (uint64_t)i * REGION,
			.host_user_addr = (uintptr_t)regions[i],
			.size = REGION};
	return 0;
}

static union virtqueue_descriptor *descriptors(void)
{
	return (void *)(regions[0] + RINGS_AT);
}

static struct vring_avail *available(void)
{
	return (void *)(regions[0] + RINGS_AT + 4096);
}

static struct vring_used *used(void)
{
	return (void *)(regions[0] + RINGS_AT + 8192);
}

int rte_vhost_get_vhost_vring(int device, uint16_t ring, struct rte_vhost_vring *vring)
{
	(void)device;
	(void)ring;
	*vring = (struct rte_vhost_vring){.desc = (void *)descriptors(),
		.avail = available(),
		.used = used(),
		.size = driver.size,
		.callfd = driver.call_fd};
	return 0;
}

int rte_vhost_get_vring_base(int device, uint16_t ring, uint16_t *next, uint16_t *back)
{
	(void)device;
	(void)ring;
	*next = *back = driver.seen;
	return 0;
}

/* ---- the driver ---- */

static uint8_t *at(uint64_t address)
{
	uint64_t offset = address - GUEST;

	assert_true(offset < 2 * REGION);
	return regions[offset / REGION] + offset % REGION;
}

static void read_guest(uint64_t address, uint8_t *data, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		data[i] = *at(address + i);
}

static void write_guest(uint64_t address, const uint8_t *data, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		*at(address + i) = data[i];
}

static void driver_start(uint64_t features, bool to_driver)
{
	const struct virtqueue_setup setup = {
		.ring = to_driver ? 0 : 1, .features = features, .pool = pool};
	uint64_t value;

	for (int i = 0; i < 2; i++)
		memset(regions[i], 0, REGION);
	if (driver.call_fd == 0)
		driver.call_fd = eventfd(0, EFD_NONBLOCK);
	(void)!read(driver.call_fd, &value, sizeof(value));
	driver = (struct driver){.features = features,
		.packed = features >> VIRTIO_F_RING_PACKED & 1,
		.to_driver = to_driver,
		.call_fd = driver.call_fd,
		.size = features >> VIRTIO_F_RING_PACKED & 1 ? SIZE - 7 : SIZE};
	driver.header =
		features & (1ULL << VIRTIO_NET_F_MRG_RXBUF | 1ULL << VIRTIO_F_VERSION_1) ? 12 : 10;
	/* Near the ends of what counts. */
	driver.at = driver.seen = driver.packed ? PACKED_WRAP | (driver.size - 3) : 0xfff0;
	if (!driver.packed)
		available()->idx = used()->idx = driver.seen;
	/* As they came back the last time. */
	for (uint16_t i = 0; driver.packed && i < driver.size - 3; i++)
		descriptors()[i].packed.flags = PACKED_USED_OR_AVAILABLE;
	assert_int_equal(virtqueue_init(&queue, &setup), 0);
}

static uint16_t packed_flags(uint16_t position)
{
	return (position & PACKED_WRAP ? 1u << VRING_PACKED_DESC_F_AVAIL
				       : 1u << VRING_PACKED_DESC_F_USED) |
	       (driver.to_driver ? VRING_DESC_F_WRITE : 0);
}

static uint16_t after(uint16_t position, uint16_t n)
{
	uint16_t index = (position & (PACKED_WRAP - 1)) + n;

	if (!driver.packed)
		return position + n;
	return index >= driver.size
		       ? (index - driver.size) | ((position ^ PACKED_WRAP) & PACKED_WRAP)
		       : index | (position & PACKED_WRAP);
}

static union virtqueue_descriptor describe(struct part part, uint16_t flags, uint16_t other)
{
	union virtqueue_descriptor own;

	if (driver.packed)
		own.packed = (struct vring_packed_desc){
			.addr = part.address, .len = part.length, .id = other, .flags = flags};
	else
		own.split = (struct vring_desc){
			.addr = part.address, .len = part.length, .flags = flags, .next = other};
	return own;
}

/* A table for it; returns where that is. */
static struct part make_table(const struct chain *chain)
{
	uint32_t offset = TABLES_AT + driver.offered % SIZE * PARTS_MAX * sizeof(struct vring_desc);
	union virtqueue_descriptor *table = (void *)(regions[0] + offset);
	uint16_t flags = driver.to_driver ? VRING_DESC_F_WRITE : 0;

	for (uint16_t i = 0; i < chain->n; i++)
		table[i] = describe(chain->parts[i],
			flags | (!driver.packed && i + 1 < chain->n ? VRING_DESC_F_NEXT : 0),
			i + 1);
	return (struct part){GUEST + offset, chain->n * sizeof(table[0])};
}

static void write_slots(struct chain *chain, const struct part *parts, uint16_t n, uint16_t extra)
{
	uint16_t position = driver.at, first = driver.descriptor;
	uint16_t flags = driver.to_driver ? VRING_DESC_F_WRITE : 0;

	/* Of a packed ring, the first one last. */
	for (uint16_t i = n; driver.packed && i-- > 0;) {
		uint16_t here = after(position, i);

		__atomic_store_n(&descriptors()[here & (PACKED_WRAP - 1)].words[0],
			parts[i].address, __ATOMIC_RELAXED);
		__atomic_store_n(&descriptors()[here & (PACKED_WRAP - 1)].words[1],
			describe(parts[i],
				packed_flags(here) | extra | (i + 1 < n ? VRING_DESC_F_NEXT : 0),
				chain->id)
				.words[1],
			__ATOMIC_RELEASE);
	}
	for (uint16_t i = 0; !driver.packed && i < n; i++)
		descriptors()[(first + i) % SIZE] =
			describe(parts[i], flags | extra | (i + 1 < n ? VRING_DESC_F_NEXT : 0),
				(first + i + 1) % SIZE);
	driver.descriptor = (first + n) % SIZE;
	driver.slots += n;
	chain->slots = n;
	if (!driver.packed)
		available()->ring[position % SIZE] = first;
	driver.at = after(position, driver.packed ? n : 1);
	if (!driver.packed)
		__atomic_store_n(&available()->idx, driver.at, __ATOMIC_RELEASE);
}

/* Room for buffers, one after the other and over again; some cross from region to region. */
static uint64_t next_buffer(uint32_t length)
{
	if (driver.buffer + length > 2 * REGION - BUFFERS_AT)
		driver.buffer = 0;
	driver.buffer += length;
	return GUEST + BUFFERS_AT + driver.buffer - length;
}

static bool has_room(uint16_t n)
{
	return driver.slots + n <= driver.size && driver.offered - driver.returned < SIZE;
}

/* A chain of so many parts is next, and is shown then. False: the ring is full. */
static bool offer(const uint32_t *lengths, uint16_t n, bool indirect)
{
	struct chain *chain = &driver.chains[driver.offered % SIZE];

	if (!has_room(indirect ? 1 : n))
		return false;
	chain->n = n;
	for (uint16_t i = 0; i < n; i++)
		chain->parts[i] = (struct part){next_buffer(lengths[i]), lengths[i]};
	chain->id = driver.packed ? driver.offered % SIZE : driver.descriptor;
	return true;
}

static void show(bool indirect)
{
	struct chain *chain = &driver.chains[driver.offered % SIZE];
	struct part table;

	if (indirect) {
		table = make_table(chain);
		write_slots(chain, &table, 1, VRING_DESC_F_INDIRECT);
	} else {
		write_slots(chain, chain->parts, chain->n, 0);
	}
	driver.offered++;
}

static bool comes_back(uint16_t *id, uint32_t *length)
{
	uint16_t index = driver.seen & (PACKED_WRAP - 1), flags;

	if (!driver.packed) {
		if (__atomic_load_n(&used()->idx, __ATOMIC_ACQUIRE) == driver.seen)
			return false;
		*id = used()->ring[driver.seen % SIZE].id;
		*length = used()->ring[driver.seen % SIZE].len;
		return true;
	}
	flags = __atomic_load_n(&descriptors()[index].packed.flags, __ATOMIC_ACQUIRE);
	if ((flags & PACKED_USED_OR_AVAILABLE) !=
		(driver.seen & PACKED_WRAP ? PACKED_USED_OR_AVAILABLE : 0))
		return false;
	*id = descriptors()[index].packed.id;
	*length = descriptors()[index].packed.len;
	return true;
}

/* What comes back next, which must be what was offered next; NULL: nothing. */
static const struct chain *take_back(uint32_t *length)
{
	const struct chain *chain = &driver.chains[driver.returned % SIZE];
	uint16_t id;

	if (!comes_back(&id, length))
		return NULL;
	assert_true(driver.returned < driver.offered);
	assert_int_equal(id, chain->id);
	driver.seen = after(driver.seen, driver.packed ? chain->slots : 1);
	driver.slots -= chain->slots;
	driver.returned++;
	return chain;
}

static uint32_t read_chain(const struct chain *chain, uint8_t *data, uint32_t length)
{
	uint32_t done = 0;

	for (uint16_t i = 0; i < chain->n && done < length; i++) {
		uint32_t part = RTE_MIN(chain->parts[i].length, length - done);

		read_guest(chain->parts[i].address, data + done, part);
		done += part;
	}
	assert_int_equal(done, length);
	return done;
}

/* ---- frames ---- */

static void make_frame(uint8_t *frame, uint32_t length, uint32_t number)
{
	for (uint32_t i = 0; i < length; i++)
		frame[i] = (uint8_t)(number * 31 + i * 7 + (i >> 8));
	memcpy(frame, &number, sizeof(number));
}

static void assert_frame(const uint8_t *frame, uint32_t length, uint32_t number)
{
	static uint8_t expected[FRAME_MAX];

	make_frame(expected, length, number);
	assert_memory_equal(frame, expected, length);
}

static uint32_t length_of(uint32_t number)
{
	return number % 3 == 0 ? 60 : 60 + number * 97 % 1440;
}

static struct rte_mbuf *mbuf_of_number(uint32_t number)
{
	uint8_t frame[FRAME_MAX];

	make_frame(frame, length_of(number), number);
	return mbuf_of_bytes(pool, frame, length_of(number));
}

/* ---- towards the driver ---- */

static void offer_receive_chains(bool indirect)
{
	uint32_t lengths[PARTS_MAX];
	bool mergeable = driver.features >> VIRTIO_NET_F_MRG_RXBUF & 1;
	uint16_t n;

	do {
		n = 1 + draw(3);
		for (uint16_t i = 0; i < n; i++)
			lengths[i] = mergeable ? 16 + draw(700) : 1600;
		if (!mergeable && n > 1)
			lengths[0] = driver.header;
		if (!offer(lengths, n, indirect))
			return;
		show(indirect);
	} while (draw(20) != 0);
}

/* Takes all that came, but for chains with nothing in them: of these there are some only where
 * nobody looked. */
static void read_frames(void)
{
	static uint8_t data[FRAME_MAX];
	const struct virtio_net_hdr_mrg_rxbuf *header = (void *)data;
	static const uint8_t zero[10];
	const struct chain *chain;
	uint32_t length, got;

	while ((chain = take_back(&length)) != NULL) {
		uint32_t number = all_fit ? n_seen : copied[n_seen % SIZE];

		assert_true(length > 0 || !all_fit);
		if (length == 0)
			continue;
		got = read_chain(chain, data, length);
		assert_memory_equal(data, zero, sizeof(zero));
		for (uint16_t i = 1; driver.header == 12 && i < header->num_buffers; i++) {
			chain = take_back(&length);
			assert_non_null(chain);
			got += read_chain(chain, data + got, length);
		}
		assert_int_equal(got, driver.header + length_of(number));
		assert_frame(data + driver.header, got - driver.header, number);
		n_seen++;
	}
}

/* The first n of mbufs, in the order in which they were sent; the others are behind them. */
static void note_copied(struct rte_mbuf **mbufs, uint16_t n, uint16_t all)
{
	uint32_t last = 0, number;

	for (uint16_t i = 0; i < all; i++) {
		memcpy(&number, rte_pktmbuf_mtod(mbufs[i], void *), sizeof(number));
		assert_true(i == 0 || i == n || number > last);
		last = number;
		if (i < n)
			copied[n_copied++ % SIZE] = number;
	}
}

/* Returns how many of a burst were taken. The driver sees none of it before it is published. */
static int send_some(uint32_t number, uint16_t n, uint32_t *room)
{
	struct reservation reservation;
	struct rte_mbuf *mbufs[RESERVATION_PACKETS];
	uint32_t length;
	uint16_t id;
	bool back = comes_back(&id, &length);
	int sent;

	for (uint16_t i = 0; i < n; i++)
		mbufs[i] = mbuf_of_number(number + i);
	reservation.later = later;
	sent = virtqueue_reserve(&queue, mbufs, n, &reservation, room);
	assert_true(sent >= 0);
	if (sent > 0) {
		uint16_t filled = virtqueue_fill(&reservation, mbufs);

		assert_true(later ? filled <= sent : filled == sent);
		note_copied(mbufs, filled, sent);
		assert_int_equal(comes_back(&id, &length), back);
		virtqueue_publish(&reservation);
	}
	rte_pktmbuf_free_bulk(mbufs, n);
	return sent;
}

#define FRAMES 3000

static void frames_reach_driver(uint64_t features, bool indirect)
{
	uint32_t sent = 0, room = UINT32_MAX;

	driver_start(features, true);
	n_copied = n_seen = 0;
	all_fit = !later;
	while (n_seen < FRAMES) {
		offer_receive_chains(indirect);
		sent += send_some(sent, 1 + draw(RESERVATION_PACKETS), &room);
		read_frames();
		assert_int_equal(n_seen, n_copied);
		assert_int_equal(queue.fault, VIRTQUEUE_SOUND);
	}
}

/* ---- from the driver ---- */

static void offer_frame(uint32_t number, bool indirect, bool *full)
{
	uint8_t data[FRAME_MAX] = {0};
	uint32_t lengths[PARTS_MAX], length = driver.header + length_of(number), done = 0;
	uint16_t n = 1 + draw(PARTS_MAX);

	make_frame(data + driver.header, length_of(number), number);
	for (uint16_t i = 0; i < n; i++)
		lengths[i] = i + 1 < n ? 1 + draw(24) : length;
	for (uint16_t i = 0; i + 1 < n; i++)
		lengths[n - 1] -= lengths[i];
	*full = lengths[n - 1] > length || !offer(lengths, n, indirect);
	if (*full)
		return;
	for (uint16_t i = 0; i < n; i++) {
		write_guest(driver.chains[driver.offered % SIZE].parts[i].address, data + done,
			lengths[i]);
		done += lengths[i];
	}
	show(indirect);
}

static void assert_received(struct rte_mbuf *mbuf, uint32_t number)
{
	uint8_t copy[FRAME_MAX];

	assert_int_equal(mbuf->pkt_len, length_of(number));
	assert_frame(rte_pktmbuf_read(mbuf, 0, mbuf->pkt_len, copy), mbuf->pkt_len, number);
	rte_pktmbuf_free(mbuf);
}

static uint32_t receive_some(uint32_t number, uint16_t n)
{
	struct reservation reservation;
	struct rte_mbuf *mbufs[RESERVATION_PACKETS];

	n = virtqueue_claim(&queue, n, &reservation);
	if (n == 0)
		return number;
	virtqueue_collect(&reservation, mbufs);
	virtqueue_publish(&reservation);
	for (uint16_t i = 0; i < n; i++)
		assert_received(mbufs[i], number + i);
	return number + n;
}

static void frames_leave_driver(uint64_t features, bool indirect)
{
	uint32_t offered = 0, received = 0, length;
	bool full;

	driver_start(features, false);
	while (received < FRAMES) {
		do {
			offer_frame(offered, indirect, &full);
			offered += !full;
		} while (!full && draw(20) != 0);
		received = receive_some(received, 1 + draw(RESERVATION_PACKETS));
		while (take_back(&length) != NULL)
			assert_int_equal(length, 0);
		assert_int_equal(driver.returned, received);
		assert_int_equal(queue.fault, VIRTQUEUE_SOUND);
	}
}

/* ---- tests: forms of rings ---- */

static const uint64_t forms[] = {
	0,
	1ULL << VIRTIO_F_VERSION_1,
	1ULL << VIRTIO_NET_F_MRG_RXBUF,
	1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_NET_F_MRG_RXBUF,
	1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_EVENT_IDX,
	1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_F_RING_PACKED,
	1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_F_RING_PACKED | 1ULL << VIRTIO_NET_F_MRG_RXBUF,
	1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_F_RING_PACKED | 1ULL << VIRTIO_NET_F_MRG_RXBUF |
		1ULL << VIRTIO_RING_F_EVENT_IDX,
};

static void every_form_of_ring_works(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * RTE_DIM(forms); i++) {
		later = i % 2;
		for (int indirect = 0; indirect <= 1; indirect++) {
			frames_reach_driver(forms[i / 2], indirect);
			frames_leave_driver(forms[i / 2], indirect);
		}
	}
	later = false;
	assert_int_equal(rte_mempool_avail_count(pool), POOL);
}

#define SPLIT (1ULL << VIRTIO_F_VERSION_1)
#define PACKED (SPLIT | 1ULL << VIRTIO_F_RING_PACKED)
#define MERGEABLE (1ULL << VIRTIO_NET_F_MRG_RXBUF)
#define EVENTS (1ULL << VIRTIO_RING_F_EVENT_IDX)

static bool was_called(void)
{
	uint64_t value;

	return read(driver.call_fd, &value, sizeof(value)) == sizeof(value);
}

static void offer_chains(uint16_t n, uint32_t length)
{
	for (uint16_t i = 0; i < n && offer(&length, 1, false); i++)
		show(false);
}

static void offer_room(uint16_t n)
{
	offer_chains(n, 2048);
}

/* As the driver says that it wants to hear. */
static void driver_is_called_when_it_wants(void **state)
{
	static const uint64_t features[] = {SPLIT, SPLIT | EVENTS, PACKED, PACKED | EVENTS};
	uint32_t room;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(features); i++) {
		struct vring_packed_desc_event *event = (void *)available();

		driver_start(features[i], true);
		offer_room(SIZE);
		assert_int_equal(send_some(0, 2, &room), 2);
		assert_true(was_called());
		if (features[i] & EVENTS && driver.packed) {
			event->off_wrap = after(driver.seen, 4);
			event->flags = VRING_PACKED_EVENT_FLAG_DESC;
		} else if (features[i] & EVENTS) {
			available()->ring[SIZE] = driver.seen + 4;
		} else if (driver.packed) {
			event->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
		} else {
			available()->flags = VRING_AVAIL_F_NO_INTERRUPT;
		}
		assert_int_equal(send_some(2, 2, &room), 2);
		assert_false(was_called());
		assert_int_equal(send_some(4, 2, &room), 2);
		assert_int_equal(was_called(), (features[i] & EVENTS) != 0);
		assert_int_equal(send_some(6, 30, &room), 30);
		assert_false(was_called());
	}
}

static void kicks_are_not_wanted(void **state)
{
	const struct vring_packed_desc_event *event = (void *)used();

	(void)state;
	driver_start(SPLIT | EVENTS, false);
	assert_int_equal(used()->flags, VRING_USED_F_NO_NOTIFY);
	virtqueue_want_kicks(&queue, true);
	assert_int_equal(used()->flags, 0);
	assert_int_equal(*(uint16_t *)&used()->ring[SIZE], driver.seen);
	driver_start(PACKED, false);
	assert_int_equal(event->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
	virtqueue_want_kicks(&queue, true);
	assert_int_equal(event->flags, VRING_PACKED_EVENT_FLAG_ENABLE);
}

/* ---- tests: what does not fit ---- */

static int reserve_one(uint32_t length, uint32_t *room)
{
	static uint8_t bytes[FRAME_MAX * 4];
	struct reservation reservation = {.later = later};
	struct rte_mbuf *mbuf = mbuf_of_bytes(pool, bytes, length);
	int n;

	*room = UINT32_MAX;
	n = virtqueue_reserve(&queue, &mbuf, 1, &reservation, room);
	if (n > 0) {
		virtqueue_fill(&reservation, &mbuf);
		virtqueue_publish(&reservation);
	}
	rte_pktmbuf_free(mbuf);
	return n;
}

/* Without mergeable buffers one chain is all that there is for a packet; with them, the ring. */
static void what_never_fits_is_told_of(void **state)
{
	const uint32_t small = 112;
	uint32_t room;

	(void)state;
	for (int packed = 0; packed <= 1; packed++) {
		driver_start(packed ? PACKED : SPLIT, true);
		assert_true(offer(&small, 1, false));
		show(false);
		assert_int_equal(reserve_one(101, &room), 0);
		assert_int_equal(room, 100);
		assert_int_equal(reserve_one(100, &room), 1);
		assert_int_equal(reserve_one(100, &room), 0);
		assert_int_equal(room, UINT32_MAX);

		driver_start((packed ? PACKED : SPLIT) | MERGEABLE, true);
		assert_true(offer(&small, 1, false));
		show(false);
		assert_int_equal(reserve_one(101, &room), 0);
		assert_int_equal(room, UINT32_MAX);
		while (offer(&small, 1, false))
			show(false);
		assert_int_equal(reserve_one(8000, &room), 0);
		assert_int_equal(room, driver.size * small - driver.header);
		assert_int_equal(reserve_one(1000, &room), 1);
		assert_int_equal(queue.fault, VIRTQUEUE_SOUND);
	}
}

/* Chains as large as those before are not looked at until they are filled. What does not fit then
 * is not copied; the driver gets the chain back with nothing in it, and the next ones are looked
 * at. */
static void unseen_chains_may_be_too_small(void **state)
{
	static const uint64_t features[] = {SPLIT, SPLIT | MERGEABLE};
	uint32_t room, length;

	(void)state;
	later = true;
	all_fit = false;
	for (size_t i = 0; i < RTE_DIM(features); i++) {
		driver_start(features[i], true);
		n_copied = n_seen = 0;
		offer_chains(4, 112);
		assert_int_equal(send_some(0, 1, &room), 1);
		assert_int_equal(queue.usual, 112);
		offer_chains(1, 64);
		assert_int_equal(send_some(3, 1, &room), 1); /* 60 bytes */
		assert_int_equal(send_some(6, 1, &room), 1);
		assert_int_equal(send_some(9, 1, &room), 1);
		assert_int_equal(n_copied, 4);
		read_frames();
		assert_int_equal(n_seen, 4);
		assert_int_equal(send_some(12, 1, &room), 1);
		assert_int_equal(n_copied, 4);
		assert_int_equal(queue.usual, 0);
		assert_non_null(take_back(&length));
		assert_int_equal(length, 0);
		offer_chains(1, 2048);
		assert_int_equal(send_some(4, 1, &room), 1); /* 448 bytes */
		read_frames();
		assert_int_equal(n_seen, 5);
		assert_int_equal(queue.usual, 2048);
		assert_int_equal(queue.fault, VIRTQUEUE_SOUND);
	}
	later = false;
}

/* What an MTU allows is whole; a longer one is cut, and no shorter than that. */
static void long_frames_have_several_mbufs(void **state)
{
	static const uint32_t lengths[][2] = {
		{9000, 9000}, {9728, 9728}, {20000, 9728}, {65000, 9728}};
	struct reservation reservation;
	struct rte_mbuf *mbuf;

	(void)state;
	for (size_t i = 0; i < 2 * RTE_DIM(lengths); i++) {
		uint32_t length = lengths[i / 2][0] + 12;

		driver_start(i % 2 ? PACKED : SPLIT, false);
		assert_true(offer(&length, 1, false));
		show(false);
		assert_int_equal(virtqueue_claim(&queue, 1, &reservation), 1);
		virtqueue_collect(&reservation, &mbuf);
		virtqueue_publish(&reservation);
		assert_int_equal(mbuf->pkt_len, lengths[i / 2][1]);
		rte_mbuf_sanity_check(mbuf, 1);
		rte_pktmbuf_free(mbuf);
	}
	assert_int_equal(rte_mempool_avail_count(pool), POOL);
}

static void fewer_are_claimed_if_mbufs_are_short(void **state)
{
	struct rte_mbuf *others[POOL];
	struct reservation reservation;
	struct rte_mbuf *mbufs[RESERVATION_PACKETS];
	uint32_t number = 0;
	bool full;

	(void)state;
	driver_start(SPLIT, false);
	for (full = false; !full; number += !full)
		offer_frame(number, true, &full);
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, others, POOL - 5), 0);
	number = virtqueue_claim(&queue, 32, &reservation);
	assert_in_range(number, 1, 5);
	virtqueue_collect(&reservation, mbufs);
	virtqueue_publish(&reservation);
	for (uint32_t i = 0; i < number; i++)
		assert_received(mbufs[i], i);
	rte_pktmbuf_free_bulk(others, POOL - 5);
	assert_in_range(receive_some(number, 32), number + 1, number + 32);
	assert_int_equal(rte_mempool_avail_count(pool), POOL);
}

/* ---- tests: checksums ---- */

static struct rte_mbuf *receive_with_header(struct virtio_net_hdr header)
{
	const uint32_t length = 12 + 100;
	struct reservation reservation;
	struct rte_mbuf *mbuf = NULL;

	driver_start(SPLIT, false);
	assert_true(offer(&length, 1, false));
	memset(at(driver.chains[0].parts[0].address), 0x11, length);
	write_guest(driver.chains[0].parts[0].address, (void *)&header, sizeof(header));
	show(false);
	assert_int_equal(virtqueue_claim(&queue, 1, &reservation), 1);
	virtqueue_collect(&reservation, &mbuf);
	virtqueue_publish(&reservation);
	return mbuf;
}

static void partial_checksums_are_completed_or_left_to_the_stages(void **state)
{
	static const uint16_t impossible[][2] = {{99, 0}, {34, 65535}, {65535, 6}, {65535, 65535}};
	struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6};
	struct rte_mbuf *mbuf = receive_with_header(header);

	(void)state;
	/* 33 words of 0x1111: the sum that was there is summed, too. */
	assert_int_equal(*rte_pktmbuf_mtod_offset(mbuf, uint16_t *, 40),
		(uint16_t)~rte_raw_cksum(memset((uint8_t[66]){0}, 0x11, 66), 66));
	assert_int_equal(mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK, 0);
	rte_pktmbuf_free(mbuf);
	for (size_t i = 0; i < RTE_DIM(impossible); i++) {
		header.csum_start = impossible[i][0];
		header.csum_offset = impossible[i][1];
		mbuf = receive_with_header(header);
		assert_int_equal(
			mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK, RTE_MBUF_F_RX_L4_CKSUM_NONE);
		rte_pktmbuf_free(mbuf);
	}
}

/* ---- tests: rings that cannot be ---- */

static enum virtqueue_fault look(void)
{
	struct reservation reservation;
	uint32_t room;

	if (driver.to_driver)
		assert_int_equal(reserve_one(60, &room), 0);
	else
		assert_int_equal(virtqueue_claim(&queue, 8, &reservation), 0);
	return queue.fault;
}

/* One chain of one descriptor, to be spoilt. */
static union virtqueue_descriptor *offer_one(uint64_t features, bool to_driver)
{
	union virtqueue_descriptor *first;

	driver_start(features, to_driver);
	first = &descriptors()[driver.packed ? driver.at & (PACKED_WRAP - 1) : 0];
	offer_room(1);
	return first;
}

static void impossible_rings_are_broken(void **state)
{
	static const uint64_t features[] = {SPLIT, PACKED, SPLIT | MERGEABLE, PACKED | MERGEABLE};

	(void)state;
	for (size_t i = 0; i < 2 * RTE_DIM(features); i++) {
		uint64_t form = features[i / 2];
		bool to_driver = i % 2, packed = form >> VIRTIO_F_RING_PACKED & 1;
		uint16_t extra = to_driver ? VRING_DESC_F_WRITE : 0;

		offer_one(form, to_driver)->split.addr = GUEST - 1;
		assert_int_equal(look(), VIRTQUEUE_ADDRESS);
		offer_one(form, to_driver)->split.addr = GUEST + 2 * REGION - 2047;
		assert_int_equal(look(), VIRTQUEUE_ADDRESS);
		offer_one(form, to_driver)->split.addr = UINT64_MAX - 1023;
		assert_int_equal(look(), VIRTQUEUE_ADDRESS);
		offer_one(form, to_driver)->split.len = UINT32_MAX;
		assert_int_equal(look(), VIRTQUEUE_ADDRESS);
		if (packed)
			offer_one(form, to_driver)->packed.flags ^= VRING_DESC_F_WRITE;
		else
			offer_one(form, to_driver)->split.flags ^= VRING_DESC_F_WRITE;
		assert_int_equal(look(), VIRTQUEUE_KIND);
		if (packed)
			offer_one(form, to_driver)->packed.flags |=
				VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT;
		else
			offer_one(form, to_driver)->split.flags |=
				VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT;
		assert_int_equal(look(), VIRTQUEUE_TABLE);
		if (to_driver) {
			offer_one(form, true)->split.len = 0;
			assert_int_equal(look(), VIRTQUEUE_EMPTY);
		}
		if (packed)
			continue;
		*offer_one(form, to_driver) = (union virtqueue_descriptor){
			.split = {GUEST + BUFFERS_AT, 8, extra | VRING_DESC_F_NEXT, 0}};
		assert_int_equal(look(), VIRTQUEUE_CHAIN);
		*offer_one(form, to_driver) = (union virtqueue_descriptor){
			.split = {GUEST + BUFFERS_AT, 8, extra | VRING_DESC_F_NEXT, SIZE}};
		assert_int_equal(look(), VIRTQUEUE_NUMBER);
		offer_one(form, to_driver);
		available()->ring[0xfff0 % SIZE] = SIZE;
		assert_int_equal(look(), VIRTQUEUE_NUMBER);
		offer_one(form, to_driver);
		available()->idx = (uint16_t)(0xfff0 + SIZE + 1);
		assert_int_equal(look(), VIRTQUEUE_INDEX);
	}
	assert_int_equal(rte_mempool_avail_count(pool), POOL);
}

/* ---- tests: anything ---- */

static void spoil(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		union virtqueue_descriptor *one = &descriptors()[draw(SIZE)];

		switch (draw(4)) {
		case 0:
			regions[0][draw(12288)] = draw(256);
			break;
		case 1:
			one->split.addr = GUEST + draw(2 * REGION);
			break;
		case 2:
			one->words[1] = (uint64_t)draw(1 << 16) << 48 | (uint64_t)draw(256) << 32 |
					draw(4096);
			break;
		default:
			available()->idx = queue.next + draw(SIZE + 1);
		}
	}
}

static void use_once(void)
{
	static uint8_t bytes[FRAME_MAX];
	struct reservation reservation = {.later = draw(2)};
	struct rte_mbuf *mbufs[RESERVATION_PACKETS];
	uint32_t room;
	int n;

	if (!driver.to_driver) {
		n = virtqueue_claim(&queue, RESERVATION_PACKETS, &reservation);
		if (n > 0) {
			virtqueue_collect(&reservation, mbufs);
			virtqueue_publish(&reservation);
			rte_pktmbuf_free_bulk(mbufs, n);
		}
		return;
	}
	for (uint16_t i = 0; i < 16; i++)
		mbufs[i] = mbuf_of_bytes(pool, bytes, 60 + draw(3000));
	n = virtqueue_reserve(&queue, mbufs, 16, &reservation, &room);
	if (n > 0) {
		virtqueue_fill(&reservation, mbufs);
		virtqueue_publish(&reservation);
	}
	rte_pktmbuf_free_bulk(mbufs, 16);
}

/* Nothing is touched that is not the driver's: a sanitizer would see it. No mbuf is lost. */
static void any_bytes_harm_nobody(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 4000; i++) {
		driver_start(forms[draw(RTE_DIM(forms))], draw(2));
		offer_room(draw(SIZE));
		for (int j = 0; j < 8; j++) {
			spoil(1 + draw(20));
			use_once();
		}
	}
	assert_int_equal(rte_mempool_avail_count(pool), POOL);
}

/* ---- tests: several lcores ---- */

#define LCORES 3
#define BY_ALL 60000

static struct {
	pthread_mutex_t mutex; /* numbers are given in the order of reservations */
	uint32_t next;
} senders = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void *send_beside_others(void *argument)
{
	struct rte_mbuf *mbufs[4];
	struct reservation reservation;
	uint32_t room, spin = (uintptr_t)argument;
	int n = 0;

	while (__atomic_load_n(&senders.next, __ATOMIC_RELAXED) < BY_ALL) {
		pthread_mutex_lock(&senders.mutex);
		for (uint16_t i = 0; i < 4; i++)
			mbufs[i] = mbuf_of_number(senders.next + i);
		reservation.later = later;
		n = virtqueue_reserve(&queue, mbufs, 4, &reservation, &room);
		if (n > 0)
			__atomic_store_n(&senders.next, senders.next + n, __ATOMIC_RELAXED);
		pthread_mutex_unlock(&senders.mutex);
		if (n > 0) {
			assert_int_equal(virtqueue_fill(&reservation, mbufs), n);
			if (spin++ % 7 == 0)
				sched_yield();
			virtqueue_publish(&reservation);
		}
		rte_pktmbuf_free_bulk(mbufs, 4);
		if (n <= 0)
			sched_yield();
	}
	return NULL;
}

static void lcores_fill_side_by_side(void **state)
{
	static const uint64_t features[] = {SPLIT | MERGEABLE, PACKED | MERGEABLE};
	pthread_t lcores[LCORES];

	(void)state;
	for (size_t i = 0; i < 2 * RTE_DIM(features); i++) {
		later = i % 2;
		all_fit = true;
		driver_start(features[i / 2], true);
		senders.next = n_seen = 0;
		for (uintptr_t j = 0; j < LCORES; j++)
			assert_int_equal(
				pthread_create(&lcores[j], NULL, send_beside_others, (void *)j), 0);
		while (n_seen < BY_ALL) {
			if (later)
				offer_room(SIZE);
			else
				offer_receive_chains(false);
			read_frames();
			sched_yield();
		}
		for (uint16_t j = 0; j < LCORES; j++)
			pthread_join(lcores[j], NULL);
		read_frames();
		assert_int_equal(n_seen, senders.next);
	}
	later = false;
	assert_int_equal(rte_mempool_avail_count(pool), POOL);
}

/* ---- environment ---- */

static int environment_make(void **state)
{
	char *arguments[] = {"test_virtqueue", "--no-huge", "-m", "64", "--no-pci",
		"--no-telemetry", "--no-shconf", "--log-level=*:error", NULL};

	(void)state;
	if (rte_eal_init(RTE_DIM(arguments) - 1, arguments) < 0 || kick_init() != 0)
		return -1;
	pool = rte_pktmbuf_pool_create("test", POOL, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	for (int i = 0; i < 2; i++)
		regions[i] = aligned_alloc(4096, REGION);
	return pool != NULL && regions[0] != NULL && regions[1] != NULL ? 0 : -1;
}

static int environment_end(void **state)
{
	(void)state;
	rte_mempool_free(pool);
	for (int i = 0; i < 2; i++)
		free(regions[i]);
	close(driver.call_fd);
	return rte_eal_cleanup();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_ring_works),
		cmocka_unit_test(driver_is_called_when_it_wants),
		cmocka_unit_test(kicks_are_not_wanted),
		cmocka_unit_test(what_never_fits_is_told_of),
		cmocka_unit_test(unseen_chains_may_be_too_small),
		cmocka_unit_test(long_frames_have_several_mbufs),
		cmocka_unit_test(fewer_are_claimed_if_mbufs_are_short),
		cmocka_unit_test(partial_checksums_are_completed_or_left_to_the_stages),
		cmocka_unit_test(impossible_rings_are_broken),
		cmocka_unit_test(any_bytes_harm_nobody),
		cmocka_unit_test(lcores_fill_side_by_side),
	};

	return cmocka_run_group_tests_name("virtqueue", tests, environment_make, environment_end);
}
