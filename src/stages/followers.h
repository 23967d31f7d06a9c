/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_FOLLOWERS_H
#define WEFT_FOLLOWERS_H

#include <stdbool.h>

#include <rte_mbuf.h>

/*
 * Packets of one TCP flow that follow each other may go through weft as a list: the first one
 * stands for all, and the others hang behind it by mbuf->next, whole inner packets of one segment
 * each (stages/coalesce.h makes such lists). packet_of(head)->followers says how many they are, and
 * head->nb_segs is one more; head->pkt_len is that of the first packet alone, and no follower is
 * larger. Only the first one's metadata counts. rte_pktmbuf_free(head) frees them all.
 *
 * At the end of the way a list is joined into one large segment, for a container that takes such,
 * or taken apart into the packets that came, byte for byte.
 *
 * Who holds the head may call these, on any lcore. The outer headers must be off.
 */

/*
 * Joins a list with followers into one large segment: a chain of mbufs under one header, with the
 * fields and flags of DPDK's TCP segmentation offload, which gives the same packets back but for
 * their IPv4 identification. The TCP checksum is the pseudo header's sum without length.
 * packet_of(head)->followers is left as it is, for the account. Returns false, and nothing is
 * changed, if the TCP checksum of some packet is wrong: the container must see that one as it came.
 */
bool followers_join(struct rte_mbuf *head);

/*
 * Takes the head, from then on a packet by itself, off a list that is not joined. Returns the head
 * of what is left, which has the first one's metadata, or NULL if there were no followers.
 */
struct rte_mbuf *followers_take(struct rte_mbuf *head);

#endif
