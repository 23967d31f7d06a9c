/* SPDX-License-Identifier: BSD-3-Clause */
/* Worlds that failed, run again: as they were, and with fewer packets. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define DOWNWARDS 32 /* shorter prefixes that are tried */

/* ---- a world as text ---- */

#define FIELD(name, member, least, most)                                                           \
	{                                                                                          \
		name, offsetof(struct world_config, member),                                       \
			sizeof(((struct world_config *)0)->member), least, most                    \
	}

static const struct field {
	const char *name;
	size_t offset;
	size_t size;
	uint64_t least, most;
} fields[] = {
	FIELD("seed", seed, 0, UINT64_MAX),
	FIELD("flows", flow_seed, 0, UINT64_MAX),
	FIELD("lcores", n_lcores, 1, 16),
	FIELD("credits", credits, 64, 4096),
	FIELD("uplinks", n_uplinks, 1, SIM_UPLINKS_MAX),
	FIELD("uplink-queues", uplink_queues, 1, SIM_QUEUES_MAX),
	FIELD("container-queues", container_queues, 1, SIM_QUEUES_MAX),
	FIELD("uplink-owner", uplink_owner, 0, SIM_ANY),
	FIELD("container-owner", container_owner, 0, SIM_ANY),
	FIELD("n-flows", n_flows, 0, SIM_FLOWS_MAX),
	FIELD("order", order, 0, VIRTUAL_ADVERSARIAL),
	FIELD("packets", packets, 1, UINT32_MAX),
	FIELD("prefix", prefix, 0, UINT64_MAX),
	FIELD("faulty", faulty, 0, 1),
	FIELD("refusing", refusing, 0, 1),
	FIELD("learning", learning, 0, 1),
	FIELD("churning", churning, 0, 1),
	FIELD("stalling", stalling, 0, 1),
	FIELD("steering", steering, 0, 1),
	FIELD("compared", compared, 0, 1),
	FIELD("row", row, 0, UINT16_MAX),
	FIELD("branches", n_branches, 0, BRANCHES_MAX),
	FIELD("batch", batch, 0, BATCH_MAX),
	FIELD("n-elephants", n_elephants, 0, SIM_FLOWS_MAX),
	FIELD("elephants", elephants, 0, ELEPHANTS_MAX),
	FIELD("rate", rate, 0, UINT32_MAX),
	FIELD("window", window, 0, UINT16_MAX),
	FIELD("failing", failing, 0, 100),
	FIELD("pausing", pausing, 0, 1),
	FIELD("flooding", flooding, 0, 1),
	FIELD("patient", patient, 0, 1),
};

static uint64_t get(const struct world_config *config, const struct field *field)
{
	uint64_t value = 0;

	/* Little-endian, as everything DPDK runs on here. */
	memcpy(&value, (const char *)config + field->offset, field->size);
	return value;
}

static void set(struct world_config *config, const struct field *field, uint64_t value)
{
	memcpy((char *)config + field->offset, &value, field->size);
}

void world_config_write(const struct world_config *config, FILE *file)
{
	for (unsigned int i = 0; i < RTE_DIM(fields); i++)
		if (get(config, &fields[i]) != 0)
			fprintf(file, "%s=%" PRIu64 " ", fields[i].name, get(config, &fields[i]));
	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++)
		if (config->placement[stage] != LCORE_INLINE)
			fprintf(file, "%s=%u ", stage_table[stage]->name, config->placement[stage]);
}

static int read_word(struct world_config *config, const char *name, uint64_t value)
{
	int stage = stage_find(name);

	for (unsigned int i = 0; i < RTE_DIM(fields); i++) {
		if (strcmp(fields[i].name, name) == 0) {
			set(config, &fields[i], value);
			return value >= fields[i].least && value <= fields[i].most ? 0 : -1;
		}
	}
	if (stage < 0 || stage >= STAGE_COUNT)
		return -1;
	config->placement[stage] = value;
	return 0;
}

static bool is_lcore(const struct world_config *config, uint16_t lcore)
{
	return lcore < config->n_lcores;
}

/* What is left out has the value 0. */
static bool is_complete(const struct world_config *config)
{
	for (unsigned int i = 0; i < RTE_DIM(fields); i++)
		if (get(config, &fields[i]) < fields[i].least)
			return false;
	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++)
		if (config->placement[stage] != LCORE_INLINE &&
			!is_lcore(config, config->placement[stage]))
			return false;
	if (config->row > 0 && (world_row(config->row - 1) == NULL || config->n_branches == 0 ||
				       config->batch == 0 || config->rate == 0))
		return false;
	return (config->uplink_owner == SIM_ANY || is_lcore(config, config->uplink_owner)) &&
	       (config->container_owner == SIM_ANY || is_lcore(config, config->container_owner));
}

int world_config_read(struct world_config *config, const char *text)
{
	char name[32];
	uint64_t value;
	int length;

	memset(config, 0, sizeof(*config));
	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++)
		config->placement[stage] = LCORE_INLINE;
	while (sscanf(text, " %31[^= ]=%" SCNu64 "%n", name, &value, &length) == 2) {
		if (read_word(config, name, value) != 0)
			break;
		text += length;
	}
	if (text[strspn(text, " ")] == '\0' && is_complete(config))
		return 0;
	fprintf(stderr, "not the words of a world%s%s\n", *text ? ", from here on: " : ": too few",
		text);
	return -1;
}

/* ---- once more ---- */

struct world_config world_config_reference(const struct world_config *config)
{
	struct world_config reference = *config;

	reference.n_lcores = 1;
	reference.credits = 512;
	reference.order = VIRTUAL_BY_COST;
	reference.uplink_owner = reference.container_owner = 0;
	reference.refusing = reference.churning = reference.stalling = reference.steering =
		reference.pausing = reference.patient = false;
	reference.row = 0;
	reference.prefix = 0;
	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++)
		reference.placement[stage] = LCORE_INLINE;
	return reference;
}

void world_compare_with_reference(struct world *world)
{
	struct world_config config = world_config_reference(&world->config);
	struct world *reference;

	world_end(world);
	reference = world_create(&config);
	for (uint16_t i = 0; i < world->n_flows; i++)
		reference->flows[i].budget = world->flows[i].next;
	world_run(reference);
	if (reference->failed)
		world_fail(world, "the reference: %s", reference->failure);
	else
		world_compare(reference, world);
	world_free(reference);
}

struct world *world_try(const struct world_config *config)
{
	struct world *world = world_create(config);

	world_run(world);
	if (!world->failed && config->compared)
		world_compare_with_reference(world);
	return world;
}

static bool fails(struct world_config config, uint64_t prefix)
{
	struct world *world;
	bool failed;

	config.prefix = prefix;
	world = world_try(&config);
	failed = world->failed;
	world_free(world);
	return failed;
}

/* Between a prefix that holds and one that fails. With faults that depend on the time, a shorter
 * one may fail although a longer one holds, so those just below are tried one by one. */
static uint64_t shortest_prefix(const struct world_config *config, uint64_t fails_at)
{
	uint64_t holds_at = 0;

	while (fails_at - holds_at > 1) {
		uint64_t middle = (holds_at + fails_at) / 2;

		if (fails(*config, middle))
			fails_at = middle;
		else
			holds_at = middle;
	}
	for (uint64_t i = 1; i <= DOWNWARDS && i < fails_at; i++)
		if (fails(*config, fails_at - i)) {
			fails_at -= i;
			i = 0;
		}
	return fails_at;
}

void world_shorten(struct world *world)
{
	struct world_config config = world->config;
	uint64_t given = world_given(world);

	world_report(world);
	world_end(world);
	if (given == 0 || !fails(config, given)) {
		fprintf(stderr,
			"  it does not fail again with the first %" PRIu64 " packets alone\n",
			given);
		return;
	}
	config.prefix = shortest_prefix(&config, given);
	fprintf(stderr,
		"  shortest prefix found that still fails: %" PRIu64 " packets; again:\n"
		"  build/sim-pipeline '",
		config.prefix);
	world_config_write(&config, stderr);
	fprintf(stderr, "'\n");
}

bool world_passed(struct world *world)
{
	bool failed = world->failed;

	if (failed)
		world_shorten(world);
	world_free(world);
	return !failed;
}
