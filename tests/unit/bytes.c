/* SPDX-License-Identifier: BSD-3-Clause */
#include "bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH_MOST 66000 /* a large segment with its headers */

struct rte_mbuf *mbuf_of_bytes(struct rte_mempool *pool, const uint8_t *bytes, size_t length)
{
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool);

	for (size_t done = 0; done < length;) {
		struct rte_mbuf *last = rte_pktmbuf_lastseg(head);
		size_t part = RTE_MIN(length - done, (size_t)rte_pktmbuf_tailroom(last));

		memcpy(rte_pktmbuf_append(head, part), bytes + done, part);
		done += part;
		if (done < length)
			assert_int_equal(rte_pktmbuf_chain(head, rte_pktmbuf_alloc(pool)), 0);
	}
	return head;
}

void assert_bytes(struct rte_mbuf *mbuf, const uint8_t *bytes, size_t length)
{
	static uint8_t copy[LENGTH_MOST];

	assert_non_null(mbuf);
	rte_mbuf_sanity_check(mbuf, 1);
	assert_in_range(length, 1, sizeof(copy));
	assert_int_equal(rte_pktmbuf_pkt_len(mbuf), length);
	assert_memory_equal(rte_pktmbuf_read(mbuf, 0, length, copy), bytes, length);
	rte_pktmbuf_free(mbuf);
}
