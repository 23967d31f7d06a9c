/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_EAL_OPTIONS_H
#define WEFT_EAL_OPTIONS_H

#include "base/error.h"
#include "control/config.h"

/* What rte_eal_init() is given: argv ends with NULL. */
struct eal_options {
	int argc;
	char **argv;
	char (*devices)[PORT_DEVICE_SIZE]; /* cut into the words that are in argv */
};

/*
 * The user's EAL options; before them, such that the libraries say no more than what is wrong
 * (ports tell who attaches and goes, port_report()), which a --log-level of the user's undoes; and
 * such that EAL opens no PCI device but those that uplinks' `device` of `config` (NULL: none)
 * names: it would take each that it has a driver for, and so the host's own network card. Nothing
 * is added if the user says which devices to open (-a, -b, --no-pci). Strings of the user's and the
 * configuration's must outlive EAL; eal_options_free() after its end. An error is no memory.
 */
int eal_options_make(struct eal_options *options, int argc, char *const *argv,
	const struct config *config, struct error *error);

/* What of the user's EAL options says which lcores there are, and such that EAL opens nothing and
 * shares nothing. eal_options_free() after its end. An error is no memory. */
int eal_options_make_lcores(
	struct eal_options *options, int argc, char *const *argv, struct error *error);

void eal_options_free(struct eal_options *options);

#endif
