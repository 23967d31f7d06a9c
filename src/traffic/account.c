/* SPDX-License-Identifier: BSD-3-Clause */
#include "traffic/account.h"

#include <inttypes.h>
#include <stdio.h>

bool account_check(const struct account *account, char *text, size_t size)
{
	int64_t inside = account->received + account->created - account->delivered -
			 account->dropped - account->consumed - account->coalesced;

	if (inside != 0)
		snprintf(text, size, "%" PRId64 " packets are neither out nor counted", inside);
	else if (account->received != account->given || account->delivered != account->taken)
		snprintf(text, size,
			"weft counts %" PRIu64 " received and %" PRIu64
			" delivered, those outside %" PRIu64 " and %" PRIu64,
			account->received, account->delivered, account->given, account->taken);
	else if (account->mbufs != account->mbufs_free)
		snprintf(text, size, "%" PRId64 " mbufs are missing",
			(int64_t)(account->mbufs - account->mbufs_free));
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
