"""What a host says of itself, asked once: for the tests by the controls of dev-sec's baselines."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from functools import cached_property

from testinfra.host import Host

# By the name of the answer. Each is one command of the one script that is sent.
QUESTIONS = {
    "sshd": "sshd -T",
    "ssh": "ssh -G host.example.com",
    "host_keys": "for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -l -f $key; done",
    "weak_primes": "awk '$1 !~ /^#/ && $5 < 2047' /etc/ssh/moduli | wc -l",
    "nginx": "nginx -T 2>/dev/null",
    "processes": "ps -eo user:32=,args=",
    "container": "systemd-detect-virt --container",
    "sysctl": "sysctl -a 2>/dev/null",
    "sysctl_files": "systemd-analyze cat-config --no-pager sysctl.d",
    "modprobe": "cat /etc/modprobe.d/*.conf",
    "login_defs": "cat /etc/login.defs",
    "packages": "dpkg-query -W -f '${db:Status-Status} ${Package}\\n'",
    "passwd": "getent passwd",
    "group": "getent group",
    "suid": "find / -xdev -type f -perm /6000",
    "rhosts": "find / -xdev -maxdepth 3 -iname .rhosts -o -xdev -maxdepth 3 -iname .netrc",
    "mounts": "findmnt --list --noheadings --output TARGET,OPTIONS",
    "path": "printenv PATH",
    "modes": "stat -L -c '%n %a %U %G' /etc/ssh /etc/ssh/sshd_config /etc/ssh/ssh_config /etc/shadow /etc/passwd"
    " /etc/login.defs /var/log /etc/crontab /etc/cron.* /etc/nginx/nginx.conf /etc/mysql/my.cnf /var/lib/mysql"
    " /var/lib/mysql/ibdata1 /etc/hosts.equiv /etc/nginx/conf.d/default.conf /etc/nginx/sites-enabled/default"
    " 2>/dev/null",
    "variables": "mysql -N -e 'SHOW GLOBAL VARIABLES'",
    "databases": "mysql -N -e 'SHOW DATABASES'",
    "accounts": "mysql -N -e 'SELECT user, host, grant_priv, plugin, authentication_string FROM mysql.user'",
}
MARK = "=== "
KEYS_OF_A_CONTAINER = "net."  # the other settings are its machine's


@dataclass(frozen=True)
class Facts:
    """The answers, by the names above."""

    answers: dict[str, str]

    def lines(self, name: str) -> list[str]:
        return self.answers[name].splitlines()

    def table(self, name: str, separator: str | None = None) -> dict[str, str]:
        """Lines of a key and a value; a key that comes twice has its last value."""
        pairs = (line.split(separator, 1) for line in self.lines(name) if line.strip())
        return {pair[0].strip(): pair[1].strip() if len(pair) > 1 else "" for pair in pairs}

    @cached_property
    def settings(self) -> dict[str, str]:
        """The kernel's settings: as they are, or, where they are not the host's own, as its files say."""
        found = self.table("sysctl", "=")
        if self.answers["container"].strip() == "none":
            return found
        for line in self.lines("sysctl_files"):
            pattern, equals, value = line.partition("=")
            if equals and not pattern.startswith("#"):
                found |= self.configured(pattern.strip().lstrip("-").replace("/", "."), value.strip(), found)
        return found

    def configured(self, pattern: str, value: str, found: dict[str, str]) -> dict[str, str]:
        keys = fnmatch.filter(found, pattern) or [pattern]
        return {key: value for key in keys if not key.startswith(KEYS_OF_A_CONTAINER)}

    @cached_property
    def directives(self) -> dict[str, set[str]]:
        """All the values that a directive of nginx has, wherever."""
        found: dict[str, set[str]] = {}
        for name, value in re.findall(r"^\s*([a-z_0-9]+)\s+([^;#]*);", self.answers["nginx"], re.MULTILINE):
            found.setdefault(name, set()).add(" ".join(value.split()))
        return found

    @cached_property
    def modes(self) -> dict[str, tuple[int, str, str]]:
        """Mode, user and group, by path; what is not there is not in it."""
        rows = (line.split() for line in self.lines("modes"))
        return {path: (int(mode, 8), user, group) for path, mode, user, group in rows}


def ask(host: Host) -> Facts:
    """One round trip for all the questions; what has no answer has an empty one."""
    script = "\n".join(f"echo '{MARK}{name}'; {{ {command}; }}" for name, command in QUESTIONS.items())
    said = host.run(script).stdout
    parts = re.split(rf"^{MARK}(\w+)\n", said, flags=re.MULTILINE)[1:]
    return Facts(dict(zip(parts[::2], parts[1::2])))


def misfits(found: dict[str, str], wanted: dict[str, object]) -> dict[str, str | None]:
    """The settings that differ. A range or a set has all the values that are good."""
    return {key: found.get(key) for key, value in wanted.items() if not fits(found.get(key), value)}


def fits(found: str | None, wanted: object) -> bool:
    if isinstance(wanted, range):
        return bool(found) and found.isdigit() and int(found) in wanted
    if isinstance(wanted, set):
        return found in wanted
    return found == wanted
