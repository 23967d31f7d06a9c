# SPDX-License-Identifier: BSD-3-Clause
"""Frames made by hand (scapy), sound and broken."""

import struct

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from topology import DB_MAC, EAST_ADDRESS, VNI, WEB_MAC, WEFT_ADDRESS
from traffic import Sniffer
from waiting import PATIENCE, until

ETHER = 14
IPV4 = 20
UDP_HEADER = 8
VXLAN_HEADER = 8
MARK = b"weft-e2e-marked-payload"


def inner(source=DB_MAC, destination=WEB_MAC, size=64, mark=MARK, source_ip="10.1.0.2",
          destination_ip="10.1.0.1", port=9):
    """A UDP packet between containers."""
    body = mark + bytes(max(0, size - ETHER - IPV4 - UDP_HEADER - len(mark)))
    return (Ether(src=source, dst=destination) / IP(src=source_ip, dst=destination_ip)
            / UDP(sport=1000, dport=port) / Raw(body))


def unanswered(source, destination, mark):
    """A frame that no kernel answers: of the type for local experiments (IEEE 802)."""
    return Ether(src=source, dst=destination, type=0x88b5) / Raw(mark + bytes(46))


def until_heard(container, hosts, timeout=PATIENCE):
    """Broadcasts from a container until every host has heard one: before weft knows the way to a
    VTEP, packets to it are dropped."""
    sniffers = [Sniffer(host.namespace, host.uplink) for host in hosts]
    frame = bytes(unanswered(container.mac, "ff:ff:ff:ff:ff:ff", b"weft-e2e-anybody"))

    def heard():
        raw.send(frame)
        return all(sniffer.matching(b"weft-e2e-anybody") for sniffer in sniffers)
    with container.namespace.raw_socket(container.interface) as raw:
        until(heard, timeout, "broadcasts heard by all hosts", interval=0.05)
    for sniffer in sniffers:
        sniffer.close()


class Outer:
    """VXLAN packets from a remote host to weft's VTEP; `change` edits the layers."""

    def __init__(self, source_mac, destination_mac, source=EAST_ADDRESS,
                 destination=WEFT_ADDRESS):
        self.ether = Ether(src=source_mac, dst=destination_mac)
        self.ip = IP(src=source, dst=destination, id=1)

    def packet(self, payload=None, vni=VNI, flags=0x08, reserved=0, ether=None, ip=None,
               udp=None, port=4789):
        payload = inner() if payload is None else payload
        layers = self.ether.copy() / self.ip.copy()
        for layer, changes in ((Ether, ether), (IP, ip)):
            for key, value in (changes or {}).items():
                setattr(layers[layer], key, value)
        vxlan = Raw(struct.pack("!II", flags << 24 | reserved, vni << 8 | reserved & 0xff))
        return layers / UDP(sport=50000, dport=port, chksum=0, **(udp or {})) / vxlan / payload

    def frame(self, **changes):
        return bytes(self.packet(**changes))


def cut(frame, length):
    """A frame that ends early, its lengths as they were."""
    return frame[:length]


def shortened(frame, length):
    """A frame that ends early and whose IPv4 (and UDP) lengths say so."""
    total = length - ETHER
    raw = bytearray(frame[:length])
    raw[ETHER + 2:ETHER + 4] = struct.pack("!H", total)
    if total >= IPV4 + UDP_HEADER:
        raw[ETHER + IPV4 + 4:ETHER + IPV4 + 6] = struct.pack("!H", total - IPV4)
    return with_checksum(bytes(raw))


def with_checksum(frame):
    """The outer IPv4 header's checksum made right again."""
    raw = bytearray(frame)
    length = (raw[ETHER] & 15) * 4
    raw[ETHER + 10:ETHER + 12] = b"\0\0"
    words = struct.unpack(f"!{length // 2}H", raw[ETHER:ETHER + length])
    total = sum(words)
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    raw[ETHER + 10:ETHER + 12] = struct.pack("!H", ~total & 0xffff)
    return bytes(raw)


def patched(frame, offset, value, fix=True):
    """Bytes replaced at an offset of the outer IPv4 header; the checksum follows unless told."""
    raw = bytearray(frame)
    raw[ETHER + offset:ETHER + offset + len(value)] = value
    return with_checksum(bytes(raw)) if fix else bytes(raw)
