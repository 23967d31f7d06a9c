# SPDX-License-Identifier: BSD-3-Clause
"""Containers whose queue pairs are not as many as their port's queues."""

import re
import signal

import pytest

import apps
import traffic
from topology import DB_MAC, Overlay
from waiting import PATIENCE, until

MAC = "02:00:00:00:00:11"
ADDRESSES = [f"10.1.0.{number}" for number in range(21, 37)]  # flows for every queue
RING = 256  # packets that one ring holds


def start(lab, kind, container, port, **keywords):
    """testpmd, with so many pairs, at a port with so many queues."""
    path = lab.directory / "container.sock"
    overlay = Overlay(lab)
    overlay.config.port("container", "blue", kind, MAC, path=path, queues=port)
    overlay.start()
    device = (apps.virtio_user if kind == "vhost-user" else apps.memif)(path, MAC)
    if kind == "vhost-user":
        device = device.replace("queues=1", f"queues={container}")
    options = (f"--rxq={container}", f"--txq={container}", f"--eth-peer=0,{DB_MAC}")
    testpmd = apps.Testpmd(lab, device, options=options, **keywords).start()
    until(lambda: overlay.weft.ports()["container"]["pairs"] == container, PATIENCE,
          lambda: str(overlay.weft.ports()["container"]))
    return overlay, testpmd


@pytest.mark.parametrize("container,port", [(4, 2), (1, 4)])
@pytest.mark.parametrize("kind", ["vhost-user", "memif"])
def test_every_flow_comes_through(lab, binary, kind, container, port):
    overlay, _ = start(lab, kind, container, port)
    for address in ADDRESSES:
        overlay.db.namespace.ip(f"neigh replace {address} lladdr {MAC} dev eth0")
    traffic.reachable(overlay.db, ADDRESSES[0])
    refused = overlay.weft.ports()["container"]["tx_refused"]
    for address in ADDRESSES:
        traffic.reachable(overlay.db, address, timeout=60)
    assert overlay.weft.ports()["container"]["tx_refused"] == refused


@pytest.mark.parametrize("container,port", [(4, 2), (4, 1)])
@pytest.mark.parametrize("kind", ["vhost-user", "memif"])
def test_every_ring_is_read(lab, binary, kind, container, port):
    """The container sends by each of its rings what one that nobody reads has no room for."""
    overlay, testpmd = start(lab, kind, container, port, forward="txonly")
    until(lambda: overlay.weft.ports()["container"]["rx_packets"] > 100 * RING * container, PATIENCE,
          lambda: str(overlay.weft.ports()["container"]))
    testpmd.process.signal(signal.SIGTERM)
    testpmd.process.wait()
    sent = re.findall(r"TX-packets: (\d+) +TX-dropped", testpmd.process.output())
    assert len(sent) >= container
    assert all(int(packets) > 4 * RING for packets in sent[:container]), sent
