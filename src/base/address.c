/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/address.h"

#include <arpa/inet.h>
#include <string.h>

bool address_in_prefix(const struct address *address, const struct address *network, uint8_t bits)
{
	unsigned int all = address_is_ipv4(network) ? 96 + bits : bits;
	unsigned int bytes = all / 8, rest = all % 8;

	if (address_is_ipv4(address) != address_is_ipv4(network) ||
		memcmp(address->bytes, network->bytes, bytes) != 0)
		return false;
	return rest == 0 || (address->bytes[bytes] ^ network->bytes[bytes]) >> (8 - rest) == 0;
}

int address_parse(const char *text, struct address *address)
{
	struct address ipv6;
	rte_be32_t ipv4;

	if (inet_pton(AF_INET, text, &ipv4) == 1) {
		*address = address_of_ipv4(ipv4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, ipv6.bytes) != 1 || address_is_ipv4(&ipv6))
		return -1;
	*address = ipv6;
	return 0;
}

const char *address_format(const struct address *address, char text[ADDRESS_TEXT_SIZE])
{
	text[0] = '\0';
	if (address_is_ipv4(address))
		inet_ntop(AF_INET, &address->bytes[12], text, ADDRESS_TEXT_SIZE);
	else if (!address_is_none(address))
		inet_ntop(AF_INET6, address->bytes, text, ADDRESS_TEXT_SIZE);
	return text;
}
