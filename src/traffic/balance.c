/* SPDX-License-Identifier: BSD-3-Clause */
#include "traffic/balance.h"

#include <inttypes.h>
#include <stdio.h>

bool balance_check(const struct balance *balance, char *text, size_t size)
{
	int64_t inside = balance->received + balance->created - balance->delivered -
			 balance->dropped - balance->consumed - balance->coalesced;

	if (inside != 0)
		snprintf(text, size, "%" PRId64 " packets are neither out nor counted", inside);
	else if (balance->received != balance->given || balance->delivered != balance->taken)
		snprintf(text, size,
			"weft counts %" PRIu64 " received and %" PRIu64
			" delivered, those outside %" PRIu64 " and %" PRIu64,
			balance->received, balance->delivered, balance->given, balance->taken);
	else if (balance->mbufs != balance->mbufs_free)
		snprintf(text, size, "%" PRId64 " mbufs are missing",
			(int64_t)(balance->mbufs - balance->mbufs_free));
	else
		return true;
	return false;
}

bool progress_check(struct progress *progress, uint64_t in_flight, uint64_t finished, uint64_t now,
	uint64_t bound)
{
	bool begins = progress->since == 0;

	if (!begins && in_flight > 0 && finished == progress->finished)
		return now - progress->since <= bound;
	progress->finished = finished;
	progress->since = now;
	return true;
}
