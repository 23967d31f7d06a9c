/* SPDX-License-Identifier: BSD-3-Clause */
/* Which packets of a burst gro coalesces, and which it must not. */
#include "segments.h"

/* ---- what is coalesced ---- */

static void packets_in_sequence_are_coalesced(void **state)
{
	struct burst burst = {0};
	struct frame second = nth(1);

	(void)state;
	for (int i = 0; i < 3; i++)
		add(&burst, nth(i))->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	assert_lists(&burst, 2, -1, -1);
	assert_ptr_equal(burst.mbufs[0]->next, burst.mbufs[1]);
	assert_ptr_equal(burst.mbufs[1]->next, burst.mbufs[2]);
	assert_null(burst.mbufs[2]->next);
	assert_int_equal(burst.mbufs[0]->pkt_len, second.length);
	assert_int_equal(burst.mbufs[1]->pkt_len, second.length - VXLAN_OVERHEAD);
	assert_int_equal(burst.mbufs[1]->ol_flags, 0);
	assert_memory_equal(rte_pktmbuf_mtod(burst.mbufs[1], void *), second.bytes + VXLAN_OVERHEAD,
		second.length - VXLAN_OVERHEAD);
}

static void nothing_is_coalesced_if_nobody_wants_it(void **state)
{
	struct burst burst = {0};

	(void)state;
	add(&burst, nth(0));
	add(&burst, nth(1));
	gro_stage.process(&fixture.context, burst.mbufs, burst.n, burst.verdicts);
	assert_int_equal(burst.verdicts[1], EXIT_MAIN);
}

static void ipv6_tags_and_options_are_coalesced(void **state)
{
	(void)state;
	for (int form = 0; form < 2 * 3 * 2; form++) {
		struct burst burst = {0};
		struct wish wish = {.ipv6 = form & 1,
			.options = form & 2 ? 12 : 0,
			.tags = form / 4,
			.length = DATA};

		wish_for(&burst, wish);
		wish.sequence = DATA;
		wish_for(&burst, wish);
		assert_lists(&burst, 1, -1);
	}
}

static void the_sequence_number_may_wrap(void **state)
{
	struct burst burst = {0};

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		add(&burst, nth(i - 1));
	assert_lists(&burst, 2, -1, -1);
}

static void flows_are_told_apart(void **state)
{
	struct burst burst = {0};

	(void)state;
	for (int i = 0; i < 9; i++)
		wish_for(&burst, (struct wish){.port = i % 3,
					 .ipv6 = i % 3 == 2,
					 .sequence = i / 3 * DATA,
					 .length = DATA});
	assert_lists(&burst, 2, 2, 2, -1, -1, -1, -1, -1, -1);
	assert_ptr_equal(burst.mbufs[1]->next, burst.mbufs[4]);
	assert_ptr_equal(burst.mbufs[4]->next, burst.mbufs[7]);
}

static void packets_between_do_not_matter(void **state)
{
	struct frame udp = nth(9), bad = nth(9);
	struct burst burst = {0};

	(void)state;
	ipv4_of(&udp)->next_proto_id = IPPROTO_UDP;
	bad.bytes[0] ^= 1; /* not for this uplink: dropped */
	add(&burst, nth(0));
	add(&burst, udp);
	add(&burst, bad);
	add(&burst, nth(1));
	assert_lists(&burst, 1, 0, 0, -1);
	assert_drop(burst.verdicts[2], "outer_mac");
}

/* ---- what ends a list ---- */

static void a_push_ends_a_list(void **state)
{
	struct burst burst = {0};
	struct burst first = {0};

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		wish_for(&burst, (struct wish){.sequence = i * DATA,
					 .length = DATA,
					 .flags = i == 1 ? RTE_TCP_PSH_FLAG : 0});
	assert_lists(&burst, 1, -1, 1, -1);
	wish_for(&first, (struct wish){.length = DATA, .flags = RTE_TCP_PSH_FLAG});
	add(&first, nth(1));
	assert_lists(&first, 0, 0);
}

static void a_shorter_packet_ends_a_list(void **state)
{
	struct burst burst = {0};
	struct burst longer = {0};

	(void)state;
	add(&burst, nth(0));
	wish_for(&burst, (struct wish){.sequence = DATA, .length = 1});
	wish_for(&burst, (struct wish){.sequence = DATA + 1, .length = 1});
	wish_for(&burst, (struct wish){.sequence = DATA + 2, .length = 1});
	assert_lists(&burst, 1, -1, 1, -1);
	add(&longer, nth(0));
	wish_for(&longer, (struct wish){.sequence = DATA, .length = DATA + 1});
	wish_for(&longer, (struct wish){.sequence = 2 * DATA + 1, .length = DATA + 1});
	assert_lists(&longer, 0, 1, -1);
}

static void a_packet_is_not_larger_than_ip_allows(void **state)
{
	/* Five of these and their header are 65535 bytes. */
	const uint16_t length = (UINT16_MAX - 40) / 5;
	struct burst burst = {0};
	struct burst whole = {0};

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		wish_for(&burst, (struct wish){.sequence = i * length, .length = length});
	whole = burst;
	assert_lists(&whole, 4, -1, -1, -1, -1);
	burst.n = 0;
	for (uint32_t i = 0; i < 5; i++)
		wish_for(&burst, (struct wish){.sequence = i * length, .length = length});
	wish_for(&burst, (struct wish){.sequence = 5 * length, .length = 1});
	assert_lists(&burst, 4, -1, -1, -1, -1, 0);
}

static void a_list_is_a_burst_at_most(void **state)
{
	struct burst burst = {0};

	(void)state;
	for (int i = 0; i < STAGE_BURST_MAX; i++)
		add(&burst, nth(i));
	gro(&burst);
	assert_int_equal(followers(&burst, 0), STAGE_BURST_MAX - 1);
	burst.n = 0;
	add(&burst, nth(STAGE_BURST_MAX));
	gro(&burst);
	assert_int_equal(burst.verdicts[0], EXIT_MAIN); /* nothing is kept */
}

/* ---- each rule, by a packet that breaks it alone ---- */

enum base { IN_OUTER, IN_IP, IN_TCP };

/* What a change of a header means for coalescing. */
enum meaning {
	NOTHING,
	DIFFERENT, /* from packets without it, but such packets may be coalesced with each other */
	OTHER,	   /* another flow, which may be coalesced too */
	NEVER,	   /* not to be coalesced at all */
	NO_TCP,	   /* neither, and it leaves other flows alone */
};

enum repair { AS_IT_IS, HEADER, ALL };

struct change {
	const char *name;
	enum base base;
	uint16_t offset;
	uint8_t bits; /* that are turned over */
	enum repair repair;
	enum meaning meaning;
};

#define OUTER_FIELD(type, header, field)                                                           \
	IN_OUTER, offsetof(struct vxlan_frame, header) + offsetof(struct type, field)
#define IP_FIELD(type, field) IN_IP, offsetof(struct type, field)
#define TCP_FIELD(field) IN_TCP, offsetof(struct rte_tcp_hdr, field)

static const struct change changes[] = {
	{"outer identification", OUTER_FIELD(rte_ipv4_hdr, ip, packet_id), 1, AS_IT_IS, NOTHING},
	{"outer time to live", OUTER_FIELD(rte_ipv4_hdr, ip, time_to_live), 1, AS_IT_IS, NOTHING},
	{"outer DF", OUTER_FIELD(rte_ipv4_hdr, ip, fragment_offset), 0x40, AS_IT_IS, NOTHING},
	{"outer UDP checksum", OUTER_FIELD(rte_udp_hdr, udp, dgram_cksum), 1, AS_IT_IS, NOTHING},
	{"inner identification", IP_FIELD(rte_ipv4_hdr, packet_id), 1, ALL, NOTHING},
	{"TCP checksum", TCP_FIELD(cksum), 1, AS_IT_IS, NOTHING},
	{"payload", IN_TCP, 40, 1, AS_IT_IS, NOTHING},
	{"outer source MAC", OUTER_FIELD(rte_ether_hdr, ether, src_addr), 4, AS_IT_IS, DIFFERENT},
	{"outer service", OUTER_FIELD(rte_ipv4_hdr, ip, type_of_service), 1, AS_IT_IS, DIFFERENT},
	{"outer source", OUTER_FIELD(rte_ipv4_hdr, ip, src_addr) + 3, 1, AS_IT_IS, DIFFERENT},
	{"outer source port", OUTER_FIELD(rte_udp_hdr, udp, src_port), 1, AS_IT_IS, DIFFERENT},
	{"VXLAN flag I", OUTER_FIELD(rte_vxlan_hdr, vxlan, vx_flags), 8, AS_IT_IS, NEVER},
	{"other flag", OUTER_FIELD(rte_vxlan_hdr, vxlan, vx_flags), 0x80, AS_IT_IS, DIFFERENT},
	{"reserved byte", OUTER_FIELD(rte_vxlan_hdr, vxlan, vx_vni) + 3, 1, AS_IT_IS, DIFFERENT},
	{"VNI", OUTER_FIELD(rte_vxlan_hdr, vxlan, vx_vni) + 2, 1, AS_IT_IS, OTHER},
	{"destination MAC", OUTER_FIELD(rte_ether_hdr, inner, dst_addr), 4, AS_IT_IS, DIFFERENT},
	{"source MAC", OUTER_FIELD(rte_ether_hdr, inner, src_addr), 4, AS_IT_IS, DIFFERENT},
	{"type", OUTER_FIELD(rte_ether_hdr, inner, ether_type), 1, AS_IT_IS, NEVER},
	{"version", IP_FIELD(rte_ipv4_hdr, version_ihl), 0x10, HEADER, NEVER},
	{"header length", IP_FIELD(rte_ipv4_hdr, version_ihl), 3, HEADER, NEVER},
	{"service", IP_FIELD(rte_ipv4_hdr, type_of_service), 4, HEADER, DIFFERENT},
	{"ECN", IP_FIELD(rte_ipv4_hdr, type_of_service), 3, HEADER, DIFFERENT},
	{"too short", IP_FIELD(rte_ipv4_hdr, total_length) + 1, 4, HEADER, NEVER},
	{"too long", IP_FIELD(rte_ipv4_hdr, total_length), 1, HEADER, NEVER},
	{"DF", IP_FIELD(rte_ipv4_hdr, fragment_offset), 0x40, HEADER, NEVER},
	{"MF", IP_FIELD(rte_ipv4_hdr, fragment_offset), 0x20, HEADER, NEVER},
	{"reserved flag", IP_FIELD(rte_ipv4_hdr, fragment_offset), 0x80, HEADER, NEVER},
	{"fragment offset", IP_FIELD(rte_ipv4_hdr, fragment_offset) + 1, 1, HEADER, NEVER},
	{"time to live", IP_FIELD(rte_ipv4_hdr, time_to_live), 1, HEADER, DIFFERENT},
	{"protocol", IP_FIELD(rte_ipv4_hdr, next_proto_id), 0x80, ALL, NEVER},
	{"UDP", IP_FIELD(rte_ipv4_hdr, next_proto_id), IPPROTO_TCP ^ IPPROTO_UDP, ALL, NO_TCP},
	{"header checksum", IP_FIELD(rte_ipv4_hdr, hdr_checksum), 1, AS_IT_IS, NEVER},
	{"source", IP_FIELD(rte_ipv4_hdr, src_addr) + 3, 8, ALL, OTHER},
	{"destination", IP_FIELD(rte_ipv4_hdr, dst_addr) + 3, 2, ALL, OTHER},
	{"source port", TCP_FIELD(src_port), 1, ALL, OTHER},
	{"destination port", TCP_FIELD(dst_port), 1, ALL, OTHER},
	{"sequence number", TCP_FIELD(sent_seq) + 3, 1, ALL, DIFFERENT},
	{"sequence number's first bit", TCP_FIELD(sent_seq), 0x80, ALL, DIFFERENT},
	{"acknowledgement", TCP_FIELD(recv_ack) + 3, 1, ALL, DIFFERENT},
	{"reserved bits", TCP_FIELD(data_off), 1, ALL, DIFFERENT},
	{"data within the header", TCP_FIELD(data_off), 0xc0, ALL, NEVER},
	{"data behind the end", TCP_FIELD(data_off), 0x70, ALL, NEVER},
	{"FIN", TCP_FIELD(tcp_flags), RTE_TCP_FIN_FLAG, ALL, NEVER},
	{"SYN", TCP_FIELD(tcp_flags), RTE_TCP_SYN_FLAG, ALL, NEVER},
	{"RST", TCP_FIELD(tcp_flags), RTE_TCP_RST_FLAG, ALL, NEVER},
	{"no ACK", TCP_FIELD(tcp_flags), RTE_TCP_ACK_FLAG, ALL, NEVER},
	{"URG", TCP_FIELD(tcp_flags), RTE_TCP_URG_FLAG, ALL, NEVER},
	{"ECE", TCP_FIELD(tcp_flags), RTE_TCP_ECE_FLAG, ALL, DIFFERENT},
	{"window", TCP_FIELD(rx_win) + 1, 1, ALL, DIFFERENT},
	{"urgent pointer", TCP_FIELD(tcp_urp) + 1, 1, ALL, NEVER},
	{"option", IN_TCP, sizeof(struct rte_tcp_hdr) + 7, 1, ALL, DIFFERENT},
};

static const struct change changes6[] = {
	{"version", IN_IP, 0, 0x10, ALL, NEVER},
	{"traffic class", IN_IP, 1, 0x10, ALL, DIFFERENT},
	{"flow label", IN_IP, 3, 1, ALL, DIFFERENT},
	{"too short", IP_FIELD(rte_ipv6_hdr, payload_len) + 1, 4, AS_IT_IS, NEVER},
	{"too long", IP_FIELD(rte_ipv6_hdr, payload_len), 1, AS_IT_IS, NEVER},
	{"extension header", IP_FIELD(rte_ipv6_hdr, proto), IPPROTO_TCP, AS_IT_IS, NEVER},
	{"UDP", IP_FIELD(rte_ipv6_hdr, proto), IPPROTO_TCP ^ IPPROTO_UDP, AS_IT_IS, NO_TCP},
	{"hop limit", IP_FIELD(rte_ipv6_hdr, hop_limits), 1, ALL, DIFFERENT},
	{"source", IP_FIELD(rte_ipv6_hdr, src_addr) + 3, 1, ALL, OTHER},
	{"destination", IP_FIELD(rte_ipv6_hdr, dst_addr) + 15, 2, ALL, OTHER},
	{"window", TCP_FIELD(rx_win), 1, ALL, DIFFERENT},
};

static void apply(const struct change *change, struct frame *frame)
{
	uint16_t base[] = {[IN_OUTER] = 0, [IN_IP] = frame->ip, [IN_TCP] = frame->tcp};

	frame->bytes[base[change->base] + change->offset] ^= change->bits;
	if (change->repair == ALL)
		finish_inner(frame);
	if (change->repair == HEADER)
		ipv4_finish(ipv4_of(frame));
	finish_outer(frame);
}

/* The i-th packet of a connection, changed or (NULL) not. */
static void add_nth(struct burst *burst, bool ipv6, uint32_t i, const struct change *change)
{
	struct frame frame = frame_of(
		(struct wish){.ipv6 = ipv6, .options = 12, .sequence = i * DATA, .length = DATA});

	if (change != NULL)
		apply(change, &frame);
	add(burst, frame);
}

static void as_second(const struct change *change, bool ipv6)
{
	struct burst burst = {0};

	add_nth(&burst, ipv6, 0, NULL);
	add_nth(&burst, ipv6, 1, change);
	add_nth(&burst, ipv6, 2, NULL);
	if (change->meaning == NOTHING)
		assert_lists(&burst, 2, -1, -1);
	else
		assert_lists(&burst, 0, 0, 0);
}

static void as_first(const struct change *change, bool ipv6)
{
	struct burst burst = {0};

	add_nth(&burst, ipv6, 0, change);
	add_nth(&burst, ipv6, 1, NULL);
	add_nth(&burst, ipv6, 2, NULL);
	if (change->meaning == NOTHING)
		assert_lists(&burst, 2, -1, -1);
	else
		assert_lists(&burst, 0, 1, -1);
}

static void as_all(const struct change *change, bool ipv6)
{
	struct burst burst = {0};

	for (int i = 0; i < 3; i++)
		add_nth(&burst, ipv6, i, change);
	if (change->meaning == NEVER || change->meaning == NO_TCP)
		assert_lists(&burst, 0, 0, 0);
	else
		assert_lists(&burst, 2, -1, -1);
}

/* Whatever it is, if it may be of the flow it is not overtaken. */
static void between(const struct change *change, bool ipv6)
{
	struct burst burst = {0};

	add_nth(&burst, ipv6, 0, NULL);
	add_nth(&burst, ipv6, 5, change);
	add_nth(&burst, ipv6, 1, NULL);
	if (change->meaning == OTHER || change->meaning == NO_TCP)
		assert_lists(&burst, 1, 0, -1);
	else
		assert_lists(&burst, 0, 0, 0);
}

static void try_changes(const struct change *list, size_t n, bool ipv6)
{
	for (size_t i = 0; i < n; i++) {
		print_message("# %s%s\n", ipv6 ? "IPv6: " : "", list[i].name);
		as_second(&list[i], ipv6);
		as_first(&list[i], ipv6);
		as_all(&list[i], ipv6);
		between(&list[i], ipv6);
	}
}

static void headers_must_agree(void **state)
{
	(void)state;
	try_changes(changes, RTE_DIM(changes), false);
	try_changes(changes6, RTE_DIM(changes6), true);
}

/* Where the ports cannot be told, it may be a packet of any flow. */
static void what_cannot_be_read_closes_all_lists(void **state)
{
	static const char *names[] = {"type", "version", "header length", "MF", "fragment offset",
		"protocol", "extension header"};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(changes) + RTE_DIM(changes6); i++) {
		bool ipv6 = i >= RTE_DIM(changes);
		const struct change *change = ipv6 ? &changes6[i - RTE_DIM(changes)] : &changes[i];
		struct frame other =
			frame_of((struct wish){.ipv6 = ipv6, .port = 1, .length = DATA});
		struct burst burst = {0};
		bool listed = false;

		for (size_t j = 0; j < RTE_DIM(names); j++)
			listed |= strcmp(names[j], change->name) == 0;
		apply(change, &other);
		add(&burst, nth(0));
		add(&burst, other);
		add(&burst, nth(1));
		gro(&burst);
		assert_int_equal(followers(&burst, 0), listed ? 0 : 1);
	}
}

static void other_headers_between_close_the_list(void **state)
{
	const struct wish wishes[] = {
		{.tags = 1, .length = DATA, .sequence = DATA},
		{.options = 4, .length = DATA, .sequence = DATA},
		{.length = 0, .sequence = DATA},
		{.tags = 3, .length = DATA, .sequence = DATA},
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(wishes); i++) {
		struct burst burst = {0};

		add(&burst, nth(0));
		wish_for(&burst, wishes[i]);
		add(&burst, nth(1));
		assert_lists(&burst, 0, 0, 0);
	}
}

static void tags_must_agree(void **state)
{
	struct wish wish = {.tags = 2, .length = DATA};
	struct burst burst = {0};
	struct frame second;

	(void)state;
	wish_for(&burst, wish);
	wish.sequence = DATA;
	second = frame_of(wish);
	second.bytes[second.ip - 3] ^= 1; /* the inner tag's VLAN */
	add(&burst, second);
	assert_lists(&burst, 0, 0);
}

/* A packet with outer options that, read as if there were none, goes on with the flow: its UDP
 * header is where without options the end of the UDP and the begin of the VXLAN header are. */
static struct frame with_outer_options(uint32_t i)
{
	const uint16_t udp = offsetof(struct vxlan_frame, udp) + sizeof(uint32_t);
	const uint16_t length =
		udp + 0x0800 - VXLAN_OVERHEAD - 54; /* the VXLAN flags, as a UDP length */
	struct frame frame = frame_of((struct wish){.sequence = i * length, .length = length});
	struct vxlan_frame *outer = (void *)frame.bytes;

	outer->ip.version_ihl++;
	outer->udp.dgram_cksum = RTE_BE16(4789);
	finish_outer(&frame);
	return frame;
}

static void outer_options_are_not_looked_behind(void **state)
{
	struct burst burst = {0};

	(void)state;
	add(&burst, with_outer_options(0));
	add(&burst, with_outer_options(1));
	assert_lists(&burst, 0, 0);
	assert_int_equal(burst.verdicts[1], EXIT_MAIN);
}

static void data_begin_behind_the_header(void **state)
{
	struct burst burst = {0};

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		struct frame frame =
			frame_of((struct wish){.sequence = i * (DATA + 4), .length = DATA});

		tcp_of(&frame)->data_off -= 0x10;
		finish_inner(&frame);
		add(&burst, frame);
	}
	assert_lists(&burst, 0, 0);
}

static void padding_is_no_payload(void **state)
{
	struct burst burst = {0};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct frame frame = frame_of(
			(struct wish){.ipv6 = i / 2, .sequence = i % 2 * DATA, .length = DATA - 1});

		frame.bytes[frame.length++] = 0;
		finish_outer(&frame);
		add(&burst, frame);
	}
	assert_lists(&burst, 0, 0, 0, 0);
}

/* Said once it would be repeated by whoever cuts the segment again. */
static void what_has_cwr_is_left_alone(void **state)
{
	struct burst burst = {0};

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		wish_for(&burst, (struct wish){.sequence = i * DATA,
					 .length = DATA,
					 .flags = i == 1 ? RTE_TCP_CWR_FLAG : 0});
	assert_lists(&burst, 0, 0, 1, -1);
}

static void mbufs_must_be_plain(void **state)
{
	(void)state;
	for (int what = 0; what < 4; what++) {
		struct burst burst = {0};
		struct rte_mbuf *mbuf;

		add(&burst, nth(0));
		mbuf = add(&burst, nth(1));
		add(&burst, nth(2));
		mbuf->refcnt += what == 0;
		mbuf->ol_flags |= what == 1 ? RTE_MBUF_F_INDIRECT : 0;
		mbuf->ol_flags |= what == 2 ? RTE_MBUF_F_EXTERNAL : 0;
		if (what == 3) {
			mbuf->next = mbuf_of("", 0);
			mbuf->nb_segs = 2;
		}
		gro(&burst);
		for (int i = 0; i < 3; i++)
			assert_int_equal(burst.verdicts[i], EXIT_MAIN);
	}
}

static void a_list_has_one_origin(void **state)
{
	(void)state;
	for (int what = 0; what < 4; what++) {
		struct burst burst = {0};
		struct rte_mbuf *mbuf;

		add(&burst, nth(0));
		mbuf = add(&burst, nth(1));
		packet_of(mbuf)->origin.door = what == 0;
		packet_of(mbuf)->origin.first = what == 1;
		packet_of(mbuf)->origin.account.number = what == 2;
		if (what == 3) {
			mbuf->port = PORT_1;
			fixture.ports[PORT_1].mac = mac_uplink;
			fixture.tables->uplink_addresses[PORT_1] = address_of_ipv4(VTEP_OWN);
		}
		assert_lists(&burst, 0, 0);
		assert_int_equal(burst.verdicts[1], EXIT_MAIN);
	}
}

/* Any frame cut anywhere is judged by its own bytes. */
static void cut_frames_are_not_read_beyond_their_end(void **state)
{
	(void)state;
	for (int form = 0; form < 4; form++) {
		struct wish wish = {.ipv6 = form & 1, .tags = form & 2, .options = 12};
		struct frame frame = frame_of(wish);

		for (; frame.length >= VXLAN_OVERHEAD; frame.length--) {
			struct burst burst = {0};

			finish_outer(&frame);
			add(&burst, frame);
			add(&burst, frame);
			assert_lists(&burst, 0, 0);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(packets_in_sequence_are_coalesced),
		TEST(nothing_is_coalesced_if_nobody_wants_it),
		TEST(ipv6_tags_and_options_are_coalesced),
		TEST(the_sequence_number_may_wrap),
		TEST(flows_are_told_apart),
		TEST(packets_between_do_not_matter),
		TEST(a_push_ends_a_list),
		TEST(a_shorter_packet_ends_a_list),
		TEST(a_packet_is_not_larger_than_ip_allows),
		TEST(a_list_is_a_burst_at_most),
		TEST(headers_must_agree),
		TEST(what_cannot_be_read_closes_all_lists),
		TEST(other_headers_between_close_the_list),
		TEST(tags_must_agree),
		TEST(outer_options_are_not_looked_behind),
		TEST(data_begin_behind_the_header),
		TEST(padding_is_no_payload),
		TEST(what_has_cwr_is_left_alone),
		TEST(mbufs_must_be_plain),
		TEST(a_list_has_one_origin),
		TEST(cut_frames_are_not_read_beyond_their_end),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
