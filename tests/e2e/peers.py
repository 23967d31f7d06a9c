# SPDX-License-Identifier: BSD-3-Clause
"""What weft talks to: other hosts (the kernel's VXLAN) and containers."""

import netns
from waiting import PATIENCE, until

INNER_MTU = 1450


class Container:
    """A network namespace with one interface, `interface`, that has a MAC and addresses."""

    def __init__(self, namespace, mac, addresses, interface="eth0"):
        self.namespace = namespace
        self.mac = mac
        self.addresses = addresses
        self.interface = interface
        self.outside = None  # the other end of its cable, at a bridge of the kernel's

    def address(self, version=4):
        """Its first IPv4 or IPv6 address, without the prefix."""
        found = [word for word in self.addresses if (":" in word) == (version == 6)]
        return found[0].split("/")[0]

    def configure(self, mtu=INNER_MTU):
        self.namespace.ip(f"link set {self.interface} mtu {mtu} up")
        self.namespace.address(self.interface, *self.addresses)
        return self


class TapContainer(Container):
    """A container of weft's: its interface appears when weft has made the TAP device."""

    def __init__(self, lab, role, mac, *addresses, interface="eth0"):
        super().__init__(lab.namespace(role), mac, addresses, interface)

    def come_up(self, mtu=INNER_MTU):
        until(lambda: self.namespace.has(self.interface), PATIENCE,
              f"{self.interface} in {self.namespace.name}")
        return self.configure(mtu)


class KernelHost:
    """A host whose overlay is the kernel's: VXLAN device, bridge and veth."""

    def __init__(self, lab, role, address, uplink="eth0"):
        self.lab = lab
        self.namespace = lab.namespace(role)
        self.address = address.split("/")[0]
        self.prefixed = address
        self.uplink = uplink

    def connect(self, other, other_name):
        """A cable from the uplink to an interface in another namespace."""
        netns.cable(self.namespace, self.uplink, other, other_name)
        self.namespace.address(self.uplink, self.prefixed)
        return self

    def network(self, vni, vteps, port=4789):
        return KernelNetwork(self, vni, vteps, port)

    def raw_socket(self):
        return self.namespace.raw_socket(self.uplink)


class KernelNetwork:
    """One VNI at a kernel host."""

    def __init__(self, host, vni, vteps, port):
        self.host = host
        self.vni = vni
        self.device = f"vx{vni}"
        self.bridge = f"br{vni}"
        space = host.namespace
        space.ip(f"link add {self.device} type vxlan id {vni} local {host.address} "
                 f"dstport {port}")
        space.ip(f"link add {self.bridge} type bridge mcast_snooping 0")
        space.ip(f"link set {self.device} master {self.bridge} up")
        space.ip(f"link set {self.bridge} up")
        for vtep in vteps:
            self.flood_to(vtep)

    def flood_to(self, vtep):
        self.host.namespace.bridge(
            f"fdb append 00:00:00:00:00:00 dev {self.device} dst {vtep}")

    def container(self, role, mac, *addresses):
        """A container behind the bridge."""
        space = self.host.lab.namespace(role)
        inside = Container(space, mac, addresses)
        inside.outside = space.name.rsplit("-", 1)[1][-15:]
        netns.cable(space, inside.interface, self.host.namespace, inside.outside)
        self.host.namespace.ip(f"link set {inside.outside} master {self.bridge}")
        space.ip(f"link set {inside.interface} address {mac}")
        return inside.configure()


class Fabric:
    """A switch between hosts, for when there are more than two."""

    def __init__(self, lab):
        self.namespace = lab.namespace("fabric")
        self.namespace.ip("link add sw type bridge mcast_snooping 0")
        self.namespace.ip("link set sw up")
        self.ports = 0

    def connect(self, other, other_name):
        """A cable from a new port of the switch to an interface in another namespace."""
        self.ports += 1
        port = f"port{self.ports}"
        netns.cable(self.namespace, port, other, other_name)
        self.namespace.ip(f"link set {port} master sw")
