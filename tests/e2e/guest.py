# SPDX-License-Identifier: BSD-3-Clause
"""A virtual machine as a container: QEMU without KVM, Debian's kernel, busybox, one virtio-net."""

import os
import pathlib
import re
import shutil
import socket

from netns import command
from waiting import PATIENCE, until
from weft import ROOT

KERNEL = ROOT / "build" / "guest-kernel"
# In the order in which they need each other.
MODULES = ("virtio/virtio_ring", "virtio/virtio", "virtio/virtio_pci_modern_dev",
           "virtio/virtio_pci_legacy_dev", "virtio/virtio_pci", "core/failover",
           "net/net_failover", "net/virtio_net")
PROMPT = "guest-is-ready"
BOOT_SECONDS = 120
COMMAND_SECONDS = 120

INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in {modules}; do insmod /modules/$module; done
ip link set lo up
stty -echo
echo {prompt}
PS1= exec sh
"""


def missing():
    """Why there can be no guest here, or None."""
    if shutil.which("qemu-system-x86_64") is None:
        return "qemu-system-x86 is not installed: scripts/setup --guests does that"
    if not list(KERNEL.glob("boot/vmlinuz-*")):
        return f"no kernel in {KERNEL}: scripts/setup --guests puts Debian's there"
    return None


def libraries(program):
    """What a program is linked with."""
    return re.findall(r"(/\S+) \(0x", command("ldd", program).stdout)


def make_initrd(directory):
    root = directory / "guest"
    for name in ("bin", "proc", "sys", "dev", "modules"):
        (root / name).mkdir(parents=True, exist_ok=True)
    shutil.copy("/bin/busybox", root / "bin")
    for program in (shutil.which("ethtool"),):
        for path in (program, *libraries(program)):
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    names = []
    for module in MODULES:
        found, = KERNEL.glob(f"lib/modules/*/kernel/**/{module}.ko")
        shutil.copy(found, root / "modules")
        names.append(found.name)
    init = root / "init"
    init.write_text(INIT.format(modules=" ".join(names), prompt=PROMPT))
    init.chmod(0o755)
    initrd = directory / "guest.cpio"
    command("sh", "-c", f"cd {root} && find . | busybox cpio -o -H newc >{initrd} 2>/dev/null")
    return initrd


class Guest:
    """Its eth0 is at a vhost-user port of weft's. `settings` are virtio-net-pci's."""

    def __init__(self, lab, path, mac, pairs=1, cpus=1, settings=""):
        self.lab = lab
        self.console_path = lab.directory / "console"
        kernel, = KERNEL.glob("boot/vmlinuz-*")
        # Without MSI-X, with which QEMU 7.2 crashes where there is no KVM.
        self.argv = [
            "qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot",
            "-machine", "pc", "-accel", "tcg", "-cpu", "max", "-smp", cpus, "-m", "128M",
            "-object", "memory-backend-memfd,id=memory,size=128M,share=on",
            "-numa", "node,memdev=memory",
            "-kernel", kernel, "-initrd", make_initrd(lab.directory),
            # Timers are late on a busy machine, and are no reason not to boot.
            "-append", "console=ttyS0 quiet panic=-1 net.ifnames=0 no_timer_check",
            "-chardev", f"socket,id=console,path={self.console_path},server=on,wait=on",
            "-serial", "chardev:console",
            "-chardev", f"socket,id=port,path={path}",
            "-netdev", f"vhost-user,id=net,chardev=port,queues={pairs}",
            "-device", "virtio-net-pci,netdev=net,romfile=,vectors=0,"
                       f"mac={mac}{',mq=on' if pairs > 1 else ''}{settings}"]
        self.console = None
        self.heard = ""

    def _reaches_console(self):
        """QEMU binds the socket first, and listens a little later."""
        return self.console.connect_ex(str(self.console_path)) == 0

    def start(self):
        self.process = self.lab.start(*self.argv)
        self.console = socket.socket(socket.AF_UNIX)
        self.lab.stack.callback(self.console.close)
        until(self._reaches_console, PATIENCE, self.process.tail)
        self.console.settimeout(0.2)
        return self

    def ready(self, *addresses, mtu=1450):
        until(lambda: self._hear(PROMPT), BOOT_SECONDS,
              lambda: self.process.tail() + self.heard[-2000:])
        self.run("dmesg -n 1")
        self.configure(*addresses, mtu=mtu)
        return self

    def configure(self, *addresses, mtu=1450):
        self.run(f"ip link set eth0 mtu {mtu} up")
        for address in addresses:
            self.run(f"ip address add {address} dev eth0")

    def _say(self, line):
        self.console.send(f"{line}\n".encode())

    def _hear(self, text):
        try:
            self.heard += self.console.recv(1 << 16).decode(errors="replace")
        except socket.timeout:
            pass
        return text in self.heard

    def run(self, line):
        """What a command prints; it has to succeed."""
        self.heard = ""
        self._say(f"{line}; echo status=$?.")
        until(lambda: self._hear("status=") and re.search(r"status=\d+\.", self.heard),
              COMMAND_SECONDS, lambda: self.heard[-2000:])
        output, status = re.search(r"(.*)status=(\d+)\.", self.heard, re.S).groups()
        assert status == "0", f"{line}: {self.heard}"
        return output
