/* SPDX-License-Identifier: BSD-3-Clause */
#include "stages/steps.h"

const struct stage deliver_step = {
	.name = "deliver",
	.drops = {[DELIVER_GONE] = {"deliver_gone",
			  "container port was removed while the packet crossed to its owner"},
		[DELIVER_DOWN] = {"port_down", "no container is attached to the port"},
		[DELIVER_FULL] = {"port_full", "container does not take its packets fast enough"},
		[DELIVER_TOO_BIG] = {"port_too_big",
			"packet is in more pieces than the container's device takes"}},
};

const struct stage send_step = {
	.name = "send",
	.drops = {[SEND_DOWN] = {"uplink_down", "uplink has no link"},
		[SEND_FULL] = {"uplink_full", "uplink does not take packets fast enough"},
		[SEND_TOO_BIG] = {"uplink_too_big",
			"packet is larger than the uplink's interface takes now"}},
};

const struct stage merge_step = {.name = "merge"};

const struct stage copy_step = {
	.name = "copy",
	.drops =
		{[COPY_UNFIT] = {"copy_unfit",
			 "container's buffer is smaller than those before it, or of another form"}},
};
