# SPDX-License-Identifier: BSD-3-Clause
"""README's "Attach your own container", as a reader does it: the configuration is written, the
commands are typed in order, and what the text says that somebody says is waited for."""

import contextlib
import fcntl
import os
import re
import signal

from netns import command
from waiting import PATIENCE, until
from weft import BINARY, ROOT, WEFTCTL, check_conservation

HEADING = "Attach your own container"
LOCK = "/run/lock/weft-test-readme"  # the names in it are the whole machine's
SECONDS = 120
RUN = "/run/weft"


def section(heading):
    """The text below a heading."""
    text = (ROOT / "README.md").read_text()
    return re.search(rf"^## {heading}\n(.*?)^## ", text, re.M | re.S).group(1)


def blocks(text):
    """[(language, lines, what is said in the text behind it: [words])]"""
    found = re.findall(r"^```(\w+)\n(.*?)^```\n(.*?)(?=^```|\Z)", text, re.M | re.S)
    return [(language, lines, re.findall(r"says\s+`([^`]+)`", " ".join(behind.split())))
            for language, lines, behind in found]


def names(text, words):
    return re.findall(rf"^{words} (\S+)", text, re.M)


def delete_empty_directory(path):
    with contextlib.suppress(OSError):
        os.rmdir(path)


@contextlib.contextmanager
def names_of_our_own(text):
    """Nothing has the names that the commands use; what is left of them is deleted."""
    namespaces, links = names(text, "ip netns add"), names(text, "ip link add")
    with open(LOCK, "w") as lock:
        until(lambda: locked(lock), 10 * PATIENCE, "another run of this test to end")
        taken = [name for name in namespaces if os.path.exists(f"/run/netns/{name}")]
        taken += [name for name in links if os.path.exists(f"/sys/class/net/{name}")]
        assert not taken, f"namespaces or interfaces that are not the test's: {' '.join(taken)}"
        delete_empty_directory(RUN)
        try:
            yield
        finally:
            for name in namespaces:
                command("ip", "netns", "del", name, check=False)
            for name in links:
                command("ip", "link", "del", name, check=False)
            delete_empty_directory(RUN)


def locked(lock):
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


class Reader:
    """A shell in a directory that looks like the tree, with all that it starts."""

    def __init__(self, lab):
        directory = lab.directory / "tree"
        (directory / "build").mkdir(parents=True)
        (directory / "build" / "weft").symlink_to(BINARY)
        (directory / "build" / "weftctl").symlink_to(WEFTCTL)
        self.directory = directory
        self.typed = 0
        self.shell = lab.start("setsid", "bash", "-e", cwd=directory)
        lab.stack.callback(self.end)

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.shell.pid, signal.SIGKILL)

    def type(self, lines):
        """Runs a block, each of whose commands must succeed, to its end."""
        self.typed += 1
        done = f"block {self.typed} is done"
        self.shell.popen.stdin.write(f"{lines}echo {done}\n".encode())
        self.shell.popen.stdin.flush()
        self.shell.wait_for(done, SECONDS)


def test_attach_your_own_container(lab, binary):
    text = section(HEADING)
    with names_of_our_own(text):
        reader = Reader(lab)
        said = []
        try:
            for language, lines, words in blocks(text):
                if language == "ini":
                    (reader.directory / "overlay.ini").write_text(lines)
                else:
                    reader.type(lines)
                for word in words:
                    reader.shell.wait_for(word, SECONDS)
                said += words
        finally:
            reader.end()
        assert "weft: ready" in said and sum("64 bytes from" in word for word in said) == 2
        check_conservation(reader.shell.output())
        assert not os.path.exists(f"{RUN}/web.sock")
