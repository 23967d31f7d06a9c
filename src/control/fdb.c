/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/fdb.h"

#include <rte_hash_crc.h>
#include <rte_lcore.h>

#include "base/log.h"
#include "stages/tables.h"

#define SAY_AGAIN_MS (10 * 60 * 1000)

int fdb_create(struct fdb *fdb, uint32_t size, struct rte_rcu_qsbr *rcu, struct error *error)
{
	struct rte_hash_parameters parameters = {
		.name = "weft_fdb",
		/* A full hash table refuses entries before its last. */
		.entries = size + size / 8,
		.key_len = sizeof(uint64_t),
		.hash_func = rte_hash_crc,
		.socket_id = rte_socket_id(),
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};
	struct rte_hash_rcu_config deletion = {
		.v = rcu,
		.mode = RTE_HASH_QSBR_MODE_DQ,
	};

	fdb->size = size;
	fdb->hash = rte_hash_create(&parameters);
	if (fdb->hash == NULL || rte_hash_rcu_qsbr_add(fdb->hash, &deletion) != 0)
		return error_set(error,
			"[weft]: fdb-size: not enough memory for %u entries; lower it, or give EAL "
			"more (-m)",
			size);
	return 0;
}

void fdb_free(struct fdb *fdb)
{
	rte_hash_free(fdb->hash);
}

void fdb_add_network(
	struct fdb *fdb, uint16_t network, const char *name, uint32_t ageing, uint32_t addresses)
{
	fdb->networks[network] =
		(struct fdb_network){.name = name, .ageing = ageing, .addresses = addresses};
}

static bool find(const struct fdb *fdb, uint64_t key, union fdb_value *value)
{
	return rte_hash_lookup_data(fdb->hash, &key, &value->word) >= 0;
}

static void count(struct fdb *fdb, uint64_t key, const union fdb_value *value, int change)
{
	fdb->n_entries += change;
	if (!value->fixed)
		fdb->networks[key >> 48].n_learned += change;
}

static bool is_full(const struct fdb *fdb)
{
	return fdb->n_entries >= fdb->size;
}

static int store(struct fdb *fdb, uint64_t key, union fdb_value value)
{
	union fdb_value old;
	bool known = find(fdb, key, &old);

	if (!known && is_full(fdb))
		return -1;
	if (rte_hash_add_key_data(fdb->hash, &key, value.word) != 0)
		return -1;
	if (known)
		count(fdb, key, &old, -1);
	count(fdb, key, &value, 1);
	return 0;
}

static void erase(struct fdb *fdb, uint64_t key, const union fdb_value *value)
{
	rte_hash_del_key(fdb->hash, &key);
	count(fdb, key, value, -1);
}

/* What was learned can be learned again. -1 if nothing was. */
static int forget_one(struct fdb *fdb)
{
	const void *key;
	union fdb_value value;
	uint32_t next = 0;

	while (rte_hash_iterate(fdb->hash, &key, &value.word, &next) >= 0)
		if (!value.fixed) {
			erase(fdb, *(const uint64_t *)key, &value);
			return 0;
		}
	return -1;
}

int fdb_add_static(struct fdb *fdb, uint16_t network, const struct rte_ether_addr *mac,
	uint16_t place, struct error *error)
{
	uint64_t key = fdb_key(network, mac);
	union fdb_value value = {.place = place, .fixed = true};
	union fdb_value old;
	bool known = find(fdb, key, &old);

	if (known && old.fixed && old.place != place)
		return error_set(error,
			RTE_ETHER_ADDR_PRT_FMT
			": network %s has this address at another place already",
			RTE_ETHER_ADDR_BYTES(mac), fdb->networks[network].name);
	if ((!known && is_full(fdb) && forget_one(fdb) != 0) || store(fdb, key, value) != 0)
		return error_set(error,
			"the FDB has no room for one more static entry; raise 'fdb-size' of "
			"[weft] (%u)",
			fdb->size);
	return 0;
}

int fdb_delete(struct fdb *fdb, uint16_t network, const struct rte_ether_addr *mac)
{
	uint64_t key = fdb_key(network, mac);
	union fdb_value value;

	if (!find(fdb, key, &value))
		return -1;
	erase(fdb, key, &value);
	return 0;
}

void fdb_forget_place(struct fdb *fdb, uint16_t place)
{
	const void *key;
	union fdb_value value;
	uint32_t next = 0;

	while (rte_hash_iterate(fdb->hash, &key, &value.word, &next) >= 0)
		if (value.place == place)
			erase(fdb, *(const uint64_t *)key, &value);
}

/* What fills a table does so again and again. */
static bool is_due(uint64_t *quiet_until_ms, uint64_t now_ms)
{
	if (now_ms < *quiet_until_ms)
		return false;
	*quiet_until_ms = now_ms + SAY_AGAIN_MS;
	return true;
}

static void refuse(struct fdb *fdb, struct fdb_network *network, uint64_t now_ms)
{
	network->refused++;
	if (network->n_learned >= network->addresses) {
		if (is_due(&network->quiet_until_ms, now_ms))
			RTE_LOG(WARNING, weft,
				"network %s: has its %u 'addresses' and learns no more until some "
				"have aged\n",
				network->name, network->n_learned);
	} else if (is_due(&fdb->quiet_until_ms, now_ms)) {
		RTE_LOG(WARNING, weft,
			"the FDB is full (%u entries of all networks): no more addresses are "
			"learned until some have aged; 'fdb-size' of [weft] gives it room\n",
			fdb->n_entries);
	}
}

void fdb_heard(struct fdb *fdb, uint16_t index, const struct rte_ether_addr *mac, uint16_t place,
	uint64_t now_ms)
{
	struct fdb_network *network = &fdb->networks[index];
	union fdb_value value = {.place = place, .heard = now_ms / 1000};
	uint64_t key = fdb_key(index, mac);
	union fdb_value old;
	bool known = find(fdb, key, &old);

	if (known && (old.fixed || old.word == value.word))
		return;
	if ((!known && network->n_learned >= network->addresses) || store(fdb, key, value) != 0)
		refuse(fdb, network, now_ms);
}

static void age(struct fdb *fdb, uint64_t key, const union fdb_value *value, uint64_t now_ms)
{
	uint32_t seconds = now_ms / 1000;

	if (!value->fixed && seconds - value->heard > fdb->networks[key >> 48].ageing)
		erase(fdb, key, value);
}

void fdb_age(struct fdb *fdb, uint64_t now_ms)
{
	const void *key;
	union fdb_value value;

	if (!fdb->scanning && now_ms - fdb->scanned_ms < 1000)
		return;
	if (!fdb->scanning)
		fdb->scanned_ms = now_ms;
	fdb->scanning = true;
	for (int i = 0; i < FDB_SCAN && fdb->scanning; i++) {
		if (rte_hash_iterate(fdb->hash, &key, &value.word, &fdb->cursor) >= 0) {
			age(fdb, *(const uint64_t *)key, &value, now_ms);
		} else {
			fdb->scanning = false;
			fdb->cursor = 0;
		}
	}
}
