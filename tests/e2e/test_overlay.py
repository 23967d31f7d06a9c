# SPDX-License-Identifier: BSD-3-Clause
"""weft and a kernel VXLAN host: what works between two kernels works between weft and a kernel."""

import pytest

import netns
import traffic
from apps import nginx
from peers import Container, KernelHost, TapContainer
from topology import DB_MAC, VNI, WEB_MAC, WEFT_ADDRESS, Overlay
from waiting import PATIENCE, until
from weft_config import Config

FILE_MEGABYTES = 50
FLANNEL_PORT = 8472


@pytest.fixture
def overlay(lab, binary):
    return Overlay(lab).start()


@pytest.mark.quick
def test_ping_both_ways(overlay):
    traffic.reachable(overlay.db, overlay.web.address())
    traffic.pings(overlay.db, overlay.web.address(), 20)
    traffic.pings(overlay.web, overlay.db.address(), 20)
    traffic.pings(overlay.web, overlay.db.address(), 5, size=1400)


@pytest.mark.quick
def test_arp_from_cold_in_both_directions(overlay):
    """The very first packet of either side is an ARP request, which has to be flooded."""
    traffic.reachable(overlay.db, overlay.web.address())
    for first, second in ((overlay.db, overlay.web), (overlay.web, overlay.db)):
        traffic.cold(overlay.db, overlay.web)
        traffic.pings(first, second.address(), 3)


@pytest.mark.quick
def test_vtep_is_a_host_on_the_underlay(overlay):
    """Its address answers ARP and ping, of any size that the link takes."""
    east = Container(overlay.east.namespace, None, ())
    traffic.cold(east)
    traffic.pings(east, WEFT_ADDRESS, 5)
    traffic.pings(east, WEFT_ADDRESS, 5, size=1472)
    neighbour = east.namespace.ip(f"neigh show {WEFT_ADDRESS}")
    assert overlay.weft_mac() in neighbour


@pytest.mark.quick
def test_tcp_both_ways(overlay):
    traffic.reachable(overlay.db, overlay.web.address())
    for client, server in ((overlay.db, overlay.web), (overlay.web, overlay.db)):
        traffic.stream(client, server, megabytes=50)


def test_udp_both_ways(overlay):
    traffic.reachable(overlay.db, overlay.web.address())
    for client, server in ((overlay.db, overlay.web), (overlay.web, overlay.db)):
        traffic.messages(client, server, [1400] * 5000)


@pytest.mark.quick
def test_large_udp_messages_arrive_whole(overlay):
    """64 KB messages cross as fragments of the inner packet."""
    traffic.reachable(overlay.db, overlay.web.address())
    for sender, receiver in ((overlay.db, overlay.web), (overlay.web, overlay.db)):
        traffic.messages(sender, receiver, [65507, 1423, 1422, 9000, 40000] * 4, at_once=1)


def test_ipv6_inside(overlay):
    """Neighbour discovery, echo, TCP and fragments."""
    traffic.reachable(overlay.db, overlay.web.address(6))
    traffic.cold(overlay.db, overlay.web)
    traffic.pings(overlay.web, overlay.db.address(6), 10)
    traffic.stream(overlay.db, overlay.web, version=6)
    traffic.messages(overlay.db, overlay.web, [60000], version=6)


def fetch_file(lab, server, client, megabytes=FILE_MEGABYTES):
    path, digest = traffic.make_file(lab.directory, megabytes)
    nginx(lab, server, path.parent)
    assert traffic.download(client, f"http://{server.address()}/{path.name}") == digest


def test_file_from_the_container(overlay, lab):
    traffic.reachable(overlay.db, overlay.web.address())
    fetch_file(lab, overlay.web, overlay.db)


def test_file_to_the_container(overlay, lab):
    traffic.reachable(overlay.db, overlay.web.address())
    fetch_file(lab, overlay.db, overlay.web)


def test_network_on_flannels_port(lab, binary):
    """UDP port 8472 instead of 4789."""
    overlay = Overlay(lab, udp_port=FLANNEL_PORT).start()
    traffic.reachable(overlay.db, overlay.web.address())
    sniffer = traffic.Sniffer(overlay.east.namespace, overlay.east.uplink)
    traffic.pings(overlay.web, overlay.db.address(), 5)
    assert all(frame[36:38] == FLANNEL_PORT.to_bytes(2, "big")
               for frame in sniffer.drain() if frame[12:14] == b"\x08\x00")
    sniffer.close()
    fetch_file(lab, overlay.web, overlay.db, megabytes=10)


def test_vtep_behind_a_router(lab, binary):
    """The remote VTEP is in another subnet and is reached through the uplink's gateway."""
    host, router = lab.namespace("weft"), lab.namespace("router")
    netns.cable(router, "near", host, "up0")
    router.address("near", "192.0.2.254/24")
    east = KernelHost(lab, "east", "198.51.100.2/24").connect(router, "far")
    router.address("far", "198.51.100.254/24")
    router.sysctl("net.ipv4.ip_forward", 1)
    east.namespace.ip("route add default via 198.51.100.254")
    web = TapContainer(lab, "web", WEB_MAC, "10.1.0.1/24")
    db = east.network(VNI, [WEFT_ADDRESS]).container("db", DB_MAC, "10.1.0.2/24")
    config = (Config().uplink(gateway="192.0.2.254")
              .network("blue", VNI, [east.address]).tap("web", "blue", web))
    lab.weft(config, netns=host).wait_ready()
    web.come_up()
    traffic.reachable(web, db.address())
    traffic.pings(db, web.address(), 10)
    traffic.stream(db, web)


def test_oversized_packet_is_a_counted_drop(overlay):
    """A container that ignores the network's MTU: its large packets end under their own name."""
    traffic.reachable(overlay.web, overlay.db.address())
    overlay.web.namespace.ip(f"link set {overlay.web.interface} mtu 1500")

    def dropped():
        return overlay.weft.drops()[("encap", "encap_too_big")]
    before = dropped()
    assert traffic.ping(overlay.web, overlay.db.address(), 3, size=1460, options=("-M", "do"),
                        patience=0.2) == 0
    until(lambda: dropped() - before >= 3, PATIENCE, lambda: f"{dropped() - before} of 3 dropped")
    assert dropped() - before == 3
    traffic.pings(overlay.web, overlay.db.address(), 3, size=1422)


def test_statistics_are_printed(lab, binary):
    """--stats-period prints every port once a second."""
    overlay = Overlay(lab, options=("--stats-period", "1")).start()
    until(lambda: overlay.weft.process.output().count("statistics for port web") >= 2, PATIENCE,
          overlay.weft.process.tail)


def test_lcore_time_is_accounted_for(overlay):
    """Idle, working, back-pressured and housekeeping make the whole, idle or busy."""
    traffic.reachable(overlay.db, overlay.web.address())
    traffic.pings(overlay.db, overlay.web.address(), 50)
    for row in overlay.weft.rows("lcores"):
        parts = (row["idle"], row["working"], row["back_pressured"], row["housekeeping"])
        assert sum(parts) == row["total"]
        assert row["working"] > 0
