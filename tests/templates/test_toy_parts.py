# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts that only these tests have are looked after by every role, without a line of it changed."""

from __future__ import annotations

import configparser
import os
import subprocess

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible_collections.selfhost.flask.plugins.plugin_utils._names_probe import names_probe
from deployments import ROLES

TOP = ROLES.parent
TOYS = TOP / "tests/parts"
INVENTORY = {"inventory_dir": str(TOYS)}  # beside which there are roles of one's own
COMPANION = {**INVENTORY, "flask_services": ["toy_companion"]}
ALL = {
    **COMPANION,
    "flask_database": "toy_database",
    "flask_wsgi_server": "toy_server",
    "flask_process_manager": "toy_process",
    "flask_web_server": "toy_proxy",
    "flask_mail_server": "toy_mail",
}
# What the collection's own parts are called, and nobody else.
OWN = ("mysql", "mariadb", "supervisor", "nginx", "www-data", "postfix", "gunicorn")


def ask(evaluate, field, kind=(), **given):
    return evaluate("flask", "query('selfhost.flask.parts', '%s', kind=%s)" % (field, list(kind)), **given)


def names_of_own(text):
    return [name for name in OWN if name in str(text)]


def test_what_a_companion_needs_is_installed_with_the_rest(evaluate):
    (play,) = yaml.safe_load((TOP / "playbooks/provision.yml").read_text())
    assert "query('selfhost.flask.parts', 'packages')" in play["vars"]["base_packages"]
    assert set(ask(evaluate, "packages", **COMPANION)) - set(ask(evaluate, "packages")) == {"socat", "netcat-openbsd"}
    assert "other" in ask(evaluate, "packages", **COMPANION, toy_companion_server="other")
    assert evaluate("app", "__app_stack_packages", **COMPANION) == [
        "gunicorn", "pymysql", "cryptography", "iniconfig", "python-dotenv",
    ]


def test_an_application_finds_a_companion_by_its_settings(evaluate):
    env = evaluate("app", "__app_env", **COMPANION)
    assert env["TOY_URL"] == "toy://localhost:7777/microblog" and "DATABASE_URL" in env
    assert evaluate("app", "__app_env", flask_env={"TOY_URL": "mine"}, **COMPANION)["TOY_URL"] == "mine"


def test_the_services_of_an_application_start_after_a_companion(render):
    units = [("deployment", "recover"), ("backup", "backup"), ("backup", "drill")]
    for role, name in units:
        unit = configparser.RawConfigParser(strict=False)
        unit.read_string(render(role, name + ".service.j2", **COMPANION))
        assert {"toy.service", "mysql.service", "mariadb.service"} < set(unit["Unit"]["After"].split())


@pytest.mark.parametrize("given, taken", [
    ({"flask_app": "toyd"}, True), ({"flask_app": "toybox"}, True), ({"flask_admins": [{"name": "toyd"}]}, True), ({}, False),
])
def test_the_names_of_a_companion_are_taken(given, taken, refusals):
    assert bool(refusals("flask", **COMPANION, **given)) == taken
    assert refusals("flask", **given) == []


def test_what_a_companion_can_t_be_is_refused(refusals):
    assert refusals("flask", **COMPANION, toy_companion_server="none") == ["toy_companion_server is 'none'. Set it to a package."]


def test_a_host_may_connect_to_where_its_parts_do(evaluate):
    ports = [evaluate("hardening", "hardening_outgoing_ports", **given) for given in ({}, COMPANION, ALL)]
    assert [port[-2:] for port in ports] == [["587/tcp", "25/tcp"], ["25/tcp", "7777/tcp"], ["2525/tcp", "7777/tcp"]]


def test_needrestart_leaves_alone_what_the_application_is_run_by(render):
    usual, more, other = (render("system", "needrestart.conf.j2", **given) for given in ({}, COMPANION, ALL))
    assert [text.count("override_rc") for text in (usual, more, other)] == [2, 3, 2]
    assert "qr(^toy)" in more and "qr(^toy)" in other and "supervisor" not in other


def test_a_change_in_a_file_of_any_part_starts_the_slots_anew(evaluate):
    files = {entry["dest"]: entry for entry in evaluate("deployment", "__deployment_files", **COMPANION)}
    assert files["/srv/microblog/toy"]["content"] == "by socat\n"
    config = evaluate("deployment", "__deployment_config", **COMPANION)
    assert config == ["/srv/microblog/shared/.env", *files]
    assert {"gunicorn.conf.py", "gate.py", "serve", "work", "microblog.conf"} <= {path.split("/")[-1] for path in config}


def test_a_host_is_searched_for_what_a_part_would_give_the_name(evaluate, tmp_path):
    about = {field: ask(evaluate, field, **ALL) for field in ("paths", "taken", "sites")}
    script = names_probe("microblog", ["blog.example.com"], about["paths"], about["taken"], about["sites"])
    (tmp_path / "toy").touch()
    (tmp_path / "sites").write_text("blog.example.com other\nblog.example.com microblog\n")
    for path, own in (("/etc/toy/microblog.conf", "toy"), ("/run/toys", "toy"), ("/etc/toy-proxy/sites", "sites")):
        script = script.replace(path, str(tmp_path / own))
    said = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True, env=dict(os.environ)).stdout
    assert said.splitlines() == [
        "taken %s/toy" % tmp_path, "taken toys of microblog", "site first foreign blog.example.com %s/sites" % tmp_path,
    ]


def test_a_stack_of_toys_has_nothing_of_the_collections_own(evaluate, render):
    shown = {
        "packages": ask(evaluate, "packages", **ALL),
        "requirements": evaluate("app", "__app_stack_packages", **ALL),
        "settings": evaluate("app", "__app_env", **ALL),
        "slots": evaluate("deployment", "__deployment_files[:3]", **ALL),
        "paths": evaluate("deployment", "__deployment_config", **ALL),
        "after": evaluate("deployment", "__deployment_after", **ALL) + evaluate("backup", "__backup_after", **ALL),
        "certificate": evaluate("tls", "__tls_services", **ALL),
        "jail": render("fail2ban", "login_jail.conf.j2", **ALL),
        "folders": render("app", "tmpfiles.conf.j2", **ALL),
        "needrestart": render("system", "needrestart.conf.j2", **ALL),
        "ports": evaluate("hardening", "hardening_outgoing_ports", **ALL),
    }
    assert {name: names_of_own(value) for name, value in shown.items()} == {name: [] for name in shown}
    assert shown["settings"] == {
        "DATABASE_URL": "folder://microblog@localhost/microblog", "MAIL_SERVER": "::1", "TOY_URL": "toy://localhost:7777/microblog",
    }
    assert shown["slots"][2]["content"].splitlines()[1].endswith("/var/log/microblog/green.log /srv/microblog/serve green")
    assert shown["certificate"] == ["toy-proxy"]
    assert evaluate("doctor", "__doctor_drivers", **ALL) == {"process": "start-stop-daemon", "proxy": "toy"}
    assert "d /srv/microblog/run 0750 microblog daemon\n" in shown["folders"]
    jail = configparser.ConfigParser()
    jail.read_string(shown["jail"])
    assert jail["microblog-login"]["logpath"].split() == ["/var/log/toy-proxy/microblog.log", "/var/log/toy-proxy/all.log"]


def test_only_the_parts_in_use_are_asked(evaluate):
    assert ask(evaluate, "role") == ["selfhost.flask." + name for name in ("supervisor", "mysql", "nginx", "postfix")]
    assert ask(evaluate, "role", ["database", "mail"], flask_database="sqlite", flask_mail_enabled=False) == []
    assert ask(evaluate, "role", **ALL) == ["%s/roles/toy_%s" % (TOYS, kind) for kind in ("database", "proxy", "companion")]


@pytest.mark.parametrize("name, value, right", [
    ("flask_database", "oracle", "external, mysql, none, postgresql or sqlite"),
    ("flask_database", "nginx", "external, mysql, none, postgresql or sqlite"),
    ("flask_database", "../mysql", "external, mysql, none, postgresql or sqlite"),
    ("flask_web_server", "apache", "nginx or none"),
    ("flask_web_server", "socket", "nginx or none"),
    ("flask_database", "socket", "external, mysql, none, postgresql or sqlite"),
    ("flask_services", ["toy_companion"], "elasticsearch, memcached, rabbitmq or redis"),
])
def test_a_part_that_there_is_not_is_an_error_with_those_that_there_are(name, value, right, evaluate):
    with pytest.raises(AnsibleError, match="%s is '%s'. Set it to %s" % (name, value if isinstance(value, str) else value[0], right)):
        ask(evaluate, "units", **{name: value})
