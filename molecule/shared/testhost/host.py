"""One test host: a container that boots, is logged in to over ssh, and loses its power."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import ipaddress
import json
import re
import shutil
import socket
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

from .image import PASSWORD, ensure_image
from .machine import (
    BOUNDS,
    MEMORY,
    TestHostError,
    control_groups,
    has_memory_controller,
    has_trees,
    locked,
    podman,
    podman_argv,
    remove_control_groups,
    run,
    wait_for,
)

CHECKOUT = Path(__file__).resolve().parents[3]
STATE = CHECKOUT / ".testhost"
KEY = STATE / "id_ed25519"
LOCK = STATE / "lock"
ID = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]
NETWORK = f"testhost-{ID}"
CHECKOUT_LABEL = f"testhost.checkout={ID}"
NAME_LABEL = "testhost.name"
MEMORY_LABEL = "testhost.memory"
TREES_LABEL = "testhost.trees"
PORT = 22

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

# cloud-init's line: it tells who comes as root which user to take, and closes.
REFUSE_ROOT = (
    "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,"
    'command="echo \'Please login as the user \\"{user}\\" rather than the user \\"root\\".\';'
    'echo;sleep 10;exit 142" '
)
ADD_USER = f"""
set -e
user=$1
useradd --create-home --shell /bin/bash --groups adm,sudo $user
echo "$user:{PASSWORD}" | chpasswd
echo "$user ALL=(ALL) NOPASSWD:ALL" > /etc/sudoers.d/90-cloud-init-users
chmod 0440 /etc/sudoers.d/90-cloud-init-users
install -d -m 0700 -o $user -g $user /home/$user/.ssh
install -m 0600 -o $user -g $user /dev/stdin /home/$user/.ssh/authorized_keys
"""


@dataclasses.dataclass(frozen=True)
class Host:
    """How to reach a host; `script/testhost up` prints it."""

    name: str
    address: str
    port: int
    user: str
    key: str
    image: str


def container_of(name: str) -> str:
    """Return the name of the host's container, unique on this machine."""
    return f"testhost-{ID}-{name}"


def _folder_of(name: str) -> Path:
    return STATE / "hosts" / name


def known_hosts_of(name: str) -> Path:
    """Return the file that holds the host's own ssh keys."""
    return _folder_of(name) / "known_hosts"


def _record_of(name: str) -> Path:
    return _folder_of(name) / "host.json"


def hosts() -> list[Host]:
    """Return this checkout's hosts, as their creation recorded them."""
    records = sorted((STATE / "hosts").glob("*/host.json"))
    return [Host(**json.loads(path.read_text())) for path in records]


def states() -> dict[str, str]:
    """Map the name of each host that has a container to the container's state."""
    form = f'{{{{index .Labels "{NAME_LABEL}"}}}} {{{{.State}}}}'
    filters = ("--filter", f"label={CHECKOUT_LABEL}")
    lines = podman("ps", "--all", *filters, "--format", form).stdout.splitlines()
    return dict(line.split(" ", 1) for line in lines)


def find(name: str) -> Host:
    """Return one host of this checkout."""
    for host in hosts():
        if host.name == name:
            return host
    raise TestHostError(f"no host '{name}' in this checkout; see `script/testhost list`")


def _prepare_state() -> None:
    """Create the checkout's key pair on first use."""
    with locked(LOCK):
        if not KEY.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "testhost", "-f", str(KEY)])


def _subnet() -> ipaddress.IPv4Network:
    """Return the checkout's subnet; podman chooses one that is free on this machine."""
    if podman("network", "exists", NETWORK, check=False).returncode:
        podman("network", "create", "--disable-dns", "--label", CHECKOUT_LABEL, NETWORK)
    found = json.loads(podman("network", "inspect", NETWORK).stdout)
    return ipaddress.IPv4Network(found[0]["subnets"][0]["subnet"])


def _mac_of(address: str) -> str:
    """Return a hardware address that outlives a reboot: ARP remembers the old one for long."""
    return "02:00:" + ipaddress.IPv4Address(address).packed.hex(":")


def _remove_orphans() -> None:
    """Remove containers whose record, and so their key, is gone: nobody can reach them."""
    for name in states():
        if not _record_of(name).exists():
            _remove_container(name)


def _register(name: str, image: str, login: str) -> Host:
    """Reserve the name, and an address that stays the host's for life."""
    with locked(LOCK):
        if _record_of(name).exists():
            remedy = f"`script/testhost down {name}` removes it"
            raise TestHostError(f"the host '{name}' exists; {remedy}")
        _remove_orphans()
        used = {host.address for host in hosts()}
        _gateway, *addresses = map(str, _subnet().hosts())
        address = next(address for address in addresses if address not in used)
        host = Host(name, address, PORT, login, str(KEY), image)
        _folder_of(name).mkdir(parents=True, exist_ok=True)
        _record_of(name).write_text(json.dumps(dataclasses.asdict(host)))
    return host


def _create(host: Host, memory: str, partitions: Sequence[str], bounds: bool) -> None:
    own = has_memory_controller()  # and the others with it
    limit = [f"--memory={memory}"] if own else []
    boot = ["/bin/sh", "-ec", BOOT_WITH_BOUNDS] if bounds and not own and has_trees() else []
    trees = " ".join(BOUNDS if boot else [MEMORY])
    volumes = [f"--volume={path}" for path in partitions]
    podman(
        *("create", *RUN_OPTIONS, *limit, *volumes, f"--name={container_of(host.name)}"),
        *(f"--hostname={host.name}", f"--network={NETWORK}", f"--ip={host.address}"),
        *(f"--mac-address={_mac_of(host.address)}", f"--label={CHECKOUT_LABEL}"),
        *(f"--label={NAME_LABEL}={host.name}", f"--label={MEMORY_LABEL}={memory}"),
        *(f"--label={TREES_LABEL}={trees}", host.image, *boot),
    )


def _make_host_keys(host: Host) -> None:
    """Make the host's ssh keys here, so that its first login already checks them."""
    folder = _folder_of(host.name)
    (folder / "etc/ssh").mkdir(parents=True, exist_ok=True)
    run(["ssh-keygen", "-A", "-f", str(folder)])
    public = [path.read_text() for path in sorted(folder.glob("etc/ssh/*.pub"))]
    known_hosts_of(host.name).write_text("".join(f"{host.address} {key}" for key in public))


def _first_files(host: Host) -> dict[str, str]:
    """Return the files that a provider puts on a new server, by path."""
    prefix = "" if host.user == "root" else REFUSE_ROOT.format(user=host.user)
    authorized = prefix + KEY.with_suffix(".pub").read_text()
    files = {"root/.ssh/authorized_keys": authorized, "etc/hostname": f"{host.name}\n"}
    for path in _folder_of(host.name).glob("etc/ssh/*"):
        files[f"etc/ssh/{path.name}"] = path.read_text()
    return files


def _tar(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            entry.mtime = int(time.time())
            entry.mode = 0o644 if name.endswith((".pub", "hostname")) else 0o600
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def _start(name: str) -> None:
    """Switch the host on; where podman cannot limit its memory, the machine's own tree does."""
    container = container_of(name)
    labels = [f'{{{{index .Config.Labels "{label}"}}}}' for label in (MEMORY_LABEL, TREES_LABEL)]
    memory, *trees = podman("inspect", "--format", " ".join(labels), container).stdout.split()
    prefix = [] if has_memory_controller() else control_groups(container, memory, trees)
    run([*prefix, *podman_argv("start", container)])


def _inside(name: str, *command: str) -> str:
    argv = ("exec", container_of(name), *command)
    return podman(*argv, check=False, timeout=120).stdout.strip()


def _is_booted(name: str) -> bool:
    """Ask for systemd's state; a question asked too early in a boot may stay unanswered."""
    state = _inside(name, "timeout", "2", "systemctl", "is-system-running")
    if state == "degraded":
        failed = _inside(name, "systemctl", "--failed", "--plain", "--no-legend")
        print(f"testhost: {name} has failed units:\n{failed}", file=sys.stderr)
    return state in ("running", "degraded")


def _answers_ssh(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _wait_until_up(host: Host) -> None:
    """Wait until the host has booted and its sshd answers, on whichever port it has now."""
    wait_for(lambda: _is_booted(host.name), f"{host.name}: boot")
    found = re.search(r"^port (\d+)$", _inside(host.name, "sshd", "-T"), re.MULTILINE)
    port = int(found[1]) if found else host.port
    where = f"{host.name}: sshd at {host.address} port {port}"
    wait_for(lambda: _answers_ssh(host.address, port), where)


def _log_in_first(host: Host) -> None:
    """Give the first user a key, and prove that the login works."""
    if host.user != "root":
        public = KEY.with_suffix(".pub").read_text()
        container = container_of(host.name)
        argv = ("exec", "--interactive", container, "sh", "-c", ADD_USER, "sh", host.user)
        podman(*argv, stdin=public)
    options = (f"UserKnownHostsFile={known_hosts_of(host.name)}", "BatchMode=yes")
    pairs = [text for option in options for text in ("-o", option)]
    run(["ssh", "-i", host.key, *pairs, f"{host.user}@{host.address}", "true"], timeout=30)


def up(name: str, image: str, login: str, memory: str, partitions: Sequence[str], bounds: bool) -> Host:
    """Create and start a host, and return once a login over ssh succeeds."""
    tag = ensure_image(image)
    _prepare_state()
    host = _register(name, tag, login)
    try:
        _create(host, memory, partitions, bounds)
        _make_host_keys(host)
        podman("cp", "-", f"{container_of(name)}:/", stdin=_tar(_first_files(host)))
        _start(name)
        _wait_until_up(host)
        _log_in_first(host)
    except BaseException:
        down(name)
        raise
    return host


def _remove_container(name: str) -> None:
    podman("rm", "--force", "--time=0", "--volumes", "--ignore", container_of(name))
    remove_control_groups(container_of(name))


def down(name: str) -> None:
    """Remove a host and what belongs to it; no matter if it is half made or gone already."""
    _remove_container(name)
    with locked(LOCK):
        shutil.rmtree(_folder_of(name), ignore_errors=True)
        if not hosts():
            podman("network", "rm", NETWORK, check=False)


def down_all() -> None:
    """Remove every host of this checkout, recorded or not."""
    for name in sorted({host.name for host in hosts()} | set(states())):
        down(name)


def reboot(name: str) -> None:
    """Shut the host down in order, start it, and wait until it is up again."""
    find(name)
    podman("stop", "--time=60", container_of(name))
    start(name)


def start(name: str) -> None:
    """Switch on a host that was killed, and wait until it is up."""
    host = find(name)
    _start(name)
    _wait_until_up(host)


def kill(name: str) -> None:
    """Cut the host's power: no process gets to say goodbye."""
    find(name)
    podman("kill", "--signal=KILL", container_of(name))
    podman("wait", container_of(name), timeout=30)


def exec_argv(name: str, command: Sequence[str]) -> list[str]:
    """Return the command line that runs a command inside the host, as root, without ssh."""
    find(name)
    return podman_argv("exec", "--interactive", container_of(name), *command)
