/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_UNIT_FILE_H
#define WEFT_UNIT_FILE_H

#include <stddef.h>

/* The one file that a program's tests write for a reader to read. */
extern char file[64];

/* Setup and teardown of a group. */
int file_make(void **state);
int file_remove(void **state);

/* File descriptors that the program has open, and one for counting them. */
int fds_open(void);

/* Replaces what is in it. */
void file_write(const char *bytes, size_t length);

/* The configuration that is in it, checked; NULL and all that is wrong in *error. */
struct config;
struct error;
struct config *file_read_config(struct error *error);

/* The same as far as it is right, with a line in *errors for all that is not. */
struct error_list;
struct config *file_read_all(struct error_list *errors);

#endif
