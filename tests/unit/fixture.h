/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_UNIT_FIXTURE_H
#define WEFT_UNIT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#include "stages/stage.h"

/*
 * What a stage needs to be tested by itself: tables made by hand, and mbufs whose data ends where
 * its memory ends, so that ASan sees every byte read beyond it.
 *
 * Uplink 0 is 192.0.2.1. Network blue (0, VNI 100, UDP port 4789) has ports 1 and 2 and the VTEPs
 * 192.0.2.2 (remote 0) and 192.0.2.3 (remote 1, unresolved); network red (1, VNI 200, UDP port
 * 8472) has port 3, with port 1's addresses, and the VTEP 192.0.2.2 (remote 2).
 */
enum { UPLINK = 0, PORT_1 = 1, PORT_2 = 2, PORT_RED = 3 };
enum { BLUE = 0, RED = 1 };
enum { REMOTE_2 = PLACE_REMOTE, REMOTE_3, REMOTE_RED };

#define ADDRESS(a, b, c, d) RTE_BE32(((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d)))
#define VTEP_OWN ADDRESS(192, 0, 2, 1)
#define VTEP_2 ADDRESS(192, 0, 2, 2)
#define VTEP_3 ADDRESS(192, 0, 2, 3)
#define HEARD 100  /* when the learned host 2 was last heard */
#define REFRESH 37 /* seconds */
#define PAYLOAD 64 /* bytes, of the frames below */
#define HEADROOM 128
#define VXLAN_OVERHEAD 50 /* outer Ethernet, IPv4, UDP and VXLAN headers */

extern const struct rte_ether_addr mac_uplink, mac_vtep_2, mac_1, mac_2, mac_host_2, mac_host_3,
	mac_unknown, mac_broadcast;
extern const uint8_t address6_1[16];

struct fixture {
	struct tables *tables;
	struct network *networks[2];
	struct remote remotes[3];
	struct port ports[4];
	struct stage_context context;
	uint64_t statistics[STAGE_STATISTICS_MAX];
};

extern struct fixture fixture;

/* For groups and tests of cmocka. */
int fixture_start_eal(void **state);
int fixture_make(void **state);
int fixture_free(void **state);

/* An mbuf without a pool; its memory ends with its data. All are freed by fixture_free(). */
struct rte_mbuf *mbuf_of(const void *bytes, uint16_t length);
/* The same without headroom. */
struct rte_mbuf *mbuf_tight(const void *bytes, uint16_t length);

/* The verdict of a stage on one packet. */
uint16_t verdict_of(const struct stage *stage, struct rte_mbuf *mbuf);

/* Packets of a burst are judged, and changed, as each of them alone would be. make() makes packets
 * that are often alike, and the same ones from the same state of `random`. */
void assert_burst_agrees(const struct stage *stage, struct rte_mbuf *(*make)(uint64_t *random));

/* For that: a packet of vxlan_frame()'s sender, with all that differs from packet to packet; some
 * have another bit changed, or what a driver says of them. */
struct rte_mbuf *vxlan_mbuf_alike(uint64_t *random);

/* The number of a stage's exit; the verdict for a drop. Both by name, and there must be one. */
uint16_t exit_of(const struct stage *stage, const char *name);
uint16_t drop_of(const char *name);

void fdb_entry(uint16_t network, const struct rte_ether_addr *mac, uint16_t place, bool fixed,
	uint32_t heard);

/* ---- frames that are good until a test changes them ---- */

struct vxlan_frame {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	struct rte_vxlan_hdr vxlan;
	struct rte_ether_hdr inner;
	uint8_t payload[PAYLOAD];
} __rte_packed __rte_aligned(2);

struct ipv4_frame {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	union {
		struct rte_udp_hdr udp;
		struct rte_tcp_hdr tcp;
		struct rte_icmp_hdr icmp;
		uint8_t payload[PAYLOAD];
	};
} __rte_packed __rte_aligned(2);

struct ipv6_frame {
	struct rte_ether_hdr ether;
	struct rte_ipv6_hdr ip;
	union {
		struct rte_udp_hdr udp;
		struct rte_tcp_hdr tcp;
		uint8_t payload[PAYLOAD];
	};
} __rte_packed __rte_aligned(2);

struct arp_frame {
	struct rte_ether_hdr ether;
	struct rte_arp_hdr arp;
	uint8_t padding[18];
} __rte_packed __rte_aligned(2);

struct vxlan_frame vxlan_frame(void);		/* VTEP 2's host to port 1, blue */
struct ipv4_frame ipv4_frame(uint8_t protocol); /* port 1 to the host behind VTEP 2 */
struct ipv6_frame ipv6_frame(uint8_t protocol);
struct arp_frame arp_request(void);	   /* VTEP 2 asks for the uplink's address */
struct ipv4_frame echo_request(void);	   /* VTEP 2 to the uplink */
void ipv4_finish(struct rte_ipv4_hdr *ip); /* sets the header checksum */

#define assert_exit(verdict, stage, name) assert_int_equal(verdict, exit_of(&stage##_stage, name))
#define assert_drop(verdict, name) assert_int_equal(verdict, drop_of(name))

#endif
