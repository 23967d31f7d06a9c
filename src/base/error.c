/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/error.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/spelling.h"

#define GAP " ... "

/* The formatted text, spelt; free() it. */
static char *format_text(const char *format, va_list arguments)
{
	char *text, *spelling;
	size_t size;

	if (vasprintf(&text, format, arguments) < 0)
		abort();
	size = 4 * strlen(text) + 1;
	spelling = malloc(size);
	if (spelling == NULL)
		abort();
	spell(text, spelling, size);
	free(text);
	return spelling;
}

/* Where it begins and what would be right, at its end, matter most. */
static void set(struct error *error, const char *text)
{
	size_t length = strlen(text), half = (sizeof(error->text) - sizeof(GAP)) / 2;

	if (length < sizeof(error->text))
		memcpy(error->text, text, length + 1);
	else
		snprintf(error->text, sizeof(error->text), "%.*s" GAP "%s", (int)half, text,
			text + length - half);
}

int error_set(struct error *error, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = format_text(format, arguments);
	va_end(arguments);
	set(error, text);
	free(text);
	return -1;
}

int error_prefix(struct error *error, const char *format, ...)
{
	va_list arguments;
	char *prefix, *text;

	va_start(arguments, format);
	prefix = format_text(format, arguments);
	va_end(arguments);
	if (asprintf(&text, "%s%s", prefix, error->text) < 0)
		abort();
	set(error, text);
	free(prefix);
	free(text);
	return -1;
}

/* ---- lists ---- */

void error_list_add(struct error_list *list, unsigned int number, const char *format, ...)
{
	va_list arguments;

	list->lines = array_grow(list->lines, list->n, sizeof(*list->lines));
	va_start(arguments, format);
	list->lines[list->n] = (struct error_line){number, list->n, format_text(format, arguments)};
	list->n++;
	va_end(arguments);
}

static int compare(const void *a, const void *b)
{
	const struct error_line *one = a, *other = b;

	if (one->number != other->number)
		return one->number < other->number ? -1 : 1;
	return one->order < other->order ? -1 : one->order > other->order;
}

static void sort(struct error_list *list)
{
	if (list->n > 0)
		qsort(list->lines, list->n, sizeof(*list->lines), compare);
}

void error_list_print_line(const struct error_list *list, size_t i, FILE *stream)
{
	const struct error_line *line = &list->lines[i];

	if (list->file != NULL && line->number != 0)
		fprintf(stream, "%s:%u: ", list->file, line->number);
	else if (list->file != NULL)
		fprintf(stream, "%s: ", list->file);
	fprintf(stream, "%s", line->text);
}

void error_list_print(struct error_list *list, const char *prefix, FILE *stream)
{
	sort(list);
	for (size_t i = 0; i < list->n; i++) {
		fprintf(stream, "%s ", prefix);
		error_list_print_line(list, i, stream);
		fprintf(stream, "\n");
	}
}

int error_list_join(struct error_list *list, struct error *error)
{
	char *text;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (stream == NULL)
		abort();
	sort(list);
	for (size_t i = 0; i < list->n; i++) {
		fprintf(stream, "%s", i > 0 ? "; " : "");
		error_list_print_line(list, i, stream);
	}
	fclose(stream);
	set(error, text);
	free(text);
	return -1;
}

void error_list_free(struct error_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->lines[i].text);
	free(list->lines);
	list->lines = NULL;
	list->n = 0;
}
