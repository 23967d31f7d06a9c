/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "steer/plan.h"

#define EDGES_MAX 64

/* weft's edges, and then those of a test. */
static struct graph_edge edges[EDGES_MAX];
static struct graph_insertion insertions[4];
static const struct graph tried = {.edges = edges, .insertions = insertions};

static int copy_graph(void **state)
{
	unsigned int i = 0;

	(void)state;
	memset(edges, 0, sizeof(edges));
	memset(insertions, 0, sizeof(insertions));
	for (; graph.edges[i].stage != NULL; i++)
		edges[i] = graph.edges[i];
	return i + 2 < EDGES_MAX ? 0 : -1; /* one more, and the end */
}

/* The edge, or the end. */
static struct graph_edge *find_edge(const char *stage, const char *exit)
{
	struct graph_edge *edge = edges;

	while (edge->stage != NULL &&
		(strcmp(edge->stage, stage) != 0 || strcmp(edge->exit, exit) != 0))
		edge++;
	return edge;
}

static void assert_error(const char *text)
{
	struct error error;
	graph_next_t next;

	assert_int_equal(graph_resolve(&tried, next, &error), -1);
	assert_string_equal(error.text, text);
	assert_int_equal(next[STAGE_RX][EXIT_MAIN], STEP_NONE);
}

/* ---- weft's own ---- */

static void every_exit_leads_further_down(void **state)
{
	struct error error = {.text = ""};
	graph_next_t next;

	(void)state;
	if (graph_resolve(&graph, next, &error) != 0)
		fail_msg("%s", error.text);
	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		assert_non_null(stage_table[stage]->exits[EXIT_MAIN]);
		for (int exit = 0; exit < STAGE_EXITS_MAX; exit++)
			if (stage_table[stage]->exits[exit] != NULL)
				assert_in_range(next[stage][exit], stage + 1, STEP_SEND);
			else
				assert_int_equal(next[stage][exit], STEP_NONE);
	}
}

static void the_way_follows_main_exits(void **state)
{
	static const enum step stages[] = {
		STAGE_RX, STAGE_GRO, STAGE_VXLAN, STAGE_BRIDGE, STAGE_VETH};
	struct plan_way way = plan_way();
	struct plan plan;

	(void)state;
	assert_int_equal(way.n, RTE_DIM(stages));
	for (unsigned int i = 0; i < way.n; i++)
		assert_int_equal(way.stages[i], stages[i]);
	plan_set(&plan, plan_mode_find("native"));
	assert_memory_equal(&plan.way, &way, sizeof(way));
}

/* ---- insertions ---- */

static void remove_edge(const char *stage, const char *exit)
{
	struct graph_edge *edge = find_edge(stage, exit);

	assert_non_null(edge->stage);
	memmove(edge, edge + 1, (edges + EDGES_MAX - edge - 1) * sizeof(*edge));
}

static void add_edge(const char *stage, const char *exit, const char *next)
{
	*find_edge("", "") = (struct graph_edge){stage, exit, next};
}

static void what_is_inserted_comes_before(void **state)
{
	struct error error;
	graph_next_t next;

	(void)state;
	remove_edge("wire", "local");
	remove_edge("wire", "remote");
	insertions[0] = (struct graph_insertion){"wire", "veth"};
	assert_int_equal(graph_resolve(&tried, next, &error), 0);
	assert_int_equal(next[STAGE_BRIDGE][0], STAGE_WIRE);
	assert_int_equal(next[STAGE_BRIDGE][1], STAGE_ENCAP);
	assert_int_equal(next[STAGE_WIRE][0], STAGE_VETH);
	assert_int_equal(next[STAGE_WIRE][1], STAGE_VETH);
}

static void an_edge_of_its_own_stays(void **state)
{
	struct error error;
	graph_next_t next;

	(void)state;
	remove_edge("wire", "remote");
	insertions[0] = (struct graph_insertion){"wire", "encap"};
	assert_int_equal(graph_resolve(&tried, next, &error), 0);
	assert_int_equal(next[STAGE_WIRE][0], STAGE_VETH);
	assert_int_equal(next[STAGE_WIRE][1], STAGE_ENCAP);
	insertions[0] = (struct graph_insertion){"wire", "veth"};
	assert_int_equal(graph_resolve(&tried, next, &error), 0);
	assert_int_equal(next[STAGE_WIRE][0], STAGE_VETH);
	assert_int_equal(next[STAGE_WIRE][1], STAGE_VETH);
	assert_int_equal(next[STAGE_BRIDGE][0], STAGE_WIRE);
}

static void the_first_of_two_comes_first(void **state)
{
	struct error error;
	graph_next_t next;

	(void)state;
	remove_edge("vtep", "reply");
	remove_edge("veth_rx", "frame");
	insertions[0] = (struct graph_insertion){"vtep", "bridge"};
	insertions[1] = (struct graph_insertion){"veth_rx", "bridge"};
	assert_int_equal(graph_resolve(&tried, next, &error), 0);
	assert_int_equal(next[STAGE_VXLAN][EXIT_MAIN], STAGE_VTEP);
	assert_int_equal(next[STAGE_VTEP][EXIT_MAIN], STAGE_VETH_RX);
	assert_int_equal(next[STAGE_VETH_RX][EXIT_MAIN], STAGE_BRIDGE);
	insertions[0] = (struct graph_insertion){"veth_rx", "bridge"};
	insertions[1] = (struct graph_insertion){"vtep", "bridge"};
	assert_error("graph: exit frame of veth_rx leads to vtep, which is not further down in "
		     "stages/table.h");
}

/* ---- graphs that are wrong ---- */

static void names_must_be_right(void **state)
{
	(void)state;
	add_edge("acl", "frame", "bridge");
	assert_error("graph: there is no stage 'acl'");
	copy_graph(NULL);
	add_edge("deliver", "frame", "send");
	assert_error("graph: there is no stage 'deliver'");
	copy_graph(NULL);
	find_edge("rx", "frame")->exit = "frames";
	assert_error("graph: rx has no exit 'frames'");
	copy_graph(NULL);
	find_edge("rx", "frame")->next = "merge";
	assert_error("graph: rx, exit frame: there is no step 'merge' to go to");
	copy_graph(NULL);
	insertions[0] = (struct graph_insertion){"wire", "bridg"};
	assert_error("graph: there is no stage 'bridg'");
}

/* Packets of uplinks come to rx by no exit: what stood before it would see none. */
static void something_leads_to_where_a_stage_is_put_in(void **state)
{
	(void)state;
	insertions[0] = (struct graph_insertion){"wire", "rx"};
	assert_error("graph: nothing leads to 'rx', before which wire is to be");
}

static void an_exit_leads_to_one_step(void **state)
{
	(void)state;
	add_edge("gro", "host", "tx");
	assert_error("graph: exit host of gro leads to two steps");
	copy_graph(NULL);
	remove_edge("gro", "host");
	assert_error("graph: exit host of gro leads nowhere");
}

static void nothing_leads_up_or_to_itself(void **state)
{
	(void)state;
	find_edge("encap", "outer")->next = "veth";
	assert_error("graph: exit outer of encap leads to veth, which is not further down in "
		     "stages/table.h");
	find_edge("encap", "outer")->next = "encap";
	assert_error("graph: exit outer of encap leads to encap, which is not further down in "
		     "stages/table.h");
}

#define TEST(name) cmocka_unit_test_setup(name, copy_graph)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_exit_leads_further_down),
		TEST(the_way_follows_main_exits),
		TEST(what_is_inserted_comes_before),
		TEST(something_leads_to_where_a_stage_is_put_in),
		TEST(an_edge_of_its_own_stays),
		TEST(the_first_of_two_comes_first),
		TEST(names_must_be_right),
		TEST(an_exit_leads_to_one_step),
		TEST(nothing_leads_up_or_to_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
