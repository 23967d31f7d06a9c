/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TRAFFIC_FRAMES_H
#define TRAFFIC_FRAMES_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

/*
 * The test frames: Ethernet, IPv4, UDP and a payload that tells flow, place in the flow and time of
 * sending. On the underlay they are wrapped in Ethernet, IPv4, UDP and VXLAN (RFC 7348).
 *
 * A frame's length is counted as testpmd counts it: a "64 byte frame" has 4 bytes of FCS, which
 * no software ever sees, so it is 60 bytes in memory. frame_length() is the one place that says so.
 *
 * All frames of a flow are alike up to `sequence`, and all frames of a length are alike after
 * `check`. So a sender copies and a receiver compares, and only 14 bytes are made anew each time.
 */

#define FRAME_MAGIC 0x77ef
#define FRAME_BYTES_MIN 64
#define FRAME_BYTES_MAX 9216

struct frame_payload {
	uint16_t magic;
	uint16_t flow;
	uint64_t sequence;
	uint32_t stamp; /* clock of the sender >> FRAME_STAMP_SHIFT, see frame_age() */
	uint16_t check; /* over sequence and stamp */
} __attribute__((packed, aligned(2)));

struct frame_inner {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	struct frame_payload payload;
} __attribute__((packed, aligned(2)));

struct frame_outer {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	struct rte_vxlan_hdr vxlan;
} __attribute__((packed, aligned(2)));

/* The part of an inner frame that is the same in each of a flow's packets. */
#define FRAME_FIXED                                                                                \
	(offsetof(struct frame_inner, payload) + offsetof(struct frame_payload, sequence))

static_assert(sizeof(struct frame_inner) == FRAME_BYTES_MIN - RTE_ETHER_CRC_LEN,
	"the payload fits the smallest frame");
static_assert(sizeof(struct frame_outer) == 50, "VXLAN adds 50 bytes");

/* One direction of the inner network; flow i uses UDP ports base + i. */
struct frame_addresses {
	struct rte_ether_addr source_mac;
	struct rte_ether_addr mac;
	rte_be32_t source;
	rte_be32_t address;
};

/* The two ends of the tunnel, as the side that sends sees them. */
struct frame_tunnel {
	struct rte_ether_addr local_mac;
	struct rte_ether_addr remote_mac;
	rte_be32_t local;
	rte_be32_t remote;
	uint32_t vni;
	uint16_t udp_port;
};

static inline uint16_t frame_length(uint16_t frame_bytes)
{
	return frame_bytes - RTE_ETHER_CRC_LEN;
}

/* Writes everything up to FRAME_FIXED. */
void frame_build_inner(struct frame_inner *frame, const struct frame_addresses *addresses,
	uint16_t flow, uint16_t length);

/* Writes the tunnel's headers for an inner frame of `length` bytes. */
void frame_build_outer(struct frame_outer *outer, const struct frame_tunnel *tunnel, uint16_t flow,
	uint16_t length);

/* What follows the payload in frames that are longer than it. */
void frame_build_pattern(uint8_t *pattern, uint16_t length);

/* True if the outer headers are such as the tunnel's *remote* end must send them. */
bool frame_outer_is_sound(
	const struct frame_outer *outer, const struct frame_tunnel *tunnel, uint16_t length);

#define FRAME_STAMP_SHIFT 4

static inline uint16_t frame_checksum(uint64_t sequence, uint32_t stamp)
{
	return ((sequence ^ ((uint64_t)stamp << 32)) * 0x9e3779b97f4a7c15) >> 48;
}

static inline void frame_stamp(struct frame_payload *payload, uint64_t sequence, uint64_t now)
{
	uint32_t stamp = now >> FRAME_STAMP_SHIFT;

	payload->sequence = sequence;
	payload->stamp = stamp;
	payload->check = frame_checksum(sequence, stamp);
}

/* Cycles since the frame was stamped; frames may be 2^36 cycles old at most. */
static inline uint64_t frame_age(const struct frame_payload *payload, uint64_t now)
{
	uint32_t stamp = now >> FRAME_STAMP_SHIFT;

	return (uint64_t)(uint32_t)(stamp - payload->stamp) << FRAME_STAMP_SHIFT;
}

#endif
