/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_COUNTERS_H
#define WEFT_COUNTERS_H

#include <stdint.h>

#include "base/counter.h"
#include "stages/stage.h"

struct stage_counters {
	uint64_t bursts;
	uint64_t packets;
	uint64_t cycles; /* with moving its packets on; rx, veth_rx: with the receive bursts */
};

/* Where an lcore's cycles go; together they are all of its time. */
struct time_counters {
	uint64_t idle;		 /* rounds that found nothing */
	uint64_t working;	 /* rounds that moved packets */
	uint64_t back_pressured; /* rounds that moved nothing because credits were out */
	uint64_t housekeeping;	 /* notices, a look at loads and paths */
};

struct lcore_counters {
	struct time_counters time;
	struct stage_counters stages[STEP_COUNT];
	uint64_t drops[STEP_COUNT][STAGE_DROPS_MAX];
	uint64_t statistics[STAGE_COUNT][STAGE_STATISTICS_MAX];
	uint64_t admitted; /* packets that entered here: received or created */
	uint64_t created;  /* of these, replicas made by weft */
	uint64_t consumed;
	uint64_t delivered;
	uint64_t coalesced; /* packets that left as parts of larger ones */
	uint64_t steered;   /* packets sent along a path */
	uint64_t notices_lost;
};

#endif
