# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.database.mysql import MySQL
from ansible_collections.selfhost.flask.plugins.module_utils.database.sqlite import SQLite
from ansible_collections.selfhost.flask.plugins.module_utils.flask.application import ApplicationError
from ansible_collections.selfhost.flask.plugins.module_utils.flask.loading import Loading, inspect, sandbox_of
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

LOADED = dict(loads=True, why="", touches=[], databases=[], secret_key="own")


class App:
    """What it answers in the sandbox."""

    def __init__(self, **answer):
        self.found = answer

    def answer(self, question, **dummy):
        assert question == "inspect"
        return dict(self.found)


@pytest.mark.parametrize("answer, risky", [
    (LOADED, False),
    (dict(LOADED, touches=["connects to mysql"]), True),
    (dict(LOADED, loads=False, why="KeyError: 'X'"), True),
    (dict(problem="`python` ended with exit code -11"), True),
])
def test_what_reaches_for_its_database_or_does_not_load_is_a_risk(answer, risky):
    assert inspect(App(**answer)).is_risky() is risky


def test_migrations_that_can_not_be_used_are_a_problem():
    with pytest.raises(ApplicationError, match="2 heads"):
        inspect(App(**LOADED, revisions=dict(problem="The migrations have 2 heads")))


def test_a_seal_keeps_what_is_no_secret():
    loading = inspect(App(**dict(LOADED, loads=False, why="it said sec4ret")))
    assert Loading.kept({"application": loading.to_keep()}) == loading._replace(why="")
    assert Loading.kept({"version": "v1"}) is None


@pytest.mark.parametrize("database, discarded", [
    (None, []),
    (MySQL("blog"), []),
    (SQLite("{root}/shared/instance/blog.db", "blog"), []),
    (SQLite("{root}/elsewhere/blog.db", "blog"), ["{root}/elsewhere"]),
    (SQLite("{root}/nowhere/blog.db", "blog"), []),
])
def test_what_it_writes_to_data_and_release_is_thrown_away(database, discarded, tmp_path):
    for name in ("shared/instance", "releases/v1", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    if database:
        database.name = database.name.format(root=tmp_path)
    sandbox = sandbox_of(Site("blog", str(tmp_path), ""), "v1", database)
    expected = ["{root}/shared", "{root}/releases/v1", *discarded]
    assert sandbox.discarded == tuple(path.format(root=tmp_path) for path in expected)
    assert (sandbox.user, sandbox.network) == ("blog", False)
