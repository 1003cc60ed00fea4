# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a change; how one is made is in test_access.py."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.selfhost.flask.plugins.modules.host_access import main


@pytest.fixture
def asked(tmp_path, capsys):
    """What the module answers about changes, each in the state of the folder that has its token."""

    def asked(state, token, **tokens):
        for name, lines in tokens.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "tokens").write_text(lines)
        with patch_module_args(dict(state=state, token=token, folder=str(tmp_path))), pytest.raises(SystemExit):
            main()
        return json.loads(capsys.readouterr().out)

    return asked


def test_an_earlier_change_that_was_proven_is_a_warning(asked):
    answer = asked("confirmed", "a", armed="a\nb\n")
    assert not answer["changed"] and "undoes both changes" in str(answer["warnings"])


@pytest.mark.parametrize("state, token, said", [
    ("confirmed", "a", "the host has undone the change"),
    ("confirmed", "c", "does not know this change"),
    ("reverted", "b", "the change was confirmed in the meantime, and stays"),
    ("reverted", "c", "does not know this change"),
])
def test_what_became_of_a_change_is_said_where_it_is_not_what_was_asked_for(state, token, said, asked):
    answer = asked(state, token, reverted="a\n", confirmed="b\n")
    assert answer["failed"] and said in answer["msg"]


@pytest.mark.parametrize("state, token", [("confirmed", "b"), ("reverted", "a")])
def test_what_was_done_already_is_no_change(state, token, asked):
    assert not asked(state, token, reverted="a\n", confirmed="b\n")["changed"]
