# SPDX-License-Identifier: BSD-3-Clause
"""Steering in virtual time: what takes seconds, or more lcores than there are."""

import json
import sys

import pytest

from test_virtual import SECONDS as PATIENCE, assert_sound, rows
from weft import BINARY, ROOT, check_conservation
from weft_config import Config

sys.path.append(str(ROOT / "tests" / "bench"))
import hotspot

SLOWER = 100  # than the measured machine: seconds are few packets
CONTAINERS = 3
STEERING = [2, 3, 4]
OVERLOAD = 600000


def run(lab, config):
    (lab.directory / "costs.ini").write_text(hotspot.slower_costs(SLOWER))
    (lab.directory / "steer.ini").write_text(str(config))
    process = lab.start(BINARY, "-l", "0", "--file-prefix", lab.prefix(), "--no-pci", "--no-huge",
                        "-m", 512, "--", "-c", lab.directory / "steer.ini", "--clock", "virtual",
                        "--json", lab.directory / "steer.json")
    assert process.wait(PATIENCE) == 0, process.output()
    check_conservation(process.output())
    results = json.loads((lab.directory / "steer.json").read_text())
    assert_sound(rows(results)["all"])
    return results


def steered(rate, seconds, mode="falcon-dev"):
    """A door and three steering lcores, each of which also has a container."""
    config = (Config(mode=mode)
              .section("virtual", lcores=1 + len(STEERING), seconds=seconds, costs="costs.ini")
              .section("steering", lcores=STEERING)
              .uplink(device="none", lcores=1)
              .network("blue", 100, ["192.0.2.2"]))
    for i, lcore in enumerate(STEERING):
        config.port(f"c{i}", "blue", "vhost-user", f"02:00:00:00:00:1{i}", path=f"/nowhere/{i}",
                    lcore=lcore)
        config.section(f"traffic t{i}", network="blue", **{"from": "192.0.2.2"}, to=f"c{i}",
                       flows=8, rate=round(rate / len(STEERING)), arrivals="poisson")
    return config


# --- Falcon's gate ---

@pytest.fixture(scope="module")
def capacity(module_lab, binary):
    """What is carried at most."""
    return rows(run(module_lab, steered(OVERLOAD, 0.5)))["all"]["pps"]


def most_changes(series, begin, length):
    """Of the gate in any `length` seconds after `begin`."""
    changes = [(time, n) for time, n in zip(series["seconds"], series["gate_changes"])
               if time >= begin]
    return max(after - before for i, (start, before) in enumerate(changes)
               for end, after in changes[i:] if end - start <= length)


def check_gate(lab, rate):
    results = run(lab, steered(rate, 12))
    assert len(results["doors"]) == 1 and results["doors"][0]["lcore"] == 1
    assert most_changes(results["series"], 1, 10) <= 2
    return results["doors"][0]["gate"]


@pytest.mark.parametrize("percent", [46, 60, 100])
def test_the_gate_does_not_swing_under_a_constant_load(lab, capacity, percent):
    check_gate(lab, capacity * percent / 100)


@pytest.mark.long
@pytest.mark.parametrize("percent", range(40, 111, 5))
def test_the_gate_does_not_swing_under_any_constant_load(lab, capacity, percent):
    check_gate(lab, capacity * percent / 100)


def test_the_gate_is_open_under_little_load_and_closed_under_much(lab, capacity):
    assert run(lab, steered(capacity / 4, 0.5))["doors"][0]["gate"] == {"open": True, "changes": 0}
    gate = run(lab, steered(capacity * 0.7, 0.5))["doors"][0]["gate"]
    assert gate == {"open": False, "changes": 1}


# --- a flow whose rate jumps ---

def hotspot_run(lab, policy, seed):
    return run(lab, hotspot.make_config("falcon-func", policy, seed, SLOWER))


@pytest.mark.parametrize("policy", hotspot.POLICIES)
def test_a_hotspot_costs_no_order(lab, binary, policy):
    results = hotspot_run(lab, policy, 1)
    found = hotspot.figures(results)
    assert found["before"] > 0.99 and found["after"] > 0.5
    if policy == "static":
        assert found["moves"] == 0 or found["gate_changes"] > 0
    else:
        assert found["moves"] > 0


def test_a_seed_gives_the_same_moves(lab, binary):
    assert hotspot_run(lab, "two-choice", 2) == hotspot_run(lab, "two-choice", 2)
