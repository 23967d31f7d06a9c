# SPDX-License-Identifier: BSD-3-Clause
"""What every mode makes of one to sixteen lcores, and what bounds it: virtual lcores with costs from
the table, so that a run is the same on every machine. One flow comes through one queue of the
uplink; many come through a queue for each lcore. The senders keep a number of packets on their way
that fills weft and its rings without overflowing them, so that what is measured is carried."""
import json
import os
import subprocess
import sys

import weft_run

MODES = ["vanilla", "rps", "falcon-dev", "falcon-func", "mflow-device", "mflow-full", "turns", "auto"]
TAKING_TURNS = {"turns", "auto"}
LCORES = [1, 2, 4, 8, 16]
FLOWS = [1, 64]
# A ring is the sink that real lcores are measured with.
PORTS = {1: ["vhost-user", "ring"], 64: ["vhost-user"]}
FRAME_BYTES = [64, 1450]
# Virtual. Windows, gates and helpers have settled after the half; only the rest counts.
SECONDS = 0.024
# Packets on their way for each lcore that receives. Where lcores take turns it is chance who gets
# whose buffers back, and that decides for the whole run what they cost: so the median of some.
WINDOWS = [640, 768, 900]
CREDITS = 4096  # three eighths of which one flow may have
BOUND = 0.8  # share of the time from which on the right, or the number, is what bounds

CONFIG = """
[weft]
mode = {mode}
credits = {credits}
[virtual]
lcores = {lcores}
seconds = {seconds}
costs = {costs}
[uplink wire]
device = none
address = 192.0.2.1/24
queues = {queues}
lcores = {doors}
ring-size = 16384
[network blue]
vni = 100
vteps = 192.0.2.2
"""

CONTAINER = """
[port c{i}]
network = blue
type = {port}
path = /run/weft/c{i}.sock
mac = 02:00:00:00:01:{i:02x}
addresses = 10.0.0.{i}
lcore = {owner}
ring-size = 16384
[traffic t{i}]
network = blue
from = 192.0.2.2
to = c{i}
flows = {flows}
size = {size}
arrivals = window
window = {window}
round-trip = 1
"""


def make_config(window, mode, lcores, flows, size, port):
    """Of one flow the first lcore has the uplink's queue, and all others are there to help: in modes
    that steer the container's queue is the last one's, where vanilla has no use for another. Of
    many flows each lcore has a queue of the uplink's and a container."""
    many, turns = flows > 1, mode in TAKING_TURNS
    doors = range(1, lcores + 1 if many or turns else 2)
    owners = range(1, lcores + 1) if many else [1 if turns or mode == "vanilla" else lcores]
    text = CONFIG.format(
        mode=mode, lcores=lcores, credits=CREDITS, seconds=SECONDS, queues=len(doors) if many else 1,
        doors=" ".join(map(str, doors)), costs=os.path.join(weft_run.ROOT, "config", "costs.ini"))
    return text + "".join(
        CONTAINER.format(i=i + 1, owner=owner, flows=flows // len(owners), size=size,
                         port=port,
                         window=max(window * len(doors) // flows, 2))
        for i, owner in enumerate(owners))


def run_once(directory, *scenario):
    """weft's own object of results."""
    config, result = (os.path.join(directory, name) for name in ("scale.ini", "scale.json"))
    with open(config, "w", encoding="utf-8") as file:
        file.write(make_config(*scenario))
    command = [os.path.join(weft_run.BUILD, "weft"), "-l", "0", "--no-pci", "--no-huge", "-m",
               "1024", "--no-telemetry", "--no-shconf", "--log-level=4", "--", "-c", config,
               "--clock", "virtual", "--json", result]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if process.returncode != 0:
        raise weft_run.Failure(f"weft ended with {process.returncode}:\n{process.stdout}")
    with open(result, encoding="utf-8") as file:
        return json.load(file)


# --- figures of a run ---

def steady_pps(series):
    """Packets a second after the first half."""
    middle = min(i for i, time in enumerate(series["seconds"]) if time >= SECONDS / 2)
    return ((series["delivered"][-1] - series["delivered"][middle])
            / (series["seconds"][-1] - series["seconds"][middle]))


def shares_held(results, mode, flows):
    """The shares of the time for which the right and the number are held, of each queue; of a mode
    that has neither, none."""
    queues = len(results["lcores"]) if flows > 1 else 1
    return {name: share / queues for name, share in results["turns"].items()} \
        if mode in TAKING_TURNS else {}


def limit_of(results, shares):
    """What bounds it: the right or the number that one lcore at a time has, or a busy lcore."""
    if len(results["lcores"]) == 1:
        shares = {}
    for name, share in sorted(shares.items(), key=lambda item: -item[1]):
        if share >= BOUND:
            return f"{name}, held {100 * share:.0f} %"
    busiest = max(results["lcores"], key=lambda lcore: lcore["busy"])
    if busiest["busy"] < BOUND:
        return results["rows"][0]["limit"]
    if all(lcore["busy"] >= BOUND for lcore in results["lcores"]) and len(results["lcores"]) > 1:
        return "all lcores"
    is_door = any(door["lcore"] == busiest["lcore"] for door in results["doors"])
    return f"lcore {busiest['lcore']}" + (", a door" if is_door else "")


def make_row(results, mode, lcores, flows, size, alone):
    pps = steady_pps(results["series"])
    shares = shares_held(results, mode, flows)
    return {**results["rows"][0], "scenario": "one flow" if flows == 1 else f"{flows} flows",
            "mode": mode, "lcores": lcores, "flows": flows, "frame_bytes": size, "costs": "own",
            "pps": pps, "ratio_to_vanilla": pps / (alone or pps),
            "busy": [lcore["busy"] for lcore in results["lcores"]],
            "limit": limit_of(results, shares),
            **{f"{name}_held": share for name, share in shares.items()}}


def measure_mode(directory, mode, lcores, *traffic, alone):
    """The row of the middle one of its runs."""
    rows = [make_row(run_once(directory, window, mode, lcores, *traffic), mode, lcores,
                     *traffic[:2], alone)
            for window in (WINDOWS if mode in TAKING_TURNS else WINDOWS[1:2])]
    return sorted(rows, key=lambda row: row["pps"])[len(rows) // 2]


def measure_lcores(directory, lcores, *traffic, alone):
    """A row for each mode; `alone` is vanilla's packets a second on one lcore."""
    rows = []
    for mode in MODES:
        rows.append(measure_mode(directory, mode, lcores, *traffic, alone=alone))
        alone = alone or rows[0]["pps"]
    print("flows {}, {} B, {}, ".format(*traffic) + f"{lcores} lcores: " + ", ".join(
        f"{row['mode']} {row['ratio_to_vanilla']:.2f}" for row in rows), file=sys.stderr, flush=True)
    return rows


def measure(_rounds, directory):
    """Rows for each kind of traffic and number of lcores. The virtual clock needs no rounds."""
    rows = []
    for flows, size, port in [(flows, size, port) for flows in FLOWS for size in FRAME_BYTES
                              for port in PORTS[flows]]:
        alone = None
        for lcores in LCORES:
            rows += measure_lcores(directory, lcores, flows, size, port, alone=alone)
            alone = alone or rows[-len(MODES)]["pps"]
    return rows
