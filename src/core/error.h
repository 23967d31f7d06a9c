/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_ERROR_H
#define WEFT_ERROR_H

/* One line for a person: what is wrong, where (file, section, key), and what would be right. */
struct error {
	char text[512];
};

/* Writes the line and returns -1, so that a failing function ends with `return error_set(...)`. */
int error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts a prefix ("weft.ini: [port web]: ") before the line that is there. Returns -1. */
int error_prefix(struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
