/* SPDX-License-Identifier: BSD-3-Clause */
#include "traffic/checker.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_hash_crc.h>
#include <rte_malloc.h>

/* ---- states ---- */

static bool belongs(const struct checker_flow *flow, uint16_t place)
{
	return flow->places >> place & 1;
}

/* A flow's states lie in the order of its places. */
static struct checker_state *state_at(const struct checker *checker, uint32_t flow, uint16_t place)
{
	uint64_t before = checker->flows[flow].places & ((UINT64_C(1) << place) - 1);

	return &checker->states[checker->first[flow] + __builtin_popcountll(before)];
}

struct checker_state *checker_state(const struct checker *checker, uint32_t flow, uint16_t place)
{
	if (flow >= checker->n_flows || place >= CHECKER_PLACES_MAX ||
		!belongs(&checker->flows[flow], place))
		return NULL;
	return state_at(checker, flow, place);
}

/* The headers that the flow's frames have if they are of one length. */
static void set_length(struct checker_flow *flow)
{
	uint16_t length =
		flow->frame_bytes == 0 ? sizeof(flow->inner) : frame_length(flow->frame_bytes);
	struct frame_inner *inner = &flow->inner;

	inner->ip.total_length = rte_cpu_to_be_16(length - offsetof(struct frame_inner, ip));
	inner->ip.hdr_checksum = 0;
	inner->ip.hdr_checksum = rte_ipv4_cksum(&inner->ip);
	inner->udp.dgram_len = rte_cpu_to_be_16(length - offsetof(struct frame_inner, udp));
}

/* Returns the number of states. */
static uint32_t take_flows(struct checker *checker, const struct checker_flow *flows)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < checker->n_flows; i++) {
		checker->flows[i] = flows[i];
		set_length(&checker->flows[i]);
		checker->first[i] = n;
		n += __builtin_popcountll(flows[i].places);
	}
	checker->first[checker->n_flows] = n;
	return n;
}

int checker_init(struct checker *checker, const struct checker_flow *flows, uint32_t n)
{
	uint32_t n_states;

	memset(checker, 0, sizeof(*checker));
	checker->n_flows = n;
	checker->flows = rte_malloc(NULL, (n + 1) * sizeof(*flows), RTE_CACHE_LINE_SIZE);
	checker->first = rte_malloc(NULL, (n + 1) * sizeof(*checker->first), 0);
	if (checker->flows == NULL || checker->first == NULL)
		goto fail;
	n_states = take_flows(checker, flows);
	checker->states = rte_zmalloc(
		NULL, (size_t)(n_states + 1) * sizeof(*checker->states), RTE_CACHE_LINE_SIZE);
	if (checker->states != NULL)
		return 0;
fail:
	checker_free(checker);
	return -1;
}

void checker_free(struct checker *checker)
{
	rte_free(checker->flows);
	rte_free(checker->first);
	rte_free(checker->states);
	memset(checker, 0, sizeof(*checker));
}

/* ---- one frame ---- */

static bool is_udp(const struct frame_inner *inner, uint32_t length)
{
	return length >= offsetof(struct frame_inner, udp) &&
	       inner->ether.ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4) &&
	       inner->ip.next_proto_id == IPPROTO_UDP;
}

/* [FROM, TO) of two frames, by the names of fields. Of constant size: compiled to a few words. */
#define SAME(a, b, FROM, TO)                                                                       \
	(memcmp((const char *)(a) + offsetof(struct frame_inner, FROM),                            \
		 (const char *)(b) + offsetof(struct frame_inner, FROM),                           \
		 offsetof(struct frame_inner, TO) - offsetof(struct frame_inner, FROM)) == 0)

/* Lengths and what follows from them apart. */
static bool has_fields(const struct frame_inner *inner, const struct frame_inner *model)
{
	return SAME(inner, model, ether, ip.total_length) &&
	       SAME(inner, model, ip.packet_id, ip.hdr_checksum) &&
	       SAME(inner, model, ip.src_addr, udp.dgram_len) &&
	       SAME(inner, model, udp.dgram_cksum, payload.sequence);
}

static bool has_length(
	const struct frame_inner *inner, const struct frame_inner *model, uint32_t length)
{
	rte_be16_t total = rte_cpu_to_be_16(length - offsetof(struct frame_inner, ip));

	return inner->ip.total_length == total &&
	       inner->ip.hdr_checksum == frame_ip_checksum(&model->ip, total) &&
	       inner->udp.dgram_len == rte_cpu_to_be_16(length - offsetof(struct frame_inner, udp));
}

/* Of a flow whose frames are all of one length, the headers are the model's as they are. */
static bool has_headers(
	const struct frame_inner *inner, const struct checker_flow *flow, uint32_t length)
{
	if (flow->frame_bytes != 0)
		return length == frame_length(flow->frame_bytes) &&
		       SAME(inner, &flow->inner, ether, ip.total_length) &&
		       SAME(inner, &flow->inner, ip.total_length, ip.dst_addr) &&
		       SAME(inner, &flow->inner, ip.dst_addr, payload.sequence);
	return has_fields(inner, &flow->inner) && has_length(inner, &flow->inner, length);
}

static bool has_payload(const struct frame_inner *inner, uint32_t length)
{
	const struct frame_payload *payload = &inner->payload;

	return (length == sizeof(*inner) ||
		       memcmp(inner + 1, frame_pattern, length - sizeof(*inner)) == 0) &&
	       payload->check == frame_checksum(payload->sequence, payload->stamp, length);
}

static bool is_whole(
	const struct checker *checker, const struct frame_inner *inner, uint32_t length)
{
	const struct checker_flow *flow;

	if (length < sizeof(*inner) || length > FRAME_BYTES_MAX ||
		inner->payload.flow >= checker->n_flows)
		return false;
	flow = &checker->flows[inner->payload.flow];
	return has_headers(inner, flow, length) && has_payload(inner, length);
}

/* ---- order ---- */

/* True if the bit of the sequence number was not set. */
static bool mark_seen(struct checker_state *state, uint64_t sequence)
{
	uint64_t *word = &state->seen[sequence % CHECKER_MEMORY / 64];
	uint64_t bit = UINT64_C(1) << (sequence % 64);
	bool new = (*word & bit) == 0;

	*word |= bit;
	return new;
}

/* Those that `sequence` has overtaken. */
static void forget(struct checker_state *state, uint64_t sequence)
{
	uint64_t from = state->expected;

	if (sequence - from > CHECKER_MEMORY)
		from = sequence - CHECKER_MEMORY;
	for (; from < sequence; from++)
		state->seen[from % CHECKER_MEMORY / 64] &= ~(UINT64_C(1) << (from % 64));
}

static enum frame_verdict judge_order(struct checker_state *state, uint64_t sequence)
{
	if (sequence >= state->expected) {
		forget(state, sequence);
		mark_seen(state, sequence);
		state->expected = sequence + 1;
		state->received++;
		return FRAME_SOUND;
	}
	if (state->expected - sequence <= CHECKER_MEMORY && !mark_seen(state, sequence))
		return FRAME_DUPLICATE;
	state->received++;
	return FRAME_REORDERED;
}

static void add_to_digest(struct checker_state *state, uint64_t sequence, uint32_t length,
	const void *extra, uint32_t extra_length)
{
	/* In one step: no flow has 2^48 packets. */
	state->digest = rte_hash_crc_8byte(sequence ^ (uint64_t)length << 48, state->digest);
	if (extra_length > 0)
		state->digest = rte_hash_crc(extra, extra_length, state->digest);
}

static enum frame_verdict judge(struct checker *checker, uint16_t place,
	const struct frame_inner *inner, uint32_t length, const void *extra, uint32_t extra_length)
{
	struct checker_state *state;

	if (!is_udp(inner, length))
		return FRAME_FOREIGN;
	if (!is_whole(checker, inner, length))
		return FRAME_CORRUPTED;
	if (!belongs(&checker->flows[inner->payload.flow], place))
		return FRAME_STRAYED;
	state = state_at(checker, inner->payload.flow, place);
	add_to_digest(state, inner->payload.sequence, length, extra, extra_length);
	return judge_order(state, inner->payload.sequence);
}

enum frame_verdict checker_receive(struct checker *checker, uint16_t place, const void *frame,
	uint32_t length, const void *extra, uint32_t extra_length)
{
	enum frame_verdict verdict;

	assert(place < CHECKER_PLACES_MAX);
	verdict = judge(checker, place, frame, length, extra, extra_length);
	if (verdict != FRAME_SOUND)
		__atomic_fetch_add(&checker->broken[place][verdict], 1, __ATOMIC_RELAXED);
	return verdict;
}

/* ---- what came of it ---- */

static uint64_t count_broken(const struct checker *checker, enum frame_verdict verdict)
{
	uint64_t sum = 0;

	for (uint16_t place = 0; place < CHECKER_PLACES_MAX; place++)
		sum += __atomic_load_n(&checker->broken[place][verdict], __ATOMIC_RELAXED);
	return sum;
}

uint64_t checker_count(const struct checker *checker, enum frame_verdict verdict)
{
	uint64_t received = 0;

	if (verdict != FRAME_SOUND)
		return count_broken(checker, verdict);
	for (uint32_t i = 0; i < checker->first[checker->n_flows]; i++)
		received += checker->states[i].received;
	return received - count_broken(checker, FRAME_REORDERED);
}

bool checker_compare_flow(const struct checker *reference, const struct checker *checker,
	uint32_t flow, char *text, size_t size)
{
	for (uint16_t place = 0; place < CHECKER_PLACES_MAX; place++) {
		const struct checker_state *state = checker_state(checker, flow, place);
		const struct checker_state *other = checker_state(reference, flow, place);
		uint64_t n = state == NULL ? 0 : state->received;
		uint64_t others = other == NULL ? 0 : other->received;

		if (n == others && (n == 0 || state->digest == other->digest))
			continue;
		snprintf(text, size,
			"flow %u of network %u came to place %u otherwise than in the reference: "
			"%" PRIu64 " packets, there %" PRIu64,
			flow, checker->flows[flow].network, place, n, others);
		return false;
	}
	return true;
}

bool checker_compare(
	const struct checker *reference, const struct checker *checker, char *text, size_t size)
{
	if (reference->n_flows != checker->n_flows) {
		snprintf(text, size, "%u flows, in the reference %u", checker->n_flows,
			reference->n_flows);
		return false;
	}
	for (uint32_t flow = 0; flow < checker->n_flows; flow++)
		if (!checker_compare_flow(reference, checker, flow, text, size))
			return false;
	return true;
}

static const char *const complaints[FRAME_VERDICTS] = {
	[FRAME_SOUND] = "is sound",
	[FRAME_REORDERED] = "came after a successor",
	[FRAME_DUPLICATE] = "came twice",
	[FRAME_STRAYED] = "came out where none of its flow may",
	[FRAME_CORRUPTED] = "was changed on its way",
	[FRAME_FOREIGN] = "is none that was sent",
};

/* The name of a frame, as far as it has one. */
static void write_name(const struct checker *checker, const struct frame_inner *inner,
	uint32_t length, char *text, size_t size)
{
	const struct frame_payload *payload = &inner->payload;

	if (!is_udp(inner, length) || length < sizeof(*inner) || payload->flow >= checker->n_flows)
		snprintf(text, size, "a frame of %u bytes", length);
	else
		snprintf(text, size, "packet %" PRIu64 " of flow %u of network %u, %u bytes,",
			payload->sequence, payload->flow, checker->flows[payload->flow].network,
			length);
}

void checker_describe(const struct checker *checker, enum frame_verdict verdict, uint16_t place,
	const void *frame, uint32_t length, char *text, size_t size)
{
	char name[96];

	write_name(checker, frame, length, name, sizeof(name));
	snprintf(text, size, "place %u: %s %s", place, name, complaints[verdict]);
}
