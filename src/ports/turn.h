/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_TURN_H
#define WEFT_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

/*
 * Lcores that take turns at a queue they all receive from.
 *
 * One at a time has the right to poll it, taken by a try: who does not get it does something else.
 * It receives a batch and draws a ticket, numbered in the order of the polls, and passes the right
 * on. What it then does with the batch it does beside the others. What comes of the batch is handed
 * over in the order of the tickets: when its number is up. So all that came through the queue
 * leaves in the order in which it came, and nobody ever waits for another.
 *
 * Whoever has the number passes it on when all of the batch has been handed over. A batch of which
 * nothing is left has its number, too.
 */
struct turn {
	uint32_t taken;			 /* the right: 1 while some lcore has it */
	uint32_t next;			 /* ticket; who has the right: rw */
	uint32_t up __rte_cache_aligned; /* the number: of the batch to be handed over */
};

/* Takes the right, or returns false. Who polls in vain writes nothing. */
static inline bool turn_take(struct turn *turn)
{
	return __atomic_load_n(&turn->taken, __ATOMIC_RELAXED) == 0 &&
	       __atomic_exchange_n(&turn->taken, 1, __ATOMIC_ACQUIRE) == 0;
}

/* The ticket of what was received. By who has the right. */
static inline uint32_t turn_draw(struct turn *turn)
{
	uint32_t ticket = turn->next;

	__atomic_store_n(&turn->next, ticket + 1, __ATOMIC_RELAXED);
	return ticket;
}

static inline void turn_pass_on(struct turn *turn)
{
	__atomic_store_n(&turn->taken, 0, __ATOMIC_RELEASE);
}

static inline bool turn_is_up(const struct turn *turn, uint32_t ticket)
{
	return __atomic_load_n(&turn->up, __ATOMIC_ACQUIRE) == ticket;
}

/* By who has the number. */
static inline void turn_pass_number(struct turn *turn)
{
	__atomic_store_n(&turn->up, turn->up + 1, __ATOMIC_RELEASE);
}

/* All batches have been handed over. When nobody can take the right any more: any thread. */
static inline bool turn_is_at_rest(const struct turn *turn)
{
	return __atomic_load_n(&turn->taken, __ATOMIC_ACQUIRE) == 0 &&
	       turn_is_up(turn, __atomic_load_n(&turn->next, __ATOMIC_RELAXED));
}

#endif
