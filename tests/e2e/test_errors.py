# SPDX-License-Identifier: BSD-3-Clause
"""What weft says to a configuration that is wrong: a line with file, section and key, exit
status 1, at once, and nothing left behind."""

import json
import socket
import subprocess

import pytest

from topology import WEB_MAC
from waiting import PATIENCE
from weft import BINARY, ROOT, WEFTCTL, eal_options
from weft_config import Config

OTHER_MAC = "02:00:00:00:00:02"


def sound(lab):
    """A configuration that needs nothing of the machine."""
    return (Config().uplink(device="net_null0")
            .network("blue", 100, ["192.0.2.2"])
            .port("web", "blue", "vhost-user", WEB_MAC, path=lab.directory / "web.sock"))


def run(lab, config, *options, lcores="0@0,1@0", memory=256):
    """Starts weft and waits for its end; returns (status, output, file)."""
    file = lab.directory / "wrong.ini"
    file.write_text(str(config))
    process = lab.start(BINARY, *eal_options(lab.prefix(), lcores, memory), "--", "-c", file,
                        *options)
    status = process.wait()
    return status, process.output(), file


def complaint(lab, config, *options, **keywords):
    """The one line about the file."""
    status, output, file = run(lab, config, *options, **keywords)
    assert status == 1, output
    assert "weft: ready" not in output
    lines = [line for line in output.splitlines() if str(file) in line]
    assert len(lines) == 1, output
    return lines[0]


def with_text(config, text):
    return f"{config}\n{text}\n"


# (what is wrong, section named, key named, change to the sound configuration)
WRONG = [
    ("unknown key of weft", "weft", "colour", lambda c: c.section("weft", colour="blue")),
    ("unknown key of an uplink", "uplink phys", "speed",
     lambda c: c.section("uplink phys", speed=10)),
    ("unknown key of a network", "network blue", "vlan",
     lambda c: c.section("network blue", vlan=1)),
    ("unknown key of a port", "port web", "vni", lambda c: c.section("port web", vni=1)),
    ("unknown section", "bridge br0", None, lambda c: c.section("bridge br0", vni=1)),
    ("section without a name", "port", None,
     lambda c: c.section("port", network="blue", type="tap", mac=OTHER_MAC)),
    ("uplink at nothing", "uplink phys", "interface",
     lambda c: c.section("uplink phys", device=None)),
    ("uplink at two things", "uplink phys", "device",
     lambda c: c.section("uplink phys", interface="eth1")),
    ("uplink without address", "uplink phys", "address",
     lambda c: c.section("uplink phys", address=None)),
    ("network without vni", "network blue", "vni", lambda c: c.section("network blue", vni=None)),
    ("port without network", "port web", "network", lambda c: c.section("port web", network=None)),
    ("port without type", "port web", "type", lambda c: c.section("port web", type=None)),
    ("port without mac", "port web", "mac", lambda c: c.section("port web", mac=None)),
    ("vhost-user port without path", "port web", "path",
     lambda c: c.section("port web", path=None)),
    ("memif port without path", "port web", "path",
     lambda c: c.section("port web", type="memif", path=None)),
    ("unknown mode", "weft", "mode", lambda c: c.section("weft", mode="warp")),
    ("mbufs is no number", "weft", "mbufs", lambda c: c.section("weft", mbufs="many")),
    ("mbufs is zero", "weft", "mbufs", lambda c: c.section("weft", mbufs=0)),
    ("address without prefix", "uplink phys", "address",
     lambda c: c.section("uplink phys", address="192.0.2.1")),
    ("prefix too long", "uplink phys", "address",
     lambda c: c.section("uplink phys", address="192.0.2.1/33")),
    ("address is a group", "uplink phys", "address",
     lambda c: c.section("uplink phys", address="224.0.0.1/24")),
    ("gateway is no address", "uplink phys", "gateway",
     lambda c: c.section("uplink phys", gateway="router")),
    ("gateway outside the prefix", "uplink phys", "gateway",
     lambda c: c.section("uplink phys", gateway="198.51.100.1")),
    ("uplink queues are zero", "uplink phys", "queues",
     lambda c: c.section("uplink phys", queues=0)),
    ("uplink on an unknown lcore", "uplink phys", "lcores",
     lambda c: c.section("uplink phys", lcores="7")),
    ("vni too large", "network blue", "vni", lambda c: c.section("network blue", vni=1 << 24)),
    ("vni negative", "network blue", "vni", lambda c: c.section("network blue", vni=-1)),
    ("vni with a rest", "network blue", "vni", lambda c: c.section("network blue", vni="100x")),
    ("udp port too large", "network blue", "udp-port",
     lambda c: c.section("network blue", udp_port=65536)),
    ("udp port is zero", "network blue", "udp-port",
     lambda c: c.section("network blue", udp_port=0)),
    ("unknown uplink", "network blue", "uplink",
     lambda c: c.section("network blue", uplink="eth9")),
    ("vtep is no address", "network blue", "vteps",
     lambda c: c.section("network blue", vteps="192.0.2.2 east")),
    ("vtep is weft itself", "network blue", "vteps",
     lambda c: c.section("network blue", vteps="192.0.2.1")),
    ("vtep twice", "network blue", "vteps",
     lambda c: c.section("network blue", vteps="192.0.2.2 192.0.2.2")),
    ("switch is neither on nor off", "network blue", "vtep-guard",
     lambda c: c.section("network blue", vtep_guard="maybe")),
    ("ageing is no number", "network blue", "ageing",
     lambda c: c.section("network blue", ageing="soon")),
    ("mtu larger than the uplink's", "network blue", "mtu",
     lambda c: c.section("uplink phys", mtu=1400).section("network blue", mtu=1351)),
    ("vtep that has no route", "network blue", "vteps",
     lambda c: c.section("network blue", vteps="198.51.100.2")),
    ("device twice", "uplink other", "device",
     lambda c: c.uplink("other", device="net_null0,size=64", address="198.51.100.1/24")),
    ("more vteps than there may be", "network blue", "vteps",
     lambda c: c.section("uplink phys", address="192.0.2.1/16")
     .section("network blue", vteps=[f"192.0.{i // 250 + 9}.{i % 250 + 1}" for i in range(257)])),
    ("vni twice", "network red", "vni", lambda c: c.network("red", 100, [])),
    ("unknown network", "port web", "network", lambda c: c.section("port web", network="red")),
    ("unknown type", "port web", "type", lambda c: c.section("port web", type="vhost")),
    ("mac malformed", "port web", "mac", lambda c: c.section("port web", mac="02:00:00:00:01")),
    ("mac is a group", "port web", "mac",
     lambda c: c.section("port web", mac="01:00:5e:00:00:01")),
    ("mac is zero", "port web", "mac", lambda c: c.section("port web", mac="00:00:00:00:00:00")),
    ("address of a port malformed", "port web", "addresses",
     lambda c: c.section("port web", addresses="10.1.0.300")),
    ("more than 8 addresses", "port web", "addresses",
     lambda c: c.section("port web", addresses=[f"10.1.0.{i}" for i in range(1, 10)])),
    ("path too long", "port web", "path",
     lambda c: c.section("port web", path="/tmp/" + "x" * 103)),
    ("interface name too long", "port tap", "interface",
     lambda c: c.port("tap", "blue", "tap", OTHER_MAC, interface="x" * 16)),
    ("port on an unknown lcore", "port web", "lcore", lambda c: c.section("port web", lcore=7)),
    ("port on the main lcore", "port web", "lcore", lambda c: c.section("port web", lcore=0)),
    ("client is neither yes nor no", "port web", "client",
     lambda c: c.section("port web", client="perhaps")),
    ("mac twice in a network", "port db", "mac",
     lambda c: c.port("db", "blue", "vhost-user", WEB_MAC, path="/tmp/weft-e2e-db.sock")),
    ("path twice", "port db", "path",
     lambda c: c.port("db", "blue", "vhost-user", OTHER_MAC,
                      path=c.sections["port web"]["path"])),
    ("path is a file", "port web", "path", lambda c: c.section("port web", path="/etc/passwd")),
    ("path below a file", "port web", "path",
     lambda c: c.section("port web", path="/etc/passwd/weft.sock")),
    ("address twice in a network", "port db", "addresses",
     lambda c: c.section("port web", addresses="10.1.0.1")
     .port("db", "blue", "vhost-user", OTHER_MAC, path="/tmp/weft-e2e-db.sock",
           addresses="10.1.0.2 10.1.0.1")),
    ("interface twice in a namespace", "port two", "interface",
     lambda c: c.port("one", "blue", "tap", "02:00:00:00:00:03", interface="weft-e2e-tap")
     .port("two", "blue", "tap", "02:00:00:00:00:04", interface="weft-e2e-tap")),
    ("name of an uplink", "port phys", None,
     lambda c: c.port("phys", "blue", "vhost-user", OTHER_MAC, path="/tmp/weft-e2e-db.sock")),
    ("ring port on real lcores", "port web", "type", lambda c: c.section("port web", type="ring")),
    ("too few entries for the static ones", "weft", "fdb-size",
     lambda c: c.section("weft", fdb_size=1024).fdb(
         "blue", {f"06:00:00:00:{i >> 8:02x}:{i & 255:02x}": "192.0.2.2" for i in range(1024)})),
    ("mode native with two containers", "port db", None,
     lambda c: c.section("weft", mode="native").port(
         "db", "blue", "vhost-user", OTHER_MAC, path="/tmp/weft-e2e-db.sock")),
    ("unknown stage", "pipeline", "wash", lambda c: c.pipeline(wash=1)),
    ("stage on an unknown lcore", "pipeline", "bridge", lambda c: c.pipeline(bridge=7)),
    ("stage on the main lcore", "pipeline", "bridge", lambda c: c.pipeline(bridge=0)),
    ("static entries of an unknown network", "fdb red", None,
     lambda c: c.fdb("red", {OTHER_MAC: "192.0.2.2"})),
    ("static entry of no mac", "fdb blue", "web", lambda c: c.fdb("blue", {"web": "192.0.2.2"})),
    ("static entry to an unlisted vtep", "fdb blue", OTHER_MAC,
     lambda c: c.fdb("blue", {OTHER_MAC: "192.0.2.9"})),
    ("static entry to an unknown port", "fdb blue", OTHER_MAC,
     lambda c: c.fdb("blue", {OTHER_MAC: "port db"})),
    ("static entry for a port's mac", "fdb blue", WEB_MAC,
     lambda c: c.fdb("blue", {WEB_MAC: "192.0.2.2"})),
    ("section twice", "network blue", None,
     lambda c: with_text(c, "[network blue]\nvni = 101")),
    ("key twice", "network blue", "vni", lambda c: with_text(
        c.section("network blue", vni=None), "") .replace(
            "[network blue]", "[network blue]\nvni = 100\nvni = 101")),
]


@pytest.mark.parametrize("section, key, change", [case[1:] for case in WRONG],
                         ids=[case[0] for case in WRONG])
def test_wrong_configuration(lab, binary, section, key, change):
    """--check says what the start does."""
    config = change(sound(lab))
    line = complaint(lab, config)
    assert section in line
    assert key is None or key in line
    assert not (lab.directory / "web.sock").exists()
    assert complaint(lab, config, "--check") == line


def test_mtu_larger_than_the_device_takes(lab, binary):
    """What only the device can tell is an error of the start alone."""
    config = sound(lab).section("network blue", mtu=9000)
    line = complaint(lab, config)
    assert "network blue" in line and "mtu" in line
    assert run(lab, config, "--check")[0] == 0


@pytest.mark.parametrize("options", [(), ("--check",)], ids=["start", "check"])
def test_all_errors_at_once(lab, binary, options):
    """A line each, in the order of the file, with the number of the line."""
    config = with_text(sound(lab).section("network blue", vni="many")
                       .section("port web", network="red"), "colour")
    status, output, file = run(lab, config, *options)
    assert status == 1
    rows = str(config).splitlines()
    numbers = [rows.index(row) + 1 for row in ("vni = many", "network = red", "colour")]
    assert [line.split(": ")[1] for line in output.splitlines()
            if str(file) in line] == [f"{file}:{number}" for number in numbers]


def test_check_looks_for_the_lcores(lab, binary):
    """As EAL would make them, without opening anything."""
    config = sound(lab).pipeline(bridge=2)
    assert "bridge" in complaint(lab, config, "--check")
    assert run(lab, config, "--check", lcores="(0-2)@0")[0] == 0
    status, output, _ = run(lab, sound(lab), "--check", lcores="0@0")
    assert status == 1 and "one lcore" in output


def test_what_may_come_later_is_no_error_of_a_check(lab, binary):
    """The start makes directories, and waits for namespaces."""
    config = sound(lab).section("port web", path=lab.directory / "later" / "web.sock")
    assert run(lab, config, "--check")[0] == 0
    assert not (lab.directory / "later").exists()


@pytest.mark.quick
def test_the_sound_configuration_is_ok(lab, binary):
    """What all of these start from; --check says so and ends."""
    status, output, file = run(lab, sound(lab), "--check")
    assert status == 0, output
    assert f"{file}: ok" in output.splitlines()


READY_MADE = [file for file in sorted((ROOT / "config").glob("*.ini"))
              if file.name != "costs.ini"]  # of the virtual clock


@pytest.mark.parametrize("file", READY_MADE, ids=lambda f: f.name)
def test_ready_made_configurations_are_ok(lab, binary, file):
    status, output, _ = run(lab, file.read_text(), "--check", lcores="(0-4)@0")
    assert status == 0, output


def test_missing_file(lab, binary):
    missing = lab.directory / "missing.ini"
    process = lab.start(BINARY, *eal_options(lab.prefix()), "--", "-c", missing)
    assert process.wait() == 1
    assert str(missing) in process.output()


def test_unknown_mode_on_the_command_line(lab, binary):
    status, output, _ = run(lab, sound(lab), "--mode", "warp")
    assert status == 1
    assert "warp" in output


def test_missing_device(lab, binary):
    line = complaint(lab, sound(lab).uplink(device="net_pcap0,iface=nowhere0"))
    assert "uplink phys" in line and "device" in line


def test_missing_interface(lab, binary):
    config = sound(lab).section("uplink phys", device=None, interface="nowhere0")
    line = complaint(lab, config)
    assert "uplink phys" in line and "interface: " in line and "nowhere0" in line


def test_a_device_whose_name_is_not_ascii(lab, binary):
    """DPDK's own telemetry would tell of it."""
    line = complaint(lab, sound(lab).uplink(device="net_null0ß"))
    assert "uplink phys" in line and "device" in line


def test_unknown_driver(lab, binary):
    line = complaint(lab, sound(lab).uplink(device="net_nothing0"))
    assert "uplink phys" in line and "device" in line


def test_socket_in_use(lab, binary):
    """Another program listens there: its socket is not taken away."""
    path = lab.directory / "web.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(path))
        other.listen()
        line = complaint(lab, sound(lab))
        assert "port web" in line and "path" in line
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(path))


def test_socket_left_behind_is_taken_over(lab, binary):
    """A path where nobody listens any more, as after a crash, is no obstacle."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(lab.directory / "web.sock"))
    lab.weft(sound(lab)).wait_ready()


@pytest.mark.parametrize("keys", [{"type": "vhost-user"}, {"type": "memif"},
                                  {"type": "vhost-user", "client": "yes"}])
def test_the_directory_of_a_socket_is_made(lab, binary, keys):
    """But not by --check."""
    directory = lab.directory / "run" / "weft"
    config = sound(lab).section("port web", path=directory / "web.sock", **keys)
    status, output, _ = run(lab, config, "--check")
    assert status == 0, output
    assert not directory.parent.exists()
    lab.weft(config).wait_ready()
    assert directory.is_dir()
    assert (directory / "web.sock").exists() == ("client" not in keys)


def test_the_directory_of_a_socket_cannot_be_made(lab, binary):
    (lab.directory / "file").touch()
    config = sound(lab).section("port web", path=lab.directory / "file" / "run" / "web.sock")
    line = complaint(lab, config)
    assert "port web" in line and "path" in line and "not a directory" in line


def test_one_lcore_only(lab, binary):
    status, output, _ = run(lab, sound(lab), lcores="0@0")
    assert status == 1, output
    assert "lcore" in output.splitlines()[-1]


def test_too_little_memory(lab, binary):
    """More packet buffers than fit: the line names the key to turn."""
    line = complaint(lab, sound(lab).section("weft", mbufs=262144), memory=64)
    assert "mbufs" in line


def test_native_wants_one_container(lab, binary):
    config = sound(lab).port("db", "blue", "vhost-user", OTHER_MAC,
                             path=lab.directory / "db.sock")
    assert "native" in complaint(lab, config, "--mode", "native")


def test_linux_overlay_wants_one_container_a_network(lab, binary):
    config = sound(lab).port("db", "blue", "vhost-user", OTHER_MAC,
                             path=lab.directory / "db.sock")
    assert "linux-overlay" in complaint(lab, config, "--mode", "linux-overlay")


# --- commands ---

@pytest.mark.parametrize("command", ["/weft/port/del,", "/weft/port/add,", "/weft/port/add,db,",
                                     "/weft/fdb/add,blue,", "/weft/fdb/del,blue,", "/weft/mode,"])
def test_any_byte_of_a_command_is_answered_in_json(lab, binary, command):
    """DPDK's writer of JSON takes a byte for an index."""
    telemetry = lab.weft(sound(lab)).wait_ready().telemetry
    name = command.split(",")[0]
    for byte in range(1, 256):
        telemetry.socket.send(command.encode() + b"a" + bytes([byte]) + b"z")
        answer = telemetry.socket.recv(telemetry.size)
        assert answer.isascii()
        assert json.loads(answer)[name].startswith("error: ")
    telemetry.socket.send(command.encode() + bytes(range(128, 256)))
    assert json.loads(telemetry.socket.recv(telemetry.size))[name].startswith("error: ")


@pytest.mark.parametrize("name, spelt", [("größe", r"gr\xc3\xb6\xc3\x9fe"),
                                         (b"gr\xf6\xdfe", r"gr\xf6\xdfe"),
                                         ("\x1b[31m", r"\x1b[31m")])
def test_a_name_that_is_not_ascii(lab, binary, name, spelt):
    weft = lab.weft(sound(lab)).wait_ready()
    done = subprocess.run([WEFTCTL, "--file-prefix", weft.prefix, "port", "del", name],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (
        1, "", f"weftctl: no port is called '{spelt}'\n")


# --- the command line ---

@pytest.mark.parametrize("words, complaint", [
    ([], 'stands behind "--"'),
    (["-l", "0,1"], 'stands behind "--"'),
    (["--"], "-c FILE is missing"),
    (["--", "-c", "one.ini", "two.ini"], "two.ini: one word too many"),
    (["--", "-c", "one.ini", "--fast"], "unrecognized option '--fast'"),
    (["--", "-c", "one.ini", "--clock", "cuckoo"], "--clock cuckoo"),
    (["--", "-c", "one.ini", "--stats-period", "0"], "--stats-period 0"),
])
def test_a_wrong_command_line_gets_one_line(binary, words, complaint):
    done = subprocess.run([binary, *words], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (1, "")
    assert complaint in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--", "--help"]])
def test_help(binary, words):
    done = subprocess.run([binary, *words], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: weft [EAL options] -- -c FILE")


def test_an_uplink_is_not_deleted(lab, binary):
    weft = lab.weft(sound(lab)).wait_ready()
    assert weft.telemetry.ask("/weft/port/del,phys").startswith("error: phys is an uplink")


def test_addresses_of_a_network_that_is_not_there(lab, binary):
    weft = lab.weft(sound(lab)).wait_ready()
    answer = weft.telemetry.ask(f"/weft/fdb/del,red,{OTHER_MAC}")
    assert answer == "error: no network is called 'red'"
    assert "02:00:00:00:00:01" in weft.telemetry.ask("/weft/fdb/del,blue,web")


def test_the_log_is_wefts(lab, binary):
    """Every line begins with who says it, and the libraries tell nothing of what is in order."""
    weft = lab.weft(sound(lab)).wait_ready()
    lines = weft.process.output().splitlines()
    assert "weft: port web: waiting for a container" in lines
    assert [line for line in lines if not line.startswith(("weft: ", "EAL: "))] == []


def test_a_port_added_later_is_checked_as_the_files_are(lab, binary):
    """Against what is there now; all that is wrong is told."""
    weft = lab.weft(sound(lab).section("port web", addresses="10.1.0.1")).wait_ready()
    path = lab.directory / "db.sock"
    good = {"network": "blue", "type": "vhost-user", "mac": OTHER_MAC, "path": path}
    wrong = [
        ({"network": "red"}, ["network: ", "'red'"]),
        ({"mac": WEB_MAC}, ["mac: ", "port web"]),
        ({"addresses": "10.1.0.1"}, ["addresses: ", "10.1.0.1", "port web"]),
        ({"path": lab.directory / "web.sock"}, ["path: ", "port web"]),
        ({"path": "/etc/passwd"}, ["path: ", "not a socket"]),
        ({"type": "ring"}, ["type: ", "--clock virtual"]),
        ({"lcore": 7}, ["lcore: ", "show lcores"]),
        ({"network": "red", "lcore": 7}, ["network: ", "lcore: "]),
        ({"speed": 9, "queues": 0}, ["speed: ", "queues: "]),
    ]
    for keys, expected in wrong:
        words = [f"{key}={value}" for key, value in {**good, **keys}.items()]
        answer = weft.telemetry.ask(",".join(["/weft/port/add", "db", *words]))
        assert isinstance(answer, str) and answer.startswith("error: [port db]: "), answer
        assert all(word in answer for word in expected), answer
        assert not path.exists()
    weft.port_add("db", **good)
    weft.port_del("web")
    weft.port_add("web", **{**good, "mac": WEB_MAC, "path": lab.directory / "web.sock",
                            "addresses": "10.1.0.1"})
