"""A host that is a virtual machine: QEMU starts it, with a kernel, a disk and a network of its own."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from .agent import Agent
from .checkout import ID, folder_of
from .container import mac_of, mode_of
from .machine import RUNTIME, TestHostError, name_servers, run, wait_for

NETWORKS = ipaddress.IPv4Network("10.91.0.0/16")
PREFIX = 29  # this machine, the host, and addresses for others that a test plays
KVM = Path("/dev/kvm")
KERNEL_LINE = "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet"
BOOT_ID = "/proc/sys/kernel/random/boot_id"

# What leaves for elsewhere comes from this machine's address.
MASQUERADE = """
table ip {name} {{
    chain leave {{
        type nat hook postrouting priority srcnat
        ip saddr {network} oifname != "{name}" masquerade
    }}
}}
"""
# A provider's network tells its time servers, too.
INTERFACE = """\
[Match]
Name=eth0
[Network]
Address={address}/{prefix}
Gateway={gateway}
NTP={gateway}
"""


def states() -> dict[str, str]:
    """Map the name of each virtual machine that was started to its state."""
    found = [path.name.removeprefix(f"{ID}-") for path in RUNTIME.glob(f"{ID}-*")]
    return {name: "running" if VirtualMachine(name).pid() else "exited" for name in found}


def free_address(used: set[str]) -> str:
    """Return the address of another host, in a network that this machine does not know yet."""
    known = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]).stdout)
    taken = [ipaddress.ip_network(route["dst"]) for route in known if route["dst"][0].isdigit()]
    taken += [ipaddress.ip_network(address) for address in used]
    for network in NETWORKS.subnets(new_prefix=PREFIX):
        if not any(network.overlaps(other) for other in taken):
            return str(network[2])
    raise TestHostError(f"no network in {NETWORKS} is free on this machine")


def _accelerator() -> list[str]:
    """Return KVM where the processor has it; a device alone may be of a kind for other kernels."""
    flags = Path("/proc/cpuinfo").read_text().split()
    if os.access(KVM, os.R_OK | os.W_OK) and {"vmx", "svm"} & set(flags):
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max,la57=off"]


class VirtualMachine:
    """The virtual machine of a host; its name is unique on this machine."""

    patience = 600  # seconds for a boot, which is emulated where there is no KVM

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = folder_of(name)
        self.running = RUNTIME / f"{ID}-{name}"  # a socket's path has to be short
        self.link = "th" + hashlib.sha256(self.running.name.encode()).hexdigest()[:10]
        self.agent = Agent(self.running / "agent")

    def create(self, address: str, disk: str, memory: str, _: Sequence[str]) -> None:
        """Copy its disk, and note how it is started."""
        for name in ("disk", "kernel", "initrd"):
            run(["cp", "--sparse=always", "--reflink=auto", f"{disk}/{name}", str(self.folder)])
        about = {"address": address, "memory": memory}
        (self.folder / "machine.json").write_text(json.dumps(about))

    def _about(self) -> dict[str, str]:
        return json.loads((self.folder / "machine.json").read_text())

    def _network(self) -> ipaddress.IPv4Interface:
        """Return the address of this machine in the host's network."""
        network = ipaddress.ip_network(f"{self._about()['address']}/{PREFIX}", strict=False)
        return ipaddress.ip_interface(f"{network[1]}/{PREFIX}")

    def write(self, files: Mapping[str, str]) -> None:
        """Put files onto its disk, and those by which it finds the network."""
        here = self._network()
        interface = INTERFACE.format(
            address=self._about()["address"], prefix=PREFIX, gateway=here.ip
        )
        own = {
            "etc/systemd/network/10-testhost.network": interface,
            "etc/resolv.conf": "".join(f"nameserver {server}\n" for server in name_servers()),
        }
        with tempfile.TemporaryDirectory() as folder:
            orders = ["mkdir /root/.ssh", "set_inode_field /root/.ssh mode 040700"]
            for number, (name, text) in enumerate({**files, **own}.items()):
                source, path = Path(folder) / str(number), Path("/", name)
                source.write_text(text)
                orders += [f"cd {path.parent}", f"rm {path.name}", f"write {source} {path.name}"]
                orders += [f"set_inode_field {path} mode 0{0o100000 | mode_of(name):o}"]
                orders += [f"set_inode_field {path} {owner} 0" for owner in ("uid", "gid")]
            script = Path(folder) / "orders"
            script.write_text("\n".join(orders) + "\n")
            run(["debugfs", "-w", "-f", str(script), str(self.folder / "disk")])

    def _is_connected(self) -> bool:
        return Path("/sys/class/net", self.link).exists()

    def _connect(self) -> None:
        """Give it a network interface on this machine, which lasts until the host is removed."""
        if self._is_connected():
            return
        here = self._network()
        run(["ip", "tuntap", "add", "dev", self.link, "mode", "tap"])
        run(["ip", "address", "add", str(here), "dev", self.link])
        run(["ip", "link", "set", self.link, "up"])
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        table = MASQUERADE.format(name=self.link, network=here.network)
        run(["nft", "-f", "-"], stdin=table)

    def switch_on(self) -> None:
        """Start it; a kernel that is told to reboot starts again by itself."""
        self.running.mkdir(parents=True, exist_ok=True)
        self._connect()
        about, folder = self._about(), self.folder
        address = mac_of(about["address"])
        run([
            *("qemu-system-x86_64", "-name", self.running.name, "-machine", "q35", *_accelerator()),
            *("-smp", str(min(2, os.cpu_count() or 1)), "-m", about["memory"].upper()),
            *("-nodefaults", "-display", "none", "-serial", f"file:{folder}/console.log"),
            *("-kernel", f"{folder}/kernel", "-initrd", f"{folder}/initrd", "-append", KERNEL_LINE),
            *("-drive", f"file={folder}/disk,format=raw,if=virtio,cache=writeback"),
            *("-netdev", f"tap,id=net,ifname={self.link},script=no,downscript=no"),
            *("-device", f"virtio-net-pci,netdev=net,mac={address},romfile="),
            *("-device", "virtio-serial-pci", "-device", "virtio-rng-pci"),
            *("-chardev", f"socket,id=agent,path={self.agent.path},server=on,wait=off"),
            *("-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"),
            *("-daemonize", "-pidfile", f"{self.running}/pid"),
        ])

    def pid(self) -> int | None:
        """Return the process of QEMU's, if it runs."""
        try:
            pid = int((self.running / "pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if self.running.name.encode() in command else None

    def run(
        self, *command: str, stdin: str | None = None, check: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as root; one that nobody answers for has failed."""
        try:
            done = self.agent.run(command, (stdin or "").encode())
        except (OSError, TestHostError) as error:
            if check:
                raise TestHostError(f"{self.name}: {error}") from error
            return subprocess.CompletedProcess(command, 255, "", str(error))
        out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        if check and done.returncode:
            raise TestHostError(f"{shlex.join(command)}: exit code {done.returncode}\n{err}")
        return subprocess.CompletedProcess(command, done.returncode, out, err)

    def become(self, command: Sequence[str]) -> None:
        """Run a command in it, with this process's input, and end as it does; does not return."""
        given = b"" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer.read()
        try:
            done = self.agent.run(command, given, timeout=3600)
        except OSError as error:
            raise TestHostError(f"{self.name}: {error}") from error
        sys.stdout.buffer.write(done.stdout)
        sys.stderr.buffer.write(done.stderr)
        sys.exit(done.returncode)

    def _boot_id(self) -> str:
        return self.run("cat", BOOT_ID).stdout.strip()

    def reboot(self) -> None:
        """Tell it to restart, and wait until another kernel answers."""
        before = self._boot_id()
        if not before:
            raise TestHostError(f"{self.name} does not answer; see {self.folder}/console.log")
        self.run("systemctl", "--no-block", "reboot")
        what = f"{self.name}: another boot"
        wait_for(lambda: self._boot_id() not in ("", before), what, timeout=self.patience)

    def cut(self) -> None:
        """Cut its power: what its kernel has not written is lost."""
        if pid := self.pid():
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not self.pid(), f"{self.name}: end of QEMU", timeout=30)

    def remove(self) -> None:
        """Remove it; no matter if it is half made or gone already."""
        self.cut()
        if self._is_connected():
            run(["nft", "delete", "table", "ip", self.link], check=False)
            run(["ip", "link", "delete", self.link])
        shutil.rmtree(self.running, ignore_errors=True)
