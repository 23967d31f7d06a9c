/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/sections/port.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "control/config.h"
#include "control/keys.h"
#include "control/sections/network.h"
#include "control/sections/sections.h"

#define OF_ONE_KIND_MAX (PORT_ADDRESSES_MAX / 2)

static uint16_t count_kind(const struct container_config *container, bool ipv4)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < container->n_addresses; i++)
		n += address_is_ipv4(&container->addresses[i]) == ipv4;
	return n;
}

static int read_address(const char *word, void *to, struct error *error)
{
	struct container_config *container = to;
	struct address address;

	if (count_kind(container, strchr(word, ':') == NULL) == OF_ONE_KIND_MAX)
		return error_set(error, "more than %d addresses of one kind", OF_ONE_KIND_MAX);
	if (address_parse(word, &address) != 0)
		return error_set(error, "'%s' is no address such as 10.0.0.2 or fd00::2", word);
	container->addresses[container->n_addresses++] = address;
	return 0;
}

static int value_addresses(const struct key *key, const char *value, void *to, struct error *error)
{
	(void)key;
	return value_words(value, read_address, to, error);
}

#define PORT(field) (offsetof(struct container_config, port) + offsetof(struct port_config, field))
static const struct key container_keys[] = {
	{"network", value_text, offsetof(struct container_config, network), 0, PORT_NAME_SIZE,
		KEY_REQUIRED},
	{"type", value_text, PORT(type), 0, 16, KEY_REQUIRED},
	{"mac", value_mac, PORT(mac), 0, 0, KEY_REQUIRED},
	{"addresses", value_addresses, 0, 0, 0, KEY_LIST},
	{"path", value_text, PORT(path), 0, PORT_PATH_SIZE, 0},
	{"client", value_bool, PORT(client), 0, 0, 0},
	{"netns", value_text, PORT(netns), 0, PORT_NETNS_SIZE, 0},
	{"interface", value_text, PORT(interface), 0, 16, 0},
	{"queues", value_u16, PORT(queues), 1, PORT_QUEUES_MAX, 0},
	{"ring-size", value_u16, PORT(ring_size), 32, 32768, 0},
	{"large-segments", value_bool, PORT(large_segments), 0, 0, 0},
	{"lcore", value_u32, offsetof(struct container_config, lcore), 0, RTE_MAX_LCORE - 1, 0},
	{0},
};
#undef PORT

static void read_container_keys(struct container_config *container,
	const struct ini_section *section, struct error_list *errors)
{
	*container = (struct container_config){
		.port.queues = 1, .port.large_segments = true, .lcore = CONFIG_NONE};
	snprintf(container->port.name, sizeof(container->port.name), "%s", section->name);
	keys_read(container_keys, section, container, errors);
}

static void read_container(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	config->containers =
		array_add(config->containers, &config->n_containers, sizeof(*config->containers));
	read_container_keys(&config->containers[config->n_containers - 1], section, errors);
}

/* "key=value,key=value" as a section's; -1 if a word is not so. */
static int split_words(char *words, struct ini_section *section, struct error_list *errors)
{
	char *word;

	while ((word = strsep(&words, ",")) != NULL) {
		char *value = strchr(word, '=');

		if (value == NULL)
			return ini_wrong(
				errors, section, NULL, NULL, "'%s' is not key=value", word);
		*value++ = '\0';
		section->entries =
			array_grow(section->entries, section->n, sizeof(*section->entries));
		section->entries[section->n++] = (struct ini_entry){word, value, 0};
	}
	return 0;
}

int config_read_container(const char *name, const char *words, struct container_config *container,
	struct error *error)
{
	struct ini_section section = {.kind = "port", .name = name};
	struct error_list errors = {0};
	char *copy = strdup(words);
	int status = 0;

	if (copy == NULL)
		abort();
	if (config_check_name(name, error) != 0)
		ini_wrong(&errors, &section, NULL, NULL, "%s", error->text);
	else if (split_words(copy, &section, &errors) == 0)
		read_container_keys(container, &section, &errors);
	if (errors.n > 0)
		status = error_list_join(&errors, error);
	error_list_free(&errors);
	free(section.entries);
	free(copy);
	return status;
}

const struct container_config *config_container(const struct config *config, const char *name)
{
	for (uint32_t i = 0; i < config->n_containers; i++)
		if (strcmp(config->containers[i].port.name, name) == 0)
			return &config->containers[i];
	return NULL;
}

static void free_containers(struct config *config)
{
	free(config->containers);
}

const struct section_kind port_section = {.name = "port",
	.names = "NAME",
	.most = PORTS_MAX + 1, /* the last is what is wrong */
	.read = read_container,
	.check = check_ports,
	.check_lcores = check_port_lcores,
	.free = free_containers};
