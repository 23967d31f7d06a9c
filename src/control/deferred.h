/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_DEFERRED_H
#define WEFT_DEFERRED_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_rcu_qsbr.h>

/*
 * Work to be done once no lcore can still see what the last tables showed: freeing them, detaching
 * a port. Nobody waits: what is due is done at the next round. Main lcore only.
 */
typedef void (*deferred_function)(void *argument);
typedef bool (*deferred_condition)(const void *argument);

struct deferred {
	deferred_function function;
	void *argument;
	deferred_condition condition; /* or NULL */
	bool counting;		      /* the grace period has begun, with `token` */
	uint64_t token;
	struct deferred *next;
};

struct deferred_list {
	struct deferred *first;
};

/* function(argument) after the next deferred_begin() and a grace period. */
void deferred_add(struct deferred_list *list, deferred_function function, void *argument);

/* The same, and not before the condition holds; nor does what is added later come before. */
void deferred_add_when(struct deferred_list *list, deferred_condition condition,
	deferred_function function, void *argument);

/* What was added so far is out of the published tables: its grace period begins. */
void deferred_begin(struct deferred_list *list, struct rte_rcu_qsbr *rcu);

/* Does what is due, or, once no lcore runs any more, everything. */
void deferred_run(struct deferred_list *list, struct rte_rcu_qsbr *rcu);
void deferred_run_all(struct deferred_list *list);

#endif
