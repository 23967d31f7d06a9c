# SPDX-License-Identifier: BSD-3-Clause
"""Processes of the tests: marked, logged, and gone when the tests are."""

import ctypes
import os
import pathlib
import signal
import subprocess

from waiting import PATIENCE, until

MARK = "WEFT_E2E"
SESSION = str(os.getpid())
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def environment():
    """What every process of ours carries, so that one that is left can be found."""
    return {**os.environ, MARK: SESSION, "LC_ALL": "C.UTF-8"}


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def in_netns(argv, netns):
    if netns is None:
        return [str(word) for word in argv]
    return ["nsenter", f"--net={netns.path}", "--", *[str(word) for word in argv]]


class Process:
    """One background process. Start it from the main thread only: the kernel ends it with the
    thread that started it."""

    def __init__(self, argv, log, netns=None, cwd=None):
        self.argv = [str(word) for word in argv]
        self.log = log
        with open(log, "wb") as out:
            self.popen = subprocess.Popen(
                in_netns(argv, netns), stdin=subprocess.PIPE, stdout=out,
                stderr=subprocess.STDOUT, env=environment(), cwd=cwd,
                preexec_fn=_die_with_parent)

    @property
    def pid(self):
        return self.popen.pid

    @property
    def name(self):
        return os.path.basename(self.argv[0])

    def running(self):
        return self.popen.poll() is None

    def output(self):
        return self.log.read_text(errors="replace")

    def tail(self, lines=40):
        return "\n".join(self.output().splitlines()[-lines:])

    def wait_for(self, text, timeout=PATIENCE):
        """Waits until `text` is in the output."""
        def seen():
            if text in self.output():
                return True
            assert self.running(), f"{self.name} ended with {self.popen.returncode}:\n{self.tail()}"
            return False
        until(seen, timeout, lambda: f"'{text}' from {' '.join(self.argv)}:\n{self.tail()}")

    def freeze(self):
        """It does nothing any more, once this returns."""
        self.signal(signal.SIGSTOP)
        until(self._is_frozen, PATIENCE, f"{self.name} stopped")

    def _is_frozen(self):
        states = []
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            states.append((task / "stat").read_text().rpartition(")")[2].split()[0])
        return set(states) == {"T"}

    def thaw(self):
        self.signal(signal.SIGCONT)

    def write(self, text):
        """As if typed."""
        self.popen.stdin.write(text.encode())
        self.popen.stdin.flush()

    def signal(self, number):
        if self.running():
            self.popen.send_signal(number)

    def wait(self, timeout=PATIENCE):
        return self.popen.wait(timeout)

    def kill(self):
        """Ends the process at once, whatever it does."""
        if self.running():
            self.popen.send_signal(signal.SIGCONT)
            self.popen.kill()
        self.popen.wait(PATIENCE)
        self.popen.stdin.close()

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def left_over():
    """Processes of this session that still run: {pid: command line}."""
    mark = f"{MARK}={SESSION}".encode()
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                marked = mark in file.read().split(b"\0")
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if marked and int(pid) != os.getpid():
            found[int(pid)] = command
    return found
