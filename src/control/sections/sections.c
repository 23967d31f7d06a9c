/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/sections/sections.h"

#include <stddef.h>

const struct section_kind *const control_sections[] = {
	&weft_section,
	&uplink_section,
	&network_section,
	&port_section,
	&steering_section,
	&micro_flows_section,
	&mode_section,
	&pipeline_section,
	&fdb_section,
	NULL,
};
