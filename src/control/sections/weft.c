/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/sections/sections.h"

#include <stddef.h>
#include <string.h>

#include "control/config.h"
#include "control/keys.h"

static int read_idle(const struct key *key, const char *value, void *to, struct error *error)
{
	bool *sleeps = to;

	(void)key;
	if (strcmp(value, "sleep") != 0 && strcmp(value, "poll") != 0)
		return error_set(error, "'%s' is neither sleep nor poll", value);
	*sleeps = strcmp(value, "sleep") == 0;
	return 0;
}

static const struct key weft_keys[] = {
	{"mode", value_text, offsetof(struct weft_config, mode), 0, MODE_NAME_SIZE, 0},
	{"mbufs", value_u32, offsetof(struct weft_config, mbufs), 1024, 1 << 24, 0},
	{"mbuf-size", value_u32, offsetof(struct weft_config, mbuf_size), 512, 16384, 0},
	{"credits", value_u32, offsetof(struct weft_config, credits), 64, 65536, 0},
	{"fdb-size", value_u32, offsetof(struct weft_config, fdb_size), 1024, 1 << 24, 0},
	{"idle", read_idle, offsetof(struct weft_config, sleeps), 0, 0, 0},
	{"gro", value_bool, offsetof(struct weft_config, gro), 0, 0, 0},
	{0},
};

static void init_weft(struct config *config)
{
	config->weft = (struct weft_config){.mbufs = 65536,
		.mbuf_size = 2176,
		.credits = 1024,
		.fdb_size = 65536,
		.sleeps = true,
		.gro = true};
}

static void read_weft(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	keys_read(weft_keys, section, &config->weft, errors);
}

const struct section_kind weft_section = {.name = "weft", .init = init_weft, .read = read_weft};
