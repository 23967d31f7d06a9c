/* SPDX-License-Identifier: BSD-3-Clause */
#include "traffic/arrivals.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

/* Within this file times are relative to the start, in 1/65536 of a cycle: 2^62 of these are more
 * than six hours. */
#define TIME_SHIFT 16
#define NEVER (1ULL << 62)

#define LN2 0xb17217f7ULL /* in units of 2^-32 */
/* Room in sums of 65535 weights. */
#define WEIGHT_SHIFT 17
#define ACKNOWLEDGEMENTS_MIN 64

/* A window's packets are given up after so many round trips and so many 1/1000 s without a sign:
 * well more than it takes to get through full rings. */
#define TIMEOUT_ROUND_TRIPS 4
#define TIMEOUT_MS 5

typedef unsigned __int128 wide;

/* ---- whole numbers in place of libm ---- */

/* One bit a round: the square of a number has twice its logarithm. */
uint64_t fixed_log2(uint64_t x)
{
	uint64_t whole = 63 - __builtin_clzll(x), fraction = 0;
	uint64_t mantissa = x << (63 - whole);

	for (int bit = 31; bit >= 0; bit--) {
		wide square = (wide)mantissa * mantissa;

		if (square >> 127) {
			fraction |= 1ULL << bit;
			mantissa = square >> 64;
		} else {
			mantissa = square >> 63;
		}
	}
	return whole << 32 | fraction;
}

static uint64_t square_root(wide x)
{
	uint64_t root = 0;

	for (int bit = 63; bit >= 0; bit--) {
		wide trial = root | 1ULL << bit;

		if (trial * trial <= x)
			root = trial;
	}
	return root;
}

/* 2^-(1/2), 2^-(1/4), ... for each bit that is set. */
uint64_t fixed_exp2(uint64_t x)
{
	uint64_t factor = 1ULL << 63, result = UINT64_MAX;

	if (x >> 32 > 63)
		return 0;
	for (int bit = 31; bit >= 0; bit--) {
		factor = square_root((wide)factor << 64);
		if (x >> bit & 1)
			result = (wide)result * factor >> 64;
	}
	return result >> (x >> 32);
}

uint64_t fixed_minus_ln(uint64_t x)
{
	return (wide)(64 * FIXED_ONE - fixed_log2(x)) * LN2 >> 32;
}

/* ---- rates ---- */

static uint64_t scale(uint64_t time, uint64_t numerator, uint64_t denominator)
{
	wide scaled = (wide)time * numerator / denominator;

	return scaled < NEVER ? (uint64_t)scaled : NEVER;
}

/* Never 0, so that every flow sends at last. */
static uint64_t weight_of(const struct arrivals_config *config, uint32_t flow)
{
	uint64_t weight = UINT64_MAX;

	if (config->law == ARRIVALS_HEAVY_TAILED)
		weight = fixed_exp2(
			fixed_log2(flow + 1) * config->exponent / ARRIVALS_EXPONENT_UNIT);
	return weight >> WEIGHT_SHIFT > 0 ? weight >> WEIGHT_SHIFT : 1;
}

/* Mean gap between two packets of a flow with this share of the rate. */
static uint64_t mean_gap(const struct arrivals_config *config, uint64_t weight, uint64_t sum)
{
	wide gap;

	if (config->rate == 0)
		return 0;
	gap = ((wide)config->hz << TIME_SHIFT) * sum / ((wide)config->rate * weight);
	if (config->kind == ARRIVALS_ON_OFF)
		gap = gap * config->on / (config->on + config->off);
	return gap < NEVER ? (uint64_t)gap : NEVER;
}

/* ---- active time: without the silent times ---- */

static uint64_t to_active(
	const struct arrivals *arrivals, const struct arrivals_flow *flow, uint64_t time)
{
	uint64_t on = arrivals->config.on << TIME_SHIFT;
	uint64_t period = on + (arrivals->config.off << TIME_SHIFT);
	uint64_t position = time + flow->phase, rest;

	if (arrivals->config.kind != ARRIVALS_ON_OFF)
		return time;
	rest = position % period;
	return position / period * on + (rest < on ? rest : on);
}

static uint64_t from_active(
	const struct arrivals *arrivals, const struct arrivals_flow *flow, uint64_t active)
{
	uint64_t on = arrivals->config.on << TIME_SHIFT;
	uint64_t period = on + (arrivals->config.off << TIME_SHIFT);

	if (arrivals->config.kind != ARRIVALS_ON_OFF)
		return active;
	if (active / on >= NEVER / period)
		return NEVER;
	return active / on * period + active % on - flow->phase;
}

/* ---- the next packet ---- */

/* 0 to n - 1 */
static uint64_t random_time(uint64_t *random, uint64_t n)
{
	return (wide)random_next(random) * n >> 64;
}

static uint64_t draw_gap(const struct arrivals *arrivals, struct arrivals_flow *flow)
{
	if (arrivals->config.kind != ARRIVALS_POISSON)
		return flow->gap;
	return scale(flow->gap, fixed_minus_ln(random_next(&flow->random) | 1), FIXED_ONE);
}

/* What of the gap lies behind the jump passes at the new rate. */
static uint64_t after_gap(
	const struct arrivals *arrivals, const struct arrivals_flow *flow, uint64_t gap)
{
	const struct arrivals_config *config = &arrivals->config;
	uint64_t from = flow->active, jump;

	if (config->jump_at == 0)
		return from + gap;
	jump = to_active(arrivals, flow, config->jump_at << TIME_SHIFT);
	if (from >= jump)
		return from + scale(gap, config->rate, config->jump_rate);
	if (from + gap <= jump)
		return from + gap;
	return jump + scale(from + gap - jump, config->rate, config->jump_rate);
}

static bool is_blocked(const struct arrivals *arrivals, const struct arrivals_flow *flow)
{
	return arrivals->config.kind == ARRIVALS_WINDOW &&
	       flow->sequence - flow->acknowledged >= arrivals->config.window;
}

static uint64_t event_of(const struct arrivals *arrivals, const struct arrivals_flow *flow)
{
	uint64_t event;

	if (is_blocked(arrivals, flow))
		event = flow->heard + arrivals->timeout;
	else
		event = from_active(arrivals, flow, flow->active);
	return event < NEVER ? event : NEVER;
}

/* ---- the heap, by time and then by number ---- */

static bool is_before(const struct arrivals *arrivals, uint32_t a, uint32_t b)
{
	uint64_t time_a = arrivals->flows[a].next, time_b = arrivals->flows[b].next;

	return time_a < time_b || (time_a == time_b && a < b);
}

static void put(struct arrivals *arrivals, uint32_t place, uint32_t flow)
{
	arrivals->heap[place] = flow;
	arrivals->flows[flow].place = place;
}

static void move_up(struct arrivals *arrivals, uint32_t place)
{
	uint32_t flow = arrivals->heap[place];

	while (place > 0 && is_before(arrivals, flow, arrivals->heap[(place - 1) / 2])) {
		put(arrivals, place, arrivals->heap[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	put(arrivals, place, flow);
}

static void move_down(struct arrivals *arrivals, uint32_t place)
{
	uint32_t flow = arrivals->heap[place], n = arrivals->config.flows, child;

	while ((child = 2 * place + 1) < n) {
		if (child + 1 < n &&
			is_before(arrivals, arrivals->heap[child + 1], arrivals->heap[child]))
			child++;
		if (!is_before(arrivals, arrivals->heap[child], flow))
			break;
		put(arrivals, place, arrivals->heap[child]);
		place = child;
	}
	put(arrivals, place, flow);
}

static void reschedule(struct arrivals *arrivals, struct arrivals_flow *flow)
{
	flow->next = event_of(arrivals, flow);
	move_up(arrivals, flow->place);
	move_down(arrivals, flow->place);
}

/* ---- begin and end ---- */

/* Flows begin anywhere in their first gap, so that they do not go in step. */
static uint64_t first_active(const struct arrivals *arrivals, struct arrivals_flow *flow)
{
	uint64_t gap = flow->gap;

	if (arrivals->config.kind == ARRIVALS_POISSON)
		return draw_gap(arrivals, flow);
	if (arrivals->config.kind == ARRIVALS_WINDOW)
		gap = arrivals->config.round_trip << TIME_SHIFT;
	return random_time(&flow->random, gap + 1);
}

static void init_flow(struct arrivals *arrivals, uint32_t index, uint64_t sum)
{
	const struct arrivals_config *config = &arrivals->config;
	struct arrivals_flow *flow = &arrivals->flows[index];
	uint64_t gap;

	flow->random = random_mix(config->seed + ((uint64_t)index << 32));
	flow->gap = mean_gap(config, weight_of(config, index), sum);
	if (config->kind == ARRIVALS_ON_OFF)
		flow->phase = random_time(&flow->random, (config->on + config->off) << TIME_SHIFT);
	flow->active = to_active(arrivals, flow, 0);
	gap = first_active(arrivals, flow);
	flow->active = config->rate > 0 ? after_gap(arrivals, flow, gap) : gap;
	flow->next = event_of(arrivals, flow);
	arrivals->heap[index] = index;
	move_up(arrivals, index);
}

int arrivals_init(struct arrivals *arrivals, const struct arrivals_config *config)
{
	struct acknowledgement_queue *queue = &arrivals->acknowledgements;
	uint64_t sum = 0;

	memset(arrivals, 0, sizeof(*arrivals));
	arrivals->config = *config;
	arrivals->timeout = TIMEOUT_ROUND_TRIPS * (config->round_trip << TIME_SHIFT) +
			    TIMEOUT_MS * ((config->hz << TIME_SHIFT) / 1000);
	arrivals->flows = calloc(config->flows, sizeof(*arrivals->flows));
	arrivals->heap = calloc(config->flows, sizeof(*arrivals->heap));
	queue->size = ACKNOWLEDGEMENTS_MIN;
	queue->list = calloc(queue->size, sizeof(*queue->list));
	if (arrivals->flows == NULL || arrivals->heap == NULL || queue->list == NULL) {
		arrivals_free(arrivals);
		return -1;
	}
	for (uint32_t i = 0; i < config->flows; i++)
		sum += weight_of(config, i);
	for (uint32_t i = 0; i < config->flows; i++)
		init_flow(arrivals, i, sum);
	return 0;
}

void arrivals_free(struct arrivals *arrivals)
{
	free(arrivals->flows);
	free(arrivals->heap);
	free(arrivals->acknowledgements.list);
	arrivals->flows = NULL;
	arrivals->heap = NULL;
	arrivals->acknowledgements.list = NULL;
}

/* ---- acknowledgements ---- */

static struct acknowledgement *first_acknowledgement(const struct arrivals *arrivals)
{
	const struct acknowledgement_queue *queue = &arrivals->acknowledgements;

	return queue->n == 0 ? NULL : &queue->list[queue->first];
}

static void grow(struct acknowledgement_queue *queue)
{
	struct acknowledgement *list = calloc(2 * queue->size, sizeof(*list));

	if (list == NULL)
		abort();
	for (uint32_t i = 0; i < queue->n; i++)
		list[i] = queue->list[(queue->first + i) % queue->size];
	free(queue->list);
	queue->list = list;
	queue->first = 0;
	queue->size *= 2;
}

void arrivals_delivered(struct arrivals *arrivals, uint32_t flow, uint64_t sequence, uint64_t now)
{
	struct acknowledgement_queue *queue = &arrivals->acknowledgements;
	const struct arrivals_config *config = &arrivals->config;

	if (config->kind != ARRIVALS_WINDOW || flow >= config->flows)
		return;
	if (queue->n == queue->size)
		grow(queue);
	queue->list[(queue->first + queue->n++) % queue->size] = (struct acknowledgement){
		.time = (now + config->round_trip - config->start) << TIME_SHIFT,
		.sequence = sequence,
		.flow = flow};
}

/* From the acknowledgement, or the time-out, that made room in the window. */
static void acknowledge(
	struct arrivals *arrivals, struct arrivals_flow *flow, uint64_t sequence, uint64_t time)
{
	if (sequence < flow->acknowledged || sequence >= flow->sequence)
		return;
	if (is_blocked(arrivals, flow) && flow->active < time)
		flow->active = time;
	flow->acknowledged = sequence + 1;
	flow->heard = time;
	reschedule(arrivals, flow);
}

static void take_acknowledgement(struct arrivals *arrivals)
{
	struct acknowledgement_queue *queue = &arrivals->acknowledgements;
	struct acknowledgement *first = &queue->list[queue->first];

	queue->first = (queue->first + 1) % queue->size;
	queue->n--;
	acknowledge(arrivals, &arrivals->flows[first->flow], first->sequence, first->time);
}

/* ---- events ---- */

static uint64_t next_event(const struct arrivals *arrivals)
{
	const struct acknowledgement *first = first_acknowledgement(arrivals);
	uint64_t next = arrivals->flows[arrivals->heap[0]].next;

	return first != NULL && first->time < next ? first->time : next;
}

uint64_t arrivals_next(const struct arrivals *arrivals)
{
	uint64_t next = next_event(arrivals);

	return next >= NEVER ? UINT64_MAX : arrivals->config.start + (next >> TIME_SHIFT);
}

static void send(struct arrivals *arrivals, struct arrivals_flow *flow)
{
	flow->sequence++;
	flow->heard = flow->next;
	flow->active = after_gap(arrivals, flow, draw_gap(arrivals, flow));
	reschedule(arrivals, flow);
}

/* True if it was a packet. */
static bool take_event(struct arrivals *arrivals, struct arrival *arrival)
{
	const struct acknowledgement *first = first_acknowledgement(arrivals);
	struct arrivals_flow *flow = &arrivals->flows[arrivals->heap[0]];

	if (first != NULL && first->time <= flow->next) {
		take_acknowledgement(arrivals);
		return false;
	}
	if (is_blocked(arrivals, flow)) {
		acknowledge(arrivals, flow, flow->sequence - 1, flow->next);
		return false;
	}
	*arrival = (struct arrival){
		.time = arrivals->config.start + (flow->next >> TIME_SHIFT),
		.sequence = flow->sequence,
		.flow = flow - arrivals->flows,
	};
	send(arrivals, flow);
	return true;
}

bool arrivals_take(struct arrivals *arrivals, uint64_t until, struct arrival *arrival)
{
	while (arrivals_next(arrivals) <= until)
		if (take_event(arrivals, arrival))
			return true;
	return false;
}
