/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer/split.h"

#include <assert.h>
#include <string.h>

#include "base/counter.h"

void split_begin(struct split *split, const struct merge *merge)
{
	assert(merge->batch > 0 && merge->n_branches > 0);
	number_set32(&split->micro_flow, 0);
	split->left = split->batch = merge->batch;
	split->branch = 0;
	split->merge = merge;
	memset(split->sent, 0, sizeof(split->sent));
}

static uint32_t backlog(const struct split *split, uint16_t branch)
{
	uint32_t n = split->sent[branch] -
		     __atomic_load_n(&split->merge->arrived[branch], __ATOMIC_RELAXED);

	assert(n <= INT32_MAX); /* no more comes to the merge than was sent */
	return n;
}

static uint16_t choose(const struct split *split)
{
	uint16_t n = split->merge->n_branches;
	uint16_t best = (split->branch + 1) % n;
	uint32_t least = backlog(split, best);

	for (uint16_t i = 2; i <= n && least > 0; i++) {
		uint16_t branch = (split->branch + i) % n;
		uint32_t more = backlog(split, branch);

		if (more < least) {
			least = more;
			best = branch;
		}
	}
	return best;
}

void split_advance(struct split *split)
{
	assert(split->left == 0); /* the merge counts on full ones */
	number_set32(&split->micro_flow, (split->micro_flow + 1) & MICRO_FLOW_MASK);
	split->left = split->batch;
	split->branch = choose(split);
}
