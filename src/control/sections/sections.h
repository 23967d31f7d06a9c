/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SECTIONS_H
#define WEFT_SECTIONS_H

#include "control/section.h"

/* The sections that weft itself has, for config_register(). */
extern const struct section_kind *const control_sections[];

extern const struct section_kind weft_section;
extern const struct section_kind uplink_section;
extern const struct section_kind network_section;
extern const struct section_kind port_section;
extern const struct section_kind steering_section;
extern const struct section_kind micro_flows_section;
extern const struct section_kind mode_section; /* control/mode.c */
extern const struct section_kind pipeline_section;
extern const struct section_kind fdb_section;

#endif
