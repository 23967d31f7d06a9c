/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How lcores take turns at queues (src/ports/turn.h, src/engine/turns.c) and copy side by side into
 * rings (src/ports/reservation.c), for the model checker spin. check.py tries all that can happen in
 * each of its configurations, and expects spin to report each bug that can be put in: RIGHT_EARLY,
 * NUMBER_EARLY, EMPTY_FORGOTTEN, FAILED_PASSES, NO_SECOND_LOOK, NO_EXCHANGE, MARK_EARLY, FULL_IGNORED,
 * UNSEEN_BY_LEFT, QUIET_RESERVED, REST_UNAWAITED, PAUSE_UNSEEN, PLAN_EARLY, LEFT_UNFINISHED, RESUME_EARLY.
 *
 * What is modelled. Two or three lcores, source queues that all of them may poll, rings in which they
 * make reservations, and with SENDS a port that is sent to while the number is held. At any time a poll
 * may give a batch, each packet of it for any destination or for none; a ring may refuse any packet, or
 * take only the first ones. An lcore holds HELD batches at most, and has SLOTS reservations of a ring
 * for all. Every load, store and exchange that others could tell is a step of its own, so an lcore may
 * stop anywhere for any time; one that has left polls no more, and it may join again.
 * Packets, batches and reservations are without number; only those inside at one time are bounded.
 * Tickets and the numbers of reservations are modulo little more than can be out.
 * - With GOES the port of ring 0 goes, with the last source, which is its own: control takes it out, waits
 *   until each lcore was quiescent, then for the source to be at rest, and unmaps it.
 * - With MODES there are changes, without number, between turns and a plan by which one lcore polls and
 *   another delivers: control lets nobody receive, waits until all know it and nothing is inside, publishes
 *   the plan, waits until all have seen that, and lets them receive again.
 *
 * What is shown. What came through one source comes to each destination in its order, each packet at most
 * once. Each ticket's number is passed once, by who has it. No slot is used that is not yet published, and
 * nothing is published that is not copied, or twice. When nobody can do anything any more, everything has
 * come out and is published. With GOES nobody touches what is unmapped. With MODES only one lcore polls a
 * source at a time, and who delivers has the ring for itself. With PROGRESS: when nothing arrives any more,
 * all comes out, provided that no lcore stops for ever.
 *
 * What is left out.
 * - Memory is sequentially consistent here. That release and acquire suffice is for ThreadSanitizer.
 * - What a batch goes through between receiving and handing over: it is the lcore's own.
 * - That a ring has only so much room: a peer may take it at any time, so a ring may refuse at any time.
 * - Reservations of what a peer sends are as those of what it is sent; the rings are like each other.
 */

#ifndef LCORES
#define LCORES 2
#endif
#ifndef SOURCES
#define SOURCES 1
#endif
#ifndef RINGS
#define RINGS 1
#endif
#ifndef SENDS
#define SENDS 0
#endif
#ifndef HELD
#define HELD 1 /* batches of an lcore, 1 or 2 */
#endif
#ifndef BATCH
#define BATCH 1 /* packets of a batch, 1 or 2 */
#endif
#ifndef SLOTS
#define SLOTS 2
#endif

#define DESTINATIONS (RINGS + SENDS) /* the last is the port that is sent to */
#if defined(NUMBER_EARLY) || defined(FAILED_PASSES)
#define PASSES_EARLY
#endif
#define TICKETS (LCORES * HELD + 1)
#define NUMBERS (2 * SLOTS)

/* Of each source. */
bool taken[SOURCES];
byte next_ticket[SOURCES], up[SOURCES];

typedef slot {
	byte completed; /* number + 1 */
	/* What was reserved; the peer sees it when it is published. */
	byte n;
	byte id[BATCH];
	bool copied
};

/* Of each destination; of the port that is sent to only the first. */
bool reserving[DESTINATIONS];
byte reserved[DESTINATIONS], published[DESTINATIONS];
bool publishing[DESTINATIONS];
slot slots[RINGS * SLOTS];
#define SLOT(ring, number) slots[(ring) * SLOTS + (number) % SLOTS]
#define PLUS(number, n) (((number) + (n)) % NUMBERS)

bool closed; /* nothing arrives any more */

/* What control and lcores tell each other. */
bool quiescent[LCORES]; /* since control has asked */
bool gone, unmapped;
bool by_right = true, pausing, polled[SOURCES];

/*
 * What the properties are about, and no lcore knows. Of the packets inside, two that came one after the other
 * through one source to one destination may be told apart from all others: the first and the second. They
 * may be any two, so what is true of them is true of all.
 */
#define FIRST 1 /* of the others: 0 */
#define SECOND 2
byte inside;
bool first_inside, second_inside;
byte watched; /* their source and destination */
#define WAY(from, to) ((from) * DESTINATIONS + (to))

#define PUBLISHED(ring) (published[ring] == reserved[ring] && !publishing[ring] && !reserving[ring])
#define PASSED(from) (!taken[from] && next_ticket[from] == up[from])
#define AT_REST (inside == 0 && PASSED(0) && PASSED(SOURCES - 1) && PUBLISHED(0) && PUBLISHED(DESTINATIONS - 1))

#ifdef GOES
#define MAPPED(ring) (ring != 0 || !unmapped)
#define SOURCE_MAPPED(from) (from != SOURCES - 1 || !unmapped)
#else
#define MAPPED(ring) true
#define SOURCE_MAPPED(from) true
#endif

typedef batch {
	bool used;
	byte source, ticket, n, first; /* `first`: the packet that is next */
	byte to[BATCH];
	byte id[BATCH];
#ifdef PASSES_EARLY
	bool passed
#endif
};

/* A packet that may become the first or the second. */
inline come_in(from, to_, its_id) {
	inside++;
	if
	:: true
	:: !first_inside && !second_inside ->
		its_id = FIRST; first_inside = true; watched = WAY(from, to_)
	:: first_inside && !second_inside && watched == WAY(from, to_) ->
		its_id = SECOND; second_inside = true
	fi
}

inline leave(its_id) {
	assert(inside > 0 && (its_id != FIRST || first_inside) && (its_id != SECOND || second_inside));
	inside--;
	if
	:: its_id == FIRST -> first_inside = false
	:: its_id == SECOND -> second_inside = false
	:: else
	fi;
	if
	:: !first_inside && !second_inside -> watched = 0
	:: else
	fi
}

inline come_out(its_id) {
	assert(its_id != SECOND || !first_inside);
	leave(its_id)
}

#ifdef MODES
/*
 * What was admitted and what has ended, counted by each lcore. While control does not add up, what ends is
 * taken off at once from what was admitted: control looks at differences alone, and states are not told
 * apart by all that ever happened.
 */
byte admitted[LCORES], finished[LCORES];
bool adding;
chan inbox = [2] of { byte }; /* packets for the lcore that owns the port */
#define SOURCE_OWNER 0
#define PORT_OWNER (LCORES - 1)

inline admit() {
	admitted[self]++
}

inline finish() {
	finished[self]++;
	take_off()
}

inline take_off() {
	do
	:: !adding && finished[0] > 0 && admitted[0] > 0 -> finished[0]--; admitted[0]--
	:: !adding && finished[0] > 0 && admitted[0] == 0 && admitted[1] > 0 -> finished[0]--; admitted[1]--
	:: !adding && finished[0] == 0 && finished[1] > 0 && admitted[0] > 0 -> finished[1]--; admitted[0]--
	:: !adding && finished[0] == 0 && finished[1] > 0 && admitted[0] == 0 && admitted[1] > 0 ->
		finished[1]--; admitted[1]--
	:: else -> break
	od
}
#else
#define admit() skip
#define finish() skip
#endif

/* --- reservations --- */

/* Publishes those from `first` to before `past`: one store, by which the peer sees them. */
inline publish(ring) {
	d_step {
		assert(MAPPED(ring));
		do
		:: first != past ->
			assert(SLOT(ring, first).n > 0 && SLOT(ring, first).copied);
			come_out(SLOT(ring, first).id[0]);
#if BATCH > 1
			if
			:: SLOT(ring, first).n > 1 ->
				come_out(SLOT(ring, first).id[1])
			:: else
			fi;
			SLOT(ring, first).id[1] = 0;
#endif
			SLOT(ring, first).id[0] = 0;
			SLOT(ring, first).n = 0;
			SLOT(ring, first).copied = false;
			first = PLUS(first, 1)
		:: else -> break
		od;
		first = 0
	}
}

#define IS_COMPLETE(ring, number) (SLOT(ring, number).completed == PLUS(number, 1))
#define IS_NEXT(ring) (PLUS(past, NUMBERS - first) < SLOTS && IS_COMPLETE(ring, past))

/* By who has `publishing`: what it has read of `published` nobody else writes. */
inline publish_all(ring) {
	do
	:: atomic { IS_NEXT(ring) -> past = PLUS(past, 1) }
	:: atomic { !IS_NEXT(ring) ->
		if
		:: first != past -> publish(ring)
		:: else -> first = 0
		fi;
		break }
	od;
	atomic { published[ring] = past; past = 0 }
}

/* Its packets have ended, though they are not published. */
inline copy(ring) {
	assert(MAPPED(ring));
	finish();
#if BATCH > 1
	if
	:: SLOT(ring, number).n > 1 -> finish()
	:: else
	fi;
#endif
	SLOT(ring, number).copied = true
}

inline mark(ring) {
	assert(MAPPED(ring));
	SLOT(ring, number).completed = PLUS(number, 1)
}

inline complete(ring) {
#ifdef MARK_EARLY
	atomic { copy(ring); number = 0 };
#else
	atomic { mark(ring); number = 0 };
#endif
	do
	:: atomic {
		assert(MAPPED(ring));
		if
#ifndef NO_EXCHANGE
		:: publishing[ring] -> break
		:: !publishing[ring] -> publishing[ring] = true
#else
		:: publishing[ring] = true
#endif
		fi;
		first = published[ring]; past = first };
		publish_all(ring);
		publishing[ring] = false;
#ifdef NO_SECOND_LOOK
		break;
#endif
		atomic { assert(MAPPED(ring)); look = published[ring] };
		if
		:: atomic { IS_COMPLETE(ring, look) -> look = 0 }
		:: atomic { !IS_COMPLETE(ring, look) -> look = 0; break }
		fi
	od
}

/* --- handing over --- */

#define B held[i]

/* The next packet is the one behind it. */
inline advance() {
	B.to[B.first] = 0;
	B.id[B.first] = 0;
	B.first++
}

inline refuse() {
	leave(B.id[B.first]);
	finish();
	advance()
}

/* Its next packet has buffers. */
inline add_packet() {
	SLOT(at, reserved[at]).id[SLOT(at, reserved[at]).n] = B.id[B.first];
	SLOT(at, reserved[at]).n++;
	advance()
}

inline add() {
	assert(SLOT(at, reserved[at]).n == 0);
	add_packet();
#if BATCH > 1
	if
	:: B.first < B.n && B.to[B.first] == at -> add_packet()
	:: true
	fi;
#endif
	pending!at, reserved[at];
	reserved[at] = PLUS(reserved[at], 1)
}

#ifdef FULL_IGNORED
#define FULL false
#else
#define FULL (PLUS(reserved[at], NUMBERS - published[at]) >= SLOTS)
#endif

/* In a ring that it has for itself. If there is no slot, it fails as if another had the ring. */
inline reserve() {
	if
	:: atomic { FULL -> failed = true }
	:: atomic { !FULL -> assert(MAPPED(at)); add() }
	:: atomic { !FULL -> refuse() }
	fi
}

inline send() {
	atomic { come_out(B.id[B.first]); finish(); advance() }
}

inline pass_number() {
	assert(SOURCE_MAPPED(B.source));
	assert(up[B.source] == B.ticket);
	up[B.source] = (up[B.source] + 1) % TICKETS
}

inline end_batch() {
	B.used = false;
	B.source = 0; B.ticket = 0; B.n = 0; B.first = 0
}

#ifdef PASSES_EARLY
inline pass_early() {
	if
	:: !B.passed -> pass_number(); B.passed = true
	:: else
	fi
}
#endif

inline fail() {
#ifdef FAILED_PASSES
	pass_early();
#endif
	failed = false; at = 0; i = 0
}

/* All of the batch that can be handed over now. What cannot, stays, and the number stays with it. */
inline hand_over() {
#ifdef NUMBER_EARLY
	atomic { pass_early() };
#endif
	do
	:: atomic { B.first == B.n ->
#ifdef PASSES_EARLY
		pass_early();
		B.passed = false;
#elif defined(EMPTY_FORGOTTEN)
		if
		:: B.n > 0 -> pass_number()
		:: else
		fi;
#else
		pass_number();
#endif
		end_batch(); i = 0; break }
#ifdef GOES
	:: atomic { B.first < B.n && B.to[B.first] == 0 && sees_gone -> at = 0; refuse() }
	:: atomic { B.first < B.n && !(B.to[B.first] == 0 && sees_gone) -> at = B.to[B.first] };
#else
	:: atomic { B.first < B.n -> at = B.to[B.first] };
#endif
		/* A try: exchange. */
		atomic {
			if
			:: !reserving[at] -> reserving[at] = true
			:: else -> fail(); break
			fi
		};
		if
		:: at < RINGS -> reserve()
		:: else -> send()
		fi;
		atomic {
			reserving[at] = false;
			if
			:: failed -> fail(); break
			:: else -> at = 0
			fi
		}
	od
}

/* --- receiving --- */

inline arrive(to_) {
	B.to[B.n] = to_;
	come_in(B.source, to_, B.id[B.n]);
	admit();
	B.n++
}

/* A packet, for any destination or for none. */
inline arrive_any() {
	if
	:: arrive(0)
#if DESTINATIONS > 1
	:: arrive(1)
#endif
	:: true /* dropped on its way */
	fi
}

inline draw() {
	assert(SOURCE_MAPPED(B.source));
	B.ticket = next_ticket[B.source];
	next_ticket[B.source] = (next_ticket[B.source] + 1) % TICKETS
}

inline pass_right() {
	assert(SOURCE_MAPPED(B.source));
	polled[B.source] = false;
	taken[B.source] = false
}

/* It has the right; a poll may also give nothing. */
inline receive() {
	if
	:: atomic { true ->
		B.used = true;
		assert(!polled[B.source]);
		polled[B.source] = true;
		arrive_any();
#if BATCH > 1
		if
		:: arrive_any()
		:: true
		fi
#endif
		;
#ifdef RIGHT_EARLY
		pass_right() };
		atomic { draw(); i = 0 }
#else
		draw() };
		atomic { pass_right(); i = 0 }
#endif
	:: atomic { true -> pass_right(); B.source = 0; i = 0 }
	fi
}

/* --- lcores --- */

#ifdef PASSES_EARLY
#define UP(b) (held[b].used && (held[b].passed || up[held[b].source] == held[b].ticket))
#else
#define UP(b) (held[b].used && up[held[b].source] == held[b].ticket)
#endif
#ifdef GOES
#define CAN_RECEIVE(from) (!closed && (from != SOURCES - 1 || !sees_gone))
#else
#define CAN_RECEIVE(from) (!closed)
#endif
#ifdef MODES
#define BY_RIGHT sees_by_right
#define RECEIVES receives
#else
#define BY_RIGHT true
#define RECEIVES true
#endif
#ifdef LEFT_UNFINISHED
#define MAY_FINISH BY_RIGHT
#else
#define MAY_FINISH true /* batches, whatever the plan is by now */
#endif
#define TAKE(b, from) \
	empty(pending) && BY_RIGHT && RECEIVES && CAN_RECEIVE(from) && !held[b].used && !taken[from] -> \
		assert(SOURCE_MAPPED(from)); taken[from] = true; i = b; B.source = from

/* What control has published; between two rounds. An lcore that knows it all has other rounds all the same,
 * but nobody can tell. */
#ifdef QUIET_RESERVED
#define QUIET true
#define BUSY false
#else
#define QUIET empty(pending)
#define BUSY nempty(pending)
#endif
#if defined(GOES)
#define NEWS ((!quiescent[self] && QUIET) || sees_gone != gone)
inline look_up() {
	sees_gone = gone
}
#elif defined(MODES)
#define NEWS ((!quiescent[self] && QUIET) || sees_by_right != by_right || receives == pausing)
inline look_up() {
	sees_by_right = by_right;
	receives = !pausing
}
#else
#define NEWS false
#define look_up() skip
#endif

#ifdef MODES
inline receive_alone() {
	assert(!polled[0]);
	polled[0] = true;
	come_in(0, 0, number);
	admit();
	inbox!number;
	number = 0
}

/* It has the ring for itself. */
inline deliver_alone() {
	inbox?number;
	assert(PUBLISHED(0));
	come_out(number);
	finish();
	number = 0
}
#endif

inline begin_round() {
	if
	:: atomic { QUIET -> quiescent[self] = true }
	:: atomic { BUSY }
	fi;
	look_up()
}

proctype lcore(byte self) {
	batch held[HELD];
	chan pending = [BATCH] of { byte, byte }; /* its reservations: ring and number */
	byte i, at, number, first, past, look;
	bool failed;
#ifdef GOES
	bool sees_gone;
#endif
#ifdef MODES
	bool sees_by_right = true, receives = true;
#endif

end:	do
	:: atomic { NEWS }; begin_round()
	:: atomic { nempty(pending) && MAY_FINISH -> pending?at, number;
#ifdef MARK_EARLY
		mark(at)
#else
		copy(at)
#endif
		};
		complete(at);
		at = 0
	:: atomic { empty(pending) && MAY_FINISH && UP(0) -> i = 0 }; hand_over()
#if HELD > 1
	:: atomic { empty(pending) && MAY_FINISH && UP(1) -> i = 1 }; hand_over()
	:: atomic { held[0].used && TAKE(1, 0) }; receive()
#endif
	:: atomic { TAKE(0, 0) }; receive()
#if SOURCES > 1
	:: atomic { TAKE(0, 1) }; receive()
#if HELD > 1
	:: atomic { held[0].used && TAKE(1, 1) }; receive()
#endif
#endif
#ifdef MODES
	:: atomic { !sees_by_right && receives && !closed && self == SOURCE_OWNER && nfull(inbox) ->
		receive_alone() };
		polled[0] = false
	:: atomic { self == PORT_OWNER && nempty(inbox) -> deliver_alone() }
#endif
	od
}

/* --- control --- */

inline ask() {
	d_step {
		quiescent[0] = false; quiescent[1] = false
#if LCORES > 2
		; quiescent[2] = false
#endif
	}
}

inline await() {
	quiescent[0];
#ifndef UNSEEN_BY_LEFT
#if LCORES > 2
	quiescent[2];
#endif
	quiescent[1]
#endif
}

#ifdef GOES
#define DONE unmapped
active proctype control() {
	gone = true;
	ask();
	await();
#ifndef REST_UNAWAITED
	!taken[SOURCES - 1];
	next_ticket[SOURCES - 1] == up[SOURCES - 1];
#endif
	unmapped = true
}
#elif defined(MODES)
#define DONE (!pausing)
active proctype control() {
	short left;

	do
	:: !closed ->
		pausing = true;
#ifndef PAUSE_UNSEEN
		ask();
		await();
#endif
#ifndef PLAN_EARLY
		/* What has ended first: nothing can end before it was admitted. */
		do
		:: adding = true;
			left = left - finished[0];
			left = left - finished[1];
			left = left + admitted[0];
			left = left + admitted[1];
			atomic {
				adding = false;
				take_off();
				if
				:: left == 0 -> break
				:: else -> left = 0
				fi
			}
		od;
#endif
		by_right = !by_right;
#ifndef RESUME_EARLY
		ask();
		await();
#endif
		pausing = false
	:: closed -> break
	od
}
#else
#define DONE true
#endif

init {
	atomic {
		run lcore(0);
		run lcore(1)
#if LCORES > 2
		; run lcore(2)
#endif
	};
	closed = true
}

#ifdef PROGRESS
ltl progress { [] (closed -> <> (AT_REST && DONE)) }
#else
active proctype rest() {
	timeout -> assert(AT_REST && DONE)
}
#endif
