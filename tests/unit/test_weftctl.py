# SPDX-License-Identifier: BSD-3-Clause
"""weftctl against a telemetry server that answers from a table."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading

import pytest

WEFTCTL = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "weftctl"
PREFIX = f"weftctl-test-{os.getpid()}"
# weftctl, with a clock on which nothing but its own waiting takes time: rates are what they are.
WEFTCTL_CLOCKED = """
import runpy, sys, time
now = 0.0
def sleep(seconds):
    global now
    now += seconds
time.sleep, time.monotonic = sleep, lambda: now
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

PORT = {"name": "web", "role": "container", "type": "tap", "network": "blue",
        "mac": "02:00:00:00:00:07", "mtu": 1450, "up": 1, "queues": 1, "pairs": 1, "owners": [1],
        "rx_packets": 1234567, "rx_bytes": 98765432, "tx_packets": 0, "tx_bytes": 0,
        "tx_refused": 3, "nic_missed": 0, "status": "running"}
LCORE = {"lcore": 1, "idle": 1, "working": 1, "back_pressured": 1, "housekeeping": 0, "total": 3,
         "in_flight": 5, "notices_lost": 0, "load": 305, "steering": 1, "asleep": 0, "sleeps": 0,
         "home": "phys.0 web.0", "helps": "2", "helpers": 1, "batches": 7000, "own_batches": 5000}
STAGES = [{"name": "rx", "lcores": [1], "bursts": 100, "packets": 3200, "cycles": 64000,
           "drops": 1},
          {"name": "gro", "lcores": [1, 2], "bursts": 0, "packets": 0, "cycles": 0, "drops": 1500,
           "statistics": {"coalesced": 1234567}}]


GROUP = {"door": 1, "group": 7, "packets": 1000, "in_flight": 3, "held": 0,
         "path": "vxlan 2, bridge 3"}
ELEPHANT = {"door": 1, "number": 0, "flow": "1d77327e", "state": "split", "rate": 1234567,
            "branches": "2+4 3+5", "merge": 1, "micro_flows": 3, "in_flight": 700, "waiting": 0,
            "held": 256, "most_held": 512, "packets": 1000000, "out_of_order": 1500, "marks": 2,
            "cycles": 6400000}
FOUND = {"door": 1, "number": 1, "flow": "00c0ffee", "state": "found", "rate": 0,
         "micro_flows": 0, "in_flight": 0, "waiting": 0, "held": 0, "most_held": 0, "packets": 0,
         "out_of_order": 0, "marks": 0, "cycles": 0}
ELEPHANT_DOOR = {"lcore": 1, "elephants": 2, "at_most": 16, "promoted": 5, "demoted": 4}
STEER = {"mode": "falcon-dev", "receive": "owner", "deliver": "owner", "gated": 1,
         "policy": "two-choice", "threshold": 85,
         "moves": {"ended": 256, "moving": 2, "held": 0, "most_held": 64, "refused": 0}}


def steer_answers(before, after, **changes):
    return {"/weft/steer": {**STEER, **changes},
            "/weft/steer/gates": {"gates": [{"lcore": 1, "open": 0, "changes": 1,
                                             "arrived": 123456, "average": 912}]},
            "/weft/lcores": {"lcores": [LCORE]},
            "/weft/steer/stages": {"stages": [{"stage": "vxlan", "of": "groups",
                                               "way": "flow+stage", "lcores": "2 3",
                                               "first": 1, "second": 2}]},
            "/weft/steer/groups": [{"groups": before}, {"groups": after}]}


def on_the_socket(answer):
    """DPDK 22.11 has no arrays of objects: a list's rows are numbered."""
    if not isinstance(answer, dict):
        return answer
    rows = next((value for value in answer.values() if isinstance(value, list)), None)
    if rows is None:
        return answer
    more = {"next": answer["next"]} if "next" in answer else {}
    return {**{str(i): row for i, row in enumerate(rows)}, **more}


class Server:
    """Answers like DPDK's telemetry: {request: answer}; an answer may be a list, used in turn."""

    def __init__(self, directory, answers):
        self.answers = answers
        self.requests = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(str(directory / "dpdk_telemetry.v2"))
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            client.send(b'{"version":"DPDK 22.11.11","pid":1,"max_output_len":16384}')
            while request := client.recv(1023).decode(errors="surrogateescape"):
                self.requests.append(request)
                answer = self.answers.get(request)
                if answer == b"":
                    break
                if isinstance(answer, bytes):
                    client.send(answer)
                    continue
                if isinstance(answer, list) and request != "/":
                    answer = answer.pop(0)
                client.send(json.dumps({request.split(",")[0]: on_the_socket(answer)}).encode())
            client.close()


@pytest.fixture
def directory(tmp_path):
    """Where EAL of this user would put its socket."""
    base = pathlib.Path("/var/run" if os.geteuid() == 0 else tmp_path)
    path = base / "dpdk" / PREFIX
    path.mkdir(parents=True)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def serve(directory):
    servers = []

    def start(answers):
        servers.append(Server(directory, answers))
        return servers[0]
    yield start
    for server in servers:
        server.socket.shutdown(socket.SHUT_RDWR)
        server.socket.close()


@pytest.fixture
def weftctl(tmp_path):
    def run(*words, status=0):
        argv = [sys.executable, "-c", WEFTCTL_CLOCKED, WEFTCTL, "--file-prefix", PREFIX, *words]
        done = subprocess.run(argv, timeout=60, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True,
                              env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)})
        assert done.returncode == status, done.stderr
        if status == 0:
            assert done.stderr == ""
            return done.stdout
        assert done.stdout == ""
        assert done.stderr.startswith("weftctl: ") and done.stderr.count("\n") == 1
        return done.stderr
    return run


def cells(output):
    return [line.split() for line in output.splitlines()]


def test_ports_are_a_table(serve, weftctl):
    serve({"/weft/ports": {"ports": [PORT]}})
    heading, row = cells(weftctl("show", "ports"))
    assert dict(zip(heading, row)) == {
        "PORT": "web", "ROLE": "container", "TYPE": "tap", "NETWORK": "blue",
        "MAC": "02:00:00:00:00:07", "MTU": "1450", "STATE": "up", "QUEUES": "1", "PAIRS": "1",
        "OWNERS": "1",
        "RX-PACKETS": "1,234,567", "RX-BYTES": "98,765,432", "TX-PACKETS": "0",
        "TX-BYTES": "0", "TX-REFUSED": "3", "NIC-MISSED": "0", "STATUS": "running"}


def test_a_port_says_why_it_is_down(serve, weftctl):
    status = "memif client old disconnected: it is gone"
    serve({"/weft/ports": {"ports": [{**PORT, "up": 0, "status": status}]}})
    assert weftctl("show", "ports").splitlines()[1].endswith(f"  {status}")


def test_columns_are_aligned(serve, weftctl):
    serve({"/weft/ports": {"ports": [PORT, {**PORT, "name": "a-longer-name", "rx_packets": 0}]}})
    lines = weftctl("show", "ports").splitlines()
    assert len({line.index("container") for line in lines[1:]}) == 1
    starts = [lines[0].index("STATUS"), *(line.index("running") for line in lines[1:])]
    assert len(set(starts)) == 1


def test_percentages_add_up(serve, weftctl):
    serve({"/weft/lcores": {"lcores": [LCORE]}})
    row = cells(weftctl("show", "lcores"))[1]
    assert sum(round(float(cell) * 10) for cell in row[1:5]) == 1000
    assert row[5:] == ["5", "0", "30.5", "0.0", "awake", "5,000", "2,000", "1", "2", "phys.0",
                       "web.0"]


def test_an_lcore_without_cycles_yet(serve, weftctl):
    serve({"/weft/lcores": {"lcores": [{**LCORE, "idle": 0, "working": 0, "back_pressured": 0}]}})
    assert cells(weftctl("show", "lcores"))[1][1:5] == ["-"] * 4


def test_stages_have_what_a_packet_costs(serve, weftctl):
    serve({"/weft/stages": {"stages": STAGES}})
    _, rx, gro, total = cells(weftctl("show", "stages"))
    assert rx == ["rx", "1", "100", "3,200", "32.0", "20.0", "1"]
    assert gro == ["gro", "1,2", "0", "0", "-", "-", "1,500", "coalesced", "1,234,567"]
    assert total == ["all", "1,501"]


def test_json_is_the_answer(serve, weftctl):
    serve({"/weft/stages": {"stages": STAGES}})
    assert json.loads(weftctl("--json", "show", "stages")) == {"stages": STAGES}
    assert json.loads(weftctl("show", "stages", "--json")) == {"stages": STAGES}


def test_pages_are_joined(serve, weftctl):
    entry = {"network": "blue", "mac": "02:00:00:00:00:01", "to": "web", "kind": "static",
             "age": 0}
    server = serve({"/weft/fdb,blue": {"fdb": [entry], "next": 1},
                    "/weft/fdb,blue,1": {"fdb": [entry, entry], "next": 3},
                    "/weft/fdb,blue,3": {"fdb": [entry]}})
    assert json.loads(weftctl("show", "fdb", "blue", "--json")) == {"fdb": [entry] * 4}
    assert server.requests == ["/weft/fdb,blue", "/weft/fdb,blue,1", "/weft/fdb,blue,3"]


def test_the_whole_fdb(serve, weftctl):
    entry = {"network": "blue", "mac": "02:00:00:00:00:01", "to": "web", "kind": "static",
             "age": 0}
    serve({"/weft/fdb,": {"fdb": [entry], "next": 7},
           "/weft/fdb,,7": {"fdb": [{**entry, "kind": "learned", "age": 0}]}})
    _, static, learned = cells(weftctl("show", "fdb"))
    assert static == ["blue", "02:00:00:00:00:01", "web", "static", "-"]
    assert learned == ["blue", "02:00:00:00:00:01", "web", "learned", "0", "s"]


def test_drops(serve, weftctl):
    drop = {"stage": "rx", "reason": "no_credit", "text": "the door is shut", "packets": 1000}
    serve({"/weft/drops": {"drops": []}, "/weft/drops,all": {"drops": [drop]}})
    assert weftctl("show", "drops") == "no drops\n"
    assert "1,000" in weftctl("show", "drops", "--all")


def test_objects(serve, weftctl):
    serve({"/weft/mode": {"mode": "vanilla", "uptime_ms": 12345},
           "/weft/conservation": {"received": 1000, "delivered": 999}})
    assert cells(weftctl("show", "mode")) == [["mode", "vanilla"], ["uptime_ms", "12,345"]]
    assert weftctl("show", "conservation") == "received   1,000\ndelivered    999\n"


def test_changes(serve, weftctl):
    server = serve({"/weft/port/add,web,network=blue,type=tap": {"added": "web"},
                    "/weft/fdb/add,blue,02:00:00:00:00:07,port web": {"added": "it"},
                    "/weft/port/del,web": "error: no port 'web'"})
    assert weftctl("port", "add", "web", "network=blue", "type=tap") == "added web\n"
    assert weftctl("fdb", "add", "blue", "02:00:00:00:00:07", "port", "web") == "added it\n"
    assert weftctl("port", "del", "web", status=1) == "weftctl: no port 'web'\n"
    assert len(server.requests) == 3


def test_mode_changes(serve, weftctl):
    serve({"/weft/mode,rps": {"mode": "rps", "was": "vanilla"},
           "/weft/mode,native": "error: mode native is chosen when weft starts"})
    assert weftctl("mode", "rps") == "mode rps\nwas vanilla\n"
    assert weftctl("mode", "native", status=1) == (
        "weftctl: mode native is chosen when weft starts\n")


def test_steer(serve, weftctl):
    serve(steer_answers([GROUP], [{**GROUP, "packets": 1300}]))
    rows = cells(weftctl("show", "steer"))
    assert rows[0] == ["mode", "falcon-dev", "receive", "owner", "deliver", "owner",
                       "policy", "two-choice", "threshold", "85%"]
    assert ["1", "30.5", "yes", "1", "2"] in rows
    assert ["1", "closed", "1", "123,456", "91.2"] in rows
    assert ["vxlan", "groups", "flow+stage", "2", "3", "1", "2"] in rows
    assert ["256", "2", "0", "64", "0"] in rows
    assert rows[-1] == ["1", "7", "1,000", "1,300", "3", "0", "vxlan", "2,", "bridge", "3"]


def test_steer_without_a_gate(serve, weftctl):
    serve(steer_answers([], [], gated=0))
    rows = cells(weftctl("show", "steer"))
    assert ["1", "-", "1", "123,456", "-"] in rows
    assert rows[-1] == ["(none)"]


def test_steer_as_one_object(serve, weftctl):
    serve(steer_answers([GROUP], [GROUP]))
    answer = json.loads(weftctl("show", "steer", "--json"))
    assert answer["gated"] is True and answer["moves"] == STEER["moves"]
    assert answer["gates"] == [{"lcore": 1, "open": False, "changes": 1, "arrived": 123456,
                                "average": 91.2}]
    assert answer["lcores"] == [{"lcore": 1, "load": 30.5, "steering": True, "helpers": 1,
                                 "helps": "2"}]
    assert answer["groups"] == [{**GROUP, "rate": 0}]


def test_the_heaviest_groups_are_those_with_most_packets_now(serve, weftctl):
    """Counters have 32 bits; a group that is new has all its packets from just now."""
    before = [{**GROUP, "group": i, "packets": 2 ** 32 - 1 - i} for i in range(20)]
    after = [{**group, "packets": (group["packets"] + 10 * group["group"]) % 2 ** 32}
             for group in before] + [{**GROUP, "group": 99, "packets": 150}]
    serve(steer_answers(before, after))
    groups = json.loads(weftctl("show", "steer", "--json"))["groups"]
    numbers = [group["group"] for group in groups]
    assert sorted(numbers) == [*range(5, 20), 99] and numbers[:4] == [19, 18, 17, 16]


def test_elephants(serve, weftctl):
    serve({"/weft/elephants/doors": {"doors": [ELEPHANT_DOOR]},
           "/weft/elephants": {"elephants": [ELEPHANT, FOUND]}})
    doors, door, _, heading, split, found = cells(weftctl("show", "elephants"))
    assert dict(zip(doors, door)) == {
        "DOOR": "1", "ELEPHANTS": "2", "AT-MOST": "16", "PROMOTED": "5", "DEMOTED": "4"}
    assert split == ["1", "1d77327e", "split", "1,234,567", "2+4", "3+5", "1", "3", "700", "0",
                     "256", "512", "1,000,000", "1,500", "2", "6.4"]
    assert dict(zip(heading, found))["BRANCHES"] == "-"
    assert dict(zip(heading, found))["MERGE"] == "-" and found[-1] == "-"


def test_elephants_as_one_object(serve, weftctl):
    more = {**ELEPHANT, "number": 32}
    server = serve({"/weft/elephants/doors": {"doors": [ELEPHANT_DOOR]},
                    "/weft/elephants": {"elephants": [ELEPHANT, FOUND], "next": 32},
                    "/weft/elephants,32": {"elephants": [more]}})
    answer = json.loads(weftctl("show", "elephants", "--json"))
    assert answer["doors"] == [ELEPHANT_DOOR]
    split, found, last = answer["elephants"]
    assert "cycles" not in split and split["merge_cycles"] == 6.4
    assert split["branches"] == "2+4 3+5" and split["merge"] == 1
    assert (found["branches"], found["merge"], found["merge_cycles"]) == ("", None, None)
    assert last["number"] == 32
    assert server.requests[-1] == "/weft/elephants,32"


def test_no_elephants(serve, weftctl):
    serve({"/weft/elephants/doors": {"doors": [{**ELEPHANT_DOOR, "elephants": 0}]},
           "/weft/elephants": {"elephants": []}})
    assert weftctl("show", "elephants").endswith("\n\n(none)\n")


def test_nobody_there(weftctl):
    assert f"no weft is running with file prefix '{PREFIX}'" in weftctl("show", "mode", status=1)


def test_a_stale_socket(directory, weftctl):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stale:
        stale.bind(str(directory / "dpdk_telemetry.v2"))
    assert "no weft is running" in weftctl("show", "mode", status=1)


def test_others_that_answer_are_named(directory, serve, weftctl):
    serve({})
    assert weftctl("--file-prefix", "nobody", "show", "mode", status=1).rstrip().endswith(PREFIX)


def test_others_that_hang_are_not_named(directory, weftctl):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as hung:
        hung.bind(str(directory / "dpdk_telemetry.v2"))
        hung.listen()
        assert PREFIX not in weftctl("--file-prefix", "nobody", "show", "mode", status=1)


def test_a_directory_of_another_user(directory):
    """The program is read from stdin: another user may not see where it is."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    shown = {"XDG_RUNTIME_DIR": "/nowhere"}
    with open(WEFTCTL) as program:
        done = run_as_nobody(program, shown, "show", "mode")
    assert done.returncode == 1
    assert "no weft is running" in done.stderr and "sudo weftctl" in done.stderr
    shown["XDG_RUNTIME_DIR"] = str(directory.parent.parent)
    with open(WEFTCTL) as program:
        done = run_as_nobody(program, shown, "show", "mode")
    assert done.returncode == 1
    assert "is root's, and you may not open it: sudo -u root weftctl" in done.stderr
    assert done.stderr.count("\n") == 1


def run_as_nobody(program, environment, *words):
    return subprocess.run(["/usr/bin/python3", "-", "--file-prefix", PREFIX, *words], timeout=20,
                          stdin=program, capture_output=True, text=True, user="nobody", cwd="/",
                          env={**os.environ, **environment})


def test_a_path_that_is_too_long(weftctl):
    line = weftctl("--file-prefix", "x" * 100, "show", "mode", status=1)
    assert "path too long" in line and "None" not in line


@pytest.mark.parametrize("answer", [b"", b"{", b'{"/weft/mode": "a\x80"}', b"[]", b'"error"'])
def test_an_answer_that_cannot_be_read(serve, weftctl, answer):
    serve({"/weft/mode": answer})
    line = weftctl("show", "mode", status=1)
    assert "answer to /weft/mode is no" in line if answer else "went away" in line


def test_a_name_that_is_not_utf8(serve, weftctl):
    server = serve({})
    weftctl("port", "del", b"gr\xf6\xdfe", status=1)
    assert server.requests[0].encode(errors="surrogateescape") == b"/weft/port/del,gr\xf6\xdfe"


def test_nothing_can_be_printed(serve):
    serve({"/weft/mode": {"mode": "vanilla"}})
    with open("/dev/full", "w") as full:
        done = subprocess.run([WEFTCTL, "--file-prefix", PREFIX, "show", "mode"], timeout=20,
                              stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (
        1, "weftctl: cannot print: No space left on device\n")


def test_another_dpdk_program(serve, weftctl):
    serve({"/": ["/", "/ethdev/list"]})
    assert "is it a weft?" in weftctl("show", "mode", status=1)


def test_unknown_words(weftctl):
    assert "choose from 'ports', 'lcores'" in weftctl("show", "weather", status=1)
    assert "weftctl --help" in weftctl("sing", status=1)
    assert "KEY=VALUE" in weftctl("port", "add", "web", status=1)
    assert "unrecognized arguments: blue" in weftctl("show", "networks", "blue", status=1)


def test_a_command_that_is_too_long(serve, weftctl):
    serve({})
    assert "longer than" in weftctl("port", "add", "web", "path=" + "x" * 1024, status=1)


def test_top(serve, weftctl):
    later = {**PORT, "rx_packets": PORT["rx_packets"] + 5000000, "up": 0}
    new = {**PORT, "name": "new"}
    lcore = {**LCORE, "idle": 26, "working": 76, "batches": 8000, "own_batches": 6000}
    serve({"/weft/mode": {"mode": "vanilla", "coming": "auto", "version": "0.1.0",
                         "uptime_ms": 3723000},
           "/weft/ports": [{"ports": [PORT]}, {"ports": [later, new]}],
           "/weft/stages": [{"stages": STAGES}, {"stages": STAGES}],
           "/weft/lcores": [{"lcores": [LCORE]}, {"lcores": [lcore]}],
           "/weft/steer/groups": [{"groups": []}, {"groups": []}],
           "/weft/elephants": {"elephants": []}})
    output = weftctl("top", "--once")
    assert output.startswith("weft 0.1.0  mode vanilla (auto is coming)  up 1:02:03\n")
    web = next(row for row in cells(output) if row[:1] == ["web"])
    assert web[1:3] == ["down", "5,000,000"]
    assert ["1", "25.0", "75.0", "0.0", "0.0", "5", "30.5"] in [row[:7] for row in cells(output)]
    assert ["1,000", "0", "1", "2", "phys.0", "web.0"] in [row[-6:] for row in cells(output)]
    assert "new" not in output.split()
    assert "PATH" not in output


def test_top_shows_elephants_and_the_heaviest_flow_groups(serve, weftctl):
    busy, still = ({**GROUP, "group": 8, "packets": 9000}, {**GROUP, "group": 9})
    serve({"/weft/mode": {"mode": "rps", "version": "0.1.0", "uptime_ms": 0},
           "/weft/ports": [{"ports": []}] * 2, "/weft/stages": [{"stages": STAGES}] * 2,
           "/weft/lcores": [{"lcores": [LCORE]}] * 2,
           "/weft/elephants": {"elephants": [ELEPHANT]},
           "/weft/steer/groups": [{"groups": [GROUP, GROUP | {"group": 8}, still]},
                                  {"groups": [GROUP, busy, still]}]})
    rows = cells(weftctl("top", "--once"))
    assert ["1", "1d77327e", "split", "1,234,567", "2+4", "3+5", "1", "700", "256"] in rows
    shown = rows[[row[:2] for row in rows].index(["DOOR", "GROUP"]) + 1:]
    assert [row[1] for row in shown] == ["8"]
    assert shown[0][2] == "8,000"
