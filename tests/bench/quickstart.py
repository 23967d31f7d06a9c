# SPDX-License-Identifier: BSD-3-Clause
"""scripts/quickstart after setup: every mode once with a container, then who is the limit."""

import argparse
import json
import os
import re
import signal
import statistics
import sys
import time

import weft_run
from weft_run import PATIENCE, Failure, Session, Testpmd, Traffic, Weft

CONFIG = os.path.join(weft_run.ROOT, "config", "quickstart.ini")
CONFIG_DIRECTORY = "/run/weft-quickstart"

# One row a mode: its name, and whether its packets come without VXLAN.
MODES = (
    ("vanilla", False),
    ("turns", False),
    ("auto", False),
    ("native", True),
    ("linux-overlay", False),
)
LIMIT_MODES = ("native", "vanilla")
LIMIT_FRAMES = (64, 1450)
LIMIT_RUNS = 3
WINDOW = 512
ECHO_WARMUP = 0.5
LIMIT_WARMUP = 0.2
ECHO_SECONDS = 2  # times --seconds
BUSY_MACHINE = 0.5  # load average
MOVED = 2  # times as far as before: not the same place
NEARLY_ALWAYS = 0.9  # a loop that is busy for this share of the time has nothing to spare

# Container ends by type: weft's port type, and the device of the container.
CONTAINERS = {
    "vhost": ("vhost-user", "net_virtio_user0,path={path},mac=02:00:00:00:00:01,queue_size=1024"),
    "memif": ("memif", "net_memif1,role=client,socket-abstract=no,socket={path}"),
}


def write_config(session, port):
    """The configuration with its sockets in the session's directory; returns its path."""
    text = weft_run.read_file(CONFIG).replace(CONFIG_DIRECTORY, session.directory)
    text = re.sub(r"^type = .*$", f"type = {CONTAINERS[port][0]}", text, flags=re.M)
    return session.write(f"{port}.ini", text)


def start_traffic(session, native, arguments, on_line=None):
    """weft-traffic as the peer of the uplink.

    Not zero-copy: that takes the files of the huge pages from a virtio-user port beside it.
    """
    uplink = f"net_memif0,role=client,socket-abstract=no,socket={session.path('uplink.sock')}"
    distance = ["--distance", str(weft_run.cpus()[1])]
    return Traffic(session, ["--port", uplink, *(["--native"] if native else []), *distance,
                             *arguments], on_line)


def cycles_per_packet(before, after):
    """Cycles of weft's worker for each packet it delivered; None if it delivered none."""
    delivered = after["delivered"] - before["delivered"]
    return (after["working"] - before["working"]) / delivered if delivered else None


def share_working(before, after):
    """The share of its time that weft's worker spent on packets."""
    total = after["total"] - before["total"]
    return (after["working"] - before["working"]) / total if total else 0


def limit_of(row):
    """Which side had nothing to spare; if neither, what kept packets away from both."""
    names = [name for name in ("weft", "generator") if row[f"{name}_busy"] >= NEARLY_ALWAYS]
    shared = row["container"] == "testpmd" and sharing_arguments()
    return " and ".join(names) or ("shared CPU" if shared else "window")


def sample_during(weft, traffic, seconds):
    """weft's counters at both ends of most of the measurement, and weft-traffic's end."""
    traffic.wait_measuring(2 * PATIENCE)
    before = weft.sample()
    time.sleep(seconds * 0.8)
    after = weft.sample()
    return before, after, traffic.wait_result(seconds + PATIENCE), weft.drops()


def lost_packets(result, drops):
    """Packets that neither came out nor weft has dropped. Single ones look for a way until the first
    comes through; of these weft drops some, and others it never sees: the driver of an uplink whose
    peer is not there yet takes packets, too, and forgets them."""
    return max(0, result["lost"] - max(0, drops - result["unanswered"]))


def measure(weft, traffic, seconds, *others):
    """Lets weft-traffic run to its end; returns a row of what it and weft say."""
    try:
        before, after, result, drops = sample_during(weft, traffic, seconds)
    except Failure:
        for user in (weft, *others):  # whoever has died is the cause
            user.process.check()
        raise
    held, words = weft.stop()
    in_order = traffic.stop()
    lost = lost_packets(result, sum(drops.values()))
    row = {key: result[key] for key in
           ("pps", "offered_pps", "reordered", "p50_us", "p99_us", "p999_us",
            "distance_cycles", "hz") if key in result}
    row.update(
        drops=sum(drops.values()),
        lost=lost,
        weft_busy=round(share_working(before, after), 3),
        generator_busy=result["busy"],
        sound=in_order and held and lost == 0)
    cycles = cycles_per_packet(before, after)
    if cycles is not None:
        row["cycles_per_packet"] = round(cycles, 1)
    return row, {"traffic": result, "words": words, "drops": drops}


def describe(scenario, mode, port, container, frame_bytes, row):
    """The row with what was measured written before it, and the limit after it."""
    row = {"scenario": scenario, "system": "weft", "mode": mode, "lcores": 1, "clock": "real",
           "frame_bytes": frame_bytes, "flows": 1, "port": port, "container": container, **row}
    row["limit"] = limit_of(row)
    return row


def report_unsound(name, row, details):
    """Says what did not hold."""
    if row["sound"]:
        return
    traffic = details["traffic"]
    print(f"{name}: order or conservation did not hold: " + ", ".join(
        f"{traffic[key]} {key}" for key in ("reordered", "duplicates", "corrupted", "strayed")) +
        f", {row['lost']} lost")
    for words in details["words"]:
        print(f"  weft: {words}")
    print(f"  drops: {details['drops']}")


def echo(mode, native, seconds):
    """One mode with a container that testpmd runs in its own namespaces; returns its row."""
    with Session("weft-quickstart") as session:
        print(f"\n{mode}: {'plain' if native else 'VXLAN'} packets to a container, which sends them "
              "back (testpmd macswap\nover virtio-user, in namespaces of its own); each second, at "
              "the generator:", flush=True)
        arguments = ["--direction", "echo", "--window", str(WINDOW), "--warmup", str(ECHO_WARMUP),
                     "--seconds", str(seconds), *sharing_arguments()]
        weft = Weft(session, write_config(session, "vhost"), mode)
        traffic = start_traffic(session, native, arguments, print_rates)
        device = CONTAINERS["vhost"][1].format(path=session.path("container.sock"))
        container = Testpmd(session, device)
        row, details = measure(weft, traffic, seconds, container)
        container.stop()
        row = describe("echo", mode, "vhost", "testpmd", 64, row)
        report_unsound(mode, row, details)
        return row, weft.ready_ms


def sharing_arguments():
    """What weft-traffic does when the container polls on the same CPU."""
    main, _, container = weft_run.cpus()
    return ["--pause", "20"] if main == container else []


def print_rates(line):
    """Passes on weft-traffic's lines of rates."""
    if "pps:" in line:
        print(line, flush=True)


def limit_run(mode, port, frame_bytes, seconds):
    """One short run of the generator that is the container too; returns its row."""
    with Session("weft-quickstart") as session:
        container = CONTAINERS[port][1].format(path=session.path("container.sock"))
        arguments = ["--direction", "receive", "--window", str(WINDOW),
                     "--warmup", str(LIMIT_WARMUP), "--seconds", str(seconds),
                     "--frame-bytes", str(frame_bytes), "--port", container]
        weft = Weft(session, write_config(session, port), mode)
        traffic = start_traffic(session, dict(MODES)[mode], arguments)
        row, details = measure(weft, traffic, seconds)
        row = describe("receive", mode, port, "weft-traffic", frame_bytes, row)
        report_unsound(f"{mode} {port} {frame_bytes}", row, details)
        return row, weft.ready_ms


def median_row(rows):
    """One row for several runs: the median of each figure, the sum of what must be none."""
    merged = dict(rows[0])
    for key in ("pps", "offered_pps", "cycles_per_packet", "p50_us", "p99_us", "p999_us",
                "weft_busy", "generator_busy"):
        values = [row[key] for row in rows if key in row]
        if values:
            merged[key] = statistics.median(values)
    for key in ("reordered", "lost", "drops"):
        merged[key] = sum(row[key] for row in rows)
    merged["limit"] = limit_of(merged)
    distances = [row.get("distance_cycles") for row in rows]
    if any(distances):
        merged["distance_cycles"] = distances
    merged["runs"] = [row["pps"] for row in rows]
    merged["sound"] = all(row["sound"] for row in rows)
    return merged


def limit_rows(port, frame_bytes, seconds):
    """The modes in turns, several short runs each, so that a slow moment hits all of them."""
    runs = {mode: [] for mode in LIMIT_MODES}
    ready = []
    for _ in range(LIMIT_RUNS):
        for mode in LIMIT_MODES:
            row, ready_ms = limit_run(mode, port, frame_bytes, seconds)
            runs[mode].append(row)
            ready.append(ready_ms)
    rows = {mode: median_row(runs[mode]) for mode in LIMIT_MODES}
    for mode in LIMIT_MODES:
        ratios = [run["pps"] / base["pps"] for run, base in zip(runs[mode], runs["native"])
                  if base["pps"]]
        if mode != "native" and ratios:
            rows[mode]["ratio_to_native"] = round(statistics.median(ratios), 3)
        print_row(rows[mode])
    return list(rows.values()), ready


TABLE = "  {:<14} {:<13} {:<6} {:>5} {:>11} {:>13} {:>9} {:>9}  {}"


def print_legend():
    """What the columns of the tables are."""
    print("\nIn the tables: frame is the bytes of a packet inside of VXLAN; cycles/packet are weft's "
          "lcore's;\np50 and p99 are how long half of the packets, and 99 in 100, took at most; limit "
          "is who had\nnothing to spare: weft, the generator, the CPU that generator and container "
          f"share, or none of\nthem (window: no more than {WINDOW} packets are on their way at once).")


def print_head():
    """The table's first line."""
    print(TABLE.format("mode", "container", "port", "frame", "packets/s", "cycles/packet",
                       "p50 us", "p99 us", "limit"))


def print_row(row):
    """One line of the table."""
    def figure(key, digits=1):
        return f"{row[key]:.{digits}f}" if key in row else "-"
    print(TABLE.format(row["mode"], row["container"], row["port"], row["frame_bytes"],
                       figure("pps", 0), figure("cycles_per_packet"), figure("p50_us"),
                       figure("p99_us"), row["limit"]), flush=True)


def print_surroundings():
    """Says what makes figures worse than they need be: few huge pages, a busy machine."""
    wanted = (Weft.MEMORY_MB + Traffic.MEMORY_MB + Testpmd.MEMORY_MB) * 1024
    free = weft_run.huge_pages_free() * weft_run.HUGE_PAGE_KB
    if free >= wanted:
        print(f"huge pages: {free // 1024} MB free, enough")
    else:
        print(f"huge pages: {free // 1024} MB free of the {wanted // 1024} MB wanted: "
              "processes that find too few run with --no-huge, and slower")
    load = os.getloadavg()[0]
    if load > BUSY_MACHINE:
        print(f"load average {load:.1f}: others use the CPUs, which the figures show")


def run_all(seconds):
    """All measurements; returns the rows."""
    rows, ready = [], []
    for mode, native in MODES:
        row, ready_ms = echo(mode, native, ECHO_SECONDS * seconds)
        rows.append(row)
        ready.append(ready_ms)
    print_legend()
    print("\nAll modes; the container is testpmd, and the generator shares its CPU with it:")
    print_head()
    for row in rows:
        print_row(row)
    print("\nHow fast weft is: one program, weft-traffic, is generator and container, and has a CPU "
          f"to itself;\nmedians of {LIMIT_RUNS} runs of {seconds:g} s in turns:")
    print_head()
    for port in CONTAINERS:
        for frame_bytes in LIMIT_FRAMES:
            more, more_ready = limit_rows(port, frame_bytes, seconds)
            rows += more
            ready += more_ready
    print(f"\nstart-up: {statistics.median(ready):.0f} ms from exec to \"weft: ready\" "
          f"(median of {len(ready)} starts)")
    print_distance(rows)
    rows.append({"scenario": "start", "system": "weft", "lcores": 1, "clock": "real",
                 "startup_ms": round(statistics.median(ready), 1),
                 "startup_runs_ms": [round(value, 1) for value in ready]})
    return rows


def distances_of(row):
    """The distances between the CPUs during the row's runs, in one list."""
    found = row.get("distance_cycles", [])
    return [end for run in found if run for end in run] if "runs" in row else found


def print_distance(rows):
    """Says how far apart the two CPUs were, and warns if that changed."""
    ends = [end for row in rows for end in distances_of(row)]
    if not ends:
        return
    print(f"CPU to CPU and back: {min(ends)} to {max(ends)} cycles for a cache line"
          + ("; the hypervisor moved them, so runs differ by more than weft does"
             if max(ends) > MOVED * min(ends) else ""))


def verdict(rows):
    """Prints whether order and conservation held everywhere; returns it."""
    measured = [row for row in rows if "sound" in row]
    bad = [f"{row['mode']}/{row['port']}/{row['frame_bytes']}" for row in measured
           if not row["sound"]]
    if bad:
        print(f"order and conservation: VIOLATED in {', '.join(bad)}")
    else:
        print(f"order and conservation: held in all {len(measured)} measurements "
              "(nothing reordered, duplicated or corrupted; every packet accounted for)")
    return not bad


def write_json(path, rows):
    """The rows as one object."""
    machine = weft_run.machine()
    for row in rows:
        if "hz" in row:
            machine["hz"] = row.pop("hz")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"weft": weft_run.weft_version(), "machine": machine, "rows": rows}, file,
                  indent=1)
        file.write("\n")


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/quickstart",
        description="Runs weft with a container and VXLAN traffic in each mode.")
    parser.add_argument("--json", metavar="FILE", help="write the results there")
    parser.add_argument("--seconds", metavar="N", type=float, default=1,
                        help="seconds of a measurement (default 1; twice that where a container "
                        "is run by testpmd)")
    arguments = parser.parse_args()
    if arguments.seconds <= 0:
        parser.error("--seconds must be more than 0")
    return arguments


def main():
    """Runs everything; the exit status says whether order and conservation held."""
    arguments = parse_arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    weft_run.keep_off_workers()
    print_surroundings()
    try:
        rows = run_all(arguments.seconds)
    except Failure as failure:
        print(f"quickstart: {failure}", file=sys.stderr)
        return 1
    held = verdict(rows)
    if arguments.json:
        write_json(arguments.json, rows)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
