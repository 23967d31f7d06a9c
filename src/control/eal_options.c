/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/eal_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>

#include "control/value.h"

/* Around words in the arguments of a device. */
#define DEVICE_BREAKS ",=()[]"
#define DEVICE_WORDS_MAX (PORT_DEVICE_SIZE / 2)

/* Else the former tells of each message of a container, the latter of a socket that nobody misses.
 */
static const char *const quiet[] = {
	"--log-level=lib.vhost.config:warning", "--log-level=lib.telemetry:error"};

/* In full, with or without "=VALUE", or abbreviated as getopt_long(3) allows. */
static bool is_long(const char *word, const char *option)
{
	size_t length = strcspn(word, "=");

	return length > strlen("--") && strncmp(word, option, length) == 0;
}

static bool names_devices(const char *word)
{
	return strncmp(word, "-a", 2) == 0 || strncmp(word, "-b", 2) == 0 ||
	       is_long(word, "--allow") || is_long(word, "--block") || is_long(word, "--no-pci");
}

static void add(struct eal_options *options, const char *word)
{
	options->argv[options->argc++] = (char *)(uintptr_t)word;
}

/* Also what a vdev's arguments name, as those of net_bonding and net_failsafe do. */
static void add_named(struct eal_options *options, char *device)
{
	struct rte_pci_addr address;
	char *word;

	while ((word = strsep(&device, DEVICE_BREAKS)) != NULL)
		if (parse_pci(word, strlen(word), &address)) {
			add(options, "-a");
			add(options, word);
		}
}

static void add_devices(struct eal_options *options, const struct config *config)
{
	int without = options->argc;

	for (uint32_t i = 0; config != NULL && i < config->n_uplinks; i++) {
		const char *device = config->uplinks[i].port.device;
		struct rte_pci_addr address;

		if (parse_pci(device, strcspn(device, ","), &address)) {
			add(options, "-a");
			add(options, device);
		} else {
			add_named(options, strcpy(options->devices[i], device));
		}
	}
	if (options->argc == without)
		add(options, "--no-pci");
}

int eal_options_make(struct eal_options *options, int argc, char *const *argv,
	const struct config *config, struct error *error)
{
	uint32_t n_uplinks = config == NULL ? 0 : config->n_uplinks;
	bool told = false;

	/* The user's, two for each device or --no-pci, and NULL. */
	options->argv = calloc(argc + RTE_DIM(quiet) + 2 * DEVICE_WORDS_MAX * n_uplinks + 2,
		sizeof(*options->argv));
	options->devices = calloc(n_uplinks + 1, sizeof(*options->devices));
	options->argc = 0;
	if (options->argv == NULL || options->devices == NULL)
		return error_set(error, "not enough memory");
	add(options, argv[0]);
	for (size_t i = 0; i < RTE_DIM(quiet); i++)
		add(options, quiet[i]);
	for (int i = 1; i < argc; i++) {
		told |= names_devices(argv[i]);
		add(options, argv[i]);
	}
	if (!told)
		add_devices(options, config);
	return 0;
}

/* ---- lcores alone ---- */

#define FILE_PREFIX "--file-prefix=weft-check-"

/* How many words say it: the option, and its value if that is a word of its own. */
static int count_lcore_words(const char *word)
{
	if (word[0] == '-' && word[1] != '\0' && strchr("lcsS", word[1]) != NULL)
		return word[2] == '\0' ? 2 : 1;
	if (is_long(word, "--lcores") || is_long(word, "--main-lcore"))
		return strchr(word, '=') == NULL ? 2 : 1;
	return 0;
}

int eal_options_make_lcores(
	struct eal_options *options, int argc, char *const *argv, struct error *error)
{
	static const char *const alone[] = {"--no-huge", "-m", "16", "--no-pci", "--no-shconf",
		"--no-telemetry", "--log-level=error"};
	static char prefix[sizeof(FILE_PREFIX) + 16];

	*options = (struct eal_options){.argv = calloc(argc + RTE_DIM(alone) + 2, sizeof(*argv))};
	if (options->argv == NULL)
		return error_set(error, "not enough memory");
	add(options, argv[0]);
	for (int i = 1; i < argc;) {
		int n = count_lcore_words(argv[i]);

		for (int j = 0; j < n && i + j < argc; j++)
			add(options, argv[i + j]);
		i += n > 0 ? n : 1;
	}
	for (size_t i = 0; i < RTE_DIM(alone); i++)
		add(options, alone[i]);
	snprintf(prefix, sizeof(prefix), FILE_PREFIX "%d", getpid());
	add(options, prefix);
	return 0;
}

void eal_options_free(struct eal_options *options)
{
	free(options->argv);
	free(options->devices);
}
