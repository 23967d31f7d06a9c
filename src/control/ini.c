/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/ini.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

/* ---- a section ---- */

static int unknown_key(const struct key *keys, const char *name, struct error *error)
{
	char list[256] = "";

	for (; keys->name != NULL; keys++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
			list[0] ? ", " : "", keys->name);
	return error_set(error, "%s: no such key; there are %s", name, list);
}

static int read_key(
	const struct key *keys, const char *name, const char *value, void *to, struct error *error)
{
	for (const struct key *key = keys; key->name != NULL; key++) {
		if (strcmp(key->name, name) != 0)
			continue;
		if (key->read(key, value, (char *)to + key->offset, error) != 0)
			return error_prefix(error, "%s: ", name);
		return 0;
	}
	return unknown_key(keys, name, error);
}

static int check_required(
	const struct key *keys, const struct rte_cfgfile_entry *entries, int n, struct error *error)
{
	for (; keys->name != NULL; keys++) {
		int i = 0;

		while (i < n && strcmp(entries[i].name, keys->name) != 0)
			i++;
		if (i == n && keys->flags & KEY_REQUIRED)
			return error_set(error, "%s: is missing, and required", keys->name);
	}
	return 0;
}

static bool is_list(const struct key *keys, const char *name)
{
	for (; keys->name != NULL; keys++)
		if (strcmp(keys->name, name) == 0)
			return keys->flags & KEY_LIST;
	return false;
}

int ini_check_repeated(
	const struct key *keys, const struct rte_cfgfile_entry *entries, int n, struct error *error)
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++)
			if (strcmp(entries[i].name, entries[j].name) == 0 &&
				!is_list(keys, entries[i].name))
				return error_set(error, "%s: is given twice", entries[i].name);
	return 0;
}

/* The reader of INI files cuts what is too long. */
static int check_cut(const struct rte_cfgfile_entry *entries, int n, struct error *error)
{
	for (int i = 0; i < n; i++)
		if (strlen(entries[i].value) >= CFG_VALUE_LEN - 1)
			return error_set(error,
				"%s: is longer than %d characters; a list may be given in "
				"several lines with the same key",
				entries[i].name, CFG_VALUE_LEN - 2);
	return 0;
}

int ini_read_keys(const struct key *keys, const struct rte_cfgfile_entry *entries, int n, void *to,
	struct error *error)
{
	if (ini_check_repeated(keys, entries, n, error) != 0 || check_cut(entries, n, error) != 0)
		return -1;
	for (int i = 0; i < n; i++)
		if (read_key(keys, entries[i].name, entries[i].value, to, error) != 0)
			return -1;
	return check_required(keys, entries, n, error);
}

/* ---- the file ---- */

/* rte_cfgfile passes over a line that it does not understand. */
static int check_line(const char *line, unsigned int number, struct error *error)
{
	int length;

	line += strspn(line, " \t\r\n");
	length = strcspn(line, "\r\n");
	if (length == 0 || *line == '#' || *line == '[' || strchr(line, '=') != NULL)
		return 0;
	return error_set(error, "line %u: '%.*s' is neither '[section]' nor 'key = value'", number,
		RTE_MIN(length, 100), line);
}

static int check_lines(const char *name, struct error *error)
{
	FILE *file = fopen(name, "r");
	char *line = NULL;
	size_t size = 0;
	unsigned int number = 0;
	int status = 0;

	if (file == NULL)
		return error_set(error, "cannot be read: %s", strerror(errno));
	while (status == 0 && getline(&line, &size, file) >= 0)
		status = check_line(line, ++number, error);
	free(line);
	fclose(file);
	return status;
}

static struct rte_cfgfile *load(const char *name, struct error *error)
{
	const struct rte_cfgfile_parameters parameters = {.comment_character = '#'};
	struct rte_cfgfile *file;

	if (check_lines(name, error) != 0)
		return NULL;
	file = rte_cfgfile_load_with_params(name, CFG_FLAG_EMPTY_VALUES, &parameters);
	if (file == NULL)
		error_set(error, "is no INI file: every line is '[section]', 'key = value' or "
				 "'# comment'");
	return file;
}

static int read_section(
	struct rte_cfgfile *file, int index, ini_section_reader read, void *to, struct error *error)
{
	char section[CFG_NAME_LEN];
	int n = rte_cfgfile_section_num_entries_by_index(file, section, index);
	struct rte_cfgfile_entry *entries = calloc(n + 1, sizeof(*entries));
	int status;

	if (entries == NULL)
		abort();
	rte_cfgfile_section_entries_by_index(file, index, section, entries, n);
	status = read(to, section, entries, n, error);
	free(entries);
	return status;
}

int ini_read(const char *name, ini_section_reader read, void *to, struct error *error)
{
	struct rte_cfgfile *file = load(name, error);
	int n, status = 0;

	if (file == NULL)
		return -1;
	n = rte_cfgfile_num_sections(file, "", 0);
	for (int i = 0; i < n && status == 0; i++)
		status = read_section(file, i, read, to, error);
	rte_cfgfile_close(file);
	return status;
}
