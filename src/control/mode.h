/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_CONTROL_MODE_H
#define WEFT_CONTROL_MODE_H

#include "control/ini.h"
#include "steer/plan.h"

/* Reads the keys of a section [mode NAME] into the row of *mode, whose name is set. Every stage
 * that is not named goes on inline; docs/configuration.md describes the words. What is wrong is
 * added to *errors. */
void mode_read(struct mode *mode, const struct ini_section *section, struct error_list *errors);

/* A way on in the configuration's words: "flow+stage", "with gro". */
#define MODE_WAY_SIZE 32
void mode_way(const struct transition *transition, char text[MODE_WAY_SIZE]);

#endif
