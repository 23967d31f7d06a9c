/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_VALUE_H
#define WEFT_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_pci.h>

#include "base/error.h"

/*
 * Values of keys. Each reader writes to `to`, or says in *error what would be right and returns -1.
 * The limits of numbers and the sizes of texts are in the key's row.
 */
struct key;
typedef int (*value_reader)(
	const struct key *key, const char *value, void *to, struct error *error);

#define KEY_REQUIRED 1
#define KEY_LIST 2 /* may be repeated; the lists are joined */

struct key {
	const char *name;
	value_reader read;
	size_t offset; /* in the section's structure */
	uint64_t min;  /* numbers: smallest; texts: 0 */
	uint64_t max;  /* numbers: largest; texts: size of the field */
	int flags;
};

int value_text(const struct key *key, const char *value, void *to, struct error *error);
int value_u16(const struct key *key, const char *value, void *to, struct error *error);
int value_u32(const struct key *key, const char *value, void *to, struct error *error);
int value_bool(const struct key *key, const char *value, void *to, struct error *error);
int value_mac(const struct key *key, const char *value, void *to, struct error *error);
/* Of a PCI device its whole address, whose domain may be left out: "3b:00.0,mprq_en=0" gives
 * "0000:3b:00.0,mprq_en=0". Anything else as it is. */
int value_device(const struct key *key, const char *value, void *to, struct error *error);
/* Into a struct address. */
int value_ipv4(const struct key *key, const char *value, void *to, struct error *error);

/* A value that is a list of words: each in turn, until one is wrong. */
typedef int (*word_reader)(const char *word, void *to, struct error *error);
int value_words(const char *value, word_reader read, void *to, struct error *error);

/* Whether just these characters are a PCI device's address, with or without its domain. */
bool parse_pci(const char *text, size_t length, struct rte_pci_addr *address);

/* A decimal number, all of it. */
int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *number);

#endif
