# SPDX-License-Identifier: BSD-3-Clause
"""One flow's rate jumps, and an lcore has more to do than it can: Falcon's adaptability test
(EuroSys'21, Figure 16) on eight virtual lcores. The policies get the same flows at the same times;
another seed is other flows, which come to other lcores, and another one of them that jumps."""
import json
import os
import random
import statistics
import subprocess
import sys

import weft_run

MODES = ["falcon-func", "falcon-func-ungated"]
POLICIES = ["static", "two-choice", "least-loaded"]
PAPER = "two-choice carries 18 % more than static (UDP)"
DOORS = [1, 2, 3]
STEERING = [4, 5, 6, 7, 8]
FLOWS = 60  # of the mix, over all containers
# Packets/s of the mix, and of the flow that jumps, before and after.
MIX_RATE = 15_000_000
HOT_RATE = 150_000, 25_000_000
# The machine and the traffic are so many times slower than measured, so that seconds are few
# packets. What goes by time (loads, the gate, how long a move takes beside how often there may be
# one) then sees fewer packets, so this must not be much.
SLOWER = 10
SECONDS, JUMP = 1.0, 0.3
CARRIED = 0.99  # of what is offered: the hotspot is gone
STEADY = 5  # samples of a hundredth of the run for which that must hold

HEAD = """
[weft]
mode = {mode}
[mode falcon-func-ungated]
gro = flow+stage
vxlan = flow+stage
bridge = flow+stage
gate = off
[virtual]
lcores = {lcores}
seconds = {seconds}
seed = {seed}
costs = costs.ini
[steering]
lcores = {steering}
policy = {policy}
[uplink wire]
device = none
address = 192.0.2.1/24
queues = {queues}
lcores = {doors}
[network blue]
vni = 100
vteps = 192.0.2.2
"""

CONTAINER = """
[port c{i}]
network = blue
type = memif
path = /run/weft/c{i}.sock
mac = 02:00:00:00:00:{i:02x}
addresses = {address}
lcore = {lcore}
[traffic mix{i}]
network = blue
from = 192.0.2.2
to = c{i}
flows = {flows}
rate = {rate}
arrivals = poisson
law = heavy-tailed
"""

HOT = """
[traffic hot]
network = blue
from = 192.0.2.2
to = c{i}
rate = {before}
arrivals = poisson
jump = {jump} {after}
"""


def make_config(mode, policy, seed, slower):
    """A container on each steering lcore. Its address decides which lcores its flows come to."""
    chance = random.Random(seed)
    text = HEAD.format(mode=mode, lcores=len(DOORS) + len(STEERING), seconds=SECONDS, seed=seed,
                       steering=" ".join(map(str, STEERING)), policy=policy, queues=len(DOORS),
                       doors=" ".join(map(str, DOORS)))
    for i, lcore in enumerate(STEERING):
        address = f"10.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"
        text += CONTAINER.format(i=i, address=address, lcore=lcore, flows=FLOWS // len(STEERING),
                                 rate=MIX_RATE // slower // len(STEERING))
    return text + HOT.format(i=chance.randrange(len(STEERING)), jump=JUMP,
                             before=HOT_RATE[0] // slower, after=HOT_RATE[1] // slower)


def slower_costs(slower):
    with open(os.path.join(weft_run.ROOT, "config", "costs.ini"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    return "\n".join(f"hz = {int(line.split()[-1]) // slower}" if line.startswith("hz = ") else line
                     for line in lines)


def run_once(mode, policy, seed, directory, slower=SLOWER):
    """weft's own object of results."""
    paths = [os.path.join(directory, name) for name in ("hotspot.ini", "costs.ini", "hotspot.json")]
    for path, text in zip(paths, (make_config(mode, policy, seed, slower), slower_costs(slower))):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    command = [os.path.join(weft_run.BUILD, "weft"), "-l", "0", "--no-pci", "--no-huge", "-m",
               "512", "--no-telemetry", "--no-shconf", "--log-level=4", "--", "-c", paths[0],
               "--clock", "virtual", "--json", paths[2]]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if process.returncode != 0:
        raise weft_run.Failure(f"weft ended with {process.returncode}:\n{process.stdout}")
    with open(paths[2], encoding="utf-8") as file:
        return json.load(file)


# --- figures of a run ---

def between(series, begin, end):
    """(sent, delivered) from one time to another."""
    first, last = (min(range(len(series["seconds"])),
                       key=lambda i: abs(series["seconds"][i] - time)) for time in (begin, end))
    return [series[key][last] - series[key][first] for key in ("sent", "delivered")]


def recovery(series):
    """Milliseconds after the jump from which on what is offered is carried; None: never."""
    step = SECONDS / len(series["seconds"])
    carried = [(time, delivered - series["delivered"][i] >= CARRIED * (sent - series["sent"][i]))
               for i, (time, sent, delivered) in enumerate(
                   zip(series["seconds"][1:], series["sent"][1:], series["delivered"][1:]))]
    carried = [(time, good) for time, good in carried if time > JUMP + step / 2]
    for i, (time, _) in enumerate(carried[:1 - STEADY]):
        if all(good for _, good in carried[i:i + STEADY]):
            return 1000 * max(time - JUMP - step, 0)
    return None


def figures(results):
    series, row = results["series"], results["rows"][0]
    before = between(series, 0.1 * JUMP, JUMP)
    after = between(series, JUMP, SECONDS)
    return {"before": before[1] / before[0], "after": after[1] / after[0],
            "pps": after[1] / (SECONDS - JUMP), "offered_pps": after[0] / (SECONDS - JUMP),
            "recovery_ms": recovery(series), "limit": row["limit"],
            "cycles_per_packet": row["cycles_per_packet"], "reordered": row["reordered"],
            "lost": row["lost"], "drops": row["drops"], "p99_us": row["p99_us"],
            "moves": sum(door["moves"]["ended"] for door in results["doors"]),
            "gate_changes": sum(door["gate"]["changes"] for door in results["doors"]),
            "core_load_stddev": row["core_load_stddev"]}


# --- rows ---

def interval(values):
    """In which the median lies in 95 of 100 cases, by order statistics."""
    values, rank = sorted(values), 0
    share = total = 0.5 ** len(values)
    while total <= 0.025 and rank < len(values) // 2:
        share *= (len(values) - rank) / (rank + 1)
        rank += 1
        total += share
    return [values[max(rank, 1) - 1], values[-max(rank, 1)]]


def make_row(mode, policy, runs, static):
    """The medians over all seeds."""
    ratios = [run["pps"] / other["pps"] for run, other in zip(runs, static)]
    recovered = [run["recovery_ms"] for run in runs if run["recovery_ms"] is not None]
    return {"scenario": f"one flow's rate jumps, {policy}", "system": "weft",
            "mode": mode, "policy": policy, "lcores": len(DOORS) + len(STEERING),
            "clock": "virtual", "frame_bytes": 64, "flows": FLOWS + 1, "port": "memif",
            **{key: statistics.median(run[key] for run in runs)
               for key in ("pps", "offered_pps", "before", "after", "cycles_per_packet", "moves",
                           "gate_changes", "drops", "p99_us", "core_load_stddev")},
            "reordered": sum(run["reordered"] for run in runs),
            "lost": sum(run["lost"] for run in runs),
            "limit": statistics.mode(run["limit"] for run in runs),
            "recovery_ms": statistics.median(recovered) if recovered else None,
            "recovered": len(recovered),
            "ratio_to_static": statistics.median(ratios), "interval": interval(ratios),
            "ratios": ratios, "runs": [run["pps"] for run in runs], "paper": PAPER}


def measure(rounds, directory):
    """A row for each mode and policy; a round is a seed."""
    runs = {(mode, policy): [] for mode in MODES for policy in POLICIES}
    for seed in range(1, rounds + 1):
        for mode, policy in runs:
            runs[mode, policy].append(figures(run_once(mode, policy, seed, directory)))
        shares = ", ".join(f"{mode} {policy} {of[-1]['after']:.3f}"
                           for (mode, policy), of in runs.items())
        print(f"seed {seed} of {rounds}: of what is offered after the jump {shares}",
              file=sys.stderr, flush=True)
    return [make_row(mode, policy, of, runs[mode, "static"])
            for (mode, policy), of in runs.items()]
