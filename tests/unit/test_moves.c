/* SPDX-License-Identifier: BSD-3-Clause */
/* How the flow groups of one door change their paths. The lcores are the test: it fills their
 * tallies. */
#include "fixture.h"

#include <stdlib.h>

#include "steer/moves.h"

#define LCORES 3
#define BRANCHES 3
#define ELEPHANTS 2
#define ACCOUNTS (ACCOUNT_BRANCHES + ELEPHANTS * BRANCHES)
#define GROUP 7
#define OTHER 8
#define ELEPHANT (GROUP_ELEPHANTS + 1)	     /* the second one */
#define BRANCH (ACCOUNT_BRANCHES + BRANCHES) /* its first account */
#define HELD 100

static struct moves *moves;
static struct path paths[ACCOUNTS];
static struct tally tallies[LCORES][ACCOUNTS];
static char frame[64];

static int begin(void **state)
{
	moves = calloc(1, sizeof(*moves));
	memset(paths, 0, sizeof(paths));
	memset(tallies, 0, sizeof(tallies));
	moves->paths = paths;
	moves->n_lcores = LCORES;
	moves->n_branches = BRANCHES;
	moves->n_accounts = moves_accounts(ELEPHANTS, BRANCHES);
	for (uint16_t i = 0; i < LCORES; i++)
		moves->tallies[i] = tallies[i];
	return fixture_make(state);
}

static int end(void **state)
{
	free(moves);
	return fixture_free(state);
}

static int start(void **state)
{
	return fixture_start_eal(state) == 0 ? moves_register() : -1;
}

/* Every stage on that lcore. */
static struct path path_to(uint16_t lcore)
{
	struct path path = {.second = 0};

	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++)
		path.lcore[stage] = lcore;
	return path;
}

static void wish(uint16_t group, uint16_t lcore)
{
	struct path path = path_to(lcore);

	moves_wish(moves, (struct group){group}, &path);
}

static bool goes_to(uint16_t account, uint16_t lcore)
{
	struct path path = path_to(lcore);

	return path_is(&moves->paths[account], &path);
}

static void finish(uint16_t lcore, uint16_t account, uint32_t n)
{
	tallies[lcore][account].finished += n;
}

static void make(uint16_t lcore, uint16_t account, uint32_t n)
{
	tallies[lcore][account].made += n;
}

static void hold(uint16_t group, struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		mbufs[i] = mbuf_of(frame, sizeof(frame));
	moves_begin(moves, (struct group){group});
	moves_hold(moves, (struct group){group}, mbufs, n);
}

/* ---- moving ---- */

static void a_group_with_nothing_in_flight_moves_at_once(void **state)
{
	(void)state;
	wish(GROUP, 1);
	assert_true(moves->groups[GROUP].moving);
	assert_true(moves_end(moves, 0));
	assert_true(goes_to(GROUP, 1));
	assert_false(moves->groups[GROUP].moving);
	assert_int_equal(moves->n_moving, 0);
	assert_int_equal(moves->ended, 1);
}

static void nothing_moves_while_packets_are_in_flight(void **state)
{
	(void)state;
	moves_sent(moves, (struct group){GROUP}, 10);
	wish(GROUP, 1);
	assert_false(moves_end(moves, 0));
	finish(0, GROUP, 4);
	finish(2, GROUP, 5);
	assert_false(moves_end(moves, 0));
	assert_true(goes_to(GROUP, 0));
	assert_int_equal(moves->ended, 0);
	finish(1, GROUP, 1);
	assert_true(moves_end(moves, 0));
	assert_true(goes_to(GROUP, 1));
}

static void other_groups_do_not_matter(void **state)
{
	(void)state;
	moves_sent(moves, (struct group){OTHER}, 10);
	moves_sent(moves, (struct group){GROUP}, 10);
	wish(GROUP, 1);
	finish(0, OTHER, 10);
	assert_false(moves_end(moves, 0));
	finish(0, GROUP, 10);
	assert_true(moves_end(moves, 0));
	assert_true(goes_to(OTHER, 0));
}

static void made_packets_are_waited_for(void **state)
{
	(void)state;
	moves_sent(moves, (struct group){GROUP}, 1);
	wish(GROUP, 1);
	make(1, GROUP, 2);
	finish(1, GROUP, 1);
	assert_false(moves_end(moves, 0));
	finish(2, GROUP, 1);
	assert_false(moves_end(moves, 0));
	finish(0, GROUP, 1);
	assert_true(moves_end(moves, 0));
}

static void counts_wrap_around(void **state)
{
	(void)state;
	moves->groups[GROUP].sent = UINT32_MAX - 1;
	finish(0, GROUP, UINT32_MAX - 3); /* two of them elsewhere */
	finish(1, GROUP, 2);
	make(1, GROUP, UINT32_MAX);
	finish(2, GROUP, UINT32_MAX);
	moves_sent(moves, (struct group){GROUP}, 4);
	wish(GROUP, 1);
	assert_false(moves_end(moves, 0));
	assert_int_equal(moves_occupancy(moves, (struct group){GROUP}), 4);
	make(1, GROUP, 1);
	finish(0, GROUP, 5);
	assert_int_equal(tallies[1][GROUP].made, 0);
	assert_int_equal(tallies[0][GROUP].finished, 1);
	assert_true(moves_end(moves, 0));
	assert_int_equal(moves_occupancy(moves, (struct group){GROUP}), 0);
}

/* ---- wishes ---- */

static void the_path_that_it_has_is_no_move(void **state)
{
	(void)state;
	wish(GROUP, 0);
	assert_false(moves->groups[GROUP].moving);
	assert_int_equal(moves->n_moving, 0);
}

static void the_last_wish_counts(void **state)
{
	(void)state;
	moves_sent(moves, (struct group){GROUP}, 1);
	wish(GROUP, 1);
	wish(GROUP, 2);
	assert_int_equal(moves->n_moving, 1);
	finish(0, GROUP, 1);
	assert_true(moves_end(moves, 0));
	assert_true(goes_to(GROUP, 2));
}

/* Packets may be held already, so the move has to end all the same. */
static void a_wish_to_stay_ends_the_move(void **state)
{
	(void)state;
	wish(GROUP, 1);
	wish(GROUP, 0);
	assert_true(moves->groups[GROUP].moving);
	assert_true(moves_end(moves, 0));
	assert_true(goes_to(GROUP, 0));
}

static void those_that_move_close_ranks(void **state)
{
	(void)state;
	moves_sent(moves, (struct group){1}, 1);
	moves_sent(moves, (struct group){3}, 1);
	for (uint16_t group = 0; group < 4; group++)
		wish(group, 1);
	for (uint16_t i = moves->n_moving; i-- > 0;)
		moves_end(moves, i);
	assert_int_equal(moves->n_moving, 2);
	assert_int_equal(moves->moving[0].number + moves->moving[1].number, 1 + 3);
	assert_true(goes_to(0, 1) && goes_to(2, 1));
	finish(0, 1, 1);
	finish(0, 3, 1);
	for (uint16_t i = moves->n_moving; i-- > 0;)
		assert_true(moves_end(moves, i));
	assert_true(goes_to(1, 1) && goes_to(3, 1));
	assert_int_equal(moves->ended, 4);
}

static void all_groups_can_move(void **state)
{
	(void)state;
	for (uint16_t group = 0; group < FLOW_GROUPS; group++)
		wish(group, 1);
	for (uint16_t i = 0; i < ELEPHANTS; i++)
		moves_begin(moves, (struct group){GROUP_ELEPHANTS + i});
	assert_int_equal(moves->n_moving, FLOW_GROUPS + ELEPHANTS);
	while (moves->n_moving > 0)
		assert_true(moves_end(moves, 0));
	for (uint16_t group = 0; group < FLOW_GROUPS; group++)
		assert_true(goes_to(group, 1) && !moves->groups[group].moving);
}

/* ---- moves that are begun for the drain ---- */

static void a_move_that_is_begun_leaves_the_path_as_it_is(void **state)
{
	(void)state;
	moves->paths[GROUP] = path_to(2);
	moves_sent(moves, (struct group){GROUP}, 1);
	moves_begin(moves, (struct group){GROUP});
	assert_true(moves->groups[GROUP].moving);
	assert_false(moves_end(moves, 0));
	finish(2, GROUP, 1);
	assert_true(moves_end(moves, 0));
	assert_true(goes_to(GROUP, 2));
	assert_int_equal(moves->ended, 1);
}

static void it_can_still_be_given_another_path(void **state)
{
	(void)state;
	moves_begin(moves, (struct group){GROUP});
	wish(GROUP, 1);
	assert_int_equal(moves->n_moving, 1);
	assert_true(moves_end(moves, 0));
	assert_true(goes_to(GROUP, 1));
}

static void beginning_again_does_not_undo_a_wish(void **state)
{
	(void)state;
	wish(GROUP, 1);
	moves_begin(moves, (struct group){GROUP});
	assert_int_equal(moves->n_moving, 1);
	assert_true(moves_end(moves, 0));
	assert_true(goes_to(GROUP, 1));
}

/* ---- elephants ---- */

static void an_elephant_has_an_account_for_each_branch(void **state)
{
	(void)state;
	assert_int_equal(moves_account(moves, (struct group){GROUP}).number, GROUP);
	assert_int_equal(
		moves_account(moves, (struct group){GROUP_UNSTEERED}).number, GROUP_UNSTEERED);
	assert_int_equal(
		moves_account(moves, (struct group){GROUP_ELEPHANTS}).number, GROUP_ELEPHANTS);
	assert_int_equal(moves_account(moves, (struct group){ELEPHANT}).number, BRANCH);
	assert_int_equal(BRANCH + BRANCHES, moves->n_accounts);
}

static void all_branches_are_waited_for(void **state)
{
	(void)state;
	moves_sent(moves, (struct group){ELEPHANT}, 10);
	moves_begin(moves, (struct group){ELEPHANT});
	for (uint16_t branch = 0; branch < BRANCHES; branch++) {
		assert_false(moves_end(moves, 0));
		finish(branch, BRANCH + branch, 3);
	}
	assert_false(moves_end(moves, 0));
	finish(0, BRANCH + BRANCHES - 1, 1);
	assert_true(moves_end(moves, 0));
	assert_false(moves->groups[ELEPHANT].moving);
}

static void what_is_made_on_a_branch_is_waited_for(void **state)
{
	(void)state;
	moves_sent(moves, (struct group){ELEPHANT}, 1);
	moves_begin(moves, (struct group){ELEPHANT});
	make(1, BRANCH + 2, 1);
	finish(1, BRANCH + 1, 1);
	assert_false(moves_end(moves, 0));
	finish(0, BRANCH + 2, 1);
	assert_true(moves_end(moves, 0));
}

static void other_elephants_do_not_matter(void **state)
{
	(void)state;
	moves_sent(moves, (struct group){ELEPHANT}, 3);
	moves_sent(moves, (struct group){ELEPHANT - 1}, 3);
	moves_begin(moves, (struct group){ELEPHANT});
	finish(0, BRANCH - 1, 3);
	assert_false(moves_end(moves, 0));
	finish(0, BRANCH, 3);
	assert_true(moves_end(moves, 0));
}

/* Whoever began the move writes them. */
static void the_paths_of_branches_are_left_alone(void **state)
{
	(void)state;
	for (uint16_t branch = 0; branch < BRANCHES; branch++)
		moves->paths[BRANCH + branch] = path_to(branch);
	moves_begin(moves, (struct group){ELEPHANT});
	assert_true(moves_end(moves, 0));
	for (uint16_t branch = 0; branch < BRANCHES; branch++)
		assert_true(goes_to(BRANCH + branch, branch));
	assert_true(goes_to(ELEPHANT, 0) && goes_to(BRANCH - 1, 0));
}

/* ---- rest ---- */

static void with_nothing_on_its_way_all_is_at_rest(void **state)
{
	(void)state;
	assert_true(moves_at_rest(moves));
}

static void every_group_is_waited_for(void **state)
{
	static const uint16_t groups[] = {0, GROUP, FLOW_GROUPS - 1, GROUP_UNSTEERED,
		GROUP_ELEPHANTS, GROUP_ELEPHANTS + ELEPHANTS - 1};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(groups); i++) {
		moves_sent(moves, (struct group){groups[i]}, 2);
		finish(0, moves_account(moves, (struct group){groups[i]}).number, 1);
		assert_false(moves_at_rest(moves));
		finish(1, moves_account(moves, (struct group){groups[i]}).number, 1);
		assert_true(moves_at_rest(moves));
	}
}

static void unsteered_replicas_are_waited_for(void **state)
{
	(void)state;
	moves_sent(moves, (struct group){GROUP_UNSTEERED}, 5);
	make(2, GROUP_UNSTEERED, 1);
	finish(1, GROUP_UNSTEERED, 5);
	assert_false(moves_at_rest(moves));
	finish(2, GROUP_UNSTEERED, 1);
	assert_true(moves_at_rest(moves));
}

/* It may hold packets. */
static void while_a_group_moves_nothing_is_at_rest(void **state)
{
	(void)state;
	moves_begin(moves, (struct group){GROUP});
	assert_false(moves_at_rest(moves));
	assert_true(moves_end(moves, 0));
	assert_true(moves_at_rest(moves));
}

/* ---- holding ---- */

static void held_packets_come_out_in_order(void **state)
{
	struct rte_mbuf *held[HELD], *taken[HELD + 1];
	uint16_t n = 0, got;

	(void)state;
	hold(GROUP, held, HELD / 2);
	hold(GROUP, held + HELD / 2, HELD - HELD / 2);
	while ((got = moves_take_held(moves, (struct group){GROUP}, taken + n, 32)) > 0)
		n += got;
	assert_int_equal(n, HELD);
	assert_memory_equal(taken, held, sizeof(held));
}

static void groups_hold_their_own(void **state)
{
	struct rte_mbuf *held[4], *taken[4];

	(void)state;
	hold(GROUP, held, 2);
	hold(OTHER, held + 2, 2);
	assert_int_equal(moves_take_held(moves, (struct group){OTHER}, taken, 4), 2);
	assert_int_equal(moves_take_held(moves, (struct group){GROUP}, taken + 2, 4), 2);
	assert_ptr_equal(taken[0], held[2]);
	assert_ptr_equal(taken[1], held[3]);
	assert_ptr_equal(taken[2], held[0]);
	assert_ptr_equal(taken[3], held[1]);
}

static void it_can_hold_again(void **state)
{
	struct rte_mbuf *held[2], *taken[2];

	(void)state;
	hold(GROUP, held, 1);
	assert_int_equal(moves_take_held(moves, (struct group){GROUP}, taken, 2), 1);
	assert_int_equal(moves_take_held(moves, (struct group){GROUP}, taken, 2), 0);
	hold(GROUP, held, 2);
	assert_int_equal(moves_take_held(moves, (struct group){GROUP}, taken, 2), 2);
	assert_memory_equal(taken, held, sizeof(held));
}

/* A packet that is added while others are taken comes last. */
static void what_comes_later_comes_out_later(void **state)
{
	struct rte_mbuf *held[3], *taken[3];

	(void)state;
	hold(GROUP, held, 2);
	assert_int_equal(moves_take_held(moves, (struct group){GROUP}, taken, 1), 1);
	hold(GROUP, held + 2, 1);
	assert_int_equal(moves_take_held(moves, (struct group){GROUP}, taken + 1, 2), 2);
	assert_memory_equal(taken, held, sizeof(held));
}

/* ---- occupancy ---- */

static void occupancy_is_what_is_in_flight_and_held(void **state)
{
	struct rte_mbuf *held[3];

	(void)state;
	moves_sent(moves, (struct group){GROUP}, 10);
	hold(GROUP, held, 3);
	assert_int_equal(moves_occupancy(moves, (struct group){GROUP}), 13);
	assert_int_equal(moves_occupancy(moves, (struct group){OTHER}), 0);
	finish(1, GROUP, 4);
	assert_int_equal(moves_occupancy(moves, (struct group){GROUP}), 13);
	moves_recount(moves, (struct group){GROUP});
	assert_int_equal(moves_occupancy(moves, (struct group){GROUP}), 9);
	moves_take_held(moves, (struct group){GROUP}, held, 3);
	assert_int_equal(moves_occupancy(moves, (struct group){GROUP}), 6);
}

static void the_most_that_were_held_are_remembered(void **state)
{
	struct rte_mbuf *held[5];

	(void)state;
	hold(GROUP, held, 2);
	hold(OTHER, held + 2, 2);
	moves_take_held(moves, (struct group){GROUP}, held, 2);
	hold(GROUP, held + 4, 1);
	assert_int_equal(moves->n_held, 3);
	assert_int_equal(moves->most_held, 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_group_with_nothing_in_flight_moves_at_once),
		TEST(nothing_moves_while_packets_are_in_flight),
		TEST(other_groups_do_not_matter),
		TEST(made_packets_are_waited_for),
		TEST(counts_wrap_around),
		TEST(the_path_that_it_has_is_no_move),
		TEST(the_last_wish_counts),
		TEST(a_wish_to_stay_ends_the_move),
		TEST(those_that_move_close_ranks),
		TEST(all_groups_can_move),
		TEST(a_move_that_is_begun_leaves_the_path_as_it_is),
		TEST(it_can_still_be_given_another_path),
		TEST(beginning_again_does_not_undo_a_wish),
		TEST(an_elephant_has_an_account_for_each_branch),
		TEST(all_branches_are_waited_for),
		TEST(what_is_made_on_a_branch_is_waited_for),
		TEST(other_elephants_do_not_matter),
		TEST(the_paths_of_branches_are_left_alone),
		TEST(with_nothing_on_its_way_all_is_at_rest),
		TEST(every_group_is_waited_for),
		TEST(unsteered_replicas_are_waited_for),
		TEST(while_a_group_moves_nothing_is_at_rest),
		TEST(held_packets_come_out_in_order),
		TEST(groups_hold_their_own),
		TEST(it_can_hold_again),
		TEST(what_comes_later_comes_out_later),
		TEST(occupancy_is_what_is_in_flight_and_held),
		TEST(the_most_that_were_held_are_remembered),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
