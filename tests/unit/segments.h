/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_UNIT_SEGMENTS_H
#define WEFT_UNIT_SEGMENTS_H

#include "fixture.h"

/* TCP packets of connections to port 1 in their tunnel, and bursts of them. */

#define DATA 100 /* payload of the packets, if a test does not say otherwise */

/* What a test wants; all that is zero is as usual. */
struct wish {
	bool ipv6;
	uint8_t tags;
	uint8_t options; /* bytes */
	uint8_t flags;	 /* beside ACK */
	uint16_t port;
	uint16_t id;
	uint16_t length; /* of the payload */
	uint32_t sequence;
};

/* Its bytes are on the heap, where they may be accessed as headers, and are used again in turn: a
 * test has some hundreds of frames at a time. */
struct frame {
	uint8_t *bytes;
	uint16_t length;
	uint16_t ip; /* offsets of the inner headers */
	uint16_t tcp;
	uint16_t data;
};

struct frame frame_of(struct wish wish);
struct frame copy_of(const struct frame *frame);
/* The packet number `i` of a connection. */
struct frame nth(uint32_t i);

bool is_ipv4(const struct frame *frame);
struct rte_ipv4_hdr *ipv4_of(struct frame *frame);
struct rte_ipv6_hdr *ipv6_of(struct frame *frame);
struct rte_tcp_hdr *tcp_of(struct frame *frame);
/* Sets inner lengths and checksums to what they must be. */
void finish_inner(struct frame *frame);
/* The same for the outer ones, with as much as the frame then holds. */
void finish_outer(struct frame *frame);

struct burst {
	uint16_t n;
	struct rte_mbuf *mbufs[STAGE_BURST_MAX];
	uint16_t verdicts[STAGE_BURST_MAX];
};

struct rte_mbuf *add(struct burst *burst, struct frame frame);
struct rte_mbuf *wish_for(struct burst *burst, struct wish wish);
/* Runs gro on the burst. */
void gro(struct burst *burst);
uint16_t followers(const struct burst *burst, uint16_t i);

/* Runs gro, and says how the burst is to be coalesced: for each packet the number behind it, or -1
 * if it is itself behind another one. */
#define assert_lists(burst, ...)                                                                   \
	check_lists(burst, (const int[]){__VA_ARGS__}, RTE_DIM(((const int[]){__VA_ARGS__})))
void check_lists(struct burst *burst, const int *expected, uint16_t n);

#endif
