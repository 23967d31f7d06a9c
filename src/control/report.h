/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_REPORT_H
#define WEFT_REPORT_H

#include <stdbool.h>

#include "control/control.h"

/* What weft prints: testpmd-style port statistics, and the account at the end. Main lcore. */

/* Statistics of all ports: totals, and rates since the last call. */
void report_ports(const struct control *control);

/* Drops by name, and whether everything that came in is accounted for. */
bool report_conservation(const struct control *control);

/* Whether all mbufs are back, once the ports are detached. */
bool report_mbufs(const struct control *control);

#endif
