/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

static const char *const direction_names[] = {
	[DIRECTION_RECEIVE] = "receive",
	[DIRECTION_TRANSMIT] = "transmit",
	[DIRECTION_ECHO] = "echo",
};

const char *direction_name(enum direction direction)
{
	return direction_names[direction];
}

static int parse_number(const char *text, double low, double high, double *value)
{
	char *end;

	errno = 0;
	*value = strtod(text, &end);
	return errno == 0 && end != text && *end == '\0' && *value >= low && *value <= high ? 0
											    : -1;
}

static int parse_integer(const char *text, uint64_t low, uint64_t high, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return errno == 0 && end != text && *end == '\0' && *text != '-' && *value >= low &&
			       *value <= high
		       ? 0
		       : -1;
}

/* One parser for each option, so that the table below is the whole command line. */
#define INTEGER_OPTION(name, member, low, high)                                                    \
	static int parse_##name(struct options *options, const char *text)                         \
	{                                                                                          \
		uint64_t value;                                                                    \
                                                                                                   \
		if (parse_integer(text, low, high, &value) < 0)                                    \
			return -1;                                                                 \
		options->member = value;                                                           \
		return 0;                                                                          \
	}

#define NUMBER_OPTION(name, high)                                                                  \
	static int parse_##name(struct options *options, const char *text)                         \
	{                                                                                          \
		return parse_number(text, 0, high, &options->name);                                \
	}

#define MAC_OPTION(name, member)                                                                   \
	static int parse_##name(struct options *options, const char *text)                         \
	{                                                                                          \
		return rte_ether_unformat_addr(text, &options->member);                            \
	}

#define ADDRESS_OPTION(name, member)                                                               \
	static int parse_##name(struct options *options, const char *text)                         \
	{                                                                                          \
		return inet_pton(AF_INET, text, &options->member) == 1 ? 0 : -1;                   \
	}

#define FLAG_OPTION(name)                                                                          \
	static int parse_##name(struct options *options, __rte_unused const char *text)            \
	{                                                                                          \
		options->name = true;                                                              \
		return 0;                                                                          \
	}

ADDRESS_OPTION(weft_address, tunnel.remote)
ADDRESS_OPTION(address, tunnel.local)
INTEGER_OPTION(vni, tunnel.vni, 0, 0xffffff)
INTEGER_OPTION(udp_port, tunnel.udp_port, 1, 65535)
MAC_OPTION(inner_mac, addresses.mac)
MAC_OPTION(inner_source, addresses.source_mac)
ADDRESS_OPTION(inner_ip, addresses.address)
ADDRESS_OPTION(inner_source_ip, addresses.source)
INTEGER_OPTION(flows, flows, 1, 16384)
INTEGER_OPTION(frame_bytes, frame_bytes, FRAME_BYTES_MIN, FRAME_BYTES_MAX)
INTEGER_OPTION(window, window, 0, 1u << 20)
INTEGER_OPTION(burst, burst, 1, BURST_MAX)
INTEGER_OPTION(ring_size, ring_size, 32, 32768)
INTEGER_OPTION(mbufs, mbufs, 1024, 1u << 22)
INTEGER_OPTION(pause, pause_us, 1, 1000000)
INTEGER_OPTION(distance, distance_cpu, 0, CPU_SETSIZE - 1)
NUMBER_OPTION(rate, 1e9)
NUMBER_OPTION(seconds, 1e6)
NUMBER_OPTION(warmup, 1e6)
NUMBER_OPTION(timeout, 1e6)
FLAG_OPTION(native)
FLAG_OPTION(yield)
FLAG_OPTION(hold)

static int parse_direction(struct options *options, const char *text)
{
	for (unsigned int i = 0; i < RTE_DIM(direction_names); i++) {
		if (strcmp(text, direction_names[i]) == 0) {
			options->direction = i;
			return 0;
		}
	}
	return -1;
}

static int parse_port(struct options *options, const char *text)
{
	if (options->n_devices == PORTS_MAX)
		return -1;
	options->devices[options->n_devices++] = text;
	return 0;
}

static int parse_json(struct options *options, const char *text)
{
	options->json = text;
	return 0;
}

static const struct {
	const char *name;
	const char *argument; /* NULL: a flag */
	int (*parse)(struct options *options, const char *text);
	const char *help;
} table[] = {
	{"direction", "NAME", parse_direction,
		"receive: uplink to container (default); transmit: container to uplink; echo: "
		"uplink "
		"to a container that swaps MACs (testpmd macswap) and back"},
	{"port", "DEVARGS", parse_port,
		"a port besides the --vdev ones, opened when the socket it connects to is there"},
	{"native", NULL, parse_native, "no VXLAN: plain frames on the uplink"},
	{"weft-address", "IP", parse_weft_address, "weft's VTEP (192.0.2.1)"},
	{"address", "IP", parse_address, "this VTEP (192.0.2.2)"},
	{"vni", "N", parse_vni, "network (100)"},
	{"udp-port", "N", parse_udp_port, "VXLAN's UDP port (4789)"},
	{"inner-mac", "MAC", parse_inner_mac,
		"the container (02:00:00:00:00:01); further containers count on, so do the IPs"},
	{"inner-source", "MAC", parse_inner_source, "the remote container (02:00:00:00:01:01)"},
	{"inner-ip", "IP", parse_inner_ip, "the container (10.0.0.1)"},
	{"inner-source-ip", "IP", parse_inner_source_ip, "the remote container (10.0.1.1)"},
	{"flows", "N", parse_flows, "flows, which differ in their UDP ports (1)"},
	{"frame-bytes", "N", parse_frame_bytes,
		"inner frame with its FCS: 64 is 60 in memory (64)"},
	{"window", "N", parse_window, "packets on their way at most; 0: no limit (512)"},
	{"burst", "N", parse_burst, "packets sent and received at once (32)"},
	{"rate", "PPS", parse_rate, "packets a second; 0: as fast as possible (0)"},
	{"warmup", "S", parse_warmup, "seconds before the measurement (1)"},
	{"seconds", "S", parse_seconds, "seconds of measurement (5)"},
	{"timeout", "S", parse_timeout, "seconds to wait for links, sockets and ARP (60)"},
	{"ring-size", "N", parse_ring_size, "descriptors of a queue (1024)"},
	{"mbufs", "N", parse_mbufs, "packet buffers (16384)"},
	{"yield", NULL, parse_yield, "sched_yield() after a turn that moved nothing"},
	{"pause", "US", parse_pause, "sleep so long after a turn that moved nothing"},
	{"hold", NULL, parse_hold, "keep the ports open after the result until a signal comes"},
	{"distance", "CPU", parse_distance,
		"measure before and after how far that CPU is (weft's: the hypervisor may move "
		"it)"},
	{"json", "FILE", parse_json, "write the result there as one JSON object"},
};

static void print_help(void)
{
	printf("usage: weft-traffic [EAL options] -- [options]\n\n"
	       "Sends, receives and checks test traffic for weft on one lcore. Port 0 is the peer "
	       "of\n"
	       "weft's uplink and plays a remote VTEP, further ports are containers.\n"
	       "Exit status 1 if a packet was reordered, duplicated or corrupted, or none "
	       "came.\n\n");
	for (unsigned int i = 0; i < RTE_DIM(table); i++)
		printf("  --%s%s%s\n        %s\n", table[i].name, table[i].argument ? " " : "",
			table[i].argument ? table[i].argument : "", table[i].help);
}

static void set_defaults(struct options *options)
{
	*options = (struct options){
		.tunnel = {.local = RTE_BE32(RTE_IPV4(192, 0, 2, 2)),
			.remote = RTE_BE32(RTE_IPV4(192, 0, 2, 1)),
			.vni = 100,
			.udp_port = 4789},
		.addresses = {.source_mac = {{2, 0, 0, 0, 1, 1}},
			.mac = {{2, 0, 0, 0, 0, 1}},
			.source = RTE_BE32(RTE_IPV4(10, 0, 1, 1)),
			.address = RTE_BE32(RTE_IPV4(10, 0, 0, 1))},
		.flows = 1,
		.frame_bytes = FRAME_BYTES_MIN,
		.burst = 32,
		.ring_size = 1024,
		.mbufs = 16384,
		.window = 512,
		.warmup = 1,
		.seconds = 5,
		.timeout = 60,
		.distance_cpu = -1,
	};
}

static int parse_one(struct options *options, int index, const char *text)
{
	if (table[index].parse(options, text) == 0)
		return 0;
	fprintf(stderr, "weft-traffic: --%s %s: not a value it can have; see --help\n",
		table[index].name, text);
	return -1;
}

int options_parse(struct options *options, int argc, char **argv)
{
	enum { HELP = RTE_DIM(table) };
	struct option longs[HELP + 2] = {{0}};
	int index;

	for (unsigned int i = 0; i < RTE_DIM(table); i++)
		longs[i] = (struct option){table[i].name, table[i].argument != NULL, NULL, i};
	longs[HELP] = (struct option){"help", no_argument, NULL, HELP};
	set_defaults(options);
	while ((index = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (index == HELP) {
			print_help();
			return 1;
		}
		if (index == '?' || parse_one(options, index, optarg) < 0)
			return -1;
	}
	if (optind < argc) {
		fprintf(stderr, "weft-traffic: %s: not an option; see --help\n", argv[optind]);
		return -1;
	}
	return 0;
}
