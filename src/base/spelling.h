/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SPELLING_H
#define WEFT_SPELLING_H

#include <stddef.h>

/* Writes `text` so that it can be shown anywhere: what is not printable ASCII becomes \xNN. What
 * does not fit is left out. */
void spell(const char *text, char *spelling, size_t size);

#endif
