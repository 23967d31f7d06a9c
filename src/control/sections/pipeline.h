/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SECTION_PIPELINE_H
#define WEFT_SECTION_PIPELINE_H

struct config;

/* The first stage that [pipeline] puts on an lcore; -1 if it puts none. */
int config_placed_stage(const struct config *config);

#endif
