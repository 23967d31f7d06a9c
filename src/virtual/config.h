/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_VIRTUAL_CONFIG_H
#define WEFT_VIRTUAL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ip.h>

#include "control/section.h"
#include "ports/port.h"
#include "traffic/arrivals.h"
#include "virtual/driver.h"

/*
 * The sections [virtual] and [traffic NAME], which are for --clock virtual and are checked in any
 * case. docs/configuration.md describes the words. Main lcore only.
 */

#define VIRTUAL_PAUSES_MAX 16
#define VIRTUAL_FILE_SIZE 256

/* A container reads nothing from its ring for a while. */
struct pause_settings {
	char port[PORT_NAME_SIZE];
	uint64_t from_ns; /* after the start of the traffic */
	uint64_t for_ns;
};

struct virtual_settings {
	uint16_t lcores;
	uint64_t ns; /* of virtual time */
	uint64_t seed;
	char costs[VIRTUAL_FILE_SIZE]; /* empty: not given */
	bool measured;
	enum virtual_order order;
	uint16_t n_pauses;
	struct pause_settings pauses[VIRTUAL_PAUSES_MAX];
};

/* An end of a traffic section: a container port, or what is behind a remote VTEP. */
struct traffic_end {
	char port[PORT_NAME_SIZE]; /* empty: `vtep` */
	rte_be32_t vtep;
};

struct traffic_settings {
	const struct ini_section *section; /* the configuration's */
	char name[PORT_NAME_SIZE];
	char network[PORT_NAME_SIZE];
	struct traffic_end from, to;
	uint32_t flows;
	uint64_t rate; /* packets/s of all flows; 0: as fast as the windows allow */
	enum arrivals_kind arrivals;
	enum arrivals_law law;
	uint32_t exponent; /* hundredths */
	uint32_t on_us, off_us;
	uint16_t bytes_min, bytes_max; /* of a frame with FCS */
	uint32_t window;
	uint32_t round_trip_us;
	uint64_t jump_ns; /* 0: never */
	uint64_t jump_rate;
};

/* The rows of both, for config_register(). */
extern const struct section_kind *const virtual_sections[];

/* What the file says in [virtual], and in the i-th [traffic NAME] of them. The configuration's. */
const struct virtual_settings *virtual_settings(const struct config *config);
uint32_t traffic_count(const struct config *config);
const struct traffic_settings *traffic_settings(const struct config *config, uint32_t i);

#endif
