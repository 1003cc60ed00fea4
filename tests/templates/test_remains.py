# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a role writes for one application alone is removed with it."""

from __future__ import annotations

import fnmatch
import re
import subprocess

import pytest
import yaml
from ansible_collections.selfhost.flask.plugins.module_utils.removal.remains import has_name
from deployments import DEPLOYMENTS, ROLES

TOYS = ROLES.parent / "tests/parts"
JOBS = {"flask_jobs": [{"name": "clean", "schedule": "daily", "command": "true"}]}
DEPLOYED = ["usual", "nasty"]
UNITS = "/etc/systemd/system/"
ON_THE_CONTROLLER = ("__backup_target", "__adoption_target", "__adoption_local", "__adoption_dest")
FILES = [path for folder in ("tasks", "vars") for path in ROLES.glob("*/%s/*.yml" % folder)]


def remains(evaluate, deployment="usual", **given):
    """What removal/vars has of all parts, whichever of them are in use."""
    return evaluate("removal", "__removal_remains", deployment, **{"backup_folder": "/var/backups/" + app_of(deployment), **given})


def app_of(deployment):
    return DEPLOYMENTS[deployment]["flask_app"]


def patterns_of(entries):
    """Of files, those in folders, and links that a unit is enabled by."""
    paths = [path for entry in entries for path in entry.get("paths", [])]
    units = [UNITS + unit for entry in entries for unit in entry.get("units", [])]
    return [*paths, *(path + "/*" for path in paths), *units, *(UNITS + "*.wants/" + unit[len(UNITS):] for unit in units)]


def destinations(node):
    """The values of `dest` in some YAML, wherever they are."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        if key == "dest" and isinstance(value, str):
            yield value
        yield from destinations(value)


def written(evaluate, deployment):
    """The paths that tasks write to, and have the application's name."""
    found = {one["dest"] for one in evaluate("deployment", "__deployment_job_files", deployment, **JOBS)}
    for path in FILES:
        for text in destinations(yaml.safe_load(path.read_text())):
            role = path.parts[-3]
            if "item" not in text and not any(name in text for name in ON_THE_CONTROLLER):
                found.add(evaluate(role, "(%s)" % as_expression(text), deployment, __postgresql_unit="x", __postgresql_folder="/x"))
    return {path for path in found if has_name(path, app_of(deployment))}


def as_expression(text):
    """A text with templates in it as one expression."""
    return " ~ ".join(piece[1] or repr(piece[0]) for piece in re.findall(r"((?:(?!\{\{).)+)|\{\{\s*(.*?)\s*\}\}", text))


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_every_file_of_an_application_is_removed_with_it(deployment, evaluate):
    patterns = patterns_of(remains(evaluate, deployment))
    paths = written(evaluate, deployment)
    assert len(paths) > 40
    assert {path for path in paths if not any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)} == set()


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_every_folder_of_an_application_is_removed_with_it(deployment, evaluate, render):
    folders = re.findall(r"(?m)^d (\S+)", render("app", "tmpfiles.conf.j2", deployment))
    logs = evaluate("fail2ban", "query('selfhost.flask.parts', 'access_logs')", deployment)
    patterns = patterns_of(remains(evaluate, deployment))
    assert len(folders) > 10 and logs
    assert [path for path in folders + logs if not any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)] == []


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_what_is_removed_has_the_application_s_name(deployment, evaluate):
    declared = [one for entry in remains(evaluate, deployment) for one in entry.get("paths", []) + entry.get("units", [])]
    assert [one for one in declared if not has_name(one, app_of(deployment))] == []


@pytest.mark.parametrize("folder, own", [("/mnt/backups", False), ("/mnt/blog/all", False), ("/mnt/microblog/backups", True)])
def test_a_folder_with_the_backups_of_others_stays(folder, own, evaluate):
    paths = [path for entry in remains(evaluate, backup_folder=folder) for path in entry.get("paths", [])]
    assert "/var/backups/microblog" in paths and (folder in paths) == own


def test_parts_that_are_not_in_use_any_more_are_asked_too(evaluate):
    units = [unit for entry in remains(evaluate) for unit in entry.get("units", [])]
    assert {"redis-microblog.service", "memcached-microblog.service"} < set(units)


def test_a_database_is_dropped_where_it_is_in_use_and_said_where_it_was(evaluate):
    names = ("__removal_databases", "__removal_former")
    used, former = (evaluate("removal", name, mysql_database="blog_db", mysql_user="blog_user", postgresql_database="x") for name in names)
    assert used == [{"kind": "mysql", "name": "blog_db", "account": "blog_user"}]
    assert former == [{"kind": "postgresql", "name": "x", "account": "x"}]
    used, former = (evaluate("removal", name, flask_database="sqlite") for name in names)
    assert used == [] and [one["kind"] for one in former] == ["mysql", "postgresql"]


def test_a_part_of_one_s_own_says_what_it_leaves(evaluate):
    toys = dict(
        inventory_dir=str(TOYS), flask_database="toy_database", flask_wsgi_server="toy_server", flask_web_server="toy_proxy",
        flask_process_manager="toy_process", flask_mail_enabled=False,
    )
    entries = remains(evaluate, **toys)
    assert "/etc/toy-manager/microblog" in [path for entry in entries for path in entry.get("paths", [])]
    assert any("toy-proxy" in entry.get("reload", "") for entry in entries)
    assert evaluate("removal", "__removal_databases", **toys) == [{"kind": "folder", "name": "microblog", "account": ""}]


def run(script, **variables):
    return subprocess.run(["sh", "-euc", script], capture_output=True, text=True, env={"PATH": "/usr/sbin:/usr/bin:/bin", **variables}, check=False)


def test_an_unknown_name_is_not_shown_the_certificate_of_who_has_left(tmp_path):
    look, take = ((ROLES / "nginx/files" / name).read_text().replace("/etc/ssl/selfhost", str(tmp_path)) for name in ("look.sh", "take.sh"))
    for name in ("pem", "key"):
        (tmp_path / ("blog." + name)).write_text("x")
        (tmp_path / ("default." + name)).symlink_to("blog." + name)
    assert run(look, app="shop").stdout == "" and "blog" in run(look, app="blog").stdout
    assert run(take, app="blog").returncode == 0
    assert not (tmp_path / "default.pem").is_symlink() and (tmp_path / "default.key").stat().st_mode & 0o777 == 0o600
    check = "openssl x509 -in %s/default.pem -noout -subject && openssl pkey -in %s/default.key -noout" % (tmp_path, tmp_path)
    assert "CN = localhost" in run(check).stdout and run(look, app="blog").stdout == ""
    assert {path.name for path in tmp_path.iterdir()} == {"blog.pem", "blog.key", "default.pem", "default.key"}


FOUND = {"found": ["unit flask-microblog-backup.timer", "user microblog"], "stays": ["the administrators ana"], "begun": False, "set_up": True}


def test_it_is_said_what_there_is_and_how_it_is_removed(evaluate):
    said = evaluate("removal", "__removal_said", __removal=FOUND)
    assert said[:3] == ["Of microblog, blog.example.com has:", *FOUND["found"]] and "-e flask_remove=microblog" in said[3]
    nothing = {**FOUND, "found": []}
    assert evaluate("removal", "__removal_said", __removal=nothing) == "There is nothing of microblog on blog.example.com."
    assert evaluate("removal", "__removal_said", __removal={**nothing, "begun": True})[0].startswith("Of microblog")


def test_it_is_said_what_is_gone_and_what_stays(evaluate):
    said = evaluate("removal", "__removal_done", __removal=FOUND, __backup_target="/home/ana/microblog.tar", backup_restic_repository="sftp:x")
    assert said[:2] == ["microblog is removed from blog.example.com.", "Its last backup is /home/ana/microblog.tar on this computer."]
    assert said[3:] == ["Stays: the administrators ana", "Stays: the backups in sftp:x."]


@pytest.mark.parametrize("given, meant, backed_up", [
    ({}, False, True), ({"flask_remove": "microblog"}, True, True), ({"flask_remove": "microblog", "flask_remove_backup": "false"}, True, False),
    ({"flask_remove": "microblog", "__removal": {**FOUND, "begun": True, "found": []}}, True, False),
    ({"flask_remove": "microblog", "__removal": {**FOUND, "found": []}}, False, True),
])
def test_only_what_is_named_is_removed_and_what_was_begun_has_its_backup(given, meant, backed_up, evaluate):
    given = {"__removal": FOUND, **given}
    assert (evaluate("removal", "__removal_is_meant", **given), evaluate("removal", "__removal_is_backed_up", **given)) == (meant, backed_up)
