/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_CONFIG_H
#define WEFT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_ip.h>

#include "base/error.h"
#include "ports/port.h"
#include "steer/plan.h"
#include "virtual/config.h"

/*
 * The configuration as it was read, section by section. What spans sections (names that name
 * nothing, two of what there may be one of) is not looked at here but in control/check.h.
 * docs/configuration.md describes the words. Main lcore only.
 */

#define CONFIG_NETWORK_VTEPS_MAX 256
#define CONFIG_LCORES_MAX 64
#define POLICY_NAME_SIZE 16
#define CONFIG_NONE UINT32_MAX /* an lcore id that was not given */

struct weft_config {
	char mode[MODE_NAME_SIZE];
	uint32_t mbufs;
	uint32_t mbuf_size;
	uint32_t credits;
	uint32_t fdb_size; /* entries */
	bool gro;	   /* coalesce where a container takes large segments */
};

/* By EAL's ids. */
struct lcore_list {
	uint16_t n;
	uint32_t ids[CONFIG_LCORES_MAX];
};

struct steering_config {
	struct lcore_list lcores; /* none: the workers that own no uplink queue */
	char policy[POLICY_NAME_SIZE];
	uint32_t threshold; /* percent */
};

struct micro_flows_config {
	uint32_t batch; /* packets */
	uint16_t branches;
	uint16_t elephants;	  /* at each lcore that receives */
	uint32_t rate;		  /* packets per second */
	struct lcore_list lcores; /* none: the workers that own no uplink queue, or all */
};

struct uplink_config {
	struct port_config port;
	rte_be32_t address;
	uint8_t prefix;		  /* bits */
	rte_be32_t gateway;	  /* 0: none */
	struct lcore_list lcores; /* none: all workers */
};

struct network_config {
	char name[PORT_NAME_SIZE];
	uint32_t vni; /* CONFIG_NONE: not given */
	uint16_t udp_port;
	char uplink[PORT_NAME_SIZE]; /* empty: the first */
	uint16_t n_vteps;
	rte_be32_t vteps[CONFIG_NETWORK_VTEPS_MAX];
	bool vtep_guard;
	bool source_guard;
	bool learning;
	uint32_t ageing;    /* seconds */
	uint32_t addresses; /* learned ones it may hold at most */
	uint16_t mtu;	    /* 0: the uplink's less the overhead */
};

struct container_config {
	struct port_config port;
	char network[PORT_NAME_SIZE];
	uint16_t n_addresses4;
	uint16_t n_addresses6;
	rte_be32_t addresses4[PORT_ADDRESSES_MAX];
	uint8_t addresses6[PORT_ADDRESSES_MAX][16];
	uint32_t lcore; /* CONFIG_NONE: the next in turn */
};

/* A static entry of the FDB: to a VTEP, or to a port. */
struct fdb_config {
	char network[PORT_NAME_SIZE];
	struct rte_ether_addr mac;
	char port[PORT_NAME_SIZE]; /* empty: `vtep` */
	rte_be32_t vtep;
	unsigned int line; /* of the file; 0: from elsewhere */
};

struct ini;

struct config {
	char *file;
	struct ini *ini; /* what was read, for the lines that errors name */
	struct weft_config weft;
	struct steering_config steering;
	struct micro_flows_config micro_flows;
	uint32_t n_modes; /* of the user's own, besides those of plan_mode() */
	struct mode *modes;
	uint32_t pipeline[STAGE_COUNT]; /* lcore ids, or CONFIG_NONE */
	uint32_t n_uplinks, n_networks, n_containers, n_fdb;
	struct uplink_config *uplinks;
	struct network_config *networks;
	struct container_config *containers;
	struct fdb_config *fdb;
	bool virtual_clock; /* set by who runs it: nothing but [virtual]'s files is opened */
	struct virtual_settings virtual;
	uint32_t n_traffic;
	struct traffic_settings *traffic;
};

/* Reads errors->file and adds to *errors what is wrong with it; what is missing or wrong is as if
 * it had not been given. Of uplinks, networks and ports one more than there may be is read. NULL if
 * the file cannot be read at all. config_free() takes NULL, too. */
struct config *config_read(struct error_list *errors);
void config_free(struct config *config);

/* A mode of weft's or of the file's own, by its name. NULL and *error, which lists what there is.
 */
const struct mode *config_mode(const struct config *config, const char *name, struct error *error);

/* By name; NULL if the file has none. */
const struct network_config *config_network(const struct config *config, const char *name);
const struct container_config *config_container(const struct config *config, const char *name);

/* One container port from the words of `weftctl port add`: "key=value,key=value". -1 and all that
 * is wrong with them in *error. */
int config_read_container(const char *name, const char *words, struct container_config *container,
	struct error *error);

/* "02:00:00:00:00:07", "192.0.2.3" or "port web" -> *entry. */
int config_read_fdb(const char *network, const char *mac, const char *to, struct fdb_config *entry,
	struct error *error);

#endif
