/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_ADDRESS_H
#define WEFT_ADDRESS_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>

#include <rte_byteorder.h>

/*
 * An address of IPv4 or of IPv6, as a value: 16 bytes in network order, an IPv4 address as RFC 4291
 * maps it (::ffff:192.0.2.1). Such a mapped address is none that an IPv6 packet may come from, so
 * the two kinds cannot be taken for each other. All zero is no address. Any thread.
 */
struct address {
	union {
		uint8_t bytes[16];
		uint64_t words[2]; /* to be compared and hashed at once; not in host order */
	};
};
static_assert(sizeof(struct address) == 16, "an address is just its bytes, and can be a key");

#define ADDRESS_TEXT_SIZE INET6_ADDRSTRLEN

static inline struct address address_of_ipv4(rte_be32_t ipv4)
{
	struct address address = {.words = {0, rte_cpu_to_be_64((uint64_t)0xffff << 32)}};

	__builtin_memcpy(&address.bytes[12], &ipv4, sizeof(ipv4));
	return address;
}

static inline struct address address_of_ipv6(const uint8_t ipv6[16])
{
	struct address address;

	__builtin_memcpy(address.bytes, ipv6, sizeof(address.bytes));
	return address;
}

static inline bool address_is_ipv4(const struct address *address)
{
	return address->words[0] == 0 &&
	       rte_be_to_cpu_64(address->words[1]) >> 32 == (uint64_t)0xffff;
}

static inline bool address_is_none(const struct address *address)
{
	return (address->words[0] | address->words[1]) == 0;
}

/* The address must be one of IPv4. */
static inline rte_be32_t address_ipv4(const struct address *address)
{
	rte_be32_t ipv4;

	assert(address_is_ipv4(address));
	__builtin_memcpy(&ipv4, &address->bytes[12], sizeof(ipv4));
	return ipv4;
}

static inline bool address_equal(const struct address *one, const struct address *other)
{
	return one->words[0] == other->words[0] && one->words[1] == other->words[1];
}

/* Whether it is of the same kind as `network` and has its first `bits` bits, counted as that kind
 * does. */
bool address_in_prefix(const struct address *address, const struct address *network, uint8_t bits);

/* "192.0.2.1" or "2001:db8::1"; -1 and *address as it was if the text is neither. A mapped address
 * in the form of IPv6 is refused: it would mean the other kind. */
int address_parse(const char *text, struct address *address);

/* Writes the text, "" for no address; returns it. */
const char *address_format(const struct address *address, char text[ADDRESS_TEXT_SIZE]);

#endif
