# SPDX-License-Identifier: BSD-3-Clause
"""The forwarding database: learned, moved, aged and static addresses, and flooding."""

import pytest

import frames
import traffic
from frames import inner, unanswered
from peers import Fabric, KernelHost, TapContainer
from topology import DB_MAC, VNI, WEB_MAC, WEFT_ADDRESS
from waiting import PATIENCE, until
from weft_config import Config

EAST, WEST = "192.0.2.2", "192.0.2.3"
ROAMER_MAC = "02:00:00:00:00:0c"
LOCAL_MAC = "02:00:00:00:00:03"
MANY, FEW = 1000, 50  # addresses
BROADCAST = "ff:ff:ff:ff:ff:ff"


class ThreeHosts:
    """weft with two containers, and two remote hosts, on one switch."""

    def __init__(self, lab, **network):
        fabric = Fabric(lab)
        self.host = lab.namespace("weft")
        fabric.connect(self.host, "up0")
        self.east = self._remote(lab, fabric, "east", EAST)
        self.west = self._remote(lab, fabric, "west", WEST)
        self.web = TapContainer(lab, "web", WEB_MAC, "10.1.0.1/24")
        self.local = TapContainer(lab, "local", LOCAL_MAC, "10.1.0.3/24")
        self.config = (Config().uplink().network("blue", VNI, [EAST, WEST], **network)
                       .tap("web", "blue", self.web).tap("local", "blue", self.local))
        self.lab = lab
        self.weft = None

    @staticmethod
    def _remote(lab, fabric, role, address):
        host = KernelHost(lab, role, f"{address}/24")
        fabric.connect(host.namespace, host.uplink)
        host.namespace.address(host.uplink, host.prefixed)
        return host

    def start(self):
        self.weft = self.lab.weft(self.config, netns=self.host).wait_ready()
        self.web.come_up()
        self.local.come_up()
        return self

    def sniffers(self):
        return {"web": traffic.Sniffer(self.web.namespace, "eth0"),
                "local": traffic.Sniffer(self.local.namespace, "eth0"),
                "east": traffic.Sniffer(self.east.namespace, "eth0"),
                "west": traffic.Sniffer(self.west.namespace, "eth0")}

    def outer(self, host):
        return frames.Outer(host.namespace.mac("eth0"), self.host.mac("up0"), source=host.address)

    def send_from(self, host, **keywords):
        """One VXLAN packet from a remote host."""
        with host.raw_socket() as raw:
            raw.send(self.outer(host).frame(payload=inner(**keywords)))

    def resolved(self):
        """Waits until weft knows the way to both VTEPs."""
        frames.until_heard(self.web, [self.east, self.west])
        until(lambda: self.weft.neighbours() == {EAST: "reachable", WEST: "reachable"}, PATIENCE,
              lambda: f"two VTEPs that can be reached: {self.weft.neighbours()}")
        return self

    def where(self, mac):
        row = self.weft.fdb("blue").get(mac)
        return row and row["to"]


@pytest.fixture
def hosts(lab, binary):
    return ThreeHosts(lab)


def mark(text):
    return f"weft-e2e-{text}".encode()


@pytest.mark.quick
def test_address_is_learned_and_moves(hosts):
    """A container that moves between hosts is followed with its first packet."""
    hosts.start().resolved()
    sniffers = hosts.sniffers()
    east, west = sniffers["east"], sniffers["west"]
    for host, heard, deaf in ((hosts.east, east, west), (hosts.west, west, east),
                              (hosts.east, east, west)):
        hosts.send_from(host, source=ROAMER_MAC, destination=WEB_MAC)
        until(lambda: hosts.where(ROAMER_MAC) == host.address, PATIENCE, "learned")
        for sniffer in (east, west):
            sniffer.clear()
        text = mark(f"to-{host.address}.")
        send_from_web(hosts, destination=ROAMER_MAC, mark=text)
        heard.wait_for(text)
        assert deaf.matching(text) == []


def send_from_web(hosts, **keywords):
    frame = inner(source=WEB_MAC, source_ip="10.1.0.1", destination_ip="10.1.0.2", **keywords)
    with hosts.web.namespace.raw_socket("eth0") as raw:
        raw.send(bytes(frame))


def test_learned_address_ages(lab, binary):
    """Two seconds of silence, and it is forgotten, but not one that is heard meanwhile."""
    hosts = ThreeHosts(lab, ageing=2).start()
    keeper = "02:00:00:00:00:0d"

    def hear(mac):
        hosts.send_from(hosts.east, source=mac, destination=WEB_MAC)
    hear(ROAMER_MAC)
    until(lambda: hosts.where(ROAMER_MAC), PATIENCE, "learned")
    hear(keeper)
    until(lambda: hosts.where(keeper), PATIENCE, "learned")

    def forgotten():
        hear(keeper)
        return hosts.where(ROAMER_MAC) is None and hosts.where(keeper) == EAST
    until(forgotten, PATIENCE, "forgotten", interval=0.2)
    until(lambda: hosts.where(keeper) is None, PATIENCE, "the other one forgotten, too")


def test_learning_off_learns_nothing(lab, binary):
    hosts = ThreeHosts(lab, learning="off").start()
    web = traffic.Sniffer(hosts.web.namespace, "eth0")
    hosts.send_from(hosts.east, source=ROAMER_MAC, destination=WEB_MAC)
    web.wait_for(frames.MARK)
    assert hosts.where(ROAMER_MAC) is None


def teach(hosts, count):
    """`count` addresses speak at east; their packets come as fast as weft takes them."""
    outer = hosts.outer(hosts.east)
    with hosts.east.raw_socket() as raw:
        for number in range(count):
            mac = f"06:00:00:00:{number >> 8:02x}:{number & 255:02x}"
            raw.send(outer.frame(payload=unanswered(mac, WEB_MAC, b"")))


def test_long_list_comes_in_pages(lab, binary):
    """More addresses than one answer of the telemetry socket holds."""
    hosts = ThreeHosts(lab).start()

    def learned():
        teach(hosts, MANY)
        return len(hosts.weft.fdb("blue")) >= MANY
    until(learned, PATIENCE, lambda: f"{MANY} addresses, {len(hosts.weft.fdb('blue'))} there")
    rows = hosts.weft.rows("fdb,blue")
    assert len({row["mac"] for row in rows}) == len(rows)


def test_network_learns_so_many_and_no_more(lab, binary):
    """`addresses` bounds what a network may learn; what is known goes on working."""
    hosts = ThreeHosts(lab, addresses=FEW).start().resolved()
    until(lambda: teach(hosts, MANY) or len(hosts.weft.fdb("blue")) >= FEW, PATIENCE, "full")
    hosts.weft.settle()
    learned = [row for row in hosts.weft.rows("fdb,blue") if row["kind"] == "learned"]
    assert len(learned) <= FEW
    traffic.reachable(hosts.web, hosts.local.address())
    traffic.pings(hosts.web, hosts.local.address(), 5)


def test_static_entries_neither_move_nor_age(lab, binary):
    """Packets for a static address go where the entry says; from elsewhere it is not believed."""
    hosts = ThreeHosts(lab, ageing=1)
    hosts.config.fdb("blue", {ROAMER_MAC: EAST})
    hosts.start().resolved()
    row = hosts.weft.fdb("blue")[ROAMER_MAC]
    assert (row["to"], row["kind"]) == (EAST, "static")
    before = hosts.weft.drops()[("bridge", "bridge_spoofed")]
    hosts.send_from(hosts.west, source=ROAMER_MAC, destination=WEB_MAC)
    until(lambda: hosts.weft.drops()[("bridge", "bridge_spoofed")] == before + 1, PATIENCE,
          "dropped")
    east = traffic.Sniffer(hosts.east.namespace, "eth0")
    send_from_web(hosts, destination=ROAMER_MAC)
    east.wait_for(frames.MARK)
    assert hosts.where(ROAMER_MAC) == EAST


def test_static_entries_come_and_go_while_running(hosts):
    hosts.start().resolved()
    hosts.weft.change("fdb/add", "blue", ROAMER_MAC, WEST)
    sniffers = hosts.sniffers()
    east, west = sniffers["east"], sniffers["west"]
    send_from_web(hosts, destination=ROAMER_MAC, mark=mark("static"))
    west.wait_for(mark("static"))
    assert east.matching(mark("static")) == []
    hosts.weft.change("fdb/del", "blue", ROAMER_MAC)
    assert hosts.where(ROAMER_MAC) is None
    hosts.weft.change("fdb/add", "blue", ROAMER_MAC, "port local")
    assert hosts.where(ROAMER_MAC) == "local"


@pytest.mark.quick
@pytest.mark.parametrize("destination", [BROADCAST, "01:00:5e:00:00:fb", ROAMER_MAC],
                         ids=["broadcast", "multicast", "unknown"])
def test_flooded_once_to_everybody_else(hosts, destination):
    """From a container: to both VTEPs and the other container, once each, not back."""
    hosts.start().resolved()
    sniffers = hosts.sniffers()
    send_from_web(hosts, destination=destination, mark=mark("flood"))
    for name in ("east", "west", "local"):
        assert len(sniffers[name].wait_for(mark("flood"))) == 1
    hosts.weft.settle()
    assert sniffers["web"].matching(mark("flood")) == []
    for name in ("east", "west", "local"):
        assert len(sniffers[name].matching(mark("flood"))) == 1


def test_flooding_from_the_tunnel_stays_local(hosts):
    """From a VTEP: to the containers, never to another VTEP (split horizon)."""
    hosts.start().resolved()
    sniffers = hosts.sniffers()
    hosts.send_from(hosts.east, source=ROAMER_MAC, destination=BROADCAST, mark=mark("tunnel"))
    for name in ("web", "local"):
        assert len(sniffers[name].wait_for(mark("tunnel"))) == 1
    hosts.weft.settle()
    assert sniffers["west"].matching(mark("tunnel")) == []
    assert sniffers["east"].matching(mark("tunnel")) == []


@pytest.mark.quick
def test_local_traffic_stays_local(hosts):
    """Two containers of one host talk without a packet on the uplink."""
    hosts.start().resolved()
    traffic.reachable(hosts.web, hosts.local.address())
    sniffers = hosts.sniffers()
    traffic.pings(hosts.web, hosts.local.address(), 10)
    traffic.stream(hosts.web, hosts.local)
    for name in ("east", "west"):
        assert not [frame for frame in sniffers[name].drain()
                    if bytes.fromhex(LOCAL_MAC.replace(":", "")) in frame[42:]]


def test_kernel_hosts_on_both_sides(hosts):
    """Real containers on all three hosts: everybody reaches everybody but across two tunnels."""
    hosts.start()
    blue_east = hosts.east.network(VNI, [WEFT_ADDRESS, WEST])
    blue_west = hosts.west.network(VNI, [WEFT_ADDRESS, EAST])
    db = blue_east.container("db", DB_MAC, "10.1.0.2/24")
    shop = blue_west.container("shop", ROAMER_MAC, "10.1.0.4/24")
    for one, other in ((db, hosts.web), (shop, hosts.web), (db, shop), (hosts.local, db),
                       (hosts.local, shop)):
        traffic.reachable(one, other.address())
        traffic.pings(one, other.address(), 5)
