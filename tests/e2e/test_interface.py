# SPDX-License-Identifier: BSD-3-Clause
"""An uplink at an interface of the kernel's, and what it says of it."""

import contextlib
import re

import pytest

import frames
import netns
import traffic
from frames import inner
from topology import DB_MAC, WEB_MAC, Overlay
from waiting import PATIENCE, until

MEGABYTES = 50
SLOTS = 64
FLOOD = 5000
BURST = 8


def uplink(overlay):
    return overlay.weft.ports()["phys"]


def wait_for_status(overlay, up, words):
    """Waits until `show ports` says so."""
    until(lambda: uplink(overlay)["up"] == up and words in uplink(overlay)["status"], PATIENCE,
          lambda: f"up {up}, {words}: {uplink(overlay)}")


@pytest.mark.parametrize("version", [4, 6])
def test_a_peer_that_offloads(lab, binary, version):
    """The kernel at the other end of the cable leaves checksums and cutting to hardware that is not
    there; every byte arrives, both ways."""
    overlay = Overlay(lab)
    overlay.db.namespace.offloading(overlay.db.interface)
    for interface in ("eth0", overlay.db.outside):
        overlay.east.namespace.offloading(interface)
    overlay.start()
    traffic.reachable(overlay.db, overlay.web.address(version))
    before = overlay.host.packets("up0")[0], uplink(overlay)["rx_packets"]
    for client, server in ((overlay.db, overlay.web), (overlay.web, overlay.db)):
        traffic.stream(client, server, MEGABYTES, version)
    came = overlay.host.packets("up0")[0] - before[0]
    assert uplink(overlay)["rx_packets"] - before[1] > came, "the peer has cut by itself"
    traffic.messages(overlay.db, overlay.web, [1000], version=version)


def test_dpdk_s_driver_for_it_is_replaced(lab, binary):
    overlay = Overlay(lab)
    overlay.config.section("uplink phys", interface=None, device="net_af_packet0,iface=up0")
    overlay.start()
    assert uplink(overlay)["type"] == "interface"
    wait_for_status(overlay, 1, "interface up0 is up")
    traffic.reachable(overlay.db, overlay.web.address())


def assert_nothing_leaves(overlay):
    """What a container sends now is not counted as sent, but by name."""
    def dropped():
        return overlay.weft.drops()[("send", "uplink_down")]
    before = uplink(overlay), dropped()
    assert traffic.ping(overlay.web, overlay.db.address(), 3, patience=0.2) == 0
    until(lambda: dropped() > before[1], PATIENCE, lambda: f"drops: {overlay.weft.drops()}")
    overlay.weft.settle()
    assert uplink(overlay)["tx_packets"] == before[0]["tx_packets"]
    assert uplink(overlay)["tx_refused"] > before[0]["tx_refused"]


def test_a_link_that_goes_down(lab, binary):
    overlay = Overlay(lab).start()
    traffic.reachable(overlay.web, overlay.db.address())
    wait_for_status(overlay, 1, "up0 is up")
    overlay.host.ip("link set up0 down")
    wait_for_status(overlay, 0, "`ip link set up0 up`")
    assert_nothing_leaves(overlay)
    overlay.host.ip("link set up0 up")
    overlay.east.namespace.ip("link set eth0 down")
    wait_for_status(overlay, 0, "no link")
    assert_nothing_leaves(overlay)
    overlay.east.namespace.ip("link set eth0 up")
    wait_for_status(overlay, 1, "up0 is up")
    traffic.reachable(overlay.web, overlay.db.address(), PATIENCE)


def test_an_interface_that_is_made_again(lab, binary):
    """Under the same name, with another address; the VTEP keeps the one that it had."""
    overlay = Overlay(lab).start()
    traffic.reachable(overlay.web, overlay.db.address())
    mac = uplink(overlay)["mac"]
    overlay.host.ip("link del up0")
    wait_for_status(overlay, 0, "no interface up0")
    assert_nothing_leaves(overlay)
    netns.cable(overlay.east.namespace, "eth0", overlay.host, "up0")
    overlay.east.namespace.address("eth0", overlay.east.prefixed)
    wait_for_status(overlay, 1, "up0 is up")
    assert uplink(overlay)["mac"] == mac != overlay.weft_mac().upper()
    traffic.reachable(overlay.db, overlay.web.address(), PATIENCE)
    traffic.reachable(overlay.web, overlay.db.address(), PATIENCE)


def test_an_interface_that_comes_late(lab, binary):
    overlay = Overlay(lab)
    overlay.host.ip("link set up0 name other0")
    overlay.config.uplink(mac="02:00:00:00:01:01")
    overlay.start()
    wait_for_status(overlay, 0, "no interface up0")
    overlay.host.ip("link set other0 down")
    overlay.host.ip("link set other0 name up0 up")
    wait_for_status(overlay, 1, "up0 is up")
    traffic.reachable(overlay.db, overlay.web.address(), PATIENCE)


def test_an_mtu_that_shrinks(lab, binary):
    """Packets that the interface does not take any more are dropped alone: those behind them, of a
    burst that weft finds at once, leave."""
    overlay = Overlay(lab).start()
    traffic.reachable(overlay.web, overlay.db.address())
    overlay.host.ip("link set up0 mtu 1000")
    wait_for_status(overlay, 1, "MTU is 1000")
    overlay.weft.settle()
    before = overlay.weft.drops()
    sniffer = traffic.Sniffer(overlay.db.namespace, overlay.db.interface)
    with overlay.web.namespace.raw_socket(overlay.web.interface) as raw:
        overlay.weft.process.freeze()
        for _ in range(BURST):
            for size, mark in ((1200, b"weft-e2e-large"), (100, frames.MARK)):
                raw.send(bytes(inner(WEB_MAC, DB_MAC, size, mark, "10.1.0.1", "10.1.0.2")))
        overlay.weft.process.thaw()
    until(lambda: len(sniffer.matching(frames.MARK)) == BURST, PATIENCE,
          lambda: f"{len(sniffer.matching(frames.MARK))} small packets; {overlay.weft.drops()}")
    assert sniffer.matching(b"weft-e2e-large") == []
    after = overlay.weft.drops()
    assert after[("send", "uplink_too_big")] - before[("send", "uplink_too_big")] == BURST
    assert after[("send", "uplink_full")] == before[("send", "uplink_full")]


def flood(raw, frame):
    """As many as the kernel takes FLOOD of."""
    taken = 0
    while taken < FLOOD:
        with contextlib.suppress(OSError):
            raw.send(frame)
            taken += 1


def test_what_is_missed_is_counted(lab, binary):
    """The interface's own counter is the judge. weft stands still, so that its ring overflows
    however fast it is."""
    overlay = Overlay(lab)
    overlay.config.uplink(ring_size=SLOTS)
    overlay.start()
    traffic.reachable(overlay.db, overlay.web.address())
    overlay.weft.settle()
    frame = bytes(frames.Outer(overlay.east.namespace.mac("eth0"), overlay.weft_mac()).frame(
        payload=inner(destination=WEB_MAC)))
    before = overlay.host.packets("up0")[0], uplink(overlay)
    raw = overlay.east.raw_socket()
    overlay.weft.process.freeze()
    try:
        flood(raw, frame)
    finally:
        overlay.weft.process.thaw()
        raw.close()

    def counted():
        """(at the interface, received, missed)"""
        came, now = overlay.host.packets("up0")[0], uplink(overlay)
        return (came - before[0], now["rx_packets"] - before[1]["rx_packets"],
                now["nic_missed"] - before[1]["nic_missed"])

    def balanced():
        came, received, missed = counted()
        return (received, missed) if came >= FLOOD and came == received + missed else None

    received, missed = until(balanced, PATIENCE, lambda: f"came, received, missed: {counted()}")
    assert received >= SLOTS and missed > 0
    overlay.weft.stop()
    assert re.search(rf"RX-missed: +{before[1]['nic_missed'] + missed}$",
                     overlay.weft.process.output(), re.M)
