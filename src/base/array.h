/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_ARRAY_H
#define WEFT_ARRAY_H

#include <stdlib.h>

/* Makes room for one more element of `size` bytes behind the n that are there, in an array that is
 * only ever made so (NULL at first; free() it). The room doubles, so that filling it is linear.
 * Ends the program if memory is out. Control threads. */
static inline void *array_grow(void *array, unsigned int n, size_t size)
{
	if ((n & (n - 1)) != 0)
		return array;
	array = reallocarray(array, n == 0 ? 1 : 2 * (size_t)n, size);
	if (array == NULL)
		abort();
	return array;
}

#endif
