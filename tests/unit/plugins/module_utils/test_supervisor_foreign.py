# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of supervisor's that somebody else has set up are stopped only if they can be started again."""

from __future__ import annotations

import getpass
import xmlrpc.client
from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.adoption import obstacles
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.installation import Installation
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.obstacles import of_programs
from ansible_collections.selfhost.flask.plugins.module_utils.process import supervisor_foreign
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.process.supervisor_foreign import ForeignPrograms

PROGRAMS = "[program:web]\ncommand=gunicorn -b :8000 web:app\ndirectory=%s\n[program:tasks]\ncommand=rq worker\ndirectory=%s\n"
CANT_REREAD = xmlrpc.client.Fault(92, "CANT_REREAD: other.conf has no command")


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor_foreign, "FILES", str(tmp_path / "conf.d/*.conf"))
    monkeypatch.setattr(supervisor_foreign, "MAIN", str(tmp_path / "supervisord.conf"))
    monkeypatch.setattr(obstacles, "MANAGERS", {"supervisor": ForeignPrograms})
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/web.conf").write_text(PROGRAMS % (tmp_path, tmp_path))
    (tmp_path / "supervisord.conf").write_text("[supervisord]\n")
    return tmp_path


@pytest.mark.parametrize("file", ["conf.d/web.conf", "conf.d/groups.conf", "supervisord.conf"])
def test_a_group_stands_in_the_way_wherever_it_is(files, file):
    programs = tuple(ForeignPrograms().programs())
    found = Installation(programs, str(files), getpass.getuser(), {})
    assert [one.name for one in programs] == ["web", "tasks"] and of_programs(found) == []
    with open(files / file, "a") as text:
        text.write("[group:site]\nprograms = other, web\n")
    (problem,) = of_programs(found)
    assert problem.startswith("web is in the group site of supervisor") and str(files / file) in problem
    assert "remove the section [group:site]" in problem


def test_nothing_is_stopped_if_supervisor_could_not_start_it_again(files, monkeypatch):
    def refuse():
        raise CANT_REREAD

    stopped = []
    rpc = SimpleNamespace(reloadConfig=refuse, getAllProcessInfo=lambda: [dict(group="web", name="web")])
    monkeypatch.setattr(supervisor_foreign.Supervisor, "__init__", lambda self: setattr(self, "rpc", rpc))
    monkeypatch.setattr(supervisor_foreign.Supervisor, "stop", lambda self, *names: stopped.extend(names))
    program = ForeignPrograms().programs()[0]
    with pytest.raises(ProcessError, match="other.conf has no command"):
        ForeignPrograms().stop(program, {program.file: str(files / "away/web.conf")})
    assert stopped == [] and (files / "conf.d/web.conf").exists()
