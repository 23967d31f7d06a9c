/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_BENCH_FIXTURE_H
#define WEFT_BENCH_FIXTURE_H

#include "engine/dataplane.h"

/*
 * What the benchmarks of the data path share: an uplink, a container port, and tables that hold
 * these two, one network and one remote VTEP. Behind the ports are a source, which writes a frame
 * into a fresh mbuf as a driver would have, and a sink, which frees.
 */
enum { UPLINK, CONTAINER };

#define FIXTURE_FRAME_MAX 2048
#define FIXTURE_MBUFS 16383
#define FIXTURE_BURST 32

/* What the source behind a port gives: the port's `driver` points to one. */
struct fixture_frame {
	uint16_t bytes; /* without FCS */
	uint8_t data[FIXTURE_FRAME_MAX];
};

extern struct rte_mempool *fixture_pool;
extern struct port fixture_uplink, fixture_container;

/* Starts EAL and makes the pool; ends the program if there are not main and two workers. Returns
 * the index of the first argument that is not EAL's. */
int fixture_init(int argc, char **argv);

/* From the remote VTEP to the container; from the container to behind the VTEP, `bytes` each of the
 * inner frame without FCS; and an echo request to the uplink's address. */
void fixture_frame_vxlan(struct fixture_frame *frame, uint16_t bytes);
void fixture_frame_inner(struct fixture_frame *frame, uint16_t bytes);
void fixture_frame_echo(struct fixture_frame *frame);

/* The inner UDP source port of a frame from the remote VTEP: another flow. */
void fixture_frame_flow(struct fixture_frame *frame, uint16_t port);

/* Functions of a port. */
uint16_t fixture_source(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n);
uint16_t fixture_nothing(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n);
uint16_t fixture_sink(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n);
bool fixture_is_up(const struct port *port);

/* lcore 0 polls the port `polled` and sends for the uplink. */
struct tables *fixture_tables(struct port *polled);

/* Ends what real lcores run: shuts the doors, waits until everything inside is out, stops them. */
void fixture_stop(struct dataplane *dataplane);

void fixture_sort(double *values, unsigned int n);

/* Sorts the values. 0 if there are none. */
double fixture_median(double *values, unsigned int n);

/* Mean of the middle half: where the clock's steps are as large as the values, a median is not
 * enough. */
double fixture_middle(double *values, unsigned int n);

/* The order statistics of sorted values between which their median lies in 95 of 100 cases; the
 * least and the greatest where there are too few. There is at least one. */
void fixture_interval(const double *sorted, unsigned int n, double *low, double *high);

#endif
