/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TRAFFIC_OPTIONS_H
#define TRAFFIC_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "traffic/frames.h"

#define PORTS_MAX 32 /* of Debian's DPDK */
#define BURST_MAX 256

enum direction { DIRECTION_RECEIVE, DIRECTION_TRANSMIT, DIRECTION_ECHO };

/* What the command line says after `--`; read-only once parsed. */
struct options {
	enum direction direction;
	bool native;
	struct frame_tunnel tunnel;	  /* local: this end; remote: weft's */
	struct frame_addresses addresses; /* towards the (first) container */
	uint16_t flows;
	uint16_t frame_bytes;
	uint16_t burst;
	uint16_t ring_size;
	uint32_t mbufs;
	uint64_t window;
	double rate;
	double warmup;
	double seconds;
	double timeout;
	uint32_t pause_us;
	int distance_cpu; /* -1: do not measure */
	bool yield;
	bool hold;
	const char *json;
	const char *devices[PORTS_MAX]; /* to open besides those that EAL was given */
	uint16_t n_devices;
};

/* Returns 0; 1 if --help was asked for and given; -1 if an option is wrong, which it has said. */
int options_parse(struct options *options, int argc, char **argv);

const char *direction_name(enum direction direction);

#endif
