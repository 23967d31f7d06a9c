/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_ERROR_H
#define WEFT_ERROR_H

#include <stddef.h>
#include <stdio.h>

/*
 * One line for a person: what is wrong, where (file, section, key), and what would be right. In
 * printable ASCII (base/spelling.h), whatever bytes a user put in; what does not fit is left out
 * in the middle.
 */
struct error {
	char text[512];
};

/* Writes the line and returns -1, so that a failing function ends with `return error_set(...)`. */
int error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts a prefix ("weft.ini: [port web]: ") before the line that is there. Returns -1. */
int error_prefix(struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* All that is wrong with a file, a line each, of any length. Begins as {.file = NAME}. */
struct error_list {
	const char *file; /* the caller's; NULL: what is wrong is in no file */
	size_t n;
	struct error_line {
		unsigned int number; /* of the file's line; 0: none in particular */
		size_t order;	     /* in which it was added */
		char *text;
	} * lines;
};

void error_list_add(struct error_list *list, unsigned int number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "FILE:NUMBER: TEXT" of the i-th, as far as there are a file and a number. */
void error_list_print_line(const struct error_list *list, size_t i, FILE *stream);

/* A line "PREFIX FILE:NUMBER: TEXT" for each, in the order of the file. */
void error_list_print(struct error_list *list, const char *prefix, FILE *stream);

/* All of them in one line; -1. */
int error_list_join(struct error_list *list, struct error *error);

void error_list_free(struct error_list *list);

#endif
