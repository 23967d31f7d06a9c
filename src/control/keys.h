/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_KEYS_H
#define WEFT_KEYS_H

#include "control/ini.h"
#include "control/value.h"

/*
 * Reads a section's keys, as the rows of `keys` (the last one's name is NULL) say, into the
 * structure `to`. All that is wrong (unknown, repeated and missing keys, bad values) is added to
 * *errors; then -1. A key that is wrong leaves its field as it was.
 */
int keys_read(const struct key *keys, const struct ini_section *section, void *to,
	struct error_list *errors);

/* For sections whose keys are not known beforehand: 0 if none is given twice. */
int keys_check_repeated(const struct ini_section *section, struct error_list *errors);

/* Whether the section has the key. */
bool keys_given(const struct ini_section *section, const char *key);

#endif
