/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int unknown_key(const struct key *keys, const struct ini_section *section, const char *name,
	struct error_list *errors)
{
	char *list;
	size_t size;
	FILE *stream = open_memstream(&list, &size);

	if (stream == NULL)
		abort();
	for (const struct key *key = keys; key->name != NULL; key++)
		fprintf(stream, "%s%s", key == keys ? "" : ", ", key->name);
	fclose(stream);
	ini_wrong(errors, section, name, NULL, "no such key; there are %s", list);
	free(list);
	return -1;
}

static const struct key *find_key(const struct key *keys, const char *name)
{
	for (; keys->name != NULL; keys++)
		if (strcmp(keys->name, name) == 0)
			return keys;
	return NULL;
}

/* Whether one of the entries before the i-th has its key. */
static bool is_repeated(const struct ini_section *section, unsigned int i)
{
	for (unsigned int j = 0; j < i; j++)
		if (strcmp(section->entries[i].key, section->entries[j].key) == 0)
			return true;
	return false;
}

static int read_entry(const struct key *keys, const struct ini_section *section, unsigned int i,
	void *to, struct error_list *errors)
{
	const struct ini_entry *entry = &section->entries[i];
	const struct key *key = find_key(keys, entry->key);
	struct error error;

	if (key == NULL)
		return unknown_key(keys, section, entry->key, errors);
	if (!(key->flags & KEY_LIST) && is_repeated(section, i))
		return ini_wrong(errors, section, key->name, entry->value, "is given twice");
	if (key->read(key, entry->value, (char *)to + key->offset, &error) != 0)
		return ini_wrong(errors, section, key->name, entry->value, "%s", error.text);
	return 0;
}

int keys_read(const struct key *keys, const struct ini_section *section, void *to,
	struct error_list *errors)
{
	int status = 0;

	for (unsigned int i = 0; i < section->n; i++)
		status |= read_entry(keys, section, i, to, errors);
	for (const struct key *key = keys; key->name != NULL; key++)
		if (key->flags & KEY_REQUIRED && !keys_given(section, key->name))
			status = ini_wrong(
				errors, section, key->name, NULL, "is missing, and required");
	return status;
}

int keys_check_repeated(const struct ini_section *section, struct error_list *errors)
{
	int status = 0;

	for (unsigned int i = 0; i < section->n; i++)
		if (is_repeated(section, i))
			status = ini_wrong(errors, section, section->entries[i].key,
				section->entries[i].value, "is given twice");
	return status;
}

bool keys_given(const struct ini_section *section, const char *key)
{
	for (unsigned int i = 0; i < section->n; i++)
		if (strcmp(section->entries[i].key, key) == 0)
			return true;
	return false;
}
