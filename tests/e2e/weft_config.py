# SPDX-License-Identifier: BSD-3-Clause
"""weft's configuration file, built by tests or read from config/."""

import configparser

from weft import ROOT


def words(value):
    if isinstance(value, (list, tuple)):
        return " ".join(str(word) for word in value)
    return str(value)


class Config:
    """Sections in order. Keys are given as Python writes them: source_guard for source-guard."""

    def __init__(self, **keys):
        self.sections = {}
        self.section("weft", mbufs=16384, **keys)

    @classmethod
    def ready_made(cls, name):
        """One of config/, to be changed where this machine differs."""
        parser = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#",))
        parser.optionxform = str
        with open(ROOT / "config" / name) as file:
            parser.read_file(file)
        config = cls()
        for section in parser.sections():
            config.sections.setdefault(section, {}).update(parser[section])
        return config

    def section(self, section, **keys):
        """Adds keys to a section, or takes them away (None)."""
        target = self.sections.setdefault(section, {})
        for key, value in keys.items():
            if value is None:
                target.pop(key.replace("_", "-"), None)
            else:
                target[key.replace("_", "-")] = words(value)
        return self

    def uplink(self, name="phys", interface="up0", address="192.0.2.1/24", **keys):
        """At an interface of the kernel's, or at a `device` of DPDK's."""
        if "device" in keys:
            interface = None
        return self.section(f"uplink {name}", interface=interface, address=address, **keys)

    def network(self, name, vni, vteps, **keys):
        return self.section(f"network {name}", vni=vni, vteps=vteps or None, **keys)

    def tap(self, name, network, container, **keys):
        """A port of type tap to a peers.TapContainer."""
        return self.section(f"port {name}", network=network, type="tap", mac=container.mac,
                            netns=container.namespace.name, interface=container.interface, **keys)

    def port(self, name, network, kind, mac, **keys):
        return self.section(f"port {name}", network=network, type=kind, mac=mac, **keys)

    def fdb(self, network, entries):
        """{mac: "192.0.2.3" or "port web"}"""
        self.sections.setdefault(f"fdb {network}", {}).update(entries)
        return self

    def pipeline(self, **stages):
        return self.section("pipeline", **stages)

    def __str__(self):
        lines = []
        for section, keys in self.sections.items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {value}" for key, value in keys.items()]
            lines.append("")
        return "\n".join(lines)
