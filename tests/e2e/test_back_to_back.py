# SPDX-License-Identifier: BSD-3-Clause
"""Two wefts, one at each end of the overlay."""

import pytest

import netns
import traffic
from apps import nginx
from peers import TapContainer
from topology import DB_MAC, VNI, WEB_MAC
from weft_config import Config

FILE_MEGABYTES = 50
MESSAGES = [1400] * 1000
UPLINK_MACS = ("02:00:00:00:01:01", "02:00:00:00:01:02")


def over_veth(lab, hosts):
    netns.cable(hosts[0], "up0", hosts[1], "up0")
    return [{"interface": "up0"}] * 2


def over_memif(lab, hosts):
    path = lab.directory / "uplink.sock"
    return [{"device": f"net_memif0,role={role},socket={path},socket-abstract=no,mac={mac}"}
            for role, mac in zip(("server", "client"), UPLINK_MACS)]


@pytest.mark.parametrize("connect", [over_veth, over_memif], ids=["veth", "memif"])
def test_two_wefts(lab, binary, connect):
    """ARP from cold, ping, TCP and UDP both ways, and a file, from container to container."""
    hosts = [lab.namespace("one"), lab.namespace("two")]
    containers = [TapContainer(lab, "web", WEB_MAC, "10.1.0.1/24", "fd00:1::1/64"),
                  TapContainer(lab, "db", DB_MAC, "10.1.0.2/24", "fd00:1::2/64")]
    uplinks = connect(lab, hosts)
    for number in (0, 1):
        config = (Config().uplink(address=f"192.0.2.{1 + number}/24", **uplinks[number])
                  .network("blue", VNI, [f"192.0.2.{2 - number}"])
                  .tap("container", "blue", containers[number]))
        lab.weft(config, netns=hosts[number]).wait_ready()
    web, db = [container.come_up() for container in containers]
    traffic.reachable(web, db.address())
    traffic.cold(web, db)
    traffic.pings(db, web.address(), 10)
    traffic.pings(web, db.address(6), 10)
    for client, server in ((web, db), (db, web)):
        traffic.stream(client, server)
        traffic.messages(client, server, MESSAGES)
    path, digest = traffic.make_file(lab.directory, FILE_MEGABYTES)
    nginx(lab, web, path.parent)
    assert traffic.download(db, f"http://{web.address()}/{path.name}") == digest
