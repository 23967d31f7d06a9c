/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_REMOTES_H
#define WEFT_REMOTES_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_hash.h>

#include "base/address.h"
#include "base/error.h"
#include "base/limits.h"
#include "control/deferred.h"

/*
 * VTEPs, and what they are to each network that they are in: a remote. A VTEP has one index in all
 * networks, a remote is a place of one network. Neither goes while weft runs. Main lcore; lcores
 * read the hash without locks, and what is published.
 */

struct remote;

struct vtep {
	struct address address;
};

struct remote_state {
	uint16_t vtep; /* index */
	uint16_t network;
	uint16_t neighbour; /* index of the next hop */
	bool listed;	    /* gets what is flooded; others were only heard */
	struct remote *published;
};

/* Begins zeroed. */
struct remotes {
	struct rte_hash *vteps_by_address; /* struct address -> VTEP index */
	struct rte_hash *by_address;	   /* struct remote_key -> remote index; lcores read it */
	uint16_t n_vteps;
	struct vtep vteps[VTEPS_MAX];
	uint16_t n;
	struct remote_state list[REMOTES_MAX];
};

int remotes_create(struct remotes *remotes, struct error *error);
void remotes_free(struct remotes *remotes);

/* Index of a VTEP of a network, or -1. */
int remotes_find(const struct remotes *remotes, uint16_t network, const struct address *address);

/* Whether there can be one more; -1 and *error if it is there, or if there are too many. */
int remotes_check(const struct remotes *remotes, uint16_t network, const struct address *address,
	struct error *error);

/* Adds one that was checked; returns its index, or -1 and *error. */
int remotes_add(struct remotes *remotes, uint16_t network, const struct address *address,
	uint16_t neighbour, bool listed, struct error *error);

/* The address of a remote. */
const struct address *remotes_address(const struct remotes *remotes, uint16_t index);

/* What lcores are to see of a remote. One that is published never changes: if this differs, a copy
 * of it takes the old one's place, which is freed after a grace period. NULL if there is no
 * memory. */
struct remote *remotes_publish(struct remotes *remotes, uint16_t index, const struct remote *remote,
	struct deferred_list *deferred);

#endif
