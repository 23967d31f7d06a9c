# SPDX-License-Identifier: BSD-3-Clause
"""Programs in containers: nginx, runc containers, testpmd."""

import json
import os

from netns import command
from process import MARK, SESSION
from waiting import PATIENCE, until

NGINX = """\
daemon off;
master_process off;
user root;
pid {directory}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    default_type application/octet-stream;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 80;
        {listen6}
        root {root};
    }}
}}
"""


def nginx_config(path, scratch, root, ipv6=False):
    path.write_text(NGINX.format(directory=scratch, root=root,
                                 listen6="listen [::]:80;" if ipv6 else ""))
    return path


def nginx(lab, container, root, ipv6=False):
    """nginx as a plain process in the container's namespace."""
    scratch = lab.directory / f"nginx-{container.namespace.role}"
    scratch.mkdir()
    config = nginx_config(scratch / "nginx.conf", scratch, root, ipv6)
    process = lab.start("nginx", "-c", config, "-e", "stderr", netns=container.namespace)
    until(lambda: listening(container.namespace, 80), PATIENCE, process.tail)
    return process


def listening(namespace, port):
    return f":{port} " in namespace.run("ss", "-Hltn").stdout


class RuncContainer:
    """An OCI container that runc starts in a container's network namespace. Its root is made of
    the host's /usr and /etc, read-only; `data` is its /data."""

    def __init__(self, lab, container, name, *argv, own_network=False):
        self.lab = lab
        self.name = f"{container.namespace.name}-{name}"
        self.bundle = lab.directory / f"bundle-{name}"
        self.root = lab.directory / "runc"
        self.data = self.bundle / "data"
        self.process = None
        self.own_network = own_network
        self._make_root()
        self._write_spec(container.namespace, argv)

    def start(self):
        self.lab.stack.callback(self.delete)
        self.process = self.lab.start("runc", "--root", self.root, "run", "--bundle", self.bundle,
                                      self.name)
        until(lambda: self.state() == "running", PATIENCE, self.process.tail)
        return self

    def _make_root(self):
        rootfs = self.bundle / "rootfs"
        for name in ("usr", "etc", "proc", "dev", "sys", "tmp", "run", "data"):
            (rootfs / name).mkdir(parents=True)
        for name in ("bin", "lib", "lib64", "sbin"):
            os.symlink(f"usr/{name}", rootfs / name)
        self.data.mkdir()

    def _write_spec(self, namespace, argv):
        command("runc", "spec", "--bundle", self.bundle)
        path = self.bundle / "config.json"
        spec = json.loads(path.read_text())
        spec["process"].update(terminal=False, args=[str(word) for word in argv])
        spec["process"]["env"].append(f"{MARK}={SESSION}")
        spec["root"] = {"path": "rootfs", "readonly": True}
        spec["mounts"] += [read_only("/usr", "/usr"), read_only("/etc", "/etc"),
                           read_only(self.data, "/data"), scratch("/tmp"), scratch("/run")]
        for entry in spec["linux"]["namespaces"]:
            if entry["type"] == "network" and not self.own_network:
                entry["path"] = namespace.path
        path.write_text(json.dumps(spec))

    def network(self):
        """Where its network namespace is, while its first process lives."""
        done = command("runc", "--root", self.root, "state", self.name)
        return f"/proc/{json.loads(done.stdout)['pid']}/ns/net"

    def state(self):
        done = command("runc", "--root", self.root, "state", self.name, check=False)
        return json.loads(done.stdout)["status"] if done.returncode == 0 else "none"

    def kill(self):
        """Its first process dies as if it had crashed."""
        command("runc", "--root", self.root, "kill", self.name, "KILL")
        self.process.wait()
        self.delete()

    def delete(self):
        command("runc", "--root", self.root, "delete", "--force", self.name, check=False)


def read_only(source, destination):
    return {"destination": destination, "source": str(source), "type": "bind",
            "options": ["rbind", "ro"]}


def scratch(destination):
    return {"destination": destination, "source": "tmpfs", "type": "tmpfs"}


def runc_nginx(lab, container):
    """nginx in an OCI container that serves what is in its `data`."""
    inside = RuncContainer(lab, container, "nginx", "nginx", "-c", "/data/nginx.conf",
                           "-e", "stderr")
    nginx_config(inside.data / "nginx.conf", "/tmp", "/data")
    inside.start()
    until(lambda: listening(container.namespace, 80), PATIENCE, inside.process.tail)
    return inside


class Testpmd:
    """A DPDK container: testpmd, polling beside the other peers. Not at a lower priority than they
    have: a killed process that hardly gets to run holds up whoever waits for it, in the kernel."""

    def __init__(self, lab, *vdevs, forward="icmpecho", options=(), cpu=0):
        self.lab = lab
        self.devices = [word for vdev in vdevs for word in ("--vdev", vdev)]
        self.options = (f"--forward-mode={forward}", "--total-num-mbufs=4096",
                        "--no-flush-rx", "--disable-link-check", *options)
        self.cpu = cpu
        self.process = None

    def start(self):
        self.process = self.lab.start(
            "stdbuf", "-oL", "dpdk-testpmd", "--lcores", f"0@{self.cpu},1@{self.cpu}",
            "--file-prefix", self.lab.prefix(), "--no-pci", "--no-huge", "-m", 128,
            "--single-file-segments", "--no-telemetry", *self.devices, "--", *self.options)
        return self

    def ready(self):
        self.process.wait_for("Press enter to exit")
        return self

    def restart_ports(self):
        """As an application does whose device has lost its peer. It must be interactive."""
        self.process.write("stop\nport stop all\nport start all\nstart\n")

    def freeze(self):
        """It reads nothing any more."""
        self.process.freeze()

    def thaw(self):
        self.process.thaw()

    def kill(self):
        self.process.kill()


def virtio_user(path, mac, server=False):
    """The container's end of a vhost-user port; server where weft is the client."""
    return f"net_virtio_user0,path={path},mac={mac},queues=1" + (",server=1" if server else "")


def memif(path, mac):
    """The container's end of a memif port."""
    return f"net_memif0,role=client,socket={path},socket-abstract=no,mac={mac}"
