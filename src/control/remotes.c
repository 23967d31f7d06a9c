/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/remotes.h"

#include <arpa/inet.h>

#include <rte_hash_crc.h>
#include <rte_malloc.h>

#include "control/sections/uplink.h"

int remotes_create(struct control *control, struct error *error)
{
	struct rte_hash_parameters parameters = {
		.name = "weft_remotes",
		.entries = REMOTES_MAX,
		.key_len = sizeof(uint64_t),
		.hash_func = rte_hash_crc,
		.socket_id = rte_socket_id(),
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};

	control->remotes_by_address = rte_hash_create(&parameters);
	if (control->remotes_by_address == NULL)
		return error_set(error, "not enough memory; give EAL more (-m, huge pages)");
	return 0;
}

void remotes_free(struct control *control)
{
	for (uint16_t i = 0; i < control->n_remotes; i++)
		rte_free(control->remotes[i].published);
	rte_hash_free(control->remotes_by_address);
}

static int check_address(
	const struct control *control, uint16_t network, rte_be32_t address, struct error *error)
{
	uint64_t key = remote_key(network, address);

	if (address == control->config->uplinks[control->networks[network].uplink].address)
		return error_set(error, "is the uplink's own address");
	if (rte_hash_lookup(control->remotes_by_address, &key) >= 0)
		return error_set(error, "is given twice");
	if (control->n_remotes == REMOTES_MAX)
		return error_set(error, "more than %d VTEPs in all networks", REMOTES_MAX);
	return 0;
}

/* The neighbour on the way to a VTEP. */
static int next_hop(
	struct control *control, uint16_t uplink, rte_be32_t address, struct error *error)
{
	struct address hop;

	if (uplink_next_hop(&control->config->uplinks[uplink], address, &address, error) != 0)
		return -1;
	hop = address_of_ipv4(address);
	return neighbours_add(&control->neighbours, uplink, &hop, error);
}

static int add(struct control *control, uint16_t network, rte_be32_t address, bool listed,
	struct error *error)
{
	uint64_t key = remote_key(network, address);
	uintptr_t index = control->n_remotes;
	int neighbour;

	if (check_address(control, network, address, error) != 0)
		return -1;
	neighbour = next_hop(control, control->networks[network].uplink, address, error);
	if (neighbour < 0)
		return -1;
	if (rte_hash_add_key_data(control->remotes_by_address, &key, (void *)index) != 0)
		return error_set(error, "the table of VTEPs is full");
	control->remotes[index] = (struct remote_state){
		.address = address, .network = network, .neighbour = neighbour, .listed = listed};
	control->n_remotes++;
	control->changed = true;
	return 0;
}

int remote_add(struct control *control, uint16_t network, rte_be32_t address, bool listed,
	struct error *error)
{
	char text[INET_ADDRSTRLEN];

	if (add(control, network, address, listed, error) == 0)
		return 0;
	inet_ntop(AF_INET, &address, text, sizeof(text));
	return error_prefix(error, "%s ", text);
}
