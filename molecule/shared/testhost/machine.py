"""The machine that runs the test hosts: its packages, its settings, and podman on it."""

from __future__ import annotations

import configparser
import contextlib
import fcntl
import functools
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RUNTIME = Path("/run/testhost")
MOUNTS = RUNTIME / "mounts"
CGROUP = Path("/sys/fs/cgroup")
MEMORY = "memory"
BOUNDS = ("cpu", MEMORY, "pids", "systemd")  # the v1 trees that systemd in a host bounds its units by
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
CA_FOLDER = Path("/usr/local/share/ca-certificates")
PIP_CONFIGS = """
    /etc/xdg/pip/pip.conf /etc/pip.conf ~/.pip/pip.conf ~/.config/pip/pip.conf
""".split()
PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
BINFMT = Path("/proc/sys/fs/binfmt_misc")
BINFMT_RULES = Path("/usr/lib/binfmt.d")
EMULATORS = {"arm64": "qemu-aarch64", "armhf": "qemu-arm"}  # by the architecture, as qemu has them
EMULATION_PACKAGE = "qemu-user-static"
PACKAGES = {
    "podman": "podman",
    "crun": "crun",
    "mmdebstrap": "mmdebstrap",
    "ssh-keygen": "openssh-client",
    "iptables": "iptables",
    "nft": "nftables",
    "/usr/lib/podman/netavark": "netavark",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
PACKAGES_FOR_VIRTUAL = {
    "qemu-system-x86_64": "qemu-system-x86",
    "mke2fs": "e2fsprogs",
    "ip": "iproute2",
}
RESOLVERS = ["/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"]


class TestHostError(Exception):
    """A failure that the user can act on; its text is all that is shown."""


def run(
    argv: Sequence[str],
    *,
    check: bool = True,
    timeout: float = 300,
    stdin: str | bytes | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command, capture what it says, and quote its last lines where it fails."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        done = subprocess.run(argv, input=data, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise TestHostError(f"{' '.join(argv[:8])}: no end after {timeout:.0f} s") from error
    out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    if check and done.returncode:
        tail = "\n".join((err or out).strip().splitlines()[-15:])
        raise TestHostError(f"{' '.join(argv[:8])}: exit code {done.returncode}\n{tail}")
    return subprocess.CompletedProcess(argv, done.returncode, out, err)


def retry(action: Callable[[], None], attempts: int = 3, pause: float = 20) -> None:
    """Repeat an action that needs the network, and raise what its last attempt raised."""
    for attempt in range(1, attempts):
        try:
            return action()
        except TestHostError as error:
            print(f"testhost: attempt {attempt} failed, trying again: {error}", file=sys.stderr)
            time.sleep(pause * attempt)
    return action()


def wait_for(condition: Callable[[], bool], what: str, timeout: float = 60) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TestHostError(f"{what}: not within {timeout:.0f} s")
        time.sleep(0.05)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock; the kernel releases it even if this process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _is_there(command: str) -> bool:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return shutil.which(command, path=path) is not None or Path(command).is_file()


def _apt(*arguments: str) -> None:
    options = ("-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3")
    run(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *options, *arguments], timeout=900)


def install_packages(wanted: Mapping[str, str] = PACKAGES) -> None:
    """Install what the tool needs and this machine lacks: packages by a command of theirs."""
    if os.geteuid():
        raise TestHostError("test hosts need root: they have systemd, a network and a firewall")
    with locked(RUNTIME / "apt.lock"):
        missing = [package for command, package in wanted.items() if not _is_there(command)]
        if missing:
            print(f"testhost: installing {' '.join(missing)}", file=sys.stderr)
            retry(lambda: _apt("update"))
            retry(lambda: _apt("install", "-y", "--no-install-recommends", *missing))


@functools.cache
def own_architecture() -> str:
    """Return the machine's architecture, as Debian calls it."""
    return run(["dpkg", "--print-architecture"]).stdout.strip()


def prepare_emulation(architecture: str) -> None:
    """Let the kernel run the programs of another architecture by qemu, also in containers.

    Debian's own rule opens qemu when it is registered (F), so that no container has to have it.
    Only with C as well can sudo become root.
    """
    emulator = EMULATORS[architecture]
    install_packages({f"/usr/bin/{emulator}-static": EMULATION_PACKAGE})
    with locked(RUNTIME / "binfmt.lock"):
        if not (BINFMT / "register").exists():
            run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)])
        if not (BINFMT / f"testhost-{architecture}").exists():
            rule = Path(BINFMT_RULES, f"{emulator}.conf").read_text().strip()
            _, _, pattern = rule.partition(f":{emulator}:")
            pattern, _, _flags = pattern.rpartition(":")
            (BINFMT / "register").write_text(f":testhost-{architecture}:{pattern}:POCF")


def _prepare_mounts() -> None:
    """Make the mount namespace in which /sys/fs/cgroup is a pure cgroup2 tree, as crun wants it."""
    with locked(RUNTIME / "mounts.lock"):
        if run(["nsenter", f"--mount={MOUNTS}", "true"], check=False).returncode == 0:
            return
        if not os.path.ismount(RUNTIME):
            run(["mount", "--bind", str(RUNTIME), str(RUNTIME)])
        run(["mount", "--make-private", str(RUNTIME)])
        MOUNTS.touch()
        mount = ["mount", "-t", "cgroup2", "cgroup2", str(CGROUP)]
        run(["unshare", f"--mount={MOUNTS}", *mount])


def has_pure_cgroup2() -> bool:
    """Tell whether podman can use this machine's cgroup tree as it is."""
    return (CGROUP / "cgroup.controllers").exists()


def has_memory_controller() -> bool:
    """Tell whether podman itself can limit a container's memory."""
    path = CGROUP / "cgroup.controllers"
    return path.exists() and "memory" in path.read_text().split()


def has_trees() -> bool:
    """Tell whether the controllers are in cgroup v1 trees."""
    return all((CGROUP / tree).is_dir() for tree in BOUNDS)


def control_groups(name: str, limit: str, trees: Sequence[str]) -> list[str]:
    """Create a host's groups in cgroup v1 trees, and return the command line that starts within them."""
    groups = [CGROUP / tree / name for tree in trees if (CGROUP / tree).is_dir()]
    for group in groups:
        group.mkdir(exist_ok=True)
        if group.parent.name == MEMORY:
            (group / "memory.limit_in_bytes").write_text(limit)
    enter = "".join(f"echo $$ > {group}/cgroup.procs; " for group in groups)
    return ["sh", "-ec", enter + 'exec "$@"', "sh"] if groups else []


def remove_control_groups(name: str) -> None:
    """Remove the host's groups, and those that its systemd has made in them, once their last process has ended."""
    groups = [CGROUP / tree / name for tree in BOUNDS if (CGROUP / tree / name).is_dir()]

    def is_empty() -> bool:
        return not any(path.read_text() for group in groups for path in group.rglob("cgroup.procs"))

    wait_for(is_empty, f"end of the processes in {' and '.join(map(str, groups))}", timeout=60)
    for group in groups:
        for folder, _, _ in os.walk(group, topdown=False):
            os.rmdir(folder)


def podman_argv(*arguments: str) -> list[str]:
    """Return the command line that runs podman where its cgroup tree is usable."""
    systemd = Path("/run/systemd/system").is_dir()
    argv = ["podman", f"--cgroup-manager={'systemd' if systemd else 'cgroupfs'}", *arguments]
    if has_pure_cgroup2():
        return argv
    _prepare_mounts()
    return ["nsenter", f"--mount={MOUNTS}", *argv]


def podman(
    *arguments: str, check: bool = True, timeout: float = 300, stdin: str | bytes | None = None
) -> subprocess.CompletedProcess[str]:
    """Run podman and capture what it says."""
    return run(podman_argv(*arguments), check=check, timeout=timeout, stdin=stdin)


@dataclass(frozen=True)
class Settings:
    """What this machine was given to reach the network, and its test hosts need as well."""

    mirror: str
    security: str | None
    apt_options: tuple[str, ...]
    pip: tuple[tuple[str, str], ...]
    proxies: tuple[tuple[str, str], ...]
    certificates: tuple[str, ...]


def _repositories() -> dict[str, str]:
    """Map the label of each Debian repository that apt knows to its URI."""
    form = "$(ORIGIN)|$(LABEL)|$(REPO_URI)"
    lines = run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"]).stdout
    rows = (line.split("|") for line in lines.splitlines())
    return {label: uri for origin, label, uri in rows if origin == "Debian"}


def _apt_options() -> tuple[str, ...]:
    """Return the proxies and checks of this machine's apt, as lines of apt.conf."""
    lines = run(["apt-config", "dump", "Acquire"]).stdout.splitlines()
    wanted = re.compile(r"Acquire::(Check-|\S+::Proxy\b)\S* \".+\";")
    return tuple(line for line in lines if wanted.match(line))


def _pip_settings() -> tuple[tuple[str, str], ...]:
    """Return pip's index where it is a server; folders of this machine do not exist in a host."""
    config = configparser.RawConfigParser()
    config.read([os.path.expanduser(path) for path in PIP_CONFIGS])
    found = {}
    for key in ("index-url", "extra-index-url", "trusted-host"):
        written = config.get("global", key, fallback="")
        words = os.environ.get(f"PIP_{key.upper().replace('-', '_')}", written).split()
        found[key] = " ".join(word for word in words if "url" not in key or word.startswith("http"))
    return tuple((key, value) for key, value in found.items() if value)


def _certificates() -> tuple[str, ...]:
    """Return every CA certificate that this machine trusts."""
    files = [Path(CA_BUNDLE), *sorted(CA_FOLDER.rglob("*.crt"))]
    text = "\n".join(path.read_text() for path in files if path.is_file())
    block = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
    return tuple(dict.fromkeys(block.findall(text)))


def name_servers() -> list[str]:
    """Return the name servers of this machine that can also be asked from another."""
    texts = [Path(path).read_text() for path in RESOLVERS if Path(path).is_file()]
    found = re.findall(r"(?m)^nameserver\s+(?!127\.|::1\s)(\S+)", "\n".join(texts))
    return list(dict.fromkeys(found))


def read_settings() -> Settings:
    """Read how this machine reaches its mirror and package index."""
    repositories = _repositories()
    if "Debian" not in repositories:
        retry(lambda: _apt("update"))
        repositories = _repositories()
    if "Debian" not in repositories:
        raise TestHostError("apt on this machine has no Debian repository to build images from")
    names = [name for key in PROXIES for name in (key, key.upper()) if os.environ.get(name)]
    return Settings(
        mirror=repositories["Debian"],
        security=repositories.get("Debian-Security"),
        apt_options=_apt_options(),
        pip=_pip_settings(),
        proxies=tuple((name, os.environ[name]) for name in names),
        certificates=_certificates(),
    )
