# SPDX-License-Identifier: BSD-3-Clause
"""Flooding to many ports: each gets what is for everybody, however few credits there are."""

import json

import frames
from topology import Overlay
from waiting import PATIENCE, until

PORTS = 200
BURST = 8
BROADCAST = "ff:ff:ff:ff:ff:ff"
WORKERS = "0@0,1@0,2@1,3@1"  # three, on two CPUs


def received(crowd):
    """{interface: packets}"""
    links = json.loads(crowd.ip("-json -statistics link show"))
    return {link["ifname"]: link["stats64"]["rx"]["packets"] for link in links
            if link["ifname"] != "lo"}


def crowded(lab):
    """(overlay, the namespace where all the ports are)"""
    overlay = Overlay(lab, lcores=WORKERS)
    overlay.web.addresses = ()
    overlay.config.section("weft", credits=64)
    crowd = lab.namespace("crowd")
    for i in range(PORTS):
        overlay.config.section(f"port p{i}", network="blue", type="tap", netns=crowd.name,
                               mac=f"02:00:00:00:01:{i:02x}", interface=f"p{i}")
    overlay.start()
    until(lambda: len(received(crowd)) == PORTS, PATIENCE, "all devices are there")
    crowd.ip("link set group default up")
    until(lambda: all(port["up"] for port in overlay.weft.ports().values()), PATIENCE, "all are up")
    return overlay, crowd


def test_a_burst_of_broadcasts_reaches_every_port(lab, binary):
    overlay, crowd = crowded(lab)
    before = received(crowd)

    def missing():
        return {name: BURST - (packets - before[name])
                for name, packets in received(crowd).items() if packets != before[name] + BURST}
    frame = bytes(frames.unanswered(overlay.web.mac, BROADCAST, frames.MARK))
    with overlay.web.namespace.raw_socket(overlay.web.interface) as raw:
        for _ in range(BURST):
            raw.send(frame)
    until(lambda: not missing(), PATIENCE, lambda: f"missing: {missing()}; {overlay.weft.drops()}")
    overlay.weft.settle()
    assert overlay.weft.drops()[("bridge", "flood_refused")] == 0
