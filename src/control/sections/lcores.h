/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SECTION_LCORES_H
#define WEFT_SECTION_LCORES_H

#include <stdint.h>

#include "control/value.h"

/* What the sections that name lcores share. */

struct config;
struct error_list;
struct lcore_list;
struct workers;

/* EAL's ids into a struct lcore_list; distinct: none twice. */
int value_lcores(const struct key *key, const char *value, void *to, struct error *error);
int value_distinct_lcores(const struct key *key, const char *value, void *to, struct error *error);

/* Whether a worker has the id, or each of the list under the key `lcores`. CONFIG_NONE is right. */
void lcores_check(const struct config *config, const char *kind, const char *name, const char *key,
	uint32_t id, const struct workers *workers, struct error_list *errors);
void lcores_check_list(const struct config *config, const char *kind, const char *name,
	const struct lcore_list *lcores, const struct workers *workers, struct error_list *errors);

#endif
