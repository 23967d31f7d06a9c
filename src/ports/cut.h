/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_CUT_H
#define WEFT_CUT_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_net.h>

#include <rte_mbuf.h>

/*
 * Frames as kernels hand them around inside a host: the TCP or UDP checksum is left to hardware,
 * and one frame of up to 64 KB stands for many (GSO, GRO), also where a tunnel is around it. Such a
 * frame is cut into those that hardware would have made of it, each of them whole. What cannot be
 * cut (it is no TCP or UDP, or in something else than VXLAN) stays one frame; a stage drops it by
 * name. Used by one lcore.
 */
struct cut {
	const uint8_t *frame; /* the caller's, unchanged until all is taken */
	uint32_t length;
	uint32_t done;	    /* bytes of payload that have been taken */
	uint16_t segment;   /* bytes of payload in each but the last; 0: stays one frame */
	uint16_t index;	    /* of the next */
	uint16_t headers;   /* bytes before the payload, the same in each */
	uint16_t transport; /* where the checksum begins: the TCP or UDP header */
	uint16_t checksum;  /* and where it is */
	uint16_t tunnel;    /* the tunnel's UDP header; 0: no tunnel */
	uint16_t n_ip;	    /* IP headers: the tunnel's, and what is in it */
	uint16_t ip[2];	    /* where they begin */
	bool udp;	    /* not TCP */
	struct virtio_net_hdr header; /* where it stays one frame: what is to complete */
};

/* Begins with a frame, by what the kernel says of it (native byte order). */
void cut_begin(struct cut *cut, const uint8_t *frame, uint32_t length,
	const struct virtio_net_hdr *header);

static inline bool cut_is_done(const struct cut *cut)
{
	return cut->done == cut->length - cut->headers;
}

/* The next part, which is the caller's; NULL if there are no mbufs now: try again later. Not when
 * all is done. */
struct rte_mbuf *cut_next(struct cut *cut, struct rte_mempool *pool);

/* A frame in as many mbufs as it takes, its checksum completed if the kernel left that to do. NULL
 * if there are not enough. */
struct rte_mbuf *cut_none(const void *frame, uint32_t length, const struct virtio_net_hdr *header,
	struct rte_mempool *pool);

#endif
