/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports/reservation.h"

bool reservations_take(struct reservations *reservations)
{
	if (__atomic_load_n(&reservations->taken, __ATOMIC_RELAXED) != 0 ||
		__atomic_exchange_n(&reservations->taken, 1, __ATOMIC_ACQUIRE) != 0)
		return false;
	/* Whoever has a slot again sees that it was published. */
	if (reservations->next - __atomic_load_n(&reservations->published, __ATOMIC_ACQUIRE) <
		RESERVATIONS_MAX)
		return true;
	reservations_leave(reservations);
	return false;
}

static bool is_complete(const struct reservations *reservations, uint32_t number)
{
	return __atomic_load_n(&reservations->slots[number % RESERVATIONS_MAX].completed,
		       __ATOMIC_ACQUIRE) == number + 1;
}

/* Those that are complete, the oldest first. By who may publish. */
static void publish_all(
	struct reservations *reservations, reservations_publish_t publish, void *ring)
{
	uint32_t first = reservations->published, end = first;

	while (end - first < RESERVATIONS_MAX && is_complete(reservations, end))
		end++;
	if (end == first)
		return;
	publish(ring, first, end - first);
	__atomic_store_n(&reservations->published, end, __ATOMIC_RELEASE);
}

static bool oldest_is_complete(const struct reservations *reservations)
{
	return is_complete(
		reservations, __atomic_load_n(&reservations->published, __ATOMIC_RELAXED));
}

/* The right to publish is taken and given by exchanges only: so who gives it sees all that was
 * complete before somebody tried to take it in vain. */
void reservations_complete(struct reservations *reservations, uint32_t number,
	reservations_publish_t publish, void *ring)
{
	__atomic_store_n(&reservations->slots[number % RESERVATIONS_MAX].completed, number + 1,
		__ATOMIC_RELEASE);
	do {
		/* Who has it will look again: after it has let go. */
		if (__atomic_exchange_n(&reservations->publishing, 1, __ATOMIC_ACQ_REL) != 0)
			return;
		publish_all(reservations, publish, ring);
		__atomic_exchange_n(&reservations->publishing, 0, __ATOMIC_ACQ_REL);
	} while (oldest_is_complete(reservations));
}
