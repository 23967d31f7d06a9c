/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/spelling.h"

#include <stdbool.h>
#include <stdio.h>

void spell(const char *text, char *spelling, size_t size)
{
	size_t length = 0;

	for (; *text != '\0'; text++) {
		bool printable = *text >= ' ' && *text <= '~';

		if (length + (printable ? 1 : 4) >= size)
			break;
		length += snprintf(spelling + length, size - length, printable ? "%c" : "\\x%02x",
			(unsigned char)*text);
	}
	spelling[length] = '\0';
}
