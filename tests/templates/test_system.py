# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host's own services are told, read as they read it."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess

import pytest
from deployments import DEPLOYMENTS

SBIN = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"


def run(*argv, **options):
    """A command's output; it has to succeed."""
    result = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def needs(program):
    return pytest.mark.skipif(not shutil.which(program, path=SBIN), reason="no %s" % program)


@pytest.fixture
def apt(render, tmp_path):
    """apt's settings, as apt itself has read them."""

    def apt(deployment="usual", **given):
        (tmp_path / "apt.conf").write_text(render("system", "upgrades.conf.j2", deployment, **given))
        (tmp_path / "parts").mkdir(exist_ok=True)
        variables = {"APT_CONFIG": str(tmp_path / "main.conf"), "PATH": SBIN}
        (tmp_path / "main.conf").write_text('Dir::Etc::main "apt.conf";\nDir::Etc "%s";\nDir::Etc::parts "parts";\n' % tmp_path)
        lines = run("apt-config", "-c", tmp_path / "apt.conf", "dump", env=variables).splitlines()
        pairs = [re.fullmatch(r'(\S+) "(.*)";', line).groups() for line in lines]
        return {key: [value for name, value in pairs if name == key] for key, dummy in pairs}

    return apt


@needs("apt-config")
def test_security_updates_are_installed_and_nothing_reboots_by_itself(apt):
    settings = apt()
    assert settings["APT::Periodic::Unattended-Upgrade"] == ["1"]
    assert settings["Unattended-Upgrade::Automatic-Reboot"] == ["false"]
    origins = settings["Unattended-Upgrade::Origins-Pattern::"]
    assert "origin=Debian,codename=${distro_codename}-security,label=Debian-Security" in origins
    assert "origin=Ubuntu,archive=${distro_codename}-security,label=Ubuntu" in origins


@needs("apt-config")
def test_a_reboot_and_other_origins_are_a_choice(apt):
    settings = apt("nasty")
    assert settings["Unattended-Upgrade::Automatic-Reboot"] == ["true"]
    assert settings["Unattended-Upgrade::Automatic-Reboot-Time"] == ["04:00"]
    origins = settings["Unattended-Upgrade::Origins-Pattern::"]
    assert "origin=Debian,codename=${distro_codename}-updates" in origins
    assert apt(system_updates_enabled=False)["APT::Periodic::Unattended-Upgrade"] == ["0"]


def sysctl(text):
    pairs = [line.partition(" = ")[::2] for line in text.splitlines() if not line.startswith("#")]
    assert len(dict(pairs)) == len(pairs) and all(re.fullmatch(r"[a-z0-9_.-]+", key) for key, dummy in pairs)
    return dict(pairs)


def test_the_kernels_settings_come_after_debians_and_before_the_administrators(evaluate):
    others = ["50-pid-max.conf", "98-rpi.conf", "99-protect-links.conf", "99-sysctl.conf"]
    own = evaluate("system", "__system_sysctl_file").rpartition("/")[2]
    assert sorted([*others, own]) == [*others[:-1], own, others[-1]]


def test_the_kernels_settings_can_be_added_to_and_replaced(render):
    usual, nasty = (sysctl(render("system", "sysctl.conf.j2", name)) for name in DEPLOYMENTS)
    assert usual["net.ipv4.conf.all.accept_redirects"] == "0"
    assert usual["kernel.core_pattern"] == "|/bin/false"
    assert (usual["net.ipv4.conf.all.rp_filter"], nasty["net.ipv4.conf.all.rp_filter"]) == ("2", "1")
    assert nasty["vm.swappiness"] == "10" and set(usual) < set(nasty)


@needs("perl")
def test_needrestart_leaves_the_application_and_what_is_under_way_alone(render):
    script = "our %nrconf; eval do { local $/; <STDIN> }; die $@ if $@;" + (
        'for my $u (@ARGV) { my ($r) = grep { $u =~ /$_/ } keys %{$nrconf{override_rc}};'
        ' print $nrconf{restart}, defined $r ? $nrconf{override_rc}{$r} : "restarts", "\\n" }'
    )
    units = ["supervisor.service", "flask-blog-recover.service", "nginx.service"]
    said = run("perl", "-e", script, *units, input=render("system", "needrestart.conf.j2"))
    assert said.split() == ["a0", "a0", "arestarts"]


@needs("visudo")
def test_sudo_reads_its_settings(render, tmp_path):
    (tmp_path / "sudoers").write_text(render("system", "sudoers.j2"))
    run(shutil.which("visudo", path=SBIN), "-cf", tmp_path / "sudoers")


@needs("logrotate")
def test_logrotate_reads_its_settings(render, tmp_path):
    (tmp_path / "sudo").write_text(render("system", "sudo.logrotate.j2"))
    (tmp_path / "sudo").chmod(0o644)
    run(shutil.which("logrotate", path=SBIN), "--debug", "--state", tmp_path / "state", tmp_path / "sudo")


@needs("modprobe")
def test_modprobe_refuses_the_modules(render, tmp_path):
    (tmp_path / "selfhost.conf").write_text(render("system", "modprobe.conf.j2"))
    said = run(shutil.which("modprobe", path=SBIN), "--config", tmp_path, "--showconfig").splitlines()
    assert "install sctp /bin/false" in said and "blacklist firewire_core" in said


@pytest.mark.parametrize("name, section, key, value", [
    ("journald.conf.j2", "Journal", "SystemMaxUse", "500M"),
    ("coredump.conf.j2", "Coredump", "Storage", "none"),
    ("manager.conf.j2", "Manager", "DefaultLimitCORE", "0"),
])
def test_systemd_reads_its_settings(name, section, key, value, render):
    parser = configparser.RawConfigParser()
    parser.optionxform = str
    parser.read_string(render("system", name))
    assert parser[section][key] == value


WATCH = r"-w /\S+ -p [rwxa]+ -k \w+"
CALL = r"-a always,exit -F arch=b(32|64) -S [a-z_,]+( -F \w+(=|!=|>=)\w+)* -k \w+"


def test_the_audit_rules_are_rules(render):
    lines = render("system", "audit.rules.j2").splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules.pop(0) == "-i"
    assert [line for line in rules if not re.fullmatch("%s|%s" % (WATCH, CALL), line)] == []
    assert "-w /etc/sudoers -p wa -k sudo" in rules


@pytest.mark.parametrize("said, shm, clock, container", [
    ("container none\nshm rw,nosuid\nclock chrony\nlogin UMASK 027\n", "shm rw,nosuid", "clock chrony", False),
    ("container podman\nshm rw,noexec\nneedless telnetd\ndisabled apt-daily.timer\n", "shm rw,noexec", None, True),
])
def test_what_the_host_answers_is_understood(said, shm, clock, container, evaluate):
    look = {"__system_look": {"stdout": said, "stdout_lines": said.splitlines()}}
    assert evaluate("system", "__system_shm", **look) == shm
    assert evaluate("system", "__system_clock", **look) == clock
    assert bool(evaluate("system", "__system_container", **look)) == container
    assert evaluate("system", "__system_needless", **look) == (["telnetd"] if container else [])
    assert evaluate("system", "__system_disabled", **look) == (["apt-daily.timer"] if container else [])
    assert evaluate("system", "__system_login_missing", **look) == ([] if container else ["UMASK 027"])


WELL = ["container none", "shm rw,noexec", "clock chrony", "su restricted"]
FOUND = [
    (WELL, []),
    (["container podman", "shm rw,noexec", "su restricted"], []),
    (WELL + ["unwanted apport.service"], ["services"]),
    (WELL + ["needless telnetd"], ["packages"]),
    (WELL[:1] + ["shm rw,nosuid"] + WELL[2:], ["shm"]),
    (WELL + ["login UMASK 027"], ["logins"]),
    (WELL[:-1], ["logins"]),
    (WELL[:2] + WELL[3:], ["clock"]),
    (WELL + ["disabled apt-daily.timer"], ["timers"]),
    (WELL + ["audit idle"], ["audit"]),
    (["container podman", *WELL[1:], "audit idle"], []),
]


@pytest.mark.parametrize("said, steps", FOUND)
def test_only_what_is_not_right_is_put_right(said, steps, evaluate):
    look = {"stdout": "\n".join(said) + "\n", "stdout_lines": said}
    given = {"__system_look": look, "system_su_restricted": True}
    found = evaluate("system", "__system_found", system_auditd_enabled=True, **given)
    assert [name for name, wrong in found.items() if wrong] == steps
    assert not evaluate("system", "__system_found", system_auditd_enabled=False, **given)["audit"]


# A host with these units, of which it lists those that it is asked for.
SYSTEMCTL = r"""#!/bin/sh
units="apport.service bluetooth.service ModemManager.service ssh.service rpcbind.service rpcbind.socket"
case $1 in
is-enabled) case $2 in bluetooth.*) echo disabled ;; apport.*) echo enabled-runtime ;; *) echo enabled ;; esac ;;
list-unit-files)
    for unit in $units; do
        for pattern in "$@"; do case $unit in $pattern) echo "$unit generated -" ;; esac; done
    done ;;
*) exit 3 ;;
esac
"""
ENABLED = ["ModemManager.service", "apport.service", "rpcbind.service", "rpcbind.socket"]


@pytest.fixture
def unwanted(render, evaluate, tmp_path):
    """The units that a host is told to stop, where some commands answer as they are told to."""

    def unwanted(commands, **given):
        for name, script in {"findmnt": "#!/bin/sh\n", "systemctl": SYSTEMCTL, **commands}.items():
            (tmp_path / name).write_text(script)
            (tmp_path / name).chmod(0o755)
        script = render("system", "look.sh.j2", **given)
        said = run("/bin/sh", "-uc", script, env={"PATH": "%s:%s" % (tmp_path, SBIN)})
        return sorted(evaluate("system", "__system_unwanted", __system_look={"stdout": said}))

    return unwanted


@pytest.mark.parametrize("commands, given, units", [
    ({}, {}, ENABLED),
    ({"findmnt": "#!/bin/sh\n[ $# -eq 3 ] || echo /mnt nas:/srv nfs rw\n"}, {}, ENABLED[:2]),
    ({"ls": "#!/bin/sh\necho eth0; echo wwan0\n"}, {}, ENABLED[1:]),
    ({}, {"system_disabled_services": ["ModemManager", "rpcbind.socket"]}, [ENABLED[0], ENABLED[3]]),
    ({}, {"system_disabled_services": []}, []),
], ids=["usual", "NFS", "modem", "chosen", "none"])
def test_services_that_are_enabled_and_needed_by_nobody_are_stopped(commands, given, units, unwanted):
    assert unwanted(commands, **given) == units


@pytest.mark.parametrize("given, stays", [
    ({}, False),
    ({"flask_aliases": ["shop.local"]}, True),
    ({"ansible_host": "pi.local"}, True),
    ({"__flask_neighbours": [{"flask_app": "shop"}, {"flask_domain": "pi.local"}]}, True),
    ({"__flask_neighbours": [{"flask_aliases": ["pi.local"]}]}, True),
    ({"flask_domain": "local.example.com"}, False),
])
def test_what_finds_a_host_by_its_local_name_stays(given, stays, evaluate):
    assert ("avahi-daemon" in evaluate("system", "system_disabled_services", **given)) != stays


def test_auditd_is_installed_only_by_choice(evaluate):
    assert "auditd" not in evaluate("system", "__system_packages")
    assert "auditd" in evaluate("system", "__system_packages", "nasty")


@pytest.mark.parametrize("programs, loaded", [
    ({}, False),
    ({"augenrules": 0}, True),  # its rules may have been switched off just now
    ({"augenrules": 0, "systemd-detect-virt": 0}, False),
])
def test_audit_rules_are_loaded_where_something_reads_them(programs, loaded, evaluate, tmp_path):
    for name, code in {"systemd-detect-virt": 1, **programs}.items():
        (tmp_path / name).write_text("#!/bin/sh\necho %s $*\nexit %d\n" % (name, code))
        (tmp_path / name).chmod(0o755)
    command = {service["name"]: service for service in evaluate("system", "__system_services")}["audit"]["command"]
    argv = ["/bin/sh", *shlex.split(command)[1:]]
    done = subprocess.run(argv, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert ("augenrules --load" in done.stdout) == loaded


def test_each_setting_that_something_has_to_load_is_loaded(evaluate):
    files = [path for service in evaluate("system", "__system_services") for path in service["files"]]
    assert {path.split("/")[2] for path in files} == {"systemd", "sysctl.d", "tmpfiles.d", "audit"}
    assert "/etc/systemd/journald.conf.d/selfhost.conf" in files
