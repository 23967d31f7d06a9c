/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_UNIX_SOCKET_H
#define WEFT_UNIX_SOCKET_H

#include "core/error.h"

/*
 * Makes `path` free to listen on: the directory exists, nobody listens there, and a socket left
 * behind by a process that is gone is removed. Anything else at the path is left alone and is an
 * error. Main lcore.
 */
int unix_socket_claim(const char *path, int type, struct error *error);

#endif
