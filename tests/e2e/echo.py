# SPDX-License-Identifier: BSD-3-Clause
"""Echo requests, each sent when the one before it has been answered, and after a pause."""

import socket
import struct
import time

from waiting import PATIENCE

REQUEST, REPLY = 8, 0
IP_HEADER = 20


def _checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def _packet(identity, number):
    def header(checksum):
        return struct.pack("!BBHHH", REQUEST, 0, checksum, identity, number)
    return header(_checksum(header(0)))


def _wait(raw, identity, number):
    """Until the answer is there; others' are not for us."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            answer = raw.recv(2048)[IP_HEADER:]
        except TimeoutError:
            break
        kind, _, _, found, of = struct.unpack("!BBHHH", answer[:8])
        if (kind, found, of) == (REPLY, identity, number):
            return
    raise AssertionError(f"echo request {number} is not answered")


def echo(container, address, count, pause, identity=1):
    """Asserts that each is answered. Returns how long each took, in seconds."""
    raw = container.namespace.socket(kind=socket.SOCK_RAW, protocol=socket.IPPROTO_ICMP)
    times = []
    with raw:
        raw.settimeout(PATIENCE)
        for number in range(count):
            begin = time.monotonic()
            raw.sendto(_packet(identity, number), (address, 0))
            _wait(raw, identity, number)
            times.append(time.monotonic() - begin)
            time.sleep(pause)
    return times
