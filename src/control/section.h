/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SECTION_H
#define WEFT_SECTION_H

#include <stddef.h>
#include <stdint.h>

/*
 * A kind of section of the configuration, as a constant row in the file that owns it. A module
 * lists its rows, and config_register() takes the list; control/config.c knows none of them.
 *
 * Where the settings are: a kind with a `size` has them in the configuration as memory that only
 * its owner knows the type of, and gives out through an accessor in its own header
 * (config_settings()). Those of weft's own sections, which the whole control side reads, are
 * fields of struct config. Hooks may be NULL, except `read`. Main lcore only.
 */

struct config;
struct error_list;
struct ini_section;
struct workers;

struct section_kind {
	const char *name;
	const char *names; /* what stands behind it, for errors: "NAME"; NULL: it has no name */
	uint32_t most;	   /* sections that are read; those behind are passed over. 0: all */
	size_t size;	   /* of one section's settings; a kind without names has one of them */
	/* At registration: what holds where the file says nothing. Settings are zeroes before. */
	void (*init)(struct config *config);
	/* One section of the file. A kind with names gets settings for it by config_add(). */
	void (*read)(struct config *config, const struct ini_section *section,
		struct error_list *errors);
	/* When the whole file has been read: do its names name something? Is anything twice? */
	void (*check)(const struct config *config, struct error_list *errors);
	/* When the workers are known: are those that it names among them? */
	void (*check_lcores)(const struct config *config, const struct workers *workers,
		struct error_list *errors);
	/* What the settings point to; not the settings of `size`. */
	void (*free)(struct config *config);
};

#endif
