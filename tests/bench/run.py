#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs a benchmark program, prints its rows as a table, and writes them as JSON."""
import argparse
import json
import os
import subprocess
import sys

import weft_run

BENCHES = {
    "hop": "what a hop between two lcores costs, before each stage of the receive path",
    "rings": "which rte_ring between two lcores: one or many producers, 8 or 16 bytes, in place",
}
COLUMNS = [("scenario", "scenario", "<"), ("lcores", "lcores", ">"), ("pps", "packets/s", ">"),
           ("cycles_per_packet", "cycles/packet", ">"), ("hop_cycles", "hop, cycles", ">")]


def run(name, rounds):
    """The rows a benchmark prints; its progress goes to stderr."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise weft_run.Failure("a benchmark of two lcores needs two cores")
    memory = [] if weft_run.huge_pages_free() >= 128 else ["--no-huge", "-m", "256"]
    command = [os.path.join(weft_run.BUILD, f"bench-{name}"), "--no-pci", "--no-telemetry",
               "--in-memory", "--log-level=4", *memory,
               "--lcores", f"0@{cpus[0]},1@{cpus[0]},2@{cpus[1]}", "--", str(rounds)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        raise weft_run.Failure(f"{command[0]} ended with {result.returncode}")
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def cell(row, key):
    value = row.get(key, "")
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else value


def print_table(rows):
    lines = [[heading for _, heading, _ in COLUMNS]]
    lines += [[cell(row, key) for key, _, _ in COLUMNS] for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    for line in lines:
        print("  ".join(f"{text:{side}{width}}" for text, width, (_, _, side)
                        in zip(line, widths, COLUMNS)).rstrip())


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measurements. All that is compared takes turns in one "
        "run; figures are medians over the rounds.")
    parser.add_argument("name", nargs="?", choices=BENCHES, metavar="NAME")
    parser.add_argument("--list", action="store_true", help="what can be measured")
    parser.add_argument("--rounds", type=int, default=20, help="rounds of each variant (20)")
    parser.add_argument("--json", metavar="FILE", help="write the rows there")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if arguments.list or arguments.name is None:
        for name, text in BENCHES.items():
            print(f"{name:8} {text}")
        return
    rows = run(arguments.name, arguments.rounds)
    print_table(rows)
    if arguments.json:
        document = {"weft": weft_run.weft_version(), "machine": weft_run.machine(), "rows": rows}
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
            file.write("\n")


if __name__ == "__main__":
    try:
        main()
    except weft_run.Failure as failure:
        sys.exit(f"scripts/bench: {failure}")
