/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_UNIX_SOCKET_H
#define WEFT_UNIX_SOCKET_H

#include "base/error.h"

/*
 * Makes the directory of a socket if there is none, and those that it is in, for their owner alone
 * to write to (mode 0755, less the umask). They are left when the port goes. Main lcore.
 */
int unix_socket_directory(const char *path, struct error *error);

/*
 * Makes `path` free to listen on: the directory is made if need be, nobody listens there, and a
 * socket left behind by a process that is gone is removed. Anything else at the path is left alone
 * and is an error. Main lcore.
 */
int unix_socket_claim(const char *path, int type, struct error *error);

#endif
