/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_STAGE_H
#define WEFT_STAGE_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "stages/notice.h"
#include "stages/packet.h"
#include "stages/tables.h"

/*
 * A stage takes a burst of mbufs and writes a verdict for each: the next stage, or a named drop.
 * It moves and frees nothing, and knows nothing of lcores, rings, modes or order.
 *
 * After the stages come steps that are no stages: `deliver` hands packets to container ports and
 * `send` to uplinks, each on the lcore that owns the port's queue; and `merge`, which no packet
 * waits for, puts micro-flows in order before the stage that the plan says.
 */
enum stage {
#define STAGE(name, NAME) STAGE_##NAME,
#include "stages/table.h"
#undef STAGE
	STAGE_COUNT,
	STAGE_DELIVER = STAGE_COUNT,
	STAGE_SEND,
	STAGE_MERGE,
	STEP_COUNT,
};

enum drop {
#define DROP(stage, NAME, name, text) DROP_##NAME,
#include "stages/drops.h"
#undef DROP
	DROP_COUNT,
};

/* A verdict is an enum stage (up to STAGE_SEND), or one of these. */
#define VERDICT_FLOOD 0x100	/* to everybody in the packet's network but its source */
#define VERDICT_CONSUMED 0x101	/* it was for weft itself; nothing more to do */
#define VERDICT_COALESCED 0x102 /* it hangs behind an earlier packet of the burst */
#define VERDICT_DROP 0x200	/* + enum drop */

#define STAGE_BURST_MAX 64

/* What a stage may know; one per lcore, set by the lcore loop before each turn. */
struct stage_context {
	const struct tables *tables; /* this turn's snapshot */
	uint32_t seconds;	     /* coarse time, for what is to be learned again */
	struct notice_list notices;  /* what the control side should hear */
};

/* n is at most STAGE_BURST_MAX. A stage may change packets (headers, lengths, metadata). */
typedef void (*stage_process_t)(
	struct stage_context *context, struct rte_mbuf **mbufs, uint16_t n, uint16_t *verdicts);

#define STAGE(name, NAME)                                                                          \
	void name##_process(struct stage_context *context, struct rte_mbuf **mbufs, uint16_t n,    \
		uint16_t *verdicts);
#include "stages/table.h"
#undef STAGE

struct stage_entry {
	const char *name;
	stage_process_t process; /* NULL for the steps after the stages */
};

extern const struct stage_entry stage_table[STEP_COUNT];

struct drop_entry {
	enum stage stage;
	const char *name;
	const char *text;
};

extern const struct drop_entry drop_table[DROP_COUNT];

/* Index of a stage by its name, or -1. */
int stage_find(const char *name);

#endif
