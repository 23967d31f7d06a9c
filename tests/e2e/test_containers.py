# SPDX-License-Identifier: BSD-3-Clause
"""Containers of every kind behind one weft, and a kernel host that talks to all of them."""

import itertools

import pytest
from scapy.utils import wrpcap

import apps
import traffic
from peers import TapContainer
from topology import Overlay
from waiting import PATIENCE, until
from weft_config import Config

VHOST_MAC, VHOST_ADDRESS = "02:00:00:00:00:11", "10.1.0.11"
CLIENT_MAC, CLIENT_ADDRESS = "02:00:00:00:00:12", "10.1.0.12"
MEMIF_MAC, MEMIF_ADDRESS = "02:00:00:00:00:13", "10.1.0.13"
LCORES = "0@0,1@1,2@1,3@1"
FILE_MEGABYTES = 20
WINDOW = 64 << 10  # bytes of the file on their way at a time, so that there is room for pings


class Sockets:
    """Three DPDK containers beside the TAP container of an overlay. testpmd's icmpecho has no
    address of its own: it answers ARP and ping for any."""

    def __init__(self, lab, overlay):
        self.paths = {name: lab.directory / f"{name}.sock" for name in ("vhost", "client", "memif")}
        config = overlay.config
        config.port("vhost", "blue", "vhost-user", VHOST_MAC, path=self.paths["vhost"])
        config.port("client", "blue", "vhost-user", CLIENT_MAC, path=self.paths["client"],
                    client="yes")
        config.port("memif", "blue", "memif", MEMIF_MAC, path=self.paths["memif"])
        self.vhost = apps.Testpmd(lab, apps.virtio_user(self.paths["vhost"], VHOST_MAC))
        self.client = apps.Testpmd(lab, apps.virtio_user(self.paths["client"], CLIENT_MAC,
                                                         server=True))
        self.memif = apps.Testpmd(lab, apps.memif(self.paths["memif"], MEMIF_MAC))

    def neighbours(self, *containers):
        """testpmd answers any ARP request that it hears, so requests must not be flooded to it
        in vain: the others know the addresses beforehand."""
        for container in containers:
            for mac, address in ((VHOST_MAC, VHOST_ADDRESS), (CLIENT_MAC, CLIENT_ADDRESS),
                                 (MEMIF_MAC, MEMIF_ADDRESS)):
                container.namespace.ip(f"neigh replace {address} lladdr {mac} "
                                       f"dev {container.interface}")


@pytest.mark.parametrize("mode", ["vanilla", "turns", "auto"])
def test_containers_of_every_kind_at_once(lab, binary, mode):
    """runc's nginx over TAP, testpmd over vhost-user (either side listening) and over memif."""
    overlay = Overlay(lab, options=("--mode", mode), lcores=LCORES)
    sockets = Sockets(lab, overlay)
    overlay.start()
    db, web = overlay.db, overlay.web
    inside = apps.runc_nginx(lab, web)
    path, digest = traffic.make_file(inside.data, FILE_MEGABYTES)
    for testpmd in (sockets.client, sockets.vhost, sockets.memif):
        testpmd.start()
    db.namespace.ip(f"neigh replace {web.address()} lladdr {web.mac} dev {db.interface}")
    web.namespace.ip(f"neigh replace {db.address()} lladdr {db.mac} dev {web.interface}")
    sockets.neighbours(db, web)
    for address in (VHOST_ADDRESS, CLIENT_ADDRESS, MEMIF_ADDRESS, web.address()):
        traffic.reachable(db, address)
    traffic.limit_window(web, WINDOW)
    refused = {name: row["tx_refused"] for name, row in overlay.weft.ports().items()}

    def fetch():
        url = f"http://{web.address()}/{path.name}"
        assert traffic.download(db, url) == digest
    pings = [lambda c=client, a=address: traffic.pings(c, a, 50)
             for client in (db, web) for address in (VHOST_ADDRESS, CLIENT_ADDRESS, MEMIF_ADDRESS)]
    traffic.all_together(fetch, *pings)
    for name, row in overlay.weft.ports().items():
        assert row["up"], name
        assert row["tx_refused"] == refused[name], name


@pytest.mark.parametrize("kind", ["vhost", "client", "memif"])
def test_arp_reaches_a_dpdk_container(lab, binary, kind):
    """The remote kernel finds testpmd by ARP alone."""
    overlay = Overlay(lab)
    sockets = Sockets(lab, overlay)
    overlay.start()
    testpmd = getattr(sockets, kind)
    testpmd.start()
    until(lambda: overlay.weft.ports()[kind]["up"], PATIENCE, "attached")
    traffic.reachable(overlay.db, "10.1.0.50")
    traffic.pings(overlay.db, "10.1.0.50", 20)
    traffic.pings(overlay.db, "10.1.0.50", 5, size=1400)


def ready_made(overlay, name):
    """One of config/, with the uplink of an Overlay. Its network is the same."""
    config = Config.ready_made(name)
    return config.section("uplink eth1", device=None, interface="up0")


def test_kernel_containers_ready_made(lab, binary):
    overlay = Overlay(lab)
    overlay.config = ready_made(overlay, "kernel-containers.ini")
    ports = {name: overlay.config.sections[f"port {name}"] for name in ("web", "shop")}
    containers = [TapContainer(lab, name, port["mac"], port["addresses"] + "/24")
                  for name, port in ports.items()]
    for port, container in zip(ports.values(), containers):
        port["netns"] = container.namespace.name
    overlay.launch().weft.wait_ready()
    for container in containers:
        container.come_up()
    for one, other in itertools.permutations([overlay.db, *containers], 2):
        traffic.reachable(one, other.address())
        traffic.pings(one, other.address(), 5)


def test_testpmd_containers_ready_made(lab, binary):
    overlay = Overlay(lab)
    overlay.config = ready_made(overlay, "testpmd-containers.ini")
    ports = {name: overlay.config.sections[f"port {name}"]
             for name in ("server", "client", "memif")}
    for name, port in ports.items():
        port["path"] = str(lab.directory / f"{name}.sock")
    overlay.launch().weft.wait_ready()
    devices = {"server": apps.virtio_user(ports["server"]["path"], ports["server"]["mac"]),
               "client": apps.virtio_user(ports["client"]["path"], ports["client"]["mac"],
                                          server=True),
               "memif": apps.memif(ports["memif"]["path"], ports["memif"]["mac"])}
    for number, name in enumerate(ports):
        apps.Testpmd(lab, devices[name]).start()
        address = f"10.1.0.{11 + number}"
        overlay.db.namespace.ip(f"neigh replace {address} lladdr {ports[name]['mac']} dev eth0")
        traffic.reachable(overlay.db, address)
        traffic.pings(overlay.db, address, 10)


def test_runt_from_a_container(lab, binary):
    """Less than an Ethernet header, which only a DPDK container can send."""
    overlay = Overlay(lab)
    sockets = Sockets(lab, overlay)
    overlay.start()
    runts = lab.directory / "runts.pcap"
    wrpcap(str(runts), [bytes(10)] * 3, linktype=1)
    forwarder = apps.Testpmd(lab, f"net_pcap0,rx_pcap={runts}",
                             apps.virtio_user(sockets.paths["vhost"], VHOST_MAC), forward="io")
    forwarder.start()
    until(lambda: overlay.weft.drops()[("veth_rx", "runt")] == 3, PATIENCE,
          lambda: f"3 runts: {overlay.weft.drops()}")
