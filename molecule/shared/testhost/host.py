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
import tarfile
from collections.abc import Sequence
from pathlib import Path

from .image import PASSWORD, ensure_image
from .machine import (
    TestHostError,
    has_memory_controller,
    locked,
    memory_group,
    podman,
    podman_argv,
    run,
    wait_for,
)

CHECKOUT = Path(__file__).resolve().parents[3]
STATE = CHECKOUT / ".testhost"
KEY = STATE / "id_ed25519"
LOCK = STATE / "lock"
ID = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]
NETWORK = f"testhost-{ID}"
LABEL = f"testhost.checkout={ID}"
VALID_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,40}[a-z0-9])?")
PORT = 22

RUN_OPTIONS = (
    "--systemd=always --privileged --pids-limit=-1 --ulimit=nofile=10000:10000 "
    "--ulimit=nproc=30000:30000 --no-hosts"
).split()

# cloud-init's line: it tells who comes as root which user to take, and closes.
REFUSE_ROOT = (
    "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,"
    "command=\"echo 'Please login as the user \\\"debian\\\" rather than the user \\\"root\\\".';"
    'echo;sleep 10;exit 142" '
)
ADD_DEBIAN = f"""
set -e
useradd --create-home --shell /bin/bash --groups adm,sudo debian
echo 'debian:{PASSWORD}' | chpasswd
echo 'debian ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/90-cloud-init-users
chmod 0440 /etc/sudoers.d/90-cloud-init-users
install -d -m 0700 -o debian -g debian /home/debian/.ssh
install -m 0600 -o debian -g debian /dev/stdin /home/debian/.ssh/authorized_keys
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


def _prepare_state() -> None:
    """Create the checkout's key pair on first use."""
    STATE.mkdir(exist_ok=True)
    with locked(LOCK):
        if not KEY.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "testhost", "-f", str(KEY)])


def _gateway_network() -> ipaddress.IPv4Network:
    """Return the checkout's subnet; podman chooses one that is free on this machine."""
    if podman("network", "exists", NETWORK, check=False).returncode:
        podman("network", "create", "--disable-dns", "--label", LABEL, NETWORK)
    found = json.loads(podman("network", "inspect", NETWORK).stdout)
    return ipaddress.IPv4Network(found[0]["subnets"][0]["subnet"])


def _free_address() -> str:
    """Return an address that no host of this checkout has: it stays the host's for life."""
    used = {host.address for host in hosts()}
    candidates = list(_gateway_network().hosts())[1:]
    return next(str(address) for address in candidates if str(address) not in used)


def _create(host: Host, memory: str) -> None:
    limit = [f"--memory={memory}"] if has_memory_controller() else []
    podman(
        *("create", *RUN_OPTIONS, *limit, f"--name={container_of(host.name)}"),
        *(f"--hostname={host.name}", f"--network={NETWORK}", f"--ip={host.address}"),
        *(f"--label={LABEL}", f"--label=testhost.name={host.name}"),
        *(f"--label=testhost.memory={memory}", host.image),
    )


def _record_host_keys(host: Host) -> None:
    """Make the host's ssh keys here, so that its first login already checks them."""
    folder = _folder_of(host.name)
    (folder / "etc/ssh").mkdir(parents=True, exist_ok=True)
    run(["ssh-keygen", "-A", "-f", str(folder)])
    public = [path.read_text() for path in sorted(folder.glob("etc/ssh/*.pub"))]
    known_hosts_of(host.name).write_text("".join(f"{host.address} {key}" for key in public))


def _provision_archive(host: Host) -> bytes:
    """Return the files that a provider puts on a new server, as a tar archive."""
    prefix = "" if host.user == "root" else REFUSE_ROOT
    authorized = prefix + KEY.with_suffix(".pub").read_text()
    files = {"root/.ssh/authorized_keys": authorized, "etc/hostname": f"{host.name}\n"}
    for path in _folder_of(host.name).glob("etc/ssh/*"):
        files[f"etc/ssh/{path.name}"] = path.read_text()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            entry.mode = 0o644 if name.endswith((".pub", "hostname")) else 0o600
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def _start(name: str) -> None:
    """Switch the host on; where podman cannot limit its memory, the machine's own tree does."""
    container = container_of(name)
    labels = json.loads(podman("inspect", "--format", "{{json .Config.Labels}}", container).stdout)
    prefix = [] if has_memory_controller() else memory_group(container, labels["testhost.memory"])
    run([*prefix, *podman_argv("start", container)])


def _is_booted(name: str) -> bool:
    argv = ("exec", container_of(name), "systemctl", "is-system-running", "--wait")
    return podman(*argv, check=False, timeout=90).stdout.strip() in ("running", "degraded")


def _answers_ssh(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _sshd_port(name: str) -> int:
    settings = podman("exec", container_of(name), "sshd", "-T").stdout
    found = re.search(r"^port (\d+)$", settings, re.MULTILINE)
    return int(found[1]) if found else PORT


def _wait_until_up(name: str) -> None:
    """Wait until the host has booted and its sshd answers, on whichever port it has now."""
    address = find(name).address
    wait_for(lambda: _is_booted(name), f"{name}: boot")
    port = _sshd_port(name)
    wait_for(lambda: _answers_ssh(address, port), f"{name}: ssh at {address} port {port}")


def ssh_argv(host: Host, *command: str) -> list[str]:
    """Return the command line that logs in as the host's first user."""
    options = (f"UserKnownHostsFile={known_hosts_of(host.name)}", "BatchMode=yes", "ConnectTimeout=5")
    pairs = [text for option in options for text in ("-o", option)]
    return ["ssh", "-i", host.key, *pairs, "-p", str(host.port), f"{host.user}@{host.address}", *command]


def hosts() -> list[Host]:
    """Return this checkout's hosts, as their creation recorded them."""
    files = sorted((STATE / "hosts").glob("*/host.json"))
    return [Host(**json.loads(path.read_text())) for path in files]


def find(name: str) -> Host:
    """Return one host of this checkout."""
    for host in hosts():
        if host.name == name:
            return host
    raise TestHostError(f"no host '{name}' in this checkout; see `script/testhost list`")


def _register(name: str, image: str, login: str) -> Host:
    """Reserve the name and an address for a new host."""
    with locked(LOCK):
        if any(host.name == name for host in hosts()):
            raise TestHostError(f"the host '{name}' exists; remove it by `script/testhost down {name}`")
        shutil.rmtree(_folder_of(name), ignore_errors=True)
        _folder_of(name).mkdir(parents=True)
        host = Host(name, _free_address(), PORT, login, str(KEY), image)
        (_folder_of(name) / "host.json").write_text(json.dumps(dataclasses.asdict(host)))
        return host


def up(name: str, image: str, login: str, memory: str) -> Host:
    """Create and start a host, and return once a login over ssh succeeds."""
    if not VALID_NAME.fullmatch(name):
        raise TestHostError(f"'{name}' is no host name: lower-case letters, digits, dots and hyphens")
    tag = ensure_image(image)
    _prepare_state()
    host = _register(name, tag, login)
    try:
        _record_host_keys(host)
        _create(host, memory)
        podman("cp", "-", f"{container_of(name)}:/", stdin=_provision_archive(host))
        _start(name)
        _wait_until_up(name)
        _log_in_first(host)
    except BaseException:
        remove(name)
        raise
    return host


def _log_in_first(host: Host) -> None:
    if host.user == "debian":
        public = KEY.with_suffix(".pub").read_text()
        podman("exec", "-i", container_of(host.name), "sh", "-c", ADD_DEBIAN, stdin=public)
    run(ssh_argv(host, "true"), timeout=30)


def remove(name: str) -> None:
    """Remove a host and what belongs to it, also one that was only half created."""
    podman("rm", "--force", "--time=0", "--ignore", container_of(name))
    with locked(LOCK):
        shutil.rmtree(_folder_of(name), ignore_errors=True)
        if not hosts():
            podman("network", "rm", "--force", NETWORK, check=False)


def reboot(name: str) -> None:
    """Shut the host down in order, start it, and wait until it is up again."""
    find(name)
    podman("stop", "--time=60", container_of(name))
    start(name)


def start(name: str) -> None:
    """Switch on a host that was killed, and wait until it is up."""
    find(name)
    _start(name)
    _wait_until_up(name)


def kill(name: str) -> None:
    """Cut the host's power: no process gets to say goodbye."""
    find(name)
    podman("kill", "--signal=KILL", container_of(name))
    podman("wait", container_of(name), timeout=30)


def exec_argv(name: str, command: Sequence[str]) -> list[str]:
    """Return the command line that runs a command inside the host, as root, without ssh."""
    find(name)
    return podman_argv("exec", "--interactive", container_of(name), *command)


def states() -> dict[str, str]:
    """Map the container of each host of this checkout to its state."""
    form = "{{.Names}} {{.State}}"
    lines = podman("ps", "--all", "--filter", f"label={LABEL}", "--format", form).stdout
    return dict(line.split(" ", 1) for line in lines.splitlines())
