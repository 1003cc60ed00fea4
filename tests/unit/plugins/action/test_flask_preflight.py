# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that can't be meant end a play, with what to set instead."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.selfhost.flask.plugins.action import flask_preflight
from ansible_collections.selfhost.flask.plugins.plugin_utils._variable_names import FORMER, ROLES, read_defaults, read_yaml

INVENTORY = {
    "flask_app": "blog",
    "flask_repo": "https://git.example.com/blog",
    "flask_entrypoint": "blog:app",
    "inventory_hostname": "blog.example.com",
}
HINT = " If it is one of your own, name it in flask_ignored_variables."
END = " Nothing was changed on blog.example.com."


@pytest.fixture
def refuse(monkeypatch):
    """The message that a play with these variables ends with; '' where it goes on."""

    def refuse(effect="", hosts=("blog.example.com",), extra=(), repo="", **variables):
        monkeypatch.setattr(flask_preflight, "load_extra_vars", lambda loader: dict.fromkeys(extra))
        given = {name: value for name, value in {**INVENTORY, **variables}.items() if value is not ...}
        given["ansible_play_hosts_all"] = list(hosts)
        given["hostvars"] = {name: {} if name == "mail" else given for name in hosts}
        task = SimpleNamespace(async_val=0, args=dict(effect=effect, repo=repo, version="HEAD"), check_mode=False, diff=False)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        loader = DataLoader()
        action = flask_preflight.ActionModule(task, connection, None, loader, Templar(loader, given), None)
        result = action.run(task_vars=given)
        message = result["msg"].replace(END, "") if result.get("failed") else ""
        assert message or not result["changed"]
        return message

    return refuse


UNKNOWN = {
    "flask_tsl": "flask_tls",
    "flask_verison": "flask_version",
    "flask_admin": "flask_admins",
    "flaks_version": "flask_version",
    "Flask_tls": "flask_tls",
    "flaskapp": "flask_app",
    "ngnix_upload_limit": "nginx_upload_limit",
    "nginx_upload_limt": "nginx_upload_limit",
    "app_extra_package": "app_extra_packages",
    "app_shared_paths": "flask_shared_paths",
    "system_reboot_tme": "system_reboot_time",
    "gunicorn_health_deadline": "deployment_health_deadline",
    "app_name": "flask_app",
    "app_repo": "flask_repo",
    "backup_fetch": "flask_backup_fetch",
    "nginx_domain": "flask_domain",
    "tls_origin": "flask_tls",
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_misspelt_variable_is_refused_with_the_name_that_is_meant(name, refuse):
    said = refuse(**{name: "x"})
    assert said.startswith("%s is no variable of selfhost.flask. Did you mean %s?" % (name, UNKNOWN[name]))


def test_what_begins_as_the_collections_own_is_refused_in_any_case(refuse):
    assert refuse(flask_zebra=1) == "flask_zebra is no variable of selfhost.flask." + HINT


def test_what_is_no_variable_any_more_is_refused(refuse):
    assert refuse(app_root="/opt/blog") == "app_root is no variable of selfhost.flask." + HINT
    assert refuse(nginx_packages=[]) == "nginx_packages is no variable of selfhost.flask." + HINT


def test_what_an_old_variable_is_called_now_is_one(refuse):
    """Where it is said that one is meant, it exists."""
    known = {name for variables in read_defaults().values() for name in variables}
    assert known.issuperset(FORMER.values()) and known.isdisjoint(FORMER)


FOREIGN = [
    *("app_port", "app_user", "app_path", "app_domain", "app_secret_key", "base_dir", "base_url", "system_locale"),
    *("backup_path", "doctor_name", "my_app_repo", "nginx_vhosts", "nginx_user", "nginx_error_log", "nginx_worker_processes"),
    *("mysql_root_password", "mysql_bind_address", "postfix_relayhost", "fail2ban_services", "tls_cert", "app_root_dir"),
    *("application", "hooks", "flask", "nginx", "database_password", "__flask_x", "__app_release", "ansible_flask_x"),
]


@pytest.mark.parametrize("name", FOREIGN)
def test_variables_of_others_pass(name, refuse):
    assert refuse(**{name: "x"}) == ""


def test_a_variable_of_ones_own_that_looks_misspelt_can_be_named(refuse):
    assert refuse(mysql_databases=[]).endswith("Did you mean mysql_database?" + HINT)
    assert refuse(mysql_databases=[], flask_ignored_variables=["mysql_databases"]) == ""


VALUES = {
    "a choice": ({"flask_tls": "letsencript"}, "flask_tls is 'letsencript'. Set it to self_signed, letsencrypt or provided. "
                 "Did you mean letsencrypt?"),
    "a choice of a role that comes late": ({"hardening_outgoing": "x"}, "hardening_outgoing is 'x'. Set it to allow, deny or reject."),
    "no boolean": ({"flask_mail_enabled": "perhaps"}, "flask_mail_enabled is 'perhaps'. Set it to true or false."),
    "no number": ({"nginx_hsts_seconds": "a year"}, "nginx_hsts_seconds is 'a year'. Set it to a whole number."),
    "no list": ({"flask_workers": {}}, "flask_workers is {}. Set it to a list."),
    "a choice in a list": ({"nginx_hsts_options": ["preload", "x"]}, "nginx_hsts_options[1] is 'x'. Set it to "
                           "includeSubDomains or preload."),
    "no item": ({"flask_admins": ["ana"]}, "flask_admins[0] is 'ana'. Set it to keys with values."),
    "a key of an item": ({"flask_workers": [{"nmae": "x", "name": "y", "command": "z"}]},
                         "flask_workers[0] has the unknown key nmae. Did you mean name?"),
    "no key of an item": ({"flask_workers": [{"name": "x"}]}, "flask_workers[0] has no command. Set it to a text, in quotes."),
    "a number in an item": ({"flask_workers": [{"name": "x", "command": "y", "stop_seconds": "z"}]},
                            "flask_workers[0].stop_seconds is 'z'. Set it to a whole number."),
    "a version that yaml reads as a number": ({"flask_version": 1.10}, "flask_version is 1.1. Set it to a text, in quotes."),
    "a secret": ({"flask_env": ["pelican"]}, "flask_env is something else. Set it to keys with values."),
    "nothing": ({"flask_aliases": None}, "flask_aliases has no value. Set it to a list, or take it out."),
    "a template": ({"flask_tls": trust_as_template("{{ 'letsencrypt' ~ 'x' }}")}, "flask_tls is 'letsencryptx'. Set it to"),
    "no part of the stack": ({"flask_database": "oracle"}, "flask_database is 'oracle'. Set it to external, mysql, none, postgresql or sqlite."),
    "a part of another kind": ({"flask_web_server": "postfix"}, "flask_web_server is 'postfix'. Set it to nginx or none."),
    "a companion that there is not": (
        {"flask_services": ["reddis"]},
        "flask_services is 'reddis'. Set it to elasticsearch, memcached, rabbitmq or redis.",
    ),
    "left out": ({"flask_repo": ...}, "flask_repo is not set. Set it in the inventory."),
}


@pytest.mark.parametrize("case", VALUES)
def test_a_value_that_does_not_fit_is_refused_in_one_line(case, refuse):
    given, message = VALUES[case]
    said = refuse(**given)
    assert said.startswith(message) and len(said) < 200 and "\n" not in said


@pytest.mark.parametrize("given", [
    {"flask_mail_enabled": "yes"}, {"gunicorn_workers": "3"}, {"flask_version": 7}, {"flask_env_required": None},
    {"gunicorn_workers": trust_as_template("{{ ansible_facts['processor_vcpus'] }}")},  # it is read later
    {"flask_workers": [{"name": "x", "command": "y", "stop_seconds": "9"}]}, {"flask_aliases": "a.example.com,b.example.com"},
    {"nginx_hsts_options": ["preload", "includeSubDomains"]},
])
def test_a_value_that_ansible_can_convert_passes(given, refuse):
    assert refuse(**given) == ""


BOTH = ["blog.example.com", "shop.example.com"]
QUESTION = (
    "2 applications are meant: blog.example.com, shop.example.com. %s Choose one, such as by --limit "
    "blog.example.com, or confirm them by -e flask_confirm=blog.example.com,shop.example.com."
)
EFFECT = "replaces the data"


def test_what_overwrites_asks_which_application_is_meant(refuse):
    assert refuse(EFFECT, BOTH) == QUESTION % "This playbook replaces the data."


@pytest.mark.parametrize("name", [
    "flask_version", "flask_migration", "flask_backup", "flask_release",
    "flask_app", "flask_command",
])
def test_what_the_command_line_says_of_one_application_asks_too(name, refuse):
    assert refuse("", BOTH, extra=[name]) == QUESTION % ("-e %s is for all of them." % name)


@pytest.mark.parametrize("effect, hosts, extra, confirmed", [
    (EFFECT, ["shop.example.com"], ["flask_version"], []),
    (EFFECT, ["shop.example.com", "mail"], ["flask_version"], []),  # mail is a host without an application
    ("", BOTH, [], []),
    ("", BOTH, ["flask_tls", "flask_backup_fetch", "flask_maintenance", "ansible_user"], []),
    (EFFECT, BOTH, [], "all"),
    (EFFECT, BOTH, ["flask_version"], "shop.example.com, blog.example.com"),
    (EFFECT, BOTH, [], BOTH),
])
def test_one_application_or_confirmed_ones_are_no_question(effect, hosts, extra, confirmed, refuse):
    assert refuse(effect, hosts, extra, flask_confirm=confirmed) == ""


@pytest.mark.parametrize("confirmed", ["shop.example.com", "blog", "blog.example.com,mail"])
def test_each_application_has_to_be_confirmed_by_its_inventory_name(confirmed, refuse):
    assert refuse(EFFECT, BOTH, flask_confirm=confirmed).startswith("2 applications are meant")


def test_what_the_collection_offers_is_no_unknown_name(refuse):
    offered = [name for name in read_yaml(ROLES / "flask/vars/main.yml") if not name.startswith("_")]
    assert {"flask_database_url", "flask_database_host"} <= set(offered)
    assert refuse(**dict.fromkeys(offered, "x")) == ""


def test_a_folder_that_can_t_be_deployed_is_refused_before_the_login(refuse, tmp_path):
    assert "that folder is no git repository" in refuse(repo=str(tmp_path))
    assert "there is no such folder on this machine" in refuse(repo=str(tmp_path / "x"))


def test_a_folder_that_is_a_repository_passes(refuse, remote):
    remote.commit("app.py")
    assert refuse(repo=remote.url) == ""


def test_what_is_not_committed_is_said_at_once(remote):
    remote.commit("app.py")
    (remote.folder / "new.py").touch()
    assert flask_preflight.read_source(remote.url, "HEAD") == (
        [], ["1 uncommitted or untracked file of %s is not deployed: new.py. Commit what the application needs, and deploy again." % remote.url]
    )
