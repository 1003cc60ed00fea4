# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has that is not an application's, although it has the name."""

from __future__ import annotations

import os
import re
import subprocess

from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.selfhost.flask.plugins.action.ssh_login import described
from ansible_collections.selfhost.flask.plugins.plugin_utils._names_probe import names_probe

DEFAULTS = yaml.safe_load((Path(__file__).parents[3] / "roles/flask/defaults/main.yml").read_text())
PATHS = re.compile(r"(?<![\w}/.:])/(srv|etc|var|run|usr/lib|usr/local/lib)\b(?!/null)")
OURS = "blog:x:996:996:Flask application:/var/cache/blog:/usr/sbin/nologin"


def declared(field, app):
    """What the parts of the stack declare for an application."""
    templar = Templar(DataLoader(), {**DEFAULTS, "flask_app": app})
    return templar.template(trust_as_template("{{ query('selfhost.flask.parts', '%s') }}" % field))


def probe(app, domains):
    """The script, as the role `flask` has it made."""
    scripts = dict(taken_scripts=declared("taken", app), site_scripts=declared("sites", app))
    return names_probe(app, domains, declared("paths", app), **scripts)


@pytest.fixture
def host(tmp_path):
    """A host's folders, and the programs that know its users and databases."""

    class Host:
        users, groups, tables = "", "", ""

        def write(self, path, text=""):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)

        def folder(self, path):
            (tmp_path / path).mkdir(parents=True)

        def ask(self, *domains, app="blog"):
            self.write("bin/getent", '#!/bin/sh\n[ $1 = passwd ] && set -- "%s" $2 || set -- "%s" $2\n'
                       'echo "$1" | grep "^$2:"\n' % (self.users, self.groups))
            self.write("bin/mysql", "#!/bin/sh\necho %s\n" % self.tables)
            for name in ("getent", "mysql"):
                (tmp_path / "bin" / name).chmod(0o755)
            script = PATHS.sub(lambda found: str(tmp_path / found[1]), probe(app, list(domains)))
            environment = {"PATH": "%s/bin:%s" % (tmp_path, os.environ["PATH"])}
            answer = subprocess.run(["/bin/sh", "-c", script], env=environment, capture_output=True, text=True, check=True)
            assert answer.stderr == ""
            found = described(answer.stdout.replace(str(tmp_path), ""), [])
            return found["taken"] + found["sites"]

    return Host()


def test_a_bare_host_has_nothing_of_the_name(host):
    host.users, host.groups = "blogger:x:1000:1000::/home/blogger:/bin/bash", "blogger:x:1000:"
    host.write("etc/nginx/sites-available/blog2")
    assert host.ask("blog.example.com") == []


def test_the_users_and_groups_of_a_host_are_not_the_applications(host):
    host.users, host.groups = "blog:x:1000:1000:Ana:/home/blog:/bin/bash", "blog:x:1000:"
    assert host.ask() == ["the user blog", "the group blog"]


@pytest.mark.parametrize("path", [
    "srv/blog", "var/cache/blog", "var/log/blog", "var/backups/blog", "etc/nginx/sites-available/blog",
    "etc/supervisor/conf.d/blog.conf", "usr/lib/tmpfiles.d/blog.conf", "usr/lib/sysusers.d/blog.conf",
    "etc/tmpfiles.d/blog.conf", "etc/systemd/system/blog.service", "usr/lib/systemd/system/blog.service",
])
def test_a_file_or_folder_of_somebody_else_is_not_the_applications(path, host):
    host.write(path)
    assert host.ask() == ["/" + path]


def test_a_program_of_somebody_else_is_not_the_applications(host):
    host.write("etc/supervisor/conf.d/hand.conf", "[program:blog]\ncommand=x\n")
    host.write("etc/supervisor/conf.d/other.conf", "[program:blog-api-blue]\n[program:blog2]\n")
    assert host.ask() == ["a program in /etc/supervisor/conf.d/hand.conf"]


@pytest.mark.parametrize("tables, taken", [("3", ["the database blog"]), ("0", []), ("", [])])
def test_a_database_with_tables_is_somebodys(tables, taken, host):
    host.tables = tables
    assert host.ask() == taken


@pytest.mark.parametrize("trace", ["folder", "file", "user"])
def test_what_an_earlier_run_has_left_is_the_applications_own(trace, host):
    host.groups, host.tables = "blog:x:996:", "7"
    for path in ("var/log/blog/x", "etc/nginx/sites-available/blog", "etc/tmpfiles.d/blog.conf"):
        host.write(path)
    if trace == "folder":
        host.folder("srv/blog/deployment")
    if trace == "file":
        host.write("etc/sysusers.d/blog.conf", 'u blog - "Flask application" /var/cache/blog /usr/sbin/nologin\n')
    if trace == "user":
        host.users = OURS
    assert host.ask() == []


HAND_MADE = """
server { # server_name blog.example.com;
    server_name
        www.blog.example.com  Blog.example.com;
}
server { server_name other.example.com; }
"""


def test_another_site_with_one_of_the_names_is_found(host):
    host.folder("srv/a/deployment")
    host.write("etc/nginx/sites-enabled/a", "server { server_name www.blog.example.com x.example.com; }")
    host.write("etc/nginx/conf.d/hand.conf", HAND_MADE)
    host.write("etc/nginx/conf.d/selfhost.conf", "server { server_name _; }")
    assert host.ask("blog.example.com", "www.blog.example.com") == [
        {"place": "first", "kind": "application", "domain": "www.blog.example.com", "path": "/etc/nginx/sites-enabled/a"},
        {"place": "other", "kind": "foreign", "domain": "blog.example.com", "path": "/etc/nginx/conf.d/hand.conf"},
        {"place": "first", "kind": "foreign", "domain": "www.blog.example.com", "path": "/etc/nginx/conf.d/hand.conf"},
    ]


def test_its_own_site_and_other_names_are_nothing_to_speak_of(host):
    host.folder("srv/blog/deployment")
    host.write("etc/nginx/sites-enabled/blog", "server { server_name blog.example.com; }")
    host.write("etc/nginx/sites-enabled/shop", "server { server_name shop.example.com xblog.example.com *.example.com; }")
    assert host.ask("blog.example.com", "*.blog.example.com") == []
