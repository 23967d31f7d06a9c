# SPDX-License-Identifier: BSD-3-Clause
"""TCP between kernels, through every steering mode and through GRO.

Nothing may be lost or overtake anything in weft, so nothing else may lose or reorder either: the
senders' buffers are smaller than any queue on the way, however late its reader gets the CPU, and a
packet that waits for an lcore is not sent again. Receivers' buffers are left alone: a kernel whose
buffer is small drops data that it has asked for.
"""

import os

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import traffic
from conftest import PEERS_CPU
from frames import Outer
from test_steer import while_changing
from topology import Overlay
from waiting import PATIENCE, until

LCORES = "0@0,1@1,2@1,3@1"
SPLITTING = ("mflow-device", "mflow-full")
MODES = ("vanilla", "rps", "falcon-dev", "falcon-func", *SPLITTING)
BATCH = 16  # a sender has fewer packets on their way than the usual micro-flow has
RATE = 250  # packets per second of an elephant
SECONDS = [2, pytest.param(60, marks=pytest.mark.long)]
STREAMS = [  # gro, version of IP, mode, megabytes
    ("on", 4, "vanilla", 500),
    ("on", 6, "vanilla", 100),
    ("on", 4, "falcon-func", 50),
    ("off", 4, "vanilla", 100),
    ("on", 4, "mflow-full", 50),
    ("on", 6, "mflow-device", 50),
    pytest.param("on", 4, "vanilla", 10000, marks=pytest.mark.long),
    pytest.param("on", 6, "falcon-dev", 1000, marks=pytest.mark.long),
    pytest.param("on", 4, "mflow-full", 1000, marks=pytest.mark.long),
]
FLOWS = 4
BUFFERS = 256 << 10  # bytes, of all flows; an uplink has room for more packets
SEGMENTS, SEGMENT = 8, 1200  # packets of a burst, bytes of each

# What the kernel counts when packets come out of order, twice, damaged or not at all.
DISORDER = ("TcpExtTCPOFOQueue", "TcpExtTCPSACKReorder", "TcpExtTCPTSReorder",
            "TcpExtTCPRenoReorder", "TcpExtTCPDSACKRecv", "TcpExtTCPDSACKOldSent",
            "TcpRetransSegs", "TcpInErrs", "TcpInCsumErrors", "IpInHdrErrors")


def start(lab, flows, **keys):
    """Lcore 1 polls the uplink and web; 2 and 3 are left for steering."""
    overlay = Overlay(lab, lcores=LCORES)
    overlay.config.section("weft", **keys)
    overlay.config.section("uplink phys", lcores="1")
    overlay.config.section("port web", lcore=1)
    overlay.config.section("micro-flows", batch=BATCH, rate=RATE)
    overlay.start()
    overlay.east.namespace.receive_on(overlay.db.outside, PEERS_CPU)
    overlay.host.receive_on("up0", PEERS_CPU)
    for container in (overlay.db, overlay.web):
        be_patient(container, BUFFERS // flows)
    for version in (4, 6):
        traffic.reachable(overlay.db, overlay.web.address(version))
    overlay.weft.settle()
    return overlay


def be_patient(container, buffer):
    """Sends no more than this ahead, and again what is missing, but not what may only be late."""
    traffic.limit_window(container, buffer)
    space = container.namespace
    space.sysctl("net.ipv4.tcp_early_retrans", 0)
    for network in ("10.1.0.0/24", "fd00:1::/64 metric 256"):  # else a second route to IPv6
        space.ip(f"route replace {network} dev {container.interface} proto kernel rto_min 10s")


def disorder(overlay):
    """All that must not change: weft's drops, and what the kernels know of disorder."""
    found = dict(overlay.weft.drops())
    for container in (overlay.db, overlay.web):
        counters = container.namespace.statistics()
        found.update({(container.namespace.role, name): counters[name] for name in DISORDER})
        # Who asks for a connection asks again after a second, however patient it is.
        found[container.namespace.role, "TcpRetransSegs"] -= counters["TcpExtTCPSynRetrans"]
    return found


def merged(overlay):
    """Packets that were put back in order."""
    return next(row["packets"] for row in overlay.weft.rows("stages") if row["name"] == "merge")


def transfers(overlay, seconds):
    """What sends for so long into weft, and then out of it."""
    def transfer(client, server):
        traffic.iperf3(overlay.lab, client, server, seconds=seconds, options=("-P", FLOWS))
    return (lambda: transfer(overlay.db, overlay.web),
            lambda: transfer(overlay.web, overlay.db))


def until_merged(overlay, mode, transfer):
    """A mode that splits finds elephants, however long it takes to send as fast as one; no other
    mode does."""
    if mode in SPLITTING:
        until(lambda: merged(overlay) > 0 or transfer(), 4 * PATIENCE, "elephants")
    else:
        assert merged(overlay) == 0


@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_lost_or_reordered(lab, binary, mode, seconds):
    overlay = start(lab, FLOWS, mode=mode)
    before = disorder(overlay)
    there, back = transfers(overlay, seconds)
    there()
    back()
    until_merged(overlay, mode, there)
    overlay.weft.settle()
    assert disorder(overlay) == before
    working = {row["lcore"] for row in overlay.weft.rows("lcores") if row["working"] > 0}
    assert working == {1} if mode == "vanilla" else working > {1}


@pytest.mark.parametrize("seconds", SECONDS)
def test_nothing_is_lost_or_reordered_while_the_mode_changes(lab, binary, seconds):
    overlay = start(lab, FLOWS)
    before = disorder(overlay)
    while_changing(overlay.weft, MODES, *transfers(overlay, seconds))
    overlay.weft.settle()
    assert disorder(overlay) == before


class Counters:
    """Packets since then: sent by db, received by web, and made part of others by weft."""

    def __init__(self, overlay):
        self.overlay = overlay
        self.first = self.now()

    def now(self):
        db, web = self.overlay.db, self.overlay.web
        return (db.namespace.packets(db.interface)[1], web.namespace.packets(web.interface)[0],
                self.overlay.weft.conservation()["coalesced"])

    def balanced(self):
        """(sent, received, coalesced) when the last packet has arrived; until then None."""
        sent, received, coalesced = (now - first for now, first in zip(self.now(), self.first))
        return (sent, received, coalesced) if sent - received == coalesced else None


@pytest.mark.parametrize("gro, version, mode, megabytes", STREAMS)
def test_a_stream_arrives_whole(lab, binary, gro, version, mode, megabytes):
    """Byte for byte, in as many packets less as weft says that it has coalesced."""
    overlay = start(lab, 1, gro=gro, mode=mode)
    before = disorder(overlay)
    counters = Counters(overlay)
    sending, receiving = traffic.connect(overlay.db, overlay.web, version)
    with sending, receiving:
        traffic.pass_on(sending, receiving, megabytes)
        until_merged(overlay, mode, lambda: traffic.pass_on(sending, receiving, 10))
    _, _, coalesced = until(counters.balanced, PATIENCE,
                            lambda: f"{counters.first} and now {counters.now()}")
    assert disorder(overlay) == before
    assert gro == "on" or coalesced == 0


def segments(overlay, version):
    """Packets of one TCP connection from db to web, and what is in them."""
    outer = Outer(overlay.east.namespace.mac("eth0"), overlay.weft_mac())
    network = {4: IP(flags="DF"), 6: IPv6()}[version]
    network.src, network.dst = overlay.db.address(version), overlay.web.address(version)
    data = os.urandom(SEGMENTS * SEGMENT)
    parts = [data[begin:begin + SEGMENT] for begin in range(0, len(data), SEGMENT)]
    return [outer.frame(payload=Ether(src=overlay.db.mac, dst=overlay.web.mac) / network
                        / TCP(sport=1000, dport=9, flags="A", seq=number * SEGMENT) / Raw(part))
            for number, part in enumerate(parts)], data


def tcp_data(frame):
    return bytes(Ether(frame)[TCP].payload) if TCP in Ether(frame) else b""


@pytest.mark.parametrize("gro, arrive", [("on", 1), ("off", SEGMENTS)])
@pytest.mark.parametrize("version", [4, 6])
def test_a_burst_of_a_connection(lab, binary, version, gro, arrive):
    """What weft finds at its uplink at once comes out as one packet, or with `gro` off as many. The
    burst is made while weft is stopped, so it does not depend on who is how fast."""
    overlay = start(lab, 1, gro=gro)
    weft = overlay.weft
    frames, data = segments(overlay, version)
    coalesced = weft.conservation()["coalesced"]
    sniffer = traffic.Sniffer(overlay.web.namespace, overlay.web.interface)

    def arrived():
        return [tcp_data(frame) for frame in sniffer.drain() if tcp_data(frame)]
    with overlay.east.raw_socket() as raw:
        weft.process.freeze()
        for frame in frames:
            raw.send(frame)
        weft.process.thaw()
    until(lambda: b"".join(arrived()) == data, PATIENCE, lambda: f"{len(arrived())} packets")
    assert len(arrived()) == arrive
    assert weft.conservation()["coalesced"] - coalesced == SEGMENTS - arrive
