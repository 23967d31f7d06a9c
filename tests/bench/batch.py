# SPDX-License-Identifier: BSD-3-Clause
"""How large micro-flows must be for their packets to come to the merge in order, on four virtual
lcores: the first receives, two are the branches, and the container's merges. With more than it can
take branches have a backlog, and their packets come mixed; below that they come as they were sent
if a batch takes longer than what branches differ by. The arrivals are a Poisson process."""
import json
import os
import subprocess

import weft_run

BATCHES = [2 ** i for i in range(11)] + [4096]
# Packets/s; the last is more than the container's lcore takes.
RATES = {"a third of what it takes": 8_000_000, "three quarters of what it takes": 19_000_000,
         "more than it takes": 40_000_000}
SECONDS = 0.05
PAPER = "from 256 on next to none before the merge"

CONFIG = """
[weft]
mode = mflow-full
credits = 2048
[virtual]
lcores = 4
seconds = {seconds}
costs = {costs}
[micro-flows]
batch = {batch}
lcores = 2 3
{overlay}lcore = 4
[traffic elephant]
network = blue
from = 192.0.2.2
to = web
rate = {rate}
arrivals = poisson
"""


def run_once(batch, rate, directory):
    """weft's own object of results."""
    config, result = (os.path.join(directory, name) for name in ("batch.ini", "batch.json"))
    with open(config, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(overlay=weft_run.OVERLAY, batch=batch, rate=rate, seconds=SECONDS,
                                 costs=os.path.join(weft_run.ROOT, "config", "costs.ini")))
    command = [os.path.join(weft_run.BUILD, "weft"), "-l", "0", "--no-pci", "--no-huge", "-m",
               "512", "--no-telemetry", "--no-shconf", "--log-level=4", "--", "-c", config,
               "--clock", "virtual", "--json", result]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if process.returncode != 0:
        raise weft_run.Failure(f"weft ended with {process.returncode}:\n{process.stdout}")
    with open(result, encoding="utf-8") as file:
        return json.load(file)


def make_row(load, batch, results):
    elephants = results["doors"][0]["elephants"]
    return {**results["rows"][0], "scenario": f"2 branches on 4 virtual lcores, {load}",
            "branches": 2, "batch": batch, "paper": PAPER,
            "out_of_order": elephants["out_of_order"] / max(elephants["merged"], 1),
            "most_held": elephants["most_held"]}


def measure(directory):
    """A row for each load and batch. The virtual clock needs no rounds."""
    return [make_row(load, batch, run_once(batch, rate, directory))
            for load, rate in RATES.items() for batch in BATCHES]
