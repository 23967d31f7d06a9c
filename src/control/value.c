/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ether.h>

#include "base/address.h"

int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
	char *end;

	*number = 0;
	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return *end == '\0' && errno == 0 && *number >= min && *number <= max ? 0 : -1;
}

static int read_number(
	const struct key *key, const char *value, uint64_t *number, struct error *error)
{
	if (parse_number(value, key->min, key->max, number) == 0)
		return 0;
	return error_set(
		error, "'%s' is no number from %" PRIu64 " to %" PRIu64, value, key->min, key->max);
}

int value_text(const struct key *key, const char *value, void *to, struct error *error)
{
	if (strlen(value) >= key->max || *value == '\0')
		return error_set(error, "'%s' does not have 1 to %" PRIu64 " characters", value,
			key->max - 1);
	snprintf(to, key->max, "%s", value);
	return 0;
}

bool parse_pci(const char *text, size_t length, struct rte_pci_addr *address)
{
	char word[PCI_PRI_STR_SIZE];

	if (length >= sizeof(word))
		return false;
	snprintf(word, sizeof(word), "%.*s", (int)length, text);
	return rte_pci_addr_parse(word, address) == 0;
}

int value_device(const struct key *key, const char *value, void *to, struct error *error)
{
	size_t length = strcspn(value, ",");
	char name[PCI_PRI_STR_SIZE], *device;
	struct rte_pci_addr address;
	int status;

	if (!parse_pci(value, length, &address))
		return value_text(key, value, to, error);
	rte_pci_device_name(&address, name, sizeof(name));
	if (asprintf(&device, "%s%s", name, value + length) < 0)
		abort();
	status = value_text(key, device, to, error);
	free(device);
	return status;
}

int value_u16(const struct key *key, const char *value, void *to, struct error *error)
{
	uint64_t number = 0;

	if (read_number(key, value, &number, error) != 0)
		return -1;
	*(uint16_t *)to = number;
	return 0;
}

int value_u32(const struct key *key, const char *value, void *to, struct error *error)
{
	uint64_t number = 0;

	if (read_number(key, value, &number, error) != 0)
		return -1;
	*(uint32_t *)to = number;
	return 0;
}

int value_bool(const struct key *key, const char *value, void *to, struct error *error)
{
	(void)key;
	if (strcmp(value, "on") == 0 || strcmp(value, "yes") == 0)
		*(bool *)to = true;
	else if (strcmp(value, "off") == 0 || strcmp(value, "no") == 0)
		*(bool *)to = false;
	else
		return error_set(error, "'%s' is neither on (yes) nor off (no)", value);
	return 0;
}

int value_mac(const struct key *key, const char *value, void *to, struct error *error)
{
	struct rte_ether_addr mac;

	(void)key;
	if (rte_ether_unformat_addr(value, &mac) != 0)
		return error_set(
			error, "'%s' is no Ethernet address such as 02:00:00:00:00:01", value);
	if (!rte_is_valid_assigned_ether_addr(&mac))
		return error_set(
			error, "'%s' is no station's address (it is a group's, or zero)", value);
	*(struct rte_ether_addr *)to = mac;
	return 0;
}

int value_ipv4(const struct key *key, const char *value, void *to, struct error *error)
{
	struct address address;

	(void)key;
	if (address_parse(value, &address) != 0 || !address_is_ipv4(&address))
		return error_set(error, "'%s' is no IPv4 address such as 192.0.2.1", value);
	*(struct address *)to = address;
	return 0;
}

int value_words(const char *value, word_reader read, void *to, struct error *error)
{
	char *copy = strdup(value), *rest = copy, *word;
	int status = 0;

	if (copy == NULL)
		abort();
	while (status == 0 && (word = strsep(&rest, " \t")) != NULL)
		if (*word != '\0')
			status = read(word, to, error);
	free(copy);
	return status;
}
