/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_LIMITS_H
#define WEFT_LIMITS_H

/* How many there may be of each in one weft: so many have room in tables and in indices. */
#define LCORES_MAX 64
#define UPLINKS_MAX 16
#define PORTS_MAX 2048 /* with uplinks */
#define NETWORKS_MAX 4096
#define VTEPS_MAX 8192
#define REMOTES_MAX VTEPS_MAX /* VTEPs of all networks: each may be in one alone */

#endif
