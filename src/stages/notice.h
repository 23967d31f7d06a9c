/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_NOTICE_H
#define WEFT_NOTICE_H

#include <assert.h>
#include <stdint.h>

#include <rte_ether.h>

#include "base/address.h"

/*
 * What the data path tells the control side: stages append to a short list, the lcore loop moves
 * the list into a ring at the end of the round. A notice is a hint: when there is no room it is
 * dropped and counted, and the next packet of the same kind gives it again.
 */
enum notice_kind {
	NOTICE_ADDRESS,	  /* (network, mac) was heard from `place` */
	NOTICE_REMOTE,	  /* a VTEP that is not listed, `address`, was heard in `network` */
	NOTICE_NEIGHBOUR, /* `address` said by ARP at uplink `place` that it is `mac` */
};

struct notice {
	struct address address; /* of a VTEP that has no index in `network` yet, or a next hop */
	struct rte_ether_addr mac;
	uint16_t network;
	uint16_t place;
	uint16_t kind;
};
static_assert(sizeof(struct notice) == 32, "a ring element");

#define NOTICES_MAX 64
/* Room that only neighbours' notices may take, in the list and in the ring: new addresses can come
 * faster than they are handled, and must not keep the tunnels' next hops from being heard. */
#define NOTICES_RESERVED 16

struct notice_list {
	uint16_t n;
	uint64_t lost;
	struct notice list[NOTICES_MAX];
};

static inline void notice_add(struct notice_list *notices, struct notice notice)
{
	uint16_t room =
		notice.kind == NOTICE_NEIGHBOUR ? NOTICES_MAX : NOTICES_MAX - NOTICES_RESERVED;

	if (notices->n < room)
		notices->list[notices->n++] = notice;
	else
		notices->lost++;
}

#endif
