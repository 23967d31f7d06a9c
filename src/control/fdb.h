/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_FDB_H
#define WEFT_FDB_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_hash.h>
#include <rte_rcu_qsbr.h>

#include "base/error.h"
#include "base/limits.h"

/*
 * What is in the FDB. Written by the main lcore only; lcores read the hash without locks (rte_hash
 * with RW_CONCURRENCY_LF; deleted entries are reused after a grace period). It knows networks by
 * index and places by number, and nothing of what they are: who hands it a place says that it is
 * there. Time is the caller's, in ms since any moment.
 */

/* A network's share. */
struct fdb_network {
	const char *name;   /* the caller's, for the log and errors */
	uint32_t ageing;    /* seconds */
	uint32_t addresses; /* learned ones that it may hold at most */
	uint32_t n_learned;
	uint64_t refused;	 /* notices of addresses that were not learned for want of room */
	uint64_t quiet_until_ms; /* the log has been told of it */
};

struct fdb {
	struct rte_hash *hash; /* fdb_key() -> union fdb_value */
	uint32_t size;	       /* entries of all networks that there may be */
	uint32_t n_entries;
	uint64_t quiet_until_ms; /* the log has been told that it is full */
	uint64_t scanned_ms;	 /* when the last look at all entries began */
	uint32_t cursor;	 /* of that look */
	bool scanning;
	struct fdb_network networks[NETWORKS_MAX];
};

#define FDB_SCAN 1024 /* entries looked at in one fdb_age() */

/* Makes room for `size` entries in *fdb, which is zeroed. */
int fdb_create(struct fdb *fdb, uint32_t size, struct rte_rcu_qsbr *rcu, struct error *error);
void fdb_free(struct fdb *fdb);

/* What a network may learn, and for how long. */
void fdb_add_network(
	struct fdb *fdb, uint16_t network, const char *name, uint32_t ageing, uint32_t addresses);

/* A static entry; replaces a learned one. -1 if another place has this address statically, or if
 * the FDB is full. */
int fdb_add_static(struct fdb *fdb, uint16_t network, const struct rte_ether_addr *mac,
	uint16_t place, struct error *error);

/* -1 if there is no such entry. */
int fdb_delete(struct fdb *fdb, uint16_t network, const struct rte_ether_addr *mac);

/* Forgets every address of a place that is going away. */
void fdb_forget_place(struct fdb *fdb, uint16_t place);

/* (network, mac) was heard from `place`: new, moved, or still there. */
void fdb_heard(struct fdb *fdb, uint16_t network, const struct rte_ether_addr *mac, uint16_t place,
	uint64_t now_ms);

/* Forgets what was not heard for its network's ageing time; a part of the table at each call. */
void fdb_age(struct fdb *fdb, uint64_t now_ms);

#endif
