/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtual clock. The lcore loop tells it of each step of a round and of the round's end, and it
 * moves on by what the step cost: by the table, or what it took just now. Being measured, a step
 * that took far longer than its like is taken for one during which this thread was preempted, and
 * costs what its like do.
 */
#include "base/random.h"
#include "virtual/private.h"

/* A measured step is an outlier if it takes over so many times the median of its kind, and so many
 * cycles more: an interrupt costs thousands, another process at this core ten thousands. */
#define OUTLIER_TIMES 4
#define OUTLIER_CYCLES 5000
#define ESTIMATE_WARM 32  /* steps of a kind, before any is judged */
#define ESTIMATE_PACE 16  /* a new step moves the median by this part of it */
#define RANDOM_ROUND 2000 /* cycles, on average, that a round takes in random order */
#define ADVERSARY_ONE_IN 64
#define ADVERSARY_ROUNDS 200 /* of average length that the victim misses at most */

/* ---- what a step costs ---- */

static unsigned int size_class(uint32_t packets)
{
	return packets == 0 ? 0 : RTE_MIN(32u - __builtin_clz(packets), ESTIMATE_SIZES - 1u);
}

/* Follows the median: half of the steps move it up, half down. */
static void learn(struct estimate *estimate, uint64_t cycles)
{
	uint64_t pace = estimate->cycles / ESTIMATE_PACE + 1;

	if (estimate->n == 0)
		estimate->cycles = cycles;
	else if (cycles > estimate->cycles)
		estimate->cycles += pace;
	else
		estimate->cycles -= RTE_MIN(pace, estimate->cycles);
	if (estimate->n < ESTIMATE_WARM)
		estimate->n++;
}

static uint64_t judge(
	struct virtual_driver *driver, unsigned int step, uint32_t packets, uint64_t cycles)
{
	struct estimate *estimate = &driver->estimates[step][size_class(packets)];
	uint64_t usual = estimate->cycles;

	learn(estimate, cycles);
	if (estimate->n < ESTIMATE_WARM || cycles <= OUTLIER_TIMES * usual + OUTLIER_CYCLES)
		return cycles;
	driver->counters.outliers++;
	return usual;
}

/* Packets that the lcore has sent along a path since the last reading: doors do so before the first
 * step. */
static uint64_t take_steered(struct virtual_lcore *current)
{
	uint64_t steered = current->lcore->counters.steered - current->seen_steered;

	current->seen_steered += steered;
	return steered;
}

static bool goes_on(const struct lcore *lcore)
{
	return lcore->plan->by_right &&
	       (turns_have_parts(lcore->turns) || lcore->handover.n_passed == 0);
}

/* A round's end is paid for once: housekeeping may read the clock again. One that has ended only
 * for others to see what it passed on goes on in the next. */
static uint64_t cost_of_end(struct virtual_driver *driver)
{
	const struct costs *costs = driver->config.costs;

	if (driver->ended || (driver->worked && goes_on(driver->current->lcore)))
		return 0;
	return driver->worked ? costs->busy : costs->idle;
}

/* In hundredths of a cycle. */
static uint64_t cost_by_table(struct virtual_driver *driver, unsigned int step, uint32_t packets)
{
	const struct step_cost *cost;

	if (step == STEP_COUNT)
		return cost_of_end(driver);
	cost = &driver->config.costs->steps[step];
	return cost->burst + cost->packet * packets;
}

static uint64_t cost_of_step(
	struct virtual_driver *driver, unsigned int step, uint32_t packets, uint64_t tsc)
{
	int64_t cost;

	if (driver->config.measured)
		cost = COST_UNIT * judge(driver, step, packets, tsc - driver->read_at);
	else
		cost = cost_by_table(driver, step, packets) +
		       driver->config.costs->steer * take_steered(driver->current);
	if (step < STEP_COUNT)
		cost += wires_price(driver->current);
	return RTE_MAX(cost + driver->charged, 0);
}

/* ---- orders of rounds ---- */

/* Cycles, with the mean `mean`, and now and then far more: rounds must overlap in every way. */
static uint64_t random_time(uint64_t *random, uint64_t mean)
{
	uint64_t most = random_one_in(random, 16) ? 16 * mean : 2 * mean;

	return random_below(random, most);
}

/* The lcore with most in its inboxes is the one that misses most when it is held up. */
static bool is_victim(const struct virtual_driver *driver)
{
	uint32_t waiting = wires_waiting(driver->current);

	for (uint16_t i = 0; i < driver->dataplane->n_lcores; i++)
		if (wires_waiting(&driver->lcores[i]) > waiting)
			return false;
	return true;
}

static uint64_t hold_up(struct virtual_driver *driver)
{
	uint64_t cycles;

	if (driver->now < driver->held_until || !random_one_in(&driver->random, ADVERSARY_ONE_IN) ||
		!is_victim(driver))
		return 0;
	cycles = random_below(&driver->random, ADVERSARY_ROUNDS * RANDOM_ROUND);
	driver->held_until = driver->now + cycles;
	return cycles;
}

/* By how many cycles the round is longer than its work. */
static uint64_t extra_time(struct virtual_driver *driver)
{
	uint64_t extra = driver->current->stall;

	driver->current->stall = 0;
	if (driver->config.order != VIRTUAL_BY_COST)
		extra += random_time(&driver->random, RANDOM_ROUND);
	if (driver->config.order == VIRTUAL_ADVERSARIAL)
		extra += hold_up(driver);
	return extra;
}

/* ---- reading ---- */

static void move_on(struct virtual_lcore *current, uint64_t cost)
{
	uint64_t sum = current->fraction + cost * current->percent / 100;

	current->time += sum / COST_UNIT;
	current->fraction = sum % COST_UNIT;
}

uint64_t virtual_clock_read(const struct clock *clock)
{
	const struct virtual_driver *driver = clock->driver;

	return driver->current == NULL ? driver->now : driver->current->time;
}

static void note_step(struct virtual_lcore *current, unsigned int step, uint64_t begin)
{
	if (step >= STEP_COUNT)
		return;
	current->stepped = current->time;
	if (step == STEP_DELIVER || step == STEP_SEND)
		current->handing_since = RTE_MIN(current->handing_since, begin);
}

uint64_t virtual_clock_after(const struct clock *clock, unsigned int step, uint32_t packets)
{
	struct virtual_driver *driver = clock->driver;
	struct virtual_lcore *current = driver->current;
	uint64_t tsc = driver->config.measured ? clock_read(driver->config.measured) : 0;
	uint64_t begin = current->time;

	assert(current != NULL && step <= STEP_COUNT);
	move_on(current, cost_of_step(driver, step, packets, tsc));
	note_step(current, step, begin);
	if (step < STEP_COUNT)
		driver->worked = true;
	else if (!driver->ended) {
		current->time += extra_time(driver);
		driver->ended = true;
	}
	driver->charged = 0;
	driver->counters.steps++;
	if (driver->config.measured)
		driver->read_at = clock_read(driver->config.measured);
	return current->time;
}

void clock_begin_round(struct virtual_driver *driver, struct virtual_lcore *lcore)
{
	driver->current = lcore;
	lcore->stepped = lcore->time;
	lcore->handing_since = UINT64_MAX;
	driver->worked = driver->ended = false;
	driver->charged = 0;
	if (driver->config.measured)
		driver->read_at = clock_read(driver->config.measured);
}

void clock_end_round(struct virtual_driver *driver)
{
	driver->current = NULL;
}

uint16_t virtual_current(const struct virtual_driver *driver)
{
	assert(driver->current != NULL);
	return driver->current->lcore->index;
}

bool virtual_is_in_round(const struct virtual_driver *driver)
{
	return driver->current != NULL;
}

void virtual_pause(struct virtual_driver *driver)
{
	if (driver->config.measured)
		driver->paused_at = clock_read(driver->config.measured);
}

void virtual_resume(struct virtual_driver *driver)
{
	if (driver->config.measured)
		driver->read_at += clock_read(driver->config.measured) - driver->paused_at;
}

void virtual_charge(struct virtual_driver *driver, uint64_t cost)
{
	driver->charged += cost;
}
