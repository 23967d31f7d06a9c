/* SPDX-License-Identifier: BSD-3-Clause */
#include "prices.h"

#include <string.h>

#include "calibrate.h"
#include "fixture.h"

#define PRICES 9 /* measurements that a price is the median of */

static struct {
	unsigned int n; /* measured so far */
	struct price last[PRICES];
} prices[DISTANCE_CLASSES];

void prices_init(void)
{
	lines_init();
}

void prices_measure(void)
{
	enum distance_class class = rounds_look();

	lines_round(0, false);
	if (class != UNKNOWN && class == rounds_look())
		prices[class].last[prices[class].n++ % PRICES] = lines_price(0);
}

/* Of each of its members. */
static struct price median_price(enum distance_class class)
{
	unsigned int n = RTE_MIN(prices[class].n, (unsigned int)PRICES);
	int32_t members[sizeof(struct price) / sizeof(int32_t)];
	double values[PRICES];
	struct price price;

	for (unsigned int member = 0; member < RTE_DIM(members); member++) {
		for (unsigned int i = 0; i < n; i++)
			values[i] = ((const int32_t *)&prices[class].last[i])[member];
		members[member] = fixture_median(values, n);
	}
	memcpy(&price, members, sizeof(price));
	return price;
}

struct price prices_now(enum distance_class *class)
{
	*class = rounds_look();
	while (*class == UNKNOWN || prices[*class].n == 0) {
		prices_measure();
		*class = rounds_look();
	}
	return median_price(*class);
}
