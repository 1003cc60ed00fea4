"""A scenario's host from both sides: its administrator's over ssh, and a stranger's."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import requests
import testinfra
import yaml
from requests.adapters import HTTPAdapter
from testinfra.host import Host

TOP = Path(__file__).resolve().parents[3]
TESTHOST = TOP / "script" / "testhost"
STATE = TOP / ".testhost"
KEY = STATE / "id_ed25519"
ADMIN = "deploy"
PASSWORD = "test-password"  # of the users that the image has
HUNG_UP = "kex_exchange_identification"  # as sshd does for a while after some refused logins
SETTINGS = yaml.safe_load((TOP / "molecule/shared/group_vars/all.yml").read_text())
APP = SETTINGS["flask_app"]
ROOT = f"/srv/{APP}"

Answer = TypeVar("Answer")


def wait_for(condition: Callable[[], Answer], what: str, seconds: float = 30) -> Answer:
    """What the condition returns once it holds; the exceptions of a network count as not yet."""
    end, problem = time.monotonic() + seconds, ""
    while time.monotonic() < end:
        try:
            if answer := condition():
                return answer
        except OSError as error:
            problem = f": {error}"
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds:.0f} s{problem}")


ANY_CERTIFICATE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ANY_CERTIFICATE.check_hostname, ANY_CERTIFICATE.verify_mode = False, ssl.CERT_NONE


class AnyCertificate(HTTPAdapter):
    """Without a context of one's own, each connection reads the system's certificates: 0.1 s of a processor."""

    def __init__(self, name: str = "") -> None:
        self.named = {"server_hostname": name} if name else {}
        super().__init__()

    def init_poolmanager(self, *sizes: object, **options: object) -> None:
        super().init_poolmanager(*sizes, **options, **self.named, ssl_context=ANY_CERTIFICATE)


class Visitor(requests.Session):
    """A browser that takes any certificate; tests of their own look at the certificate.

    The name is the one that it asks the address for, where that is not the address itself.
    """

    def __init__(self, address: str, origin: str = "", name: str = "") -> None:
        super().__init__()
        self.address = address
        self.origin = origin or f"https://{address}"
        self.verify = False
        self.trust_env = False
        self.headers.update({"Host": name} if name else {})
        self.mount("https://", AnyCertificate(name))

    def request(self, method: str, url: str, **options: object) -> requests.Response:
        if url.startswith("/"):
            url = self.origin + url
        return super().request(method, url, **{"timeout": 20, **options})


@dataclass(frozen=True)
class Machine:
    """One host of the scenario."""

    name: str
    address: str

    def ssh(self, user: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Logs in as a user, who runs `id -un`."""
        known = f"UserKnownHostsFile={STATE / 'hosts' / self.name / 'known_hosts'}"
        pairs = [word for option in (known, *options) for word in ("-o", option)]
        argv = ["ssh", "-F", "none", *pairs, f"{user}@{self.address}", "id -un"]
        environment = {**os.environ, **variables}

        def answer() -> subprocess.CompletedProcess[str] | None:
            done = subprocess.run(
                argv, env=environment, capture_output=True, text=True, timeout=60, check=False
            )
            return None if HUNG_UP in done.stderr else done

        return wait_for(answer, f"an answer of {self.name}'s sshd", seconds=90)

    def ssh_by_password(self, user: str) -> subprocess.CompletedProcess[str]:
        """Logs in with the password that the image's users have."""
        ways = "PreferredAuthentications=password,keyboard-interactive"
        with tempfile.TemporaryDirectory() as folder:
            askpass = Path(folder, "askpass")
            askpass.write_text(f"#!/bin/sh\necho {PASSWORD}\n")
            askpass.chmod(0o700)
            variables = {"SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force"}
            return self.ssh(user, ways, "PubkeyAuthentication=no", "NumberOfPasswordPrompts=1", **variables)

    def shell(self) -> Host:
        """Its administrator's shell, as root."""
        known = STATE / "hosts" / self.name / "known_hosts"
        return testinfra.get_host(
            f"ssh://{ADMIN}@{self.address}",
            sudo=True,
            ssh_identity_file=str(KEY),
            ssh_extra_args=f"-F none -o BatchMode=yes -o UserKnownHostsFile={known}",
            controlpath=str(self.connection),
        )

    def visitor(self) -> Visitor:
        """Somebody with a browser."""
        return Visitor(self.address)

    def answers(self) -> bool:
        """Whether the application says that it is well."""
        return self.visitor().get("/healthz").ok

    def own_address(self) -> str:
        """The address by which the host sees the visitor; no packet is sent."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((self.address, 9))
            return probe.getsockname()[0]

    def inside(self, script: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a shell script as root without ssh: it also works where nobody can log in."""
        argv = [sys.executable, str(TESTHOST), "exec", self.name, "--", "sh", "-euc", script, "sh", *words]
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=600, check=False)

    @property
    def connection(self) -> Path:
        """The socket of the administrator's open connection."""
        return STATE / "hosts" / self.name / "connection"

    def reboot(self) -> None:
        """Shuts it down in order, starts it, and waits for its sshd."""
        close = ["ssh", "-F", "none", "-o", f"ControlPath={self.connection}", "-O", "exit", self.address]
        subprocess.run(close, capture_output=True, timeout=30, check=False)
        subprocess.run([sys.executable, str(TESTHOST), "reboot", self.name], check=True, timeout=600)


@dataclass(frozen=True)
class Application(Machine):
    """One of several applications of a host, as those see it who ask for its name."""

    app: str
    domain: str

    def visitor(self) -> Visitor:
        return Visitor(self.address, name=self.domain)


def machines() -> list[Machine]:
    """The hosts of the scenario that molecule verifies."""
    inventory = yaml.safe_load(Path(os.environ["MOLECULE_INVENTORY_FILE"]).read_text())
    return [Machine(name, about["ansible_host"]) for name, about in inventory["all"]["hosts"].items()]


def scenario_state() -> Path:
    """Where the scenario's neighbours keep what they get."""
    return STATE / f"scenario-{os.environ['MOLECULE_SCENARIO_NAME']}"


def live_slot(host: Host) -> str:
    """The slot that the visitors reach, blue or green."""
    return host.check_output(f"readlink {ROOT}/run/live.sock").removesuffix(".sock")
