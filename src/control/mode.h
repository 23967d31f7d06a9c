/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_CONTROL_MODE_H
#define WEFT_CONTROL_MODE_H

#include "base/error.h"
#include "steer/plan.h"

/*
 * Modes in the configuration's words. A section [mode NAME] is a row of the user's own: every stage
 * that it does not name goes on inline; docs/configuration.md describes the words.
 */

struct config;

/* A mode of weft's or of the file's own, by its name. NULL and *error, which lists what there is.
 */
const struct mode *config_mode(const struct config *config, const char *name, struct error *error);

/* The one that [weft] or --mode names. If neither does: `auto`, or `vanilla` where [pipeline]
 * places stages, as in `auto` none has a place. NULL if there is none of that name; and *error, as
 * above. */
const struct mode *config_first_mode(const struct config *config);
const struct mode *config_find_first_mode(const struct config *config, struct error *error);

/* Its first and last column: who receives, and who delivers. */
const char *mode_receive(const struct mode *mode);
const char *mode_deliver(const struct mode *mode);

/* A way on in the configuration's words: "flow+stage", "with gro". */
#define MODE_WAY_SIZE 32
void mode_way(const struct transition *transition, char text[MODE_WAY_SIZE]);

#endif
