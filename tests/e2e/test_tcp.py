# SPDX-License-Identifier: BSD-3-Clause
"""TCP between kernels, through every steering mode and through GRO.

Nothing may be lost or overtake anything in weft, so nothing else may lose or reorder either: the
senders' buffers are smaller than any queue on the way, however late its reader gets the CPU, and a
packet that waits for an lcore is not sent again. Receivers' buffers are left alone: a kernel whose
buffer is small drops data that it has asked for.
"""

import os
import socket

import pytest

import traffic
from conftest import PEERS_CPU
from test_steer import while_changing
from topology import Overlay
from waiting import until

LCORES = "0@0,1@1,2@1,3@1"
SPLITTING = ("mflow-device", "mflow-full")
MODES = ("vanilla", "rps", "falcon-dev", "falcon-func", *SPLITTING)
BATCH = 16  # a sender has fewer packets on their way than the usual micro-flow has
RATE = 1000  # packets per second of an elephant
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
FLOOR = 1e6  # bits per second: as slow as four lcores on a busy CPU may be
STALL_SECONDS = 30
BLOCK = os.urandom(1 << 20)

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
    space = container.namespace
    space.sysctl("net.ipv4.tcp_wmem", f"4096 {buffer} {buffer}")
    space.sysctl("net.ipv4.tcp_early_retrans", 0)
    for network in ("10.1.0.0/24", "fd00:1::/64"):
        space.ip(f"route replace {network} dev {container.interface} proto kernel rto_min 10s")


def disorder(overlay):
    """All that must not change: weft's drops, and what the kernels know of disorder."""
    found = dict(overlay.weft.drops())
    for container in (overlay.db, overlay.web):
        counters = container.namespace.statistics()
        found.update({(container.namespace.role, name): counters[name] for name in DISORDER})
    return found


def merged(overlay):
    """Packets that were put back in order."""
    return next(row["packets"] for row in overlay.weft.rows("stages") if row["name"] == "merge")


def transfers(overlay, seconds):
    """What sends for so long into weft, and then out of it."""
    def transfer(client, server):
        result = traffic.iperf3(overlay.lab, client, server, seconds=seconds,
                                options=("-P", FLOWS))
        assert result["bits_per_second"] > FLOOR
    return (lambda: transfer(overlay.db, overlay.web),
            lambda: transfer(overlay.web, overlay.db))


@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_lost_or_reordered(lab, binary, mode, seconds):
    overlay = start(lab, FLOWS, mode=mode)
    before = disorder(overlay)
    for transfer in transfers(overlay, seconds):
        transfer()
    overlay.weft.settle()
    assert disorder(overlay) == before
    working = {row["lcore"] for row in overlay.weft.rows("lcores") if row["working"] > 0}
    assert (working == {1, 2, 3}) == (mode != "vanilla")
    assert (merged(overlay) > 0) == (mode in SPLITTING)


@pytest.mark.parametrize("seconds", SECONDS)
def test_nothing_is_lost_or_reordered_while_the_mode_changes(lab, binary, seconds):
    overlay = start(lab, FLOWS)
    before = disorder(overlay)
    changes = while_changing(overlay.weft, MODES, *transfers(overlay, seconds))
    overlay.weft.settle()
    assert disorder(overlay) == before
    assert set(changes) == set(MODES)


# A stream whose every megabyte is different.

def block(number):
    return number.to_bytes(8, "big") + BLOCK


def connect(client, server, version, port=7000):
    """A connection: the client's socket and the server's."""
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    sending, listening = (container.namespace.socket(family, socket.SOCK_STREAM)
                          for container in (client, server))
    sending.settimeout(STALL_SECONDS)
    with listening:
        listening.bind((server.address(version), port))
        listening.listen()
        sending.connect((server.address(version), port))
        receiving, _ = listening.accept()
    receiving.settimeout(STALL_SECONDS)
    return sending, receiving


def send(connection, blocks):
    for number in range(blocks):
        connection.sendall(block(number))


def receive(connection, blocks):
    came = bytearray(len(block(0)))
    for number in range(blocks):
        rest = memoryview(came)
        while rest:
            length = connection.recv_into(rest)
            assert length > 0
            rest = rest[length:]
        intact = came == block(number)
        assert intact, f"megabyte {number} is not as it was sent"


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
    sending, receiving = connect(overlay.db, overlay.web, version)
    with sending, receiving:
        traffic.all_together(lambda: send(sending, megabytes),
                             lambda: receive(receiving, megabytes))
    sent, _, coalesced = until(counters.balanced, 5,
                               lambda: f"{counters.first} and now {counters.now()}")
    assert disorder(overlay) == before
    assert coalesced > sent // 10 if gro == "on" else coalesced == 0
    assert (merged(overlay) > 0) == (mode in SPLITTING)
