/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtual/costs.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <rte_ether.h>

#include "control/ini.h"

#define CYCLES_MAX 10000000 /* of one cost; in hundredths it still fits 32 bits */
#define DECIMALS_MAX 2
#define FRAME_MIN 64 /* bytes with FCS */
#define FRAME_MAX 16384

/* What has been read so far. */
struct reading {
	struct costs *costs;
	bool machine, turn, price;
	bool steps[STEP_COUNT];
};

/* ---- values ---- */

/* The digits behind the point as hundredths, or -1. */
static int parse_hundredths(const char *digits)
{
	uint64_t hundredths;
	size_t n = strlen(digits);

	if (n > DECIMALS_MAX || parse_number(digits, 0, 99, &hundredths) != 0)
		return -1;
	return n == 1 ? hundredths * 10 : hundredths;
}

static int parse_cost(const char *text, uint32_t *cost)
{
	const char *point = strchr(text, '.');
	int length = point == NULL ? (int)strlen(text) : (int)(point - text);
	int hundredths = point == NULL ? 0 : parse_hundredths(point + 1);
	char whole[16];
	uint64_t cycles;

	if (length >= (int)sizeof(whole) || hundredths < 0)
		return -1;
	snprintf(whole, sizeof(whole), "%.*s", length, text);
	if (parse_number(whole, 0, CYCLES_MAX, &cycles) != 0)
		return -1;
	*cost = cycles * COST_UNIT + hundredths;
	return 0;
}

static int value_cost(const struct key *key, const char *value, void *to, struct error *error)
{
	(void)key;
	if (parse_cost(value, to) == 0)
		return 0;
	return error_set(error,
		"'%s' is no cost: cycles from 0 to %d with at most two decimals, such as 30.25",
		value, CYCLES_MAX);
}

static int value_price(const struct key *key, const char *value, void *to, struct error *error)
{
	bool negative = value[0] == '-';
	int32_t *price = to;
	uint32_t cost;

	(void)key;
	if (parse_cost(value + negative, &cost) != 0)
		return error_set(error,
			"'%s' is no price: cycles from -%d to %d with at most two decimals, such "
			"as 30.25",
			value, CYCLES_MAX, CYCLES_MAX);
	*price = negative ? -(int32_t)cost : (int32_t)cost;
	return 0;
}

static int value_hz(const struct key *key, const char *value, void *to, struct error *error)
{
	if (parse_number(value, key->min, key->max, to) == 0)
		return 0;
	return error_set(error, "'%s' is no number of cycles a second such as 2600000000", value);
}

/* It is for the reader of the file. */
static int value_remark(const struct key *key, const char *value, void *to, struct error *error)
{
	(void)key;
	(void)value;
	(void)to;
	(void)error;
	return 0;
}

/* ---- sections whose keys are known ---- */

static const struct key machine_keys[] = {
	{"hz", value_hz, offsetof(struct costs, hz), 1000000, 10000000000, KEY_REQUIRED},
	{"cpu", value_remark, 0, 0, 0, 0},
	{"distance", value_remark, 0, 0, 0, 0},
	{0},
};

static const struct key turn_keys[] = {
	{"idle", value_cost, offsetof(struct costs, idle), 0, 0, KEY_REQUIRED},
	{"busy", value_cost, offsetof(struct costs, busy), 0, 0, KEY_REQUIRED},
	{"steer", value_cost, offsetof(struct costs, steer), 0, 0, KEY_REQUIRED},
	{0},
};

static const struct key step_keys[] = {
	{"burst", value_cost, offsetof(struct step_cost, burst), 0, 0, KEY_REQUIRED},
	{"packet", value_cost, offsetof(struct step_cost, packet), 0, 0, KEY_REQUIRED},
	{0},
};

static const struct key price_keys[] = {
	{"metadata", value_price, offsetof(struct price, metadata), 0, 0, KEY_REQUIRED},
	{"header", value_price, offsetof(struct price, header), 0, 0, KEY_REQUIRED},
	{"payload", value_price, offsetof(struct price, payload), 0, 0, KEY_REQUIRED},
	{"free", value_price, offsetof(struct price, free), 0, 0, KEY_REQUIRED},
	{"back", value_price, offsetof(struct price, back), 0, 0, KEY_REQUIRED},
	{"back-header", value_price, offsetof(struct price, back_header), 0, 0, KEY_REQUIRED},
	{"back-payload", value_price, offsetof(struct price, back_payload), 0, 0, KEY_REQUIRED},
	{"cold", value_price, offsetof(struct price, cold), 0, 0, KEY_REQUIRED},
	{"cold-payload", value_price, offsetof(struct price, cold_payload), 0, 0, KEY_REQUIRED},
	{0},
};

static int read_once(bool *read, const struct key *keys, const struct rte_cfgfile_entry *entries,
	int n, void *to, struct error *error)
{
	if (*read)
		return error_set(error, "the section is given twice");
	*read = true;
	return ini_read_keys(keys, entries, n, to, error);
}

static int read_machine(struct reading *reading, const char *name,
	const struct rte_cfgfile_entry *entries, int n, struct error *error)
{
	(void)name;
	return read_once(&reading->machine, machine_keys, entries, n, reading->costs, error);
}

static int read_turn(struct reading *reading, const char *name,
	const struct rte_cfgfile_entry *entries, int n, struct error *error)
{
	(void)name;
	return read_once(&reading->turn, turn_keys, entries, n, reading->costs, error);
}

static int read_price(struct reading *reading, const char *name,
	const struct rte_cfgfile_entry *entries, int n, struct error *error)
{
	(void)name;
	return read_once(&reading->price, price_keys, entries, n, &reading->costs->price, error);
}

static int unknown_step(struct error *error)
{
	char list[256] = "";

	for (int step = 0; step < STEP_COUNT; step++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", step ? ", " : "",
			stage_table[step].name);
	return error_set(error, "no such step; there are %s", list);
}

static int read_step(struct reading *reading, const char *name,
	const struct rte_cfgfile_entry *entries, int n, struct error *error)
{
	int step = stage_find(name);

	if (step < 0)
		return unknown_step(error);
	return read_once(
		&reading->steps[step], step_keys, entries, n, &reading->costs->steps[step], error);
}

/* ---- ports ---- */

static const char *const port_types[] = {
	"uplink", "vhost-user", "vhost-net", "memif", "tap", "ring"};

static int check_type(const char *type, struct error *error)
{
	char list[128] = "";

	for (size_t i = 0; i < RTE_DIM(port_types); i++) {
		if (strcmp(type, port_types[i]) == 0)
			return 0;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			port_types[i]);
	}
	return error_set(error, "no such port; there are %s", list);
}

static const struct port_cost *find_port(
	const struct port_cost *costs, uint16_t n, const char *type)
{
	for (uint16_t i = 0; i < n; i++)
		if (strcmp(costs[i].type, type) == 0)
			return &costs[i];
	return NULL;
}

/* Keeps the sizes in order. */
static int insert_size(struct port_cost *cost, uint16_t bytes, uint32_t packet, struct error *error)
{
	uint16_t i = cost->n;

	if (cost->n == COST_SIZES_MAX)
		return error_set(error, "more than %d frame sizes", COST_SIZES_MAX);
	for (; i > 0 && cost->bytes[i - 1] >= bytes; i--) {
		if (cost->bytes[i - 1] == bytes)
			return error_set(error, "is given twice");
		cost->bytes[i] = cost->bytes[i - 1];
		cost->packet[i] = cost->packet[i - 1];
	}
	cost->bytes[i] = bytes;
	cost->packet[i] = packet;
	cost->n++;
	return 0;
}

static int read_size(
	struct port_cost *cost, const struct rte_cfgfile_entry *entry, struct error *error)
{
	uint64_t bytes;
	uint32_t packet;

	if (parse_number(entry->name, FRAME_MIN, FRAME_MAX, &bytes) != 0)
		return error_set(error,
			"no such key; there are 'burst' and frame sizes with FCS from %d to %d",
			FRAME_MIN, FRAME_MAX);
	if (value_cost(NULL, entry->value, &packet, error) != 0)
		return -1;
	return insert_size(cost, bytes, packet, error);
}

static int read_port_keys(
	struct port_cost *cost, const struct rte_cfgfile_entry *entries, int n, struct error *error)
{
	static const struct key no_lists[] = {{0}};
	bool burst = false;

	if (ini_check_repeated(no_lists, entries, n, error) != 0)
		return -1;
	for (int i = 0; i < n; i++) {
		bool is_burst = strcmp(entries[i].name, "burst") == 0;

		burst = burst || is_burst;
		if ((is_burst ? value_cost(NULL, entries[i].value, &cost->burst, error)
			      : read_size(cost, &entries[i], error)) != 0)
			return error_prefix(error, "%s: ", entries[i].name);
	}
	if (!burst)
		return error_set(error, "burst: is missing, and required");
	if (cost->n == 0)
		return error_set(error, "64: is missing; at least one frame size is required");
	return 0;
}

/* COST_PORTS_MAX has room for all types there are. */
static int read_port(struct port_cost *costs, uint16_t *n_costs, const char *type,
	const struct rte_cfgfile_entry *entries, int n, struct error *error)
{
	struct port_cost *cost = &costs[*n_costs];

	if (check_type(type, error) != 0)
		return -1;
	if (find_port(costs, *n_costs, type) != NULL)
		return error_set(error, "the section is given twice");
	snprintf(cost->type, sizeof(cost->type), "%s", type);
	if (read_port_keys(cost, entries, n, error) != 0)
		return -1;
	(*n_costs)++;
	return 0;
}

static int read_receive(struct reading *reading, const char *name,
	const struct rte_cfgfile_entry *entries, int n, struct error *error)
{
	struct costs *costs = reading->costs;

	return read_port(costs->receive, &costs->n_receive, name, entries, n, error);
}

static int read_send(struct reading *reading, const char *name,
	const struct rte_cfgfile_entry *entries, int n, struct error *error)
{
	struct costs *costs = reading->costs;

	return read_port(costs->send, &costs->n_send, name, entries, n, error);
}

/* ---- the file ---- */

static const struct section_kind {
	const char *name; /* ends with a blank if a name follows */
	int (*read)(struct reading *reading, const char *name,
		const struct rte_cfgfile_entry *entries, int n, struct error *error);
} kinds[] = {
	{"machine", read_machine},
	{"turn", read_turn},
	{"price", read_price},
	{"step ", read_step},
	{"receive ", read_receive},
	{"send ", read_send},
};

static bool is_of_kind(const char *section, const struct section_kind *kind)
{
	size_t length = strlen(kind->name);

	if (kind->name[length - 1] != ' ')
		return strcmp(section, kind->name) == 0;
	return strncmp(section, kind->name, length) == 0;
}

static int read_section(void *to, const char *section, const struct rte_cfgfile_entry *entries,
	int n, struct error *error)
{
	for (size_t i = 0; i < RTE_DIM(kinds); i++) {
		if (!is_of_kind(section, &kinds[i]))
			continue;
		if (kinds[i].read(to, section + strlen(kinds[i].name), entries, n, error) != 0)
			return error_prefix(error, "[%s]: ", section);
		return 0;
	}
	return error_set(error,
		"[%s]: no such section; there are [machine], [turn], [price], [step NAME], "
		"[receive TYPE], [send TYPE]",
		section);
}

static int missing(const char *section, struct error *error)
{
	return error_set(error,
		"[%s]: is missing, and required; `scripts/bench calibrate` measures all", section);
}

/* A step without a cost would be done in no time. */
static int check_complete(const struct reading *reading, struct error *error)
{
	char section[CFG_NAME_LEN];

	if (!reading->machine)
		return missing("machine", error);
	if (!reading->turn)
		return missing("turn", error);
	if (!reading->price)
		return missing("price", error);
	for (int step = 0; step < STEP_COUNT; step++) {
		snprintf(section, sizeof(section), "step %s", stage_table[step].name);
		if (!reading->steps[step])
			return missing(section, error);
	}
	return 0;
}

int costs_read(struct costs *costs, const char *file, struct error *error)
{
	struct reading reading = {.costs = costs};

	memset(costs, 0, sizeof(*costs));
	if (ini_read(file, read_section, &reading, error) != 0 ||
		check_complete(&reading, error) != 0)
		return error_prefix(error, "%s: ", file);
	return 0;
}

/* ---- looking up ---- */

const struct port_cost *costs_of_send(const struct costs *costs, const char *type)
{
	return find_port(costs->send, costs->n_send, type);
}

const struct port_cost *costs_of_receive(const struct costs *costs, const char *type)
{
	return find_port(costs->receive, costs->n_receive, type);
}

/* On the line through sizes i and i + 1, to the nearest hundredth. */
static uint32_t on_line(const struct port_cost *cost, uint16_t i, uint32_t bytes)
{
	int64_t width = cost->bytes[i + 1] - cost->bytes[i];
	int64_t rise = (int64_t)cost->packet[i + 1] - cost->packet[i];
	int64_t product = rise * (int64_t)(bytes - cost->bytes[i]);

	int64_t part = (2 * product + (product < 0 ? -width : width)) / (2 * width);

	return RTE_MIN(cost->packet[i] + part, (int64_t)UINT32_MAX);
}

uint32_t port_cost_of_packet(const struct port_cost *cost, uint32_t bytes)
{
	uint32_t size = bytes + RTE_ETHER_CRC_LEN;
	uint16_t last = cost->n - 1, i = 0;

	if (size <= cost->bytes[0])
		return cost->packet[0];
	while (i < last && size > cost->bytes[i + 1])
		i++;
	if (i < last)
		return on_line(cost, i, size);
	/* Larger than all: as the last two sizes go on, but never cheaper than the last. */
	if (last == 0 || cost->packet[last] < cost->packet[last - 1])
		return cost->packet[last];
	return on_line(cost, last - 1, size);
}
