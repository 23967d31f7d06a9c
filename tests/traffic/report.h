/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TRAFFIC_REPORT_H
#define TRAFFIC_REPORT_H

#include <stdbool.h>

#include "traffic.h"

/* One line of rates between two snapshots. */
void report_rates(
	const struct traffic *traffic, const struct snapshot *from, const struct snapshot *to);

/* The table at the end. Returns true if nothing was reordered, duplicated or corrupted or came out
 * at a wrong place, and something came. */
bool report_result(const struct traffic *traffic);

/* The same as one JSON object; -1 if the file cannot be written, which it has said. */
int report_json(const struct traffic *traffic, const char *path);

#endif
