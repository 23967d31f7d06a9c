/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames come through a ring that the kernel writes, TPACKET_V2: in V3 a frame waits until its
 * block is full, or a millisecond. A slot takes a frame of the interface's MTU; a longer one is
 * told of in the ring, and read from the socket (PACKET_COPY_THRESH). Before each frame is a virtio
 * header.
 *
 * Frames leave by system calls, many in each, past the queueing discipline: so the kernel says of
 * each whether it was taken. A ring would tell of none.
 */
#include "ports/packet_queue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_malloc.h>

#include "base/counter.h"
#include "base/frame.h"
#include "ports/cut.h"

#define BLOCK_SIZE (64 << 10)	     /* of the ring; a slot is in one block */
#define LARGE_MAX (65535 + 64)	     /* a packet of 64 KB and its Ethernet header */
#define LARGE_WAITING_MAX (16 << 20) /* bytes of kernel memory */
#define SENDING_MAX (4 << 20)	     /* bytes of kernel memory */
#define SEND_BURST 32
#define SEND_PARTS 128
#define FANOUT_IGNORE_OUTGOING 0x4000 /* Debian 12's headers do not know it */

struct packet_queue {
	int receive_fd;
	int send_fd;
	uint8_t *ring;
	size_t ring_size;
	uint8_t *next; /* slot */
	uint32_t slot; /* its number in its block */
	uint32_t block;
	uint32_t n_blocks;
	uint32_t slots_in_block;
	uint32_t slot_size;
	struct rte_mempool *pool;
	uint64_t too_large; /* frames of which the rest was lost; owner: wo, others: ro (relaxed) */
	uint64_t told;	    /* of these, by packet_queue_missed() */
	bool too_big;	    /* the packet that the last packet_queue_send() stopped at */
	struct cut cut;	    /* of what is in `large` */
	bool large_has_tag;
	struct virtio_net_hdr header; /* of what is in `large` */
	uint8_t large[LARGE_MAX] __rte_cache_aligned;
};

/* ---- receiving ---- */

static void give_back(struct packet_queue *queue, struct tpacket2_hdr *slot)
{
	__atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	if (++queue->slot < queue->slots_in_block) {
		queue->next += queue->slot_size;
		return;
	}
	queue->slot = 0;
	queue->block = queue->block + 1 == queue->n_blocks ? 0 : queue->block + 1;
	queue->next = queue->ring + (size_t)queue->block * BLOCK_SIZE;
}

static const struct virtio_net_hdr *header_of(const struct tpacket2_hdr *slot)
{
	return (const void *)((const uint8_t *)slot + slot->tp_mac - sizeof(struct virtio_net_hdr));
}

/* The tag itself is not in the frame any more. */
static struct rte_mbuf *mark_tag(struct rte_mbuf *mbuf, bool has_tag)
{
	if (unlikely(has_tag) && mbuf != NULL)
		mbuf->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	return mbuf;
}

static bool has_tag(const struct tpacket2_hdr *slot)
{
	return (slot->tp_status & TP_STATUS_VLAN_VALID) != 0;
}

/* The next frame that the ring told of, from the socket; its length, or 0: it does not fit. */
static uint32_t read_large(struct packet_queue *queue)
{
	struct iovec parts[] = {
		{&queue->header, sizeof(queue->header)}, {queue->large, sizeof(queue->large)}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = RTE_DIM(parts)};
	ssize_t length;

	/* That the interface was taken down is told in between, once. */
	do
		length = recvmsg(queue->receive_fd, &message, MSG_DONTWAIT);
	while (length < 0 && (errno == ENETDOWN || errno == EINTR));
	if (length <= (ssize_t)sizeof(queue->header) || message.msg_flags & MSG_TRUNC)
		return 0;
	return length - sizeof(queue->header);
}

static uint32_t copy_large(struct packet_queue *queue, const struct tpacket2_hdr *slot)
{
	if (slot->tp_status & TP_STATUS_COPY)
		return read_large(queue);
	if (slot->tp_snaplen < slot->tp_len)
		return 0;
	queue->header = *header_of(slot);
	memcpy(queue->large, (const uint8_t *)slot + slot->tp_mac, slot->tp_snaplen);
	return slot->tp_snaplen;
}

static void begin_large(struct packet_queue *queue, const struct tpacket2_hdr *slot)
{
	uint32_t length = copy_large(queue, slot);

	if (length == 0)
		counter_add(&queue->too_large, 1);
	queue->large_has_tag = has_tag(slot);
	cut_begin(&queue->cut, queue->large, length, &queue->header);
}

/* As it is, but for its checksum. */
static bool is_small(const struct tpacket2_hdr *slot)
{
	return slot->tp_snaplen == slot->tp_len &&
	       header_of(slot)->gso_type == VIRTIO_NET_HDR_GSO_NONE;
}

static struct rte_mbuf *take_small(struct packet_queue *queue, struct tpacket2_hdr *slot)
{
	struct rte_mbuf *mbuf = mark_tag(cut_none((const uint8_t *)slot + slot->tp_mac,
						 slot->tp_len, header_of(slot), queue->pool),
		has_tag(slot));

	if (mbuf != NULL)
		give_back(queue, slot);
	return mbuf;
}

/* The next frame, or NULL: there is none, or there are no mbufs. */
static struct rte_mbuf *take(struct packet_queue *queue)
{
	while (cut_is_done(&queue->cut)) {
		struct tpacket2_hdr *slot = (void *)queue->next;

		if (!(__atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			return NULL;
		if (likely(is_small(slot)))
			return take_small(queue, slot);
		begin_large(queue, slot);
		give_back(queue, slot);
	}
	return mark_tag(cut_next(&queue->cut, queue->pool), queue->large_has_tag);
}

uint16_t packet_queue_receive(struct packet_queue *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t received = 0;

	while (received < n) {
		mbufs[received] = take(queue);
		if (mbufs[received] == NULL)
			break;
		received++;
	}
	return received;
}

/* ---- sending ---- */

/* Makes a message of each mbuf, as far as there is room for their segments; returns how many. */
static unsigned int gather(
	struct rte_mbuf **mbufs, uint16_t n, struct mmsghdr *messages, struct iovec *parts)
{
	unsigned int filled = 0, used = 0;

	for (; filled < n && filled < SEND_BURST; filled++) {
		if (used + mbufs[filled]->nb_segs > SEND_PARTS)
			break;
		messages[filled].msg_hdr = (struct msghdr){
			.msg_iov = parts + used, .msg_iovlen = mbufs[filled]->nb_segs};
		for (struct rte_mbuf *segment = mbufs[filled]; segment; segment = segment->next)
			parts[used++] = (struct iovec){
				rte_pktmbuf_mtod(segment, void *), segment->data_len};
	}
	return filled;
}

/* The kernel stops at the first that it does not take: the interface is down or its queue full, or
 * the packet too big. If it took others before, it does not say why, so it is asked again. */
uint16_t packet_queue_send(struct packet_queue *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct mmsghdr messages[SEND_BURST];
	struct iovec parts[SEND_PARTS];
	uint16_t sent = 0;

	while (sent < n) {
		unsigned int filled = gather(mbufs + sent, n - sent, messages, parts);
		int taken =
			filled == 0 ? 0 : sendmmsg(queue->send_fd, messages, filled, MSG_DONTWAIT);

		if (taken <= 0) {
			queue->too_big = filled == 0 || errno == EMSGSIZE;
			break;
		}
		sent += taken;
	}
	rte_pktmbuf_free_bulk(mbufs, sent);
	return sent;
}

bool packet_queue_too_big(const struct packet_queue *queue)
{
	return queue->too_big;
}

/* ---- opening ---- */

static int set(int fd, int option, int value)
{
	return setsockopt(fd, SOL_PACKET, option, &value, sizeof(value));
}

static int bind_to(int fd, int interface, uint16_t protocol)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = interface};

	return bind(fd, (const struct sockaddr *)&address, sizeof(address));
}

/* It has no protocol, so it receives nothing. */
static int open_sender(int interface)
{
	const int size = SENDING_MAX;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (set(fd, PACKET_QDISC_BYPASS, 1) == 0 && bind_to(fd, interface, 0) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Room for the kernel's notes, the virtio header, a frame and its tags. */
static uint32_t slot_size(uint16_t mtu)
{
	uint32_t frame = mtu + RTE_ETHER_HDR_LEN + FRAME_VLAN_TAGS_MAX * RTE_VLAN_HLEN;

	return TPACKET_ALIGN(
		TPACKET2_HDRLEN + TPACKET_ALIGNMENT + sizeof(struct virtio_net_hdr) + frame);
}

static int make_ring(struct packet_queue *queue, const struct packet_queue_settings *settings)
{
	struct tpacket_req request = {.tp_block_size = BLOCK_SIZE};

	queue->slot_size = slot_size(settings->mtu);
	queue->slots_in_block = BLOCK_SIZE / queue->slot_size;
	queue->n_blocks = (settings->slots + queue->slots_in_block - 1) / queue->slots_in_block;
	request.tp_block_nr = queue->n_blocks;
	request.tp_frame_size = queue->slot_size;
	request.tp_frame_nr = queue->n_blocks * queue->slots_in_block;
	if (setsockopt(queue->receive_fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) !=
		0)
		return -1;
	queue->ring_size = (size_t)queue->n_blocks * BLOCK_SIZE;
	queue->ring = mmap(
		NULL, queue->ring_size, PROT_READ | PROT_WRITE, MAP_SHARED, queue->receive_fd, 0);
	queue->next = queue->ring;
	return queue->ring == MAP_FAILED ? -1 : 0;
}

/* Until all queues share, each would get every frame. */
static int receive_nothing(int fd)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog program = {1, &nothing};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int hear(int fd, const struct packet_queue_settings *settings)
{
	struct packet_mreq membership = {.mr_ifindex = settings->interface,
		.mr_type = PACKET_MR_UNICAST,
		.mr_alen = RTE_ETHER_ADDR_LEN};

	memcpy(membership.mr_address, settings->mac, RTE_ETHER_ADDR_LEN);
	return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof(membership));
}

/* A flow's frames always come to the same queue. */
static int share(int fd, const struct packet_queue_settings *settings)
{
	int how = PACKET_FANOUT_HASH | FANOUT_IGNORE_OUTGOING;
	int group;
	socklen_t size = sizeof(group);

	if (!settings->shared && settings->first == NULL)
		return 0;
	if (settings->first == NULL)
		return set(fd, PACKET_FANOUT, (how | PACKET_FANOUT_FLAG_UNIQUEID) << 16);
	if (getsockopt(settings->first->receive_fd, SOL_PACKET, PACKET_FANOUT, &group, &size) != 0)
		return -1;
	return set(fd, PACKET_FANOUT, how << 16 | (group & 0xffff));
}

static int open_receiver(struct packet_queue *queue, const struct packet_queue_settings *settings)
{
	const int size = LARGE_WAITING_MAX;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	queue->receive_fd = fd;
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (receive_nothing(fd) != 0 || set(fd, PACKET_VERSION, TPACKET_V2) != 0 ||
		set(fd, PACKET_VNET_HDR, 1) != 0 || set(fd, PACKET_COPY_THRESH, 1) != 0 ||
		set(fd, PACKET_IGNORE_OUTGOING, 1) != 0 || hear(fd, settings) != 0)
		return -1;
	if (make_ring(queue, settings) != 0)
		return -1;
	if (bind_to(fd, settings->interface, ETH_P_ALL) != 0)
		return -1;
	return share(fd, settings);
}

struct packet_queue *packet_queue_open(
	const struct packet_queue_settings *settings, struct error *error)
{
	struct packet_queue *queue = rte_zmalloc_socket(
		"packet queue", sizeof(*queue), RTE_CACHE_LINE_SIZE, settings->socket_id);

	if (queue == NULL) {
		error_set(error, "no memory for the port; give EAL more (-m, huge pages)");
		return NULL;
	}
	queue->ring = MAP_FAILED;
	queue->receive_fd = -1;
	queue->pool = settings->pool;
	queue->send_fd = open_sender(settings->interface);
	if (queue->send_fd >= 0 && open_receiver(queue, settings) == 0)
		return queue;
	error_set(error, "interface: cannot open packet sockets at it: %s%s", strerror(errno),
		errno == EPERM ? "; it takes CAP_NET_RAW" : "");
	packet_queue_close(queue);
	return NULL;
}

void packet_queue_begin(struct packet_queue *queue)
{
	const int unused = 0;

	setsockopt(queue->receive_fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused));
}

void packet_queue_close(struct packet_queue *queue)
{
	if (queue->ring != MAP_FAILED)
		munmap(queue->ring, queue->ring_size);
	if (queue->receive_fd >= 0)
		close(queue->receive_fd);
	if (queue->send_fd >= 0)
		close(queue->send_fd);
	rte_free(queue);
}

bool packet_queue_is_at(const struct packet_queue *queue, int interface)
{
	struct sockaddr_ll address = {0};
	socklen_t size = sizeof(address);

	return getsockname(queue->receive_fd, (struct sockaddr *)&address, &size) == 0 &&
	       address.sll_ifindex == interface;
}

uint64_t packet_queue_missed(struct packet_queue *queue)
{
	struct tpacket_stats stats = {0};
	socklen_t size = sizeof(stats);
	uint64_t too_large = counter_read(&queue->too_large);
	uint64_t missed = too_large - queue->told;

	queue->told = too_large;
	if (getsockopt(queue->receive_fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0)
		missed += stats.tp_drops;
	return missed;
}

int packet_queue_descriptor(const struct packet_queue *queue)
{
	return queue->receive_fd;
}
