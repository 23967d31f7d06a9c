/* SPDX-License-Identifier: BSD-3-Clause */
#include "file.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/check.h"
#include "control/sections/sections.h"
#include "virtual/config.h"

char file[64];

int file_make(void **state)
{
	int fd;

	(void)state;
	snprintf(file, sizeof(file), "/tmp/weft-unit-XXXXXX");
	fd = mkstemp(file);
	return fd < 0 ? -1 : close(fd);
}

int file_remove(void **state)
{
	(void)state;
	return unlink(file);
}

void file_write(const char *bytes, size_t length)
{
	FILE *stream = fopen(file, "w");

	assert_non_null(stream);
	assert_int_equal(fwrite(bytes, 1, length, stream), length);
	fclose(stream);
}

struct config *file_read_all(struct error_list *errors)
{
	struct config *config = config_create(file);

	errors->file = file;
	config_register(config, control_sections);
	config_register(config, virtual_sections);
	if (config_read(config, errors) == 0)
		check_config(config, errors);
	return config;
}

struct config *file_read_config(struct error *error)
{
	struct error_list errors = {0};
	struct config *config = file_read_all(&errors);

	if (errors.n > 0) {
		error_list_join(&errors, error);
		config_free(config);
		config = NULL;
	}
	error_list_free(&errors);
	return config;
}

int fds_open(void)
{
	DIR *list = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(list) != NULL)
		n++;
	closedir(list);
	return n;
}
