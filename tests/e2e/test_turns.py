# SPDX-License-Identifier: BSD-3-Clause
"""Lcores that take turns at the queues of ports, with real peers."""

import itertools
import json

import pytest

import apps
import traffic
from flow import CHUNK, Flow
from netns import command
from peers import TapContainer
from topology import DB_MAC, Overlay
from waiting import PATIENCE, until
from weft import WEFTCTL

LCORES = "0@0,1@1,2@1,3@1"
FLOWS = 8
MODES = ("turns", "auto")
WAY = ("turns", "vanilla", "auto", "rps", "turns", "falcon-func", "auto", "mflow-full")
NEAR_MAC, NEAR_ADDRESS = "02:00:00:00:00:05", "10.1.0.5/24"
BUSY_MAC = "02:00:00:00:00:11"
MANY = 20000  # packets of a container that sends as fast as it can


def overlay_of(lab, mode):
    """The queues of phys and web belong to lcore 1; 2 and 3 have none of their own."""
    overlay = Overlay(lab, lcores=LCORES, options=("--mode", mode))
    overlay.config.section("uplink phys", lcores="1 2 3")
    overlay.config.section("port web", lcore=1)
    return overlay


def settled(weft):
    """True when the mode that was gone to is there and nothing moves any more."""
    return ("coming" not in weft.telemetry.ask("/weft/mode") and
            weft.telemetry.ask("/weft/steer")["moves"]["moving"] == 0)


def change(weft, mode):
    assert weft.change("mode", mode)["mode"] == mode
    until(lambda: settled(weft), PATIENCE, lambda: str(weft.telemetry.ask("/weft/mode")))
    assert weft.mode() == mode


def lcores(weft):
    return {row["lcore"]: row for row in weft.rows("lcores")}


@pytest.mark.parametrize("mode", MODES)
def test_order_and_who_serves(lab, binary, mode):
    """The kernel's packets come to web in their order, and weftctl says who had them."""
    overlay = overlay_of(lab, mode).start()
    traffic.reachable(overlay.db, overlay.web.address())
    flow = Flow(overlay, FLOWS)
    flow.flow_for(20 * CHUNK)
    rows = lcores(overlay.weft)
    assert rows[1]["home"] == "phys.0 web.0"
    assert rows[2]["home"] == rows[3]["home"] == rows[1]["helps"] == ""
    assert sum(row["batches"] for row in rows.values()) > 0
    assert all(row["own_batches"] <= row["batches"] for row in rows.values())
    if mode == "turns":
        assert rows[2]["helps"] == rows[3]["helps"] == "1"
        assert rows[2]["batches"] + rows[3]["batches"] > 0
    shown = json.loads(command(WEFTCTL, "--file-prefix", overlay.weft.prefix, "show", "lcores",
                               "--json").stdout)["lcores"]
    assert [row["home"] for row in shown] == ["phys.0 web.0", "", ""]


def near_container(lab, overlay):
    """A second container, on the same host as web."""
    near = TapContainer(lab, "near", NEAR_MAC, NEAR_ADDRESS)
    overlay.config.tap("near", "blue", near)
    overlay.start()
    near.come_up()
    traffic.reachable(near, overlay.web.address())
    return near


@pytest.mark.parametrize("mode", MODES)
def test_local_traffic(lab, binary, mode):
    """Between two containers, both ways at once, beside what comes from elsewhere."""
    overlay = overlay_of(lab, mode)
    near = near_container(lab, overlay)
    traffic.reachable(overlay.db, overlay.web.address())
    traffic.all_together(lambda: traffic.stream(near, overlay.web, port=7001),
                         lambda: traffic.stream(overlay.web, near, port=7002),
                         lambda: traffic.stream(overlay.db, overlay.web, port=7003))


@pytest.mark.parametrize("mode", MODES)
def test_ports_come_and_go(lab, binary, mode):
    """Nothing of a flow is lost or overtaken while other ports are added and removed."""
    overlay = overlay_of(lab, mode).start()
    traffic.reachable(overlay.db, overlay.web.address())
    sockets = itertools.count()

    def come_and_go():
        for kind in ("memif", "vhost-user"):
            overlay.weft.port_add("more", network="blue", type=kind, mac=NEAR_MAC,
                                  path=lab.directory / f"more-{next(sockets)}.sock")
            overlay.weft.port_del("more")
    flow = Flow(overlay, FLOWS)
    flow.flow_while(*[come_and_go] * 10)
    flow.flow_for(CHUNK)


def busy_container(lab, overlay, kind):
    """testpmd, which sends to db as fast as it can."""
    path = lab.directory / "busy.sock"
    overlay.config.port("busy", "blue", kind, BUSY_MAC, path=path)
    overlay.config.fdb("blue", {DB_MAC: "192.0.2.2"})
    overlay.start()
    device = (apps.virtio_user if kind == "vhost-user" else apps.memif)(path, BUSY_MAC)
    apps.Testpmd(lab, device, forward="txonly", options=(f"--eth-peer=0,{DB_MAC}",)).start()
    sends(overlay.weft, MANY)


def sends(weft, more):
    """Waits until so many more packets have come from it."""
    begin = weft.ports()["busy"]["rx_packets"]
    until(lambda: weft.ports()["busy"]["rx_packets"] >= begin + more, PATIENCE,
          lambda: str(weft.ports()["busy"]))


@pytest.mark.parametrize("kind", ["vhost-user", "memif"])
def test_a_busy_container(lab, binary, kind):
    """It sends through every change of mode, and through its port's end."""
    overlay = overlay_of(lab, "auto")
    busy_container(lab, overlay, kind)
    for mode in WAY:
        change(overlay.weft, mode)
        sends(overlay.weft, MANY)
    change(overlay.weft, "turns")
    overlay.weft.port_del("busy")
    assert "busy" not in overlay.weft.ports()
    overlay.weft.settle()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["vhost-user", "memif"])
def test_the_end_under_load(lab, binary, kind, mode):
    """What is inside when weft is told to end comes out, and all of it is accounted for."""
    overlay = overlay_of(lab, mode)
    busy_container(lab, overlay, kind)
    overlay.weft.stop()


def test_the_end_while_the_mode_changes(lab, binary):
    """Also while a change waits; the next one takes its place."""
    overlay = overlay_of(lab, "auto")
    busy_container(lab, overlay, "memif")
    modes = itertools.cycle(WAY)
    end = overlay.weft.ports()["busy"]["rx_packets"] + MANY

    def change_and_see():
        overlay.weft.change("mode", next(modes))
        return overlay.weft.ports()["busy"]["rx_packets"] >= end
    until(change_and_see, PATIENCE, "what it sends, while modes change", interval=0)
    overlay.weft.stop()
