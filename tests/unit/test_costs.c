/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "file.h"

#include "base/random.h"
#include "virtual/costs.h"

#define MACHINE "[machine]\nhz = 2600000000\ncpu = AMD EPYC\ndistance = 130\n"
#define TURN "[turn]\nidle = 45.5\nbusy = 60\nsteer = 21.5\n"
#define PRICE                                                                                      \
	"[price]\nmetadata = 30\nheader = 20.05\npayload = 9.9\nfree = 5\nback = -40.25\n"         \
	"back-header = 7\nback-payload = 11\ncold = 12\ncold-payload = 13\n"
#define RECEIVE "[receive vhost-user]\nburst = 80\n64 = 60.5\n512 = 80\n1450 = 200.25\n"
#define SEND "[send tap]\n1450 = 3000\nburst = 0.01\n64 = 2000\n"
#define GARBAGE 3000

static char good[4096], text[8192];

/* All that is required: step i costs i.25 a burst and 10 + i a packet. */
static void make_good(void)
{
	snprintf(good, sizeof(good), "%s", MACHINE TURN PRICE);
	for (int step = 0; step < STEP_COUNT; step++)
		snprintf(good + strlen(good), sizeof(good) - strlen(good),
			"[step %s]\nburst = %d.25\npacket = %d\n", stage_table[step]->name, step,
			10 + step);
}

static int read_file(struct costs *costs, const char *name, struct error *error)
{
	struct error_list errors = {.file = name};
	int status = 0;

	costs_read(costs, &errors);
	if (errors.n > 0)
		status = error_list_join(&errors, error);
	error_list_free(&errors);
	return status;
}

static int read_text(const char *more, struct costs *costs, struct error *error)
{
	snprintf(text, sizeof(text), "%s%s", good, more);
	file_write(text, strlen(text));
	return read_file(costs, file, error);
}

static struct costs read_good(const char *more)
{
	struct error error = {""};
	struct costs costs;

	if (read_text(more, &costs, &error) != 0)
		fail_msg("%s", error.text);
	return costs;
}

static void every_section_is_read_in_hundredths(void **state)
{
	struct costs costs = read_good("# a comment\n" RECEIVE SEND);

	(void)state;
	assert_int_equal(costs.hz, 2600000000);
	assert_int_equal(costs.idle, 4550);
	assert_int_equal(costs.busy, 6000);
	assert_int_equal(costs.steer, 2150);
	assert_int_equal(costs.price.metadata, 3000);
	assert_int_equal(costs.price.header, 2005);
	assert_int_equal(costs.price.payload, 990);
	assert_int_equal(costs.price.free, 500);
	assert_int_equal(costs.price.back, -4025);
	assert_int_equal(costs.price.back_header, 700);
	assert_int_equal(costs.price.back_payload, 1100);
	assert_int_equal(costs.price.cold, 1200);
	assert_int_equal(costs.price.cold_payload, 1300);
	for (int step = 0; step < STEP_COUNT; step++) {
		assert_int_equal(costs.steps[step].burst, step * 100 + 25);
		assert_int_equal(costs.steps[step].packet, (10 + step) * 100);
	}
	assert_int_equal(costs.n_receive, 1);
	assert_int_equal(costs.receive[0].burst, 8000);
	assert_int_equal(costs.receive[0].n, 3);
	assert_int_equal(costs.receive[0].packet[2], 20025);
	assert_int_equal(costs.n_send, 1);
	assert_int_equal(costs.send[0].burst, 1);
}

static void what_is_done_alone_is_a_part_of_the_cost(void **state)
{
	struct costs costs = read_good("[send memif]\nburst = 10\nalone-burst = 4.5\n"
				       "alone = 30\n64 = 20\n1000 = 40\n" SEND);
	const struct port_cost *memif = costs_of_send(&costs, "memif");
	const struct port_cost *tap = costs_of_send(&costs, "tap");

	(void)state;
	assert_int_equal(memif->alone.burst, 450);
	assert_int_equal(port_cost_alone(memif, 60), 2000);
	assert_int_equal(port_cost_alone(memif, 996), 3000);
	/* All of it, if the file does not say. */
	assert_int_equal(port_cost_alone(tap, 60), 200000);
	assert_true(tap->alone.burst >= tap->burst);
}

static void ports_are_found_by_type_and_direction(void **state)
{
	struct costs costs = read_good(RECEIVE SEND);

	(void)state;
	assert_ptr_equal(costs_of_receive(&costs, "vhost-user"), &costs.receive[0]);
	assert_ptr_equal(costs_of_send(&costs, "tap"), &costs.send[0]);
	assert_null(costs_of_receive(&costs, "tap"));
	assert_null(costs_of_send(&costs, "vhost-user"));
	assert_null(costs_of_send(&costs, ""));
}

static void sizes_may_come_in_any_order(void **state)
{
	struct costs costs =
		read_good("[send ring]\n512 = 5\n1450 = 9\nburst = 1\n64 = 1\n256=2\n");
	const struct port_cost *cost = costs_of_send(&costs, "ring");

	(void)state;
	assert_int_equal(cost->n, 4);
	for (uint16_t i = 1; i < cost->n; i++)
		assert_true(cost->bytes[i - 1] < cost->bytes[i]);
	assert_int_equal(cost->packet[1], 200);
	assert_int_equal(cost->packet[3], 900);
}

/* The file counts the FCS, mbufs do not have it. */
static void a_size_of_the_file_costs_what_the_file_says(void **state)
{
	struct costs costs = read_good(RECEIVE);

	(void)state;
	assert_int_equal(port_cost_of_packet(&costs.receive[0], 60), 6050);
	assert_int_equal(port_cost_of_packet(&costs.receive[0], 508), 8000);
	assert_int_equal(port_cost_of_packet(&costs.receive[0], 1446), 20025);
}

static void between_two_sizes_cost_is_in_proportion(void **state)
{
	struct costs costs = read_good("[receive ring]\nburst = 0\n64 = 10\n164 = 20\n264 = 15\n");
	const struct port_cost *cost = &costs.receive[0];

	(void)state;
	assert_int_equal(port_cost_of_packet(cost, 60 + 50), 1500);
	assert_int_equal(port_cost_of_packet(cost, 60 + 1), 1010);
	assert_int_equal(port_cost_of_packet(cost, 160 + 50), 1750);
	assert_int_equal(port_cost_of_packet(cost, 160 + 99), 1505);
}

static void proportions_are_rounded_to_the_nearest_hundredth(void **state)
{
	struct costs costs = read_good("[receive ring]\nburst = 0\n100 = 1\n103 = 1.02\n106 = 1\n");
	const struct port_cost *cost = &costs.receive[0];

	(void)state;
	assert_int_equal(port_cost_of_packet(cost, 97), 101);
	assert_int_equal(port_cost_of_packet(cost, 98), 101);
	assert_int_equal(port_cost_of_packet(cost, 100), 101);
	assert_int_equal(port_cost_of_packet(cost, 101), 101);
}

static void a_packet_smaller_than_all_costs_as_the_smallest(void **state)
{
	struct costs costs = read_good(RECEIVE);

	(void)state;
	assert_int_equal(port_cost_of_packet(&costs.receive[0], 0), 6050);
	assert_int_equal(port_cost_of_packet(&costs.receive[0], 42), 6050);
}

static void beyond_the_largest_the_last_two_sizes_go_on(void **state)
{
	struct costs costs = read_good("[receive ring]\nburst = 0\n64 = 10\n164 = 20\n"
				       "[receive tap]\nburst = 0\n64 = 10\n164 = 9\n"
				       "[receive memif]\nburst = 0\n64 = 10\n"
				       "[receive uplink]\nburst = 0\n64 = 0\n65 = 10000000\n");

	(void)state;
	assert_int_equal(port_cost_of_packet(&costs.receive[0], 260), 3000);
	assert_int_equal(port_cost_of_packet(&costs.receive[1], 260), 900);
	assert_int_equal(port_cost_of_packet(&costs.receive[2], 260), 1000);
	assert_int_equal(port_cost_of_packet(&costs.receive[3], 9000), UINT32_MAX);
}

/* What is wrong behind a good file, and what its one line must name. */
struct wrong {
	const char *text;
	const char *words[3];
};

static const struct wrong wrongs[] = {
	{"[costs]\nidle = 1\n", {"[costs]", "no such section", "[turn]"}},
	{"[step]\nburst = 1\npacket = 1\n", {"[step]", "no such section"}},
	{"[machine web]\nhz = 1\n", {"[machine web]", "no such section"}},
	{"[step brigde]\nburst = 1\npacket = 1\n", {"[step brigde]", "no such step", "bridge"}},
	{"[step rx]\nburst = 1\npacket = 1\n", {"[step rx]", "twice"}},
	{TURN, {"[turn]", "twice"}},
	{PRICE, {"[price]", "twice"}},
	{MACHINE, {"[machine]", "twice"}},
	{RECEIVE RECEIVE, {"[receive vhost-user]", "twice"}},
	{"[send vhots]\nburst = 1\n64 = 1\n", {"[send vhots]", "no such port", "vhost-user"}},
	{"[send ]\nburst = 1\n64 = 1\n", {"no such"}},
	{"[send tap]\n64 = 1\n", {"[send tap]", "burst:", "missing"}},
	{"[send tap]\nburst = 1\n", {"[send tap]", "missing", "frame size"}},
	{"[send tap]\nburst = 1\nalone = 1\nalone-burst = 1\n",
		{"[send tap]", "missing", "frame size"}},
	{"[send tap]\nburst = 1\nalone = -1\n64 = 1\n", {"[send tap]", "alone:", "'-1'"}},
	{"[send tap]\nburst = 1\nburst = 2\n64 = 1\n", {"[send tap]", "burst:", "twice"}},
	{"[send tap]\nburst = 1\n64 = 1\n64 = 2\n", {"[send tap]", "64:", "twice"}},
	{"[send tap]\nburst = 1\n64 = 1\n064 = 2\n", {"[send tap]", "064:", "twice"}},
	{"[send tap]\nburst = 1\n63 = 1\n", {"[send tap]", "63:", "64"}},
	{"[send tap]\nburst = 1\n16385 = 1\n", {"[send tap]", "16385:", "16384"}},
	{"[send tap]\nburst = 1\npacket = 1\n", {"[send tap]", "packet:", "burst"}},
	{"[send tap]\nburst = 1\n64 = much\n", {"[send tap]", "64:", "'much'"}},
	{"[send tap]\nburst = 1\n64 = 1\n65 = 1\n66 = 1\n67 = 1\n68 = 1\n69 = 1\n70 = 1\n71 = 1\n"
	 "72 = 1\n73 = 1\n74 = 1\n75 = 1\n76 = 1\n77 = 1\n78 = 1\n79 = 1\n80 = 1\n",
		{"[send tap]", "80:", "16"}},
};

static void assert_error(const struct error *error, const char *const words[3])
{
	assert_int_equal(strncmp(error->text, file, strlen(file)), 0);
	assert_null(strchr(error->text, '\n'));
	for (int i = 0; i < 3 && words[i] != NULL; i++)
		if (strstr(error->text, words[i]) == NULL)
			fail_msg("no '%s' in: %s", words[i], error->text);
}

static void errors_name_file_section_and_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < RTE_DIM(wrongs); i++) {
		struct error error = {""};
		struct costs costs;

		if (read_text(wrongs[i].text, &costs, &error) == 0)
			fail_msg("accepted:\n%s", wrongs[i].text);
		assert_error(&error, wrongs[i].words);
	}
}

/* The good file without the lines from `begin` up to the next section. */
static int read_without(const char *begin, struct error *error)
{
	const char *from = strstr(good, begin);
	const char *to = strstr(from + 1, "\n[");
	struct costs costs;

	snprintf(text, sizeof(text), "%.*s%s", (int)(from - good), good, to == NULL ? "" : to + 1);
	file_write(text, strlen(text));
	return read_file(&costs, file, error);
}

static void what_is_missing_is_named(void **state)
{
	static const char *const sections[] = {"[machine]", "[turn]", "[price]"};
	char section[64];
	struct error error;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(sections); i++) {
		assert_int_equal(read_without(sections[i], &error), -1);
		assert_error(&error, (const char *const[3]){sections[i], "missing"});
	}
	for (int step = 0; step < STEP_COUNT; step++) {
		snprintf(section, sizeof(section), "[step %s]", stage_table[step]->name);
		assert_int_equal(read_without(section, &error), -1);
		assert_error(&error, (const char *const[3]){section, "missing", "calibrate"});
	}
}

static void every_key_but_the_remarks_is_required(void **state)
{
	static const char *const keys[] = {"hz = ", "idle = ", "busy = ", "steer = ", "metadata = ",
		"header = ", "payload = ", "back = "};
	char key[32];

	(void)state;
	for (size_t i = 0; i < RTE_DIM(keys); i++) {
		const char *from = strstr(good, keys[i]);
		struct error error;
		struct costs costs;

		snprintf(text, sizeof(text), "%.*s%s", (int)(from - good), good,
			strchr(from, '\n') + 1);
		file_write(text, strlen(text));
		assert_int_equal(read_file(&costs, file, &error), -1);
		snprintf(key, sizeof(key), "%.*s:", (int)strcspn(keys[i], " "), keys[i]);
		assert_error(&error, (const char *const[3]){key, "missing"});
	}
}

static void only_cycles_with_two_decimals_are_costs(void **state)
{
	static const char *const values[] = {"", "-1", "+1", " ", "1.", ".5", "1.234", "1.2.3",
		"1,5", "1e3", "0x10", "10000001", "99999999999999999999", "1.-5", "1.5x", "nan"};
	char more[64];

	(void)state;
	for (size_t i = 0; i < RTE_DIM(values); i++) {
		struct error error;
		struct costs costs;

		snprintf(more, sizeof(more), "[send tap]\nburst = %s\n64 = 1\n", values[i]);
		if (read_text(more, &costs, &error) == 0)
			fail_msg("accepted: '%s'", values[i]);
		assert_error(&error, (const char *const[3]){"[send tap]", "burst:", "cycles"});
	}
}

static void the_largest_cost_still_fits(void **state)
{
	struct costs costs = read_good("[send tap]\nburst = 10000000.99\n64 = 0.1\n");

	(void)state;
	assert_int_equal(costs.send[0].burst, 1000000099);
	assert_int_equal(costs.send[0].packet[0], 10);
}

static void a_file_that_is_not_there_is_named(void **state)
{
	struct error error;
	struct costs costs;

	(void)state;
	assert_int_equal(read_file(&costs, "no-such-file.ini", &error), -1);
	assert_non_null(strstr(error.text, "no-such-file.ini: "));
	assert_non_null(strstr(error.text, "No such file"));
}

/* The good file with some bytes changed, and cut somewhere. */
static size_t write_garbage(uint64_t *random)
{
	size_t length = snprintf(text, sizeof(text), "%s%s", good, RECEIVE SEND);

	for (unsigned int i = random_next(random) % 4; i > 0; i--)
		text[random_next(random) % length] = random_next(random);
	if (random_next(random) % 4 == 0)
		length = random_next(random) % length;
	return length;
}

static void garbage_is_refused_or_read_but_harms_nothing(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (int i = 0; i < GARBAGE; i++) {
		size_t length = write_garbage(&random);
		struct error error = {""};
		struct costs costs;

		file_write(text, length);
		if (read_file(&costs, file, &error) != 0)
			assert_int_equal(strncmp(error.text, file, strlen(file)), 0);
		else
			for (uint16_t j = 0; j < costs.n_receive; j++)
				port_cost_of_packet(&costs.receive[j], random % 16384);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, file_make, file_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_section_is_read_in_hundredths),
		TEST(what_is_done_alone_is_a_part_of_the_cost),
		TEST(ports_are_found_by_type_and_direction),
		TEST(sizes_may_come_in_any_order),
		TEST(a_size_of_the_file_costs_what_the_file_says),
		TEST(between_two_sizes_cost_is_in_proportion),
		TEST(proportions_are_rounded_to_the_nearest_hundredth),
		TEST(a_packet_smaller_than_all_costs_as_the_smallest),
		TEST(beyond_the_largest_the_last_two_sizes_go_on),
		TEST(errors_name_file_section_and_key),
		TEST(what_is_missing_is_named),
		TEST(every_key_but_the_remarks_is_required),
		TEST(only_cycles_with_two_decimals_are_costs),
		TEST(the_largest_cost_still_fits),
		TEST(a_file_that_is_not_there_is_named),
		TEST(garbage_is_refused_or_read_but_harms_nothing),
	};

	make_good();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
