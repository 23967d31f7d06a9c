/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/keys.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int unknown_key(const struct key *keys, const struct ini_section *section,
	const struct ini_entry *entry, struct error_list *errors)
{
	char *list;
	size_t size;
	FILE *stream = open_memstream(&list, &size);

	if (stream == NULL)
		abort();
	for (const struct key *key = keys; key->name != NULL; key++)
		fprintf(stream, "%s%s", key == keys ? "" : ", ", key->name);
	fclose(stream);
	ini_wrong_entry(errors, section, entry, "no such key; there are %s", list);
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

/* `given`: a bit for each row of `keys`. */
static int read_entry(const struct key *keys, const struct ini_section *section,
	const struct ini_entry *entry, uint64_t *given, void *to, struct error_list *errors)
{
	const struct key *key = find_key(keys, entry->key);
	bool repeated;
	struct error error;

	if (key == NULL)
		return unknown_key(keys, section, entry, errors);
	repeated = *given & UINT64_C(1) << (key - keys);
	*given |= UINT64_C(1) << (key - keys);
	if (!(key->flags & KEY_LIST) && repeated)
		return ini_wrong_entry(errors, section, entry, "is given twice");
	if (key->read(key, entry->value, (char *)to + key->offset, &error) != 0)
		return ini_wrong_entry(errors, section, entry, "%s", error.text);
	return 0;
}

int keys_read(const struct key *keys, const struct ini_section *section, void *to,
	struct error_list *errors)
{
	uint64_t given = 0;
	int status = 0;

	for (unsigned int i = 0; i < section->n; i++)
		status |= read_entry(keys, section, &section->entries[i], &given, to, errors);
	for (const struct key *key = keys; key->name != NULL; key++)
		if (key->flags & KEY_REQUIRED && !keys_given(section, key->name))
			status = ini_wrong(
				errors, section, key->name, NULL, "is missing, and required");
	return status;
}

static int compare(const void *a, const void *b)
{
	const struct ini_entry *one = a, *other = b;

	return strcmp(one->key, other->key);
}

static void keep(void *entry)
{
	(void)entry;
}

int keys_check_repeated(const struct ini_section *section, struct error_list *errors)
{
	void *tree = NULL;
	int status = 0;

	for (unsigned int i = 0; i < section->n; i++) {
		struct ini_entry *entry = &section->entries[i], **first;

		first = (struct ini_entry **)tsearch(entry, &tree, compare);
		if (first == NULL)
			abort();
		if (*first != entry)
			status = ini_wrong_entry(errors, section, entry, "is given twice");
	}
	tdestroy(tree, keep);
	return status;
}

bool keys_given(const struct ini_section *section, const char *key)
{
	for (unsigned int i = 0; i < section->n; i++)
		if (strcmp(section->entries[i].key, key) == 0)
			return true;
	return false;
}
