# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import time
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.template import Templar, trust_as_template
from ansible_collections.selfhost.flask.plugins.action import ssh_login
from ansible_collections.selfhost.flask.plugins.module_utils.login.memory import Login
from ansible_collections.selfhost.flask.plugins.module_utils.login.search import Attempt

ANSWER = """\
login works
client 192.0.2.7
port 2222
distribution debian
distribution_version 12
memory_mb 987
missing python3-apt
missing git
cloud_init running
key ssh-ed25519 AAAA ana@example.com
key # a comment, and a key with options
key from="10.0.0.0/8" ssh-rsa BBBB bob
taken the group disk
taken /var/log/journal
site first application blog.example.com /etc/nginx/sites-enabled/a
ipv6 yes
room 1500 /
room 9 /var
web 443 caddy.service
web 443 caddy.service
deployed blog
web 80 docker.service
new yes
listens tcp LISTEN 0 128 0.0.0.0:2222 0.0.0.0:* users:(("systemd",pid=1,fd=3))
listens tcp LISTEN 0 128 0.0.0.0:3000 0.0.0.0:* users:(("node",pid=7,fd=3))
listens tcp LISTEN 0 128 0.0.0.0:8443 0.0.0.0:* users:(("java",pid=9,fd=3))
listens tcp LISTEN 0 128 127.0.0.1:9000 0.0.0.0:* users:(("php",pid=8,fd=3))
listens tcp LISTEN 0 128 [::]:111 [::]:* users:(("rpcbind",pid=3,fd=3))
listens tcp LISTEN 0 128 0.0.0.0:8080 0.0.0.0:* users:(("docker-proxy",pid=5,fd=3))
own 2: eth0    inet 192.0.2.9/24 brd 192.0.2.255 scope global eth0
own 3: docker0    inet 172.17.0.1/16 scope global docker0
nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
nat -A DOCKER -d 192.0.2.9/32 ! -i docker0 -p tcp -m tcp --dport 443 -j DNAT --to-destination 172.17.0.2:443
nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80
rule iptables -A INPUT -j REJECT --reject-with icmp-host-prohibited
used replace /etc/postfix/main.cf
blocked there are two
"""

DESCRIBED = dict(
    client="192.0.2.7",
    port="2222",
    distribution="debian",
    distribution_version="12",
    memory_mb=987,
    missing=["python3-apt"],
    git=False,
    cloud_init=True,
    authorized_keys='ssh-ed25519 AAAA ana@example.com\n# a comment, and a key with options\n'
    'from="10.0.0.0/8" ssh-rsa BBBB bob',
    deployed=True,
    taken=["the group disk", "/var/log/journal"],
    sites=[dict(place="first", kind="application", domain="blog.example.com", path="/etc/nginx/sites-enabled/a")],
    new=True,
    ipv6=True,
    clock_seconds=0,
    room_mb={"/": 1500, "/var": 9},
    unconfined="",
    web=[
        dict(port="443", unit="caddy.service"), dict(port="80", unit="docker.service"),
        dict(port="443", unit="a rule of the kernel's table nat"),
    ],
    listeners=[dict(protocol="tcp", port=3000, program="node")],
    published=[8080],
    rules=["-A INPUT -j REJECT --reject-with icmp-host-prohibited"],
    used=["replace /etc/postfix/main.cf"],
    blocked=["there are two"],
)


def test_an_answer_becomes_results():
    assert ssh_login.described(ANSWER, [80, 443, 8443]) == DESCRIBED


def test_a_host_that_lacks_nothing():
    found = ssh_login.described("login works\nport 22\ndistribution debian\ndistribution_version \n", [])
    assert (found["missing"], found["git"], found["cloud_init"]) == ([], True, False)
    assert (found["distribution_version"], found["authorized_keys"]) == ("", "")


# /etc/os-release and Ansible's own facts of it
FACTS = {
    ("debian", "12"): ("Debian", "12"),
    ("ubuntu", "24.04"): ("Ubuntu", "24"),
    ("raspbian", "12"): ("Debian", "12"),
}


@pytest.mark.parametrize("told", FACTS, ids=lambda told: told[0])
def test_the_distribution_is_a_fact_without_a_run_of_its_own(told):
    facts = ssh_login.distribution_facts(*told)
    assert (facts["ansible_distribution"], facts["ansible_distribution_major_version"]) == FACTS[told]


def test_the_probe_answers_in_any_shell(tmp_path):
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/authorized_keys").write_text("ssh-ed25519 AAAA ana\n")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 2222"}
    command = ["/bin/sh", "-c", ssh_login.PROBE.replace("PASSWORD", "yes")]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    answer = ssh_login.described(found.stdout, [])
    assert (answer["port"], answer["authorized_keys"]) == ("2222", "ssh-ed25519 AAAA ana")
    assert answer["distribution"]


def test_ports_of_containers_are_said_since_the_firewall_does_not_close_them(action):
    published = WORKS + "new yes\nnat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80\n"
    result, dummy = action(host(deploy=published), ["deploy"], app="blog")
    assert "Containers publish port 8080 of blog.example.com past the firewall" in result["warnings"][0]


def test_containers_of_a_user_would_not_start_again(action):
    published = WORKS + 'new yes\nlistens tcp LISTEN 0 9 *:8080 *:* users:(("rootlessport",pid=5,fd=3))\n'
    result, dummy = action(host(deploy=published), ["deploy"], app="blog")
    (warning,) = result["warnings"]
    assert "A user of blog.example.com runs containers" in warning and "set system_sysctl" in warning
    assert result["listeners"][0]["port"] == 8080  # the firewall closes it


@pytest.mark.parametrize("name", ["ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"])
def test_sudo_may_ask_if_its_password_is_known(name, action):
    action(host(deploy=WORKS), ["deploy"])
    action(host(deploy=WORKS), ["deploy"], **{name: "pelican"})
    asks, known = action.commands
    assert "[ no = no ]" in asks and "[ yes = no ]" in known and "pelican" not in known


def host(**users):
    """Each user's answer: what the probe prints, its exit code, or the refusal."""

    def exec_command(user, port):
        answer = users[user]
        if isinstance(answer, Exception):
            raise answer
        return (answer, b"", b"") if isinstance(answer, int) else (0, answer.encode(), b"")

    return exec_command


REFUSED = AnsibleConnectionFailure("Failed to connect to the host via ssh: root@host: Permission denied (publickey).")
WORKS = "login works\nport 22\n"

# what each user gets, and who is found
LOGINS = {
    "the first": (host(deploy=WORKS, root=WORKS), "deploy"),
    "the second": (host(deploy=REFUSED, root=WORKS), "root"),
    "one who can become root": (host(deploy=77, root=WORKS), "root"),
    "nobody": (host(deploy=77, root=REFUSED), None),
}


@pytest.fixture
def action(monkeypatch, tmp_path):
    """The plugin, with connections that answer as a host would."""
    monkeypatch.setattr(ssh_login.C, "ANSIBLE_HOME", str(tmp_path))

    commands = []

    def action(answers, users, ports=(), wait=0, fresh=False, required=True, app="", connection="ssh", **variables):
        arguments = dict(app=app, users=users, ports=list(ports), wait=wait, fresh=fresh, required=required)
        task = SimpleNamespace(async_val=0, args=arguments, check_mode=False, diff=False)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None), ansible_name=connection)
        play = SimpleNamespace(become_pass=None)
        made = ssh_login.ActionModule(task, connection, play, None, SimpleNamespace(template=lambda value: value), None)
        closed = []

        def connect(login, port, arguments, task_vars):
            return SimpleNamespace(
                exec_command=lambda command, **ignored: commands.append(command) or answers(login.user, port),
                close=lambda: closed.append(login.user),
            )

        monkeypatch.setattr(made, "_connection_as", connect)
        result = made.run(task_vars=dict(variables, inventory_hostname="blog.example.com"))
        return result, closed

    action.commands = commands
    return action


@pytest.mark.parametrize("case", LOGINS)
def test_finds_the_first_who_can_log_in_and_become_root(case, action):
    answers, found = LOGINS[case]
    result, closed = action(answers, ["deploy", "root"])
    assert result.get("user") == found and bool(result.get("failed")) == (found is None)
    assert closed == ["deploy", "root"][: 1 if found == "deploy" else 2]


@pytest.mark.parametrize("given, tried", [({}, ["deploy", "marta"]), ({"ansible_user": "deploy"}, ["deploy", "root"])])
def test_the_ssh_configurations_user_is_tried_where_the_inventory_has_none(given, tried, action, monkeypatch):
    monkeypatch.setattr(ssh_login, "configured_user", lambda host, args: "marta")
    dummy, closed = action(host(deploy=REFUSED, marta=WORKS, root=WORKS), ["deploy", "root"], app="blog", **given)
    assert closed == tried


@pytest.mark.parametrize("connection, fresh, warned", [("ssh", True, 0), ("ansible.builtin.local", True, 1), ("local", False, 0)])
def test_a_playbook_that_runs_on_the_host_proves_no_login(connection, fresh, warned, action):
    result, dummy = action(host(deploy=WORKS), ["deploy"], connection=connection, fresh=fresh)
    assert len(result["warnings"]) == warned == str(result["warnings"]).count("open another one as deploy")


def test_says_who_was_tried_and_how_it_went(action):
    result, dummy = action(host(deploy=77, root=REFUSED), ["deploy", "root", "deploy"])
    assert result["msg"].startswith("Nobody of deploy, root can log in to blog.example.com and become root.")
    assert "add -K to the command" in result["msg"] and "set ansible_user" in result["msg"]
    assert "deploy: logged in, but `sudo -n true` fails; root: root@host: Permission denied" in result["msg"]


def test_a_host_that_cannot_be_reached_is_not_a_refusal(action):
    with pytest.raises(AnsibleConnectionFailure, match="timed out"):
        action(host(deploy=AnsibleConnectionFailure("Connection timed out")), ["deploy", "root"])


@pytest.mark.parametrize("answer, said", [
    (AnsibleConnectionFailure("Connection timed out"), "Connection timed out"), (REFUSED, "Nobody of deploy, root can log in"),
])
def test_a_login_that_is_not_required_is_no_failure(answer, said, action):
    result, dummy = action(host(deploy=answer, root=answer), ["deploy", "root"], required=False)
    assert (result["user"], result.get("failed")) == ("", None) and said in result["problem"]


SILENT = AnsibleConnectionFailure("Connection refused")


def at_ports(**ports):
    """A host that answers differently at each of its ports."""
    return lambda user, port: host(**{user: ports.get("p%d" % port, SILENT)})(user, port)


@pytest.mark.parametrize("port", [2222, 22])
def test_the_first_port_that_lets_somebody_in_is_found(port, action):
    result, dummy = action(at_ports(**{"p%d" % port: WORKS}), ["deploy"], ports=[2222, 22])
    assert result["connect_port"] == port


def test_without_ports_it_is_the_inventorys(action):
    result, dummy = action(at_ports(p0=WORKS), ["deploy"], ansible_port=2200)
    assert result["connect_port"] == 2200
    result, dummy = action(at_ports(p0=WORKS), ["deploy"], ansible_port=2200, ansible_ssh_port=2201)
    assert result["connect_port"] == 2201
    result, dummy = action(at_ports(p0=WORKS), ["deploy"], ports=[2222, 0])
    assert result["connect_port"] is None


def test_a_port_where_nobody_answers_is_tried_once(action):
    dummy, closed = action(at_ports(p22=REFUSED), ["deploy", "root"], ports=[2222, 22])
    assert closed == ["deploy", "deploy", "root"]


def test_waits_for_a_server_that_comes_back(action, monkeypatch):
    monkeypatch.setattr(ssh_login, "PAUSE", 0)
    answers = iter([SILENT, SILENT, WORKS])
    result, dummy = action(lambda user, port: host(deploy=next(answers))(user, port), ["deploy"], wait=5)
    assert result["user"] == "deploy"


def test_no_try_comes_so_soon_that_the_firewall_would_go_on_to_refuse(action, monkeypatch):
    clock, tries = [0.0], []
    monkeypatch.setattr(ssh_login.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(ssh_login.time, "sleep", lambda seconds: clock.append(clock.pop() + seconds))
    action(lambda user, port: tries.append(clock[0]) or host(deploy=REFUSED)(user, port), ["deploy"], wait=60)
    assert max(len([time for time in tries if begin <= time < begin + 30]) for begin in tries) < 6
    assert tries[-1] == 60


def test_a_proof_that_nobody_answers_to_has_failed(action):
    result, dummy = action(at_ports(), ["deploy"], ports=[2222], fresh=True)
    assert result["failed"] and "What was tried: deploy at port 2222: Connection refused." in result["msg"]


def test_what_the_inventory_says_by_other_variables_is_resolved():
    templar = Templar(DataLoader(), {"key": "/keys/ana"})
    made = ssh_login.ActionModule(None, None, PlayContext(), None, templar, None)
    given = {"ansible_ssh_extra_args": trust_as_template("-i {{ key }}"), "inventory_hostname": "blog"}
    found = Attempt(Login("deploy", "-o IdentitiesOnly=yes"), 22, "login works", "", None)
    assert made._described(found, dict(app="", open_ports=[], web_ports=[], fresh=False), given)["ssh_extra_args"] == "-i /keys/ana -o IdentitiesOnly=yes"


@pytest.fixture
def options():
    """What ssh would do to log in as a user, with these variables of an inventory."""

    def options(user, port, **variables):
        context = PlayContext()
        made = ssh_login.ActionModule(
            None, SimpleNamespace(ansible_name="ansible.builtin.ssh"), context, None, Templar(DataLoader(), {}), None
        )
        found = made._connection_as(
            Login(user, ""), port, dict(fresh=False), dict(variables, inventory_hostname="blog.example.com")
        )
        return found.get_option("remote_user"), found.get_option("port")

    return options


@pytest.mark.parametrize("names", [("ansible_user", "ansible_port"), ("ansible_ssh_user", "ansible_ssh_port")])
def test_the_one_who_is_tried_is_who_logs_in_whatever_the_inventory_says(names, options):
    inventory = dict(zip(names, ["root", 2200]))
    assert options("deploy", 2222, **inventory) == ("deploy", 2222)
    assert options("deploy", 0, **inventory) == ("deploy", 2200)


@pytest.fixture
def arguments(tmp_path):
    """The arguments for ssh, of a login that is proven."""

    def arguments(ssh_args="", **given):
        variables = dict(ansible_control_path_dir=str(tmp_path), ansible_ssh_args="-C", ansible_ssh_retries=3)
        made = ssh_login.ActionModule(
            None, SimpleNamespace(ansible_name="ansible.builtin.ssh"), PlayContext(), None, Templar(DataLoader(), {}), None
        )
        return made._connection_as(Login("deploy", ssh_args), 22, given, dict(variables, **given))

    return arguments


def test_a_proof_goes_over_no_open_connection(arguments):
    found = arguments(fresh=True, since=0)
    assert found.get_option("ssh_args") == "-v -o ControlMaster=no -o ControlPath=none -C"
    assert found.get_option("reconnection_retries") == 0


def test_names_of_one_host_share_the_connection_that_was_opened_since(arguments):
    path = arguments(fresh=True, since=5).get_option("ssh_args").partition("ControlPath=")[2].split()[0]
    open(path, "w", encoding="ascii").close()
    assert path in arguments(fresh=True, since=5).get_option("ssh_args") and os.path.exists(path)
    assert path in arguments(fresh=True, since=time.time() + 5).get_option("ssh_args") and not os.path.exists(path)


def test_what_a_login_needs_comes_after_what_the_inventory_has(arguments):
    found = arguments("-o IdentitiesOnly=yes", fresh=False, ansible_ssh_extra_args="-o Compression=no")
    assert found.get_option("ssh_extra_args") == "-o Compression=no -o IdentitiesOnly=yes"
    found = arguments("-o IdentitiesOnly=yes", fresh=False, ansible_ssh_extra_args="-o IdentitiesOnly=yes")
    assert found.get_option("ssh_extra_args") == "-o IdentitiesOnly=yes"


def test_the_reason_is_a_result_that_others_can_act_on(action):
    limited = AnsibleConnectionFailure("Failed to connect to the host via ssh: x: Too many authentication failures")
    result, dummy = action(host(deploy=limited), ["deploy"], fresh=True)
    assert result["reason"] == "keys" and result["remedy"] in result["msg"]
    result, dummy = action(host(deploy=SILENT), ["deploy"], required=False)
    assert "ansible_port" in result["remedy"] and result["remedy"] not in result["problem"]
