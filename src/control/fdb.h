/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_FDB_H
#define WEFT_FDB_H

#include "control/control.h"

/*
 * What is in the FDB. Written by the main lcore only; lcores read it without locks (rte_hash with
 * RW_CONCURRENCY_LF; deleted entries are reused after a grace period).
 */

int fdb_create(struct control *control, struct error *error);
void fdb_free(struct control *control);

/* A static entry; replaces a learned one. -1 if another place has this address statically, or if
 * the FDB is full. */
int fdb_add_static(struct control *control, uint16_t network, const struct rte_ether_addr *mac,
	uint16_t place, struct error *error);

/* An entry as the configuration or `weftctl fdb add` gives it. */
int fdb_add_configured(
	struct control *control, const struct fdb_config *entry, struct error *error);

/* -1 if there is no such entry. */
int fdb_delete(struct control *control, uint16_t network, const struct rte_ether_addr *mac);

/* Forgets every address of a place that is going away. */
void fdb_forget_place(struct control *control, uint16_t place);

/* (network, mac) was heard from `place`: new, moved, or still there. */
void fdb_heard(struct control *control, uint16_t network, const struct rte_ether_addr *mac,
	uint16_t place);

/* Forgets what was not heard for its network's ageing time; a part of the table at each call. */
void fdb_age(struct control *control);

#endif
