/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_ANSWER_H
#define WEFT_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_telemetry.h>

#include "base/address.h"
#include "base/error.h"
#include "control/requests.h"
#include "engine/dataplane.h"

/* What answers of telemetry commands are made of. Main lcore, in a request's handler. */

/* All strings of answers go through these two, which spell() them. One in a dictionary is cut at
 * 127 characters. */
void answer_text(struct rte_tel_data *data, const char *text);
void answer_add_text(struct rte_tel_data *row, const char *name, const char *text);

/* The library knows no arrays of dictionaries: a list is a dictionary whose keys count from 0. */
struct answer_list {
	struct rte_tel_data *data;
	unsigned int n;
};

struct answer_list answer_start_list(struct request *request);

/* A dictionary at the list's end, to be filled. */
struct rte_tel_data *answer_add_row(struct answer_list *list);

/* Whether the list has as many rows as an answer of this kind holds. If so, "next" tells the client
 * which row to ask for, and the answer is complete. */
bool answer_is_full(
	const struct answer_list *list, unsigned int page, struct request *request, uint32_t next);

void answer_add_mac(struct rte_tel_data *row, const char *name, const struct rte_ether_addr *mac);
void answer_add_address(struct rte_tel_data *row, const char *name, const struct address *address);

/* Ids of the lcores in a set, which has bit i for the lcore of index i: "1 2". */
void answer_add_lcores(struct rte_tel_data *row, const char *name,
	const struct dataplane *dataplane, uint64_t lcores);

/* An error is a string: a dictionary's would be cut at 128 characters. */
void answer_error(struct request *request, const struct error *error);

void answer_done(struct request *request, const char *what, const char *name);

/* The row to begin with, from the last parameter; anything but a row's number is the end. */
uint32_t answer_first_row(const char *text, uint32_t end);

#endif
