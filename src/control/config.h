/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_CONFIG_H
#define WEFT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

#include "base/address.h"
#include "base/error.h"
#include "control/section.h"
#include "ports/port.h"
#include "steer/plan.h"

/*
 * The configuration as it was read, section by section; which sections there may be is what was
 * registered (control/section.h). What can be wrong only between sections (names that name nothing,
 * two of what there may be one of) is looked at by control/check.h. docs/configuration.md describes
 * the words. Main lcore only.
 */

#define CONFIG_NETWORK_VTEPS_MAX 256
#define CONFIG_LCORES_MAX 64
#define POLICY_NAME_SIZE 16
#define CONFIG_NONE UINT32_MAX /* an lcore id that was not given */

struct weft_config {
	char mode[MODE_NAME_SIZE]; /* or empty: config_first_mode() */
	uint32_t mbufs;
	uint32_t mbuf_size;
	uint32_t credits;
	uint32_t fdb_size; /* entries */
	bool sleeps;	   /* lcores that have nothing to do */
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
	struct address address;
	uint8_t prefix;		  /* bits */
	struct address gateway;	  /* or none */
	struct lcore_list lcores; /* none: all workers */
};

struct network_config {
	char name[PORT_NAME_SIZE];
	uint32_t vni; /* CONFIG_NONE: not given */
	uint16_t udp_port;
	char uplink[PORT_NAME_SIZE]; /* empty: the first */
	uint16_t n_vteps;
	struct address vteps[CONFIG_NETWORK_VTEPS_MAX];
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
	uint16_t n_addresses;
	struct address addresses[PORT_ADDRESSES_MAX];
	uint32_t lcore; /* CONFIG_NONE: the next in turn */
};

/* A static entry of the FDB: to a VTEP, or to a port. */
struct fdb_config {
	char network[PORT_NAME_SIZE];
	struct rte_ether_addr mac;
	char port[PORT_NAME_SIZE]; /* empty: `vtep` */
	struct address vtep;
	unsigned int line; /* of the file; 0: from elsewhere */
};

struct ini;

/* A kind that was registered, and what there is of it. */
struct config_kind {
	const struct section_kind *kind;
	uint32_t n_read; /* sections; counted up to kind->most */
	uint32_t n;	 /* of `settings`, kind->size each */
	void *settings;
};

struct config {
	char *file;
	struct ini *ini; /* what was read, for the lines that errors name */
	uint32_t n_kinds;
	struct config_kind *kinds; /* in the order of registration */
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
};

/* An empty configuration for the file of that name. Its owner registers the sections that there may
 * be, and reads it. config_free() takes NULL, too. */
struct config *config_create(const char *file);
void config_free(struct config *config);

/* Each row once; the last is NULL. Errors list the kinds in this order. */
void config_register(struct config *config, const struct section_kind *const *kinds);

/* Reads errors->file and adds to *errors what is wrong with it; what is missing or wrong is as if
 * it had not been given. -1 if the file cannot be read at all. */
int config_read(struct config *config, struct error_list *errors);

/* For the owner of a kind with a `size`. One section's settings more, of zeroes; how many there
 * are, 0 if the kind was not registered; the i-th of them. They move when one is added. */
void *config_add(struct config *config, const struct section_kind *kind);
uint32_t config_count(const struct config *config, const struct section_kind *kind);
void *config_settings(const struct config *config, const struct section_kind *kind, uint32_t i);

/* Whether a section, and so a port, a network or an uplink, may have this name: 0, or -1. */
int config_check_name(const char *name, struct error *error);

/* The file's section, or one of that kind and name which is not in the file. */
struct ini_section config_section(const struct config *config, const char *kind, const char *name);

/* ini_wrong() for the section of that kind and name. Returns -1. */
int config_wrong(const struct config *config, struct error_list *errors, const char *kind,
	const char *name, const char *key, const char *value, const char *format, ...)
	__attribute__((format(printf, 7, 8)));

#endif
