# SPDX-License-Identifier: BSD-3-Clause
"""Network namespaces, and what runs inside them."""

import contextlib
import ctypes
import json
import os
import re
import socket
import subprocess

from process import environment, in_netns

PREFIX = "weft-e2e"
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
SO_RCVBUFFORCE = 33
ROOM = 16 << 20  # bytes: nothing is dropped here because a test is slow to read it
_libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def command(*argv, check=True, timeout=60, netns=None):
    """Runs a command to its end and returns it; with check, a failure shows its output."""
    done = subprocess.run(in_netns(argv, netns), capture_output=True, text=True,
                          timeout=timeout, env=environment(), stdin=subprocess.DEVNULL,
                          check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n"
                             f"{done.stdout}{done.stderr}")
    return done


class Namespace:
    """A network namespace: quiet (no IPv6 unless asked for) and named after who owns it."""

    def __init__(self, role):
        self.role = role
        self.name = f"{PREFIX}-{os.getpid()}-{role}"
        self.path = f"/run/netns/{self.name}"
        self.make()

    def make(self):
        command("ip", "netns", "add", self.name)
        self.prepare()

    def prepare(self):
        """What makes it quiet, whoever made it."""
        for key in ("all", "default"):
            self.sysctl(f"net.ipv6.conf.{key}.disable_ipv6", 1)
        self.ip("link set lo up")

    def delete(self):
        command("ip", "netns", "del", self.name, check=False)

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is inside meanwhile; what it opens there stays there."""
        with open("/proc/thread-self/ns/net") as home, open(self.path) as there:
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(home.fileno())

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_DGRAM, protocol=0):
        with self.entered():
            return socket.socket(family, kind, protocol)

    def raw_socket(self, interface):
        """Sends and receives whole frames."""
        raw = self.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
        raw.bind((interface, ETH_P_ALL))
        return raw

    def sysctl(self, key, value):
        with self.entered(), open("/proc/sys/" + key.replace(".", "/"), "w") as file:
            file.write(str(value))

    def run(self, *argv, check=True, timeout=60):
        return command(*argv, check=check, timeout=timeout, netns=self)

    def ip(self, words):
        return command("ip", "-n", self.name, *words.split()).stdout

    def bridge(self, words):
        return command("bridge", "-n", self.name, *words.split()).stdout

    def has(self, interface):
        return command("ip", "-n", self.name, "link", "show", interface,
                       check=False).returncode == 0

    def mac(self, interface):
        return re.search(r"link/ether (\S+)", self.ip(f"link show {interface}")).group(1)

    def plain(self, interface):
        """Nothing is left to hardware that is not there: checksums are finished, segments cut."""
        command("ethtool", "-K", interface, "tx", "off", "tso", "off", "gso", "off", "gro", "off",
                netns=self)

    def offloading(self, interface):
        """As the kernel is by itself: checksums and cutting are left to whoever comes next."""
        command("ethtool", "-K", interface, "tx", "on", "tso", "on", "gso", "on", "gro", "on",
                netns=self)

    def enable_ipv6(self, interface):
        prefix = f"net.ipv6.conf.{interface}"
        self.sysctl(f"{prefix}.accept_dad", 0)
        self.sysctl(f"{prefix}.accept_ra", 0)
        self.sysctl(f"{prefix}.router_solicitations", 0)
        self.sysctl(f"{prefix}.disable_ipv6", 0)

    def receive_on(self, interface, cpu):
        """Whatever CPU its sender ran on, a packet to this end of a cable is handled on this one.
        Else each CPU has a queue of its own for them, and a connection that is served on two
        CPUs, as by its process and by the acknowledgements that weft sends, comes out of order."""
        queue = f"/sys/class/net/{interface}/queues/rx-0/rps_cpus"
        command("ip", "netns", "exec", self.name, "sh", "-c", f"echo {1 << cpu:x} > {queue}")

    def packets(self, interface):
        """(received, sent) by an interface."""
        link = json.loads(self.ip(f"-json -statistics link show {interface}"))[0]
        return tuple(link["stats64"][way]["packets"] for way in ("rx", "tx"))

    def statistics(self):
        """The kernel's counters, under the names that nstat has for them: TcpRetransSegs."""
        lines = []
        for name in ("snmp", "netstat"):
            with self.entered(), open(f"/proc/thread-self/net/{name}") as file:
                lines += [line.split() for line in file]
        return {keys[0].rstrip(":") + key: int(value)
                for keys, values in zip(lines[::2], lines[1::2])
                for key, value in zip(keys[1:], values[1:])}

    def address(self, interface, *addresses):
        for address in addresses:
            if ":" in address:
                self.enable_ipv6(interface)
                self.ip(f"address add {address} dev {interface} nodad")
            else:
                self.ip(f"address add {address} dev {interface}")

    def forget_neighbours(self):
        self.ip("neigh flush all")


def cable(one, one_name, other, other_name):
    """A veth pair between two namespaces, both ends up and plain."""
    command("ip", "link", "add", one_name, "netns", one.name, "type", "veth",
            "peer", "name", other_name, "netns", other.name)
    for namespace, name in ((one, one_name), (other, other_name)):
        namespace.plain(name)
        namespace.ip(f"link set {name} up")


def ours():
    """Namespaces of this session that exist."""
    if not os.path.isdir("/run/netns"):
        return []
    return [name for name in os.listdir("/run/netns")
            if name.startswith(f"{PREFIX}-{os.getpid()}-")]


def sweep():
    """Deletes namespaces of sessions that were killed."""
    if not os.path.isdir("/run/netns"):
        return
    for name in os.listdir("/run/netns"):
        match = re.match(rf"{PREFIX}-(\d+)-", name)
        if match and not os.path.exists(f"/proc/{match.group(1)}"):
            command("ip", "netns", "del", name, check=False)
