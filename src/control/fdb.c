/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/fdb.h"

#include <arpa/inet.h>
#include <inttypes.h>

#include <rte_hash_crc.h>

#include "base/log.h"

#define SAY_AGAIN_MS (10 * 60 * 1000)

int fdb_create(struct control *control, struct error *error)
{
	uint32_t size = control->config->weft.fdb_size;
	struct rte_hash_parameters parameters = {
		.name = "weft_fdb",
		/* A full hash table refuses entries before its last. */
		.entries = size + size / 8,
		.key_len = sizeof(uint64_t),
		.hash_func = rte_hash_crc,
		.socket_id = rte_socket_id(),
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};
	struct rte_hash_rcu_config rcu = {
		.v = control->dataplane->rcu,
		.mode = RTE_HASH_QSBR_MODE_DQ,
	};

	control->fdb = rte_hash_create(&parameters);
	if (control->fdb == NULL || rte_hash_rcu_qsbr_add(control->fdb, &rcu) != 0)
		return error_set(error,
			"[weft]: fdb-size: not enough memory for %u entries; lower it, or give EAL "
			"more (-m)",
			size);
	return 0;
}

void fdb_free(struct control *control)
{
	rte_hash_free(control->fdb);
}

static bool find(const struct control *control, uint64_t key, union fdb_value *value)
{
	return rte_hash_lookup_data(control->fdb, &key, &value->word) >= 0;
}

static void count(struct control *control, uint64_t key, const union fdb_value *value, int change)
{
	control->n_entries += change;
	if (!value->fixed)
		control->networks[key >> 48].n_learned += change;
}

static bool is_full(const struct control *control)
{
	return control->n_entries >= control->config->weft.fdb_size;
}

static int store(struct control *control, uint64_t key, union fdb_value value)
{
	union fdb_value old;
	bool known = find(control, key, &old);

	if (!known && is_full(control))
		return -1;
	if (rte_hash_add_key_data(control->fdb, &key, value.word) != 0)
		return -1;
	if (known)
		count(control, key, &old, -1);
	count(control, key, &value, 1);
	return 0;
}

static void erase(struct control *control, uint64_t key, const union fdb_value *value)
{
	rte_hash_del_key(control->fdb, &key);
	count(control, key, value, -1);
}

/* What was learned can be learned again. -1 if nothing was. */
static int forget_one(struct control *control)
{
	const void *key;
	union fdb_value value;
	uint32_t next = 0;

	while (rte_hash_iterate(control->fdb, &key, &value.word, &next) >= 0)
		if (!value.fixed) {
			erase(control, *(const uint64_t *)key, &value);
			return 0;
		}
	return -1;
}

int fdb_add_static(struct control *control, uint16_t network, const struct rte_ether_addr *mac,
	uint16_t place, struct error *error)
{
	uint64_t key = fdb_key(network, mac);
	union fdb_value value = {.place = place, .fixed = true};
	union fdb_value old;
	bool known = find(control, key, &old);

	if (known && old.fixed && old.place != place)
		return error_set(error,
			RTE_ETHER_ADDR_PRT_FMT
			": network %s has this address at another place already",
			RTE_ETHER_ADDR_BYTES(mac), control->networks[network].config->name);
	if ((!known && is_full(control) && forget_one(control) != 0) ||
		store(control, key, value) != 0)
		return error_set(error,
			"the FDB has no room for one more static entry; raise 'fdb-size' of "
			"[weft] (%u)",
			control->config->weft.fdb_size);
	return 0;
}

static uint16_t place_of(
	const struct control *control, const struct fdb_config *entry, uint16_t network)
{
	const struct port *port = control_port(control, entry->port);

	if (entry->port[0] != '\0')
		return port != NULL && !port->uplink && port->network == network ? port->index
										 : PLACE_NONE;
	for (uint16_t i = 0; i < control->n_remotes; i++)
		if (control->remotes[i].network == network &&
			control->remotes[i].address == entry->vtep)
			return PLACE_REMOTE | i;
	return PLACE_NONE;
}

static int unknown_place(const struct fdb_config *entry, struct error *error)
{
	char vtep[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &entry->vtep, vtep, sizeof(vtep));
	if (entry->port[0] != '\0')
		return error_set(error, RTE_ETHER_ADDR_PRT_FMT ": network %s has no port '%s'",
			RTE_ETHER_ADDR_BYTES(&entry->mac), entry->network, entry->port);
	return error_set(error,
		RTE_ETHER_ADDR_PRT_FMT ": %s is no VTEP in the 'vteps' of network %s",
		RTE_ETHER_ADDR_BYTES(&entry->mac), vtep, entry->network);
}

int fdb_add_configured(struct control *control, const struct fdb_config *entry, struct error *error)
{
	uint16_t network = control_network(control, entry->network);
	uint16_t place;

	if (network == NETWORK_NONE)
		return error_set(error, "no network is called '%s'", entry->network);
	place = place_of(control, entry, network);
	if (place == PLACE_NONE)
		return unknown_place(entry, error);
	return fdb_add_static(control, network, &entry->mac, place, error);
}

int fdb_delete(struct control *control, uint16_t network, const struct rte_ether_addr *mac)
{
	uint64_t key = fdb_key(network, mac);
	union fdb_value value;

	if (!find(control, key, &value))
		return -1;
	erase(control, key, &value);
	return 0;
}

void fdb_forget_place(struct control *control, uint16_t place)
{
	const void *key;
	union fdb_value value;
	uint32_t next = 0;

	while (rte_hash_iterate(control->fdb, &key, &value.word, &next) >= 0)
		if (value.place == place)
			erase(control, *(const uint64_t *)key, &value);
}

static bool place_exists(const struct control *control, uint16_t network, uint16_t place)
{
	if (place_is_remote(place))
		return (place & ~PLACE_REMOTE) < control->n_remotes;
	return control->ports[place] != NULL && control->ports[place]->network == network;
}

/* What fills a table does so again and again. */
static bool is_due(const struct control *control, uint64_t *quiet_until_ms)
{
	uint64_t now = control_now_ms(control);

	if (now < *quiet_until_ms)
		return false;
	*quiet_until_ms = now + SAY_AGAIN_MS;
	return true;
}

static void refuse(struct control *control, struct network_state *state)
{
	state->refused++;
	if (state->n_learned >= state->config->addresses) {
		if (is_due(control, &state->quiet_until_ms))
			RTE_LOG(WARNING, weft,
				"network %s: has its %u 'addresses' and learns no more until some "
				"have aged\n",
				state->config->name, state->n_learned);
	} else if (is_due(control, &control->quiet_until_ms)) {
		RTE_LOG(WARNING, weft,
			"the FDB is full (%u entries of all networks): no more addresses are "
			"learned until some have aged; 'fdb-size' of [weft] gives it room\n",
			control->n_entries);
	}
}

void fdb_heard(
	struct control *control, uint16_t network, const struct rte_ether_addr *mac, uint16_t place)
{
	struct network_state *state = &control->networks[network];
	union fdb_value value = {.place = place, .heard = control_now_seconds(control)};
	uint64_t key = fdb_key(network, mac);
	union fdb_value old;
	bool known = find(control, key, &old);

	if (known && (old.fixed || old.word == value.word))
		return;
	/* The notice may have waited while its port was removed. */
	if (!place_exists(control, network, place))
		return;
	if ((!known && state->n_learned >= state->config->addresses) ||
		store(control, key, value) != 0)
		refuse(control, state);
}

static void age(struct control *control, uint64_t key, const union fdb_value *value)
{
	uint32_t ageing = control->networks[key >> 48].config->ageing;

	if (!value->fixed && control_now_seconds(control) - value->heard > ageing)
		erase(control, key, value);
}

void fdb_age(struct control *control)
{
	uint64_t now = control_now_ms(control);
	const void *key;
	union fdb_value value;

	if (!control->fdb_scanning && now - control->scanned_ms < 1000)
		return;
	if (!control->fdb_scanning)
		control->scanned_ms = now;
	control->fdb_scanning = true;
	for (int i = 0; i < FDB_SCAN && control->fdb_scanning; i++) {
		if (rte_hash_iterate(control->fdb, &key, &value.word, &control->fdb_cursor) >= 0) {
			age(control, *(const uint64_t *)key, &value);
		} else {
			control->fdb_scanning = false;
			control->fdb_cursor = 0;
		}
	}
}
