/* SPDX-License-Identifier: BSD-3-Clause */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>

#include "options.h"
#include "report.h"
#include "traffic.h"

#define HOLD_US 10000

static volatile int stop;
static struct options options;
static struct traffic traffic;

static void on_signal(__rte_unused int number)
{
	stop = 1;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* virtio-user writes to a vhost socket that weft may have closed before. */
	signal(SIGPIPE, SIG_IGN);
}

/* Ours come after `--`, so that a mistake in them is told before EAL has started. */
static int find_separator(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			return i;
	}
	return argc;
}

/* A memif that goes away under a polling peer is not the test that every user wants. */
static void hold(void)
{
	while (options.hold && !stop)
		usleep(HOLD_US);
}

static int run(void)
{
	int status = 1;

	if (traffic_open(&traffic, &options, &stop) == 0) {
		traffic_run(&traffic);
		status = report_result(&traffic) ? 0 : 1;
		if (options.json != NULL && report_json(&traffic, options.json) < 0)
			status = 1;
		printf("weft-traffic: done\n");
		hold();
	}
	traffic_close(&traffic);
	return status;
}

int main(int argc, char **argv)
{
	static char help[] = "--help";
	char *ask_help[] = {argv[0], help, NULL};
	int separator = find_separator(argc, argv);
	int error;

	if (argc > 1 && strcmp(argv[1], help) == 0)
		error = options_parse(&options, 2, ask_help);
	else
		error = options_parse(&options, argc - separator, argv + separator);
	if (error != 0)
		return error < 0 ? 1 : 0;
	setlinebuf(stdout);
	catch_signals();
	if (rte_eal_init(separator, argv) < 0) {
		fprintf(stderr, "weft-traffic: EAL did not start\n");
		return 1;
	}
	error = run();
	rte_eal_cleanup();
	return error;
}
