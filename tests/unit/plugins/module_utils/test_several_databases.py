# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations for several databases: one that is behind the others is seen."""

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.database.several import Several
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.deployment import Deployment

SINGLE = "target_db = current_app.extensions['migrate'].db\n"
MULTIDB = "bind_names = list(current_app.config.get('SQLALCHEMY_BINDS').keys())\n"


class At:
    """A database at a revision; at none if it has no such table."""

    def __init__(self, *revision):
        self.name = "x"
        self.revision = lambda: list(revision)


@pytest.fixture
def deployment(tmp_path, monkeypatch):
    """A release that migrates to b2, and databases that are somewhere."""
    versions = tmp_path / "migrations/versions"
    versions.mkdir(parents=True)
    (versions / "a1.py").write_text("revision = 'a1'\ndown_revision = None\n")
    (versions / "b2.py").write_text("revision = 'b2'\ndown_revision = 'a1'\n")

    def deployment(env, *databases):
        (tmp_path / "migrations/env.py").write_text(env)
        made = Deployment.__new__(Deployment)
        made.params = {"migrations": "migrations"}
        monkeypatch.setattr(made, "database", lambda: Several(list(databases)), raising=False)
        monkeypatch.setattr(made, "site", type("Site", (), {"release_name": lambda self, folder: "v1"})(), raising=False)
        monkeypatch.setattr(made, "is_live", lambda folder: False, raising=False)
        return made

    return deployment


@pytest.mark.parametrize("env, databases, current, is_settled", [
    (MULTIDB, (At("b2"), At("b2")), [["b2"], ["b2"]], True),
    (MULTIDB, (At("b2"), At("a1")), [["b2"], ["a1"]], False),
    (MULTIDB, (At("b2"), At()), [["b2"], []], False),  # a bind that this version is the first to have
    (SINGLE, (At("b2"), At()), [["b2"]], True),  # a database that nothing migrates
    (SINGLE, (At("a1"), At()), [["a1"]], False),
])
def test_a_database_that_is_behind_is_seen(env, databases, current, is_settled, deployment, tmp_path):
    made = deployment(env, *databases)
    assert made.current(str(tmp_path)) == current
    assert made._is_up_to_date(str(tmp_path)) is is_settled
