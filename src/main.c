/* SPDX-License-Identifier: BSD-3-Clause */
/* Start, stop, signals. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_pdump.h>

#include "control/check.h"
#include "control/config.h"
#include "control/eal_options.h"
#include "control/mode.h"
#include "control/run.h"
#include "control/sections/sections.h"
#include "control/telemetry.h"
#include "control/value.h"
#include "ports/peer_memory.h"
#include "virtual/config.h"
#include "virtual/device.h"
#include "virtual/run.h"

struct options {
	const char *file;
	const char *mode;	    /* NULL: the file's */
	const char *json;	    /* virtual clock: file for the results; NULL: none */
	const struct run_kind *run; /* by the clock */
	unsigned int stats_period;  /* seconds; 0: none */
	bool check;
	int eal_argc; /* EAL's own arguments, and the program's name */
	char **eal_argv;
};

static volatile sig_atomic_t signalled;
static int wake_fd = -1;

static void wake_main(void)
{
	uint64_t one = 1;

	(void)!write(wake_fd, &one, sizeof(one));
}

/* On any thread: the main lcore may sleep. */
static void on_signal(int number)
{
	int saved = errno;

	(void)number;
	signalled = 1;
	wake_main();
	errno = saved;
}

static struct run_options run_options(const struct options *options)
{
	return (struct run_options){.stats_period = options->stats_period,
		.signalled = &signalled,
		.wake_fd = wake_fd,
		.wake = wake_main};
}

/* ---- the two kinds of run ---- */

/* What is not looked at before EAL starts is looked at then; --check comes to no other start. */
static void check_real(
	const struct config *config, const struct options *options, struct error_list *errors)
{
	if (options->check)
		run_real_check(config, options->eal_argc, options->eal_argv, errors);
}

static int start_real(struct config *config, const struct options *options, struct error *error)
{
	const struct run_options run = run_options(options);

	return run_real(config, &run, error);
}

static void check_virtual(
	const struct config *config, const struct options *options, struct error_list *errors)
{
	(void)options;
	run_virtual_check(config, errors);
}

static int start_virtual(struct config *config, const struct options *options, struct error *error)
{
	const struct run_options run = run_options(options);

	return run_virtual(config, &run, options->json, error);
}

static const struct run_kind {
	const char *clock;
	bool opens_devices;
	bool writes_json;
	void (*prepare)(void); /* before the configuration is read; may be NULL */
	void (*check)(const struct config *config, const struct options *options,
		struct error_list *errors);
	int (*start)(struct config *config, const struct options *options, struct error *error);
} runs[] = {
	{.clock = "real", .opens_devices = true, .check = check_real, .start = start_real},
	{.clock = "virtual",
		.writes_json = true,
		.prepare = devices_replace_ports,
		.check = check_virtual,
		.start = start_virtual},
};

/* ---- options ---- */

static void usage(void)
{
	printf("usage: weft [EAL options] -- -c FILE [--mode MODE] [--stats-period SECONDS] "
	       "[--check]\n"
	       "            [--clock real|virtual] [--json FILE]\n"
	       "\n"
	       "  -c FILE                 configuration (docs/configuration.md)\n"
	       "  --mode MODE             wins over the file's:");
	for (unsigned int i = 0; plan_mode(i) != NULL; i++)
		printf(" %s", plan_mode(i)->name);
	printf(",\n"
	       "                          or one of the file's [mode NAME]\n"
	       "  --stats-period SECONDS  print port statistics this often\n"
	       "  --check                 read the configuration, say whether it is right, and "
	       "end\n"
	       "  --clock CLOCK           real (the default), or virtual: the lcores of "
	       "[virtual] in one\n"
	       "                          thread, with the traffic of [traffic NAME]\n"
	       "  --json FILE             virtual clock: write the results there\n"
	       "\n"
	       "EAL needs a main lcore, which does the control work, and at least one worker: -l "
	       "0,1\n"
	       "The virtual clock does with one: -l 0\n");
}

static int read_clock(const char *word, struct options *options)
{
	for (size_t i = 0; i < RTE_DIM(runs); i++)
		if (strcmp(word, runs[i].clock) == 0) {
			options->run = &runs[i];
			return 0;
		}
	fprintf(stderr, "weft: --clock %s: there are real and virtual\n", word);
	return -1;
}

static int read_stats_period(const char *word, struct options *options)
{
	uint64_t seconds;

	if (parse_number(word, 1, 86400, &seconds) != 0) {
		fprintf(stderr, "weft: --stats-period %s: seconds, 1 to 86400\n", word);
		return -1;
	}
	options->stats_period = seconds;
	return 0;
}

static int read_option(int option, struct options *options)
{
	switch (option) {
	case 'c':
		options->file = optarg;
		return 0;
	case 'm':
		options->mode = optarg;
		return 0;
	case 's':
		return read_stats_period(optarg, options);
	case 'k':
		options->check = true;
		return 0;
	case 'l':
		return read_clock(optarg, options);
	case 'j':
		options->json = optarg;
		return 0;
	case 'h':
		usage();
		exit(EXIT_SUCCESS);
	default: /* getopt_long() has said why */
		return -1;
	}
}

static int check_options(int argc, char **argv, const struct options *options)
{
	if (optind < argc)
		fprintf(stderr, "weft: %s: one word too many; see weft --help\n", argv[optind]);
	else if (options->file == NULL)
		fprintf(stderr, "weft: -c FILE is missing; see weft --help\n");
	else if (options->json != NULL && !options->run->writes_json)
		fprintf(stderr, "weft: --json is for --clock virtual\n");
	else
		return 0;
	return -1;
}

static int read_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{"mode", required_argument, NULL, 'm'},
		{"stats-period", required_argument, NULL, 's'},
		{"check", no_argument, NULL, 'k'},
		{"clock", required_argument, NULL, 'l'},
		{"json", required_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "c:h", names, NULL)) != -1)
		if (read_option(option, options) != 0)
			return -1;
	return check_options(argc, argv, options);
}

/* weft's own options stand behind "--", in whose place getopt_long(3) finds the program's name. */
static int own_arguments(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			usage();
			exit(EXIT_SUCCESS);
		}
		if (strcmp(argv[i], "--") == 0) {
			argv[i] = argv[0];
			return i;
		}
	}
	fprintf(stderr, "weft: what to do stands behind \"--\": weft [EAL options] -- -c FILE; see "
			"weft --help\n");
	return -1;
}

/* ---- start ---- */

/* Prints what is in the list and frees it; whether that was nothing. */
static bool is_right(struct error_list *errors)
{
	bool right = errors->n == 0;

	error_list_print(errors, "weft:", stderr);
	error_list_free(errors);
	return right;
}

static void set_mode(struct config *config, const char *mode, struct error_list *errors)
{
	struct error error;

	if (config_mode(config, mode, &error) == NULL)
		error_list_add(errors, 0, "--mode: %s", error.text);
	else
		snprintf(config->weft.mode, sizeof(config->weft.mode), "%s", mode);
}

/* Reads the file and checks it, as far as that can be done before EAL starts. NULL after all that
 * is wrong has been printed. */
static struct config *read_config(const struct options *options)
{
	struct error_list errors = {.file = options->file};
	struct config *config = config_create(options->file);

	config_register(config, control_sections);
	config_register(config, virtual_sections);
	if (config_read(config, &errors) == 0) {
		if (options->mode != NULL)
			set_mode(config, options->mode, &errors);
		check_config(config, &errors);
		options->run->check(config, options, &errors);
	}
	if (is_right(&errors))
		return config;
	config_free(config);
	return NULL;
}

static int fail(const struct error *error)
{
	fprintf(stderr, "weft: %s\n", error->text);
	return EXIT_FAILURE;
}

static void handle_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal}, inherited;

	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* nohup(1) has it ignored. */
	if (sigaction(SIGHUP, NULL, &inherited) == 0 && inherited.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &action, NULL);
	/* Drivers write to sockets whose peers may be gone. */
	signal(SIGPIPE, SIG_IGN);
}

static int start_eal(const struct eal_options *eal, struct error *error)
{
	if (rte_eal_init(eal->argc, eal->argv) < 0)
		return error_set(error,
			"EAL does not start (its lines above say why); `scripts/setup` "
			"prepares huge pages, `--no-huge -m 512` does without; a second weft "
			"needs a --file-prefix of its own");
	peer_memory_init();
	rte_pdump_init();
	return 0;
}

static int run(struct config *config, const struct options *options)
{
	struct eal_options eal;
	struct error error;
	int status;

	if (eal_options_make(&eal, options->eal_argc, options->eal_argv,
		    options->run->opens_devices ? config : NULL, &error) != 0)
		return fail(&error);
	handle_signals();
	telemetry_register();
	if (start_eal(&eal, &error) != 0)
		return fail(&error);
	status = options->run->start(config, options, &error);
	if (status < 0)
		status = fail(&error);
	rte_pdump_uninit();
	rte_eal_cleanup();
	eal_options_free(&eal);
	return status;
}

int main(int argc, char **argv)
{
	struct options options = {.run = &runs[0]};
	int own = own_arguments(argc, argv), status = EXIT_SUCCESS;
	struct config *config;

	if (own < 0 || read_options(argc - own, argv + own, &options) != 0)
		return EXIT_FAILURE;
	options.eal_argc = own;
	options.eal_argv = argv;
	if (options.run->prepare != NULL)
		options.run->prepare();
	config = read_config(&options);
	if (config == NULL)
		return EXIT_FAILURE;
	if (options.check)
		printf("%s: ok\n", options.file);
	else
		status = run(config, &options);
	config_free(config);
	return status;
}
