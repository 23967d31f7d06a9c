/* SPDX-License-Identifier: BSD-3-Clause */
#include "fit.h"

#include <math.h>

#include <rte_common.h>

const uint16_t fit_bursts[FIT_POINTS] = {1, 4, 8, 16, 32};

/* With weights 1 / n the sums are simple: of w * n it is the number of points. */
struct sums {
	double w, n; /* of w, and of w * n * n */
	double y, ny;
};

static struct sums sums_of(const double costs[FIT_POINTS])
{
	struct sums sums = {0};

	for (int i = 0; i < FIT_POINTS; i++) {
		sums.w += 1.0 / fit_bursts[i];
		sums.n += fit_bursts[i];
		sums.y += costs[i] / fit_bursts[i];
		sums.ny += costs[i];
	}
	return sums;
}

static double error_of(const struct fit *fit, double packet, const double costs[FIT_POINTS])
{
	double error = 0;

	for (int i = 0; i < FIT_POINTS; i++) {
		double fitted = fit->burst + packet * fit_bursts[i];

		if (costs[i] > 0)
			error = RTE_MAX(error, fabs(fitted - costs[i]) / costs[i]);
	}
	return error;
}

struct fit fit_series(const double costs[][FIT_POINTS], unsigned int n_series)
{
	struct fit fit = {0};
	double rest = 0, weight = 0;

	for (unsigned int i = 0; i < n_series; i++) {
		struct sums sums = sums_of(costs[i]);

		rest += sums.y - sums.ny * FIT_POINTS / sums.n;
		weight += sums.w - FIT_POINTS * FIT_POINTS / sums.n;
	}
	fit.burst = RTE_MAX(rest / weight, 0);
	for (unsigned int i = 0; i < n_series; i++) {
		struct sums sums = sums_of(costs[i]);

		fit.packet[i] = RTE_MAX((sums.ny - fit.burst * FIT_POINTS) / sums.n, 0);
		fit.error = RTE_MAX(fit.error, error_of(&fit, fit.packet[i], costs[i]));
	}
	return fit;
}
