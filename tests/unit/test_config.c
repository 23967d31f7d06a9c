/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "file.h"

#include "control/check.h"
#include "control/keys.h"
#include "control/mode.h"
#include "control/sections/fdb.h"
#include "control/sections/port.h"
#include "control/sections/sections.h"
#include "stages/tables.h"

#define UPLINK "[uplink eth1]\ndevice = net_null0\naddress = 192.0.2.1/24\n"
#define NETWORK "[network blue]\nvni = 100\n"
#define GOOD UPLINK NETWORK
#define PORT "[port web]\nnetwork = blue\ntype = tap\nmac = 02:00:00:00:00:01\n"
#define SOCKET(name, number, path)                                                                 \
	"[port " name "]\nnetwork = blue\ntype = vhost-user\nmac = 02:00:00:00:00:0" number        \
	"\npath = " path "\n"
#define GARBAGE 3000

static struct config *read_text(const char *text, struct error *error)
{
	file_write(text, strlen(text));
	return file_read_config(error);
}

static struct config *read_good(const char *text)
{
	struct error error = {""};
	struct config *config = read_text(text, &error);

	if (config == NULL)
		fail_msg("%s", error.text);
	return config;
}

static void what_is_left_out_has_its_default(void **state)
{
	struct config *config = read_good(GOOD);
	const struct network_config *network = &config->networks[0];

	(void)state;
	assert_ptr_equal(config_first_mode(config), plan_mode_find("auto"));
	assert_int_equal(config->weft.mbufs, 65536);
	assert_int_equal(config->weft.mbuf_size, 2176);
	assert_int_equal(config->weft.credits, 1024);
	assert_true(config->weft.gro);
	assert_int_equal(config->steering.lcores.n, 0);
	assert_string_equal(config->steering.policy, "two-choice");
	assert_int_equal(config->steering.threshold, 85);
	assert_int_equal(config->micro_flows.batch, 256);
	assert_int_equal(config->micro_flows.branches, 2);
	assert_int_equal(config->micro_flows.elephants, 16);
	assert_int_equal(config->micro_flows.rate, 100000);
	assert_int_equal(config->micro_flows.lcores.n, 0);
	assert_int_equal(config->n_modes, 0);
	assert_int_equal(config->n_uplinks, 1);
	assert_int_equal(config->uplinks[0].port.queues, 1);
	assert_true(address_is_none(&config->uplinks[0].gateway));
	assert_int_equal(config->uplinks[0].lcores.n, 0);
	assert_int_equal(network->udp_port, 4789);
	assert_true(network->vtep_guard && network->source_guard && network->learning);
	assert_int_equal(network->ageing, 300);
	assert_int_equal(network->addresses, 4096);
	assert_int_equal(network->mtu, 0);
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		assert_int_equal(config->pipeline[stage], CONFIG_NONE);
	config_free(config);
}

/* What configurations say that are older than uplinks of our own. */
static void af_packet_is_an_interface(void **state)
{
	struct config *config =
		read_good("[uplink e]\ndevice = net_af_packet0,qpairs=1,iface=eth1,blocksz=4096\n"
			  "address = 192.0.2.1/24\n" NETWORK);

	(void)state;
	assert_string_equal(config->uplinks[0].port.type, "interface");
	assert_string_equal(config->uplinks[0].port.interface, "eth1");
	assert_string_equal(config->uplinks[0].port.device, "");
	config_free(config);
}

static void every_key_is_read(void **state)
{
	struct config *config = read_good(
		"# a comment\n"
		"[weft]\nmode = native\nmbufs = 4096\nmbuf-size = 4096\ncredits = 64\ngro = off\n"
		"[steering]\nlcores = 2 3\npolicy = least-loaded\nthreshold = 70\n"
		"[micro-flows]\nbatch = 4096\nbranches = 16\nlcores = 4 3 2\nelephants = 0\n"
		"rate = 1000000000\n"
		"[uplink eth1]\ninterface = eth1\naddress = 192.0.2.1/25\n"
		"gateway = 192.0.2.126\nmac = 04:00:00:00:00:01\nmtu = 9000\nqueues = 2\n"
		"lcores = 1 2\nring-size = 512\n"
		"[network blue]\nvni = 16777215\nudp-port = 8472\nuplink = eth1\n"
		"vteps = 192.0.2.2  192.0.2.3\nvtep-guard = off\nsource-guard = no\n"
		"learning = off\nageing = 60\naddresses = 10\nmtu = 1400\n"
		"[port web]\nnetwork = blue\ntype = vhost-user\nmac = 02:00:00:00:00:01\n"
		"addresses = 10.0.0.1 fd00::1 10.0.0.2\npath = /run/a.sock\nclient = yes\n"
		"queues = 4\nring-size = 256\nlcore = 3\n"
		"[pipeline]\nbridge = 2\nencap = 1\n"
		"[fdb blue]\n02:00:00:00:00:07 = 192.0.2.3\n02:00:00:00:00:08 = port web\n");
	const struct uplink_config *uplink = &config->uplinks[0];
	const struct network_config *network = &config->networks[0];
	const struct container_config *port = &config->containers[0];

	(void)state;
	assert_string_equal(config->weft.mode, "native");
	assert_int_equal(config->weft.credits, 64);
	assert_false(config->weft.gro);
	assert_int_equal(config->steering.lcores.n, 2);
	assert_int_equal(config->steering.lcores.ids[1], 3);
	assert_string_equal(config->steering.policy, "least-loaded");
	assert_int_equal(config->steering.threshold, 70);
	assert_int_equal(config->micro_flows.batch, 4096);
	assert_int_equal(config->micro_flows.branches, 16);
	assert_int_equal(config->micro_flows.elephants, 0);
	assert_int_equal(config->micro_flows.rate, 1000000000);
	assert_int_equal(config->micro_flows.lcores.n, 3);
	assert_int_equal(config->micro_flows.lcores.ids[0], 4);
	assert_string_equal(uplink->port.interface, "eth1");
	assert_string_equal(uplink->port.type, "interface");
	assert_int_equal(address_ipv4(&uplink->address), inet_addr("192.0.2.1"));
	assert_int_equal(uplink->prefix, 25);
	assert_int_equal(address_ipv4(&uplink->gateway), inet_addr("192.0.2.126"));
	assert_int_equal(uplink->port.mtu, 9000);
	assert_int_equal(uplink->lcores.n, 2);
	assert_int_equal(uplink->lcores.ids[1], 2);
	assert_int_equal(network->vni, 16777215);
	assert_int_equal(network->n_vteps, 2);
	assert_int_equal(address_ipv4(&network->vteps[1]), inet_addr("192.0.2.3"));
	assert_false(network->vtep_guard || network->source_guard || network->learning);
	assert_int_equal(network->mtu, 1400);
	assert_int_equal(port->n_addresses, 3);
	assert_true(port->port.client);
	assert_int_equal(port->lcore, 3);
	assert_int_equal(config->pipeline[STAGE_BRIDGE], 2);
	assert_int_equal(config->n_fdb, 2);
	assert_int_equal(address_ipv4(&config->fdb[0].vtep), inet_addr("192.0.2.3"));
	assert_string_equal(config->fdb[1].port, "web");
	config_free(config);
}

/* ---- modes ---- */

static void a_pci_device_has_its_whole_address(void **state)
{
	static const char *const devices[][2] = {
		{"3b:00.0,mprq_en=0", "0000:3b:00.0,mprq_en=0"},
		{"0000:3B:00.1", "0000:3b:00.1"},
		{"net_bonding0,slave=3b:00.0", "net_bonding0,slave=3b:00.0"},
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(devices); i++) {
		char text[256];
		struct config *config;

		snprintf(text, sizeof(text),
			"[uplink nic]\ndevice = %s\naddress = 192.0.2.1/24\n" NETWORK,
			devices[i][0]);
		config = read_good(text);
		assert_string_equal(config->uplinks[0].port.device, devices[i][1]);
		config_free(config);
	}
}

static void a_mode_of_ones_own_is_a_row(void **state)
{
	struct config *config = read_good(
		"[weft]\nmode = mine\n" GOOD "[mode mine]\ngro = flow+stage\nvxlan = with  rx\n"
		"bridge = flow\nveth = with gro\n");
	struct error error;
	const struct mode *mode = config_mode(config, "mine", &error);

	(void)state;
	assert_non_null(mode);
	assert_string_equal(mode->name, "mine");
	assert_int_equal(mode->row[STAGE_GRO].kind, TRANSITION_FLOW_STAGE);
	assert_int_equal(mode->row[STAGE_VXLAN].kind, TRANSITION_WITH);
	assert_int_equal(mode->row[STAGE_VXLAN].with, STAGE_RX);
	assert_int_equal(mode->row[STAGE_BRIDGE].kind, TRANSITION_FLOW);
	assert_int_equal(mode->row[STAGE_VETH].kind, TRANSITION_WITH);
	assert_int_equal(mode->row[STAGE_VETH].with, STAGE_GRO);
	assert_int_equal(mode->overlay, OVERLAY_BRIDGED);
	config_free(config);
}

static void owners_receive_and_deliver(void **state)
{
	struct config *config =
		read_good(GOOD "[mode one]\nreceive = owner\ndeliver = owner\n[mode two]\n");

	(void)state;
	for (uint32_t i = 0; i < config->n_modes; i++) {
		assert_int_equal(config->modes[i].receive, RECEIVE_BY_OWNER);
		assert_int_equal(config->modes[i].deliver, DELIVER_BY_OWNER);
		assert_string_equal(mode_receive(&config->modes[i]), "owner");
		assert_string_equal(mode_deliver(&config->modes[i]), "owner");
	}
	config_free(config);
}

static void a_mode_by_right_delivers_by_ticket(void **state)
{
	struct config *config = read_good(GOOD "[mode one]\nreceive = right\n"
					       "[mode two]\ndeliver = ticket\nreceive = right\n"
					       "veth = inline\n");

	(void)state;
	for (uint32_t i = 0; i < config->n_modes; i++) {
		assert_int_equal(config->modes[i].receive, RECEIVE_BY_RIGHT);
		assert_int_equal(config->modes[i].deliver, DELIVER_BY_TICKET);
		assert_string_equal(mode_receive(&config->modes[i]), "right");
		assert_string_equal(mode_deliver(&config->modes[i]), "ticket");
		assert_false(config->modes[i].adapts || config->modes[i].gated);
	}
	config_free(config);
}

static void a_stage_that_a_mode_does_not_name_is_inline(void **state)
{
	struct config *config = read_good(GOOD "[mode mine]\nveth = flow\nbridge = inline\n");

	(void)state;
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		assert_int_equal(config->modes[0].row[stage].kind,
			stage == STAGE_VETH ? TRANSITION_FLOW : TRANSITION_INLINE);
	config_free(config);
}

/* As Falcon's: unless it is said otherwise, what steers by stage does so behind a gate. */
static void steering_by_stage_has_a_gate(void **state)
{
	struct config *config = read_good(GOOD "[mode one]\nvxlan = flow+stage\n"
					       "[mode two]\ngate = off\nvxlan = flow+stage\n"
					       "[mode three]\nvxlan = flow\n"
					       "[mode four]\nvxlan = flow\ngate = on\n");

	(void)state;
	assert_int_equal(config->n_modes, 4);
	assert_true(config->modes[0].gated);
	assert_false(config->modes[1].gated);
	assert_false(config->modes[2].gated);
	assert_true(config->modes[3].gated);
	config_free(config);
}

static void a_mode_may_split_and_merge(void **state)
{
	struct config *config =
		read_good(GOOD "[mode mine]\nrx = split\ngro = flow+stage\nvxlan = with rx\n"
			       "bridge = merge\nveth = with bridge\n");
	const struct mode *mode = &config->modes[0];

	(void)state;
	assert_int_equal(mode->row[STAGE_RX].kind, TRANSITION_SPLIT);
	assert_int_equal(mode->row[STAGE_GRO].kind, TRANSITION_FLOW_STAGE);
	assert_int_equal(mode->row[STAGE_VXLAN].kind, TRANSITION_WITH);
	assert_int_equal(mode->row[STAGE_BRIDGE].kind, TRANSITION_MERGE);
	assert_int_equal(mode->row[STAGE_VETH].kind, TRANSITION_WITH);
	assert_false(mode->gated);
	config_free(config);
}

/* Wherever the merge is further down than the split, and nowhere else. */
static void every_merge_is_behind_its_split(void **state)
{
	static const char *const splits[] = {"rx", "gro", "vxlan", "bridge"};
	static const char *const merges[] = {"vxlan", "bridge", "veth"};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(splits); i++)
		for (size_t j = 0; j < RTE_DIM(merges); j++) {
			struct config *config;
			struct error error;
			char text[512];

			snprintf(text, sizeof(text), GOOD "[mode a]\n%s = merge\n%s = split\n",
				merges[j], splits[i]);
			config = read_text(text, &error);
			assert_int_equal(
				config != NULL, i <= j + 1 && strcmp(merges[j], splits[i]) != 0);
			if (config != NULL)
				config_free(config);
		}
}

/* What is steered before the split and after the merge goes one way for all branches. */
static void a_row_may_steer_around_what_it_splits(void **state)
{
	struct config *config =
		read_good(GOOD "[mode a]\ngro = flow+stage\nvxlan = split\nbridge = merge\n"
			       "veth = flow+stage\n"
			       "[mode b]\ngro = with rx\nvxlan = split\nbridge = merge\n"
			       "veth = with gro\ngate = off\n");

	(void)state;
	assert_int_equal(config->n_modes, 2);
	assert_false(config->modes[0].gated || config->modes[1].gated);
	config_free(config);
}

/* By right no stage has an lcore of its own. */
static void who_places_stages_and_names_no_mode_has_vanilla(void **state)
{
	static const struct {
		const char *text, *mode;
	} files[] = {
		{GOOD, "auto"},
		{GOOD "[pipeline]\n", "auto"},
		{GOOD "[pipeline]\nbridge = 1\n", "vanilla"},
		{"[weft]\nmode = rps\n" GOOD "[pipeline]\nbridge = 1\n", "rps"},
		{"[weft]\nmode = turns\n" GOOD, "turns"},
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(files); i++) {
		struct config *config = read_good(files[i].text);

		assert_string_equal(config_first_mode(config)->name, files[i].mode);
		config_free(config);
	}
}

static void modes_are_found_by_name(void **state)
{
	struct config *config = read_good(GOOD "[mode mine]\nvxlan = flow\n");
	struct error error;

	(void)state;
	for (unsigned int i = 0; plan_mode(i) != NULL; i++)
		assert_ptr_equal(config_mode(config, plan_mode(i)->name, &error), plan_mode(i));
	assert_ptr_equal(config_mode(config, "mine", &error), &config->modes[0]);
	assert_null(config_mode(config, "min", &error));
	assert_non_null(strstr(error.text, "'min'"));
	assert_non_null(strstr(error.text, "falcon-dev"));
	assert_non_null(strstr(error.text, "mine"));
	config_free(config);
}

/* ---- errors ---- */

/* A file that is wrong, and what its one line must name. */
struct wrong {
	const char *text;
	const char *words[3];
};

static const struct wrong wrongs[] = {
	{"", {"[uplink NAME]", "missing"}},
	{UPLINK, {"[network NAME]", "missing"}},
	{"device = x\n", {"device:", "before the first"}},
	{GOOD "[wefft]\nmode = vanilla\n", {"[wefft]", "no such section", "[weft]"}},
	{GOOD "[port]\nmac = 02:00:00:00:00:01\n", {"[port]", "no such section"}},
	{GOOD "[port a/b]\nmac = 02:00:00:00:00:01\n", {"[port a/b]", "name"}},
	{GOOD "[weft]\nmod = vanilla\n", {"[weft]", "mod:", "mode"}},
	{GOOD "[weft]\nmbufs = 1023\n", {"[weft]", "mbufs:", "1024"}},
	{GOOD "[weft]\nmbufs = many\n", {"[weft]", "mbufs:", "'many'"}},
	{GOOD "[weft]\ncredits = 63\n", {"[weft]", "credits:", "64"}},
	{GOOD "[weft]\ncredits = -64\n", {"[weft]", "credits:", "'-64'"}},
	{GOOD "[weft]\ncredits = 64x\n", {"[weft]", "credits:", "'64x'"}},
	{GOOD "[weft]\ncredits = 64\ncredits = 65\n", {"[weft]", "credits:", "twice"}},
	{GOOD "[weft]\nmode = vanila\n", {"[weft]", "mode:", "'vanila'"}},
	{GOOD "[weft]\nmode = min\n[mode mine]\nvxlan = flow\n", {"[weft]", "mode:", "mine"}},
	{GOOD "[weft]\ngro = perhaps\n", {"[weft]", "gro:", "'perhaps'"}},
	{"[uplink e]\naddress = 192.0.2.1/24\n" NETWORK, {"[uplink e]", "interface:", "missing"}},
	{"[uplink e]\ninterface = x\ndevice = x\naddress = 192.0.2.1/24\n" NETWORK,
		{"[uplink e]", "device:", "too"}},
	{"[uplink e]\ninterface = sixteen-letters-\naddress = 192.0.2.1/24\n" NETWORK,
		{"[uplink e]", "interface:", "15"}},
	{"[uplink e]\ndevice = net_af_packet0\naddress = 192.0.2.1/24\n" NETWORK,
		{"[uplink e]", "device:", "interface = eth1"}},
	{"[uplink e]\ndevice = net_af_packet0,iface=sixteen-letters-\naddress = "
	 "192.0.2.1/24\n" NETWORK,
		{"[uplink e]", "device:", "interface = eth1"}},
	{"[uplink e]\ndevice = x\n" NETWORK, {"[uplink e]", "address:", "missing"}},
	{"[uplink e]\ndevice = x\naddress = 192.0.2.1\n" NETWORK, {"[uplink e]", "address:"}},
	{"[uplink e]\ndevice = x\naddress = 192.0.2.1/33\n" NETWORK, {"[uplink e]", "address:"}},
	{"[uplink e]\ndevice = x\naddress = 192.0.2/24\n" NETWORK, {"[uplink e]", "address:"}},
	{"[uplink e]\ndevice = x\naddress = 224.0.0.1/24\n" NETWORK, {"[uplink e]", "address:"}},
	{UPLINK "gateway = 192.0.3.1\n" NETWORK, {"[uplink eth1]", "gateway:", "prefix"}},
	{UPLINK "gateway = router\n" NETWORK, {"[uplink eth1]", "gateway:", "'router'"}},
	{UPLINK "mac = 02:00\n" NETWORK, {"[uplink eth1]", "mac:", "'02:00'"}},
	{UPLINK "mtu = 100\n" NETWORK, {"[uplink eth1]", "mtu:", "128"}},
	{UPLINK "queues = 0\n" NETWORK, {"[uplink eth1]", "queues:"}},
	{UPLINK "lcores = 1 two\n" NETWORK, {"[uplink eth1]", "lcores:", "'two'"}},
	{UPLINK "ring-size = 31\n" NETWORK, {"[uplink eth1]", "ring-size:", "32"}},
	{UPLINK UPLINK NETWORK, {"[uplink eth1]", "already"}},
	{UPLINK "[network blue]\n", {"[network blue]", "vni:", "missing"}},
	{UPLINK "[network blue]\nvni = 16777216\n", {"[network blue]", "vni:", "16777215"}},
	{GOOD "udp-port = 0\n", {"[network blue]", "udp-port:"}},
	{GOOD "vteps = 192.0.2.2 host\n", {"[network blue]", "vteps:", "'host'"}},
	{GOOD "vteps = 255.255.255.255\n", {"[network blue]", "vteps:"}},
	{GOOD "vtep-guard = maybe\n", {"[network blue]", "vtep-guard:", "'maybe'"}},
	{GOOD "ageing = 0\n", {"[network blue]", "ageing:"}},
	{GOOD "addresses = 0\n", {"[network blue]", "addresses:"}},
	{GOOD "mtu = 67\n", {"[network blue]", "mtu:", "68"}},
	{GOOD NETWORK, {"[network blue]", "already"}},
	{GOOD "[port web]\ntype = tap\nmac = 02:00:00:00:00:01\n", {"[port web]", "network:"}},
	{GOOD "[port web]\nnetwork = blue\nmac = 02:00:00:00:00:01\n", {"[port web]", "type:"}},
	{GOOD "[port web]\nnetwork = blue\ntype = tap\n", {"[port web]", "mac:", "missing"}},
	{GOOD "[port web]\nnetwork = blue\ntype = tip\nmac = 02:00:00:00:00:01\n",
		{"[port web]", "type:", "vhost-user"}},
	{GOOD "[port web]\nnetwork = blue\ntype = memif\nmac = 02:00:00:00:00:01\n",
		{"[port web]", "path:", "memif"}},
	{GOOD "[port web]\nnetwork = blue\ntype = tap\nmac = 03:00:00:00:00:01\n",
		{"[port web]", "mac:", "group"}},
	{GOOD PORT "addresses = 10.0.0.1 10.0.0\n", {"[port web]", "addresses:", "'10.0.0'"}},
	{GOOD PORT "addresses = fd00::1::2\n", {"[port web]", "addresses:", "'fd00::1::2'"}},
	{GOOD PORT "addresses = 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 "
		   "10.0.0.8 10.0.0.9\n",
		{"[port web]", "addresses:", "8"}},
	{GOOD PORT "interface = a-name-of-sixteen\n", {"[port web]", "interface:", "15"}},
	{GOOD PORT "client = perhaps\n", {"[port web]", "client:", "'perhaps'"}},
	{GOOD PORT "lcore = 128\n", {"[port web]", "lcore:"}},
	{GOOD PORT PORT, {"[port web]", "already"}},
	{GOOD "[steering]\nlcores = 1 two\n", {"[steering]", "lcores:", "'two'"}},
	{GOOD "[steering]\nlcores = 1 2\nlcores = 3 1\n", {"[steering]", "lcores:", "twice"}},
	{GOOD "[steering]\npolicy = best\n", {"[steering]", "policy:", "least-loaded"}},
	{GOOD "[steering]\nthreshold = 0\n", {"[steering]", "threshold:", "100"}},
	{GOOD "[steering]\nthreshold = 101\n", {"[steering]", "threshold:", "100"}},
	{GOOD "[steering]\nlcore = 1\n", {"[steering]", "lcore:", "lcores"}},
	{GOOD "[micro-flows]\nbatch = 0\n", {"[micro-flows]", "batch:", "4096"}},
	{GOOD "[micro-flows]\nbatch = 4097\n", {"[micro-flows]", "batch:", "4096"}},
	{GOOD "[micro-flows]\nbranches = 0\n", {"[micro-flows]", "branches:", "16"}},
	{GOOD "[micro-flows]\nbranches = 17\n", {"[micro-flows]", "branches:", "16"}},
	{GOOD "[micro-flows]\nelephants = 65\n", {"[micro-flows]", "elephants:", "64"}},
	{GOOD "[micro-flows]\nrate = 0\n", {"[micro-flows]", "rate:", "1000000000"}},
	{GOOD "[micro-flows]\nrate = 1000000001\n", {"[micro-flows]", "rate:", "1000000000"}},
	{GOOD "[micro-flows]\nlcores = 2 2\n", {"[micro-flows]", "lcores:", "twice"}},
	{GOOD "[micro-flows]\nbranch = 2\n", {"[micro-flows]", "branch:", "branches"}},
	{GOOD "[microflows]\nbatch = 2\n", {"[microflows]", "no such section", "[micro-flows]"}},
	{GOOD "[mode]\nvxlan = flow\n", {"[mode]", "no such section", "[mode NAME]"}},
	{GOOD "[mode rps]\nvxlan = flow\n", {"[mode rps]", "another name"}},
	{GOOD "[mode a]\n[mode a]\n", {"[mode a]", "already"}},
	{GOOD "[mode a]\nrx = flow\n", {"[mode a]", "rx:", "inline, split"}},
	{GOOD "[mode a]\nrx = with gro\n", {"[mode a]", "rx:", "inline, split"}},
	{GOOD "[mode a]\nencap = flow\n", {"[mode a]", "encap:", "veth"}},
	{GOOD "[mode a]\ngro = merge\n", {"[mode a]", "gro:", "with STAGE, split"}},
	{GOOD "[mode a]\nveth = split\n", {"[mode a]", "veth:", "with STAGE, merge"}},
	{GOOD "[mode a]\nrx = split\n", {"[mode a]", "rx:", "no merge"}},
	{GOOD "[mode a]\nveth = merge\n", {"[mode a]", "veth:", "no split"}},
	{GOOD "[mode a]\nvxlan = merge\nbridge = split\n", {"[mode a]", "vxlan:", "no split"}},
	{GOOD "[mode a]\nrx = split\ngro = split\nveth = merge\n", {"[mode a]", "gro:", "twice"}},
	{GOOD "[mode a]\nrx = split\nvxlan = merge\nveth = merge\n",
		{"[mode a]", "veth:", "twice"}},
	{GOOD "[mode a]\nrx = split\ngro = flow\nveth = merge\n",
		{"[mode a]", "gro: 'flow'", "flow+stage"}},
	{GOOD "[mode a]\ngro = split\nvxlan = merge\nveth = flow\n",
		{"[mode a]", "veth: 'flow'", "flow+stage"}},
	{GOOD "[mode a]\ngro = split\nvxlan = with rx\nveth = merge\n",
		{"[mode a]", "vxlan: 'with rx'", "from gro on"}},
	{GOOD "[mode a]\ngro = split\nbridge = merge\nveth = with vxlan\n",
		{"[mode a]", "veth: 'with vxlan'", "from bridge on"}},
	{GOOD "[mode a]\nrx = split\nveth = merge\ngate = on\n", {"[mode a]", "gate:", "splits"}},
	{GOOD "[mode a]\nvxlan = stage\n", {"[mode a]", "vxlan:", "flow+stage"}},
	{GOOD "[mode a]\nvxlan = with\n", {"[mode a]", "vxlan:", "with STAGE"}},
	{GOOD "[mode a]\nvxlan = with bridge\n", {"[mode a]", "'with bridge'", "rx, gro"}},
	{GOOD "[mode a]\nvxlan = with vxlan\n", {"[mode a]", "vxlan:", "rx, gro"}},
	{GOOD "[mode a]\nveth = with veth_rx\n", {"[mode a]", "veth:", "vxlan, bridge"}},
	{GOOD "[mode a]\nreceive = turn\n", {"[mode a]", "receive: 'turn'", "owner, right"}},
	{GOOD "[mode a]\ndeliver = everybody\n",
		{"[mode a]", "deliver: 'everybody'", "owner, ticket"}},
	{GOOD "[mode a]\nreceive = right\nbridge = flow\n",
		{":8: [mode a]: bridge: 'flow'", "right", "inline"}},
	{GOOD "[mode a]\nreceive = right\nvxlan = split\nveth = merge\n",
		{"[mode a]", "vxlan: 'split'", "inline"}},
	{GOOD "[mode a]\nreceive = right\ndeliver = owner\n",
		{":8: [mode a]: deliver: 'owner'", "right", "ticket"}},
	{GOOD "[mode a]\ndeliver = ticket\n", {"[mode a]", "deliver: 'ticket'", "owner"}},
	{GOOD "[mode a]\nreceive = right\ngate = on\n", {"[mode a]", "gate:", "nothing"}},
	{GOOD "[mode a]\nreceive = owner\nreceive = owner\n", {"[mode a]", "receive:", "twice"}},
	{GOOD "[mode a]\ngate = ajar\n", {"[mode a]", "gate:", "'ajar'"}},
	{GOOD "[mode a]\nvxlan = with rx\ngate = on\n", {"[mode a]", "gate:", "nothing"}},
	{GOOD "[pipeline]\nbrigde = 1\n", {"[pipeline]", "brigde:", "no such stage"}},
	{GOOD "[pipeline]\ndeliver = 1\n", {"[pipeline]", "deliver:"}},
	{GOOD "[pipeline]\nbridge = one\n", {"[pipeline]", "bridge:", "'one'"}},
	{GOOD "[pipeline]\nbridge = 1\nbridge = 2\n", {"[pipeline]", "bridge:", "twice"}},
	{GOOD "[fdb blue]\n02:00:00:00:00 = 192.0.2.2\n", {"[fdb blue]", "02:00:00:00:00"}},
	{GOOD "[fdb blue]\n02:00:00:00:00:07 = nobody\n",
		{"[fdb blue]", "02:00:00:00:00:07", "'nobody'"}},
	/* what spans sections */
	{GOOD "uplink = eth2\n", {"[network blue]: uplink:", "'eth2'"}},
	{GOOD "[network red]\nvni = 100\n", {"[network red]: vni:", "blue", "100"}},
	{UPLINK "mtu = 1500\n" NETWORK "mtu = 1451\n", {"[network blue]: mtu:", "1450"}},
	{UPLINK "gateway = 192.0.2.1\n" NETWORK, {"[uplink eth1]: gateway:", "own"}},
	{GOOD "[uplink eth2]\ndevice = net_null0,copy=1\naddress = 198.51.100.1/24\n",
		{"[uplink eth2]: device:", "eth1"}},
	{GOOD "[uplink a]\ninterface = eth1\naddress = 198.51.100.1/24\n"
	      "[uplink b]\ninterface = eth1\naddress = 203.0.113.1/24\n",
		{"[uplink b]: interface:", "uplink a"}},
	{GOOD "vteps = 192.0.2.2 192.0.2.1\n", {"[network blue]: vteps:", "192.0.2.1 is", "own"}},
	{GOOD "vteps = 192.0.2.2\nvteps = 192.0.2.2\n", {":7: [network blue]: vteps:", "twice"}},
	{GOOD "vteps = 198.51.100.2\n", {"[network blue]: vteps:", "198.51.100.2", "gateway"}},
	{GOOD PORT "[port eth1]\nnetwork = blue\ntype = tap\nmac = 02:00:00:00:00:02\n",
		{"[port eth1]", "uplink"}},
	{GOOD PORT "[port db]\nnetwork = blue\ntype = tap\nmac = 02:00:00:00:00:01\n",
		{"[port db]: mac:", "web"}},
	{GOOD PORT "addresses = 10.0.0.1\n"
		   "[port db]\nnetwork = blue\ntype = tap\nmac = 02:00:00:00:00:02\n"
		   "addresses = 10.0.0.2 10.0.0.1\n",
		{"[port db]: addresses:", "10.0.0.1", "web"}},
	{GOOD PORT "addresses = fd00::1\n"
		   "[port db]\nnetwork = blue\ntype = tap\nmac = 02:00:00:00:00:02\n"
		   "addresses = fd00:0::1\n",
		{"[port db]: addresses:", "fd00::1", "web"}},
	{GOOD PORT "netns = a\ninterface = eth0\n"
		   "[port db]\nnetwork = blue\ntype = tap\nmac = 02:00:00:00:00:02\n"
		   "netns = /run/netns/a\ninterface = eth0\n",
		{"[port db]: interface:", "eth0", "web"}},
	{GOOD SOCKET("web", "1", "/tmp/x.sock") SOCKET("db", "2", "/tmp/x.sock"),
		{"[port db]: path:", "web"}},
	{GOOD SOCKET("web", "1", "/dev/null"), {"[port web]: path:", "not a socket"}},
	{GOOD SOCKET("web", "1", "/dev/null/a/b.sock"), {"[port web]: path:", "not a directory"}},
	{GOOD "[port web]\nnetwork = blue\ntype = ring\nmac = 02:00:00:00:00:01\n",
		{"[port web]: type:", "virtual"}},
	{GOOD "[fdb red]\n02:00:00:00:00:07 = 192.0.2.2\n", {"[fdb red]", "'red'"}},
	{GOOD "[fdb blue]\n02:00:00:00:00:07 = 192.0.2.2\n",
		{":7: [fdb blue]: 02:00:00:00:00:07:", "192.0.2.2", "vteps"}},
	{GOOD "[fdb blue]\n02:00:00:00:00:07 = port web\n",
		{"[fdb blue]: 02:00:00:00:00:07:", "'web'"}},
	{GOOD PORT "[network red]\nvni = 101\n[fdb red]\n02:00:00:00:00:07 = port web\n",
		{"[fdb red]: 02:00:00:00:00:07:", "'web'"}},
	{GOOD "vteps = 192.0.2.2\n" PORT "[fdb blue]\n02:00:00:00:00:01 = 192.0.2.2\n",
		{"[fdb blue]: 02:00:00:00:00:01:", "port web"}},
	{GOOD "vteps = 192.0.2.2\n[fdb blue]\n02:00:00:00:00:07 = 192.0.2.2\n"
	      "02:00:00:00:00:07 = 192.0.2.2\n",
		{":9: [fdb blue]: 02:00:00:00:00:07:", "twice", "line 8"}},
	{"[weft]\nmode = native\n" GOOD SOCKET("web", "1", "/tmp/x") SOCKET("db", "2", "/tmp/y"),
		{"[port db]", "native"}},
	{"[weft]\nmode = linux-overlay\n" GOOD SOCKET("web", "1", "/tmp/x")
			SOCKET("db", "2", "/tmp/y"),
		{"[port db]", "linux-overlay", "blue"}},
	{"[weft]\nmode = turns\n" GOOD "[pipeline]\nbridge = 1\nveth = 2\n",
		{":9: [pipeline]: bridge: ", "mode turns", "[weft]"}},
	{"[weft]\nmode = auto\n" GOOD "[pipeline]\nveth = 1\n",
		{":9: [pipeline]: veth: ", "mode auto", "--mode"}},
	{"[weft]\nmode = mine\n" GOOD "[pipeline]\nveth = 1\n[mode mine]\nreceive = right\n",
		{"[pipeline]: veth: ", "mode mine", "--mode"}},
};

static void errors_name_file_section_and_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < RTE_DIM(wrongs); i++) {
		struct error error = {""};
		struct config *config = read_text(wrongs[i].text, &error);

		if (config != NULL)
			fail_msg("accepted:\n%s", wrongs[i].text);
		assert_int_equal(strncmp(error.text, file, strlen(file)), 0);
		assert_null(strchr(error.text, '\n'));
		for (int j = 0; j < 3 && wrongs[i].words[j] != NULL; j++)
			if (strstr(error.text, wrongs[i].words[j]) == NULL)
				fail_msg("no '%s' in: %s", wrongs[i].words[j], error.text);
	}
}

static void a_file_that_is_not_there_is_named(void **state)
{
	struct error error;

	(void)state;
	assert_int_equal(unlink(file), 0);
	assert_null(file_read_config(&error));
	assert_non_null(strstr(error.text, file));
	assert_non_null(strstr(error.text, "No such file"));
	file_write("", 0); /* for who removes it */
}

/* A long value must not be cut to a valid one in silence. */
static void long_values_are_not_cut(void **state)
{
	char text[1024] = GOOD "[port web]\nnetwork = blue\ntype = vhost-user\n"
			       "mac = 02:00:00:00:00:01\npath = /";
	size_t begin = strlen(text);

	(void)state;
	for (size_t length = 100; length < 400; length += 25) {
		struct error error = {""};

		memset(text + begin, 'a', length);
		strcpy(text + begin + length, "\n");
		if (length < 107) {
			config_free(read_good(text));
			continue;
		}
		assert_null(read_text(text, &error));
		assert_non_null(strstr(error.text, "107 characters"));
	}
}

/* As many VTEPs as a network may have, in one line. */
static void a_line_may_be_long(void **state)
{
	char text[8192] =
		"[uplink eth1]\ndevice = net_null0\naddress = 192.0.2.1/16\n" NETWORK "vteps =";
	struct config *config;

	(void)state;
	for (int i = 0; i < CONFIG_NETWORK_VTEPS_MAX; i++)
		sprintf(text + strlen(text), " 192.0.%d.%d", 10 + i / 250, 1 + i % 250);
	config = read_good(text);
	assert_int_equal(config->networks[0].n_vteps, CONFIG_NETWORK_VTEPS_MAX);
	config_free(config);
}

/* Whatever a user wrote comes out as text, and what would be right is not cut off. */
static void errors_are_printable_and_whole(void **state)
{
	char text[8192] = GOOD "[weft]\nmbufs = ";
	struct error error;

	(void)state;
	assert_null(read_text(GOOD "[weft]\nmbufs = a\xc2\x9b\x7f\n", &error));
	assert_non_null(strstr(error.text, "'a\\xc2\\x9b\\x7f' is no number from 1024 to"));
	memset(text + strlen(text), 'x', 5000);
	assert_null(read_text(text, &error));
	assert_non_null(strstr(error.text, "[weft]: mbufs: 'xxx"));
	assert_non_null(strstr(error.text, "xxx' is no number from 1024 to 16777216"));
}

/* ---- all errors ---- */

static void all_errors_are_told_with_their_lines(void **state)
{
	static const char text[] = "[weft]\n"
				   "mbufs = many\n"
				   "color = red\n"
				   "[uplink eth1]\n"
				   "address = 192.0.2.1\n"
				   "[network blue]\n"
				   "what is this\n"
				   "vni = 100\n"
				   "vteps = 192.0.2.2 192.0.2.2\n"
				   "[port web]\n"
				   "network = red\n"
				   "type = tap\n"
				   "mac = 02:00:00:00:00:01\n";
	static const char *const lines[] = {
		":2: [weft]: mbufs: 'many' is no number",
		":3: [weft]: color: no such key; there are mode,",
		":4: [uplink eth1]: interface: is missing",
		":5: [uplink eth1]: address: '192.0.2.1' is no address with its prefix",
		":7: 'what is this' is neither",
		":9: [network blue]: vteps: 192.0.2.2 is given twice",
		":11: [port web]: network: no network is called 'red'",
	};
	struct error_list errors = {0};
	struct config *config;
	char *said, *line;
	size_t size;
	FILE *stream = open_memstream(&said, &size);

	(void)state;
	file_write(text, strlen(text));
	config = file_read_all(&errors);
	error_list_print(&errors, "weft:", stream);
	fclose(stream);
	assert_int_equal(errors.n, RTE_DIM(lines));
	line = said;
	for (size_t i = 0; i < RTE_DIM(lines); i++) {
		char expected[256];

		snprintf(expected, sizeof(expected), "weft: %s%s", file, lines[i]);
		if (strncmp(line, expected, strlen(expected)) != 0)
			fail_msg("no '%s' in: %s", expected, line);
		line = strchr(line, '\n') + 1;
	}
	free(said);
	error_list_free(&errors);
	config_free(config);
}

/* ---- who registers sections ---- */

/* A section of some module's, as one that comes later may have it. */
struct rule {
	char name[PORT_NAME_SIZE];
	uint32_t limit;
};

static const struct section_kind rule_section, limits_section;
static const struct section_kind *const rule_sections[] = {&rule_section, &limits_section, NULL};
static int rules_freed;

static const struct key rule_keys[] = {
	{"limit", value_u32, offsetof(struct rule, limit), 1, 1000, KEY_REQUIRED},
	{0},
};

static void read_rule(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	struct rule *rule = config_add(config, &rule_section);

	snprintf(rule->name, sizeof(rule->name), "%s", section->name);
	keys_read(rule_keys, section, rule, errors);
}

static void check_rules(const struct config *config, struct error_list *errors)
{
	const uint32_t *most = config_settings(config, &limits_section, 0);

	for (uint32_t i = 0; i < config_count(config, &rule_section); i++) {
		const struct rule *rule = config_settings(config, &rule_section, i);

		if (rule->limit > *most)
			config_wrong(config, errors, "rule", rule->name, "limit", NULL,
				"is above %u", *most);
	}
}

static void check_rule_lcores(
	const struct config *config, const struct workers *workers, struct error_list *errors)
{
	config_wrong(config, errors, "rule", "a", NULL, NULL, "%s", workers->no_such);
}

static void free_rules(struct config *config)
{
	rules_freed += config_count(config, &rule_section);
}

static const struct section_kind rule_section = {.name = "rule",
	.names = "NAME",
	.most = 2,
	.size = sizeof(struct rule),
	.read = read_rule,
	.check = check_rules,
	.check_lcores = check_rule_lcores,
	.free = free_rules};

static void init_limits(struct config *config)
{
	*(uint32_t *)config_settings(config, &limits_section, 0) = 10;
}

static void read_limits(
	struct config *config, const struct ini_section *section, struct error_list *errors)
{
	keys_read((const struct key[]){{"most", value_u32, 0, 1, 1000, 0}, {0}}, section,
		config_settings(config, &limits_section, 0), errors);
}

static const struct section_kind limits_section = {
	.name = "limits", .size = sizeof(uint32_t), .init = init_limits, .read = read_limits};

static struct config *read_with_rules(const char *text, struct error_list *errors)
{
	struct config *config = config_create(file);

	file_write(text, strlen(text));
	*errors = (struct error_list){.file = file};
	config_register(config, control_sections);
	config_register(config, rule_sections);
	assert_int_equal(config_read(config, errors), 0);
	check_config(config, errors);
	return config;
}

static void assert_joined(struct error_list *errors, const char *part)
{
	struct error error = {""};

	error_list_join(errors, &error);
	error_list_free(errors);
	if (strstr(error.text, part) == NULL)
		fail_msg("no '%s' in: %s", part, error.text);
}

static void a_module_registers_sections_of_its_own(void **state)
{
	struct error_list errors;
	struct config *config = read_with_rules(GOOD
		"[rule a]\nlimit = 9\n[rule b]\nlimit = 20\n[limits]\nmost = 30\n"
		"[rule c]\nlimit = 5\n",
		&errors);
	const struct rule *rule = config_settings(config, &rule_section, 1);
	const struct workers workers = {.no_such = "is told of lcores"};

	(void)state;
	assert_int_equal(errors.n, 0);
	assert_int_equal(config_count(config, &rule_section), 2); /* the third is one too many */
	assert_string_equal(rule->name, "b");
	assert_int_equal(rule->limit, 20);
	check_lcores(config, &workers, &errors);
	assert_joined(&errors, "[rule a]: is told of lcores");
	rules_freed = 0;
	config_free(config);
	assert_int_equal(rules_freed, 2);
}

static void registered_sections_check_their_own(void **state)
{
	struct error_list errors;
	struct config *config = read_with_rules(GOOD "[rule a]\nlimit = 11\n", &errors);

	(void)state;
	assert_int_equal(errors.n, 1);
	assert_int_equal(errors.lines[0].number, 7);
	assert_joined(&errors, "[rule a]: limit: is above 10");
	config_free(config);
}

/* Who leaves the virtual clock's out has none. */
static void what_nobody_registers_is_no_section(void **state)
{
	struct error_list errors;
	struct config *config = read_with_rules(GOOD "[virtual]\nlcores = 2\n", &errors);

	(void)state;
	assert_int_equal(errors.n, 1);
	assert_joined(&errors,
		"[virtual]: no such section; there are [weft], [uplink NAME], [network NAME], "
		"[port NAME], [steering], [micro-flows], [mode NAME], [pipeline], [fdb NETWORK], "
		"[rule NAME], [limits]");
	config_free(config);
}

/* How many errors the text has. */
static size_t count_errors(char *text, size_t size)
{
	struct error_list errors = {0};
	struct config *config;
	size_t n;

	file_write(text, size);
	free(text);
	config = file_read_all(&errors);
	n = errors.n;
	error_list_free(&errors);
	config_free(config);
	return n;
}

/* Each has all in common with each other that ports may not. Those beyond what there may be are not
 * looked at. */
static void many_ports_that_clash_are_told_once_each(void **state)
{
	char *text;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	(void)state;
	fprintf(stream, GOOD);
	for (int i = 0; i < 3000; i++)
		fprintf(stream,
			"[port p%d]\nnetwork = blue\ntype = vhost-user\npath = /run/a.sock\n"
			"mac = 02:00:00:00:00:01\naddresses = 10.0.0.1\n",
			i);
	fprintf(stream, "[fdb blue]\n02:00:00:00:00:01 = port p0\n");
	fclose(stream);
	/* The uplink is one of PORTS_MAX. All ports but the first have three errors; then come the
	 * first too many, and the static entry. */
	assert_int_equal(count_errors(text, size), 3 * (PORTS_MAX - 2) + 1 + 1);
}

static void many_networks_that_clash_are_told_once_each(void **state)
{
	char *text;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	(void)state;
	fprintf(stream, UPLINK);
	for (int i = 0; i < 2 * NETWORKS_MAX; i++)
		fprintf(stream, "[network n%d]\nvni = 7\n", i);
	fclose(stream);
	assert_int_equal(count_errors(text, size), NETWORKS_MAX + 1);
}

static void many_wrong_lines_are_told_once_each(void **state)
{
	char *text;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	(void)state;
	fprintf(stream, GOOD "[fdb blue]\n");
	for (int i = 0; i < 100000; i++)
		fprintf(stream, "%d = 192.0.2.2\n", i);
	fprintf(stream, "[pipeline]\n");
	for (int i = 0; i < 100000; i++)
		fprintf(stream, "x%d = 1\n", i);
	fclose(stream);
	assert_int_equal(count_errors(text, size), 200000);
}

static void lists_may_be_given_in_several_lines(void **state)
{
	struct config *config = read_good(GOOD "vteps = 192.0.2.2\nvteps = 192.0.2.3\n" PORT
					       "addresses = 10.0.0.1\naddresses = fd00::1\n");

	(void)state;
	assert_int_equal(config->networks[0].n_vteps, 2);
	assert_int_equal(config->containers[0].n_addresses, 2);
	config_free(config);
}

/* ---- weftctl port add ---- */

static void words_of_port_add_make_a_port(void **state)
{
	struct container_config port;
	struct error error;

	(void)state;
	assert_int_equal(config_read_container("web",
				 "network=blue,type=memif,mac=02:00:00:00:00:01,"
				 "path=/run/x.sock,addresses=10.0.0.1 fd00::1,queues=2",
				 &port, &error),
		0);
	assert_string_equal(port.port.name, "web");
	assert_string_equal(port.network, "blue");
	assert_string_equal(port.port.path, "/run/x.sock");
	assert_int_equal(port.n_addresses, 2);
	assert_int_equal(port.port.queues, 2);
	assert_int_equal(port.lcore, CONFIG_NONE);
}

static void wrong_words_of_port_add_are_named(void **state)
{
	static const char *const words[][2] = {
		{"", "key=value"},
		{"network", "key=value"},
		{"network=blue,type=tap", "mac"},
		{"network=blue,type=tap,mac=02:00:00:00:00:01,speed=9", "speed"},
		{"network=blue,type=tap,mac=02:00:00:00:00:0x", "mac"},
		{"network=blue,network=blue,type=tap,mac=02:00:00:00:00:01", "network"},
		{"=", ""},
		{",,,", ""},
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(words); i++) {
		struct container_config port;
		struct error error = {""};

		assert_int_equal(config_read_container("web", words[i][0], &port, &error), -1);
		if (error.text[0] == '\0' || strstr(error.text, words[i][1]) == NULL)
			fail_msg("'%s': %s", words[i][0], error.text);
	}
}

static void a_port_needs_a_name(void **state)
{
	static const char words[] = "network=blue,type=tap,mac=02:00:00:00:00:01";
	struct container_config port;
	struct error error;

	(void)state;
	assert_int_equal(config_read_container("", words, &port, &error), -1);
	assert_int_equal(config_read_container("a b", words, &port, &error), -1);
	assert_int_equal(config_read_container(
				 "a-name-that-is-longer-than-thirty-one", words, &port, &error),
		-1);
}

/* ---- garbage ---- */

static uint32_t random_next(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Pieces of good files, thrown together, with some bytes changed. */
static size_t write_garbage(uint32_t *random, char *text, size_t size)
{
	static const char *const pieces[] = {UPLINK, NETWORK, PORT, "[weft]\n", "[pipeline]\n",
		"[fdb blue]\n", "02:00:00:00:00:07 = port web\n", "bridge = 1\n", "=", "\n", "[",
		"]", "#", "\\", " ", "mode = vanilla\n", "[steering]\n", "[mode a]\n",
		"vxlan = flow+stage\n", "bridge = with ", "[micro-flows]\n", "rx = split\n",
		"veth = merge\n", "vteps = 192.0.2.2 192.0.2.3 ", "addresses = 10.0.0.1 fd00::1 ",
		"lcores = 1 2 3 ", "path = /a/b/c", "aaaaaaaaaa", "[port ", "[network ",
		"mtu = 99999999999999999999\n", "\t", "\r\n"};
	size_t length = 0;

	while (length < size - 128 && random_next(random) % 24 != 0) {
		const char *piece = pieces[random_next(random) % RTE_DIM(pieces)];
		unsigned int times = random_next(random) % 8 == 0 ? random_next(random) % 40 : 1;

		for (; times > 0 && length < size - 128; times--)
			length += sprintf(text + length, "%s", piece);
	}
	for (unsigned int i = random_next(random) % 4; length > 0 && i > 0; i--)
		text[random_next(random) % length] = random_next(random);
	return length;
}

static void garbage_is_refused_or_read_but_harms_nothing(void **state)
{
	static char text[8192];
	uint32_t random = 1;

	(void)state;
	for (int i = 0; i < GARBAGE; i++) {
		size_t length = write_garbage(&random, text, sizeof(text));
		struct error error = {""};
		struct config *config;

		file_write(text, length);
		config = file_read_config(&error);
		if (config != NULL)
			config_free(config);
		else
			assert_int_equal(strncmp(error.text, file, strlen(file)), 0);
	}
}

static void garbage_words_harm_nothing(void **state)
{
	static const char *const pieces[] = {"network=blue", "type=tap", "type=memif", "path=/x",
		"mac=02:00:00:00:00:01", ",", "=", "addresses=10.0.0.1", " ", "fd00::1", "queues=2",
		"lcore=1", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "%s", "\n"};
	uint32_t random = 2;

	(void)state;
	for (int i = 0; i < GARBAGE; i++) {
		char words[2048] = "";
		struct container_config port;
		struct error error = {""};

		while (strlen(words) < sizeof(words) - 64 && random_next(&random) % 16 != 0)
			strcat(words, pieces[random_next(&random) % RTE_DIM(pieces)]);
		if (config_read_container("web", words, &port, &error) != 0)
			assert_int_not_equal(error.text[0], '\0');
	}
}

static void garbage_fdb_entries_harm_nothing(void **state)
{
	static const char *const macs[] = {
		"02:00:00:00:00:07", "", "02", "0200.0000.0007", "ff:ff:ff:ff:ff:ff", "x"};
	static const char *const places[] = {"192.0.2.2", "", "port", "port ", "port web",
		"port aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "192.0.2", "::1"};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(macs); i++)
		for (size_t j = 0; j < RTE_DIM(places); j++) {
			struct fdb_config entry;
			struct error error = {""};

			if (config_read_fdb("blue", macs[i], places[j], &entry, &error) != 0)
				assert_int_not_equal(error.text[0], '\0');
		}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, file_make, file_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_left_out_has_its_default),
		TEST(af_packet_is_an_interface),
		TEST(every_key_is_read),
		TEST(a_pci_device_has_its_whole_address),
		TEST(a_mode_of_ones_own_is_a_row),
		TEST(owners_receive_and_deliver),
		TEST(a_mode_by_right_delivers_by_ticket),
		TEST(a_stage_that_a_mode_does_not_name_is_inline),
		TEST(steering_by_stage_has_a_gate),
		TEST(a_mode_may_split_and_merge),
		TEST(every_merge_is_behind_its_split),
		TEST(a_row_may_steer_around_what_it_splits),
		TEST(who_places_stages_and_names_no_mode_has_vanilla),
		TEST(modes_are_found_by_name),
		TEST(errors_name_file_section_and_key),
		TEST(a_file_that_is_not_there_is_named),
		TEST(long_values_are_not_cut),
		TEST(a_line_may_be_long),
		TEST(errors_are_printable_and_whole),
		TEST(all_errors_are_told_with_their_lines),
		TEST(a_module_registers_sections_of_its_own),
		TEST(registered_sections_check_their_own),
		TEST(what_nobody_registers_is_no_section),
		TEST(many_ports_that_clash_are_told_once_each),
		TEST(many_networks_that_clash_are_told_once_each),
		TEST(many_wrong_lines_are_told_once_each),
		TEST(lists_may_be_given_in_several_lines),
		TEST(words_of_port_add_make_a_port),
		TEST(wrong_words_of_port_add_are_named),
		TEST(a_port_needs_a_name),
		TEST(garbage_is_refused_or_read_but_harms_nothing),
		TEST(garbage_words_harm_nothing),
		TEST(garbage_fdb_entries_harm_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
