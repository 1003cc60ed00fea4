# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.action import config_files

FILES = [{"dest": "/etc/blog.conf", "content": "a"}]


@pytest.fixture
def act(monkeypatch):
    """Runs the plugin after a look; the result and what the module was told."""

    def act(look, **arguments):
        told = []
        task = SimpleNamespace(async_val=0, args=arguments, check_mode=False, diff=False)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        made = config_files.ActionModule(task, connection, SimpleNamespace(become_pass=None), None, None, None)
        monkeypatch.setattr(made, "_execute_module", lambda module_args, task_vars: told.append(module_args) or {"changed": True})
        variables = {} if look is None else {config_files.LOOK: look}
        return made.run(task_vars=variables), told

    return act


def test_a_settled_task_needs_no_run_on_the_host(act):
    identity = config_files.identity_of({"files": FILES})
    result, told = act({"settled": {identity: "jails: sshd\n"}}, files=FILES)
    assert told == []
    assert (result["changed"], result["changed_files"], result["loaded"]) == (False, [], [])
    assert (result["stdout"], result["stdout_lines"]) == ("jails: sshd\n", ["jails: sshd"])


NO_LOOK = {"none at all": None, "one that was left out": {"skipped": True}, "one of other tasks": {"settled": {"another": ""}}}


@pytest.mark.parametrize("case", NO_LOOK)
def test_any_other_task_runs(case, act):
    result, told = act(NO_LOOK[case], files=FILES, validate="true")
    assert result["changed"]
    assert told == [dict(files=FILES, validate="true", identity=config_files.identity_of(dict(validate="true", files=FILES)))]


def test_each_argument_tells_tasks_apart():
    several = [{"files": FILES}, {"files": FILES, "ask": "x"}, {"files": [dict(FILES[0], content="b")]}]
    assert len(set(map(config_files.identity_of, several))) == len(several)
