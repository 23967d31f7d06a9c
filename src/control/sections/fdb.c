/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/sections/fdb.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "control/config.h"
#include "control/ini.h"
#include "control/sections/network.h"
#include "control/sections/port.h"
#include "control/sections/sections.h"
#include "control/value.h"

#define MAC_FORMAT "%02x:%02x:%02x:%02x:%02x:%02x"

int config_read_fdb(const char *network, const char *mac, const char *to, struct fdb_config *entry,
	struct error *error)
{
	*entry = (struct fdb_config){0};
	if (strlen(network) >= PORT_NAME_SIZE || strlen(to) >= 5 + PORT_NAME_SIZE)
		return error_set(error, "a name has at most %d characters", PORT_NAME_SIZE - 1);
	snprintf(entry->network, sizeof(entry->network), "%s", network);
	if (value_mac(NULL, mac, &entry->mac, error) != 0)
		return -1;
	if (strncmp(to, "port ", 5) == 0) {
		snprintf(entry->port, sizeof(entry->port), "%s", to + 5 + strspn(to + 5, " \t"));
		return 0;
	}
	if (value_ipv4(NULL, to, &entry->vtep, error) != 0)
		return error_set(
			error, "'%s' is neither a VTEP such as 192.0.2.3 nor 'port NAME'", to);
	return 0;
}

struct fdb_config *config_add_fdb(struct config *config)
{
	config->fdb = array_add(config->fdb, &config->n_fdb, sizeof(*config->fdb));
	return &config->fdb[config->n_fdb - 1];
}

static void read_fdb(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	for (unsigned int i = 0; i < section->n; i++) {
		const struct ini_entry *entry = &section->entries[i];
		struct fdb_config fdb;
		struct error error;

		if (config_read_fdb(section->name, entry->key, entry->value, &fdb, &error) != 0) {
			ini_wrong_entry(errors, section, entry, "%s", error.text);
			continue;
		}
		fdb.line = entry->line;
		*config_add_fdb(config) = fdb;
	}
}

/* ---- when the file has been read ---- */

/* An entry has the line and not the section of its own. */
#define WRONG_ENTRY(entry, text, ...)                                                              \
	error_list_add(errors, (entry)->line, "[fdb %s]: " MAC_FORMAT ": " text, (entry)->network, \
		RTE_ETHER_ADDR_BYTES(&(entry)->mac), __VA_ARGS__)

static void check_place(
	const struct config *config, const struct fdb_config *entry, struct error_list *errors)
{
	const struct network_config *network = config_network(config, entry->network);
	const struct container_config *container = config_container(config, entry->port);
	char vtep[ADDRESS_TEXT_SIZE];

	if (network == NULL)
		return; /* told of the section */
	address_format(&entry->vtep, vtep);
	if (entry->port[0] == '\0' && !network_lists_vtep(network, &entry->vtep))
		WRONG_ENTRY(
			entry, "%s is no VTEP in the 'vteps' of network %s", vtep, entry->network);
	if (entry->port[0] != '\0' &&
		(container == NULL || strcmp(container->network, entry->network) != 0))
		WRONG_ENTRY(entry, "network %s has no port '%s'", entry->network, entry->port);
}

static void check_port_macs(
	const struct config *config, const struct fdb_config *entry, struct error_list *errors)
{
	for (uint32_t i = 0; i < config->n_containers; i++) {
		const struct container_config *container = &config->containers[i];

		if (rte_is_same_ether_addr(&container->port.mac, &entry->mac) &&
			strcmp(container->network, entry->network) == 0 &&
			strcmp(container->port.name, entry->port) != 0) {
			WRONG_ENTRY(entry, "is the address of port %s", container->port.name);
			return;
		}
	}
}

static int compare_entries(const void *a, const void *b)
{
	const struct fdb_config *one = *(const struct fdb_config *const *)a;
	const struct fdb_config *other = *(const struct fdb_config *const *)b;
	int networks = strcmp(one->network, other->network);
	int macs = memcmp(&one->mac, &other->mac, sizeof(one->mac));

	if (networks != 0 || macs != 0)
		return networks != 0 ? networks : macs;
	return one->line < other->line ? -1 : one->line > other->line;
}

static void check_entries_twice(const struct config *config, struct error_list *errors)
{
	const struct fdb_config **entries = calloc(config->n_fdb + 1, sizeof(*entries));

	if (entries == NULL)
		abort();
	for (uint32_t i = 0; i < config->n_fdb; i++)
		entries[i] = &config->fdb[i];
	qsort(entries, config->n_fdb, sizeof(*entries), compare_entries);
	for (uint32_t i = 1; i < config->n_fdb; i++)
		if (strcmp(entries[i]->network, entries[i - 1]->network) == 0 &&
			rte_is_same_ether_addr(&entries[i]->mac, &entries[i - 1]->mac))
			WRONG_ENTRY(entries[i], "is given twice, in line %u, too",
				entries[i - 1]->line);
	free(entries);
}

static void check_fdb_networks(const struct config *config, struct error_list *errors)
{
	for (unsigned int i = 0; i < config->ini->n; i++) {
		const struct ini_section *section = &config->ini->sections[i];

		if (strcmp(section->kind, "fdb") == 0 && section->name[0] != '\0' &&
			config_network(config, section->name) == NULL)
			ini_wrong(errors, section, NULL, NULL, "no network is called '%s'",
				section->name);
	}
}

static void check_fdb(const struct config *config, struct error_list *errors)
{
	uint64_t entries = (uint64_t)config->n_fdb + config->n_containers;

	check_fdb_networks(config, errors);
	for (uint32_t i = 0; i < config->n_fdb; i++) {
		check_place(config, &config->fdb[i], errors);
		check_port_macs(config, &config->fdb[i], errors);
	}
	check_entries_twice(config, errors);
	if (entries > config->weft.fdb_size)
		config_wrong(config, errors, "weft", "", "fdb-size", NULL,
			"%u entries are too few for the static ones, %" PRIu64,
			config->weft.fdb_size, entries);
}

static void free_fdb(struct config *config)
{
	free(config->fdb);
}

const struct section_kind fdb_section = {
	.name = "fdb", .names = "NETWORK", .read = read_fdb, .check = check_fdb, .free = free_fdb};
