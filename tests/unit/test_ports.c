/* SPDX-License-Identifier: BSD-3-Clause */
/* The list of ports, with a type of port that only takes notes. */
#include "fixture.h"

#include "control/ports.h"

static const unsigned int ids[] = {3, 5};
static const struct pools pools;
static struct ports ports;
static unsigned int attached, detached, housekept;
static bool refuses;

static int attach(struct port *port, struct error *error)
{
	if (refuses)
		return error_set(error, "no such device as %s", port->config.name);
	attached++;
	return 0;
}

static void detach(struct port *port)
{
	(void)port;
	detached++;
}

static void housekeep(struct port *port)
{
	(void)port;
	housekept++;
}

static const struct port_ops ops = {
	.type = "note", .attach = attach, .detach = detach, .housekeep = housekeep};

static int setup(void **state)
{
	const struct uplink_config uplink = {.port = {.name = "eth1", .queues = 2}};
	struct error error;

	(void)state;
	attached = detached = housekept = 0;
	refuses = false;
	port_types_replace(&ops);
	ports = (struct ports){.setting = {.workers = {.ids = ids, .n = 2}, .pools = &pools}};
	return ports_add_uplink(&ports, &uplink, &error);
}

static int teardown(void **state)
{
	(void)state;
	ports_remove_all(&ports);
	assert_int_equal(detached, attached);
	port_types_replace(NULL);
	return 0;
}

/* NULL and *error if it cannot be there. */
static struct port *add(const char *name, uint32_t lcore, struct error *error)
{
	struct container_config config = {.port.queues = 1, .lcore = lcore};
	struct port *port;

	snprintf(config.port.name, sizeof(config.port.name), "%s", name);
	port = ports_make_container(&ports, &config, BLUE, 1450, error);
	if (port == NULL || ports_attach(&ports, port, error) != 0)
		return NULL;
	return port;
}

static void uplinks_have_the_first_indices(void **state)
{
	struct error error;

	(void)state;
	assert_string_equal(ports.list[0]->config.name, "eth1");
	assert_true(ports.list[0]->uplink);
	assert_int_equal(ports.list[0]->queues[0].owner, 0);
	assert_int_equal(ports.list[0]->queues[1].owner, 1);
	assert_int_equal(add("web", CONFIG_NONE, &error)->index, 1);
	assert_false(ports_has(&ports, BLUE, 0));
}

static void ports_are_found_while_they_are_there(void **state)
{
	struct error error;
	struct port *port = add("web", CONFIG_NONE, &error);

	(void)state;
	assert_ptr_equal(ports_find(&ports, "web"), port);
	assert_null(ports_find(&ports, "shop"));
	assert_true(ports_has(&ports, BLUE, port->index));
	assert_false(ports_has(&ports, RED, port->index));
	assert_int_equal(ports_count_queues(&ports), 3);
	ports_take_out(&ports, port);
	assert_null(ports_find(&ports, "web"));
	assert_false(ports_has(&ports, BLUE, port->index));
	assert_int_equal(detached, 0); /* lcores may still use it */
	ports_detach(port);
	assert_int_equal(detached, 1);
}

/* Packets that are on their way name the old one. */
static void an_index_is_not_used_again_soon(void **state)
{
	struct error error;
	uint64_t number = ports.list[0]->number;

	(void)state;
	for (uint32_t i = 1; i < 2 * PORTS_MAX - 1; i++) {
		struct port *port = add("web", CONFIG_NONE, &error);

		assert_int_equal(port->index, i < PORTS_MAX ? i : i - PORTS_MAX + 1);
		assert_int_equal(port->number, number + i);
		ports_take_out(&ports, port);
		ports_detach(port);
	}
}

static void there_are_only_so_many(void **state)
{
	struct error error;

	(void)state;
	for (uint32_t i = 1; i < PORTS_MAX; i++)
		assert_non_null(add("web", CONFIG_NONE, &error));
	assert_null(add("web", CONFIG_NONE, &error));
	assert_non_null(strstr(error.text, "2048 ports"));
}

static void lcores_take_turns_unless_one_is_named(void **state)
{
	struct error error;

	(void)state;
	assert_int_equal(add("a", CONFIG_NONE, &error)->queues[0].owner, 0);
	assert_int_equal(add("b", 5, &error)->queues[0].owner, 1);
	assert_int_equal(add("c", CONFIG_NONE, &error)->queues[0].owner, 1);
	assert_int_equal(add("d", CONFIG_NONE, &error)->queues[0].owner, 0);
}

static void what_cannot_be_attached_leaves_nothing(void **state)
{
	struct error error;

	(void)state;
	refuses = true;
	assert_null(add("web", CONFIG_NONE, &error));
	assert_non_null(strstr(error.text, "web"));
	assert_null(ports_find(&ports, "web"));
	refuses = false;
	assert_non_null(add("web", CONFIG_NONE, &error));
}

static void all_that_are_there_are_looked_after(void **state)
{
	struct error error;

	(void)state;
	add("web", CONFIG_NONE, &error);
	ports_housekeep(&ports);
	assert_int_equal(housekept, 2);
}

static void large_segments_come_and_go_with_peers(void **state)
{
	struct error error;
	struct port *port = add("web", CONFIG_NONE, &error);

	(void)state;
	ports.list[0]->large_segments = true; /* an uplink's is nobody's affair */
	assert_false(ports_take_large_segments(&ports));
	port->large_segments = true;
	assert_true(ports_take_large_segments(&ports));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(uplinks_have_the_first_indices),
		TEST(ports_are_found_while_they_are_there),
		TEST(an_index_is_not_used_again_soon),
		TEST(there_are_only_so_many),
		TEST(lcores_take_turns_unless_one_is_named),
		TEST(what_cannot_be_attached_leaves_nothing),
		TEST(all_that_are_there_are_looked_after),
		TEST(large_segments_come_and_go_with_peers),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
