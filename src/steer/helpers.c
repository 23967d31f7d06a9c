/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer/helpers.h"

#include <rte_common.h>

#include "steer/load.h"

#define PLENTY 750		 /* of the time that the others have: then one can be let go, */
#define MAYBE 1050		 /* or perhaps */
#define REST 4			 /* windows: loads are smoothed over as many */
#define PATIENCE 64		 /* windows, at first, */
#define HASTE 8			 /* times as fast, where batches are small */
#define PATIENCE_MAX (16 * 1024) /* and at most: four seconds */
#define PROOF PATIENCE_MAX	 /* windows in which a try may show to be wrong */

void helpers_init(struct helpers *helpers)
{
	*helpers = (struct helpers){.patience = PATIENCE};
}

static void change(struct helpers *helpers, int by)
{
	helpers->n += by;
	helpers->rest = REST;
	helpers->waited = 0;
}

static void call(struct helpers *helpers)
{
	if (helpers->tried > 0)
		helpers->patience = RTE_MIN(2 * helpers->patience, PATIENCE_MAX);
	helpers->tried = 0;
	change(helpers, 1);
}

static void let_go(struct helpers *helpers)
{
	helpers->tried = PROOF;
	change(helpers, -1);
}

/* A try that has proved right: what it was careful about is over. */
static void count_proof(struct helpers *helpers)
{
	if (helpers->tried > 0 && --helpers->tried == 0)
		helpers->patience = PATIENCE;
}

/* The time that all queues take, in permille of one lcore's. */
static uint32_t total(const struct helpers_view *view)
{
	return view->load * LOAD_FULL / RTE_MAX(view->share, 1u);
}

static bool may_let_go(struct helpers *helpers, const struct helpers_view *view)
{
	uint32_t time = total(view);

	if (time < PLENTY * helpers->n)
		return true;
	if (time >= MAYBE * helpers->n && !view->is_small)
		return false;
	helpers->waited += view->is_small ? HASTE : 1;
	return helpers->waited >= helpers->patience;
}

/* Who always finds a few packets is always at work, and could do with more of them. */
static bool wants_help(const struct helpers_view *view)
{
	return view->is_behind || (view->load >= HELPERS_NO_TIME && !view->is_small);
}

bool helpers_review(struct helpers *helpers, const struct helpers_view *view, uint16_t most)
{
	uint16_t before = helpers->n;

	count_proof(helpers);
	if (helpers->rest > 0)
		helpers->rest--;
	else if (wants_help(view) && helpers->n < most)
		call(helpers);
	else if (!wants_help(view) && helpers->n > 0 && may_let_go(helpers, view))
		let_go(helpers);
	return helpers->n != before;
}
