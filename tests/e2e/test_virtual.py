# SPDX-License-Identifier: BSD-3-Clause
"""weft under the virtual clock: one process, no peers, nothing of the machine."""

import json
import signal

import pytest

from waiting import PATIENCE, until
from weft import BINARY, ROOT, Telemetry, check_conservation
from weft_config import Config

SECONDS = 120
MAC = "02:00:00:00:00:01"
OTHER_MAC = "02:00:00:00:00:02"
STEPS = "rx gro vxlan vtep veth_rx bridge wire veth encap tx deliver send merge copy".split()
ROW = {"scenario", "system", "mode", "lcores", "clock", "frame_bytes", "flows", "port", "pps",
       "cycles_per_packet", "reordered", "lost", "p50_us", "p99_us", "p999_us", "offered_pps",
       "drops", "limit", "core_load_stddev"}


def costs():
    """Round numbers: 2 GHz, and 500 cycles or so for a packet on one lcore."""
    sections = {"machine": {"hz": 2000000000}, "turn": {"idle": 50, "busy": 60, "steer": 20},
                "price": {"metadata": 30, "header": 60, "payload": 30, "free": 5,
                          "back": 40, "back-header": 5, "back-payload": 5, "cold": 20,
                          "cold-payload": 5}}
    for step in STEPS:
        sections[f"step {step}"] = {"burst": 20, "packet": 60}
    for port in ["uplink", "vhost-user", "memif", "ring"]:
        for way in ["receive", "send"]:
            sections[f"{way} {port}"] = {"burst": 60, 64: 50, 1518: "150.5"}
            if port in ("vhost-user", "memif"):
                sections[f"{way} {port}"].update({"alone-burst": 10, "alone": 10})
    return "\n".join(f"[{name}]\n" + "\n".join(f"{key} = {value}" for key, value in keys.items())
                     for name, keys in sections.items())


def overlay(lcores=1, seconds=0.02, **keys):
    """One uplink, one network, two containers."""
    return (Config()
            .section("virtual", lcores=lcores, seconds=seconds, costs="costs.txt", **keys)
            .uplink(device="none", lcores=1)
            .network("blue", 100, ["192.0.2.2"])
            .port("web", "blue", "vhost-user", MAC, path="/nowhere/web.sock", lcore=1)
            .port("db", "blue", "ring", OTHER_MAC, lcore=1))


def traffic(config, name, rate=None, start="192.0.2.2", end="web", **keys):
    if rate is not None:
        keys["rate"] = rate
    return config.section(f"traffic {name}", network="blue", **{"from": start}, to=end, **keys)


def start(lab, config, *options):
    (lab.directory / "costs.txt").write_text(costs())
    file = lab.directory / "virtual.ini"
    file.write_text(str(config))
    prefix = lab.prefix()
    process = lab.start(BINARY, "-l", "0", "--file-prefix", prefix, "--no-pci", "--no-huge",
                        "-m", 256, "--", "-c", file, "--clock", "virtual", *options)
    return process, prefix


def run(lab, config, *options):
    """Runs it to its end; returns its results."""
    results = lab.directory / "results.json"
    process, _ = start(lab, config, "--json", results, *options)
    status = process.wait(SECONDS)
    assert status == 0, process.output()
    check_conservation(process.output())
    return json.loads(results.read_text())


def rows(results):
    """{name of the section: row}; "all" is the whole run."""
    return {row["traffic"]: row for row in results["rows"]}


def assert_sound(row):
    assert row["reordered"] == 0 and row["lost"] == 0
    assert row["sent"] == row["delivered"] + row["missed"] + row["drops"]


def complaint(lab, config, *options):
    process, _ = start(lab, config, *options)
    assert process.wait(SECONDS) == 1, process.output()
    return process.output().splitlines()[-1]


# --- the ready-made configuration ---

@pytest.mark.quick
def test_ready_made(lab, binary):
    results = lab.directory / "results.json"
    process = lab.start(BINARY, "-l", "0", "--file-prefix", lab.prefix(), "--no-pci", "--no-huge",
                        "-m", 512, "--", "-c", ROOT / "config" / "virtual.ini", "--clock",
                        "virtual", "--json", results)
    assert process.wait(SECONDS) == 0, process.output()
    check_conservation(process.output())
    found = rows(json.loads(results.read_text()))
    assert list(found) == ["all", "elephant", "mice", "answers"]
    for row in found.values():
        assert ROW <= set(row)
        assert row["scenario"] == "virtual" and row["clock"] == "virtual" and row["lcores"] == 4
        assert row["port"] == "vhost"
        assert_sound(row)
    assert found["elephant"]["frame_bytes"] == 64
    assert found["mice"]["flows"] == 1000
    assert found["elephant"]["offered_pps"] == pytest.approx(4000000, rel=0.01)
    assert found["elephant"]["pps"] > 1000000


# --- the same again ---

def mixed(**keys):
    config = overlay(lcores=3, **keys).pipeline(bridge=2).section("port db", lcore=3)
    traffic(config, "in", 2000000, flows=50, arrivals="poisson", law="heavy-tailed",
            size="64-1450")
    traffic(config, "out", 500000, "web", "192.0.2.2", flows=5, arrivals="on-off", on=100, off=300)
    return traffic(config, "local", None, "web", "db", flows=5, arrivals="window", window=8,
                   round_trip=50)


@pytest.mark.quick
def test_a_seed_gives_the_same_json(lab, binary):
    first, second, other = [lab.directory / f"{i}.json" for i in range(3)]
    for file, seed in [(first, 7), (second, 7), (other, 8)]:
        process, _ = start(lab, mixed(seed=seed), "--json", file)
        assert process.wait(SECONDS) == 0, process.output()
    assert first.read_bytes() == second.read_bytes()
    rows_of = [json.loads(file.read_text())["rows"] for file in (first, other)]
    assert rows_of[0] != rows_of[1]


@pytest.mark.parametrize("order", ["random", "adversarial"])
def test_any_order_of_turns(lab, binary, order):
    found = rows(run(lab, mixed(order=order, seconds=0.01)))
    assert_sound(found["all"])
    assert found["local"]["delivered"] > 1000


@pytest.mark.parametrize("order", ["random", "adversarial"])
@pytest.mark.parametrize("mode", ["turns", "auto"])
def test_any_order_of_turns_at_queues(lab, binary, mode, order):
    config = mixed(order=order, seconds=0.01)
    config.sections.pop("pipeline")
    found = rows(run(lab, config, "--mode", mode))
    assert_sound(found["all"])
    assert found["local"]["delivered"] > 1000


@pytest.mark.parametrize("size, gain", [(64, 1.7), (1450, 1.5)])
@pytest.mark.parametrize("port_type", ["vhost-user", "memif"])
def test_lcores_that_take_turns_carry_one_flow_faster(lab, binary, port_type, size, gain):
    """Lines of packets move between them. But none is cold: each takes the mbufs that it freed."""
    def rate(mode, lcores):
        config = overlay(lcores=lcores)
        config.sections["uplink phys"].pop("lcores")
        config.section("port web", type=port_type)
        traffic(config, "in", 20000000, flows=1, size=size)
        row = rows(run(lab, config, "--mode", mode))["all"]
        assert row["reordered"] == row["lost"] == 0
        return row["pps"]

    one = rate("vanilla", 1)
    assert rate("turns", 1) == one
    assert rate("turns", 2) > gain * one
    assert rate("turns", 4) > 1.6 * gain * one


def test_measured_steps(lab, binary):
    assert_sound(rows(run(lab, mixed(steps="measured", seconds=0.01)))["all"])


@pytest.mark.parametrize("mode", ["native", "linux-overlay"])
def test_modes_without_bridge(lab, binary, mode):
    config = overlay()
    del config.sections["port db"]
    traffic(config, "in", 1000000, flows=10)
    traffic(config, "out", 1000000, "web", "192.0.2.2", flows=10)
    for row in rows(run(lab, config, "--mode", mode)).values():
        assert_sound(row)
        assert row["mode"] == mode and row["drops"] == 0
        assert row["delivered"] == row["sent"]


# --- load ---

def test_one_lcore_carries_so_much_and_no_more(lab, binary):
    """Under its limit it delivers all; over it, what the costs allow, and the rest is missed at
    the door."""
    easy = run(lab, traffic(overlay(), "in", 1000000))
    assert rows(easy)["in"]["missed"] == 0 and rows(easy)["in"]["limit"] == "sources"
    assert 0.05 < easy["lcores"][0]["busy"] < 0.9
    hard = rows(run(lab, traffic(overlay(), "in", 50000000)))["in"]
    assert_sound(hard)
    assert hard["missed"] > 0 and hard["drops"] == 0
    assert hard["limit"] == "lcore 1"
    assert hard["pps"] * hard["cycles_per_packet"] == pytest.approx(2e9, rel=0.01)
    assert hard["p50_us"] > 10 * rows(easy)["in"]["p50_us"]


def test_a_pipeline_carries_more(lab, binary):
    alone = rows(run(lab, traffic(overlay(), "in", 50000000)))["in"]
    config = traffic(overlay(lcores=4), "in", 50000000).pipeline(vxlan=2, bridge=3)
    config.section("port web", lcore=4)
    assert rows(run(lab, config))["in"]["pps"] > 1.2 * alone["pps"]


def test_queues_share_flows(lab, binary):
    config = overlay(lcores=4).section("uplink phys", queues=4, lcores="1 2 3 4")
    results = run(lab, traffic(config, "in", 4000000, flows=500))
    assert_sound(rows(results)["in"])
    assert min(lcore["busy"] for lcore in results["lcores"]) > 0.05


def test_a_jump(lab, binary):
    config = traffic(overlay(), "in", 100000, jump="0.01 1000000")
    assert rows(run(lab, config))["in"]["sent"] == pytest.approx(1000 + 10000, rel=0.01)


def test_windows_slow_down_with_the_round_trip(lab, binary):
    def rate(round_trip):
        config = traffic(overlay(seconds=0.05), "tcp", arrivals="window", window=16,
                         round_trip=round_trip)
        row = rows(run(lab, config))["tcp"]
        assert_sound(row)
        return row["pps"]
    near, far = rate(200), rate(1000)
    assert near == pytest.approx(16 / 200e-6, rel=0.1)
    assert far == pytest.approx(16 / 1000e-6, rel=0.1)


def test_a_windows_latency_slows_it_down(lab, binary):
    """A queue that others fill is part of its round trip, and what it misses does not stop it."""
    def rate(others):
        config = traffic(overlay(seconds=0.05), "tcp", arrivals="window", window=16, round_trip=50)
        row = rows(run(lab, traffic(config, "others", others, flows=10)))["tcp"]
        assert row["reordered"] == 0
        return row["pps"]
    assert 0 < rate(30000000) < 0.8 * rate(1000)


# --- faults ---

def test_a_container_that_stops_reading_costs_only_itself(lab, binary):
    def results(**keys):
        config = overlay(lcores=2, **keys).section("port db", lcore=2)
        traffic(config, "web", 500000, flows=3)
        return run(lab, traffic(config, "db", 500000, end="db", flows=3))
    fault, none = results(stop_reading="db 0.005 0.01"), results()
    # 10 ms bring 5000 packets; its ring has room for 1024.
    assert rows(fault)["db"]["drops"] == pytest.approx(5000 - 1024, rel=0.02)
    assert fault["drops"] == {"port_full": rows(fault)["db"]["drops"]}
    assert rows(fault)["db"]["lost"] == 0 and rows(fault)["db"]["reordered"] == 0
    assert none["drops"] == {}
    assert rows(fault)["web"]["drops"] == 0
    assert rows(fault)["web"]["p999_us"] < 2 * rows(none)["web"]["p999_us"]


# --- while it runs ---

def test_it_answers_and_ends_when_told(lab, binary):
    config = traffic(overlay(seconds=3600), "in", 10000)
    process, prefix = start(lab, config)
    process.wait_for("weft: ready", SECONDS)
    telemetry = Telemetry(prefix)
    until(lambda: telemetry.ask("/weft/conservation")["delivered"] > 100, PATIENCE,
          lambda: "traffic")
    assert {row["name"]: row["type"] for row in telemetry.rows("/weft/ports")} == {
        "phys": "uplink", "web": "vhost-user", "db": "ring"}
    telemetry.close()
    process.signal(2)
    assert process.wait(SECONDS) == 0, process.output()
    check_conservation(process.output())


# --- what is wrong ---

def many_ports():
    config = overlay()
    for i in range(40):
        config.port(f"p{i}", "blue", "ring", f"02:00:00:00:01:{i:02x}")
    return config


WRONG = [
    ("no costs", ["[virtual]", "costs"], lambda c: c.section("virtual", costs=None)),
    ("costs that are not there", ["nowhere.txt"],
     lambda c: c.section("virtual", costs="nowhere.txt")),
    ("a type without costs", ["[port web]", "costs", "tap"],
     lambda c: c.section("port web", type="tap")),
    ("an lcore that is not there", ["[port web]", "lcore", "1 to 4"],
     lambda c: c.section("virtual", lcores=4).section("port web", lcore=5)),
    ("a stage on the main lcore", ["[pipeline]", "bridge", "no virtual lcore"],
     lambda c: c.pipeline(bridge=0)),
    ("an uplink's lcore", ["[uplink phys]", "lcores", "2"],
     lambda c: c.section("uplink phys", lcores="2")),
    ("traffic to nobody", ["[traffic in]", "to", "shop"], lambda c: traffic(c, "in", 1, end="shop")),
    ("traffic from an unlisted vtep", ["[traffic in]", "from", "192.0.2.9"],
     lambda c: traffic(c, "in", 1, "192.0.2.9")),
    ("frames over the MTU", ["[traffic in]", "size", "1468"],
     lambda c: traffic(c, "in", 1, size=1469)),
    ("frames over the buffers", ["[traffic in]", "size", "mbuf-size"],
     lambda c: traffic(c.section("uplink phys", mtu=9000), "in", 1, size=4000)),
    ("a container without IPv4", ["[traffic in]", "web", "IPv6"],
     lambda c: traffic(c.section("port web", addresses="fd00::1"), "in", 1)),
    ("too many ports", ["[port p29]", "32"], lambda c: many_ports()),
    ("an unknown mode", ["[weft]", "mode", "warp"], lambda c: c.section("weft", mode="warp")),
]


@pytest.mark.parametrize("words, change", [case[1:] for case in WRONG],
                         ids=[case[0] for case in WRONG])
def test_wrong_configuration(lab, binary, words, change):
    line = complaint(lab, change(overlay()))
    assert line.startswith("weft: ")
    for word in words:
        assert word in line


def test_wrong_options(lab, binary):
    process = lab.start(BINARY, "--", "-c", "none.ini", "--clock", "sundial")
    assert process.wait(SECONDS) == 1 and "--clock sundial" in process.output()
    process = lab.start(BINARY, "--", "-c", "none.ini", "--json", "x.json")
    assert process.wait(SECONDS) == 1 and "--json is for --clock virtual" in process.output()


def test_ring_ports_are_for_the_virtual_clock(lab, binary):
    config = overlay().uplink(device="net_null0")
    del config.sections["port web"]
    file = lab.directory / "real.ini"
    file.write_text(str(config))
    process = lab.start(BINARY, "--lcores", "0@0,1@0", "--file-prefix", lab.prefix(), "--no-pci",
                        "--no-huge", "-m", 256, "--", "-c", file)
    assert process.wait(SECONDS) == 1
    assert "[port db]: type" in process.output() and "virtual" in process.output()


# --- what lcores cost each other ---

def independent(lcores):
    """Each lcore with a container and a queue of the uplink of its own."""
    config = (Config()
              .section("virtual", lcores=lcores, seconds=0.01, costs="costs.txt")
              .section("weft", mode="vanilla")
              .uplink(device="none", queues=lcores)
              .network("blue", 100, ["192.0.2.2"]))
    for i in range(1, lcores + 1):
        config.port(f"c{i}", "blue", "ring", f"02:00:00:00:00:{i:02x}", lcore=i)
        traffic(config, f"up{i}", rate=500000, start=f"c{i}", end="192.0.2.2", size=1450)
    return config


def test_lcores_that_share_nothing_cost_each_other_nothing(lab, binary):
    cycles = [rows(run(lab, independent(n)))["all"]["cycles_per_packet"] for n in (1, 2, 4)]
    assert cycles[1] == pytest.approx(cycles[0], rel=0.02)
    assert cycles[2] == pytest.approx(cycles[0], rel=0.02)


# --- changes while it runs ---

@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
                         ids=lambda number: number.name)
def test_a_signal_ends_it_early(lab, binary, number):
    config = overlay(seconds=3600)
    traffic(config, "udp", rate=1000)
    process, _ = start(lab, config)
    process.wait_for("weft: ready", SECONDS)
    process.signal(number)
    assert process.wait(SECONDS) == 0, process.output()
    check_conservation(process.output())


def test_a_port_deleted_under_load_costs_only_itself(lab, binary):
    config = overlay(lcores=2, seconds=3600)
    traffic(config, "kept", rate=100000, end="web")
    traffic(config, "gone", rate=100000, end="db")
    process, prefix = start(lab, config)
    process.wait_for("weft: ready", SECONDS)
    telemetry = Telemetry(prefix)
    until(lambda: telemetry.ask("/weft/conservation")["delivered"] > 1000, PATIENCE,
          lambda: "traffic")
    assert "error" not in telemetry.ask("/weft/port/del,db")
    telemetry.close()
    process.signal(signal.SIGINT)
    assert process.wait(SECONDS) == 0, process.output()
    check_conservation(process.output())
