/* SPDX-License-Identifier: BSD-3-Clause */
/* Worlds that failed, run again: as they were, and with fewer packets. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define NOBODY "-" /* no lcore: inline, or as the seed has it */

/* ---- a world as text ---- */

#define FIELD(name, member)                                                                        \
	{                                                                                          \
		name, offsetof(struct world_config, member),                                       \
			sizeof(((struct world_config *)0)->member)                                 \
	}

static const struct field {
	const char *name;
	size_t offset;
	size_t size;
} fields[] = {
	FIELD("seed", seed),
	FIELD("flows", flow_seed),
	FIELD("lcores", n_lcores),
	FIELD("credits", credits),
	FIELD("uplinks", n_uplinks),
	FIELD("uplink-queues", uplink_queues),
	FIELD("container-queues", container_queues),
	FIELD("uplink-owner", uplink_owner),
	FIELD("container-owner", container_owner),
	FIELD("order", order),
	FIELD("packets", packets),
	FIELD("prefix", prefix),
	FIELD("faulty", faulty),
	FIELD("refusing", refusing),
	FIELD("learning", learning),
	FIELD("churning", churning),
	FIELD("stalling", stalling),
	FIELD("compared", compared),
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
			fprintf(file, "%s=%u ", stage_table[stage].name, config->placement[stage]);
}

static int read_word(struct world_config *config, const char *name, uint64_t value)
{
	int stage = stage_find(name);

	for (unsigned int i = 0; i < RTE_DIM(fields); i++) {
		if (strcmp(fields[i].name, name) == 0) {
			set(config, &fields[i], value);
			return 0;
		}
	}
	if (stage < 0 || stage >= STAGE_COUNT)
		return -1;
	config->placement[stage] = value;
	return 0;
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
	if (text[strspn(text, " ")] == '\0')
		return 0;
	fprintf(stderr, "not the words of a world: '%s'\n", text);
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
	reference.refusing = reference.churning = reference.stalling = false;
	reference.prefix = 0;
	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++)
		reference.placement[stage] = LCORE_INLINE;
	return reference;
}

/* Just the packets that the world was given. */
static void compare_with_reference(struct world *world)
{
	struct world_config config = world_config_reference(&world->config);
	struct world *reference;

	world_end(world);
	reference = world_create(&config);
	for (uint16_t i = 0; i < world->n_flows; i++)
		reference->flows[i].budget = world->flows[i].next;
	world_run(reference);
	if (!reference->failed)
		world_compare(reference, world);
	world_free(reference);
}

struct world *world_try(const struct world_config *config)
{
	struct world *world = world_create(config);

	world_run(world);
	if (!world->failed && config->compared)
		compare_with_reference(world);
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

/* Between a prefix that holds and one that fails. */
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
		"  shortest prefix that still fails: %" PRIu64 " packets; again:\n"
		"  build/sim-pipeline '",
		config.prefix);
	world_config_write(&config, stderr);
	fprintf(stderr, "'\n");
}
