# SPDX-License-Identifier: BSD-3-Clause
"""Puts bugs into weft on purpose, one at a time, and expects the simulation to report each.

Called by run_tests.py; by itself: /usr/bin/python3 tests/mutants.py [NAME...]
"""

import argparse
import concurrent.futures
import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import typing

ROOT = pathlib.Path(__file__).resolve().parents[1]
PLACE = ROOT / "build-mutants"
TREE = PLACE / "tree"
BUILD = PLACE / "build"
PROGRAMS = PLACE / "programs"
# What meson.build asks for; the rest of the tree is not copied.
PARTS = ["meson.build", "meson_options.txt", "meson.options", "src", "tests", "scripts/weftctl",
         "docs/*.8"]
OPTIONS = ["-Dbuildtype=plain", "-Doptimization=1", "-Ddebug=false", "-Db_lto=false",
           "-Dwerror=false", "-Db_ndebug=false"]
RUN_SECONDS = 120  # of a CPU's time, however busy the machine is,
FINE_SECONDS = 900  # and without a bug
ASLEEP_SECONDS = 1800  # in which what sleeps for ever has not come so far
REPORT = re.compile(r"FAILED: (.*)")  # as the simulation prints it
# As a unit test does, or its teardown.
FAILED_TEST = re.compile(r"\[  (?:FAILED  |ERROR   )\] (\w+_\w+)$", re.MULTILINE)
SEED = 1
PIPELINE = "sim-pipeline"
THREADS = "sim-lcores"
MICRO_FLOWS = "sim-micro_flows"
FLOODS = "sim-floods"
TURNS = "sim-turns"
UNIT = "unit-virtual"
UNIT_HELPERS = "unit-helpers"
UNIT_MERGE = "unit-merge"
UNIT_MEMIF = "unit-memif"
UNIT_RESERVATION = "unit-reservation"
UNIT_TURN = "unit-turn"
UNIT_VIRTQUEUE = "unit-virtqueue"
UNIT_GRO = "unit-stages_gro"
UNIT_VXLAN = "unit-stages_vxlan"
UNIT_BRIDGE = "unit-stages_bridge"
PACKETS = {PIPELINE: 1000000, THREADS: 21000, MICRO_FLOWS: 4000000, TURNS: 4000000}
CREDITS = "src/engine/credits.c"
DATAPLANE = "src/engine/dataplane.c"
DROP = "src/engine/drop.c"
FLOOD = "src/engine/flood.c"
HANDING = "src/engine/handing.c"
HELPERS = "src/steer/helpers.c"
INBOX = "src/engine/inbox.c"
LABELS = "src/engine/labels.c"
LCORE = "src/engine/lcore.c"
LEDGER = "src/engine/ledger.c"
MEMIF = "src/ports/memif_data.c"
MERGING = "src/engine/merging.c"
MERGE = "src/reorder/merge.c"
MOVES = "src/steer/moves.c"
OUTBOX = "src/engine/outbox.c"
PATHS = "src/engine/paths.c"
RESERVATION = "src/ports/reservation.c"
ROUTE = "src/engine/route.c"
RUN = "src/engine/run.c"
STEERING = "src/engine/steering.c"
TURN = "src/ports/turn.h"
TURN_TAKING = "src/engine/turns.c"
DRIVER = "src/virtual/driver.c"
VIRTQUEUE = "src/ports/virtqueue.c"


class Bug(typing.NamedTuple):
    """`old` stands in the file exactly once. `program`: the simulation that must report it."""
    name: str
    kind: str  # the invariant that it breaks, of those in docs/design.md
    file: str
    old: str
    new: str
    text: str
    program: str = PIPELINE
    packets: int = 0  # that the simulation carries, where PACKETS says too few


BUGS = [
    # order
    Bug("swapped-burst", "order", INBOX,
        """\
		return 0;
	lcore->merging.fed = n;""",
        """\
		return 0;
	if (n > 1) {
		struct parcel parcel = parcels[0];

		parcels[0] = parcels[1];
		parcels[1] = parcel;
	}
	lcore->merging.fed = n;""",
        "The first two packets of a burst from another lcore change places."),
    Bug("mixed-group", "order", "src/engine/transmit.c",
        """\
	*n = left;
""",
        """\
	if (left > 1) {
		struct rte_mbuf *first = mbufs[0];

		mbufs[0] = mbufs[left - 1];
		mbufs[left - 1] = first;
	}
	*n = left;
""",
        "What is left of a burst after one port's packets were taken out is no longer in order."),
    Bug("hash-of-length", "order", "src/base/flow_hash.c",
        "seed ^ ip->next_proto_id);", "seed ^ (ip->next_proto_id + ip->total_length));",
        "The flow hash differs between the packets of one flow."),

    # floods
    Bug("flood-overtaken", "order", FLOOD,
        "if (lcore->floods[kind_of(lcore, mbufs[i])].waits)", "if (false)",
        "What is for one place does not wait behind a flood that does.", FLOODS),
    Bug("flooded-twice", "order", FLOOD,
        "flooding->from = place + 1;", "flooding->from = place;",
        "A flood goes on with the place where it was.", FLOODS),
    Bug("flood-forgotten", "conservation", FLOOD,
        """\
		if (!advance(lcore, kind, &flood->current, &room))
			break;
""",
        "		advance(lcore, kind, &flood->current, &room);\n",
        "The rest of a flood that ran out of credits is forgotten.", FLOODS),
    Bug("flood-without-reserve", "progress", CREDITS,
        "lcore->dataplane->credits - lcore->dataplane->credits / REPLICA_RESERVE;",
        "lcore->dataplane->credits;",
        "Packets that wait to be flooded may have all credits.", FLOODS),
    Bug("flood-to-newcomers", "order", FLOOD,
        " && !is_newer(tables, place, flooding)", "",
        "A container gets a flood by the port that it had and by its next one.", FLOODS),

    # moves of flow groups
    Bug("moved-in-flight", "order", MOVES,
        "group);\n	if (state->in_flight > 0)\n", "group);\n	if (false)\n",
        "A path changes while packets are on it."),
    Bug("class-not-awaited", "order", PATHS,
        "if (unlikely(steering_waits(door)) && moves_at_rest(moves))",
        "if (unlikely(steering_waits(door)))",
        "Groups are steered while packets are on their way that came before."),
    Bug("held-overtaken", "order", STEERING,
        "	if (unlikely(lcore->door->moves.groups[group.number].moving))",
        "	if (lcore->door->moves.groups[group.number].moving && "
        "lcore->door->moves.groups[group.number].n_held < 8)",
        "When eight packets of a group are held, the next ones are sent on before them."),
    Bug("held-in-reverse", "order", MOVES,
        """\
	*next_of(mbuf) = NULL;
	if (state->first_held == NULL)
		state->first_held = mbuf;
	else
		*next_of(state->last_held) = mbuf;
	state->last_held = mbuf;
""",
        """\
	*next_of(mbuf) = state->first_held;
	state->first_held = mbuf;
""",
        "Held packets come out last in, first out."),
    Bug("moved-at-once", "order", PATHS,
        """\
		moves_wish(&lcore->door->moves, group, &path);
	}
""",
        """\
		*moves_path(&lcore->door->moves, group) = path;
	}
""",
        "Another plan, or a gate that changed, is gone by without a move."),
    Bug("way-of-first", "order", ROUTE,
        "packet_of(mbuf)->origin.word : packet_of", "0 : packet_of",
        "A burst of several flow groups goes the way of its first packet."),
    Bug("held-for-ever", "progress", STEERING,
        "	while ((n = moves_take_held(", "	if ((n = moves_take_held(",
        "Of the packets that were held only a burst is sent."),
    Bug("made-not-counted", "progress", FLOOD,
        "	ledger_made(lcore, packet_of(replica));", "",
        "The door of a flow group does not hear of replicas, whose ends it counts."),
    Bug("ended-at-wrong-door", "progress", LEDGER,
        "&tally_of(lcore, origin)->finished;",
        "&lcore->tallies[origin.door][origin.account.number].finished;",
        "The end of a replica is counted for the lcore that made it, not for its group's."),
    Bug("refused-as-sent", "progress", STEERING,
        "		packet_of(mbufs[i])->origin.account.number = ACCOUNT_NONE;", "		;",
        "Packets that a path refuses end as if they had been sent along it."),
    Bug("greedy-group", "progress", CREDITS,
        "	return RTE_MIN(RTE_MAX(room, 0), n);", "	return n;",
        "A flow group whose path is slow may take all credits."),

    # turns and reservations
    Bug("number-of-earlier-lap", "order", TURN,
        "	return __atomic_load_n(&turn->up, __ATOMIC_ACQUIRE) == ticket;",
        "	return __atomic_load_n(&turn->up, __ATOMIC_ACQUIRE) >= ticket;",
        "Where tickets wrap, a batch leaves before those that came before it.", UNIT_TURN),
    Bug("no-second-look", "progress", RESERVATION,
        "	} while (oldest_is_complete(reservations));", "	} while (false);",
        "What is completed while another lcore publishes stays unpublished.", UNIT_RESERVATION),
    Bug("published-by-two", "order", RESERVATION,
        "		if (__atomic_exchange_n(&reservations->publishing, 1, __ATOMIC_ACQ_REL) != 0)",
        "		if (false)",
        "Two lcores publish at once.", UNIT_RESERVATION),
    Bug("slot-of-unpublished", "order", RESERVATION,
        """\
__ATOMIC_ACQUIRE) <
		RESERVATIONS_MAX)""",
        """\
__ATOMIC_ACQUIRE) <=
		RESERVATIONS_MAX)""",
        "A reservation gets the slot of one that is not published yet.", UNIT_RESERVATION),

    Bug("number-not-awaited", "order", TURN_TAKING,
        "	if (!turn_is_up(&batch->source.port->queues[batch->source.queue].turn, "
        "batch->ticket))\n		return 0;\n", "",
        "A batch is handed over before its number is up.", TURNS),
    Bug("number-while-packets-are-left", "conservation", TURN_TAKING,
        "	if (!batch_is_out(batch) || batch == turns->current)",
        "	if (batch == turns->current)",
        "The number is passed on where another lcore is at a port.", TURNS),
    Bug("number-of-open-batch", "order", TURN_TAKING,
        "	if (!batch_is_out(batch) || batch == turns->current)",
        "	if (!batch_is_out(batch))",
        "The number is passed on while some of the batch waits behind a flood.", TURNS),
    Bug("right-before-poll", "order", TURN_TAKING,
        "	n = poll_source(turns, source, most);",
        "	turn_pass_on(turn);\n	n = poll_source(turns, source, most);",
        "The right is passed on before the queue is polled.", THREADS),
    Bug("busy-port-skipped", "conservation", HANDING,
        "		if (departure->n > 0)\n			break;\n", "",
        "What is for a port where another lcore is gets forgotten.", TURNS),
    Bug("published-before-the-copy", "order", HANDING,
        "	uint16_t n = handing->port->ops->fill(handing->port, reservation, reservation->mbufs);",
        "	handing->port->ops->publish(handing->port, reservation);\n"
        "	uint16_t n = handing->port->ops->fill(handing->port, reservation, reservation->mbufs);",
        "The peer hears of packets that are not yet in its buffers.", TURNS),
    Bug("unfit-not-dropped", "conservation", HANDING,
        "		drop_packets(lcore, STEP_COPY, COPY_UNFIT, reservation->mbufs + n, all - n);",
        "		(void)all;",
        "What a buffer turned out not to hold is forgotten.", TURNS),
    Bug("unfit-not-seen", "conservation", "src/ports/virtqueue.c",
        "	if (unlikely(own.split.len < need ||", "	if (unlikely(",
        "What nobody looked at is taken for large enough.", UNIT_VIRTQUEUE),
    Bug("sum-not-compared", "equivalence", "src/stages/gro.c",
        "return (a + 3 * UINT16_MAX - b) % UINT16_MAX == 0;", "return a + b > 0;",
        "A packet that is like the last one may have any IPv4 checksum.", UNIT_GRO),
    Bug("vni-not-compared", "isolation", "src/stages/vxlan.c",
        "	       word_of(&headers->vxlan) == sound->vxlan;", "	       sound->vxlan > 0;",
        "A packet of the last one's sender is in the last one's network.", UNIT_VXLAN),
    Bug("last-pair-kept", "equivalence", "src/stages/bridge.c",
        "source != last[0] || destination != last[1]", "source != last[0]",
        "A packet goes where the one before it went, if that has the same source.", UNIT_BRIDGE),
    Bug("sorted-in-reverse", "order", "src/engine/batch.c",
        "		departure->mbufs[departure->n++] = unsorted[i];",
        "		departure->mbufs[departure->n++] = unsorted[n - 1 - i];",
        "What leaves by one port is put in reverse, where a batch leaves by several.", TURNS),
    Bug("uplink-queue-by-ticket", "order", "src/engine/batch.c",
        "(source->port->index + source->queue) % port->n_queues;",
        "batch->ticket % port->n_queues;",
        "What came through one queue leaves by several of an uplink's.", TURNS),
    Bug("reserved-and-quiescent", "conservation", LCORE,
        "	if (likely(lcore->turns == NULL || !turns_has_reserved(lcore->turns)))",
        "	if (true)",
        "A port is detached while an lcore has buffers of it that it has not published.", TURNS),
    Bug("detached-with-batches", "conservation", "src/control/containers.c",
        "deferred_add_when(&control->deferred, ports_is_at_rest, ports_detach, port);",
        "deferred_add(&control->deferred, ports_detach, port);",
        "A port is detached while batches of it wait for their numbers.", TURNS),
    Bug("plan-before-all-is-out", "order", DATAPLANE,
        "	} else if (is_empty(dataplane) && is_at_rest(dataplane)) {", "	} else {",
        "A mode by right begins while packets are inside, or the other way round.", TURNS),
    Bug("receives-before-all-have-the-plan", "order", DATAPLANE,
        """\
		dataplane->next_plan = NULL;
		dataplane->change_token""",
        """\
		dataplane->next_plan = NULL;
		__atomic_store_n(&dataplane->pausing, false, __ATOMIC_RELEASE);
		dataplane->change_token""",
        "Some lcores receive by right while others do so as owners.", TURNS),
    Bug("number-unnoticed", "progress", "src/virtual/wires.c",
        "	for (uint16_t i = 0; n > 0 && i < driver->dataplane->n_lcores; i++)",
        "	for (uint16_t i = 0; false; i++)",
        "An lcore that waits for its number is not woken when it is up.", TURNS),

    # micro-flows
    Bug("mark-forgotten", "progress", LABELS,
        """\
	send_mark(lcore, path->lcore[path->merge], mark);
	return true;
""",
        "	return false;\n",
        "What is dropped on a branch leaves no end mark.", MICRO_FLOWS),
    Bug("mark-of-one", "progress", LABELS,
        "	last.packets += mark.packets;", "	last.packets = mark.packets;",
        "Of end marks that follow each other only the last one counts.", MICRO_FLOWS),
    Bug("mark-counted-twice", "progress", MERGE,
        ".ended += packets;", ".ended += 2 * packets;",
        "A mark that comes early counts twice when its micro-flow's turn has come.", MICRO_FLOWS),
    Bug("mark-gives-back-early", "conservation", LABELS,
        """\
	send_mark(lcore, path->lcore[path->merge], mark);
	return true;
""",
        """\
	send_mark(lcore, path->lcore[path->merge], mark);
	return false;
""",
        "The credit of a dropped packet comes back where it is dropped and from its mark.",
        MICRO_FLOWS),
    Bug("let-on-overtaken", "order", MERGE,
        "	if (unlikely(merge->waiting > 0)) {", "	if (false) {",
        "What comes to a merge overtakes what it has let on and nobody has taken.", UNIT_MERGE),
    Bug("merge-forgotten", "progress", MERGING,
        "		note_ready(lcore, merge, label);", "		;",
        "What a merge has let on and the feed had no room for is not taken later.", MICRO_FLOWS),
    Bug("held-on-wrong-branch", "order", MERGE,
        "	early->branch = branch;", "",
        "What is held of a micro-flow is looked for at another branch.", MICRO_FLOWS),
    Bug("label-of-first", "progress", LABELS,
        "		run = packets_in_run(mbufs, n, &behind);",
        "		packets_in_run(mbufs, n, &behind), run = n;",
        "A burst of two micro-flows of one branch has the label of its first packet.",
        MICRO_FLOWS),
    Bug("label-not-ended", "progress", OUTBOX,
        "	if (unlikely(!label_is_none(lcore->outboxes[to].label)))", "	if (false)",
        "Packets that are not to be merged follow others under their label.", MICRO_FLOWS),
    Bug("replica-as-packet", "progress", MERGING,
        "label.replica ? 0 : n + label.packets;", "n + label.packets;",
        "Replicas made on a branch count as packets of the micro-flow.", MICRO_FLOWS),
    Bug("larger-micro-flow", "progress", "src/steer/split.c",
        "	split->left = split->batch;", "	split->left = split->batch + 1;",
        "From the second one on micro-flows have a packet more than the merge expects.",
        MICRO_FLOWS),
    Bug("merge-not-begun", "progress", PATHS,
        "	merge_begin(&door->merges[number], dataplane->micro_flows.batch);", "",
        "A merge goes on counting from where its last elephant ended.", MICRO_FLOWS),
    Bug("joined-in-flight", "order", PATHS,
        """\
		if (elephant->state == ELEPHANT_FOUND)
			group.number = elephant->hash % FLOW_GROUPS;
""",
        """\
		if (elephant->state == ELEPHANT_FOUND) {
			elephants_join(&door->elephants, changed[i]);
			begin_elephant(lcore, changed[i]);
			continue;
		}
""",
        "A flow is split while packets of its flow group are on their way.", MICRO_FLOWS),
    Bug("left-in-flight", "order", PATHS,
        """\
		if (elephant->state == ELEPHANT_FOUND)
			group.number = elephant->hash % FLOW_GROUPS;
""",
        """\
		if (elephant->state == ELEPHANT_LEAVING) {
			elephants_leave(&door->elephants, changed[i]);
			continue;
		}
		group.number = elephant->hash % FLOW_GROUPS;
""",
        "A flow returns to its flow group while its micro-flows are on their way.", MICRO_FLOWS),
    Bug("one-branch-awaited", "progress", MOVES,
        "(group_is_elephant(group) ? moves->n_branches : 1);", "1;",
        "Of an elephant's branches only the first one's packets are known to have ended.",
        MICRO_FLOWS),
    Bug("resorted-in-flight", "order", PATHS,
        "if (unlikely(steering_waits(door)) && moves_at_rest(moves))",
        "if (unlikely(steering_waits(door)))",
        "Packets are told apart in another way while others are on theirs.", MICRO_FLOWS),

    # conservation
    Bug("lost-in-outbox", "conservation", OUTBOX,
        """\
	for (uint16_t i = 0; i < n; i++)
		outbox->parcels""",
        """\
	for (uint16_t i = n > 8; i < n; i++)
		outbox->parcels""",
        "Of a larger burst for another lcore the first packet is forgotten."),
    Bug("drop-without-free", "conservation", DROP,
        """\
&endings));
	rte_pktmbuf_free_bulk(mbufs, n);
""",
        "&endings));\n", "Dropped packets never return to the pool."),
    Bug("drop-without-count", "conservation", DROP,
        "	counter_add(counter, ledger_packets(&endings, 0, n));", "",
        "Dropped packets are counted nowhere."),
    Bug("replica-without-credit", "conservation", FLOOD,
        "	counter_add(&lcore->counters.admitted, 1);", "",
        "Replicas of flooded packets are made without taking a credit."),
    Bug("lost-credit", "conservation", DROP,
        """\
	drop(lcore, step, &lcore->counters.consumed, mbufs, n);
""",
        """\
	struct endings endings;

	ledger_read(mbufs, n, &endings);
	counter_add(&lcore->counters.consumed, ledger_packets(&endings, 0, n));
	(void)step;
	rte_pktmbuf_free_bulk(mbufs, n);
""",
        "The credit of a packet that was for weft itself does not come back."),
    Bug("beyond-credits", "conservation", CREDITS,
        "	return credits - RTE_MIN(credits_out(lcore), credits);", "	return credits;",
        "An lcore admits packets however many are on their way, until rings overflow."),
    Bug("injected-at-wrong-door", "conservation", "src/engine/dataplane.c",
        ".first = main, .door = main}", ".first = 0, .door = 0}",
        "The control side's packets give credits to an lcore that has not admitted them."),
    Bug("detach-without-grace", "conservation", "src/control/containers.c",
        "deferred_add_when(&control->deferred, ports_is_at_rest, ports_detach, port);",
        "ports_detach(port);",
        "A removed port is freed while lcores still poll it."),
    Bug("publish-without-grace", "conservation", "src/control/publish.c",
        "deferred_add(&control->deferred, publish_free, old);", "publish_free(old);",
        "The old tables are freed while lcores still read them.", THREADS),

    # progress
    Bug("lost-wake-up", "progress", OUTBOX,
        "		lcore->dirty[i]->dirty = false;", "",
        "An outbox that was flushed once is not flushed again."),
    Bug("credits-never-read", "progress", CREDITS,
        "if (credits_out(lcore) + RECEIVE_BURST > credits)", "if (false)",
        "A door does not notice that its credits have come back."),
    Bug("forgotten-inbox", "progress", "src/engine/dataplane.c",
        "	return inbox_add(to, outbox->ring, from == to);",
        "	return to->index == 1 ? 0 : inbox_add(to, outbox->ring, from == to);",
        "An lcore does not know of a ring that leads to it."),
    Bug("neighbour-not-published", "progress", "src/control/neighbours.c",
        "	neighbour->due_ms = now_ms + REFRESH_MS;\n	return changed;",
        "	neighbour->due_ms = now_ms + REFRESH_MS;\n	return false;",
        "The control side learns a next hop, and the lcores are not told."),

    # virtual time
    Bug("seen-too-early", "order", DRIVER,
        "	lcore->worked = lcore_poll(lcore->lcore);\n",
        "	lcore->worked = lcore_poll(lcore->lcore);\n	wires_hand_over(driver, lcore);\n",
        "What a turn sends is seen before the turn ends.", UNIT),
    Bug("not-woken", "progress", "src/virtual/wires.c",
        "virtual_wake(driver, wire->receiver, sender->time);", "",
        "An lcore that is handed packets sleeps on.", UNIT),
    Bug("credits-unnoticed", "progress", "src/virtual/wires.c",
        "virtual_wake(driver, door, sender->time);", "",
        "A door that waits for credits is not woken when they are there.", UNIT),

    # side by side
    Bug("published-too-early", "order", RESERVATION,
        "	while (end - first < RESERVATIONS_MAX && is_complete(reservations, end))",
        "	while (end != reservations->next)",
        "The peer is told of buffers that nobody has copied into yet.", UNIT_MEMIF),
    Bug("busy-is-full", "conservation", MEMIF,
        "		return -1;\n	frames_place", "		return 0;\n	frames_place",
        "Packets are dropped because another lcore reserves just now.", UNIT_MEMIF),
    Bug("descriptors-of-others", "isolation", MEMIF,
        "	uint32_t at = reservation->begin;", "	uint32_t at = 0;",
        "Descriptors are written from the ring's first one on, whoever has reserved it.",
        UNIT_MEMIF),
    Bug("wakes-itself", "progress", MEMIF,
        "	if (queue->to_client)\n		client_notify", "	client_notify",
        "Weft wakes itself by the eventfd that is the client's to write to.", UNIT_MEMIF),
    Bug("woken-for-ever", "isolation", "src/ports/wake.c",
        "		close(*wake);\n", "		(void)0;\n",
        "A client that is gone goes on waking lcores.", UNIT_MEMIF),

    # isolation
    Bug("last-verdict-ignored", "isolation", RUN,
        "end < n && verdicts[end] == verdicts[0]",
        "end < n && (end + 1 == n || verdicts[end] == verdicts[0])",
        "The last packet of a burst goes the way of the others, though it must be dropped."),
    Bug("fdb-without-network", "isolation", "src/stages/bridge.c",
        "uint16_t network = packet_of(mbufs[i])->network;", "uint16_t network = 0;",
        "Addresses are looked up in the first network, whatever the packet's is."),
    Bug("misread-vni", "isolation", "src/stages/vxlan.c",
        "rte_be_to_cpu_32(outer->vxlan->vx_vni) >> 8;",
        "rte_be_to_cpu_32(outer->vxlan->vx_vni) >> 8 | 1;",
        "Two VNIs that differ in one bit are taken for one network."),
    Bug("sent-to-other-network", "isolation", "src/stages/encap.c",
        """\
	remote = tables->remotes[packet->destination & ~PLACE_REMOTE];
	if (remote == NULL || remote->network != packet->network)""",
        """\
	remote = tables->remotes[(packet->destination & ~PLACE_REMOTE) ^ 2];
	if (remote == NULL)""",
        "A packet gets the header of the same VTEP in the other network."),
    Bug("vni-of-other-network", "isolation", "src/control/publish.c",
        ".vni = network->config->vni,", ".vni = control->networks.list[0].config->vni,",
        "All VTEPs' headers carry the first network's VNI."),
    Bug("wrong-network-of-port", "isolation", "src/stages/veth_rx.c",
        "packet->network = port->network;", "packet->network = 0;",
        "What a container sends belongs to the first network, whatever its port's is."),
    Bug("unguarded-source", "isolation", "src/stages/veth_rx.c",
        "if (tables->networks[port->network]->source_guard)", "if (false)",
        "A container may send from any address."),
    Bug("learned-in-other-network", "isolation", "src/control/fdb.c",
        "union fdb_value value = {.place = place, .heard",
        "union fdb_value value = {.place = place ^ 2, .heard",
        "A learned address is at a VTEP of the other network."),
    Bug("used-by-another", "isolation", ROUTE,
        "return likely(port != NULL) ? port->queues[0].owner : lcore->index;", "return lcore->index;",
        "An lcore sends by a queue that another one owns."),

    # equivalence
    Bug("port-by-door", "equivalence", "src/stages/encap.c",
        "write_header(mbuf, front, remote, packet->flow_hash);",
        "write_header(mbuf, front, remote, "
        "packet->flow_hash + ((uint32_t)packet->origin.door << 18));",
        "The outer source port depends on the lcore that received the packet."),

    # rings shared with containers
    Bug("seen-before-published", "order", VIRTQUEUE,
        "if (likely(position != (uint16_t)reservation->begin)) {", "if (true) {",
        "A container sees packets before those in front of them are copied.", UNIT_VIRTQUEUE),
    Bug("beyond-the-region", "isolation", "src/ports/guest_memory.h",
        "offset < region->size && *length <= region->size - offset", "offset < region->size",
        "A buffer may reach beyond what the container shares.", UNIT_VIRTQUEUE),
    Bug("any-number", "isolation", "src/ports/virtqueue_split.c",
        "if (own.split.next >= queue->size)", "if (false)",
        "A chain may lead to a descriptor that the ring does not have.", UNIT_VIRTQUEUE),
    Bug("chains-of-one", "equivalence", VIRTQUEUE,
        "n += buffer->slots > 0;", "n = 1;",
        "A container is not told that a packet goes on in other buffers.", UNIT_VIRTQUEUE),
    Bug("called-too-late", "progress", "src/ports/virtqueue_split.c",
        "after, before);", "after, after);",
        "A container that waits for an interrupt gets none.", UNIT_VIRTQUEUE),

    # who helps
    Bug("no-patience", "progress", HELPERS,
        "RTE_MIN(2 * helpers->patience, PATIENCE_MAX)", "helpers->patience",
        "A helper that had to be called back is let go again as soon.", UNIT_HELPERS),
    Bug("no-rest", "progress", HELPERS, "	helpers->rest = REST;", "",
        "Helpers are called and let go before loads show the last change.", UNIT_HELPERS),
    Bug("others-work-forgotten", "progress", HELPERS,
        "view->load * LOAD_FULL / RTE_MAX(view->share, 1u)", "view->load",
        "What helpers receive is no work that somebody else would have.", UNIT_HELPERS),
]


# --- tree and build ---

def tracked_files():
    listing = subprocess.run(["git", "-c", f"safe.directory={ROOT}", "ls-files", "-co", "-z",
                              "--exclude-standard", "--", *PARTS], cwd=ROOT, check=True,
                             stdout=subprocess.PIPE, text=True).stdout
    return {name for name in listing.split("\0") if name and (ROOT / name).is_file()}


def copy_tree():
    """Leaves alone what is the same, so that it is not built again."""
    names = tracked_files()
    for path in [*TREE.rglob("*")]:
        if path.is_file() and str(path.relative_to(TREE)) not in names:
            path.unlink()
    for name in sorted(names):
        source, copy = ROOT / name, TREE / name
        if copy.is_file() and copy.read_bytes() == source.read_bytes():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)


def command(argv):
    """(exit status, output)"""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    return done.returncode, done.stdout


def set_up():
    """What went wrong, or None."""
    names = [bug.name for bug in BUGS]
    if len(set(names)) < len(names):
        return f"several bugs have the name {max(names, key=names.count)}"
    copy_tree()
    if (BUILD / "build.ninja").exists():
        return None
    shutil.rmtree(BUILD, ignore_errors=True)
    status, output = command(["/usr/bin/meson", "setup", *OPTIONS, BUILD, TREE])
    return None if status == 0 else f"meson setup failed\n{output}"


def build(names):
    """Builds programs and puts them aside. `names`: by program. What went wrong, or None."""
    status, output = command(["/usr/bin/ninja", "--quiet", "-C", BUILD, *names])
    if status != 0:
        return f"{' '.join(names)} cannot be built\n{output}"
    PROGRAMS.mkdir(exist_ok=True)
    for program, name in names.items():
        shutil.copy(BUILD / program, PROGRAMS / name)
    return None


# --- runs ---

def report_of(program):
    """How it says that something is wrong."""
    return FAILED_TEST if program == FLOODS or program.startswith("unit-") else REPORT


def run(program, name, seconds, packets=0, report=None):
    """(exit status, output) of a simulation program that was put aside as `name`; it is killed when
    it has used so many seconds of a CPU, and after its first report: it would look for more."""
    environment = {**os.environ, "WEFT_SIM_PACKETS": str(packets or PACKETS.get(program, 0)),
                   "WEFT_SIM_SEED": str(SEED)}
    process = subprocess.Popen(["/usr/bin/prlimit", f"--cpu={seconds}", PROGRAMS / name],
                               env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace")
    output = ""
    timer = threading.Timer(ASLEEP_SECONDS, process.kill)
    timer.start()
    for line in process.stdout:
        output += line
        if report and report.search(line):
            process.kill()
    status = process.wait()
    timer.cancel()
    return status, output


def crash_of(status, output):
    """Which crash ended the program or one of its tests; "" if none did."""
    exception = re.search(r"Test failed with exception: (.*)", output)
    if exception:
        return exception.group(1)
    if status < 0:
        return signal.Signals(-status).name
    # cmocka's handler does not survive the signal of another thread than its own.
    return "" if "test(s) run." in output else f"status {status} in the middle of a test"


def verdict(bug, status, output):
    """(caught, by what). A failed assertion alone does not count: too few packets, say, are no
    report of what is wrong."""
    report = report_of(bug.program).search(output)
    if status == 0:
        return False, "NOT CAUGHT: the simulation passed"
    if report:
        return True, f"caught: {report.group(1)}"
    if status == -signal.SIGKILL:
        if bug.kind == "progress":
            return True, f"caught: stood still, and was killed after {RUN_SECONDS} s of a CPU"
        return False, f"NOT CAUGHT: killed after {RUN_SECONDS} s of a CPU, without a report"
    crash = crash_of(status, output)
    if crash:
        return True, f"caught by a crash: {crash}"
    return False, f"NOT CAUGHT: status {status} without a report"


# --- the bugs ---

def build_with(bug):
    """Puts the bug in, builds and takes it out. What went wrong, or None."""
    source = TREE / bug.file
    text = source.read_text() if source.is_file() else ""
    found = text.count(bug.old)
    if found != 1:
        return (f"the table in tests/mutants.py is out of date: {bug.file} has {found} places "
                f"like this:\n{bug.old}")
    source.write_text(text.replace(bug.old, bug.new))
    try:
        return build({bug.program: bug.name})
    finally:
        source.write_text(text)


def try_bug(bug, start, add):
    status, output = run(bug.program, bug.name, RUN_SECONDS, bug.packets,
                         report_of(bug.program))
    caught, by = verdict(bug, status, output)
    add(f"mutants/{bug.name}", "ok" if caught else "FAILED", time.monotonic() - start,
        f"{output}\n{bug.kind}, {bug.file}: {bug.text}", f"{bug.kind}; {by}")


def fails(program):
    """What a program without a bug does wrong, or None."""
    status, output = run(program, program, FINE_SECONDS)
    return None if status == 0 else f"{program} does not pass without a bug\n{output}"


def try_without(programs, add):
    """The same runs must pass without a bug, or they would say nothing. True if they do."""
    start = time.monotonic()
    wrong = set_up() or build({program: program for program in programs})
    if wrong is None:
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            wrong = "\n".join(filter(None, pool.map(fails, programs))) or None
    add("mutants/none", "FAILED" if wrong else "ok", time.monotonic() - start, wrong or "", "")
    return wrong is None


def try_bugs(bugs, add):
    """While one bug runs, the next is built; bugs of one file follow each other, since taking one
    out is building that file again."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = []
        for bug in sorted(bugs, key=lambda bug: (bug.file, bug.program)):
            start = time.monotonic()
            wrong = build_with(bug)
            if wrong is None:
                runs.append(pool.submit(try_bug, bug, start, add))
            else:
                add(f"mutants/{bug.name}", "FAILED", time.monotonic() - start, wrong, "")
        for each in runs:
            each.result()


def try_all(bugs, add):
    """Calls add(name, outcome, seconds, output, note) for each."""
    PLACE.mkdir(exist_ok=True)
    with open(PLACE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one at a time in this tree
        if try_without(sorted({bug.program for bug in bugs}), add):
            try_bugs(bugs, add)
        shutil.rmtree(PROGRAMS, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a bug; all if none is given")
    names = parser.parse_args().names
    unknown = set(names) - {bug.name for bug in BUGS}
    if unknown:
        parser.error(f"there is no bug {', '.join(sorted(unknown))}")
    failed = []

    def add(name, outcome, seconds, output, note):
        print(f"{name} {outcome} {seconds:.1f} s{f' ({note})' if note else ''}", flush=True)
        if outcome != "ok":
            failed.append(name)
            print(output[-4000:], flush=True)

    try_all([bug for bug in BUGS if not names or bug.name in names], add)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
