/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_ARRAY_H
#define WEFT_ARRAY_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

/* Adds an element of zeroes to an array that array_grow() makes, and counts it in *n. */
static inline void *array_add(void *array, uint32_t *n, size_t size)
{
	char *grown = array_grow(array, *n, size);

	memset(grown + *n * size, 0, size);
	++*n;
	return grown;
}

#endif
