# SPDX-License-Identifier: BSD-3-Clause
"""What one test builds, and the one place that takes all of it down again."""

import contextlib
import itertools
import os
import pathlib
import shutil
import tempfile

import netns
from process import Process
from weft import RUNTIME, Weft

_numbers = itertools.count(1)


class Lab:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="weft-e2e-"))
        self.processes = []
        self.wefts = []
        self.stack = contextlib.ExitStack()
        self.stack.callback(shutil.rmtree, self.directory, ignore_errors=True)

    def namespace(self, role):
        namespace = netns.Namespace(f"{role}{next(_numbers)}")
        self.stack.callback(namespace.delete)
        return namespace

    def start(self, *argv, netns=None, cwd=None):
        """A background process, ended with the lab."""
        name = os.path.basename(str(argv[0]))
        log = self.directory / f"{name}-{next(_numbers)}.log"
        process = Process(argv, log, netns=netns, cwd=cwd)
        self.processes.append(process)
        self.stack.callback(process.kill)
        return process

    def prefix(self):
        """A new --file-prefix; what EAL keeps under it is removed with the lab."""
        prefix = f"weft-e2e-{os.getpid()}-{next(_numbers)}"
        self.stack.callback(shutil.rmtree, RUNTIME / prefix, ignore_errors=True)
        return prefix

    def weft(self, config, prefix=None, **keywords):
        """Starts weft; see weft.Weft. Wait for it with wait_ready()."""
        weft = Weft(self.directory, config, prefix or self.prefix(), **keywords)
        self.wefts.append(weft)
        self.stack.callback(weft.process.kill)
        return weft

    def stop_wefts(self):
        for weft in self.wefts:
            weft.stop()

    def logs(self):
        """(title, text) of every weft, and of the peers that still run."""
        peers = [process for process in self.processes if process.running()]
        return ([(" ".join(weft.process.argv), weft.process.tail(60)) for weft in self.wefts]
                + [(" ".join(process.argv), process.tail(10)) for process in peers])

    def close(self):
        self.stack.close()


@contextlib.contextmanager
def opened():
    """A lab whose wefts are stopped, and held to account, at the end."""
    lab = Lab()
    try:
        yield lab
        lab.stop_wefts()
    finally:
        lab.close()
