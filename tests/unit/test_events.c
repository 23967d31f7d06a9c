/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/events.h"
#include "file.h"

/* Pairs of sockets: ends[i][0] is watched, ends[i][1] is the peer's. */
#define PAIRS 3

static struct events *events;
static int ends[PAIRS][2];
static int handled[PAIRS];
static int fds_before;

static int setup(void **state)
{
	(void)state;
	fds_before = fds_open();
	events = events_create();
	for (int i = 0; i < PAIRS; i++) {
		handled[i] = 0;
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends[i]) != 0)
			return -1;
	}
	return events == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	events_free(events);
	for (int i = 0; i < PAIRS; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	return fds_open() == fds_before ? 0 : -1;
}

static void take(void *argument)
{
	int i = (int)(intptr_t)argument;
	char byte;

	handled[i]++;
	assert_int_equal(recv(ends[i][0], &byte, 1, 0), 1);
}

static void count(void *argument)
{
	handled[(intptr_t)argument]++;
}

/* Whichever comes first ends the others. */
static void remove_all(void *argument)
{
	handled[(intptr_t)argument]++;
	for (int i = 0; i < PAIRS; i++)
		events_remove(events, ends[i][0]);
}

static void watch(int i, event_handler handle)
{
	assert_int_equal(events_add(events, ends[i][0], handle, (void *)(intptr_t)i), 0);
}

static void say(int i)
{
	assert_int_equal(send(ends[i][1], "x", 1, 0), 1);
}

static void all_that_is_there_is_handled_in_one_go(void **state)
{
	(void)state;
	for (int i = 0; i < PAIRS; i++)
		watch(i, take);
	for (int n = 0; n < 5; n++)
		for (int i = 0; i < PAIRS; i++)
			say(i);
	events_wait(events, -1);
	for (int i = 0; i < PAIRS; i++)
		assert_int_equal(handled[i], 5);
}

static void nothing_is_handled_twice(void **state)
{
	(void)state;
	watch(0, take);
	say(0);
	events_wait(events, -1);
	events_wait(events, 0);
	assert_int_equal(handled[0], 1);
}

static void a_peer_that_goes_is_noticed(void **state)
{
	(void)state;
	watch(0, remove_all);
	close(ends[0][1]);
	events_wait(events, -1);
	ends[0][1] = dup(ends[1][1]);
	assert_int_equal(handled[0], 1);
}

static void what_a_handler_removed_is_not_called(void **state)
{
	(void)state;
	for (int i = 0; i < PAIRS; i++) {
		watch(i, remove_all);
		say(i);
	}
	events_wait(events, -1);
	assert_int_equal(handled[0] + handled[1] + handled[2], 1);
}

/* It comes back, though its descriptor is never read empty, and others had their turn. */
static void nobody_keeps_it_for_ever(void **state)
{
	(void)state;
	watch(0, count);
	watch(1, take);
	say(0);
	say(1);
	events_wait(events, -1);
	assert_true(handled[0] > 1);
	assert_int_equal(handled[1], 1);
}

static void what_cannot_be_watched_is_refused(void **state)
{
	(void)state;
	assert_int_equal(events_add(events, -1, count, NULL), -1);
	watch(0, count);
	assert_int_equal(events_add(events, ends[0][0], count, NULL), -1);
	events_remove(events, ends[1][0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			all_that_is_there_is_handled_in_one_go, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_handled_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(a_peer_that_goes_is_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_a_handler_removed_is_not_called, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_keeps_it_for_ever, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_watched_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
