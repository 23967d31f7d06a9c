/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SECTION_FDB_H
#define WEFT_SECTION_FDB_H

#include "base/error.h"

struct config;
struct fdb_config;

/* "02:00:00:00:00:07", "192.0.2.3" or "port web" -> *entry. */
int config_read_fdb(const char *network, const char *mac, const char *to, struct fdb_config *entry,
	struct error *error);

/* One static entry more, of zeroes, for the caller to fill in; it stands until the next is added.
 */
struct fdb_config *config_add_fdb(struct config *config);

#endif
