# SPDX-License-Identifier: BSD-3-Clause
"""A weft process and what it says of itself."""

import json
import os
import pathlib
import signal
import socket

from process import Process
from waiting import PATIENCE, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("WEFT_BINARY", ROOT / "build" / "weft"))
WEFTCTL = ROOT / "scripts" / "weftctl"
RUNTIME = pathlib.Path("/var/run/dpdk")
SEPARATE_CORES = "0@0,1@1"


class Telemetry:
    """DPDK's telemetry socket of one process."""

    def __init__(self, prefix):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(RUNTIME / prefix / "dpdk_telemetry.v2"))
        hello = json.loads(self.socket.recv(4096))
        self.size = hello["max_output_len"] + 4096

    def ask(self, command):
        """One answer, as it comes."""
        self.socket.send(command.encode())
        answer = json.loads(self.socket.recv(self.size))
        return answer[command.split(",")[0]]

    def rows(self, command):
        """The objects of a list, of all its pages."""
        page = self.ask(command)
        rows = []
        while True:
            following = page.pop("next", None)
            rows += page.values()
            if following is None:
                return rows
            page = self.ask(f"{command},{following}")

    def close(self):
        self.socket.close()


def eal_options(prefix, lcores=SEPARATE_CORES, memory=512):
    return ["--lcores", lcores, "--file-prefix", prefix, "--no-pci", "--no-huge", "-m", memory]


class Weft:
    def __init__(self, directory, config, prefix, netns=None, lcores=SEPARATE_CORES,
                 options=(), memory=512):
        self.prefix = prefix
        self.telemetry = None
        self.stopped = False
        self.config = directory / f"{prefix}.ini"
        self.config.write_text(str(config))
        argv = [BINARY, *eal_options(prefix, lcores, memory), "--", "-c", self.config, *options]
        self.process = Process(argv, directory / f"{prefix}.log", netns=netns)

    def wait_ready(self):
        self.process.wait_for("weft: ready")
        self.telemetry = Telemetry(self.prefix)
        return self

    # What it says of itself.

    def rows(self, what):
        """A list that weftctl would show: rows("ports")."""
        return self.telemetry.rows(f"/weft/{what}")

    def drops(self):
        """{(stage, reason): packets}, every reason, also those that are 0."""
        return {(row["stage"], row["reason"]): row["packets"] for row in self.rows("drops,all")}

    def ports(self):
        return {row["name"]: row for row in self.rows("ports")}

    def stages(self):
        return {row["name"]: row for row in self.rows("stages")}

    def fdb(self, network):
        """{mac: row}"""
        return {row["mac"].lower(): row for row in self.rows(f"fdb,{network}")}

    def neighbours(self):
        """{address: state}"""
        return {row["address"]: row["state"] for row in self.rows("neighbours")}

    def conservation(self):
        return self.telemetry.ask("/weft/conservation")

    def mode(self):
        return self.telemetry.ask("/weft/mode")["mode"]

    def settle(self):
        """Waits until what came in has come out; returns the conservation's terms."""
        return until(lambda: self._settled(), PATIENCE, lambda: f"settled: {self.conservation()}")

    def _settled(self):
        terms = self.conservation()
        return terms if terms["in_flight"] == 0 and balance(terms) == 0 else None

    def free_mbufs(self):
        return self.conservation()["mbufs_free"]

    # Control.

    def change(self, command, *words):
        """Asks for a change, and fails with the error that weft answers."""
        text = ",".join([f"/weft/{command}", *words])
        answer = self.telemetry.ask(text)
        assert isinstance(answer, dict) and "error" not in answer, f"{text}: {answer}"
        return answer

    def port_add(self, name, **keys):
        words = [f"{key.replace('_', '-')}={value}" for key, value in keys.items()]
        return self.change("port/add", name, *words)

    def port_del(self, name):
        return self.change("port/del", name)

    # The end.

    def crash(self):
        """Ends weft at once, in the middle of whatever it does."""
        self.stopped = True
        self.telemetry.close()
        self.process.kill()

    def stop(self):
        """Ends weft the way a user does, and checks that nothing was lost on the way. One that
        never got ready has been reported already."""
        if self.stopped or self.telemetry is None:
            return
        self.stopped = True
        self.telemetry.close()
        self.process.signal(signal.SIGINT)
        status = self.process.wait()
        assert status == 0, f"weft ended with {status}:\n{self.process.tail()}"
        check_conservation(self.process.output())


def balance(terms):
    """0 when every packet that came in or was made is accounted for."""
    return (terms["received"] + terms["created"] - terms["delivered"] - terms["dropped"]
            - terms["consumed"] - terms.get("coalesced", 0) - terms["in_flight"])


def check_conservation(output):
    lines = [line for line in output.splitlines() if line.startswith("conservation:")]
    assert len(lines) == 1, f"one line 'conservation:' expected:\n{output[-2000:]}"
    assert lines[0].endswith("held"), lines[0]
    assert "are back: whole" in output, output[-2000:]
