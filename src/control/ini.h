/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_INI_H
#define WEFT_INI_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/error.h"

/*
 * The form of INI files: "[kind]" or "[kind name]", "key = value", and comments, which begin with
 * '#' or ';' at a line's beginning or behind white space. What cannot be understood or is given
 * twice is an error, never passed over. What sections and keys mean is not known here.
 */

struct ini_entry {
	const char *key;
	const char *value; /* "" if there is nothing behind the '=' */
	unsigned int line;
};

struct ini_section {
	const char *kind;
	const char *name;  /* "" if it has none */
	unsigned int line; /* 0: it is in no file */
	bool repeated; /* an earlier one is just so; this one is an error, and to be passed over */
	unsigned int n;
	struct ini_entry *entries; /* in the order of the file; keys may come again */
};

struct ini {
	char *text; /* what all strings point into */
	unsigned int n;
	struct ini_section *sections; /* in the order of the file */
};

/* Reads errors->file and adds what is wrong with its form. NULL if it cannot be read at all, which
 * is an error as well. ini_free() takes NULL, too. */
struct ini *ini_read(struct error_list *errors);
void ini_free(struct ini *ini);

/* NULL if there is none. */
const struct ini_section *ini_find(const struct ini *ini, const char *kind, const char *name);

/* Adds "[kind name]: KEY: TEXT" for the entry's line. Returns -1. */
int ini_wrong_entry(struct error_list *errors, const struct ini_section *section,
	const struct ini_entry *entry, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * The same where no entry is at hand: for the section's last line with that key and, if `value` is
 * not NULL, with this as one of its value's words; for the section's own line if no key is so.
 * `key` NULL: for the section, and "[kind name]: TEXT". Returns -1.
 */
int ini_wrong(struct error_list *errors, const struct ini_section *section, const char *key,
	const char *value, const char *format, ...) __attribute__((format(printf, 5, 6)));
void ini_wrong_v(struct error_list *errors, const struct ini_section *section, const char *key,
	const char *value, const char *format, va_list arguments)
	__attribute__((format(printf, 5, 0)));

#endif
