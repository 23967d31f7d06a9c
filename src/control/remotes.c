/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/remotes.h"

#include <string.h>

#include <rte_hash_crc.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "stages/tables.h"

static struct rte_hash *make_hash(const char *name, uint32_t entries, uint32_t key_length)
{
	struct rte_hash_parameters parameters = {
		.name = name,
		/* A full hash table refuses entries before its last. */
		.entries = entries + entries / 8,
		.key_len = key_length,
		.hash_func = rte_hash_crc,
		.socket_id = rte_socket_id(),
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};

	return rte_hash_create(&parameters);
}

int remotes_create(struct remotes *remotes, struct error *error)
{
	remotes->vteps_by_address = make_hash("weft_vteps", VTEPS_MAX, sizeof(struct address));
	remotes->by_address = make_hash("weft_remotes", REMOTES_MAX, sizeof(struct remote_key));
	if (remotes->vteps_by_address == NULL || remotes->by_address == NULL)
		return error_set(error, "not enough memory; give EAL more (-m, huge pages)");
	return 0;
}

void remotes_free(struct remotes *remotes)
{
	for (uint16_t i = 0; i < remotes->n; i++)
		rte_free(remotes->list[i].published);
	rte_hash_free(remotes->by_address);
	rte_hash_free(remotes->vteps_by_address);
}

static int find(const struct rte_hash *hash, const void *key)
{
	void *index;

	return rte_hash_lookup_data(hash, key, &index) >= 0 ? (int)(uintptr_t)index : -1;
}

static int store(struct rte_hash *hash, const void *key, uint16_t index)
{
	return rte_hash_add_key_data(hash, key, (void *)(uintptr_t)index);
}

int remotes_find(const struct remotes *remotes, uint16_t network, const struct address *address)
{
	const struct remote_key key = {.address = *address, .network = network};

	return find(remotes->by_address, &key);
}

const struct address *remotes_address(const struct remotes *remotes, uint16_t index)
{
	assert(index < remotes->n);
	return &remotes->vteps[remotes->list[index].vtep].address;
}

int remotes_check(const struct remotes *remotes, uint16_t network, const struct address *address,
	struct error *error)
{
	if (remotes_find(remotes, network, address) >= 0)
		return error_set(error, "is given twice");
	if (remotes->n == REMOTES_MAX)
		return error_set(error, "more than %d VTEPs in all networks", REMOTES_MAX);
	return 0;
}

static_assert(VTEPS_MAX >= REMOTES_MAX, "where there is room for a remote there is for its VTEP");

/* The index of the VTEP, which is made if no network has had it yet; or -1. */
static int add_vtep(struct remotes *remotes, const struct address *address)
{
	int index = find(remotes->vteps_by_address, address);

	if (index >= 0)
		return index;
	if (store(remotes->vteps_by_address, address, remotes->n_vteps) != 0)
		return -1;
	remotes->vteps[remotes->n_vteps].address = *address;
	return remotes->n_vteps++;
}

int remotes_add(struct remotes *remotes, uint16_t network, const struct address *address,
	uint16_t neighbour, bool listed, struct error *error)
{
	const struct remote_key key = {.address = *address, .network = network};
	int vtep = add_vtep(remotes, address);

	if (vtep < 0 || store(remotes->by_address, &key, remotes->n) != 0)
		return error_set(error, "the table of VTEPs is full");
	remotes->list[remotes->n] = (struct remote_state){
		.vtep = vtep, .network = network, .neighbour = neighbour, .listed = listed};
	return remotes->n++;
}

struct remote *remotes_publish(struct remotes *remotes, uint16_t index, const struct remote *remote,
	struct deferred_list *deferred)
{
	struct remote_state *state = &remotes->list[index];
	struct remote *copy;

	if (state->published != NULL && memcmp(state->published, remote, sizeof(*remote)) == 0)
		return state->published;
	copy = rte_malloc("remote", sizeof(*copy), RTE_CACHE_LINE_SIZE);
	if (copy == NULL)
		return NULL;
	memcpy(copy, remote, sizeof(*copy));
	if (state->published != NULL)
		deferred_add(deferred, rte_free, state->published);
	state->published = copy;
	return copy;
}
