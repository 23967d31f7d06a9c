# SPDX-License-Identifier: BSD-3-Clause
"""Runs weft's tests and counts each one. Called by scripts/test, which has built build/ before."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import typing

import model.check
import mutants

ROOT = pathlib.Path(__file__).resolve().parents[1]
PYTHON = "/usr/bin/python3"
REPORT_FD = "WEFT_TEST_REPORT_FD"
TEST_SECONDS = "WEFT_TEST_SECONDS"
SANITIZER_OPTIONS = ["-Dbuildtype=debugoptimized", "-Db_sanitize=address,undefined",
                     "-Db_lundef=false", "-Dwerror=true",
                     # DPDK's inline code loads unaligned words wherever the CPU lets it
                     "-Dc_args=-fno-sanitize=alignment"]
SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}
TSAN_BUILD_OPTIONS = ["-Dbuildtype=debugoptimized", "-Db_sanitize=thread", "-Db_lundef=false",
                      "-Dwerror=true",
                      # DPDK's rings as C11 has them, not as x86 may: plain loads and stores. gcc
                      # warns that fences are not understood; docs/design/testing.md says what that
                      # means.
                      "-Dc_args=-DRTE_USE_C11_MEM_MODEL -Wno-tsan"]
TSAN_PROGRAMS = ["sim-lcores", "unit-reservation", "unit-turn"]  # those with threads
TSAN_ENVIRONMENT = {"TSAN_OPTIONS": "suppressions=tests/tsan.supp:halt_on_error=1:history_size=4"}
# How much the simulation carries: in a normal build as its program says, or for --long all
# placements of all stages, which takes most of an hour; with sanitizers, and for --quick, less.
SIM_LONG = {"test_pipeline": {"WEFT_SIM_PACKETS": "1000000000", "WEFT_SIM_EVERY": "1"},
            "test_micro_flows": {"WEFT_SIM_PACKETS": "100000000"},
            "test_lcores": {"WEFT_SIM_PACKETS": "6000000"}}
SIM_SHORT = {"test_pipeline": {"WEFT_SIM_PACKETS": "1000000"},
             "test_micro_flows": {"WEFT_SIM_PACKETS": "4000000"}}
SIM_LONG_SECONDS = 2 * 3600
E2E_MARKS = {"quick": "quick", "default": "not long", "long": "long or not long"}
E2E_SECONDS = {"quick": 600, "default": 600, "long": 7200}  # of a test
# What polls goes before what computes, or it would take just as much, for longer.
FIRST = ["/usr/bin/nice", "-n", "-10"]  # which goes on all the same where it is not allowed
OUTPUT_LINES = 300  # of a failed test, the last ones
LIST_LINES = 40     # and in the list at the end
TAP_RESULT = re.compile(r"(not )?ok (\d+)(?: -)? (# SKIP )?(.*)")


# --- results ---

def print_output(output, most_lines):
    lines = output.splitlines()[-most_lines:]
    print("".join(f"    {line}\n" for line in lines), end="", flush=True)


class Results:
    """Prints a line for each test as it ends, and counts them. Used by several threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = {"ok": 0, "FAILED": 0, "skipped": 0}
        self.failures = []  # (name, output)

    def add(self, name, outcome, seconds, output="", note=""):
        with self.lock:
            self.counts[outcome] += 1
            print(f"{name} {outcome} {seconds:.1f} s{note and f' ({note})'}", flush=True)
            if outcome == "FAILED":
                self.failures.append((name, output))
                print_output(output, OUTPUT_LINES)

    def put_off(self, name, seconds, output):
        """A test that failed and is tried once more, which decides."""
        with self.lock:
            print(f"{name} failed, to be tried once more {seconds:.1f} s", flush=True)
            print_output(output, OUTPUT_LINES)

    def print_end(self):
        """Once more what failed, for readers of the end of a log, and last the counts."""
        if self.failures:
            print("failed tests, with the end of what each printed:")
        for name, output in self.failures:
            print(name)
            print_output(output, LIST_LINES)
        print(self.summary(), flush=True)

    def summary(self):
        text = f"{self.counts['ok']} passed, {self.counts['FAILED']} failed"
        skipped = self.counts["skipped"]
        return f"{text}, {skipped} skipped" if skipped else text


class Phases:
    """When each part of the run began and ended. Used by several threads."""

    def __init__(self, setup_seconds):
        self.begin = time.monotonic() - setup_seconds
        self.rows = [("setup", 0.0, setup_seconds)]

    def run(self, name, function, *arguments):
        begin = time.monotonic() - self.begin
        try:
            return function(*arguments)
        finally:
            self.rows.append((name, begin, time.monotonic() - self.begin))

    def print_table(self):
        print("seconds   from     to  (some parts run side by side)")
        for name, begin, end in sorted(self.rows, key=lambda row: row[1]):
            print(f"{end - begin:7.1f} {minutes(begin)} {minutes(end)}  {name}")


def minutes(seconds):
    return f"{int(seconds) // 60:3}:{int(seconds) % 60:02}"


def run_command(results, name, argv):
    """A program whose exit status is one test."""
    start = time.monotonic()
    done = subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    passed = done.returncode == 0
    results.add(name, "ok" if passed else "FAILED", time.monotonic() - start, done.stdout)
    return passed


def ending(returncode):
    if returncode < 0:
        return f"was killed by {signal.Signals(-returncode).name}"
    return f"ended with status {returncode}"


# --- cmocka programs ---

class TapReader:
    """Reads what a cmocka program prints, and reports each of its tests."""

    def __init__(self, results, program):
        self.results = results
        self.program = program
        self.planned = 0
        self.seen = 0
        self.failures = 0
        self.start = self.since = time.monotonic()
        self.lines = []     # printed since the last result
        self.failed = None  # (name, seconds) of a failure whose reasons are still to come

    def line(self, text):
        if self.failed and not text.startswith("# "):
            self.report_failure()
        result = TAP_RESULT.fullmatch(text)
        if result:
            self.result(*result.groups())
        elif re.fullmatch(r"1\.\.\d+", text):
            self.planned += int(text[3:])
        else:
            self.lines.append(text)

    def result(self, failed, number, skip, name):
        now = time.monotonic()
        name = f"{self.program}: {name}"
        seconds, self.since = now - self.since, now
        self.seen += 1 if int(number) else 0  # 0: a group's setup or teardown
        if failed and not skip:
            self.failed = (name, seconds)
            return
        self.results.add(name, "skipped" if skip else "ok", seconds)
        self.lines = []

    def report_failure(self):
        name, seconds = self.failed
        self.results.add(name, "FAILED", seconds, "\n".join(self.lines))
        self.failures += 1
        self.lines = []
        self.failed = None

    def end(self, returncode):
        """A program that ends early, or badly though its tests passed, is itself a failed test."""
        if self.failed:
            self.report_failure()
        if self.failures or (returncode == 0 and self.planned and self.seen == self.planned):
            return
        reason = (f"{self.seen} of {self.planned} tests ran; the program {ending(returncode)} "
                  f"after {time.monotonic() - self.start:.1f} s")
        self.results.add(self.program, "FAILED", time.monotonic() - self.since,
                         "\n".join([*self.lines, reason]))


def run_cmocka(results, name, test, command=(), settings=None):
    environment = {**(settings or {}), **os.environ, **test["env"], **SANITIZER_ENVIRONMENT,
                   **TSAN_ENVIRONMENT, "CMOCKA_MESSAGE_OUTPUT": "TAP"}
    reader = TapReader(results, name)
    process = subprocess.Popen([*command, *test["cmd"]], cwd=ROOT, env=environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace")
    seconds = SIM_LONG_SECONDS if settings in SIM_LONG.values() else test["timeout"]
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    for line in process.stdout:
        reader.line(line.rstrip("\n"))
    returncode = process.wait()
    timer.cancel()
    reader.end(returncode)


class Program(typing.NamedTuple):
    """A test program of a build."""
    name: str
    test: dict  # what meson knows of it
    command: list  # what runs it
    settings: typing.Optional[dict]  # of its environment, where it has none yet


def programs_of(build, prefix, only=None, command=(), settings=None):
    """The unit and sim tests of a build. `settings`: by test."""
    listing = subprocess.run(["/usr/bin/meson", "introspect", "--tests", build], cwd=ROOT,
                             check=True, stdout=subprocess.PIPE)
    return [Program(f"{prefix}{test['suite'][0].split(':')[-1]}/{test['name']}", test, command,
                    (settings or {}).get(test["name"]))
            for test in json.loads(listing.stdout)
            if not only or pathlib.Path(test["cmd"][0]).name in only]


def run_programs(results, programs):
    """As many at a time as there are CPUs, those that take long first."""
    def run(program):
        run_cmocka(results, program.name, program.test, program.command, program.settings)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(run, sorted(programs, key=lambda program: -program.test["priority"])))


def build_sanitized(results, build, options, only=()):
    """The test programs of a build, or only some. True if they are there."""
    if not (ROOT / build / "build.ninja").exists():
        setup = ["/usr/bin/meson", "setup", *options, build]
        if not run_command(results, f"{build}/setup", setup):
            return False
    ninja = ["/usr/bin/ninja", "--quiet", "-C", build]
    if not run_command(results, f"{build}/update", [*ninja, "build.ninja"]):
        return False
    targets = only or [pathlib.Path(program.test["cmd"][0]).name
                       for program in programs_of(build, "")]
    return run_command(results, f"{build}/compile", [*ninja, *targets])


def build_all_sanitized(results):
    """The programs that could be built, the slowest one first."""
    programs = []
    if build_sanitized(results, "build-tsan", TSAN_BUILD_OPTIONS, TSAN_PROGRAMS):
        programs += programs_of("build-tsan", "tsan/", TSAN_PROGRAMS, fixed_addresses())
    if build_sanitized(results, "build-asan", SANITIZER_OPTIONS):
        programs += programs_of("build-asan", "asan/", settings=SIM_SHORT)
    return programs


def fixed_addresses():
    """ThreadSanitizer cannot start where addresses are more random than it knew them to be; some
    containers forbid asking for less."""
    command = ["/usr/bin/setarch", "--addr-no-randomize"]
    allowed = subprocess.run([*command, "/bin/true"], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL).returncode == 0
    return command if allowed else []


# --- pytest ---

def run_pytest(add, target, *options, seconds):
    """Runs pytest with this file as a plugin, which reports each test through a pipe. Calls
    add(name, outcome, seconds, output, steady) for each; `steady`: a failure that a second try
    does not excuse."""
    reader, writer = os.pipe()
    environment = {**os.environ, REPORT_FD: str(writer), TEST_SECONDS: str(seconds),
                   "PYTHONPATH": str(ROOT / "tests"), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [*FIRST, PYTHON, "-m", "pytest", "-p", "run_tests", "-p", "no:cacheprovider", *options,
            target]
    outcomes = set()
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=subprocess.STDOUT, pass_fds=[writer])
        os.close(writer)
        with os.fdopen(reader) as reports:
            for line in reports:
                report = json.loads(line)
                outcomes.add(report["outcome"])
                add(**report)
        returncode = process.wait()
        some_failed, none_collected = 1, 5
        explained = [0, none_collected] + [some_failed] * ("FAILED" in outcomes)
        if returncode not in explained:
            output.seek(0)
            add(target, "FAILED", 0.0,
                f"{output.read()[-10000:]}\npytest {ending(returncode)}", steady=True)


def run_unit_pytest(results):
    def add(name, outcome, seconds, output, steady):
        results.add(name, outcome, seconds, output)

    run_pytest(add, "tests/unit", seconds=300)


def run_end_to_end(results, level):
    """These tests have real peers, on a machine that is busy with the other tests: returns the names
    of those that failed and are to be tried once more."""
    again = []

    def add(name, outcome, seconds, output, steady):
        if outcome == "FAILED" and not steady:
            again.append(name)
            results.put_off(name, seconds, output)
        else:
            results.add(name, outcome, seconds, output)

    run_pytest(add, "tests/e2e", "-m", E2E_MARKS[level], seconds=E2E_SECONDS[level])
    return again


def run_again(results, level, names):
    """Alone, after all others. This decides."""
    def add(name, outcome, seconds, output, steady):
        results.add(name, outcome, seconds, output)
        if outcome != "FAILED":
            print(f"unsteady: {name} failed once", flush=True)

    for name in names:
        run_pytest(add, name, "-m", E2E_MARKS[level], seconds=E2E_SECONDS[level])


class TestReporter:
    """The pytest plugin's side: a line of JSON for each test."""

    def __init__(self, fd):
        self.file = os.fdopen(fd, "w")
        self.reports = []

    def send(self, name, outcome, seconds, output, steady):
        print(json.dumps({"name": name, "outcome": outcome, "seconds": seconds,
                          "output": output, "steady": steady}), file=self.file, flush=True)

    def pytest_collectreport(self, report):
        if report.failed:
            self.send(report.nodeid, "FAILED", 0.0, report.longreprtext, steady=True)

    def pytest_runtest_logreport(self, report):
        self.reports.append(report)
        if report.when != "teardown":
            return
        reports, self.reports = self.reports, []
        failed = [each for each in reports if each.failed]
        outcome = "FAILED" if failed else "ok"
        if not failed and any(each.skipped for each in reports):
            outcome = "skipped"
        output = "\n".join([each.longreprtext for each in failed]
                           + [f"--- {title} ---\n{text}" for each in failed[-1:]
                              for title, text in each.sections])
        # What is wrong when all is over can be the doing of an earlier test, which a second try of
        # this one alone would not show.
        steady = any(each.when == "teardown" for each in failed)
        self.send(report.nodeid, outcome, sum(each.duration for each in reports), output, steady)

    def pytest_runtest_setup(self, item):
        signal.signal(signal.SIGALRM, self.too_long)
        signal.alarm(int(os.environ[TEST_SECONDS]))

    def pytest_runtest_teardown(self, item):
        signal.alarm(int(os.environ[TEST_SECONDS]))

    @staticmethod
    def too_long(*_):
        raise TimeoutError(f"the test took more than {os.environ[TEST_SECONDS]} s")


def pytest_configure(config):
    if REPORT_FD in os.environ:
        config.pluginmanager.register(TestReporter(int(os.environ[REPORT_FD])))


# --- everything ---

def run_checks(results):
    names = subprocess.run(["scripts/check", "--list"], cwd=ROOT, check=True, text=True,
                           stdout=subprocess.PIPE).stdout.split()
    for name in names:
        run_command(results, f"check/{name}", ["scripts/check", name])


def run_computing(results, phases, level):
    """What keeps as many CPUs busy as there are."""
    settings = {"long": SIM_LONG, "quick": SIM_SHORT}.get(level)
    phases.run("checks", run_checks, results)
    phases.run("unit and simulation tests", run_programs, results,
               programs_of("build", "", settings=settings))
    phases.run("unit tests in Python", run_unit_pytest, results)
    if level == "quick":
        return
    sanitized = phases.run("sanitizers: build", build_all_sanitized, results)
    phases.run("sanitizers: tests", run_programs, results, sanitized)
    phases.run("models", model.check.try_all, model.check.CASES, results.add)
    phases.run("a new stage", run_command, results, "new_stage", [PYTHON, "tests/new_stage.py"])
    phases.run("bugs put in", mutants.try_all, mutants.BUGS, results.add)


def run_quickstart(results):
    run_command(results, "quickstart", [*FIRST, "scripts/quickstart", "--seconds", "1"])


def run_all(results, phases, level):
    """The end-to-end tests wait more than they compute, and each of their wefts has a CPU to poll
    on: they run beside all others."""
    if os.geteuid() != 0:
        results.add("tests/e2e (needs root)", "skipped", 0.0)
        run_computing(results, phases, level)
        return
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        end_to_end = pool.submit(phases.run, "end-to-end tests", run_end_to_end, results, level)
        if level != "quick":
            quickstart = pool.submit(phases.run, "quickstart", run_quickstart, results)
        try:
            run_computing(results, phases, level)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if level != "quick":
        quickstart.result()
    again = end_to_end.result()
    if again:
        phases.run("end-to-end tests again", run_again, results, level, again)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("level", choices=E2E_MARKS)
    parser.add_argument("--setup-seconds", type=int, default=0, help="that have gone by before")
    arguments = parser.parse_args()
    results, phases = Results(), Phases(arguments.setup_seconds)
    try:
        run_all(results, phases, arguments.level)
    finally:
        phases.print_table()
        results.print_end()
    sys.exit(1 if results.counts["FAILED"] else 0)


if __name__ == "__main__":
    main()
