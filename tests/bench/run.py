#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs a benchmark program, prints its rows as a table, and writes them as JSON."""
import argparse
import datetime
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import batch
import hotspot
import scale
import weft_run

BENCHES = {
    "batch": "how large micro-flows must be for their packets to come to the merge in order",
    "calibrate": "what steps, ports and cache lines cost here, for the virtual clock",
    "heavy": "which structure finds the heavy flows of a door, and what it costs a packet",
    "hop": "what a hop between two lcores costs, before each stage of the receive path",
    "hotspot": "what the policies make of a flow whose rate jumps, on eight virtual lcores",
    "latency": "how long a packet takes at half load and at little, auto beside vanilla",
    "reorder": "split and merge of micro-flows beside rte_reorder, rte_distributor and event_sw",
    "rings": "which rte_ring between two lcores: one or many producers, 8 or 16 bytes, in place",
    "scale": "every mode on 1 to 16 virtual lcores, one flow and many, and what bounds each",
    "simulate": "how many packets a second eight virtual lcores with costs from the table carry",
    "steer": "the modes that steer one flow over two lcores, on every path that comes up",
    "two-core": "one flow on two lcores, in turns and placed: real ones, and what virtual ones predict",
}
# vhost-user takes 8 regions at most
EAL_ARGUMENTS = {name: ["--single-file-segments"] for name in ("calibrate", "turns", "two-core")}
# All memory from the start: virtio-user tells vhost of more, which waits where vhost itself asks.
MEMORY_MB = 256
EAL_ARGUMENTS["reorder"] = ["--vdev=event_sw0"]
COLUMNS = [("scenario", "scenario", "<"), ("system", "system", "<"), ("mode", "mode", "<"),
           ("policy", "policy", "<"), ("path", "path", "<"), ("structure", "structure", "<"),
           ("window_packets", "window", ">"), ("batch", "batch", ">"),
           ("port", "port", "<"), ("frame_bytes", "frame", ">"),
           ("lcores", "lcores", ">"), ("pps", "packets/s", ">"),
           ("burst_cycles", "cycles/burst", ">"), ("cycles_per_packet", "cycles/packet", ">"),
           ("stamp_cycles", "stamping", ">"), ("label_cycles", "labels", ">"),
           ("merge_cycles", "merging", ">"), ("with_queues", "with queues", ">"),
           ("report_cycles", "cycles/report", ">"), ("bytes", "bytes", ">"),
           ("missed", "missed", ">"), ("mice_reported", "mice reported", ">"),
           ("out_of_order", "out of order", ">"), ("limit", "limit", "<"),
           ("reordered", "reordered", ">"), ("lost", "lost", ">"), ("most_held", "most held", ">"),
           ("extra_cycles", "more, cycles", ">"), ("steer_cycles", "steered, cycles", ">"),
           ("hop_cycles", "hop, cycles", ">"), ("times", "times", ">"),
           ("before", "carried before", ">"), ("after", "carried after", ">"),
           ("recovered", "recovered", ">"), ("recovery_ms", "after, ms", ">"), ("moves", "moves", ">"),
           ("clock", "clock", "<"), ("pairs", "pairs", ">"), ("p50_us", "p50, us", ">"), ("p99_us", "p99, us", ">"),
           ("p50_to_vanilla", "p50 to vanilla", ">"), ("p99_to_vanilla", "p99 to vanilla", ">"),
           ("ratio_to_real", "to real", ">"),
           ("ratio_to_vanilla", "to vanilla", ">"), ("ratio_to_rps", "to rps", ">"),
           ("ratio_to_static", "to static", ">"), ("ratio_to_rte_reorder", "to rte_reorder", ">"),
           ("ratio_to_event_sw", "to event_sw", ">"),
           ("interval", "95 % interval", ">"), ("simulated_pps", "simulated packets/s", ">")]
FRACTIONS = {"p50_us", "p99_us", "p50_to_vanilla", "p99_to_vanilla", "times", "before", "after", "missed", "mice_reported", "out_of_order", "ratio_to_real",
             "ratio_to_vanilla", "ratio_to_rps", "ratio_to_static",
             "ratio_to_rte_reorder", "ratio_to_event_sw"}
# Said only where they differ.
ONE_OF_MANY = ["system", "mode", "clock", "missed"]


def run(name, rounds, directory):
    """The rows a benchmark prints; its progress goes to stderr."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise weft_run.Failure("a benchmark of two lcores needs two cores")
    memory = (["--in-memory"] if weft_run.huge_pages_free() * weft_run.HUGE_PAGE_KB >=
              MEMORY_MB * 1024 else ["--no-huge", "--no-shconf"])
    program = "bench-" + name.replace("-", "_")
    command = [os.path.join(weft_run.BUILD, program), "--no-pci", "--no-telemetry",
               "--log-level=4", *EAL_ARGUMENTS.get(name, []), *memory, "-m", str(MEMORY_MB),
               "--lcores", f"0@{cpus[0]},1@{cpus[0]},2@{cpus[1]}", "--", str(rounds), directory]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        raise weft_run.Failure(f"{command[0]} ended with {result.returncode}")
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def cell(row, key):
    value = row.get(key)
    if value is None:
        return ""
    if key == "interval":
        return f"{value[0]:.3f} to {value[1]:.3f}"
    if isinstance(value, float):
        return f"{value:.3f}" if key in FRACTIONS else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else value


def print_table(rows):
    columns = [column for column in COLUMNS if any(column[0] in row for row in rows)]
    columns = [column for column in columns if column[0] not in ONE_OF_MANY
               or len({row.get(column[0]) for row in rows}) > 1]
    lines = [[heading for _, heading, _ in columns]]
    lines += [[cell(row, key) for key, _, _ in columns] for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        print("  ".join(f"{text:{side}{width}}" for text, width, (_, _, side)
                        in zip(line, widths, columns)).rstrip())


def take_costs(rows, peer):
    """The sections of the file of costs that the rows brought along, taken out of them."""
    sections = {}
    for row in rows:
        if not isinstance(row.get("costs"), dict):
            continue
        costs = row.pop("costs")
        if row.get("peer", peer) == peer:
            sections[costs.pop("section")] = costs
            if "class" in row:  # what the prices depend on
                sections["distance"] = (row["class"], row["distance"])
    return sections


def write_costs(path, sections, peer, command):
    """The file that the virtual clock reads: src/virtual/costs.h."""
    machine = weft_run.machine()
    distance_class, distance = sections.pop("distance")
    sections["machine"].update(cpu=machine["cpu"], distance=distance)
    lines = [
        "# What things cost, in cycles, measured; see docs/virtual.md.",
        f"# Machine: {machine['cpu']}, {machine['cores']} CPUs, Linux {machine['kernel']}, "
        f"DPDK {machine['dpdk']}" + (", virtual" if machine["hypervisor"] else ""),
        f"# Date: {datetime.date.today().isoformat()}",
        f"# Command: {command}",
        f"# CPU to CPU: {distance_class}, {distance} cycles there and back for a cache line.",
        f"# Ports had their peer on the {peer} CPU; uplink stands for a NIC: a ring and buffers.",
    ]
    for section, costs in sorted(sections.items(), key=lambda item: order_of(item[0])):
        lines += ["", f"[{section}]"] + [f"{key} = {value}" for key, value in costs.items()]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def order_of(section):
    """Sections by kind, each kind as it was measured."""
    kinds = ["machine", "turn", "step", "price", "receive", "send"]
    return kinds.index(section.split()[0])


# --- the speed of the simulation itself ---

SIMULATED_RATES = {"full bursts": 30000000, "a packet at a time": 4000000}

SIMULATED = """
[virtual]
lcores = 8
seconds = 0.5
costs = {costs}
{overlay}lcore = 8
[pipeline]
gro = 2
vxlan = 3
bridge = 4
veth = 5
veth_rx = 6
encap = 7
tx = 8
[traffic down]
network = blue
from = 192.0.2.2
to = web
rate = {rate}
[traffic up]
network = blue
from = web
to = 192.0.2.2
rate = 1000000
"""


def simulate_once(rate, directory):
    """A row: packets delivered, by the seconds of the wall between start and end of the run."""
    config, result = os.path.join(directory, "eight.ini"), os.path.join(directory, "eight.json")
    with open(config, "w", encoding="utf-8") as file:
        file.write(SIMULATED.format(overlay=weft_run.OVERLAY, rate=rate,
                                    costs=os.path.join(weft_run.ROOT, "config", "costs.ini")))
    command = [os.path.join(weft_run.BUILD, "weft"), "-l", "0", "--no-pci", "--no-huge", "-m",
               "512", "--no-telemetry", "--no-shconf", "--log-level=4", "--", "-c", config,
               "--clock", "virtual", "--json", result]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    begin = None
    for line in process.stdout:
        if line.startswith("weft: ready"):
            begin = time.monotonic()
    if process.wait() != 0 or begin is None:
        raise weft_run.Failure(f"weft ended with {process.returncode}")
    seconds = time.monotonic() - begin
    with open(result, encoding="utf-8") as file:
        row = json.load(file)["rows"][0]
    return {**row, "simulated_pps": row["delivered"] / seconds}


def simulate(rounds, directory):
    """Full bursts, and a packet at a time; each row stands for all rounds, which are the same but
    for how long they took."""
    rows = []
    for scenario, rate in SIMULATED_RATES.items():
        runs = [simulate_once(rate, directory) for _ in range(rounds)]
        speeds = [row["simulated_pps"] for row in runs]
        rows.append({**runs[0], "scenario": f"eight virtual lcores, a stage each, {scenario}",
                     "runs": speeds, "simulated_pps": statistics.median(speeds)})
    return rows


def batches(rounds, directory):
    """On two real cores, and in virtual time."""
    return run("batch", rounds, directory) + batch.measure(directory)


def two_core(rounds, directory):
    """Placements of stages; and lcores that take turns, beside vanilla."""
    return run("two-core", rounds, directory) + run("turns", rounds, directory)


NOT_A_PROGRAM = {"batch": batches, "hotspot": hotspot.measure,
                 "scale": scale.measure, "simulate": simulate,
                 "two-core": two_core}


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measurements. All that is compared takes turns in one "
        "run; figures are medians over the rounds.")
    parser.add_argument("name", nargs="?", choices=BENCHES, metavar="NAME")
    parser.add_argument("--list", action="store_true", help="what can be measured")
    parser.add_argument("--rounds", type=int, default=20, help="rounds of each variant; hotspot: seeds; "
                        "two-core, steer: pairs that must count, reorder: rounds (20)")
    parser.add_argument("--json", metavar="FILE", help="write the rows there")
    parser.add_argument("--costs", metavar="FILE",
                        help="calibrate: write the costs there, for the virtual clock")
    parser.add_argument("--peer", choices=["same", "other"], default="same",
                        help="the CPU of ports' peers, for --costs (same)")
    arguments = parser.parse_args()
    if arguments.costs and arguments.name != "calibrate":
        parser.error("--costs: only `calibrate` measures them")
    return arguments


def write_json(path, rows):
    """One object, a row a line."""
    head = {"weft": weft_run.weft_version(), "machine": weft_run.machine()}
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1] + ', "rows": [\n')
        file.write(",\n".join(json.dumps(row) for row in rows) + "\n]}\n")


def main():
    arguments = parse_arguments()
    if arguments.list or arguments.name is None:
        for name, text in BENCHES.items():
            print(f"{name:10} {text}")
        return
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as directory:
        run_it = NOT_A_PROGRAM.get(arguments.name, functools.partial(run, arguments.name))
        rows = run_it(arguments.rounds, directory)
    sections = take_costs(rows, arguments.peer)
    rows = [row for row in rows if "scenario" in row]
    print_table(rows)
    if arguments.costs:
        command = " ".join(["scripts/bench", *sys.argv[1:]])
        write_costs(arguments.costs, sections, arguments.peer, command)
    if arguments.json:
        write_json(arguments.json, rows)


if __name__ == "__main__":
    try:
        main()
    except weft_run.Failure as failure:
        sys.exit(f"scripts/bench: {failure}")
