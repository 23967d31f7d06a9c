/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/ini.h"

#include <errno.h>
#include <search.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define SIZE_MOST (64 << 20) /* bytes of a file */
#define CHUNK 65536
#define BLANKS " \t\r"

struct reader {
	struct ini *ini;
	struct error_list *errors;
	unsigned int line;
	struct ini_section *section; /* NULL: before the first, or behind one that is wrong */
	bool passing;		     /* over what is in a section that is wrong */
};

/* ---- lines ---- */

static bool is_blank(char c)
{
	return c != '\0' && strchr(BLANKS, c) != NULL;
}

static char *trim(char *text)
{
	size_t length;

	text += strspn(text, BLANKS);
	length = strlen(text);
	while (length > 0 && is_blank(text[length - 1]))
		text[--length] = '\0';
	return text;
}

static void cut_comment(char *line)
{
	for (char *c = line; *c != '\0'; c++)
		if ((*c == '#' || *c == ';') && (c == line || is_blank(c[-1]))) {
			*c = '\0';
			return;
		}
}

/* What a terminal would take for more than text. */
static bool has_control_character(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' && *text != '\t')
			return true;
	return false;
}

static void begin_section(struct reader *reader, char *kind, char *name)
{
	struct ini *ini = reader->ini;

	ini->sections = array_grow(ini->sections, ini->n, sizeof(*ini->sections));
	reader->section = &ini->sections[ini->n++];
	*reader->section = (struct ini_section){.kind = kind, .name = name, .line = reader->line};
}

static void read_header(struct reader *reader, char *line)
{
	char *kind = line + 1, *end = strchr(kind, ']'), *name;

	reader->section = NULL;
	reader->passing = true;
	if (end == NULL || end[1] != '\0') {
		error_list_add(reader->errors, reader->line,
			"'%s': a section's line is '[section]' or '[section NAME]'", line);
		return;
	}
	*end = '\0';
	kind = trim(kind);
	name = kind + strcspn(kind, BLANKS);
	if (*name != '\0')
		*name++ = '\0';
	reader->passing = false;
	begin_section(reader, kind, trim(name));
}

static void read_entry(struct reader *reader, char *line)
{
	char *value = strchr(line, '='), *key;
	struct ini_section *section = reader->section;

	if (value == NULL || value == line) {
		error_list_add(reader->errors, reader->line,
			"'%s' is neither '[section]', 'key = value' nor '# comment'", line);
		return;
	}
	*value++ = '\0';
	key = trim(line);
	if (section == NULL) {
		if (!reader->passing)
			error_list_add(reader->errors, reader->line,
				"%s: stands before the first '[section]'", key);
		return;
	}
	section->entries = array_grow(section->entries, section->n, sizeof(*section->entries));
	section->entries[section->n++] = (struct ini_entry){key, trim(value), reader->line};
}

static void read_line(struct reader *reader, char *line, size_t length)
{
	bool binary = memchr(line, '\0', length) != NULL;

	if (binary) {
		error_list_add(reader->errors, reader->line,
			"has a NUL byte; a configuration is text, in UTF-8");
		return;
	}
	line += strspn(line, BLANKS);
	cut_comment(line);
	line = trim(line);
	if (has_control_character(line))
		error_list_add(reader->errors, reader->line,
			"'%s' has a control character; a configuration is text, in UTF-8", line);
	else if (*line == '[')
		read_header(reader, line);
	else if (*line != '\0')
		read_entry(reader, line);
}

static void read_lines(struct reader *reader, char *text, size_t size)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	char *end = text + size;

	if (strncmp(text, byte_order_mark, strlen(byte_order_mark)) == 0)
		text += strlen(byte_order_mark);
	while (text < end) {
		char *line = text;

		text = memchr(line, '\n', end - line);
		if (text == NULL)
			text = end;
		*text = '\0';
		reader->line++;
		read_line(reader, line, text++ - line);
	}
}

/* ---- sections that are given twice ---- */

static int compare(const void *a, const void *b)
{
	const struct ini_section *one = a, *other = b;
	int kinds = strcmp(one->kind, other->kind);

	return kinds != 0 ? kinds : strcmp(one->name, other->name);
}

static void keep(void *section)
{
	(void)section;
}

static void check_repeated(const struct ini *ini, struct error_list *errors)
{
	void *tree = NULL;

	for (unsigned int i = 0; i < ini->n; i++) {
		struct ini_section *section = &ini->sections[i], **first;

		first = (struct ini_section **)tsearch(section, &tree, compare);
		if (first == NULL)
			abort();
		if (*first == section)
			continue;
		section->repeated = true;
		ini_wrong(errors, section, NULL, NULL, "is given twice, in line %u already",
			(*first)->line);
	}
	tdestroy(tree, keep);
}

/* ---- the file ---- */

/* Without what comes after SIZE_MOST. Ends with a byte of its own. NULL: see errno. */
static char *load(const char *name, size_t *size)
{
	FILE *file = fopen(name, "r");
	char *text = NULL;
	size_t n = 1;
	int error;

	if (file == NULL)
		return NULL;
	for (*size = 0; n > 0 && *size <= SIZE_MOST; *size += n) {
		text = realloc(text, *size + CHUNK + 1);
		if (text == NULL)
			abort();
		n = fread(text + *size, 1, CHUNK, file);
	}
	error = ferror(file) ? errno : *size > SIZE_MOST ? EFBIG : 0;
	fclose(file);
	text[*size] = '\0';
	if (error != 0) {
		free(text);
		text = NULL;
	}
	errno = error;
	return text;
}

struct ini *ini_read(struct error_list *errors)
{
	struct ini *ini = calloc(1, sizeof(*ini));
	struct reader reader = {.ini = ini, .errors = errors};
	size_t size;

	if (ini == NULL)
		abort();
	ini->text = load(errors->file, &size);
	if (ini->text == NULL) {
		error_list_add(errors, 0, "cannot be read: %s", strerror(errno));
		ini_free(ini);
		return NULL;
	}
	read_lines(&reader, ini->text, size);
	check_repeated(ini, errors);
	return ini;
}

void ini_free(struct ini *ini)
{
	if (ini == NULL)
		return;
	for (unsigned int i = 0; i < ini->n; i++)
		free(ini->sections[i].entries);
	free(ini->sections);
	free(ini->text);
	free(ini);
}

/* ---- errors ---- */

const struct ini_section *ini_find(const struct ini *ini, const char *kind, const char *name)
{
	for (unsigned int i = 0; i < ini->n; i++)
		if (strcmp(ini->sections[i].kind, kind) == 0 &&
			strcmp(ini->sections[i].name, name) == 0)
			return &ini->sections[i];
	return NULL;
}

static bool has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (text += strspn(text, BLANKS); *text != '\0'; text += strspn(text, BLANKS)) {
		size_t n = strcspn(text, BLANKS);

		if (n == length && strncmp(text, word, n) == 0)
			return true;
		text += n;
	}
	return false;
}

static unsigned int find_line(const struct ini_section *section, const char *key, const char *value)
{
	unsigned int line = section->line;

	for (unsigned int i = 0; key != NULL && i < section->n; i++)
		if (strcmp(section->entries[i].key, key) == 0 &&
			(value == NULL || has_word(section->entries[i].value, value)))
			line = section->entries[i].line;
	return line;
}

static void add_wrong(struct error_list *errors, unsigned int line,
	const struct ini_section *section, const char *key, const char *format, va_list arguments)
{
	char *text;

	if (vasprintf(&text, format, arguments) < 0)
		abort();
	error_list_add(errors, line, "[%s%s%s]: %s%s%s", section->kind, section->name[0] ? " " : "",
		section->name, key != NULL ? key : "", key != NULL ? ": " : "", text);
	free(text);
}

int ini_wrong_entry(struct error_list *errors, const struct ini_section *section,
	const struct ini_entry *entry, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_wrong(errors, entry->line, section, entry->key, format, arguments);
	va_end(arguments);
	return -1;
}

int ini_wrong(struct error_list *errors, const struct ini_section *section, const char *key,
	const char *value, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	ini_wrong_v(errors, section, key, value, format, arguments);
	va_end(arguments);
	return -1;
}

void ini_wrong_v(struct error_list *errors, const struct ini_section *section, const char *key,
	const char *value, const char *format, va_list arguments)
{
	add_wrong(errors, find_line(section, key, value), section, key, format, arguments);
}
