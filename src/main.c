/* SPDX-License-Identifier: BSD-3-Clause */
/* Start, stop, signals. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_pdump.h>

#include "control/check.h"
#include "control/config.h"
#include "control/control.h"
#include "control/eal_options.h"
#include "control/mode.h"
#include "control/placement.h"
#include "control/report.h"
#include "control/requests.h"
#include "control/sections/sections.h"
#include "control/telemetry.h"
#include "control/value.h"
#include "engine/dataplane.h"
#include "engine/lcore.h"
#include "ports/peer_memory.h"
#include "virtual/config.h"
#include "virtual/run.h"

#define ROUND_MS 5 /* the main lcore looks for notices and timers this often */

struct options {
	const char *file;
	const char *mode;	   /* NULL: the file's */
	const char *json;	   /* virtual clock: file for the results; NULL: none */
	unsigned int stats_period; /* seconds; 0: none */
	bool check;
	bool virtual; /* clock */
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
	options->virtual = strcmp(word, "virtual") == 0;
	if (options->virtual || strcmp(word, "real") == 0)
		return 0;
	fprintf(stderr, "weft: --clock %s: there are real and virtual\n", word);
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
	uint64_t seconds;
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "c:h", names, NULL)) != -1) {
		switch (option) {
		case 'c':
			options->file = optarg;
			break;
		case 'm':
			options->mode = optarg;
			break;
		case 's':
			if (parse_number(optarg, 1, 86400, &seconds) != 0) {
				fprintf(stderr, "weft: --stats-period %s: seconds, 1 to 86400\n",
					optarg);
				return -1;
			}
			options->stats_period = seconds;
			break;
		case 'k':
			options->check = true;
			break;
		case 'l':
			if (read_clock(optarg, options) != 0)
				return -1;
			break;
		case 'j':
			options->json = optarg;
			break;
		case 'h':
			usage();
			exit(EXIT_SUCCESS);
		default: /* getopt_long() has said why */
			return -1;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "weft: %s: one word too many; see weft --help\n", argv[optind]);
		return -1;
	}
	if (options->file == NULL) {
		fprintf(stderr, "weft: -c FILE is missing; see weft --help\n");
		return -1;
	}
	if (options->json != NULL && !options->virtual) {
		fprintf(stderr, "weft: --json is for --clock virtual\n");
		return -1;
	}
	return 0;
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

static int find_workers(struct dataplane_config *config, struct error *error)
{
	unsigned int id;

	RTE_LCORE_FOREACH_WORKER(id)
	{
		if (config->n_lcores == LCORES_MAX)
			return error_set(error, "more than %d worker lcores", LCORES_MAX);
		config->lcore_ids[config->n_lcores++] = id;
	}
	if (config->n_lcores == 0)
		return error_set(error,
			"EAL has one lcore; weft needs a main lcore and a worker: -l 0,1, "
			"or --lcores '0@0,1@0' to share one core");
	return 0;
}

/* EAL has started. The workers there are, and whether the configuration names no others. */
static void find_lcores(
	const struct config *config, struct dataplane_config *dataplane, struct error_list *errors)
{
	struct workers workers = {.ids = dataplane->lcore_ids,
		.no_such = "is no worker lcore; EAL's -l or --lcores names them, and the first is "
			   "the main lcore"};
	struct error error;

	if (find_workers(dataplane, &error) != 0) {
		error_list_add(errors, 0, "%s", error.text);
		return;
	}
	workers.n = dataplane->n_lcores;
	check_lcores(config, &workers, errors);
}

/* Prints what is in the list and frees it; whether that was nothing. */
static bool is_right(struct error_list *errors)
{
	bool right = errors->n == 0;

	error_list_print(errors, "weft:", stderr);
	error_list_free(errors);
	return right;
}

static void launch(const struct dataplane *dataplane)
{
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		rte_eal_remote_launch(lcore_run, dataplane->lcores[i], dataplane->lcore_ids[i]);
	printf("weft: ready, mode %s, %u worker lcore%s\n", dataplane->plan->mode->name,
		dataplane->n_lcores, dataplane->n_lcores == 1 ? "" : "s");
	fflush(stdout);
}

/* ---- the main lcore's loop ---- */

static void take_requests(void *argument)
{
	uint64_t count;

	(void)!read(wake_fd, &count, sizeof(count));
	requests_poll(argument);
}

static void serve(struct control *control, unsigned int stats_period)
{
	uint64_t due = stats_period;

	while (!signalled) {
		events_wait(control->events, ROUND_MS);
		control_poll(control);
		if (stats_period > 0 && control_now_seconds(control) >= due) {
			report_ports(control);
			due = control_now_seconds(control) + stats_period;
		}
	}
}

/* ---- end ---- */

/* Shuts the doors, waits until every lcore has seen it, and lets them finish what is inside, which
 * takes a while where floods wait. */
static void drain(struct dataplane *dataplane)
{
	struct drain drain = {0};
	uint64_t token;

	__atomic_store_n(&dataplane->closing, true, __ATOMIC_RELAXED);
	token = rte_rcu_qsbr_start(dataplane->rcu);
	while (!rte_rcu_qsbr_check(dataplane->rcu, token, false))
		usleep(1000);
	while (dataplane_drains(dataplane, &drain) && conservation_in_flight(&drain.sum) != 0)
		usleep(1000);
	__atomic_store_n(&dataplane->stop, true, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
}

static int end(struct control *control)
{
	bool held;

	requests_close();
	drain(control->dataplane);
	report_ports(control);
	held = report_conservation(control);
	control_detach(control);
	held &= report_mbufs(control);
	return held ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_dataplane(struct config *config, struct dataplane *dataplane,
	const struct options *options, struct error *error)
{
	struct control *control = control_create(config, dataplane, error);
	int status;

	if (control == NULL)
		return -1;
	if (events_add(control->events, wake_fd, take_requests, control) != 0) {
		error_set(error, "the main lcore cannot be woken (%s)", strerror(errno));
		control_free(control);
		return -1;
	}
	launch(dataplane);
	requests_open(wake_main);
	serve(control, options->stats_period);
	status = end(control);
	control_free(control);
	return status;
}

static int run(struct config *config, const struct options *options, struct error *error)
{
	struct dataplane_config settings = {
		.clock = {.read = clock_tsc, .hz = rte_get_tsc_hz()},
		.credits = config->weft.credits,
	};
	struct error_list errors = {.file = config->file};
	struct dataplane *dataplane;
	int status;

	find_lcores(config, &settings, &errors);
	if (!is_right(&errors))
		return EXIT_FAILURE;
	placement_plan(config, &settings);
	dataplane = dataplane_create(&settings, error);
	if (dataplane == NULL)
		return -1;
	status = run_dataplane(config, dataplane, options, error);
	dataplane_free(dataplane);
	return status;
}

static int run_on_virtual_lcores(
	struct config *config, const struct options *options, struct error *error)
{
	const struct run_options run = {.json = options->json,
		.stats_period = options->stats_period,
		.signalled = &signalled,
		.wake = wake_main};

	return run_virtual(config, &run, error);
}

/* EAL with nothing but its lcores, to know which they are: no devices, files, nor huge pages, so
 * that a weft that runs meanwhile is not disturbed. */
static void check_real_lcores(
	const struct config *config, int argc, char **argv, struct error_list *errors)
{
	struct dataplane_config settings = {0};
	struct eal_options eal;
	struct error error;
	char directory[PATH_MAX];

	if (eal_options_make_lcores(&eal, argc, argv, &error) != 0) {
		error_list_add(errors, 0, "%s", error.text);
		return;
	}
	if (rte_eal_init(eal.argc, eal.argv) < 0) {
		error_list_add(
			errors, 0, "EAL does not take these lcores (its lines above say why)");
	} else {
		find_lcores(config, &settings, errors);
		snprintf(directory, sizeof(directory), "%s", rte_eal_get_runtime_dir());
		rte_eal_cleanup();
		rmdir(directory);
	}
	eal_options_free(&eal);
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
static struct config *read_config(const struct options *options, int argc, char **argv)
{
	struct error_list errors = {.file = options->file};
	struct config *config = config_create(options->file);

	config_register(config, control_sections);
	config_register(config, virtual_sections);
	config->virtual_clock = options->virtual;
	if (config_read(config, &errors) == 0) {
		if (options->mode != NULL)
			set_mode(config, options->mode, &errors);
		check_config(config, &errors);
		if (options->virtual)
			run_virtual_check(config, &errors);
		else if (options->check)
			check_real_lcores(config, argc, argv, &errors);
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

static int prepare(const struct eal_options *eal, struct error *error)
{
	handle_signals();
	telemetry_register();
	if (rte_eal_init(eal->argc, eal->argv) < 0)
		return error_set(error,
			"EAL does not start (its lines above say why); `scripts/setup` "
			"prepares huge pages, `--no-huge -m 512` does without; a second weft "
			"needs a --file-prefix of its own");
	peer_memory_init();
	rte_pdump_init();
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	int own = own_arguments(argc, argv);
	struct eal_options eal;
	struct config *config;
	struct error error;
	int status;

	if (own < 0 || read_options(argc - own, argv + own, &options) != 0)
		return EXIT_FAILURE;
	config = read_config(&options, own, argv);
	if (config == NULL)
		return EXIT_FAILURE;
	if (options.check) {
		printf("%s: ok\n", options.file);
		config_free(config);
		return EXIT_SUCCESS;
	}
	/* A virtual run opens no device. */
	if (eal_options_make(&eal, own, argv, options.virtual ? NULL : config, &error) != 0 ||
		prepare(&eal, &error) != 0)
		return fail(&error);
	if (options.virtual)
		status = run_on_virtual_lcores(config, &options, &error);
	else
		status = run(config, &options, &error);
	if (status < 0)
		status = fail(&error);
	rte_pdump_uninit();
	rte_eal_cleanup();
	eal_options_free(&eal);
	config_free(config);
	return status;
}
