"""One test host: it boots, is logged in to over ssh, and loses its power."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from . import container, virtual
from .checkout import KEY, LOCK, STATE, folder_of
from .container import Container
from .disk import ensure_disk
from .image import PASSWORD, ensure_image, image_of, is_emulated, prepare_kernel
from .machine import (
    CGROUP,
    MEMORY,
    TestHostError,
    has_memory_controller,
    locked,
    podman,
    run,
    wait_for,
)
from .virtual import VirtualMachine

PORT = 22
EMULATION = 10  # times as slow as the machine's own processor, at the most

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
    virtual: bool = False

    @property
    def is_emulated(self) -> bool:
        """Tell whether its processor is another one than the machine's."""
        return not self.virtual and is_emulated(image_of(self.image))

    @property
    def body(self) -> Container | VirtualMachine:
        """What it is made of."""
        if self.virtual:
            return VirtualMachine(self.name)
        return Container(self.name, EMULATION if self.is_emulated else 1)


def known_hosts_of(name: str) -> Path:
    """Return the file that holds the host's own ssh keys."""
    return folder_of(name) / "known_hosts"


def _record_of(name: str) -> Path:
    return folder_of(name) / "host.json"


def hosts() -> list[Host]:
    """Return this checkout's hosts, as their creation recorded them."""
    records = sorted((STATE / "hosts").glob("*/host.json"))
    return [Host(**json.loads(path.read_text())) for path in records]


def states() -> dict[str, str]:
    """Map the name of each host that has been made to its state."""
    return container.states() | virtual.states()


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


def _remove_orphans() -> None:
    """Remove hosts whose record, and so their key, is gone: nobody can reach them."""
    for name in states():
        if not _record_of(name).exists():
            _remove_bodies(name)


def _register(name: str, image: str, login: str, is_virtual: bool) -> Host:
    """Reserve the name, and an address that stays the host's for life."""
    with locked(LOCK):
        if _record_of(name).exists():
            remedy = f"`script/testhost down {name}` removes it"
            raise TestHostError(f"the host '{name}' exists; {remedy}")
        _remove_orphans()
        used = {host.address for host in hosts()}
        address = (virtual if is_virtual else container).free_address(used)
        host = Host(name, address, PORT, login, str(KEY), image, is_virtual)
        folder_of(name).mkdir(parents=True, exist_ok=True)
        _record_of(name).write_text(json.dumps(dataclasses.asdict(host)))
    return host


def _make_host_keys(host: Host) -> None:
    """Make the host's ssh keys here, so that its first login already checks them."""
    folder = folder_of(host.name)
    (folder / "etc/ssh").mkdir(parents=True, exist_ok=True)
    run(["ssh-keygen", "-A", "-f", str(folder)])
    public = [path.read_text() for path in sorted(folder.glob("etc/ssh/*.pub"))]
    known_hosts_of(host.name).write_text("".join(f"{host.address} {key}" for key in public))


def _first_files(host: Host) -> dict[str, str]:
    """Return the files that a provider puts on a new server, by path."""
    prefix = "" if host.user == "root" else REFUSE_ROOT.format(user=host.user)
    authorized = prefix + KEY.with_suffix(".pub").read_text()
    files = {"root/.ssh/authorized_keys": authorized, "etc/hostname": f"{host.name}\n"}
    for path in folder_of(host.name).glob("etc/ssh/*"):
        files[f"etc/ssh/{path.name}"] = path.read_text()
    return files


def _is_booted(host: Host) -> bool:
    """Ask for systemd's state; a question asked too early in a boot may stay unanswered."""
    seconds = str(host.body.patience // 30)
    state = host.body.run("timeout", seconds, "systemctl", "is-system-running").stdout.strip()
    if state == "degraded":
        failed = host.body.run("systemctl", "--failed", "--plain", "--no-legend").stdout.strip()
        print(f"testhost: {host.name} has failed units:\n{failed}", file=sys.stderr)
    return state in ("running", "degraded")


def _answers_ssh(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _wait_until_up(host: Host) -> None:
    """Wait until the host has booted and its sshd answers, on whichever port it has now."""
    patience = host.body.patience
    wait_for(lambda: _is_booted(host), f"{host.name}: boot", timeout=patience)
    found = re.search(r"^port (\d+)$", host.body.run("sshd", "-T").stdout, re.MULTILINE)
    port = int(found[1]) if found else host.port
    where = f"{host.name}: sshd at {host.address} port {port}"
    wait_for(lambda: _answers_ssh(host.address, port), where, timeout=patience)


def _log_in_first(host: Host) -> None:
    """Give the first user a key, and prove that the login works."""
    if host.user != "root":
        public = KEY.with_suffix(".pub").read_text()
        host.body.run("sh", "-c", ADD_USER, "sh", host.user, stdin=public, check=True)
    options = (f"UserKnownHostsFile={known_hosts_of(host.name)}", "BatchMode=yes")
    pairs = [text for option in options for text in ("-o", option)]
    argv = ["ssh", "-i", host.key, *pairs, f"{host.user}@{host.address}", "true"]
    run(argv, timeout=host.body.patience)


def up(
    name: str,
    image: str,
    login: str,
    memory: str,
    partitions: Sequence[str],
    is_virtual: bool = False,
    bounds: bool = False,
    namespaces: bool = True,
) -> Host:
    """Create and start a host, and return once a login over ssh succeeds."""
    made_of = ensure_disk(image) if is_virtual else ensure_image(image)
    _prepare_state()
    host = _register(name, made_of, login, is_virtual)
    try:
        options = {} if is_virtual else {"bounds": bounds, "namespaces": namespaces}
        host.body.create(host.address, made_of, memory, partitions, **options)
        _make_host_keys(host)
        host.body.write(_first_files(host))
        host.body.switch_on()
        _wait_until_up(host)
        _log_in_first(host)
    except BaseException:
        down(name)
        raise
    return host


def memory_folder(name: str) -> Path:
    """Return the cgroup that has the memory of all of a container's processes."""
    container_id = Container(name).id
    if not has_memory_controller():
        return CGROUP / MEMORY / container_id
    path = podman("inspect", "--format", "{{.State.CgroupPath}}", container_id).stdout.strip()
    return CGROUP / path.strip("/")


def _remove_bodies(name: str) -> None:
    """Remove a host without asking what it is made of: its record may be gone."""
    Container(name).remove()
    VirtualMachine(name).remove()


def down(name: str) -> None:
    """Remove a host and what belongs to it; no matter if it is half made or gone already."""
    _remove_bodies(name)
    with locked(LOCK):
        shutil.rmtree(folder_of(name), ignore_errors=True)
        if not hosts():
            container.remove_network()


def down_all() -> None:
    """Remove every host of this checkout, recorded or not."""
    for name in sorted({host.name for host in hosts()} | set(states())):
        down(name)


def reboot(name: str) -> None:
    """Shut the host down in order, start it, and wait until it is up again."""
    host = find(name)
    host.body.reboot()
    _wait_until_up(host)


def start(name: str) -> None:
    """Switch on a host that was killed, and wait until it is up."""
    host = find(name)
    if host.is_emulated:
        prepare_kernel(image_of(host.image))
    host.body.switch_on()
    _wait_until_up(host)


def kill(name: str) -> None:
    """Cut the host's power: no process gets to say goodbye."""
    find(name).body.cut()


def execute(name: str, command: Sequence[str]) -> None:
    """Become a command inside the host, as root, without ssh; does not return."""
    find(name).body.become(command)
