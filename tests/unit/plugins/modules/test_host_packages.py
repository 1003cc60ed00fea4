# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages on a host whose dpkg and apt-get are a few lines of shell."""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import shutil
import subprocess
import sys
import time

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.host import account_locks
from ansible_collections.selfhost.flask.plugins.module_utils.host import packages as host_packages
from ansible_collections.selfhost.flask.plugins.module_utils.host import settled

CHECK = {"_ansible_check_mode": True}
PROGRAMS = {
    "dpkg-query": 'cat "$HOST/status"',
    "dpkg": """
echo "dpkg $*" >>"$HOST/log"
rm -f "$HOST/updates/"*
sed -i 's/^i[UFHW]./ii /' "$HOST/status"
""",
    "apt-get": """
echo "apt-get $*" >>"$HOST/log"
[ -e "$HOST/policy-rc.d" ] && "$HOST/policy-rc.d" nginx start; echo "policy $?" >>"$HOST/log"
if [ -e "$HOST/$1-fails" ]; then cat "$HOST/$1-fails" >&2; exit 100; fi
case $1 in
update) touch "$HOST/lists/Packages" ;;
clean) rm -f "$HOST/install-fails" ;;
install)
    [ -e "$HOST/lists/Packages" ] || { echo "E: Unable to locate package" >&2; exit 100; }
    sed -i 's/^i[UFHW]./ii /; s/^iHR/ii /' "$HOST/status"
    for word; do case $word in
        -* | install | Dpkg*) ;;
        *) printf 'ii \\t%s\\tamd64\\t1.0\\t\\n' "${word%=*}" >>"$HOST/status" ;;
    esac; done ;;
esac
""",
}


class Host:
    """What dpkg and apt know, and what they were asked to do."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("lists", "updates"):
            (folder / name).mkdir()
        (folder / "lists/Packages").touch()
        self.installed("base")

    def installed(self, *lines):
        """Packages by their name, or by dpkg's state and their name."""
        rows = [line.rpartition("|") for line in lines]
        text = "".join("%s\t%s\tamd64\t1.0\tvirtual-%s (= 1)\n" % (state or "ii ", name, name) for state, _, name in rows)
        (self.folder / "status").write_text(text)

    def done(self):
        """What the programs were asked for, each with its first words."""
        log = self.folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [" ".join(line.split()[:2]) for line in lines if not line.startswith("policy")]

    def policies(self):
        """The answers of policy-rc.d while apt-get ran."""
        return {line for line in (self.folder / "log").read_text().splitlines() if line.startswith("policy")}


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A host with one package, whose lists are fresh."""
    folder = tmp_path / "host"
    folder.mkdir()
    (tmp_path / "bin").mkdir()
    for name, text in PROGRAMS.items():
        path = tmp_path / "bin" / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setenv("HOST", str(folder))
    places = dict(LISTS="lists", JOURNAL="updates", OWN_LOCK="lock", POLICY="policy-rc.d", KEPT="policy-rc.d.kept",
                  BEGUN="begun")
    for name, place in places.items():
        monkeypatch.setattr(host_packages, name, str(folder / place))
    monkeypatch.setattr(host_packages, "LOCKS", (str(folder / "dpkg-lock"),))
    return Host(folder)


def make_old(path):
    os.utime(path, (0, time.time() - 2 * host_packages.FRESH))


def test_installed_packages_are_only_looked_at(run, packages):
    assert not run("host_packages", names=["base", "base=1.*", "base:amd64", "virtual-base"])["changed"]
    assert packages.done() == []


def test_looks_which_tasks_have_nothing_to_do_where_nothing_is_missing(run, packages, monkeypatch, tmp_path):
    monkeypatch.setattr(settled, "FOLDER", str(tmp_path / "settled"))
    owner = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}
    files = [dict(owner, dest=str(tmp_path / "a"), content="a")]
    assert run("config_files", files=files, ask="echo one", identity="the task")["stdout"] == "one\n"
    for mode in (CHECK, {}):
        assert run("host_packages", names=["base"], **mode)["settled"] == {"the task": "one\n"}
    assert run("host_packages", names=["nginx"], **CHECK)["settled"] == {}


def test_check_then_run_then_run_again(run, packages):
    for mode, changed in ((CHECK, True), ({}, True), ({}, False)):
        answer = run("host_packages", names=["base", "nginx"], **mode)
        assert (answer["changed"], answer["installed"]) == (changed, ["nginx"] if changed else [])
    assert packages.done() == ["apt-get install"]


def test_another_version_than_the_wanted_one_is_missing(run, packages):
    assert run("host_packages", names=["base=2.0"], **CHECK)["installed"] == ["base=2.0"]


def test_old_lists_are_fetched_first(run, packages):
    make_old(packages.folder / "lists")
    run("host_packages", names=["nginx"])
    assert packages.done() == ["apt-get update", "apt-get install"]


def test_emptied_lists_are_fetched_whatever_their_age(run, packages):
    (packages.folder / "lists/Packages").unlink()
    assert run("host_packages", names=["nginx"])["changed"]
    assert packages.done() == ["apt-get install", "apt-get update", "apt-get install"]


@pytest.mark.parametrize("state", ["iU ", "iF ", "iHR", "iW "])
def test_interrupted_installation_is_ended_first(state, run, packages):
    packages.installed("base", state + "|half")
    assert run("host_packages", names=["base", "nginx"])["changed"]
    assert packages.done() == ["dpkg --force-confdef", "apt-get install"]
    assert not run("host_packages", names=["base", "half", "nginx"])["changed"]


def test_interrupted_dpkg_is_seen_by_its_journal(run, packages):
    (packages.folder / "updates/0001").touch()
    assert run("host_packages", names=["base"])["changed"]
    assert packages.done() == ["dpkg --force-confdef"]


def test_spoilt_archive_is_fetched_again(run, packages):
    (packages.folder / "install-fails").write_text("dpkg-deb: error: lzma error: compressed data is corrupt\n")
    run("host_packages", names=["nginx"])
    assert packages.done() == ["apt-get install", "apt-get clean", "apt-get update", "apt-get install"]


def test_lists_that_can_t_be_fetched_are_no_problem_where_they_will_do(run, packages):
    make_old(packages.folder / "lists")
    (packages.folder / "update-fails").write_text("E: Failed to fetch http://gone.example/InRelease\n")
    assert run("host_packages", names=["nginx"])["changed"]


@pytest.mark.parametrize("verb, said, advice", [
    ("install", "E: Write error - write (28: No space left on device)", "A disk of this host is full. Make room"),
    ("update", "E: Temporary failure resolving 'deb.debian.org'", "Check its network, and the sources in /etc/apt"),
    ("install", "E: Unmet dependencies", "Put right what apt complains of, then run the playbook again"),
])
def test_failure_says_what_is_missing_why_and_what_to_do(verb, said, advice, run, packages):
    (packages.folder / "lists/Packages").unlink()
    (packages.folder / (verb + "-fails")).write_text(said + "\n")
    answer = run("host_packages", names=["nginx"])
    assert answer["failed"] and "The packages nginx are not installed on this host" in answer["msg"]
    assert said in answer["msg"] and advice in answer["msg"]


def test_package_of_others_that_stays_half_installed_is_a_warning(run, packages, warnings):
    packages.installed("base", "iF |half")
    (packages.folder / "install-fails").write_text("E: Sub-process /usr/bin/dpkg returned an error code (1)\n")
    (packages.folder.parent / "bin/dpkg").write_text("#!/bin/sh\nexit 1\n")
    assert not run("host_packages", names=["base"])["changed"]
    assert "The installation of half was interrupted" in warnings[0]
    assert "The packages half are not installed" in run("host_packages", names=["base", "half"])["msg"]


@pytest.fixture
def useradd(packages):
    """A program of this name, at work; its number."""
    program = packages.folder / "useradd"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as process:
        yield process.pid
        process.kill()


@pytest.mark.parametrize("owner", [os.getpid(), 2**22 + 1, ""], ids=["another program", "ended", "none"])
def test_lock_of_the_users_that_outlived_its_owner_goes(owner, run, packages, monkeypatch):
    monkeypatch.setattr(account_locks, "FOLDER", str(packages.folder))
    lock = packages.folder / "passwd.lock"
    lock.write_text("%s\0" % owner)
    assert run("host_packages", names=["base"], **CHECK)["changed"] and lock.exists()
    assert run("host_packages", names=["base"])["changed"] and not lock.exists()


def test_lock_of_a_program_at_work_stays(run, packages, useradd, monkeypatch):
    monkeypatch.setattr(account_locks, "FOLDER", str(packages.folder))
    (packages.folder / "passwd.lock").write_text("%d\0" % useradd)
    assert not run("host_packages", names=["base"])["changed"]
    assert (packages.folder / "passwd.lock").exists()


def test_no_service_starts_meanwhile(run, packages):
    run("host_packages", names=["nginx"])
    assert packages.policies() == {"policy 101"}
    assert not os.path.exists(host_packages.POLICY)


def test_own_policy_of_the_host_comes_back(run, packages):
    policy = packages.folder / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 104\n")
    run("host_packages", names=["nginx"])
    assert policy.read_text() == "#!/bin/sh\nexit 104\n"
    assert packages.policies() == {"policy 101"}
    assert not run("host_packages", names=["nginx"])["changed"]


def left_behind(own=""):
    """The files of an installation that was killed."""
    if own:
        with open(host_packages.KEPT, "w", encoding="ascii") as file:
            file.write(own)
        os.chmod(host_packages.KEPT, 0o755)
    text = host_packages.POLICY_TEXT.replace("@lock@", host_packages.OWN_LOCK).replace("@kept@", host_packages.KEPT)
    with open(host_packages.POLICY, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(host_packages.POLICY, 0o755)


@pytest.mark.parametrize("own, code", [("", 0), ("#!/bin/sh\nexit 104\n", 104)])
def test_policy_of_a_killed_installation_forbids_nothing_and_goes(own, code, run, packages):
    left_behind(own)
    assert subprocess.run([host_packages.POLICY, "nginx", "start"], check=False).returncode == code
    assert run("host_packages", names=["base"], **CHECK)["changed"]
    assert run("host_packages", names=["base"])["changed"]
    assert os.path.exists(host_packages.POLICY) == bool(own)
    assert not os.path.exists(host_packages.KEPT)


def test_policy_that_ansible_s_own_module_has_left_behind_goes(run, packages):
    (packages.folder / "policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    assert run("host_packages", names=["base"])["changed"]
    assert not os.path.exists(host_packages.POLICY)


HOLD = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_manager(packages):
    """Another package manager that is at work until it is told to end."""
    argv = [sys.executable, "-c", HOLD, host_packages.LOCKS[0]]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process


def test_who_holds_the_lock_is_said(run, packages, other_manager):
    answer = run("host_packages", names=["nginx"], patience=0)
    assert "dpkg-lock is locked by python" in answer["msg"] and "(process %d)" % other_manager.pid in answer["msg"]
    assert packages.done() == []
    other_manager.stdin.close()


def test_who_holds_the_lock_is_waited_for(run, packages, other_manager):
    other_manager.stdin.close()
    assert run("host_packages", names=["nginx"], patience=20)["changed"]


def test_two_runs_on_one_host_come_one_after_the_other(run, packages):
    with open(host_packages.OWN_LOCK, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "Wait until it has ended" in run("host_packages", names=["nginx"], patience=0)["msg"]
    assert packages.done() == []
