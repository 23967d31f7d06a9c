# SPDX-License-Identifier: BSD-3-Clause
"""Lcores that have nothing to do sleep, and wake for whatever comes."""

import itertools
import pathlib
import re
import time

import pytest

import apps
import traffic
from echo import echo
from peers import INNER_MTU, TapContainer
from topology import Overlay
from waiting import PATIENCE, until
from weft_config import Config

LCORES = "0@0,1@1,2@0,3@1,4@0"
VHOST_MAC, VHOST_ADDRESS = "02:00:00:00:00:11", "10.1.0.11"
MEMIF_MAC, MEMIF_ADDRESS = "02:00:00:00:00:13", "10.1.0.13"
PAUSE = 0.001  # seconds: many times what an lcore looks for packets before it sleeps
PACKETS = 500
WAY = ("vanilla", "rps", "turns", "falcon-dev", "mflow-full", "auto")


def asleep(weft):
    """{lcore: cycles slept so far}"""
    return {row["lcore"]: row["asleep"] for row in weft.rows("lcores")}


def all_asleep(weft):
    return all(row["sleeps"] for row in weft.rows("lcores"))


def fall_asleep(weft):
    until(lambda: all_asleep(weft), PATIENCE, lambda: str(weft.rows("lcores")))


def refused(weft):
    return {name: row["tx_refused"] for name, row in weft.ports().items()}


def overlay_of(lab, mode, **keys):
    """A port of each kind; their owners are four lcores."""
    overlay = Overlay(lab, lcores=LCORES, options=("--mode", mode))
    paths = {name: lab.directory / f"{name}.sock" for name in ("vhost", "memif")}
    overlay.config.section("weft", **keys)
    overlay.config.section("uplink phys", lcores=1)
    overlay.config.section("port web", lcore=2)
    overlay.config.port("vhost", "blue", "vhost-user", VHOST_MAC, path=paths["vhost"], lcore=3)
    overlay.config.port("memif", "blue", "memif", MEMIF_MAC, path=paths["memif"], lcore=4)
    overlay.start()
    return overlay, [apps.Testpmd(lab, apps.virtio_user(paths["vhost"], VHOST_MAC)),
                     apps.Testpmd(lab, apps.memif(paths["memif"], MEMIF_MAC))]


def know_addresses(overlay):
    """testpmd answers any ARP request that it hears, so nobody is to ask."""
    db, web = overlay.db, overlay.web
    for mac, address in ((VHOST_MAC, VHOST_ADDRESS), (MEMIF_MAC, MEMIF_ADDRESS)):
        db.namespace.ip(f"neigh replace {address} lladdr {mac} dev {db.interface}")
    db.namespace.ip(f"neigh replace {web.address()} lladdr {web.mac} dev {db.interface}")
    web.namespace.ip(f"neigh replace {db.address()} lladdr {db.mac} dev {web.interface}")


@pytest.mark.parametrize("mode", ["vanilla", "rps", "turns", "auto"])
def test_single_packets(lab, binary, mode):
    """Each comes to lcores that sleep, and goes through containers of every kind and back."""
    overlay, containers = overlay_of(lab, mode)
    for testpmd in containers:
        testpmd.start()
    know_addresses(overlay)
    addresses = (overlay.web.address(), VHOST_ADDRESS, MEMIF_ADDRESS)
    for address in addresses:
        traffic.reachable(overlay.db, address)
    fall_asleep(overlay.weft)
    lost = refused(overlay.weft)
    for address in addresses:
        before = asleep(overlay.weft)
        echo(overlay.db, address, PACKETS, PAUSE)
        after = asleep(overlay.weft)
        assert all(after[lcore] > before[lcore] for lcore in after), (address, before, after)
    overlay.weft.settle()
    assert refused(overlay.weft) == lost


def test_several_senders(lab, binary):
    """Packets that come to one lcore while another one is woken for others."""
    overlay, containers = overlay_of(lab, "auto")
    for testpmd in containers:
        testpmd.start()
    know_addresses(overlay)
    addresses = (overlay.web.address(), VHOST_ADDRESS, MEMIF_ADDRESS)
    for address in addresses:
        traffic.reachable(overlay.db, address)
    traffic.all_together(*[
        lambda a=address, p=pause, i=identity: echo(overlay.db, a, PACKETS, p, i)
        for identity, (address, pause) in enumerate(
            itertools.product(addresses, (PAUSE / 5, PAUSE)))])


def test_changes_while_asleep(lab, binary):
    """Modes and ports change while all sleep, and what comes next finds the change."""
    overlay, containers = overlay_of(lab, "auto")
    containers[0].start()
    know_addresses(overlay)
    traffic.reachable(overlay.db, VHOST_ADDRESS)
    for mode in WAY:
        fall_asleep(overlay.weft)
        overlay.weft.change("mode", mode)
        until(lambda m=mode: overlay.weft.mode() == m, PATIENCE, mode)
        echo(overlay.db, VHOST_ADDRESS, 10, PAUSE)
        fall_asleep(overlay.weft)
        overlay.weft.port_add("more", network="blue", type="memif", mac="02:00:00:00:00:14",
                              path=lab.directory / "more.sock")
        echo(overlay.db, overlay.web.address(), 10, PAUSE)
        fall_asleep(overlay.weft)
        overlay.weft.port_del("more")
        echo(overlay.db, overlay.web.address(), 10, PAUSE)
    fall_asleep(overlay.weft)  # and so it ends


def test_a_container_comes_to_sleepers(lab, binary):
    """Nobody looked at its port before; what it is sent and sends comes through nevertheless."""
    overlay, containers = overlay_of(lab, "auto")
    know_addresses(overlay)
    for testpmd, address in zip(containers, (VHOST_ADDRESS, MEMIF_ADDRESS)):
        fall_asleep(overlay.weft)
        testpmd.start()
        traffic.reachable(overlay.db, address)
        fall_asleep(overlay.weft)
        echo(overlay.db, address, 10, PAUSE)
        testpmd.kill()
        fall_asleep(overlay.weft)


def switches(weft):
    """How often the worker lcores have given up their CPUs so far."""
    tasks = pathlib.Path("/proc", str(weft.process.pid), "task").iterdir()
    statuses = [(task / "status").read_text() for task in tasks
                if (task / "comm").read_text().startswith("rte-worker")]
    assert statuses
    return sum(int(re.search(r"\bvoluntary_ctxt_switches:\s*(\d+)", status)[1])
               for status in statuses)


def test_a_device_with_interrupts_wakes_its_lcore(lab, binary):
    """virtio-user has them: its weft is a container of another one's. Who must look into a queue
    does so 10,000 times a second and more."""
    outer = Overlay(lab)
    path = lab.directory / "nested.sock"
    outer.config.port("nested", "blue", "vhost-user", VHOST_MAC, path=path)
    outer.start()
    shop = TapContainer(lab, "shop", "02:00:00:00:00:31", "10.9.0.1/24")
    config = (Config().uplink(device=f"net_virtio_user0,path={path},mac={VHOST_MAC}",
                              address=f"{VHOST_ADDRESS}/24")
              .network("red", 200, [outer.db.address()]).tap("shop", "red", shop))
    weft = lab.weft(config, netns=lab.namespace("nested"))
    weft.wait_ready()
    outer.db.namespace.ip(f"link add vx200 type vxlan id 200 local {outer.db.address()} "
                          f"remote {VHOST_ADDRESS} dstport 4789")
    outer.db.namespace.ip("link set vx200 up")
    outer.db.namespace.address("vx200", "10.9.0.2/24")
    shop.come_up(INNER_MTU - 50)
    traffic.reachable(outer.db, shop.address())
    fall_asleep(weft)
    before = switches(weft)
    time.sleep(1)
    assert switches(weft) - before < 2000
    echo(outer.db, shop.address(), PACKETS, PAUSE)


def test_nobody_sleeps(lab, binary):
    overlay, _ = overlay_of(lab, "auto", idle="poll")
    know_addresses(overlay)
    traffic.reachable(overlay.db, overlay.web.address())
    echo(overlay.db, overlay.web.address(), 10, PAUSE)
    rows = overlay.weft.rows("lcores")
    assert all(row["asleep"] == row["sleeps"] == 0 for row in rows)
