# SPDX-License-Identifier: BSD-3-Clause
"""Broken and forged packets: each ends under the one name it should, and nowhere else."""

from random import Random

import pytest
from scapy.layers.dhcp import BOOTP
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6NDOptDstLLAddr,
                                 IPv6)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

import frames
from frames import ETHER, IPV4, MARK, UDP_HEADER, VXLAN_HEADER, cut, inner, patched, shortened
from peers import TapContainer
from topology import DB_MAC, EAST_ADDRESS, VNI, WEB_MAC, WEFT_ADDRESS, Overlay
from traffic import Sniffer
from waiting import PATIENCE, until
from weft_config import Config

pytestmark = pytest.mark.quick

MUTATIONS, MUTATION_SEED = 20000, 7348
COPIES = 3  # of each broken frame
BROADCAST = "ff:ff:ff:ff:ff:ff"
ELSEWHERE_MAC = "02:00:00:00:00:77"  # static, at a VTEP that does not answer ARP
ABSENT_VTEP = "192.0.2.3"
UNUSED_MAC = "02:00:00:00:00:99"
VHOST_MAC = "02:00:00:00:00:88"
LONELY_VNI, FLANNEL_VNI = 101, 102
SMALL_MTU = 1300


class Bench:
    """One weft whose uplink and container ends are ours to write to."""

    def __init__(self, lab):
        self.overlay = Overlay(lab, mtu=SMALL_MTU)
        self.overlay.config.network("blue", VNI, [EAST_ADDRESS, ABSENT_VTEP])
        self.overlay.config.network("lonely", LONELY_VNI, [EAST_ADDRESS])
        self.overlay.config.network("flannel", FLANNEL_VNI, [EAST_ADDRESS], udp_port=8472)
        self.overlay.config.section("port web", addresses="10.1.0.1 fd00:1::1")
        self.overlay.config.port("idle", "blue", "vhost-user", VHOST_MAC,
                                 path=lab.directory / "idle.sock")
        self.overlay.config.fdb("blue", {ELSEWHERE_MAC: ABSENT_VTEP})
        self.overlay.web.addresses = ()  # so that its kernel has nothing to say
        self.overlay.db.namespace.ip("link set eth0 down")
        self.overlay.launch().weft.wait_ready()
        self.overlay.web.come_up(mtu=1500)
        self.weft = self.overlay.weft
        self.uplink = self.overlay.east.raw_socket()
        self.container = self.overlay.web.namespace.raw_socket("eth0")
        self.delivered = Sniffer(self.overlay.web.namespace, "eth0")
        self.outer = frames.Outer(self.overlay.east.namespace.mac("eth0"),
                                  self.overlay.weft_mac())
        self._teach_db()

    def _teach_db(self):
        """A sound packet: it is delivered, and db's address is learned."""
        self.uplink.send(self.outer.frame())
        self.delivered.wait_for(MARK)
        until(lambda: DB_MAC in self.weft.fdb("blue"), PATIENCE, "db learned")
        self.weft.settle()

    def check(self, socket, frame, stage, reason):
        """Sends copies of a frame: all are dropped under that name, none under another, and
        nothing is delivered."""
        self.delivered.clear()
        before = self.weft.drops()
        for _ in range(COPIES):
            socket.send(frame)
        until(lambda: self.growth(before).get((stage, reason), 0) >= COPIES, PATIENCE,
              lambda: f"{stage} {reason}; grown: {self.growth(before)}")
        self.weft.settle()
        assert self.growth(before) == {(stage, reason): COPIES}, self.delivered.drain()
        assert self.delivered.matching(MARK) == []

    def growth(self, before):
        return {key: packets - before[key] for key, packets in self.weft.drops().items()
                if packets != before[key]}


@pytest.fixture(scope="module")
def bench(module_lab, binary):
    return Bench(module_lab)


def arp(hwsrc=UNUSED_MAC, psrc="192.0.2.66", pdst=WEFT_ADDRESS, op=1):
    return bytes(Ether(src=UNUSED_MAC, dst=BROADCAST)
                 / ARP(op=op, hwsrc=hwsrc, psrc=psrc, hwdst="00:00:00:00:00:00", pdst=pdst))


def with_bytes(frame, offset, value):
    return frame[:offset] + value + frame[offset + len(value):]


def icmp(outer, message):
    return outer.ether / outer.ip / message


def tagged(outer, *tags):
    frame = outer.ether
    for tag in tags:
        frame = frame / tag
    return frame / outer.packet()[IP]


# (what is wrong, stage, reason, frame made from frames.Outer)
FROM_UPLINK = [
    ("vlan tag", "gro", "outer_vlan", lambda o: tagged(o, Dot1Q(vlan=5))),
    ("priority tag", "gro", "outer_vlan", lambda o: tagged(o, Dot1Q(vlan=0, prio=5))),
    ("service tag", "gro", "outer_vlan", lambda o: tagged(o, Dot1AD(vlan=5))),
    ("two vlan tags", "gro", "outer_vlan", lambda o: tagged(o, Dot1AD(vlan=5), Dot1Q(vlan=6))),
    ("other mac", "gro", "outer_mac", lambda o: o.packet(ether={"dst": UNUSED_MAC})),
    ("multicast mac", "gro", "outer_mac", lambda o: o.packet(ether={"dst": "01:00:5e:00:00:01"})),
    ("unknown ethertype", "gro", "outer_ethertype", lambda o: o.packet(ether={"type": 0x1234})),
    ("802.3 length", "gro", "outer_ethertype", lambda o: o.packet(ether={"type": 100})),
    ("outer ipv6", "gro", "outer_ipv6",
     lambda o: o.ether / IPv6(src="fd00::2", dst="fd00::1") / UDP(dport=4789) / inner()),
    ("ends after ethernet", "gro", "outer_ipv4_truncated", lambda o: cut(o.frame(), ETHER)),
    ("ends in ipv4", "gro", "outer_ipv4_truncated", lambda o: cut(o.frame(), ETHER + 10)),
    ("ends in ipv4 options", "gro", "outer_ipv4_truncated",
     lambda o: patched(cut(o.frame(), ETHER + 40), 0, b"\x4f", fix=False)),
    ("ipv4 version 5", "gro", "outer_ipv4_header", lambda o: patched(o.frame(), 0, b"\x55")),
    ("ipv4 version 6", "gro", "outer_ipv4_header", lambda o: patched(o.frame(), 0, b"\x65")),
    ("header length 4 words", "gro", "outer_ipv4_header",
     lambda o: patched(o.frame(), 0, b"\x44", fix=False)),
    ("header length 0", "gro", "outer_ipv4_header",
     lambda o: patched(o.frame(), 0, b"\x40", fix=False)),
    ("header longer than packet", "gro", "outer_ipv4_length",
     lambda o: patched(patched(o.frame(), 2, b"\x00\x20"), 0, b"\x4f", fix=False)),
    ("length beyond frame", "gro", "outer_ipv4_length",
     lambda o: patched(o.frame(), 2, b"\x05\x00")),
    ("length below header", "gro", "outer_ipv4_length",
     lambda o: patched(o.frame(), 2, b"\x00\x13")),
    ("length 0", "gro", "outer_ipv4_length", lambda o: patched(o.frame(), 2, b"\x00\x00")),
    ("ipv4 checksum", "gro", "outer_ipv4_checksum",
     lambda o: patched(o.frame(), 8, b"\x01", fix=False)),
    ("source is weft", "gro", "outer_ipv4_source",
     lambda o: o.packet(ip={"src": WEFT_ADDRESS})),
    ("source is a group", "gro", "outer_ipv4_source", lambda o: o.packet(ip={"src": "224.0.0.1"})),
    ("source is broadcast", "gro", "outer_ipv4_source",
     lambda o: o.packet(ip={"src": "255.255.255.255"})),
    ("source is loopback", "gro", "outer_ipv4_source",
     lambda o: o.packet(ip={"src": "127.0.0.1"})),
    ("source is 0.0.0.0", "gro", "outer_ipv4_source", lambda o: o.packet(ip={"src": "0.0.0.0"})),
    ("for another address", "gro", "outer_ipv4_destination",
     lambda o: o.packet(ip={"dst": "192.0.2.9"})),
    ("for broadcast", "gro", "outer_ipv4_destination",
     lambda o: o.packet(ether={"dst": BROADCAST}, ip={"dst": "255.255.255.255"})),
    ("tcp", "gro", "outer_protocol", lambda o: o.ether / o.ip / TCP(dport=4789)),
    ("gre", "gro", "outer_protocol", lambda o: o.packet(ip={"proto": 47})),
    ("ends in udp", "gro", "outer_udp_truncated",
     lambda o: shortened(o.frame(), ETHER + IPV4 + 4)),
    ("ends after ipv4", "gro", "outer_udp_truncated",
     lambda o: shortened(o.frame(), ETHER + IPV4)),
    ("udp length below 8", "gro", "outer_udp_length", lambda o: o.packet(udp={"len": 7})),
    ("udp length 0", "gro", "outer_udp_length", lambda o: o.packet(udp={"len": 0})),
    ("udp length beyond ipv4", "gro", "outer_udp_length", lambda o: o.packet(udp={"len": 1000})),
    ("other udp port", "gro", "outer_udp_port", lambda o: o.packet(port=4790)),
    ("ends after udp", "vxlan", "vxlan_truncated",
     lambda o: shortened(o.frame(), ETHER + IPV4 + UDP_HEADER)),
    ("ends in vxlan", "vxlan", "vxlan_truncated",
     lambda o: shortened(o.frame(), ETHER + IPV4 + UDP_HEADER + 7)),
    ("no I flag", "vxlan", "vxlan_flag", lambda o: o.packet(flags=0)),
    ("all flags but I", "vxlan", "vxlan_flag", lambda o: o.packet(flags=0xf7)),
    ("unknown vni", "vxlan", "vxlan_vni", lambda o: o.packet(vni=4242)),
    ("vni of another udp port", "vxlan", "vxlan_vni", lambda o: o.packet(vni=FLANNEL_VNI)),
    ("udp port of another vni", "vxlan", "vxlan_vni", lambda o: o.packet(port=8472)),
    ("unknown vtep", "vxlan", "vxlan_vtep", lambda o: o.packet(ip={"src": "192.0.2.66"})),
    ("vtep of another network", "vxlan", "vxlan_vtep",
     lambda o: o.packet(vni=LONELY_VNI, ip={"src": ABSENT_VTEP})),
    ("ends after vxlan", "vxlan", "inner_truncated",
     lambda o: shortened(o.frame(), ETHER + IPV4 + UDP_HEADER + VXLAN_HEADER)),
    ("ends in inner ethernet", "vxlan", "inner_truncated",
     lambda o: shortened(o.frame(), ETHER + IPV4 + UDP_HEADER + VXLAN_HEADER + 13)),
    ("inner source is a group", "bridge", "bridge_source",
     lambda o: o.packet(inner(source="03:00:00:00:00:02"))),
    ("inner source is broadcast", "bridge", "bridge_source",
     lambda o: o.packet(inner(source=BROADCAST))),
    ("inner source is zero", "bridge", "bridge_source",
     lambda o: o.packet(inner(source="00:00:00:00:00:00"))),
    ("inner source is a local container", "bridge", "bridge_spoofed",
     lambda o: o.packet(inner(source=WEB_MAC, destination=BROADCAST))),
    ("inner source is another vtep's", "bridge", "bridge_spoofed",
     lambda o: o.packet(inner(source=ELSEWHERE_MAC))),
    ("spanning tree", "bridge", "bridge_reserved",
     lambda o: o.packet(inner(destination="01:80:c2:00:00:00"))),
    ("lldp", "bridge", "bridge_reserved",
     lambda o: o.packet(inner(destination="01:80:c2:00:00:0e"))),
    ("back to the sending vtep", "bridge", "bridge_same_port",
     lambda o: o.packet(inner(source="02:00:00:00:00:55", destination=DB_MAC))),
    ("on to another vtep", "bridge", "bridge_tunnel_to_tunnel",
     lambda o: o.packet(inner(destination=ELSEWHERE_MAC))),
    ("broadcast where nobody is", "bridge", "flood_nobody",
     lambda o: o.packet(inner(destination=BROADCAST), vni=LONELY_VNI)),
    ("too big for the container", "veth", "veth_too_big",
     lambda o: o.packet(inner(size=SMALL_MTU + ETHER + 5))),
    ("container not attached", "deliver", "port_down",
     lambda o: o.packet(inner(destination=VHOST_MAC))),
    ("short arp", "vtep", "arp_malformed", lambda o: cut(arp(), ETHER + 20)),
    ("arp for other hardware", "vtep", "arp_malformed",
     lambda o: with_bytes(arp(), ETHER, b"\x00\x06")),
    ("arp for other protocol", "vtep", "arp_malformed",
     lambda o: with_bytes(arp(), ETHER + 2, b"\x86\xdd")),
    ("arp with odd address length", "vtep", "arp_malformed",
     lambda o: with_bytes(arp(), ETHER + 5, b"\x10")),
    ("arp from a group address", "vtep", "arp_malformed",
     lambda o: arp(hwsrc="01:00:5e:00:00:01")),
    ("arp for others", "vtep", "arp_unwanted", lambda o: arp(pdst="192.0.2.9")),
    ("arp that claims weft's address", "vtep", "arp_unwanted",
     lambda o: arp(op=2, psrc=WEFT_ADDRESS)),
    ("short icmp", "vtep", "icmp_malformed",
     lambda o: shortened(bytes(icmp(o, ICMP())), ETHER + IPV4 + 4)),
    ("icmp checksum", "vtep", "icmp_malformed", lambda o: icmp(o, ICMP(chksum=0x1234))),
    ("icmp echo reply", "vtep", "icmp_unwanted", lambda o: icmp(o, ICMP(type=0))),
    ("icmp redirect", "vtep", "icmp_unwanted", lambda o: icmp(o, ICMP(type=5))),
    ("first fragment", "gro", "outer_fragment", lambda o: o.packet(ip={"flags": "MF"})),
    ("last fragment", "gro", "outer_fragment", lambda o: o.packet(ip={"frag": 10})),
    ("vlan tag", "gro", "outer_vlan", lambda o: tagged(o, Dot1Q(vlan=5))),
    ("service tag", "gro", "outer_vlan", lambda o: tagged(o, Dot1AD(vlan=5))),
    ("icmp for another address", "gro", "outer_ipv4_destination",
     lambda o: o.ether / IP(src=EAST_ADDRESS, dst="192.0.2.9") / ICMP()),
]


def from_web(destination=DB_MAC, source=WEB_MAC, **keywords):
    return inner(source=source, destination=destination,
                 **{"source_ip": "10.1.0.1", "destination_ip": "10.1.0.2", **keywords})


def web_arp(**fields):
    fields = {"hwsrc": WEB_MAC, "psrc": "10.1.0.1", "pdst": "10.1.0.2", **fields}
    return Ether(src=WEB_MAC, dst=BROADCAST) / ARP(**fields)


def web_ipv6(source, payload=None):
    return (Ether(src=WEB_MAC, dst=DB_MAC) / IPv6(src=source, dst="fd00:1::2")
            / (payload or UDP(dport=9) / Raw(MARK)))


def web_detection(target):
    """Duplicate address detection."""
    group = f"ff02::1:ff00:{target.rpartition(':')[2]}"
    return (Ether(src=WEB_MAC, dst="33:33:ff:00:00:02") / IPv6(src="::", dst=group, hlim=255)
            / ICMPv6ND_NS(tgt=target))


def web_dhcp(client, ip=None, **fields):
    return (Ether(src=WEB_MAC, dst=BROADCAST)
            / IP(src="0.0.0.0", dst="255.255.255.255", **(ip or {})) / UDP(sport=68, dport=67)
            / BOOTP(chaddr=bytes.fromhex(client.replace(":", "")), **fields))


FROM_CONTAINER = [
    ("other mac", "veth_rx", "source_mac", lambda: from_web(source=UNUSED_MAC)),
    ("db's mac", "veth_rx", "source_mac", lambda: from_web(source=DB_MAC, destination=BROADCAST)),
    ("group mac", "veth_rx", "source_mac", lambda: from_web(source="03:00:00:00:00:01")),
    ("other ipv4", "veth_rx", "source_ipv4", lambda: from_web(source_ip="10.1.0.7")),
    ("ends in ipv4", "veth_rx", "source_ipv4", lambda: cut(bytes(from_web()), ETHER + 12)),
    ("other ipv6", "veth_rx", "source_ipv6", lambda: web_ipv6("fd00:1::7")),
    ("other link-local ipv6", "veth_rx", "source_ipv6", lambda: web_ipv6("fe80::7")),
    ("advertises another's ipv6", "veth_rx", "source_ipv6",
     lambda: web_ipv6("fd00:1::1", ICMPv6ND_NA(tgt="fd00:1::2")
                      / ICMPv6NDOptDstLLAddr(lladdr=WEB_MAC))),
    ("no ipv6 source", "veth_rx", "source_ipv6", lambda: web_ipv6("::")),
    ("detects another's ipv6", "veth_rx", "source_ipv6", lambda: web_detection("fd00:1::2")),
    ("router advertisement without source", "veth_rx", "source_ipv6",
     lambda: web_ipv6("::", ICMPv6ND_RA())),
    ("no ipv4 source", "veth_rx", "source_ipv4", lambda: from_web(source_ip="0.0.0.0")),
    ("dhcp for another", "veth_rx", "source_ipv4", lambda: web_dhcp(DB_MAC)),
    ("dhcp through a relay", "veth_rx", "source_ipv4",
     lambda: web_dhcp(WEB_MAC, giaddr="10.1.0.2")),
    ("fragment of dhcp", "veth_rx", "source_ipv4", lambda: web_dhcp(WEB_MAC, ip={"flags": "MF"})),
    ("arp probe for another's", "veth_rx", "source_arp", lambda: web_arp(psrc="0.0.0.0")),
    ("arp sender address", "veth_rx", "source_arp", lambda: web_arp(psrc="10.1.0.2")),
    ("arp sender mac", "veth_rx", "source_arp", lambda: web_arp(hwsrc=UNUSED_MAC)),
    ("arp reply for another", "veth_rx", "source_arp", lambda: web_arp(op=2, psrc="10.1.0.2")),
    ("short arp", "veth_rx", "source_arp", lambda: cut(bytes(web_arp()), ETHER + 20)),
    ("spanning tree", "bridge", "bridge_reserved",
     lambda: from_web(destination="01:80:c2:00:00:00")),
    ("to itself", "bridge", "bridge_same_port", lambda: from_web(destination=WEB_MAC)),
    ("too big for the network", "encap", "encap_too_big",
     lambda: from_web(size=SMALL_MTU + ETHER + 1)),
    ("vtep that does not answer", "encap", "encap_unresolved",
     lambda: from_web(destination=ELSEWHERE_MAC)),
    ("container not attached", "deliver", "port_down", lambda: from_web(destination=VHOST_MAC)),
]


@pytest.mark.parametrize("stage, reason, build", [case[1:] for case in FROM_UPLINK],
                         ids=[case[0] for case in FROM_UPLINK])
def test_from_the_uplink(bench, stage, reason, build):
    bench.check(bench.uplink, bytes(build(bench.outer)), stage, reason)


@pytest.mark.parametrize("stage, reason, build", [case[1:] for case in FROM_CONTAINER],
                         ids=[case[0] for case in FROM_CONTAINER])
def test_from_the_container(bench, stage, reason, build):
    bench.check(bench.container, bytes(build()), stage, reason)


def test_sound_packets_still_pass(bench):
    """After all of that; also with padding behind, IPv4 options, and every bit of VXLAN's
    reserved fields set, which receivers must ignore."""
    options = b"\x01" * 4
    for frame in (bench.outer.frame(),
                  bench.outer.frame() + bytes(10),
                  bench.outer.frame(ip={"options": options}),
                  bench.outer.frame(flags=0xff, reserved=0xffffff),
                  bench.outer.frame(ip={"flags": "DF", "ttl": 1, "tos": 0xff})):
        bench.delivered.clear()
        bench.uplink.send(frame)
        assert bench.delivered.wait_for(MARK) == [bytes(inner())]


def test_largest_packets_pass(bench):
    """Exactly the network's MTU, in and out."""
    bench.delivered.clear()
    largest = inner(size=SMALL_MTU + ETHER)
    bench.uplink.send(bench.outer.frame(payload=largest))
    assert bench.delivered.wait_for(MARK) == [bytes(largest)]
    sent = Sniffer(bench.overlay.east.namespace, "eth0")
    bench.container.send(bytes(from_web(size=SMALL_MTU + ETHER, mark=b"weft-e2e-largest")))
    assert len(sent.wait_for(b"weft-e2e-largest")) == 1
    sent.close()


def mutated(random, frame):
    """A frame with a few bytes changed, cut or added anywhere."""
    raw = bytearray(frame)
    for _ in range(random.randint(1, 4)):
        raw[random.randrange(len(raw))] = random.randrange(256)
    if random.random() < 0.3:
        raw = raw[:random.randint(ETHER, len(raw))]
    return bytes(raw) + random.randbytes(random.choice((0, 0, 0, 7, 200)))


def test_mutated_packets(bench):
    """Thousands of packets with random damage, from both sides: nothing stops, everything is
    accounted for, and sound packets pass afterwards."""
    random = Random(MUTATION_SEED)
    sound_in = [bench.outer.frame(), arp(), bytes(icmp(bench.outer, ICMP())),
                bench.outer.frame(payload=inner(destination=BROADCAST))]
    sound_out = [bytes(from_web()), bytes(web_arp()), bytes(web_ipv6("fd00:1::1"))]
    for _ in range(MUTATIONS):
        bench.uplink.send(mutated(random, random.choice(sound_in)))
        bench.container.send(mutated(random, random.choice(sound_out)))
    bench.weft.settle()
    bench.delivered.clear()

    def passes():
        bench.uplink.send(bench.outer.frame())  # the uplink's ring may be full of the others
        return bytes(inner()) in bench.delivered.matching(MARK)
    until(passes, PATIENCE, "a sound packet")
    bench.weft.settle()


def test_every_reason_has_a_text(bench):
    rows = bench.weft.rows("drops,all")
    assert all(row["text"] and row["stage"] and row["reason"] for row in rows)
    assert len({row["reason"] for row in rows}) == len(rows)


def switched_off(lab, **network):
    """An overlay with one of the guards off, and frames.Outer for it."""
    overlay = Overlay(lab, **network).start()
    frames.until_heard(overlay.web, [overlay.east])
    outer = frames.Outer(overlay.east.namespace.mac("eth0"), overlay.weft_mac())
    return overlay, outer


def test_vtep_guard_off_hears_any_vtep(lab, binary):
    """An unlisted VTEP's packet is delivered, its container learned there."""
    overlay, outer = switched_off(lab, vtep_guard="off")
    stranger = "192.0.2.66"
    web = Sniffer(overlay.web.namespace, "eth0")
    source = "02:00:00:00:00:0a"
    uplink = overlay.east.raw_socket()

    def learned():
        uplink.send(outer.frame(ip={"src": stranger}, payload=inner(source=source)))
        return overlay.weft.fdb("blue").get(source)
    row = until(learned, PATIENCE, "learned", interval=0.2)
    assert (row["to"], row["kind"]) == (stranger, "learned")
    assert web.wait_for(MARK)


def seen(weft):
    """What weft did so far, for the report of a failure."""
    drops = {key: packets for key, packets in weft.drops().items() if packets}
    return drops, weft.ports(), weft.conservation()


def test_source_guard_off_learns_from_containers(lab, binary):
    """A container may then be a bridge for others: they are heard, learned and reached."""
    overlay, outer = switched_off(lab, source_guard="off")
    nested = "02:00:00:00:00:0b"
    web = overlay.web.namespace.raw_socket("eth0")
    east = Sniffer(overlay.east.namespace, "eth0")
    web.send(bytes(from_web(source=nested, destination=BROADCAST)))
    until(lambda: east.matching(MARK), PATIENCE, lambda: f"flooded: {seen(overlay.weft)}")
    row = until(lambda: overlay.weft.fdb("blue").get(nested), PATIENCE, "learned")
    assert (row["to"], row["kind"]) == ("web", "learned")
    delivered = Sniffer(overlay.web.namespace, "eth0")
    overlay.east.raw_socket().send(outer.frame(payload=inner(destination=nested)))
    assert delivered.wait_for(MARK)
