# SPDX-License-Identifier: BSD-3-Clause
"""Tries all that can happen in the models here with spin, as they are and with bugs put in.

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

MODELS = pathlib.Path(__file__).parent
SECONDS = 1200
# MEMLIM is in MB, VECTORSZ the most bytes of a state, -m the longest way that is followed.
BUILD = ["/usr/bin/gcc", "-w", "-DCOLLAPSE", "-DMEMLIM=2000", "-DVECTORSZ=2048", "-o", "pan",
         "pan.c"]
SAFETY = (["-DSAFETY"], ["-m4000000"])
PROGRESS = ([], ["-m4000000", "-a", "-f"])  # acceptance cycles, weak fairness
INCOMPLETE = re.compile(r"Search not completed|max search depth too small|out of memory")

STUCK = r"acceptance cycle"

PATH = r"assertion violated .*q_len\(held"  # was written while packets were in flight
ORDER = r"assertion violated .*qrecv\(inside"

OVERTAKEN = r"assertion violated +!\(first_inside"
OVERFLOW = r"assertion violated .*words\[.*<"  # more words than credits
STRANDED = r"assertion violated .*words\[.*in_flight"  # held, though there is nothing to wait for
UNBEGUN = r"assertion violated .*open\[.*>0"  # a micro-flow ended that has not begun

BEFORE = r"assertion violated .*\|\| +!\(first_inside"  # a packet came out before its first
LEFT = r"assertion violated .*inside==0"  # when nobody can do anything any more
UNCOPIED = r"assertion violated .*\.copied"  # published, or what was published already
OVERWRITTEN = r"assertion violated .*\.n==0"  # what is not yet published
UNMAPPED = r"assertion violated .*\|\| +!\(unmapped"  # and used
BESIDE = r"assertion violated .*polled|assertion violated +\(\(\(published"  # who must be alone


class Case(typing.NamedTuple):
    """`report`: what spin must say of a bug; "" where there is none."""
    model: str
    name: str
    defines: str
    report: str = ""

    def __str__(self):
        return f"{self.model}-{self.name}"


CASES = [
    Case("moves", "one-group", "CREDITS=4"),
    Case("moves", "one-group-door-owns-port", "CREDITS=3 OWNER=0"),
    Case("moves", "two-groups", "GROUPS=2 CREDITS_1=1"),
    Case("moves", "modes", "MODES CREDITS=3"),
    Case("moves", "modes-two-groups", "MODES GROUPS=2 CREDITS=1"),
    Case("moves", "floods", "FLOODS"),
    Case("moves", "modes-floods", "MODES FLOODS"),
    Case("moves", "progress", "PROGRESS CREDITS=3"),
    Case("moves", "progress-two-groups", "PROGRESS GROUPS=2 CREDITS=1"),
    Case("moves", "progress-modes-floods", "PROGRESS MODES FLOODS CREDITS=1"),
    Case("moves", "bug-move-early", "MOVE_EARLY", PATH),
    Case("moves", "bug-release-behind", "RELEASE_BEHIND", ORDER),
    Case("moves", "bug-made-after", "FLOODS MADE_AFTER", PATH),
    Case("moves", "bug-made-read-first", "FLOODS MADE_READ_FIRST", PATH),
    Case("moves", "bug-unsteered-forgotten", "MODES UNSTEERED_FORGOTTEN", PATH),
    Case("moves", "bug-drop-uncounted", "PROGRESS DROP_UNCOUNTED", STUCK),

    Case("split", "two-elephants", "FLOWS=2 CREDITS=3"),
    Case("split", "two-flows-moves", "FLOWS=2 CREDITS=2 MOVES"),
    Case("split", "elephant", "CREDITS=5"),
    Case("split", "elephant-batch-3", "CREDITS=5 BATCH=3"),
    Case("split", "moves", "CREDITS=5 MOVES"),
    Case("split", "moves-consumer", "CREDITS=4 MOVES CONSUMER"),
    Case("split", "progress-moves", "PROGRESS CREDITS=4 MOVES"),
    Case("split", "progress-moves-consumer", "PROGRESS CREDITS=3 MOVES CONSUMER"),
    Case("split", "progress-two-elephants", "PROGRESS FLOWS=2 CREDITS=3"),
    Case("split", "progress-two-flows-moves", "PROGRESS FLOWS=2 CREDITS=2 MOVES"),
    Case("split", "bug-end-unmarked", "PROGRESS END_UNMARKED", STUCK),
    Case("split", "bug-end-by-next", "PROGRESS END_BY_NEXT", STUCK),
    Case("split", "bug-mark-credit-early", "MARK_CREDIT_EARLY", OVERFLOW),
    Case("split", "bug-promote-early", "MOVES PROMOTE_EARLY", OVERTAKEN),
    Case("split", "bug-demote-early", "MOVES DEMOTE_EARLY", UNBEGUN),
    Case("split", "bug-merge-stale", "MOVES MERGE_STALE", STRANDED),
    Case("split", "bug-queue-shared", "FLOWS=2 QUEUE_SHARED", STRANDED),
    Case("split", "bug-held-behind", "HELD_BEHIND", OVERTAKEN),

    Case("turns", "port-sent-to", "SENDS=1"),
    Case("turns", "two-rings", "RINGS=2 SLOTS=1"),
    Case("turns", "two-sources", "SOURCES=2"),
    Case("turns", "three-lcores", "LCORES=3 SLOTS=1"),
    Case("turns", "two-batches", "HELD=2 SLOTS=1"),
    Case("turns", "two-packets", "BATCH=2"),
    Case("turns", "two-packets-port-sent-to", "BATCH=2 SENDS=1 SLOTS=1"),
    Case("turns", "port-goes", "GOES"),
    Case("turns", "modes", "MODES SLOTS=1"),
    Case("turns", "progress", "PROGRESS SENDS=1"),
    Case("turns", "progress-port-goes", "PROGRESS GOES SLOTS=1"),
    Case("turns", "progress-modes", "PROGRESS MODES SLOTS=1"),
    Case("turns", "bug-right-early", "RIGHT_EARLY", BEFORE),
    Case("turns", "bug-number-early", "NUMBER_EARLY", BEFORE),
    Case("turns", "bug-failed-passes", "FAILED_PASSES", BEFORE),
    Case("turns", "bug-empty-forgotten", "PROGRESS EMPTY_FORGOTTEN", STUCK),
    Case("turns", "bug-no-second-look", "NO_SECOND_LOOK", LEFT),
    Case("turns", "bug-no-exchange", "NO_EXCHANGE", UNCOPIED),
    Case("turns", "bug-mark-early", "MARK_EARLY", UNCOPIED),
    Case("turns", "bug-full-ignored", "FULL_IGNORED", OVERWRITTEN),
    Case("turns", "bug-unseen-by-left", "GOES UNSEEN_BY_LEFT", UNMAPPED),
    Case("turns", "bug-quiet-reserved", "GOES QUIET_RESERVED", UNMAPPED),
    Case("turns", "bug-rest-unawaited", "GOES REST_UNAWAITED", UNMAPPED),
    Case("turns", "bug-pause-unseen", "MODES SLOTS=1 PAUSE_UNSEEN", BESIDE),
    Case("turns", "bug-plan-early", "MODES SLOTS=1 PLAN_EARLY", BESIDE),
    Case("turns", "bug-left-unfinished", "MODES SLOTS=1 LEFT_UNFINISHED", LEFT),
    Case("turns", "bug-resume-early", "MODES SLOTS=1 RESUME_EARLY", BESIDE),
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
    file = MODELS / f"{case.model}.pml"
    shutil.copy(file, directory)
    run(["/usr/bin/spin", "-a", *options, file.name], directory)
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
    add(f"model/{case}", "ok" if expected else "FAILED", time.monotonic() - start,
        f"{case.defines}\n{output}", note)


def try_all(cases, add):
    """Calls add(name, outcome, seconds, output, note) for each."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda case: try_case(case, add), cases))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a case; all if none is given")
    names = parser.parse_args().names
    unknown = set(names) - {str(case) for case in CASES}
    if unknown:
        parser.error(f"there is no case {', '.join(sorted(unknown))}")
    failed = []

    def add(name, outcome, seconds, output, note):
        print(f"{name} {outcome} {seconds:.1f} s{f' ({note})' if note else ''}", flush=True)
        if outcome != "ok":
            failed.append(name)
            print(output, flush=True)

    try_all([case for case in CASES if not names or str(case) in names], add)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
