/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/idle.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_pause.h>
#include <rte_power_intrinsics.h>

#include "engine/door.h"
#include "engine/lcore.h"
#include "engine/steering.h"

#define AWAKE_US 50	  /* of rounds that find nothing, before it sleeps */
#define PAUSE_NS 200	  /* between two of them, where the CPU can rest for a time */
#define NAP_MIN_NS 2000	  /* where queues must be polled, */
#define NAP_MAX_NS 40000  /* and at most; on a virtual machine it takes twice as long */
#define SLEEP_NS 10000000 /* at most; nothing depends on it */

/* ---- making ---- */

static int watch(const struct idle *idle, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	if (epoll_ctl(idle->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EEXIST)
		return 0;
	return -1;
}

int idle_init(struct idle *idle, struct error *error)
{
	idle->nap_ns = NAP_MIN_NS;
	idle->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	idle->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (idle->wake_fd < 0 || idle->epoll_fd < 0 || watch(idle, idle->wake_fd) != 0)
		return error_set(error, "lcores cannot sleep: no descriptors are left (%s)",
			strerror(errno));
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0)
		return error_set(error,
			"lcores cannot sleep: the kernel has no membarrier (%s); say 'idle = poll' "
			"in [weft]",
			strerror(errno));
	return 0;
}

void idle_free(struct idle *idle)
{
	if (idle->wake_fd >= 0)
		close(idle->wake_fd);
	if (idle->epoll_fd >= 0)
		close(idle->epoll_fd);
}

/* ---- waking ---- */

void idle_write(const struct idle *idle)
{
	const uint64_t one = 1;

	/* It cannot block; if the counter is full, the sleeper has been told. */
	(void)!write(idle->wake_fd, &one, sizeof(one));
}

void idle_wake_all(struct dataplane *dataplane)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		if (dataplane->sleeps)
			idle_wake(&dataplane->lcores[i]->idle);
}

/* ---- sleeping ---- */

static bool is_anything_inside(const struct lcore *lcore)
{
	uint64_t ended = 0;

	for (uint16_t i = 0; i < lcore->dataplane->n_lcores; i++)
		ended += counter_read(lcore->finished_at[i]);
	return lcore->counters.admitted != ended;
}

/* Nothing waits on the lcore for its next round, and nothing of what it let in is on its way. */
static bool may_sleep(const struct lcore *lcore)
{
	return !flood_is_on(lcore) && lcore->kept == 0 && lcore->door->moves.n_moving == 0 &&
	       !steering_waits(lcore->door) &&
	       (lcore->turns == NULL || turns_are_over(lcore->turns)) &&
	       !is_anything_inside(lcore) &&
	       !__atomic_load_n(&lcore->dataplane->stop, __ATOMIC_RELAXED);
}

/* Where others take turns at it, with the right; false if another has that. */
static bool ask(const struct owned_queue *own, bool on, int *fd)
{
	struct turn *turn = &own->port->queues[own->queue].turn;

	*fd = PORT_MUST_BE_POLLED;
	if (own->port->ops->watch == NULL)
		return true;
	if (!turn_take(turn))
		return false;
	*fd = own->port->ops->watch(own->port, own->queue, on);
	turn_pass_on(turn);
	return true;
}

/* Asks the peers of the queues that the lcore owns to wake it, or no more to. False if one must be
 * polled, or could not be asked. Others may receive from them, too, but only the owner sleeps at
 * them: so who asks is one. */
static bool watch_queues(struct lcore *lcore, bool on)
{
	const struct tables *tables = lcore->context.tables;
	bool all = true;

	for (uint16_t i = tables->owned_begin[lcore->index];
		i < tables->owned_begin[lcore->index + 1]; i++) {
		int fd;

		if (!ask(&tables->owned[i], on, &fd))
			all = false;
		else if (on && fd != PORT_HAS_NO_PEER)
			all &= fd >= 0 && watch(&lcore->idle, fd) == 0;
	}
	return all;
}

static void sleep_until_woken(struct idle *idle, long most_ns)
{
	const struct timespec time = {.tv_nsec = most_ns};
	struct epoll_event event;

	(void)epoll_pwait2(idle->epoll_fd, &event, 1, &time, NULL);
}

static void nap(struct idle *idle)
{
	sleep_until_woken(idle, idle->nap_ns);
	idle->nap_ns = RTE_MIN(2 * idle->nap_ns, (uint32_t)NAP_MAX_NS);
}

/* While it sleeps, nobody waits for the lcore, and it has no load. The tables may be others
 * afterwards. */
static void sleep_now(struct lcore *lcore, bool is_watched)
{
	struct dataplane *dataplane = lcore->dataplane;
	uint64_t begin = lcore->mark, now;

	load_rest(&lcore->load);
	rte_rcu_qsbr_thread_offline(dataplane->rcu, lcore->index);
	if (is_watched)
		sleep_until_woken(&lcore->idle, SLEEP_NS);
	else
		nap(&lcore->idle);
	rte_rcu_qsbr_thread_online(dataplane->rcu, lcore->index);
	lcore->context.tables = __atomic_load_n(&dataplane->tables, __ATOMIC_ACQUIRE);
	now = clock_read(&dataplane->clock);
	counter_add(&lcore->counters.time.idle, now - begin);
	counter_add(&lcore->idle.time, now - begin);
	lcore->mark = now;
}

static void set_asleep(struct idle *idle, bool asleep)
{
	__atomic_store_n(&idle->asleep, asleep, __ATOMIC_RELAXED);
}

/* It interrupts all lcores that are at work; who naps may do without, and come to it a nap later.
 */
static void put_barrier_into_all(void)
{
	syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

/* What came after the last round, and before the peers knew, is found by one more. The tables of
 * that round are those of the queues that are watched no more. */
static void fall_asleep(struct lcore *lcore)
{
	bool is_watched = watch_queues(lcore, true);

	set_asleep(&lcore->idle, true);
	if (is_watched)
		put_barrier_into_all();
	if (lcore_poll(lcore))
		lcore->idle.found_at = lcore->mark;
	else if (may_sleep(lcore))
		sleep_now(lcore, is_watched);
	set_asleep(&lcore->idle, false);
	lcore->idle.asks = !watch_queues(lcore, false);
}

void idle_begin(struct lcore *lcore)
{
	lcore->idle.found_at = lcore->mark;
	prctl(PR_SET_TIMERSLACK, 1);
}

/* tpause, which not every CPU has: its sibling has the core meanwhile. The clock of real lcores is
 * the TSC. */
static void pause_briefly(const struct lcore *lcore)
{
	const struct clock *clock = &lcore->dataplane->clock;

	if (rte_power_pause(clock_read(clock) + PAUSE_NS * clock->hz / NS_PER_S) != 0)
		rte_pause();
}

void idle_round(struct lcore *lcore, bool moved)
{
	uint64_t awake = AWAKE_US * (lcore->dataplane->clock.hz / 1000000);

	if (unlikely(lcore->idle.asks))
		lcore->idle.asks = !watch_queues(lcore, false);
	if (moved) {
		lcore->idle.found_at = lcore->mark;
		lcore->idle.nap_ns = NAP_MIN_NS;
	} else if (lcore->mark - lcore->idle.found_at < awake || !may_sleep(lcore)) {
		pause_briefly(lcore);
	} else {
		fall_asleep(lcore);
	}
}
