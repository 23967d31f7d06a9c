/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ports/turn.h"

#define THREADS 4
#define BATCH_MAX 7 /* items */
#define HELD_MAX 3  /* batches of a thread */
#define ITEMS 300000

/* As if n batches had come and gone. */
static struct turn turn_after(uint32_t n)
{
	return (struct turn){.next = n, .up = n};
}

static void right_is_for_one(void **state)
{
	struct turn turn = turn_after(0);

	(void)state;
	assert_true(turn_take(&turn));
	assert_false(turn_take(&turn));
	turn_pass_on(&turn);
	assert_true(turn_take(&turn));
}

static void numbers_follow_tickets(void **state)
{
	struct turn turn = turn_after(UINT32_MAX - 1);
	uint32_t tickets[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_true(turn_take(&turn));
		tickets[i] = turn_draw(&turn);
		turn_pass_on(&turn);
	}
	for (int up = 0; up < 4; up++) {
		for (int i = 0; i < 4; i++)
			assert_int_equal(turn_is_up(&turn, tickets[i]), i == up);
		turn_pass_number(&turn);
	}
}

static void rest_is_when_all_is_handed_over(void **state)
{
	struct turn turn = turn_after(UINT32_MAX);

	(void)state;
	assert_true(turn_is_at_rest(&turn));
	assert_true(turn_take(&turn));
	assert_false(turn_is_at_rest(&turn)); /* something may be received */
	turn_draw(&turn);
	turn_pass_on(&turn);
	assert_false(turn_is_at_rest(&turn));
	turn_pass_number(&turn);
	assert_true(turn_is_at_rest(&turn));
}

/* ---- side by side ---- */

/* Numbers in their order come from `next`, and are to be in that order in `out`. Neither is atomic:
 * who has the right has the source, and who has the number has what comes out. */
static struct {
	struct turn turn;
	uint32_t next, n_out;
	bool is_empty; /* all have been received */
	uint32_t out[ITEMS];
} shared;

struct batch {
	uint32_t ticket, first, n;
};

/* What one thread has received and not yet handed over. */
struct holder {
	pthread_t thread;
	unsigned int seed, n;
	struct batch batches[HELD_MAX];
};

/* Now and then with nothing, as a poll is. */
static void receive(struct holder *holder)
{
	struct batch batch = {.n = rand_r(&holder->seed) % (BATCH_MAX + 1)};

	if (holder->n == HELD_MAX || !turn_take(&shared.turn))
		return;
	batch.first = shared.next;
	batch.n = RTE_MIN(batch.n, ITEMS - shared.next);
	if (batch.n > 0) {
		shared.next += batch.n;
		batch.ticket = turn_draw(&shared.turn);
		holder->batches[holder->n++] = batch;
	}
	__atomic_store_n(&shared.is_empty, shared.next == ITEMS, __ATOMIC_RELAXED);
	turn_pass_on(&shared.turn);
}

static void hand_over(const struct batch *batch)
{
	for (uint32_t i = 0; i < batch->n; i++)
		shared.out[shared.n_out + i] = batch->first + i;
	shared.n_out += batch->n;
	turn_pass_number(&shared.turn);
}

static void hand_over_next(struct holder *holder)
{
	if (holder->n == 0 || !turn_is_up(&shared.turn, holder->batches[0].ticket)) {
		sched_yield(); /* the other may be one that has no CPU */
		return;
	}
	hand_over(&holder->batches[0]);
	holder->n--;
	for (unsigned int i = 0; i < holder->n; i++)
		holder->batches[i] = holder->batches[i + 1];
}

static void *take_turns(void *argument)
{
	struct holder *holder = argument;

	while (holder->n > 0 || !__atomic_load_n(&shared.is_empty, __ATOMIC_RELAXED)) {
		receive(holder);
		hand_over_next(holder);
	}
	return NULL;
}

static void order_is_kept_side_by_side(void **state)
{
	static struct holder holders[THREADS];

	(void)state;
	shared.turn = turn_after(UINT32_MAX - 1000);
	for (int i = 0; i < THREADS; i++) {
		holders[i].seed = i;
		assert_int_equal(
			pthread_create(&holders[i].thread, NULL, take_turns, &holders[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(holders[i].thread, NULL);
	assert_true(turn_is_at_rest(&shared.turn));
	assert_int_equal(shared.n_out, ITEMS);
	for (uint32_t i = 0; i < ITEMS; i++)
		assert_int_equal(shared.out[i], i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_is_for_one),
		cmocka_unit_test(numbers_follow_tickets),
		cmocka_unit_test(rest_is_when_all_is_handed_over),
		cmocka_unit_test(order_is_kept_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
