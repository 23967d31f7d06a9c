/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ports/port.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_has_nothing_to_tell_at_first),
		cmocka_unit_test(the_last_report_is_the_status),
		cmocka_unit_test(no_byte_of_a_peer_is_passed_on_unchecked),
		cmocka_unit_test(what_is_too_long_is_cut),
	};

	return cmocka_run_group_tests_name("port", tests, NULL, NULL);
}
