/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_STAGE_H
#define WEFT_STAGE_H

#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "base/counter.h"
#include "stages/notice.h"
#include "stages/packet.h"
#include "stages/tables.h"

/*
 * A stage takes a burst of mbufs and writes a verdict for each: by which of its exits the packet
 * leaves, or why it is dropped. It moves and frees nothing, and knows nothing of lcores, rings,
 * modes, order, or other stages: where an exit leads is said in steer/graph.c.
 *
 * After the stages come steps that are no stages: `deliver` hands packets to container ports and
 * `send` to uplinks, each on the lcore that owns the port's queue, or in turn. No packet waits for
 * the other two: `merge` puts micro-flows in order before the stage that the plan says, and `copy`
 * is what lcores that take turns do side by side, to and from the rings of ports.
 */
enum step {
#define STAGE(name, NAME) STAGE_##NAME,
#include "stages/table.h"
#undef STAGE
	STAGE_COUNT,
	STEP_DELIVER = STAGE_COUNT,
	STEP_SEND,
	STEP_MERGE,
	STEP_COPY,
	STEP_COUNT,
};

#define STAGE_BURST_MAX 64
static_assert(STAGE_BURST_MAX <= UINT8_MAX, "packet.followers counts those of a burst");
#define STAGE_EXITS_MAX 8
#define STAGE_DROPS_MAX 32
#define STAGE_STATISTICS_MAX 8

/* A verdict is the number of an exit, or one of these. */
#define EXIT_MAIN 0		/* the one on the way of most packets */
#define VERDICT_FLOOD 0x100	/* to everybody in the packet's network but its source */
#define VERDICT_CONSUMED 0x101	/* it was for weft itself; nothing more to do */
#define VERDICT_COALESCED 0x102 /* it hangs behind an earlier packet of the burst */
#define VERDICT_KEPT 0x103	/* the stage has it, and gives it back later: see poll */
#define VERDICT_DROP 0x200	/* + the number of one of the stage's drops */
#define VERDICT_NONE UINT16_MAX /* within a stage: nothing is wrong so far; never returned */

/* What a stage may know and write; one per lcore, set by the engine. */
struct stage_context {
	const struct tables *tables; /* this round's snapshot */
	uint64_t cycles;	     /* the lcore's clock when the round began, */
	uint64_t hz;		     /* and its cycles a second */
	uint32_t seconds;	     /* coarse time, for what is to be learned again */
	struct notice_list notices;  /* what the control side should hear */
	void *state;		     /* of this stage on this lcore; NULL: the row asks for none */
	uint64_t *statistics;	     /* the same: what stage_count() counts */
};

/* n is at most STAGE_BURST_MAX. A stage may change packets (headers, lengths, metadata). */
typedef void (*stage_process_t)(
	struct stage_context *context, struct rte_mbuf **mbufs, uint16_t n, uint16_t *verdicts);

/* Gives back packets that the stage has kept on this lcore: fills mbufs, and a verdict for each,
 * and returns how many, at most STAGE_BURST_MAX. Called in each round until it has none, returns 0,
 * or gives back nothing but what it keeps again. */
typedef uint16_t (*stage_poll_t)(
	struct stage_context *context, struct rte_mbuf **mbufs, uint16_t *verdicts);

/* As users see it; no other drop of any stage has the name. */
struct stage_drop {
	const char *name;
	const char *text;
};

/*
 * A stage, whole: src/stages/NAME.c defines NAME_stage. Exits, statistics and drops are numbered by
 * enums of its own.
 */
struct stage {
	const char *name;
	stage_process_t process; /* NULL for the steps after the stages */
	stage_poll_t poll;	 /* NULL: it keeps nothing */
	size_t state_size;	 /* bytes for each lcore, zero at first; 0: none */
	const char *exits[STAGE_EXITS_MAX];
	const char *statistics[STAGE_STATISTICS_MAX]; /* what it counts besides packets */
	struct stage_drop drops[STAGE_DROPS_MAX];
};

#define STAGE(name, NAME) extern const struct stage name##_stage;
#include "stages/table.h"
#undef STAGE

extern const struct stage *const stage_table[STEP_COUNT];

/* Index of a stage or step by its name, or -1. */
int stage_find(const char *name);

/* Number of a stage's exit by its name, or -1. */
int stage_find_exit(const struct stage *stage, const char *name);

/* Adds to one of the running stage's statistics. */
static inline void stage_count(struct stage_context *context, unsigned int statistic, uint64_t n)
{
	counter_add(&context->statistics[statistic], n);
}

/*
 * The drops of all steps, in the order of the table: each has a slot, and not all slots have one.
 */
#define DROP_SLOTS (STEP_COUNT * STAGE_DROPS_MAX)

static inline unsigned int drop_slot(unsigned int step, unsigned int number)
{
	return step * STAGE_DROPS_MAX + number;
}

static inline unsigned int drop_step(unsigned int slot)
{
	return slot / STAGE_DROPS_MAX;
}

static inline unsigned int drop_number(unsigned int slot)
{
	return slot % STAGE_DROPS_MAX;
}

/* The drop of a slot; NULL if it has none. */
const struct stage_drop *drop_at(unsigned int slot);

/* Slot of a drop by its name, or -1. */
int drop_find(const char *name);

#endif
