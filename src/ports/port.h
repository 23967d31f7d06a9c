/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_PORT_H
#define WEFT_PORT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>

#include "base/address.h"
#include "base/error.h"
#include "base/events.h"
#include "base/limits.h"
#include "ports/reservation.h"
#include "ports/turn.h"

/*
 * A port is a small table of functions. Uplinks (ports to the physical network) and container
 * ports share it; the data path sees no difference between an ethdev, a vhost-user ring and a
 * memif ring.
 *
 * Who may call what:
 * - attach, detach, housekeep: the main lcore only
 * - receive, send, too_big: one lcore at a time, the one that owns the queue (port_queue.owner), or
 *   that has the right to receive from it (port_queue.turn), or to send by it (port_queue.sending)
 * - claim: as receive; collect and its publish: the same lcore, at any time
 * - reserve: as send; fill and its publish: the same lcore, at any time
 * - is_up: any thread
 */

#define PORT_NAME_SIZE 32
#define PORT_PATH_SIZE 108 /* sockaddr_un.sun_path */
#define PORT_DEVICE_SIZE 256
#define PORT_NETNS_SIZE PATH_MAX
#define PORT_QUEUES_MAX 16
#define PORT_MTU_MAX 9600     /* of what a configuration may say */
#define PORT_ADDRESSES_MAX 16 /* of both kinds */
#define PORT_STATUS_SIZE 128

struct port;

/* Settings of a port, from the configuration or from `weftctl port add`; written by the main
 * lcore before attach, read-only afterwards. */
struct port_config {
	char name[PORT_NAME_SIZE];
	char type[16];		       /* "vhost-user", "memif", "tap", ... see port_types[] */
	char device[PORT_DEVICE_SIZE]; /* ethdevs: PCI address or vdev arguments */
	char path[PORT_PATH_SIZE];     /* vhost-user, memif: the unix socket */
	bool client;		       /* vhost-user: connect to the path instead of listening */
	char netns[PORT_NETNS_SIZE];   /* tap: network namespace (name or path) of the device */
	char interface[16];	       /* tap, vhost-net, uplinks: name of the kernel's device */
	struct rte_ether_addr mac;     /* the container's address (the uplink's own, if not zero) */
	uint16_t mtu;		       /* largest IP packet, bytes; 0: not given */
	uint16_t queues;	       /* queue pairs */
	uint16_t ring_size;	       /* descriptors a queue; 0: the type's default */
	bool large_segments;	       /* tap, vhost-user: may be given large TCP segments */
};

/* What a port gets from the dataplane; set before attach. */
struct port_environment {
	struct rte_mempool *pool; /* mbufs of received packets */
	struct rte_rcu_qsbr *rcu; /* an lcore is quiescent between two of its rounds */
	struct events *events;	  /* for what is to be answered at once */
	int socket_id;
	bool sleeps; /* lcores that have nothing to do wait for what watch() gives them */
};

/* Counted by the queue's owner only, or by who stands in for it (relaxed stores), read by anyone.
 * Bytes are of whole frames without FCS. */
struct port_counters {
	uint64_t rx_packets;
	uint64_t rx_bytes;
	uint64_t tx_packets; /* delivered to the peer */
	uint64_t tx_bytes;
	uint64_t tx_refused; /* offered, not taken by the peer: dropped and counted by the owner */
};

struct port_queue {
	/* Lcore index; main: wo before publication, others: ro. Apart from what changes with each
	 * batch, as lcores that may help look at it in all their rounds. */
	uint16_t owner;
	uint32_t sending __rte_cache_aligned; /* 1 while some lcore has the right to send by it */
	struct turn turn;		      /* at what it receives */
	struct port_counters counters __rte_cache_aligned;
} __rte_cache_aligned;

#define PORT_MUST_BE_POLLED (-1) /* nobody tells of its packets */
#define PORT_HAS_NO_PEER (-2)	 /* that could send any */

struct port_ops {
	const char *type;

	/* Makes the port ready: opens the device or listens on the socket; the peer may come later.
	 * On failure leaves nothing behind, writes one line to *error and returns -1. */
	int (*attach)(struct port *port, struct error *error);

	/* Ends the port and frees everything attach made. No lcore uses the port any more. */
	void (*detach)(struct port *port);

	/* Up to n packets from the peer into mbufs[] (the caller's from then on). Never blocks. */
	uint16_t (*receive)(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n);

	/* Hands packets to the peer. Returns how many were taken, from the front; those are the
	 * port's to free. The caller keeps the rest. Never blocks. */
	uint16_t (*send)(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n);

	/*
	 * For ports whose rings are ours, so that lcores can copy side by side (reservation.h);
	 * NULL for others. Never block, and leave no buffers behind: each reservation that was made
	 * must be published by the lcore that has it, before its round ends as others see it.
	 *
	 * reserve: room for as many of n packets as the peer takes, from the front, at most
	 * RESERVATION_PACKETS. Returns how many; -1: try again, as another lcore is at the same
	 * ring just now, or has not published yet what fills it. None is reserved if it is 0 or -1,
	 * and then there is nothing to be published. fill: copies the packets there, which stay the
	 * caller's, and returns how many. It moves those that it could not copy to the end of
	 * mbufs[]: there are such only where `later` allowed the port to reserve buffers that it
	 * had not looked at.
	 */
	int (*reserve)(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n,
		struct reservation *reservation);
	uint16_t (*fill)(
		const struct port *port, struct reservation *reservation, struct rte_mbuf **mbufs);

	/* The same for what comes from the peer. claim: the next packets, at most n and at most
	 * RESERVATION_PACKETS; returns how many, and only if it is not 0 they are to be collected
	 * and published. collect: copies them, all of them, into mbufs[], the caller's from then
	 * on. */
	uint16_t (*claim)(
		struct port *port, uint16_t queue, uint16_t n, struct reservation *reservation);
	void (*collect)(
		const struct port *port, struct reservation *reservation, struct rte_mbuf **mbufs);

	/* All that was to be copied is copied: the peer hears of it, in its turn. */
	void (*publish)(struct port *port, struct reservation *reservation);

	/* Whether the first packet that the last send() or reserve() left is one that the peer can
	 * never take.
	 * The caller then drops it alone, and offers those behind it again. NULL: all can be. */
	bool (*too_big)(struct port *port, uint16_t queue, const struct rte_mbuf *mbuf);

	/* Asks the peer, or the driver, to wake who waits for the queue (on), or no more to.
	 * Returns the descriptor that can be read when there may be packets, anew each time some
	 * come, or PORT_MUST_BE_POLLED or PORT_HAS_NO_PEER. NULL: it must always be polled. One
	 * lcore at a time, as receive. */
	int (*watch)(struct port *port, uint16_t queue, bool on);

	/* True while a peer can take packets. */
	bool (*is_up)(const struct port *port);

	/* Control work of the port (accepting a peer, noticing that it went); called by the main
	 * lcore every 5 ms and never blocking. NULL if there is none. */
	void (*housekeep)(struct port *port);

	/* See port_missed(). NULL if nobody counts them. */
	uint64_t (*missed)(struct port *port);
};

struct port {
	const struct port_ops *ops;
	void *driver;	/* the type's own state; attach sets it, detach frees it */
	uint16_t index; /* in struct tables; unique while any lcore may see it */
	uint64_t
		number; /* of all ports that there ever were, from 1; main: wo before publication */
	bool uplink;
	uint16_t network; /* container ports: index of their network */
	uint16_t mtu;	  /* largest IP packet it takes, bytes */
	uint16_t n_queues;
	uint64_t lcores;   /* bit i: lcore i may take turns at its queues */
	bool hashes_inner; /* the hash in received mbufs covers the inner packet's 5-tuple */
	bool hashes_outer; /* it covers the outer one, or the inner one */
	/* The peer takes TCP segments, of IPv4 and IPv6, of up to 64 KB: mbuf chains that are
	 * marked as DPDK marks what is to be segmented (RTE_MBUF_F_TX_TCP_SEG). Written by the port
	 * when its peer attaches or goes, by whatever thread; lcores read it relaxed. */
	bool large_segments;
	/* Queue pairs that the peer uses now. As many as queues, but for types whose peer has a say
	 * in it: these keep it, from whatever control thread; port_pairs() reads it. */
	uint16_t n_pairs;
	struct rte_ether_addr mac;
	uint16_t n_addresses; /* that the container may send from; none: any */
	struct address addresses[PORT_ADDRESSES_MAX];
	struct port_config config;
	struct port_environment environment;
	/* Control threads only: port_report(), port_log(), port_status(). */
	char status[PORT_STATUS_SIZE];
	struct {
		time_t second;	       /* of the last line */
		unsigned int lines;    /* in it */
		unsigned int left_out; /* since the last line */
	} log;
	struct port_queue queues[PORT_QUEUES_MAX];
};

/* Any thread. */
static inline bool port_takes_large_segments(const struct port *port)
{
	return __atomic_load_n(&port->large_segments, __ATOMIC_RELAXED);
}

/* Any thread. */
static inline uint16_t port_pairs(const struct port *port)
{
	return __atomic_load_n(&port->n_pairs, __ATOMIC_RELAXED);
}

/* The types of ports there are; NULL if `type` is none of them. */
const struct port_ops *port_type_find(const char *type);
/* The hook of runs whose ports have no peers but those in this process. From here on every type is
 * found to be this one, whatever it is called, so that nothing is opened; NULL: no more. Only then
 * is there the type that it says of itself, PORT_TYPE_IN_PROCESS. Main lcore. */
#define PORT_TYPE_IN_PROCESS "ring"
void port_types_replace(const struct port_ops *ops);
bool port_types_are_replaced(void);
/* Writes "vhost-user, memif, tap, ..." */
void port_type_list(char *text, size_t size);

/* What the kernel's device of a tap or vhost-net port is called in its namespace. */
const char *port_interface(const struct port *port);

/* What the port's state is and why, in words for a person: "container attached, 2 queue pairs",
 * "memif client web refused: it speaks another version". Is what `show ports` tells from then on,
 * and goes to the log, unless it is what was said last. A peer may cause any number of reports: the
 * log gets a few of a port's a second, and then how many it did not get. Bytes that are not
 * printable ASCII, which may be a peer's, become '?'. The main lcore and libraries' control
 * threads; never an lcore. */
void port_report(struct port *port, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line about the port for the log, limited as reports are. It is not the status. */
void port_log(struct port *port, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What was reported last, "" at first. As port_report(). */
void port_status(const struct port *port, char status[PORT_STATUS_SIZE]);

/* What the functions of the same name of a port with rings of our own come to for one lcore that
 * has the queue for itself: without anybody beside it. */
uint16_t port_receive_alone(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n);
uint16_t port_send_alone(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n);

/* The counters of all the port's queues together. Any thread. */
struct port_counters port_count(const struct port *port);

/* Packets for weft that the NIC or the kernel had no room for, since the start. Main lcore. */
uint64_t port_missed(struct port *port);

/* Waits until every lcore has ended the round it was in. For threads that may sleep (a library's
 * control thread); never for an lcore, and never for the main lcore under virtual time. */
void port_quiesce(const struct port *port);

#endif
