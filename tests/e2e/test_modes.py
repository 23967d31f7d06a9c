# SPDX-License-Identifier: BSD-3-Clause
"""The baselines native and linux-overlay, and a pipeline laid out by hand."""

import pytest

import traffic
from flow import Flow
from peers import Container, KernelHost, TapContainer
from topology import EAST_ADDRESS, VNI, WEB_MAC, Overlay
from waiting import PATIENCE, until
from weft_config import Config

PIPELINE_LCORES = "0@0,1@1,2@1"
COUNT = 5000  # packets of one flow


def test_native_is_a_plain_wire(lab, binary):
    """Frames pass between the uplink and the one container as they are: no overlay."""
    host = lab.namespace("weft")
    east = KernelHost(lab, "east", f"{EAST_ADDRESS}/24").connect(host, "up0")
    neighbour = Container(east.namespace, None, (east.prefixed,))
    web = TapContainer(lab, "web", WEB_MAC, "192.0.2.7/24", "fd00:2::7/64")
    config = (Config().uplink().network("blue", VNI, [EAST_ADDRESS]).tap("web", "blue", web))
    weft = lab.weft(config, netns=host, options=("--mode", "native")).wait_ready()
    assert weft.mode() == "native"
    web.come_up(mtu=1500)
    traffic.reachable(neighbour, web.address())
    traffic.pings(neighbour, web.address(), 20)
    traffic.pings(web, EAST_ADDRESS, 20, size=1472)
    traffic.stream(neighbour, web)
    traffic.stream(web, neighbour)


def test_linux_overlay_has_no_bridge(lab, binary):
    """VXLAN straight from the one VTEP to the one container: the bridge stage sees nothing."""
    overlay = Overlay(lab, options=("--mode", "linux-overlay")).start()
    traffic.reachable(overlay.db, overlay.web.address())
    traffic.pings(overlay.web, overlay.db.address(), 20)
    traffic.pings(overlay.web, overlay.db.address(6), 10)
    for client, server in ((overlay.db, overlay.web), (overlay.web, overlay.db)):
        traffic.stream(client, server)
    stages = overlay.weft.stages()
    assert stages["bridge"]["packets"] == 0
    assert stages["vxlan"]["packets"] > 0


def test_two_queues_on_two_lcores(lab, binary):
    """An uplink whose queues belong to different lcores: many flows at once, both ways."""
    overlay = Overlay(lab, lcores=PIPELINE_LCORES)
    overlay.config.uplink(queues=2, lcores="1 2")
    overlay.start()
    traffic.reachable(overlay.db, overlay.web.address())
    for client, server in ((overlay.db, overlay.web), (overlay.web, overlay.db)):
        traffic.streams(client, server, flows=8)
    # Which queue a flow comes to is chance; sooner or later both have some.
    until(lambda: both_work(overlay.weft) or traffic.stream(overlay.db, overlay.web, 1), PATIENCE,
          lambda: f"two lcores at work: {overlay.weft.rows('lcores')}")


def both_work(weft):
    return all(row["working"] > 0 for row in weft.rows("lcores"))


@pytest.mark.parametrize("stages", [{"bridge": 2}, {"vxlan": 2, "bridge": 1},
                                    {"gro": 2, "vxlan": 1, "bridge": 2, "encap": 2}],
                         ids=lambda stages: " ".join(stages))
def test_pipeline_by_hand(lab, binary, stages):
    """Bursts cross lcores in the middle of the way, in order and without loss."""
    overlay = Overlay(lab, lcores=PIPELINE_LCORES)
    overlay.config.pipeline(**stages)
    overlay.config.section("uplink phys", lcores="1")
    overlay.config.section("port web", lcore=1)
    overlay.start()
    traffic.reachable(overlay.db, overlay.web.address())
    traffic.pings(overlay.web, overlay.db.address(), 10)
    traffic.stream(overlay.db, overlay.web)
    rows = overlay.weft.stages()
    for stage, lcore in stages.items():
        assert str(rows[stage]["lcores"]).strip("[]") == str(lcore)
        assert rows[stage]["packets"] > 0
    Flow(overlay).flow_for(COUNT)
