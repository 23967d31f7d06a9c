/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports/unix_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ports/port.h"

static bool is_made(const char *directory)
{
	return mkdir(directory, 0755) == 0 || errno == EEXIST;
}

/* As `mkdir -p`; errno tells why it failed. */
static bool with_parents_is_made(char *directory)
{
	bool made = true;

	for (char *slash = directory; made && (slash = strchr(slash + 1, '/')) != NULL;
		*slash = '/') {
		*slash = '\0';
		made = is_made(directory);
	}
	return made && is_made(directory);
}

int unix_socket_directory(const char *path, struct error *error)
{
	char directory[PORT_PATH_SIZE] = ".";
	const char *slash = strrchr(path, '/');
	struct stat status;

	if (slash != NULL)
		snprintf(directory, sizeof(directory), "%.*s",
			slash == path ? 1 : (int)(slash - path), path);
	if (stat(directory, &status) != 0 && errno == ENOENT && !with_parents_is_made(directory))
		return error_set(error, "socket %s: cannot make directory %s: %s", path, directory,
			strerror(errno));
	if (stat(directory, &status) != 0)
		return error_set(
			error, "socket %s: directory %s: %s", path, directory, strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return error_set(error, "socket %s: %s is not a directory", path, directory);
	return 0;
}

/* Only a listener that is alive answers, whatever the type of its socket; 0, or the errno. */
static int listener_probe(const char *path, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int probe = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int result;

	if (probe < 0)
		return errno;
	memcpy(address.sun_path, path, strlen(path));
	result = connect(probe, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
	close(probe);
	return result;
}

static int stale_remove(const char *path, int type, struct error *error)
{
	int result = listener_probe(path, type);

	/* EAGAIN: its backlog is full. EPROTOTYPE: it listens for another type of socket. */
	if (result == 0 || result == EAGAIN || result == EPROTOTYPE)
		return error_set(error, "socket %s is in use by another process", path);
	if (result == ENOENT)
		return 0;
	if (result != ECONNREFUSED)
		return error_set(error, "socket %s: cannot tell if it is in use: %s", path,
			strerror(result));
	if (unlink(path) != 0 && errno != ENOENT)
		return error_set(error, "socket %s is stale and cannot be removed: %s", path,
			strerror(errno));
	return 0;
}

int unix_socket_claim(const char *path, int type, struct error *error)
{
	struct stat status;
	size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

	if (path[0] == '\0')
		return error_set(error, "the path of the socket is empty");
	if (strlen(path) > most)
		return error_set(
			error, "socket %.200s: the path is longer than %zu bytes", path, most);
	if (unix_socket_directory(path, error) != 0)
		return -1;
	if (lstat(path, &status) != 0) {
		if (errno == ENOENT)
			return 0;
		return error_set(error, "socket %s: %s", path, strerror(errno));
	}
	if (!S_ISSOCK(status.st_mode))
		return error_set(error,
			"%s exists and is not a socket: remove it or choose another path", path);
	return stale_remove(path, type, error);
}
