/* SPDX-License-Identifier: BSD-3-Clause */
#include "world.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "base/random.h"
#include "control/containers.h"
#include "control/overlay.h"
#include "control/publish.h"
#include "engine/door.h"
#include "ports.h"

#define POOL_SIZE 16383
#define POOL_CACHE 128
#define UPLINK_MTU 1500
#define FLOWS_MIN 16
#define ELEPHANT 8	  /* times the packets of another flow */
#define ELEPHANTS_SHARE 4 /* of so many packets one is not an elephant's */
#define FLOWS_MAX 64	  /* unless the configuration says how many */

static struct rte_mempool *pool;
/* ---- the program ---- */

/* "0@0,1@0,2@1,3@1": the lcores in even shares over the CPUs that this process may use. */
static void write_lcores(char *text, size_t size, uint16_t n)
{
	int cpus[CPU_SETSIZE], n_cpus = 0;
	cpu_set_t set;

	sched_getaffinity(0, sizeof(set), &set);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			cpus[n_cpus++] = i;
	*text = '\0';
	for (uint16_t i = 0; i < n; i++)
		snprintf(text + strlen(text), size - strlen(text), "%s%u@%d", i ? "," : "", i,
			cpus[i * n_cpus / n]);
}

int sim_start(uint16_t n_lcores)
{
	char lcores[256];
	char *arguments[] = {"sim", "--no-huge", "--no-shconf", "-m", "256", "--no-pci",
		"--no-telemetry", "--log-level=user1:error", "--lcores", lcores};

	write_lcores(lcores, sizeof(lcores), n_lcores);
	if (rte_eal_init(RTE_DIM(arguments), arguments) < 0)
		return -1;
	port_types_replace(&sim_port_ops);
	pool = rte_pktmbuf_pool_create(
		"sim", POOL_SIZE, POOL_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, rte_socket_id());
	return pool == NULL ? -1 : 0;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value == NULL ? otherwise : strtoull(value, NULL, 0);
}

uint64_t sim_packets(uint64_t otherwise)
{
	return from_environment("WEFT_SIM_PACKETS", otherwise);
}

uint64_t sim_seed(void)
{
	return from_environment("WEFT_SIM_SEED", 1);
}

struct world_config world_config_random(uint64_t seed, uint16_t lcores_min, uint16_t lcores_max)
{
	uint64_t random = seed;
	struct world_config config = {
		.seed = seed,
		.flow_seed = random_next(&random),
		.n_lcores = lcores_min + random_below(&random, lcores_max - lcores_min + 1),
		.credits = 64 << random_below(&random, 4),
		.n_uplinks = 1 + random_below(&random, SIM_UPLINKS_MAX),
		.uplink_queues = 1 + random_below(&random, SIM_QUEUES_MAX),
		.container_queues = 1 + random_below(&random, SIM_QUEUES_MAX),
		.uplink_owner = SIM_ANY,
		.container_owner = SIM_ANY,
		.order = random_below(&random, 2) ? VIRTUAL_RANDOM : VIRTUAL_ADVERSARIAL,
	};

	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++) {
		uint16_t choice = random_below(&random, config.n_lcores + 1);

		config.placement[stage] = choice == config.n_lcores ? LCORE_INLINE : choice;
	}
	return config;
}

const uint16_t sim_batches[SIM_BATCHES] = {1, 2, 7, 64, 256, 1024};

static uint16_t any_row(uint64_t *random)
{
	uint16_t n = 0;

	while (world_row(n) != NULL)
		n++;
	return 1 + random_below(random, n);
}

struct world_config world_config_splitting(uint64_t seed, uint16_t lcores_min, uint16_t lcores_max)
{
	struct world_config config = world_config_random(seed, lcores_min, lcores_max);
	uint64_t random = random_mix(seed);

	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++)
		config.placement[stage] = LCORE_INLINE;
	config.row = any_row(&random);
	config.batch = sim_batches[random_below(&random, SIM_BATCHES)];
	config.n_branches = 2 + random_below(&random, SIM_BRANCHES_MOST - 1);
	config.n_elephants = 1 + random_below(&random, 4);
	config.elephants = 1 + random_below(&random, 8);
	return config;
}

/* ---- failing ---- */

void world_fail(struct world *world, const char *format, ...)
{
	va_list arguments;

	if (__atomic_exchange_n(&world->failed, 1, __ATOMIC_RELAXED))
		return;
	va_start(arguments, format);
	vsnprintf(world->failure, sizeof(world->failure), format, arguments);
	va_end(arguments);
}

void world_report(const struct world *world)
{
	const struct world_config *config = &world->config;

	if (!world->failed)
		return;

	fprintf(stderr,
		"FAILED: %s\n  seed %" PRIu64 " (flows %" PRIu64
		"), %u lcores, %u credits, %u uplinks of %u queues, containers of %u, "
		"order %d, %u flows, %u packets%s%s%s%s%s%s%s%s, control round %" PRIu64 "\n ",
		world->failure, config->seed, config->flow_seed, config->n_lcores, config->credits,
		config->n_uplinks, config->uplink_queues, config->container_queues, config->order,
		world->n_flows, config->packets, config->faulty ? ", faulty" : "",
		config->refusing ? ", refusing" : "", config->learning ? ", learning" : "",
		config->churning ? ", churning" : "", config->stalling ? ", stalling" : "",
		config->steering ? ", steering" : "", config->row > 0 ? ", in mode " : "",
		config->row > 0 ? world_row(config->row - 1)->name : "", world->rounds);
	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++)
		if (config->placement[stage] != LCORE_INLINE)
			fprintf(stderr, " %s=%u", stage_table[stage]->name,
				config->placement[stage]);
	fprintf(stderr, "\n");
}

/* ---- flows ---- */

static const struct fault *choose_fault(
	uint64_t *random, const struct world_config *config, bool from_uplink)
{
	while (true) {
		const struct fault *fault = &faults[random_below(random, n_faults)];

		if (fault->from_uplink == from_uplink &&
			!(fault->fixed && (config->learning || config->churning)))
			return fault;
	}
}

static uint16_t choose_destination(
	uint64_t *random, const struct world_config *config, uint16_t source)
{
	uint16_t places = sim_is_remote(source) ? SIM_CONTAINERS : SIM_PLACES;
	uint16_t destination;

	if (random_one_in(random, config->flooding ? 2 : 8))
		return SIM_EVERYBODY;
	do
		destination = random_below(random, places);
	while (destination == source);
	return destination;
}

static struct sim_peer *peer_of(struct world *world, const struct flow *flow)
{
	if (sim_is_remote(flow->source))
		return &world->uplinks[flow->network % world->config.n_uplinks];
	return &world->containers[flow->network][flow->source];
}

static uint16_t choose_source(
	uint64_t *random, const struct world_config *config, const struct flow *flow)
{
	if (config->n_flows == 1 || flow->elephant)
		return SIM_CONTAINERS + random_below(random, SIM_REMOTES);
	return random_below(random, SIM_PLACES);
}

static void queue_flow(struct world *world, struct flow *flow)
{
	const struct world_config *config = &world->config;
	uint16_t queues =
		sim_is_remote(flow->source) ? config->uplink_queues : config->container_queues;
	struct sim_queue *queue = &peer_of(world, flow)->queues[flow->id % queues];

	struct flow_list *list = flow->elephant ? &queue->elephants : &queue->mice;

	list->flows = realloc(list->flows, (list->n + 1) * sizeof(*list->flows));
	list->flows[list->n++] = flow;
	queue->n_flows++;
}

/* Which of its packets must be dropped, and how. */
static void choose_failing(struct flow *flow, uint64_t *random, const struct world_config *config)
{
	flow->failing = flow->elephant ? config->failing : 100;
	if (flow->elephant ? config->failing == 0
			   : !random_one_in(random, 5) || !config->faulty || config->n_flows == 1)
		return;
	flow->fault = choose_fault(random, config, sim_is_remote(flow->source));
}

static uint32_t budget_of(const struct world_config *config, const struct flow *flow, uint16_t n)
{
	uint32_t few = config->packets / ELEPHANTS_SHARE;

	if (config->n_elephants == 0)
		return (config->packets / (n - 1 + ELEPHANT) + 1) * (flow->id == 0 ? ELEPHANT : 1);
	if (flow->elephant)
		return (config->packets - few) / config->n_elephants + 1;
	return few / (n - config->n_elephants) + 1;
}

/* If none are said to be elephants, the first flow is a small one. */
static void make_flow(struct world *world, uint64_t *random, uint16_t n)
{
	const struct world_config *config = &world->config;
	struct flow *flow = &world->flows[world->n_flows];

	flow->id = world->n_flows++;
	flow->elephant = flow->id < config->n_elephants;
	flow->network = random_below(random, SIM_NETWORKS);
	flow->source = choose_source(random, config, flow);
	flow->destination = choose_destination(random, config, flow->source);
	flow->budget = budget_of(config, flow, n);
	choose_failing(flow, random, config);
	flow_build(flow, flow->network % config->n_uplinks);
	queue_flow(world, flow);
}

static void make_checker(struct world *world)
{
	bool strays = world->config.learning || world->config.churning;
	struct checker_flow *flows = calloc(world->n_flows, sizeof(*flows));

	for (uint16_t i = 0; i < world->n_flows; i++) {
		const struct flow *flow = &world->flows[i];

		flows[i] = flow_describe(flow, strays);
		/* What a container has flooded before it went may find it when it has come back, by
		 * another port than it was sent from. */
		if (world->config.churning && flow->fault == NULL && !sim_is_remote(flow->source))
			flows[i].places |= UINT64_C(1) << sim_place(flow->network, flow->source);
	}
	if (checker_init(&world->checker, flows, world->n_flows) < 0)
		abort();
	free(flows);
}

static void make_flows(struct world *world)
{
	uint64_t random = world->config.flow_seed;
	uint16_t n = FLOWS_MIN + random_below(&random, FLOWS_MAX - FLOWS_MIN + 1);

	if (world->config.n_flows > 0)
		n = world->config.n_flows;
	world->flows = calloc(n, sizeof(*world->flows));
	world->outcomes = calloc(n, sizeof(*world->outcomes));
	for (uint16_t i = 0; i < n; i++)
		make_flow(world, &random, n);
	make_checker(world);
}

static uint16_t choose_owner(struct world *world, uint16_t owner)
{
	return owner == SIM_ANY ? random_below(&world->random, world->config.n_lcores) : owner;
}

static void seed_queue(struct world *world, struct sim_queue *queue)
{
	queue->random = random_next(&world->random);
	queue->send_random = random_mix(queue->random);
}

/* Half of the containers have rings of their own. */
static void name_peers(struct world *world)
{
	for (uint16_t i = 0; i < SIM_UPLINKS_MAX; i++) {
		world->uplinks[i] = (struct sim_peer){.world = world, .uplink = i};
		for (uint16_t queue = 0; queue < SIM_QUEUES_MAX; queue++)
			seed_queue(world, &world->uplinks[i].queues[queue]);
		for (uint16_t queue = 0; queue < SIM_QUEUES_MAX; queue++)
			world->uplinks[i].owners[queue] =
				choose_owner(world, world->config.uplink_owner);
	}
	for (uint16_t i = 0; i < SIM_NETWORKS; i++)
		for (uint16_t j = 0; j < SIM_CONTAINERS; j++) {
			struct sim_peer *peer = &world->containers[i][j];

			*peer = (struct sim_peer){.world = world,
				.network = i,
				.place = j,
				.owner = SIM_ANY,
				.rings = (world->config.seed + i + j) % 2};
			for (uint16_t queue = 0; queue < SIM_QUEUES_MAX; queue++)
				seed_queue(world, &peer->queues[queue]);
			if (peer->rings)
				sim_make_rings(peer);
		}
}

/* ---- the control side, by hand ---- */

static void make_settings(struct world *world)
{
	struct config *settings = &world->settings;

	settings->n_uplinks = world->config.n_uplinks;
	settings->uplinks = calloc(settings->n_uplinks, sizeof(*settings->uplinks));
	for (uint16_t i = 0; i < settings->n_uplinks; i++) {
		settings->uplinks[i].address = address_of_ipv4(sim_vtep(i, 0));
		settings->uplinks[i].prefix = 24;
		settings->uplinks[i].port = (struct port_config){.type = "sim",
			.mac = sim_vtep_mac(i, 0),
			.mtu = UPLINK_MTU,
			.queues = world->config.uplink_queues};
		snprintf(settings->uplinks[i].port.name, PORT_NAME_SIZE, "uplink%u", i);
	}
	settings->weft.fdb_size = 4096;
	settings->n_networks = SIM_NETWORKS;
	settings->networks = calloc(SIM_NETWORKS, sizeof(*settings->networks));
	for (uint16_t i = 0; i < SIM_NETWORKS; i++) {
		struct network_config *network = &settings->networks[i];

		snprintf(network->name, sizeof(network->name), "n%u", i);
		network->vni = sim_vni(i);
		network->udp_port = sim_udp_port(i);
		network->vtep_guard = network->source_guard = network->learning = true;
		network->ageing = 300;
		network->addresses = 64;
		snprintf(network->uplink, sizeof(network->uplink), "uplink%u",
			i % world->config.n_uplinks);
		network->n_vteps = SIM_REMOTES;
		for (uint16_t j = 0; j < SIM_REMOTES; j++)
			network->vteps[j] =
				address_of_ipv4(sim_vtep(i % world->config.n_uplinks, 1 + j));
	}
}

/* What a container has sent before it went is still on its way when it comes back, and its flows go
 * on here, as those of a new container would not: only the old lcore can keep them in order. */
static void choose_container_owner(struct world *world, struct sim_peer *peer)
{
	bool sends = false;

	for (uint16_t i = 0; i < SIM_QUEUES_MAX; i++)
		sends |= peer->queues[i].n_flows > 0;
	if (peer->owner == SIM_ANY || !sends)
		peer->owner = choose_owner(world, world->config.container_owner);
}

static void add_container(struct world *world, struct sim_peer *peer)
{
	struct container_config config = {.port = {.type = "sim",
						  .mac = sim_mac(peer->place),
						  .queues = world->config.container_queues},
		.n_addresses = 1,
		.addresses = {address_of_ipv4(sim_address(peer->place))}};
	struct error error;

	choose_container_owner(world, peer);
	config.lcore = world->dataplane->lcore_ids[peer->owner];
	snprintf(config.network, sizeof(config.network), "n%u", peer->network);
	snprintf(config.port.name, sizeof(config.port.name), "n%u-c%u", peer->network, peer->place);
	sim_attach_to(peer);
	if (containers_add(world->control, &config, &error) != 0)
		world_fail(world, "containers_add: %s", error.text);
}

/* Lcores that take turns at an uplink's queues: all, or all but one. An owner always may. */
static void set_turns(struct world *world, struct port *port)
{
	if (random_one_in(&world->random, 4))
		port->lcores =
			~(UINT64_C(1) << random_below(&world->random, world->config.n_lcores));
	else
		port->lcores = UINT64_MAX;
}

static void add_uplink(struct world *world, uint16_t index)
{
	struct uplink_config *config = &world->settings.uplinks[index];
	struct sim_peer *peer = &world->uplinks[index];
	struct error error;

	for (uint16_t i = 0; i < config->port.queues; i++)
		config->lcores.ids[config->lcores.n++] =
			world->dataplane->lcore_ids[peer->owners[i]];
	sim_attach_to(peer);
	if (ports_add_uplink(&world->control->ports, config, &error) != 0)
		world_fail(world, "ports_add_uplink: %s", error.text);
	else
		set_turns(world, peer->port);
}

static void set_up_ports(struct world *world)
{
	struct control *control = world->control;

	control->ports.setting = (struct ports_setting){
		.workers = {.ids = world->dataplane->lcore_ids, .n = world->config.n_lcores},
		.pools = &control->pools,
		.rcu = world->dataplane->rcu};
	for (int i = 0; i < RTE_MAX_NUMA_NODES; i++)
		control->pools.by_socket[i] = world->pool;
	for (uint16_t i = 0; i < world->config.n_uplinks; i++)
		add_uplink(world, i);
}

/* Without learning, the hosts behind VTEPs are where the configuration says. */
static int add_hosts(struct world *world, uint16_t network, struct error *error)
{
	struct control *control = world->control;

	for (uint16_t i = 0; i < SIM_REMOTES && !world->config.learning; i++) {
		struct rte_ether_addr mac = sim_mac(SIM_CONTAINERS + i);
		uint16_t place = PLACE_REMOTE | (network * SIM_REMOTES + i);

		if (fdb_add_static(&control->fdb, network, &mac, place, error) != 0)
			return -1;
	}
	return 0;
}

static int make_tables(struct world *world, struct error *error)
{
	struct control *control = world->control;

	if (networks_create(&control->networks, error) != 0 ||
		fdb_create(&control->fdb, world->settings.weft.fdb_size, world->dataplane->rcu,
			error) != 0 ||
		remotes_create(&control->remotes, error) != 0)
		return -1;
	set_up_ports(world);
	for (uint16_t i = 0; i < SIM_NETWORKS; i++)
		if (overlay_add_network(control, &world->settings.networks[i], error) != 0 ||
			add_hosts(world, i, error) != 0)
			return -1;
	for (uint16_t i = 0; i < SIM_NETWORKS; i++)
		for (uint16_t j = 0; j < SIM_CONTAINERS; j++)
			add_container(world, &world->containers[i][j]);
	return publish_tables(control, error);
}

/* ---- begin and end ---- */

static uint64_t doors_of(const struct world *world)
{
	uint64_t doors = 0;

	for (uint16_t i = 0; i < world->config.n_uplinks; i++)
		for (uint16_t queue = 0; queue < world->config.uplink_queues; queue++)
			doors |= UINT64_C(1) << world->uplinks[i].owners[queue];
	return doors;
}

/* Branches are on all lcores, or on all but the first. */
static void set_micro_flows(const struct world_config *config, struct micro_flows *micro_flows)
{
	*micro_flows = (struct micro_flows){.batch = config->batch,
		.n_branches = config->n_branches,
		.n_elephants = config->elephants,
		.rate = config->rate,
		.window = config->window};
	for (uint16_t i = config->seed % 2; i < config->n_lcores; i++)
		micro_flows->lcores[micro_flows->n++] = i;
}

static const struct mode *first_mode(const struct world_config *config)
{
	if (config->row > 0)
		return world_row(config->row - 1);
	return plan_mode_find(config->mode ? config->mode : "vanilla");
}

static struct dataplane *make_dataplane(struct world *world, struct error *error)
{
	const struct world_config *config = &world->config;
	struct dataplane_config dataplane = {
		.clock = {.read = clock_tsc, .hz = rte_get_tsc_hz()},
		.n_lcores = config->n_lcores,
		.credits = config->credits,
		.sleeps = config->threads && config->seed % 2,
		.steering = {.policy = policy_find("two-choice"), .threshold = LOAD_FULL / 2},
	};
	unsigned int id = rte_get_main_lcore();

	plan_set(&dataplane.plan, first_mode(config));
	dataplane.doors = doors_of(world);
	if (config->row > 0)
		set_micro_flows(config, &dataplane.micro_flows);
	if (!config->threads)
		dataplane.clock = virtual_clock(world->driver);
	memcpy(dataplane.plan.lcore, config->placement, sizeof(dataplane.plan.lcore));
	for (uint16_t i = 0; i < config->n_lcores; i++) {
		id = config->threads ? rte_get_next_lcore(id, 1, 0) : virtual_lcore_id(i);
		dataplane.lcore_ids[i] = id;
		dataplane.steering.lcores[dataplane.steering.n++] = i;
	}
	return dataplane_create(&dataplane, error);
}

struct world *world_create(const struct world_config *config)
{
	struct world *world = calloc(1, sizeof(*world));
	struct error error;

	world->config = *config;
	world->random = config->seed;
	world->left = config->prefix;
	world->pool = pool;
	world->mbufs = rte_mempool_avail_count(pool);
	name_peers(world);
	make_flows(world);
	make_settings(world);
	world->control = calloc(1, sizeof(*world->control));
	if (!config->threads)
		world_make_driver(world);
	world->dataplane = make_dataplane(world, &error);
	if (world->dataplane == NULL) {
		fprintf(stderr, "%s\n", error.text);
		abort();
	}
	world->control->config = &world->settings;
	world->control->dataplane = world->dataplane;
	world->control->started = clock_read(&world->dataplane->clock);
	if (make_tables(world, &error) != 0)
		world_fail(world, "%s", error.text);
	else if (!config->threads)
		world_warm_up(world);
	return world;
}

static void free_rings(struct world *world)
{
	for (uint16_t i = 0; i < SIM_NETWORKS; i++)
		for (uint16_t j = 0; j < SIM_CONTAINERS; j++)
			sim_free_rings(&world->containers[i][j]);
}

void world_end(struct world *world)
{
	if (world->driver != NULL) {
		virtual_release(world->driver);
		virtual_free(world->driver);
		world->driver = NULL;
	}
	world->control->pools = (struct pools){0}; /* the next world's, too */
	control_free(world->control);
	dataplane_free(world->dataplane);
	free_rings(world);
	world->control = NULL;
	world->dataplane = NULL;
}

/* ---- all queues ---- */

typedef void (*queue_visitor)(const struct sim_queue *queue, void *argument);

static void visit_peer(const struct sim_peer *peer, queue_visitor visit, void *argument)
{
	for (uint16_t i = 0; i < SIM_QUEUES_MAX; i++)
		visit(&peer->queues[i], argument);
}

static void visit_queues(const struct world *world, queue_visitor visit, void *argument)
{
	for (uint16_t i = 0; i < SIM_UPLINKS_MAX; i++)
		visit_peer(&world->uplinks[i], visit, argument);
	for (uint16_t i = 0; i < SIM_NETWORKS; i++)
		for (uint16_t j = 0; j < SIM_CONTAINERS; j++)
			visit_peer(&world->containers[i][j], visit, argument);
}

static void free_flows(const struct sim_queue *queue, void *argument)
{
	(void)argument;
	free(queue->elephants.flows);
	free(queue->mice.flows);
}

void world_free(struct world *world)
{
	if (world->dataplane != NULL)
		world_end(world);
	free(world->settings.uplinks);
	free(world->settings.networks);
	visit_queues(world, free_flows, NULL);
	free(world->flows);
	free(world->outcomes);
	checker_free(&world->checker);
	free(world);
}

static void add_sums(const struct sim_queue *queue, void *argument)
{
	struct sim_queue *sum = argument;

	sum->given += queue->given;
	sum->taken += queue->taken;
	sum->refused += queue->refused;
	sum->refused_away += queue->refused_away;
	sum->refused_too_big += queue->refused_too_big;
	sum->unfit += queue->unfit;
	for (unsigned int i = 0; i < n_faults; i++)
		sum->faulty[i] += queue->faulty[i];
}

static struct sim_queue sum_up(const struct world *world)
{
	struct sim_queue sum = {0};

	visit_queues(world, add_sums, &sum);
	return sum;
}

uint64_t world_given(const struct world *world)
{
	return sum_up(world).given;
}

/* What others than a queue's owner may read while real lcores run. */
static void add_waiting(const struct sim_queue *queue, void *argument)
{
	struct sim_queue *sum = argument;

	sum->n_flows += __atomic_load_n(&queue->n_flows, __ATOMIC_RELAXED);
	sum->n_replies += __atomic_load_n(&queue->n_replies, __ATOMIC_RELAXED);
}

static struct sim_queue sum_up_waiting(const struct world *world)
{
	struct sim_queue sum = {0};

	visit_queues(world, add_waiting, &sum);
	return sum;
}

bool world_is_exhausted(const struct world *world)
{
	return sum_up_waiting(world).n_flows == 0 || (world->config.prefix > 0 && world->left == 0);
}

bool world_has_replies(const struct world *world)
{
	return sum_up_waiting(world).n_replies > 0;
}

bool world_is_empty(const struct world *world)
{
	struct conservation sum = dataplane_conservation(world->dataplane);

	return conservation_in_flight(&sum) == 0 && sum_up_waiting(world).n_replies == 0;
}

/* ---- ports come and go ---- */

static void count_removed(void *argument)
{
	struct world *world = argument;

	world->removed++;
}

static void toggle(struct world *world, struct sim_peer *peer)
{
	struct error error;

	if (peer->port == NULL) {
		/* Real lcores: the old owner may still be in a round with the peer's queues. */
		if (!world->config.threads || world->removed == world->removals)
			add_container(world, peer);
		return;
	}
	world->removals++;
	if (containers_remove(
		    world->control, peer->port->config.name, count_removed, world, &error) != 0)
		world_fail(world, "containers_remove: %s", error.text);
	peer->port = NULL;
}

void world_churn(struct world *world)
{
	uint16_t network = random_below(&world->random, SIM_NETWORKS);

	toggle(world, &world->containers[network][random_below(&world->random, SIM_CONTAINERS)]);
}

void world_restore(struct world *world)
{
	for (uint16_t i = 0; i < SIM_NETWORKS; i++)
		for (uint16_t j = 0; j < SIM_CONTAINERS; j++)
			if (world->containers[i][j].port == NULL)
				toggle(world, &world->containers[i][j]);
}

/* ---- moves ---- */

/* Rows of modes[], and some that a user might write. */
static const struct mode own_modes[] = {
	{.name = "every stage",
		.row = {[STAGE_GRO] = {.kind = TRANSITION_FLOW_STAGE},
			[STAGE_VXLAN] = {.kind = TRANSITION_FLOW_STAGE},
			[STAGE_BRIDGE] = {.kind = TRANSITION_FLOW_STAGE},
			[STAGE_VETH] = {.kind = TRANSITION_FLOW_STAGE}}},
	{.name = "stacked",
		.row = {[STAGE_GRO] = {.kind = TRANSITION_FLOW_STAGE},
			[STAGE_BRIDGE] = {.kind = TRANSITION_WITH, .with = STAGE_RX},
			[STAGE_VETH] = {.kind = TRANSITION_WITH, .with = STAGE_GRO}}},
};
static const char *const modes[] = {"rps", "falcon-dev", "falcon-func", "turns", "auto"};

/* Ways to split, from where to where; and each again with its branches pipelined, and with another
 * lcore for each stage after the merge. */
static const struct {
	enum step split, merge;
} splits[] = {
	{STAGE_VXLAN, STAGE_BRIDGE}, /* mflow-device */
	{STAGE_RX, STAGE_VETH},	     /* mflow-full */
	{STAGE_RX, STAGE_VXLAN},
	{STAGE_RX, STAGE_BRIDGE},
	{STAGE_GRO, STAGE_VXLAN},
	{STAGE_GRO, STAGE_BRIDGE},
	{STAGE_GRO, STAGE_VETH},
	{STAGE_VXLAN, STAGE_VETH},
	{STAGE_BRIDGE, STAGE_VETH},
};

#define ROWS (4 * RTE_DIM(splits))

static void make_row(struct mode *mode, unsigned int i)
{
	enum step split = splits[i % RTE_DIM(splits)].split;
	enum step merge = splits[i % RTE_DIM(splits)].merge;
	bool pipelined = i / RTE_DIM(splits) % 2, spread = i / RTE_DIM(splits) / 2;
	struct plan_way way = plan_way();

	snprintf(mode->name, sizeof(mode->name), "%s-%s%s%s", stage_table[split]->name,
		stage_table[merge]->name, pipelined ? " pipelined" : "", spread ? " spread" : "");
	for (unsigned int j = 0; j < way.n; j++)
		if (way.stages[j] < merge ? pipelined && way.stages[j] > split : spread)
			mode->row[way.stages[j]].kind = TRANSITION_FLOW_STAGE;
	mode->row[split].kind = TRANSITION_SPLIT;
	mode->row[merge].kind = TRANSITION_MERGE;
}

const struct mode *world_row(unsigned int i)
{
	static struct mode rows[ROWS];

	if (i < ROWS && rows[i].name[0] == '\0')
		make_row(&rows[i], i);
	return i < ROWS ? &rows[i] : NULL;
}

/* Now and then one that does not steer: then all groups wait for what came before, or for nothing.
 */
static const struct mode *random_mode(struct world *world)
{
	uint64_t choice = random_below(&world->random, RTE_DIM(modes) + RTE_DIM(own_modes));

	if (world->config.row > 0 && !random_one_in(&world->random, 4))
		return world_row(random_below(&world->random, ROWS));
	if (random_one_in(&world->random, 3))
		return plan_mode_find("vanilla");
	return choice < RTE_DIM(modes) ? plan_mode_find(modes[choice])
				       : &own_modes[choice - RTE_DIM(modes)];
}

static struct plan random_plan(struct world *world)
{
	struct plan plan;

	plan_set(&plan, random_mode(world));
	memcpy(plan.lcore, world->config.placement, sizeof(plan.lcore));
	plan.salt = random_next(&world->random);
	return plan;
}

static bool has_elephants(const struct world *world)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < world->config.n_lcores; i++)
		n |= __atomic_load_n(
			&world->dataplane->lcores[i]->door->elephants.n, __ATOMIC_RELAXED);
	return n > 0;
}

void world_move(struct world *world)
{
	struct plan plan, *old;

	/* A change that is always overtaken by another has no end. */
	if (world->dataplane->pausing)
		return;
	plan = random_plan(world);
	if (dataplane_set_plan(world->dataplane, &plan, &old) != 0)
		return world_fail(world, "no memory for a plan");
	world->moved_split += has_elephants(world);
	control_retire_plan(world->control, old);
}

/* ---- what must hold in the end ---- */

static void check_conservation(struct world *world, const struct sim_queue *sum)
{
	struct conservation all = dataplane_conservation(world->dataplane);
	struct balance balance = {
		.received = all.received,
		.created = all.created,
		.delivered = all.delivered,
		.dropped = all.dropped,
		.consumed = all.consumed,
		.coalesced = all.coalesced,
		.given = sum->given,
		.taken = sum->taken,
		.mbufs = world->mbufs,
		.mbufs_free = rte_mempool_avail_count(world->pool),
	};
	char text[sizeof(world->failure)];

	if (!balance_check(&balance, text, sizeof(text)))
		world_fail(world, "%s", text);
}

static void check_port(struct world *world, const struct sim_peer *peer)
{
	for (uint16_t i = 0; peer->port != NULL && i < peer->port->n_queues; i++) {
		const struct port_counters *counters = &peer->port->queues[i].counters;
		const struct sim_queue *queue = &peer->queues[i];

		if (counters->rx_packets != queue->given ||
			counters->tx_packets != queue->taken + queue->unfit ||
			counters->tx_refused != queue->refused)
			world_fail(world, "counters of %s queue %u are wrong",
				peer->port->config.name, i);
	}
}

static void check_ports(struct world *world)
{
	for (uint16_t i = 0; i < SIM_UPLINKS_MAX; i++)
		check_port(world, &world->uplinks[i]);
	if (world->config.churning)
		return;
	for (uint16_t i = 0; i < SIM_NETWORKS; i++)
		for (uint16_t j = 0; j < SIM_CONTAINERS; j++)
			check_port(world, &world->containers[i][j]);
}

uint64_t sim_drops(const struct dataplane *dataplane, const char *name)
{
	int slot = drop_find(name);

	if (slot < 0)
		abort();
	return dataplane_drops(dataplane, slot);
}

/* Drops that do not follow from what the packet is. */
static const char *const refusals[] = {"port_down", "port_full", "port_too_big", "uplink_full",
	"uplink_too_big", "copy_unfit", NULL};
/* Of what was sent by, or for, a port that has gone, and may have come again meanwhile. */
static const char *const goings[] = {"source_gone", "flood_gone", "port_gone", "deliver_gone",
	"flood_nobody", "bridge_spoofed", NULL};

static bool is_among(const char *name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static bool depends_on_run(const struct world *world, const char *drop)
{
	const struct world_config *config = &world->config;

	if (is_among(drop, refusals))
		return config->refusing;
	if (is_among(drop, goings))
		return config->churning;
	if (strcmp(drop, "flood_refused") == 0) /* on branches: all others wait for credits */
		return config->row > 0;
	return strcmp(drop, "path_full") == 0 &&
	       (config->steering || config->mode != NULL || config->row > 0);
}

/* How many packets were given that must be dropped so. */
static uint64_t faulty(const struct sim_queue *sum, const char *drop)
{
	uint64_t packets = 0;

	for (unsigned int i = 0; i < n_faults; i++)
		if (strcmp(faults[i].drop, drop) == 0)
			packets += sum->faulty[i];
	return packets;
}

static void check_drop(struct world *world, const struct sim_queue *sum, unsigned int slot)
{
	const struct stage_drop *drop = drop_at(slot);
	uint64_t drops = dataplane_drops(world->dataplane, slot), expected;

	if (drop == NULL) {
		if (drops > 0)
			world_fail(world, "%" PRIu64 " packets were dropped without a name", drops);
		return;
	}
	expected = faulty(sum, drop->name);
	/* What a port that was removed meanwhile has sent goes before it is looked at, as does what
	 * is refused. */
	if (drops < expected && (world->config.churning || world->paths_refused > 0))
		return;
	if (drops != expected && !depends_on_run(world, drop->name))
		world_fail(world, "%" PRIu64 " packets were dropped as %s, not %" PRIu64, drops,
			drop->name, expected);
}

static void check_drops(struct world *world, const struct sim_queue *sum)
{
	uint64_t away = sim_drops(world->dataplane, "port_down");
	uint64_t busy = sim_drops(world->dataplane, "port_full") +
			sim_drops(world->dataplane, "uplink_full");
	uint64_t too_big = sim_drops(world->dataplane, "port_too_big") +
			   sim_drops(world->dataplane, "uplink_too_big");

	for (unsigned int slot = 0; slot < DROP_SLOTS; slot++)
		check_drop(world, sum, slot);
	if (away != sum->refused_away || too_big != sum->refused_too_big ||
		away + busy + too_big != sum->refused)
		world_fail(world,
			"%" PRIu64 ", %" PRIu64 " and %" PRIu64 " packets were dropped as refused, "
			"not %" PRIu64 " in all, %" PRIu64 " away and %" PRIu64 " too big",
			away, busy, too_big, sum->refused, sum->refused_away, sum->refused_too_big);
	if (sim_drops(world->dataplane, "copy_unfit") != sum->unfit)
		world_fail(world, "not %" PRIu64 " packets were dropped as copy_unfit", sum->unfit);
}

static uint64_t received(const struct world *world, const struct flow *flow, uint16_t place)
{
	return checker_state(&world->checker, flow->id, sim_place(flow->network, place))->received;
}

uint64_t world_missing(const struct world *world, const struct flow *flow)
{
	uint64_t sum = 0;

	for (uint16_t place = 0; place < SIM_PLACES; place++)
		if (flow_may_reach(flow, place, false))
			sum += flow->next - flow->failed - received(world, flow, place);
	return sum;
}

static void check_delivery(struct world *world, const struct sim_queue *sum)
{
	uint64_t most = sum->refused + sum->unfit + world->floods_refused +
			SIM_PLACES * world->paths_refused;
	uint64_t all = 0;

	for (uint16_t i = 0; i < world->n_flows; i++)
		all += world_missing(world, &world->flows[i]);
	if (world->config.learning || world->paths_refused > 0 ? all > most : all != most)
		world_fail(world, "%" PRIu64 " deliveries did not happen, %" PRIu64 " were refused",
			all, most);
}

static bool has_sent(const struct world *world, uint16_t network, uint16_t place)
{
	for (uint16_t i = 0; i < world->n_flows; i++)
		if (world->flows[i].network == network && world->flows[i].source == place &&
			world->flows[i].fault == NULL && world->flows[i].next > 0)
			return true;
	return false;
}

/* A notice that found no room is given again with the next packet, and there may be none. */
static bool lost_notices(const struct world *world)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < world->config.n_lcores; i++)
		sum += counter_read(&world->dataplane->lcores[i]->counters.notices_lost);
	return sum > 0;
}

static bool is_everybody_heard(const struct world *world)
{
	return world->config.learning && !lost_notices(world) && world->paths_refused == 0;
}

/* Every host that was heard is known where it is. */
static void check_learned(struct world *world, uint16_t network, uint16_t remote)
{
	struct rte_ether_addr mac = sim_mac(SIM_CONTAINERS + remote);
	uint16_t place = PLACE_REMOTE | (network * SIM_REMOTES + remote);
	uint64_t key = fdb_key(network, &mac);
	union fdb_value value;

	if (!has_sent(world, network, SIM_CONTAINERS + remote))
		return;
	if (rte_hash_lookup_data(world->control->fdb.hash, &key, &value.word) < 0 ||
		value.place != place || value.fixed)
		world_fail(world, "host %u of network %u was not learned", remote, network);
}

/* Every cycle of an lcore must be accounted for. */
static void check_time(struct world *world, const struct lcore *lcore)
{
	const struct time_counters *time = &lcore->counters.time;
	uint64_t sum = time->idle + time->working + time->back_pressured + time->housekeeping;

	if (sum != lcore->mark - world->control->started)
		world_fail(world, "lcore %u: %" PRIu64 " of %" PRIu64 " cycles are accounted for",
			lcore->index, sum, lcore->mark - world->control->started);
}

/* Every credit has come back to its door. */
static void check_credits(struct world *world, const struct lcore *door)
{
	uint64_t finished = 0;

	for (uint16_t i = 0; i < world->config.n_lcores; i++)
		finished += world->dataplane->lcores[i]->finished[door->index];
	if (finished != door->counters.admitted)
		world_fail(world, "lcore %u: of %" PRIu64 " credits %" PRIu64 " came back",
			door->index, door->counters.admitted, finished);
}

/* Nothing of a flow group is in flight, or waits at the door. */
static void check_groups(struct world *world, const struct lcore *door)
{
	struct moves *moves = &door->door->moves;

	for (uint16_t group = 0; group < GROUP_ELEPHANTS + door->door->elephants.n_elephants;
		group++) {
		moves_recount(moves, (struct group){group});
		if (moves_occupancy(moves, (struct group){group}) != 0)
			world_fail(world, "lcore %u: group %u has %u packets in flight and %u held",
				door->index, group, moves->groups[group].in_flight,
				moves->groups[group].n_held);
	}
}

/* Branches of whose packets some have not come to the merge, as the door knows. */
static uint16_t count_backlogs(const struct elephant *elephant, const struct merge *merge)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < merge->n_branches && elephant->state == ELEPHANT_SPLIT; i++)
		n += elephant->split.sent[i] != merge->arrived[i];
	return n;
}

/* Nothing waits in a merge, and the door knows of all that came there. */
static void check_merge(struct world *world, const struct lcore *door, uint16_t elephant)
{
	const struct merge *merge = &door->door->merges[elephant];
	uint32_t marks = merge->absorbed, held = merge->counters.held;
	uint16_t backlogs = count_backlogs(&door->door->elephants.list[elephant], merge);

	for (uint32_t i = 0; i <= merge->mask; i++) {
		marks += merge->early[i].ended;
		held += merge->early[i].parcels;
	}
	for (uint16_t i = 0; i < merge->n_branches; i++)
		held += merge->queues[i].tail - merge->queues[i].head;
	if (marks + held + backlogs > 0)
		world_fail(world, "lcore %u: merge %u has %u marks, %u held, %u backlogs",
			door->index, elephant, marks, held, backlogs);
}

static void check_merges(struct world *world, const struct lcore *door)
{
	for (uint16_t i = 0; i < door->door->elephants.n_elephants; i++)
		check_merge(world, door, i);
}

static void check_inboxes(struct world *world)
{
	if (world->driver != NULL && virtual_counters(world->driver)->overflowed > 0)
		world_fail(world, "%" PRIu64 " packets found no room in an inbox",
			virtual_counters(world->driver)->overflowed);
}

static void check_control(struct world *world)
{
	check_inboxes(world);
	if (world->control->deferred.first != NULL || world->removed != world->removals)
		world_fail(world, "of %" PRIu64 " removed ports %" PRIu64 " were detached",
			world->removals, world->removed);
	for (uint16_t i = 0; i < SIM_NETWORKS && is_everybody_heard(world); i++)
		for (uint16_t j = 0; j < SIM_REMOTES; j++)
			check_learned(world, i, j);
	for (uint16_t i = 0; i < world->config.n_lcores; i++) {
		check_credits(world, world->dataplane->lcores[i]);
		check_groups(world, world->dataplane->lcores[i]);
		check_merges(world, world->dataplane->lcores[i]);
		if (!world->config.threads)
			check_time(world, world->dataplane->lcores[i]);
	}
}

uint64_t world_moves(const struct world *world)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < world->config.n_lcores; i++)
		sum += world->dataplane->lcores[i]->door->moves.ended;
	return sum;
}

uint32_t world_most_held(const struct world *world)
{
	uint32_t most = 0;

	for (uint16_t i = 0; i < world->config.n_lcores; i++)
		most = RTE_MAX(most, world->dataplane->lcores[i]->door->moves.most_held);
	return most;
}

static void add_merge(const struct merge *merge, struct sim_elephants *sum)
{
	sum->out_of_order += merge->counters.out_of_order;
	sum->marks += merge->counters.marks;
	sum->most_held = RTE_MAX(sum->most_held, merge->counters.most_held);
}

void world_add_elephants(const struct world *world, struct sim_elephants *sum)
{
	sum->moved += world->moved_split;
	for (uint16_t i = 0; i < world->config.n_lcores; i++) {
		const struct door *door = world->dataplane->lcores[i]->door;

		sum->packets += world->dataplane->lcores[i]->counters.stages[STEP_MERGE].packets;
		sum->promoted += door->elephants.promoted;
		sum->demoted += door->elephants.demoted;
		for (uint16_t j = 0; j < door->elephants.n_elephants; j++)
			add_merge(&door->merges[j], sum);
	}
}

uint32_t world_held(const struct world *world)
{
	uint32_t sum = 0;

	for (uint16_t i = 0; i < world->config.n_lcores; i++) {
		const struct door *door = world->dataplane->lcores[i]->door;

		for (uint16_t j = 0; j < door->elephants.n_elephants; j++)
			sum += door->merges[j].counters.held;
	}
	return sum;
}

int world_check(struct world *world)
{
	struct sim_queue sum = sum_up(world);

	free_rings(world);
	world->floods_refused = sim_drops(world->dataplane, "flood_refused");
	world->paths_refused = sim_drops(world->dataplane, "path_full");
	if (!world->failed) {
		check_conservation(world, &sum);
		check_drops(world, &sum);
		check_ports(world);
		check_control(world);
		if (!world->config.churning)
			check_delivery(world, &sum);
	}
	return world->failed ? -1 : 0;
}

static bool is_comparable(const struct world *world, const struct flow *flow)
{
	return flow->destination != SIM_EVERYBODY || world->floods_refused == 0;
}

int world_compare(const struct world *reference, struct world *world)
{
	char text[sizeof(world->failure)];

	for (uint16_t i = 0; i < world->n_flows && world->paths_refused == 0; i++)
		if (is_comparable(world, &world->flows[i]) &&
			!checker_compare_flow(
				&reference->checker, &world->checker, i, text, sizeof(text)))
			world_fail(world, "%s", text);
	return world->failed ? -1 : 0;
}
