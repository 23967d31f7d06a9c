/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What steering costs and brings on two real lcores: one flow through the receive path, by the
 * modes of the papers, over each path that the choice of lcores can come to, and beside each the
 * path that it is compared with: run to completion on one lcore (vanilla), and for Falcon with its
 * gate closed the path of rps. All variants take turns, round after round, in one run, and each has
 * a run of its reference just before or just after its own; a pair counts if it began and ended at
 * one distance of the two cores, and nobody else was at work.
 *
 * Source and sink are in the process (carry.h). Lcores are chosen by hash alone, so that a flow
 * stays on its path; each placement has a flow that comes to it. The gate is told apart by a
 * threshold that is never or always reached. Where elephants are split the flow is one before
 * anything is measured, and is merged where its container's queue is, which it comes to by itself.
 *
 * usage: bench-steer [EAL options, three lcores: main, a worker on the same CPU, one on another]
 * [-- PAIRS]: how many must count (20)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_lcore.h>

#include "base/flow_hash.h"
#include "carry.h"
#include "engine/door.h"
#include "engine/lcore.h"
#include "rounds.h"

#define PAIRS_DEFAULT 20
#define PAIRS_LEAST 6 /* to print a variant */
#define PAIRS_MAX 256 /* of a variant */
#define QUIETEST 4    /* one pair of so many counts */
#define WARM_UP_MS 3  /* the gate closes in two */
#define RUN_MS 5
#define CORES 2
#define NEVER_REACHED (LOAD_FULL + 1)
#define FIRST_PORT 50000
#define FLOWS 512 /* tried, to find one for each placement */
#define VARIANTS_MAX 64
#define BRANCHES 2
#define BATCH 256
#define ELEPHANT_WINDOW_US 500

/* ---- what is compared ---- */

static const struct setup {
	const char *name;
	const char *mode;
	uint16_t n_lcores;
	uint16_t owner; /* of the container's queue */
	uint16_t n_steering;
	uint16_t steering[CORES];
	bool closed; /* Falcon's gate */
	uint16_t n_branches;
	uint16_t branches[BRANCHES];
} setups[] = {
	{"one lcore", "vanilla", 1, 0, 0, {0}, false, 0, {0}},
	{"deliver on another lcore", "vanilla", 2, 1, 0, {0}, false, 0, {0}},
	{"steered to the same lcore", "rps", 1, 0, 1, {0}, false, 0, {0}},
	{"steered to the same lcore", "falcon-dev", 1, 0, 1, {0}, false, 0, {0}},
	{"steered to the same lcore", "falcon-func", 1, 0, 1, {0}, false, 0, {0}},
	{"steering lcore 1", "rps", 2, 1, 1, {1}, false, 0, {0}},
	{"steering lcore 1", "falcon-dev", 2, 1, 1, {1}, false, 0, {0}},
	{"steering lcore 1", "falcon-func", 2, 1, 1, {1}, false, 0, {0}},
	{"steering lcores 0 and 1", "rps", 2, 1, 2, {0, 1}, false, 0, {0}},
	{"steering lcores 0 and 1", "falcon-dev", 2, 1, 2, {0, 1}, false, 0, {0}},
	{"steering lcores 0 and 1", "falcon-func", 2, 1, 2, {0, 1}, false, 0, {0}},
	{"steering lcore 1, gate closed", "falcon-dev", 2, 1, 1, {1}, true, 0, {0}},
	{"1 branch, merged on lcore 1", "mflow-device", 2, 1, 1, {1}, false, 1, {1}},
	{"1 branch, merged on lcore 1", "mflow-full", 2, 1, 1, {1}, false, 1, {1}},
	{"2 branches, merged on lcore 1", "mflow-device", 2, 1, 1, {1}, false, 2, {0, 1}},
	{"2 branches, merged on lcore 1", "mflow-full", 2, 1, 1, {1}, false, 2, {0, 1}},
	{"2 branches, merged on lcore 0", "mflow-device", 2, 0, 1, {1}, false, 2, {0, 1}},
	{"2 branches, merged on lcore 0", "mflow-full", 2, 0, 1, {1}, false, 2, {0, 1}},
};

#define VANILLA_SETUP 0
#define RPS_SETUP 5 /* what Falcon goes as while its gate is closed */

static const uint16_t frame_sizes[] = {64, 1450};

/* The steps behind the door. */
static const unsigned int way[] = {
	STAGE_RX, STAGE_GRO, STAGE_VXLAN, STAGE_BRIDGE, STAGE_VETH, STEP_DELIVER};

#define WAY RTE_DIM(way)

/* A setup with a flow. */
struct variant {
	const struct setup *setup;
	uint16_t frame_bytes;
	uint16_t group;
	struct fixture_frame frame;
	uint16_t where[BRANCHES][WAY]; /* the lcore of each step; without branches there is one */
	unsigned int reference;	       /* the variant that it is compared with */
};

enum side { REFERENCE, ITSELF, SIDES };

static unsigned int n_variants;
static struct variant variants[VARIANTS_MAX];
static struct carry_result results[VARIANTS_MAX][PAIRS_MAX][SIDES];
static struct numbers numbers[VARIANTS_MAX]; /* of all runs */

/* With this rate a flow becomes an elephant as soon as it can, and stays one. */
static struct micro_flows micro_flows_of(const struct setup *setup)
{
	struct micro_flows micro_flows = {.batch = BATCH,
		.n_branches = setup->n_branches,
		.n_elephants = setup->n_branches > 0,
		.rate = 1,
		.window = ELEPHANT_WINDOW_US,
		.n = setup->n_branches};

	memcpy(micro_flows.lcores, setup->branches, sizeof(setup->branches));
	return micro_flows;
}

static struct dataplane_config config_of(const struct setup *setup)
{
	struct dataplane_config config;

	carry_config(&config, setup->n_lcores, setup->mode);
	config.steering = (struct steering){.n = setup->n_steering,
		.policy = policy_find("static"),
		.threshold = setup->closed ? 0 : NEVER_REACHED};
	memcpy(config.steering.lcores, setup->steering, sizeof(setup->steering));
	config.micro_flows = micro_flows_of(setup);
	return config;
}

static unsigned int count_ways(const struct setup *setup)
{
	return RTE_MAX(setup->n_branches, 1);
}

static struct path path_of(const struct variant *variant, uint16_t number)
{
	const struct setup *setup = variant->setup;
	const struct dataplane_config config = config_of(setup);
	const struct branch branch = {.number = number, .consumer = setup->owner};
	const uint32_t loads[CORES] = {0};
	struct path path = {.second = 0};

	if (config.plan.splits)
		return path_choose_branch(
			&config.plan, &config.steering, &config.micro_flows, loads, 0, &branch);
	if (config.plan.sorting != SORTING_NONE)
		return path_choose(
			&config.plan, !setup->closed, &config.steering, loads, 0, variant->group);
	memcpy(path.lcore, config.plan.lcore, sizeof(path.lcore));
	return path;
}

static void find_places(struct variant *variant, unsigned int branch)
{
	struct path path = path_of(variant, branch);
	uint16_t here = 0;

	for (unsigned int i = 0; i < WAY; i++) {
		uint16_t lcore =
			way[i] == STEP_DELIVER ? variant->setup->owner : path.lcore[way[i]];

		if (lcore != LCORE_INLINE)
			here = lcore;
		variant->where[branch][i] = here;
	}
}

static uint16_t group_of(const struct fixture_frame *frame)
{
	struct rte_mbuf mbuf = {
		.buf_addr = (void *)(uintptr_t)frame->data, .data_len = frame->bytes};

	return flow_hash_tunnelled(&mbuf) % FLOW_GROUPS;
}

static bool is_known(const struct variant *variant, unsigned int first)
{
	for (unsigned int i = first; i < n_variants; i++)
		if (memcmp(variants[i].where, variant->where, sizeof(variant->where)) == 0)
			return true;
	return false;
}

/* One for each placement that some flow comes to. */
static void add_setup(const struct setup *setup, uint16_t frame_bytes, unsigned int reference)
{
	unsigned int first = n_variants;

	for (uint16_t flow = 0; flow < FLOWS && n_variants < VARIANTS_MAX; flow++) {
		struct variant *variant = &variants[n_variants];

		*variant = (struct variant){
			.setup = setup, .frame_bytes = frame_bytes, .reference = reference};
		fixture_frame_vxlan(&variant->frame, frame_bytes - RTE_ETHER_CRC_LEN);
		fixture_frame_flow(&variant->frame, FIRST_PORT + flow);
		variant->group = group_of(&variant->frame);
		for (unsigned int i = 0; i < count_ways(setup); i++)
			find_places(variant, i);
		n_variants += !is_known(variant, first);
	}
}

static void make_variants(void)
{
	for (unsigned int size = 0; size < RTE_DIM(frame_sizes); size++) {
		unsigned int first[RTE_DIM(setups)];

		for (unsigned int i = 0; i < RTE_DIM(setups); i++) {
			first[i] = n_variants;
			add_setup(&setups[i], frame_sizes[size],
				first[setups[i].closed ? RPS_SETUP : VANILLA_SETUP]);
		}
	}
}

/* ---- a run ---- */

static bool has_path(const struct moves *moves, uint16_t account, struct path path)
{
	return path_is(&moves->paths[account], &path);
}

/* An elephant's branches are all there, or the flow group has its path. */
static bool is_on_its_way(const struct variant *variant, const struct door *door)
{
	const struct elephant *elephant = &door->elephants.list[0];

	if (door->sorting == SORTING_NONE)
		return true;
	if (variant->setup->n_branches == 0)
		return has_path(&door->moves, variant->group, path_of(variant, 0));
	for (uint16_t i = 0; i < variant->setup->n_branches; i++)
		if (!has_path(&door->moves, ACCOUNT_BRANCHES + i, path_of(variant, i)))
			return false;
	return elephant->state == ELEPHANT_SPLIT;
}

static struct carry_result run(struct tables *tables, struct variant *variant)
{
	const struct dataplane_config config = config_of(variant->setup);
	struct dataplane *dataplane =
		carry_start(&config, tables, &variant->frame, variant->setup->owner, CARRY_WINDOW);
	struct carry_result result;

	if (variant->setup->n_branches > 0)
		carry_await_merge(dataplane, variant->setup->owner);
	usleep(WARM_UP_MS * 1000);
	result = carry_measure(dataplane, RUN_MS);
	carry_stop(dataplane, variant->setup->mode, &numbers[variant - variants]);
	if (!is_on_its_way(variant, dataplane->lcores[0]->door))
		rte_exit(EXIT_FAILURE, "bench-steer: %s, %s: the flow has another path\n",
			variant->setup->mode, variant->setup->name);
	dataplane_free(dataplane);
	return result;
}

/* The reference goes first in every other pair. */
static void run_pair(struct tables *tables, unsigned int variant, unsigned int pair)
{
	unsigned int round = pair * n_variants + variant;
	unsigned int which[SIDES] = {variants[variant].reference, variant};

	rounds_begin(round);
	for (unsigned int i = 0; i < SIDES; i++) {
		enum side side = (i + pair) % SIDES;

		results[variant][pair][side] = run(tables, &variants[which[side]]);
	}
	rounds_end(round);
}

/* ---- figures ---- */

/* The pairs of a variant that count. */
struct pairs {
	unsigned int n;
	unsigned int list[PAIRS_MAX];
};

static struct pairs pairs_at(unsigned int variant, enum distance_class class, unsigned int rounds)
{
	struct pairs pairs = {.n = 0};

	for (unsigned int pair = 0; pair < rounds; pair++)
		if (rounds_classes[pair * n_variants + variant] == class)
			pairs.list[pairs.n++] = pair;
	return pairs;
}

static double member(unsigned int variant, unsigned int pair, enum side side, size_t offset)
{
	return *(const double *)((const char *)&results[variant][pair][side] + offset);
}

static double median_of(unsigned int variant, const struct pairs *pairs, size_t offset)
{
	double values[PAIRS_MAX];

	for (unsigned int i = 0; i < pairs->n; i++)
		values[i] = member(variant, pairs->list[i], ITSELF, offset);
	return fixture_median(values, pairs->n);
}

/* By how much the variant needs more cycles a packet than what it is compared with. */
static double median_extra(unsigned int variant, const struct pairs *pairs)
{
	double values[PAIRS_MAX];

	for (unsigned int i = 0; i < pairs->n; i++) {
		const struct carry_result *both = results[variant][pairs->list[i]];

		values[i] = both[ITSELF].cycles - both[REFERENCE].cycles;
	}
	return fixture_median(values, pairs->n);
}

struct ratio {
	double median, low, high;
};

static struct ratio ratio_of(unsigned int variant, const struct pairs *pairs)
{
	double values[PAIRS_MAX];
	struct ratio ratio;

	for (unsigned int i = 0; i < pairs->n; i++) {
		const struct carry_result *both = results[variant][pairs->list[i]];

		values[i] = both[ITSELF].pps / both[REFERENCE].pps;
	}
	ratio.median = fixture_median(values, pairs->n);
	fixture_interval(values, pairs->n, &ratio.low, &ratio.high);
	return ratio;
}

static unsigned int count_hops(const struct variant *variant)
{
	unsigned int hops = 0;
	uint16_t here = 0;

	for (unsigned int i = 0; i < WAY; i++) {
		hops += variant->where[0][i] != here;
		here = variant->where[0][i];
	}
	return hops;
}

/* The variant of the same mode and frame size that stays on one lcore. */
static unsigned int find_alone(const struct variant *variant)
{
	unsigned int i = 0;

	while (variants[i].setup->n_lcores > 1 || variants[i].frame_bytes != variant->frame_bytes ||
		strcmp(variants[i].setup->mode, variant->setup->mode) != 0)
		i++;
	return i;
}

/* ---- rows ---- */

/* Where branches are on several lcores, all of them. */
static void print_places(const struct variant *variant, unsigned int step)
{
	unsigned int ways = count_ways(variant->setup);

	printf("%s %u", stage_table[way[step]]->name, variant->where[0][step]);
	for (unsigned int i = 1; i < ways; i++)
		if (variant->where[i][step] != variant->where[i - 1][step])
			printf(" and %u", variant->where[i][step]);
}

static void print_path(const struct variant *variant)
{
	printf("\"path\": \"");
	for (unsigned int i = 0; i < WAY; i++) {
		printf("%s", i > 0 ? ", " : "");
		print_places(variant, i);
	}
	printf("\", ");
}

static void print_steps(unsigned int variant, const struct pairs *pairs)
{
	const char *separator = "";

	printf("\"stage_cycles\": {");
	for (int step = 0; step < STEP_COUNT; step++) {
		double cycles = median_of(variant, pairs,
			offsetof(struct carry_result, steps) + step * sizeof(double));

		if (cycles <= 0)
			continue;
		printf("%s\"%s\": %.1f", separator, stage_table[step]->name, cycles);
		separator = ", ";
	}
	printf("}, ");
}

static void print_ratio(unsigned int variant, const struct pairs *pairs)
{
	struct ratio ratio = ratio_of(variant, pairs);

	printf("\"ratio_to_%s\": %.4f, \"interval\": [%.4f, %.4f], ",
		variants[variants[variant].reference].setup->mode, ratio.median, ratio.low,
		ratio.high);
}

/* What the transitions of a path cost: those to the same lcore as they do where all are, and those
 * to another one what is left of the difference. */
static void print_transitions(unsigned int variant, const struct pairs *pairs,
	enum distance_class class, unsigned int rounds)
{
	unsigned int alone = find_alone(&variants[variant]);
	const struct pairs alone_pairs = pairs_at(alone, class, rounds);
	unsigned int hops = count_hops(&variants[variant]);
	double extra = median_extra(variant, pairs);

	printf("\"hops\": %u, ", hops);
	if (variants[variant].setup->closed || alone_pairs.n < PAIRS_LEAST)
		return;
	printf("\"steer_cycles\": %.1f, ", median_extra(alone, &alone_pairs));
	if (hops > 0)
		printf("\"hop_cycles\": %.1f, ",
			(extra - median_extra(alone, &alone_pairs)) / hops);
}

static void print_merge(unsigned int variant, const struct pairs *pairs)
{
	printf("\"branches\": %u, \"batch\": %u, \"out_of_order\": %.4f, \"most_held\": %.0f, ",
		variants[variant].setup->n_branches, BATCH,
		median_of(variant, pairs, offsetof(struct carry_result, out_of_order)),
		median_of(variant, pairs, offsetof(struct carry_result, most_held)));
}

static void print_busy(unsigned int variant, const struct pairs *pairs)
{
	size_t offset = offsetof(struct carry_result, busy);
	double first = median_of(variant, pairs, offset);
	double second = median_of(variant, pairs, offset + sizeof(double));

	printf("\"busy\": [%.3f, %.3f], \"limit\": \"lcore %d\", ", first, second, second > first);
}

static void print_runs(unsigned int variant, const struct pairs *pairs)
{
	printf("\"runs\": [");
	for (unsigned int i = 0; i < pairs->n; i++)
		printf("%s%.0f", i > 0 ? ", " : "", results[variant][pairs->list[i]][ITSELF].pps);
	printf("]");
}

static void print_row(unsigned int variant, enum distance_class class, const struct pairs *pairs,
	unsigned int rounds)
{
	const struct variant *what = &variants[variant];

	printf("{\"scenario\": \"%s, %s\", \"system\": \"weft\", \"mode\": \"%s\", \"lcores\": %u, "
	       "\"clock\": \"real\", \"frame_bytes\": %u, \"flows\": 1, \"port\": \"ring\", ",
		what->setup->name, rounds_class_names[class], what->setup->mode,
		what->setup->n_lcores, what->frame_bytes);
	print_path(what);
	printf("\"pps\": %.0f, \"cycles_per_packet\": %.1f, ",
		median_of(variant, pairs, offsetof(struct carry_result, pps)),
		median_of(variant, pairs, offsetof(struct carry_result, cycles)));
	print_ratio(variant, pairs);
	printf("\"extra_cycles\": %.1f, ", median_extra(variant, pairs));
	if (what->setup->n_branches > 0)
		print_merge(variant, pairs);
	else
		print_transitions(variant, pairs, class, rounds);
	print_steps(variant, pairs);
	print_busy(variant, pairs);
	printf("\"pairs\": %u, ", pairs->n);
	numbers_print(&numbers[variant]);
	printf(", ");
	print_runs(variant, pairs);
	printf("}\n");
}

static void print(unsigned int rounds)
{
	for (int class = 0; class < DISTANCE_CLASSES; class ++) {
		for (unsigned int variant = 0; variant < n_variants; variant++) {
			struct pairs pairs = pairs_at(variant, class, rounds);

			if (pairs.n >= PAIRS_LEAST)
				print_row(variant, class, &pairs, rounds);
		}
	}
}

/* ---- the whole ---- */

static bool has_enough(unsigned int variant, unsigned int rounds, unsigned int enough)
{
	for (int class = 0; class < DISTANCE_CLASSES; class ++)
		if (pairs_at(variant, class, rounds).n >= enough)
			return true;
	return false;
}

/* Returns how many variants have not enough pairs yet. */
static unsigned int run_round(struct tables *tables, unsigned int round, unsigned int enough)
{
	unsigned int quiet, missing = 0;

	for (unsigned int variant = 0; variant < n_variants; variant++)
		run_pair(tables, variant, round);
	quiet = rounds_take_quietest((round + 1) * n_variants, QUIETEST);
	for (unsigned int variant = 0; variant < n_variants; variant++)
		missing += !has_enough(variant, round + 1, enough);
	if (round % 10 == 9 || missing == 0)
		fprintf(stderr, "round %u: %u pairs of %u count, %u of %u variants want more\n",
			round + 1, quiet, (round + 1) * n_variants, missing, n_variants);
	return missing;
}

int main(int argc, char **argv)
{
	int first = fixture_init(argc, argv) + 1;
	unsigned int enough = argc > first ? RTE_MAX(atoi(argv[first]), 1) : PAIRS_DEFAULT;
	unsigned int rounds = 0;
	struct tables *tables;

	rounds_init();
	make_variants();
	tables = fixture_tables(&fixture_uplink);
	while (rounds < RTE_MIN((unsigned int)PAIRS_MAX, ROUNDS_MAX / n_variants) &&
		run_round(tables, rounds++, RTE_MAX(enough, (unsigned int)PAIRS_LEAST)) > 0)
		;
	print(rounds);
	return 0;
}
