/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtual/costs.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <rte_ether.h>

#include "control/keys.h"

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

static void read_machine(
	struct reading *reading, const struct ini_section *section, struct error_list *errors)
{
	reading->machine = true;
	keys_read(machine_keys, section, reading->costs, errors);
}

static void read_turn(
	struct reading *reading, const struct ini_section *section, struct error_list *errors)
{
	reading->turn = true;
	keys_read(turn_keys, section, reading->costs, errors);
}

static void read_price(
	struct reading *reading, const struct ini_section *section, struct error_list *errors)
{
	reading->price = true;
	keys_read(price_keys, section, &reading->costs->price, errors);
}

static void unknown_step(const struct ini_section *section, struct error_list *errors)
{
	char list[256] = "";

	for (int step = 0; step < STEP_COUNT; step++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", step ? ", " : "",
			stage_table[step]->name);
	ini_wrong(errors, section, NULL, NULL, "no such step; there are %s", list);
}

static void read_step(
	struct reading *reading, const struct ini_section *section, struct error_list *errors)
{
	int step = stage_find(section->name);

	if (step < 0) {
		unknown_step(section, errors);
		return;
	}
	reading->steps[step] = true;
	keys_read(step_keys, section, &reading->costs->steps[step], errors);
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

/* Where a key of the section goes that is no frame size, or NULL. */
static uint32_t *find_part(struct port_cost *cost, const char *key)
{
	if (strcmp(key, "burst") == 0)
		return &cost->burst;
	if (strcmp(key, "alone-burst") == 0)
		return &cost->alone.burst;
	return strcmp(key, "alone") == 0 ? &cost->alone.packet : NULL;
}

static int read_size(struct port_cost *cost, const struct ini_entry *entry, struct error *error)
{
	uint64_t bytes;
	uint32_t packet;

	if (parse_number(entry->key, FRAME_MIN, FRAME_MAX, &bytes) != 0)
		return error_set(error,
			"no such key; there are 'burst', 'alone-burst', 'alone' and frame sizes "
			"with FCS from %d to %d",
			FRAME_MIN, FRAME_MAX);
	if (value_cost(NULL, entry->value, &packet, error) != 0)
		return -1;
	return insert_size(cost, bytes, packet, error);
}

static void read_port_keys(
	struct port_cost *cost, const struct ini_section *section, struct error_list *errors)
{
	if (keys_check_repeated(section, errors) != 0)
		return;
	for (unsigned int i = 0; i < section->n; i++) {
		const struct ini_entry *entry = &section->entries[i];
		uint32_t *part = find_part(cost, entry->key);
		struct error error;

		if ((part != NULL ? value_cost(NULL, entry->value, part, &error)
				  : read_size(cost, entry, &error)) != 0)
			ini_wrong_entry(errors, section, entry, "%s", error.text);
	}
	if (!keys_given(section, "burst"))
		ini_wrong(errors, section, "burst", NULL, "is missing, and required");
	if (section->n == 0u + keys_given(section, "burst") + keys_given(section, "alone-burst") +
				  keys_given(section, "alone"))
		ini_wrong(errors, section, "64", NULL,
			"is missing; at least one frame size is required");
}

/* COST_PORTS_MAX has room for all types there are. */
static void read_port(struct port_cost *costs, uint16_t *n_costs, const struct ini_section *section,
	struct error_list *errors)
{
	struct port_cost *cost = &costs[*n_costs];
	struct error error;

	if (check_type(section->name, &error) != 0) {
		ini_wrong(errors, section, NULL, NULL, "%s", error.text);
		return;
	}
	cost->alone = (struct step_cost){UINT32_MAX, UINT32_MAX};
	snprintf(cost->type, sizeof(cost->type), "%s", section->name);
	(*n_costs)++;
	read_port_keys(cost, section, errors);
}

static void read_receive(
	struct reading *reading, const struct ini_section *section, struct error_list *errors)
{
	struct costs *costs = reading->costs;

	read_port(costs->receive, &costs->n_receive, section, errors);
}

static void read_send(
	struct reading *reading, const struct ini_section *section, struct error_list *errors)
{
	struct costs *costs = reading->costs;

	read_port(costs->send, &costs->n_send, section, errors);
}

/* ---- the file ---- */

static const struct section_kind {
	const char *name;
	bool named;
	void (*read)(struct reading *reading, const struct ini_section *section,
		struct error_list *errors);
} kinds[] = {
	{"machine", false, read_machine},
	{"turn", false, read_turn},
	{"price", false, read_price},
	{"step", true, read_step},
	{"receive", true, read_receive},
	{"send", true, read_send},
};

static void read_section(
	struct reading *reading, const struct ini_section *section, struct error_list *errors)
{
	for (size_t i = 0; i < RTE_DIM(kinds); i++)
		if (strcmp(kinds[i].name, section->kind) == 0 &&
			kinds[i].named == (section->name[0] != '\0')) {
			kinds[i].read(reading, section, errors);
			return;
		}
	ini_wrong(errors, section, NULL, NULL,
		"no such section; there are [machine], [turn], [price], [step STEP], "
		"[receive TYPE] and [send TYPE]");
}

static void missing(const char *section, const char *name, struct error_list *errors)
{
	error_list_add(errors, 0, "[%s%s]: is missing; `scripts/bench calibrate` measures all",
		section, name);
}

/* A step without a cost would be done in no time. */
static void check_complete(const struct reading *reading, struct error_list *errors)
{
	if (!reading->machine)
		missing("machine", "", errors);
	if (!reading->turn)
		missing("turn", "", errors);
	if (!reading->price)
		missing("price", "", errors);
	for (int step = 0; step < STEP_COUNT; step++)
		if (!reading->steps[step])
			missing("step ", stage_table[step]->name, errors);
}

void costs_read(struct costs *costs, struct error_list *errors)
{
	struct reading reading = {.costs = costs};
	struct ini *ini = ini_read(errors);

	memset(costs, 0, sizeof(*costs));
	if (ini == NULL)
		return;
	for (unsigned int i = 0; i < ini->n; i++)
		if (!ini->sections[i].repeated)
			read_section(&reading, &ini->sections[i], errors);
	check_complete(&reading, errors);
	ini_free(ini);
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

uint32_t port_cost_alone(const struct port_cost *cost, uint32_t bytes)
{
	return RTE_MIN(cost->alone.packet, port_cost_of_packet(cost, bytes));
}
