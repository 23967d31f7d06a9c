/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/config.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "control/ini.h"

/* ---- the kinds of sections ---- */

static struct config_kind *find_registered(
	const struct config *config, const struct section_kind *kind)
{
	for (uint32_t i = 0; i < config->n_kinds; i++)
		if (config->kinds[i].kind == kind)
			return &config->kinds[i];
	return NULL;
}

static void register_kind(struct config *config, const struct section_kind *kind)
{
	assert(find_registered(config, kind) == NULL);
	config->kinds = array_add(config->kinds, &config->n_kinds, sizeof(*config->kinds));
	config->kinds[config->n_kinds - 1].kind = kind;
	if (kind->size > 0 && kind->names == NULL)
		config_add(config, kind);
	if (kind->init != NULL)
		kind->init(config);
}

void config_register(struct config *config, const struct section_kind *const *kinds)
{
	for (; *kinds != NULL; kinds++)
		register_kind(config, *kinds);
}

void *config_add(struct config *config, const struct section_kind *kind)
{
	struct config_kind *registered = find_registered(config, kind);

	assert(registered != NULL && kind->size > 0);
	registered->settings = array_add(registered->settings, &registered->n, kind->size);
	return config_settings(config, kind, registered->n - 1);
}

uint32_t config_count(const struct config *config, const struct section_kind *kind)
{
	const struct config_kind *registered = find_registered(config, kind);

	return registered == NULL ? 0 : registered->n;
}

void *config_settings(const struct config *config, const struct section_kind *kind, uint32_t i)
{
	const struct config_kind *registered = find_registered(config, kind);

	assert(registered != NULL && i < registered->n);
	return (char *)registered->settings + i * kind->size;
}

/* ---- sections of the file ---- */

int config_check_name(const char *name, struct error *error)
{
	if (strlen(name) == 0 || strlen(name) >= PORT_NAME_SIZE)
		return error_set(error, "a name has 1 to %d characters", PORT_NAME_SIZE - 1);
	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")])
		return error_set(error, "a name has letters, digits, '.', '_' and '-' only");
	return 0;
}

static struct config_kind *find_kind(const struct config *config, const struct ini_section *section)
{
	for (uint32_t i = 0; i < config->n_kinds; i++) {
		const struct section_kind *kind = config->kinds[i].kind;

		if (strcmp(kind->name, section->kind) == 0 &&
			(kind->names != NULL) == (section->name[0] != '\0'))
			return &config->kinds[i];
	}
	return NULL;
}

static void unknown_section(
	const struct config *config, const struct ini_section *section, struct error_list *errors)
{
	char *list;
	size_t size;
	FILE *stream = open_memstream(&list, &size);

	if (stream == NULL)
		abort();
	for (uint32_t i = 0; i < config->n_kinds; i++) {
		const struct section_kind *kind = config->kinds[i].kind;

		fprintf(stream, "%s[%s%s%s]", i == 0 ? "" : ", ", kind->name,
			kind->names == NULL ? "" : " ", kind->names == NULL ? "" : kind->names);
	}
	fclose(stream);
	ini_wrong(errors, section, NULL, NULL, "no such section; there are %s", list);
	free(list);
}

static void read_section(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	struct config_kind *registered = find_kind(config, section);
	struct error error;

	if (registered == NULL)
		unknown_section(config, section, errors);
	else if (section->name[0] != '\0' && config_check_name(section->name, &error) != 0)
		ini_wrong(errors, section, NULL, NULL, "%s", error.text);
	else if (registered->kind->most == 0 || registered->n_read++ < registered->kind->most)
		registered->kind->read(config, section, errors);
}

/* ---- the file ---- */

struct config *config_create(const char *file)
{
	struct config *config = calloc(1, sizeof(*config));

	if (config == NULL)
		abort();
	config->file = strdup(file);
	return config;
}

int config_read(struct config *config, struct error_list *errors)
{
	config->ini = ini_read(errors);
	if (config->ini == NULL)
		return -1;
	for (unsigned int i = 0; i < config->ini->n; i++)
		if (!config->ini->sections[i].repeated)
			read_section(config, &config->ini->sections[i], errors);
	return 0;
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	for (uint32_t i = 0; i < config->n_kinds; i++) {
		if (config->kinds[i].kind->free != NULL)
			config->kinds[i].kind->free(config);
		free(config->kinds[i].settings);
	}
	free(config->kinds);
	ini_free(config->ini);
	free(config->file);
	free(config);
}

/* ---- errors ---- */

struct ini_section config_section(const struct config *config, const char *kind, const char *name)
{
	const struct ini_section *section = ini_find(config->ini, kind, name);

	return section != NULL ? *section : (struct ini_section){.kind = kind, .name = name};
}

int config_wrong(const struct config *config, struct error_list *errors, const char *kind,
	const char *name, const char *key, const char *value, const char *format, ...)
{
	const struct ini_section section = config_section(config, kind, name);
	va_list arguments;

	va_start(arguments, format);
	ini_wrong_v(errors, &section, key, value, format, arguments);
	va_end(arguments);
	return -1;
}
