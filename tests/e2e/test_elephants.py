# SPDX-License-Identifier: BSD-3-Clause
"""Flows that are cut into micro-flows and put back in order, while everything changes."""

import json
import signal

import pytest

from flow import CHUNK, Flow
from netns import command
from test_virtual import assert_sound, complaint, rows, run, start, traffic
from test_virtual import overlay as virtual_overlay
from topology import Overlay
from waiting import PATIENCE, until
from weft import WEFTCTL, check_conservation

LCORES = "0@0,1@1,2@1,3@1"
RATE = 1000  # packets per second: few, for a sender in Python beside lcores that share a CPU
BATCH = 32
MANY, MANY_RATE = 34, 10000  # elephants, packets per second that make one of these
PIPELINED = {"rx": "split", "vxlan": "flow+stage", "veth": "merge"}
SPLITTING = ("mflow-full", "mflow-device", "pipelined")
OTHERS = ("vanilla", "rps", "falcon-func", "linux-overlay")


def overlay_of(lab, mode="mflow-full", **keys):
    """Lcore 1 polls the uplink and web; 2 and 3 are left for the branches."""
    overlay = Overlay(lab, lcores=LCORES)
    overlay.config.section("weft", mode=mode)
    overlay.config.section("uplink phys", lcores="1")
    overlay.config.section("port web", lcore=1)
    overlay.config.section("micro-flows", **{"batch": BATCH, "rate": RATE, **keys})
    overlay.config.section("mode pipelined", **PIPELINED)
    return overlay.start()


def elephants(weft):
    return weft.rows("elephants")


def door(weft):
    return weft.rows("elephants/doors")[0]


def is_split(weft):
    """The one elephant, once its packets are merged where they are consumed."""
    rows = elephants(weft)
    return [row for row in rows if row["state"] == "split" and row["merge"] == 1]


def promote(weft):
    return until(lambda: is_split(weft), PATIENCE, lambda: f"an elephant: {elephants(weft)}")


def merge_some(weft):
    begin = promote(weft)[0]["packets"]
    until(lambda: promote(weft)[0]["packets"] >= begin + 8 * BATCH, PATIENCE,
          lambda: f"packets merged: {elephants(weft)}")


def demote(weft):
    until(lambda: elephants(weft) == [], PATIENCE, lambda: f"no elephant: {elephants(weft)}")


def show(weft, *words):
    return command(WEFTCTL, "--file-prefix", weft.prefix, "show", "elephants", *words).stdout


@pytest.mark.quick
@pytest.mark.parametrize("mode, branches", [
    ("mflow-full", {"2", "3"}), ("mflow-device", {"2", "3"}), ("pipelined", {"1+3", "2+1"})])
def test_one_flow_becomes_an_elephant(lab, binary, mode, branches):
    overlay = overlay_of(lab, mode, **({"lcores": "1 2 3"} if mode == "pipelined" else {}))
    weft, flow = overlay.weft, Flow(overlay)
    before, = flow.flow_until(lambda: is_split(weft), PATIENCE,
                              lambda: f"an elephant: {elephants(weft)}")
    sent = flow.sent
    row, = flow.flow_until(lambda: flow.seen > sent + 20 * BATCH and has_rate(weft), PATIENCE,
                           lambda: f"packets of {elephants(weft)}")
    assert row["flow"] == before["flow"]
    assert row["micro_flows"] <= row["in_flight"] <= CHUNK + row["waiting"]
    answer = shown_at_rest(weft, flow)
    check_elephant(answer, branches)
    row, = answer["elephants"]
    assert row["flow"] == before["flow"]
    assert row["micro_flows"] == row["in_flight"] == row["held"] == row["waiting"] == 0
    assert weft.stages()["merge"]["packets"] >= row["packets"] - row["marks"]
    if answer["doors"][0]["promoted"] == 1:
        assert 20 * BATCH <= row["packets"] - before["packets"] <= flow.sent - sent + CHUNK


def shown_at_rest(weft, flow):
    """What weftctl says when all packets of an elephant have come out. It is one for a few seconds
    more, in which this must get to run."""
    def shown():
        flow.flow_until(lambda: is_split(weft), PATIENCE, "an elephant")
        answer, text = json.loads(show(weft, "--json")), show(weft)
        there = [row for row in answer["elephants"] if row["flow"] in text]
        return answer if there else None
    return until(shown, PATIENCE, "an elephant that is shown")


def has_rate(weft):
    return [row for row in elephants(weft) if row["rate"] > 0]


def check_elephant(answer, branches):
    assert [(row["lcore"], row["elephants"], row["at_most"]) for row in answer["doors"]] == [
        (1, 1, 16)]
    assert answer["doors"][0]["promoted"] >= 1
    row, = answer["elephants"]
    assert (row["door"], row["state"], row["merge"]) == (1, "split", 1)
    assert set(row["branches"].split()) == branches
    assert len(row["flow"]) == 8 and int(row["flow"], 16) > 0
    assert 0 <= row["most_held"] <= CHUNK and row["out_of_order"] <= row["packets"]
    assert row["merge_cycles"] > 0


def test_modes_change_under_an_elephant(lab, binary):
    """From one way of splitting to another, to modes that do not split, and back."""
    overlay = overlay_of(lab)
    weft, flow = overlay.weft, Flow(overlay)

    def change(mode):
        def to():
            assert weft.change("mode", mode)["mode"] == mode
            if mode in SPLITTING:
                merge_some(weft)
            else:
                demote(weft)
        return to
    ways = [mode for other in OTHERS for mode in (*SPLITTING, other)]
    flow.flow_while(*[change(mode) for mode in ways])
    assert door(weft)["promoted"] >= len(OTHERS)
    assert weft.telemetry.ask("/weft/steer")["moves"]["refused"] == 0


def test_ports_come_and_go_beside_an_elephant(lab, binary):
    overlay = overlay_of(lab)
    weft, flow = overlay.weft, Flow(overlay)
    host = lab.namespace("guest")

    def come_and_go():
        for _ in range(5):
            weft.port_add("guest", network="blue", type="tap", mac="02:00:00:00:00:31",
                          netns=host.name, interface="eth0")
            weft.port_del("guest")
    flow.flow_while(lambda: promote(weft), come_and_go, lambda: promote(weft))


def test_the_elephants_own_port_goes_and_comes(lab, binary):
    """Packets for a port that is away are dropped on their branches, and told of by end marks."""
    overlay = overlay_of(lab)
    weft, flow = overlay.weft, Flow(overlay)
    flow.flow_while(lambda: promote(weft))
    weft.port_del("web")
    flow.out.close()
    before = weft.conservation()["dropped"]
    with overlay.east.raw_socket() as raw:
        for burst in range(1, 21):
            flow.send(raw, CHUNK // 2)
            until(lambda: weft.conservation()["dropped"] >= before + burst * CHUNK // 2, PATIENCE,
                  lambda: f"all dropped: {weft.conservation()}")
    weft.settle()
    assert [row for row in elephants(weft) if row["held"] > 0] == []
    weft.port_add("web", network="blue", type="tap", mac=overlay.web.mac, lcore="1",
                  netns=overlay.web.namespace.name, interface="eth0")
    overlay.web.come_up()
    Flow(overlay).flow_while(lambda: promote(weft))


def test_a_flow_that_pauses_is_no_elephant(lab, binary):
    overlay = overlay_of(lab)
    weft, flow = overlay.weft, Flow(overlay)
    for times in (1, 2):
        flow.flow_while(lambda: promote(weft))
        demote(weft)
        assert door(weft)["promoted"] == door(weft)["demoted"] >= times
        flow.flow_until(lambda: flow.seen > 0, PATIENCE, "a few packets beside it")


def test_the_end_with_packets_inside(lab, binary):
    """SIGTERM while packets wait for their turn at the merge: the account is balanced."""
    overlay = overlay_of(lab)
    weft, flow = overlay.weft, Flow(overlay)
    flow.flow_while(lambda: promote(weft))
    with overlay.east.raw_socket() as raw:
        def holds():
            flow.send(raw, CHUNK)
            return any(row["held"] > 0 for row in elephants(weft))
        until(holds, PATIENCE, lambda: f"packets held: {elephants(weft)}", interval=0)
        weft.process.signal(signal.SIGTERM)
        flow.send(raw, CHUNK)
    weft.stopped = True
    weft.telemetry.close()
    assert weft.process.wait() == 0, weft.process.tail()
    check_conservation(weft.process.output())


# --- in virtual time ---

def virtual_run(lab, mode, rate):
    """The results with one flow, four lcores, of which 2 and 3 may be branches."""
    config = (virtual_overlay(lcores=4, seconds=0.05)
              .section("weft", mode=mode, credits=4096)
              .section("micro-flows", lcores="2 3")
              .section("port web", lcore=4))
    results = run(lab, traffic(config, "one", rate))
    assert_sound(rows(results)["all"])
    return results


@pytest.mark.parametrize("mode", ["mflow-full", "mflow-device"])
def test_an_elephant_in_virtual_time(lab, binary, mode):
    """It is one after two windows of 4 ms; before that, one of the two lcores has it alone."""
    results = virtual_run(lab, mode, 4000000)
    of_door, = [row["elephants"] for row in results["doors"]]
    assert of_door["promoted"] == 1 and of_door["demoted"] == 0
    delivered = rows(results)["all"]["delivered"]
    assert 0.75 * delivered < of_door["merged"] < 0.9 * delivered
    assert of_door["out_of_order"] < of_door["merged"]
    busy = {row["lcore"]: row["busy"] for row in results["lcores"]}
    assert busy[2] == pytest.approx(busy[3], rel=0.3)


def test_many_elephants(lab, binary):
    """More than fit into one answer."""
    config = (virtual_overlay(lcores=4, seconds=3600)
              .section("weft", mode="mflow-device", credits=4096)
              .section("micro-flows", lcores="2 3", elephants=MANY, rate=MANY_RATE)
              .section("port web", lcore=4))
    process, prefix = start(lab, traffic(config, "all", 4 * MANY * MANY_RATE, flows=MANY))
    process.wait_for("weft: ready")

    def shown():
        rows = json.loads(command(WEFTCTL, "--file-prefix", prefix, "show", "elephants",
                                  "--json").stdout)["elephants"]
        return len(rows) == MANY and all(row["state"] == "split" for row in rows) and rows
    found = until(shown, PATIENCE, f"{MANY} elephants")
    assert len({row["flow"] for row in found}) == MANY
    assert [row["number"] for row in found] == list(range(MANY))
    assert {row["branches"] for row in found} == {"2 3"}
    process.signal(signal.SIGINT)
    assert process.wait() == 0, process.output()
    check_conservation(process.output())


def test_a_flow_below_the_rate_is_no_elephant(lab, binary):
    door_row, = virtual_run(lab, "mflow-full", 50000)["doors"]
    assert door_row["elephants"] == {
        "promoted": 0, "demoted": 0, "merged": 0, "out_of_order": 0, "most_held": 0}


def test_branches_are_virtual_lcores(lab, binary):
    line = complaint(lab, virtual_overlay().section("micro-flows", lcores="1 2"))
    assert "[micro-flows]: lcores: 2 is no virtual lcore" in line
