# SPDX-License-Identifier: BSD-3-Clause
"""Starts weft and the processes around it, reads weft's counters, and always cleans up."""

import ctypes
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
HUGE_PAGE_KB = 2048
PATIENCE = 60  # seconds, for what comes at once unless the machine is very busy
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
USABLE_CPUS = sorted(os.sched_getaffinity(0))

# One uplink and one container, for the virtual clock; the container's `lcore` comes next.
OVERLAY = """[uplink wire]
device = none
address = 192.0.2.1/24
lcores = 1
[network blue]
vni = 100
vteps = 192.0.2.2
[port web]
network = blue
type = vhost-user
path = /run/weft/web.sock
mac = 02:00:00:00:00:11
addresses = 10.0.0.11
"""


class Failure(Exception):
    """Something that had to work did not; the text is for the user."""


def read_file(path):
    """The text of a file, or an empty one if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def huge_pages_free():
    """The number of free 2 MB pages."""
    found = re.search(r"HugePages_Free:\s+(\d+)", read_file("/proc/meminfo"))
    return int(found.group(1)) if found else 0


def memory_arguments(megabytes):
    """EAL's memory options: huge pages if that many are free, else none."""
    if huge_pages_free() * HUGE_PAGE_KB >= megabytes * 1024:
        return ["-m", str(megabytes), "--single-file-segments"]
    return ["--no-huge", "-m", str(megabytes), "--single-file-segments"]


def cpus():
    """The CPUs for (everything else, weft's worker, a container); they may coincide."""
    main = USABLE_CPUS[0]
    worker = USABLE_CPUS[min(1, len(USABLE_CPUS) - 1)]
    return main, worker, USABLE_CPUS[2] if len(USABLE_CPUS) > 2 else main


def keep_off_workers():
    """Keeps this program off the CPU that weft polls on."""
    os.sched_setaffinity(0, {cpus()[0]})


def command_output(*command):
    """What a command prints, or an empty text if it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine():
    """What a figure must be read beside."""
    info = read_file("/proc/cpuinfo")
    model = re.search(r"model name\s*:\s*(.*)", info)
    memory = read_file("/proc/meminfo")
    total = re.search(r"HugePages_Total:\s+(\d+)", memory)
    return {
        "cpu": model.group(1) if model else "unknown",
        "cores": os.cpu_count(),
        "kernel": os.uname().release,
        "dpdk": command_output("pkg-config", "--modversion", "libdpdk"),
        "hugepages": int(total.group(1)) if total else 0,
        "hugepage_kb": HUGE_PAGE_KB,
        "hypervisor": "hypervisor" in info,
    }


class Process:
    """A child whose output is collected line by line."""

    def __init__(self, command, cpu_set=None, name=None, on_line=None,
                 stop_signal=signal.SIGINT):
        self.name = name or os.path.basename(command[0])
        self.stop_signal = stop_signal
        self.lines = []
        self.on_line = on_line
        self.changed = threading.Condition()
        self.started = time.monotonic()
        self.child = self._open(command, cpu_set)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _open(self, command, cpu_set):
        try:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, errors="replace", start_new_session=True,
                preexec_fn=lambda: self._prepare_child(cpu_set))
        except OSError as error:
            raise Failure(f"{command[0]}: {error.strerror}; scripts/setup makes it") from None

    @staticmethod
    def _prepare_child(cpu_set):
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # no child outlives us, whatever happens
        if cpu_set:
            os.sched_setaffinity(0, cpu_set)

    def _read(self):
        for line in self.child.stdout:
            arrived = time.monotonic()
            with self.changed:
                self.lines.append((arrived, line.rstrip("\n")))
                self.changed.notify_all()
            if self.on_line:
                self.on_line(line.rstrip("\n"))
        with self.changed:
            self.changed.notify_all()

    def text(self):
        """All it has printed."""
        with self.changed:
            return "\n".join(line for _, line in self.lines)

    def failure(self, what):
        """A Failure that ends with the last lines the process printed."""
        tail = "\n  ".join(self.text().splitlines()[-12:])
        return Failure(f"{self.name}: {what}\n  {tail}")

    def check(self):
        """Failure if it has ended by itself."""
        if self.child.poll() is not None:
            raise self.failure(f"ended with status {self.child.returncode}")

    def wait_line(self, pattern, timeout):
        """The time at which a line that matches arrived; Failure if none does."""
        deadline = time.monotonic() + timeout
        seen = 0
        with self.changed:
            while True:
                for arrived, line in self.lines[seen:]:
                    if re.search(pattern, line):
                        return arrived
                seen = len(self.lines)
                left = deadline - time.monotonic()
                if left <= 0 or (self.child.poll() is not None and not self.reader.is_alive()):
                    break
                self.changed.wait(min(left, 0.1))
        raise self.failure(f"did not print '{pattern}' within {timeout:.0f} s")

    def stop(self, timeout=5):
        """Asks the process to end, makes it end if it does not; returns the exit status."""
        if self.child.poll() is None:
            self.child.send_signal(self.stop_signal)
        try:
            self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        self.reader.join(2)
        return self.child.returncode

    def kill(self):
        """Ends the process and the session it leads, at once."""
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()


def made_files(name):
    """What runs whose names begin so have left: sockets' directories, DPDK's files."""
    return [path for pattern in (f"{tempfile.gettempdir()}/{name}-*", f"/var/run/dpdk/{name}-*",
                                 f"/dev/hugepages/{name}-*")
            for path in glob.glob(pattern)]


def remove(paths):
    """Removes files and directories."""
    for path in paths:
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)


def remove_stale(name):
    """Takes away what a run that was killed could not: huge pages would stay taken."""
    for path in made_files(name):
        pid = re.search(rf"/{name}-(\d+)", path)
        if pid and not os.path.exists(f"/proc/{pid.group(1)}"):
            remove([path])


class Session:
    """Everything a run makes, and takes away again: processes, sockets, DPDK's run-time files."""

    def __init__(self, name):
        remove_stale(name)
        self.name = f"{name}-{os.getpid()}"
        self.directory = tempfile.mkdtemp(prefix=f"{self.name}-")
        self.processes = []
        self.prefixes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.stop()
        remove(made_files(self.name))

    def path(self, name):
        """A path of the session's own."""
        return os.path.join(self.directory, name)

    def write(self, name, text):
        """Writes a file of the session's own and returns its path."""
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def prefix(self, name):
        """A --file-prefix that nobody else has."""
        prefix = f"{self.name}-{name}-{len(self.prefixes)}"
        self.prefixes.append(prefix)
        return prefix

    def start(self, command, **options):
        """Starts a process that ends with the session at the latest."""
        process = Process(command, **options)
        self.processes.append(process)
        return process

    def forget(self, process):
        """The process has ended and been waited for."""
        self.processes.remove(process)


class Telemetry:
    """DPDK's telemetry socket of a process."""

    def __init__(self, prefix):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(f"/var/run/dpdk/{prefix}/dpdk_telemetry.v2")
        self.limit = json.loads(self.socket.recv(1024))["max_output_len"]

    def ask(self, command):
        """The answer to one command, without its name around it."""
        try:
            self.socket.send(command.encode())
            answer = json.loads(self.socket.recv(self.limit))
        except (OSError, ValueError) as error:
            raise Failure(f"{command}: no answer: {error}") from None
        return next(iter(answer.values()))

    def rows(self, command):
        """A list: on the socket an object whose keys count from "0", in several answers."""
        rows, page = [], ""
        while True:
            answer = self.ask(command + page)
            rows += [row for key, row in answer.items() if key != "next"]
            if "next" not in answer:
                return rows
            page = f",{answer['next']}"

    def close(self):
        """Ends the connection."""
        self.socket.close()


class Weft:
    """A running weft with one worker lcore."""

    MEMORY_MB = 384

    def __init__(self, session, config, mode, arguments=()):
        self.session = session
        self.prefix = session.prefix("weft")
        main, worker, _ = cpus()
        self.process = session.start(
            [os.path.join(BUILD, "weft"), "--lcores", f"0@{main},1@{worker}",
             "--file-prefix", self.prefix, "--no-pci", *memory_arguments(self.MEMORY_MB),
             "--", "-c", config, "--mode", mode, *arguments],
            cpu_set={main, worker}, name=f"weft --mode {mode}")
        self.ready_ms = 1000 * (
            self.process.wait_line(r"^weft: ready", PATIENCE) - self.process.started)
        self.telemetry = Telemetry(self.prefix)

    def sample(self):
        """Counters whose differences make cycles per packet and busy shares."""
        lcores = self.telemetry.rows("/weft/lcores")
        conservation = self.telemetry.ask("/weft/conservation")
        workers = [lcore for lcore in lcores if lcore["total"] > 0]
        return {
            "working": sum(lcore["working"] for lcore in workers),
            "total": sum(lcore["total"] for lcore in workers),
            "delivered": conservation["delivered"],
        }

    def drops(self):
        """Packets dropped so far, by reason."""
        drops = self.telemetry.rows("/weft/drops")
        return {f"{drop['stage']}.{drop['reason']}": drop["packets"] for drop in drops}

    def stop(self):
        """Ends weft; returns (whether all packets are accounted for, its words on that)."""
        self.telemetry.close()
        status = self.process.stop(timeout=PATIENCE)
        self.session.forget(self.process)
        words = [line for line in self.process.text().splitlines()
                 if line.startswith(("conservation:", "mbufs:"))]
        held = any(re.match(r"conservation:.* held$", line) for line in words)
        whole = any(re.match(r"mbufs:.* whole$", line) for line in words)
        return status == 0 and held and whole, words


def weft_version():
    """weft's version as the build knows it."""
    text = read_file(os.path.join(ROOT, "meson.build"))
    found = re.search(r"version: '([^']+)'", text)
    return found.group(1) if found else "unknown"


class Traffic:
    """A running weft-traffic: the other VTEP, and sometimes the container as well."""

    MEMORY_MB = 128

    def __init__(self, session, arguments, on_line=None):
        self.session = session
        self.result_path = session.path(f"traffic-{len(session.prefixes)}.json")
        main, _, _ = cpus()
        self.process = session.start(
            [os.path.join(BUILD, "weft-traffic"), "--lcores", f"0@{main}",
             "--file-prefix", session.prefix("traffic"), "--no-pci", "--no-telemetry",
             *memory_arguments(self.MEMORY_MB), "--", *arguments,
             "--hold", "--json", self.result_path],
            cpu_set={main}, on_line=on_line)

    def wait_measuring(self, timeout):
        """Returns when the measurement begins."""
        self.process.wait_line(r"^weft-traffic: measuring", timeout)

    def wait_result(self, timeout):
        """Waits for the end of the drain; returns the result. The ports stay open."""
        self.process.wait_line(r"^weft-traffic: done", timeout)
        return json.loads(read_file(self.result_path))

    def stop(self):
        """Ends it; returns True if nothing was reordered, duplicated, corrupted or strayed."""
        status = self.process.stop(timeout=PATIENCE)
        self.session.forget(self.process)
        return status == 0


class Testpmd:
    """A container: testpmd in network, mount and PID namespaces of its own, swapping MACs."""

    MEMORY_MB = 64

    def __init__(self, session, device):
        self.session = session
        _, _, cpu = cpus()
        self.process = session.start(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
             "dpdk-testpmd", "--lcores", f"0@{cpu},1@{cpu}", "--no-pci", "--no-telemetry",
             "--file-prefix", session.prefix("container"), *memory_arguments(self.MEMORY_MB),
             "--vdev", device, "--", "--forward-mode=macswap", "--auto-start",
             # What came before it was ready is not thrown away: it would be missing in the end.
             "--no-flush-rx", "--total-num-mbufs=8192", "--rxd=1024", "--txd=1024"],
            cpu_set={cpu}, name="testpmd (container)",
            stop_signal=signal.SIGKILL)  # unshare blocks the others

    def stop(self):
        """Ends it the way its user would: with a key."""
        try:
            self.process.child.stdin.write("\n")
            self.process.child.stdin.close()
            self.process.child.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
        self.session.forget(self.process)
