# SPDX-License-Identifier: BSD-3-Clause
"""Linux guests as containers: a kernel's virtio-net at a vhost-user port."""

import socket

import pytest

import traffic
from guest import Guest, missing
from topology import Overlay
from waiting import PATIENCE, until

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

MAC = "02:00:00:00:00:09"
ADDRESSES = [f"10.1.0.{number}" for number in range(21, 29)]  # flows for every queue
LEGACY = ",disable-modern=on,disable-legacy=off"
RINGS = {"modern": "", "packed": ",packed=on", "legacy": LEGACY,
         "not mergeable": ",mrg_rxbuf=off", "no events": ",event_idx=off,indirect_desc=off",
         "small segments": ",guest_tso4=off,guest_tso6=off"}
MEGABYTES = 8
TCP_PORT = 7000


class Visit:
    """A guest beside the containers of an overlay, at a port with two queues."""

    def __init__(self, lab, **keywords):
        path = lab.directory / "guest.sock"
        self.overlay = Overlay(lab)
        self.overlay.config.port("guest", "blue", "vhost-user", MAC, path=path, queues=2)
        self.overlay.start()
        self.guest = Guest(lab, path, MAC, **keywords).start().ready()
        self.add_addresses()
        traffic.reachable(self.overlay.db, ADDRESSES[0])

    def add_addresses(self):
        for address in ADDRESSES:
            self.guest.run(f"ip address add {address}/24 dev eth0")

    def port(self):
        return self.overlay.weft.ports()["guest"]

    def has_pairs(self, enabled, there):
        status = f"{enabled} of {there} queue pairs enabled"
        if enabled == there:
            status = f"{there} queue pair{'s' if there > 1 else ''}"
        until(lambda: self.port()["status"] == f"container attached, {status}", PATIENCE,
              lambda: str(self.port()))
        assert (self.port()["pairs"], self.port()["queues"]) == (enabled, 2)

    def answers(self):
        """At every address, whichever queue the flow is hashed to."""
        refused = self.port()["tx_refused"]
        for address in ADDRESSES:
            traffic.reachable(self.overlay.db, address)
        self.guest.run(f"ping -c 5 -i 0.1 {self.overlay.db.address()}")
        assert self.port()["tx_refused"] == refused


def tcp_into(visit):
    """A stream to the guest, in segments as large as it takes them."""
    visit.guest.run(f"(nc -l -p {TCP_PORT} | wc -c >/got) >/log 2>&1 & true")
    data = bytes(range(256)) * (MEGABYTES << 12)

    def connected():
        try:
            connection.connect((ADDRESSES[0], TCP_PORT))
        except OSError:
            return False
        return True

    with visit.overlay.db.namespace.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE)
        until(connected, PATIENCE, lambda: "the guest does not listen")
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        visit.guest.run(f"while ! grep -q {len(data)} /got; do sleep 0.1; done; rm /got")


def test_a_guest_with_one_cpu_uses_one_pair(lab, binary):
    """Its device has two, and Linux enables as many as there are CPUs."""
    visit = Visit(lab, pairs=2, cpus=1)
    visit.has_pairs(1, 2)
    visit.answers()


def test_a_guest_changes_its_pairs(lab, binary):
    visit = Visit(lab, pairs=4, cpus=2)
    visit.has_pairs(2, 4)
    for n in (4, 1, 3, 2):
        visit.guest.run(f"ethtool -L eth0 combined {n}")
        visit.has_pairs(n, 4)
        visit.answers()


@pytest.mark.parametrize("settings", RINGS.values(), ids=RINGS.keys())
def test_a_guest_has_rings_of_any_form(lab, binary, settings):
    """Frames of each size come through, in both directions, also after its driver came anew."""
    visit = Visit(lab, pairs=2, cpus=2, settings=settings)
    for _ in range(2):
        visit.has_pairs(2, 2)
        visit.answers()
        for size in (1, 200, 1400):
            visit.guest.run(f"ping -c 3 -i 0.1 -s {size} {visit.overlay.db.address()}")
        tcp_into(visit)
        visit.guest.run("rmmod virtio_net && insmod /modules/virtio_net.ko")
        visit.guest.configure()
        visit.add_addresses()


@pytest.mark.parametrize("settings", [RINGS["modern"], RINGS["legacy"], RINGS["packed"]],
                         ids=["modern", "legacy", "packed"])
def test_tcp_out_of_a_guest(lab, binary, settings):
    """No segment is larger than the MTU, also where the guest knows virtio 0.9 only."""
    visit = Visit(lab, settings=settings)
    visit.has_pairs(1, 1)
    with visit.overlay.db.namespace.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("0.0.0.0", TCP_PORT))
        listener.listen()
        visit.guest.run(f"(dd if=/dev/zero bs=1M count={MEGABYTES} | "
                        f"nc {visit.overlay.db.address()} {TCP_PORT}) >/log 2>&1 & true")
        listener.settimeout(PATIENCE)
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(PATIENCE)
            got = sum(iter(lambda: len(connection.recv(1 << 16)), 0))
    assert got == MEGABYTES << 20
    assert visit.overlay.weft.drops()[("encap", "encap_too_big")] == 0
