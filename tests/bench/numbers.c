/* SPDX-License-Identifier: BSD-3-Clause */
#include "numbers.h"

#include <inttypes.h>
#include <stdio.h>

#include <rte_udp.h>

#include "stages/tunnel.h"

#define INNER_OFFSET                                                                               \
	(sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr))

/* Each written by one lcore at a time, which may be another one than the other's. */
static struct {
	uint32_t next;
} drawn __rte_cache_aligned;
static struct {
	uint32_t next; /* after the highest that has come */
	uint64_t packets;
	uint64_t reordered;
} come __rte_cache_aligned;

uint32_t numbers_draw(uint16_t n)
{
	uint32_t first = drawn.next;

	drawn.next = first + n;
	return first;
}

void numbers_give_back(uint16_t n)
{
	drawn.next -= n;
}

uint16_t numbers_offset(const struct port *port)
{
	return port->uplink ? tunnel_overhead(TUNNEL_VXLAN) + INNER_OFFSET : INNER_OFFSET;
}

void numbers_write(struct rte_mbuf **mbufs, uint16_t n, uint32_t first, uint16_t offset)
{
	for (uint16_t i = 0; i < n; i++)
		*rte_pktmbuf_mtod_offset(mbufs[i], unaligned_uint32_t *, offset) = first + i;
}

static void check(uint32_t number)
{
	if (likely((int32_t)(number - come.next) >= 0))
		come.next = number + 1;
	else
		come.reordered++;
}

void numbers_check(struct rte_mbuf **mbufs, uint16_t n, uint16_t offset)
{
	for (uint16_t i = 0; i < n; i++)
		check(*rte_pktmbuf_mtod_offset(mbufs[i], const unaligned_uint32_t *, offset));
	come.packets += n;
}

uint16_t numbers_source(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	n = fixture_source(port, queue, mbufs, n);
	numbers_write(mbufs, n, numbers_draw(n), numbers_offset(port));
	return n;
}

uint16_t numbers_sink(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	numbers_check(mbufs, n, numbers_offset(port));
	return fixture_sink(port, queue, mbufs, n);
}

void numbers_begin(void)
{
	drawn.next = come.next = 0;
	come.packets = come.reordered = 0;
}

/* A run has fewer than 2^32 packets. */
void numbers_end(struct numbers *sum, const struct dataplane *dataplane)
{
	uint64_t dropped = dataplane_conservation(dataplane).dropped;

	sum->reordered += come.reordered;
	sum->lost += (int64_t)drawn.next - (int64_t)(come.packets + dropped);
}

void numbers_print(const struct numbers *numbers)
{
	printf("\"reordered\": %" PRIu64 ", \"lost\": %" PRId64, numbers->reordered, numbers->lost);
}
