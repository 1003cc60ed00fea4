"""A host that is a container: podman starts it, and its kernel is this machine's."""

from __future__ import annotations

import errno
import io
import ipaddress
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Mapping, Sequence

from .checkout import ID, STATE
from .machine import (
    BOUNDS,
    MEMORY,
    control_groups,
    has_memory_controller,
    has_trees,
    podman,
    podman_argv,
    remove_control_groups,
    run,
)

NETWORK = f"testhost-{ID}"
CHECKOUT_LABEL = f"testhost.checkout={ID}"
NAME_LABEL = "testhost.name"
MEMORY_LABEL = "testhost.memory"
TREES_LABEL = "testhost.trees"

# A host restarts by itself, as a server does whose administrator types `reboot`.
RUN_OPTIONS = """
    --systemd=always --privileged --pids-limit=-1 --ulimit=nofile=10000:10000
    --ulimit=nproc=30000:30000 --no-hosts --restart=always --volume=/var/log/journal
""".split()

# A machine whose controllers are in v1 trees leaves none for the tree that its containers have. Its systemd is shown
# the trees by which it can bound what it runs, and no others: a group of its own is the host's root in each.
BOOT_WITH_BOUNDS = f"""
umount /sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
cd /sys/fs/cgroup
mkdir unified {" ".join(BOUNDS)}
mount -t cgroup2 cgroup2 unified
mount -t cgroup -o none,name=systemd cgroup systemd
for tree in {" ".join(tree for tree in BOUNDS if tree != "systemd")}; do mount -t cgroup -o $tree cgroup $tree; done
grep -E '^(#subsys_name|{"|".join(BOUNDS)})[[:space:]]' /proc/cgroups >/run/cgroups
mount --bind /run/cgroups /proc/cgroups
cd /
exec /sbin/init
"""

# As in an LXC container without nesting: systemd is refused the first mount that it makes in a namespace of a service,
# so that each service with a confinement ends with 226.
SECCOMP = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [
        {
            "names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EACCES,
            "args": [{"index": 3, "value": 0x80000 | 0x4000, "op": "SCMP_CMP_EQ"}],  # MS_SLAVE | MS_REC
        }
    ],
}


def _without_namespaces() -> list[str]:
    """Return podman's options for a host that can make no namespaces for its services."""
    path = STATE / "seccomp.json"
    path.write_text(json.dumps(SECCOMP))
    return [f"--security-opt=seccomp={path}"]


def states() -> dict[str, str]:
    """Map the name of each host that has a container to the container's state."""
    form = f'{{{{index .Labels "{NAME_LABEL}"}}}} {{{{.State}}}}'
    filters = ("--filter", f"label={CHECKOUT_LABEL}")
    lines = podman("ps", "--all", *filters, "--format", form).stdout.splitlines()
    return dict(line.split(" ", 1) for line in lines)


def _subnet() -> ipaddress.IPv4Network:
    """Return the checkout's subnet; podman chooses one that is free on this machine."""
    if podman("network", "exists", NETWORK, check=False).returncode:
        podman("network", "create", "--disable-dns", "--label", CHECKOUT_LABEL, NETWORK)
    found = json.loads(podman("network", "inspect", NETWORK).stdout)
    return ipaddress.IPv4Network(found[0]["subnets"][0]["subnet"])


def remove_network() -> None:
    """Remove the checkout's network, which has no host any more."""
    podman("network", "rm", NETWORK, check=False)


def free_address(used: set[str]) -> str:
    """Return an address for another host; nobody else may be looking for one."""
    _gateway, *addresses = map(str, _subnet().hosts())
    return next(address for address in addresses if address not in used)


def mac_of(address: str) -> str:
    """Return a hardware address that outlives a reboot: ARP remembers the old one for long."""
    return "02:00:" + ipaddress.IPv4Address(address).packed.hex(":")


def tar_of(files: Mapping[str, str]) -> bytes:
    """Return an archive of files; all but the public ones are for root alone."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            entry.mtime = int(time.time())
            entry.mode = mode_of(name)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def mode_of(name: str) -> int:
    """Return the mode of a file that a host is given."""
    return 0o600 if name.startswith(("root/", "etc/ssh/")) and not name.endswith(".pub") else 0o644


class Container:
    """The container of a host; its name is unique on this machine."""

    def __init__(self, name: str, slowness: int = 1) -> None:
        self.name = name
        self.patience = 60 * slowness  # seconds for a boot
        self.id = f"testhost-{ID}-{name}"

    def create(
        self, address: str, image: str, memory: str, partitions: Sequence[str], bounds: bool, namespaces: bool = True
    ) -> None:
        """Make it, without starting it."""
        own = has_memory_controller()  # and the others with it
        limit = [f"--memory={memory}"] if own else []
        limit += [] if namespaces else _without_namespaces()
        boot = ["/bin/sh", "-ec", BOOT_WITH_BOUNDS] if bounds and not own and has_trees() else []
        trees = " ".join(BOUNDS if boot else [MEMORY])
        volumes = [f"--volume={path}" for path in partitions]
        podman(
            *("create", *RUN_OPTIONS, *limit, *volumes, f"--name={self.id}"),
            *(f"--hostname={self.name}", f"--network={NETWORK}", f"--ip={address}"),
            *(f"--mac-address={mac_of(address)}", f"--label={CHECKOUT_LABEL}"),
            *(f"--label={NAME_LABEL}={self.name}", f"--label={MEMORY_LABEL}={memory}"),
            *(f"--label={TREES_LABEL}={trees}", image, *boot),
        )

    def write(self, files: Mapping[str, str]) -> None:
        """Put files into it before its first start."""
        podman("cp", "-", f"{self.id}:/", stdin=tar_of(files))

    def switch_on(self) -> None:
        """Start it; where podman cannot limit its memory, the machine's own tree does."""
        labels = [f'{{{{index .Config.Labels "{label}"}}}}' for label in (MEMORY_LABEL, TREES_LABEL)]
        memory, *trees = podman("inspect", "--format", " ".join(labels), self.id).stdout.split()
        prefix = [] if has_memory_controller() else control_groups(self.id, memory, trees)
        run([*prefix, *podman_argv("start", self.id)])

    def run(
        self, *command: str, stdin: str | None = None, check: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as root."""
        options = ("--interactive",) if stdin is not None else ()
        return podman("exec", *options, self.id, *command, check=check, timeout=120, stdin=stdin)

    def become(self, command: Sequence[str]) -> None:
        """Replace this process by a command in it; does not return."""
        argv = podman_argv("exec", "--interactive", self.id, *command)
        os.execvp(argv[0], argv)

    def reboot(self) -> None:
        """Shut it down in order, and start it."""
        podman("stop", "--time=60", self.id)
        self.switch_on()

    def cut(self) -> None:
        """Cut its power: no process gets to say goodbye."""
        podman("kill", "--signal=KILL", self.id)
        podman("wait", self.id, timeout=30)

    def remove(self) -> None:
        """Remove it; no matter if it is half made or gone already."""
        podman("rm", "--force", "--time=0", "--volumes", "--ignore", self.id)
        remove_control_groups(self.id)
