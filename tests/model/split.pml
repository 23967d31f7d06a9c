/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The protocol by which an elephant's packets are split into micro-flows and merged again
 * (src/reorder), for the model checker spin. check.py tries all that can happen in each of its
 * configurations, and expects spin to report each bug that can be put in: END_UNMARKED,
 * MARK_CREDIT_EARLY, PROMOTE_EARLY, DEMOTE_EARLY, QUEUE_SHARED, END_BY_NEXT, HELD_BEHIND, MERGE_STALE.
 *
 * What is modelled. A door, three branches, a merging lcore, and with CONSUMER another lcore that
 * delivers. Flows are mice or elephants; with MOVES they begin as mice and are promoted and demoted at
 * any time, and are elephants for ever otherwise. The door, the micro-flows' numbers, `gone` (the
 * program's early[].ended), the queues of held packets and the credits are as in the program. At any time a packet may arrive or not; each
 * micro-flow may go to any branch; any packet may end on any branch; an end mark takes any time and
 * overtakes whatever it likes, other marks too. Packets, micro-flows, promotions and demotions are
 * without number; only those inside at one time are bounded, by the credits. Numbers are modulo the
 * credits, in the stamps too, so `gone` needs no more entries.
 *
 * A branch is a row of any number of lcores: one FIFO from the door to the merging lcore, shared by all
 * elephants, in which any packet may be dropped wherever it is. A branch that is held up is one from
 * which nothing is taken for a while. All flows are of one group, so a promotion holds up the other
 * flow, and what a demotion has held may have to wait for a promotion. The mice's path is a FIFO of its
 * own, in which packets are dropped as in a branch.
 *
 * What is shown. Packets of a flow are delivered in order, and each at most once. The words on their way
 * to the merging lcore, packets and marks on all branches together, are never more than the credits, so
 * no ring overflows; the micro-flows that have begun and not ended are no more than the flow's credits.
 * When nothing of an elephant is on its way to the merge, the merge has nothing of it either, whatever
 * has become of the other elephant: no packet waits for one that has yet to arrive, nor for a packet of
 * another flow. When its credits are back, the merge stands where the door does. With PROGRESS: when
 * nothing arrives any more, wherever in a micro-flow that is, all credits come back and all moves end,
 * provided that no lcore stops for ever.
 *
 * What is left out.
 * - Memory is sequentially consistent here, and the door knows what is finished at once; that it may
 *   add up counters one by one is shown by moves.pml, as are changes of the group's path.
 * - Bursts are one packet. What an lcore does to one packet and to all that this sets free is one step:
 *   the others could not tell, since they only add to its rings, take from those that it fills, and
 *   find credits to be back, now or later.
 * - Mice and elephants do not hold each other up on a branch. So more can happen here than in the
 *   program, where they share its rings.
 * - A coalesced packet is a dropped one, and there are no replicas.
 */

#ifndef FLOWS
#define FLOWS 1
#endif
#ifndef CREDITS
#define CREDITS 4
#endif
#if FLOWS == 1
#define CREDITS_1 0
#endif
#ifndef CREDITS_1
#define CREDITS_1 2 /* of the second flow; not more than CREDITS */
#endif
#define ALL_CREDITS (CREDITS + CREDITS_1)
#define CREDITS_OF(flow) (flow == 0 -> CREDITS : CREDITS_1)
#ifndef BATCH
#define BATCH 2
#endif
#define BRANCHES 3

typedef packet {
	byte flow, number, id /* `number`: of the micro-flow */
};

chan branch[BRANCHES] = [ALL_CREDITS] of { packet };
chan marks = [ALL_CREDITS] of { packet }; /* sorted: in which order they were sent tells nothing */
#ifdef MOVES
chan group_path = [ALL_CREDITS] of { packet };
#endif
#ifdef CONSUMER
chan merged = [ALL_CREDITS] of { packet };
#endif

/* Written by the door. */
#ifdef MOVES
bool elephant[FLOWS];
bool group_moving;
chan group_held = [ALL_CREDITS] of { packet };
#else
bool elephant[FLOWS] = true;
#define group_moving false
#endif
bool moving[FLOWS]; /* as an elephant */
chan held[FLOWS] = [CREDITS] of { packet };
byte number[FLOWS], unsent[FLOWS] = BATCH, goes_to[FLOWS]; /* the micro-flow that is being sent */
#ifdef PROGRESS
bool closed; /* nothing arrives any more, and no more moves are begun */
#else
#define closed false
#endif

/* Written by the merging lcore. */
byte current[FLOWS], left[FLOWS] = BATCH, gone[FLOWS * CREDITS];
#define GONE(flow, number) gone[(flow) * CREDITS + (number)]
#ifdef QUEUE_SHARED
chan queue[BRANCHES] = [ALL_CREDITS] of { packet };
#define QUEUE(flow, its_branch) queue[its_branch]
#else
chan queue[FLOWS * BRANCHES] = [CREDITS] of { packet };
#define QUEUE(flow, its_branch) queue[(flow) * BRANCHES + (its_branch)]
#endif
#ifdef END_BY_NEXT
byte came_by[FLOWS]; /* the branch of the current micro-flow */
#endif

/* Credits that are out: of a flow, and for what is no longer at the door. */
byte inside[FLOWS], in_flight[FLOWS], group_in_flight;

/*
 * What the properties are about, and no lcore knows. Of one of the flows, any two packets are watched,
 * one after the other; as nobody looks at what is in a packet, they stand for any two.
 */
byte watched;
bool first_inside, second_inside;
#define FIRST 1
#define SECOND 2
byte words[FLOWS]; /* packets and marks on their way to the merge and, with CONSUMER, to delivery */
byte open[FLOWS]; /* micro-flows that have begun and not ended */

#if FLOWS == 1
#define WORDS words[0]
#define INSIDE inside[0]
#define SOME_MOVE (moving[0] || group_moving)
#else
#define WORDS (words[0] + words[1])
#define INSIDE (inside[0] + inside[1])
#define SOME_MOVE (moving[0] || moving[1] || group_moving)
#endif

/* What an lcore has in hand; of no meaning between its steps. */
hidden packet p, other;
hidden byte by, count, after;

inline delivered() {
	if
	:: p.id == FIRST -> assert(first_inside); first_inside = false
	:: p.id == SECOND -> assert(second_inside); assert(!first_inside); second_inside = false
	:: else
	fi
}

inline dropped() {
	if
	:: p.id == FIRST -> first_inside = false
	:: p.id == SECOND -> second_inside = false
	:: else
	fi
}

inline finish(its_flow) {
	assert(in_flight[its_flow] > 0);
	in_flight[its_flow]--;
	inside[its_flow]--
}

inline finish_mouse() {
	group_in_flight--;
	inside[p.flow]--
}

/* --- the branches --- */

inline turn(ring, times) {
	do
	:: times > 0 -> ring?other; ring!other; times--
	:: else -> break
	od
}

/* Any of those in a ring, the others of which stay in order. */
inline take_any(ring) {
	count = 0;
	do
	:: count + 1 < len(ring) -> count++
	:: break
	od;
	after = len(ring) - count - 1;
	turn(ring, count);
	ring?p;
	turn(ring, after)
}

/* The mark is a word as the packet was. */
inline drop() {
	dropped();
#ifdef END_UNMARKED
	words[p.flow]--;
#else
	p.id = 0;
	marks!!p;
#endif
#if defined(END_UNMARKED) || defined(MARK_CREDIT_EARLY)
	finish(p.flow)
#endif
}

active proctype branches() {
end:	do
	:: atomic { nempty(branch[0]) -> take_any(branch[0]); drop() }
	:: atomic { nempty(branch[1]) -> take_any(branch[1]); drop() }
	:: atomic { nempty(branch[2]) -> take_any(branch[2]); drop() }
#ifdef MOVES
	:: atomic { nempty(group_path) -> take_any(group_path); dropped(); finish_mouse() }
#endif
	od
}

/* --- the merge --- */

/* Packet p is of the current micro-flow. */
inline pass() {
	assert(left[p.flow] > 0);
	left[p.flow]--;
#ifdef END_BY_NEXT
	came_by[p.flow] = by;
#endif
#ifdef CONSUMER
	words[p.flow]++;
	merged!p
#else
	delivered();
	finish(p.flow)
#endif
}

inline absorb_mark(its_flow) {
	assert(left[its_flow] > 0);
	left[its_flow]--;
#ifndef MARK_CREDIT_EARLY
	finish(its_flow)
#endif
}

inline merge_packet() {
	if
	:: p.number == current[p.flow] -> pass()
	:: else -> QUEUE(p.flow, by)!p
	fi
}

inline merge_mark() {
	if
	:: p.number == current[p.flow] -> absorb_mark(p.flow)
	:: else -> GONE(p.flow, p.number)++
	fi
}

inline next_micro_flow(its_flow) {
	assert(open[its_flow] > 0);
	open[its_flow]--;
	current[its_flow] = (current[its_flow] + 1) % CREDITS_OF(its_flow);
	left[its_flow] = BATCH;
	do
	:: GONE(its_flow, current[its_flow]) > 0 ->
		GONE(its_flow, current[its_flow])--;
		absorb_mark(its_flow)
	:: else -> break
	od
}

#ifdef END_BY_NEXT
#define ENDED(flow) (left[flow] == 0 && len(QUEUE(flow, came_by[flow])) > 0)
#else
#define ENDED(flow) (left[flow] == 0)
#endif

#define PASS_HELD(flow, its_branch) \
	QUEUE(flow, its_branch)?[eval(flow), eval(current[flow]), _] -> \
		by = its_branch; QUEUE(flow, by)?p; pass()
#define PASS_ANY_HELD(flow) \
	:: PASS_HELD(flow, 0) \
	:: PASS_HELD(flow, 1) \
	:: PASS_HELD(flow, 2)
#if FLOWS == 1
#define PASS_ANY_HELD_OF_ALL PASS_ANY_HELD(0)
#else
#define PASS_ANY_HELD_OF_ALL PASS_ANY_HELD(0) PASS_ANY_HELD(1)
#endif

inline go_on() {
	do
	:: ENDED(0) -> next_micro_flow(0)
#if FLOWS > 1
	:: ENDED(1) -> next_micro_flow(1)
#endif
#ifndef HELD_BEHIND
	PASS_ANY_HELD_OF_ALL
#endif
	:: else -> break
	od
}

/*
 * Where nothing of the elephant is in flight, numbers begin again, or states would be told apart by all
 * that ever happened. The program does not do this, and could not tell: it only asks which are equal.
 */
inline rest(its_flow) {
#if !defined(PROGRESS) && !defined(HELD_BEHIND)
	assert(words[its_flow] > 0 || in_flight[its_flow] == 0);
	assert(in_flight[its_flow] > 0 || current[its_flow] == number[its_flow]);
	assert(in_flight[its_flow] > 0 || left[its_flow] == unsent[its_flow]);
#endif
	if
	:: in_flight[its_flow] == 0 && current[its_flow] == number[its_flow] ->
		current[its_flow] = 0;
		number[its_flow] = 0
	:: else
	fi
}

inline rest_all() {
	rest(0);
#if FLOWS > 1
	rest(1)
#endif
}

#define TAKE(its_branch) nempty(branch[its_branch]) -> by = its_branch; branch[by]?p

active proctype merge() {
end:	do
	:: atomic {
		if
		:: TAKE(0); words[p.flow]--; merge_packet()
		:: TAKE(1); words[p.flow]--; merge_packet()
		:: TAKE(2); words[p.flow]--; merge_packet()
		:: nempty(marks) -> take_any(marks); words[p.flow]--; merge_mark()
#ifdef HELD_BEHIND
		PASS_ANY_HELD_OF_ALL
#endif
		fi;
		go_on();
		rest_all()
	}
	od
}

#if defined(CONSUMER) || defined(MOVES)
active proctype delivery() {
end:	do
#ifdef CONSUMER
	:: atomic { nempty(merged) -> merged?p; words[p.flow]--; delivered(); finish(p.flow); rest_all() }
#endif
#ifdef MOVES
	:: atomic { nempty(group_path) -> group_path?p; delivered(); finish_mouse() }
#endif
	od
}
#endif

/* --- the door --- */

#if FLOWS == 1
#define HOLDS(its_branch) len(QUEUE(0, its_branch))
#define TAKES(its_branch) (unsent[0] < BATCH && goes_to[0] == its_branch)
#else
#define HOLDS(its_branch) (len(QUEUE(0, its_branch)) + len(QUEUE(1, its_branch)))
#define TAKES(its_branch) (unsent[0] < BATCH && goes_to[0] == its_branch || \
	unsent[1] < BATCH && goes_to[1] == its_branch)
#endif
#define USED(its_branch) (len(branch[its_branch]) + HOLDS(its_branch) > 0 || TAKES(its_branch))

/* Of those that are not used the first stands for all: they are alike. */
inline choose_branch(it) {
	if
	:: it = 0
	:: USED(0) || USED(1) -> it = 1
	:: USED(0) && USED(1) || USED(2) -> it = 2
	fi
}

inline begin_micro_flow(its_flow) {
	choose_branch(goes_to[its_flow]);
	open[its_flow]++;
	assert(open[its_flow] <= CREDITS_OF(its_flow))
}

inline end_micro_flow(its_flow) {
	number[its_flow] = (number[its_flow] + 1) % CREDITS_OF(its_flow);
	unsent[its_flow] = BATCH;
	goes_to[its_flow] = 0
}

inline send_split(its_flow) {
	if
	:: unsent[its_flow] == BATCH -> begin_micro_flow(its_flow)
	:: else
	fi;
	assert(WORDS < ALL_CREDITS);
	words[its_flow]++;
	in_flight[its_flow]++;
	p.number = number[its_flow];
	branch[goes_to[its_flow]]!p;
	unsent[its_flow]--;
	if
	:: unsent[its_flow] == 0 -> end_micro_flow(its_flow)
	:: else
	fi
}

inline send() {
	if
	:: elephant[p.flow] -> send_split(p.flow)
#ifdef MOVES
	:: !elephant[p.flow] && group_moving -> group_held!p
	:: !elephant[p.flow] && !group_moving -> group_in_flight++; group_path!p
#endif
	fi
}

inline maybe_watch(its_flow) {
	if
	:: true
#ifndef PROGRESS
	:: its_flow == watched && !first_inside && !second_inside -> p.id = FIRST; first_inside = true
	:: its_flow == watched && first_inside && !second_inside -> p.id = SECOND; second_inside = true
#endif
	fi
}

inline arrive(its_flow) {
	p.flow = its_flow;
	p.number = 0;
	p.id = 0;
	inside[its_flow]++;
	maybe_watch(its_flow);
	if
	:: moving[its_flow] -> held[its_flow]!p
	:: else -> send()
	fi
}

inline send_all(ring) {
	do
	:: nempty(ring) -> ring?p; send()
	:: empty(ring) -> break
	od
}

#ifdef MOVES
inline begin_afresh(its_flow) {
	number[its_flow] = 0;
	unsent[its_flow] = BATCH;
	goes_to[its_flow] = 0;
	open[its_flow] = 0;
#ifndef MERGE_STALE
	current[its_flow] = 0;
	left[its_flow] = BATCH
#endif
}

inline maybe_promote(its_flow) {
	if
	:: true
	:: !elephant[its_flow] -> begin_afresh(its_flow); elephant[its_flow] = true
	fi
}

inline end_group_move() {
	maybe_promote(0);
#if FLOWS > 1
	maybe_promote(1);
#endif
	group_moving = false;
	send_all(group_held)
}

/* The flow is a mouse again, or is an elephant still and its merge may be on another lcore. */
inline end_move(its_flow) {
	begin_afresh(its_flow);
	if
	:: true
	:: elephant[its_flow] = false
	fi;
	moving[its_flow] = false;
	send_all(held[its_flow])
}

#ifdef PROMOTE_EARLY
#define GROUP_DRAINED true
#else
#define GROUP_DRAINED (group_in_flight == 0)
#endif
#ifdef DEMOTE_EARLY
#define DRAINED(flow) true
#else
#define DRAINED(flow) (in_flight[flow] == 0)
#endif
#endif

active proctype door() {
#if FLOWS > 1 && !defined(PROGRESS)
	if
	:: watched = 0
	:: watched = 1
	fi;
#endif
	do
	:: atomic { !closed && inside[0] < CREDITS -> arrive(0) }
#if FLOWS > 1
	:: atomic { !closed && inside[1] < CREDITS_1 -> arrive(1) }
#endif
#ifdef MOVES
	:: atomic { !closed && !group_moving -> group_moving = true }
	:: atomic { group_moving && GROUP_DRAINED -> end_group_move() }
	:: atomic { !closed && elephant[0] && !moving[0] -> moving[0] = true }
	:: atomic { moving[0] && DRAINED(0) -> end_move(0) }
#if FLOWS > 1
	:: atomic { !closed && elephant[1] && !moving[1] -> moving[1] = true }
	:: atomic { moving[1] && DRAINED(1) -> end_move(1) }
#endif
#endif
#ifdef PROGRESS
	:: atomic { !closed -> closed = true }
	:: atomic { closed && !SOME_MOVE -> break }
#endif
	od
}

#ifdef PROGRESS
ltl progress { [] (closed -> <> (INSIDE == 0 && !SOME_MOVE)) }
#endif
