# SPDX-License-Identifier: BSD-3-Clause
"""What users do over the overlay: ping, iperf3, datagrams, files."""

import hashlib
import json
import os
import re
import socket
import threading

from waiting import until

PACKET_OUTGOING = 4


def ping(container, address, count=5, interval=0.02, size=56, options=()):
    """Sends echo requests and returns how many were answered."""
    done = container.namespace.run("ping", "-n", "-q", "-c", count, "-i", interval, "-W", 2,
                                   "-s", size, *options, address, check=False)
    match = re.search(r"(\d+) received", done.stdout)
    assert match, done.stdout + done.stderr
    return int(match.group(1))


def reachable(container, address, timeout=5):
    """Waits until a ping is answered: the first packets of a cold start may be lost."""
    until(lambda: ping(container, address, count=1), timeout,
          f"ping {container.namespace.role} -> {address}")


def pings(container, address, count=5, **keywords):
    """Asserts that every echo request is answered."""
    answered = ping(container, address, count, **keywords)
    assert answered == count, f"{answered} of {count} pings to {address} answered"


def cold(*containers):
    """Forgets every neighbour, so that the next packet begins with ARP or ND."""
    for container in containers:
        container.namespace.forget_neighbours()


def iperf3(lab, client, server, address=None, seconds=2, port=5201, options=()):
    """One run of iperf3; returns its summary: {bits_per_second, bytes, ...}."""
    address = address or server.address()
    daemon = lab.start("iperf3", "-s", "-1", "-p", port, "--forceflush", netns=server.namespace)
    daemon.wait_for("Server listening", 5)
    done = client.namespace.run("iperf3", "-J", "-c", address, "-p", port, "-t", seconds,
                                "--connect-timeout", 3000, *options, check=False,
                                timeout=seconds + 60)
    result = json.loads(done.stdout)
    assert "error" not in result, result["error"]
    daemon.wait(10)
    end = result["end"]
    return end.get("sum_received") or end["sum"]


class Datagrams:
    """UDP messages from one namespace to another, whole and unchanged or not at all."""

    def __init__(self, sender, receiver, version=4, port=7000):
        family = socket.AF_INET6 if version == 6 else socket.AF_INET
        self.to = (receiver.address(version), port)
        self.sending = sender.namespace.socket(family)
        self.sending.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.receiving = receiver.namespace.socket(family)
        self.receiving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.receiving.settimeout(2)
        self.receiving.bind(("::" if version == 6 else "0.0.0.0", port))

    def send(self, size):
        """Sends one message of `size` bytes and returns whether it arrived intact."""
        body = os.urandom(size - 32)
        self.sending.sendto(hashlib.sha256(body).digest() + body, self.to)
        try:
            message = self.receiving.recv(1 << 16)
        except socket.timeout:
            return False
        assert len(message) == size
        assert hashlib.sha256(message[32:]).digest() == message[:32]
        return True

    def close(self):
        self.sending.close()
        self.receiving.close()


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

    def wait_for(self, text, count=1, timeout=3):
        return until(lambda: len(self.matching(text)) >= count and self.matching(text), timeout,
                     lambda: f"{count} frames with {text}, {len(self.matching(text))} seen")

    def clear(self):
        self.drain()
        self.frames = []

    def close(self):
        self.socket.close()
