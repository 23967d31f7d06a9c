# SPDX-License-Identifier: BSD-3-Clause
"""Two networks with the same addresses in both: nothing crosses from one to the other."""

import pytest

import traffic
from apps import nginx
from frames import unanswered
from peers import KernelHost, TapContainer
from topology import DB_MAC, EAST_ADDRESS, WEB_MAC, WEFT_ADDRESS
from weft_config import Config

NETWORKS = {"blue": 100, "red": 101}
BROADCAST = "ff:ff:ff:ff:ff:ff"
VNI_OFFSET = 46  # in a VXLAN packet without IPv4 options


class Twins:
    """Blue and red: one container here and one there, with the same MACs and addresses."""

    def __init__(self, lab):
        host = lab.namespace("weft")
        self.east = KernelHost(lab, "east", f"{EAST_ADDRESS}/24").connect(host, "up0")
        self.web, self.db = {}, {}
        config = Config().uplink()
        for name, vni in NETWORKS.items():
            self.web[name] = TapContainer(lab, f"web{name}", WEB_MAC, "10.1.0.1/24")
            remote = self.east.network(vni, [WEFT_ADDRESS])
            self.db[name] = remote.container(f"db{name}", DB_MAC, "10.1.0.2/24")
            config.network(name, vni, [EAST_ADDRESS]).tap(f"web-{name}", name, self.web[name])
        self.weft = lab.weft(config, netns=host).wait_ready()
        for container in self.web.values():
            container.come_up()

    def everybody(self):
        """{(network, role): container}"""
        return {(name, role): containers[name] for name in NETWORKS
                for role, containers in (("web", self.web), ("db", self.db))}

    def sniffers(self):
        return {key: traffic.Sniffer(container.namespace, "eth0")
                for key, container in self.everybody().items()}


@pytest.fixture
def twins(lab, binary):
    return Twins(lab)


def other(name):
    return "red" if name == "blue" else "blue"


@pytest.mark.quick
@pytest.mark.parametrize("name", NETWORKS)
def test_only_its_own_network_answers(twins, name):
    """With the other network's container gone from the link, nobody answers in its place."""
    traffic.reachable(twins.db[name], twins.web[name].address())
    traffic.pings(twins.db[name], twins.web[name].address(), 10)
    traffic.pings(twins.web[name], twins.db[name].address(), 10)
    twins.web[name].namespace.ip("address flush dev eth0")
    traffic.cold(twins.db[name])
    assert traffic.ping(twins.db[name], twins.web[name].address(), 2, interval=0.2) == 0
    traffic.reachable(twins.db[other(name)], twins.web[other(name)].address())


@pytest.mark.quick
@pytest.mark.parametrize("destination", ["peer", BROADCAST, "33:33:00:00:00:01",
                                         "02:00:00:00:00:7f"],
                         ids=["unicast", "broadcast", "multicast", "unknown"])
def test_no_frame_crosses(twins, destination):
    """Marked frames from each of the four containers are seen by its peer and nobody else."""
    uplink = traffic.Sniffer(twins.east.namespace, "eth0")
    sniffers = twins.sniffers()
    traffic.reachable(twins.db["blue"], twins.web["blue"].address())
    traffic.reachable(twins.db["red"], twins.web["red"].address())
    for (name, role), container in twins.everybody().items():
        mark = f"weft-e2e-{name}-{role}.".encode()
        peer = "db" if role == "web" else "web"
        peer_mac = DB_MAC if role == "web" else WEB_MAC
        to = peer_mac if destination == "peer" else destination
        frame = unanswered(container.mac, to, mark)
        with container.namespace.raw_socket("eth0") as raw:
            raw.send(bytes(frame))
        sniffers[(name, peer)].wait_for(mark)
        twins.weft.settle()
        for key, sniffer in sniffers.items():
            assert len(sniffer.matching(mark)) == (1 if key == (name, peer) else 0), key
        for packet in uplink.matching(mark):
            assert int.from_bytes(packet[VNI_OFFSET:VNI_OFFSET + 3], "big") == NETWORKS[name]


def test_quiet_network_stays_quiet(twins):
    """A busy network is not heard in the other: not one frame, ARP and broadcast included."""
    red = (twins.db["red"], twins.web["red"])
    for one, peer in (red, red[::-1]):
        one.namespace.ip(f"neigh replace {peer.address()} lladdr {peer.mac} dev eth0")
    traffic.reachable(red[0], red[1].address())
    listeners = [traffic.Sniffer(twins.web["red"].namespace, "eth0", outgoing=True),
                 traffic.Sniffer(twins.db["red"].namespace, "eth0", outgoing=True)]
    traffic.reachable(twins.db["blue"], twins.web["blue"].address())
    traffic.cold(twins.db["blue"], twins.web["blue"])
    traffic.pings(twins.db["blue"], twins.web["blue"].address(), 20)
    traffic.ping(twins.web["blue"], "10.1.0.255", 3, options=("-b",))
    traffic.ping(twins.web["blue"], "10.1.0.77", 2, interval=0.2)
    traffic.stream(twins.db["blue"], twins.web["blue"])
    for listener in listeners:
        assert listener.drain() == []


def test_both_at_once(twins, lab):
    """Same addresses, same ports, different files, at the same time."""
    digests = {}
    for name in NETWORKS:
        traffic.reachable(twins.db[name], twins.web[name].address())
        root = lab.directory / name
        root.mkdir()
        _, digests[name] = traffic.make_file(root, 10)
        nginx(lab, twins.web[name], root)

    def fetch(name):
        assert traffic.download(twins.db[name], "http://10.1.0.1/file") == digests[name]
    traffic.all_together(*[lambda n=name: fetch(n) for name in NETWORKS])
