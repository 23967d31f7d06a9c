# SPDX-License-Identifier: BSD-3-Clause
"""Containers that may send only from the addresses of their port, and do not have them yet."""

import json

import pytest
from scapy.layers.inet6 import ICMPv6MLReport2, ICMPv6ND_NS, ICMPv6ND_RS, IPv6
from scapy.layers.l2 import Ether

import frames
import traffic
from topology import Overlay
from waiting import PATIENCE, until

WEB4, WEB6, TAKEN6 = "10.1.0.1", "fd00:1::1", "fd00:1::9"
LINK_LOCAL = "fe80::ff:fe00:1"  # what follows from web's MAC

# What udhcpc calls when it has an address, and before.
BIND = """#!/bin/sh
case $1 in
bound|renew) ip address replace "$ip/$mask" dev "$interface" ;;
esac
"""


@pytest.fixture
def overlay(lab, binary):
    """web may use what is listed, and its kernel has none of it yet."""
    one = Overlay(lab)
    one.config.section("port web", addresses=[WEB4, WEB6, TAKEN6])
    one.web.addresses = ()
    one.start()
    frames.until_heard(one.web, [one.east])  # what a kernel says but once must not be lost
    return one


def refused(overlay):
    """What the guard has dropped."""
    return {reason: packets for (stage, reason), packets in overlay.weft.drops().items()
            if reason.startswith("source_") and packets > 0}


def dhcp_server(lab, host, address):
    """Has one address to give."""
    leases = lab.directory / "udhcpd.leases"
    leases.touch()
    config = lab.directory / "udhcpd.conf"
    config.write_text(f"start {address}\nend {address}\ninterface {host.interface}\n"
                      f"option subnet 255.255.255.0\nlease_file {leases}\n"
                      f"pidfile {lab.directory}/udhcpd.pid\n")
    return lab.start("busybox", "udhcpd", "-f", config, netns=host.namespace)


def test_dhcp_gives_a_container_its_address(lab, overlay):
    """A real client asks a real server behind the tunnel, probes what it is offered, and takes
    it."""
    script = lab.directory / "bind"
    script.write_text(BIND)
    script.chmod(0o755)
    dhcp_server(lab, overlay.db, WEB4)
    overlay.web.namespace.run("busybox", "udhcpc", "-f", "-q", "-n", "-a", "-t", 30, "-T", 1,
                              "-i", overlay.web.interface, "-s", script)
    overlay.web.addresses = (f"{WEB4}/24",)
    traffic.reachable(overlay.web, overlay.db.address())
    traffic.pings(overlay.db, overlay.web.address(), 5)
    assert refused(overlay) == {}


def begin_ipv6(container):
    """As a kernel does it by itself, unlike Namespace.enable_ipv6()."""
    prefix = f"net.ipv6.conf.{container.interface}"
    for key, value in (("accept_dad", 1), ("accept_ra", 1), ("router_solicitations", 3),
                       ("router_solicitation_delay", 0), ("addr_gen_mode", 0)):
        container.namespace.sysctl(f"{prefix}.{key}", value)
    container.namespace.sysctl(f"{prefix}.disable_ipv6", 0)


def flags(container, address):
    """Of one of its addresses: {"tentative", "dadfailed"}, while it has them."""
    link = json.loads(container.namespace.ip(f"-json address show {container.interface}"))[0]
    for one in link["addr_info"]:
        if one["local"] == address:
            return {flag for flag in ("tentative", "dadfailed") if one.get(flag)}
    return {"absent"}


def test_ipv6_begins_as_it_does_everywhere(overlay):
    """Duplicate address detection, MLD and router solicitations of a real kernel."""
    web, db = overlay.web, overlay.db
    sniffer = traffic.Sniffer(db.namespace, db.interface)
    begin_ipv6(web)
    web.namespace.ip(f"address add {WEB6}/64 dev {web.interface}")

    def heard():
        """(source, kind, target) of what came to db."""
        packets = [Ether(frame) for frame in sniffer.drain()]
        return {(packet[IPv6].src, kind, getattr(packet[kind], "tgt", None))
                for packet in packets if packet.src == web.mac and IPv6 in packet
                for kind in (ICMPv6MLReport2, ICMPv6ND_NS, ICMPv6ND_RS) if kind in packet}
    expected = {("::", ICMPv6MLReport2, None), ("::", ICMPv6ND_NS, LINK_LOCAL),
                ("::", ICMPv6ND_NS, WEB6), (LINK_LOCAL, ICMPv6ND_RS, None)}
    until(lambda: expected <= heard(), PATIENCE, lambda: f"{expected - heard()} heard")
    until(lambda: not flags(web, WEB6), PATIENCE, "address is no longer tentative")
    web.addresses = (f"{WEB6}/64",)
    traffic.reachable(web, db.address(version=6))
    assert refused(overlay) == {}


def test_a_duplicate_address_is_detected(overlay):
    overlay.db.namespace.ip(f"address add {TAKEN6}/64 dev {overlay.db.interface} nodad")
    begin_ipv6(overlay.web)
    overlay.web.namespace.ip(f"address add {TAKEN6}/64 dev {overlay.web.interface}")
    until(lambda: "dadfailed" in flags(overlay.web, TAKEN6), PATIENCE, "duplicate detected")
    assert refused(overlay) == {}
