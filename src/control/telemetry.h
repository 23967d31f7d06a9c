/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_TELEMETRY_H
#define WEFT_TELEMETRY_H

/* Registers /weft/... with DPDK's telemetry (docs/commands.md has the list). Once, before
 * requests_open(). */
void telemetry_register(void);

#endif
