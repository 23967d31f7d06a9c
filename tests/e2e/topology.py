# SPDX-License-Identifier: BSD-3-Clause
"""The overlays most tests start from."""

from peers import KernelHost, TapContainer
from weft_config import Config

VNI = 100
WEFT_ADDRESS = "192.0.2.1"
EAST_ADDRESS = "192.0.2.2"
WEB_MAC = "02:00:00:00:00:01"
DB_MAC = "02:00:00:00:00:02"
WEB_ADDRESSES = ("10.1.0.1/24", "fd00:1::1/64")
DB_ADDRESSES = ("10.1.0.2/24", "fd00:1::2/64")


class Overlay:
    """One network, `blue`, with weft at one end and the kernel at the other:

        web -tap- weft -up0 ~~~~ eth0- east -veth- db
    """

    def __init__(self, lab, udp_port=None, options=(), lcores=None, **network):
        self.lab = lab
        self.host = lab.namespace("weft")
        self.east = KernelHost(lab, "east", f"{EAST_ADDRESS}/24").connect(self.host, "up0")
        self.web = TapContainer(lab, "web", WEB_MAC, *WEB_ADDRESSES)
        self.blue = self.east.network(VNI, [WEFT_ADDRESS], udp_port or 4789)
        self.db = self.blue.container("db", DB_MAC, *DB_ADDRESSES)
        if udp_port:
            network["udp_port"] = udp_port
        self.config = (Config().uplink()
                       .network("blue", VNI, [EAST_ADDRESS], **network)
                       .tap("web", "blue", self.web))
        self.keywords = {"options": options}
        if lcores:
            self.keywords["lcores"] = lcores
        self.weft = None

    def launch(self, prefix=None):
        """Starts weft without waiting."""
        self.weft = self.lab.weft(self.config, prefix, netns=self.host, **self.keywords)
        return self

    def ready(self):
        self.weft.wait_ready()
        self.web.come_up()
        return self

    def start(self):
        return self.launch().ready()

    def restart(self):
        """weft is killed, and the same one started again."""
        self.weft.crash()
        return self.launch(self.weft.prefix).ready()

    def weft_mac(self):
        return self.host.mac("up0")
