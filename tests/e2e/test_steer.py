# SPDX-License-Identifier: BSD-3-Clause
"""Modes that steer flows over lcores, and changes of the mode under traffic."""

import itertools
import json
import threading

import pytest

import traffic
from flow import CHUNK, Flow
from netns import command
from topology import Overlay
from waiting import PATIENCE, until
from weft import WEFTCTL

LCORES = "0@0,1@1,2@1,3@1"
FLOWS = 8
ROUNDS = 5  # of all modes
OWN = {"gro": "flow+stage", "vxlan": "with gro", "bridge": "flow+stage", "veth": "with rx",
       "gate": "off"}
WAY = ("vanilla", "turns", "rps", "auto", "falcon-dev", "falcon-func", "own", "linux-overlay")


def overlay_of(lab, **keys):
    """Lcore 1 polls the uplink and web; 2 and 3 are left for steering."""
    overlay = Overlay(lab, lcores=LCORES)
    overlay.config.section("weft", **keys)
    overlay.config.section("uplink phys", lcores="1")
    overlay.config.section("port web", lcore=1)
    overlay.config.section("mode own", **OWN)
    return overlay


def weftctl(weft, *words):
    return command(WEFTCTL, "--file-prefix", weft.prefix, *words).stdout


def refusal(weft, *words):
    """The one line that weftctl says of a command that fails."""
    done = command(WEFTCTL, "--file-prefix", weft.prefix, *words, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done
    return done.stderr


def moves(weft):
    return weft.telemetry.ask("/weft/steer")["moves"]


def settle(weft):
    """Waits until every flow group has the path that the mode wants for it."""
    until(lambda: moves(weft)["moving"] == 0, PATIENCE, lambda: f"moves ended: {moves(weft)}")


def change(weft, mode):
    assert weft.change("mode", mode)["mode"] == mode
    settle(weft)


def while_changing(weft, modes, *calls):
    """Makes calls one after the other, and meanwhile goes from mode to mode as fast as it gets
    through with one, until all calls have been made and all modes have been gone to. Calls that are
    through before are made again."""
    stop, ended, changes = threading.Event(), threading.Event(), set()

    def change_all():
        try:
            for mode in itertools.cycle(modes):
                if stop.is_set():
                    return
                change(weft, mode)
                changes.add(mode)
        finally:
            ended.set()

    def run():
        try:
            for number, call in enumerate(itertools.cycle(calls)):
                if ended.is_set() or (number >= len(calls) and changes == set(modes)):
                    return
                call()
        finally:
            stop.set()
    traffic.all_together(run, change_all)


def test_mode_changes_under_traffic(lab, binary):
    """Nothing is lost or reordered while the mode changes again and again."""
    overlay = overlay_of(lab).start()
    traffic.reachable(overlay.db, overlay.web.address())
    flow = Flow(overlay, FLOWS)
    flow.flow_while(*[lambda mode=mode: change(overlay.weft, mode) for mode in ROUNDS * WAY])
    flow.flow_for(CHUNK)
    assert moves(overlay.weft)["ended"] > 0
    change(overlay.weft, "vanilla")
    traffic.pings(overlay.web, overlay.db.address(), 10)


def test_tcp_while_the_mode_changes(lab, binary):
    """Both ways, with what coalescing there is."""
    overlay = overlay_of(lab).start()
    traffic.reachable(overlay.db, overlay.web.address())
    while_changing(overlay.weft, WAY, lambda: traffic.stream(overlay.db, overlay.web),
                   lambda: traffic.stream(overlay.web, overlay.db))


@pytest.mark.quick
@pytest.mark.parametrize("mode, stages", [
    ("rps", {"vxlan": "flow"}),
    ("falcon-dev", {"vxlan": "flow+stage", "bridge": "flow+stage"}),
    ("falcon-func", {"gro": "flow+stage", "vxlan": "flow+stage", "bridge": "flow+stage"}),
    ("own", {stage: way for stage, way in OWN.items() if stage != "gate"}),
])
def test_show_steer(lab, binary, mode, stages):
    """What weftctl says of steering is what the configuration wants."""
    overlay = overlay_of(lab, mode=mode)
    overlay.config.section("steering", policy="static", threshold=100)
    overlay.start()
    traffic.reachable(overlay.db, overlay.web.address())
    flow = Flow(overlay, FLOWS)
    flow.flow_for(2 * CHUNK)
    answer = json.loads(weftctl(overlay.weft, "show", "steer", "--json"))
    assert (answer["mode"], answer["policy"], answer["threshold"]) == (mode, "static", 100)
    assert {row["stage"]: row["way"] for row in answer["stages"]} == stages
    assert {row["lcore"]: row["steering"] for row in answer["lcores"]} == {
        1: False, 2: True, 3: True}
    assert all(0 <= row["load"] <= 100 for row in answer["lcores"])
    assert [gate["lcore"] for gate in answer["gates"]] == [1]
    assert answer["gates"][0]["arrived"] >= flow.sent
    assert answer["moves"]["moving"] == answer["moves"]["held"] == 0
    check_groups(answer)
    text = weftctl(overlay.weft, "show", "steer")
    assert text.startswith(
        f"mode {mode}  receive owner  deliver owner  policy static  threshold 100%\n")


def check_groups(answer):
    """Each flow group's path runs over the lcores that its stages may run on."""
    lcores = {row["stage"]: row["lcores"].split() for row in answer["stages"]}
    assert 0 < len(answer["groups"]) <= 16
    for group in answer["groups"]:
        assert group["door"] == 1 and group["packets"] > 0 and group["rate"] >= 0
        path = dict(step.split() for step in group["path"].split(", "))
        if answer["gated"] and not answer["gates"][0]["open"]:
            assert path.keys() == {"vxlan"}
        else:
            assert path.keys() == lcores.keys()
            assert all(lcore in lcores[stage] for stage, lcore in path.items())


def test_steering_lcores_are_those_that_the_configuration_names(lab, binary):
    overlay = overlay_of(lab, mode="rps")
    overlay.config.section("steering", lcores="3")
    overlay.start()
    traffic.reachable(overlay.db, overlay.web.address())
    answer = json.loads(weftctl(overlay.weft, "show", "steer", "--json"))
    assert {row["lcore"] for row in answer["lcores"] if row["steering"]} == {3}
    assert {group["path"] for group in answer["groups"]} == {"vxlan 3"}
    assert overlay.weft.stages()["vxlan"]["lcores"] == "3"


@pytest.mark.quick
def test_modes_that_cannot_be_gone_to(lab, binary):
    overlay = overlay_of(lab)
    overlay.config.pipeline(bridge=2)
    overlay.start()
    weft = overlay.weft
    text = refusal(weft, "mode", "warp")
    assert "'warp'" in text and "falcon-dev" in text and "own" in text
    assert "native" in refusal(weft, "mode", "native")
    for mode in ("linux-overlay", "turns", "auto"):
        assert "[pipeline]" in refusal(weft, "mode", mode)
    assert weft.mode() == "vanilla"
    assert weftctl(weft, "mode", "own") == "mode own\nwas vanilla\n"
    assert weft.mode() == "own"
    traffic.reachable(overlay.db, overlay.web.address())
