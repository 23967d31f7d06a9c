/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What becomes of coalesced packets: merged into large segments, which a plain segmentation written
 * here turns back into the packets that came, or taken apart.
 */
#include "segments.h"

#include "ports/large_segment.h"
#include "stages/followers.h"

#define OUTER VXLAN_OVERHEAD

/* As after the vxlan stage. */
static void strip(struct rte_mbuf *head)
{
	rte_pktmbuf_adj(head, OUTER);
	head->ol_flags = 0;
}

static void assert_inner(const struct rte_mbuf *mbuf, const struct frame *frame)
{
	assert_int_equal(mbuf->data_len, frame->length - OUTER);
	assert_int_equal(mbuf->pkt_len, frame->length - OUTER);
	assert_memory_equal(
		rte_pktmbuf_mtod(mbuf, const void *), frame->bytes + OUTER, frame->length - OUTER);
}

/* Takes a list apart, and finds in it the frames as they came, with the head's metadata. */
static void assert_originals(struct rte_mbuf *head, const struct frame *frames, uint16_t n)
{
	struct packet expected = *packet_of(head);
	uint16_t port = head->port;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *rest;

		memcpy(expected.lengths, packet_of(head)->lengths, sizeof(expected.lengths));
		expected.followers = n - 1 - i;
		assert_memory_equal(packet_of(head), &expected, sizeof(expected));
		assert_int_equal(head->port, port);
		assert_int_equal(head->nb_segs, n - i);
		rest = followers_take(head);
		assert_inner(head, &frames[i]);
		assert_int_equal(head->nb_segs, 1);
		assert_null(head->next);
		assert_int_equal(packet_of(head)->followers, 0);
		assert_true((rest == NULL) == (i == n - 1));
		head = rest;
	}
}

/* What a device that segments does with the `i`-th part of a large segment of `whole` bytes from
 * the inner Ethernet header on: plain and slow. Gives the frame as it would be in its tunnel. */
static struct frame part_of(
	const struct frame *first, const uint8_t *whole, uint32_t length, uint16_t size, int i)
{
	uint16_t headers = first->data - OUTER;
	uint32_t from = headers + (uint32_t)i * size;
	uint32_t to = RTE_MIN(from + size, length);
	struct frame part = copy_of(first);
	struct rte_tcp_hdr *tcp = tcp_of(&part);

	memcpy(part.bytes + OUTER, whole, headers);
	memcpy(part.bytes + part.data, whole + from, to - from);
	part.length = part.data + to - from;
	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + i * size);
	if (to < length)
		tcp->tcp_flags &= ~RTE_TCP_PSH_FLAG;
	finish_inner(&part);
	return part;
}

static uint64_t expected_flags(const struct frame *frame)
{
	uint64_t flags = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM;

	return flags |
	       (is_ipv4(frame) ? RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM : RTE_MBUF_F_TX_IPV6);
}

/* The headers' fields of a large segment that segmentation sets anew. */
static void assert_large_headers(struct frame *large, uint32_t length)
{
	if (is_ipv4(large)) {
		const struct rte_ipv4_hdr *ip = ipv4_of(large);

		assert_int_equal(rte_be_to_cpu_16(ip->total_length), length + OUTER - large->ip);
		assert_int_equal(rte_raw_cksum(ip, sizeof(*ip)), 0xffff);
		assert_int_equal(
			tcp_of(large)->cksum, rte_ipv4_phdr_cksum(ip, RTE_MBUF_F_TX_TCP_SEG));
	} else {
		const struct rte_ipv6_hdr *ip = ipv6_of(large);

		assert_int_equal(rte_be_to_cpu_16(ip->payload_len), length + OUTER - large->tcp);
		assert_int_equal(
			tcp_of(large)->cksum, rte_ipv6_phdr_cksum(ip, RTE_MBUF_F_TX_TCP_SEG));
	}
}

static void assert_large(struct rte_mbuf *head, const struct frame *frames, uint16_t n)
{
	static uint8_t whole[2 * UINT16_MAX];
	struct frame large = copy_of(&frames[0]);
	uint32_t length = 0;

	assert_true(large_segment_is(head));
	assert_int_equal(packet_of(head)->followers, n - 1);
	assert_int_equal(head->nb_segs, n);
	assert_int_equal(head->ol_flags, expected_flags(&frames[0]));
	assert_int_equal(head->l2_len, large.ip - OUTER);
	assert_int_equal(head->l3_len, large.tcp - large.ip);
	assert_int_equal(head->l4_len, large.data - large.tcp);
	assert_int_equal(head->tso_segsz, frames[0].length - frames[0].data);
	for (struct rte_mbuf *part = head; part != NULL; part = part->next) {
		memcpy(whole + length, rte_pktmbuf_mtod(part, void *), part->data_len);
		length += part->data_len;
	}
	assert_int_equal(head->pkt_len, length);
	memcpy(large.bytes + OUTER, whole, large.data - OUTER);
	assert_large_headers(&large, length);
	for (int i = 0; i < n; i++) {
		struct frame part = part_of(&frames[0], whole, length, head->tso_segsz, i);
		struct frame expected = copy_of(&frames[i]);

		if (is_ipv4(&expected)) {
			ipv4_of(&expected)->packet_id = ipv4_of(&part)->packet_id;
			ipv4_finish(ipv4_of(&expected));
		}
		assert_int_equal(part.length, expected.length);
		assert_memory_equal(
			part.bytes + OUTER, expected.bytes + OUTER, part.length - OUTER);
	}
}

/* Three packets, the last one shorter and pushed, as a list without outer headers. */
static struct rte_mbuf *make_list(bool ipv6, struct frame frames[3])
{
	struct burst burst = {0};

	for (int i = 0; i < 3; i++) {
		frames[i] = frame_of((struct wish){.ipv6 = ipv6,
			.tags = 1,
			.options = 12,
			.sequence = i * DATA,
			.id = 10 * i,
			.length = i == 2 ? DATA - 7 : DATA,
			.flags = i == 2 ? RTE_TCP_PSH_FLAG : 0});
		add(&burst, frames[i]);
	}
	assert_lists(&burst, 2, -1, -1);
	strip(burst.mbufs[0]);
	return burst.mbufs[0];
}

static void a_list_is_taken_apart_into_the_packets_that_came(void **state)
{
	struct frame frames[3];
	struct rte_mbuf *head = make_list(false, frames);

	(void)state;
	head->port = 5;
	*packet_of(head) = (struct packet){.origin = {.account = {1}, .first = 3, .door = 2},
		.followers = 2,
		.flow_hash = 4,
		.network = BLUE,
		.source = REMOTE_2,
		.destination = PORT_1};
	head->pkt_len = head->data_len = frames[0].length - OUTER;
	assert_originals(head, frames, 3);
}

static void a_packet_in_segments_is_not_taken_apart(void **state)
{
	struct rte_mbuf *mbuf = mbuf_of("x", 1);

	(void)state;
	mbuf->next = mbuf_of("y", 1);
	mbuf->nb_segs = 2;
	assert_null(followers_take(mbuf));
	assert_non_null(mbuf->next);
}

static void a_list_is_merged(void **state)
{
	(void)state;
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct frame frames[3];
		struct rte_mbuf *head = make_list(ipv6, frames);

		assert_false(large_segment_is(head));
		assert_true(followers_join(head));
		assert_large(head, frames, 3);
	}
}

static void a_wrong_checksum_leaves_the_list_as_it_is(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct frame frames[3];
		struct rte_mbuf *head = make_list(i >= 3, frames);
		struct rte_mbuf *bad = head;

		for (int skip = i % 3; skip > 0; skip--)
			bad = bad->next;
		rte_pktmbuf_mtod(bad, uint8_t *)[frames[0].data - OUTER + 5] ^= 1;
		frames[i % 3].bytes[frames[0].data + 5] ^= 1;
		assert_false(followers_join(head));
		assert_false(large_segment_is(head));
		assert_originals(head, frames, 3);
	}
}

static struct rte_mbuf *list_to(uint16_t port, struct frame frames[3])
{
	struct rte_mbuf *head = make_list(false, frames);

	packet_of(head)->network = BLUE;
	packet_of(head)->destination = port;
	return head;
}

static void veth_merges_for_those_who_take_it(void **state)
{
	struct frame frames[3];
	struct rte_mbuf *list = list_to(PORT_1, frames);
	struct rte_mbuf *large = list_to(PORT_2, frames);
	struct rte_mbuf *too_big = list_to(PORT_2, frames);

	(void)state;
	fixture.ports[PORT_2].large_segments = true;
	assert_exit(verdict_of(&veth_stage, list), veth, "container");
	assert_originals(list, frames, 3);
	fixture.ports[PORT_2].mtu = frames[0].length - frames[0].ip;
	assert_exit(verdict_of(&veth_stage, large), veth, "container");
	assert_large(large, frames, 3);
	fixture.ports[PORT_2].mtu--; /* frames have a tag */
	assert_drop(verdict_of(&veth_stage, too_big), "veth_too_big");
	assert_originals(too_big, frames, 3);
}

/* ---- random bursts ---- */

#define ROUNDS 6000
#define FLOWS 3

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005 + 1442695040888963407;
	return (random_state >> 33) % n;
}

struct sent {
	uint16_t flow;
	struct frame frame;
};

static struct sent sent[STAGE_BURST_MAX];

/* Turns over bits of some byte of the IP header, but not of the protocol or the addresses, or of
 * the TCP header behind the ports; so it may become anything, but of no other flow. */
static void spoil(struct frame *frame)
{
	static const uint8_t ipv4[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11};
	static const uint8_t ipv6[] = {0, 1, 2, 3, 4, 5, 7};
	uint16_t offset = frame->tcp + 4 + random_below(frame->data - frame->tcp - 4);

	if (random_below(2) == 0)
		offset = frame->ip + (is_ipv4(frame) ? ipv4[random_below(sizeof(ipv4))]
						     : ipv6[random_below(sizeof(ipv6))]);
	frame->bytes[offset] ^= 1 << random_below(8);
	if (random_below(2) == 0)
		finish_inner(frame);
	finish_outer(frame);
}

static bool is_intact(const struct frame *frame)
{
	struct frame right = copy_of(frame);

	finish_inner(&right);
	return memcmp(right.bytes, frame->bytes, frame->length) == 0;
}

static void make_random(struct sent *one, uint32_t next[FLOWS], uint16_t size)
{
	uint16_t flow = random_below(FLOWS);
	struct wish wish = {.ipv6 = flow == 1,
		.tags = flow == 2,
		.options = 12,
		.port = flow,
		.id = random_below(UINT16_MAX),
		.length = random_below(16) == 0 ? random_below(size) : size,
		.flags = random_below(16) == 0 ? RTE_TCP_PSH_FLAG : 0,
		.sequence = next[flow]};

	if (random_below(32) == 0)
		wish.sequence = next[flow] -= random_below(2 * size);
	next[flow] += wish.length;
	one->flow = flow;
	one->frame = frame_of(wish);
	if (random_below(16) == 0)
		spoil(&one->frame);
}

static uint16_t index_of(const struct burst *burst, const struct rte_mbuf *mbuf)
{
	uint16_t i = 0;

	while (burst->mbufs[i] != mbuf)
		i++;
	return i;
}

/* Follows a list, whose packets must be the flow's next ones: those after last[flow]. Fills in
 * their frames, and whether all their checksums are right; returns their number. */
static uint16_t follow_list(const struct burst *burst, uint16_t head, struct frame *frames,
	bool *intact, int last[FLOWS])
{
	struct rte_mbuf *mbuf = burst->mbufs[head];
	uint16_t flow = sent[head].flow;
	uint16_t n = 0;

	*intact = true;
	for (; mbuf != NULL; mbuf = mbuf->next, n++) {
		uint16_t i = index_of(burst, mbuf);

		assert_true(n == 0 || burst->verdicts[i] == VERDICT_COALESCED);
		assert_int_equal(sent[i].flow, flow);
		for (int skipped = last[flow] + 1; skipped < i; skipped++)
			assert_int_not_equal(sent[skipped].flow, flow);
		last[flow] = i;
		frames[n] = sent[i].frame;
		*intact &= is_intact(&sent[i].frame);
	}
	return n;
}

/* Returns the number of followers. */
static uint32_t judge_list(const struct burst *burst, uint16_t head, int last[FLOWS])
{
	struct frame frames[STAGE_BURST_MAX];
	struct rte_mbuf *mbuf = burst->mbufs[head];
	bool intact;
	uint16_t n = follow_list(burst, head, frames, &intact, last);

	assert_int_equal(packet_of(mbuf)->followers, n - 1);
	strip(mbuf);
	if (n > 1 && random_below(4) != 0) {
		assert_int_equal(followers_join(mbuf), intact);
		if (intact) {
			assert_large(mbuf, frames, n);
			return n - 1;
		}
	}
	assert_originals(mbuf, frames, n);
	return n - 1;
}

static uint32_t try_random(void)
{
	struct burst burst = {0};
	uint32_t next[FLOWS] = {random_below(3) - 1, random_below(5000), -random_below(5000)};
	uint16_t size =
		1 + random_below(2) * random_below(300) + random_below(2) * random_below(1400);
	int last[FLOWS] = {-1, -1, -1};
	uint32_t coalesced = 0;

	for (uint32_t n = 1 + random_below(STAGE_BURST_MAX); burst.n < n;) {
		make_random(&sent[burst.n], next, size);
		add(&burst, sent[burst.n].frame);
	}
	gro(&burst);
	for (uint16_t i = 0; i < burst.n; i++)
		if (burst.verdicts[i] != VERDICT_COALESCED && burst.verdicts[i] < VERDICT_DROP)
			coalesced += judge_list(&burst, i, last);
		else if (burst.verdicts[i] >= VERDICT_DROP)
			last[sent[i].flow] = i;
	return coalesced;
}

static void random_bursts_come_out_as_they_went_in(void **state)
{
	uint64_t coalesced = 0;

	for (int round = 0; round < ROUNDS; round++) {
		random_state = round;
		coalesced += try_random();
		/* The fixture keeps mbufs until it is freed. */
		if (round % 30 == 29) {
			fixture_free(state);
			fixture_make(state);
		}
	}
	assert_true(coalesced > ROUNDS * 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_list_is_taken_apart_into_the_packets_that_came),
		TEST(a_packet_in_segments_is_not_taken_apart),
		TEST(a_list_is_merged),
		TEST(a_wrong_checksum_leaves_the_list_as_it_is),
		TEST(veth_merges_for_those_who_take_it),
		TEST(random_bursts_come_out_as_they_went_in),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
