/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_log.h>

#include "ports/port.h"

#define FLOOD 10000
#define PATIENCE_MS 60000

static struct port port;

static void assert_status(const char *expected)
{
	char status[PORT_STATUS_SIZE];

	port_status(&port, status);
	assert_string_equal(status, expected);
}

static void a_port_has_nothing_to_tell_at_first(void **state)
{
	(void)state;
	memset(&port, 0, sizeof(port));
	assert_status("");
}

static void the_last_report_is_the_status(void **state)
{
	(void)state;
	port_report(&port, "waiting for a container");
	port_report(&port, "container attached, %d queue pairs", 2);
	assert_status("container attached, 2 queue pairs");
}

/* They may be a peer's, and go to terminals and through writers of JSON. */
static void no_byte_of_a_peer_is_passed_on_unchecked(void **state)
{
	(void)state;
	port_report(&port, "client %s", "gr\xc3\xb6\xc3\x9f\x65\x1b[2J\x7f\n");
	assert_status("client gr????e?[2J??");
}

static void what_is_too_long_is_cut(void **state)
{
	char expected[PORT_STATUS_SIZE];

	(void)state;
	memset(expected, 'x', sizeof(expected) - 1);
	expected[sizeof(expected) - 1] = '\0';
	port_report(&port, "%s%s%s", expected, expected, expected);
	assert_status(expected);
}

/* ---- the log ---- */

static char *log_text;
static size_t log_size;
static FILE *log_stream;

static int log_open(void **state)
{
	(void)state;
	memset(&port, 0, sizeof(port));
	log_stream = open_memstream(&log_text, &log_size);
	return log_stream == NULL ? -1 : rte_openlog_stream(log_stream);
}

static int log_close(void **state)
{
	(void)state;
	rte_openlog_stream(stderr);
	fclose(log_stream);
	free(log_text);
	return 0;
}

/* Lines with `what` in the log. */
static unsigned int log_count(const char *what)
{
	unsigned int n = 0;

	fflush(log_stream);
	for (const char *at = log_text; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static unsigned int log_left_out(void)
{
	unsigned int sum = 0;

	fflush(log_stream);
	for (const char *at = log_text; (at = strstr(at, "port : ")) != NULL; at++) {
		char word[16];
		unsigned int n;

		if (sscanf(at, "port : %u more lines left %15s", &n, word) == 2)
			sum += n;
	}
	return sum;
}

static void what_is_said_again_is_not_logged(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		port_report(&port, "waiting for a container");
	assert_int_equal(log_count("waiting for a container"), 1);
	assert_int_equal(log_count("left out"), 0);
}

/* A peer may cause as many. All are told of in the end, as a line or as one that was left out. */
static void the_log_is_not_flooded(void **state)
{
	char expected[PORT_STATUS_SIZE];
	unsigned int n;

	(void)state;
	for (n = 1; n <= FLOOD; n++)
		if (n % 2)
			port_report(&port, "line %u", n);
		else
			port_log(&port, "line %u", n);
	snprintf(expected, sizeof(expected), "line %u", FLOOD - 1);
	assert_status(expected);
	snprintf(expected, sizeof(expected), "none yet");
	assert_in_range(log_count(": line "), 1, FLOOD / 2);
	for (int i = 0; i < PATIENCE_MS && log_count(expected) == 0; i++, n++) {
		usleep(1000);
		snprintf(expected, sizeof(expected), ": line %u\n", n);
		port_report(&port, "line %u", n);
	}
	assert_int_equal(log_count(expected), 1);
	assert_int_equal(log_count(": line ") + log_left_out(), n - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_has_nothing_to_tell_at_first),
		cmocka_unit_test(the_last_report_is_the_status),
		cmocka_unit_test(no_byte_of_a_peer_is_passed_on_unchecked),
		cmocka_unit_test(what_is_too_long_is_cut),
		cmocka_unit_test_setup_teardown(
			what_is_said_again_is_not_logged, log_open, log_close),
		cmocka_unit_test_setup_teardown(the_log_is_not_flooded, log_open, log_close),
	};

	return cmocka_run_group_tests_name("port", tests, NULL, NULL);
}
