/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_SIM_FLOWS_H
#define WEFT_SIM_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "stages/stage.h"
#include "traffic/checker.h"

/*
 * The packets of a simulation. Both networks use the same Ethernet and IP addresses: what crosses
 * from one to the other would fit in there.
 */

#define SIM_NETWORKS 2
#define SIM_CONTAINERS 3 /* of a network: places 0, 1, 2 */
#define SIM_REMOTES 2	 /* of a network: one host behind each, places 3, 4 */
#define SIM_PLACES (SIM_CONTAINERS + SIM_REMOTES)
#define SIM_EVERYBODY SIM_PLACES
#define SIM_FRAME_MAX 1464

/* One way in which packets are wrong, and how weft must call it. */
struct fault {
	const char *drop; /* its name */
	bool from_uplink;
	bool fixed; /* it is one only while every address has a static entry */
	void (*apply)(struct rte_mbuf *mbuf);
};

struct flow {
	uint16_t id;
	uint16_t network;
	uint16_t source;
	uint16_t destination;	   /* a place or SIM_EVERYBODY */
	const struct fault *fault; /* NULL: a good flow */
	uint16_t failing;	   /* percent of its packets that have it */
	bool elephant;		   /* comes faster than others */
	uint32_t budget;	   /* packets it will have */
	uint32_t next;		   /* the source's: number of its next packet */
	uint32_t failed;	   /* of those before, they had the fault */
	struct frame_inner inner;  /* its headers, for any length */
	struct frame_outer outer;  /* the same, if it comes from a remote host */
};

#define FAULTS_MAX 16
extern const struct fault faults[];
extern const unsigned int n_faults;

static inline struct rte_ether_addr sim_mac(uint16_t place)
{
	return (struct rte_ether_addr){{0x02, 0, 0, 0, 0, place + 1}};
}

static inline rte_be32_t sim_address(uint16_t place)
{
	return rte_cpu_to_be_32(RTE_IPV4(10U, 0, 0, place + 1));
}

static inline bool sim_is_remote(uint16_t place)
{
	return place >= SIM_CONTAINERS;
}

/* The VTEPs behind an uplink; 0 is the uplink's own address. */
static inline rte_be32_t sim_vtep(uint16_t uplink, uint16_t i)
{
	return rte_cpu_to_be_32(RTE_IPV4(192U, 0, 2 + uplink, 1 + i));
}

static inline struct rte_ether_addr sim_vtep_mac(uint16_t uplink, uint16_t i)
{
	return (struct rte_ether_addr){{0x06, 0, 0, 0, uplink, 1 + i}};
}

static inline uint32_t sim_vni(uint16_t network)
{
	return 100 + network;
}

static inline uint16_t sim_udp_port(uint16_t network)
{
	(void)network; /* the VNI alone must tell them apart */
	return 4789;
}

/* A place of a network, as the checker numbers them. A network that there is not has some, too. */
static inline uint16_t sim_place(uint16_t network, uint16_t place)
{
	return network * SIM_PLACES + place;
}

/* Makes the headers of a flow whose other members are set; `uplink` is its network's. */
void flow_build(struct flow *flow, uint16_t uplink);

/* Has its next packet the fault? */
bool flow_fails(const struct flow *flow);

/* The next packet of a flow, as it comes from a container or, in VXLAN, from an uplink. NULL if
 * there is no mbuf. */
struct rte_mbuf *flow_next(struct flow *flow, struct rte_mempool *pool);

/* May the good packets of this flow come out at this place? `strays`: addresses come and go, so
 * anything may be flooded. */
bool flow_may_reach(const struct flow *flow, uint16_t place, bool strays);

/* What the checker must know of it. */
struct checker_flow flow_describe(const struct flow *flow, bool strays);

#endif
