"""The host that is looked at: where it is, and commands on it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tools import TOP, run


@dataclass(frozen=True)
class Host:
    """The first host of an inventory, as its administrator reaches it."""

    inventory: Path
    own: bool  # started for the audit: its configuration may be changed
    state: Path

    @cached_property
    def variables(self) -> dict[str, object]:
        text = run(Path(sys.executable).with_name("ansible-inventory"), "-i", self.inventory, "--list", cwd=TOP)
        name, values = next(iter(json.loads(text)["_meta"]["hostvars"].items()))
        return {"inventory_hostname": name, "ansible_host": name, **values}

    @property
    def address(self) -> str:
        return str(self.variables["ansible_host"])

    @property
    def ssh_port(self) -> int:
        return int(self.variables.get("hardening_ssh_port") or self.variables.get("ansible_port", 22))

    @property
    def site(self) -> str:
        return str(self.variables.get("flask_domain", self.variables["inventory_hostname"]))

    @property
    def app(self) -> str:
        return str(self.variables["flask_app"])

    @property
    def ssh(self) -> list[str]:
        values = self.variables
        admins = values.get("flask_admins") or [{"name": "deploy"}]
        key = values.get("ansible_ssh_private_key_file")
        identity = ["-i", str(key)] if key else []
        options = shlex.split(str(values.get("ansible_ssh_common_args", "")))
        target = f"{admins[0]['name']}@{self.address}"
        return ["ssh", "-F", "none", "-p", str(self.ssh_port), *identity, *options, "-o", "BatchMode=yes", target]

    def run(self, script: str, stdin: bytes = b"", okay: tuple[int, ...] = (0,)) -> str:
        """The output of a shell script that root runs on the host."""
        command = [*self.ssh, f"sudo sh -c {shlex.quote('cd /root; ' + script)}"]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=900, check=False)
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if done.returncode not in okay:
            raise RuntimeError(f"on the host, {script[:60]!r} ended with {done.returncode}:\n{(out + err)[-2000:]}")
        return out

    @cached_property
    def authority(self) -> Path:
        """The certificate that the site's own is to be checked with."""
        if path := self.variables.get("audit_ca"):
            return Path(str(path))
        path = self.state / "site-ca.pem"
        path.write_text(self.run(f"cat /etc/ssl/selfhost/{self.app}.pem"))
        return path

    def use_profile(self, profile: str) -> None:
        """Sets the TLS profile and nothing else."""
        command = [Path(sys.executable).with_name("ansible-playbook"), "playbooks/provision.yml", "-i", self.inventory]
        run(*command, "--tags", "tls,nginx", "-e", f"flask_tls_profile={profile}", cwd=TOP)
