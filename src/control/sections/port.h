/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SECTION_PORT_H
#define WEFT_SECTION_PORT_H

#include "base/error.h"

/* The containers' ports: those of the file, and those that `weftctl port add` makes. */

struct config;
struct container_config;
struct workers;

/* By name; NULL if the file has none. */
const struct container_config *config_container(const struct config *config, const char *name);

/* One port from the words of `weftctl port add`: "key=value,key=value". -1 and all that is wrong
 * with them in *error. */
int config_read_container(const char *name, const char *words, struct container_config *container,
	struct error *error);

/* A port by itself. `workers` NULL: any lcore. */
void check_container(const struct config *config, const struct container_config *container,
	const struct workers *workers, struct error_list *errors);

/* Whether the two can be side by side; what is wrong is told of the first. */
void check_containers(const struct config *config, const struct container_config *container,
	const struct container_config *other, struct error_list *errors);

/* All of the file's, for the section's row. */
void check_ports(const struct config *config, struct error_list *errors);
void check_port_lcores(
	const struct config *config, const struct workers *workers, struct error_list *errors);

#endif
