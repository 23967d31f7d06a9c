/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a container sends: it comes from the addresses of its port, or not at all, and with whole
 * checksums.
 */
#include <rte_arp.h>
#include <rte_icmp.h>
#include <rte_ip.h>

#include "base/checksum.h"
#include "base/frame.h"
#include "stages/addressless.h"
#include "stages/stage.h"

enum exit { EXIT_FRAME };
enum drop {
	DROP_RUNT,
	DROP_SOURCE_MAC,
	DROP_SOURCE_IPV4,
	DROP_SOURCE_IPV6,
	DROP_SOURCE_ARP,
	DROP_SOURCE_VLAN,
	DROP_CHECKSUM_UNFINISHED,
	DROP_SOURCE_GONE,
};

#define ICMPV6_NEIGHBOUR_ADVERTISEMENT 136
#define EXTENSIONS_MAX 8
#define EXTENSION_SIZE_MIN 2

/* Neighbour advertisement (RFC 4861, 4.4), as far as it is checked. */
struct neighbour_advertisement {
	uint8_t type;
	uint8_t code;
	rte_be16_t checksum;
	rte_be32_t flags;
	uint8_t target[16];
};

/* A port that has addresses of one kind has none of the other unless it has those, too. */
static bool has_addresses(const struct port *port)
{
	return port->n_addresses > 0;
}

static bool owns(const struct port *port, const struct address *address)
{
	for (uint16_t i = 0; i < port->n_addresses; i++)
		if (address_equal(&port->addresses[i], address))
			return true;
	return false;
}

static bool owns_ipv4(const struct port *port, rte_be32_t ipv4)
{
	const struct address address = address_of_ipv4(ipv4);

	return owns(port, &address);
}

/* A link-local address is what every IPv6 host has (RFC 4862). What form it has is the host's
 * affair, so only the one that follows from the port's MAC (RFC 4291, appendix A) is known. An IPv4
 * address in the form of IPv6 is no host's. */
static bool owns_ipv6(const struct port *port, const uint8_t ipv6[16])
{
	const uint8_t *mac = port->mac.addr_bytes;
	const uint8_t link_local[16] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2],
		0xff, 0xfe, mac[3], mac[4], mac[5]};
	const struct address address = address_of_ipv6(ipv6);

	return (owns(port, &address) && !address_is_ipv4(&address)) ||
	       memcmp(ipv6, link_local, sizeof(link_local)) == 0;
}

/* RFC 5227: a probe has no sender address, and asks. It is for an address that the host may have:
 * one who is just probing the same must take it for a conflict. */
static bool is_own_probe(const struct port *port, const struct rte_arp_hdr *arp)
{
	return arp->arp_data.arp_sip == 0 && arp->arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST) &&
	       owns_ipv4(port, arp->arp_data.arp_tip);
}

static uint16_t check_arp(const struct port *port, const struct rte_mbuf *mbuf, uint16_t offset)
{
	const struct rte_arp_hdr *arp = rte_pktmbuf_mtod_offset(mbuf, void *, offset);

	if (mbuf->data_len < offset + sizeof(*arp) ||
		!rte_is_same_ether_addr(&arp->arp_data.arp_sha, &port->mac))
		return VERDICT_DROP + DROP_SOURCE_ARP;
	if (!has_addresses(port) || owns_ipv4(port, arp->arp_data.arp_sip) ||
		is_own_probe(port, arp))
		return EXIT_FRAME;
	return VERDICT_DROP + DROP_SOURCE_ARP;
}

static uint16_t check_ipv4(const struct port *port, const struct rte_mbuf *mbuf, uint16_t offset)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(mbuf, void *, offset);

	if (!has_addresses(port))
		return EXIT_FRAME;
	if (mbuf->data_len >= offset + sizeof(*ip) &&
		(owns_ipv4(port, ip->src_addr) || addressless_ipv4(port, mbuf, offset)))
		return EXIT_FRAME;
	return VERDICT_DROP + DROP_SOURCE_IPV4;
}

static bool is_extension(int protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
	       protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_AH;
}

/* Steps over extension headers (RFC 8200); the protocol behind them, or -1 if it cannot be read. A
 * fragment header ends the walk: neighbour discovery in fragments is void (RFC 6980). */
static int skip_extensions(const struct rte_mbuf *mbuf, uint16_t *offset, int protocol)
{
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		size_t length = 0;
		int next;

		if (mbuf->data_len < *offset + EXTENSION_SIZE_MIN)
			return protocol == IPPROTO_ICMPV6 || is_extension(protocol) ? -1 : protocol;
		next = rte_ipv6_get_next_ext(
			rte_pktmbuf_mtod_offset(mbuf, uint8_t *, *offset), protocol, &length);
		if (next < 0 || protocol == IPPROTO_FRAGMENT)
			return protocol;
		protocol = next;
		*offset += length;
	}
	return -1;
}

/* Nor may it advertise a neighbour's address as its own. */
static bool advertises_other(
	const struct port *port, const struct rte_mbuf *mbuf, uint16_t offset, int protocol)
{
	const struct neighbour_advertisement *advertisement;

	protocol = skip_extensions(mbuf, &offset, protocol);
	advertisement = rte_pktmbuf_mtod_offset(mbuf, void *, offset);
	if (protocol != IPPROTO_ICMPV6)
		return protocol < 0;
	return advertisement->type == ICMPV6_NEIGHBOUR_ADVERTISEMENT &&
	       (mbuf->data_len < offset + sizeof(*advertisement) ||
		       !owns_ipv6(port, advertisement->target));
}

/* Detects only whether somebody has an address that the host may have: the same from another host
 * that detects just now is a conflict, too (RFC 4862, 5.4.3). */
static bool is_own_start(const struct port *port, const struct rte_mbuf *mbuf, uint16_t offset)
{
	const uint8_t *tentative;

	return addressless_ipv6(mbuf, offset, &tentative) &&
	       (tentative == NULL || owns_ipv6(port, tentative));
}

static bool is_unspecified(const uint8_t address[16])
{
	static const uint8_t unspecified[16];

	return memcmp(address, unspecified, 16) == 0;
}

static bool may_send_ipv6(const struct port *port, const struct rte_mbuf *mbuf,
	const struct rte_ipv6_hdr *ip, uint16_t offset)
{
	if (is_unspecified(ip->src_addr))
		return is_own_start(port, mbuf, offset);
	return owns_ipv6(port, ip->src_addr) &&
	       !advertises_other(port, mbuf, offset + sizeof(*ip), ip->proto);
}

static uint16_t check_ipv6(const struct port *port, const struct rte_mbuf *mbuf, uint16_t offset)
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(mbuf, void *, offset);

	if (!has_addresses(port))
		return EXIT_FRAME;
	if (mbuf->data_len >= offset + sizeof(*ip) && may_send_ipv6(port, mbuf, ip, offset))
		return EXIT_FRAME;
	return VERDICT_DROP + DROP_SOURCE_IPV6;
}

static uint16_t check_source(const struct port *port, const struct rte_mbuf *mbuf)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbuf, void *);
	uint16_t offset;

	if (!rte_is_same_ether_addr(&ether->src_addr, &port->mac))
		return VERDICT_DROP + DROP_SOURCE_MAC;
	switch (frame_type(mbuf, &offset)) {
	case RTE_BE16(RTE_ETHER_TYPE_ARP):
		return check_arp(port, mbuf, offset);
	case RTE_BE16(RTE_ETHER_TYPE_IPV4):
		return check_ipv4(port, mbuf, offset);
	case RTE_BE16(RTE_ETHER_TYPE_IPV6):
		return check_ipv6(port, mbuf, offset);
	case RTE_BE16(RTE_ETHER_TYPE_VLAN):
	case RTE_BE16(RTE_ETHER_TYPE_QINQ):
		return VERDICT_DROP + DROP_SOURCE_VLAN;
	default:
		return EXIT_FRAME;
	}
}

static uint16_t enter(const struct tables *tables, struct rte_mbuf *mbuf)
{
	const struct port *port = tables->ports[mbuf->port];
	struct packet *packet = packet_of(mbuf);

	/* NULL: removed while the packet crossed to this lcore. */
	if (port == NULL)
		return VERDICT_DROP + DROP_SOURCE_GONE;
	packet->network = port->network;
	packet->source = mbuf->port;
	if (mbuf->data_len < RTE_ETHER_HDR_LEN)
		return VERDICT_DROP + DROP_RUNT;
	if ((mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE &&
		checksum_complete(mbuf) != 0)
		return VERDICT_DROP + DROP_CHECKSUM_UNFINISHED;
	mbuf->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	if (tables->networks[port->network]->source_guard)
		return check_source(port, mbuf);
	return EXIT_FRAME;
}

static void process(
	struct stage_context *context, struct rte_mbuf **mbufs, uint16_t n, uint16_t *verdicts)
{
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (uint16_t i = 0; i < n; i++)
		verdicts[i] = enter(context->tables, mbufs[i]);
}

const struct stage veth_rx_stage = {
	.name = "veth_rx",
	.process = process,
	.exits = {[EXIT_FRAME] = "frame"},
	.drops =
		{
			[DROP_RUNT] = {"runt", "container sent less than an Ethernet header"},
			[DROP_SOURCE_MAC] = {"source_mac",
				"container sent from an Ethernet address that is not its own"},
			[DROP_SOURCE_IPV4] = {"source_ipv4",
				"container sent from an IPv4 address that is not its own"},
			[DROP_SOURCE_IPV6] = {"source_ipv6",
				"container sent from an IPv6 address that is not its own"},
			[DROP_SOURCE_ARP] = {"source_arp",
				"container sent ARP for an address that is not its own"},
			[DROP_SOURCE_VLAN] = {"source_vlan",
				"container sent more VLAN tags than can be looked behind"},
			[DROP_CHECKSUM_UNFINISHED] = {"checksum_unfinished",
				"partial checksum of a packet that cannot be read"},
			[DROP_SOURCE_GONE] = {"source_gone",
				"container port that sent it was removed meanwhile"},
		},
};
