/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_FRAMES_H
#define WEFT_FRAMES_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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
 * All frames of a flow are alike up to `sequence`, lengths and IPv4 checksum apart, and after
 * `check` all frames bear the same bytes. So a sender copies and a receiver compares, and only 14
 * bytes, or 20 if the length changes, are made anew each time.
 */

#define FRAME_MAGIC 0x77ef
#define FRAME_BYTES_MIN 64
#define FRAME_BYTES_MAX 9216

struct frame_payload {
	uint16_t magic;
	uint16_t flow;
	uint64_t sequence;
	uint32_t stamp; /* clock of the sender >> FRAME_STAMP_SHIFT, see frame_age() */
	uint16_t check; /* over sequence, stamp and the frame's length */
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

/* The part of an inner frame that is the same in each of a flow's packets of one length. */
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

/* What follows the payload in frames that are longer than it. Made when the program starts. */
extern uint8_t frame_pattern[FRAME_BYTES_MAX];

/* Writes everything up to FRAME_FIXED. */
void frame_build_inner(struct frame_inner *frame, const struct frame_addresses *addresses,
	uint16_t flow, uint16_t length);

/* Writes the tunnel's headers for an inner frame of `length` bytes. */
void frame_build_outer(struct frame_outer *outer, const struct frame_tunnel *tunnel, uint16_t flow,
	uint16_t length);

/* True if the outer headers are such as the tunnel's *remote* end must send them. */
bool frame_outer_is_sound(
	const struct frame_outer *outer, const struct frame_tunnel *tunnel, uint16_t length);

/* ---- a packet ---- */

#define FRAME_STAMP_SHIFT 4

static inline uint16_t frame_checksum(uint64_t sequence, uint32_t stamp, uint16_t length)
{
	return (((sequence ^ ((uint64_t)stamp << 32)) * 0x9e3779b97f4a7c15) >> 48) ^ length;
}

static inline void frame_stamp(
	struct frame_payload *payload, uint64_t sequence, uint64_t now, uint16_t length)
{
	uint32_t stamp = now >> FRAME_STAMP_SHIFT;

	payload->sequence = sequence;
	payload->stamp = stamp;
	payload->check = frame_checksum(sequence, stamp, length);
}

/* Cycles since the frame was stamped; frames may be 2^36 cycles old at most. */
static inline uint64_t frame_age(const struct frame_payload *payload, uint64_t now)
{
	uint32_t stamp = now >> FRAME_STAMP_SHIFT;

	return (uint64_t)(uint32_t)(stamp - payload->stamp) << FRAME_STAMP_SHIFT;
}

/* The header's checksum if its length were `total`; from the one it has (RFC 1624). */
static inline uint16_t frame_ip_checksum(const struct rte_ipv4_hdr *ip, rte_be16_t total)
{
	uint32_t sum = (uint16_t)~ip->hdr_checksum + (uint16_t)~ip->total_length + total;

	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

/* Writes a frame of `length` bytes, FRAME_BYTES_MAX at most. Its headers are those of `model`,
 * which frame_build_inner() has written for any length. */
static inline void frame_write(struct frame_inner *frame, const struct frame_inner *model,
	uint16_t length, uint64_t sequence, uint64_t now)
{
	rte_be16_t total = rte_cpu_to_be_16(length - offsetof(struct frame_inner, ip));

	*frame = *model;
	if (model->ip.total_length != total) {
		frame->ip.total_length = total;
		frame->ip.hdr_checksum = frame_ip_checksum(&model->ip, total);
		frame->udp.dgram_len = rte_cpu_to_be_16(length - offsetof(struct frame_inner, udp));
	}
	frame_stamp(&frame->payload, sequence, now, length);
	memcpy(frame + 1, frame_pattern, length - sizeof(*frame));
}

/* Writes the tunnel's headers for an inner frame of `length` bytes: those of `model`, which
 * frame_build_outer() has written for any length. */
static inline void frame_wrap(
	struct frame_outer *outer, const struct frame_outer *model, uint16_t length)
{
	uint16_t all = length + sizeof(*outer);
	rte_be16_t total = rte_cpu_to_be_16(all - offsetof(struct frame_outer, ip));

	*outer = *model;
	outer->ip.total_length = total;
	outer->ip.hdr_checksum = frame_ip_checksum(&model->ip, total);
	outer->udp.dgram_len = rte_cpu_to_be_16(all - offsetof(struct frame_outer, udp));
}

#endif
