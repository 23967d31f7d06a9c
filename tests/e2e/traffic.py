# SPDX-License-Identifier: BSD-3-Clause
"""What users do over the overlay: ping, iperf3, datagrams, files."""

import hashlib
import json
import os
import re
import socket
import threading

from netns import ROOM, SO_RCVBUFFORCE
from waiting import PATIENCE, until

PACKET_OUTGOING = 4


def ping(container, address, count=5, interval=0.02, size=56, options=(), patience=2):
    """Sends echo requests and returns how many were answered, the last ones so many seconds later
    at most."""
    done = container.namespace.run("ping", "-n", "-q", "-c", count, "-i", interval, "-W", patience,
                                   "-s", size, *options, address, check=False)
    match = re.search(r"(\d+) received", done.stdout)
    assert match, done.stdout + done.stderr
    return int(match.group(1))


def reachable(container, address, timeout=PATIENCE):
    """Waits until a ping is answered: the first packets of a cold start may be lost."""
    until(lambda: ping(container, address, count=1), timeout,
          f"ping {container.namespace.role} -> {address}")


def pings(container, address, count=5, **keywords):
    """Asserts that every echo request is answered. They are sent one at a time: of several, ping
    waits for the last ones no longer than two round trips of the others."""
    for number in range(1, count + 1):
        answered = ping(container, address, 1, patience=PATIENCE / 2, **keywords)
        assert answered, f"ping {number} of {count} to {address} is not answered"


def cold(*containers):
    """Forgets every neighbour, so that the next packet begins with ARP or ND."""
    for container in containers:
        container.namespace.forget_neighbours()


def iperf3(lab, client, server, address=None, seconds=2, port=5201, options=()):
    """One run of iperf3, whatever rate it comes to."""
    address = address or server.address()
    daemon = lab.start("iperf3", "-s", "-1", "-p", port, "--forceflush", netns=server.namespace)
    daemon.wait_for("Server listening")
    done = client.namespace.run("iperf3", "-J", "-c", address, "-p", port, "-t", seconds,
                                "--connect-timeout", 1000 * PATIENCE, *options, check=False,
                                timeout=seconds + 2 * PATIENCE)
    result = json.loads(done.stdout)
    assert "error" not in result, result["error"]
    daemon.wait()
    assert result["end"]["sum_received"]["bytes"] > 0


# A stream whose every megabyte is different.

BLOCK = os.urandom(1 << 20)


def block(number):
    return number.to_bytes(8, "big") + BLOCK


def connect(client, server, version=4, port=7000):
    """A connection: the client's socket and the server's."""
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    sending, listening = (container.namespace.socket(family, socket.SOCK_STREAM)
                          for container in (client, server))
    with listening:
        for each in (sending, listening):
            each.settimeout(PATIENCE)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((server.address(version), port))
        listening.listen()
        sending.connect((server.address(version), port))
        receiving, _ = listening.accept()
    receiving.settimeout(PATIENCE)
    return sending, receiving


def send(connection, blocks):
    for number in range(blocks):
        connection.sendall(block(number))


def receive(connection, blocks):
    came = bytearray(len(block(0)))
    for number in range(blocks):
        rest = memoryview(came)
        while rest:
            length = connection.recv_into(rest)
            assert length > 0
            rest = rest[length:]
        intact = came == block(number)
        assert intact, f"megabyte {number} is not as it was sent"


def pass_on(sending, receiving, megabytes):
    """So much over a connection, whole and unchanged."""
    all_together(lambda: send(sending, megabytes), lambda: receive(receiving, megabytes))


def stream(client, server, megabytes=10, version=4, port=7000):
    """So much over a TCP connection of its own."""
    sending, receiving = connect(client, server, version, port)
    with sending, receiving:
        pass_on(sending, receiving, megabytes)


def streams(client, server, flows, megabytes=5):
    """Several at the same time."""
    all_together(*[lambda p=port: stream(client, server, megabytes, port=p)
                   for port in range(7000, 7000 + flows)])


def limit_window(container, buffer):
    """What it sends over TCP has no more than so many bytes on their way."""
    container.namespace.sysctl("net.ipv4.tcp_wmem", f"4096 {buffer} {buffer}")


def messages(sender, receiver, sizes, at_once=32, version=4, port=7000):
    """UDP messages of so many bytes, a few at a time; all arrive, whole and in order."""
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    with (sender.namespace.socket(family) as sending,
          receiver.namespace.socket(family) as receiving):
        receiving.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
        receiving.settimeout(PATIENCE)
        receiving.bind(("::" if version == 6 else "0.0.0.0", port))
        for begin in range(0, len(sizes), at_once):
            bodies = [os.urandom(size) for size in sizes[begin:begin + at_once]]
            for body in bodies:
                sending.sendto(body, (receiver.address(version), port))
            for body in bodies:
                intact = receiving.recv(1 << 16) == body
                assert intact


def make_file(directory, megabytes, name="file"):
    """A file of random bytes; returns (path, sha256)."""
    path = directory / name
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for _ in range(megabytes):
            block = os.urandom(1 << 20)
            digest.update(block)
            file.write(block)
    return path, digest.hexdigest()


def download(container, url, timeout=60):
    """Fetches a URL with curl; returns its sha256."""
    done = container.namespace.run(
        "sh", "-c", f"curl -sSf --max-time {timeout} -g '{url}' | sha256sum", timeout=timeout + 5)
    return done.stdout.split()[0]


def all_together(*calls):
    """Runs functions at the same time; the first failure is raised."""
    failures = []

    def guarded(call):
        try:
            call()
        except BaseException as failure:  # to the main thread, whatever it is
            failures.append(failure)
    threads = [threading.Thread(target=guarded, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


class Sniffer:
    """Frames that come out of an interface towards the namespace it is in."""

    def __init__(self, namespace, interface, outgoing=False):
        self.socket = namespace.raw_socket(interface)
        self.socket.setblocking(False)
        self.outgoing = outgoing
        self.frames = []

    def drain(self):
        """Everything seen so far."""
        while True:
            try:
                frame, source = self.socket.recvfrom(1 << 16)
            except BlockingIOError:
                return self.frames
            if self.outgoing or source[2] != PACKET_OUTGOING:
                self.frames.append(frame)

    def matching(self, text):
        """Frames seen so far with `text` (bytes) in them."""
        return [frame for frame in self.drain() if text in frame]

    def wait_for(self, text, count=1, timeout=PATIENCE):
        return until(lambda: len(self.matching(text)) >= count and self.matching(text), timeout,
                     lambda: f"{count} frames with {text}, {len(self.matching(text))} seen")

    def clear(self):
        self.drain()
        self.frames = []

    def close(self):
        self.socket.close()
