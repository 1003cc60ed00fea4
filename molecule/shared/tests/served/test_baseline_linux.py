"""The system, by the controls of dev-sec's linux-baseline 2.10.0."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from baseline import Facts, misfits

ONE, NONE = {"1"}, {"0"}
ONE_OR_LOOSE = {"1", "2"}  # 2: a host with two ways to one network is not cut off
# Each with the kernel's settings that it is about.
SETTINGS = {
    "sysctl-02": {f"net.ipv4.conf.{name}.rp_filter": ONE_OR_LOOSE for name in ("all", "default")},
    "sysctl-03": {"net.ipv4.icmp_ignore_bogus_error_responses": ONE},
    "sysctl-04": {"net.ipv4.icmp_echo_ignore_broadcasts": ONE},
    "sysctl-10": {"net.ipv4.tcp_rfc1337": ONE},
    "sysctl-11": {"net.ipv4.tcp_syncookies": ONE},
    "sysctl-12": {"net.ipv4.conf.all.shared_media": ONE, "net.ipv4.conf.default.shared_media": ONE},
    "sysctl-13": {
        "net.ipv4.conf.all.accept_source_route": NONE, "net.ipv4.conf.default.accept_source_route": NONE,
        "net.ipv6.conf.all.accept_source_route": NONE, "net.ipv6.conf.default.accept_source_route": NONE,
    },
    "sysctl-14": {"net.ipv4.conf.all.accept_redirects": NONE, "net.ipv4.conf.default.accept_redirects": NONE},
    "sysctl-15": {"net.ipv4.conf.all.secure_redirects": NONE, "net.ipv4.conf.default.secure_redirects": NONE},
    "sysctl-16": {"net.ipv4.conf.all.send_redirects": NONE, "net.ipv4.conf.default.send_redirects": NONE},
    "sysctl-19": {"net.ipv6.conf.all.forwarding": NONE},
    "sysctl-20": {"net.ipv6.conf.all.accept_redirects": NONE, "net.ipv6.conf.default.accept_redirects": NONE},
    "sysctl-29": {"kernel.modules_disabled": {"0", None}},
    "sysctl-30": {"kernel.sysrq": NONE},
    "sysctl-31a": {"fs.suid_dumpable": {"0", "2"}},
    "sysctl-32": {"kernel.randomize_va_space": {"2"}},
    "sysctl-34": {
        "fs.protected_fifos": {"1", "2"}, "fs.protected_hardlinks": ONE,
        "fs.protected_regular": {"2"}, "fs.protected_symlinks": ONE,
    },
    "sysctl-35": {"kernel.yama.ptrace_scope": {"1", "2", "3"}},  # 1: a user debugs his own children
}
MODES = {
    "os-02": ("/etc/shadow", {(0o640, "root", "shadow")}),
    "os-03": ("/etc/passwd", {(0o644, "root", "root")}),
    "os-11": ("/var/log", {(0o755, "root", "root"), (0o775, "root", "syslog"), (0o2755, "root", "root")}),
}
OPTIONS = {"os-14": "noexec", "os-15": "nosuid", "os-16": "nodev"}
MOUNTS = {  # by what a mount of its own has to have, where it is one
    "noexec": ["/boot", "/dev/shm", "/var/log", "/var/log/audit"],  # pip and others build in /tmp and /var/tmp
    "nosuid": ["/boot", "/dev", "/dev/shm", "/home", "/run", "/tmp", "/var", "/var/log", "/var/log/audit", "/var/tmp"],
    "nodev": ["/boot", "/dev/shm", "/home", "/run", "/tmp", "/var", "/var/log", "/var/log/audit", "/var/tmp"],
}
MODULES = {"cramfs", "freevxfs", "jffs2", "hfs", "hfsplus"}
ABSENT = {
    "package-01": {"inetd", "xinetd", "openbsd-inetd", "inetutils-inetd"},
    "package-02": {"telnetd", "telnetd-ssl", "inetutils-telnetd"},
    "package-03": {"rsh-server", "rsh-redone-server"},
    "package-05": {"ypserv", "nis"},
    "package-06": {"tftp-server", "tftpd", "tftpd-hpa", "atftpd"},
    "package-09": {"prelink"},
}
SUID = {
    *("rcp", "rlogin", "rsh", "netreport", "usernetctl", "userisdnctl", "pppd", "lockfile", "mail-lock"),
    *("mail-unlock", "mail-touchlock", "dotlockfile", "arping", "uuidd", "mtr", "camel-lock-helper-1.2", "pt_chown"),
    *("dmcrypt-get-device", "cons.saver"),
}
OWN_TESTS = {"os-01", "os-03b", "os-04", "os-05", "os-06", "os-07", "os-09", "os-10", "os-13"}
OMITTED = {
    "os-05b": "of Red Hat",
    "os-12": "the machine's processor and kernel, not the host's set-up",
    "package-08": "auditd is for who reads what it writes: system_auditd_enabled; the audit has it on",
    "sysctl-01": "a host with containers of its own forwards; the firewall denies it (and a test host is one)",
    "sysctl-05": "the kernel's own limit is 1000, milliseconds: stricter than 100",
    "sysctl-06": "the kernel's own mask, and echo replies are not to be slow",
    "sysctl-07": "without timestamps TCP is slower and loses its protection against old packets; they begin at random",
    "sysctl-08": "for hosts with several interfaces in one network",
    "sysctl-09": "as sysctl-08",
    "sysctl-17": "lets anybody fill the journal; ufw logs what it denies, with a limit",
    "sysctl-21": "providers give addresses and routes by router advertisements: the host would be gone",
    "sysctl-22": "as sysctl-21",
    "sysctl-23": "as sysctl-21",
    "sysctl-24": "as sysctl-21",
    "sysctl-25": "as sysctl-21",
    "sysctl-26": "as sysctl-21",
    "sysctl-27": "finds out who has an address twice",
    "sysctl-28": "as sysctl-21",
    "sysctl-31b": "no program may dump: see sysctl-31a",
    "sysctl-33": "the machine's processor",
}


@pytest.mark.parametrize("control", SETTINGS)
def test_kernel_is_set(facts: Facts, control: str) -> None:
    assert misfits(facts.settings, SETTINGS[control]) == {}


@pytest.mark.parametrize("control", MODES)
def test_only_root_writes(facts: Facts, control: str) -> None:
    path, good = MODES[control]
    assert facts.modes[path] in good


@pytest.mark.parametrize("control", OPTIONS)
def test_mounts_are_restricted(facts: Facts, control: str) -> None:
    option, mounts = OPTIONS[control], facts.table("mounts")
    assert [path for path in MOUNTS[option] if option not in mounts.get(path, option).split(",")] == []


@pytest.mark.parametrize("control", ABSENT)
def test_needless_servers_are_absent(facts: Facts, control: str) -> None:
    installed = {line.split()[1] for line in facts.lines("packages") if line.startswith("installed ")}
    assert installed & ABSENT[control] == set()


def test_os_01_no_other_host_is_trusted(facts: Facts) -> None:
    assert "/etc/hosts.equiv" not in facts.modes


def test_os_03b_no_password_is_in_passwd(facts: Facts) -> None:
    assert {line.split(":")[1] for line in facts.lines("passwd")} <= {"x", "*"}


def test_os_04_no_command_comes_from_the_current_folder(facts: Facts) -> None:
    assert {"", "."} & set(facts.answers["path"].strip().split(":")) == set()


def test_os_05_logins_are_limited(facts: Facts) -> None:
    """The accounts have keys and no passwords: their ages are left as they are."""
    wanted = {
        "UMASK": {"027", "077"}, "LOGIN_RETRIES": range(1, 6), "LOGIN_TIMEOUT": range(1, 61),
        "PASS_WARN_AGE": "7", "UID_MIN": "1000", "GID_MIN": "1000",
    }
    assert misfits(facts.table("login_defs"), wanted) == {}
    assert facts.modes["/etc/login.defs"] == (0o644, "root", "root")


def test_os_06_no_needless_program_runs_as_another_user(facts: Facts) -> None:
    """But ssh-keysign, which its package brings back, and which does nothing unless ssh_config says so."""
    assert {path for path in facts.lines("suid") if path.rpartition("/")[2] in SUID} == set()


@pytest.mark.parametrize("table", ["passwd", "group"])
def test_os_07_ids_are_unique(facts: Facts, table: str) -> None:
    ids = Counter(line.split(":")[2] for line in facts.lines(table))
    assert [number for number, count in ids.items() if count > 1] == []


def test_os_09_no_passwords_or_trust_in_home_directories(facts: Facts) -> None:
    assert facts.lines("rhosts") == []


def test_os_10_rare_filesystems_are_not_loaded(facts: Facts) -> None:
    """But squashfs, udf and vfat: snaps, a provider's settings on a disk, and EFI need them."""
    found = re.findall(r"^install (\w+) /bin/(?:true|false)$", facts.answers["modprobe"], re.MULTILINE)
    assert MODULES - set(found) == set()


def test_os_13_schedules_are_root_s(facts: Facts) -> None:
    names = {"tab", ".d", ".hourly", ".daily", ".weekly", ".monthly"}
    schedules = {path: facts.modes[path] for path in (f"/etc/cron{name}" for name in names) if path in facts.modes}
    assert schedules
    assert {path for path, (mode, user, _) in schedules.items() if user != "root" or mode & 0o077} == set()


def test_each_control_is_tested_or_has_a_reason() -> None:
    tested = [*SETTINGS, *MODES, *OPTIONS, *ABSENT, *OWN_TESTS]
    system = {f"os-{number:02}" for number in range(1, 17)} - {"os-08"} | {"os-03b", "os-05b"}
    packages = {f"package-{number:02}" for number in (1, 2, 3, 5, 6, 8, 9)}
    kernel = {f"sysctl-{number:02}" for number in range(1, 36)} - {"sysctl-18", "sysctl-31"}
    assert sorted([*tested, *OMITTED]) == sorted(system | packages | kernel | {"sysctl-31a", "sysctl-31b"})
