/* SPDX-License-Identifier: BSD-3-Clause */
#include "stages/addressless.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_udp.h>

#include "base/ipv4.h"

/* ---- IPv4 ---- */

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68
#define BOOTREQUEST 1
#define HARDWARE_ETHERNET 1
/* DPDK 22.11 means 224.0.0.0 by RTE_IPV4_BROADCAST. */
#define BROADCAST RTE_BE32(UINT32_MAX)

/* RFC 2131, 2., as far as it is checked. */
struct dhcp {
	uint8_t op;
	uint8_t hardware_type;
	uint8_t hardware_length;
	uint8_t unchecked[21];
	rte_be32_t relay;
	uint8_t client[RTE_ETHER_ADDR_LEN];
} __rte_packed;

#define IGMPV1_REPORT 0x12
#define IGMPV2_REPORT 0x16
#define IGMPV2_LEAVE 0x17
#define IGMPV3_REPORT 0x22
#define ALL_ROUTERS RTE_BE32(0xe0000002)    /* 224.0.0.2 */
#define IGMPV3_ROUTERS RTE_BE32(0xe0000016) /* 224.0.0.22 */

struct igmp {
	uint8_t type;
	uint8_t unchecked[3];
	rte_be32_t group;
} __rte_packed;

/* A server keeps an address for each client that it hears of, and answers to the relay that the
 * message names. So the client must be this host, and there must be no relay. */
static bool is_dhcp(const struct port *port, const struct rte_mbuf *mbuf,
	const struct rte_ipv4_hdr *ip, uint16_t offset)
{
	const struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(mbuf, const void *, offset);
	const struct dhcp *dhcp = (const void *)(udp + 1);

	return mbuf->data_len >= offset + sizeof(*udp) + sizeof(*dhcp) &&
	       ip->dst_addr == BROADCAST && udp->src_port == RTE_BE16(DHCP_CLIENT_PORT) &&
	       udp->dst_port == RTE_BE16(DHCP_SERVER_PORT) && dhcp->op == BOOTREQUEST &&
	       dhcp->hardware_type == HARDWARE_ETHERNET &&
	       dhcp->hardware_length == RTE_ETHER_ADDR_LEN && dhcp->relay == 0 &&
	       memcmp(dhcp->client, &port->mac, RTE_ETHER_ADDR_LEN) == 0;
}

static bool is_multicast(rte_be32_t address)
{
	return (address & RTE_BE32(0xf0000000)) == RTE_BE32(0xe0000000);
}

/* Each kind goes to where RFC 3376 and RFC 2236 send it, and no further than the link. */
static bool is_igmp(const struct rte_mbuf *mbuf, const struct rte_ipv4_hdr *ip, uint16_t offset)
{
	const struct igmp *igmp = rte_pktmbuf_mtod_offset(mbuf, const void *, offset);

	if (mbuf->data_len < offset + sizeof(*igmp) || ip->time_to_live != 1)
		return false;
	switch (igmp->type) {
	case IGMPV3_REPORT:
		return ip->dst_addr == IGMPV3_ROUTERS;
	case IGMPV2_LEAVE:
		return ip->dst_addr == ALL_ROUTERS;
	case IGMPV1_REPORT:
	case IGMPV2_REPORT:
		return ip->dst_addr == igmp->group && is_multicast(igmp->group);
	default:
		return false;
	}
}

bool addressless_ipv4(const struct port *port, const struct rte_mbuf *mbuf, uint16_t offset)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(mbuf, const void *, offset);
	uint8_t length = rte_ipv4_hdr_len(ip);

	if (ip->src_addr != 0 || length < sizeof(*ip) ||
		(ip->fragment_offset & RTE_BE16(IPV4_FRAGMENT_BITS)) != 0)
		return false;
	if (ip->next_proto_id == IPPROTO_UDP)
		return is_dhcp(port, mbuf, ip, offset + length);
	return ip->next_proto_id == IPPROTO_IGMP && is_igmp(mbuf, ip, offset + length);
}

/* ---- IPv6 ---- */

#define MLDV1_REPORT 131
#define MLDV1_DONE 132
#define ROUTER_SOLICITATION 133
#define NEIGHBOUR_SOLICITATION 135
#define MLDV2_REPORT 143
#define DISCOVERY_HOP_LIMIT 255
#define MLD_HOP_LIMIT 1
#define OPTION_SOURCE_LINK_LAYER 1
#define UNIT 8 /* bytes: of the lengths of options and extension headers */

static const uint8_t link_routers[16] = {0xff, 0x02, [15] = 0x02};
static const uint8_t mldv2_routers[16] = {0xff, 0x02, [15] = 0x16};
/* RFC 4291, 2.7.1; the last three bytes are the address's. */
static const uint8_t solicited_node[13] = {0xff, 0x02, [11] = 0x01, [12] = 0xff};

/* MLD and neighbour discovery: the header, and where there is one, an address. */
struct icmpv6 {
	uint8_t type;
	uint8_t code;
	uint8_t unchecked[6];
	uint8_t address[16];
} __rte_packed;

#define WITHOUT_ADDRESS offsetof(struct icmpv6, address)

/* An ICMPv6 message, in one piece. */
struct message {
	const struct rte_ipv6_hdr *ip;
	const struct icmpv6 *icmp;
	uint16_t length; /* bytes */
};

static bool is_to(const struct message *message, const uint8_t address[16])
{
	return memcmp(message->ip->dst_addr, address, 16) == 0;
}

/* RFC 4861, 6.1.1 and 7.1.1: who has no address does not tell its Ethernet address either. */
static bool has_sound_options(const struct message *message, uint16_t offset)
{
	const uint8_t *bytes = (const uint8_t *)message->icmp;

	while (offset + UNIT <= message->length) {
		if (bytes[offset] == OPTION_SOURCE_LINK_LAYER || bytes[offset + 1] == 0)
			return false;
		offset += bytes[offset + 1] * UNIT;
	}
	return offset == message->length;
}

static bool is_discovery(const struct message *message, uint16_t length)
{
	return message->ip->hop_limits == DISCOVERY_HOP_LIMIT && message->icmp->code == 0 &&
	       message->length >= length && has_sound_options(message, length);
}

static bool is_router_solicitation(const struct message *message)
{
	return is_to(message, link_routers) && is_discovery(message, WITHOUT_ADDRESS);
}

static bool is_duplicate_address_detection(const struct message *message)
{
	const uint8_t *to = message->ip->dst_addr, *target = message->icmp->address;

	return is_discovery(message, sizeof(struct icmpv6)) &&
	       memcmp(to, solicited_node, sizeof(solicited_node)) == 0 &&
	       memcmp(to + sizeof(solicited_node), target + sizeof(solicited_node),
		       16 - sizeof(solicited_node)) == 0;
}

/* A report of version 1 goes to the group itself (RFC 2710, 3.6). */
static bool is_mld(const struct message *message)
{
	if (message->ip->hop_limits != MLD_HOP_LIMIT || message->icmp->code != 0)
		return false;
	if (message->icmp->type == MLDV2_REPORT)
		return is_to(message, mldv2_routers);
	if (message->length < sizeof(struct icmpv6))
		return false;
	if (message->icmp->type == MLDV1_DONE)
		return is_to(message, link_routers);
	return message->icmp->address[0] == 0xff && is_to(message, message->icmp->address);
}

/* MLD has a hop-by-hop header with the router alert (RFC 3810, 5.); there is no other one. */
static bool find_message(const struct rte_mbuf *mbuf, uint16_t offset, struct message *message)
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(mbuf, const void *, offset);
	const uint8_t *next = (const uint8_t *)(ip + 1);
	uint32_t length = rte_be_to_cpu_16(ip->payload_len), extension = 0;
	uint8_t protocol = ip->proto;

	if (mbuf->data_len < offset + sizeof(*ip) + length)
		return false;
	if (protocol == IPPROTO_HOPOPTS && length >= UNIT) {
		protocol = next[0];
		extension = (next[1] + 1) * UNIT;
	}
	if (protocol != IPPROTO_ICMPV6 || length < extension + WITHOUT_ADDRESS)
		return false;
	*message = (struct message){
		.ip = ip, .icmp = (const void *)(next + extension), .length = length - extension};
	return true;
}

bool addressless_ipv6(const struct rte_mbuf *mbuf, uint16_t offset, const uint8_t **target)
{
	struct message message;

	*target = NULL;
	if (!find_message(mbuf, offset, &message))
		return false;
	switch (message.icmp->type) {
	case ROUTER_SOLICITATION:
		return is_router_solicitation(&message);
	case NEIGHBOUR_SOLICITATION:
		*target = message.icmp->address;
		return is_duplicate_address_detection(&message);
	case MLDV1_REPORT:
	case MLDV1_DONE:
	case MLDV2_REPORT:
		return is_mld(&message);
	default:
		return false;
	}
}
