# SPDX-License-Identifier: BSD-3-Clause
"""Signals end weft cleanly: exit status 0, an account that holds, and no socket left."""

import os
import pty
import re
import signal
import subprocess

import pytest

from process import environment
from topology import WEB_MAC
from waiting import until
from weft import BINARY, RUNTIME, check_conservation, eal_options
from weft_config import Config

SECONDS = 60
ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def command(lab, *options):
    """The command line of a weft that needs nothing of the machine, and its file prefix."""
    config = (Config().uplink(device="net_null0")
              .network("blue", 100, ["192.0.2.2"])
              .port("web", "blue", "vhost-user", WEB_MAC, path=lab.directory / "web.sock")
              .port("db", "blue", "memif", "02:00:00:00:00:02", path=lab.directory / "db.sock"))
    file = lab.directory / "signals.ini"
    file.write_text(str(config))
    prefix = lab.prefix()
    return [BINARY, *eal_options(prefix, memory=256), "--", "-c", file, *options], prefix


def ended_well(lab, status, output):
    assert status == 0, output
    check_conservation(output)
    assert not (lab.directory / "web.sock").exists()
    assert not (lab.directory / "db.sock").exists()


@pytest.mark.quick
@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
def test_it_starts_and_stops(lab, binary, number):
    """Before any packet came. A second signal while it ends changes nothing."""
    argv, _ = command(lab)
    process = lab.start(*argv)
    process.wait_for("weft: ready", SECONDS)
    assert (lab.directory / "web.sock").exists()
    process.signal(number)
    process.signal(number)
    ended_well(lab, process.wait(SECONDS), process.output())


@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
def test_it_ends_while_it_starts(lab, binary, number):
    """Most of a start is EAL's, which begins with its directory."""
    argv, prefix = command(lab)
    process = lab.start(*argv)
    until(lambda: (RUNTIME / prefix).exists(), SECONDS, process.tail, interval=0.001)
    process.signal(number)
    ended_well(lab, process.wait(SECONDS), process.output())


def test_the_terminal_is_closed(lab, binary):
    """Whoever started weft by hand shuts the window."""
    argv, _ = command(lab)
    terminal, inside = pty.openpty()
    with subprocess.Popen(["setsid", "--ctty", *map(str, argv)], stdin=inside, stdout=inside,
                          stderr=inside, env=environment()) as weft:
        os.close(inside)
        try:
            output = b""
            while b"weft: ready" not in output:
                output += os.read(terminal, 4096)
            os.close(terminal)
            assert weft.wait(SECONDS) == 0
        finally:
            weft.kill()
    assert not (lab.directory / "web.sock").exists()


def test_under_nohup_it_goes_on(lab, binary):
    argv, _ = command(lab)
    process = lab.start("nohup", *argv)
    process.wait_for("weft: ready", SECONDS)
    with open(f"/proc/{process.pid}/status") as file:
        ignored = int(re.search(r"^SigIgn:\s*(\w+)$", file.read(), re.M).group(1), 16)
    assert ignored >> (signal.SIGHUP - 1) & 1
    process.signal(signal.SIGHUP)
    process.signal(signal.SIGTERM)
    ended_well(lab, process.wait(SECONDS), process.output())
