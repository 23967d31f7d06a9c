# SPDX-License-Identifier: BSD-3-Clause
"""Which devices of the machine weft opens: those of the configuration."""

from topology import WEB_MAC
from weft import BINARY, ROOT, Telemetry, eal_options
from weft_config import Config

SECONDS = 60
NOWHERE = "0000:ff:1f.7,queues=1"


def start(lab, device, *options, eal=()):
    """weft as a user starts it, who says nothing of devices; returns the process and its file
    prefix."""
    config = (Config().uplink(device=device).network("blue", 100, ["192.0.2.2"])
              .port("web", "blue", "vhost-user", WEB_MAC, path=lab.directory / "web.sock"))
    if "virtual" in options:
        config.section("virtual", lcores=1, seconds=3600, costs=ROOT / "config" / "costs.ini")
        config.uplink(lcores=1, device=device)
        config.section("traffic udp", network="blue", **{"from": "192.0.2.2"}, to="web", rate=1000)
    file = lab.directory / "devices.ini"
    file.write_text(str(config))
    prefix = lab.prefix()
    words = [word for word in eal_options(prefix, memory=256) if word != "--no-pci"]
    return lab.start(BINARY, *words, *eal, "--", "-c", file, *options), prefix


def words_of_eal(process, prefix):
    """EAL's options once weft is ready."""
    process.wait_for("weft: ready", SECONDS)
    telemetry = Telemetry(prefix)
    words = telemetry.ask("/eal/params")
    telemetry.close()
    return words


def test_without_a_pci_uplink_no_pci_device_is_opened(lab, binary):
    process, prefix = start(lab, "net_null0")
    assert words_of_eal(process, prefix)[-1] == "--no-pci"
    assert "Probe PCI" not in process.output()


def test_a_virtual_run_opens_no_device(lab, binary):
    process, prefix = start(lab, NOWHERE, "--clock", "virtual")
    assert words_of_eal(process, prefix)[-1] == "--no-pci"


def test_the_user_says_which_devices_to_open(lab, binary):
    process, prefix = start(lab, "net_null0", eal=["-a", NOWHERE])
    words = words_of_eal(process, prefix)
    assert words[-2:] == ["-a", NOWHERE] and "--no-pci" not in words


def test_a_pci_uplink_alone_is_opened(lab, binary):
    """There is none at this address: weft says so, and has opened no other in its place."""
    process, _ = start(lab, NOWHERE)
    assert process.wait(SECONDS) == 1
    assert f"'{NOWHERE}' is not there" in process.output()
    assert "Probe PCI" not in process.output()
