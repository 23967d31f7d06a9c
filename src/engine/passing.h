/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_PASSING_H
#define WEFT_PASSING_H

#include "engine/lcore.h"

/*
 * What an lcore passes on to others in a round: the right, the number, a reservation that is
 * complete. At once; but where a driver holds it (src/virtual), when the driver says so, which is
 * after the round that it was passed on in. For the lcore loop.
 */
static inline void pass(struct lcore *lcore, struct passing passing)
{
	struct handover *handover = &lcore->handover;

	if (likely(!handover->holds))
		return passing_do(&passing);
	assert(handover->n_passed < PASSED_MAX);
	handover->passed[handover->n_passed++] = passing;
}

static inline void pass_right(struct lcore *lcore, struct turn *turn)
{
	pass(lcore, (struct passing){.kind = PASSING_RIGHT, .turn = turn});
}

static inline void pass_number(struct lcore *lcore, struct turn *turn)
{
	pass(lcore, (struct passing){.kind = PASSING_NUMBER, .turn = turn});
}

static inline void pass_reservation(
	struct lcore *lcore, struct port *port, struct reservation *reservation)
{
	pass(lcore, (struct passing){
			    .kind = PASSING_RESERVATION, .port = port, .reservation = reservation});
}

/* The rest of the round is for the next one. Others must see first what was passed on; and what is
 * taken in a round is taken from its begin on, as others see it, so nothing else may come before.
 */
static inline bool passing_ends_round(const struct lcore *lcore)
{
	return unlikely(lcore->handover.holds);
}

#endif
