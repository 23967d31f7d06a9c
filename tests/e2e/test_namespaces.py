# SPDX-License-Identifier: BSD-3-Clause
"""Kernel containers that are not there yet, and that go and come: their ports wait and follow."""

import os

import pytest

import apps
import traffic
from netns import command
from peers import TapContainer
from test_robustness import all_answered, background_ping, weftctl, whole
from topology import Overlay
from waiting import PATIENCE, until

SHOP_MAC = "02:00:00:00:00:31"
ROUNDS = 20
CROWD = 50
CROWD_ROUNDS = 3
WAITING = "waiting for network namespace"


class Shop:
    """An overlay with a second TAP container, `shop`, which db may ping without asking for it."""

    def __init__(self, lab, there=True):
        self.overlay = Overlay(lab)
        self.container = TapContainer(lab, "shop", SHOP_MAC, "10.1.0.31/24")
        self.namespace = self.container.namespace
        if not there:
            self.namespace.delete()
        self.overlay.config.tap("shop", "blue", self.container)
        self.overlay.start()
        self.weft, self.db, self.web = self.overlay.weft, self.overlay.db, self.overlay.web
        self.db.namespace.ip(f"neigh replace {self.container.address()} lladdr {SHOP_MAC} "
                             f"dev {self.db.interface}")
        traffic.reachable(self.db, self.web.address())

    def port(self):
        return self.weft.ports()["shop"]

    def wait_status(self, words, up=0):
        until(lambda: words in self.port()["status"] and self.port()["up"] == up, PATIENCE,
              lambda: f"{words}: {self.port()}")

    def come_up(self):
        """In a namespace that is there."""
        self.container.come_up()
        self.answers()

    def answers(self):
        self.wait_status("interface 'eth0' is up", up=1)
        traffic.reachable(self.db, self.container.address())


def files_open(weft):
    """But for what it opens and closes again at once."""
    return min(weft.process.open_files() for _ in range(20))


def no_more_files(weft, files):
    until(lambda: weft.process.open_files() == files, PATIENCE,
          lambda: f"{files} open files, not {weft.process.open_files()}")


def test_missing_at_start(lab, binary):
    """weft starts without it and serves the others. What is sent there is counted."""
    shop = Shop(lab, there=False)
    shop.wait_status(f"{WAITING} '{shop.namespace.name}'")
    assert traffic.ping(shop.db, shop.container.address(), 3, patience=0.2) == 0
    until(lambda: shop.weft.drops()[("deliver", "port_down")] >= 3, PATIENCE,
          lambda: f"3 drops: {shop.weft.drops()}")
    assert WAITING in weftctl(shop.weft, "show", "ports").stdout
    shop.namespace.make()
    shop.come_up()


def test_deleted_and_made_again(lab, binary):
    """Twenty times, under traffic. The others notice nothing, and weft keeps nothing."""
    shop = Shop(lab)
    shop.come_up()
    files = files_open(shop.weft)
    probe = background_ping(lab, shop.db, shop.web.address())
    lab.start("ping", "-n", "-i", "0.002", shop.container.address(), netns=shop.db.namespace)
    for _ in range(ROUNDS):
        shop.namespace.delete()
        shop.wait_status(WAITING)
        shop.namespace.make()
        shop.come_up()
        no_more_files(shop.weft, files)
    all_answered(probe)
    whole(shop.weft)


def test_interface_deleted_inside(lab, binary):
    """Only the interface goes: it is made again at once, and is to be set up again."""
    shop = Shop(lab)
    shop.come_up()
    index = shop.namespace.ip("-o link show eth0").split(":")[0]
    shop.namespace.ip("link del eth0")
    until(lambda: shop.namespace.has("eth0")
          and shop.namespace.ip("-o link show eth0").split(":")[0] != index,
          PATIENCE, "another eth0")
    shop.wait_status("interface 'eth0' is down")
    shop.come_up()


def test_set_down_and_up_inside(lab, binary):
    shop = Shop(lab)
    shop.come_up()
    for _ in range(3):
        shop.namespace.ip("link set eth0 down")
        shop.wait_status("interface 'eth0' is down")
        shop.namespace.ip("link set eth0 up")
        shop.answers()


def test_another_namespace_of_the_name(lab, binary):
    """A process keeps the old one alive. The name is the new one's, so the interface is, too."""
    shop = Shop(lab)
    shop.come_up()
    keeper = lab.start("sleep", "1000", netns=shop.namespace)
    until(lambda: os.readlink(f"/proc/{keeper.pid}/ns/net") != os.readlink("/proc/self/ns/net"),
          PATIENCE, "a process inside")
    shop.namespace.delete()
    shop.answers()
    shop.namespace.make()
    shop.come_up()
    inside = command("nsenter", f"--net=/proc/{keeper.pid}/ns/net", "ip", "link").stdout
    assert "eth0" not in inside


def test_restarted_by_runc(lab, binary):
    """Each start of the container makes a namespace of its own, and its name is a link to it."""
    shop = Shop(lab, there=False)
    inside = apps.RuncContainer(lab, shop.container, "sleeper", "sleep", "1000", own_network=True)
    for _ in range(3):
        inside.start()
        os.symlink(inside.network(), f"{shop.namespace.path}.new")
        os.replace(f"{shop.namespace.path}.new", shop.namespace.path)
        shop.namespace.prepare()
        shop.come_up()
        inside.kill()
        shop.wait_status(WAITING)


def test_name_of_the_interface_is_taken(lab, binary):
    """weft says so, and tries again when something has changed there."""
    shop = Shop(lab, there=False)
    command("ip", "netns", "add", f"{shop.namespace.name}.new")
    lab.stack.callback(command, "ip", "netns", "del", f"{shop.namespace.name}.new", check=False)
    command("ip", "-n", f"{shop.namespace.name}.new", "tuntap", "add", "eth0", "mode", "tap")
    os.symlink(f"{shop.namespace.path}.new", shop.namespace.path)
    shop.wait_status("cannot make interface 'eth0'")
    shop.namespace.prepare()
    shop.namespace.ip("link del eth0")
    shop.come_up()


@pytest.mark.parametrize("missing", [False, True])
def test_added_by_its_path(lab, binary, missing):
    """A path that is longer than any name; `port add` does not mind that it is missing."""
    overlay = Overlay(lab).start()
    space = TapContainer(lab, "shop", SHOP_MAC, "10.1.0.31/24")
    directory = lab.directory / ("d" * 60) / ("e" * 60)
    path = directory / "netns"

    def name():
        directory.mkdir(parents=True)
        path.symlink_to(space.namespace.path)
    if not missing:
        name()
    weftctl(overlay.weft, "port", "add", "shop", "network=blue", "type=tap", f"mac={SHOP_MAC}",
            f"netns={path}", "interface=eth0")
    if missing:
        assert WAITING in overlay.weft.ports()["shop"]["status"]
        name()
    space.come_up()
    traffic.reachable(overlay.db, space.address())


def test_many_come_and_go(lab, binary):
    """Fifty at a time."""
    overlay = Overlay(lab)
    names = [f"{overlay.host.name}-{number}" for number in range(CROWD)]
    ports = [f"many{number}" for number in range(CROWD)]

    def all_of_them(words):
        command("sh", "-ec", f"for name in {' '.join(names)}; do {words}; done")

    def wait(up, words):
        until(lambda: all(overlay.weft.ports()[port]["up"] == up
                          and words in overlay.weft.ports()[port]["status"] for port in ports),
              PATIENCE, lambda: f"{words}: {overlay.weft.ports()}")
    lab.stack.callback(all_of_them, "ip netns del $name 2>/dev/null || true")
    for number, port in enumerate(ports):
        overlay.config.port(port, "blue", "tap", f"02:00:00:00:01:{number:02x}",
                            netns=names[number], interface="eth0")
    overlay.start()
    wait(0, WAITING)
    files = files_open(overlay.weft)
    probe = background_ping(lab, overlay.db, overlay.web.address())
    for _ in range(CROWD_ROUNDS):
        all_of_them("ip netns add $name")
        wait(0, "is down")
        all_of_them("ip -n $name link set eth0 up")
        wait(1, "is up")
        all_of_them("ip netns del $name")
        wait(0, WAITING)
        no_more_files(overlay.weft, files)
    all_answered(probe)
