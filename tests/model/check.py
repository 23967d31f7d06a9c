# SPDX-License-Identifier: BSD-3-Clause
"""Tries all that can happen in moves.pml with spin, as it is and with bugs put in.

Called by run_tests.py; by itself: /usr/bin/python3 tests/model/check.py [NAME...]

The shortest way to what is wrong is shown by spin itself, here for the defines FLOODS MADE_AFTER:

    spin -a -DFLOODS -DMADE_AFTER moves.pml && gcc -w -DSAFETY -DBFS -o pan pan.c && ./pan
    spin -t -p -g -l -DFLOODS -DMADE_AFTER moves.pml
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import typing

MODEL = pathlib.Path(__file__).with_name("moves.pml")
SECONDS = 300
# MEMLIM is in MB, VECTORSZ the most bytes of a state, -m the longest way that is followed.
BUILD = ["/usr/bin/gcc", "-w", "-DCOLLAPSE", "-DMEMLIM=2000", "-DVECTORSZ=2048", "-o", "pan",
         "pan.c"]
SAFETY = (["-DSAFETY"], ["-m2000000"])
PROGRESS = ([], ["-m2000000", "-a", "-f"])  # acceptance cycles, weak fairness
INCOMPLETE = re.compile(r"Search not completed|max search depth too small|out of memory")

PATH = r"assertion violated .*q_len\(held"  # was written while packets were in flight
ORDER = r"assertion violated .*qrecv\(inside"
STUCK = r"acceptance cycle"


class Case(typing.NamedTuple):
    """`report`: what spin must say of a bug; "" where there is none."""
    name: str
    defines: str
    report: str = ""


CASES = [
    Case("one-group", "CREDITS=4"),
    Case("one-group-door-owns-port", "CREDITS=3 OWNER=0"),
    Case("two-groups", "GROUPS=2 CREDITS_1=1"),
    Case("modes", "MODES CREDITS=3"),
    Case("modes-two-groups", "MODES GROUPS=2 CREDITS=1"),
    Case("floods", "FLOODS"),
    Case("modes-floods", "MODES FLOODS"),
    Case("progress", "PROGRESS CREDITS=3"),
    Case("progress-two-groups", "PROGRESS GROUPS=2 CREDITS=1"),
    Case("progress-modes-floods", "PROGRESS MODES FLOODS CREDITS=1"),
    Case("bug-move-early", "MOVE_EARLY", PATH),
    Case("bug-release-behind", "RELEASE_BEHIND", ORDER),
    Case("bug-made-after", "FLOODS MADE_AFTER", PATH),
    Case("bug-made-read-first", "FLOODS MADE_READ_FIRST", PATH),
    Case("bug-unsteered-forgotten", "MODES UNSTEERED_FORGOTTEN", PATH),
    Case("bug-drop-uncounted", "PROGRESS DROP_UNCOUNTED", STUCK),
]


def run(argv, directory):
    """What a command prints; it must end by itself and well."""
    return subprocess.run(argv, cwd=directory, check=True, timeout=SECONDS, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT).stdout


def search(case, directory):
    """Tries all ways that the model can go, up to the first that is wrong. What spin says."""
    options = [f"-D{each}" for each in case.defines.split()]
    build, arguments = PROGRESS if "-DPROGRESS" in options else SAFETY
    optimize = "-O0" if case.report else "-O1"  # a bug is found before optimizing would pay
    shutil.copy(MODEL, directory)
    run(["/usr/bin/spin", "-a", *options, MODEL.name], directory)
    run([*BUILD, *build, optimize], directory)
    return run(["./pan", "-n", *arguments], directory)


def verdict(case, output):
    """(as expected, a few words)."""
    states = re.search(r"^ *(\d+) states, stored", output, re.MULTILINE)
    if case.report:
        caught = re.search(case.report, output) is not None
        return caught, "caught" if caught else "NOT CAUGHT"
    complete = "errors: 0" in output and states and not INCOMPLETE.search(output)
    return bool(complete), f"{states.group(1) if states else 'no'} states"


def try_case(case, add):
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="weft-model-") as directory:
        try:
            output = search(case, pathlib.Path(directory))
            expected, note = verdict(case, output)
        except (OSError, subprocess.SubprocessError) as error:
            output = f"{error}\n{getattr(error, 'stdout', None) or ''}"
            expected, note = False, ""
    add(f"model/moves-{case.name}", "ok" if expected else "FAILED", time.monotonic() - start,
        f"{case.defines}\n{output}", note)


def try_all(cases, add):
    """Calls add(name, outcome, seconds, output, note) for each."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda case: try_case(case, add), cases))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a case; all if none is given")
    names = parser.parse_args().names
    unknown = set(names) - {case.name for case in CASES}
    if unknown:
        parser.error(f"there is no case {', '.join(sorted(unknown))}")
    failed = []

    def add(name, outcome, seconds, output, note):
        print(f"{name} {outcome} {seconds:.1f} s{f' ({note})' if note else ''}", flush=True)
        if outcome != "ok":
            failed.append(name)
            print(output, flush=True)

    try_all([case for case in CASES if not names or case.name in names], add)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
