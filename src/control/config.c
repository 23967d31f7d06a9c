/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/config.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_vxlan.h>

#include "base/array.h"
#include "base/ipv4.h"
#include "control/ini.h"
#include "control/keys.h"
#include "control/mode.h"
#include "control/value.h"
#include "reorder/merge.h"
#include "stages/tables.h"
#include "steer/moves.h"
#include "steer/policy.h"

/* ---- values that are lists ---- */

typedef int (*word_reader)(const char *word, void *to, struct error *error);

static int for_each_word(const char *value, word_reader read, void *to, struct error *error)
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

static int read_lcore(const char *word, void *to, struct error *error)
{
	struct lcore_list *lcores = to;
	uint64_t id;

	if (parse_number(word, 0, RTE_MAX_LCORE - 1, &id) != 0)
		return error_set(error, "'%s' is no lcore id", word);
	if (lcores->n == CONFIG_LCORES_MAX)
		return error_set(error, "more than %d lcores", CONFIG_LCORES_MAX);
	lcores->ids[lcores->n++] = id;
	return 0;
}

static int value_lcores(const struct key *key, const char *value, void *to, struct error *error)
{
	(void)key;
	return for_each_word(value, read_lcore, to, error);
}

static int read_distinct_lcore(const char *word, void *to, struct error *error)
{
	const struct lcore_list *lcores = to;

	if (read_lcore(word, to, error) != 0)
		return -1;
	for (uint16_t i = 0; i < lcores->n - 1; i++)
		if (lcores->ids[i] == lcores->ids[lcores->n - 1])
			return error_set(error, "%s is given twice", word);
	return 0;
}

static int value_distinct_lcores(
	const struct key *key, const char *value, void *to, struct error *error)
{
	(void)key;
	return for_each_word(value, read_distinct_lcore, to, error);
}

static int read_vtep(const char *word, void *to, struct error *error)
{
	struct network_config *network = to;
	rte_be32_t *vtep = &network->vteps[network->n_vteps];

	if (network->n_vteps == CONFIG_NETWORK_VTEPS_MAX)
		return error_set(error, "more than %d VTEPs", CONFIG_NETWORK_VTEPS_MAX);
	if (value_ipv4(NULL, word, vtep, error) != 0)
		return -1;
	if (!ipv4_is_host(*vtep))
		return error_set(error, "'%s' is no host's address", word);
	network->n_vteps++;
	return 0;
}

static int value_vteps(const struct key *key, const char *value, void *to, struct error *error)
{
	(void)key;
	return for_each_word(value, read_vtep, to, error);
}

static int read_address(const char *word, void *to, struct error *error)
{
	struct container_config *container = to;
	bool ipv6 = strchr(word, ':') != NULL;
	uint16_t *n = ipv6 ? &container->n_addresses6 : &container->n_addresses4;
	void *address = ipv6 ? (void *)&container->addresses6[*n] : &container->addresses4[*n];

	if (*n == PORT_ADDRESSES_MAX)
		return error_set(error, "more than %d addresses of one kind", PORT_ADDRESSES_MAX);
	if (inet_pton(ipv6 ? AF_INET6 : AF_INET, word, address) != 1)
		return error_set(error, "'%s' is no address such as 10.0.0.2 or fd00::2", word);
	(*n)++;
	return 0;
}

static int value_addresses(const struct key *key, const char *value, void *to, struct error *error)
{
	(void)key;
	return for_each_word(value, read_address, to, error);
}

static int value_prefix(const struct key *key, const char *value, void *to, struct error *error)
{
	struct uplink_config *uplink = to;
	char address[INET_ADDRSTRLEN];
	const char *slash = strchr(value, '/');
	rte_be32_t host;
	uint64_t prefix;

	if (slash == NULL || slash - value >= (int)sizeof(address) ||
		parse_number(slash + 1, 1, 32, &prefix) != 0)
		return error_set(
			error, "'%s' is no address with its prefix such as 192.0.2.1/24", value);
	snprintf(address, sizeof(address), "%.*s", (int)(slash - value), value);
	if (value_ipv4(key, address, &host, error) != 0)
		return -1;
	if (!ipv4_is_host(host))
		return error_set(error, "'%s' is no host's address", value);
	uplink->address = host;
	uplink->prefix = prefix;
	return 0;
}

static int value_policy(const struct key *key, const char *value, void *to, struct error *error)
{
	char list[128];

	policy_list(list, sizeof(list));
	if (policy_find(value) == NULL)
		return error_set(error, "no policy is called '%s'; there are %s", value, list);
	return value_text(key, value, to, error);
}

/* ---- the keys of each section ---- */

static const struct key weft_keys[] = {
	{"mode", value_text, offsetof(struct weft_config, mode), 0, MODE_NAME_SIZE, 0},
	{"mbufs", value_u32, offsetof(struct weft_config, mbufs), 1024, 1 << 24, 0},
	{"mbuf-size", value_u32, offsetof(struct weft_config, mbuf_size), 512, 16384, 0},
	{"credits", value_u32, offsetof(struct weft_config, credits), 64, 65536, 0},
	{"fdb-size", value_u32, offsetof(struct weft_config, fdb_size), 1024, 1 << 24, 0},
	{"gro", value_bool, offsetof(struct weft_config, gro), 0, 0, 0},
	{0},
};

static const struct key steering_keys[] = {
	{"lcores", value_distinct_lcores, offsetof(struct steering_config, lcores), 0, 0, KEY_LIST},
	{"policy", value_policy, offsetof(struct steering_config, policy), 0, POLICY_NAME_SIZE, 0},
	{"threshold", value_u32, offsetof(struct steering_config, threshold), 1, 100, 0},
	{0},
};

#define MICRO_FLOWS(field) offsetof(struct micro_flows_config, field)
static const struct key micro_flows_keys[] = {
	{"batch", value_u32, MICRO_FLOWS(batch), 1, BATCH_MAX, 0},
	{"branches", value_u16, MICRO_FLOWS(branches), 1, BRANCHES_MAX, 0},
	{"lcores", value_distinct_lcores, MICRO_FLOWS(lcores), 0, 0, KEY_LIST},
	{"elephants", value_u16, MICRO_FLOWS(elephants), 0, ELEPHANTS_MAX, 0},
	{"rate", value_u32, MICRO_FLOWS(rate), 1, 1000000000, 0},
	{0},
};
#undef MICRO_FLOWS

#define PORT(field) (offsetof(struct uplink_config, port) + offsetof(struct port_config, field))
static const struct key uplink_keys[] = {
	{"interface", value_text, PORT(interface), 0, 16, 0},
	{"device", value_device, PORT(device), 0, PORT_DEVICE_SIZE, 0},
	{"address", value_prefix, 0, 0, 0, KEY_REQUIRED},
	{"gateway", value_ipv4, offsetof(struct uplink_config, gateway), 0, 0, 0},
	{"mac", value_mac, PORT(mac), 0, 0, 0},
	{"mtu", value_u16, PORT(mtu), 128, PORT_MTU_MAX, 0},
	{"queues", value_u16, PORT(queues), 1, PORT_QUEUES_MAX, 0},
	{"lcores", value_lcores, offsetof(struct uplink_config, lcores), 0, 0, KEY_LIST},
	{"ring-size", value_u16, PORT(ring_size), 32, 32768, 0},
	{0},
};
#undef PORT

static const struct key network_keys[] = {
	{"vni", value_u32, offsetof(struct network_config, vni), 0, (1 << 24) - 1, KEY_REQUIRED},
	{"udp-port", value_u16, offsetof(struct network_config, udp_port), 1, 65535, 0},
	{"uplink", value_text, offsetof(struct network_config, uplink), 0, PORT_NAME_SIZE, 0},
	{"vteps", value_vteps, 0, 0, 0, KEY_LIST},
	{"vtep-guard", value_bool, offsetof(struct network_config, vtep_guard), 0, 0, 0},
	{"source-guard", value_bool, offsetof(struct network_config, source_guard), 0, 0, 0},
	{"learning", value_bool, offsetof(struct network_config, learning), 0, 0, 0},
	{"ageing", value_u32, offsetof(struct network_config, ageing), 1, 1000000, 0},
	{"addresses", value_u32, offsetof(struct network_config, addresses), 1, 1 << 20, 0},
	{"mtu", value_u16, offsetof(struct network_config, mtu), 68, PORT_MTU_MAX, 0},
	{0},
};

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

/* ---- the kinds of sections ---- */

/* One more, of zeroes. */
static void *grow(void *array, uint32_t *n, size_t size)
{
	char *grown = array_grow(array, *n, size);

	memset(grown + *n * size, 0, size);
	(*n)++;
	return grown;
}

static int check_name(const char *name, struct error *error)
{
	if (strlen(name) == 0 || strlen(name) >= PORT_NAME_SIZE)
		return error_set(error, "a name has 1 to %d characters", PORT_NAME_SIZE - 1);
	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")])
		return error_set(error, "a name has letters, digits, '.', '_' and '-' only");
	return 0;
}

static void read_weft(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	keys_read(weft_keys, section, &config->weft, errors);
}

static bool is_af_packet(const char *device)
{
	return strncmp(device, "net_af_packet", strlen("net_af_packet")) == 0 ||
	       strncmp(device, "eth_af_packet", strlen("eth_af_packet")) == 0;
}

/* DPDK's driver hides losses and a link that is down (docs/design.md): who asks for it gets ours.
 */
static void replace_af_packet(
	struct port_config *port, const struct ini_section *section, struct error_list *errors)
{
	const char *interface = strstr(port->device, ",iface=");
	size_t length = 0;

	if (interface != NULL) {
		interface += strlen(",iface=");
		length = strcspn(interface, ",");
	}
	if (length == 0 || length >= sizeof(port->interface)) {
		ini_wrong(errors, section, "device", NULL,
			"'%s' names no interface of the kernel's; write interface = eth1 instead",
			port->device);
		return;
	}
	snprintf(port->interface, sizeof(port->interface), "%.*s", (int)length, interface);
	snprintf(port->type, sizeof(port->type), "interface");
	port->device[0] = '\0';
}

static void choose_uplink_type(
	struct port_config *port, const struct ini_section *section, struct error_list *errors)
{
	static const char what[] =
		"an uplink has an interface of the kernel's (interface = eth1) or a device of "
		"DPDK's (device = 0000:3b:00.0)";
	bool interface = keys_given(section, "interface"), device = keys_given(section, "device");

	if (interface && device)
		ini_wrong(errors, section, "device", NULL, "there is an interface, too; %s", what);
	if (!interface && !device)
		ini_wrong(errors, section, "interface", NULL, "is missing; %s", what);
	snprintf(port->type, sizeof(port->type), interface ? "interface" : "uplink");
	if (!interface && is_af_packet(port->device))
		replace_af_packet(port, section, errors);
}

static void read_uplink(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	struct uplink_config *uplink;

	if (config->n_uplinks > UPLINKS_MAX)
		return; /* check_config() tells of the first that is too many */
	config->uplinks = grow(config->uplinks, &config->n_uplinks, sizeof(*uplink));
	uplink = &config->uplinks[config->n_uplinks - 1];
	snprintf(uplink->port.name, sizeof(uplink->port.name), "%s", section->name);
	uplink->port.queues = 1;
	keys_read(uplink_keys, section, uplink, errors);
	choose_uplink_type(&uplink->port, section, errors);
}

static void read_network(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	struct network_config *network;

	if (config->n_networks > NETWORKS_MAX)
		return; /* as with uplinks */
	config->networks = grow(config->networks, &config->n_networks, sizeof(*network));
	network = &config->networks[config->n_networks - 1];
	*network = (struct network_config){.vni = CONFIG_NONE,
		.udp_port = RTE_VXLAN_DEFAULT_PORT,
		.vtep_guard = true,
		.source_guard = true,
		.learning = true,
		.ageing = 300,
		.addresses = 4096};
	snprintf(network->name, sizeof(network->name), "%s", section->name);
	keys_read(network_keys, section, network, errors);
}

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
	if (config->n_containers > PORTS_MAX)
		return; /* as with uplinks */
	config->containers =
		grow(config->containers, &config->n_containers, sizeof(*config->containers));
	read_container_keys(&config->containers[config->n_containers - 1], section, errors);
}

static void read_steering(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	keys_read(steering_keys, section, &config->steering, errors);
}

static void read_micro_flows(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	keys_read(micro_flows_keys, section, &config->micro_flows, errors);
}

/* Of the file's own modes. */
static const struct mode *find_mode(const struct config *config, const char *name)
{
	for (uint32_t i = 0; i < config->n_modes; i++)
		if (strcmp(config->modes[i].name, name) == 0)
			return &config->modes[i];
	return NULL;
}

static void read_mode(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	struct mode *mode;

	if (plan_mode_find(section->name) != NULL) {
		ini_wrong(errors, section, NULL, NULL,
			"is one of weft's own modes; choose another name");
		return;
	}
	config->modes = grow(config->modes, &config->n_modes, sizeof(*mode));
	mode = &config->modes[config->n_modes - 1];
	snprintf(mode->name, sizeof(mode->name), "%s", section->name);
	mode_read(mode, section, errors);
}

static void read_stage(struct config *config, const struct ini_section *section,
	const struct ini_entry *entry, struct error_list *errors)
{
	int stage = stage_find(entry->key);
	uint64_t id;

	if (stage < 0 || stage >= STAGE_COUNT)
		ini_wrong_entry(
			errors, section, entry, "no such stage; `weftctl show stages` lists them");
	else if (parse_number(entry->value, 0, RTE_MAX_LCORE - 1, &id) != 0)
		ini_wrong_entry(errors, section, entry, "'%s' is no lcore id", entry->value);
	else
		config->pipeline[stage] = id;
}

static void read_pipeline(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	keys_check_repeated(section, errors);
	for (unsigned int i = 0; i < section->n; i++)
		read_stage(config, section, &section->entries[i], errors);
}

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
		config->fdb = grow(config->fdb, &config->n_fdb, sizeof(*config->fdb));
		config->fdb[config->n_fdb - 1] = fdb;
	}
}

static void read_virtual(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	virtual_settings_read(&config->virtual, section, errors);
}

static void read_traffic(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	config->traffic = grow(config->traffic, &config->n_traffic, sizeof(*config->traffic));
	traffic_settings_read(&config->traffic[config->n_traffic - 1], section, errors);
}

static const struct section_kind {
	const char *name;
	bool named;
	void (*read)(struct config *config, const struct ini_section *section,
		struct error_list *errors);
} kinds[] = {
	{"weft", false, read_weft},
	{"uplink", true, read_uplink},
	{"network", true, read_network},
	{"port", true, read_container},
	{"steering", false, read_steering},
	{"micro-flows", false, read_micro_flows},
	{"mode", true, read_mode},
	{"pipeline", false, read_pipeline},
	{"fdb", true, read_fdb},
	{"virtual", false, read_virtual},
	{"traffic", true, read_traffic},
};

static const struct section_kind *find_kind(const struct ini_section *section)
{
	for (size_t i = 0; i < RTE_DIM(kinds); i++)
		if (strcmp(kinds[i].name, section->kind) == 0 &&
			kinds[i].named == (section->name[0] != '\0'))
			return &kinds[i];
	return NULL;
}

static void read_section(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	const struct section_kind *kind = find_kind(section);
	struct error error;

	if (kind == NULL)
		ini_wrong(errors, section, NULL, NULL,
			"no such section; there are [weft], [uplink NAME], [network NAME], "
			"[port NAME], [steering], [micro-flows], [mode NAME], [pipeline], "
			"[fdb NETWORK], [virtual], [traffic NAME]");
	else if (kind->named && check_name(section->name, &error) != 0)
		ini_wrong(errors, section, NULL, NULL, "%s", error.text);
	else
		kind->read(config, section, errors);
}

/* ---- the file ---- */

static struct config *defaults(const char *name)
{
	struct config *config = calloc(1, sizeof(*config));

	if (config == NULL)
		abort();
	config->file = strdup(name);
	config->weft = (struct weft_config){.mode = "vanilla",
		.mbufs = 65536,
		.mbuf_size = 2176,
		.credits = 1024,
		.fdb_size = 65536,
		.gro = true};
	config->steering = (struct steering_config){.policy = "two-choice", .threshold = 85};
	config->micro_flows = (struct micro_flows_config){
		.batch = 256, .branches = 2, .elephants = 16, .rate = 100000};
	config->virtual = virtual_settings_default();
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		config->pipeline[stage] = CONFIG_NONE;
	return config;
}

struct config *config_read(struct error_list *errors)
{
	struct ini *ini = ini_read(errors);
	struct config *config;

	if (ini == NULL)
		return NULL;
	config = defaults(errors->file);
	config->ini = ini;
	for (unsigned int i = 0; i < ini->n; i++)
		if (!ini->sections[i].repeated)
			read_section(config, &ini->sections[i], errors);
	return config;
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	free(config->file);
	ini_free(config->ini);
	free(config->modes);
	free(config->uplinks);
	free(config->networks);
	free(config->containers);
	free(config->fdb);
	free(config->traffic);
	free(config);
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
	if (check_name(name, error) != 0)
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

static int unknown_mode(const struct config *config, const char *name, struct error *error)
{
	char list[sizeof(error->text)] = "";

	for (unsigned int i = 0; plan_mode(i) != NULL; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			plan_mode(i)->name);
	for (uint32_t i = 0; i < config->n_modes; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), ", %s",
			config->modes[i].name);
	return error_set(error, "no mode is called '%s'; there are %s", name, list);
}

const struct mode *config_mode(const struct config *config, const char *name, struct error *error)
{
	const struct mode *mode = plan_mode_find(name);

	if (mode == NULL)
		mode = find_mode(config, name);
	if (mode == NULL)
		unknown_mode(config, name, error);
	return mode;
}

const struct network_config *config_network(const struct config *config, const char *name)
{
	for (uint32_t i = 0; i < config->n_networks; i++)
		if (strcmp(config->networks[i].name, name) == 0)
			return &config->networks[i];
	return NULL;
}

const struct container_config *config_container(const struct config *config, const char *name)
{
	for (uint32_t i = 0; i < config->n_containers; i++)
		if (strcmp(config->containers[i].port.name, name) == 0)
			return &config->containers[i];
	return NULL;
}
