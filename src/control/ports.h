/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_CONTROL_PORTS_H
#define WEFT_CONTROL_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"
#include "control/placement.h"
#include "control/pools.h"
#include "ports/port.h"

/* The ports that there are, by the index that tables and packets know them by. Main lcore. */

/* What ports are made with; all of it stays the caller's. */
struct ports_setting {
	struct workers workers;
	const struct pools *pools;
	struct rte_rcu_qsbr *rcu;
	struct events *events;
	bool sleeps; /* as port_environment has it */
};

/* Begins zeroed but for its setting. */
struct ports {
	struct ports_setting setting;
	struct port *list[PORTS_MAX]; /* uplinks first; NULL: none */
	uint16_t n_uplinks;
	uint64_t n_ever;     /* made so far, and numbered so */
	uint16_t next;	     /* index to try first, so that one is not used again soon */
	uint16_t next_lcore; /* for container ports, in turn */
};

/* Attaches an uplink; it gets the next index. Uplinks come before container ports, and stay. */
int ports_add_uplink(struct ports *ports, const struct uplink_config *config, struct error *error);

/* Makes a container port of a network, with its index, owner and number, but does not attach it.
 * NULL and *error if there is no room for it. */
struct port *ports_make_container(struct ports *ports, const struct container_config *config,
	uint16_t network, uint16_t mtu, struct error *error);

/* Attaches a port that was made. If that fails, -1 and *error, and the port is freed. */
int ports_attach(struct ports *ports, struct port *port, struct error *error);

/* Frees one that was made, and not attached. */
void ports_discard(struct port *port);

/* Takes a port out of the list; lcores may still see it. */
void ports_take_out(struct ports *ports, const struct port *port);

/* Detaches and frees a port that no lcore sees any more; a struct port * (for deferred_add). */
void ports_detach(void *port);

/* True if no lcore has anything left of what it received by the port, when none can see it any
 * more: only then may it be detached. */
bool ports_is_at_rest(const void *port);

/* Detaches every port at once. No lcore runs. */
void ports_remove_all(struct ports *ports);

/* Control work of the ports themselves. */
void ports_housekeep(struct ports *ports);

/* By name, or NULL. */
struct port *ports_find(const struct ports *ports, const char *name);

/* Whether there is a container port of that network at the index. */
bool ports_has(const struct ports *ports, uint16_t network, uint16_t index);

/* Queues of all ports together. */
size_t ports_count_queues(const struct ports *ports);

/* Whether some container takes large segments now; that comes and goes with the ports' peers. */
bool ports_take_large_segments(const struct ports *ports);

#endif
