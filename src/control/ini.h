/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_INI_H
#define WEFT_INI_H

#include <rte_cfgfile.h>

#include "control/value.h"
#include "core/error.h"

/*
 * INI files as weft takes them: what cannot be understood, is given twice or was cut is an error,
 * never passed over. Errors do not yet name the file.
 */

/* One section; its errors name it. */
typedef int (*ini_section_reader)(void *to, const char *section,
	const struct rte_cfgfile_entry *entries, int n, struct error *error);

/* Calls `read` for each section, in the order of the file. 0, or -1 and *error. */
int ini_read(const char *file, ini_section_reader read, void *to, struct error *error);

/* The section's keys, as the rows of `keys` (the last one's name is NULL) say, into `to`. */
int ini_read_keys(const struct key *keys, const struct rte_cfgfile_entry *entries, int n, void *to,
	struct error *error);

/* For sections whose keys are not known beforehand. */
int ini_check_repeated(const struct key *keys, const struct rte_cfgfile_entry *entries, int n,
	struct error *error);

#endif
