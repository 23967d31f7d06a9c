/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_INBOX_H
#define WEFT_INBOX_H

#include <stdint.h>

#include "engine/lcore.h"

/* Takes what has come for this lcore, from others or from itself, and runs it. Returns the number
 * of words. For the lcore loop. */
uint16_t inbox_poll(struct lcore *lcore);

/* Words from others that wait in the inbox: packets, and labels. */
uint32_t inbox_depth(const struct lcore *lcore);

#endif
