/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first look at a packet from an uplink: checks the outer headers down to UDP, sorts VXLAN from
 * what is for the VTEP as a host, and coalesces TCP packets if some container has use for that.
 */
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "base/ipv4.h"
#include "stages/coalesce.h"
#include "stages/gro.h"

enum exit { EXIT_TUNNELLED, EXIT_HOST };
enum statistic { COALESCED };
enum drop {
	DROP_OUTER_TRUNCATED = GRO_DROPS,
	DROP_OUTER_VLAN,
	DROP_OUTER_MAC,
	DROP_OUTER_ETHERTYPE,
	DROP_OUTER_IPV6,
	DROP_OUTER_IPV4_TRUNCATED,
	DROP_OUTER_IPV4_HEADER,
	DROP_OUTER_IPV4_LENGTH,
	DROP_OUTER_IPV4_CHECKSUM,
	DROP_OUTER_IPV4_SOURCE,
	DROP_OUTER_IPV4_DESTINATION,
	DROP_OUTER_FRAGMENT,
	DROP_OUTER_PROTOCOL,
	DROP_OUTER_UDP_TRUNCATED,
	DROP_OUTER_UDP_LENGTH,
	DROP_OUTER_UDP_CHECKSUM,
	DROP_OUTER_UDP_PORT,
};

#define IPV4_VERSION_4 4

/* NICs pad short frames, and what follows the IPv4 packet is not part of it. */
static void trim(struct rte_mbuf *mbuf, uint32_t length)
{
	if (mbuf->pkt_len > length && mbuf->pkt_len - length < rte_pktmbuf_lastseg(mbuf)->data_len)
		rte_pktmbuf_trim(mbuf, mbuf->pkt_len - length);
}

static uint16_t check_udp(
	const struct tables *tables, struct rte_mbuf *mbuf, uint16_t offset, uint16_t ip_payload)
{
	const struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(mbuf, void *, offset);
	uint16_t length;

	if (ip_payload < sizeof(*udp) || mbuf->data_len < offset + sizeof(*udp))
		return VERDICT_DROP + DROP_OUTER_UDP_TRUNCATED;
	length = rte_be_to_cpu_16(udp->dgram_len);
	if (length < sizeof(*udp) || length > ip_payload)
		return VERDICT_DROP + DROP_OUTER_UDP_LENGTH;
	if (!tables_has_udp_port(tables, rte_be_to_cpu_16(udp->dst_port)))
		return VERDICT_DROP + DROP_OUTER_UDP_PORT;
	/* RFC 7348 lets a VTEP ignore the outer checksum; believe a NIC that has looked. */
	if ((mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_BAD)
		return VERDICT_DROP + DROP_OUTER_UDP_CHECKSUM;
	trim(mbuf, offset + length);
	return EXIT_TUNNELLED;
}

static bool checksum_is_wrong(const struct rte_mbuf *mbuf, const struct rte_ipv4_hdr *ip)
{
	switch (mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) {
	case RTE_MBUF_F_RX_IP_CKSUM_GOOD:
		return false;
	case RTE_MBUF_F_RX_IP_CKSUM_BAD:
		return true;
	default:
		/* Nearly all headers have no options, and a fixed length is summed faster. */
		if (likely(ip->version_ihl == RTE_IPV4_VHL_DEF))
			return rte_raw_cksum(ip, sizeof(*ip)) != 0xffff;
		return rte_raw_cksum(ip, rte_ipv4_hdr_len(ip)) != 0xffff;
	}
}

/* The drop, or VERDICT_NONE if header and lengths are sound. */
static uint16_t check_ipv4_form(const struct rte_mbuf *mbuf, const struct rte_ipv4_hdr *ip)
{
	uint16_t header, total;

	if (mbuf->data_len < RTE_ETHER_HDR_LEN + sizeof(*ip))
		return VERDICT_DROP + DROP_OUTER_IPV4_TRUNCATED;
	header = rte_ipv4_hdr_len(ip);
	if (ip->version_ihl >> 4 != IPV4_VERSION_4 || header < sizeof(*ip))
		return VERDICT_DROP + DROP_OUTER_IPV4_HEADER;
	if (mbuf->data_len < RTE_ETHER_HDR_LEN + header)
		return VERDICT_DROP + DROP_OUTER_IPV4_TRUNCATED;
	total = rte_be_to_cpu_16(ip->total_length);
	if (total < header || total > mbuf->pkt_len - RTE_ETHER_HDR_LEN)
		return VERDICT_DROP + DROP_OUTER_IPV4_LENGTH;
	if (checksum_is_wrong(mbuf, ip))
		return VERDICT_DROP + DROP_OUTER_IPV4_CHECKSUM;
	return VERDICT_NONE;
}

static uint16_t check_ipv4(const struct tables *tables, struct rte_mbuf *mbuf)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(mbuf, void *, RTE_ETHER_HDR_LEN);
	rte_be32_t address = address_ipv4(&tables->uplink_addresses[mbuf->port]);
	uint16_t drop = check_ipv4_form(mbuf, ip);
	uint16_t header;

	if (drop != VERDICT_NONE)
		return drop;
	if (ip->dst_addr != address)
		return VERDICT_DROP + DROP_OUTER_IPV4_DESTINATION;
	if (ip->src_addr == address || !ipv4_is_host(ip->src_addr))
		return VERDICT_DROP + DROP_OUTER_IPV4_SOURCE;
	if (ip->fragment_offset & RTE_BE16(IPV4_FRAGMENT_BITS))
		return VERDICT_DROP + DROP_OUTER_FRAGMENT;
	header = rte_ipv4_hdr_len(ip);
	if (ip->next_proto_id == IPPROTO_UDP)
		return check_udp(tables, mbuf, RTE_ETHER_HDR_LEN + header,
			rte_be_to_cpu_16(ip->total_length) - header);
	if (ip->next_proto_id != IPPROTO_ICMP)
		return VERDICT_DROP + DROP_OUTER_PROTOCOL;
	trim(mbuf, RTE_ETHER_HDR_LEN + rte_be_to_cpu_16(ip->total_length));
	return EXIT_HOST;
}

static uint16_t check_ethertype(
	const struct tables *tables, struct rte_mbuf *mbuf, const struct rte_ether_hdr *ether)
{
	switch (ether->ether_type) {
	case RTE_BE16(RTE_ETHER_TYPE_IPV4):
		return check_ipv4(tables, mbuf);
	case RTE_BE16(RTE_ETHER_TYPE_ARP):
		return EXIT_HOST;
	case RTE_BE16(RTE_ETHER_TYPE_VLAN):
	case RTE_BE16(RTE_ETHER_TYPE_QINQ):
		return VERDICT_DROP + DROP_OUTER_VLAN;
	case RTE_BE16(RTE_ETHER_TYPE_IPV6):
		return VERDICT_DROP + DROP_OUTER_IPV6;
	default:
		return VERDICT_DROP + DROP_OUTER_ETHERTYPE;
	}
}

static uint16_t check_outer(const struct tables *tables, struct rte_mbuf *mbuf)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbuf, void *);
	const struct port *uplink = tables->ports[mbuf->port];

	if (mbuf->data_len < sizeof(*ether))
		return VERDICT_DROP + DROP_OUTER_TRUNCATED;
	/* Some drivers move the tag into the mbuf without being asked. */
	if (mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
		return VERDICT_DROP + DROP_OUTER_VLAN;
	if (!rte_is_same_ether_addr(&ether->dst_addr, &uplink->mac) &&
		!rte_is_broadcast_ether_addr(&ether->dst_addr))
		return VERDICT_DROP + DROP_OUTER_MAC;
	return check_ethertype(tables, mbuf, ether);
}

/* ---- packets that are alike ---- */

struct headers {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip; /* without options */
	struct rte_udp_hdr udp;
} __rte_packed __rte_aligned(2);

#define WORDS 5 /* all but the UDP checksum, which nobody reads */

union outer {
	struct headers headers;
	uint64_t words[WORDS + 1];
};

/* In these the packets of one sender differ. */
static const union outer variable = {
	.headers = {.ip = {.total_length = UINT16_MAX,
			    .packet_id = UINT16_MAX,
			    .hdr_checksum = UINT16_MAX},
		.udp = {.src_port = UINT16_MAX, .dgram_len = UINT16_MAX}}};

/* The last packet of the burst that was found sound, for those that are like it. */
struct sound {
	union outer outer;
	uint64_t flags;
	uint32_t sum; /* of what varies under the IPv4 checksum */
	uint16_t port;
	bool is_there;
};

/* What drivers say of a packet that matters here. */
#define FLAGS                                                                                      \
	(RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_VLAN_STRIPPED)

static uint32_t variable_sum(const struct rte_ipv4_hdr *ip)
{
	return (uint32_t)ip->total_length + ip->packet_id + ip->hdr_checksum;
}

/* The rest of the header is the same: so its sum is right if this part comes to the same, modulo
 * 2^16 - 1 (RFC 1071). */
static bool sums_agree(uint32_t a, uint32_t b)
{
	return (a + 3 * UINT16_MAX - b) % UINT16_MAX == 0;
}

static bool lengths_are_sound(const struct headers *headers, uint32_t frame)
{
	uint16_t total = rte_be_to_cpu_16(headers->ip.total_length);
	uint16_t datagram = rte_be_to_cpu_16(headers->udp.dgram_len);

	return total + (uint32_t)RTE_ETHER_HDR_LEN <= frame && datagram >= sizeof(headers->udp) &&
	       datagram + (uint32_t)sizeof(headers->ip) <= total;
}

static bool is_like(const struct sound *sound, const struct rte_mbuf *mbuf)
{
	const struct headers *headers = rte_pktmbuf_mtod(mbuf, const void *);
	uint64_t different = 0, words[WORDS];

	if (!sound->is_there || mbuf->data_len < sizeof(*headers) || mbuf->port != sound->port ||
		(mbuf->ol_flags & FLAGS) != sound->flags)
		return false;
	memcpy(words, headers, sizeof(words));
	for (int i = 0; i < WORDS; i++)
		different |= (words[i] ^ sound->outer.words[i]) & ~variable.words[i];
	return different == 0 && lengths_are_sound(headers, mbuf->pkt_len) &&
	       ((sound->flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD ||
		       sums_agree(variable_sum(&headers->ip), sound->sum));
}

static void remember(struct sound *sound, const struct rte_mbuf *mbuf)
{
	const struct headers *headers = rte_pktmbuf_mtod(mbuf, const void *);

	if (headers->ip.version_ihl != RTE_IPV4_VHL_DEF)
		return;
	memcpy(&sound->outer.headers, headers, sizeof(*headers));
	sound->flags = mbuf->ol_flags & FLAGS;
	sound->sum = variable_sum(&headers->ip);
	sound->port = mbuf->port;
	sound->is_there = true;
}

static uint16_t check(const struct tables *tables, struct sound *sound, struct rte_mbuf *mbuf)
{
	const struct headers *headers = rte_pktmbuf_mtod(mbuf, const void *);
	uint16_t verdict;

	if (likely(is_like(sound, mbuf))) {
		trim(mbuf,
			offsetof(struct headers, udp) + rte_be_to_cpu_16(headers->udp.dgram_len));
		return EXIT_TUNNELLED;
	}
	verdict = check_outer(tables, mbuf);
	if (verdict == EXIT_TUNNELLED)
		remember(sound, mbuf);
	return verdict;
}

/* Coalescing reads the inner headers too, which begin in the second cache line. */
static void prefetch_headers(struct rte_mbuf **mbufs, uint16_t n, bool inner)
{
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	if (!inner)
		return;
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod_offset(mbufs[i], void *, RTE_CACHE_LINE_SIZE));
}

static void process(
	struct stage_context *context, struct rte_mbuf **mbufs, uint16_t n, uint16_t *verdicts)
{
	bool coalesces = context->tables->coalesce && n > 1;
	struct sound sound = {.is_there = false};

	prefetch_headers(mbufs, n, coalesces);
	for (uint16_t i = 0; i < n; i++)
		verdicts[i] = check(context->tables, &sound, mbufs[i]);
	if (coalesces)
		stage_count(context, COALESCED, coalesce(mbufs, n, verdicts));
}

const struct stage gro_stage = {
	.name = "gro",
	.process = process,
	.exits = {[EXIT_TUNNELLED] = "tunnelled", [EXIT_HOST] = "host"},
	.statistics = {[COALESCED] = "coalesced"},
	.drops =
		{
			[GRO_VTEP_SPLIT] = {"vtep_split",
				"for the VTEP itself, with the hash of a flow that is split"},
			[DROP_OUTER_TRUNCATED] = {"outer_truncated",
				"frame ends within the outer Ethernet header"},
			[DROP_OUTER_VLAN] = {"outer_vlan", "outer frame has a VLAN tag"},
			[DROP_OUTER_MAC] = {"outer_mac",
				"outer frame is not for the uplink's Ethernet address"},
			[DROP_OUTER_ETHERTYPE] = {"outer_ethertype",
				"outer frame is neither IPv4 nor ARP"},
			[DROP_OUTER_IPV6] = {"outer_ipv6", "outer packet is IPv6"},
			[DROP_OUTER_IPV4_TRUNCATED] = {"outer_ipv4_truncated",
				"frame ends within the outer IPv4 header"},
			[DROP_OUTER_IPV4_HEADER] = {"outer_ipv4_header",
				"outer IPv4 version or header length is wrong"},
			[DROP_OUTER_IPV4_LENGTH] = {"outer_ipv4_length",
				"outer IPv4 length does not fit the frame"},
			[DROP_OUTER_IPV4_CHECKSUM] = {"outer_ipv4_checksum",
				"outer IPv4 header checksum is wrong"},
			[DROP_OUTER_IPV4_SOURCE] = {"outer_ipv4_source",
				"outer source is the VTEP itself or no host address"},
			[DROP_OUTER_IPV4_DESTINATION] = {"outer_ipv4_destination",
				"outer packet is not for the VTEP's address"},
			[DROP_OUTER_FRAGMENT] = {"outer_fragment", "outer packet is a fragment"},
			[DROP_OUTER_PROTOCOL] = {"outer_protocol",
				"outer packet is neither UDP nor ICMP"},
			[DROP_OUTER_UDP_TRUNCATED] = {"outer_udp_truncated",
				"packet ends within the outer UDP header"},
			[DROP_OUTER_UDP_LENGTH] = {"outer_udp_length",
				"outer UDP length does not fit the packet"},
			[DROP_OUTER_UDP_CHECKSUM] = {"outer_udp_checksum",
				"the NIC found the outer UDP checksum wrong"},
			[DROP_OUTER_UDP_PORT] = {"outer_udp_port",
				"outer UDP port is no network's"},
		},
};
