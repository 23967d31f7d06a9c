/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The protocol by which a flow group changes its path (src/steer/moves.c), for the model checker spin.
 * check.py tries all that can happen in each of its configurations, and expects spin to report each
 * bug that can be put in: MOVE_EARLY, RELEASE_BEHIND, MADE_AFTER, MADE_READ_FIRST, DROP_UNCOUNTED,
 * UNSTEERED_FORGOTTEN.
 *
 * What is modelled. Three lcores; lcore 0 is the door. Each packet runs two steered stages and is then
 * delivered by the lcore that owns the container port. There is a ring for each sender, receiver and
 * step, and an lcore takes from any of its rings. Paths, held packets, credits and the counters `sent`,
 * `finished` and `made` are as in the program, and the door reads one counter after the other. At any
 * time a packet may arrive, any stage may drop one, and the door may wish any path for a group; with
 * MODES it may also begin and end to steer, before which nothing arrives until nothing is in flight,
 * with FLOODS the second stage may make a replica for
 * another port. Packets, moves and changes of mode are without number; only those inside at one time
 * are bounded, by the credits.
 *
 * What is shown. Packets of a flow are delivered in order, and each at most once; so are its replicas.
 * A group's path is written only while nothing of the group is in flight. No ring overflows. With
 * PROGRESS: when nothing arrives any more, all packets come out and all moves end, provided that no
 * lcore stops for ever.
 *
 * What is left out.
 * - Memory is sequentially consistent here. That release and acquire suffice is for ThreadSanitizer.
 * - Bursts are one packet. What an lcore does up to the first effect that others can see is one step:
 *   nobody can tell a packet that has just been taken from one that is still in the ring.
 * - The door's lcore is two processes, door and worker, so that its work is done in any order.
 * - A move's new path is chosen when it is written, since nobody reads it before.
 * - The unsteered packets count for every group's credits, and a packet is flooded to one port only.
 */

#ifndef GROUPS
#define GROUPS 1
#endif
#ifndef CREDITS
#define CREDITS 2
#endif
#ifndef CREDITS_1
#define CREDITS_1 CREDITS /* of the second group */
#endif
#ifndef OWNER
#define OWNER 2 /* the lcore that owns the port of flow 0; the door owns that of flow 1 */
#endif

#define LCORES 3
#define DOOR 0
#define STAGES 2 /* steered ones: steps 0 and 1 */
#define DELIVERY 2
#ifdef FLOODS
#define REPLICA_DELIVERY 3 /* to another port */
#define STEPS 4
#else
#define STEPS 3
#endif
#define ACCOUNTS (GROUPS + 1)
#define UNSTEERED GROUPS /* the account of packets that no group has */

#define OWNER_OF(flow) (flow == 0 -> OWNER : DOOR)
#define REPLICA_OWNER 1

typedef packet {
	byte account, flow, id
};

chan ring[STEPS * LCORES * LCORES] = [GROUPS * CREDITS] of { packet };
#define RING(from, to, step) ring[((step) * LCORES + (from)) * LCORES + (to)]

/* Written by the door. */
byte path[GROUPS * STAGES];
#define PATH(flow, step) path[(flow) * STAGES + (step)]
byte sent[ACCOUNTS];
bool moving[GROUPS];
chan held[GROUPS] = [CREDITS] of { packet };
#ifdef MODES
bool steered = false;
#else
bool steered = true;
#endif
bool waiting; /* to begin or to end to steer: nothing arrives */
bool closed; /* nothing arrives any more, and no more moves are begun */

/* Each written by its lcore. */
byte finished[LCORES * ACCOUNTS];
#define FINISHED(lcore, account) finished[(lcore) * ACCOUNTS + (account)]
#ifdef FLOODS
byte made[LCORES * ACCOUNTS];
#define MADE(lcore, account) made[(lcore) * ACCOUNTS + (account)]
#endif

/* What the properties are about, and no lcore knows: the ids of each flow's packets that are inside,
 * and of their replicas, in the order in which they came. */
chan inside[GROUPS] = [CREDITS] of { byte };
chan replicas[GROUPS] = [CREDITS] of { byte };
#define IN_FLIGHT(flow) (len(inside[flow]) - len(held[flow]) + len(replicas[flow]))

mtype = { NONE, PENDING, SENT };

/* Whoever is delivered is the first of those inside, and is inside no more. */
inline deliver(self, q, order) {
	assert(order?[eval(q.id)]);
	order?_;
	FINISHED(self, q.account)++
}

inline drop(self, q) {
	inside[q.flow]??eval(q.id);
#ifndef DROP_UNCOUNTED
	FINISHED(self, q.account)++
#endif
}

/* A full ring is an error, not something to wait for. */
inline send(self, to, its_step) {
	assert(nfull(RING(self, to, its_step)));
	RING(self, to, its_step)!p
}

/* The lcore of packet p's next step. */
inline look_up() {
	if
	:: step == DELIVERY -> at = OWNER_OF(p.flow)
#ifdef MODES
	:: step < DELIVERY && p.account == UNSTEERED -> at = DOOR
#endif
	:: else -> at = PATH(p.flow, step)
	fi
}

inline hand_on(self) {
	look_up();
	in_hand = (at == self);
	if
	:: in_hand /* goes on here */
	:: else -> send(self, at, step)
	fi;
	at = 0
}

/* One step of an lcore that has packet p in hand. */
inline run_step(self) {
	if
	:: step == DELIVERY -> deliver(self, p, inside[p.flow]); in_hand = false
	:: step < DELIVERY -> drop(self, p); in_hand = false
	:: step < DELIVERY -> step++; hand_on(self)
#ifdef FLOODS
	:: step == REPLICA_DELIVERY -> deliver(self, p, replicas[p.flow]); in_hand = false
	:: step == 1 && replica == NONE -> make_replica(self)
#endif
	fi;
	rest()
}

#ifdef FLOODS
inline make_replica(self) {
	replicas[p.flow]!p.id;
#ifndef MADE_AFTER
	MADE(self, p.account)++;
#endif
	replica = PENDING
}

/* The original may be gone by now. */
inline send_replica(self) {
#ifdef MADE_AFTER
	MADE(self, p.account)++;
#endif
	if
	:: self == REPLICA_OWNER -> deliver(self, p, replicas[p.flow])
	:: else -> send(self, REPLICA_OWNER, REPLICA_DELIVERY)
	fi;
	replica = SENT;
	rest()
}
#endif

#define IDLE (!in_hand && replica != PENDING)

/* Nothing is kept of a packet that is gone, so that states are alike. */
inline rest() {
	if
	:: IDLE -> p.account = 0; p.flow = 0; p.id = 0; step = 0; replica = NONE
	:: else
	fi
}

#define TAKE(from, its_step) \
	IDLE && nempty(RING(from, self, its_step)) -> \
		RING(from, self, its_step)?p; step = its_step; in_hand = true

proctype worker(byte self) {
	packet p;
	byte step, at;
	bool in_hand;
	mtype replica = NONE;

end:	do
	:: atomic {
		if
		:: in_hand
		:: TAKE((self + 1) % LCORES, 0)
		:: TAKE((self + 2) % LCORES, 0)
		:: TAKE((self + 1) % LCORES, 1)
		:: TAKE((self + 2) % LCORES, 1)
		:: TAKE((self + 1) % LCORES, DELIVERY)
		:: TAKE((self + 2) % LCORES, DELIVERY)
#ifdef FLOODS
		:: TAKE((self + 1) % LCORES, REPLICA_DELIVERY)
		:: TAKE((self + 2) % LCORES, REPLICA_DELIVERY)
#endif
		fi;
		run_step(self)
	}
#ifdef FLOODS
	:: atomic { replica == PENDING -> send_replica(self) }
#endif
	od
}

/* --- the door --- */

#define ROOM(g) (left + len(held[g]) < (g == 0 -> CREDITS : CREDITS_1))
#define DRAINED(g) (moving[g] && left == 0)

/*
 * Begins to add up with what the door would find if it could read all counters at once, and sets
 * them back to zero. The program does not, and could not tell: it looks at differences alone. Without
 * this, states would be told apart by all that ever happened.
 */
inline begin_adding(account) {
	d_step {
		sent[account] = sent[account] - FINISHED(0, account) - FINISHED(1, account) - FINISHED(2, account);
		FINISHED(0, account) = 0; FINISHED(1, account) = 0; FINISHED(2, account) = 0;
#ifdef FLOODS
		sent[account] = sent[account] + MADE(0, account) + MADE(1, account) + MADE(2, account);
		MADE(0, account) = 0; MADE(1, account) = 0; MADE(2, account) = 0;
#endif
		left = left + sent[account]
	}
}

#ifdef FLOODS
inline add_made(account) {
	left = left + MADE(0, account);
	left = left + MADE(1, account);
	left = left + MADE(2, account)
}
#endif

/* One counter after the other, that of the door's own lcore at the beginning; what is made after all
 * that is finished, so that no replica is counted out that was not counted in. */
inline add_in_flight(account) {
	begin_adding(account);
#ifdef MADE_READ_FIRST
	add_made(account);
#endif
	left = left - FINISHED(1, account);
	left = left - FINISHED(2, account);
#if defined(FLOODS) && !defined(MADE_READ_FIRST)
	add_made(account)
#endif
}

/* Packet p begins its way, in the account of a group or in that of the unsteered. */
inline go(its_account) {
	p.account = its_account;
	sent[its_account]++;
	hand_on(DOOR);
	rest()
}

inline run_inline() {
	do
	:: atomic { in_hand -> run_step(DOOR) }
#ifdef FLOODS
	:: atomic { replica == PENDING -> send_replica(DOOR) }
#endif
	:: atomic { IDLE -> break }
	od
}

/* A new packet of the flow, with an id that none inside has. */
inline arrive(g) {
	p.flow = g;
	do
	:: inside[g]??[eval(p.id)] || replicas[g]??[eval(p.id)] -> p.id++
	:: else -> break
	od;
	inside[g]!p.id;
	if
	:: !steered -> go(UNSTEERED)
	:: moving[g] -> held[g]!p; rest()
	:: else -> go(g)
	fi
}

inline any_lcore(it) {
	if
	:: it = 0
	:: it = 1
	:: it = 2
	fi
}

inline write_path(g) {
	assert(IN_FLIGHT(g) == 0);
	any_lcore(PATH(g, 0));
	any_lcore(PATH(g, 1))
}

/* The held packets go first, in order; only then new ones. */
inline release(g) {
#ifdef RELEASE_BEHIND
	moving[g] = false;
#endif
	do
	:: atomic { nempty(held[g]) -> held[g]?p; go(g) }; run_inline()
	:: atomic { empty(held[g]) -> moving[g] = false; break }
#ifdef RELEASE_BEHIND
	:: atomic { nempty(held[g]) && nfull(inside[g]) -> arrive(g) }; run_inline()
#endif
	od
}

inline wish(g) {
	if
#ifdef MOVE_EARLY
	:: true -> write_path(g)
#endif
	:: left == 0 -> write_path(g)
	:: left > 0 -> moving[g] = true
	fi
}

#if GROUPS == 1
#define SOME_MOVE moving[0]
#define INSIDE (len(inside[0]) + len(replicas[0]))
#else
#define SOME_MOVE (moving[0] || moving[1])
#define INSIDE (len(inside[0]) + len(replicas[0]) + len(inside[1]) + len(replicas[1]))
#endif

/* While the door waits nothing of any account may be in flight; else what is counts for every group's
 * credits. */
inline add_others(g) {
#ifdef UNSTEERED_FORGOTTEN
	if
	:: !waiting -> add_in_flight(UNSTEERED)
	:: else
	fi
#else
	add_in_flight(UNSTEERED)
#endif
#if GROUPS > 1
	;
	if
	:: waiting -> add_in_flight(1 - g)
	:: else
	fi
#endif
}

inline begin_path(g) {
	if
	:: steered -> write_path(g)
	:: else -> assert(IN_FLIGHT(g) == 0); PATH(g, 0) = 0; PATH(g, 1) = 0
	fi
}

inline change() {
	steered = !steered;
	waiting = false;
	begin_path(0);
#if GROUPS > 1
	begin_path(1)
#endif
}

/* The door's turn for one group: it looks at the counters, and does at most one thing. */
inline turn(g) {
	add_in_flight(g);
#ifdef MODES
	add_others(g);
#endif
	if
	:: atomic { DRAINED(g) -> left = 0; write_path(g) }; release(g)
	:: atomic { !closed && !waiting && !DRAINED(g) && ROOM(g) -> left = 0; arrive(g) }; run_inline()
	:: atomic { !closed && steered && !waiting && !moving[g] -> wish(g); left = 0 }
#ifdef MODES
	:: atomic { !closed && !waiting -> left = 0; waiting = true }
	:: atomic { waiting && !SOME_MOVE && left == 0 -> change() }
#endif
	:: atomic { !closed -> left = 0; closed = true }
	:: atomic { !DRAINED(g) -> left = 0 }
	fi
}

active proctype door() {
	packet p;
	byte step, at, left;
	bool in_hand;
	mtype replica = NONE;

	atomic { run worker(0); run worker(1); run worker(2) };
	do
	:: closed && !SOME_MOVE -> break
	:: !closed || SOME_MOVE ->
		turn(0);
#if GROUPS > 1
		turn(1)
#endif
	od
}

#ifdef PROGRESS
ltl progress { [] (closed -> <> (INSIDE == 0 && !SOME_MOVE)) }
#endif
