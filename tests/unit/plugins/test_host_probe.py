# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host says of itself before anything is changed, by a shell with programs of a few lines."""

from __future__ import annotations

import os
import re
import subprocess
import time

import pytest
from ansible_collections.selfhost.flask.plugins.action.ssh_login import described
from ansible_collections.selfhost.flask.plugins.plugin_utils._host_probe import host_probe

from test_names_probe import declared

PATHS = re.compile(r"(?<![\w}.:|*/])/(var/lib/selfhost|var/lib/mysql|etc|proc)\b")
LISTENS = 'echo \'LISTEN 0 9 0.0.0.0:%s 0.0.0.0:* users:(("%s",pid=7,fd=3))\''


@pytest.fixture
def host(tmp_path):
    """A host's folders and programs."""

    class Host:
        def write(self, path, text=""):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)

        def program(self, name, text):
            self.write("bin/" + name, "#!/bin/sh\n%s\n" % text)
            (tmp_path / "bin" / name).chmod(0o755)

        def ask(self):
            script = PATHS.sub(lambda found: str(tmp_path / found[1]), host_probe(declared("used", "blog")))
            environment = {"PATH": "%s/bin:%s" % (tmp_path, os.environ["PATH"])}
            answer = subprocess.run(["/bin/sh", "-c", script], env=environment, capture_output=True, text=True, check=True)
            assert answer.stderr == ""
            return described(answer.stdout.replace(str(tmp_path), ""), [])

    made = Host()
    for name in ("ss", "iptables", "ip6tables", "nft", "systemctl", "psql", "systemd-run"):
        made.program(name, "exit 3")
    made.program("systemd-detect-virt", "exit 1")
    return made


def test_a_bare_host_is_in_nobodys_use(host):
    found = host.ask()
    assert found["new"] and not found["ipv6"] and abs(found["clock_seconds"]) < 5
    assert found["room_mb"]["/"] > 0
    assert [found[name] for name in ("listeners", "published", "rules", "used", "blocked", "web")] == [[]] * 6


def test_what_runs_is_said_of_a_host_that_is_not_set_up_yet(host):
    host.program("ss", "[ $1 = -Hltnp ] && %s || echo tcp $(%s)" % (LISTENS % ("80", "apache2"), LISTENS % ("3000", "node")))
    host.write("proc/7/cgroup", "0::/system.slice/apache2.service\n")
    host.write("proc/net/if_inet6")
    host.program("iptables", "echo '-A INPUT -j REJECT'")
    found = host.ask()
    assert found["web"] == [{"port": "80", "unit": "apache2.service"}] and found["ipv6"]
    assert found["rules"] == ["-A INPUT -j REJECT"]
    host.write("proc/7/cgroup", "12:name=systemd:/user.slice/user-0.slice/user@0.service/caddy.service\n1:net:/\n")
    assert host.ask()["web"] == [{"port": "80", "unit": "user.slice"}]
    host.write("var/lib/selfhost/x")
    assert found["listeners"] == [{"protocol": "tcp", "port": 3000, "program": "node"}]
    again = host.ask()
    assert again["web"]
    assert not again["new"] and again["rules"] == again["listeners"] == []


@pytest.mark.parametrize("path, text, said", [
    ("etc/nginx/sites-enabled/shop", "server { listen 80; root /home/ana/shop; }", ["used keep nginx", "used replace /etc/nginx/nginx.conf"]),
    ("etc/nginx/sites-enabled/shop", "  listen 80 default_server;", ["blocked /etc/nginx/sites-enabled/shop is nginx's default site",
                                                               "used replace /etc/nginx/nginx.conf"]),
    ("etc/nginx/sites-enabled/default", "listen 80 default_server;", []),
    ("etc/supervisor/conf.d/microblog.conf", "directory=/home/ubuntu/microblog\n", ["used end what supervisor runs"]),
    ("etc/supervisor/conf.d/shop.conf", "directory=/opt/shop\n; /home/x\n", ["used confine what supervisor runs"]),
    ("var/lib/mysql/microblog/db.opt", "", ["used restart the database server, which has microblog"]),
    ("var/lib/mysql/mysql/db.opt", "", []),
])
def test_what_others_have_in_the_parts_is_said(path, text, said, host):
    host.write(path, text)
    found = host.ask()
    lines = ["blocked " + line for line in found["blocked"]] + ["used " + line for line in found["used"]]
    assert [line.startswith(start) for line, start in zip(lines, said)] == [True] * len(said) == [True] * len(lines)


def test_databases_and_mail_of_others_are_said(host):
    host.program("systemctl", "[ $3 = postfix ]")
    assert host.ask()["used"] == ["replace /etc/postfix/main.cf, so that it takes no mail from others"]


@pytest.mark.parametrize("code, kind", [(226, "lxc"), (0, ""), (1, "")])
def test_a_container_without_namespaces_is_recognised_by_what_systemd_answers(code, kind, host):
    host.program("systemd-detect-virt", "[ $1 = -cq ] || echo lxc")
    host.program("systemd-run", "exit %d" % code)
    assert host.ask()["unconfined"] == kind


def test_a_clock_that_is_wrong_is_seen(host):
    host.program("date", "echo %d" % (time.time() - 7200))
    assert -7210 < host.ask()["clock_seconds"] < -7190
