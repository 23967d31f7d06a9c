/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtual/config.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config.h"
#include "control/keys.h"
#include "control/sections/network.h"
#include "control/sections/port.h"
#include "traffic/frames.h"

#define NS_PER_SECOND 1000000000
#define SECONDS_MAX 3600
#define RATE_MAX 1000000000
#define DECIMALS_MAX 9
#define EXPONENT_MAX 300 /* hundredths */
#define VALUE_WORDS_MAX 3

/* ---- values ---- */

/* "12.5" with up to `decimals` of them, in units of the last one: 125 for one decimal. */
static int parse_decimal(const char *text, int decimals, uint64_t max, uint64_t *number)
{
	const char *point = strchr(text, '.');
	size_t whole = point == NULL ? strlen(text) : (size_t)(point - text);
	const char *fraction = point == NULL ? "" : point + 1;
	char digits[32];

	if (whole == 0 || whole > 10 || strlen(fraction) > (size_t)decimals ||
		(point != NULL && *fraction == '\0'))
		return -1;
	snprintf(digits, sizeof(digits), "%.*s%s%.*s", (int)whole, text, fraction,
		decimals - (int)strlen(fraction), "000000000");
	return parse_number(digits, 0, max, number);
}

static int parse_seconds(const char *text, uint64_t *ns)
{
	return parse_decimal(text, DECIMALS_MAX, (uint64_t)SECONDS_MAX * NS_PER_SECOND, ns);
}

static int value_seconds(const struct key *key, const char *value, void *to, struct error *error)
{
	(void)key;
	if (parse_seconds(value, to) == 0 && *(uint64_t *)to > 0)
		return 0;
	return error_set(error, "'%s' is no time in seconds such as 0.5, above 0, up to %d", value,
		SECONDS_MAX);
}

static int value_u64(const struct key *key, const char *value, void *to, struct error *error)
{
	if (parse_number(value, key->min, key->max, to) == 0)
		return 0;
	return error_set(
		error, "'%s' is no number from %" PRIu64 " to %" PRIu64, value, key->min, key->max);
}

static int value_exponent(const struct key *key, const char *value, void *to, struct error *error)
{
	uint64_t number;

	(void)key;
	if (parse_decimal(value, 2, EXPONENT_MAX, &number) != 0)
		return error_set(error, "'%s' is no number from 0 to 3 such as 1.1", value);
	*(uint32_t *)to = number;
	return 0;
}

/* One of some words; its index is the value, an enum's. */
static int choose(
	const char *const *words, unsigned int n, const char *value, void *to, struct error *error)
{
	char list[128] = "";

	for (unsigned int i = 0; i < n; i++) {
		if (strcmp(value, words[i]) == 0) {
			*(unsigned int *)to = i;
			return 0;
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			words[i]);
	}
	return error_set(error, "'%s' is not one of %s", value, list);
}

static int value_order(const struct key *key, const char *value, void *to, struct error *error)
{
	static const char *const words[] = {[VIRTUAL_BY_COST] = "cost",
		[VIRTUAL_RANDOM] = "random",
		[VIRTUAL_ADVERSARIAL] = "adversarial"};

	(void)key;
	return choose(words, RTE_DIM(words), value, to, error);
}

static int value_arrivals(const struct key *key, const char *value, void *to, struct error *error)
{
	static const char *const words[] = {[ARRIVALS_CONSTANT] = "constant",
		[ARRIVALS_POISSON] = "poisson",
		[ARRIVALS_ON_OFF] = "on-off",
		[ARRIVALS_WINDOW] = "window"};

	(void)key;
	return choose(words, RTE_DIM(words), value, to, error);
}

static int value_law(const struct key *key, const char *value, void *to, struct error *error)
{
	static const char *const words[] = {
		[ARRIVALS_EQUAL] = "equal", [ARRIVALS_HEAVY_TAILED] = "heavy-tailed"};

	(void)key;
	return choose(words, RTE_DIM(words), value, to, error);
}

static int value_steps(const struct key *key, const char *value, void *to, struct error *error)
{
	static const char *const words[] = {"table", "measured"};
	unsigned int choice = 0;

	(void)key;
	if (choose(words, RTE_DIM(words), value, &choice, error) != 0)
		return -1;
	*(bool *)to = choice == 1;
	return 0;
}

/* The value's words in a copy of it; *n is how many there are, VALUE_WORDS_MAX of them are told. */
static char *split(const char *value, char *words[VALUE_WORDS_MAX], int *n)
{
	char *copy = strdup(value), *rest = copy, *word;

	if (copy == NULL)
		abort();
	*n = 0;
	while ((word = strsep(&rest, " \t")) != NULL) {
		if (*word == '\0')
			continue;
		if (*n < VALUE_WORDS_MAX)
			words[*n] = word;
		++*n;
	}
	return copy;
}

static int parse_pause(const char *value, struct pause_settings *pause)
{
	char *words[VALUE_WORDS_MAX], *copy;
	int n, status = -1;

	copy = split(value, words, &n);
	if (n == 3 && strlen(words[0]) < sizeof(pause->port) &&
		parse_seconds(words[1], &pause->from_ns) == 0 &&
		parse_seconds(words[2], &pause->for_ns) == 0) {
		snprintf(pause->port, sizeof(pause->port), "%s", words[0]);
		status = 0;
	}
	free(copy);
	return status;
}

static int value_pause(const struct key *key, const char *value, void *to, struct error *error)
{
	struct virtual_settings *settings = to;

	(void)key;
	if (settings->n_pauses == VIRTUAL_PAUSES_MAX)
		return error_set(error, "is given more than %d times", VIRTUAL_PAUSES_MAX);
	if (parse_pause(value, &settings->pauses[settings->n_pauses]) != 0)
		return error_set(error,
			"'%s' is no port with two times in seconds, from when and for how long: "
			"web 0.2 0.01",
			value);
	settings->n_pauses++;
	return 0;
}

static int value_end(const struct key *key, const char *value, void *to, struct error *error)
{
	struct traffic_end *end = to;

	(void)key;
	if (inet_pton(AF_INET, value, &end->vtep) == 1)
		return 0;
	end->vtep = 0;
	if (*value == '\0' || strlen(value) >= sizeof(end->port))
		return error_set(
			error, "'%s' is neither a port's name nor a VTEP such as 192.0.2.2", value);
	snprintf(end->port, sizeof(end->port), "%s", value);
	return 0;
}

/* The first `length` characters of the text. */
static int parse_bytes(const char *text, size_t length, uint16_t *bytes)
{
	char copy[16];
	uint64_t number = 0;
	int status;

	if (length >= sizeof(copy))
		return -1;
	snprintf(copy, sizeof(copy), "%.*s", (int)length, text);
	status = parse_number(copy, FRAME_BYTES_MIN, FRAME_BYTES_MAX, &number);
	*bytes = number;
	return status;
}

/* "64" or "64-1450" */
static int value_size(const struct key *key, const char *value, void *to, struct error *error)
{
	struct traffic_settings *settings = to;
	const char *dash = strchr(value, '-'), *most = dash == NULL ? value : dash + 1;

	(void)key;
	if (parse_bytes(value, strcspn(value, "-"), &settings->bytes_min) == 0 &&
		parse_bytes(most, strlen(most), &settings->bytes_max) == 0 &&
		settings->bytes_min <= settings->bytes_max)
		return 0;
	return error_set(error,
		"'%s' is no frame's size such as 64 or 64-1450 (bytes with FCS, %d to %d)", value,
		FRAME_BYTES_MIN, FRAME_BYTES_MAX);
}

static int value_jump(const struct key *key, const char *value, void *to, struct error *error)
{
	struct traffic_settings *settings = to;
	char *words[VALUE_WORDS_MAX], *copy;
	int n, status;

	(void)key;
	copy = split(value, words, &n);
	status = n != 2 || parse_seconds(words[0], &settings->jump_ns) != 0 ||
		 settings->jump_ns == 0 ||
		 parse_number(words[1], 1, RATE_MAX, &settings->jump_rate) != 0;
	free(copy);
	if (status == 0)
		return 0;
	return error_set(error,
		"'%s' is no time in seconds with a rate in packets/s (1 to %d): 0.5 2000000", value,
		RATE_MAX);
}

/* ---- sections ---- */

#define VIRTUAL(field) offsetof(struct virtual_settings, field)
static const struct key virtual_keys[] = {
	{"lcores", value_u16, VIRTUAL(lcores), 1, LCORES_MAX, 0},
	{"seconds", value_seconds, VIRTUAL(ns), 0, 0, 0},
	{"seed", value_u64, VIRTUAL(seed), 0, UINT64_MAX, 0},
	{"costs", value_text, VIRTUAL(costs), 0, VIRTUAL_FILE_SIZE, 0},
	{"steps", value_steps, VIRTUAL(measured), 0, 0, 0},
	{"order", value_order, VIRTUAL(order), 0, 0, 0},
	{"stop-reading", value_pause, 0, 0, 0, KEY_LIST},
	{0},
};
#undef VIRTUAL

#define TRAFFIC(field) offsetof(struct traffic_settings, field)
static const struct key traffic_keys[] = {
	{"network", value_text, TRAFFIC(network), 0, PORT_NAME_SIZE, KEY_REQUIRED},
	{"from", value_end, TRAFFIC(from), 0, 0, KEY_REQUIRED},
	{"to", value_end, TRAFFIC(to), 0, 0, KEY_REQUIRED},
	{"flows", value_u32, TRAFFIC(flows), 1, ARRIVALS_FLOWS_MAX, 0},
	{"rate", value_u64, TRAFFIC(rate), 1, RATE_MAX, 0},
	{"arrivals", value_arrivals, TRAFFIC(arrivals), 0, 0, 0},
	{"on", value_u32, TRAFFIC(on_us), 1, 10000000, 0},
	{"off", value_u32, TRAFFIC(off_us), 1, 10000000, 0},
	{"law", value_law, TRAFFIC(law), 0, 0, 0},
	{"exponent", value_exponent, TRAFFIC(exponent), 0, 0, 0},
	{"size", value_size, 0, 0, 0, 0},
	{"window", value_u32, TRAFFIC(window), 1, 65536, 0},
	{"round-trip", value_u32, TRAFFIC(round_trip_us), 1, 10000000, 0},
	{"jump", value_jump, 0, 0, 0, 0},
	{0},
};
#undef TRAFFIC

static const struct section_kind virtual_section, traffic_section;

const struct virtual_settings *virtual_settings(const struct config *config)
{
	return config_settings(config, &virtual_section, 0);
}

uint32_t traffic_count(const struct config *config)
{
	return config_count(config, &traffic_section);
}

const struct traffic_settings *traffic_settings(const struct config *config, uint32_t i)
{
	return config_settings(config, &traffic_section, i);
}

static void init_virtual(struct config *config)
{
	*(struct virtual_settings *)config_settings(config, &virtual_section, 0) =
		(struct virtual_settings){.lcores = 1, .ns = NS_PER_SECOND, .seed = 1};
}

static void read_virtual(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	keys_read(virtual_keys, section, config_settings(config, &virtual_section, 0), errors);
}

/* A key that only one kind of arrivals has. */
static void check_belongs(const struct ini_section *section, const char *key, bool wanted,
	const char *kind, struct error_list *errors)
{
	if (wanted && !keys_given(section, key))
		ini_wrong(
			errors, section, key, NULL, "is missing, and arrivals = %s needs it", kind);
	if (!wanted && keys_given(section, key))
		ini_wrong(errors, section, key, NULL, "is for arrivals = %s only", kind);
}

static void check_arrivals(const struct traffic_settings *settings,
	const struct ini_section *section, struct error_list *errors)
{
	bool on_off = settings->arrivals == ARRIVALS_ON_OFF;
	bool window = settings->arrivals == ARRIVALS_WINDOW;

	check_belongs(section, "on", on_off, "on-off", errors);
	check_belongs(section, "off", on_off, "on-off", errors);
	check_belongs(section, "window", window, "window", errors);
	check_belongs(section, "round-trip", window, "window", errors);
	if (keys_given(section, "rate"))
		return;
	if (!window)
		ini_wrong(errors, section, "rate", NULL,
			"is missing; only arrivals = window does without");
	else if (keys_given(section, "jump"))
		ini_wrong(errors, section, "jump", NULL, "needs a rate to jump from");
}

static void check_ends(const struct traffic_settings *settings, const struct ini_section *section,
	struct error_list *errors)
{
	bool from_port = settings->from.port[0] != '\0', to_port = settings->to.port[0] != '\0';

	if (!from_port && !to_port)
		ini_wrong(errors, section, "to", NULL, "from a VTEP, traffic goes to a port");
	if (from_port && to_port && strcmp(settings->from.port, settings->to.port) == 0)
		ini_wrong(errors, section, "to", NULL, "is the port that it comes from");
}

static void read_traffic(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	struct traffic_settings *settings = config_add(config, &traffic_section);

	*settings = (struct traffic_settings){.section = section,
		.flows = 1,
		.exponent = 110,
		.bytes_min = FRAME_BYTES_MIN,
		.bytes_max = FRAME_BYTES_MIN};
	snprintf(settings->name, sizeof(settings->name), "%s", section->name);
	if (keys_read(traffic_keys, section, settings, errors) != 0)
		return;
	check_arrivals(settings, section, errors);
	check_ends(settings, section, errors);
}

/* ---- names ---- */

static void check_end(const struct config *config, const struct network_config *network,
	const struct traffic_end *end, const struct ini_section *section, const char *key,
	struct error_list *errors)
{
	const struct container_config *container = config_container(config, end->port);
	const struct address vtep = address_of_ipv4(end->vtep);
	char address[ADDRESS_TEXT_SIZE];

	if (end->port[0] == '\0') {
		if (end->vtep != 0 && !network_lists_vtep(network, &vtep))
			ini_wrong(errors, section, key, NULL,
				"[network %s] does not list the VTEP %s", network->name,
				address_format(&vtep, address));
	} else if (container == NULL) {
		ini_wrong(errors, section, key, NULL, "no port is called '%s'", end->port);
	} else if (strcmp(container->network, network->name) != 0) {
		ini_wrong(errors, section, key, NULL, "port %s is in network %s, not in %s",
			end->port, container->network, network->name);
	}
}

static void check_traffic(const struct config *config, const struct traffic_settings *traffic,
	struct error_list *errors)
{
	const struct ini_section *section = traffic->section;
	const struct network_config *network = config_network(config, traffic->network);

	if (network == NULL) {
		if (traffic->network[0] != '\0')
			ini_wrong(errors, section, "network", NULL, "no network is called '%s'",
				traffic->network);
		return;
	}
	check_end(config, network, &traffic->from, section, "from", errors);
	check_end(config, network, &traffic->to, section, "to", errors);
}

static void check_pauses(const struct config *config, struct error_list *errors)
{
	const struct virtual_settings *settings = virtual_settings(config);
	const struct ini_section *section = ini_find(config->ini, "virtual", "");

	for (uint16_t i = 0; i < settings->n_pauses; i++)
		if (config_container(config, settings->pauses[i].port) == NULL)
			ini_wrong(errors, section, "stop-reading", settings->pauses[i].port,
				"no port is called '%s'", settings->pauses[i].port);
}

static void check_all_traffic(const struct config *config, struct error_list *errors)
{
	uint64_t flows = 0;

	for (uint32_t i = 0; i < traffic_count(config); i++) {
		const struct traffic_settings *traffic = traffic_settings(config, i);

		check_traffic(config, traffic, errors);
		/* Frames name their flow in 16 bits. */
		if (flows <= ARRIVALS_FLOWS_MAX && flows + traffic->flows > ARRIVALS_FLOWS_MAX)
			ini_wrong(errors, traffic->section, "flows", NULL,
				"all sections together have more than %d", ARRIVALS_FLOWS_MAX);
		flows += traffic->flows;
	}
}

/* ---- the rows ---- */

static const struct section_kind virtual_section = {.name = "virtual",
	.size = sizeof(struct virtual_settings),
	.init = init_virtual,
	.read = read_virtual,
	.check = check_pauses};

static const struct section_kind traffic_section = {.name = "traffic",
	.names = "NAME",
	.size = sizeof(struct traffic_settings),
	.read = read_traffic,
	.check = check_all_traffic};

const struct section_kind *const virtual_sections[] = {&virtual_section, &traffic_section, NULL};
