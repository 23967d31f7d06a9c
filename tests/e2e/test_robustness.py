# SPDX-License-Identifier: BSD-3-Clause
"""Containers that die, freeze, come and go under traffic: the others do not notice."""

import itertools
import os
import re
import signal
import time
from random import Random

import pytest

import apps
import traffic
from netns import command
from peers import TapContainer
from topology import Overlay
from waiting import PATIENCE, until
from weft import WEFTCTL

VICTIM_MAC, VICTIM_ADDRESS = "02:00:00:00:00:21", "10.1.0.21"
PARTNER_MAC = "02:00:00:00:00:22"
CYCLES = 20
RESTARTS = 3
FREEZES = 3
WINDOW = 64 << 10  # bytes that TCP has on their way beside pings of which none may be lost
DEVICES_HOLD = 4096  # packet buffers
SOAK_SECONDS = int(os.environ.get("WEFT_SOAK_SECONDS", "600"))
SOAK_SEED = 1789
KINDS = ("vhost", "client", "memif")


class Victims:
    """An overlay whose container `victim` is to suffer, with `partner` sending at it as fast as
    it can, and it at partner, while db pings web."""

    def __init__(self, lab, kind):
        self.lab = lab
        self.kind = kind
        self.overlay = Overlay(lab)
        self.path = lab.directory / f"{kind}-victim.sock"
        self.partner_path = lab.directory / f"{kind}-partner.sock"
        keys = {"vhost": {"kind": "vhost-user"}, "client": {"kind": "vhost-user", "client": "yes"},
                "memif": {"kind": "memif"}}[kind]
        self.overlay.config.port("victim", "blue", mac=VICTIM_MAC, path=self.path, **keys)
        self.overlay.config.port("partner", "blue", "vhost-user", PARTNER_MAC,
                                 path=self.partner_path)
        self.overlay.start()
        self.weft = self.overlay.weft
        self.web, self.db = self.overlay.web, self.overlay.db
        self.db.namespace.ip(f"neigh replace {VICTIM_ADDRESS} lladdr {VICTIM_MAC} dev eth0")
        traffic.reachable(self.db, self.web.address())

    def device(self):
        if self.kind == "memif":
            return apps.memif(self.path, VICTIM_MAC)
        return apps.virtio_user(self.path, VICTIM_MAC, server=self.kind == "client")

    def sender(self, device, to):
        """A container that sends as fast as it may, and takes what comes: testpmd forwards
        between it and a device that gives and takes whatever is asked."""
        return apps.Testpmd(self.lab, "net_null0,size=64", device, forward="mac",
                            options=(f"--eth-peer=1,{to}", "-i", "-a")).start()

    def victim(self):
        if self.kind == "client":  # a container that was killed leaves its socket
            self.path.unlink(missing_ok=True)
        return self.sender(self.device(), PARTNER_MAC)

    def partner(self):
        return self.sender(apps.virtio_user(self.partner_path, PARTNER_MAC), VICTIM_MAC)

    def restart_weft(self):
        self.overlay.restart()
        self.weft = self.overlay.weft

    def port(self, name="victim"):
        return self.weft.ports()[name]

    def wait_moving(self):
        """Packets flow from and to the victim."""
        before = self.port()

        def moving():
            now = self.port()
            return (now["rx_packets"] > before["rx_packets"] + 100
                    and now["tx_packets"] > before["tx_packets"] + 100)
        until(moving, PATIENCE, lambda: f"traffic of the victim: {before} {self.port()}")

    def wait_refusing(self):
        """The victim takes no more packets: its ring is full."""
        def stuck():
            before = self.port()
            time.sleep(0.05)
            now = self.port()
            return (now["tx_packets"] == before["tx_packets"]
                    and now["tx_refused"] > before["tx_refused"])
        until(stuck, PATIENCE, lambda: f"a full ring: {self.port()}")


def background_ping(lab, container, address):
    return lab.start("ping", "-n", "-i", "0.005", address, netns=container.namespace)


def all_answered(process):
    """Ends a background ping; every request up to the last answer was answered."""
    until(lambda: " ttl" in process.output(), PATIENCE, process.tail)
    numbers = answers(process)
    assert numbers == list(range(1, len(numbers) + 1)), process.tail(3)


def answers(process):
    """Ends a background ping and returns the numbers of the requests that were answered."""
    process.signal(signal.SIGINT)
    process.wait()
    return [int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", process.output())]


@pytest.mark.parametrize("kind", KINDS)
def test_killed_and_restarted(lab, binary, kind):
    """SIGKILL under full traffic, twenty times. Traffic resumes by itself each time, web notices
    nothing, and weft keeps neither files nor packets."""
    victims = Victims(lab, kind)
    partner = victims.partner()
    victim = victims.victim()
    victims.wait_moving()
    files = victims.weft.process.open_files()
    refused = victims.port("web")["tx_refused"]
    probe = background_ping(lab, victims.db, victims.web.address())
    for _ in range(CYCLES):
        victim.kill()
        victim = victims.victim()
        victims.wait_moving()
    all_answered(probe)
    assert victims.port("web")["tx_refused"] == refused
    has_open(victims.weft, files)
    victim.kill()
    partner.kill()
    until(lambda: not victims.port()["up"], PATIENCE, "victim down")
    whole(victims.weft)


def has_open(weft, files):
    """So many files, once it has closed what it needs no more."""
    until(lambda: weft.process.open_files() == files, PATIENCE,
          lambda: f"{files} open files, not {weft.process.open_files()}")


def whole(weft):
    """Every packet buffer is back but for those that devices hold to receive into."""
    terms = weft.settle()
    assert terms["mbufs"] - terms["mbufs_free"] <= DEVICES_HOLD, terms


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_container(lab, binary, kind):
    """A container that reads nothing any more costs the others no packets, and goes on where it
    was. (That it costs them no time is told under the virtual clock, in test_virtual.py.)"""
    victims = Victims(lab, kind)
    victims.partner()
    victim = victims.victim()
    victims.wait_moving()
    refused = victims.port("web")["tx_refused"]
    for _ in range(FREEZES):
        victim.freeze()
        victims.wait_refusing()
        traffic.pings(victims.db, victims.web.address(), 100)
        victims.wait_refusing()
        victim.thaw()
        victims.wait_moving()
    assert victims.port("web")["tx_refused"] == refused


@pytest.mark.long
def test_soak(lab, binary):
    """Minutes of kills, freezes, restarts and TCP at once, with a container of each kind."""
    random = Random(SOAK_SEED)
    victims = [Victims(lab, kind) for kind in KINDS]
    running = {one.kind: (one.partner(), one.victim())[1] for one in victims}
    probes = [background_ping(lab, one.db, one.web.address()) for one in victims]
    end = time.monotonic() + SOAK_SECONDS
    while time.monotonic() < end:
        one = random.choice(victims)
        if random.random() < 0.3:
            running[one.kind].freeze()
            one.wait_refusing()
            running[one.kind].thaw()
        else:
            running[one.kind].kill()
            running[one.kind] = one.victim()
        other = random.choice(victims)
        traffic.iperf3(lab, other.db, other.web)
        one.wait_moving()
    for one, probe in zip(victims, probes):
        # Beside TCP, and with three wefts on one CPU, the uplink's ring may overflow at times.
        assert answers(probe), probe.tail(3)
        whole(one.weft)


@pytest.mark.parametrize("kind", KINDS)
def test_weft_killed_and_restarted(lab, binary, kind):
    """SIGKILL under full traffic. The new weft finds a container that listens by itself. Where weft
    listens, DPDK 22.11's devices call once: a memif client goes on when its application restarts
    its port, and a virtio-user one with its process."""
    victims = Victims(lab, kind)
    partner = victims.partner()
    victim = victims.victim()
    victims.wait_moving()
    for _ in range(RESTARTS):
        victims.restart_weft()
        partner.kill()
        partner = victims.partner()
        if kind == "vhost":
            victim.kill()
            victim = victims.victim()
        elif kind == "memif":
            victim.restart_ports()
        victims.wait_moving()
        traffic.reachable(victims.db, victims.web.address())
        traffic.pings(victims.db, victims.web.address(), 10)


def test_weft_killed_and_restarted_under_a_kernel_container(lab, binary):
    """The TAP device goes with weft, and comes into the same namespace with the new one."""
    overlay = Overlay(lab).start()
    traffic.reachable(overlay.db, overlay.web.address())
    background_ping(lab, overlay.db, overlay.web.address())
    for _ in range(RESTARTS):
        overlay.restart()
        traffic.reachable(overlay.db, overlay.web.address())
        traffic.pings(overlay.web, overlay.db.address(), 10)
        traffic.stream(overlay.db, overlay.web, 1)


def test_container_process_killed_and_restarted(lab, binary):
    """The same with a kernel container: runc's process dies, its namespace and TAP stay."""
    overlay = Overlay(lab)
    shop = TapContainer(lab, "shop", "02:00:00:00:00:31", "10.1.0.31/24")
    overlay.config.tap("shop", "blue", shop)
    overlay.start()
    shop.come_up()
    traffic.reachable(overlay.db, overlay.web.address())
    traffic.reachable(overlay.db, shop.address())
    traffic.limit_window(shop, WINDOW)
    inside = apps.runc_nginx(lab, shop)
    _, digest = traffic.make_file(inside.data, 1)
    files = overlay.weft.process.open_files()
    probe = background_ping(lab, overlay.db, overlay.web.address())
    for _ in range(CYCLES):
        inside.kill()
        inside.start()
        until(lambda: apps.listening(shop.namespace, 80), PATIENCE, "nginx again")
        assert traffic.download(overlay.db, f"http://{shop.address()}/file") == digest
    all_answered(probe)
    has_open(overlay.weft, files)
    whole(overlay.weft)


def weftctl(weft, *words):
    return command(WEFTCTL, "--file-prefix", weft.prefix, *words)


def test_ports_come_and_go_under_traffic(lab, binary):
    """weftctl adds and deletes ports of every type; traffic of the others loses nothing."""
    overlay = Overlay(lab).start()
    weft = overlay.weft
    space = lab.namespace("extra")
    traffic.reachable(overlay.db, overlay.web.address())
    words = {"tap": ["type=tap", f"netns={space.name}", "interface=eth0"],
             "vhost": ["type=vhost-user", f"path={lab.directory}/extra.sock"],
             "client": ["type=vhost-user", f"path={lab.directory}/extra.sock", "client=yes"],
             "memif": ["type=memif", f"path={lab.directory}/extra.sock"]}

    def once(kind):
        weftctl(weft, "port", "add", "extra", "network=blue", "mac=02:00:00:00:00:41",
                *words[kind])
        assert "extra" in weft.ports()
        weftctl(weft, "port", "del", "extra")
        assert "extra" not in weft.ports()
    for kind in words:
        once(kind)
    files = weft.process.open_files()
    refused = weft.ports()["web"]["tx_refused"]
    probe = background_ping(lab, overlay.db, overlay.web.address())
    for kind, _ in itertools.product(words, range(5)):
        once(kind)
    all_answered(probe)
    has_open(weft, files)
    assert weft.ports()["web"]["tx_refused"] == refused
    whole(weft)


def test_added_port_carries_traffic(lab, binary):
    """A container attached while weft runs is as good as one of the configuration."""
    overlay = Overlay(lab).start()
    shop = TapContainer(lab, "shop", "02:00:00:00:00:31", "10.1.0.31/24")
    weftctl(overlay.weft, "port", "add", "shop", "network=blue", "type=tap", f"mac={shop.mac}",
            f"netns={shop.namespace.name}", "interface=eth0", "addresses=10.1.0.31")
    shop.come_up()
    for client in (overlay.db, overlay.web):
        traffic.reachable(client, shop.address())
        traffic.pings(client, shop.address(), 10)
    weftctl(overlay.weft, "port", "del", "shop")
    assert traffic.ping(overlay.db, shop.address(), 2, interval=0.2) == 0


@pytest.mark.parametrize("words, named", [
    (("port", "add", "web", "network=blue", "type=tap", "mac=02:00:00:00:00:51"), "web"),
    (("port", "add", "new", "network=red", "type=tap", "mac=02:00:00:00:00:51"), "network"),
    (("port", "add", "new", "network=blue", "type=disk", "mac=02:00:00:00:00:51"), "type"),
    (("port", "add", "new", "network=blue", "type=tap"), "mac"),
    (("port", "add", "new", "network=blue", "type=tap", "mac=02:00:00:00:00:01"), "mac"),
    (("port", "add", "new", "network=blue", "type=memif", "mac=02:00:00:00:00:51"), "path"),
    (("port", "del", "nobody"), "nobody"),
    (("port", "del", "phys"), "phys"),
    (("fdb", "add", "red", "02:00:00:00:00:51", "192.0.2.2"), "red"),
    (("fdb", "add", "blue", "02:00:00:00:00", "192.0.2.2"), "02:00:00:00:00"),
    (("fdb", "add", "blue", "02:00:00:00:00:51", "192.0.2.99"), "VTEP"),
    (("fdb", "del", "blue", "02:00:00:00:00:51"), "02:00:00:00:00:51"),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else None)
def test_weftctl_says_what_is_wrong(shared, words, named):
    """One line on stderr, exit status 1, and nothing changed."""
    before = shared.weft.ports().keys(), shared.weft.fdb("blue").keys()
    done = command(WEFTCTL, "--file-prefix", shared.weft.prefix, *words, check=False)
    assert done.returncode == 1, done.stdout
    assert len(done.stderr.strip().splitlines()) == 1
    assert named in done.stderr
    assert (shared.weft.ports().keys(), shared.weft.fdb("blue").keys()) == before


@pytest.fixture(scope="module")
def shared(module_lab, binary):
    return Overlay(module_lab).start()
