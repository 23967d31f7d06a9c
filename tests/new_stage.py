# SPDX-License-Identifier: BSD-3-Clause
"""Does in a copy of the tree what src/stages/README.md says: adds its stages, and tries them.

Called by run_tests.py; by itself: /usr/bin/python3 tests/new_stage.py
"""

import filecmp
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

import mutants

ROOT = pathlib.Path(__file__).resolve().parents[1]
PLACE = ROOT / "build-new-stage"
TREE = PLACE / "tree"
BUILD = PLACE / "build"
README = "src/stages/README.md"
TABLE = "src/stages/table.h"
GRAPH = "src/steer/graph.c"
UNIT = "tests/unit/test_graph.c"  # in whose place the stages are tried
PROGRAMS = ["weft", "unit-graph", "unit-stages_out", "sim-pipeline", "sim-micro_flows"]
PACKETS = {"sim-pipeline": 300000, "sim-micro_flows": 4000000}
READY_SECONDS = 60

# Both ways of the access list, beside the tests that go through all stages.
TRY = """\
/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"
#include "steer/plan.h"

static uint16_t acl_of(rte_be32_t source)
{
	struct ipv4_frame frame = ipv4_frame(IPPROTO_UDP);

	frame.ip.src_addr = source;
	return verdict_of(&acl_stage, mbuf_of(&frame, sizeof(frame)));
}

static void the_list_is_gone_by(void **state)
{
	struct arp_frame arp = arp_request();

	(void)state;
	assert_exit(acl_of(ADDRESS(203, 0, 112, 1)), acl, "allowed");
	assert_drop(acl_of(ADDRESS(203, 0, 113, 1)), "acl_denied");
	assert_int_equal(fixture.statistics[0], 0);
	assert_exit(verdict_of(&acl_stage, mbuf_of(&arp, sizeof(arp))), acl, "allowed");
	assert_int_equal(fixture.statistics[0], 1);
}

static void the_stages_are_on_the_way(void **state)
{
	static const enum step way[] = {STAGE_RX, STAGE_GRO, STAGE_VXLAN, STAGE_ACL, STAGE_LATER,
		STAGE_BRIDGE, STAGE_VETH};
	struct plan plan;

	(void)state;
	plan_set(&plan, plan_mode_find("vanilla"));
	assert_int_equal(plan.way.n, RTE_DIM(way));
	for (unsigned int i = 0; i < RTE_DIM(way); i++)
		assert_int_equal(plan.way.stages[i], way[i]);
	assert_int_equal(plan.next[STAGE_VETH_RX][EXIT_MAIN], STAGE_ACL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_list_is_gone_by),
		TEST(the_stages_are_on_the_way),
	};

	return cmocka_run_group_tests(tests, fixture_start_eal, NULL);
}
"""

CONFIG = """\
[mode careful]
vxlan = flow
acl = flow+stage
bridge = with acl

[pipeline]
acl = 1

[uplink phys]
device = net_null0
address = 192.0.2.1/24

[network blue]
vni = 100
uplink = phys
vteps = 192.0.2.2

[weft]
mode = careful
"""


def copy_tree():
    """As files that have not changed stay as they are, little is built again."""
    for name in differences():
        (TREE / name).unlink()
    for pattern in mutants.PARTS:
        for source in ROOT.glob(pattern):
            for file in [source] if source.is_file() else sorted(source.rglob("*")):
                target = TREE / file.relative_to(ROOT)
                if file.is_file() and not (target.exists() and filecmp.cmp(file, target)):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target)
                    shutil.copymode(file, target)


def edit(name, before, line):
    """Puts a line before another one, which stands in the file once."""
    text = (TREE / name).read_text()
    assert text.count(before) == 1, f"{name}: {before!r} stands there {text.count(before)} times"
    (TREE / name).write_text(text.replace(before, line + before))


def add_stage(name, code, line, row):
    """The three steps of the page: one new file, and a line in two others."""
    (TREE / f"src/stages/{name}.c").write_text(code)
    edit(TABLE, "STAGE(bridge, BRIDGE)\n", line)
    edit(GRAPH, "\t{0},\n};\n\nconst struct graph graph", row)


def add_stages():
    acl, line, row, later = re.findall(r"^```c\n(.*?)^```$", (ROOT / README).read_text(),
                                       re.MULTILINE | re.DOTALL)
    add_stage("acl", acl, line, row)
    changed = differences()
    assert changed == {"src/stages/acl.c", TABLE, GRAPH}, f"touched: {sorted(changed)}"
    add_stage("later", later, "STAGE(later, LATER)\n", '\t{"later", "bridge"},\n')


def differences():
    return {str(file.relative_to(TREE)) for file in (TREE / "src").rglob("*") if file.is_file()
            and not ((ROOT / file.relative_to(TREE)).exists()
                     and filecmp.cmp(file, ROOT / file.relative_to(TREE), shallow=False))}


def command(*argv, **environment):
    result = subprocess.run([str(word) for word in argv], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, env={**os.environ, **environment})
    assert result.returncode == 0, f"{argv[0]}: exit status {result.returncode}\n{result.stdout}"
    return result.stdout


def build():
    if not (BUILD / "build.ninja").exists():
        shutil.rmtree(BUILD, ignore_errors=True)
        command("meson", "setup", BUILD, TREE, *mutants.OPTIONS)
    command("ninja", "-C", BUILD, *PROGRAMS)


def eal_options(prefix):
    return ["--lcores", "0@0,1@0", "--file-prefix", prefix, "--no-pci", "--no-huge", "-m", 512]


def ask(runtime, request):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as telemetry:
        telemetry.connect(str(runtime / "dpdk_telemetry.v2"))
        telemetry.recv(4096)
        telemetry.send(request.encode())
        return list(json.loads(telemetry.recv(1 << 17))[request.split(",")[0]].values())


def wait_ready(process, log):
    end = time.monotonic() + READY_SECONDS
    while "weft: ready" not in log.read_text():
        assert process.poll() is None and time.monotonic() < end, f"weft: {log.read_text()}"
        time.sleep(0.1)


def try_weft():
    """The keys of modes and of the pipeline, the stages, and the drops have the new ones."""
    prefix = f"weft-new-stage-{os.getpid()}"
    config, log = PLACE / "new.ini", PLACE / "weft.log"
    base = pathlib.Path("/var/run" if os.geteuid() == 0 else
                        os.environ.get("XDG_RUNTIME_DIR", "/tmp"))
    config.write_text(CONFIG)
    argv = [BUILD / "weft", *eal_options(prefix), "--", "-c", config]
    with open(log, "wb") as out:
        process = subprocess.Popen([str(word) for word in argv], stdout=out, stderr=out)
    try:
        wait_ready(process, log)
        runtime = base / "dpdk" / prefix
        stages = {row["name"]: row for row in ask(runtime, "/weft/stages")}
        drops = {(row["stage"], row["reason"]) for row in ask(runtime, "/weft/drops,all")}
        assert stages["acl"]["statistics"].keys() == {"not_ipv4"}, stages
        assert list(stages)[2:6] == ["vxlan", "vtep", "veth_rx", "acl"], list(stages)
        assert {("acl", "acl_denied"), ("later", "later_full")} <= drops, drops
    finally:
        process.terminate()
        process.wait()
    assert process.returncode == 0, log.read_text()


def try_all():
    PLACE.mkdir(exist_ok=True)
    copy_tree()
    add_stages()
    (TREE / UNIT).write_text(TRY)
    build()
    for program in PROGRAMS[1:]:
        command(BUILD / program, WEFT_SIM_PACKETS=str(PACKETS.get(program, 0)))
    try_weft()


if __name__ == "__main__":
    try:
        try_all()
    except AssertionError as error:
        sys.exit(str(error))
