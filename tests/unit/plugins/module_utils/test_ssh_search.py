# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for the login that works, at hosts that count what fails."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.login import agent
from ansible_collections.selfhost.flask.plugins.module_utils.login import problem as ssh_problem
from ansible_collections.selfhost.flask.plugins.module_utils.login import search as ssh_search
from ansible_collections.selfhost.flask.plugins.module_utils.login.memory import Login, Memory
from ansible_collections.selfhost.flask.plugins.module_utils.login.search import WINDOW, Search

GREETING = "debug1: Remote protocol version 2.0, remote software version OpenSSH_%s\n"
DEBIAN_13, DEBIAN_12 = GREETING % "10.0p2 Debian-7", GREETING % "9.2p1 Debian-2+deb12u7"
NEXT = "debug1: Next authentication method: publickey\r\n"
DENIED = NEXT + "x@host: Permission denied (publickey)."
TOO_MANY = NEXT + "Received disconnect from 192.0.2.7 port 22:2: Too many authentication failures"
HUNG_UP = "kex_exchange_identification: read: Connection reset by peer"
REFUSED = "ssh: connect to host blog port 22: Connection refused"
WORKS = (0, "login works\nport 22\n", "")


class Server:
    """A host with the penalties of OpenSSH 10, the limit of ufw, and a clock that the search waits by."""

    def __init__(self, folder, right="", greeting=DEBIAN_13, answers=None, limited=False):
        self.memory, self.right, self.greeting = Memory(str(folder), "blog", ""), right, greeting
        self.answers, self.limited = answers or {}, limited
        self.now, self.penalty, self.times, self.tried, self.said = 1000.0, 0.0, [], [], []

    def probe(self, login, port):
        """One connection, which takes a third of a second."""
        self.now += 0.3
        self.tried.append(login.user)
        window = [time for time in self.times if time > self.now - 30]
        self.times.append(self.now)
        if self.limited and len(window) >= 5:
            return 255, "", REFUSED
        if self.penalty - self.now >= 15:
            return 255, "", HUNG_UP
        said = DENIED if login.ssh_args else self.answers.get(login.user, DENIED)
        if login.user == self.right and said == DENIED:
            return WORKS
        self.penalty = max(self.penalty, self.now) + (5 if "Too many" in said else 1)
        return 255, "", self.greeting + said

    def sleep(self, seconds):
        self.now += seconds

    def search(self, *users, patience=WINDOW, ports=()):
        self.tried.clear()
        search = Search(self.probe, self.memory, patience, self.said.append)
        return search.run(list(ports), list(users)), search


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A host; its time is the search's."""
    monkeypatch.setattr(agent, "agent_keys", list)

    def server(**about):
        made = Server(tmp_path / "memory", **about)
        monkeypatch.setattr(ssh_search.time, "monotonic", lambda: made.now)
        monkeypatch.setattr(ssh_search.time, "sleep", made.sleep)
        return made

    return server


def test_many_who_fail_with_too_many_keys_do_not_close_the_door_for_the_right_one(server):
    users = ["root", "debian", "pi", "vagrant", "deploy"]
    host = server(right="deploy", answers=dict.fromkeys(users, TOO_MANY))
    found, dummy = host.search(*users)
    assert found.login.user == "deploy" and host.said == []


def test_an_older_sshd_is_not_waited_for(server):
    host = server(right="deploy", greeting=DEBIAN_12)
    host.search("a", "b", "c", "d", "deploy")
    assert host.now < 1002


def test_who_worked_the_last_time_is_tried_first(server):
    host = server(right="pi")
    assert host.search("deploy", "root", "pi")[0].login.user == "pi"
    assert host.search("deploy", "root", "pi")[0] and host.tried == ["pi"]
    assert host.search("deploy", "root")[0] is None and host.tried == ["deploy", "root"]


def test_a_memory_that_can_t_be_kept_or_read_is_no_failure(server, tmp_path):
    (tmp_path / "memory").write_text("in the way")
    host = server(right="root")
    assert host.search("deploy", "root")[0].login.user == "root"
    memory = Memory(str(tmp_path), "blog", 22)
    memory.keep(0, Login("root", ""))
    next(tmp_path.glob("*.json")).write_text("[]")
    assert memory.login(0) is None


def test_a_firewall_that_counts_is_waited_for_and_named(server):
    host = server(right="f", greeting=DEBIAN_12, limited=True)
    found, dummy = host.search("a", "b", "c", "d", "e", "f")
    assert found.login.user == "f"
    assert "hardening_ssh_limit" in host.said[0] and "Trying again in 31 s" in host.said[0]


def test_a_firewall_that_counts_is_named_where_there_is_no_time(server):
    host = server(right="f", greeting=DEBIAN_12, limited=True)
    found, search = host.search("a", "b", "c", "d", "e", "f", patience=0)
    assert found is None and search.failed[-1].problem == ssh_problem.LIMIT


def test_a_host_that_let_somebody_in_a_moment_ago_and_refuses_now_has_a_limit(server):
    host = server(right="deploy", limited=True)
    host.search("deploy")
    host.times = [host.now] * 6
    assert host.search("deploy", patience=0)[1].failed[0].problem.kind == "limit"
    elsewhere = host.search("deploy", patience=0, ports=[2222])[1]
    assert elsewhere.failed[0].problem.kind == "refused"


def test_whom_root_names_comes_next(server):
    told = 'Please login as the user "ubuntu" rather than the user "root".'
    host = server(right="ubuntu", answers={"root": told})
    assert host.search("deploy", "root", "debian", "pi", "ubuntu")[0].login.user == "ubuntu"
    assert host.tried == ["deploy", "root", "ubuntu"]


def test_users_of_other_distributions_come_last(server):
    host = server(right="vagrant")
    host.search("deploy", "root", "debian", "ubuntu", "pi", "vagrant")
    assert host.tried == ["deploy", "root", "debian", "pi", "vagrant"]
    host = server(greeting=GREETING % "9.6p1 Ubuntu-3ubuntu13")
    host.search("deploy", "root", "debian", "ubuntu", "pi")
    assert host.tried == ["deploy", "root", "ubuntu", "debian", "pi"]


@pytest.fixture
def keys(tmp_path):
    """Six public keys and their fingerprints."""
    found = []
    for number in range(6):
        path = tmp_path / str(number)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        said = subprocess.run(["ssh-keygen", "-l", "-f", path], check=True, capture_output=True, text=True).stdout
        found.append(((tmp_path / ("%d.pub" % number)).read_text().strip(), said.split()[1]))
    return found


def test_keys_that_sshd_did_not_let_ssh_try_are_offered_a_few_at_a_time(keys, monkeypatch, tmp_path):
    monkeypatch.setattr(agent, "agent_keys", lambda: [line for line, dummy in keys])
    said = "".join("debug1: Offering public key: k ED25519 %s agent\r\n" % print_ for dummy, print_ in keys[:2])
    ways = agent.ways(ssh_problem.offered_keys(said), str(tmp_path / "memory"))
    assert ways[0] == "-o IdentitiesOnly=yes" and [way.count("IdentityFile=") for way in ways] == [0, 3, 1]
    accepted = ssh_problem.accepted_key("debug1: Server accepts key: k ED25519 %s agent\r\n" % keys[5][1])
    alone = agent.narrowed(ways[2], accepted, str(tmp_path / "memory"))
    path = alone.partition("IdentityFile=")[2]
    assert open(path, encoding="ascii").read().strip() == keys[5][0]
    assert agent.narrowed(ways[0], "SHA256:of-a-file", str(tmp_path)) == ways[0]


def test_the_keys_that_are_needed_are_remembered(server, monkeypatch, tmp_path, keys):
    monkeypatch.setattr(agent, "agent_keys", lambda: [line for line, dummy in keys])
    host = server(right="deploy", answers={"deploy": TOO_MANY})
    found, dummy = host.search("deploy")
    assert found.login.ssh_args.startswith("-o IdentitiesOnly=yes")
    assert host.search("deploy")[0] and host.tried == ["deploy"]


def test_without_an_agent_there_are_no_other_keys(monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert agent.agent_keys() == []
    monkeypatch.setenv("SSH_AUTH_SOCK", "/none")
    assert agent.agent_keys() == []


# what ssh says, and the kind of problem with a word of its remedy
SAID = {
    DENIED: ("denied", "ansible_user"),
    "x\n" + TOO_MANY: ("keys", "ansible_ssh_private_key_file"),
    "debug1: kex_exchange_identification: banner line 0: Not allowed at this time\n" + HUNG_UP: ("penalty", "Wait"),
    "banner line 0: Exceeded MaxStartups\n" + HUNG_UP: ("startups", "MaxStartups"),
    HUNG_UP: ("hung up", "Wait a minute"),
    "Connection closed by 192.0.2.7 port 22": ("hung up", "Wait a minute"),
    REFUSED: ("refused", "ansible_port"),
    "ssh: connect to host blog port 22: Connection timed out": ("silent", "provider's firewall"),
    "ssh: connect to host blog port 22: No route to host": ("route", "no route"),
    "ssh: Could not resolve hostname blog": ("name", "ansible_host"),
    "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.": ("host key", "ssh-keygen -R"),
    "Host key verification failed.": ("host key", "accept"),
    "Unable to negotiate with 192.0.2.7: no matching key exchange": ("algorithms", "newer"),
    "something": ("unknown", "ssh -v"),
}


@pytest.mark.parametrize("said", SAID)
def test_what_ssh_says_has_a_reason_and_a_remedy(said):
    kind, word = SAID[said]
    problem = ssh_problem.problem_of(said)
    assert problem.kind == kind and word in problem.remedy


def test_the_most_telling_problem_is_what_is_to_be_mended():
    problems = [ssh_problem.problem_of(said) for said in (REFUSED, DENIED, TOO_MANY)]
    assert ssh_problem.telling(problems).kind == "keys"
    assert ssh_problem.telling(problems[:2]).kind == "denied"
    assert ssh_problem.telling(problems[:1]).kind == "refused"


def test_people_see_what_ssh_says_without_its_details():
    said = "Failed to connect to the host via ssh: OpenSSH_9.2p1\r\ndebug1: Reading\r\nx@host: Permission denied.\r\n"
    assert ssh_problem.visible(said) == "x@host: Permission denied."


def test_a_wrong_password_counts_for_more_than_a_refused_key():
    assert ssh_problem.was_only_refused(DENIED)
    assert not ssh_problem.was_only_refused(DENIED + "\ndebug1: Next authentication method: password\n")


ENDED = "kex_exchange_identification: Connection closed by remote host\r\nConnection closed by UNKNOWN port 65535\r\n"
OPEN = "channel 0: open failed: %s\r\nstdio forwarding failed\r\n" + ENDED


@pytest.mark.parametrize("said, kind, remedy", [
    (OPEN % "administratively prohibited: open failed", "jump", "AllowTcpForwarding: local"),
    (OPEN % "connect failed: Connection refused", "refused", "is ansible_port right"),
    (OPEN % "connect failed: No route to host", "route", "There is no route to the host"),
    (OPEN % "connect failed: Name or service not known", "name", "Set ansible_host"),
    ("ana@gate: Permission denied (publickey).\r\n" + ENDED, "jump", "did not get past the jump host"),
    ("Host key verification failed.\r\n" + ENDED, "jump", "did not get past the jump host"),
    ("ssh: connect to host gate port 22: Connection refused\r\n" + ENDED, "jump", "did not get past the jump host"),
    (ENDED, "hung up", "sshd hung up before the login"),
    ("Connection timed out during banner exchange\r\nConnection to UNKNOWN port 65535 timed out\r\n", "silent", "is right"),
    ("Received disconnect from UNKNOWN port 65535:2: Too many authentication failures\r\n"
     "Disconnected from UNKNOWN port 65535\r\n", "keys", "more keys"),
])
def test_what_ends_on_the_way_to_the_host_is_told_from_what_the_host_says(said, kind, remedy):
    found = ssh_problem.problem_of("debug1: Connecting\r\n" + said)
    assert found.kind == kind and remedy.replace("is right", "ansible_port right") in found.remedy
    assert ssh_problem.telling([found]) == found


def test_the_host_is_the_last_whose_sshd_greets():
    said = GREETING % "8.9p1 Ubuntu-3" + DEBIAN_13
    assert ssh_problem.openssh_of(said) == (10, 0) and ssh_problem.elsewhere(said, {"ubuntu": ("Ubuntu",)}) == ["ubuntu"]
