# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module says; what administrators get is in test_admins.py."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.selfhost.flask.plugins.module_utils.access.admins import Refused
from ansible_collections.selfhost.flask.plugins.modules import host_admins

ADMINS = dict(owner="blog", users=[dict(name="no-such-user", ssh_keys=["ssh-ed25519 AAAA ana"])], sudoers="text\n")


@pytest.fixture
def asked(monkeypatch, capsys):
    """What the module answers, where the host's files lack something or nothing."""

    def asked(written=(), problem=None, **options):
        def add(self):
            if problem:
                raise problem
            return list(written)

        monkeypatch.setattr(host_admins.Guard, "hold", lambda self: None)
        monkeypatch.setattr(host_admins.Admins, "add", add)
        monkeypatch.setattr(host_admins.Admins, "check_sudoers", lambda self: None)
        monkeypatch.setattr(host_admins.Admins, "accounts", lambda self: [])
        monkeypatch.setattr(host_admins.Admins, "changes", lambda self: dict.fromkeys(written))
        with patch_module_args(dict(admins=ADMINS, **options)), pytest.raises(SystemExit):
            host_admins.main()
        return json.loads(capsys.readouterr().out)

    return asked


@pytest.mark.parametrize("written", [[], ["/home/ana/.ssh/authorized_keys"]])
def test_says_what_was_missing(written, asked):
    assert asked(written)["changed_files"] == written
    assert asked(written)["changed"] == asked(written, _ansible_check_mode=True)["changed"] == bool(written)


def test_a_refusal_says_that_nobody_lost_anything(asked):
    answer = asked(problem=Refused("no"))
    assert answer["failed"] and answer["msg"] == "Nobody has lost a way in, but not all administrators have theirs: no. Put that right, and run the playbook again."
