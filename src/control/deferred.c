/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/deferred.h"

#include <stdlib.h>

void deferred_add_when(struct deferred_list *list, deferred_condition condition,
	deferred_function function, void *argument)
{
	struct deferred *deferred = calloc(1, sizeof(*deferred));
	struct deferred **end = &list->first;

	if (deferred == NULL)
		abort();
	deferred->function = function;
	deferred->argument = argument;
	deferred->condition = condition;
	while (*end != NULL)
		end = &(*end)->next;
	*end = deferred;
}

void deferred_add(struct deferred_list *list, deferred_function function, void *argument)
{
	deferred_add_when(list, NULL, function, argument);
}

static bool is_due(const struct deferred *deferred, struct rte_rcu_qsbr *rcu)
{
	return deferred->counting && rte_rcu_qsbr_check(rcu, deferred->token, false) &&
	       (deferred->condition == NULL || deferred->condition(deferred->argument));
}

void deferred_begin(struct deferred_list *list, struct rte_rcu_qsbr *rcu)
{
	for (struct deferred *deferred = list->first; deferred; deferred = deferred->next) {
		if (deferred->counting)
			continue;
		deferred->token = rte_rcu_qsbr_start(rcu);
		deferred->counting = true;
	}
}

static void run_first(struct deferred_list *list)
{
	struct deferred *deferred = list->first;

	list->first = deferred->next;
	deferred->function(deferred->argument);
	free(deferred);
}

void deferred_run(struct deferred_list *list, struct rte_rcu_qsbr *rcu)
{
	while (list->first != NULL && is_due(list->first, rcu))
		run_first(list);
}

void deferred_run_all(struct deferred_list *list)
{
	while (list->first != NULL)
		run_first(list);
}
